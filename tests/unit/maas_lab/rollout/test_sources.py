"""Figures out of a server's statistics: since a moment, of several versions, after a restart."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from support.counting import Statistics, counting, dripping

from maas.errors import FieldError, TryAgainError
from maas_lab.rollout.judge import Figures
from maas_lab.rollout.sources import Seen, ServerSource

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[Statistics]:
    with counting() as server:
        yield server


@pytest.fixture
def source(server: Statistics) -> ServerSource:
    return ServerSource(server.url, "sentiment", version=3, others=(1, 2))


def test_what_came_before_counts_no_more(server: Statistics, source: ServerSource) -> None:
    server.set(1, 1_000, p10=900, p500=100)
    server.set(3, 10, 5, 5, p900=10)
    source.begin(NOW)
    assert source.read(NOW) == Seen(Figures(0, 0, None), Figures(0, 0, None))
    server.set(1, 1_100, p10=1_000, p500=100)
    server.set(2, 100, 1, 0, p20=100)
    server.set(3, 60, 8, 6, p30=50, p900=10)
    seen = source.read(NOW)
    # Requests are those that were answered or failed by our fault; what callers did wrong is none
    assert seen.new == Figures(51, 1, 30.0)
    # Those of the others are of all their requests together
    assert seen.baseline == Figures(200, 0, 20.0)


def test_a_server_that_starts_anew_counts_from_zero_and_what_was_seen_counts_on(
    server: Statistics, source: ServerSource
) -> None:
    server.set(3, 1_000, p10=1_000)
    source.begin(NOW)
    server.set(3, 1_010, 4, 4, p10=1_000, p40=10)
    assert source.read(NOW).new == Figures(14, 4, 40.0)
    server.set(3, 20, 1, 1, p40=20)
    assert source.read(NOW).new == Figures(35, 5, 40.0)
    # twice in one step
    server.set(3, 5, p20=5)
    assert source.read(NOW).new == Figures(40, 5, 40.0)


@pytest.mark.parametrize("what", ["errors", "latencies", "the other version"])
def test_a_restart_is_seen_though_more_requests_are_counted_than_before(
    server: Statistics, source: ServerSource, what: str
) -> None:
    server.set(1, 900, p10=900)
    server.set(3, 100, *((5, 5) if what == "errors" else ()), p500=100)
    source.begin(NOW)
    server.set(1, 900 if what != "the other version" else 0, p10=900)
    faster = {"p20": 150} if what == "latencies" else {"p500": 150}
    server.set(3, 150, **faster)
    seen = source.read(NOW)
    assert seen.new == Figures(150, 0, 20.0 if what == "latencies" else 500.0)
    assert min(seen.baseline.requests, seen.baseline.errors) >= 0


def test_a_server_that_drips_counts_as_away() -> None:
    with dripping() as url:
        began = time.monotonic()
        source = ServerSource(url, "sentiment", version=2, others=(1,), seconds=0.3)
        with pytest.raises(TryAgainError, match="No server answers"):
            source.begin(NOW)
        assert time.monotonic() - began < 5


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
    server: Statistics,
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
