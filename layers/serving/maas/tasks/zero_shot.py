"""Zero-shot classification: how well labels that the caller thinks of fit a text.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.tasks`, `maas.errors` and numpy.

    classifier = ZeroShotClassifier(manifest, tokenizer, session)
    asked = ZeroShotRequest(texts=("The match ended 2:1",), labels=("sports", "music"))
    classifier.predict(asked, deadline=deadline).rows[0][0]      # LabelScore("sports", 0.97)

The model was trained to tell whether one text follows from another. Each label becomes a sentence
by a template, and is scored by how surely that follows from the text.
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.task_rules import entailment_of
from maas.errors import FieldError
from maas.limits import LIMITS
from maas.tasks.answers import Answer, TextsRequest
from maas.tasks.labels import LabelScore, ranked
from maas.tasks.window_rows import recorded_difference
from maas.tasks.window_task import WindowTask
from maas.text.check import check_texts, check_windows, is_unicode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.text.windows import Cut, WindowTokenizer

    Floats = npt.NDArray[np.float32]

TEMPLATE = "This example is {}."
"""What makes a label a sentence, where nobody says otherwise."""
PLACE = "{}"
"""Where a template has the label."""


class ZeroShotRequest(TextsRequest, frozen=True):
    """Texts, and labels that may fit them.

    Attributes:
        labels: 1 to 64 labels.
        template: A sentence with PLACE once.
        multi: Whether several labels may fit a text, so that each is scored by itself.
        alone: Whether one text came without a list, and is answered without one.
    """

    labels: tuple[str, ...]
    template: str = TEMPLATE
    multi: bool = False
    alone: bool = False


class ZeroShotResponse(Answer, frozen=True):
    """One row per text, in the request's order.

    Attributes:
        rows: Per text, labels with scores, best first.
        alone: As it was asked.
    """

    rows: tuple[tuple[LabelScore, ...], ...]
    alone: bool


class ZeroShotClassifier(WindowTask):
    """A loaded model that tells what follows from a text. Safe to share between threads."""

    def __init__(
        self, manifest: "Manifest", tokenizer: "WindowTokenizer", session: "Session"
    ) -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes, or no label says what
                follows.
        """
        super().__init__(manifest, tokenizer, session)
        self._follows = entailment_of(manifest.labels)
        # What contradicts stands at the other end of the labels, as it does in Hugging Face's.
        self._contradicts = len(manifest.labels) - 1 if self._follows == 0 else 0

    def predict(self, request: ZeroShotRequest, *, deadline: float) -> ZeroShotResponse:
        """Score labels.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A text, a label or an option is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        check_texts(request.texts, field="inputs")
        _check_labels(request.labels)
        _check_template(request.template)
        count = len(request.labels)
        check_windows(len(request.texts) * count, field="parameters.candidate_labels")
        started = time.perf_counter()
        sentences = [request.template.replace(PLACE, label) for label in request.labels]
        cuts = [self._pairs(text, sentences) for text in request.texts]
        tokenized = time.perf_counter()
        windows = [cut.windows[0] for row in cuts for cut in row]
        logits = np.stack([row for (row,) in self._rows.all(windows, deadline=deadline)])
        ran = time.perf_counter()
        return ZeroShotResponse(
            rows=self._ranked(request, logits),
            alone=request.alone,
            tokens=tuple(sum(len(cut.windows[0].ids) for cut in row) for row in cuts),
            truncated=tuple(any(cut.truncated for cut in row) for row in cuts),
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
        )

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; answers with the largest difference of a logit."""
        pairs = zip(golden.texts, golden.pairs, strict=True)
        windows = [self._pairs(text, [pair])[0].windows[0] for text, pair in pairs]
        logits = np.stack([row for (row,) in self._rows.all(windows, deadline=deadline)])
        return recorded_difference(logits, golden)

    def _pairs(self, text: str, sentences: "Sequence[str]") -> "tuple[Cut, ...]":
        cuts = self._tokenizer.pairs(text, sentences, most=self._rows.max_tokens)
        for at, cut in enumerate(cuts):
            if not cut.windows:
                raise FieldError(
                    "with the template around it leaves no room for a text: the model reads"
                    f" {self._rows.max_tokens} tokens of both",
                    field=f"parameters.candidate_labels[{at}]",
                )
        return cuts

    def _ranked(
        self, request: ZeroShotRequest, logits: "Floats"
    ) -> tuple[tuple[LabelScore, ...], ...]:
        count = len(request.labels)
        if request.multi or count == 1:
            # Whether one logit is above the other is the sigmoid of how far.
            apart = logits[:, self._follows] - logits[:, self._contradicts]
            return ranked(apart.reshape(-1, count), request.labels, top_k=None, function="sigmoid")
        follows = logits[:, self._follows].reshape(-1, count)
        return ranked(follows, request.labels, top_k=None, function="softmax")


def _check_labels(labels: "Sequence[str]") -> None:
    most = LIMITS.candidate_labels
    if not 1 <= len(labels) <= most:
        raise FieldError(
            f"must be 1 to {most} labels, got {len(labels)}", field="parameters.candidate_labels"
        )
    for at, label in enumerate(labels):
        if not label or label.isspace() or len(label) > LIMITS.label_characters:
            reason = f"must be 1 to {LIMITS.label_characters} characters, not white space alone"
        elif not is_unicode(label):
            reason = "holds half of a surrogate pair, which is not a character"
        else:
            continue
        raise FieldError(reason, field=f"parameters.candidate_labels[{at}]")


def _check_template(template: str) -> None:
    field = "parameters.hypothesis_template"
    if len(template) > LIMITS.template_characters:
        raise FieldError(f"must be at most {LIMITS.template_characters} characters", field=field)
    if template.count(PLACE) != 1 or set(PLACE) & set(template.replace(PLACE, "")):
        raise FieldError(
            f"must hold {PLACE} once, where the label belongs, and no other brace", field=field
        )
    if not is_unicode(template):
        raise FieldError("holds half of a surrogate pair, which is not a character", field=field)
