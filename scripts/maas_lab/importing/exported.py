"""What an exporter hands over: a graph with what its bundle needs beside it.

Imports the types of `maas`.

    exported = EXPORTERS["text-classification"](folder, out)
    exported.graph, exported.labels, exported.proof.max_difference
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from maas.bundle.golden import Golden
from maas.bundle.manifest import ImageInput, ModelLimits


@dataclass(frozen=True, slots=True)
class Proof:
    """How closely the graph answers what torch answers.

    Attributes:
        rows: Rows that were compared.
        max_difference: Largest absolute difference of a number.
    """

    rows: int
    max_difference: float


@dataclass(frozen=True, slots=True)
class Exported:
    """A model in ONNX. Its tensors have the names and types that its task asks for.

    Attributes:
        graph: The file; weights may lie beside it.
        limits: What the model was trained for.
        tokenizer: Its tokenizer.json, for a task that reads texts.
        labels: Class names, by class index; none where the task has no classes.
        image: The graph's picture, for a task that looks at one.
        proof: The comparison with torch; None where there was no torch.
        goldens: Requests with torch's answers, none with `tensors`. Where there are none, the graph
            is asked: that is for tasks which answer every text with one row of numbers.
        manifest: Further fields of the manifest by their names, for a task that has some.
        notes: What there is to know of it, for people.
    """

    graph: Path
    limits: ModelLimits
    tokenizer: Path | None = None
    labels: tuple[str, ...] = ()
    image: ImageInput | None = None
    proof: Proof | None = None
    goldens: tuple[Golden, ...] = ()
    manifest: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
