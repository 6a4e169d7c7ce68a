"""Hugging Face's audio tasks as structs: what is sent and what is taken apart.

May import `maas.limits`, `hf_wire` beside it, and msgspec. `hf_audio` translates. A body may also
be the file itself, of one of SOUND_TYPES or of no type at all:

    body = msgspec.convert(value, SoundBody, strict=True)
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import ScoredLabel, ScoreName, TopK
from maas.limits import LIMITS

SOUND_TYPES = frozenset(
    ("audio/wav", "audio/wave", "audio/x-wav", "audio/vnd.wave", "application/octet-stream")
)
"""What a body may be beside JSON."""
OTHER_TYPES = frozenset(
    (
        *("audio/flac", "audio/x-flac", "audio/mpeg", "audio/mp3", "audio/ogg", "audio/webm"),
        *("audio/mp4", "audio/m4a", "audio/x-m4a", "audio/aac", "audio/aiff", "audio/x-aiff"),
    )
)
"""What clients send as well: such a file is refused by what it holds, with the remedy."""
_BASE64 = {"minLength": 1, "contentEncoding": "base64"}
Clip = Annotated[str, Meta(extra_json_schema=_BASE64)]
Clips = Annotated[list[Clip], Meta(extra_json_schema={"minItems": 1, "maxItems": LIMITS.clips})]


class SoundParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of an audio-classification request.

    Attributes:
        top_k: Labels to answer per clip, best first; all when absent.
        function_to_apply: What turns logits into scores; softmax when absent.
    """

    top_k: TopK | None = None
    function_to_apply: ScoreName | None = None


class SoundBody(Struct, frozen=True):
    """An audio-classification request; without options the file alone may be sent instead.

    Attributes:
        inputs: One WAV file in base64, or 1 to 8 of them.
        parameters: Options.
    """

    inputs: Clip | Clips
    parameters: SoundParameters | None = None


SoundAnswer = list[ScoredLabel]
"""The labels of one clip, best first."""
SoundAnswers = list[list[ScoredLabel]]
"""One list per clip of a list, in the request's order; in it the labels, best first."""


class SpeechParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of an automatic-speech-recognition request.

    Attributes:
        return_timestamps: Whether each word's times are answered, as true or `word` asks for, or
            each character's; none when absent.
    """

    return_timestamps: bool | Literal["word", "char"] | None = None


class SpeechBody(Struct, frozen=True):
    """An automatic-speech-recognition request; without options the file alone may be sent instead.

    Attributes:
        inputs: One WAV file in base64, or 1 to 8 of them.
        parameters: Options.
    """

    inputs: Clip | Clips
    parameters: SpeechParameters | None = None


class SpeechChunk(Struct, frozen=True):
    """A word or a character, and when it was said.

    Attributes:
        text: What was said.
        timestamp: Its first second and its last, from the start of the clip.
    """

    text: str
    timestamp: tuple[float, float]


class SpeechAnswer(Struct, frozen=True, omit_defaults=True):
    """What was said in one clip.

    Attributes:
        text: All of it.
        chunks: Its parts with their times, where they were asked for.
    """

    text: str
    chunks: list[SpeechChunk] | None = None


SpeechAnswers = list[SpeechAnswer]
"""One answer per clip of a list, in the request's order."""
