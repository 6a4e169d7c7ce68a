"""What recurrent networks do with padded rows: word vectors, reading backwards, pooling.

Imports torch. Padding stands on the right, so a network that reads from left to right meets it
after the last token, and one that reads backwards turns each row around within its own length:

    words = word_vectors(vocabulary_size, 128)(input_ids)
    states = BothWays(128, 64)(words, lengths_of(attention_mask))
    numbers = pooled(states, attention_mask)
"""

import torch
from torch import Tensor, nn


def word_vectors(vocabulary_size: int, width: int) -> nn.Embedding:
    """Vectors of words, of which the padding's, id 0, is 0 and stays so.

    The first ones are small: with torch's N(0, 1) the rare words stay as loud as the common ones.
    """
    embedding = nn.Embedding(vocabulary_size, width, padding_idx=0)
    nn.init.normal_(embedding.weight, std=0.1)
    with torch.no_grad():
        embedding.weight[0].zero_()
    return embedding


def lengths_of(attention_mask: Tensor) -> Tensor:
    """Tokens of each row, int64 `[batch, 1]`, of a mask int64 `[batch, sequence]`; at least 1."""
    return attention_mask.sum(dim=1, keepdim=True).clamp(min=1)


class BothWays(nn.Module):
    """Two LSTMs, of which the second reads each row backwards within its own length.

    torch's own bidirectional LSTM would have to be packed for this, and packing cannot be exported.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(width, hidden, batch_first=True)
        self.backwards = nn.LSTM(width, hidden, batch_first=True)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Read rows in both directions.

        Args:
            words: float32 `[batch, sequence, width]`.
            lengths: int64 `[batch, 1]`.

        Returns:
            float32 `[batch, sequence, 2 * hidden]`; for each word what stands before and after it.
        """
        ahead, _ = self.forwards(words)
        back, _ = self.backwards(_turned(words, lengths))
        return torch.cat([ahead, _turned(back, lengths)], dim=2)


def pooled(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean and maximum of each row's states, padding left out.

    Args:
        states: float32 `[batch, sequence, width]`, each number within (-1, 1).
        attention_mask: int64 `[batch, sequence]`, 1 for a token and 0 for padding.

    Returns:
        float32 `[batch, 2 * width]`; finite for a row of padding alone, too.
    """
    padding = (attention_mask == 0).unsqueeze(2)
    mean = states.masked_fill(padding, 0.0).sum(dim=1) / lengths_of(attention_mask)
    highest = states.masked_fill(padding, -1.0).amax(dim=1)
    return torch.cat([mean, highest], dim=1)


def _turned(words: Tensor, lengths: Tensor) -> Tensor:
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
