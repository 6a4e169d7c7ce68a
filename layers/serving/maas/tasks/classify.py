"""Text classification: texts to labels with scores.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.errors`, `maas.limits` and numpy.

    classifier = Classifier(manifest, tokenizer, session)
    answer = classifier.predict(ClassifyRequest(texts=("a fine film",)), deadline=deadline)
    answer.rows[0][0]                     # LabelScore(label="positive", score=0.94)
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from maas.errors import BundleError, FieldError, ModelOutputError
from maas.limits import LIMITS
from maas.text.check import check_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.text.tokenizer import Encoded, Tokenizer

    Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

ScoreFunction = Literal["softmax", "sigmoid", "none"]
_SCORE_DIGITS = 6  # fewer bits for whoever copies the model by asking it


@dataclass(frozen=True, slots=True)
class ClassifyRequest:
    """Texts to classify.

    Attributes:
        texts: 1 to 32 texts.
        top_k: Labels to answer per text, best first; all when None.
        function: What turns logits into scores.
    """

    texts: tuple[str, ...]
    top_k: int | None = None
    function: ScoreFunction = "softmax"


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label and its score, rounded to six digits."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class ClassifyResponse:
    """One row per text, in the request's order.

    Attributes:
        rows: Per text, labels with scores, best first.
        tokens: Per text, tokens that the model saw.
        truncated: Per text, whether tokens were cut off.
        seconds: Time by stage: `tokenize`, `run`.
    """

    rows: tuple[tuple[LabelScore, ...], ...]
    tokens: tuple[int, ...]
    truncated: tuple[bool, ...]
    seconds: dict[str, float]


class Classifier:
    """A loaded text classifier. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", tokenizer: "Tokenizer", session: "Session") -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        declared = tuple((spec.name, spec.dtype) for spec in manifest.inputs)
        if session.inputs != declared:
            raise BundleError("The graph's inputs are not those of the manifest.", field="inputs")
        if session.outputs != tuple(spec.name for spec in manifest.outputs):
            raise BundleError("The graph's outputs are not those of the manifest.", field="outputs")
        if {name for name, _ in declared} != {"input_ids", "attention_mask"}:
            raise BundleError("must be input_ids and attention_mask", field="inputs")
        self._labels = manifest.labels
        self._tokenizer = tokenizer
        self._session = session

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
        if request.top_k is not None and not 1 <= request.top_k <= LIMITS.labels:
            raise FieldError(f"must be 1 to {LIMITS.labels}", field="parameters.top_k")
        started = time.perf_counter()
        encoded = self._tokenizer.encode(request.texts)
        tokenized = time.perf_counter()
        logits = self._run(encoded, deadline)
        ran = time.perf_counter()
        return ClassifyResponse(
            rows=self._rows(_scores(logits, request.function), request.top_k),
            tokens=encoded.tokens,
            truncated=encoded.truncated,
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
        )

    def logits(self, texts: "Sequence[str]", *, deadline: float) -> "npt.NDArray[np.float32]":
        """Compute the raw answer for texts that are trusted, such as golden requests.

        Returns:
            float32 `[texts, labels]`.
        """
        return self._run(self._tokenizer.encode(texts), deadline)

    def _run(self, encoded: "Encoded", deadline: float) -> "npt.NDArray[np.float32]":
        feeds = {"input_ids": encoded.input_ids, "attention_mask": encoded.attention_mask}
        logits = np.asarray(self._session.run(feeds, deadline=deadline)[0], dtype=np.float32)
        if logits.shape != (len(encoded.tokens), len(self._labels)):
            raise ModelOutputError("The model's answer does not have one number per label.")
        if not np.isfinite(logits).all():
            raise ModelOutputError("The model's answer is not a finite number.")
        return logits

    def _rows(self, scores: "Floats", top_k: int | None) -> tuple[tuple[LabelScore, ...], ...]:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        return tuple(
            tuple(
                LabelScore(self._labels[index], round(float(row[index]), _SCORE_DIGITS))
                for index in best
            )
            for row, best in zip(scores, order, strict=True)
        )


def _scores(logits: "npt.NDArray[np.float32]", function: ScoreFunction) -> "Floats":
    if function == "none":
        return logits
    wide = logits.astype(np.float64)
    if function == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(wide, -700, 700))))
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
