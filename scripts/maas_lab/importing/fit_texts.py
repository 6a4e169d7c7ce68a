"""A foreign graph that reads the tokens of a text: a classifier, or one that answers vectors.

Imports numpy, onnx, `maas` and the lab. Its tensors get the names and types of their task; a vector
per token becomes their mean; what answers probabilities answers their logarithms, of which softmax
makes them again:

    fitted = fit_classifier(foreign, exported, folder, wishes)
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from maas.errors import FieldError, RefusedError
from maas.limits import LIMITS
from maas_lab.importing.signature import chosen_output
from maas_lab.importing.surgery import Surgeon
from maas_lab.importing.text_graph import MASK, TextGraph

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from maas_lab.importing.exported import Exported
    from maas_lab.importing.fitted import Fitted
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.wishes import Wishes

    Floats = npt.NDArray[np.float32]

_TINY = 1e-9


def fit_classifier(
    foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes"
) -> "Fitted":
    """Make a graph one from `input_ids` and `attention_mask` to `logits`.

    Raises:
        FieldError: Tokenizer or labels are missing, or do not fit.
        RefusedError: The graph's tensors are not those of such a model.
        BundleError: The graph holds what is not admitted.
    """
    graph = TextGraph(foreign, exported, folder, wishes)
    surgeon = graph.surgeon()
    surgeon.answer_as(chosen_output(graph.model, 2, ("logits",)), "logits")
    surgeon.finish()
    answers = graph.opened("logits")
    if are_probabilities(answers):
        graph.notes.append("Probabilities are answered as logarithms, so that softmax fits.")
        surgeon = Surgeon(graph.model)
        surgeon.answer_as(surgeon.add("Log", ["logits"]), "logits")
        surgeon.finish()
        answers = graph.opened("logits")
    labels = labels_of(exported.labels, answers.shape[1], graph.notes)
    return replace(graph.fitted("logits", answers.shape[1]), labels=labels)


def fit_embedder(
    foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes"
) -> "Fitted":
    """Make a graph one from `input_ids` and `attention_mask` to `embedding`, of length 1.

    Raises:
        FieldError: The tokenizer is missing, or does not fit.
        RefusedError: The graph's tensors are not those of such a model.
        BundleError: The graph holds what is not admitted.
    """
    graph = TextGraph(foreign, exported, folder, wishes)
    surgeon = graph.surgeon()
    try:
        vectors = chosen_output(graph.model, 2, ("sentence_embedding", "embedding", "embeddings"))
    except RefusedError:
        states = chosen_output(graph.model, 3, ("last_hidden_state", "token_embeddings"))
        vectors = _mean(surgeon, states)
        graph.notes.append("A text's vector is the mean of its tokens'.")
    surgeon.answer_as(_unit(surgeon, vectors), "embedding")
    surgeon.finish()
    width = graph.opened("embedding").shape[1]
    return graph.fitted("embedding", width)


def are_probabilities(answers: "Floats") -> bool:
    """Whether each row sums up to 1 and has nothing below 0: softmax was taken already."""
    sums = np.abs(answers.sum(axis=1) - 1)
    return bool((answers >= 0).all() and (sums < 1e-3).all())


def labels_of(given: tuple[str, ...], width: int, notes: list[str]) -> tuple[str, ...]:
    """Labels of a classifier of so many classes; where nobody named them, their numbers.

    Raises:
        FieldError: There are more or fewer.
    """
    if not given and 2 <= width <= LIMITS.labels:
        notes.append("Nobody named the labels: they are LABEL_0 and so on.")
        return tuple(f"LABEL_{number}" for number in range(width))
    if len(given) != width:
        raise FieldError(f"must be {width}, as many as the graph answers numbers", field="labels")
    return given


def _mean(surgeon: Surgeon, states: str) -> str:
    """The mean of the vectors of a text's tokens, `[batch, width]`; padding does not count."""
    kept = surgeon.add("Cast", [MASK], to=1)
    last = surgeon.along("Unsqueeze", kept, 2)
    sums = surgeon.along("ReduceSum", surgeon.add("Mul", [states, last]), 1, keepdims=0)
    counts = surgeon.along("ReduceSum", last, 1, keepdims=0)
    least = surgeon.number(np.array(_TINY, dtype=np.float32))
    return surgeon.add("Div", [sums, surgeon.add("Max", [counts, least])])


def _unit(surgeon: Surgeon, vectors: str) -> str:
    """The same vectors, of length 1; nothing stays nothing."""
    squares = surgeon.along("ReduceSum", surgeon.add("Mul", [vectors, vectors]), 1, keepdims=1)
    least = surgeon.number(np.array(_TINY, dtype=np.float32))
    return surgeon.add(
        "Div", [vectors, surgeon.add("Max", [surgeon.add("Sqrt", [squares]), least])]
    )
