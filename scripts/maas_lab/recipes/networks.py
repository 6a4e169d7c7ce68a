"""The architectures that a recipe may name, each with its sizes.

Imports msgspec. `maas_lab.networks` builds what is described here; the key `architecture` tells
them apart:

    BiLstmRecipe(embedding=128, hidden=64)       # architecture = "bilstm"
"""

from typing import Annotated

from msgspec import Meta, Struct

from maas_lab.recipes.parts import Depth, Probability, Width

Heads = Annotated[int, Meta(ge=1, le=64)]


class NetworkRecipe(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="architecture"
):
    """The sizes of one architecture."""


# ---- Of rows of token ids -----------------------------------------------------------------------


class BiLstmRecipe(NetworkRecipe, frozen=True, tag="bilstm"):
    """The sizes of `maas_lab.networks.bilstm`."""

    embedding: Width = 128
    """Width of a word's vector (numbers)."""
    hidden: Width = 64
    """Width of the state of each direction (numbers)."""
    embedding_dropout: Probability = 0.3
    """Share of the numbers of the word vectors that training sets to zero (0 to 0.95)."""
    dropout: Probability = 0.5
    """Share of the pooled numbers that training sets to zero (0 to 0.95)."""


class RecurrentRecipe(NetworkRecipe, frozen=True):
    """The sizes of `maas_lab.networks.recurrent`."""

    embedding: Width = 128
    """Width of a word's vector (numbers)."""
    hidden: Width = 64
    """Width of the state (numbers)."""
    embedding_dropout: Probability = 0.3
    """Share of the numbers of the word vectors that training sets to zero (0 to 0.95)."""
    dropout: Probability = 0.5
    """Share of the pooled numbers that training sets to zero (0 to 0.95)."""


class LstmRecipe(RecurrentRecipe, frozen=True, tag="lstm"):
    """One LSTM that reads from left to right."""


class GruRecipe(RecurrentRecipe, frozen=True, tag="gru"):
    """One GRU that reads from left to right."""


class TransformerRecipe(NetworkRecipe, frozen=True, tag="transformer"):
    """The sizes of `maas_lab.networks.transformer`: an encoder with fresh weights."""

    width: Width = 128
    """Width of a token's vector (numbers); a multiple of `heads`."""
    layers: Depth = 2
    """Encoder layers."""
    heads: Heads = 4
    """Attention heads."""
    feedforward: Width = 256
    """Width of the layer between (numbers)."""
    dropout: Probability = 0.2
    """Share of the numbers that training sets to zero (0 to 0.95)."""

    def __post_init__(self) -> None:
        """Refuse a width that heads cannot share."""
        _check_heads(self.width, self.heads)


class BertRecipe(NetworkRecipe, frozen=True, tag="bert"):
    """A BERT-family encoder: from a checkpoint, whose sizes hold, or from scratch.

    See `maas_lab.networks.bert`.
    """

    checkpoint: Annotated[str, Meta(max_length=4096)] = ""
    """`all-minilm-l6-v2`, `multilingual-e5-small-zh`, the folder of a Hugging Face checkpoint
    (config.json, model.safetensors, tokenizer.json), or nothing for fresh weights of the sizes
    below."""
    width: Width = 256
    """Width of a token's vector (numbers); from scratch only."""
    layers: Depth = 4
    """Encoder layers; from scratch only."""
    heads: Heads = 4
    """Attention heads; from scratch only."""
    feedforward: Annotated[int, Meta(ge=1, le=16_384)] = 1024
    """Width of the layer between (numbers); from scratch only."""
    first_layers: Annotated[int, Meta(ge=0, le=64)] = 0
    """Layers of the checkpoint that a classifier keeps, the first ones; 0 keeps all. Those after
    them serve what the checkpoint was trained for."""
    dropout: Probability = 0.1
    """Share of the numbers that training sets to zero (0 to 0.95)."""

    def __post_init__(self) -> None:
        """Refuse a width that heads cannot share, and layers of no checkpoint."""
        if self.first_layers and not self.checkpoint:
            raise ValueError("Expected `checkpoint` where there is `first_layers`")
        _check_heads(self.width, self.heads)


# ---- Of pictures --------------------------------------------------------------------------------


class MlpRecipe(NetworkRecipe, frozen=True, tag="mlp"):
    """The sizes of `maas_lab.networks.mlp`: dense layers over all pixels."""

    hidden: Annotated[tuple[Width, ...], Meta(max_length=16)] = (128,)
    """Widths of the layers between pixels and logits (numbers)."""
    dropout: Probability = 0.2
    """Share of the numbers that training sets to zero (0 to 0.95)."""


class CnnRecipe(NetworkRecipe, frozen=True, tag="cnn"):
    """The sizes of `maas_lab.networks.cnn`: blocks of two convolutions, each block half as wide."""

    channels: Annotated[tuple[Width, ...], Meta(min_length=1, max_length=6)] = (32, 64)
    """Channels of each block."""
    hidden: Width = 128
    """Width of the dense layer before the logits (numbers)."""
    dropout: Probability = 0.3
    """Share of the numbers that training sets to zero (0 to 0.95)."""


# ---- From text to text --------------------------------------------------------------------------


class Seq2SeqRnnRecipe(NetworkRecipe, frozen=True, tag="seq2seq-rnn"):
    """The sizes of `maas_lab.networks.seq2seq_rnn`: bidirectional encoder, attention decoder."""

    embedding: Width = 256
    """Width of a token's vector (numbers)."""
    hidden: Width = 256
    """Width of the state of the decoder, and of each direction of the encoder (numbers)."""
    layers: Depth = 2
    """Layers of the encoder."""
    dropout: Probability = 0.2
    """Share of the numbers that training sets to zero (0 to 0.95)."""
    copy: bool = False
    """Whether the decoder may also copy tokens of the source."""


class Seq2SeqTransformerRecipe(NetworkRecipe, frozen=True, tag="seq2seq-transformer"):
    """The sizes of `maas_lab.networks.seq2seq_transformer`."""

    width: Width = 256
    """Width of a token's vector (numbers); a multiple of `heads`."""
    heads: Heads = 4
    """Attention heads."""
    layers: Depth = 3
    """Layers of the encoder."""
    decoder_layers: Depth = 3
    """Layers of the decoder."""
    feedforward: Annotated[int, Meta(ge=1, le=16_384)] = 1024
    """Width of the layer between (numbers)."""
    dropout: Probability = 0.1
    """Share of the numbers that training sets to zero (0 to 0.95)."""
    copy: bool = False
    """Whether the decoder may also copy tokens of the source."""

    def __post_init__(self) -> None:
        """Refuse a width that heads cannot share."""
        _check_heads(self.width, self.heads)


TextNetwork = BiLstmRecipe | LstmRecipe | GruRecipe | TransformerRecipe | BertRecipe
"""What turns a row of token ids into logits."""
ImageNetwork = MlpRecipe | CnnRecipe
"""What turns a picture into logits."""
Seq2SeqNetwork = Seq2SeqRnnRecipe | Seq2SeqTransformerRecipe
"""What turns a row of token ids into another."""


def _check_heads(width: int, heads: int) -> None:
    if width % heads:
        raise ValueError("Expected `width` that is a multiple of `heads`")
