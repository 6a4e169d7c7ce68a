"""An ONNX Runtime session that has no fallback, prints nothing and ends at a deadline.

The only module that imports `onnxruntime`. A session is opened once per version and shared by all
threads:

    session = open_session(folder / "model.onnx", optimised=True, threads=1)
    (logits,) = session.run({"input_ids": ids, "attention_mask": mask}, deadline=deadline)

A graph that reads at each step what it answered at the one before is run by steps:

    state = begin({"past": none}, read={"present": "past"})
    (logits,), state = session.step({"input_ids": ids}, state, deadline=deadline)
"""

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import onnxruntime
from msgspec import Struct

from maas.engine.watchdog import Watchdog
from maas.errors import DeadlineError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

ResultT = TypeVar("ResultT")
_PROVIDERS = ["CPUExecutionProvider"]
_FATAL = 4  # the library's own log goes to stderr and may name paths
_WATCHDOG = Watchdog()


class Node(Struct, frozen=True):
    """One input or output, as the graph itself has it.

    Attributes:
        name: Its name.
        dtype: numpy's name of its elements, such as `int64`; ONNX's own where numpy has none.
        shape: Its dimensions; a name or None where one varies. Empty where the graph says nothing.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


class State(Struct, frozen=True):
    """What a graph hands on from one step to the next, in the library's own memory.

    Attributes:
        read: By output the input that reads it at the next step.
        values: By input what it reads.
    """

    read: "Mapping[str, str]"
    values: "Mapping[str, onnxruntime.OrtValue]"


class Session:
    """A model that is ready to run. Safe to share between threads."""

    def __init__(self, native: onnxruntime.InferenceSession) -> None:
        self._native = native
        self.inputs = tuple(map(_node, native.get_inputs()))
        """In the graph's order."""
        self.outputs = tuple(map(_node, native.get_outputs()))
        """In the graph's order."""
        self._names = [node.name for node in self.outputs]

    def run(
        self, feeds: "Mapping[str, npt.NDArray[np.generic]]", *, deadline: float
    ) -> "list[npt.NDArray[np.generic]]":
        """Run the graph once.

        Args:
            feeds: One array per input of the graph.
            deadline: Seconds on `time.monotonic`'s clock at which the run is stopped.

        Returns:
            One array per output, in the graph's order.

        Raises:
            DeadlineError: The run was stopped; the session stays usable.
            ModelError: The graph failed on these arrays.
        """
        outputs: list[npt.NDArray[np.generic]] = self._until(
            deadline, self._native.run, self._names, feeds
        )
        return outputs

    def step(
        self,
        feeds: "Mapping[str, npt.NDArray[np.generic]]",
        state: State,
        *,
        deadline: float,
    ) -> "tuple[list[npt.NDArray[np.generic]], State]":
        """Run the graph once, with what it answered before for itself to read again.

        That stays where the library has it: through numpy it would be copied twice at every step.

        Args:
            feeds: One array per input that is not of the state.
            state: From `begin`, or from the step before.
            deadline: Seconds on `time.monotonic`'s clock at which the run is stopped.

        Returns:
            One array per output that is not of the state, in the graph's order; and the state.

        Raises:
            DeadlineError: The run was stopped; the session stays usable.
            ModelError: The graph failed on these arrays.
        """
        given = {**state.values, **{name: _value(array) for name, array in feeds.items()}}
        outputs: list[onnxruntime.OrtValue] = self._until(
            deadline, self._native.run_with_ort_values, self._names, given
        )
        by_name = dict(zip(self._names, outputs, strict=True))
        values = {state.read[name]: by_name.pop(name) for name in state.read}
        return [value.numpy() for value in by_name.values()], State(state.read, values)

    def _until(self, deadline: float, work: "Callable[..., ResultT]", *given: object) -> "ResultT":
        """Do work of the library, whose options come last, and stop it at a deadline."""
        options = onnxruntime.RunOptions()
        key = _WATCHDOG.arm(deadline, partial(setattr, options, "terminate", True))
        try:
            return work(*given, options)
        except Exception:  # noqa: BLE001 - the library's errors share no base but Exception
            if options.terminate:
                raise DeadlineError("The model did not finish before the deadline.") from None
            raise ModelError("The model failed on this input.") from None
        finally:
            _WATCHDOG.disarm(key)


def begin(arrays: "Mapping[str, npt.NDArray[np.generic]]", read: "Mapping[str, str]") -> State:
    """Make the state that a first step reads.

    Args:
        arrays: By input of the state what it is before anything was read.
        read: By output of the state the input that reads it at the next step.
    """
    return State(read, {name: _value(array) for name, array in arrays.items()})


def _value(array: "npt.NDArray[np.generic]") -> onnxruntime.OrtValue:
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


def _node(native: onnxruntime.NodeArg) -> Node:
    """Turn `tensor(float)` into numpy's name for it."""
    name = native.type.removeprefix("tensor(").removesuffix(")")
    dtype = {"float": "float32", "double": "float64"}.get(name, name)
    return Node(native.name, dtype, tuple(native.shape or ()))


def open_session(path: "Path", *, optimised: bool, threads: int) -> Session:
    """Open a graph whose files were verified.

    Args:
        path: The graph; external weights lie in its own folder and are memory-mapped.
        optimised: Whether the graph was optimised offline, so that opening it need not.
        threads: Intra-op threads.

    Raises:
        ModelError: ONNX Runtime refuses the graph.
    """
    level = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL  # and that of its runs, which inherit it
    options.graph_optimization_level = level.ORT_DISABLE_ALL if optimised else level.ORT_ENABLE_ALL
    # Spinning threads steal the CPU share that Lambda meters.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        native = onnxruntime.InferenceSession(
            str(path), options, providers=_PROVIDERS, enable_fallback=0
        )
    except Exception:  # noqa: BLE001 - the library's errors share no base but Exception
        raise ModelError("ONNX Runtime cannot open the model.") from None
    return Session(native)
