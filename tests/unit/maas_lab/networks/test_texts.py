"""Classifiers of texts, each architecture: padding changes nothing, and nothing breaks them."""

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
    close,
    random_rows,
    text_recipe,
)
from torch import nn

from maas_lab.networks import build_network
from maas_lab.networks.rows import BothWays, lengths_of
from maas_lab.recipes.networks import (
    BiLstmRecipe,
    GruRecipe,
    LstmRecipe,
    NetworkRecipe,
    TransformerRecipe,
)

if TYPE_CHECKING:
    from pathlib import Path

RECURRENT = {
    "bilstm": BiLstmRecipe(embedding=16, hidden=8),
    "lstm": LstmRecipe(embedding=16, hidden=8),
    "gru": GruRecipe(embedding=16, hidden=8),
}
RECIPES = RECURRENT | {
    "transformer": TransformerRecipe(width=16, heads=4, layers=2, feedforward=24),
    "transformer of odd width": TransformerRecipe(width=15, heads=3, layers=2, feedforward=24),
}


def build(recipe: NetworkRecipe) -> nn.Module:
    torch.manual_seed(0)
    return build_network(text_recipe(recipe), vocabulary_size=VOCABULARY).eval()


@pytest.fixture(params=RECIPES.values(), ids=list(RECIPES))
def recipe(request: pytest.FixtureRequest) -> NetworkRecipe:
    chosen: NetworkRecipe = request.param
    return chosen


@pytest.fixture
def network(recipe: NetworkRecipe) -> nn.Module:
    return build(recipe)


def test_logits_have_the_promised_shape_and_type(network: nn.Module) -> None:
    logits = network(*random_rows())

    assert logits.shape == (len(LENGTHS), 3)
    assert logits.dtype == torch.float32


def test_a_row_has_the_same_logits_alone_and_padded_in_a_batch(network: nn.Module) -> None:
    check_padding(network)


def test_a_row_of_padding_alone_has_finite_modest_logits(network: nn.Module) -> None:
    check_nothing_to_read(network)


def test_all_parts_learn(network: nn.Module) -> None:
    check_all_parts_learn(network, *random_rows())


@pytest.mark.parametrize("recipe", RECURRENT.values(), ids=RECURRENT)
def test_padding_is_the_zero_vector_and_learns_nothing(recipe: NetworkRecipe) -> None:
    network = build(recipe).train()

    network(*random_rows()).sum().backward()

    weight = network.get_parameter("embedding.weight")
    assert weight.grad is not None
    assert not weight[0].any()
    assert not weight.grad[0].any()
    assert weight.grad.any()


def test_the_order_of_the_words_matters(network: nn.Module) -> None:
    ids = torch.tensor([[7, 8, 9]])
    mask = torch.ones_like(ids)

    assert not torch.allclose(network(ids, mask), network(ids.flip(1), mask), atol=1e-6)


def test_a_seed_gives_one_network(recipe: NetworkRecipe) -> None:
    rows = random_rows()

    assert torch.equal(build(recipe)(*rows), build(recipe)(*rows))


@pytest.mark.filterwarnings("ignore")
def test_the_graph_answers_what_the_network_answers(network: nn.Module, tmp_path: "Path") -> None:
    others = [random_rows(lengths) for lengths in ((1,), (3, 20, 0), (64,))]

    check_graph(network, random_rows((7, 4)), others, tmp_path / "model.onnx")


def test_the_second_direction_reads_from_each_rows_last_word() -> None:
    # Given two directions with the same weights, and a padded batch
    torch.manual_seed(0)
    both = BothWays(4, 3)
    both.backwards.load_state_dict(both.forwards.state_dict())
    words, lengths = torch.randn(2, 5, 4), lengths_of(torch.tensor([[1] * 5, [1, 1, 1, 0, 0]]))

    # When it is read
    states = both(words, lengths)

    # Then the second gives what the first gives of each row turned around, in the row's order
    for row, length in enumerate((5, 3)):
        turned, _ = both.forwards(words[row : row + 1, :length].flip(1))
        close(states[row, :length, 3:], turned[0].flip(0))
