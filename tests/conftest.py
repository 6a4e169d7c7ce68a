"""For all tests: no network but loopback, no variable of ours from outside, and a served home."""

import io
import logging
import os
from typing import TYPE_CHECKING

import pytest
from pytest_socket import socket_allow_hosts
from support.doors import event_loop
from support.tiny import Client, Home, make_home, open_client

from maas.observe import Observer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.hookimpl(trylast=True)  # after the plugin's own, which lifts all restrictions
def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("MAAS_", "POWERTOOLS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module", autouse=True)
def _event_loop() -> "Iterator[None]":
    """For whichever test calls a Lambda handler in this process."""
    with event_loop():
        yield


@pytest.fixture
def home(tmp_path: "Path") -> Home:
    """Versions 1 and 2 of `sentiment`; production is version 1."""
    return make_home(tmp_path / "home")


@pytest.fixture
def log() -> "Iterator[io.StringIO]":
    """What the logger of `maas` writes, whichever observer a test makes first."""
    text = io.StringIO()
    Observer("INFO", metrics=False)  # Powertools keeps one handler per process
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
