"""Pictures as a task: batches in the network's layout, and how training moves them."""

import numpy as np
import pytest
import torch

from maas_lab.recipes.training import TrainingRecipe
from maas_lab.tasks.pictures import PictureRows, augment


def one_dot(height: int = 9, width: int = 9) -> torch.Tensor:
    pixels = torch.zeros(1, 1, height, width)
    pixels[0, 0, 4, 2] = 1.0
    return pixels


def test_a_batch_holds_numbers_from_0_to_1() -> None:
    pixels = np.array([[[[0, 255]]], [[[51, 102]]], [[[1, 2]]]], dtype=np.uint8)
    rows = PictureRows(pixels, np.array([0, 1, 0]))

    batch = rows.batch(np.array([1, 0]), device="cpu")

    assert batch.pixels.flatten().tolist() == pytest.approx([0.2, 0.4, 0.0, 1.0])
    assert batch.labels.tolist() == [1, 0]
    assert rows.units(np.array([0, 1, 2])) == 3
    assert rows.lengths.tolist() == [1, 1, 1]


def test_rows_count_by_their_class() -> None:
    weights = np.array([0.5, 3.0], dtype=np.float32)
    rows = PictureRows(np.zeros((3, 1, 1, 1), np.uint8), np.array([0, 1, 0]), weights)

    assert rows.units(np.array([0, 1, 2])) == 4.0


def test_nothing_moves_where_the_recipe_says_nothing() -> None:
    pixels = one_dot()

    assert augment(pixels, TrainingRecipe()) is pixels


def test_a_shift_moves_whole_pixels_and_no_further_than_it_may() -> None:
    pixels = one_dot().repeat(200, 1, 1, 1)
    torch.manual_seed(0)

    moved = augment(pixels, TrainingRecipe(shift=2))

    places = [tuple(row[0].argmax().unsqueeze(0).tolist()) for row in moved]
    found = {divmod(place, 9) for (place,) in places}
    assert moved.amax(dim=(1, 2, 3)).tolist() == pytest.approx([1.0] * 200, abs=1e-4)
    assert found == {(4 + down, 2 + across) for down in range(-2, 3) for across in range(-2, 3)}


def test_half_of_the_pictures_are_mirrored() -> None:
    pixels = one_dot().repeat(200, 1, 1, 1)
    torch.manual_seed(0)

    mirrored = augment(pixels, TrainingRecipe(flip=True))

    left, right = (mirrored[:, 0, 4, place] > 0.99 for place in (2, 6))
    assert (left ^ right).all()
    assert 60 < int(right.sum()) < 140


def test_a_turn_keeps_the_middle_and_follows_the_seed() -> None:
    pixels = torch.zeros(50, 1, 9, 9)
    pixels[:, 0, 4, 4] = 1.0
    plan = TrainingRecipe(rotate=45.0)
    torch.manual_seed(3)
    first = augment(pixels, plan)
    torch.manual_seed(3)

    assert torch.equal(augment(pixels, plan), first)
    assert first[:, 0, 4, 4].min() > 0.99
    edge = torch.zeros(50, 1, 9, 9)
    edge[:, 0, 4, 8] = 1.0
    assert augment(edge, plan)[:, 0, 4, 8].std() > 0.1
