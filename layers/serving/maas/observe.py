"""One log line and three metrics per request, by Powertools. Never any content of a request.

May import `maas.errors` and Powertools. What may be logged is what `Exchange` has a field for:

    observer = Observer("INFO", metrics=True)
    observer.answered(exchange, status=200)
"""

import logging
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from maas.errors import MaasError

if TYPE_CHECKING:
    from maas.exchange import Exchange

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
"""All keys that a log line of ours may carry beside Powertools' own."""


class Observer:
    """Writes what happened. A log or a metric that cannot be written never fails a request.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        metrics: Whether to write CloudWatch metrics (embedded metric format) to standard output.
        stream: Where the log goes; standard output is what Lambda collects. Powertools keeps one
            handler per service name and process, so only the first observer's stream counts.
    """

    def __init__(self, level: str, *, metrics: bool, stream: TextIO | None = None) -> None:
        self._logger = Logger(
            service="maas", level=level, location=None, stream=stream or sys.stdout
        )
        self._logger.addFilter(_without_task)
        self._metrics = Metrics(namespace="maas", service="maas") if metrics else None

    def loaded(self, *, model: str, milliseconds: float) -> None:
        """Say that the start is over and how long it took."""
        self._write("ready", model=model, milliseconds=round(milliseconds, 1))

    def answered(self, exchange: "Exchange", *, status: int, code: str | None = None) -> None:
        """Say how one request ended."""
        turn = exchange.turn
        spent = (time.perf_counter() - exchange.started) * 1000
        self._write(
            "answered",
            request_id=exchange.request_id,
            model=exchange.model,
            version=turn.version if turn else None,
            digest=turn.digest if turn else None,
            policy=turn.policy if turn else None,
            verify=None if turn is None else "full" if turn.loaded.bundle.full else "sizes",
            status=status,
            code=code,
            texts=exchange.texts,
            images=exchange.images or None,
            clips=exchange.clips or None,
            tokens=exchange.tokens,
            truncated=exchange.truncated,
            milliseconds=round(spent, 2),
        )
        if self._metrics is not None:
            self._count(self._metrics, exchange, status, spent)

    def failed(self, exchange: "Exchange", error: BaseException) -> None:
        """Say why something of ours failed: the error's class, place, and its text if it is ours.

        A text of the tree holds nothing of a request; a foreign one may.
        """
        self._write(
            "failed",
            severe=True,
            request_id=exchange.request_id,
            model=exchange.model,
            error=f"{type(error).__name__} at {_place(error)}",
            reason=str(error) if isinstance(error, MaasError) else None,
        )

    def _write(self, message: str, *, severe: bool = False, **values: object) -> None:
        assert values.keys() <= LOG_KEYS  # noqa: S101 - the promise of this module, see its test
        with suppress(Exception):  # standard output may be closed; the answer matters more
            extra = {name: value for name, value in values.items() if value is not None}
            write = self._logger.error if severe else self._logger.info
            write(message, extra=extra)

    @staticmethod
    def _count(metrics: Metrics, exchange: "Exchange", status: int, milliseconds: float) -> None:
        with suppress(Exception):
            try:
                metrics.add_dimension("model", exchange.model or "none")
                metrics.add_metric("Requests", MetricUnit.Count, 1)
                metrics.add_metric("Errors", MetricUnit.Count, int(status >= 500))
                metrics.add_metric("Latency", MetricUnit.Milliseconds, milliseconds)
                metrics.flush_metrics()
            finally:
                metrics.clear_metrics()  # what could not be written is not counted with the next


def _without_task(record: logging.LogRecord) -> bool:
    """From Python 3.12 on a record names its asyncio task, which Powertools takes for our key."""
    record.taskName = None
    return True


def _place(error: BaseException) -> str:
    """Module and line where an error was raised; a path would name the machine."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_globals.get('__name__', 'unknown')}:{trace.tb_lineno}"
