"""Embedding, one LSTM or GRU from left to right, mean and maximum over the tokens, a dense layer.

Imports torch and `maas_lab.recipes.networks`. `forward` is the model:

    network = Recurrent(recipe, vocabulary_size=10_000, classes=2)
    logits = network(input_ids, attention_mask)
"""

import torch
from torch import Tensor, nn

from maas_lab.recipes.networks import GruRecipe, LstmRecipe


class Recurrent(nn.Module):
    """A classifier of padded rows of token ids; padding comes after all tokens that are read."""

    def __init__(
        self, recipe: LstmRecipe | GruRecipe, *, vocabulary_size: int, classes: int
    ) -> None:
        super().__init__()
        kind = nn.LSTM if isinstance(recipe, LstmRecipe) else nn.GRU
        self.embedding = nn.Embedding(vocabulary_size, recipe.embedding, padding_idx=0)
        self.embedding_dropout = nn.Dropout(recipe.embedding_dropout)
        self.forwards = kind(recipe.embedding, recipe.hidden, batch_first=True)
        self.dropout = nn.Dropout(recipe.dropout)
        self.output = nn.Linear(2 * recipe.hidden, classes)
        # Small first vectors: with torch's N(0, 1) the rare words stay as loud as the common ones.
        nn.init.normal_(self.embedding.weight, std=0.1)
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
        lengths = attention_mask.sum(dim=1, keepdim=True).clamp(min=1)
        words = self.embedding_dropout(self.embedding(input_ids))
        states, _ = self.forwards(words)

        padding = (attention_mask == 0).unsqueeze(2)
        mean = states.masked_fill(padding, 0.0).sum(dim=1) / lengths
        highest = states.masked_fill(padding, -1.0).amax(dim=1)  # a state lies within (-1, 1)
        logits: Tensor = self.output(self.dropout(torch.cat([mean, highest], dim=1)))
        return logits
