"""The bidirectional LSTM: padding changes nothing, and nothing breaks it."""

import pytest
import torch
from support.networks import text_recipe
from torch import Tensor, nn

from maas_lab.networks import build_network
from maas_lab.recipes.networks import BiLstmRecipe

LENGTHS = (5, 1, 12, 0, 3)


def random_rows(lengths: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    ids = torch.randint(1, 50, (len(lengths), max(lengths)))
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)).long()
    return ids * mask, mask


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    recipe = BiLstmRecipe(embedding=16, hidden=8)
    return build_network(text_recipe(recipe), vocabulary_size=50).eval()


def test_logits_have_the_promised_shape_and_type(network: nn.Module) -> None:
    logits = network(*random_rows(LENGTHS))

    assert logits.shape == (5, 3)
    assert logits.dtype == torch.float32


def test_a_row_has_the_same_logits_alone_and_padded_in_a_batch(network: nn.Module) -> None:
    ids, mask = random_rows(LENGTHS)
    together = network(ids, mask)

    for row, length in enumerate(LENGTHS):
        width = max(1, length)
        alone = network(ids[row : row + 1, :width], mask[row : row + 1, :width])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-6, rtol=0)


def test_what_stands_in_the_padding_changes_nothing(network: nn.Module) -> None:
    ids, mask = random_rows(LENGTHS)
    rubbish = torch.where(mask == 1, ids, torch.full_like(ids, 42))

    torch.testing.assert_close(network(rubbish, mask), network(ids, mask), atol=1e-6, rtol=0)


def test_a_row_of_padding_alone_has_finite_modest_logits(network: nn.Module) -> None:
    empty = torch.zeros(1, 4, dtype=torch.int64)

    logits = network(empty, empty)

    assert torch.isfinite(logits).all()
    assert logits.abs().max() < 10


def test_both_directions_see_the_order_of_the_words(network: nn.Module) -> None:
    ids = torch.tensor([[7, 8, 9]])
    mask = torch.ones_like(ids)

    assert not torch.allclose(network(ids, mask), network(ids.flip(1), mask), atol=1e-6)


def test_the_second_direction_reads_from_the_last_word(network: nn.Module) -> None:
    # Given an embedding that passes the words on unchanged, and the second LSTM alone
    ids, mask = random_rows((4, 2))
    seen: list[Tensor] = []
    lstm = network.get_submodule("backwards")
    handle = lstm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))

    # When a padded batch is read
    network(ids, mask)
    handle.remove()

    # Then each row arrives turned around within its own length
    words = network.get_submodule("embedding")(ids)
    torch.testing.assert_close(seen[0][0], words[0].flip(0))
    torch.testing.assert_close(seen[0][1, :2], words[1, :2].flip(0))


def test_padding_is_the_zero_vector_and_learns_nothing(network: nn.Module) -> None:
    network.train()
    ids, mask = random_rows(LENGTHS)

    network(ids, mask).sum().backward()

    weight = network.get_submodule("embedding").weight
    assert isinstance(weight, nn.Parameter)
    assert weight.grad is not None
    assert not weight[0].any()
    assert not weight.grad[0].any()
    assert weight.grad.any()
