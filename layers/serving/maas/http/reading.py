"""Reading the registry for a request: in a thread, and within a bound. For the catalog's routes.

May import `maas.errors` and the types of the registry.

    reading = Reading(reader, seconds=1.8)
    found = await reading.read(lambda: reading.reader.models(limit=10))
"""

import asyncio
from typing import TYPE_CHECKING, TypeVar

from maas.errors import RegistryUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.registry.reader import Reader

ResultT = TypeVar("ResultT")


class Reading:
    """A registry's reader.

    Args:
        reader: The registry.
        seconds: Time that one read of it may take.
    """

    def __init__(self, reader: "Reader", *, seconds: float) -> None:
        self.reader = reader
        self._seconds = seconds

    async def read(self, read: "Callable[[], ResultT]") -> ResultT:
        """Read in a thread, so that a store which is more patient holds up nobody.

        Raises:
            RegistryUnavailableError: It did not answer in time.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.to_thread(read)
        except TimeoutError:
            raise RegistryUnavailableError(
                f"The registry does not answer within {self._seconds:g} s. Look at its own log."
            ) from None
