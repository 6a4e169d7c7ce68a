"""A stand-in for DynamoDB on loopback that answers one policy, or fails in the way it is told.

with StandIn() as table:
    table.policy = policy
    table.way = "reset"           # from now on; see WAYS

It speaks HTTP over plain sockets, because what it must be able to do is to speak it badly. A change
of its way ends the connections that hang, as the restart of a server would.
"""

import json
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from maas.registry.records import encode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from io import BufferedReader

    from maas.registry.records import Policy

WAYS = (
    *("answer", "close", "hang", "reset", "throttle", "refuse", "500", "503", "garbage", "json"),
    *("half", "drip", "drip-head", "long", "endless", "silent", "chunked"),
)
_PREFIX = "com.amazonaws.dynamodb.v20120810#"
_ERRORS = {
    "throttle": (400, "ProvisionedThroughputExceededException"),
    "refuse": (400, "AccessDeniedException"),
    "500": (500, "InternalServerError"),
    "503": (503, "ServiceUnavailable"),
}


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came: its first line, headers by lower-case name, body."""

    line: str
    headers: dict[str, str]
    body: bytes


class StandIn:
    """A server in threads of its own, on a free port of loopback.

    Attributes:
        policy: What it answers; None: there is no such model.
        text: Answered in the place of the policy's own JSON, if it is set.
        error: Answered with status 400, if it is set, in the place of an item.
        answer: Status and JSON of another server's answer, if it is set.
        requests: What came.
        heard: Called when a request has come, before it is answered.
        connections: How many were made.
    """

    def __init__(self, *, tls: "ssl.SSLContext | None" = None) -> None:
        self.policy: Policy | None = None
        self.text: str | None = None
        self.error: str | None = None
        self.answer: tuple[int, object] | None = None
        self.requests: list[Received] = []
        self.heard: Callable[[], object] = lambda: None
        self.connections = 0
        self._tls = tls
        self._way = "answer"
        self._changed = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def way(self) -> str:
        """How it answers."""
        return self._way

    @way.setter
    def way(self, way: str) -> None:
        assert way in WAYS
        self._way = way
        self._changed.set()
        self._changed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.go()

    def go(self) -> None:
        """Be gone: nobody listens any more, and what is open ends."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._changed.set()
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def come_back(self) -> None:
        """Listen again on the same port."""
        self._changed = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                opened, _ = listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(opened,), daemon=True).start()

    def _serve(self, opened: socket.socket) -> None:
        with suppress(OSError):
            if self._tls is not None:
                opened = self._tls.wrap_socket(opened, server_side=True)
        with self._lock:
            self._open.add(opened)
        try:
            with opened, suppress(OSError), opened.makefile("rb") as incoming:
                while (received := _received(incoming)) is not None:
                    self.requests.append(received)
                    self.heard()
                    if not self._answer(opened):
                        return
        finally:
            with self._lock:
                self._open.discard(opened)

    def _answer(self, opened: socket.socket) -> bool:
        """Answer one request; whether the connection is kept."""
        changed, way = self._changed, self._way
        match way:
            case "hang":
                changed.wait(30)
            case "reset":
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case "silent":
                pass
            case "garbage":
                opened.sendall(b"\x00\xff this is no HTTP\r\n\r\n")
            case "half":
                opened.sendall(self._whole()[:-20])
            case "drip" | "drip-head":
                self._drip(opened, changed, sent_at_once=0 if way == "drip-head" else 90)
            case "endless":
                _pour(opened, changed)
            case _:
                opened.sendall(self._whole())
                return way != "close"
        return False

    def _drip(self, opened: socket.socket, changed: threading.Event, *, sent_at_once: int) -> None:
        whole = self._whole()
        opened.sendall(whole[:sent_at_once])
        for byte in whole[sent_at_once:]:
            opened.sendall(bytes([byte]))
            if changed.wait(0.02):
                return

    def _whole(self) -> bytes:
        """The answer to the last byte, as its way and what is set say."""
        if self.answer is not None:
            return _http(*self.answer)
        if self._way in _ERRORS or self.error:
            status, name = _ERRORS.get(self._way, (400, self.error))
            return _http(status, {"__type": f"{_PREFIX}{name}", "message": "secret: canary"})
        if self._way == "json":
            return _http(200, ["no", "item"])
        if self._way == "long":
            return _http(200, "x" * 400_000)
        if self.policy is None and self.text is None:
            return _http(200, {})
        text = self.text or json.dumps(encode(self.policy)) if self.policy else self.text
        item = {"pk": {"S": "MODEL#sentiment"}, "sk": {"S": "POLICY"}, "body": {"S": text}}
        whole = _http(200, {"Item": item | {"revision": {"N": "1"}}})
        return _chunked(whole) if self._way == "chunked" else whole


def _pour(opened: socket.socket, changed: threading.Event) -> None:
    opened.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not changed.is_set():
        opened.sendall(b" " * 65_536)


def _http(status: int, body: object) -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: application/x-amz-json-1.0\r\n"
    return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data


def _chunked(whole: bytes) -> bytes:
    data = whole.split(b"\r\n\r\n", 1)[1]
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    parts = (data[:7], data[7:])
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _received(incoming: "BufferedReader") -> Received | None:
    line = incoming.readline().decode("latin-1").strip()
    if not line:
        return None
    headers = {}
    while header := incoming.readline().decode("latin-1").strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = incoming.read(int(headers.get("content-length", "0")))
    return Received(line, headers, body)
