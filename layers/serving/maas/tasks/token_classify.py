"""Token classification: which words of a text are names, places or whatever the labels say.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.tasks`, `maas.errors` and numpy.

    classifier = TokenClassifier(manifest, tokenizer, session)
    asked = TokenClassifyRequest(texts=("I live in Berlin",), strategy="simple")
    classifier.predict(asked, deadline=deadline).rows[0]      # (Entity("LOC", 0.99, "berlin", …),)
"""

import time
from itertools import islice
from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas.tasks.answers import Answer, TextsRequest
from maas.tasks.entities import OUTSIDE, Entity, Strategy, entities_of, pieces_of, widest
from maas.tasks.window_rows import recorded_difference
from maas.tasks.window_task import WindowTask
from maas.text.check import check_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maas.bundle.golden import Golden
    from maas.text.windows import Cut


class TokenClassifyRequest(TextsRequest, frozen=True):
    """Texts whose tokens are classified.

    Attributes:
        strategy: How tokens are joined to entities.
        ignored: Labels that are left out of the answer.
        stride: Tokens that a part of a long text has in common with the next one; when None there
            is one part, and what does not fit is cut off.
        alone: Whether one text came without a list, and is answered without one.
    """

    strategy: Strategy = "none"
    ignored: tuple[str, ...] = (OUTSIDE,)
    stride: int | None = None
    alone: bool = False


class TokenClassifyResponse(Answer, frozen=True):
    """One row per text, in the request's order.

    Attributes:
        rows: Per text its entities, in the order in which they stand there.
        grouped: Whether they are groups, and no tokens.
        alone: As it was asked.
    """

    rows: tuple[tuple[Entity, ...], ...]
    grouped: bool
    alone: bool


class TokenClassifier(WindowTask):
    """A loaded model that classifies tokens. Safe to share between threads."""

    def predict(self, request: TokenClassifyRequest, *, deadline: float) -> TokenClassifyResponse:
        """Classify the tokens of texts.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A text or an option is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        check_texts(request.texts, field="inputs")
        self._check_stride(request)
        started = time.perf_counter()
        cuts: list[Cut] = []
        for text in request.texts:
            others = sum(len(cut.windows) for cut in cuts)
            cuts.append(
                self._tokenizer.cut(
                    text, most=self._rows.max_tokens, overlap=request.stride, others=others
                )
            )
        tokenized = time.perf_counter()
        rows = tuple(self._answers(request, cuts, deadline))
        ran = time.perf_counter()
        return TokenClassifyResponse(
            rows=rows,
            grouped=request.strategy != "none",
            alone=request.alone,
            tokens=tuple(sum(len(window.ids) for window in cut.windows) for cut in cuts),
            truncated=tuple(cut.truncated for cut in cuts),
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
        )

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; answers with the largest difference of a logit."""
        cut = self._tokenizer.cut(golden.texts[0], most=self._rows.max_tokens)
        ((logits,),) = self._rows.all(cut.windows, deadline=deadline)
        return recorded_difference(logits, golden)

    def _check_stride(self, request: TokenClassifyRequest) -> None:
        if request.stride is None:
            return
        most = self._rows.max_tokens - self._tokenizer.room() - 1
        if not 0 <= request.stride <= most:
            raise FieldError(f"must be 0 to {most}", field="parameters.stride")
        if request.strategy == "none":
            raise FieldError(
                "needs an aggregation_strategy other than none: parts overlap, and tokens would"
                " be answered twice",
                field="parameters.stride",
            )

    def _answers(
        self, request: TokenClassifyRequest, cuts: "list[Cut]", deadline: float
    ) -> "Iterator[tuple[Entity, ...]]":
        owners = [text for text, cut in enumerate(cuts) for _ in cut.windows]
        windows = [window for cut in cuts for window in cut.windows]
        found: list[list[Entity]] = [[] for _ in windows]
        for at, (logits,) in self._rows.run(windows, deadline=deadline):
            text = request.texts[owners[at]]
            pieces = pieces_of(text, windows[at], logits, self._tokenizer)
            entities = entities_of(pieces, self._labels, request.strategy, self._tokenizer)
            found[at] = [each for each in entities if each.label not in request.ignored]
        rows = iter(found)
        for cut in cuts:
            entities = [each for row in islice(rows, len(cut.windows)) for each in row]
            if len(cut.windows) > 1:
                entities = widest(entities)
            yield tuple(entity.rounded() for entity in entities)
