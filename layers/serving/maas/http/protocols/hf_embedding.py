"""Feature extraction and sentence similarity in Hugging Face's wire format.

May import `maas.errors`, `maas.tasks`, `maas.http.fields` and the wire's structs beside it.
Translates only.

    request = decode_embed(parse_json(body))
    answer = encode_embed(embedder.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas.http.fields import convert_fields
from maas.http.protocols.hf_wire import listed
from maas.http.protocols.hf_wire_embedding import Comparison, EmbedBody
from maas.tasks.embed import EmbedRequest

if TYPE_CHECKING:
    from maas.http.protocols.hf_wire_embedding import EmbedAnswer, SimilarityAnswer
    from maas.tasks.embed import EmbedResponse

_ACCEPTED: tuple[tuple[str, tuple[object, ...], str], ...] = (
    ("normalize", (None, True), "must be true: the model itself makes vectors of length 1"),
    ("truncation_direction", (None, "right", "Right"), "must be right: a text's end is cut"),
    ("prompt_name", (None,), "must be absent: the model has no prompts"),
    ("encoding_format", (None, "float"), "must be float: numbers are answered as JSON says them"),
)


def decode_embed(value: object) -> EmbedRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing or of the wrong type, or asks for what no model does.
    """
    body = convert_fields(value, EmbedBody)
    for name, accepted, reason in _ACCEPTED:
        if getattr(body, name) not in accepted:
            raise FieldError(reason, field=name)
    return EmbedRequest(
        texts=_texts(body.inputs),
        dimensions=body.dimensions,
        cut=body.truncate is not False,
        compare=isinstance(body.inputs, Comparison),
    )


def encode_embed(response: "EmbedResponse") -> "EmbedAnswer | SimilarityAnswer":
    """Turn a task's response into one list of numbers per text, for one text too; or into cosines.

    A model that embeds is asked for both at one address, as the client wants it.
    """
    return response.similarities or response.vectors


def _texts(inputs: str | list[str] | Comparison) -> tuple[str, ...]:
    if isinstance(inputs, Comparison):
        return (inputs.source_sentence, *inputs.sentences)
    return listed(inputs)
