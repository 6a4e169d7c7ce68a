"""Translation and summarization in Hugging Face's wire format.

May import `maas.errors`, `maas.tasks`, `maas.http.fields` and the wire's structs beside it.
Translates only.

    request = decode_translate(parse_json(body))
    answer = encode_translate(writer.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas.http.fields import convert_fields
from maas.http.protocols.hf_wire import listed
from maas.http.protocols.hf_wire_writing import (
    GenerateParameters,
    SummarizeBody,
    SummarizeParameters,
    Summary,
    TranslateBody,
    TranslateParameters,
    Translation,
)
from maas.tasks.write import WriteRequest

if TYPE_CHECKING:
    from maas.http.protocols.hf_wire_writing import SummarizeAnswer, TranslateAnswer
    from maas.tasks.write import WriteResponse

_CHOICES = "must be longest_first, only_first, only_second or do_not_truncate"
_UNCUT = frozenset(("only_second", "do_not_truncate"))


def decode_translate(value: object) -> WriteRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type, or a language is given alone.
    """
    body = convert_fields(value, TranslateBody, choices=_CHOICES)
    options = body.parameters or TranslateParameters()
    if (options.src_lang is None) != (options.tgt_lang is None):
        absent = "src_lang" if options.src_lang is None else "tgt_lang"
        raise FieldError("is required where the other is given", field=f"parameters.{absent}")
    return _request(listed(body.inputs), options)


def decode_summarize(value: object) -> WriteRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type; its name is given.
    """
    body = convert_fields(value, SummarizeBody, choices=_CHOICES)
    return _request(listed(body.inputs), body.parameters or SummarizeParameters())


def encode_translate(response: "WriteResponse") -> "TranslateAnswer":
    """Turn a task's response into the list that the client takes the first of."""
    return [Translation(text) for text in response.texts]


def encode_summarize(response: "WriteResponse") -> "SummarizeAnswer":
    """Turn a task's response into the list that the client takes the first of."""
    return [Summary(text) for text in response.texts]


def _request(texts: tuple[str, ...], options: SummarizeParameters) -> WriteRequest:
    how = options.generate_parameters or GenerateParameters()
    return WriteRequest(
        texts=texts,
        beams=how.num_beams or 1,
        max_new_tokens=how.max_new_tokens or how.max_length,
        cut=options.truncation not in _UNCUT,
    )
