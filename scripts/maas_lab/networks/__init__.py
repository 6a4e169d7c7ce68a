"""Networks, one module per architecture. Imports torch, msgspec, `maas.errors` and the recipe.

network = build_network(recipe, vocabulary_size=10_000)             # texts
network = build_network(recipe, image=(1, 28, 28))                  # pictures
network = build_network(recipe, vocabulary_size=30_522, checkpoint=folder)

What forward takes and gives follows from the task:

- text-classification: input_ids and attention_mask, int64 `[batch, sequence]`, to logits, float32
  `[batch, classes]`. A row's logits do not depend on its padding.
- feature-extraction: the same to vectors of length 1, float32 `[batch, width]`.
- image-classification: pixels, float32 `[batch, channels, height, width]` from 0 to 1, to logits.
- translation and summarization: see `seq2seq_transformer` and `seq2seq_rnn`.
"""

from typing import TYPE_CHECKING

import msgspec

from maas.errors import FieldError, RefusedError
from maas_lab.networks.bert import Bert, BertEmbedding
from maas_lab.networks.bert_checkpoint import BertSizes, load_weights, read_sizes
from maas_lab.networks.bilstm import BiLstm
from maas_lab.networks.cnn import Cnn
from maas_lab.networks.mlp import Mlp
from maas_lab.networks.recurrent import Recurrent
from maas_lab.networks.seq2seq_rnn import Seq2SeqRnn
from maas_lab.networks.seq2seq_transformer import Seq2SeqTransformer
from maas_lab.networks.transformer import TransformerEncoder
from maas_lab.recipes.networks import (
    BertRecipe,
    BiLstmRecipe,
    CnnRecipe,
    GruRecipe,
    LstmRecipe,
    MlpRecipe,
    NetworkRecipe,
    Seq2SeqRnnRecipe,
    Seq2SeqTransformerRecipe,
    TransformerRecipe,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import nn

    from maas_lab.recipes.recipe import Recipe

    Builders = Mapping[type[NetworkRecipe], Callable[..., nn.Module]]

# In code, never by a name that data brings.
_OF_TEXTS: "Builders" = {
    BiLstmRecipe: BiLstm,
    LstmRecipe: Recurrent,
    GruRecipe: Recurrent,
    TransformerRecipe: TransformerEncoder,
}
_OF_PICTURES: "Builders" = {MlpRecipe: Mlp, CnnRecipe: Cnn}
_OF_PAIRS: "Builders" = {
    Seq2SeqRnnRecipe: Seq2SeqRnn,
    Seq2SeqTransformerRecipe: Seq2SeqTransformer,
}


def build_network(
    recipe: "Recipe",
    *,
    vocabulary_size: int = 0,
    image: tuple[int, int, int] | None = None,
    checkpoint: "Path | None" = None,
    weights: bool = True,
) -> "nn.Module":
    """Build a network with fresh weights from torch's own random state, or a checkpoint's.

    Args:
        recipe: The architecture, its sizes and the labels.
        vocabulary_size: The number of token ids; id 0 is padding. Of texts only.
        image: Channels, height and width. Of pictures only.
        checkpoint: The folder that `network.checkpoint` stands for.
        weights: Whether the checkpoint's weights are loaded; without them its config.json is
            enough. False where the weights of a run come next.

    Raises:
        FieldError: The sizes of the recipe do not go together.
        RefusedError: The checkpoint cannot be used.
    """
    network = recipe.network
    if isinstance(network, BertRecipe):
        return _build_bert(recipe, vocabulary_size, checkpoint, weights=weights)
    if type(network) in _OF_PAIRS:
        return _OF_PAIRS[type(network)](network, vocabulary_size=vocabulary_size)
    classes = len(recipe.data.labels)
    if type(network) in _OF_PICTURES:
        return _OF_PICTURES[type(network)](network, image=image, classes=classes)
    build = _OF_TEXTS[type(network)]
    return build(network, vocabulary_size=vocabulary_size, classes=classes)


def _build_bert(
    recipe: "Recipe", vocabulary_size: int, checkpoint: "Path | None", *, weights: bool
) -> "nn.Module":
    network, embeds = recipe.network, recipe.task == "feature-extraction"
    longest = recipe.vocabulary.max_tokens  # type: ignore[attr-defined]  # every such task has it
    if network.checkpoint:
        if checkpoint is None:
            raise RefusedError(f"The checkpoint {network.checkpoint} is not at hand.")
        sizes = _kept_sizes(read_sizes(checkpoint), network.first_layers)
        if embeds and network.first_layers:
            raise FieldError("Vectors are those of all layers.", field="network.first_layers")
    elif embeds:
        raise FieldError("Vectors need trained weights: name one.", field="network.checkpoint")
    else:
        sizes = BertSizes(
            vocabulary=vocabulary_size,
            positions=longest,
            width=network.width,
            layers=network.layers,
            heads=network.heads,
            feedforward=network.feedforward,
        )
    if longest > sizes.positions:
        raise FieldError(
            f"The checkpoint reads {sizes.positions} tokens at the most.",
            field="vocabulary.max_tokens",
        )
    if vocabulary_size > sizes.vocabulary:
        raise RefusedError(
            f"The vocabulary has {vocabulary_size} ids and the checkpoint {sizes.vocabulary}."
        )
    built = (
        BertEmbedding(sizes)
        if embeds
        else Bert(sizes, dropout=network.dropout, classes=len(recipe.data.labels))
    )
    if checkpoint is not None and weights:
        load_weights(built.encoder, checkpoint)
    return built


def _kept_sizes(sizes: BertSizes, layers: int) -> BertSizes:
    """Those of a checkpoint's first layers; of all where it is 0."""
    if layers > sizes.layers:
        raise FieldError(f"The checkpoint has {sizes.layers} layers.", field="network.first_layers")
    return msgspec.structs.replace(sizes, layers=layers or sizes.layers)
