"""Pictures to labels, as a task of training.

Imports torch, scikit-learn and the lab. Pixels stay uint8 until they are in a batch:

    task = open_pictures(recipe, cache=settings.cache, say=say)
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from maas_lab.data.dataset import load_pictures
from maas_lab.networks import build_network
from maas_lab.runs import PictureRow
from maas_lab.tasks.classes import Classes
from maas_lab.tasks.losses import weight_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor, nn

    from maas_lab.data.dataset import Dataset
    from maas_lab.data.rows import Picture
    from maas_lab.recipes.recipe import ImageClassification
    from maas_lab.recipes.training import TrainingRecipe
    from maas_lab.records import Scores
    from maas_lab.row_tokenizer import RowTokenizer
    from maas_lab.tasks.task import Indices, Validation

KEPT_ROWS = 512
"""Test rows that a run keeps: enough to compare an export on, and a few hundred kilobytes."""
_LINEAR_ROWS = 20_000  # training rows of the linear baseline, as the data set's own figures have it


@dataclass(frozen=True, slots=True)
class PictureBatch:
    """What one step learns from.

    Attributes:
        pixels: float32 `[batch, channels, height, width]`, 0 to 1.
        labels: int64 `[batch]`.
    """

    pixels: "Tensor"
    labels: "Tensor"

    def inputs(self) -> "tuple[Tensor]":
        """What the network's forward takes."""
        return (self.pixels,)


@dataclass(frozen=True, slots=True)
class PictureRows:
    """Pictures of one size.

    Attributes:
        pixels: uint8 `[rows, channels, height, width]`.
        labels: int64 `[rows]`, the index of the label.
        weights: float32 `[classes]`, what a row of each class counts; None for 1.
    """

    pixels: "npt.NDArray[np.uint8]"
    labels: "npt.NDArray[np.int64]"
    weights: "npt.NDArray[np.float32] | None" = None

    @property
    def lengths(self) -> "npt.NDArray[np.int64]":
        """1 for each row: all pictures cost the same."""
        return np.ones(len(self.labels), dtype=np.int64)

    def units(self, indices: "Indices") -> float:
        """The weights of the rows, added up."""
        return weight_of(self.labels[indices], self.weights)

    def batch(self, indices: "Indices", *, device: str) -> PictureBatch:
        """Put rows together, as numbers from 0 to 1."""
        pixels = torch.from_numpy(self.pixels[indices]).to(device).float() / 255
        return PictureBatch(pixels, torch.from_numpy(self.labels[indices]).to(device))


class PictureTask:
    """One image classification recipe on its pictures."""

    metric = "accuracy"
    trains = True
    checkpoint = None

    def __init__(self, recipe: "ImageClassification", dataset: "Dataset[Picture]") -> None:
        self.recipe = recipe
        self.dataset = dataset
        self._classes = Classes(recipe.data.labels, dataset.train, plan=recipe.training)

    @property
    def digest(self) -> str:
        """What is learned from."""
        return self.dataset.card.digest

    def vocabulary(self) -> None:
        """None: no text is read."""

    def network(self, _tokenizer: "RowTokenizer | None") -> "nn.Module":
        """A network with fresh weights for pictures of this size."""
        height, width, channels = self.dataset.train[0].pixels.shape
        return build_network(self.recipe, image=(channels, height, width))

    def rows(self, samples: "Sequence[Picture]", _tokenizer: "RowTokenizer | None") -> PictureRows:
        """Stack pictures."""
        pixels = np.stack([sample.pixels for sample in samples]).transpose(0, 3, 1, 2)
        return PictureRows(
            np.ascontiguousarray(pixels), self._classes.indices(samples), self._classes.weights
        )

    def loss(self, network: "nn.Module", batch: PictureBatch, *, training: bool) -> "Tensor":
        """The recipe's loss, summed; training moves, turns and mirrors pictures."""
        plan = self.recipe.training
        pixels = augment(batch.pixels, plan) if training else batch.pixels
        return self._classes.loss(network(pixels), batch.labels)

    def validate(self, network: "nn.Module", rows: PictureRows, *, device: str) -> "Validation":
        """Look at all validation rows."""
        return self._classes.validate(network, rows, device=device)

    def measure(
        self,
        network: "nn.Module",
        samples: "Sequence[Picture]",
        tokenizer: "RowTokenizer | None",
        *,
        device: str,
    ) -> "Scores":
        """Accuracy, scores per class, calibration."""
        return self._classes.measure(network, self.rows(samples, tokenizer), device=device)

    def baselines(self) -> dict[str, float]:
        """The majority, and logistic regression over pixels."""
        train, test = self.dataset.train[:_LINEAR_ROWS], self.dataset.test
        majority = Counter(sample.label for sample in self.dataset.train).most_common(1)[0][0]
        truth = np.array([sample.label for sample in test])
        model = LogisticRegression(max_iter=100)
        with warnings.catch_warnings():  # that it could still become a little better
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(_flat(train), [sample.label for sample in train])
        return {
            "majority": float((truth == majority).mean()),
            f"logistic regression on {len(train):,} training rows": float(
                (model.predict(_flat(test)) == truth).mean()
            ),
        }

    def transfer(
        self, _network: "nn.Module", _tokenizer: "RowTokenizer | None", *, device: str
    ) -> dict[str, float]:
        """Nothing: no other set has the same labels."""
        del device
        return {}

    def test_rows(self) -> list[PictureRow]:
        """The first test rows."""
        return [
            PictureRow(_shape(sample.pixels), sample.pixels.tobytes(), sample.label)
            for sample in self.dataset.test[:KEPT_ROWS]
        ]


def open_pictures(
    recipe: "ImageClassification", *, cache: "Path", say: Callable[[str], None]
) -> PictureTask:
    """Read the pictures of an image classification recipe."""
    return PictureTask(recipe, load_pictures(recipe.data, cache=cache, say=say))


def augment(pixels: "Tensor", plan: "TrainingRecipe") -> "Tensor":
    """Move, turn and mirror each picture by chance, as far as the recipe allows.

    Args:
        pixels: float32 `[batch, channels, height, width]`.
        plan: Says how far; nothing by default.

    Returns:
        float32 of the same shape; what comes in from outside is 0. Drawn from torch's own state.
    """
    if not (plan.shift or plan.rotate or plan.flip):
        return pixels
    rows, _, height, width = pixels.shape
    draw = torch.rand(4, rows, device=pixels.device) * 2 - 1
    angle = draw[0] * (plan.rotate * torch.pi / 180)
    across, down = (draw[1] * plan.shift).round(), (draw[2] * plan.shift).round()
    mirror = torch.where((draw[3] < 0) & plan.flip, -1.0, 1.0)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    # Where in the old picture each place of the new one lies, in units of half a side.
    maps = torch.stack(
        [
            torch.stack([mirror * cosine, -sine, across * 2 / width], dim=1),
            torch.stack([mirror * sine, cosine, down * 2 / height], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(maps, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def _flat(samples: "Sequence[Picture]") -> "npt.NDArray[np.float32]":
    pixels = np.stack([sample.pixels for sample in samples])
    return pixels.reshape(len(samples), -1).astype(np.float32) / np.float32(255)


def _shape(pixels: "npt.NDArray[np.uint8]") -> tuple[int, int, int]:
    height, width, channels = pixels.shape
    return height, width, channels
