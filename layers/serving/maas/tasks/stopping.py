r"""Texts at which writing ends: what is written is held back as far as it may become one of them.

Imports the standard library alone.

    stopper = Stopper(("\n\n", "END"))
    stopper.add("the E")                  # "the "
    stopper.add("ND of")                  # "", and stopper.ended
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stopper:
    """Cuts a text that comes in pieces before the first place where one of the stops begins.

    Args:
        stops: The texts; none is empty.
    """

    def __init__(self, stops: "Sequence[str]") -> None:
        self._stops = stops
        self._held = ""
        self.ended = False
        """Whether one of them has come."""

    def add(self, text: str) -> str:
        """Take the next piece; answers with what can be handed out."""
        if self.ended:
            return ""
        whole = self._held + text
        found = [place for stop in self._stops if (place := whole.find(stop)) >= 0]
        if found:
            self.ended, self._held = True, ""
            return whole[: min(found)]
        kept = max((_begun(whole, stop) for stop in self._stops), default=0)
        self._held = whole[len(whole) - kept :]
        return whole[: len(whole) - kept]

    def rest(self) -> str:
        """What was held back and became none of them."""
        held, self._held = self._held, ""
        return held


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of a text are the first ones of a stop."""
    return next(
        (n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0
    )
