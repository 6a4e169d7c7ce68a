"""Texts to texts, as a task of training: translation and summarisation.

Imports torch and the lab. The network is taught with the reference's own tokens before each token;
the test split is really written, by beam search:

    task = open_writing(recipe, cache=settings.cache, say=say)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch.nn import functional

from maas_lab.batches import lengths_of, padded
from maas_lab.data.dataset import load_pairs
from maas_lab.exporting.decoding import BOS, PAD, Search, write_texts
from maas_lab.networks import build_network
from maas_lab.records import WritingScores, Written
from maas_lab.runs import PairRow
from maas_lab.tasks.task import Validation
from maas_lab.tasks.writing_figures import FIGURES
from maas_lab.vocabulary import train_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor, nn

    from maas_lab.batches import Ids
    from maas_lab.data.dataset import Dataset
    from maas_lab.data.rows import Pair
    from maas_lab.exporting.decoding import Writer
    from maas_lab.recipes.recipe import Summarization, Translation
    from maas_lab.row_tokenizer import RowTokenizer
    from maas_lab.tasks.task import Indices

_ROWS_AT_ONCE = 64
_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class WritingBatch:
    """What one step learns from.

    Attributes:
        input_ids: int64 `[batch, source]`, ends in the end token, padded on the right.
        attention_mask: int64 `[batch, source]`.
        given: int64 `[batch, target]`, the begin token and then the reference.
        wanted: int64 `[batch, target]`, the reference and then the end token.
    """

    input_ids: "Tensor"
    attention_mask: "Tensor"
    given: "Tensor"
    wanted: "Tensor"


@dataclass(frozen=True, slots=True)
class WritingRows:
    """Pairs as token ids.

    Attributes:
        sources: Per row, int32 `[tokens]`, ends in the end token.
        targets: Per row, int32 `[tokens]`, ends in the end token.
    """

    sources: "list[Ids]"
    targets: "list[Ids]"

    @property
    def lengths(self) -> "npt.NDArray[np.int64]":
        """Tokens of the longer side, int64 `[rows]`."""
        return np.maximum(lengths_of(self.sources), lengths_of(self.targets))

    def units(self, indices: "Indices") -> float:
        """Tokens of the targets."""
        return float(sum(len(self.targets[index]) for index in indices))

    def batch(self, indices: "Indices", *, device: str) -> WritingBatch:
        """Pad both sides to the longest of them."""
        ids, mask = padded([self.sources[index] for index in indices], device=device)
        wanted, _ = padded([self.targets[index] for index in indices], device=device)
        given = functional.pad(wanted[:, :-1], (1, 0), value=BOS)
        return WritingBatch(ids, mask, given, wanted)


class WritingTask:
    """One recipe of translation or summarisation on its pairs."""

    trains = True
    checkpoint = None

    def __init__(self, recipe: "Translation | Summarization", dataset: "Dataset[Pair]") -> None:
        self.recipe = recipe
        self.dataset = dataset
        self._figures = FIGURES[recipe.task]
        self.metric = self._figures.metric

    @property
    def digest(self) -> str:
        """What is learned from."""
        return self.dataset.card.digest

    def vocabulary(self) -> bytes:
        """One for both sides, learned from the training rows alone."""
        texts = (text for pair in self.dataset.train for text in (pair.source, pair.target))
        return train_vocabulary(texts, self.recipe.vocabulary, special="seq2seq")

    def network(self, tokenizer: "RowTokenizer | None") -> "nn.Module":
        """A network with fresh weights."""
        size = tokenizer.vocabulary_size if tokenizer else 0
        return build_network(self.recipe, vocabulary_size=size)

    def rows(self, samples: "Sequence[Pair]", tokenizer: "RowTokenizer | None") -> WritingRows:
        """Encode both sides; each ends in the end token, also where it was cut."""
        assert tokenizer is not None  # noqa: S101 - a text task's run has one
        sources = tokenizer.rows([pair.source for pair in samples])
        longest = self.recipe.decoding.max_new_tokens
        targets = tokenizer.rows([pair.target for pair in samples])
        return WritingRows(sources, [_cut(ids, longest) for ids in targets])

    def loss(self, network: "nn.Module", batch: WritingBatch, *, training: bool) -> "Tensor":
        """Cross-entropy of every token of the target, summed."""
        smoothing = self.recipe.training.label_smoothing if training else 0.0
        logits = network(batch.input_ids, batch.attention_mask, batch.given)
        return functional.cross_entropy(
            logits.flatten(0, 1),
            batch.wanted.flatten(),
            ignore_index=PAD,
            label_smoothing=smoothing,
            reduction="sum",
        )

    def validate(self, network: "nn.Module", rows: WritingRows, *, device: str) -> Validation:
        """Loss and accuracy of the next token, given the reference so far."""
        network.eval()
        loss = right = 0.0
        order = np.argsort(rows.lengths, kind="stable")
        with torch.inference_mode():
            for start in range(0, len(order), _ROWS_AT_ONCE):
                batch = rows.batch(order[start : start + _ROWS_AT_ONCE], device=device)
                logits = network(batch.input_ids, batch.attention_mask, batch.given)
                counted = batch.wanted != PAD
                right += float(((logits.argmax(dim=2) == batch.wanted) & counted).sum())
                loss += float(
                    functional.cross_entropy(
                        logits.flatten(0, 1),
                        batch.wanted.flatten(),
                        ignore_index=PAD,
                        reduction="sum",
                    )
                )
        tokens = max(1.0, rows.units(np.arange(len(order))))
        return Validation(loss=loss / tokens, accuracy=right / tokens)

    def measure(
        self,
        network: "nn.Module",
        samples: "Sequence[Pair]",
        tokenizer: "RowTokenizer | None",
        *,
        device: str,
    ) -> WritingScores:
        """Write every text by beam search, and compare with the references."""
        assert tokenizer is not None  # noqa: S101 - a text task's run has one
        rows = self.rows(samples, tokenizer)
        answers = self._write(network, rows, tokenizer, device=device)
        references = [pair.target for pair in samples]
        written = [
            Written(source=pair.source, answer=answer, reference=pair.target)
            for pair, answer in zip(samples, answers, strict=True)
        ]
        return WritingScores(
            rows=len(samples),
            loss=self.validate(network, rows, device=device).loss,
            figures=self._figures.measure(answers, references),
            beams=self.recipe.decoding.beams,
            settings=self._figures.settings,
            examples=written[:_EXAMPLES],
        )

    def baselines(self) -> dict[str, float]:
        """What needs no network: the nearest translation, the first sentence."""
        return self._figures.baselines(self.dataset.train, self.dataset.test)

    def transfer(
        self, _network: "nn.Module", _tokenizer: "RowTokenizer | None", *, device: str
    ) -> dict[str, float]:
        """Nothing: no other set is of the same kind."""
        del device
        return {}

    def test_rows(self) -> list[PairRow]:
        """All test rows."""
        return [PairRow(pair.source, pair.target) for pair in self.dataset.test]

    def _write(
        self, network: "nn.Module", rows: WritingRows, tokenizer: "RowTokenizer", *, device: str
    ) -> list[str]:
        """The answers, in the order of the rows; texts of about one length are written together."""
        plan = self.recipe.decoding
        search = Search(
            cast("Writer", network.eval()),
            vocabulary_size=tokenizer.vocabulary_size,
            length_penalty=plan.length_penalty,
        ).to(device)
        answers = [""] * len(rows.sources)
        order = np.argsort(lengths_of(rows.sources), kind="stable")
        for start in range(0, len(order), _ROWS_AT_ONCE):
            places = order[start : start + _ROWS_AT_ONCE]
            ids, mask = padded([rows.sources[place] for place in places], device=device)
            written = write_texts(
                search, ids, mask, beams=plan.beams, max_new_tokens=plan.max_new_tokens
            )
            for place, row in zip(places, written.output_ids.tolist(), strict=True):
                answers[place] = tokenizer.tokenizer.decode(row)
        return answers


def open_writing(
    recipe: "Translation | Summarization", *, cache: "Path", say: Callable[[str], None]
) -> WritingTask:
    """Read the pairs of a recipe of translation or summarisation."""
    return WritingTask(recipe, load_pairs(recipe.data, cache=cache, say=say))


def _cut(ids: "Ids", longest: int) -> "Ids":
    """At most so many tokens, the last of which stays the end token."""
    return ids if len(ids) <= longest else np.concatenate([ids[: longest - 1], ids[-1:]])
