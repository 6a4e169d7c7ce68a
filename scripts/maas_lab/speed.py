"""What a GPU was good for: its share of time at work, and what the CPU and float32 would take.

Imports torch and the lab. Nothing of it runs where there is no GPU:

    speed = measure_speed(task, tokenizer, progress, "cuda:0")      # None on a CPU
"""

import os
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import torch

from maas_lab.batches import batch_order
from maas_lab.environment import limit_threads
from maas_lab.records import Speed

if TYPE_CHECKING:
    from maas_lab.checkpoint import Progress
    from maas_lab.row_tokenizer import RowTokenizer
    from maas_lab.tasks.task import Task

_STEPS = 12
_CPU_STEPS = 3
_ROWS = 2048


def measure_speed(
    task: "Task", tokenizer: "RowTokenizer | None", progress: "Progress", device: str
) -> Speed | None:
    """Time steps of fresh networks of the recipe, on the GPU in both precisions and on the CPU.

    Args:
        task: Gives the rows, the network and the loss.
        tokenizer: The run's.
        progress: How long the training took.
        device: Where it was.

    Returns:
        None where there was no GPU, or its memory is too small to compare.
    """
    if not device.startswith("cuda") or not task.trains:
        return None
    busy: list[float] = []
    try:
        low = step_seconds(task, tokenizer, device, bf16=True, after=lambda: _sample(busy))
        full = step_seconds(task, tokenizer, device, bf16=False)
    except torch.cuda.OutOfMemoryError:
        return None
    with limit_threads(os.cpu_count() or 1):
        slow = step_seconds(task, tokenizer, "cpu", bf16=False, steps=_CPU_STEPS)
    own = low if task.recipe.training.precision == "bf16" else full
    return Speed(
        epoch=progress.seconds / max(1, progress.epoch),
        utilisation=statistics.mean(busy) if busy else None,
        over_cpu=slow / own,
        bf16_over_fp32=full / low,
    )


def step_seconds(
    task: "Task",
    tokenizer: "RowTokenizer | None",
    device: str,
    *,
    bf16: bool,
    steps: int = _STEPS,
    after: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The median time of one step, forward, backward and update (seconds).

    Args:
        task: Gives the rows, the network and the loss.
        tokenizer: The run's.
        device: Where to compute.
        bf16: Whether in bfloat16.
        steps: How many are timed; one before them warms up.
        after: Called after each.
        clock: Seconds.
    """
    plan = task.recipe.training
    rows = task.rows(task.dataset.train[:_ROWS], tokenizer)
    batch = rows.batch(
        batch_order(
            rows.lengths,
            batch_size=plan.batch_size,
            batch_tokens=plan.batch_tokens,
            seed=0,
            epoch=0,
        )[0],
        device=device,
    )
    network = task.network(tokenizer).to(device).train()
    optimizer = torch.optim.AdamW(network.parameters())
    kind = device.partition(":")[0]
    spent = []
    for _ in range(steps + 1):
        started = clock()
        with torch.autocast(kind, dtype=torch.bfloat16) if bf16 else nullcontext():
            loss = task.loss(network, batch, training=True)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        float(loss.detach())  # waits for the GPU
        spent.append(clock() - started)
        after()
    return statistics.median(spent[1:])


def _sample(busy: list[float]) -> None:
    """Ask the driver how busy the GPU is; its library may be absent."""
    with suppress(Exception):
        busy.append(torch.cuda.utilization() / 100)
