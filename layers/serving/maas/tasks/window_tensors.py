"""A model that reads windows of texts, asked by tensors: by `text`, or by the graph's own.

May import `maas.errors`, `maas.text`, `maas.tasks` and numpy.

    tensors = WindowTensors(manifest, rows)
    tensors.infer({"text": strings([b"I live in Berlin"], (1,))}, deadline=deadline)

A model that reads two texts at a time takes them as `text` and `text_pair`; of which one the end is
cut off where they are too long, its task says.
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.task_rules import PAIRED, TYPES
from maas.errors import FieldError
from maas.registry.records import TensorSpec
from maas.tasks.runs import runs
from maas.tasks.task import Counts
from maas.tasks.tensors import STRING, TensorResponse, as_texts, check_feeds
from maas.tasks.text_tensors import TEXT, check_tokens
from maas.tasks.window_rows import Rows, side_by_side
from maas.text.check import check_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from maas.bundle.manifest import Manifest
    from maas.tasks.tensors import Array
    from maas.tasks.window_rows import WindowRows
    from maas.text.windows import Cut

TEXT_PAIR = TensorSpec("text_pair", STRING, ("batch",))
"""The second text of each row, beside `text`."""


class WindowTensors:
    """A graph behind a tokenizer that knows places. Safe to share between threads.

    Args:
        manifest: What it is.
        rows: The graph.
        first: Whether the end of a pair's first text is cut off, and not that of its second.
    """

    def __init__(self, manifest: "Manifest", rows: "WindowRows", *, first: bool = True) -> None:
        self._texts = (TEXT, TEXT_PAIR) if manifest.task in PAIRED else (TEXT,)
        self.inputs = (*self._texts, *manifest.inputs)
        self.outputs = manifest.outputs
        self._graph = manifest.inputs
        self._rows = rows
        self._first = first

    def infer(self, feeds: "Mapping[str, Array]", *, deadline: float) -> TensorResponse:
        """Answer texts, or the tokens of texts, with what the graph says of them.

        Raises:
            FieldError: A tensor or a text is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        started = time.perf_counter()
        cuts: list[Cut] = []
        if any(spec.name in feeds for spec in self._texts):
            cuts = self._cuts(feeds)
            windows = [cut.windows[0] for cut in cuts]
            width = max(len(window.ids) for window in windows)
            rows = side_by_side(windows, width, pad_id=self._rows.tokenizer.pad_id)
        else:
            rows = self._given(feeds)
        tokenized = time.perf_counter()
        outputs = self._run(rows, deadline)
        ran = time.perf_counter()
        return TensorResponse(
            outputs=dict(zip((spec.name for spec in self.outputs), outputs, strict=True)),
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
            counts=Counts(texts=len(rows.ids)),
            tokens=tuple(len(cut.windows[0].ids) for cut in cuts)
            or rows.ids.shape[1:] * len(rows.ids),
            truncated=tuple(cut.truncated for cut in cuts) or (False,) * len(rows.ids),
        )

    def _cuts(self, feeds: "Mapping[str, Array]") -> "list[Cut]":
        flat = {
            name: array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
            for name, array in feeds.items()
        }
        check_feeds(self._texts, flat)
        columns = [as_texts(flat[spec.name], field=spec.name).tolist() for spec in self._texts]
        for spec, texts in zip(self._texts, columns, strict=True):
            check_texts(texts, field=spec.name)
        most, cut = self._rows.max_tokens, self._rows.tokenizer.cut
        if len(columns) == 1:
            return [cut(text, most=most) for text in columns[0]]
        pairs = zip(columns[0], columns[1], strict=True)
        if self._first:
            cuts = [self._rows.tokenizer.pairs(one, (two,), most=most)[0] for one, two in pairs]
        else:
            cuts = [cut(two, before=one, most=most) for one, two in pairs]
        if not all(each.windows for each in cuts):
            other = TEXT_PAIR if self._first else TEXT
            raise FieldError(
                f"leaves no room for the other text: a row has at most {most} tokens",
                field=other.name,
            )
        return cuts

    def _given(self, feeds: "Mapping[str, Array]") -> Rows:
        largest = self._rows.tokenizer.largest_id
        check_tokens(self._graph, feeds, most=self._rows.max_tokens, largest=largest)
        ids = np.asarray(feeds["input_ids"], dtype=np.int64)
        mask = np.asarray(feeds["attention_mask"], dtype=np.int64)
        return Rows(ids, mask, np.asarray(feeds.get(TYPES, np.zeros_like(ids)), dtype=np.int64))

    def _run(self, rows: Rows, deadline: float) -> "list[npt.NDArray[np.float32]]":
        width = rows.ids.shape[1]
        parts = [
            self._rows.run_once(Rows(rows.ids[p], rows.mask[p], rows.types[p]), deadline=deadline)
            for p, _ in runs((width,) * len(rows.ids))
        ]
        return [np.concatenate(each) for each in zip(*parts, strict=True)]
