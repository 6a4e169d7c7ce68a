"""Text classification: texts to labels with scores.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.tasks`, `maas.errors` and numpy.

    classifier = Classifier(manifest, tokenizer, session)
    answer = classifier.predict(ClassifyRequest(texts=("a fine film",)), deadline=deadline)
    answer.rows[0][0]                     # LabelScore(label="positive", score=0.94)
"""

import time
from typing import TYPE_CHECKING

from maas.tasks.answers import Answer, TextsRequest
from maas.tasks.labels import LabelScore, ScoreFunction, check_top_k, ranked
from maas.tasks.text_rows import TextRows, difference
from maas.tasks.text_tensors import TextTensors
from maas.text.check import check_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.text.tokenizer import Tokenizer


class ClassifyRequest(TextsRequest, frozen=True):
    """Texts to classify.

    Attributes:
        top_k: Labels to answer per text, best first; all when None.
        function: What turns logits into scores.
    """

    top_k: int | None = None
    function: ScoreFunction = "softmax"


class ClassifyResponse(Answer, frozen=True):
    """One row per text, in the request's order.

    Attributes:
        rows: Per text, labels with scores, best first.
    """

    rows: tuple[tuple[LabelScore, ...], ...]


class Classifier:
    """A loaded text classifier. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", tokenizer: "Tokenizer", session: "Session") -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        self._rows = TextRows(manifest, tokenizer, session)
        self._labels = manifest.labels
        self.tensors = TextTensors(manifest, self._rows)

    def predict(self, request: ClassifyRequest, *, deadline: float) -> ClassifyResponse:
        """Classify texts.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A text or an option is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        check_texts(request.texts, field="inputs")
        check_top_k(request.top_k)
        started = time.perf_counter()
        encoded = self._rows.encode(request.texts)
        tokenized = time.perf_counter()
        logits = self._rows.run(encoded, deadline=deadline)
        ran = time.perf_counter()
        return ClassifyResponse(
            rows=ranked(logits, self._labels, top_k=request.top_k, function=request.function),
            tokens=encoded.tokens,
            truncated=encoded.truncated,
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
        )

    def logits(self, texts: "Sequence[str]", *, deadline: float) -> "npt.NDArray[np.float32]":
        """Compute the raw answer for texts that are trusted, such as golden requests.

        Returns:
            float32 `[texts, labels]`.
        """
        return self._rows.run(self._rows.encode(texts), deadline=deadline)

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; answers with the largest difference of a logit."""
        return difference(self.logits(golden.texts, deadline=deadline), golden.logits)

    def check_widest(self, *, deadline: float) -> None:
        """Run the largest texts there can be.

        Raises:
            BundleError: The graph cannot take what the manifest and the tokenizer allow.
        """
        self._rows.check_widest(deadline=deadline)
