"""Every command of the README, run in its order in a fresh copy of the project."""

import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from support.needs import missing
from support.sam import Sam, sam_environment

from maas_lab import cli
from maas_lab.registry.dynamodb_local_files import has_java

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^ *```(bash java|bash docker|bash|python|console|text)\n(.*?)^ *```$", re.M | re.S
)


def readme_blocks(*kinds: str) -> list[tuple[str, str]]:
    """The blocks of some kinds, in order. Each kind says where it is run."""
    text = (ROOT / "README.md").read_text()
    return [(kind, body) for kind, body in FENCE.findall(text) if kind in kinds]


def as_script(*kinds: str) -> str:
    """All blocks as one bash script, on ports that are free; each command is echoed."""
    lines = ["set -Eeuo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for kind, body in readme_blocks(*kinds):
        if kind == "python":
            lines.append(f"python - <<'PY'\n{body}PY")
        else:
            for command in body.strip().splitlines():
                lines += [f"echo '>>>' {quoted(command.strip())}", command.strip()]
    script = "\n".join(lines) + "\n"
    for port in ("8080", "8000"):
        script = script.replace(port, str(free_port()))
    return script


def quoted(command: str) -> str:
    return "'" + command.replace("'", "'\\''") + "'"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def borrow_environment(folder: Path) -> None:
    """Give a copy this run's packages, marked as installed so that they stay as they are."""
    (folder / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name not in ("base", "installed"):
            (folder / ".venv" / part.name).symlink_to(part)
    stamp = """
        set -- lab,dev; python=${PYTHON:-python3}
        eval "$(grep -E '^(python=.*_base|base=|wanted=)' scripts/venv)"
        echo "$base" >.venv/base; echo "$wanted" >.venv/installed
    """
    subprocess.run(["bash", "-c", stamp], cwd=folder, check=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files, the virtual environment of this run, and a user's file of reviews."""
    folder = tmp_path_factory.mktemp("readme") / "maas"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    borrow_environment(folder)
    rng = random.Random(0)
    rows = ["review,stars"]
    for index in range(400):
        word, label = (("lovely", "good"), ("dreadful", "bad"))[index % 2]
        rows.append(f"{rng.choice(['a', 'one', 'this'])} {word} film number {index},{label}")
    (folder / "reviews.csv").write_text("\n".join(rows) + "\n")
    return folder


def run_blocks(clone: Path, *kinds: str, **environment: str) -> str:
    # A newcomer has set nothing yet
    outside = {name: said for name, said in os.environ.items() if not name.startswith("MAAS_")}
    done = subprocess.run(
        ["bash", "-c", as_script(*kinds)],
        cwd=clone,
        env={**outside, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def said(clone: Path) -> str:
    """What the commands say that a laptop with Python alone can run, one after the other."""
    # Given the data set that an earlier run fetched, if there was one
    cache = ROOT / ".maas" / "cache"
    if cache.is_dir():
        shutil.copytree(cache, clone / ".maas" / "cache")
    return run_blocks(clone, "bash", "python")


def test_every_command_runs(said: str) -> None:
    assert "Installing" not in said
    assert "all of it took" in said
    assert "sentiment@production is now version 1 90 %, version 2 10 %" in said
    assert "sentiment@2 answers all of sentiment@production now" in said
    assert '"status":"ok"' in said
    assert said.count('[[{"label":"') == 3
    assert '"data":[16.0]' in said
    assert '["setosa"]' in said
    assert '"more":' in said
    assert '"action":"rollback"' in said
    assert "245 MB" in said or "245,000,000" in said or "fits" in said


@pytest.mark.usefixtures("said")
def test_the_commands_with_dynamodb_run(clone: Path) -> None:
    if not has_java() and not shutil.which("docker"):
        missing("DynamoDB Local needs Java 11 or newer and npm, or Docker")
    said = run_blocks(clone, "bash java", AWS_ENDPOINT_URL_DYNAMODB="")
    assert "sentiment@production is now version 2 (revision" in said


@pytest.mark.docker
@pytest.mark.usefixtures("said")
def test_the_commands_in_docker_run(clone: Path) -> None:
    Sam(clone)  # ends the test where a tool is absent
    said = run_blocks(clone, "bash docker", SAM_SKIP_PULL_IMAGE="1", **sam_environment())
    # SAM exits with 0 whatever a function answers
    assert said.count('"statusCode": 200') == 2


def test_the_commands_that_need_an_account_are_commands() -> None:
    """They are asserted, not exercised: each verb and option is there, and nothing is run."""
    lines = [line for _, body in readme_blocks("console") for line in body.split("\n")]
    verbs = [shlex.split(line)[1:] for line in lines if line.strip().startswith("maas ")]
    told = ["train", *["import"] * 6, "deploy", "promote", "rollback"]
    assert [verb for verb, *_ in verbs] == told
    command: Any = typer.main.get_command(cli.app)
    for verb, *arguments in verbs:
        assert command.commands[verb].make_context(verb, arguments).params


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
