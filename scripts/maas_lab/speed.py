"""What a GPU was good for: its share of time at work, and what the CPU and float32 would take.

Imports torch and the lab. Nothing of it runs where there is no GPU:

    speed = measure_speed(task, tokenizer, "cuda:0")      # None on a CPU
"""

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import numpy as np
import torch

from maas_lab.records import Speed

if TYPE_CHECKING:
    from maas_lab.row_tokenizer import RowTokenizer
    from maas_lab.tasks.task import Rows, Task

_STEPS = 12
_CPU_STEPS = 3


def measure_speed(
    task: "Task", tokenizer: "RowTokenizer | None", device: str, *, other: str = "cpu"
) -> Speed | None:
    """Time steps of fresh networks of the recipe, as it says and otherwise.

    Args:
        task: Gives the rows, the network and the loss.
        tokenizer: The run's.
        device: Where the training was.
        other: What it is compared with.

    Returns:
        None where there was no GPU.
    """
    if not device.startswith("cuda") or not task.trains:
        return None
    plan = task.recipe.training
    rows = task.rows(task.dataset.train[: plan.batch_size * 4], tokenizer)
    steps = max(1, len(task.dataset.train) // plan.batch_size)
    low = step_seconds(task, rows, tokenizer, device, bf16=True)
    full = step_seconds(task, rows, tokenizer, device, bf16=False)
    own = low if plan.precision == "bf16" else full
    utilisation = None
    with suppress(Exception):  # the driver's own library may be absent
        utilisation = torch.cuda.utilization() / 100
    slow = step_seconds(task, rows, tokenizer, other, bf16=False, steps=_CPU_STEPS)
    return Speed(
        epoch=own * steps, utilisation=utilisation, over_cpu=slow / own, bf16_over_fp32=full / low
    )


def step_seconds(
    task: "Task",
    rows: "Rows",
    tokenizer: "RowTokenizer | None",
    device: str,
    *,
    bf16: bool,
    steps: int = _STEPS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The median time of one step, forward, backward and update (seconds)."""
    network = task.network(tokenizer).to(device).train()
    optimizer = torch.optim.AdamW(network.parameters())
    size = min(task.recipe.training.batch_size, len(rows.lengths))
    kind = device.partition(":")[0]
    spent = []
    for _ in range(steps + 1):
        started = clock()
        batch = rows.batch(np.arange(size), device=device)
        with torch.autocast(kind, dtype=torch.bfloat16) if bf16 else nullcontext():
            loss = task.loss(network, batch, training=True)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        float(loss.detach())  # waits for the GPU
        spent.append(clock() - started)
    return statistics.median(spent[1:])
