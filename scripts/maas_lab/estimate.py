"""How long a training will take, tried before it begins. Imports torch and the lab.

seconds = estimate_steps(learner, rows, batches)      # of one step, on average
"""

import copy
import time
from typing import TYPE_CHECKING

from maas_lab.learner import Learner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas_lab.tasks.task import Indices, Rows

_TRIED = 5


def estimate_steps(learner: Learner, rows: "Rows", batches: "Sequence[Indices]") -> float:
    """Time a few steps, forward and backward, on a copy of the network.

    Args:
        learner: Left as it is, but for torch's random state.
        rows: The training rows.
        batches: Those of an epoch; some of different cost are tried.

    Returns:
        Seconds of one step; without the first one tried, which warms up.
    """
    network = copy.deepcopy(learner.network)
    network.train()
    device = next(network.parameters()).device
    by_cost = sorted(batches, key=lambda indices: int(rows.lengths[indices].sum()))
    tried = [by_cost[at * (len(by_cost) - 1) // _TRIED] for at in range(_TRIED + 1)]
    spent = []
    for indices in tried:
        started = time.perf_counter()
        for share in filter(len, learner.parts_of(indices)):
            with learner.precision():
                batch = rows.batch(share, device=str(device))
                loss = learner.task.loss(network, batch, training=True)
            loss.float().backward()  # type: ignore[no-untyped-call]
            float(loss.detach())  # waits for a GPU
        spent.append(time.perf_counter() - started)
    return sum(spent[1:]) / _TRIED
