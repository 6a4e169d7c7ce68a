"""A Transformer that reads one text and writes another, with a cache and, if asked, with copying.

Imports torch and `maas_lab.recipes.networks`. `forward` learns with the whole target at once;
`encode`, `start` and `step` write it token by token and come to the same numbers.

    network = Seq2SeqTransformer(recipe, vocabulary_size=8_000)
    logits = network(input_ids, attention_mask, target_ids)
    memory = network.encode(input_ids, attention_mask)
    logits, state = network.step(memory, network.start(memory), tokens)
"""

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from maas_lab.networks.pointer import Pointer

if TYPE_CHECKING:
    from maas_lab.recipes.networks import Seq2SeqTransformerRecipe

_FAR = -1e9  # not infinity: a row of padding alone would become NaN


class Seq2SeqTransformer(nn.Module):
    """An encoder and a decoder over one vocabulary, whose embedding is the output's matrix, too.

    Layers are normalised before each part ("pre-norm"), positions are sines. With `copy` a token's
    probability mixes two: writing it from the vocabulary, and copying it from where the source has
    it; an attention of its own points at the source, and a gate shares out between the two.
    """

    def __init__(self, recipe: "Seq2SeqTransformerRecipe", *, vocabulary_size: int) -> None:
        super().__init__()
        width, heads = recipe.width, recipe.heads
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.dropout = nn.Dropout(recipe.dropout)
        sizes = (width, heads, recipe.feedforward, recipe.dropout)
        self.encoder = nn.ModuleList(EncoderLayer(*sizes) for _ in range(recipe.layers))
        self.encoder_norm = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(DecoderLayer(*sizes) for _ in range(recipe.decoder_layers))
        self.decoder_norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.pointer = OwnPointer(width) if recipe.copy else None
        nn.init.normal_(self.embedding.weight, std=width**-0.5)

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
        far = torch.full((1, *[target_ids.shape[1]] * 2), _FAR, device=target_ids.device).triu(1)
        logits, _ = self._decode(memory, self.start(memory), target_ids, far)
        return logits

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Read the source once, for all steps.

        Returns:
            The memory: float32 `[batch, 1, source]`, 0 for a token and far below 0 for padding;
            for each layer of the decoder keys and values, float32 `[batch, heads, source,
            width / heads]`; with `copy` also the pointer's keys, float32 `[batch, source, width]`,
            and the ids, int64 `[batch, source]`.
        """
        far = ((1 - attention_mask) * _FAR).unsqueeze(1)
        states = self._embed(input_ids, torch.zeros_like(input_ids[:, 0]))
        for layer in self.encoder:
            states = layer(states, far)
        states = self.encoder_norm(states)
        memory = [far]
        for layer in self.decoder:
            memory += cast("DecoderLayer", layer).source_attention.remember(states)
        if self.pointer is not None:
            memory += [self.pointer.key(states), input_ids]
        return tuple(memory)

    def start(self, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The state before the first token.

        Returns:
            int64 `[batch]`, the tokens that were read; for each layer of the decoder keys and
            values of these, float32 `[batch, heads, tokens, width / heads]`.
        """
        far, *known = memory
        empty = [projected[:, :, :0] for projected in known[: 2 * len(self.decoder)]]
        return (torch.zeros_like(far[:, 0, 0], dtype=torch.int64), *empty)

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
        logits, state = self._decode(memory, state, tokens[:, None], None)
        return logits[:, 0], state

    def _decode(
        self,
        memory: tuple[Tensor, ...],
        state: tuple[Tensor, ...],
        tokens: Tensor,
        far: Tensor | None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read tokens, int64 `[rows, tokens]`; `far` hides from each the ones after it."""
        source_far, *known = memory
        count, *caches = state
        states = self._embed(tokens, count)
        for at, layer in enumerate(self.decoder):
            pair = slice(2 * at, 2 * at + 2)
            states, caches[pair] = layer(states, caches[pair], far, known[pair], source_far)
        states = self.decoder_norm(states)
        logits = functional.linear(states, self.embedding.weight, self.bias)
        if self.pointer is not None:
            keys, input_ids = known[-2:]
            weights = self.pointer.look(states, keys, source_far)
            logits = self.pointer(states, logits, weights, input_ids)
        return logits, (count + tokens.shape[1], *caches)

    def _embed(self, tokens: Tensor, count: Tensor) -> Tensor:
        """Vectors of tokens, int64 `[rows, tokens]`, that come after `count`, int64 `[rows]`."""
        width = self.embedding.embedding_dim
        rates = torch.exp(
            torch.arange(0, width, 2, device=tokens.device) * (-math.log(10_000.0) / width)
        )
        positions = count[:, None] + torch.arange(tokens.shape[1], device=tokens.device)
        angles = positions[:, :, None] * rates
        sines = torch.cat([angles.sin(), angles.cos()], dim=2)
        embedded: Tensor = self.dropout(self.embedding(tokens) * math.sqrt(width) + sines)
        return embedded


class EncoderLayer(nn.Module):
    """Each token looks at all tokens of its row, then thinks for itself."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.thought = Thought(width, feedforward, dropout)

    def forward(self, states: Tensor, far: Tensor) -> Tensor:
        """Next states, float32 `[batch, source, width]` like `states`."""
        normed = self.norm(states)
        states = states + self.attention(normed, *self.attention.remember(normed), far)
        next_states: Tensor = states + self.thought(states)
        return next_states


class DecoderLayer(nn.Module):
    """Each token looks at the tokens before it, then at the source, then thinks for itself."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.source_norm = nn.LayerNorm(width)
        self.source_attention = Attention(width, heads, dropout)
        self.thought = Thought(width, feedforward, dropout)

    def forward(
        self,
        states: Tensor,
        cache: list[Tensor],
        far: Tensor | None,
        source: list[Tensor],
        source_far: Tensor,
    ) -> tuple[Tensor, list[Tensor]]:
        """Next states, float32 `[rows, tokens, width]` like `states`, and the longer cache."""
        normed = self.norm(states)
        now = self.attention.remember(normed)
        cache = [torch.cat([old, new], dim=2) for old, new in zip(cache, now, strict=True)]
        states = states + self.attention(normed, *cache, far)
        states = states + self.source_attention(self.source_norm(states), *source, source_far)
        return states + self.thought(states), cache


class Attention(nn.Module):
    """Each query takes a mean of the values, weighted by how well their keys fit it."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.query.weight)
        nn.init.xavier_uniform_(self.key_value.weight)
        nn.init.xavier_uniform_(self.output.weight)

    def remember(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, float32 `[batch, heads, sequence, width / heads]`."""
        keys, values = self.key_value(states).chunk(2, dim=2)
        return self._split(keys), self._split(values)

    def forward(self, states: Tensor, keys: Tensor, values: Tensor, far: Tensor | None) -> Tensor:
        """Look up each state, float32 `[batch, sequence, width]`.

        What stands in `far`, float32 `[batch or 1, sequence or 1, keys]`, is added to the fit.
        """
        queries = self._split(self.query(states))
        fit = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        weights = torch.softmax(fit if far is None else fit + far.unsqueeze(1), dim=3)
        found = (weights @ values).transpose(1, 2).flatten(2)
        looked_up: Tensor = self.dropout(self.output(found))
        return looked_up

    def _split(self, states: Tensor) -> Tensor:
        return torch.unflatten(states, 2, (self.heads, -1)).transpose(1, 2)


class Thought(nn.Module):
    """Two dense layers, the same for each token."""

    def __init__(self, width: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, feedforward)
        self.output = nn.Linear(feedforward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """What is added to each state, float32 `[batch, sequence, width]`."""
        inner = torch.relu(self.inner(self.norm(states)))
        thought: Tensor = self.dropout(self.output(inner))
        return thought


class OwnPointer(Pointer):
    """A pointer with an attention of its own: the layers' heads each look at something else."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)

    def look(self, states: Tensor, keys: Tensor, far: Tensor) -> Tensor:
        """Which token of the source would be copied, float32 `[rows, tokens, source]`."""
        fit = self.query(states) @ keys.transpose(1, 2) / math.sqrt(states.shape[2])
        return torch.softmax(fit.float() + far, dim=2)
