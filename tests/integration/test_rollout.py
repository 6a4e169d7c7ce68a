"""A rollout end to end: `maas serve`, callers who never pause, a version that is bad on purpose.

The server, the driver and the callers are processes and threads of their own; all is real but the
models, which are tiny.
"""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support.graphs import classifier_graph, slow_graph
from support.tiny import MODEL, NAN_WORD, WORDS, Home, make_bundle, make_home, register_bundle

CALLERS = 4
DULL = "a dull film told with warmth"
BROKEN = f"a film that is {NAN_WORD}"


def slow(weights: Any) -> bytes:  # noqa: ANN401 - numpy's arrays
    """It computes so long on one word that its golden requests do not have."""
    return slow_graph(weights, slow_id=WORDS.index("dull"), turns=10_000)


def failing(weights: Any) -> bytes:  # noqa: ANN401 - numpy's arrays
    """It answers NaN to another such word."""
    broken = weights.copy()
    broken[WORDS.index(NAN_WORD)] = np.nan
    return classifier_graph(broken)


@dataclass
class Callers:
    """A closed load: each caller asks again as soon as it is answered."""

    url: str
    text: str
    ended: "Counter[tuple[int, str]]" = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def call(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self.over.is_set():
                answer = client.post(f"/models/{MODEL}", json={"inputs": self.text})
                self.ended[answer.status_code, answer.headers["x-maas-version"]] += 1

    @contextmanager
    def calling(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.call) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()


@contextmanager
def serving(home: Home) -> Iterator[str]:
    command = [sys.executable, "-m", "maas_lab.cli", "serve", "--port", "0", "--json"]
    command += ["--policy-ttl", "0.2"]
    log = home.settings.home / "serve.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=_environ(home)
        ) as server,
    ):
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()
            server.communicate(timeout=15)


@contextmanager
def hook(
    before: Callable[[], object] = lambda: None,
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook, what it has heard, and what it does before it answers."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            before()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", got
        server.shutdown()
        thread.join()


def maas(home: Home, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run a verb in a process of its own: its exit code, its JSON and its progress."""
    done = subprocess.run(
        [sys.executable, "-m", "maas_lab.cli", *arguments, "--json"],
        capture_output=True,
        text=True,
        env=_environ(home),
        timeout=60,
        check=False,
    )
    said = json.loads(done.stdout or done.stderr.splitlines()[-1])
    return done.returncode, said, done.stderr


@contextmanager
def driving(home: Home, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A verb in a process of its own, which ends with the test that wants it no longer."""
    with subprocess.Popen(
        [sys.executable, "-m", "maas_lab.cli", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environ(home),
    ) as driver:
        try:
            yield driver
        finally:
            driver.kill()


def _environ(home: Home) -> dict[str, str]:
    return {"PATH": "", "MAAS_HOME": str(home.settings.home), "MAAS_ACTOR": "ada"}


def add(home: Home, graph_of: Any, *, seed: int) -> int:  # noqa: ANN401 - see `make_bundle`
    bundle = make_bundle(home.settings.bundles, seed=seed, graph_of=graph_of)
    with home.registry() as registry:
        return register_bundle(registry, bundle)


def roll_out(home: Home, version: int, url: str, notify: str, *limits: str) -> tuple[int, Any, str]:
    return maas(home, *command(version, url, notify), *limits)


def command(version: int, url: str, notify: str) -> tuple[str, ...]:
    return (
        *("rollout", f"{MODEL}@{version}", "--steps", "20,50,100", "--interval", "1s"),
        *("--min-requests", "40", "--url", url, "--notify", notify),
    )


def routed(home: Home) -> list[int]:
    with home.registry() as registry:
        return [route.version for route in registry.alias(MODEL, "production").routes]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", versions=1)


def show(timeline: list[dict[str, Any]], ended: "Counter[tuple[int, str]]") -> None:
    """For who runs this by hand with -s."""
    for mark in timeline:
        print(mark["at"][17:], mark["kind"], f"{mark['percent']:g} %", mark.get("reason", ""))  # noqa: T201
    print(dict(ended))  # noqa: T201


def test_a_slow_version_is_taken_back_a_good_one_goes_through_and_no_request_fails(
    home: Home,
) -> None:
    bad, good = add(home, slow, seed=2), add(home, None, seed=3)
    with serving(home) as url, hook() as (notify, told):
        callers = Callers(url, DULL)
        with callers.calling():
            # When the slow one is rolled out, its driver alone takes it back
            code, said, _ = roll_out(home, bad, url, notify, "--max-p99-ratio", "2")
            show(said["timeline"], callers.ended)
            assert (code, said["outcome"]) == (3, "stopped")
            assert "p99" in said["reason"]
            assert routed(home) == [1]
            # and the good one, asked in the same way, answers all in the end
            code, said, progress = roll_out(home, good, url, notify, "--max-p99-ratio", "100")
    show(said["timeline"], callers.ended)
    assert (code, said["outcome"]) == (0, "finished")
    assert routed(home) == [good]
    assert progress.count("advanced") == 2
    # No caller saw a failure, though some were answered by the slow version
    assert {status for status, _ in callers.ended} == {200}
    assert 40 <= callers.ended[200, str(bad)] < 0.2 * callers.ended.total()
    # Somebody was told, and there is a picture of it
    assert [(notice["event"], notice["version"]) for notice in told] == [
        ("stopped", bad),
        ("finished", good),
    ]
    assert Path(said["plot"]).read_bytes().startswith(b"\x89PNG")


def test_a_failing_version_fails_none_but_its_own_few_callers(home: Home) -> None:
    bad = add(home, failing, seed=2)
    with serving(home) as url, hook() as (notify, told):
        callers = Callers(url, BROKEN)
        with callers.calling():
            code, said, _ = roll_out(home, bad, url, notify)
            # Once it is over, and the policy's 0.2 s are too, nobody is routed to it any more
            threading.Event().wait(1)
            before = callers.ended.copy()
            threading.Event().wait(0.3)
            after = callers.ended - before
    show(said["timeline"], callers.ended)
    assert (code, said["outcome"]) == (3, "stopped")
    assert "errors" in said["reason"]
    failed = {key: count for key, count in callers.ended.items() if key[0] != 200}
    assert failed
    assert {version for _, version in failed} == {str(bad)}
    assert sum(failed.values()) < 0.2 * callers.ended.total()
    assert set(after) == {(200, "1")}
    assert told[0]["text"].startswith("sentiment@2 was taken back from production by itself")


def test_a_driver_that_is_killed_while_it_tells_the_end_is_followed_by_one_who_tells_it(
    home: Home,
) -> None:
    good = add(home, None, seed=2)
    drivers: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        for driver in drivers:
            driver.kill()

    with serving(home) as url, hook(kill) as (deadly, heard):
        callers = Callers(url, DULL)
        words = (*command(good, url, deadly), "--max-p99-ratio", "100")
        with callers.calling(), driving(home, *words) as driver:
            drivers.append(driver)
            assert driver.wait(timeout=60) == -signal.SIGKILL
    assert routed(home) == [good]
    # When somebody resumes it, nothing is watched any more, and the same end is told
    with hook() as (notify, told):
        code, said, _ = maas(home, "rollout", "resume", MODEL, "--notify", notify)
        assert (code, said["outcome"], told) == (0, "finished", heard)
        # and only once more: it is owed to nobody then
        assert maas(home, "rollout", "resume", MODEL, "--notify", notify)[0] == 4
    assert told == heard
    assert len(told) == 1
    assert {status for status, _ in callers.ended} == {200}
