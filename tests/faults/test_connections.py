"""Callers who send half a request, or one byte now and then: F28, before its body begins."""

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

import pytest
import uvicorn
from support.effort import count, examples

from maas_lab.connections import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maas.http.asgi import Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SECONDS = 0.2


class Impatient(Connection):
    """One that a test can wait for."""

    seconds: ClassVar[float] = SECONDS


async def app(_scope: "Scope", _receive: "Receive", send: "Send") -> None:
    """Answers at once, whatever is still to come of a body."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})


@pytest.fixture(scope="module")
def server() -> "Iterator[uvicorn.Server]":
    config = uvicorn.Config(
        app,
        http=Impatient,
        ws="none",
        lifespan="off",
        log_config=None,
        port=0,
        timeout_keep_alive=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.config.port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield server
        server.should_exit = True
        thread.join()


def connect(server: uvicorn.Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.config.port), timeout=5)


def closed_after(connection: socket.socket) -> float:
    """Seconds until the server closes."""
    started = time.monotonic()
    while connection.recv(1024):
        pass
    return time.monotonic() - started


def is_answered(connection: socket.socket) -> bool:
    connection.sendall(GET)
    answer = b""
    while not answer.endswith(b"fine\r\n0\r\n\r\n"):
        part = connection.recv(1024)
        if not part:
            return False
        answer += part
    return answer.startswith(b"HTTP/1.1 200")


HALVES = {
    "nothing": b"",
    "half a line": GET[:9],
    "half a head": GET[:-2],
    "half of the next": GET + GET[:9],
    "half a body that nobody reads": GET[:-2] + b"Content-Length: 5\r\n\r\nhe",
}


@pytest.mark.parametrize("name", HALVES)
def test_f28_half_a_request_is_left_in_time(server: uvicorn.Server, name: str) -> None:
    with connect(server) as connection:
        connection.sendall(HALVES[name])
        if name == "half a body that nobody reads":
            connection.sendall(b"l")  # after its answer, or uvicorn's own second holds
            time.sleep(0.05)
            connection.sendall(b"l")
        assert closed_after(connection) < 1.0 + 1.0
    count("faults")


def test_f28_a_dripped_head_is_left_in_time(server: uvicorn.Server) -> None:
    with connect(server) as connection:
        started = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - started < 5:
                connection.sendall(b"a")
                time.sleep(0.02)
        assert time.monotonic() - started < SECONDS + 1.0
    count("faults")


def test_f28_a_good_caller_may_stay_longer(server: uvicorn.Server) -> None:
    with connect(server) as connection:
        for _ in range(3):
            assert is_answered(connection)
            time.sleep(SECONDS / 4)
        time.sleep(SECONDS)  # idle between two requests, as uvicorn's own second allows
        assert is_answered(connection)


def test_f28_many_who_send_nothing_leave_nothing_behind(server: uvicorn.Server) -> None:
    connections = [connect(server) for _ in range(examples(100, 400))]
    for connection in connections:
        assert closed_after(connection) < SECONDS + 2.0
        connection.close()
    assert len(server.server_state.connections) <= 1
    count("faults", len(connections))
