"""Where a rollout's figures come from: a server's own statistics, or CloudWatch.

Imports httpx, `maas` and the lab. Both are asked in the same way:

    source = ServerSource("http://127.0.0.1:8080", "sentiment", version=2, others=(1,))
    source.begin(now)                  # what came before counts no more
    seen = source.read(now)            # Seen(new=Figures(…), baseline=Figures(…))

A server counts since it started, so a stretch of time is the sum of what each look finds new; when
it starts anew, all that it counts is.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import httpx
import msgspec

from maas.errors import FieldError, TryAgainError
from maas.statistics import quantile
from maas_lab.rollout.judge import Figures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SECONDS = 10.0
"""A server that has not told of all versions by then counts as away for now."""
_NS = 1e6


@dataclass(frozen=True, slots=True)
class Seen:
    """The figures of some time: of the new version, and of those that it is to replace."""

    new: Figures
    baseline: Figures


class Source(Protocol):
    """Both methods raise `TryAgainError` where no figures can be had now."""

    def begin(self, now: "datetime") -> None:
        """Count from now on.

        Raises:
            MaasError: The version cannot be watched at all.
        """
        ...

    def read(self, now: "datetime") -> Seen:
        """What happened since `begin`."""
        ...


class _Duration(msgspec.Struct, frozen=True):
    count: int


class _Ended(msgspec.Struct, frozen=True):
    success: _Duration


class _Bucket(msgspec.Struct, frozen=True):
    ns: int
    count: int


class _Version(msgspec.Struct, frozen=True):
    version: str
    inference_stats: _Ended
    errors: int
    latencies: tuple[_Bucket, ...]


class _Statistics(msgspec.Struct, frozen=True):
    model_stats: tuple[_Version, ...]


class _Refused(msgspec.Struct, frozen=True):
    error: str


@dataclass(slots=True)
class _Counts:
    """What was counted of some versions together."""

    requests: int = 0
    errors: int = 0
    latencies: Counter[int] = field(default_factory=Counter)

    def add(self, other: "_Counts") -> None:
        """Count this too."""
        self.requests += other.requests
        self.errors += other.errors
        self.latencies.update(other.latencies)

    def since(self, before: "_Counts") -> "_Counts":
        """What was counted after `before`."""
        return _Counts(
            self.requests - before.requests,
            self.errors - before.errors,
            self.latencies - before.latencies,
        )

    def is_before(self, other: "_Counts") -> bool:
        """Whether anything counts less than in `other`, as counts of one process never do."""
        less = self.requests < other.requests or self.errors < other.errors
        return less or bool(other.latencies - self.latencies)

    def figures(self) -> Figures:
        p99 = quantile(self.latencies, 0.99)
        return Figures(self.requests, self.errors, None if p99 is None else p99 / _NS)


class ServerSource:
    """The statistics of one process, such as `maas serve`'s, which may be restarted meanwhile.

    What it counted between the last look and its end is lost; what was seen before counts on.

    Args:
        url: Where it answers.
        model: The model's name.
        version: The new version.
        others: Those that it is to replace.
        seconds: How long it may take to tell.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        version: int,
        others: "Sequence[int]",
        seconds: float = SECONDS,
    ) -> None:
        self._seconds = seconds
        self._url = f"{url.rstrip('/')}/v2/models/{model}/versions"
        self._version, self._others = version, tuple(others)
        self._last: dict[int, _Counts] = {}
        self._new, self._baseline = _Counts(), _Counts()

    def begin(self, now: "datetime") -> None:
        """Remember what was counted until now.

        Raises:
            FieldError: The server refuses: it does not carry a version, or is none of ours.
            TryAgainError: It cannot be reached, or is not ready.
        """
        del now
        self._last = self._counts()
        self._new, self._baseline = _Counts(), _Counts()

    def read(self, now: "datetime") -> Seen:
        """What the server counted since `begin`."""
        del now
        counts = self._counts()
        restarted = any(counts[number].is_before(self._last[number]) for number in counts)
        for number, found in counts.items():
            fresh = found if restarted else found.since(self._last[number])
            (self._new if number == self._version else self._baseline).add(fresh)
        self._last = counts
        return Seen(self._new.figures(), self._baseline.figures())

    def _counts(self) -> "dict[int, _Counts]":
        try:
            return asyncio.run(self._ask())
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            raise TryAgainError("No server answers at this --url.", field="url") from None

    async def _ask(self) -> "dict[int, _Counts]":
        """Bounded as a whole: httpx itself bounds each wait, and a server may drip."""
        whole = asyncio.timeout(self._seconds)
        async with whole, httpx.AsyncClient(timeout=self._seconds) as client:
            return {
                number: _counted(await client.get(f"{self._url}/{number}/stats"))
                for number in (self._version, *self._others)
            }


def _counted(response: httpx.Response) -> _Counts:
    if response.status_code != httpx.codes.OK:
        raise _refusal(response)
    try:
        (found,) = msgspec.json.decode(response.content, type=_Statistics).model_stats
    except (msgspec.DecodeError, ValueError):
        raise FieldError(
            "names a server that does not count as this release of maas does", field="url"
        ) from None
    # What a caller did wrong says nothing of the version, be it good or bad.
    asked = found.inference_stats.success.count + found.errors
    latencies = Counter({bucket.ns: bucket.count for bucket in found.latencies})
    return _Counts(asked, found.errors, latencies)


def _refusal(response: httpx.Response) -> FieldError | TryAgainError:
    try:
        said = msgspec.json.decode(response.content, type=_Refused).error
    except msgspec.DecodeError:
        said = "not as maas does"
    text = f"The server answered {response.status_code}: {said}"
    if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return TryAgainError(text, field="url")
    return FieldError(text, field="url")
