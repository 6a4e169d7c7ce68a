"""What a manifest says of a model that listens: the clip that its graph takes, and what it spells.

May import `maas.errors`, `maas.limits` and msgspec.

    AudioInput(rate=16_000, samples=480_000, shortest=400, fixed=False, normalise=True)
"""

import re
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from maas.errors import BundleError

if TYPE_CHECKING:
    from maas.limits import Limits

# A token goes into answers: no control characters. It may be nothing, where the graph has an id
# that the vocabulary has not.
_TOKEN = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,64}")


class AudioInput(Struct, frozen=True, forbid_unknown_fields=True):
    """The waveform that the graph takes, of one channel; clips are made like it."""

    rate: Annotated[int, Meta(ge=1)]
    """Samples a second."""
    samples: Annotated[int, Meta(ge=1)]
    """The most that the graph takes; where `fixed`, the only number of them."""
    shortest: Annotated[int, Meta(ge=1)]
    """The fewest that it takes; where `fixed`, as many as `samples`."""
    fixed: bool
    """Whether it takes one length: silence follows a shorter clip, and a longer one is cut."""
    normalise: bool
    """Whether a clip's mean is made 0 and its variance 1."""


class CtcVocabulary(Struct, frozen=True, forbid_unknown_fields=True):
    """What a graph trained by connectionist temporal classification says of each frame."""

    tokens: tuple[str, ...]
    """What is written for each id; the one that parts words is a space."""
    blank: Annotated[int, Meta(ge=0)]
    """The id that stands for nothing, and parts a token from the same one."""
    frame: Annotated[int, Meta(ge=1)]
    """Samples from the start of one frame to that of the next."""


def check_audio(audio: AudioInput | None, task: str, limits: "Limits", *, wanted: bool) -> None:
    """Refuse a waveform that no clip can become.

    Args:
        audio: What the manifest says.
        task: Its task.
        limits: Seconds and rates.
        wanted: Whether the task listens to one.

    Raises:
        BundleError: With the field at fault.
    """
    if (audio is not None) != wanted:
        raise BundleError(f"must be {'given' if wanted else 'absent'} for {task}", field="audio")
    if audio is None:
        return
    if audio.rate > limits.clip_rate:
        raise BundleError(f"must be at most {limits.clip_rate}", field="audio.rate")
    if audio.samples > audio.rate * limits.clip_seconds:
        raise BundleError(f"must be at most {limits.clip_seconds} seconds", field="audio.samples")
    if audio.shortest > audio.samples or (audio.fixed and audio.shortest != audio.samples):
        raise BundleError("must be at most samples, and as many if fixed", field="audio.shortest")


def check_ctc(ctc: CtcVocabulary | None, task: str, limits: "Limits", *, wanted: bool) -> None:
    """Refuse a vocabulary that cannot spell.

    Args:
        ctc: What the manifest says.
        task: Its task.
        limits: How many tokens.
        wanted: Whether the task spells.

    Raises:
        BundleError: With the field at fault.
    """
    if (ctc is not None) != wanted:
        raise BundleError(f"must be {'given' if wanted else 'absent'} for {task}", field="ctc")
    if ctc is None:
        return
    if not 2 <= len(ctc.tokens) <= limits.ctc_tokens:
        raise BundleError(f"must be 2 to {limits.ctc_tokens} tokens", field="ctc.tokens")
    if not all(map(_TOKEN.fullmatch, ctc.tokens)):
        raise BundleError("must be short texts without control characters", field="ctc.tokens")
    if ctc.blank >= len(ctc.tokens):
        raise BundleError("must be the id of a token", field="ctc.blank")
