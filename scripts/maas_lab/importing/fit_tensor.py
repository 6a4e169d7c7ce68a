"""A foreign graph as it is: nothing is changed but what its outputs say of their shapes.

Imports onnx, `maas` and the lab.

    fitted = fit_tensor(foreign, exported, folder, wishes)
    fitted.states                             # (("state", "stateN"),)
"""

from typing import TYPE_CHECKING

import onnx
from msgspec.structs import replace

from maas.bundle.composites import are_columns
from maas.engine.session import open_session
from maas.errors import FieldError, ModelError, RefusedError
from maas_lab.exporting.forms import GRAPH, PORTABLE
from maas_lab.importing.fitted import Fitted
from maas_lab.importing.forms import write_portable
from maas_lab.importing.invented import invented
from maas_lab.importing.recording import check_room, record_examples, record_invented
from maas_lab.importing.signature import declared, input_specs, output_specs
from maas_lab.importing.states import state_pairs
from maas_lab.importing.table_values import table_values
from maas_lab.importing.wishes import read_example

if TYPE_CHECKING:
    from pathlib import Path

    from maas.bundle.composites import Composite
    from maas.engine.session import Session
    from maas.registry.records import TensorSpec
    from maas_lab.importing.exported import Exported
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.recording import Recording
    from maas_lab.importing.wishes import Wishes


def fit_tensor(
    foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes"
) -> Fitted:
    """Write the portable form and record what it answers.

    Raises:
        FieldError: Labels do not fit, or an example does not.
        RefusedError: The graph cannot be served; with the remedy.
        BundleError: The graph holds what is not admitted.
    """
    model = foreign.model
    inputs = input_specs(model)
    check_room(inputs)
    states = state_pairs(inputs, tuple(map(declared, model.graph.output)))
    facts = write_portable(model, folder)
    graph = folder / PORTABLE / GRAPH
    if wishes.examples:
        examples = {str(path): read_example(path, inputs) for path in wishes.examples}
        recording = record_examples(graph, inputs, examples)
    else:
        requests = invented(
            inputs,
            states=set(states),
            rows=facts.rows,
            seed=foreign.digest,
            values=table_values(model),
        )
        recording = record_invented(graph, inputs, requests)
    outputs = _settled(folder, recording)
    labels = labels_among(foreign, exported, outputs)
    return Fitted(
        inputs=inputs,
        outputs=outputs,
        goldens=recording.goldens,
        limits=exported.limits,
        labels=labels,
        states=tuple(states.items()),
        notes=foreign.notes,
        manifest={"composites": _composites(foreign, outputs, labels)},
    )


def _settled(folder: "Path", recording: "Recording") -> "tuple[TensorSpec, ...]":
    """The outputs as they are, and the portable form with a graph that says so."""
    graph = folder / PORTABLE / GRAPH
    model = onnx.load(graph)  # its weights may have moved to a file
    said = [declared(value).shape for value in model.graph.output]
    outputs = output_specs(model, recording.answers, _sessions(graph))
    write_portable(model, folder)
    if any(map(_contradicts, said, outputs)):
        # What else follows from the graph is told once it no longer says what is wrong.
        outputs = output_specs(model, recording.answers, _sessions(graph))
        write_portable(model, folder)
    return outputs


def _contradicts(said: tuple[int | str, ...], spec: "TensorSpec") -> bool:
    """Whether a size that is said to be fixed is another one."""
    return len(said) == len(spec.shape) and any(
        isinstance(size, int) and size != found
        for size, found in zip(said, spec.shape, strict=True)
    )


def _sessions(graph: "Path") -> "tuple[Session, ...]":
    """The graph as it is, and as ONNX Runtime rewrites it when it is opened."""
    try:
        return tuple(open_session(graph, optimised=each, threads=1) for each in (True, False))
    except ModelError:
        raise RefusedError(
            "ONNX Runtime opens the graph as it is, and fails to optimise it. Export the model"
            " again with another version of the exporter."
        ) from None


def _composites(
    foreign: "Foreign", outputs: "tuple[TensorSpec, ...]", labels: tuple[str, ...]
) -> "tuple[Composite, ...]":
    """Maps are by the labels that are given, where they name as many; a column has one name."""
    specs = {spec.name: spec for spec in outputs}
    return tuple(
        replace(each, keys=labels) if len(labels) == len(each.keys) else each
        for each in foreign.composites
        if not each.keys or are_columns(each.keys, specs[each.name])
    )


def labels_among(
    foreign: "Foreign", exported: "Exported", outputs: "tuple[TensorSpec, ...]"
) -> tuple[str, ...]:
    """Those that are given; else the graph's own, where they can be labels.

    Raises:
        FieldError: Those that are given are of no output.
    """
    ends = [spec.shape[-1] for spec in outputs if spec.shape]
    if exported.labels:
        if not any(isinstance(end, str) or end == len(exported.labels) for end in ends):
            widths = ", ".join(map(str, ends)) or "none"
            raise FieldError(
                f"are {len(exported.labels)}; the outputs end in {widths}", field="labels"
            )
        return exported.labels
    named = 1 < len(set(foreign.labels)) == len(foreign.labels) and len(foreign.labels) in ends
    return foreign.labels if named else ()
