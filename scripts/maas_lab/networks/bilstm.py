"""Embedding, a bidirectional LSTM, mean and maximum over the tokens, one dense layer.

Imports torch and the lab. It reads top to bottom: `forward` is the model.

    network = BiLstm(recipe, vocabulary_size=10_000, classes=2)
    logits = network(input_ids, attention_mask)
"""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from maas_lab.networks.rows import BothWays, lengths_of, pooled, word_vectors

if TYPE_CHECKING:
    from maas_lab.recipes.networks import BiLstmRecipe


class BiLstm(nn.Module):
    """A classifier of padded rows of token ids.

    Both directions read a row within its own length, so the padding on the right comes after the
    last token for each of them: it cannot change a state that is used.
    """

    def __init__(self, recipe: "BiLstmRecipe", *, vocabulary_size: int, classes: int) -> None:
        super().__init__()
        self.embedding = word_vectors(vocabulary_size, recipe.embedding)
        self.embedding_dropout = nn.Dropout(recipe.embedding_dropout)
        self.both_ways = BothWays(recipe.embedding, recipe.hidden)
        self.dropout = nn.Dropout(recipe.dropout)
        self.output = nn.Linear(4 * recipe.hidden, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            input_ids: int64 `[batch, sequence]`, padded on the right.
            attention_mask: int64 `[batch, sequence]`, 1 for a token and 0 for padding.

        Returns:
            float32 `[batch, classes]`; finite for a row of padding alone, too.
        """
        words = self.embedding_dropout(self.embedding(input_ids))
        states = self.both_ways(words, lengths_of(attention_mask))
        logits: Tensor = self.output(self.dropout(pooled(states, attention_mask)))
        return logits
