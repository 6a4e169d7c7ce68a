"""A polite stop: SIGTERM and Ctrl-C ask, and the training loop ends where nothing is lost.

Imports the standard library and `maas.errors`:

    with stop_on_signals() as stop:
        ...
        if stop.requested:
            save()
            stop.obey()

A second signal acts at once, as it would without this module.
"""

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maas.errors import TryAgainError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Whether somebody has asked the loop to end. Anything may set it."""

    def __init__(self) -> None:
        self.requested = False

    def obey(self) -> None:
        """End the work, if that was asked; what is needed to go on has been saved.

        Raises:
            TryAgainError: It was asked.
        """
        if self.requested:
            raise TryAgainError(
                "Stopped; everything is saved. Go on with the same command and --resume."
            )


@contextmanager
def stop_on_signals() -> "Iterator[StopRequest]":
    """Catch the first SIGTERM or SIGINT while the body runs.

    Off the main thread no handler can be set, and the request stays as it is.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(_number: int, _frame: "FrameType | None") -> None:
        stop.requested = True
        _restore()

    before = {number: signal.signal(number, ask) for number in _SIGNALS}

    def _restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield stop
    finally:
        _restore()
