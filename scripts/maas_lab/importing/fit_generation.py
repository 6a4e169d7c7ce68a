"""A foreign graph that goes on with a text, with what it keeps of earlier tokens as tensors.

Imports `maas` and the lab. Its tensors are called as the library optimum calls them, so that most
graphs fit as they are; where a text ends, and how it is talked to, lies in the files beside the
tokenizer:

    fitted = fit_generator(foreign, exported, folder, wishes)
"""

from typing import TYPE_CHECKING

from maas.bundle.manifest import ModelLimits
from maas.bundle.task_rules import PAST, POSITIONS, PRESENT
from maas.engine.session import open_session
from maas.errors import DeadlineError, FieldError, ModelError, RefusedError
from maas.limits import LIMITS
from maas.tasks import TOKENIZER
from maas.text.generating import load_generating
from maas_lab.exporting.forms import GRAPH, PORTABLE
from maas_lab.importing.fitted import Fitted
from maas_lab.importing.forms import write_portable
from maas_lab.importing.generation_files import context_of, read_generation, read_json
from maas_lab.importing.greedy import record_goldens
from maas_lab.importing.signature import declared, input_specs

if TYPE_CHECKING:
    from pathlib import Path

    from maas.bundle.golden import Golden
    from maas.registry.records import TensorSpec
    from maas_lab.importing.exported import Exported
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.wishes import Wishes

NEW_TOKENS = 256
"""Tokens that an imported model may write for one text, where its context has room for them."""
_READS = frozenset(("input_ids", "attention_mask", POSITIONS))


def fit_generator(
    foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes"
) -> Fitted:
    """Take a graph of `input_ids`, `attention_mask` and `past_key_values.*` as it is.

    Raises:
        FieldError: The tokenizer is missing.
        RefusedError: The graph's tensors are not those of such a model, or it fails.
        BundleError: The graph holds what is not admitted.
    """
    if exported.tokenizer is None:
        raise FieldError("is needed for a task that reads texts", field="tokenizer")
    inputs = input_specs(foreign.model)
    outputs = tuple(map(declared, foreign.model.graph.output))
    _check(inputs, outputs)
    folder.mkdir(parents=True)
    (folder / TOKENIZER).write_bytes(exported.tokenizer.read_bytes())
    write_portable(foreign.model, folder)
    beside = exported.tokenizer.parent
    generation, said = read_generation(beside)
    context = exported.limits.max_tokens or context_of(read_json(beside, "config.json"))
    most = min(wishes.max_tokens or context, LIMITS.context_tokens)
    return Fitted(
        inputs=inputs,
        outputs=outputs,
        goldens=_goldens(folder, generation.end_ids, most),
        limits=ModelLimits(max_tokens=most, max_new_tokens=max(1, min(NEW_TOKENS, most - 1))),
        notes=(*foreign.notes, *exported.notes, *said),
        manifest={"generation": generation},
    )


def _check(inputs: "tuple[TensorSpec, ...]", outputs: "tuple[TensorSpec, ...]") -> None:
    """Say what is missing, and how it comes there; what is left over the manifest's rules say."""
    reads, answers = {spec.name for spec in inputs}, {spec.name for spec in outputs}
    past = {name.removeprefix(PAST) for name in reads if name.startswith(PAST)}
    present = {name.removeprefix(PRESENT) for name in answers if name.startswith(PRESENT)}
    odd = {name for name in reads - _READS if not name.startswith(PAST)}
    if not past or past != present or odd or "logits" not in answers:
        named = ", ".join(sorted(odd)) or "no past_key_values with a present for each"
        raise RefusedError(
            f"The graph reads {named}; a model that goes on with texts reads input_ids,"
            " attention_mask, past_key_values.<n>.key and .value, and answers logits and"
            " present.<n>.key and .value. Export it so (optimum: --task"
            " text-generation-with-past, not merged), or give the folder with its weights."
        )


def _goldens(folder: "Path", ends: tuple[int, ...], most: int) -> "tuple[Golden, ...]":
    session = open_session(folder / PORTABLE / GRAPH, optimised=True, threads=1)
    tokenizer = load_generating(folder / TOKENIZER)
    try:
        goldens = record_goldens(session, tokenizer, ends=ends, room=most)
    except (ModelError, DeadlineError):
        raise RefusedError(
            "The graph fails on the tokens of a short text: the tokenizer is another model's, or"
            " the graph takes rows of one size alone."
        ) from None
    if not goldens:
        raise RefusedError(
            "The graph chooses all tokens narrowly, so that nothing it writes can be held against"
            " it later: its weights are not those of a trained model."
        )
    return goldens
