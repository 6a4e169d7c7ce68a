"""What every network for pictures does first. Imports torch.

states = Normalise()(pixels)
"""

import torch
from torch import Tensor, nn


class Normalise(nn.Module):
    """Brings pixels from between 0 and 1 to about 0 on average and a spread of about 1.

    Mean and deviation are MNIST's and held for all pictures: a network learns its own scale anyway,
    and one constant needs no file. They are buffers, so they are saved and exported with it.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.1307))
        self.register_buffer("deviation", torch.tensor(0.3081))

    def forward(self, pixels: Tensor) -> Tensor:
        """The same pixels, float32 `[batch, channels, height, width]`, normalised."""
        return (pixels - self.mean) / self.deviation
