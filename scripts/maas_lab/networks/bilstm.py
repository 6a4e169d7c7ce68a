"""Embedding, a bidirectional LSTM, mean and maximum over the tokens, one dense layer.

Imports torch and `maas_lab.recipes.networks`. It reads top to bottom: `forward` is the model.

    network = BiLstm(recipe, vocabulary_size=10_000, classes=2)
    logits = network(input_ids, attention_mask)
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from maas_lab.recipes.networks import BiLstmRecipe


class BiLstm(nn.Module):
    """A classifier of padded rows of token ids.

    The two directions are two ordinary LSTMs. The second reads each row backwards *within its own
    length*, so the padding on the right comes after the last token for both of them: it cannot
    change a state that is used. torch's own bidirectional LSTM would have to be packed for this,
    and packing cannot be exported.
    """

    def __init__(self, recipe: "BiLstmRecipe", *, vocabulary_size: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, recipe.embedding, padding_idx=0)
        self.embedding_dropout = nn.Dropout(recipe.embedding_dropout)
        self.forwards = nn.LSTM(recipe.embedding, recipe.hidden, batch_first=True)
        self.backwards = nn.LSTM(recipe.embedding, recipe.hidden, batch_first=True)
        self.dropout = nn.Dropout(recipe.dropout)
        self.output = nn.Linear(4 * recipe.hidden, classes)
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

        ahead, _ = self.forwards(words)
        back, _ = self.backwards(_reverse(words, lengths))
        # `back` stays in reading order from the end: mean and maximum do not ask for the order.
        states = torch.cat([ahead, back], dim=2)

        padding = (attention_mask == 0).unsqueeze(2)
        mean = states.masked_fill(padding, 0.0).sum(dim=1) / lengths
        highest = states.masked_fill(padding, -1.0).amax(dim=1)  # a state lies within (-1, 1)
        logits: Tensor = self.output(self.dropout(torch.cat([mean, highest], dim=1)))
        return logits


def _reverse(words: Tensor, lengths: Tensor) -> Tensor:
    """Turn each row around within its length.

    Args:
        words: float32 `[batch, sequence, width]`.
        lengths: int64 `[batch, 1]`.

    Returns:
        float32 `[batch, sequence, width]`; beyond a row's length its first word is repeated.
    """
    positions = torch.arange(words.shape[1], device=words.device).unsqueeze(0)
    mirrored = (lengths - 1 - positions).clamp(min=0)
    return words.gather(1, mirrored.unsqueeze(2).expand_as(words))
