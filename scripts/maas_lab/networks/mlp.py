"""Dense layers over all pixels of a picture.

Imports torch and `maas_lab.recipes.networks`. `forward` is the model; pixels come as they are, from
0 to 1, and are normalised inside, so that whoever asks the graph cannot forget it:

    network = Mlp(recipe, image=(1, 28, 28), classes=10)
    logits = network(pixels)
"""

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

from maas_lab.networks.pixels import Normalise

if TYPE_CHECKING:
    from maas_lab.recipes.networks import MlpRecipe


class Mlp(nn.Module):
    """A classifier of pictures that knows nothing of neighbouring pixels."""

    def __init__(self, recipe: "MlpRecipe", *, image: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.normalise = Normalise()
        widths = [math.prod(image), *recipe.hidden]
        self.hidden = nn.ModuleList(nn.Linear(*sizes) for sizes in pairwise(widths))
        self.dropout = nn.Dropout(recipe.dropout)
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            pixels: float32 `[batch, channels, height, width]`, 0 to 1.

        Returns:
            float32 `[batch, classes]`.
        """
        states = self.normalise(pixels).flatten(1)
        for layer in self.hidden:
            states = self.dropout(layer(states).relu())
        logits: Tensor = self.output(states)
        return logits
