"""A graph that reads windows of texts: one row each, with numbers per token or per row.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.errors`, `maas.tasks` and numpy.

    rows = WindowRows(manifest, tokenizer, session)
    for at, (logits,) in rows.run(cut.windows, deadline=deadline):
        logits                                # float32 [tokens of windows[at], labels]
    answers = rows.all(cut.windows, deadline=deadline)       # in the windows' order
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from maas.bundle.task_rules import PAIRED, TYPES
from maas.errors import BundleError, ModelError, ModelOutputError
from maas.tasks.nodes import check_nodes
from maas.tasks.runs import buckets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.text.windows import Window, WindowTokenizer

    Floats = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int64]


class Rows(Struct, frozen=True):
    """Windows as the graph takes them: int64 `[batch, sequence]`, padded on the right.

    Attributes:
        ids: Tokens.
        mask: 1 for a token and 0 for padding.
        types: Which text a token is of; 0 for padding.
    """

    ids: "Ids"
    mask: "Ids"
    types: "Ids"


class WindowRows:
    """A loaded graph behind its tokenizer. Safe to share between threads."""

    def __init__(
        self, manifest: "Manifest", tokenizer: "WindowTokenizer", session: "Session"
    ) -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        check_nodes(manifest, session)
        self._pairs = manifest.task in PAIRED
        if manifest.limits.max_tokens <= tokenizer.room(pair=self._pairs) + self._pairs:
            raise BundleError("leaves no room for a text", field="limits.max_tokens")
        self.tokenizer = tokenizer
        self.max_tokens = manifest.limits.max_tokens
        """Tokens of a window."""
        self._outputs = manifest.outputs
        self._typed = any(spec.name == TYPES for spec in manifest.inputs)
        self._session = session

    def run(
        self, windows: "Sequence[Window]", *, deadline: float
    ) -> "Iterator[tuple[int, tuple[Floats, ...]]]":
        """Run windows, in parts that fit into memory, those of like length together.

        Yields:
            The number of a window, each once in any order, and what each output says of it: finite,
            and nothing of padding.

        Raises:
            ModelError: The graph failed, or answered something else.
            DeadlineError: The deadline came first.
        """
        tokens = [len(window.ids) for window in windows]
        for part, width in buckets(tokens):
            rows = side_by_side([windows[at] for at in part], width, pad_id=self.tokenizer.pad_id)
            answers = self.run_once(rows, deadline=deadline)
            for place, at in enumerate(part):
                yield (
                    at,
                    tuple(
                        answer[place, : tokens[at]] if self._per_token(number) else answer[place]
                        for number, answer in enumerate(answers)
                    ),
                )

    def all(
        self, windows: "Sequence[Window]", *, deadline: float
    ) -> "tuple[tuple[Floats, ...], ...]":
        """The same as a whole, in the windows' order; for a graph that says little of each."""
        found = dict(self.run(windows, deadline=deadline))
        return tuple(found[at] for at in range(len(windows)))

    def run_once(self, rows: Rows, *, deadline: float) -> "list[Floats]":
        """Run the graph once.

        Returns:
            Its outputs, finite; of padding they may say anything.

        Raises:
            ModelError: The graph failed, or answered something of another shape.
            DeadlineError: The deadline came first.
        """
        answers = self._answers(rows, deadline)
        for number, answer in enumerate(answers):
            said = answer[rows.mask == 1] if self._per_token(number) else answer
            if not np.isfinite(said).all():
                raise ModelOutputError("The model's answer is not a finite number.")
        return answers

    def _answers(self, rows: Rows, deadline: float) -> "list[Floats]":
        feeds = {"input_ids": rows.ids, "attention_mask": rows.mask}
        if self._typed:
            feeds[TYPES] = rows.types
        answers = [
            np.asarray(each, dtype=np.float32)
            for each in self._session.run(feeds, deadline=deadline)
        ]
        for spec, answer in zip(self._outputs, answers, strict=True):
            free = iter(rows.ids.shape)
            wanted = tuple(next(free) if isinstance(size, str) else size for size in spec.shape)
            if answer.shape != wanted:
                raise ModelOutputError(f"The model's {spec.name} is not of the shape that it says.")
        return answers

    def check_widest(self, *, deadline: float) -> None:
        """Run the largest windows there can be: as many tokens as are allowed, of the largest id.

        Raises:
            BundleError: The graph cannot take what the manifest and the tokenizer allow.
        """
        shape, largest = (2, self.max_tokens), self.tokenizer.largest_id
        ones = np.ones(shape, dtype=np.int64)
        types = np.zeros(shape, dtype=np.int64)
        types[:, 1:] = int(self._pairs)
        try:
            self._answers(Rows(ones * largest, ones, types), deadline)
        except ModelError:
            raise BundleError(
                f"The graph cannot take two rows of {self.max_tokens} tokens with ids up to"
                f" {largest}, which the manifest and tokenizer.json allow."
            ) from None

    def _per_token(self, output: int) -> bool:
        shape = self._outputs[output].shape
        return len(shape) > 1 and isinstance(shape[1], str)


def side_by_side(windows: "Sequence[Window]", width: int, *, pad_id: int) -> Rows:
    """Windows in one batch, each filled up to the same width."""
    shape = (len(windows), max(1, width))
    ids = np.full(shape, pad_id, dtype=np.int64)
    mask, types = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for at, window in enumerate(windows):
        count = len(window.ids)
        ids[at, :count], types[at, :count], mask[at, :count] = window.ids, window.types, 1
    return Rows(ids, mask, types)


def recorded_difference(numbers: "Floats", golden: "Golden") -> float:
    """The largest absolute difference between numbers and the recorded ones.

    Raises:
        BundleError: There are more or fewer of them.
    """
    wanted = np.asarray(golden.logits)
    if numbers.shape != wanted.shape:
        raise BundleError("A golden request's text has other tokens than were recorded.")
    return float(np.abs(numbers - wanted).max())
