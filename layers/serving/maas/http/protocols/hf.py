"""Hugging Face's inference wire format, as `huggingface_hub.InferenceClient` speaks it.

May import `maas.errors`, `maas.limits`, `maas.tasks` and msgspec. Translates only.

    request = decode_classify(parse_json(body))
    answer = encode_classify(classifier.predict(request, deadline=deadline))

Keys that are unknown at the root are ignored, because clients send some; inside `parameters` they
are refused, because there a typing error would change the answer silently.
"""

import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.tasks.classify import ClassifyRequest

if TYPE_CHECKING:
    from maas.tasks.classify import ClassifyResponse

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
TopK = Annotated[int, Meta(ge=1, le=LIMITS.labels)]


class ClassifyParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a text-classification request."""

    top_k: TopK | None = None
    """Labels to answer per text, best first; all when absent."""
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = None
    """What turns logits into scores; softmax when absent."""


class ClassifyBody(Struct, frozen=True):
    """A text-classification request."""

    inputs: str | list[str]
    """One text, or 1 to 32 of them."""
    parameters: ClassifyParameters | None = None
    """Options."""


def decode_classify(value: object) -> ClassifyRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type; its name is given.
    """
    try:
        body = msgspec.convert(value, ClassifyBody, strict=True)
    except msgspec.ValidationError as error:
        raise _field_error(str(error)) from None
    options = body.parameters or ClassifyParameters()
    return ClassifyRequest(
        texts=(body.inputs,) if isinstance(body.inputs, str) else tuple(body.inputs),
        top_k=options.top_k,
        function=options.function_to_apply or "softmax",
    )


def encode_classify(response: "ClassifyResponse") -> list[list[dict[str, str | float]]]:
    """Turn a task's response into the nested list that the client takes apart.

    The list is nested for one text too: from a flat one the client would take the first label only.
    """
    return [[{"label": s.label, "score": s.score} for s in row] for row in response.rows]


def _field_error(message: str) -> FieldError:
    """Turn msgspec's `Expected … - at `$.parameters.top_k`` into a field and a text of ours."""
    text, _, path = message.rpartition(" - at `$")  # the last: a key of the body may look like one
    if not text:
        text, path = message, ""
    field = path.rstrip("`").lstrip(".")
    if unknown := re.search(r"unknown field `(.*)`$", text, re.DOTALL):
        name = unknown[1] if _PLAIN_KEY.fullmatch(unknown[1]) else "?"
        return FieldError("is not known here; remove it", field=f"{field}.{name}")
    if missing := re.search(r"missing required field `(\w+)`$", text):
        return FieldError("is required", field=missing[1])
    if text.startswith("Invalid enum value"):  # its text would echo what was sent
        text = "must be softmax, sigmoid or none"
    return FieldError(text, field=field or None)
