"""Checkpoints: all that training needs to go on exactly where it was, in safetensors.

Imports torch, safetensors, msgspec, `maas.errors` and other modules of the lab:

    save_checkpoint(run, learner, progress)
    progress = load_checkpoint(run, learner)                 # the newest that is whole
    network = load_best(run)                                 # what is exported

No state of a random generator is kept, because none outlives a step: the order of the batches
follows from (seed, epoch) and dropout from (seed, step).
"""

import hashlib
from typing import TYPE_CHECKING

import msgspec
import safetensors.torch
import torch
from msgspec import Struct
from safetensors import SafetensorError

from maas.errors import RefusedError
from maas.text.tokenizer import load_tokenizer
from maas_lab.files import write_file
from maas_lab.networks import build_network
from maas_lab.recipes.recipe import ImageClassification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor, nn

    from maas_lab.learner import Learner
    from maas_lab.runs import Run

_KEPT = 2  # the newest and one to fall back on
_NETWORK = "network."
_OPTIMIZER = "optimizer."
_AVERAGE = "average."
_SEAL = "maas"


class Progress(Struct, kw_only=True, forbid_unknown_fields=True):
    """How far training has come. The loop changes it; a checkpoint keeps it."""

    step: int = 0
    """Steps that were made."""
    epoch: int = 0
    """Epochs that were finished."""
    batch: int = 0
    """Batches of the present epoch that were made."""
    loss_sum: float = 0.0
    """Sum of the losses of those batches."""
    recent_sum: float = 0.0
    """Sum of the losses since the last step that was reported."""
    best_loss: float | None = None
    """The lowest validation loss so far; None before the first epoch's end."""
    best_epoch: int = 0
    """The epoch that reached it; the first is 1."""
    waited: int = 0
    """Epochs since then."""
    seconds: float = 0.0
    """Time spent in training so far, over all interruptions."""

    @property
    def mean_loss(self) -> float:
        """Mean loss of the present epoch's batches."""
        return self.loss_sum / self.batch

    def end_step(self, loss: float, *, seconds: float) -> None:
        """Count a step."""
        self.step += 1
        self.batch += 1
        self.loss_sum += loss
        self.recent_sum += loss
        self.seconds = seconds

    def end_epoch(self, loss: float) -> bool:
        """Count an epoch.

        Args:
            loss: The validation loss.

        Returns:
            Whether it is the lowest so far.
        """
        better = self.best_loss is None or loss < self.best_loss
        self.epoch += 1
        self.waited += 1
        self.batch = 0
        self.loss_sum = 0.0
        if better:
            self.best_loss, self.best_epoch, self.waited = loss, self.epoch, 0
        return better


class DamagedError(RefusedError):
    """A checkpoint is not what was saved."""

    code = "checkpoint_damaged"


def save_checkpoint(run: "Run", learner: "Learner", progress: Progress) -> None:
    """Write a checkpoint in one step, and drop those that are too old."""
    tensors = _prefixed(learner.network.state_dict(), _NETWORK)
    if learner.average is not None:
        tensors |= _prefixed(learner.average.state_dict(), _AVERAGE)
    for index, state in learner.optimizer.state_dict()["state"].items():
        for key, tensor in state.items():
            if isinstance(tensor, torch.Tensor):  # plain SGD keeps a None
                tensors[f"{_OPTIMIZER}{index}.{key}"] = tensor
    path = run.checkpoints / f"step-{progress.step:09d}.safetensors"
    write_file(path, _pack(tensors, msgspec.json.encode(progress)))
    _drop_old(run)


def load_checkpoint(
    run: "Run", learner: "Learner", say: "Callable[[str], None]" = lambda _: None
) -> Progress:
    """Restore the newest checkpoint that is whole; a damaged one is told and removed.

    Returns:
        Where training stands: at the very beginning if there is no checkpoint.
    """
    _drop_old(run)  # a kill may have come before this
    for path in reversed(_files(run)):
        try:
            tensors, note = _unpack(path.read_bytes())
        except FileNotFoundError:  # another process took it for damaged, or for too old
            continue
        except DamagedError:
            say(f"{path.name} is damaged; taking the one before it")
            path.unlink(missing_ok=True)
            continue
        learner.network.load_state_dict(_named(tensors, _NETWORK))
        if learner.average is not None:
            learner.average.load_state_dict(_named(tensors, _AVERAGE))
        _restore_optimizer(learner.optimizer, _named(tensors, _OPTIMIZER))
        return msgspec.json.decode(note, type=Progress)
    return Progress()


def save_best(run: "Run", learner: "Learner") -> None:
    """Keep the weights that are measured as the best so far, under their plain names."""
    write_file(run.best_file, _pack(learner.kept.state_dict(), b"{}"))


def restore_best(run: "Run", network: "nn.Module") -> None:
    """Put the best weights into a network of the run's sizes.

    Raises:
        RefusedError: They are absent or damaged.
    """
    try:
        tensors, _ = _unpack(run.best_file.read_bytes())
    except FileNotFoundError:
        raise RefusedError(
            f"Run {run.name} has no trained weights; train it with --resume."
        ) from None
    except DamagedError:
        raise DamagedError(
            f"The best weights of run {run.name} are damaged; train it again with --restart."
        ) from None
    network.load_state_dict(tensors)


def load_best(run: "Run") -> "nn.Module":
    """The trained network of a run, ready to be asked or exported.

    Returns:
        The network on the CPU, in evaluation mode.

    Raises:
        RefusedError: The run has no such weights, or a file of it is damaged.
    """
    recipe = run.recipe()
    size, image = 0, None
    if isinstance(recipe, ImageClassification):
        image = run.picture_shape()
    else:
        tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=recipe.vocabulary.max_tokens)
        size = tokenizer.vocabulary_size
    sizes = run.checkpoint if run.checkpoint.is_dir() else None
    network = build_network(
        recipe, vocabulary_size=size, image=image, checkpoint=sizes, weights=False
    )
    restore_best(run, network)
    return network.eval()


# ---- The format ---------------------------------------------------------------------------------


class _Seal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of ours says beside its tensors."""

    note: msgspec.Raw
    sha256: str


def _pack(tensors: "Mapping[str, Tensor]", note: bytes) -> bytes:
    """Tensors, a note and a checksum over both, which safetensors itself does not have."""
    # Cloned: what two names share (a table that is also the output's) is written under both.
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    checksum = hashlib.sha256(note + safetensors.torch.save(plain)).hexdigest()
    # One entry: the library writes several in an order that changes from process to process.
    seal = msgspec.json.encode(_Seal(note=msgspec.Raw(note), sha256=checksum)).decode()
    return safetensors.torch.save(plain, {_SEAL: seal})


def _unpack(content: bytes) -> "tuple[dict[str, Tensor], bytes]":
    """The tensors and the note, if not a bit has changed.

    Raises:
        DamagedError: A bit has changed, or it is no such file at all.
    """
    try:
        tensors = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        header = msgspec.json.decode(content[8 : 8 + length])
        seal = msgspec.json.decode(header["__metadata__"][_SEAL], type=_Seal)
        note = bytes(seal.note)
        packed = safetensors.torch.save(tensors)
    except (SafetensorError, msgspec.DecodeError, KeyError, ValueError, TypeError) as error:
        raise DamagedError("Not a checkpoint.") from error
    if hashlib.sha256(note + packed).hexdigest() != seal.sha256:
        raise DamagedError("The checksum of a checkpoint does not fit.")
    return tensors, note


def _named(tensors: "Mapping[str, Tensor]", prefix: str) -> "dict[str, Tensor]":
    """The tensors whose names begin so, under the rest of their names."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _prefixed(tensors: "Mapping[str, Tensor]", prefix: str) -> "dict[str, Tensor]":
    """The tensors with something before their names."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: "Mapping[str, Tensor]") -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".")
        state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _drop_old(run: "Run") -> None:
    for path in _files(run)[:-_KEPT]:
        path.unlink(missing_ok=True)  # another process may have been here


def _files(run: "Run") -> "list[Path]":
    return sorted(run.checkpoints.glob("step-*.safetensors"))
