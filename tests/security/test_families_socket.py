"""Bad HTTP itself, over a socket at `maas serve`: S10's smuggling pairs, families 20 to 22, F28.

P4, P5: what is no HTTP is refused by the server's own 400, which closes the connection; what is
HTTP and no request of ours by our own error body. Nothing is answered that nobody asked for, the
process lives, and a good request over a new connection follows.
"""

import json
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import count, examples
from support.tiny import Home, make_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = b'{"inputs":"a good film"}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
QUIET_SECONDS = 0.04
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def post(headers: bytes, body: bytes = BODY) -> bytes:
    line = b"POST /models/sentiment HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return line + headers + b"\r\n" + body


def get(target: bytes, line: bytes = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    return line % target


def upgrade(protocol: bytes, headers: bytes = b"") -> bytes:
    line = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
    return line + protocol + b"\r\n" + headers + b"\r\n"


@dataclass(frozen=True, slots=True)
class Server:
    """A running `maas serve`.

    Attributes:
        port: On loopback.
        log: What it wrote to standard error.
    """

    port: int
    log: "Path"

    def talk(self, sent: bytes, *, first: float = 5.0) -> bytes:
        """What is answered until the server closes or has been silent for a while.

        Args:
            sent: The bytes.
            first: Seconds in which the first answer may come.
        """
        count("requests")
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=first) as connection:
            try:
                connection.sendall(sent)
                while part := connection.recv(65_536):
                    answer += part
                    connection.settimeout(QUIET_SECONDS)
            except (TimeoutError, BrokenPipeError, ConnectionResetError):
                pass  # silent, or closed before it had read all
        return answer

    def statuses(self, sent: bytes, *, first: float = 5.0) -> list[int]:
        """The statuses of all answers, and a good request after them."""
        count("inputs")
        answer = self.talk(sent, first=first)
        assert b"Traceback" not in answer
        assert self.good() == 200
        return [int(status) for status in STATUS.findall(answer)]

    def good(self) -> int:
        answer = self.talk(post(LENGTH + b"Connection: close\r\n"))
        (status,) = STATUS.findall(answer)
        labels = {pair["label"] for pair in json.loads(answer.rpartition(b"\r\n\r\n")[2])[0]}
        assert labels == {"negative", "positive"}
        return int(status)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Server]":
    folder = tmp_path_factory.mktemp("socket")
    home: Home = make_home(folder / "home")
    log = folder / "serve.log"
    command = [sys.executable, "-m", "maas_lab.cli", "serve", "--port", "0", "--json"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={"PATH": "", "MAAS_HOME": str(home.settings.home)},
        ) as process,
    ):
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        try:
            yield Server(int(url.rpartition(":")[2]), log)
            assert process.poll() is None
        finally:
            process.terminate()
            process.communicate(timeout=15)
    assert process.returncode == 0
    assert "Traceback" not in log.read_text()


# ---- S10: where does a body end? ----------------------------------------------------------------

HIDDEN = b"0\r\n\r\nGET /catalog/models HTTP/1.1\r\nHost: x\r\n\r\n"
PAIRS = {
    "length and chunks": post(b"Content-Length: 5\r\n" + CHUNKED, CHUNKS),
    "chunks and length": post(CHUNKED + b"Content-Length: 500\r\n", CHUNKS),
    "a request within": post(b"Content-Length: %d\r\n" % len(HIDDEN) + CHUNKED, HIDDEN),
    "a request behind": post(b"Content-Length: 5\r\n" + CHUNKED, HIDDEN),
    "get": get(b"/health", b"GET %b HTTP/1.1\r\nHost: x\r\n" + LENGTH + CHUNKED + b"\r\n") + CHUNKS,
    "two lengths": post(LENGTH + b"Content-Length: 5\r\n"),
    "a list of lengths": post(b"Content-Length: 24, 5\r\n"),
    "negative": post(b"Content-Length: -1\r\n"),
    "with a sign": post(b"Content-Length: +24\r\n"),
    "hexadecimal": post(b"Content-Length: 0x18\r\n"),
    "of 5,000 digits": post(b"Content-Length: " + b"9" * 5_000 + b"\r\n"),
    "gzip in chunks": post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS),
    "identity": post(b"Transfer-Encoding: identity\r\n"),
    "xchunked": post(b"Transfer-Encoding: xchunked\r\n", CHUNKS),
    "space before the colon": post(b"Transfer-Encoding : chunked\r\n", CHUNKS),
    "vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNKS),
    "two encodings": post(CHUNKED + b"Transfer-Encoding: identity\r\n", CHUNKS),
    "chunk below zero": post(CHUNKED, b"-1\r\n" + BODY),
    "chunk by 0x": post(CHUNKED, b"0x18\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "chunk without an end": post(CHUNKED, b"18\r\n" + BODY + b"XX0\r\n\r\n"),
    "chunk of 100,000 digits": post(CHUNKED, b"0" * 100_000 + b"18\r\n" + BODY),
    "chunk of no number": post(CHUNKED, b"zz\r\n" + BODY),
}


@pytest.mark.parametrize("name", PAIRS)
def test_s10_no_request_hides_in_another(server: Server, name: str) -> None:
    assert server.statuses(PAIRS[name]) == [400]
    count("attacks")


@pytest.mark.parametrize(
    "sent",
    [
        post(LENGTH),
        post(CHUNKED, CHUNKS),
        post(CHUNKED, b"18;a=b\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n"),
        post(LENGTH + LENGTH),
        post(b"Expect: 100-continue\r\n" + LENGTH),
    ],
    ids=["length", "chunks", "extension and trailer", "one length twice", "expect"],
)
def test_a_body_that_ends_in_one_place_is_read(server: Server, sent: bytes) -> None:
    assert server.statuses(sent)[-1] == 200


def test_requests_in_one_go_are_answered_one_by_one(server: Server) -> None:
    assert server.statuses(post(LENGTH) * 3 + get(b"/health")) == [200] * 4


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (post(b"Content-Length: 18446744073709551640\r\n"), 413),
        (post(b"Content-Length: 3000000\r\n", b" " * 3_000_000), 413),
        (post(CHUNKED, (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 32 + b"0\r\n\r\n"), 413),
        (post(b"Expect: 100-continue\r\nContent-Length: 5000000\r\n", b""), 413),
    ],
    ids=["2^64", "declared", "in chunks", "expect"],
)
def test_p3_a_body_above_the_limit_is_left(server: Server, sent: bytes, status: int) -> None:
    assert server.statuses(sent) == [status]


# ---- Families 20 to 22, as bytes ----------------------------------------------------------------

REFUSED = {  # by the server's own 400
    "header of 200 KB": post(b"X: " + b"y" * 200_000 + b"\r\n" + LENGTH),
    "nul in a header": post(b"X: a\x00b\r\n" + LENGTH),
    "header without a name": post(b": x\r\n" + LENGTH),
    "header without a colon": post(b"nonsense\r\n" + LENGTH),
    "no host": get(b"/health", b"GET %b HTTP/1.1\r\n\r\n"),
    "two hosts": get(b"/health", b"GET %b HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    "no version": get(b"/health", b"GET %b\r\n\r\n"),
    "path beyond ascii": get("/models/é".encode()),
    "space in a path": get(b"/models/a b"),
    "nul in a path": get(b"/models/\x00"),
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "empty lines": b"\r\n\r\n" + get(b"/health"),
    "random": bytes(range(256)) * 4,
}
OURS = {
    "trace": (get(b"/models/sentiment", b"TRACE %b HTTP/1.1\r\nHost: x\r\n\r\n"), 405),
    "connect": (get(b"x:443", b"CONNECT %b HTTP/1.1\r\nHost: x\r\n\r\n"), 404),
    "options": (get(b"*", b"OPTIONS %b HTTP/1.1\r\nHost: x\r\n\r\n"), 404),
    "foo": (get(b"/health", b"FOO %b HTTP/1.1\r\nHost: x\r\n\r\n"), 405),
    "small letters": (get(b"/health", b"get %b HTTP/1.1\r\nHost: x\r\n\r\n"), 405),
    "http/1.0": (get(b"/health", b"GET %b HTTP/1.0\r\n\r\n"), 200),
    "absolute": (get(b"http://evil.example/health"), 404),
    "metadata": (get(b"http://169.254.169.254/latest/meta-data"), 404),
    "no slash": (get(b"models"), 404),
    "backslashes": (get(b"\\models\\sentiment"), 404),
    "dots": (get(b"/models/../../../../etc/passwd"), 404),
    "encoded dots": (get(b"/%2e%2e/%2e%2e/etc/passwd"), 404),
    "fragment": (get(b"/health#x"), 404),
    "60 KB": (get(b"/" + b"a" * 60_000), 404),
    "header of 8 KB": (post(b"X: " + b"y" * 8_192 + b"\r\n" + LENGTH), 200),
    "200 headers": (post(b"".join(b"X-%d: y\r\n" % n for n in range(200)) + LENGTH), 200),
    "latin header": (post(b"X: \xe9\xff\r\n" + LENGTH), 200),
    "folded header": (post(b"X: a\r\n b\r\n" + LENGTH), 200),
    "websocket": (upgrade(b"websocket", b"Sec-WebSocket-Key: eA==\r\n"), 200),
    "h2c": (upgrade(b"h2c"), 200),
    "get with a body": (post(LENGTH).replace(b"POST /models/sentiment", b"GET /health"), 200),
    "head": (get(b"/health", b"HEAD %b HTTP/1.1\r\nHost: x\r\n\r\n"), 200),
}


@pytest.mark.parametrize("name", REFUSED)
def test_p4_what_is_no_http_is_refused(server: Server, name: str) -> None:
    assert server.statuses(REFUSED[name]) == [400]


@pytest.mark.parametrize("name", OURS)
def test_p4_families_20_to_22_by_a_socket(server: Server, name: str) -> None:
    sent, status = OURS[name]
    assert server.statuses(sent) == [status]


HALVES = [post(LENGTH)[:at] for at in (0, 1, 10, 40, 80, 105, -1)]
HALVES += [post(CHUNKED, b"F" * 20 + b"\r\n" + BODY), post(CHUNKED, b"18\r\n" + BODY[:5])]


@pytest.mark.parametrize("sent", HALVES, ids=len)
def test_f28_half_a_request_hurts_nobody(server: Server, sent: bytes) -> None:
    assert server.statuses(sent, first=QUIET_SECONDS) == []


@settings(max_examples=examples(40, 2_000))
@given(st.binary(max_size=200), st.integers(0, 130), st.integers(0, 130))
def test_p5_any_bytes_in_a_request(server: Server, junk: bytes, start: int, end: int) -> None:
    good = post(LENGTH)
    statuses = server.statuses(good[:start] + junk + good[max(start, end) :], first=QUIET_SECONDS)
    assert all(200 <= status < 500 for status in statuses)


def test_p11_the_log_names_nothing_of_a_request(server: Server) -> None:
    server.talk(get(b"/canary7391?canary7391", b"GET %b HTTP/1.1\r\nHost: canary7391\r\n\r\n"))
    server.talk(b"canary7391 / HTTP/9\r\n\r\n", first=QUIET_SECONDS)
    server.talk(post(b"X-Canary7391: canary7391\r\nContent-Length: canary7391\r\n"))
    assert "canary7391" not in server.log.read_text().lower()
