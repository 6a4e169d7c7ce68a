"""How long it will take, and what a device was good for, on a task that costs nothing."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from unit.maas_lab.test_learner import Fit, Points, learner_of

from maas_lab.checkpoint import Progress
from maas_lab.estimate import estimate_steps
from maas_lab.recipes.training import TrainingRecipe
from maas_lab.speed import measure_speed, step_seconds

if TYPE_CHECKING:
    from maas_lab.tasks.task import Rows, Task


def test_an_estimate_leaves_the_network_as_it_is() -> None:
    learner, task = learner_of(TrainingRecipe())
    before = {name: weight.clone() for name, weight in learner.network.state_dict().items()}
    batches = [np.arange(size) for size in (1, 12, 4)]

    seconds = estimate_steps(learner, cast("Rows", Points()), batches)

    assert 0 < seconds < 5
    assert set(task.seen) == {1, 4, 12}  # cheap and dear ones
    for name, weight in learner.network.state_dict().items():
        assert torch.equal(weight, before[name])
    assert all(parameter.grad is None for parameter in learner.network.parameters())


class Fresh(Fit):
    """The same, with a network and rows of its own."""

    trains = True
    dataset = SimpleNamespace(train=[])

    def network(self, _tokenizer: object) -> torch.nn.Module:
        return torch.nn.Linear(3, 1)

    def rows(self, _samples: object, _tokenizer: object) -> Points:
        return Points()


def test_a_step_is_timed_without_the_one_that_warms_up() -> None:
    task = Fresh(TrainingRecipe(batch_size=4))
    ticks = iter([0.0, 9.0, 10.0, 11.0, 20.0, 22.0, 30.0, 33.0])
    after: list[None] = []

    seconds = step_seconds(
        cast("Task", task),
        None,
        "cpu",
        bf16=True,
        steps=3,
        after=lambda: after.append(None),
        clock=lambda: next(ticks),
    )

    assert seconds == 2.0
    assert task.seen == [4] * 4
    assert len(after) == 4


def test_without_a_gpu_there_are_no_such_figures() -> None:
    task = cast("Task", Fresh(TrainingRecipe()))

    assert measure_speed(task, None, Progress(), "cpu") is None
