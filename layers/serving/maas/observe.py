"""One log line per request, which is its metrics too. Never any content of a request.

May import `maas.errors`, `maas.settings`, msgspec and Powertools. What may be logged is what
`Exchange` has a field for:

    observer = Observer("INFO", metrics=True)
    observer.answered(exchange, status=200)

CloudWatch takes metrics out of a log line in its embedded metric format, so one line says both; a
second one by Powertools' Metrics, and its own formatter, took a quarter of a millisecond (0016).
"""

import logging
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO, cast

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import BasePowertoolsFormatter

from maas.errors import MaasError
from maas.settings import trace_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maas.exchange import Exchange
    from maas.service import Turn

LOG_KEYS = frozenset(
    {
        "clips",
        "code",
        "digest",
        "error",
        "images",
        "milliseconds",
        "model",
        "policy",
        "reason",
        "request_id",
        "status",
        "texts",
        "tokens",
        "truncated",
        "verify",
        "version",
    }
)
"""All keys that a log line of ours may carry beside `LINE_KEYS` and its metrics."""
LINE_KEYS = frozenset({"level", "message", "timestamp", "service", "xray_trace_id"})
"""The keys that every line has; the last one where Lambda traces. Powertools' names."""
_SERVICE = "maas"
_ANSWERS = [
    {"Name": "Requests", "Unit": "Count"},
    {"Name": "Errors", "Unit": "Count"},
    {"Name": "Latency", "Unit": "Milliseconds"},
]
_BY_MODEL = [{"Namespace": "maas", "Dimensions": [["service", "model"]], "Metrics": _ANSWERS}]
_BY_VERSION = [
    {
        "Namespace": "maas",
        "Dimensions": [["service", "model"], ["service", "model", "version"]],
        "Metrics": _ANSWERS,
    }
]
"""What a rollout watches: the answers of one version beside those of all."""
_FAULTS = [
    {
        "Namespace": "maas",
        "Dimensions": [["service", "model"], ["service", "model", "code"]],
        "Metrics": [{"Name": "Faults", "Unit": "Count"}],
    }
]
"""What no answer says: a route that leads nowhere, a registry that is away."""


class _Lines(BasePowertoolsFormatter):
    """Writes a record's `values` as one line of JSON, beside the keys that every line has."""

    def format(self, record: logging.LogRecord) -> str:
        values = getattr(record, "values", {})
        return _line(record.levelname, record.getMessage(), record.created, values)

    def append_keys(self, **additional_keys: object) -> None:
        """Powertools names the service here, which every line does anyhow."""

    def clear_state(self) -> None:
        """There is none."""


def _line(level: str, message: str, at: float, values: "Mapping[str, object]") -> str:
    """One line of JSON; what is None is left out."""
    line = {
        "level": level,
        "message": message,
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "service": _SERVICE,
        "xray_trace_id": trace_id(),
        **values,
    }
    said = {name: value for name, value in line.items() if value is not None}
    return msgspec.json.encode(said).decode()


class Observer:
    """Writes what happened. A line that cannot be written never fails a request.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        metrics: Whether a line about an answer carries CloudWatch's metrics; such a line is written
            whatever the level.
        stream: Where the log goes; standard output is what Lambda collects. Powertools keeps one
            handler per service name and process, so only the first observer's stream counts.
    """

    def __init__(self, level: str, *, metrics: bool, stream: TextIO | None = None) -> None:
        self._logger = Logger(
            service=_SERVICE, level=level, logger_formatter=_Lines(), stream=stream or sys.stdout
        )
        self._handler = cast("logging.StreamHandler[TextIO]", self._logger.handlers[0])
        self._metrics = metrics

    def loaded(self, *, model: str, milliseconds: float) -> None:
        """Say that the start is over and how long it took."""
        values = {"model": model, "milliseconds": round(milliseconds, 1)}
        self._logger.info("ready", extra={"values": _checked(values)})

    def answered(self, exchange: "Exchange", *, status: int, code: str | None = None) -> None:
        """Say how one request ended.

        This line alone is written past the logging module, whose record of it would take longer
        than the line does (0016).
        """
        if not self._metrics and self._logger.log_level > logging.INFO:
            return
        turn = exchange.turn
        now = time.time()
        spent = (time.perf_counter() - exchange.started) * 1000
        values = _checked(
            {
                "request_id": exchange.request_id,
                "model": exchange.model,
                "version": turn.version if turn else None,
                "digest": turn.digest if turn else None,
                "policy": turn.policy if turn else None,
                "verify": None if turn is None else "full" if turn.loaded.bundle.full else "sizes",
                "status": status,
                "code": code,
                "texts": exchange.texts,
                "images": exchange.images or None,
                "clips": exchange.clips or None,
                "tokens": exchange.tokens,
                "truncated": exchange.truncated,
                "milliseconds": round(spent, 2),
            }
        )
        if self._metrics:
            values = {**values, **_counted(exchange, status, spent, now)}
        text = _line("INFO", "answered", now, values)
        if turn and turn.instead_of and self._metrics:
            text = "\n".join((text, *_passed_over(exchange.model, turn, now)))
        with suppress(Exception):  # standard output may be closed; the answer matters more
            stream = self._handler.stream
            stream.write(text + "\n")
            stream.flush()

    def shadowed(self, model: str, version: int, metrics: "Mapping[str, object]") -> None:
        """Say how a shadow's answer to one request compares with the one that was given.

        Args:
            model: The model.
            version: The shadow.
            metrics: In the embedded format, by model and version.
        """
        said = _checked({"model": model, "version": str(version)})
        with suppress(Exception):
            stream = self._handler.stream
            stream.write(_line("INFO", "shadowed", time.time(), {**said, **metrics}) + "\n")
            stream.flush()

    def failed(self, exchange: "Exchange", error: BaseException) -> None:
        """Say why something of ours failed: the error's class, place, and its text if it is ours.

        A text of the tree holds nothing of a request; a foreign one may.
        """
        values = _checked(
            {
                "request_id": exchange.request_id,
                "model": exchange.model,
                "error": f"{type(error).__name__} at {_place(error)}",
                "reason": str(error) if isinstance(error, MaasError) else None,
            }
        )
        if self._metrics:
            values = {**values, **_fault(exchange, error)}
        with suppress(Exception):
            self._logger.error("failed", extra={"values": values})


def _counted(
    exchange: "Exchange", status: int, milliseconds: float, at: float
) -> dict[str, object]:
    """The metrics of one answer in CloudWatch's embedded metric format."""
    turn = exchange.turn
    counted: dict[str, object] = {
        "_aws": {
            "Timestamp": int(at * 1000),
            "CloudWatchMetrics": _BY_VERSION if turn else _BY_MODEL,
        },
        "model": exchange.model or "none",  # a dimension must have a value
        "Requests": 1,
        "Errors": int(status >= 500),
        "Latency": milliseconds,
    }
    if turn:
        counted["version"] = str(turn.version)  # and a value must be text
    return counted


def _passed_over(model: str | None, turn: "Turn", at: float) -> "Iterator[str]":
    """A line for each version that should have answered and could not: an error of its own."""
    directive = {
        "Namespace": "maas",
        "Dimensions": [["service", "model", "version"]],
        "Metrics": _ANSWERS[:2],
    }
    for number, _ in turn.instead_of:
        values = {
            "_aws": {"Timestamp": int(at * 1000), "CloudWatchMetrics": [directive]},
            "model": model,
            "version": str(number),
            "Requests": 1,
            "Errors": 1,
        }
        yield _line("INFO", "passed over", at, values)


def _fault(exchange: "Exchange", error: BaseException) -> dict[str, object]:
    """The metric of one fault."""
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": _FAULTS},
        "model": exchange.model or "none",
        "code": getattr(error, "code", MaasError.code),
        "Faults": 1,
    }


def _checked(values: "Mapping[str, object]") -> "Mapping[str, object]":
    """The values as they are, whose keys may be logged."""
    assert values.keys() <= LOG_KEYS  # noqa: S101 - the promise of this module, see its test
    return values


def _place(error: BaseException) -> str:
    """Module and line where an error was raised; a path would name the machine."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_globals.get('__name__', 'unknown')}:{trace.tb_lineno}"
