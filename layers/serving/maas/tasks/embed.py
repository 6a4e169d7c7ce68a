"""Feature extraction: texts to vectors of length 1, whose products tell how near two texts are.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.tasks`, `maas.errors` and numpy.

    embedder = Embedder(manifest, tokenizer, session)
    answer = embedder.predict(EmbedRequest(texts=("a fine film",)), deadline=deadline)
    answer.vectors[0]                     # [0.0123, …], as many numbers as the model has dimensions

Or how near texts are to the first of them:

    request = EmbedRequest(texts=("a fine film", "a good movie", "rain"), compare=True)
    embedder.predict(request, deadline=deadline).similarities        # [0.83, 0.07]
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from maas.errors import BundleError, FieldError
from maas.tasks.answers import Answer, TextsRequest
from maas.tasks.text_rows import TextRows, difference
from maas.tasks.text_tensors import TextTensors
from maas.text.check import check_texts, check_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.text.tokenizer import Tokenizer

_SCALE = np.array(1e7)
"""All the digits that a float32 below 1 has. An array: a number is made one at each use."""
_LENGTH_TOLERANCE = 1e-3


class EmbedRequest(TextsRequest, frozen=True):
    """Texts to embed.

    Attributes:
        dimensions: Numbers to answer per text: the vector's first ones, made to length 1 again. All
            of them when None. How well fewer do depends on how the model was trained.
        cut: Whether a text that is too long is cut, and not refused.
        compare: Whether to answer how near the others are to the first text, and no vectors.
    """

    dimensions: int | None = None
    cut: bool = True
    compare: bool = False


class EmbedResponse(Answer, frozen=True):
    """One vector per text, in the request's order.

    Attributes:
        vectors: Per text, its numbers, rounded to seven digits; none where texts were compared.
        similarities: Per text but the first, the cosine of its vector and the first one's, rounded
            likewise; none where nothing was compared.
    """

    vectors: "Sequence[Sequence[float]]"
    similarities: "Sequence[float]"


class Embedder:
    """A loaded model that embeds texts. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", tokenizer: "Tokenizer", session: "Session") -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        self._rows = TextRows(manifest, tokenizer, session)
        self._max_tokens = manifest.limits.max_tokens
        self.tensors = TextTensors(manifest, self._rows)

    def predict(self, request: EmbedRequest, *, deadline: float) -> EmbedResponse:
        """Embed texts.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A text or an option is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        _check(request)
        if request.dimensions is not None and not 1 <= request.dimensions <= self._rows.width:
            raise FieldError(f"must be 1 to {self._rows.width}", field="dimensions")
        started = time.perf_counter()
        encoded = self._rows.encode(request.texts)
        if not request.cut:
            check_whole(encoded.truncated, field="inputs", most=self._max_tokens)
        tokenized = time.perf_counter()
        vectors = self._rows.run(encoded, deadline=deadline)
        if request.dimensions is not None:
            vectors = shortened(vectors, request.dimensions)
        ran = time.perf_counter()
        return EmbedResponse(
            vectors=[] if request.compare else rounded(vectors).tolist(),
            similarities=rounded(vectors[1:] @ vectors[0]).tolist() if request.compare else [],
            tokens=encoded.tokens,
            truncated=encoded.truncated,
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
        )

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; answers with the largest difference of a number.

        Raises:
            BundleError: A recorded vector is not of length 1, as the answers promise.
        """
        lengths = np.linalg.norm(np.asarray(golden.logits), axis=1)
        if not (np.abs(lengths - 1) <= _LENGTH_TOLERANCE).all():
            raise BundleError("A golden request's vector is not of length 1.")
        vectors = self._rows.run(self._rows.encode(golden.texts), deadline=deadline)
        return difference(vectors, golden.logits)

    def check_widest(self, *, deadline: float) -> None:
        """Run the largest texts there can be.

        Raises:
            BundleError: The graph cannot take what the manifest and the tokenizer allow.
        """
        self._rows.check_widest(deadline=deadline)


def shortened(vectors: "npt.NDArray[np.float32]", count: int) -> "npt.NDArray[np.float32]":
    """The first numbers of each vector, of length 1 again; all zeros stay what they are.

    Args:
        vectors: float32 `[texts, dimension]`.
        count: How many.
    """
    first = vectors[:, :count]
    lengths = np.linalg.norm(first, axis=1, keepdims=True)
    return np.asarray(first / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _check(request: EmbedRequest) -> None:
    if request.compare:
        check_texts(request.texts[:1], field="inputs.source_sentence")
        check_texts(request.texts[1:], field="inputs.sentences")
    check_texts(request.texts, field="inputs")


def rounded(numbers: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float64]":
    """All the digits that a float32 below 1 has, and no more: such a number is written shortly.

    Args:
        numbers: float32 of any shape.
    """
    wide = numbers.astype(np.float64)  # from here in place, where `round` would make another
    wide *= _SCALE
    np.rint(wide, out=wide)
    wide /= _SCALE
    return wide
