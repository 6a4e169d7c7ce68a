"""Golden requests of a graph as it is: what it answers before anybody optimised it.

Imports numpy and `maas`.

    recording = record(portable / "model.onnx", inputs, requests)
    recording.goldens, recording.answers
"""

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.dtypes import STRING
from maas.bundle.golden import Golden
from maas.engine.session import open_session
from maas.errors import BundleError, DeadlineError, FieldError, ModelError, RefusedError
from maas.limits import LIMITS
from maas.tasks.tensor import difference, recorded
from maas.tasks.tensors import as_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from maas.engine.session import Session
    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array

    Feeds = Mapping[str, Array]

_GOLDENS = 3
_RUN_SECONDS = 2.0  # all golden requests are replayed within ten when a model is registered
_GOLDEN_BYTES = LIMITS.golden_bytes // 8  # of one request; base64 makes them a third more
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Recording:
    """Requests with their answers.

    Attributes:
        goldens: As the bundle keeps them, the smallest first.
        answers: By output what was answered, in the same order.
    """

    goldens: tuple[Golden, ...]
    answers: "tuple[Feeds, ...]"


def record_examples(
    graph: "Path", specs: "Sequence[TensorSpec]", examples: "Mapping[str, Feeds]"
) -> Recording:
    """Ask a graph what its owner sent.

    Args:
        graph: Opened as it is, without any rewriting.
        specs: Its inputs.
        examples: By the name of its file, arrays by input that fit those; texts as bytes.

    Raises:
        FieldError: The graph fails on an example.
        RefusedError: Asked twice, the graph answers otherwise.
    """
    asking = _Asking(graph, specs)
    found = []
    for name, feeds in examples.items():
        answer = asking.answer(feeds)
        if answer is None:
            raise FieldError(
                f"{name}: the graph fails on it, takes longer than {_RUN_SECONDS:g} s, or answers"
                " more than can be kept",
                field="example",
            )
        found.append((feeds, answer))
    return _recording(specs, found)


def record_invented(
    graph: "Path", specs: "Sequence[TensorSpec]", requests: "Iterator[Iterator[Feeds]]"
) -> Recording:
    """Ask a graph what was invented for it, until it has answered requests of three sizes.

    Args:
        graph: Opened as it is, without any rewriting.
        specs: Its inputs.
        requests: Per sizes, requests of which one is enough.

    Raises:
        RefusedError: It takes none of them, or answers otherwise when it is asked twice.
    """
    asking = _Asking(graph, specs)
    found: list[tuple[Feeds, Feeds]] = []
    until = time.monotonic() + _PATIENCE
    for styles in requests:
        if len(found) == _GOLDENS or time.monotonic() > until:
            break
        answered = ((feeds, asking.answer(feeds)) for feeds in styles)
        found += [(feeds, answer) for feeds, answer in answered if answer is not None][:1]
    if not found:
        raise RefusedError(
            "The graph fails on every request that was invented for it, or answers no finite"
            " number, or more than can be kept. Give it one that it takes: --example request.json,"
            ' with {"inputs": [{"name", "shape", "datatype", "data"}]} as the Open Inference'
            " Protocol has it."
        )
    return _recording(specs, found)


def check_room(specs: "Sequence[TensorSpec]") -> None:
    """Refuse a graph whose smallest request is larger than one that is kept with its answer.

    Raises:
        RefusedError: With what is possible instead.
    """
    least = sum(
        np.dtype(spec.dtype).itemsize
        * math.prod(size if isinstance(size, int) else 1 for size in spec.shape)
        for spec in specs
        if spec.dtype != STRING
    )
    if least > _GOLDEN_BYTES:
        raise RefusedError(
            f"reads at least {least:,} bytes a request. A bundle keeps requests of up to"
            f" {_GOLDEN_BYTES:,}, callers send up to {LIMITS.tensor_bytes:,} as bytes and"
            f" {LIMITS.tensor_values:,} values as JSON. Export it for smaller inputs, or for uint8;"
            " a classifier of pictures is sent files instead: --task image-classification.",
            field="model",
        )


class _Asking:
    """A graph that is asked everything twice."""

    def __init__(self, graph: "Path", specs: "Sequence[TensorSpec]") -> None:
        try:
            self._session: Session = open_session(graph, optimised=True, threads=1)
        except ModelError:
            raise RefusedError(
                "ONNX Runtime cannot open the graph: it is damaged, or has an operator that its"
                " CPU build lacks for these types. Export the model again, in float32."
            ) from None
        self._texts = [spec.name for spec in specs if spec.dtype == STRING]

    def answer(self, feeds: "Feeds") -> "Feeds | None":
        """What is answered; None where nothing is, or nothing that could be compared.

        Raises:
            RefusedError: The second answer is another one.
        """
        texts = {name: as_texts(feeds[name], field=name) for name in self._texts}
        try:
            first, second = (self._run({**feeds, **texts}) for _ in range(2))
        except (ModelError, DeadlineError):
            return None
        size = sum(array.nbytes for array in (*feeds.values(), *first.values()))
        if size > _GOLDEN_BYTES or not all(map(_says_something, first.values())):
            return None
        try:
            worst = max(difference(first[name], second[name]) for name in first)
        except BundleError:
            worst = np.inf
        if worst > 0:
            raise RefusedError(
                "Asked twice, the graph answers otherwise: it draws random numbers. Export the"
                " model for inference, without dropout and sampling."
            )
        return first

    def _run(self, feeds: "Feeds") -> "dict[str, Array]":
        deadline = time.monotonic() + _RUN_SECONDS
        outputs = self._session.run(feeds, deadline=deadline)
        return dict(zip((node.name for node in self._session.outputs), outputs, strict=True))


def _says_something(array: "Array") -> bool:
    """Whether an answer could tell one model from another; what is no number could not."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).any())


def _recording(specs: "Sequence[TensorSpec]", found: "Sequence[tuple[Feeds, Feeds]]") -> Recording:
    goldens = tuple(
        Golden(
            tensors=tuple(recorded(spec.name, feeds[spec.name]) for spec in specs),
            answers=tuple(recorded(name, array) for name, array in answer.items()),
        )
        for feeds, answer in found
    )
    return Recording(goldens, tuple(answer for _, answer in found))
