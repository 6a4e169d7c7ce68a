"""A Transformer that reads a text, the mean over its tokens, one dense layer.

Imports torch, `maas_lab.recipes.networks` and the encoder's layer of `seq2seq_transformer`.
`forward` is the model:

    network = TransformerEncoder(recipe, vocabulary_size=10_000, classes=2)
    logits = network(input_ids, attention_mask)
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from maas_lab.networks.seq2seq_transformer import EncoderLayer

if TYPE_CHECKING:
    from maas_lab.recipes.networks import TransformerRecipe

_FAR = -1e9  # not infinity: a row of padding alone would become NaN


class TransformerEncoder(nn.Module):
    """A classifier of padded rows of token ids, with fresh weights.

    Layers are normalised before each part ("pre-norm"), positions are sines.
    """

    def __init__(self, recipe: "TransformerRecipe", *, vocabulary_size: int, classes: int) -> None:
        super().__init__()
        width = recipe.width
        self.embedding = nn.Embedding(vocabulary_size, width, padding_idx=0)
        self.dropout = nn.Dropout(recipe.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(width, recipe.heads, recipe.feedforward, recipe.dropout)
            for _ in range(recipe.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, classes)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        with torch.no_grad():
            self.embedding.weight[0].zero_()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            input_ids: int64 `[batch, sequence]`, padded on the right.
            attention_mask: int64 `[batch, sequence]`, 1 for a token and 0 for padding.

        Returns:
            float32 `[batch, classes]`; finite for a row of padding alone, too.
        """
        far = ((1 - attention_mask) * _FAR).unsqueeze(1)
        words = self.embedding(input_ids) * math.sqrt(self.embedding.embedding_dim)
        states = self.dropout(words + self._positions(input_ids))
        for layer in self.layers:
            states = layer(states, far)
        states = self.norm(states)

        padding = (attention_mask == 0).unsqueeze(2)
        lengths = attention_mask.sum(dim=1, keepdim=True).clamp(min=1)
        mean = states.masked_fill(padding, 0.0).sum(dim=1) / lengths
        logits: Tensor = self.output(self.dropout(mean))
        return logits

    def _positions(self, input_ids: Tensor) -> Tensor:
        """Sines and cosines that tell the places of a row apart, float32 `[sequence, width]`."""
        width = self.embedding.embedding_dim
        places = torch.arange(input_ids.shape[1], device=input_ids.device).unsqueeze(1)
        rates = torch.exp(
            torch.arange(0, width, 2, device=input_ids.device) * (-math.log(10_000.0) / width)
        )
        angles = places * rates
        return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
