"""Hugging Face's text classification as structs: what its client sends and what it takes apart.

May import `maas.limits` and msgspec, so that whoever only describes the format loads no model's
libraries. `hf_classify` translates; the OpenAPI document is made of the same structs. What all
tasks have of texts and labels is here, too:

    body = msgspec.convert(value, ClassifyBody, strict=True)
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from maas.limits import LIMITS

TopK = Annotated[int, Meta(ge=1, le=LIMITS.labels)]
# Described here, counted by the task, whose refusal says how many there were.
# What is white space beside `\s` depends on who reads a pattern; here it is what Python says.
INK = r"[^\s\x1c-\x1f\x85]"
"""What a text has at least one character of."""
_TEXT = {"minLength": 1, "maxLength": LIMITS.text_characters, "pattern": INK}
Text = Annotated[str, Meta(extra_json_schema=_TEXT)]
Texts = Annotated[list[Text], Meta(extra_json_schema={"minItems": 1, "maxItems": LIMITS.texts})]
ScoreName = Literal["softmax", "sigmoid", "none"]


class ClassifyParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a text-classification request.

    Attributes:
        top_k: Labels to answer per text, best first; all when absent.
        function_to_apply: What turns logits into scores; softmax when absent.
    """

    top_k: TopK | None = None
    function_to_apply: ScoreName | None = None


class ClassifyBody(Struct, frozen=True):
    """A text-classification request.

    Attributes:
        inputs: One text, or 1 to 32 of them; not white space alone, and 100,000 characters in all.
        parameters: Options.
    """

    inputs: Text | Texts
    parameters: ClassifyParameters | None = None


class ScoredLabel(Struct, frozen=True):
    """A label and how sure the model is of it.

    Attributes:
        label: The label.
        score: The score, rounded to six digits.
    """

    label: str
    score: float


ClassifyAnswer = list[list[ScoredLabel]]
"""One list per text, in the request's order; in it the labels, best first."""


def listed(inputs: str | list[str]) -> tuple[str, ...]:
    """The texts of a body, of which one may come without its list."""
    return (inputs,) if isinstance(inputs, str) else tuple(inputs)
