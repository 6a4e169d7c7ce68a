"""The issue's story, with real parts: train twice, share traffic, pin, roll back, never restart."""

import logging
import signal
import subprocess
import sys
import time
from collections import Counter

import httpx
import pytest
from support.laptop import Laptop

TEXTS = ["a lovely warm film", "a dull tedious plot"]


def ask(url: str, path: str = "/models/sentiment", **options: object) -> httpx.Response:
    return httpx.post(url + path, json={"inputs": TEXTS}, timeout=10, **options)  # type: ignore[arg-type]


def versions_answering(url: str, requests: int) -> Counter[str]:
    with httpx.Client() as client:
        answers = [
            client.post(f"{url}/models/sentiment", json={"inputs": TEXTS[0]})
            for _ in range(requests)
        ]
    assert {answer.status_code for answer in answers} == {200}
    return Counter(answer.headers["x-maas-version"] for answer in answers)


def wait_for(url: str, versions: set[str]) -> None:
    """Until a change of the registry is seen; the policy's TTL bounds it."""
    deadline = time.monotonic() + 5
    while set(versions_answering(url, 40)) != versions:
        assert time.monotonic() < deadline, f"{versions} never answered"
        time.sleep(0.05)


def test_a_version_is_canaried_pinned_and_rolled_back_without_a_restart(laptop: Laptop) -> None:
    with laptop.serving("--policy-ttl", "0.2") as url:
        # Given version 1 answers everything
        assert versions_answering(url, 20) == {"1": 20}

        # When version 2 is promoted to 10 % while the server runs
        laptop.ok("promote", "sentiment@2", "--weight", "10")
        wait_for(url, {"1", "2"})

        # Then it answers about 10 % of the requests
        share = versions_answering(url, 1000)["2"] / 1000
        assert 0.06 <= share <= 0.14

        # And either can be pinned by path, header and query, by number and by digest
        digest = str(laptop.ok("show", "sentiment@2")["digest"])
        for pinned in ("2", digest, digest[:19]):
            by_path = ask(url, f"/models/sentiment/versions/{pinned}")
            by_header = ask(url, headers={"x-maas-version": pinned})
            by_query = ask(url, params={"version": pinned})
            for answer in (by_path, by_header, by_query):
                assert answer.headers["x-maas-version"] == "2"
                assert answer.headers["x-maas-digest"] == digest
                assert answer.json() == by_path.json()

        # When it is rolled back, version 1 answers everything again
        laptop.ok("rollback", "sentiment", "--why", "worse at night")
        wait_for(url, {"1"})
        assert versions_answering(url, 100) == {"1": 100}

    # And history tells all of it
    events = laptop.ok("history", "sentiment")["events"]
    assert isinstance(events, list)
    assert [event["action"] for event in events] == [
        "rollback", "promote", "promote", "register", "register",
    ]  # fmt: skip
    assert events[0]["reason"] == "worse at night"
    assert {event["by"] for event in events} == {"ada"}


def test_a_version_registered_while_serving_is_found(laptop: Laptop) -> None:
    with laptop.serving("--policy-ttl", "0.2") as url:
        assert ask(url, "/models/sentiment/versions/3").status_code == 404

        laptop.ship(seed=3)

        deadline = time.monotonic() + 5
        while (answer := ask(url, "/models/sentiment/versions/3")).status_code == 404:
            assert time.monotonic() < deadline, "version 3 was never found"
            time.sleep(0.05)
        assert answer.status_code == 200
        assert answer.headers["x-maas-version"] == "3"


def test_the_handler_and_the_server_give_the_same_answer(shipped: Laptop) -> None:
    with shipped.serving() as url:
        there = shipped.ok("predict", "sentiment", "--url", url, *TEXTS)
    here = shipped.ok("predict", "sentiment", *TEXTS)
    assert here == there
    assert [row[0]["label"] for row in here["predictions"]] == ["positive", "negative"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.3])
def test_sigterm_ends_the_server_with_exit_code_0(shipped: Laptop, delay: float) -> None:
    # Given a server that has just said, or said a while ago, that it is up
    command = [sys.executable, "-m", "maas_lab.cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=shipped.environment
    ) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            time.sleep(delay)
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=10) == 0
        finally:
            server.kill()


@pytest.mark.parametrize("host", ["127.0.0.1"])
def test_a_taken_port_is_exit_5_with_the_remedy(shipped: Laptop, host: str) -> None:
    with shipped.serving() as url:
        port = url.rsplit(":", 1)[1]
        result = shipped.run("serve", "--host", host, "--port", port)
    assert result.exit_code == 5
    assert "--port" in result.stderr


def test_logging_that_others_set_up_is_left_alone(shipped: Laptop) -> None:
    # Given somebody's handler, which says when it is closed
    closed = []

    class Theirs(logging.Handler):
        def close(self) -> None:
            closed.append(self)
            super().close()

    theirs = Theirs()

    # When a server is set up in the same process, then it is not
    with shipped.serving() as url:
        shipped.run("serve", "--port", url.rsplit(":", 1)[1])
    assert not closed
    theirs.close()
