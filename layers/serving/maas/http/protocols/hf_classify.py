"""Text classification in Hugging Face's wire format.

May import `maas.tasks`, `maas.http.fields` and `hf_wire` beside it. Translates only.

    request = decode_classify(parse_json(body))
    answer = encode_classify(classifier.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.http.fields import convert_fields
from maas.http.protocols.hf_wire import ClassifyBody, ClassifyParameters, ScoredLabel, listed
from maas.tasks.classify import ClassifyRequest

if TYPE_CHECKING:
    from maas.http.protocols.hf_wire import ClassifyAnswer
    from maas.tasks.classify import ClassifyResponse


def decode_classify(value: object) -> ClassifyRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type; its name is given.
    """
    body = convert_fields(value, ClassifyBody, choices="must be softmax, sigmoid or none")
    options = body.parameters or ClassifyParameters()
    return ClassifyRequest(
        texts=listed(body.inputs),
        top_k=options.top_k,
        function=options.function_to_apply or "softmax",
    )


def encode_classify(response: "ClassifyResponse") -> "ClassifyAnswer":
    """Turn a task's response into the nested list that the client takes apart.

    The list is nested for one text too: from a flat one the client would take the first label only.
    """
    return [[ScoredLabel(s.label, s.score) for s in row] for row in response.rows]
