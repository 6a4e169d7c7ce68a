"""The processes that train together: one by itself, or those that torchrun has started.

Imports torch and accelerate, which knows of devices, of DistributedDataParallel and of who is who:

    processes = Processes(None)
    network, optimizer = processes.prepared(network, optimizer)
    if processes.first: ...
"""

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, cast

import torch
from accelerate import Accelerator

from maas.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from torch import Tensor, nn


class Processes:
    """This process among those that train.

    Args:
        device: `cpu` or `cuda`; None takes a GPU where there is one.

    Raises:
        RefusedError: A GPU is asked for, and there is none.
    """

    def __init__(self, device: str | None) -> None:
        has_gpu = torch.cuda.is_available()
        if device == "cuda" and not has_gpu:
            raise RefusedError("torch finds no GPU here; train on the CPU, or mend its driver.")
        on_cpu = not has_gpu if device is None else device == "cpu"
        self._accelerator = Accelerator(cpu=on_cpu)
        placed = self._accelerator.device
        self.device = "cpu" if placed.type == "cpu" else str(placed)
        self.rank = int(self._accelerator.process_index)
        self.count = int(self._accelerator.num_processes)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    @property
    def first_here(self) -> bool:
        """Whether this is the one that writes on its machine, whose disk others may not see."""
        return bool(self._accelerator.is_local_main_process)

    def described(self) -> str:
        """Where it trains, for people."""
        return self.device if self.count == 1 else f"{self.device} in {self.count} processes"

    def prepared(
        self, network: "nn.Module", optimizer: torch.optim.Optimizer
    ) -> "tuple[nn.Module, torch.optim.Optimizer]":
        """Bring both to the device, and gradients together where there are several processes."""
        made = self._accelerator.prepare(network, optimizer)
        return cast("tuple[nn.Module, torch.optim.Optimizer]", made)

    def bare(self, network: "nn.Module") -> "nn.Module":
        """The network itself, as its class made it."""
        return cast("nn.Module", self._accelerator.unwrap_model(network))

    def backward(self, loss: "Tensor") -> None:
        """Compute the gradients of a part's loss."""
        self._accelerator.backward(loss)

    def gathered_later(self, network: "nn.Module") -> "AbstractContextManager[object]":
        """Leave gradients where they are: a later part of the same batch brings them together."""
        if self.count == 1:
            return nullcontext()
        return cast("AbstractContextManager[object]", self._accelerator.no_sync(network))

    def summed(self, value: "Tensor") -> float:
        """A number of each process, added up."""
        if self.count == 1:
            return float(value)
        return float(self._accelerator.reduce(value.detach(), reduction="sum"))

    def from_first(self, value: float) -> float:
        """The first one's number, for all: so that nobody decides otherwise by a rounding."""
        if self.count == 1:
            return value
        mine = value if self.first else 0.0
        return self.summed(torch.tensor(mine, dtype=torch.float64, device=self.device))

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process; all of them get the same answer."""
        if self.count == 1:
            return flag
        return self.summed(torch.tensor(float(flag), device=self.device)) > 0

    def wait(self) -> None:
        """Wait for all others."""
        self._accelerator.wait_for_everyone()

    @contextmanager
    def first_goes_ahead(self) -> "Iterator[None]":
        """Let the others of a machine begin when its first one has ended."""
        with self._accelerator.local_main_process_first():
            yield

    def alone(
        self, make: "Callable[[], AbstractContextManager[None]]"
    ) -> "AbstractContextManager[None]":
        """What only the first one does, such as to take a lock."""
        return make() if self.first else nullcontext()

    def end(self) -> None:
        """Part from the others."""
        if self.count > 1:
            self._accelerator.end_training()
