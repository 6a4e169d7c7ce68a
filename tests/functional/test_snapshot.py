"""A function restored from a snapshot: its first requests import nothing, in any protocol.

Without a snapshot a start pays for what its own requests need, and for no protocol beside.
"""

import base64
from pathlib import Path
from typing import Any

import pytest
from support.doors import rest_event
from support.function import run_function
from support.kinds import KINDS, TEXT, home_of_kind
from support.tensors import tensors_of, with_bytes

import maas.http.protocols

SNAPSHOT = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
PING = {"source": "warm-up"}  # answered before the app
NOTE = "import sys; before = set(sys.modules)"
TELL = "print('imported', *sorted(set(sys.modules) - before), file=sys.stderr)"
LAZY = {
    *("maas.http.protocols.oip", "maas.http.protocols.oip_answer"),
    *("maas.http.protocols.oip_models", "maas.http.protocols.openai_wire"),
    *("maas.http.protocols.openai_errors", "maas.http.protocols.tfs"),
}


def posts(path: str, body: Any, **headers: str) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(body, bytes):
        coded = base64.b64encode(body).decode()
        return rest_event("POST", path, coded, headers=headers, base64=True)
    return rest_event("POST", path, body, headers=headers)


def requests(kind: str, model: str) -> list[dict[str, Any]]:
    """First requests in each protocol, good and bad."""
    own, v1, v2 = f"/models/{model}", f"/v1/models/{model}", f"/v2/models/{model}"
    inputs = tensors_of(kind)
    data, header_bytes = with_bytes({"inputs": inputs})
    as_bytes = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(header_bytes),
        "accept-encoding": "gzip, deflate",
    }
    written = {"prompt": TEXT, "messages": [{"role": "user", "content": TEXT}], "max_tokens": 2}
    return [
        posts(own, KINDS[kind].body),
        posts(f"{v2}/infer", {"inputs": inputs}, **{"accept-encoding": "gzip"}),
        posts(f"{v2}/infer", data, **as_bytes),
        posts(f"{v1}:predict", {"instances": ["a"]}),
        posts(f"{own}/invocations", {"instances": ["a"]}),
        posts(f"{own}/invocations", b"text\na good film\n", **{"content-type": "text/csv"}),
        *(posts(f"{own}/v1/{name}", {"model": model, "input": TEXT}) for name in ("embeddings",)),
        *(
            posts(f"{own}/v1/{name}", {"model": model} | written)
            for name in ("completions", "chat/completions")
        ),
        *(
            rest_event("GET", path)
            for path in (own, f"{own}/ping", v2, f"{v2}/ready", f"{v2}/config", f"{v2}/stats", v1)
        ),
        *(rest_event("GET", f"{own}/v1/models{more}") for more in ("", f"/{model}")),
        rest_event("GET", f"{v1}/metadata"),
        *(posts(path, b"{") for path in (own, f"{v2}/infer", f"{v1}:predict")),
        posts(own, {"inputs": 7}),
        posts(f"{v2}/infer", {"inputs": []}),
        rest_event("GET", f"{own}/versions/9"),
        rest_event("DELETE", own),
        rest_event("GET", "/nothing"),
    ]


def imported(kind: str, folder: Path, environ: dict[str, str]) -> tuple[list[str], list[int]]:
    """What a fresh process imports for its first requests, and what they are answered."""
    home = home_of_kind(folder / "home", kind)
    model = str(home.settings.model)
    events = requests(kind, model)
    ended = run_function("inference", home.environ | environ, PING, NOTE, *events, TELL, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    told = [line.split()[1:] for line in ended.stderr.splitlines() if line.startswith("imported")]
    return told[0], ended.statuses()[1:]


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_restore_no_first_request_imports_anything(kind: str, tmp_path: Path) -> None:
    modules, statuses = imported(kind, tmp_path, SNAPSHOT)
    assert statuses[:3] == [200] * 3
    assert {400, 404, 405, 422} <= set(statuses)
    assert max(statuses) < 500
    assert modules == []


def test_a_snapshot_holds_every_protocol_that_there_is(tmp_path: Path) -> None:
    home = home_of_kind(tmp_path / "home", "text-classification")
    told = "import sys; print('loaded', *sys.modules, file=sys.stderr)"
    ended = run_function("inference", home.environ | SNAPSHOT, PING, told, cwd=tmp_path)
    (line,) = (line for line in ended.stderr.splitlines() if line.startswith("loaded"))
    folder = Path(maas.http.protocols.__file__).parent
    names = {f"maas.http.protocols.{path.stem}" for path in folder.glob("*.py")}
    of_tasks = {name for name in names if ".hf_" in name}  # of which a function has one
    assert names - of_tasks - {"maas.http.protocols.__init__"} <= set(line.split())


def test_without_a_snapshot_a_start_pays_for_its_own_requests_alone(tmp_path: Path) -> None:
    modules, statuses = imported("text-classification", tmp_path, {})
    assert statuses[:3] == [200] * 3
    assert set(modules) >= LAZY
