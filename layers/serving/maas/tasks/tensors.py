"""A model asked by tensors instead of a task's own request: what the Open Inference Protocol needs.

May import `maas.errors`, `maas.bundle`, `maas.engine`, `maas.tasks.task` and numpy.

    tensors = GraphTensors(manifest, session)
    tensors.inputs                        # (TensorSpec("input_ids", "int64", ("batch", 128)), …)
    tensors.infer({"input_ids": ids}, deadline=deadline).outputs["logits"]

A string tensor is an array of objects: bytes where it is asked, texts where it answers.
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.dtypes import STRING
from maas.errors import FieldError, ModelError
from maas.registry.records import TensorSpec
from maas.tasks.answers import Answer
from maas.tasks.task import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session

    Array = npt.NDArray[np.generic] | npt.NDArray[np.object_]

__all__ = ["STRING", "GraphTensors", "TensorResponse", "as_texts", "check_feeds", "strings"]


class TensorResponse(Answer, frozen=True):
    """What a model answered, as tensors.

    Attributes:
        outputs: By name, in the order in which the model lists them.
        counts: Texts and images of the request.
    """

    outputs: "dict[str, Array]"
    counts: Counts = Counts()


class GraphTensors:
    """A graph as it is. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", session: "Session") -> None:
        self.inputs = manifest.inputs
        self.outputs = manifest.outputs
        self._session = session

    def infer(self, feeds: "Mapping[str, Array]", *, deadline: float) -> TensorResponse:
        """Run the graph once.

        Args:
            feeds: One array per input.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A tensor is missing, unknown, or not what the graph takes.
            DeadlineError: The deadline came first.
        """
        try:
            return self.run(feeds, deadline=deadline)
        except ModelError:  # nothing but the graph says which values it takes
            raise FieldError(
                "The model fails on these tensors; check their values and sizes.", field="inputs"
            ) from None

    def run(self, feeds: "Mapping[str, Array]", *, deadline: float) -> TensorResponse:
        """Run the graph once on what it must take, so that a failure is the model's.

        Raises:
            FieldError: A tensor is missing, unknown, or of another type or shape.
            ModelError: The graph failed.
            DeadlineError: The deadline came first.
        """
        check_feeds(self.inputs, feeds)
        texts = {
            spec.name: as_texts(feeds[spec.name], field=spec.name)
            for spec in self.inputs
            if spec.dtype == STRING
        }
        started = time.perf_counter()
        outputs = self._session.run({**feeds, **texts}, deadline=deadline)
        return TensorResponse(
            outputs=dict(zip((spec.name for spec in self.outputs), outputs, strict=True)),
            seconds={"run": time.perf_counter() - started},
        )


def check_feeds(specs: "Sequence[TensorSpec]", feeds: "Mapping[str, Array]") -> None:
    """Refuse tensors that are not those of a model.

    Args:
        specs: What the model reads.
        feeds: What was sent.

    Raises:
        FieldError: With the name of the input at fault, and what it must be.
    """
    names = ", ".join(spec.name for spec in specs)
    if feeds.keys() - {spec.name for spec in specs}:
        raise FieldError(f"one is not known to this model, which reads {names}", field="inputs")
    sizes: dict[str, int] = {}
    for spec in specs:
        if spec.name not in feeds:
            raise FieldError(f"is missing; this model reads {names}", field=spec.name)
        _check_feed(spec, feeds[spec.name], sizes)


def _check_feed(spec: TensorSpec, array: "Array", sizes: dict[str, int]) -> None:
    dtype = STRING if array.dtype == np.object_ else array.dtype.name
    if dtype != spec.dtype:
        raise FieldError(f"must be {spec.dtype}, and is {dtype}", field=spec.name)
    fits = array.ndim == len(spec.shape) and all(
        size == (wanted if isinstance(wanted, int) else sizes.setdefault(wanted, size))
        for size, wanted in zip(array.shape, spec.shape, strict=True)
    )
    if not fits:
        shape = ", ".join(map(str, spec.shape))
        raise FieldError(
            f"must have the shape [{shape}], and has {list(array.shape)};"
            " a name stands for one size in all inputs",
            field=spec.name,
        )


def sent_files(
    feeds: "Mapping[str, Array]", spec: TensorSpec, *, instead_of: str
) -> tuple[bytes, ...]:
    """The files of an input that stands for all of a graph's own.

    Args:
        feeds: What was sent, that input among it.
        spec: The input: strings `[batch]`, also taken as `[batch, 1]`.
        instead_of: What it stands for, for the message.

    Raises:
        FieldError: There are others beside it, or it is of another type or shape.
    """
    array = feeds[spec.name]
    if len(feeds) > 1:
        raise FieldError(f"must come alone: it stands for {instead_of}", field=spec.name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    check_feeds((spec,), {spec.name: array})
    return tuple(array.tolist())


def as_texts(array: "Array", *, field: str) -> "npt.NDArray[np.object_]":
    """Read the bytes of a string tensor as UTF-8.

    Raises:
        FieldError: An element is something else.
    """
    try:
        texts = [element.decode() for element in array.ravel().tolist()]
    except UnicodeDecodeError:
        raise FieldError("an element is not UTF-8", field=field) from None
    return strings(texts, array.shape)


def strings(
    elements: "Iterable[str | bytes]", shape: "tuple[int, ...]"
) -> "npt.NDArray[np.object_]":
    """A string tensor; numpy itself would cut what ends with a zero."""
    array = np.empty(shape, dtype=np.object_)
    array.ravel()[:] = [*elements]
    return array
