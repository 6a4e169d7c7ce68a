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

from maas.errors import BundleError, FieldError, ModelError, ModelOutputError
from maas.limits import LIMITS
from maas.text.check import check_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Node, Session
    from maas.registry.records import TensorSpec
    from maas.text.tokenizer import Encoded, Tokenizer

    Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

ScoreFunction = Literal["softmax", "sigmoid", "none"]
_SCORE_DIGITS = 6  # fewer bits for whoever copies the model by asking it
RUN_TOKENS = 2048
"""Tokens, padding included, that the model is given at a time.

What a run takes of memory grows with them: with 22 million parameters 32 texts of 512 tokens at
once take 1.2 GB, which ends a function of 1 GB, and are slower than these eight runs in 0.25 GB.
"""


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
        _check_nodes("inputs", manifest.inputs, session.inputs)
        _check_nodes("outputs", manifest.outputs, session.outputs)
        if {spec.name for spec in manifest.inputs} != {"input_ids", "attention_mask"}:
            raise BundleError("must be input_ids and attention_mask", field="inputs")
        self._max_tokens = manifest.limits.max_tokens
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

    def check_widest(self, *, deadline: float) -> None:
        """Run the largest texts there can be: as many tokens as are allowed, of the largest id.

        Raises:
            BundleError: The graph cannot take what the manifest and the tokenizer allow.
        """
        shape = (2, self._max_tokens)
        ids = np.full(shape, self._tokenizer.largest_id, dtype=np.int64)
        try:
            self._run_once(ids, np.ones(shape, dtype=np.int64), deadline)
        except ModelError:
            raise BundleError(
                f"The graph cannot take two texts of {self._max_tokens} tokens with ids up to"
                f" {self._tokenizer.largest_id}, which the manifest and tokenizer.json allow."
            ) from None

    def _run(self, encoded: "Encoded", deadline: float) -> "npt.NDArray[np.float32]":
        parts = []
        for rows, width in _runs(encoded.tokens):
            ids, mask = encoded.input_ids[rows, :width], encoded.attention_mask[rows, :width]
            parts.append(self._run_once(ids, mask, deadline))
        logits = np.concatenate(parts)
        if not np.isfinite(logits).all():
            raise ModelOutputError("The model's answer is not a finite number.")
        return logits

    def _run_once(
        self, ids: "npt.NDArray[np.int64]", mask: "npt.NDArray[np.int64]", deadline: float
    ) -> "npt.NDArray[np.float32]":
        feeds = {"input_ids": ids, "attention_mask": mask}
        logits = np.asarray(self._session.run(feeds, deadline=deadline)[0], dtype=np.float32)
        if logits.shape != (len(ids), len(self._labels)):
            raise ModelOutputError("The model's answer does not have one number per label.")
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


def _runs(tokens: "Sequence[int]") -> "Iterator[tuple[slice, int]]":
    """Cut a batch into runs that fit into memory: rows in their order, and the longest one's."""
    first, width = 0, 1
    for row, count in enumerate(tokens):
        if row > first and (row + 1 - first) * max(width, count) > RUN_TOKENS:
            yield slice(first, row), width
            first, width = row, 1
        width = max(width, count)
    yield slice(first, len(tokens)), width


def _check_nodes(field: str, specs: "Sequence[TensorSpec]", nodes: "Sequence[Node]") -> None:
    """Refuse a graph of other tensors; a dimension that varies in the manifest must in the graph.

    Raises:
        BundleError: With the field at fault.
    """
    declared = [(spec.name, spec.dtype) for spec in specs]
    if declared != [(node.name, node.dtype) for node in nodes]:
        raise BundleError(f"The graph's {field} are not those of the manifest.", field=field)
    for spec, node in zip(specs, nodes, strict=True):
        fixed = {index: size for index, size in enumerate(node.shape) if isinstance(size, int)}
        if (node.shape and len(node.shape) != len(spec.shape)) or any(
            spec.shape[index] != size for index, size in fixed.items()
        ):
            raise BundleError(
                f"The graph's {spec.name} does not have the shape that the manifest says.",
                field=field,
            )


def _scores(logits: "npt.NDArray[np.float32]", function: ScoreFunction) -> "Floats":
    if function == "none":
        return logits
    wide = logits.astype(np.float64)
    if function == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(wide, -700, 700))))
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
