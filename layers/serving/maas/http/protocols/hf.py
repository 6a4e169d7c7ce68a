"""Hugging Face's inference wire format, as `huggingface_hub.InferenceClient` speaks it, by task.

Imports msgspec's structs of no task until one is asked for, as `maas.tasks` does.

    wire = wire_of("text-classification")
    request = wire.decode(parse_json(body))
    answer = wire.encode(task.predict(request, deadline=deadline))

Keys that are unknown at the root are ignored, because clients send some; inside `parameters` they
are refused, because there a typing error would change the answer silently.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec import Struct

from maas.errors import BadRequestError
from maas.limits import LIMITS

# A function has one task, and pays for the structs of no other.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.http.protocols.hf_generating import GenerateEvents as Events
    from maas.tasks.task import Request


class Wire(Struct, frozen=True):
    """How one task is asked and how it answers.

    Attributes:
        decode: Turns a parsed body, or bytes of one of the media types, into the task's request;
            raises FieldError with the field that is missing, unknown or of the wrong type.
        encode: Turns the task's response into what JSON can say.
        body_bytes: Bytes of a body at the most.
        media_types: What a body may be beside JSON.
        events: Makes the events of a stream, where a request may ask for one.
    """

    decode: "Callable[[object], Request]"
    encode: "Callable[[Any], object]"
    body_bytes: int = LIMITS.body_bytes
    media_types: frozenset[str] = frozenset()
    events: "Callable[[], Events] | None" = None


TENSOR = "tensor"
"""The task that has no wire format here."""


@cache
def wire_of(task: str) -> Wire:
    """The wire format of a task that a manifest names."""
    return _WIRES[task]()


def _classification() -> Wire:
    from maas.http.protocols.hf_classify import decode_classify, encode_classify

    return Wire(decode_classify, encode_classify)


def _image_classification() -> Wire:
    from maas.http.protocols.hf_files import encode_labels
    from maas.http.protocols.hf_image import MEDIA_TYPES, decode_image

    return Wire(decode_image, encode_labels, LIMITS.image_bytes, MEDIA_TYPES)


def _audio_classification() -> Wire:
    from maas.http.protocols.hf_audio import READ_TYPES, decode_sound
    from maas.http.protocols.hf_files import encode_labels

    return Wire(decode_sound, encode_labels, LIMITS.audio_bytes, READ_TYPES)


def _speech() -> Wire:
    from maas.http.protocols.hf_audio import READ_TYPES, decode_speech, encode_speech

    return Wire(decode_speech, encode_speech, LIMITS.audio_bytes, READ_TYPES)


def _token_classification() -> Wire:
    from maas.http.protocols.hf_tokens import decode_tokens, encode_tokens

    return Wire(decode_tokens, encode_tokens)


def _zero_shot_classification() -> Wire:
    from maas.http.protocols.hf_zero_shot import decode_zero_shot, encode_zero_shot

    return Wire(decode_zero_shot, encode_zero_shot)


def _question_answering() -> Wire:
    from maas.http.protocols.hf_question import decode_question, encode_question

    return Wire(decode_question, encode_question)


def _embedding() -> Wire:
    from maas.http.protocols.hf_embedding import decode_embed, encode_embed

    return Wire(decode_embed, encode_embed)


def _translation() -> Wire:
    from maas.http.protocols.hf_writing import decode_translate, encode_translate

    return Wire(decode_translate, encode_translate)


def _summarization() -> Wire:
    from maas.http.protocols.hf_writing import decode_summarize, encode_summarize

    return Wire(decode_summarize, encode_summarize)


def _generation() -> Wire:
    from maas.http.protocols.hf_generating import GenerateEvents, decode_generate, encode_generate

    return Wire(decode_generate, encode_generate, events=GenerateEvents)


def _table() -> Wire:
    from maas.http.protocols.hf_table import decode_table, encode_table

    return Wire(decode_table, encode_table)


def _tensor() -> Wire:
    """A graph as it is has no wire format here: its numbers have names, types and shapes."""
    return Wire(_no_tensors, _no_tensors)


def _no_tensors(_body: object) -> NoReturn:
    raise BadRequestError("This model reads tensors, and this wire format has none.")


def tensors_error(model: str) -> BadRequestError:
    """What is said to who asks a graph as it is in this wire format."""
    return BadRequestError(
        "This model reads tensors: ask it by the Open Inference Protocol, at"
        f" POST /v2/models/{model}/infer."
    )


_WIRES: "dict[str, Callable[[], Wire]]" = {
    "text-classification": _classification,
    "image-classification": _image_classification,
    "audio-classification": _audio_classification,
    "automatic-speech-recognition": _speech,
    "token-classification": _token_classification,
    "zero-shot-classification": _zero_shot_classification,
    "question-answering": _question_answering,
    "feature-extraction": _embedding,
    "translation": _translation,
    "summarization": _summarization,
    "text-generation": _generation,
    "tabular-classification": _table,
    TENSOR: _tensor,
}
