"""Embedding, one LSTM or GRU from left to right, mean and maximum over the tokens, a dense layer.

Imports torch and the lab. `forward` is the model:

    network = Recurrent(recipe, vocabulary_size=10_000, classes=2)
    logits = network(input_ids, attention_mask)
"""

from torch import Tensor, nn

from maas_lab.networks.rows import pooled, word_vectors
from maas_lab.recipes.networks import GruRecipe, LstmRecipe


class Recurrent(nn.Module):
    """A classifier of padded rows of token ids; padding comes after all tokens that are read."""

    def __init__(
        self, recipe: LstmRecipe | GruRecipe, *, vocabulary_size: int, classes: int
    ) -> None:
        super().__init__()
        kind = nn.LSTM if isinstance(recipe, LstmRecipe) else nn.GRU
        self.embedding = word_vectors(vocabulary_size, recipe.embedding)
        self.embedding_dropout = nn.Dropout(recipe.embedding_dropout)
        self.forwards = kind(recipe.embedding, recipe.hidden, batch_first=True)
        self.dropout = nn.Dropout(recipe.dropout)
        self.output = nn.Linear(2 * recipe.hidden, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            input_ids: int64 `[batch, sequence]`, padded on the right.
            attention_mask: int64 `[batch, sequence]`, 1 for a token and 0 for padding.

        Returns:
            float32 `[batch, classes]`; finite for a row of padding alone, too.
        """
        words = self.embedding_dropout(self.embedding(input_ids))
        states, _ = self.forwards(words)

        logits: Tensor = self.output(self.dropout(pooled(states, attention_mask)))
        return logits
