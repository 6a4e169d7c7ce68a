"""Networks that write: translation and summarisation.

Imports numpy, torch, onnx, `maas` and the lab:

    subject = WriterSubject(run)
    subject.likeness(session).ties
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from maas.bundle.golden import GOLDEN_BEAMS, Golden
from maas.text.tokenizer import load_tokenizer
from maas_lab.checkpoint import load_best
from maas_lab.exporting.composing import Parts, compose
from maas_lab.exporting.decoding import PAD, Search
from maas_lab.exporting.quantising import quantise_parts
from maas_lab.exporting.sequence import trace_parts
from maas_lab.exporting.subject import (
    GOLDEN_ROWS,
    ROWS,
    ROWS_AT_ONCE,
    RUN_SECONDS,
    Counts,
    Likeness,
)
from maas_lab.exporting.texts import cut, edge_batches, joined_rows
from maas_lab.exporting.ties import TIE, write_with_margins
from maas_lab.graphs import strip_graph
from maas_lab.recipes.recipe import Seq2SeqRecipe
from maas_lab.runs import PairRow
from maas_lab.tasks.writing_figures import FIGURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import onnx

    from maas.engine.session import Session
    from maas_lab.exporting.subject import Feeds
    from maas_lab.runs import Run

    Ids = npt.NDArray[np.int64]

GREEDY = 1
_CLEAR = 2 * TIE  # a golden answer is the same on every processor, so none is found narrowly
_TRIED = 64


@dataclass(frozen=True, slots=True)
class Expected:
    """What torch writes for a batch.

    Attributes:
        texts: The batch.
        beams: How many were followed.
        ids: int64 `[texts, length]`.
        scores: float32 `[texts]`.
        margins: float32 `[texts]`, how narrowly each answer was found.
    """

    texts: tuple[str, ...]
    beams: int
    ids: "Ids"
    scores: "npt.NDArray[np.float32]"
    margins: "npt.NDArray[np.float32]"


class WriterSubject:
    """A network that writes, its tokenizer and its test pairs."""

    def __init__(self, run: "Run") -> None:
        recipe = run.recipe()
        assert isinstance(recipe, Seq2SeqRecipe)  # noqa: S101 - as `open_subject` has it
        self._plan = recipe.decoding
        self._figures = FIGURES[recipe.task]
        self.metric = self._figures.metric
        self._network = load_best(run)
        longest = recipe.vocabulary.max_tokens
        self._tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=longest)
        self._search = Search(
            self._network,  # type: ignore[arg-type]  # its architecture is one that writes
            vocabulary_size=self._tokenizer.vocabulary_size,
            length_penalty=self._plan.length_penalty,
        )
        self._pairs = [row for row in run.test_rows() if isinstance(row, PairRow)][:ROWS]
        tested = [pair.source for pair in self._pairs]
        self._texts = tested + joined_rows(tested, ROWS - len(tested))
        self._edges = edge_batches(self._texts, longest)
        self.counts = Counts(
            len(tested), len(self._texts) - len(tested), sum(map(len, self._edges))
        )

    @cached_property
    def _parts(self) -> Parts:
        return trace_parts(self._search)

    def graph(self) -> "onnx.ModelProto":
        """Reading, searching and writing in one graph."""
        return self._composed(self._parts)

    def fused(self) -> None:
        """Nothing: the tools do not look into a Loop, and the encoder runs but once."""

    def quantised(self) -> "onnx.ModelProto":
        """The same with 8-bit weights."""
        return self._composed(quantise_parts(self._parts))

    def _composed(self, parts: Parts) -> "onnx.ModelProto":
        return strip_graph(compose(parts, self._network, most=self._plan.max_new_tokens))

    @cached_property
    def _expected(self) -> list[Expected]:
        """What torch writes for all rows, greedily and with beams."""
        ordered = sorted(self._texts, key=len)
        batches = [*cut(ordered, ROWS_AT_ONCE), *self._edges]
        beams = sorted({GREEDY, GOLDEN_BEAMS, self._plan.beams})
        return [self.expect(texts, count) for texts in batches for count in beams]

    def expect(self, texts: tuple[str, ...], beams: int) -> Expected:
        """What torch writes for texts."""
        encoded = self._tokenizer.encode(texts)
        written, margins = write_with_margins(
            self._search,
            torch.from_numpy(encoded.input_ids),
            torch.from_numpy(encoded.attention_mask),
            beams=beams,
            max_new_tokens=self._plan.max_new_tokens,
        )
        ids, scores = written.output_ids.numpy(), written.scores.numpy()
        return Expected(texts, beams, ids, scores, margins.numpy())

    def feeds(self, texts: "Sequence[str]", beams: int) -> "Feeds":
        """Texts as the graph takes them."""
        encoded = self._tokenizer.encode(texts)
        return {
            "input_ids": encoded.input_ids,
            "attention_mask": encoded.attention_mask,
            "beams": np.array([beams], dtype=np.int64),
            "max_new_tokens": np.array([self._plan.max_new_tokens], dtype=np.int64),
        }

    def write(
        self, session: "Session", texts: "Sequence[str]", beams: int
    ) -> "tuple[Ids, npt.NDArray[np.float32]]":
        """What a form writes; int64 `[texts, length]`, and scores, float32 `[texts]`."""
        deadline = time.monotonic() + RUN_SECONDS
        ids, scores = session.run(self.feeds(texts, beams), deadline=deadline)
        return np.asarray(ids, dtype=np.int64), np.asarray(scores, dtype=np.float32)

    def likeness(self, session: "Session") -> Likeness:
        """Ids must be equal, and scores nearly, over test rows, joined ones and edges."""
        worst, differing, ties = 0.0, 0, 0
        for one in self._expected:
            ids, scores = self.write(session, one.texts, one.beams)
            equal = (_wide(ids, one.ids) == _wide(one.ids, ids)).all(axis=1)
            apart = np.abs(scores - one.scores)[equal]
            worst = max(worst, float(apart.max(initial=0.0)))
            differing += int((~equal).sum())
            ties += int((~equal & (one.margins < TIE)).sum())
        return Likeness(worst, differing, ties)

    def goldens(self, session: "Session | None" = None) -> list[Golden]:
        """Test rows, one at a time, and the edges: those whose answers are beyond doubt.

        Of a form, those that it writes as torch does: what its rounding did not change, another
        processor's will not. Where there are none, the one that is the least in doubt.
        """
        clear: list[tuple[float, Golden]] = []
        rest: list[tuple[float, Golden]] = []
        for texts in [*((text,) for text in self._texts[:_TRIED]), *self._edges]:
            if len(clear) >= GOLDEN_ROWS and texts not in self._edges:
                continue
            if session is not None and len(texts) > 1:
                continue
            told = self.expect(texts, GREEDY), self.expect(texts, GOLDEN_BEAMS)
            golden = self._golden(told, session)
            sure = _margin(told) >= _CLEAR and golden == self._golden(told, None)
            (clear if sure else rest).append((_margin(told), golden))
        best = clear or [max(rest, key=lambda each: each[0])]
        return [golden for _, golden in best]

    def _golden(self, told: tuple[Expected, Expected], session: "Session | None") -> Golden:
        outputs, beam_outputs = (
            tuple(map(self._tokenizer.decode, ids.tolist()))
            for ids in (
                each.ids if session is None else self.write(session, each.texts, each.beams)[0]
                for each in told
            )
        )
        return Golden(texts=told[0].texts, outputs=outputs, beam_outputs=beam_outputs)

    def measure(self, session: "Session") -> float:
        """BLEU or ROUGE-L of the test rows that are compared, by as many beams as the recipe says.

        Texts of about one length are written together.
        """
        pairs = sorted(self._pairs, key=lambda pair: len(pair.source))
        answers: list[str] = []
        for at in range(0, len(pairs), ROWS_AT_ONCE):
            sources = [pair.source for pair in pairs[at : at + ROWS_AT_ONCE]]
            ids, _ = self.write(session, sources, self._plan.beams)
            answers += map(self._tokenizer.decode, ids.tolist())
        figures = self._figures.measure(answers, [pair.target for pair in pairs])
        return figures[self.metric]

    def request(self) -> "Feeds":
        """The text of middling length, greedily."""
        text = sorted(self._texts, key=len)[len(self._texts) // 2]
        return self.feeds([text], GREEDY)


def _margin(told: tuple[Expected, Expected]) -> float:
    return min(float(each.margins.min()) for each in told)


def _wide(ids: "Ids", other: "Ids") -> "Ids":
    """Rows, int64 `[texts, length]`, padded to where the longer of two batches ends."""
    missing = max(0, other.shape[1] - ids.shape[1])
    return np.pad(ids, ((0, 0), (0, missing)), constant_values=PAD)
