"""One step of learning: however it is parted, it is the same; schedules, decay, averages."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maas.errors import RefusedError
from maas_lab.learner import Learner, make_optimizer, schedule
from maas_lab.processes import Processes
from maas_lab.recipes.training import TrainingRecipe

if TYPE_CHECKING:
    from maas_lab.tasks.task import Indices, Rows, Task

POINTS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
WEIGHTS = np.arange(1.0, 13.0)


class Points:
    """Rows of numbers, each with a weight."""

    lengths = np.ones(12, dtype=np.int64)

    def units(self, indices: "Indices") -> float:
        return float(WEIGHTS[indices].sum())

    def batch(self, indices: "Indices", *, device: str) -> tuple[Tensor, Tensor]:
        weights = torch.from_numpy(WEIGHTS[indices]).float()
        return torch.from_numpy(POINTS[indices]).to(device), weights.to(device)


@dataclass
class Fit:
    """A task whose loss is a weighted sum of squares."""

    training: TrainingRecipe
    seen: list[int] = field(default_factory=list)

    @property
    def recipe(self) -> SimpleNamespace:
        return SimpleNamespace(training=self.training, seed=5)

    def loss(self, network: nn.Module, batch: tuple[Tensor, Tensor], *, training: bool) -> Tensor:
        assert training
        points, weights = batch
        self.seen.append(len(points))
        answer: Tensor = network(points)
        return (answer.squeeze(1) ** 2 * weights).sum()


def learner_of(plan: TrainingRecipe, processes: Processes | None = None) -> tuple[Learner, Fit]:
    torch.manual_seed(0)
    task = Fit(plan)
    return (
        Learner(cast("Task", task), nn.Linear(3, 1), processes or Processes("cpu")),
        task,
    )


def learned(plan: TrainingRecipe, *, steps: int = 3) -> tuple[list[float], dict[str, Tensor]]:
    learner, _ = learner_of(plan)
    rows = cast("Rows", Points())
    losses = [learner.learn(rows, np.arange(12), step=step, updates=9) for step in range(steps)]
    return losses, learner.network.state_dict()


@pytest.mark.parametrize("parts", [2, 5, 16])  # more parts than rows, too
def test_a_step_in_parts_is_the_same_step(parts: int) -> None:
    losses, weights = learned(TrainingRecipe())
    parted, other = learned(TrainingRecipe(accumulate=parts))

    assert parted == pytest.approx(losses, rel=1e-5)
    for name, weight in weights.items():
        torch.testing.assert_close(other[name], weight)


def test_the_first_loss_is_the_weighted_mean() -> None:
    learner, _ = learner_of(TrainingRecipe())
    with torch.inference_mode():
        answers = learner.network(torch.from_numpy(POINTS)).squeeze(1).numpy()

    (loss,), _ = learned(TrainingRecipe(), steps=1)

    assert loss == pytest.approx(float((answers**2 * WEIGHTS).sum() / WEIGHTS.sum()), rel=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "momentum"])
def test_each_optimiser_lowers_the_loss(optimizer: str) -> None:
    plan = TrainingRecipe(optimizer=optimizer, learning_rate=0.05)  # type: ignore[arg-type]

    losses, _ = learned(plan, steps=20)

    assert losses[-1] < losses[0] / 2


def test_the_gradient_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, _ = learner_of(TrainingRecipe(optimizer="sgd", learning_rate=1.0, clip=0.01))
    before = {name: weight.clone() for name, weight in learner.network.state_dict().items()}

    learner.learn(cast("Rows", Points()), np.arange(12), step=0, updates=1)

    moved = [learner.network.state_dict()[name] - weight for name, weight in before.items()]
    assert torch.cat([each.flatten() for each in moved]).norm() == pytest.approx(0.01, rel=1e-3)


def test_the_average_follows_the_weights_and_is_what_is_kept() -> None:
    learner, _ = learner_of(TrainingRecipe(average=0.5, learning_rate=0.1))
    rows = cast("Rows", Points())

    seen = []
    for step in range(3):
        learner.learn(rows, np.arange(12), step=step, updates=3)
        seen.append(learner.network.state_dict()["weight"].clone())

    early, later = 2 / 11, 3 / 12  # what is kept of the average after one and two updates
    expected = (seen[0] * early + seen[1] * (1 - early)) * later + seen[2] * (1 - later)
    torch.testing.assert_close(learner.kept.state_dict()["weight"], expected)
    assert learner.kept is not learner.network


def test_in_the_end_the_average_forgets_as_slowly_as_the_recipe_says() -> None:
    learner, _ = learner_of(TrainingRecipe(average=0.5, learning_rate=0.1))
    rows = cast("Rows", Points())
    for step in range(20):
        learner.learn(rows, np.arange(12), step=step, updates=21)
    before = learner.kept.state_dict()["weight"].clone()

    learner.learn(rows, np.arange(12), step=20, updates=21)

    expected = 0.5 * before + 0.5 * learner.network.state_dict()["weight"]
    torch.testing.assert_close(learner.kept.state_dict()["weight"], expected)


def test_lower_precision_gives_nearly_the_same_and_other_numbers() -> None:
    (full,), _ = learned(TrainingRecipe(), steps=1)
    (low,), weights = learned(TrainingRecipe(precision="bf16"), steps=1)

    assert low == pytest.approx(full, rel=0.05)
    assert low != full
    assert all(weight.dtype == torch.float32 for weight in weights.values())


def test_an_infinite_loss_says_what_to_change() -> None:
    learner, _ = learner_of(TrainingRecipe())
    with torch.no_grad():
        learner.network.state_dict()["bias"].fill_(float("inf"))

    with pytest.raises(RefusedError, match=r"step 7 is .*lower training\.learning_rate"):
        learner.learn(cast("Rows", Points()), np.arange(12), step=6, updates=9)


def test_a_gpu_that_is_not_there_is_refused() -> None:
    if torch.cuda.is_available():
        assert Processes("cuda").device.startswith("cuda")
    else:
        with pytest.raises(RefusedError, match="finds no GPU") as caught:
            Processes("cuda")
        assert caught.value.exit_code == 3


# ---- Schedules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 1.0, 1.0, 0.5, 0.0]),
        ("cosine", [0.5, 1.0, 1.0, 0.5, 0.0]),
    ],
)
def test_the_step_size_rises_and_falls(name: str, shares: list[float]) -> None:
    plan = TrainingRecipe(schedule=name, warmup=0.2)  # type: ignore[arg-type]

    # Of ten updates, two rise; then those at the beginning, middle and end of the rest
    assert [schedule(step, 10, plan) for step in (0, 1, 2, 6, 10)] == pytest.approx(shares)


def test_the_inverse_square_root_falls_without_end() -> None:
    plan = TrainingRecipe(schedule="inverse-sqrt", warmup=0.25)

    assert [schedule(step, 400, plan) for step in (99, 399, 1599)] == pytest.approx([1, 0.5, 0.25])


def test_without_a_warm_up_the_first_step_is_a_whole_one() -> None:
    for name in ("constant", "linear", "cosine", "inverse-sqrt"):
        assert schedule(0, 10, TrainingRecipe(schedule=name)) == 1.0


def test_decay_is_for_matrices_but_not_for_words() -> None:
    network = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3))

    optimizer = make_optimizer(network, TrainingRecipe(optimizer="adamw", weight_decay=0.1))

    decayed = [
        tuple(parameter.shape)
        for group in optimizer.param_groups
        for parameter in group["params"]
        if group["weight_decay"]
    ]
    assert decayed == [(3, 4)]
