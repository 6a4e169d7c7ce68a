"""The convolutional network: sizes that fit, and the same answer from the graph."""

from typing import TYPE_CHECKING

import pytest
import torch
from support.networks import check_all_parts_learn, check_graph, close, image_recipe
from torch import nn

from maas.errors import FieldError
from maas_lab.networks import build_network
from maas_lab.recipes.networks import CnnRecipe

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = (1, 10, 8)


def build(*channels: int, image: tuple[int, int, int] = IMAGE) -> nn.Module:
    """A network whose norms have seen some pictures, as after training."""
    torch.manual_seed(0)
    recipe = image_recipe(CnnRecipe(channels=channels or (4, 6), hidden=16))
    network = build_network(recipe, image=image)
    with torch.no_grad():
        network(torch.rand(64, *image))
    return network.eval()


@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 4, 6)])
@pytest.mark.parametrize("image", [IMAGE, (3, 9, 11)])
def test_logits_have_the_promised_shape_and_type(
    channels: tuple[int, ...], image: tuple[int, int, int]
) -> None:
    logits = build(*channels, image=image)(torch.rand(5, *image))

    assert logits.shape == (5, 3)
    assert logits.dtype == torch.float32


def test_a_picture_that_is_too_small_for_the_blocks_is_refused() -> None:
    recipe = image_recipe(CnnRecipe(channels=(2, 2, 2, 2)))

    with pytest.raises(FieldError, match="10 x 8 cannot be halved 4 times"):
        build_network(recipe, image=IMAGE)


def test_a_picture_has_the_same_logits_alone_and_in_a_batch() -> None:
    network, pixels = build(), torch.rand(5, *IMAGE)

    close(network(pixels)[2:3], network(pixels[2:3]))


def test_all_parts_learn() -> None:
    check_all_parts_learn(build(), torch.rand(5, *IMAGE))


def test_a_black_picture_has_finite_modest_logits() -> None:
    logits = build()(torch.zeros(1, *IMAGE))

    assert torch.isfinite(logits).all()
    assert logits.abs().max() < 10


def test_a_seed_gives_one_network() -> None:
    pixels = torch.rand(2, *IMAGE)

    assert torch.equal(build()(pixels), build()(pixels))


@pytest.mark.filterwarnings("ignore")
def test_the_graph_answers_what_the_network_answers(tmp_path: "Path") -> None:
    others = [(torch.zeros(1, *IMAGE),), (torch.ones(3, *IMAGE),), (torch.rand(40, *IMAGE),)]

    check_graph(build(), (torch.rand(2, *IMAGE),), others, tmp_path / "model.onnx")
