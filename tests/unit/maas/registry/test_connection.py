"""An exchange ends within its deadline, whatever the server does, and a kept connection is used."""

import shutil
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from support.dynamo_standin import StandIn
from support.needs import missing

from maas.errors import RegistryUnavailableError, SettingsError
from maas.registry.connection import ANSWER_BYTES, Answer, Connection
from maas.registry.endpoint import parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIELD = "AWS_ENDPOINT_URL_DYNAMODB"
TOLERANCE = 0.25
"""Seconds that a busy machine may add."""


@pytest.fixture
def server() -> "Iterator[StandIn]":
    with StandIn() as server:
        server.text = "{}"
        yield server


def connect(server: StandIn, context: ssl.SSLContext | None = None) -> Connection:
    return Connection(parse_endpoint(server.url, field=FIELD), of="DynamoDB", context=context)


def ask(connection: Connection, *, seconds: float = 5.0, host: str = "x") -> Answer:
    return connection.exchange(
        "POST", "/", {"host": host}, b"{}", deadline=time.monotonic() + seconds
    )


def test_one_connection_serves_many_exchanges(server: StandIn) -> None:
    connection = connect(server)
    for _ in range(3):
        assert ask(connection).status == 200
    assert server.connections == 1
    assert [each.line for each in server.requests] == ["POST / HTTP/1.1"] * 3
    assert server.requests[0].headers["host"] == "x"
    assert server.requests[0].body == b"{}"
    connection.close()
    assert ask(connection).status == 200
    assert server.connections == 2


def test_an_answer_in_chunks_is_whole(server: StandIn) -> None:
    plain = ask(connect(server)).body
    server.way = "chunked"
    assert ask(connect(server)).body == plain


def test_a_kept_connection_that_was_dropped_is_opened_anew_and_once_only(server: StandIn) -> None:
    connection = connect(server)
    # Given a server that closes after every answer
    server.way = "close"
    for _ in range(3):
        assert ask(connection).status == 200
    assert server.connections == 3
    # When it resets every connection, then the second one is the last
    server.way = "reset"
    with pytest.raises(RegistryUnavailableError, match="ConnectionResetError"):
        ask(connection)
    assert server.connections == 4
    # And a first one that is reset is not tried again
    with pytest.raises(RegistryUnavailableError, match="ConnectionResetError"):
        ask(connection)
    assert server.connections == 5


@pytest.mark.parametrize("way", ["hang", "drip", "drip-head"])
def test_a_server_that_is_slow_is_left_at_the_deadline(server: StandIn, way: str) -> None:
    # Given a server whose every byte comes sooner than any wait for one byte would allow
    server.way = way
    started = time.monotonic()
    with pytest.raises(RegistryUnavailableError, match="TimeoutError"):
        ask(connect(server), seconds=0.1)
    assert 0.1 <= time.monotonic() - started < 0.1 + TOLERANCE


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_time_nothing_is_sent(server: StandIn, seconds: float) -> None:
    with pytest.raises(RegistryUnavailableError, match="TimeoutError"):
        ask(connect(server), seconds=seconds)
    assert server.requests == []


@pytest.mark.parametrize("way", ["reset", "silent", "garbage", "half", "long", "endless"])
def test_what_is_no_whole_answer_of_a_bounded_size_is_none(server: StandIn, way: str) -> None:
    connection = connect(server)
    server.way = way
    with pytest.raises(RegistryUnavailableError, match=r"^DynamoDB does not answer: [A-Zi]"):
        ask(connection)
    # And the next one has a connection of its own
    server.way = "answer"
    assert ask(connection).status == 200
    assert server.connections == 2


def test_the_largest_answer_is_one(server: StandIn) -> None:
    server.text = "x" * (ANSWER_BYTES - len(ask(connect(server)).body) + 2)
    assert len(ask(connect(server)).body) == ANSWER_BYTES
    server.text += "x"
    with pytest.raises(RegistryUnavailableError, match="more than 400000 bytes"):
        ask(connect(server))


def test_where_nobody_listens_there_is_no_answer(server: StandIn) -> None:
    server.go()
    with pytest.raises(RegistryUnavailableError, match="ConnectionRefusedError"):
        ask(connect(server))


def test_a_header_that_cannot_be_sent_is_not_repeated(server: StandIn) -> None:
    for value in ("canary\r\nx: y", "canary\n", "can\u0101ry canary"):
        with pytest.raises(RegistryUnavailableError) as refused:
            ask(connect(server), host=value)
        assert "canary" not in str(refused.value)
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__
    assert server.requests == []


def test_threads_have_no_part_in_it(server: StandIn) -> None:
    before = {thread.name for thread in threading.enumerate()}
    server.way = "hang"
    with pytest.raises(RegistryUnavailableError):
        ask(connect(server), seconds=0.02)
    mine = {thread.name for thread in threading.enumerate()} - before
    assert all("_serve" in name for name in mine)  # the server's own


# ---- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> "Path":
    """A self-signed one for 127.0.0.1, with its key in the same file."""
    openssl = shutil.which("openssl") or missing("openssl is not on PATH")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=tests", "-keyout", file, "-out", f"{file}.crt"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    file.write_bytes(file.read_bytes() + file.with_suffix(".pem.crt").read_bytes())
    return file


@pytest.fixture
def secure(certificate: "Path") -> "Iterator[StandIn]":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with StandIn(tls=context) as server:
        server.text = "{}"
        yield server


def test_a_connection_of_tls_is_kept_too(secure: StandIn, certificate: "Path") -> None:
    context = ssl.create_default_context(cafile=f"{certificate}.crt")
    connection = connect(secure, context)
    assert [ask(connection).status for _ in range(2)] == [200, 200]
    assert secure.connections == 1
    secure.way = "close"
    assert [ask(connection).status for _ in range(3)] == [200] * 3
    connection.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: StandIn) -> None:
    with pytest.raises(RegistryUnavailableError, match="SSLCertVerificationError"):
        ask(connect(secure, ssl.create_default_context()))
    assert secure.requests == []


@pytest.mark.parametrize("way", ["hang", "drip", "drip-head"])
def test_tls_is_bounded_as_plain_is(secure: StandIn, certificate: "Path", way: str) -> None:
    context = ssl.create_default_context(cafile=f"{certificate}.crt")
    secure.way = way
    started = time.monotonic()
    with pytest.raises(RegistryUnavailableError, match="TimeoutError"):
        ask(connect(secure, context), seconds=0.2)
    assert time.monotonic() - started < 0.2 + TOLERANCE


def test_a_server_that_does_not_shake_hands_is_left_at_the_deadline(server: StandIn) -> None:
    # Given one that waits for a line of HTTP, which a greeting of TLS is not
    started = time.monotonic()
    with pytest.raises(RegistryUnavailableError):
        ask(connect(server, ssl.create_default_context()), seconds=0.1)
    assert time.monotonic() - started < 0.1 + TOLERANCE


# ---- Endpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, "/", "127.0.0.1:8000"),
        ("http://localhost", "localhost", 80, "/", "localhost"),
        ("http://[::1]:8000/", "::1", 8000, "/", "[::1]:8000"),
        ("https://[fd00:ec2::23]", "fd00:ec2::23", 443, "/", "[fd00:ec2::23]"),
        ("https://x.amazonaws.com", "x.amazonaws.com", 443, "/", "x.amazonaws.com"),
        ("https://x.amazonaws.com:443", "x.amazonaws.com", 443, "/", "x.amazonaws.com"),
        ("https://x.amazonaws.com:80", "x.amazonaws.com", 80, "/", "x.amazonaws.com:80"),
        ("http://127.0.0.1:9001/2021/c?a=b", "127.0.0.1", 9001, "/2021/c?a=b", "127.0.0.1:9001"),
    ],
)
def test_an_endpoint_is_read(url: str, host: str, port: int, path: str, authority: str) -> None:
    endpoint = parse_endpoint(url, field=FIELD)
    assert (endpoint.host, endpoint.port, endpoint.path) == (host, port, path)
    assert endpoint.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:8000", "ftp://x", "http://", "http:///x", "file:///etc/passwd", "x"),
        *("http://x:port", "http://x:99999", "http://[::1", "http://canary:canary@x", "//x"),
        *("http://a b", "http://a\x7fb", "http://caf\u00e9", "https://a,b"),
    ],
)
def test_what_is_no_endpoint_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(SettingsError, match=FIELD) as refused:
        parse_endpoint(url, field=FIELD)
    assert refused.value.field == FIELD
    assert "canary" not in str(refused.value)
