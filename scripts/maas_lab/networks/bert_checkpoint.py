"""Sizes and weights of a BERT or DistilBERT checkpoint, as Hugging Face's libraries write them.

Imports torch, safetensors, msgspec, `maas.errors` and `maas_lab.recipes.parts`. Nothing of a
checkpoint is run: config.json says the sizes, model.safetensors holds numbers.

    sizes = read_sizes(folder)
    load_weights(network.encoder, folder)
"""

import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import safetensors.torch
from msgspec import Meta, Struct
from safetensors import SafetensorError

from maas.errors import RefusedError
from maas_lab.recipes.parts import Count, Depth, Width

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
_Feedforward = Annotated[int, Meta(ge=1, le=16_384)]
_NAMED = 3  # tensors that a message names


class BertSizes(Struct, frozen=True, kw_only=True):
    """How large an encoder is."""

    vocabulary: Count
    """Ids that it knows."""
    positions: Count
    """Tokens that a row may have."""
    width: Width
    """Numbers of a token's vector."""
    layers: Depth
    """Encoder layers."""
    heads: Width
    """Attention heads; `width` is a multiple of it."""
    feedforward: _Feedforward
    """Width of the layer between."""
    epsilon: float = 1e-12
    """What keeps the norms from dividing by 0."""

    def __post_init__(self) -> None:
        """Refuse a width that heads cannot share."""
        if self.width % self.heads:
            raise ValueError("Expected a width that is a multiple of the heads")


class _Bert(BertSizes, frozen=True, kw_only=True, tag_field="model_type", tag="bert"):
    """What BERT calls its sizes, and what else has to hold."""

    vocabulary: Count = msgspec.field(name="vocab_size")
    positions: Count = msgspec.field(name="max_position_embeddings")
    width: Width = msgspec.field(name="hidden_size")
    layers: Depth = msgspec.field(name="num_hidden_layers")
    heads: Width = msgspec.field(name="num_attention_heads")
    feedforward: _Feedforward = msgspec.field(name="intermediate_size")
    epsilon: float = msgspec.field(name="layer_norm_eps", default=1e-12)
    hidden_act: Literal["gelu"] = "gelu"
    position_embedding_type: Literal["absolute"] = "absolute"
    is_decoder: Literal[False] = False


class _DistilBert(BertSizes, frozen=True, kw_only=True, tag_field="model_type", tag="distilbert"):
    """The same for DistilBERT."""

    vocabulary: Count = msgspec.field(name="vocab_size")
    positions: Count = msgspec.field(name="max_position_embeddings")
    width: Width = msgspec.field(name="dim")
    layers: Depth = msgspec.field(name="n_layers")
    heads: Width = msgspec.field(name="n_heads")
    feedforward: _Feedforward = msgspec.field(name="hidden_dim")
    activation: Literal["gelu"] = "gelu"


_TYPES = "types"  # vectors of the first and the second text
# What each part is called there, and here. DistilBERT's names come second.
_PARTS = {
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "positions",
    "embeddings.token_type_embeddings": _TYPES,
    "embeddings.LayerNorm": "norm",
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "inner",
    "output.dense": "outer",
    "output.LayerNorm": "outer_norm",
    "attention.q_lin": "attention.query",
    "attention.k_lin": "attention.key",
    "attention.v_lin": "attention.value",
    "attention.out_lin": "attention.output",
    "sa_layer_norm": "attention_norm",
    "ffn.lin1": "inner",
    "ffn.lin2": "outer",
    "output_layer_norm": "outer_norm",
}
_LAYER = re.compile(r"(?:encoder|transformer)\.layer\.(\d+)\.(.+)")
_OUR_LAYER = re.compile(r"layers\.(\d+)\.")
_OLD_NORM = {"gamma": "weight", "beta": "bias"}
# Heads of other tasks, and numbers that follow from the sizes.
_NEEDLESS = re.compile(
    r"(pooler|cls|classifier|pre_classifier|qa_outputs|vocab_\w+)\.|embeddings\.position_ids\Z"
)


def read_sizes(folder: "Path") -> BertSizes:
    """Read the sizes of a checkpoint.

    Raises:
        RefusedError: There is no config.json, or it describes another architecture.
    """
    try:
        found = msgspec.json.decode((folder / CONFIG).read_bytes(), type=_Bert | _DistilBert)
    except OSError:
        raise RefusedError(f"{folder.name}: has no {CONFIG} that can be read.") from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise RefusedError(
            f"{folder.name}: {CONFIG} is not that of a bert or a distilbert: {error}."
        ) from None
    names = BertSizes.__struct_fields__
    return BertSizes(**{name: getattr(found, name) for name in names})


def load_weights(encoder: "nn.Module", folder: "Path") -> None:
    """Put a checkpoint's weights into an encoder of its sizes, all of them and no others.

    An encoder of fewer layers is given the first ones.

    Raises:
        RefusedError: There is no model.safetensors, or a tensor of it is missing, unknown, or of
            another shape. The message names it.
    """
    try:
        tensors = _renamed(safetensors.torch.load_file(folder / WEIGHTS))
    except (OSError, SafetensorError):
        raise RefusedError(f"{folder.name}: has no {WEIGHTS} that can be read.") from None
    expected = encoder.state_dict()
    layers = {found[1] for name in expected if (found := _OUR_LAYER.match(name))}
    later = tuple(f"layers.{layer}." for layer in range(len(layers), read_sizes(folder).layers))
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(later)}
    problems = {
        "lacks": expected.keys() - tensors.keys(),
        "has unknown": tensors.keys() - expected.keys(),
        "has of another shape": {
            name
            for name in expected.keys() & tensors.keys()
            if expected[name].shape != tensors[name].shape
        },
    }
    for problem, names in problems.items():
        if names:
            shown = ", ".join(sorted(names)[:_NAMED]) + (", …" if len(names) > _NAMED else "")
            raise RefusedError(f"{folder.name}: {WEIGHTS} {problem} {shown}.")
    encoder.load_state_dict(tensors)


def _renamed(tensors: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """The tensors of the encoder under our names; what is unknown keeps its own."""
    found = {}
    for name, tensor in tensors.items():
        plain = name.removeprefix("bert.").removeprefix("distilbert.")
        if not _NEEDLESS.match(plain):
            found[_our_name(plain)] = tensor.float()
    types = found.pop(f"{_TYPES}.weight", None)
    if types is not None and "positions.weight" in found:
        found["positions.weight"] = found["positions.weight"] + types[0]
    return found


def _our_name(name: str) -> str:
    layer = _LAYER.fullmatch(name)
    where, inner = (f"layers.{layer[1]}.", layer[2]) if layer else ("", name)
    part, dot, kind = inner.rpartition(".")
    return where + _PARTS.get(part, part) + dot + _OLD_NORM.get(kind, kind)
