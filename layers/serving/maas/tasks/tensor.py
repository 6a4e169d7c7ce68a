"""Any graph as it is: tensors in, tensors out, for a model that no other task knows how to ask.

May import `maas.bundle`, `maas.engine`, `maas.tasks`, `maas.errors` and numpy.

    model = TensorModel(manifest, session)
    answer = model.predict(TensorRequest({"x": np.ones((1, 4), np.float32)}), deadline=deadline)
    answer.outputs["y"]

A golden request holds all that went in and came out. Floats may differ by TOLERANCE, and what is
larger than 1 by that share of itself; integers, bools and texts, and all shapes, are equal.
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from maas.bundle.dtypes import STRING
from maas.bundle.golden import GoldenTensor
from maas.errors import BundleError, FieldError
from maas.tasks.nodes import check_nodes
from maas.tasks.task import Counts
from maas.tasks.tensors import GraphTensors, TensorResponse, strings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.tasks.tensors import Array

_HALF = 64.0
"""By so much more a float16 may differ: its last bit is 1/1024 of it, and every node rounds."""


class TensorRequest(Struct, frozen=True):
    """One array per input.

    Attributes:
        feeds: By input; a string tensor is an array of bytes.
    """

    feeds: "Mapping[str, Array]"

    @property
    def counts(self) -> Counts:
        """Neither texts nor images: nobody knows what a tensor stands for."""
        return Counts()


class TensorModel:
    """A loaded graph that answers tensors. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", session: "Session") -> None:
        """Bring the two together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        check_nodes(manifest, session)
        self.tensors = GraphTensors(manifest, session)

    def predict(self, request: TensorRequest, *, deadline: float) -> TensorResponse:
        """Run the graph once.

        Raises:
            FieldError: A tensor is missing, unknown, or not what the graph takes.
            DeadlineError: The deadline came first.
        """
        return self.tensors.infer(request.feeds, deadline=deadline)

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked when the model was imported.

        Returns:
            The largest difference of a float from the recorded one, as `difference` has it.

        Raises:
            BundleError: The graph fails, or answers other integers, bools, texts or shapes.
        """
        feeds = {each.name: as_array(each) for each in golden.tensors}
        try:
            outputs = self.tensors.infer(feeds, deadline=deadline).outputs
        except FieldError as error:
            raise BundleError(f"A golden request is not answered: {error}") from error
        return max(difference(outputs[each.name], as_array(each)) for each in golden.answers)

    def check_widest(self, *, deadline: float) -> None:
        """Nothing: the golden requests are all of which is known that this graph takes it.

        How large a dimension may be, and which values go together, stands in no graph; what is too
        large for it ends at the deadline, or is answered as a request that is not acceptable.
        """


def difference(found: "Array", recorded: "Array") -> float:
    """How far an answer is from the recorded one.

    Args:
        found: What is answered now.
        recorded: What was.

    Returns:
        The largest difference of two floats, as a share of the recorded one where that is above 1;
        a sixty-fourth of that of float16. 0 for all else, infinity where one alone is no number.

    Raises:
        BundleError: Shapes differ, or values that may not.
    """
    if found.shape != recorded.shape:
        raise BundleError("A golden request is answered by a tensor of another shape.")
    if recorded.dtype.kind != "f":
        if not np.array_equal(_texts(found), _texts(recorded)):
            raise BundleError("A golden request is answered by other values.")
        return 0.0
    now, was = found.astype(np.float64), recorded.astype(np.float64)
    same = (now == was) | (np.isnan(now) & np.isnan(was))  # infinities too: they have no difference
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(now - was) / np.maximum(1.0, np.abs(was)))
    worst = float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))
    return worst / _HALF if recorded.dtype == np.float16 else worst


def as_array(tensor: GoldenTensor) -> "Array":
    """A recorded tensor as it is sent: texts as bytes."""
    if tensor.dtype == STRING:
        return strings([text.encode() for text in tensor.texts], tensor.shape)
    kind = np.dtype(tensor.dtype).newbyteorder("<")
    return np.frombuffer(tensor.data, kind).astype(tensor.dtype).reshape(tensor.shape)


def recorded(name: str, array: "Array") -> GoldenTensor:
    """A tensor as a golden request keeps it.

    Args:
        name: The input's or output's.
        array: Its values; texts may be `str` or UTF-8.
    """
    if array.dtype == np.object_:
        return GoldenTensor(name, STRING, array.shape, texts=tuple(_texts(array).ravel().tolist()))
    data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return GoldenTensor(name, array.dtype.name, array.shape, data)


def _texts(array: "Array") -> "Array":
    """Texts as `str`; any other tensor as it is."""
    if array.dtype != np.object_:
        return array
    elements = [
        each.decode() if isinstance(each, bytes) else str(each) for each in array.ravel().tolist()
    ]
    return strings(elements, array.shape)
