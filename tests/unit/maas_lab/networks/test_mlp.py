"""Dense layers over pixels: any number of them, and the same answer from the graph."""

from typing import TYPE_CHECKING

import pytest
import torch
from support.networks import check_all_parts_learn, check_graph, close, image_recipe
from torch import nn

from maas_lab.networks import build_network
from maas_lab.recipes.networks import MlpRecipe

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = (1, 6, 8)


def build(*hidden: int, image: tuple[int, int, int] = IMAGE) -> nn.Module:
    torch.manual_seed(0)
    return build_network(image_recipe(MlpRecipe(hidden=hidden)), image=image).eval()


@pytest.mark.parametrize("hidden", [(), (16,), (16, 12)])
@pytest.mark.parametrize("image", [IMAGE, (3, 6, 8)])
def test_logits_have_the_promised_shape_and_type(
    hidden: tuple[int, ...], image: tuple[int, int, int]
) -> None:
    logits = build(*hidden, image=image)(torch.rand(5, *image))

    assert logits.shape == (5, 3)
    assert logits.dtype == torch.float32


def test_the_default_has_a_layer_of_128() -> None:
    network = build_network(image_recipe(MlpRecipe()), image=(1, 28, 28))

    assert sum(weight.numel() for weight in network.parameters()) == 784 * 128 + 128 + 128 * 3 + 3


def test_a_picture_has_the_same_logits_alone_and_in_a_batch() -> None:
    network, pixels = build(16), torch.rand(5, *IMAGE)

    close(network(pixels)[2:3], network(pixels[2:3]))


def test_all_parts_learn() -> None:
    check_all_parts_learn(build(16, 12), torch.rand(5, *IMAGE))


def test_pixels_are_normalised_inside() -> None:
    # Given a network whose first layer passes on the sum of what it reads
    network = build()
    layer = network.get_submodule("output")
    assert isinstance(layer, nn.Linear)
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)

    # When it reads pixels that are the mean of all pictures
    logits = network(torch.full((1, *IMAGE), 0.1307))

    # Then nothing is left of them
    close(logits, torch.zeros(1, 3), within=1e-4)


def test_a_seed_gives_one_network() -> None:
    pixels = torch.rand(2, *IMAGE)

    assert torch.equal(build(16)(pixels), build(16)(pixels))


@pytest.mark.filterwarnings("ignore")
def test_the_graph_answers_what_the_network_answers(tmp_path: "Path") -> None:
    others = [(torch.zeros(1, *IMAGE),), (torch.ones(3, *IMAGE),), (torch.rand(40, *IMAGE),)]

    check_graph(build(16), (torch.rand(2, *IMAGE),), others, tmp_path / "model.onnx")
