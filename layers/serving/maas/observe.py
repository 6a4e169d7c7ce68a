"""One log line per request, which is its metrics too. Never any content of a request.

May import `maas.errors`, `maas.settings` and msgspec. What may be logged is what `Exchange` and the
structs of this module have a field for:

    observer = Observer("INFO", metrics=True)
    observer.answered(exchange, status=200)

CloudWatch takes metrics out of a log line in its embedded metric format, so one line says both.
Keys are named as Powertools for AWS Lambda names them, which people's queries know; its logger and
its metrics would write the same in four times the time (0016, 0027).
"""

import functools
import logging
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import msgspec
from msgspec import Raw, Struct, field

from maas.errors import MaasError
from maas.settings import trace_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maas.exchange import Exchange
    from maas.service import Turn

_SERVICE = "maas"
_ANSWERS = [
    {"Name": "Requests", "Unit": "Count"},
    {"Name": "Errors", "Unit": "Count"},
    {"Name": "Latency", "Unit": "Milliseconds"},
]


def _directive(dimensions: list[list[str]], metrics: list[dict[str, str]]) -> Raw:
    """What CloudWatch is told to count, encoded once."""
    said = {"Namespace": "maas", "Dimensions": dimensions, "Metrics": metrics}
    return Raw(msgspec.json.encode([said]))


_MODEL, _VERSION = ["service", "model"], ["service", "model", "version"]
_BY_MODEL = _directive([_MODEL], _ANSWERS)
_BY_VERSION = _directive([_MODEL, _VERSION], _ANSWERS)
"""What a rollout watches: the answers of one version beside those of all."""
_PASSED = _directive([_VERSION], _ANSWERS[:2])
_FAULTS = _directive([_MODEL, [*_MODEL, "code"]], [{"Name": "Faults", "Unit": "Count"}])
"""What no answer says: a route that leads nowhere, a registry that is away."""


class _Metrics(Struct, frozen=True, rename="pascal"):
    """The head of the embedded metric format: when it was, in milliseconds, and what counts."""

    timestamp: int
    cloud_watch_metrics: Raw


class _Line(Struct, omit_defaults=True, kw_only=True):
    """All that a line may say; what is None is left out."""

    level: str = ""
    message: str = ""
    timestamp: str = ""
    service: str = ""
    xray_trace_id: str | None = None
    request_id: str | None = None
    model: str | None = None
    version: int | str | None = None
    digest: str | None = None
    policy: str | None = None
    verify: str | None = None
    status: int | None = None
    code: str | None = None
    error: str | None = None
    reason: str | None = None
    texts: int | None = None
    images: int | None = None
    clips: int | None = None
    tokens: int | None = None
    truncated: int | None = None
    milliseconds: float | None = None
    aws: _Metrics | None = field(default=None, name="_aws")
    requests: int | None = field(default=None, name="Requests")
    errors: int | None = field(default=None, name="Errors")
    latency: float | None = field(default=None, name="Latency")
    faults: int | None = field(default=None, name="Faults")

    def text(self, at: float, level: str, message: str) -> str:
        """The line.

        Args:
            at: Seconds since 1970.
            level: DEBUG, INFO, WARNING or ERROR.
            message: What happened.
        """
        self.level, self.message, self.service = level, message, _SERVICE
        seconds, microseconds = divmod(round(at * 1e6), 1_000_000)
        self.timestamp = f"{_second(seconds)}.{microseconds // 1000:03}+00:00"
        self.xray_trace_id = trace_id()
        # Not by an Encoder: msgspec 0.22's dies where there is no memory for what it writes into.
        return msgspec.json.encode(self).decode()


@functools.lru_cache(1)
def _second(at: int) -> str:
    """A second in ISO 8601; the lines of a busy second share it."""
    return datetime.fromtimestamp(at, UTC).isoformat()[:19]


METRIC_KEYS = frozenset({"_aws", "Requests", "Errors", "Latency", "Faults"})
"""The keys of a line's metrics."""
LINE_KEYS = frozenset({"level", "message", "timestamp", "service", "xray_trace_id"})
"""The keys that every line has; the last one where Lambda traces."""
LOG_KEYS = frozenset(_Line.__struct_encode_fields__) - METRIC_KEYS - LINE_KEYS
"""All keys that a log line of ours may carry beside these."""


class _Lines(logging.Formatter):
    """Writes a record's `line` as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: _Line = getattr(record, "line", None) or _Line()
        return line.text(record.created, record.levelname, record.getMessage())


class Observer:
    """Writes what happened. A line that cannot be written never fails a request.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        metrics: Whether a line about an answer carries CloudWatch's metrics; such a line is written
            whatever the level.
        stream: Where the log goes; standard output is what Lambda collects. A process has one log,
            so only the first observer's stream and level count.
    """

    def __init__(self, level: str, *, metrics: bool, stream: TextIO | None = None) -> None:
        self._logger = logging.getLogger(_SERVICE)
        self._handler = _opened(self._logger, level, stream or sys.stdout)
        self._metrics = metrics

    def loaded(self, *, model: str, milliseconds: float) -> None:
        """Say that the start is over and how long it took."""
        line = _Line(model=model, milliseconds=round(milliseconds, 1))
        self._logger.info("ready", extra={"line": line})

    def answered(self, exchange: "Exchange", *, status: int, code: str | None = None) -> None:
        """Say how one request ended.

        This line alone is written past the logging module, whose record of it would take longer
        than the line does (0016).
        """
        if not self._metrics and not self._logger.isEnabledFor(logging.INFO):
            return
        now = time.time()
        spent = (time.perf_counter() - exchange.started) * 1000
        line = _Line(
            request_id=exchange.request_id,
            model=exchange.model,
            status=status,
            code=code,
            texts=exchange.texts,
            images=exchange.images or None,
            clips=exchange.clips or None,
            tokens=exchange.tokens,
            truncated=exchange.truncated,
            milliseconds=round(spent * 100) / 100,  # `round(spent, 2)` would go by way of a text
        )
        turn = exchange.turn
        if turn:
            line.version, line.digest, line.policy = turn.version, turn.digest, turn.policy
            line.verify = "full" if turn.loaded.bundle.full else "sizes"
        if self._metrics:
            _count(line, turn, status=status, milliseconds=spent, at=now)
        text = line.text(now, "INFO", "answered")
        if turn and turn.instead_of and self._metrics:
            text = "\n".join((text, *_passed_over(exchange.model, turn, now)))
        self._write(text)

    def _write(self, text: str) -> None:
        stream = self._handler.stream
        try:
            stream.write(text + "\n")
            stream.flush()
        except Exception:  # noqa: BLE001 - standard output may be closed; the answer matters more
            return

    def shadowed(self, model: str, version: int, metrics: "Mapping[str, object]") -> None:
        """Say how a shadow's answer to one request compares with the one that was given.

        Args:
            model: The model.
            version: The shadow.
            metrics: In the embedded format, by model and version.
        """
        line = _Line(model=model, version=str(version))
        said = line.text(time.time(), "INFO", "shadowed")
        self._write(f"{said[:-1]},{msgspec.json.encode(metrics).decode()[1:]}")

    def failed(self, exchange: "Exchange", error: BaseException) -> None:
        """Say why something of ours failed: the error's class, place, and its text if it is ours.

        A text of the tree holds nothing of a request; a foreign one may.
        """
        line = _Line(
            request_id=exchange.request_id,
            model=exchange.model,
            error=f"{type(error).__name__} at {_place(error)}",
            reason=str(error) if isinstance(error, MaasError) else None,
        )
        if self._metrics:
            line.aws = _Metrics(int(time.time() * 1000), _FAULTS)
            line.model = exchange.model or "none"
            line.code, line.faults = getattr(error, "code", MaasError.code), 1
        with suppress(Exception):
            self._logger.error("failed", extra={"line": line})


def _opened(logger: logging.Logger, level: str, stream: TextIO) -> "logging.StreamHandler[TextIO]":
    """The one handler of our log, made when it is first asked for."""
    for held in logger.handlers:
        if isinstance(held.formatter, _Lines):
            return held  # type: ignore[return-value]  # no other handler has this formatter
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines())
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False  # Lambda's own handler would write it all once more
    return handler


def _count(
    line: _Line, turn: "Turn | None", *, status: int, milliseconds: float, at: float
) -> None:
    """Let a line be the metrics of one answer, too."""
    line.aws = _Metrics(int(at * 1000), _BY_VERSION if turn else _BY_MODEL)
    line.model = line.model or "none"  # a dimension must have a value
    line.version = str(turn.version) if turn else None  # and a value must be text
    line.requests, line.errors, line.latency = 1, int(status >= 500), milliseconds


def _passed_over(model: str | None, turn: "Turn", at: float) -> "Iterator[str]":
    """A line for each version that should have answered and could not: an error of its own."""
    for number, _ in turn.instead_of:
        line = _Line(model=model, version=str(number), requests=1, errors=1)
        line.aws = _Metrics(int(at * 1000), _PASSED)
        yield line.text(at, "INFO", "passed over")


def _place(error: BaseException) -> str:
    """Module and line where an error was raised; a path would name the machine."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_globals.get('__name__', 'unknown')}:{trace.tb_lineno}"
