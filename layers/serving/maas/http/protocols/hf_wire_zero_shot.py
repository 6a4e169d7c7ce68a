"""Hugging Face's zero-shot classification as structs: what is sent and what is taken apart.

May import `maas.limits`, `hf_wire` beside it, and msgspec. `hf_zero_shot` translates:

    body = msgspec.convert(value, ZeroShotBody, strict=True)
"""

from typing import Annotated

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import INK, ScoredLabel, Text, Texts
from maas.limits import LIMITS

# Described here, counted by the task, as texts are.
_LABEL = {"minLength": 1, "maxLength": LIMITS.label_characters, "pattern": INK}
Candidate = Annotated[str, Meta(extra_json_schema=_LABEL)]
_LABELS = {"minItems": 1, "maxItems": LIMITS.candidate_labels}
Candidates = Annotated[list[Candidate], Meta(extra_json_schema=_LABELS)]
_SENTENCE = {"maxLength": LIMITS.template_characters, "pattern": r"^[^{}]*\{\}[^{}]*$"}
Template = Annotated[str, Meta(extra_json_schema=_SENTENCE)]


class ZeroShotParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a zero-shot-classification request.

    Attributes:
        candidate_labels: 1 to 64 labels that may fit, in any words; times texts 128 at the most.
        multi_label: Whether several may fit a text, so that each is scored by itself; they share
            a sum of 1 when absent.
        hypothesis_template: A sentence with `{}` where the label belongs; `This example is {}.`
            when absent.
    """

    candidate_labels: Candidates
    multi_label: bool | None = None
    hypothesis_template: Template | None = None


class ZeroShotBody(Struct, frozen=True):
    """A zero-shot-classification request.

    Attributes:
        inputs: One text, or 1 to 32 of them; not white space alone, and 100,000 characters in all.
        parameters: The labels, and options.
    """

    inputs: Text | Texts
    parameters: ZeroShotParameters


ZeroShotAnswer = list[ScoredLabel]
"""The labels of one text, best first."""
ZeroShotAnswers = list[list[ScoredLabel]]
"""One list per text of a list, in the request's order; in it the labels, best first."""
