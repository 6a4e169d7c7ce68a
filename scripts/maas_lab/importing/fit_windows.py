"""A foreign graph that says something of each token, or of two texts, as a task asks for it.

Imports onnx, `maas` and the lab. Nothing of the graph is changed; its tensors must be those of its
task, as Hugging Face's exporters name them:

    fitted = fit_windows(foreign, exported, folder, wishes)
"""

from typing import TYPE_CHECKING

import onnx

from maas.bundle.manifest import ModelLimits
from maas.bundle.task_rules import CLASSIFYING, TOKENWISE, TYPES, entailment_of
from maas.engine.session import open_session
from maas.errors import FieldError, RefusedError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec
from maas.tasks import TOKENIZER
from maas.text.windows import load_windows
from maas_lab.exporting.forms import GRAPH, PORTABLE
from maas_lab.importing.fit_texts import labels_of
from maas_lab.importing.fitted import Fitted
from maas_lab.importing.forms import write_portable
from maas_lab.importing.vocabulary_files import read_tokenizer
from maas_lab.importing.window_requests import goldens_of, graph_answers

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.importing.exported import Exported
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.wishes import Wishes

_INPUTS = ("input_ids", "attention_mask")
_TEXT = ("batch", "sequence")
_ANSWERS = ("start_logits", "end_logits")


def fit_windows(
    foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes"
) -> Fitted:
    """Write the portable form, and record what it answers where nobody did.

    Raises:
        FieldError: Tokenizer or labels are missing, or do not fit.
        RefusedError: The graph's tensors are not those of such a model.
        BundleError: The graph holds what is not admitted, or no label says what follows.
    """
    if exported.tokenizer is None:
        raise FieldError("is needed for a task that reads texts", field="tokenizer")
    notes = [*foreign.notes, *exported.notes]
    inputs, outputs = _signature(foreign.model, wishes.task)
    labels: tuple[str, ...] = ()
    if wishes.task in CLASSIFYING:
        labels = labels_of(exported.labels, _width(outputs[0]), notes)
    if wishes.task in CLASSIFYING - TOKENWISE:
        entailment_of(labels)
    data, cuts = read_tokenizer(exported.tokenizer)
    folder.mkdir(parents=True)
    (folder / TOKENIZER).write_bytes(data)
    most = wishes.max_tokens or exported.limits.max_tokens or cuts or LIMITS.tokens
    most = min(most, LIMITS.tokens)
    _name_dimensions(foreign.model, outputs)
    write_portable(foreign.model, folder)
    goldens = exported.goldens
    if not goldens or (wishes.max_tokens or most) < exported.limits.max_tokens:
        session = open_session(folder / PORTABLE / GRAPH, optimised=True, threads=1)
        ask = graph_answers(session, typed=any(spec.name == TYPES for spec in inputs))
        tokenizer = load_windows(folder / TOKENIZER)
        per_token = wishes.task in TOKENWISE
        goldens = goldens_of(ask, tokenizer, wishes.task, most=most, per_token=per_token)
    return Fitted(
        inputs=inputs,
        outputs=outputs,
        goldens=goldens,
        limits=ModelLimits(max_tokens=most),
        labels=labels,
        notes=tuple(notes),
    )


def _signature(
    model: onnx.ModelProto, task: str
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs in the graph's order, held against the task's."""
    values = {value.name: value for value in (*model.graph.input, *model.graph.output)}
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]
    wanted = ["logits"] if task in CLASSIFYING else list(_ANSWERS)
    types = {values[name].type.tensor_type.elem_type for name in inputs}
    fits = set(_INPUTS) <= set(inputs) <= {*_INPUTS, TYPES} and outputs == wanted
    if not fits or types != {onnx.TensorProto.INT64}:
        raise RefusedError(
            f"The graph reads {', '.join(inputs)} and answers {', '.join(outputs)}; a model for"
            f" {task} reads {', '.join(_INPUTS)} and maybe {TYPES}, int64, and answers"
            f" {' and '.join(wanted)}. Export it so, or serve it as it is: --task tensor."
        )
    shape: tuple[int | str, ...] = _TEXT
    if task in CLASSIFYING:
        last = values["logits"].type.tensor_type.shape.dim
        if not last or last[-1].dim_value < 1:
            raise RefusedError(
                "The graph does not say how many numbers its logits end in. Export it with that."
            )
        leading = _TEXT if task in TOKENWISE else _TEXT[:1]
        shape = (*leading, last[-1].dim_value)
    return (
        tuple(TensorSpec(name, "int64", _TEXT) for name in inputs),
        tuple(TensorSpec(name, "float32", shape) for name in outputs),
    )


def _width(spec: TensorSpec) -> int:
    last = spec.shape[-1]
    return last if isinstance(last, int) else 0


def _name_dimensions(model: onnx.ModelProto, outputs: tuple[TensorSpec, ...]) -> None:
    """Let the graph say of its sizes what the manifest does."""
    for value in model.graph.input:
        integers = onnx.TensorProto.INT64
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, integers, _TEXT))
    for value, spec in zip(model.graph.output, outputs, strict=True):
        floats = onnx.TensorProto.FLOAT
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, floats, spec.shape))
