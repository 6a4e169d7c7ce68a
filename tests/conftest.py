"""For all tests: no network but loopback, no variable of ours from outside, and a served home.

`--full` runs the long variants of the tests that have one; see support/effort.py. The end of a run
says how much was tried, and the seconds that each folder took.
"""

import io
import logging
import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_socket import socket_allow_hosts
from support import effort
from support.tiny import Client, Home, make_home, open_client

from maas.observe import Observer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A busy machine is no defect: no deadlines, and no complaint that data come slowly.
_PATIENT = (HealthCheck.too_slow,)
hypothesis_settings.register_profile(
    "default", max_examples=100, derandomize=True, deadline=None, suppress_health_check=_PATIENT
)
hypothesis_settings.register_profile(  # other examples each time; a failure prints how to repeat it
    "full", max_examples=1_000, print_blob=True, deadline=None, suppress_health_check=_PATIENT
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="the long variants: more examples, more requests"
    )


def pytest_configure(config: pytest.Config) -> None:
    full = bool(config.getoption("--full"))
    effort.be_full(full=full)
    hypothesis_settings.load_profile("full" if full else "default")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it tried."""
    handed = getattr(session.config, "workeroutput", None)
    if handed is not None:
        handed["tried"] = effort.tried()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    effort.add(getattr(node, "workeroutput", {}).get("tried", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds["/".join(report.nodeid.split("/")[1:2])] += round(1000 * report.duration)
    if seconds:
        parts = (f"{folder} {time / 1000:.1f}" for folder, time in seconds.most_common())
        terminalreporter.write_line("seconds: " + ", ".join(parts))
    if line := effort.summary():
        terminalreporter.write_line(line)


@pytest.hookimpl(trylast=True)  # after the plugin's own, which lifts all restrictions
def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MAAS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: "Path") -> Home:
    """Versions 1 and 2 of `sentiment`; production is version 1."""
    return make_home(tmp_path / "home")


@pytest.fixture(scope="session", autouse=True)
def _observer() -> None:
    """The first one, whose stream the process keeps: none that a test closes."""
    Observer("INFO", metrics=False)


@pytest.fixture
def log() -> "Iterator[io.StringIO]":
    """What the logger of `maas` writes, whichever observer a test makes first."""
    text = io.StringIO()
    handlers = [
        h for h in logging.getLogger("maas").handlers if isinstance(h, logging.StreamHandler)
    ]
    before = [handler.setStream(text) for handler in handlers]
    yield text
    for handler, stream in zip(handlers, before, strict=True):
        if stream is not None:
            handler.setStream(stream)


@pytest.fixture
def client(home: Home, log: io.StringIO) -> "Iterator[Client]":
    """HTTP to the app over `home`, as on Lambda: no threads."""
    with open_client(home.services(), reader=home.registry()) as client:
        yield client
