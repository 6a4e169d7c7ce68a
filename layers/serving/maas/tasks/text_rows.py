"""A graph that answers each text with one row of numbers: logits, or a vector.

May import `maas.engine`, `maas.text`, `maas.errors`, `maas.tasks.nodes`, `maas.tasks.runs`, numpy.

    rows = TextRows(manifest, tokenizer, session)
    encoded = rows.encode(texts)
    rows.run(encoded, deadline=deadline)          # float32 [texts, width]
"""

from typing import TYPE_CHECKING

import numpy as np

from maas.errors import BundleError, ModelError, ModelOutputError
from maas.tasks.nodes import check_nodes
from maas.tasks.runs import buckets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.text.tokenizer import Encoded, Tokenizer


class TextRows:
    """A loaded graph behind its tokenizer. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", tokenizer: "Tokenizer", session: "Session") -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        check_nodes(manifest, session)
        self.width = int(manifest.outputs[0].shape[-1])
        """Numbers of a row."""
        self._per = "per label" if manifest.labels else "of its vector"
        self._max_tokens = manifest.limits.max_tokens
        self._tokenizer = tokenizer
        self._session = session

    @property
    def largest_id(self) -> int:
        """The largest id that a text may become."""
        return self._tokenizer.largest_id

    def encode(self, texts: "Sequence[str]") -> "Encoded":
        """Turn texts that have passed the caps into ids.

        Raises:
            TokenizerError: The tokenizer failed on one.
        """
        return self._tokenizer.encode(texts)

    def run(self, encoded: "Encoded", *, deadline: float) -> "npt.NDArray[np.float32]":
        """Run a batch, in parts that fit into memory and hold texts of like length.

        Returns:
            float32 `[texts, width]`, finite, in the batch's order.

        Raises:
            ModelError: The graph failed, or answered something else.
            DeadlineError: The deadline came first.
        """
        if len(encoded.tokens) == 1:  # nothing to sort and to put back
            numbers = self._run_once(encoded.input_ids, encoded.attention_mask, deadline)
        else:
            numbers = self._run_sorted(encoded, deadline)
        # A zero among the bytes is a False; for one row, a reduction would take ten times as long.
        if 0 in np.isfinite(numbers).tobytes():
            raise ModelOutputError("The model's answer is not a finite number.")
        return numbers

    def _run_sorted(self, encoded: "Encoded", deadline: float) -> "npt.NDArray[np.float32]":
        numbers = np.empty((len(encoded.tokens), self.width), dtype=np.float32)
        for rows, width in buckets(encoded.tokens):
            ids, mask = encoded.input_ids[rows, :width], encoded.attention_mask[rows, :width]
            numbers[rows] = self._run_once(ids, mask, deadline)
        return numbers

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

    def _run_once(
        self, ids: "npt.NDArray[np.int64]", mask: "npt.NDArray[np.int64]", deadline: float
    ) -> "npt.NDArray[np.float32]":
        feeds = {"input_ids": ids, "attention_mask": mask}
        numbers = np.asarray(self._session.run(feeds, deadline=deadline)[0], dtype=np.float32)
        if numbers.shape != (len(ids), self.width):
            raise ModelOutputError(f"The model's answer does not have one number {self._per}.")
        return numbers


def difference(numbers: "npt.NDArray[np.float32]", wanted: "Sequence[Sequence[float]]") -> float:
    """The largest absolute difference between rows of numbers and the recorded ones."""
    return float(np.abs(numbers - np.asarray(wanted)).max())
