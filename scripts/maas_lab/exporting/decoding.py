"""Beam search over a network that writes, as functions of tensors alone.

Imports torch. `begin`, `advance` and `finish` are traced into the parts of one ONNX graph, and the
same three write here, so that what is exported is what was tried:

    search = Search(network, vocabulary_size=8_000, length_penalty=1.0)
    written = write_texts(search, input_ids, attention_mask, beams=4, max_new_tokens=64)
    written.output_ids                        # int64 [batch, length]

A beam is an answer that is being written. One that has ended keeps its place, and is passed by
those that are better by what decides in the end: log-probability / length ** length_penalty.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

PAD, BOS, EOS = 0, 2, 3


class Writer(Protocol):
    """What a network that writes can do; batch first everywhere."""

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Read the source."""

    def start(self, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The state before the first token."""

    def step(
        self, memory: tuple[Tensor, ...], state: tuple[Tensor, ...], tokens: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read a token of each row; logits or log-probabilities of the next, and the state."""


class Beams(NamedTuple):
    """All beams of a batch. A row is one beam of one text: `rows = batch * beams`.

    Attributes:
        tokens: int64 `[rows]`, the token that was written last.
        outputs: int64 `[rows, written]`.
        sums: float32 `[batch, beams]`, log-probabilities of what was written, the best beam first.
        lengths: float32 `[batch, beams]`, tokens that were written, the end among them.
        finished: bool `[batch, beams]`.
        state: The network's own, `[rows, …]` each.
    """

    tokens: Tensor
    outputs: Tensor
    sums: Tensor
    lengths: Tensor
    finished: Tensor
    state: tuple[Tensor, ...]


class Candidates(NamedTuple):
    """Every beam with every token after it; one that has ended only with padding.

    Attributes:
        sums: float32 `[batch, beams * vocabulary]`, log-probabilities.
        ranks: float32 `[batch, beams * vocabulary]`, what they are chosen by.
        lengths: float32 `[batch, beams]`.
        state: The network's own, by the beam that they come from.
    """

    sums: Tensor
    ranks: Tensor
    lengths: Tensor
    state: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        output_ids: int64 `[batch, length]`: no beginning; after the end padding.
        scores: float32 `[batch]`, log-probability / length ** length_penalty.
    """

    output_ids: Tensor
    scores: Tensor


class Search(nn.Module):
    """Beam search; with one beam it takes the likeliest token each time."""

    barred: Tensor
    silent: Tensor

    def __init__(self, network: Writer, *, vocabulary_size: int, length_penalty: float) -> None:
        super().__init__()
        self.network = network
        self.vocabulary_size = vocabulary_size
        self.length_penalty = length_penalty
        ids = torch.arange(vocabulary_size)
        never = torch.tensor(float("-inf"))
        self.register_buffer(
            "barred", torch.where((ids == PAD) | (ids == BOS), never, 0.0), persistent=False
        )
        self.register_buffer("silent", torch.where(ids == PAD, 0.0, never), persistent=False)

    def begin(
        self, input_ids: Tensor, attention_mask: Tensor, beams: Tensor
    ) -> tuple[tuple[Tensor, ...], Beams]:
        """Read the source, and lay out beams that have written nothing.

        Args:
            input_ids: int64 `[batch, source]`, padded on the right.
            attention_mask: int64 `[batch, source]`.
            beams: int64 `[1]`.

        Returns:
            The network's memory by row, and the beams. Of a text's beams, which are equal, only
            the first is likely at all, so that the first step finds its best tokens once.
        """
        memory = self.network.encode(input_ids, attention_mask)
        state = self.network.start(memory)
        batch = input_ids.shape[0]
        ranks = torch.arange(beams[0], device=input_ids.device)  # type: ignore[call-overload]  # traced
        sums = torch.where(ranks == 0, 0.0, float("-inf")).expand(batch, -1)
        texts = torch.arange(batch, device=input_ids.device).unsqueeze(1)
        texts = texts.expand(-1, ranks.shape[0]).flatten()
        outputs = texts.unsqueeze(1)[:, :0]
        tokens = torch.full_like(texts, BOS)
        held = Beams(
            tokens, outputs, sums, torch.zeros_like(sums), sums > 0.0, _picked(state, texts)
        )
        return _picked(memory, texts), held

    def advance(self, memory: tuple[Tensor, ...], held: Beams) -> Beams:
        """Write one more token in each beam, and keep the best ones, the best of all first."""
        return self.keep(held, self.propose(memory, held))

    def keep(self, held: Beams, found: Candidates) -> Beams:
        """Of all candidates the best ones, as many as there are beams."""
        beams = held.sums.shape[1]
        _, places = found.ranks.topk(beams, dim=1)
        parents = torch.div(places, self.vocabulary_size, rounding_mode="trunc")
        tokens = places - parents * self.vocabulary_size
        texts = torch.arange(places.shape[0], device=places.device).unsqueeze(1)
        rows = (parents + texts * beams).flatten()
        written = tokens.flatten()
        return Beams(
            tokens=written,
            outputs=torch.cat([held.outputs.index_select(0, rows), written.unsqueeze(1)], dim=1),
            sums=found.sums.gather(1, places),
            lengths=found.lengths.gather(1, parents),
            finished=held.finished.gather(1, parents) | (tokens == EOS),
            state=_picked(found.state, rows),
        )

    def propose(self, memory: tuple[Tensor, ...], held: Beams) -> Candidates:
        """All that could be written next.

        Neither padding nor a beginning is ever written.
        """
        logits, state = self.network.step(memory, held.state, held.tokens)
        spoken = torch.log_softmax(logits, dim=1) + self.barred
        ended = held.finished.flatten().unsqueeze(1)
        added = torch.where(ended, self.silent, spoken)
        sums = held.sums.flatten().unsqueeze(1) + added
        lengths = held.lengths + (~held.finished).float()
        ranks = sums / (lengths**self.length_penalty).flatten().unsqueeze(1)
        width = held.sums.shape[1] * self.vocabulary_size
        return Candidates(sums.reshape(-1, width), ranks.reshape(-1, width), lengths, state)

    def finish(self, outputs: Tensor, sums: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The best beam of each text, which is its first.

        Returns:
            int64 `[batch, written]` and its score, float32 `[batch]`.
        """
        first = torch.arange(sums.shape[0], device=sums.device) * sums.shape[1]
        best = outputs.index_select(0, first)
        return best, sums[:, 0] / lengths[:, 0].clamp(min=1.0) ** self.length_penalty


@torch.inference_mode()
def write_texts(
    search: Search, input_ids: Tensor, attention_mask: Tensor, *, beams: int, max_new_tokens: int
) -> Written:
    """Write an answer to each text.

    Args:
        search: Of a network in evaluation mode.
        input_ids: int64 `[batch, source]`, padded on the right.
        attention_mask: int64 `[batch, source]`.
        beams: Answers that are followed at a time; 1 is greedy.
        max_new_tokens: Tokens of an answer at the most.
    """
    memory, held = search.begin(input_ids, attention_mask, torch.tensor([beams]))
    for _ in range(max_new_tokens):
        held = search.advance(memory, held)
        if bool(held.finished.all()):
            break
    return Written(*search.finish(held.outputs, held.sums, held.lengths))


def _picked(parts: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
    return tuple(part.index_select(0, rows) for part in parts)
