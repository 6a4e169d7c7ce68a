"""A graph that reads tokens and says what may come next, with what it keeps of those before.

May import `maas.engine`, `maas.errors`, `maas.tasks.nodes` and numpy. Its tensors are called as
the library optimum calls them: input_ids, attention_mask, past_key_values.<n>.key|value and, in
some graphs, position_ids → logits, present.<n>.key|value.

    graph = CausalGraph(manifest, session)
    logits, read = graph.read(prompt, graph.begin(), deadline=deadline)
    logits, read = graph.read((number,), read, deadline=deadline)
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from maas.bundle.task_rules import PAST, POSITIONS, PRESENT
from maas.engine.session import begin
from maas.errors import BundleError, ModelError, ModelOutputError
from maas.tasks.nodes import check_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session, State
    from maas.registry.records import TensorSpec


class Read(Struct, frozen=True):
    """What the graph keeps of a text that it has read so far.

    Attributes:
        tokens: How many.
        state: Their keys and values.
    """

    tokens: int
    state: "State"


class CausalGraph:
    """A loaded graph, given one text at a time. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", session: "Session") -> None:
        """Bring the two together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        check_nodes(manifest, session)
        self._past = tuple(spec for spec in manifest.inputs if spec.name.startswith(PAST))
        self._places = any(spec.name == POSITIONS for spec in manifest.inputs)
        (logits,) = (spec for spec in manifest.outputs if not spec.name.startswith(PRESENT))
        self.width = int(logits.shape[-1])
        """Numbers of a row of logits."""
        self._session = session

    def begin(self, tokens: int = 0) -> Read:
        """What is kept before anything was read; or of so many tokens that are nothing at all."""
        arrays = {spec.name: _zeros(spec, tokens) for spec in self._past}
        return Read(tokens, begin(arrays, {PRESENT + n.removeprefix(PAST): n for n in arrays}))

    def read(
        self, ids: "Sequence[int]", before: Read, *, deadline: float
    ) -> "tuple[npt.NDArray[np.float32], Read]":
        """Read on.

        Args:
            ids: At least one token.
            before: What was kept of those before.
            deadline: Seconds on `time.monotonic`'s clock.

        Returns:
            The logits of what may come next, float32 `[width]`; and what is kept now.

        Raises:
            ModelError: The graph failed, or answered something else.
            DeadlineError: The deadline came first.
        """
        total = before.tokens + len(ids)
        feeds = {
            "input_ids": np.array([ids], dtype=np.int64),
            "attention_mask": np.ones((1, total), dtype=np.int64),
        }
        if self._places:
            feeds[POSITIONS] = np.arange(before.tokens, total, dtype=np.int64)[None]
        outputs, state = self._session.step(feeds, before.state, deadline=deadline)
        logits = np.asarray(outputs[0], dtype=np.float32)
        if logits.ndim != 3 or len(logits) != 1 or not logits.shape[1] or not self._fits(logits):
            raise ModelOutputError("The model's answer does not have one number per token.")
        last = logits[0, -1]
        if np.isnan(last).any() or not np.isfinite(last.max()):
            raise ModelOutputError("The model's answer is not a finite number.")
        return last, Read(total, state)

    def check_widest(self, *, tokens: int, largest: int, deadline: float) -> None:
        """Read two tokens of the largest id, and one at the last place of the longest text.

        Args:
            tokens: Of the longest text.
            largest: The largest id that a text may become.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            BundleError: The graph cannot take what the manifest and the tokenizer allow.
        """
        count = min(2, tokens)
        try:
            self.read((largest,) * count, self.begin(), deadline=deadline)
            self.read((largest,), self.begin(tokens - 1), deadline=deadline)
        except ModelError:
            raise BundleError(
                f"The graph cannot take a text of {tokens} tokens with ids up to {largest},"
                " which the manifest and tokenizer.json allow."
            ) from None

    def _fits(self, logits: "npt.NDArray[np.float32]") -> bool:
        return bool(logits.shape[2] == self.width)


def _zeros(spec: "TensorSpec", tokens: int) -> "npt.NDArray[np.generic]":
    _, heads, _, size = spec.shape
    return np.zeros((1, int(heads), tokens, int(size)), dtype=spec.dtype)
