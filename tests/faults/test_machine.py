"""F15, F17, F24: full and read-only disks, kills, closed streams, no X-Ray; and nothing that grows.

A killed process stands in for one that the system ends because memory is out: what is promised is
that the next one needs nothing but to be started.
"""

import io
import json
import logging
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from msgspec import structs
from support import effort
from support.doors import LambdaContext, rest_event
from support.function import function_environ, pack, routed, run_function
from support.kinds import KINDS, home_of_kind
from support.needs import missing
from support.tiny import FOREVER_WORD, NAN_WORD, PANIC_TEXT, Home, make_home, open_client

from maas.http.entry import build_handler
from maas.limits import LIMITS
from maas.loaded import REFUSED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOOD = rest_event(body={"inputs": "a good film"})
BAD = rest_event(body="{")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def hazardous(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A model that can be made to panic, to answer NaN and to run for ever."""
    return make_home(tmp_path_factory.mktemp("home"), versions=1, hazards=True)


@contextmanager
def no_more_files() -> "Iterator[None]":
    """Nothing can be opened any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def full_disk() -> "Iterator[None]":
    """Nothing can be written any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ---- F15: disks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", [no_more_files, full_disk])
def test_f15_a_machine_that_fails_stops_no_loaded_model(
    home: Home,
    log: io.StringIO,
    failing: "Callable[[], Any]",
) -> None:
    # Given a loaded version, and a policy that is read for every request
    always = replace(home, settings=structs.replace(home.settings, policy_ttl=0.0))
    with open_client(always.services()) as client:
        assert client.predict("good").status_code == 200
        # When the machine can open or write no file
        with failing():
            responses = [client.predict("good") for _ in range(3)]
        # Then answers go on, by the last known policy if need be
        assert [response.status_code for response in responses] == [200] * 3
        assert {response.headers["x-maas-policy"] for response in responses} <= {"live", "stale"}
        assert client.predict("good").status_code == 200
    effort.count("faults", 3)


def test_a_version_that_cannot_be_opened_now_is_not_ready_and_is_later(home: Home) -> None:
    later = [0.0]
    services = home.services(clock=lambda: time.monotonic() + later[0])
    with open_client(services) as client:
        assert client.predict("good").status_code == 200
        with no_more_files():
            response = client.post("/models/sentiment/versions/2", json={"inputs": "good"})
        assert (response.status_code, response.json()["code"]) == (503, "model_not_ready")
        assert str(home.settings.home) not in response.text
        later[0] = REFUSED_SECONDS
        assert (
            client.post("/models/sentiment/versions/2", json={"inputs": "good"}).status_code == 200
        )


def test_a_registry_that_is_locked_or_lost_stops_no_answer(home: Home) -> None:
    always = replace(home, settings=structs.replace(home.settings, policy_ttl=0.0))
    file = home.settings.home / "registry.sqlite"
    with open_client(always.services()) as client:
        client.predict("good")
        # Given a writer that holds the file, then a file that is none, then no file
        locked = sqlite3.connect(file, isolation_level=None)
        locked.execute("BEGIN EXCLUSIVE")
        assert client.predict("good").status_code == 200
        locked.execute("ROLLBACK")
        locked.close()
        for other in home.settings.home.glob("registry.sqlite*"):
            other.unlink()
        file.write_bytes(b"this is no database" * 1000)
        response = client.predict("good")
        assert (response.status_code, response.headers["x-maas-policy"]) == (200, "stale")
        file.unlink()
        response = client.predict("good")
        assert (response.status_code, response.headers["x-maas-policy"]) == (200, "stale")


_READ_ONLY = """
mount --bind "$1" /mnt && mount -t tmpfs -o size=16k tmpfs /media || exit 77
cat /dev/zero >/media/full 2>/dev/null
mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp || exit 77
mount -o remount,ro,bind /mnt && mount -o remount,ro,bind / || exit 77
if touch "$2" 2>/dev/null || touch /tmp/x 2>/dev/null; then exit 77; fi
shift 2
TMPDIR=/media exec "$@"
"""


@pytest.mark.parametrize("name", ["inference", "catalog"])
def test_f15_with_temp_full_and_all_else_read_only_a_function_answers(
    home: Home, tmp_path: Path, name: str
) -> None:
    # Given a machine where nothing can be written, and a folder for temporary files that is full
    models = pack(home, tmp_path / "opt/models", routed(home, 4, v1=100))
    if shutil.which("unshare") is None:
        missing("unshare is not on PATH")
    within = (
        "unshare",
        "-rm",
        "sh",
        "-c",
        _READ_ONLY,
        "sh",
        str(models.parent),
        str(tmp_path / "x"),
    )
    environ = function_environ(Path("/mnt/models"), endpoint=NOBODY)
    events = [GOOD, BAD, GOOD]
    if name == "catalog":  # whose registry is away: what needs none is answered
        events = [rest_event("GET", "/catalog/openapi.json")] * 3
    ended = run_function(name, environ, *events, cwd=tmp_path, within=within)
    if ended.returncode == 77 or "unshare" in ended.stderr:
        missing(f"a read-only file system cannot be had here: {ended.stderr}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.statuses() == ([200, 400, 200] if name == "inference" else [200] * 3)
    if name == "inference":
        assert {answer["headers"].get("x-maas-policy") for answer in ended.answers[::2]} == {
            "baked"
        }
    effort.count("faults")


# ---- F17: killed ---------------------------------------------------------------------------------


@contextmanager
def serving(home: Home, port: int = 0) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """`maas serve` in a process of its own, and its URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "maas_lab.cli", "serve", "--port", str(port), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PATH": "", **home.environ},
    ) as server:
        try:
            assert server.stdout is not None
            yield server, json.loads(server.stdout.readline())["url"]
        finally:
            server.kill()


def test_f17_a_killed_server_is_well_again_when_it_is_started_again(hazardous: Home) -> None:
    def ask(url: str, text: str) -> httpx.Response:
        return httpx.post(f"{url}/models/sentiment", json={"inputs": text}, timeout=15)

    with serving(hazardous) as (server, url):
        before = ask(url, "a good film")
        # Given a request that is being answered when the process is ended without a word
        lost: list[Exception] = []

        def wait() -> None:
            try:
                ask(url, FOREVER_WORD)
            except httpx.TransportError as error:
                lost.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.05)
        server.kill()
        waiting.join(10)
        assert server.wait(10) == -signal.SIGKILL
        assert len(lost) == 1  # its caller is told by the connection, and at once
    # When it is started again, with the same port and files, then it answers as it did
    with serving(hazardous, int(url.rpartition(":")[2])) as (_, again):
        after = ask(again, "a good film")
        health = httpx.get(f"{again}/health").status_code
    assert (again, health, after.status_code) == (url, 200, 200)
    assert after.content == before.content
    assert after.headers["x-maas-digest"] == before.headers["x-maas-digest"]
    effort.count("faults")
    effort.count("requests", 4)


def test_f17_a_killed_function_leaves_nothing_that_hinders_the_next(
    home: Home, tmp_path: Path
) -> None:
    kill = "import os, signal, threading; threading.Timer(0.1, os.kill, (os.getpid(), 9)).start()"
    work = tmp_path / "work"
    work.mkdir()
    first = run_function(
        "inference", home.environ, GOOD, kill, "import time; time.sleep(30)", cwd=work
    )
    assert (first.returncode, first.statuses()) == (-signal.SIGKILL, [200])
    again = run_function("inference", home.environ, GOOD, cwd=work)
    assert (again.returncode, again.statuses()) == (0, [200])
    assert again.answers[0]["body"] == first.answers[0]["body"]
    assert list(work.iterdir()) == []
    effort.count("faults")


# ---- F24: nobody listens -------------------------------------------------------------------------

_TRACED = {
    "_X_AMZN_TRACE_ID": "Root=1-5e1b4151-5ac6c58f5b5daa6b0a9d5b5d;Sampled=1",
    "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:9",
    "AWS_LAMBDA_FUNCTION_NAME": "maas-model-sentiment",
}
_SILENT = {
    "closed": "import sys; sys.stdout.close()",
    "gone": "import os, sys; r, w = os.pipe(); os.dup2(w, 1); os.close(w); os.close(r)",
    "full": "import os, sys; os.dup2(os.open('/dev/full', os.O_WRONLY), 1)",
}


@pytest.mark.parametrize("name", ["inference", "catalog"])
@pytest.mark.parametrize("stdout", ["open", *_SILENT])
def test_f24_without_x_ray_and_without_anybody_who_reads_the_log_it_answers(
    home: Home, tmp_path: Path, name: str, stdout: str
) -> None:
    good = GOOD if name == "inference" else rest_event("GET", "/catalog/models")
    bad = rest_event("GET", "/nothing")
    silence = [_SILENT[stdout]] if stdout in _SILENT else []
    environ = {**home.environ, **_TRACED}
    ended = run_function(name, environ, *silence, good, bad, good, cwd=tmp_path)
    assert ended.statuses() == [200, 404, 200]
    if stdout == "open":
        assert (ended.returncode, ended.stderr) == (0, "")
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        assert sum(line.get("message") == "answered" for line in lines) == 3
        assert sum("_aws" in line for line in lines) == 3
    else:
        assert ended.stdout == ""
    effort.count("faults")


# ---- Nothing grows -------------------------------------------------------------------------------


def in_use() -> tuple[int, int, float]:
    """Threads, open files, and megabytes in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(list(Path("/proc/self/fd").iterdir()))
    return threading.active_count(), files, pages * resource.getpagesize() / 2**20


def damaged(home: Home) -> "Callable[[], None]":
    """Version 2 cannot be opened, and is tried anew each time."""
    (home.bundles[2].folder / "tokenizer.json").write_text("damaged")
    return lambda: None


FAULTS: "dict[str, tuple[Any, int]]" = {
    "body": (rest_event(body="{"), 400),
    "event": ({"Records": []}, 400),
    "route": (rest_event(path="/nothing"), 404),
    "field": (rest_event(body={"inputs": [""]}), 422),
    "damaged": (rest_event(path="/models/sentiment/versions/2", body={"inputs": "good"}), 503),
    "nan": (rest_event(body={"inputs": NAN_WORD}), 500),
    "panic": (rest_event(body={"inputs": PANIC_TEXT}), 500),
    "for ever": (rest_event(body={"inputs": FOREVER_WORD}), 504),
}


@pytest.mark.parametrize("kind", ["image-classification", "feature-extraction", "translation"])
def test_p5_after_many_faults_of_another_kind_of_model_nothing_has_grown(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(logging.getLogger("maas"), "propagate", False)  # pytest would keep all
    home = home_of_kind(tmp_path, kind, hazards=True)
    handler, margin = build_handler(home.settings), int(LIMITS.deadline_margin_seconds * 1000)
    asked = [
        (KINDS[kind].body, 200, 15_000),
        ({"inputs": "", "parameters": {"generate_parameters": {"num_beams": 9}}}, 422, 15_000),
        *(
            (body, status, margin + 3 if status == 504 else 15_000)
            for body, (status, _) in KINDS[kind].hazards
        ),
    ]

    def go_through(times: int) -> None:
        for _ in range(times):
            for body, status, left in asked:
                event = rest_event(path=home.path, body=body)
                answer = handler(event, LambdaContext(remaining_milliseconds=left))
                assert answer["statusCode"] == status
        effort.count("faults", 3 * times)
        effort.count("requests", 4 * times)
        log.seek(0)
        log.truncate()

    go_through(10)
    before = in_use()
    go_through(effort.examples(40, 400))
    after = in_use()
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert after[2] - before[2] < 8, (before, after)


@pytest.mark.usefixtures("capfd")
def test_p5_after_hundreds_of_faults_of_each_kind_nothing_has_grown(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maas.loaded.REFUSED_SECONDS", 0.0)
    monkeypatch.setattr(logging.getLogger("maas"), "propagate", False)  # pytest would keep all
    home = make_home(tmp_path, versions=2, hazards=True)
    damaged(home)
    handler = build_handler(home.settings)
    margin = int(LIMITS.deadline_margin_seconds * 1000)

    def go_through(name: str, times: int) -> None:
        event, status = FAULTS[name]
        left = margin + 3 if name == "for ever" else 15_000
        for _ in range(times):
            assert (
                handler(event, LambdaContext(remaining_milliseconds=left))["statusCode"] == status
            )
        assert handler(GOOD, LambdaContext())["statusCode"] == 200
        effort.count("faults", times)
        effort.count("requests", times + 1)
        log.seek(0)
        log.truncate()

    # A panic takes as long as the regular expression that it gives up
    times = {
        name: effort.examples(20 if name == "panic" else 200, 200 if name == "panic" else 1_000)
        for name in FAULTS
    }
    for name in FAULTS:
        go_through(name, max(5, times[name] // 4))
    before = in_use()
    for name in FAULTS:
        go_through(name, times[name])
    after = in_use()
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert after[2] - before[2] < 8, (before, after)
