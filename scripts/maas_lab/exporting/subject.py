"""What is exported: a trained network with its rows, as one task has them.

Imports the types of onnx and `maas`. One class per kind of task offers these, and the forms, the
proofs and the golden requests are made from them alike:

    subject = open_subject(run)                  # maas_lab.exporting.subjects
    model = subject.graph()
    likeness = subject.likeness(session)         # of a form of it to torch
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import onnx

    from maas.bundle.golden import Golden
    from maas.engine.session import Session

    Feeds = Mapping[str, npt.NDArray[np.generic]]

ROWS = 256
"""Rows that are compared: test rows, and where these are fewer, test rows joined."""
ROWS_AT_ONCE = 32
GOLDEN_ROWS = 8
RUN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that are compared.

    Attributes:
        rows: Of the test split.
        joined_rows: Made by joining these, where they are too few.
        edge_rows: Made by hand: nothing left, one token, the longest, padded.
    """

    rows: int
    joined_rows: int
    edge_rows: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """How close the answers of a graph are to torch's.

    Attributes:
        max_difference: Largest absolute difference of a number.
        differing: Texts that were written otherwise.
        ties: Those of them of which torch itself rates two beams alike, so that either is right.
    """

    max_difference: float
    differing: int = 0
    ties: int = 0


class Subject(Protocol):
    """A trained network and its rows."""

    metric: str
    """The figure of which a quantised form may lose a point: accuracy, cosine, bleu or rouge_l."""
    counts: Counts

    def graph(self) -> "onnx.ModelProto":
        """The network as one graph, stripped."""

    def fused(self) -> "onnx.ModelProto | None":
        """The same with attention and norms as one node each, where that can be."""

    def quantised(self) -> "onnx.ModelProto":
        """The same with 8-bit weights, stripped."""

    def likeness(self, session: "Session") -> Likeness:
        """Ask a form and torch the same."""

    def goldens(self, session: "Session | None" = None) -> "list[Golden]":
        """Requests with what torch answers, or a form where there is one.

        A form of rounded weights is asked one row at a time: it rounds by the largest number of a
        batch, and serving cuts batches otherwise.
        """

    def measure(self, session: "Session") -> float:
        """The figure of a form on the test rows; 0 to 100, a cosine too."""

    def request(self) -> "Feeds":
        """One ordinary request, to take its time."""
