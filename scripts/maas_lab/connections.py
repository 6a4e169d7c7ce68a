"""One connection of the laptop's server, which waits for no caller without end.

Imports uvicorn. Uvicorn waits for ever for the rest of a request's head, so that callers who send
none would hold all of a process's files:

    uvicorn.Config(app, http=Connection)
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from maas.limits import LIMITS


class Connection(H11Protocol):
    """HTTP/1.1 by h11, strict and bounded, whatever other parsers are installed."""

    seconds: ClassVar[float] = LIMITS.deadline_seconds
    """Time until the head of a request must be whole; its body has the deadline of its answer."""

    _leaving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait no longer once a head is whole, and not anew for each byte of one that is not."""
        super().data_received(data)
        if bool(self.cycle) and not self.cycle.response_complete:  # there is none at first
            self._forget()
        elif self._leaving is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._forget()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._leaving = self.loop.call_later(self.seconds, self.transport.close)

    def _forget(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
