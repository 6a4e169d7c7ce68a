"""Networks that answer each row with numbers: classifiers of texts and pictures, and embeddings.

Imports numpy, torch, onnx, Pillow, `maas` and the lab:

    subject = TextNumbers(run)                   # or PictureNumbers(run)
    subject.likeness(session).max_difference
"""

import base64
import io
import time
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from PIL import Image

from maas.bundle.golden import Golden
from maas.text.tokenizer import load_tokenizer
from maas_lab.checkpoint import load_best
from maas_lab.exporting.fusing import fuse, fuse_attention
from maas_lab.exporting.quantising import quantise
from maas_lab.exporting.smoothing import smooth
from maas_lab.exporting.subject import (
    GOLDEN_ROWS,
    ROWS,
    ROWS_AT_ONCE,
    RUN_SECONDS,
    Counts,
    Likeness,
)
from maas_lab.exporting.texts import cut, edge_batches, joined_rows
from maas_lab.exporting.tracing import trace
from maas_lab.graphs import strip_graph
from maas_lab.recipes.recipe import FeatureExtraction
from maas_lab.runs import PictureRow, TextRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt
    import onnx

    from maas.engine.session import Session
    from maas_lab.exporting.subject import Feeds
    from maas_lab.runs import Run

    Floats = npt.NDArray[np.float32]
    Inputs = tuple[torch.Tensor, ...]

RowT = TypeVar("RowT")

_MEASURED = 2_000  # test rows that a quantised form is measured on
_TEXT = {0: "batch", 1: "sequence"}
_SHOWN = 20  # every so many-th test row shows how large activations become; the others measure


class NumberSubject:
    """What the kinds have in common. A request is whatever `inputs_of` can turn into tensors."""

    metric = "accuracy"
    counts: Counts
    inputs: tuple[str, ...]
    output = "logits"

    def __init__(self, run: "Run") -> None:
        self.network = load_best(run)
        self._traced: onnx.ModelProto | None = None

    def graph(self) -> "onnx.ModelProto":
        """The network, traced; whatever varies stays free."""
        if self._traced is None:
            examples = self.examples()
            free = {name: _TEXT if part.dim() == 2 else {0: "batch"} for name, part in
                    zip(self.inputs, examples[0], strict=True)}  # fmt: skip
            free[self.output] = {0: "batch"}
            model = trace(self.network, self.inputs, (self.output,), examples, names=free)
            self._traced = strip_graph(model)
        return self._traced

    def fused(self) -> "onnx.ModelProto | None":
        """The same with fewer nodes, where it is a Transformer."""
        return fuse(self.graph())

    def quantised(self) -> "onnx.ModelProto":
        """The same with 8-bit weights."""
        fewer = fuse_attention(self.graph()) or self.graph()
        shown = ({name: part.numpy() for name, part in zip(self.inputs, inputs, strict=True)}
                 for inputs in self.shown())  # fmt: skip
        return strip_graph(quantise(smooth(fewer, shown)))

    def shown(self) -> "Iterable[Inputs]":
        """Test rows by which a form is not measured."""
        raise NotImplementedError

    def examples(self) -> "tuple[Inputs, Inputs]":
        """Two inputs that differ in all that varies."""
        raise NotImplementedError

    def ask(self, session: "Session", inputs: "Inputs") -> "Floats":
        """What a form answers; float32 `[rows, width]`."""
        feeds = {name: part.numpy() for name, part in zip(self.inputs, inputs, strict=True)}
        (answer,) = session.run(feeds, deadline=time.monotonic() + RUN_SECONDS)
        return np.asarray(answer, dtype=np.float32)

    def ask_torch(self, inputs: "Inputs") -> "Floats":
        """What the trained network answers; float32 `[rows, width]`."""
        with torch.inference_mode():
            answer: Floats = self.network(*inputs).numpy()
        return answer

    def difference(self, session: "Session", batches: "Sequence[Inputs]") -> Likeness:
        """The largest absolute difference over batches."""
        worst = 0.0
        for inputs in batches:
            difference = np.abs(self.ask(session, inputs) - self.ask_torch(inputs))
            worst = max(worst, float(difference.max()))
        return Likeness(worst)

    def answer(self, session: "Session | None", inputs: "Inputs") -> tuple[tuple[float, ...], ...]:
        """Numbers as golden requests keep them."""
        answer = self.ask_torch(inputs) if session is None else self.ask(session, inputs)
        return tuple(tuple(float(value) for value in row) for row in answer)


class TextNumbers(NumberSubject):
    """Texts to logits or to a vector."""

    inputs = ("input_ids", "attention_mask")

    def __init__(self, run: "Run") -> None:
        super().__init__(run)
        recipe = run.recipe()
        longest = recipe.vocabulary.max_tokens  # type: ignore[union-attr]  # it reads texts
        self._tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=longest)
        self._rows = [row for row in run.test_rows() if isinstance(row, TextRow)]
        if isinstance(recipe, FeatureExtraction):
            self.metric, self.output = "cosine", "embedding"
        self._labels = tuple(run.data_card().labels)
        tested = [row.text for row in self._rows][:ROWS]
        self._texts = tested + joined_rows(tested, ROWS - len(tested))
        self._edges = edge_batches(self._texts, longest)
        self.counts = Counts(
            len(tested), len(self._texts) - len(tested), sum(map(len, self._edges))
        )

    def examples(self) -> "tuple[Inputs, Inputs]":
        """Rows of different lengths."""
        long, short = torch.ones((2, 7), dtype=torch.int64), torch.ones((3, 5), dtype=torch.int64)
        mask = torch.ones_like(long)
        mask[1, 4:] = 0
        return (long, mask), (short, short)

    def encode(self, texts: "Sequence[str]") -> "Inputs":
        """Ids and mask by the very call that serving uses; int64 `[texts, sequence]`."""
        encoded = self._tokenizer.encode(texts)
        return torch.from_numpy(encoded.input_ids), torch.from_numpy(encoded.attention_mask)

    def likeness(self, session: "Session") -> Likeness:
        """Over test rows, joined ones and edges."""
        batches = [*cut(self._texts, ROWS_AT_ONCE), *self._edges]
        return self.difference(session, [self.encode(texts) for texts in batches])

    def goldens(self, session: "Session | None" = None) -> list[Golden]:
        """Test rows, one at a time, and the edges."""
        requests = [*((text,) for text in self._texts[:GOLDEN_ROWS]), *self._edges]
        return [
            Golden(texts=texts, logits=self.answer(session, self.encode(texts)))
            for texts in requests
            if session is None or len(texts) == 1
        ]

    def shown(self) -> "Iterable[Inputs]":
        """One text at a time."""
        return (self.encode([row.text]) for row in self._rows[:_MEASURED:_SHOWN])

    def measure(self, session: "Session") -> float:
        """Accuracy on the test rows, or a hundred times the mean cosine to torch's vectors."""
        rows = measured(self._rows)
        batches = [self.encode(texts) for texts in cut([row.text for row in rows], ROWS_AT_ONCE)]
        answers = np.concatenate([self.ask(session, inputs) for inputs in batches])
        if self.metric == "cosine":
            expected = np.concatenate([self.ask_torch(inputs) for inputs in batches])
            return 100 * mean_cosine(answers, expected)
        return accuracy(answers, [self._labels.index(row.label) for row in rows])

    def request(self) -> "Feeds":
        """The text of middling length."""
        (text,) = sorted(self._texts, key=len)[len(self._texts) // 2 :][:1]
        pairs = zip(self.inputs, self.encode([text]), strict=True)
        return {name: part.numpy() for name, part in pairs}


class PictureNumbers(NumberSubject):
    """Pictures to logits."""

    inputs = ("pixels",)

    def __init__(self, run: "Run") -> None:
        super().__init__(run)
        self._labels = tuple(run.data_card().labels)
        self._rows = [row for row in run.test_rows() if isinstance(row, PictureRow)]
        pictures = [row.pixels() for row in self._rows]
        self._pictures = pictures[:ROWS]
        black, white = np.zeros_like(pictures[0]), np.full_like(pictures[0], 255)
        self._edges = [[black], [white], [black, pictures[0], white]]
        self.counts = Counts(len(self._pictures), 0, sum(map(len, self._edges)))

    def examples(self) -> "tuple[Inputs, Inputs]":
        """Two pictures, and three."""
        two, three = ([self._edges[0][0]] * count for count in (2, 3))
        return self.encode(two), self.encode(three)

    @staticmethod
    def encode(pictures: "Sequence[npt.NDArray[np.uint8]]") -> "Inputs":
        """Numbers from 0 to 1; float32 `[pictures, channels, height, width]`."""
        stacked = np.stack(pictures).transpose(0, 3, 1, 2)
        return (torch.from_numpy(np.ascontiguousarray(stacked)).float() / 255,)

    def likeness(self, session: "Session") -> Likeness:
        """Over test rows and edges."""
        starts = range(0, len(self._pictures), ROWS_AT_ONCE)
        batches = [self._pictures[start : start + ROWS_AT_ONCE] for start in starts]
        return self.difference(session, [self.encode(each) for each in [*batches, *self._edges]])

    def goldens(self, session: "Session | None" = None) -> list[Golden]:
        """Test rows, one at a time, and the edges; as PNG, which loses nothing."""
        requests = [*([picture] for picture in self._pictures[:GOLDEN_ROWS]), *self._edges]
        return [
            Golden(
                images=tuple(map(png, pictures)),
                logits=self.answer(session, self.encode(pictures)),
            )
            for pictures in requests
            if session is None or len(pictures) == 1
        ]

    def shown(self) -> "Iterable[Inputs]":
        """One picture at a time."""
        return (self.encode([row.pixels()]) for row in self._rows[:_MEASURED:_SHOWN])

    def measure(self, session: "Session") -> float:
        """Accuracy on the test rows."""
        rows = measured(self._rows)
        batches = [rows[at : at + ROWS_AT_ONCE] for at in range(0, len(rows), ROWS_AT_ONCE)]
        inputs = [self.encode([row.pixels() for row in batch]) for batch in batches]
        answers = np.concatenate([self.ask(session, each) for each in inputs])
        return accuracy(answers, [self._labels.index(row.label) for row in rows])

    def request(self) -> "Feeds":
        """One picture."""
        return {"pixels": self.encode(self._pictures[:1])[0].numpy()}


def accuracy(logits: "Floats", truth: "Sequence[int]") -> float:
    """Share of the rows, float32 `[rows, classes]`, that are right; 0 to 100."""
    return 100.0 * float((logits.argmax(axis=1) == np.asarray(truth)).mean())


def measured(rows: "list[RowT]") -> "list[RowT]":
    """The rows that a form of 8-bit weights is measured on: those that it was not fitted by."""
    return [row for at, row in enumerate(rows[:_MEASURED]) if at % _SHOWN] or rows


def mean_cosine(ours: "Floats", theirs: "Floats") -> float:
    """The mean cosine of two vectors of one row; both float32 `[rows, width]`."""
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())


def png(picture: "npt.NDArray[np.uint8]") -> str:
    """A picture, uint8 `[height, width, channels]`, as a PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
