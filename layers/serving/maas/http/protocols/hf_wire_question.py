"""Hugging Face's question answering as structs: what is sent and what is taken apart.

May import `maas.limits`, `hf_wire` beside it, and msgspec. `hf_question` translates:

    body = msgspec.convert(value, QuestionBody, strict=True)
"""

from typing import Annotated

from msgspec import Meta, Struct

from maas.http.protocols.hf_wire import INK, Text
from maas.limits import LIMITS

_CONTEXT = {"minLength": 1, "maxLength": LIMITS.context_characters, "pattern": INK}
Context = Annotated[str, Meta(extra_json_schema=_CONTEXT)]
TopAnswers = Annotated[int, Meta(ge=1, le=LIMITS.answers)]
Tokens = Annotated[int, Meta(ge=1, le=LIMITS.tokens)]
Overlap = Annotated[int, Meta(ge=0, le=LIMITS.tokens)]


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """A question about a text.

    Attributes:
        question: The question; not white space alone.
        context: The text that holds the answer; not white space alone, 100,000 characters at most.
    """

    question: Text
    context: Context


class QuestionParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a question-answering request.

    Attributes:
        top_k: Answers at the most, best first, in a list; one without a list when absent or 1.
        doc_stride: Tokens that the parts of a long text have in common; 128, or half of a part,
            when absent.
        max_answer_len: Tokens of an answer; 15 when absent.
        max_seq_len: Tokens of a part with the question; 384, or all that the model takes, when
            absent.
        max_question_len: Tokens of the question that are read; 64 when absent.
        handle_impossible_answer: Whether that there is none may be an answer.
        align_to_words: Whether an answer begins and ends where words do; it does when absent.
    """

    top_k: TopAnswers | None = None
    doc_stride: Overlap | None = None
    max_answer_len: Tokens | None = None
    max_seq_len: Tokens | None = None
    max_question_len: Tokens | None = None
    handle_impossible_answer: bool | None = None
    align_to_words: bool | None = None


class QuestionBody(Struct, frozen=True):
    """A question-answering request.

    Attributes:
        inputs: The question, and the text that it is about.
        parameters: Options.
    """

    inputs: Question
    parameters: QuestionParameters | None = None


class FoundAnswer(Struct, frozen=True):
    """A piece of the text that answers the question.

    Attributes:
        answer: The text's own characters; empty where there is no answer.
        score: How sure the model is, rounded to six digits; that of several places or parts is
            their sum.
        start: Its first character in the text, in code points.
        end: The one behind its last.
    """

    answer: str
    score: float
    start: int
    end: int


QuestionAnswer = FoundAnswer
"""The answer, where one was asked for."""
QuestionAnswers = list[FoundAnswer]
"""The answers, best first, where more were."""
