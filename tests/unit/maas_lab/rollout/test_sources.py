"""Figures out of a server's statistics: since a moment, of several versions, after a restart."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from maas.errors import FieldError, TryAgainError
from maas_lab.rollout.judge import Figures
from maas_lab.rollout.sources import Seen, ServerSource

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


class Server:
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


@pytest.fixture
def server() -> Iterator[Server]:
    said = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = said.answer(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        said.url = f"http://127.0.0.1:{listening.server_port}/"
        yield said
        listening.shutdown()
        thread.join()


@pytest.fixture
def source(server: Server) -> ServerSource:
    return ServerSource(server.url, "sentiment", version=3, others=(1, 2))


def test_what_came_before_counts_no_more(server: Server, source: ServerSource) -> None:
    server.set(1, 1_000, p10=900, p500=100)
    server.set(3, 10, 5, 5, p900=10)
    source.begin(NOW)
    assert source.read(NOW) == Seen(Figures(0, 0, None), Figures(0, 0, None))
    server.set(1, 1_100, p10=1_000, p500=100)
    server.set(2, 100, 1, 0, p20=100)
    server.set(3, 60, 8, 6, p30=50, p900=10)
    seen = source.read(NOW)
    assert seen.new == Figures(53, 1, 30.0)
    # Those of the others are of all their requests together; a caller's mistake is no error
    assert seen.baseline == Figures(201, 0, 20.0)


def test_a_server_that_starts_anew_counts_from_zero(server: Server, source: ServerSource) -> None:
    server.set(3, 1_000, p10=1_000)
    source.begin(NOW)
    server.set(3, 20, 1, 1, p40=20)
    assert source.read(NOW).new == Figures(21, 1, 40.0)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((404, b'{"error": "sentiment has no version 3"}'), FieldError, "has no version 3"),
        ((503, b'{"error": "not ready"}'), TryAgainError, "not ready"),
        ((429, b'{"error": "busy"}'), TryAgainError, "busy"),
        ((502, b"<html>"), TryAgainError, "502: not as maas does"),
        ((200, b"<html>"), FieldError, "does not count"),
        ((200, b'{"model_stats": []}'), FieldError, "does not count"),
        ((200, b'{"model_stats": [{"name": "of Triton"}]}'), FieldError, "does not count"),
    ],
)
def test_what_a_server_refuses(
    server: Server,
    source: ServerSource,
    answer: tuple[int, bytes],
    error: type[Exception],
    said: str,
) -> None:
    server.status, server.body = answer
    with pytest.raises(error, match=said):
        source.begin(NOW)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::", "127.0.0.1", ""])
def test_no_server(url: str) -> None:
    with pytest.raises(TryAgainError, match="No server answers"):
        ServerSource(url, "sentiment", version=2, others=(1,)).begin(NOW)
