"""metrics.jsonl: the course of a training run, one JSON object a line.

Imports msgspec, tensorboardX and `maas_lab.files`. Some lines tell a step, others the end of an
epoch. TensorBoard's events lie beside all runs, in `tensorboard/<run>`:

    with MetricsLog(run, step=progress.step, epoch=progress.epoch) as log:  # later lines go
        log.append(StepMetrics(step=50, train_loss=0.69))
    steps, epochs = read_metrics(run.metrics_file)
"""

import os
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from tensorboardX import SummaryWriter

from maas_lab.files import write_file

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from maas_lab.runs import Run


class StepMetrics(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="step"):
    """A moment within an epoch."""

    step: int
    """Steps since the beginning."""
    train_loss: float
    """Mean loss of the steps since the last such line, with dropout on (nats)."""


class EpochMetrics(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="epoch"):
    """The end of an epoch."""

    step: int
    """Steps since the beginning."""
    epoch: int
    """The first is 1."""
    train_loss: float
    """Mean loss of the epoch's batches, with dropout on (nats)."""
    validation_loss: float
    """Mean cross-entropy of the validation rows, or tokens (nats)."""
    validation_accuracy: float
    """Share of the validation rows, or tokens, that are right (0 to 1)."""
    seconds: float
    """Time spent in training since the beginning; the only figure that no seed decides."""


Metrics = StepMetrics | EpochMetrics


class MetricsLog:
    """The file, written line by line, and TensorBoard's copy of it.

    Lines up to a checkpoint are kept; later ones, and half a line at the end, are dropped.

    Args:
        run: Whose course it is.
        step: Steps that the checkpoint holds.
        epoch: Epochs that it holds as finished. The end of the next one may stand at the same
            step, where the kill came between that line and its checkpoint.
        writes: False where another process does.
    """

    def __init__(self, run: "Run", *, step: int, epoch: int, writes: bool = True) -> None:
        self._path = run.metrics_file
        self._events: SummaryWriter | None = None
        if writes:
            kept = [line for line in _lines(self._path) if _within(line, step, epoch)]
            content = b"".join(msgspec.json.encode(line) + b"\n" for line in kept)
            write_file(self._path, content)
            folder = run.folder.parents[1] / "tensorboard" / run.name
            self._events = SummaryWriter(str(folder), purge_step=step + 1)

    def append(self, metrics: Metrics) -> None:
        """Add a line; it is on the disk before a checkpoint that comes after it."""
        if self._events is None:
            return
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(metrics) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        for name, value in msgspec.structs.asdict(metrics).items():
            if name not in ("step", "epoch", "seconds"):
                kind = type(metrics).__struct_config__.tag
                self._events.add_scalar(f"{kind}/{name}", value, metrics.step)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        """Let TensorBoard have what is still held."""
        if self._events is not None:
            self._events.close()


def read_metrics(path: "Path") -> tuple[list[StepMetrics], list[EpochMetrics]]:
    """The lines that tell a step and those that tell an epoch, each in order."""
    lines = _lines(path)
    steps = [line for line in lines if isinstance(line, StepMetrics)]
    epochs = [line for line in lines if isinstance(line, EpochMetrics)]
    return steps, epochs


def _within(line: Metrics, step: int, epoch: int) -> bool:
    return line.step <= step and (isinstance(line, StepMetrics) or line.epoch <= epoch)


def _lines(path: "Path") -> list[Metrics]:
    if not path.is_file():
        return []
    whole, _, _half = path.read_bytes().rpartition(b"\n")
    return [msgspec.json.decode(line, type=Metrics) for line in whole.splitlines()]
