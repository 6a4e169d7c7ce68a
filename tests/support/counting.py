"""A server's statistics, as a rollout reads them; a webhook; and a server that only drips.

with counting() as server:
    server.set(2, 100, p40=100)          # version 2 has answered 100 requests, in 40 ms each
    ServerSource(server.url, …)
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Statistics:
    """Statistics by version, or another answer."""

    def __init__(self) -> None:
        self.versions: dict[int, tuple[int, int, int, dict[int, int]]] = {}
        self.status, self.body = 200, b""
        self.url = ""

    def set(self, version: int, done: int, failed: int = 0, errors: int = 0, **ms: int) -> None:
        """What a version counts now; `ms` are counts by p-milliseconds, such as `p10=5`."""
        latencies = {int(name[1:]) * 1_000_000: count for name, count in ms.items()}
        self.versions[version] = done, failed, errors, latencies

    def answer(self, path: str) -> tuple[int, bytes]:
        if self.status != 200 or self.body:
            return self.status, self.body
        assert path.startswith("/v2/models/sentiment/versions/")
        number = int(path.split("/")[5])
        done, failed, errors, latencies = self.versions.get(number, (0, 0, 0, {}))
        found: dict[str, Any] = {
            "name": "sentiment",
            "version": str(number),
            "inference_stats": {
                "success": {"count": done, "ns": 1},
                "fail": {"count": failed, "ns": 1},
            },
            "errors": errors,
            "latencies": [{"ns": ns, "count": count} for ns, count in latencies.items()],
        }
        return 200, json.dumps({"model_stats": [found]}).encode()


@contextmanager
def counting(said: Statistics | None = None) -> Iterator[Statistics]:
    """A server on loopback; of statistics that are all zero, where none are given."""
    statistics = said or Statistics()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = statistics.answer(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        statistics.url = f"http://127.0.0.1:{listening.server_port}/"
        yield statistics
        listening.shutdown()
        thread.join()


@contextmanager
def dripping() -> Iterator[str]:
    """A server that accepts, and then sends a byte now and then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not over.wait(0.02):
                    try:
                        connection.send(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()


@contextmanager
def listening(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook on loopback; gives its URL and what it was sent."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook/secret", got
        server.shutdown()
        thread.join()
