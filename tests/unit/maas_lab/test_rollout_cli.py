"""`maas rollout …`: what it says, and how it ends."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.counting import Statistics, counting, listening
from support.rollouts import HOLDER, MODEL, PLAN, shares, two_versions
from typer.testing import CliRunner, Result

from maas.registry.addresses import ByNumber
from maas.registry.registry import Registry
from maas_lab.cli import app
from maas_lab.interruption import stop_on_signals

Maas = Callable[..., Result]
QUICK = ("--steps", "50,100", "--interval", "0.2s", "--min-requests", "5")


@pytest.fixture
def maas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maas:
    monkeypatch.setenv("MAAS_HOME", str(tmp_path))
    monkeypatch.setenv("MAAS_ACTOR", "ada")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # nor asked for a region
    return lambda *words: CliRunner().invoke(app, ["rollout", *words])


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with two_versions(tmp_path / "registry.sqlite") as registry:
        yield registry


class Growing(Statistics):
    """Each look finds ten requests more of each version."""

    def __init__(self, *, errors: int = 0, on_look: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self._looks, self._errors, self._on_look = 0, errors, on_look

    def answer(self, path: str) -> tuple[int, bytes]:
        self._looks += 1
        if self._on_look:
            self._on_look(self._looks)
        done = 10 * self._looks
        self.set(1, done, p10=done)
        self.set(2, done - self._looks * self._errors, *[self._looks * self._errors] * 2, p10=done)
        return super().answer(path)


def test_a_version_is_rolled_out(maas: Maas, registry: Registry) -> None:
    with counting(Growing()) as server:
        done = maas(f"{MODEL}@2", *QUICK, "--url", server.url, "--reason", "better")
    assert done.exit_code == 0, done.output
    assert "sentiment@2 answers all of sentiment@production now" in done.stdout
    assert shares(registry) == {2: 10_000}
    said = maas("status", MODEL).stdout
    assert "finished" in said
    assert "better" in said
    assert json.loads(maas("status", MODEL, "--json").stdout)["rollout"]["steps"] == [50, 100]


def test_a_bad_version_is_taken_back_and_the_exit_code_says_so(
    maas: Maas, registry: Registry
) -> None:
    with counting(Growing(errors=5)) as server:
        done = maas(f"{MODEL}@2", *QUICK, "--url", server.url, "--json")
    assert done.exit_code == 3
    said = json.loads(done.stdout)
    assert said["outcome"] == "stopped"
    assert [mark["kind"] for mark in said["timeline"]] == ["began", "stop", "stopped"]
    assert Path(said["plot"]).is_file()
    assert shares(registry) == {1: 10_000}


def test_a_signal_ends_the_driver_and_resume_goes_on(maas: Maas, registry: Registry) -> None:
    def stop(looks: int) -> None:
        if looks == 5:  # the first four are before the rollout, and as its step begins
            os.kill(os.getpid(), signal.SIGTERM)

    with counting(Growing(on_look=stop)) as server, stop_on_signals():
        done = maas(f"{MODEL}@2", "--interval", "1h", "--steps", "50,100", "--url", server.url)
    assert done.exit_code == 5
    assert "maas rollout resume" in done.stderr
    assert shares(registry) == {1: 5000, 2: 5000}
    said = maas("status", MODEL).stdout
    assert "running" in said
    assert "[50 %], 100 %" in said
    # Another one is refused
    with counting(Growing()) as server:
        done = maas(f"{MODEL}@2", *QUICK, "--url", server.url)
        assert done.exit_code == 4
        assert "maas rollout resume sentiment" in done.stderr
    # and it can be ended
    done = maas("stop", MODEL, "--reason", "enough")
    assert done.exit_code == 0
    assert "sentiment@production is version 1 again" in done.stdout
    assert shares(registry) == {1: 10_000}
    with counting(Growing()) as server:
        done = maas("resume", MODEL, "--url", server.url)
    assert (done.exit_code, "stopped already" in done.stderr) == (4, True)


def test_a_rollout_that_somebody_has_ended_is_shown_as_such(maas: Maas, registry: Registry) -> None:
    assert "never was a rollout" in maas("status", MODEL).stdout
    with counting(Growing()) as server:
        url = server.url
        maas(f"{MODEL}@2", *QUICK, "--url", url)
    registry.rollback(MODEL)
    assert "finished" in maas("status", MODEL).stdout


def test_who_was_not_told_is_told_by_resume_which_then_watches_nothing(
    maas: Maas, registry: Registry
) -> None:
    # Given a driver that ended between the end and its notice
    registry.begin_rollout(MODEL, ByNumber(2), plan=PLAN)
    registry.stop_rollout(MODEL, reason="taken back: slow", holder=HOLDER, owes=True)
    status = maas("status", MODEL).stdout
    assert "somebody is still to be told that sentiment@2 stopped" in status
    assert "maas rollout resume sentiment --notify URL" in status
    done = maas("resume", MODEL)
    assert (done.exit_code, "--notify" in done.stderr) == (4, True)
    with listening() as (url, got):
        done = maas("resume", MODEL, "--notify", url)
    assert (done.exit_code, "told webhook of 127.0.0.1: 200" in done.stdout) == (3, True)
    assert [notice["id"] for notice in got] == ["sentiment.production.2.stopped"]
    assert "still to be told" not in maas("status", MODEL).stdout


def test_a_running_rollout_is_not_taken_over_by_who_watches_nothing(
    maas: Maas, registry: Registry
) -> None:
    registry.begin_rollout(MODEL, ByNumber(2), plan=PLAN)
    done = maas("resume", MODEL)
    assert (done.exit_code, "either --url or --cloudwatch" in done.stderr) == (2, True)
    record = registry.rollout(MODEL).record
    assert record is not None
    assert record.holder == HOLDER


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "either --url or --cloudwatch"),
        (("--url", "http://127.0.0.1:1", "--cloudwatch"), "either --url or --cloudwatch"),
        (("--url", "http://127.0.0.1:1", "--steps", "1,x"), "steps"),
        (("--url", "http://127.0.0.1:1", "--steps", "10,5,100"), "ascend to 100"),
        (("--url", "http://127.0.0.1:1", "--interval", "10 minutes"), "such as 30s"),
        (("--url", "http://127.0.0.1:1", "--interval", "0"), "such as 30s"),
        (("--cloudwatch", "--interval", "2m"), "at least 180s"),
        (("--cloudwatch",), "region"),
        (("--url", "http://127.0.0.1:1", "--notify", "http://x.example"), "https://"),
    ],
    ids=str,
)
def test_what_is_not_understood(
    maas: Maas, registry: Registry, words: tuple[str, ...], said: str
) -> None:
    done = maas(f"{MODEL}@2", *words)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert shares(registry) == {1: 10_000}


def test_a_version_must_be_named_and_the_server_must_answer(maas: Maas, registry: Registry) -> None:
    done = maas(MODEL, "--url", "http://127.0.0.1:1")
    assert (done.exit_code, "sentiment@2" in done.stderr) == (2, True)
    done = maas(f"{MODEL}@2", "--url", "http://127.0.0.1:1")
    assert (done.exit_code, "No server answers" in done.stderr) == (5, True)
    assert registry.rollout(MODEL).record is None


def test_help_names_all_verbs(maas: Maas) -> None:
    said = maas("--help").stdout
    assert all(verb in said for verb in ("begin", "resume", "stop", "status"))
