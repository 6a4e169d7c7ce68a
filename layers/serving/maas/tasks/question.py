"""Question answering: the piece of a text that answers a question.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.tasks`, `maas.errors` and numpy.

    answerer = Answerer(manifest, tokenizer, session)
    asked = QuestionRequest("Where do I live?", "My name is Ada and I live in Berlin.")
    answerer.predict(asked, deadline=deadline).answers[0]    # Span(start=29, end=35, score=0.93)

A text that is too long is read in parts that overlap.
"""

import time
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.tasks.answers import Answer
from maas.tasks.spans import Span, Spans
from maas.tasks.task import Counts
from maas.tasks.window_rows import recorded_difference
from maas.tasks.window_task import WindowTask
from maas.text.check import check_texts

if TYPE_CHECKING:
    from maas.bundle.golden import Golden
    from maas.text.windows import Cut

_PART_TOKENS = 384
_OVERLAP = 128
_CONTEXT = replace(LIMITS, text_characters=LIMITS.context_characters)


class QuestionRequest(Struct, frozen=True):
    """A question about a text.

    Attributes:
        question: The question.
        context: The text that holds the answer.
        top_k: Answers at the most, best first.
        answer_tokens: Tokens of an answer at the most.
        question_tokens: Tokens of the question that are read; what is longer is cut.
        part_tokens: Tokens of a part that is read at once, with the question; 384, or all that the
            model takes, when None.
        overlap: Tokens of the text that parts have in common; when None 128, or half of a part.
        impossible: Whether that there is no answer may be one.
        words: Whether an answer begins and ends where words do.
    """

    question: str
    context: str
    top_k: int = 1
    answer_tokens: int = 15
    question_tokens: int = 64
    part_tokens: int | None = None
    overlap: int | None = None
    impossible: bool = False
    words: bool = True

    @property
    def counts(self) -> Counts:
        """One text; the question is about it."""
        return Counts(texts=1)


class QuestionResponse(Answer, frozen=True):
    """Answers, best first.

    Attributes:
        answers: Where they stand; fewer than were asked for where there are fewer. An empty one
            says that there is none.
        context: The text that they stand in.
        listed: Whether several were asked for.
    """

    answers: tuple[Span, ...]
    context: str
    listed: bool


class Answerer(WindowTask):
    """A loaded model that answers questions. Safe to share between threads."""

    _cuts_first = False

    def predict(self, request: QuestionRequest, *, deadline: float) -> QuestionResponse:
        """Answer a question.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A text or an option is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        check_texts((request.question,), field="inputs.question")
        check_texts((request.context,), field="inputs.context", limits=_CONTEXT)
        started = time.perf_counter()
        cut = self._cut(request)
        tokenized = time.perf_counter()
        spans = Spans(request.context, most_tokens=request.answer_tokens, words=request.words)
        # Tokens of one word make one answer of several, so that more are looked at.
        count = request.top_k * 2 + 10 if request.words else request.top_k
        numbers = self._rows.all(cut.windows, deadline=deadline)
        for window, (starts, ends) in zip(cut.windows, numbers, strict=True):
            spans.read(window, starts, ends, count=count)
        answers = spans.best(request.top_k, or_none=request.impossible)
        ran = time.perf_counter()
        return QuestionResponse(
            answers=answers or (Span(0, 0, 0.0),),
            context=request.context,
            listed=request.top_k > 1,
            tokens=(sum(len(window.ids) for window in cut.windows),),
            truncated=(False,),
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
        )

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; answers with the largest difference of a logit."""
        question, context = golden.texts[0], golden.pairs[0]
        cut = self._tokenizer.cut(context, before=question, most=self._rows.max_tokens)
        (answer,) = self._rows.all(cut.windows, deadline=deadline)
        return recorded_difference(np.stack(answer, axis=1), golden)

    def _cut(self, request: QuestionRequest) -> "Cut":
        largest = self._rows.max_tokens
        most = min(largest, _PART_TOKENS) if request.part_tokens is None else request.part_tokens
        if most > largest:
            raise FieldError(f"must be at most {largest}", field="parameters.max_seq_len")
        question, first = request.question, request.question_tokens
        left = self._tokenizer.left(question, most=most, most_before=first)
        if left < 1:
            raise FieldError(
                f"leaves no room for a text: parts have {most} tokens; make max_question_len less,"
                " or max_seq_len more",
                field="inputs.question",
            )
        overlap = request.overlap
        if overlap is None:
            overlap = min(most // 2, _OVERLAP)
            overlap = overlap if overlap < left else left // 2
        if overlap >= left:
            raise FieldError(
                f"must be less than {left}, the tokens of a part beside the question",
                field="parameters.doc_stride",
            )
        return self._tokenizer.cut(
            request.context,
            before=question,
            most_before=first,
            most=most,
            overlap=overlap,
            field="inputs.context",
        )
