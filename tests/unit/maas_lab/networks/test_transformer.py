"""The Transformer that reads: padding changes nothing, and nothing breaks it."""

from typing import TYPE_CHECKING

import pytest
import torch
from support.networks import (
    LENGTHS,
    VOCABULARY,
    check_all_parts_learn,
    check_graph,
    check_nothing_to_read,
    check_padding,
    random_rows,
    text_recipe,
)
from torch import nn

from maas_lab.networks import build_network
from maas_lab.recipes.networks import TransformerRecipe

if TYPE_CHECKING:
    from pathlib import Path


def build(width: int = 16, heads: int = 4) -> nn.Module:
    torch.manual_seed(0)
    recipe = text_recipe(TransformerRecipe(width=width, heads=heads, layers=2, feedforward=24))
    return build_network(recipe, vocabulary_size=VOCABULARY).eval()


@pytest.fixture
def network() -> nn.Module:
    return build()


@pytest.mark.parametrize(("width", "heads"), [(16, 4), (15, 3)])
def test_logits_have_the_promised_shape_and_type(width: int, heads: int) -> None:
    logits = build(width, heads)(*random_rows())

    assert logits.shape == (len(LENGTHS), 3)
    assert logits.dtype == torch.float32


def test_a_row_has_the_same_logits_alone_and_padded_in_a_batch(network: nn.Module) -> None:
    check_padding(network)


def test_a_row_of_padding_alone_has_finite_modest_logits(network: nn.Module) -> None:
    check_nothing_to_read(network)


def test_all_parts_learn(network: nn.Module) -> None:
    check_all_parts_learn(network, *random_rows())


def test_the_order_of_the_words_matters(network: nn.Module) -> None:
    ids = torch.tensor([[7, 8, 9]])
    mask = torch.ones_like(ids)

    assert not torch.allclose(network(ids, mask), network(ids.flip(1), mask), atol=1e-6)


def test_a_seed_gives_one_network() -> None:
    rows = random_rows()

    assert torch.equal(build()(*rows), build()(*rows))


@pytest.mark.filterwarnings("ignore")
def test_the_graph_answers_what_the_network_answers(network: nn.Module, tmp_path: "Path") -> None:
    others = [random_rows(lengths) for lengths in ((1,), (3, 20, 0), (64,))]

    check_graph(network, random_rows((7, 4)), others, tmp_path / "model.onnx")
