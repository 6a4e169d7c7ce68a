"""A bidirectional LSTM that reads a text, and an LSTM with attention that writes or copies another.

Imports torch and `maas_lab.recipes.networks`. `forward` learns with the whole target at once;
`encode`, `start` and `step` write it token by token and come to the same numbers.

    network = Seq2SeqRnn(recipe, vocabulary_size=8_000)
    logits = network(input_ids, attention_mask, target_ids)
    memory = network.encode(input_ids, attention_mask)
    logits, state = network.step(memory, network.start(memory), tokens)
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from maas_lab.networks.pointer import Pointer
from maas_lab.networks.rows import BothWays, lengths_of, word_vectors

if TYPE_CHECKING:
    from maas_lab.recipes.networks import Seq2SeqRnnRecipe

_FAR = -1e9  # not infinity: a row of padding alone would become NaN


class Seq2SeqRnn(nn.Module):
    """An encoder of `layers` bidirectional layers and a decoder of two layers around an attention.

    The lower layer of the decoder reads the tokens, its state looks up the source, and the upper
    layer reads state and finding. So the attention never waits for the upper layer, and learning
    takes all tokens of a target at once. With `copy` a token's probability mixes two: writing it
    from the vocabulary, and copying it from where the attention looks.
    """

    def __init__(self, recipe: "Seq2SeqRnnRecipe", *, vocabulary_size: int) -> None:
        super().__init__()
        embedding, hidden = recipe.embedding, recipe.hidden
        self.embedding = word_vectors(vocabulary_size, embedding)
        self.dropout = nn.Dropout(recipe.dropout)
        widths = [embedding] + [2 * hidden] * (recipe.layers - 1)
        self.encoder = nn.ModuleList(BothWays(width, hidden) for width in widths)
        self.first = nn.Linear(2 * hidden, 4 * hidden)
        self.lower = nn.LSTM(embedding, hidden, batch_first=True)
        self.query = nn.Linear(hidden, 2 * hidden, bias=False)
        self.upper = nn.LSTM(3 * hidden, hidden, batch_first=True)
        self.mixed = nn.Linear(3 * hidden, embedding)
        self.output = nn.Linear(embedding, vocabulary_size)
        # One matrix for the words that are read, are written, and may follow.
        self.output.weight = self.embedding.weight
        self.pointer = Pointer(3 * hidden) if recipe.copy else None

    def forward(self, input_ids: Tensor, attention_mask: Tensor, target_ids: Tensor) -> Tensor:
        """What follows each token of a known target.

        Args:
            input_ids: int64 `[batch, source]`, padded on the right.
            attention_mask: int64 `[batch, source]`, 1 for a token and 0 for padding.
            target_ids: int64 `[batch, target]`, from the token that begins a text.

        Returns:
            float32 `[batch, target, vocabulary]`: logits, with `copy` log-probabilities.
        """
        memory = self.encode(input_ids, attention_mask)
        logits, _ = self._decode(memory, self.start(memory), target_ids)
        return logits

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Read the source once, for all steps.

        Returns:
            The memory: the source's states, float32 `[batch, source, 2 * hidden]`; float32
            `[batch, 1, source]`, 0 for a token and far below 0 for padding; with `copy` also the
            ids, int64 `[batch, source]`.
        """
        lengths = lengths_of(attention_mask)
        states = self.dropout(self.embedding(input_ids))
        for layer in self.encoder:
            states = self.dropout(layer(states, lengths))
        far = ((1 - attention_mask) * _FAR).unsqueeze(1)
        return (states, far) if self.pointer is None else (states, far, input_ids)

    def start(self, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The state before the first token.

        Returns:
            Output and cell of the lower layer, then of the upper, float32 `[batch, hidden]` each.
        """
        source, far, *_ = memory
        mean = (torch.softmax(far, dim=2) @ source).squeeze(1)
        return torch.tanh(self.first(mean)).chunk(4, dim=1)

    def step(
        self, memory: tuple[Tensor, ...], state: tuple[Tensor, ...], tokens: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read one more token of each row.

        Args:
            memory: What `encode` gave, by row.
            state: What `start` or the step before gave, by row.
            tokens: int64 `[rows]`.

        Returns:
            What may follow, float32 `[rows, vocabulary]`, and the state for the next step.
        """
        logits, state = self._decode(memory, state, tokens[:, None])
        return logits[:, 0], state

    def _decode(
        self, memory: tuple[Tensor, ...], state: tuple[Tensor, ...], tokens: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read tokens, int64 `[rows, tokens]`."""
        source, far, *ids = memory
        # torch's LSTM wants its state as [layers, rows, hidden].
        lower_output, lower_cell, upper_output, upper_cell = (part.unsqueeze(0) for part in state)
        words = self.dropout(self.embedding(tokens))
        asked, (lower_output, lower_cell) = self.lower(words, (lower_output, lower_cell))
        weights = torch.softmax(self.query(asked) @ source.transpose(1, 2) + far, dim=2)
        found = weights @ source
        read = self.dropout(torch.cat([asked, found], dim=2))
        states, (upper_output, upper_cell) = self.upper(read, (upper_output, upper_cell))
        known = self.dropout(torch.cat([states, found], dim=2))
        logits = self.output(self.dropout(torch.tanh(self.mixed(known))))
        if self.pointer is not None:
            logits = self.pointer(known, logits, weights, *ids)
        after = (lower_output, lower_cell, upper_output, upper_cell)
        return logits, tuple(part.squeeze(0) for part in after)
