"""Hugging Face's inference wire format, as `huggingface_hub.InferenceClient` speaks it, by task.

Imports msgspec's structs of no task until one is asked for, as `maas.tasks` does.

    wire = wire_of("text-classification")
    request = wire.decode(parse_json(body))
    answer = wire.encode(task.predict(request, deadline=deadline))

Keys that are unknown at the root are ignored, because clients send some; inside `parameters` they
are refused, because there a typing error would change the answer silently.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maas.limits import LIMITS

# A function has one task, and pays for the structs of no other.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.tasks.task import Request


@dataclass(frozen=True, slots=True)
class Wire:
    """How one task is asked and how it answers.

    Attributes:
        decode: Turns a parsed body, or bytes of one of the media types, into the task's request;
            raises FieldError with the field that is missing, unknown or of the wrong type.
        encode: Turns the task's response into what JSON can say.
        body_bytes: Bytes of a body at the most.
        media_types: What a body may be beside JSON.
    """

    decode: "Callable[[object], Request]"
    encode: "Callable[[Any], object]"
    body_bytes: int = LIMITS.body_bytes
    media_types: frozenset[str] = frozenset()


def wire_of(task: str) -> Wire:
    """The wire format of a task that a manifest names."""
    return _WIRES[task]()


def _classification() -> Wire:
    from maas.http.protocols.hf_classify import decode_classify, encode_classify

    return Wire(decode_classify, encode_classify)


def _image_classification() -> Wire:
    from maas.http.protocols.hf_image import MEDIA_TYPES, decode_image, encode_image

    return Wire(decode_image, encode_image, LIMITS.image_bytes, MEDIA_TYPES)


def _embedding() -> Wire:
    from maas.http.protocols.hf_embedding import decode_embed, encode_embed

    return Wire(decode_embed, encode_embed)


def _translation() -> Wire:
    from maas.http.protocols.hf_writing import decode_translate, encode_translate

    return Wire(decode_translate, encode_translate)


def _summarization() -> Wire:
    from maas.http.protocols.hf_writing import decode_summarize, encode_summarize

    return Wire(decode_summarize, encode_summarize)


_WIRES: "dict[str, Callable[[], Wire]]" = {
    "text-classification": _classification,
    "image-classification": _image_classification,
    "feature-extraction": _embedding,
    "translation": _translation,
    "summarization": _summarization,
}
