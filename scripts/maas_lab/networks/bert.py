"""The encoder of the BERT family, as a classifier or as what turns texts into vectors.

Imports torch and `maas_lab.networks.bert_checkpoint`, which reads sizes and weights of Hugging
Face's files. `forward` is the model:

    sizes = read_sizes(folder)
    network = Bert(sizes, dropout=0.1, classes=2)
    load_weights(network.encoder, folder)
    logits = network(input_ids, attention_mask)
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from maas_lab.networks.bert_checkpoint import BertSizes

_FAR = -1e9  # not infinity: a row of padding alone would become NaN
_SPREAD = 0.02  # of fresh weights, as BERT has it


class Bert(nn.Module):
    """A classifier of padded rows of token ids: the mean over the tokens, and one dense layer."""

    def __init__(self, sizes: "BertSizes", *, dropout: float, classes: int) -> None:
        super().__init__()
        self.encoder = Encoder(sizes, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(sizes.width, classes)
        nn.init.normal_(self.output.weight, std=_SPREAD)
        nn.init.zeros_(self.output.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            input_ids: int64 `[batch, sequence]`, padded on the right.
            attention_mask: int64 `[batch, sequence]`, 1 for a token and 0 for padding.

        Returns:
            float32 `[batch, classes]`; finite for a row of padding alone, too.
        """
        mean = _mean(self.encoder(input_ids, attention_mask), attention_mask)
        logits: Tensor = self.output(self.dropout(mean))
        return logits


class BertEmbedding(nn.Module):
    """Turns texts into vectors of length 1 whose product says how near their meanings are."""

    def __init__(self, sizes: "BertSizes") -> None:
        super().__init__()
        self.encoder = Encoder(sizes, dropout=0.0)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Vectors of a batch, float32 `[batch, width]`; the arguments are those of `Bert`."""
        mean = _mean(self.encoder(input_ids, attention_mask), attention_mask)
        return functional.normalize(mean, dim=1)


class Encoder(nn.Module):
    """Token and position vectors, and the layers.

    BERT also has a vector for the first and one for the second of two texts. Here every token is
    of the first, whose vector is part of the position's.
    """

    def __init__(self, sizes: "BertSizes", *, dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes.vocabulary, sizes.width)
        self.positions = nn.Embedding(sizes.positions, sizes.width)
        self.norm = nn.LayerNorm(sizes.width, eps=sizes.epsilon)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(sizes, dropout) for _ in range(sizes.layers))
        self.apply(_begin)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """One state a token, float32 `[batch, sequence, width]`; those of padding mean nothing."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        words = self.words(input_ids) + self.positions(places)
        states: Tensor = self.dropout(self.norm(words))
        far = ((1 - attention_mask) * _FAR)[:, None, None, :]
        for layer in self.layers:
            states = layer(states, far)
        return states


class Layer(nn.Module):
    """Each token looks at all tokens of its row, then thinks for itself; norms come after."""

    def __init__(self, sizes: "BertSizes", dropout: float) -> None:
        super().__init__()
        self.attention = Attention(sizes.width, sizes.heads, dropout)
        self.attention_norm = nn.LayerNorm(sizes.width, eps=sizes.epsilon)
        self.inner = nn.Linear(sizes.width, sizes.feedforward)
        self.outer = nn.Linear(sizes.feedforward, sizes.width)
        self.outer_norm = nn.LayerNorm(sizes.width, eps=sizes.epsilon)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, far: Tensor) -> Tensor:
        """Next states, float32 `[batch, sequence, width]` like `states`."""
        states = self.attention_norm(states + self.dropout(self.attention(states, far)))
        thought = self.outer(functional.gelu(self.inner(states)))
        next_states: Tensor = self.outer_norm(states + self.dropout(thought))
        return next_states


class Attention(nn.Module):
    """Each query takes a mean of the values, weighted by how well their keys fit it."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.part = heads, width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, far: Tensor) -> Tensor:
        """Look up each state, float32 `[batch, sequence, width]`.

        What stands in `far`, float32 `[batch, 1, 1, sequence]`, is added to the fit.
        """
        queries = self._split(self.query(states))
        keys, values = self._split(self.key(states)), self._split(self.value(states))
        fit = queries @ keys.transpose(2, 3) / math.sqrt(self.part)
        weights = self.dropout(torch.softmax(fit + far, dim=3))
        found = (weights @ values).transpose(1, 2)
        rows, length = found.shape[:2]
        looked_up: Tensor = self.output(found.reshape(rows, length, self.heads * self.part))
        return looked_up

    def _split(self, states: Tensor) -> Tensor:
        """float32 `[batch, sequence, width]` to `[batch, heads, sequence, width / heads]`.

        Written so that the graph has a third fewer nodes: of a shape that the tensor itself has,
        and of numbers, ONNX Runtime makes a constant.
        """
        rows, length = states.shape[:2]
        return states.view(rows, length, self.heads, self.part).transpose(1, 2)


def _mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean over the tokens of each row, float32 `[batch, width]`; 0 where there is none."""
    padding = (attention_mask == 0).unsqueeze(2)
    lengths = attention_mask.sum(dim=1, keepdim=True).clamp(min=1)
    return states.masked_fill(padding, 0.0).sum(dim=1) / lengths


def _begin(module: nn.Module) -> None:
    """Fresh weights as BERT has them."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=_SPREAD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
