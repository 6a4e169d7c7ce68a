"""A loopback stand-in between a store and DynamoDB: it counts, answers, hangs, resets or forwards.

with Wire(upstream) as wire:
    wire.script("TransactWriteItems", [cut])       # the first answer is lost half-way
    Table("t", region=REGION, endpoint=wire.address)
    wire.tokens()                                  # of every transaction that was asked for
"""

import http.client
import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

JSON = "application/x-amz-json-1.0"


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    content_type: str = JSON


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    operation: str
    body: dict[str, object]
    headers: dict[str, str]


@dataclass(frozen=True)
class Exchange:
    """One request with the means to treat it."""

    handler: "_Handler"
    forward: Callable[[], Answer]
    ended: threading.Event


Step = Callable[[Exchange], None]


def forward(exchange: Exchange) -> None:
    """As if nobody were between."""
    _send(exchange, exchange.forward())


def cut(exchange: Exchange) -> None:
    """DynamoDB obeys, and the connection is reset in the middle of its answer."""
    answer = exchange.forward()
    exchange.handler.send_response(answer.status)
    exchange.handler.send_header("content-length", str(len(answer.body) + 10))
    exchange.handler.end_headers()
    reset(exchange)


def reset(exchange: Exchange) -> None:
    """The connection is reset; DynamoDB never saw the request."""
    connection = exchange.handler.connection
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.handler.close_connection = True
    connection.close()


def hang(exchange: Exchange) -> None:
    """Nothing is ever answered."""
    exchange.ended.wait(60)
    exchange.handler.close_connection = True


def error(code: str, *, status: int = 400, reasons: Sequence[str] = ()) -> Step:
    """An error as DynamoDB says it."""
    body: dict[str, object] = {
        "__type": f"com.amazonaws.dynamodb.v20120810#{code}",
        "message": "arn:aws:iam::123456789012:user/ada is not authorized",
    }
    if reasons:
        body["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return answer(Answer(status, json.dumps(body).encode()))


def answer(said: Answer) -> Step:
    """This very answer."""
    return lambda exchange: _send(exchange, said)


def _send(exchange: Exchange, said: Answer) -> None:
    handler = exchange.handler
    handler.send_response(said.status)
    handler.send_header("content-type", said.content_type)
    handler.send_header("content-length", str(len(said.body)))
    handler.end_headers()
    handler.wfile.write(said.body)


@dataclass
class Wire:
    """A server on loopback; what is not scripted is forwarded.

    Attributes:
        upstream: Where DynamoDB Local answers; empty where nothing is forwarded.
        asked: Every request so far.
    """

    upstream: str = ""
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._steps: dict[str, list[Step]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        wire = self

        class Handler(_Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                wire.treat(self, body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, operation: str, steps: Sequence[Step]) -> None:
        """Treat the next requests of an operation so, one by one."""
        self._steps[operation] = list(steps)

    def count(self, operation: str) -> int:
        return sum(asked.operation == operation for asked in self.asked)

    def tokens(self) -> list[object]:
        return [
            asked.body["ClientRequestToken"]
            for asked in self.asked
            if asked.operation == "TransactWriteItems"
        ]

    def treat(self, handler: "_Handler", body: bytes) -> None:
        operation = handler.headers["x-amz-target"].split(".")[-1]
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            self.asked.append(Asked(operation, json.loads(body), headers))
            steps = self._steps.get(operation, [])
            step = steps.pop(0) if steps else forward
        step(Exchange(handler, lambda: self._forward(body, headers), self._ended))

    def _forward(self, body: bytes, headers: dict[str, str]) -> Answer:
        parts = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request("POST", "/", body, headers)
            got = connection.getresponse()
            return Answer(got.status, got.read())
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
