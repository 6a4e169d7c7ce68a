"""A network that is learning: its optimiser, its schedule, and one step.

Imports torch and the lab. The step is computed in parts, on one process or several, and is the same
step however it is parted, but for rounding:

    learner = Learner(task, network, processes)
    loss = learner.learn(rows, indices, step=progress.step, updates=12_000)
    learner.kept                      # what is measured and saved as the best
"""

import math
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from maas.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from maas_lab.processes import Processes
    from maas_lab.recipes.training import TrainingRecipe
    from maas_lab.tasks.task import Indices, Rows, Task

_DROPOUT = 1  # what a random state is for


class Learner:
    """The network, and all that changes with it.

    Attributes:
        task: Gives the loss.
        network: As its class made it, on its device.
        optimizer: torch's own.
        average: The moving average of the weights, where the recipe asks for one.
    """

    def __init__(self, task: "Task", network: nn.Module, processes: "Processes") -> None:
        plan = task.recipe.training
        self.task = task
        self._processes = processes
        made = make_optimizer(network, plan)
        self._wrapped, self.optimizer = processes.prepared(network, made)
        self.network = processes.bare(self._wrapped)
        self.average = (
            AveragedModel(
                self.network, multi_avg_fn=partial(_average, plan.average), use_buffers=True
            )
            if plan.average
            else None
        )
        if plan.compile and processes.device.startswith("cuda"):
            self._wrapped = torch.compile(self._wrapped)  # type: ignore[assignment]

    @property
    def kept(self) -> nn.Module:
        """The network that is measured, and whose weights are the run's outcome."""
        return self.network if self.average is None else self.average.module

    def learn(self, rows: "Rows", indices: "Indices", *, step: int, updates: int) -> float:
        """One step: forward, backward, update.

        Args:
            rows: The training rows.
            indices: int64 `[batch]`, those of this step, over all processes.
            step: Steps before this one.
            updates: Steps of the whole training, for the schedule.

        Returns:
            The mean loss of the batch.

        Raises:
            RefusedError: The loss is no number, or a GPU has too little memory for a part.
        """
        try:
            loss = self._gradients(rows, indices, step=step)
        except torch.cuda.OutOfMemoryError:
            raise RefusedError(
                "The GPU's memory is too small; raise training.accumulate in the recipe."
            ) from None
        if not math.isfinite(loss):
            raise RefusedError(
                f"The loss of step {step + 1} is {loss}; lower training.learning_rate in the"
                " recipe."
            )
        plan = self.task.recipe.training
        nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate * schedule(step, updates, plan)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return loss

    def _gradients(self, rows: "Rows", indices: "Indices", *, step: int) -> float:
        """The gradients of this process's share of a batch, part by part; gives the mean loss."""
        count, first = self._processes.count, self._processes.rank * self._parts
        shares = self.parts_of(indices)
        whole = rows.units(indices)
        self._wrapped.train()
        self.optimizer.zero_grad()
        total = torch.zeros((), device=self._processes.device)
        for part, share in enumerate(shares):
            # So that no random state has to be saved; each part draws for itself.
            seed_torch(self.task.recipe.seed, _DROPOUT, step, first + part)
            later = part + 1 < len(shares)
            with self._processes.gathered_later(self._wrapped) if later else nullcontext():
                chosen = share if len(share) else indices[:1]  # every process takes every turn
                batch = rows.batch(chosen, device=self._processes.device)
                with self.precision():
                    loss = self.task.loss(self._wrapped, batch, training=True)
                loss = loss.float() / whole * (1.0 if len(share) else 0.0)
                self._processes.backward(loss * count)  # gradients are averaged over processes
            total += loss.detach()
        return self._processes.summed(total)

    def parts_of(self, indices: "Indices") -> "list[Indices]":
        """This process's share of a batch, in the parts that it is computed in; some may be empty.

        Args:
            indices: int64 `[batch]`, over all processes.
        """
        first = self._processes.rank * self._parts
        return np.array_split(indices, self._processes.count * self._parts)[first:][: self._parts]

    @property
    def _parts(self) -> int:
        return self.task.recipe.training.accumulate

    def precision(self) -> "AbstractContextManager[object]":
        """What forward and loss are computed in."""
        if self.task.recipe.training.precision == "fp32":
            return nullcontext()
        kind = self._processes.device.partition(":")[0]
        return torch.autocast(kind, dtype=torch.bfloat16)


def make_optimizer(network: nn.Module, plan: "TrainingRecipe") -> torch.optim.Optimizer:
    """The optimiser that a recipe names.

    Weight decay is for matrices alone, but for those of embeddings: a word that a batch lacks would
    fade away.
    """
    tables = {
        parameter
        for module in network.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    decayed = [each for each in trained if each.ndim >= 2 and each not in tables]
    others = [each for each in trained if each.ndim < 2 or each in tables]
    groups: list[dict[str, object]] = [
        {"params": decayed, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    betas = (0.9, plan.beta2)
    if plan.optimizer == "adam":
        return torch.optim.Adam(groups, lr=plan.learning_rate, betas=betas)
    if plan.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=betas)
    momentum = 0.9 if plan.optimizer == "momentum" else 0.0
    return torch.optim.SGD(groups, lr=plan.learning_rate, momentum=momentum, nesterov=momentum > 0)


def schedule(step: int, updates: int, plan: "TrainingRecipe") -> float:
    """The step size of a step, as a share of the highest.

    Args:
        step: Steps before this one.
        updates: Steps of the whole training.
        plan: Names the schedule and the warm-up.

    Returns:
        0 to 1: it rises linearly in the warm-up, then stays (`constant`), falls linearly or along
        half a cosine to 0 at the end, or with the inverse square root of the steps.
    """
    rising = plan.warmup * updates
    if step + 1 <= rising:
        return (step + 1) / rising
    if plan.schedule == "constant":
        return 1.0
    if plan.schedule == "inverse-sqrt":
        return math.sqrt(max(1.0, rising) / (step + 1))
    left = min(1.0, max(0.0, (step - rising) / max(1.0, updates - rising)))
    return 1.0 - left if plan.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * left))


def _average(
    decay: float, averages: "Sequence[Tensor]", weights: "Sequence[Tensor]", updates: Tensor | int
) -> None:
    """Move averages on by one update; they forget faster at first, when much changes.

    Statistics of batch norms are averaged like weights; what counts is taken over.
    """
    so_far = float(updates)
    share = 1 - min(decay, (1 + so_far) / (10 + so_far))
    for average, weight in zip(averages, weights, strict=True):
        if average.is_floating_point():
            average.lerp_(weight, share)
        else:
            average.copy_(weight)


def seed_torch(seed: int, *purpose: int) -> None:
    """Set torch's random state to one that follows from these numbers, however close they are."""
    (state,) = np.random.SeedSequence([seed, *purpose]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))
