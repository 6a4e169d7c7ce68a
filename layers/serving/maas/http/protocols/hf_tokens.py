"""Token classification in Hugging Face's wire format.

May import `maas.tasks`, `maas.http.fields` and the wire's structs beside it. Translates only.

    request = decode_tokens(parse_json(body))
    answer = encode_tokens(classifier.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.http.fields import convert_fields
from maas.http.protocols.hf_wire import listed
from maas.http.protocols.hf_wire_tokens import (
    ClassifiedToken,
    FoundEntity,
    TokensBody,
    TokensParameters,
)
from maas.tasks.entities import OUTSIDE
from maas.tasks.token_classify import TokenClassifyRequest

if TYPE_CHECKING:
    from maas.tasks.entities import Entity
    from maas.tasks.token_classify import TokenClassifyResponse

    Found = list[ClassifiedToken | FoundEntity]


def decode_tokens(value: object) -> TokenClassifyRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type; its name is given.
    """
    body = convert_fields(value, TokensBody, choices="must be none, simple, first, average or max")
    options = body.parameters or TokensParameters()
    ignored = (OUTSIDE,) if options.ignore_labels is None else tuple(options.ignore_labels)
    return TokenClassifyRequest(
        texts=listed(body.inputs),
        strategy=options.aggregation_strategy or "none",
        ignored=ignored,
        stride=options.stride,
        alone=isinstance(body.inputs, str),
    )


def encode_tokens(response: "TokenClassifyResponse") -> "Found | list[Found]":
    """Turn a task's response into the flat list that the client takes apart; of more, one each."""
    rows = [[_found(each, grouped=response.grouped) for each in row] for row in response.rows]
    return rows[0] if response.alone else rows


def _found(entity: "Entity", *, grouped: bool) -> ClassifiedToken | FoundEntity:
    kind = FoundEntity if grouped else ClassifiedToken
    return kind(entity.label, entity.score, entity.word, entity.start, entity.end)
