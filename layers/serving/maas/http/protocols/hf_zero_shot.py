"""Zero-shot classification in Hugging Face's wire format.

May import `maas.tasks`, `maas.http.fields` and the wire's structs beside it. Translates only.

    request = decode_zero_shot(parse_json(body))
    answer = encode_zero_shot(classifier.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.http.fields import convert_fields
from maas.http.protocols.hf_wire import ScoredLabel, listed
from maas.http.protocols.hf_wire_zero_shot import ZeroShotBody
from maas.tasks.zero_shot import TEMPLATE, ZeroShotRequest

if TYPE_CHECKING:
    from maas.http.protocols.hf_wire_zero_shot import ZeroShotAnswer, ZeroShotAnswers
    from maas.tasks.zero_shot import ZeroShotResponse


def decode_zero_shot(value: object) -> ZeroShotRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type; its name is given.
    """
    body = convert_fields(value, ZeroShotBody)
    template = body.parameters.hypothesis_template
    return ZeroShotRequest(
        texts=listed(body.inputs),
        labels=tuple(body.parameters.candidate_labels),
        template=TEMPLATE if template is None else template,
        multi=body.parameters.multi_label is True,
        alone=isinstance(body.inputs, str),
    )


def encode_zero_shot(response: "ZeroShotResponse") -> "ZeroShotAnswer | ZeroShotAnswers":
    """Turn a task's response into the flat list that the client takes apart; of more, one each."""
    rows = [[ScoredLabel(s.label, s.score) for s in row] for row in response.rows]
    return rows[0] if response.alone else rows
