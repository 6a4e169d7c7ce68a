"""What a foreign graph of speech spells with: its vocab.json, and how long one of its frames is.

Imports `maas.bundle` and `maas.errors`.

    frame = frame_of(frames, audio)                     # 320 samples
    read_vocabulary(path, width, frame=frame)
"""

import json
from typing import TYPE_CHECKING

from maas.bundle.audio import CtcVocabulary
from maas.errors import FieldError, RefusedError
from maas.tasks.ctc import SPACE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas.bundle.audio import AudioInput

_BLANKS = ("<pad>", "[PAD]", "<blank>", "<ctc>", "<blk>")
_PARTS = "|"


def read_vocabulary(path: "Path", width: int, *, frame: int) -> CtcVocabulary:
    """Read a vocab.json as transformers writes it: an object of ids by tokens.

    Args:
        path: The file.
        width: How many numbers the graph answers per frame; ids that have no token write nothing.
        frame: Samples between two frames.

    Raises:
        FieldError: It is no vocabulary, or not of this graph.
    """
    try:
        ids = json.loads(path.read_bytes())
        written = {int(number): str(token) for token, number in ids.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        raise FieldError(
            "is no vocab.json: an object of ids by tokens", field="tokenizer"
        ) from None
    if len(written) != len(ids) or not all(0 <= number < width for number in written):
        raise FieldError(
            f"must have ids of 0 to {width - 1}, as many as the graph answers numbers",
            field="tokenizer",
        )
    blank = next((number for number, token in written.items() if token in _BLANKS), None)
    if blank is None:
        raise FieldError(f"must name its blank one of {', '.join(_BLANKS)}", field="tokenizer")
    tokens = [written.get(number, "") for number in range(width)]
    return CtcVocabulary(
        tokens=tuple(SPACE if token == _PARTS else token for token in tokens),
        blank=blank,
        frame=frame,
    )


def frame_of(frames: "Callable[[int], int]", audio: "AudioInput") -> int:
    """Samples from one frame to the next, told from how many frames two lengths have.

    Args:
        frames: How many a clip of so many samples has.
        audio: What the graph takes.

    Raises:
        RefusedError: Longer clips have no more frames.
    """
    if audio.fixed:
        return max(1, audio.samples // max(1, frames(audio.samples)))
    short, long = max(audio.shortest, audio.samples // 4), audio.samples
    more = frames(long) - frames(short)
    if more < 1:
        raise RefusedError("The graph answers longer clips with no more frames.")
    return max(1, round((long - short) / more))
