"""Question answering in Hugging Face's wire format.

May import `maas.tasks`, `maas.http.fields` and the wire's structs beside it. Translates only.

    request = decode_question(parse_json(body))
    answer = encode_question(answerer.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.http.fields import convert_fields
from maas.http.protocols.hf_wire_question import FoundAnswer, QuestionBody, QuestionParameters
from maas.tasks.question import QuestionRequest

if TYPE_CHECKING:
    from maas.http.protocols.hf_wire_question import QuestionAnswer, QuestionAnswers
    from maas.tasks.question import QuestionResponse


def decode_question(value: object) -> QuestionRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type; its name is given.
    """
    body = convert_fields(value, QuestionBody)
    options = body.parameters or QuestionParameters()
    plain = QuestionRequest(body.inputs.question, body.inputs.context)
    return QuestionRequest(
        question=plain.question,
        context=plain.context,
        top_k=options.top_k or plain.top_k,
        answer_tokens=options.max_answer_len or plain.answer_tokens,
        question_tokens=options.max_question_len or plain.question_tokens,
        part_tokens=options.max_seq_len,
        overlap=options.doc_stride,
        impossible=options.handle_impossible_answer is True,
        words=options.align_to_words is not False,
    )


def encode_question(response: "QuestionResponse") -> "QuestionAnswer | QuestionAnswers":
    """Turn a task's response into one answer, or into a list where more than one was asked for."""
    found = [
        FoundAnswer(response.context[each.start : each.end], each.score, each.start, each.end)
        for each in response.answers
    ]
    return found if response.listed else found[0]
