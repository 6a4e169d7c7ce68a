"""Blocks of two convolutions, each of which halves the picture, and two dense layers.

Imports torch, `maas.errors` and `maas_lab.recipes.networks`. `forward` is the model; pixels come as
they are, from 0 to 1, and are normalised inside:

    network = Cnn(recipe, image=(1, 28, 28), classes=10)
    logits = network(pixels)
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from maas.errors import FieldError
from maas_lab.networks.pixels import Normalise

if TYPE_CHECKING:
    from maas_lab.recipes.networks import CnnRecipe


class Cnn(nn.Module):
    """A classifier of pictures."""

    def __init__(self, recipe: "CnnRecipe", *, image: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = image
        halved = 2 ** len(recipe.channels)
        if min(height, width) < halved:
            raise FieldError(
                f"A picture of {height} x {width} cannot be halved {len(recipe.channels)} times.",
                field="network.channels",
            )
        self.normalise = Normalise()
        inputs = (channels, *recipe.channels)
        self.blocks = nn.ModuleList(
            Block(before, after) for before, after in zip(inputs, recipe.channels, strict=False)
        )
        left = recipe.channels[-1] * (height // halved) * (width // halved)
        self.hidden = nn.Linear(left, recipe.hidden)
        self.dropout = nn.Dropout(recipe.dropout)
        self.output = nn.Linear(recipe.hidden, classes)
        # Learns a fifth to a third faster on a CPU; the types of torch do not know it.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            pixels: float32 `[batch, channels, height, width]`, 0 to 1.

        Returns:
            float32 `[batch, classes]`.
        """
        states = self.normalise(pixels)
        for block in self.blocks:
            states = block(states)
        states = self.dropout(states.flatten(1))
        states = self.dropout(self.hidden(states).relu())
        logits: Tensor = self.output(states)
        return logits


class Block(nn.Module):
    """Two 3 x 3 convolutions, then the maximum of each 2 x 2 pixels."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        # The norms have a bias of their own.
        self.first = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)

    def forward(self, states: Tensor) -> Tensor:
        """float32 `[batch, before, height, width]` to `[batch, after, height / 2, width / 2]`."""
        states = self.first_norm(self.first(states)).relu()
        states = self.second_norm(self.second(states)).relu()
        return functional.max_pool2d(states, 2)
