"""Figures out of a server's statistics: since a moment, of several versions, after a restart."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from support.counting import Statistics, counting

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
    assert seen.new == Figures(53, 1, 30.0)
    # Those of the others are of all their requests together; a caller's mistake is no error
    assert seen.baseline == Figures(201, 0, 20.0)


def test_a_server_that_starts_anew_counts_from_zero(
    server: Statistics, source: ServerSource
) -> None:
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
