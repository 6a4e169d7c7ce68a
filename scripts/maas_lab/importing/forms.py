"""The forms of a foreign model: the portable graph, and the one that ONNX Runtime rewrote offline.

Imports onnx, `maas` and the lab. The second is kept where it is admitted and answers the same:

    write_portable(model, exported)
    outcome = write_optimised(exported, manifest, goldens)
    outcome.kept, outcome.reason
"""

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx

from maas.bundle.golden import TOLERANCE
from maas.bundle.graph_policy import check_graph
from maas.engine.session import open_session
from maas.errors import BundleError, DeadlineError, ModelError
from maas.loading import optimised_form
from maas.tasks import open_task
from maas_lab.exporting.forms import GRAPH, PORTABLE
from maas_lab.optimise import WEIGHTS, optimise_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from maas.bundle.golden import Golden
    from maas.bundle.graph_policy import GraphFacts
    from maas.bundle.manifest import Manifest

_INLINE_BYTES = 128 * 1024**2  # above it weights lie beside the graph, where they are mapped
_SMALL = 1_024
_REPLAY_SECONDS = 60.0
_TREES = frozenset(("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"))
_ROUNDING = ("QLinear", "QGemm", "QAttention", "QMoE", "DynamicQuantize", "QuantizeLinear")
_INTEGERS = frozenset(("MatMulInteger", "ConvInteger", "MatMulIntegerToFloat", "QEmbedLayerNorm"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a form.

    Attributes:
        kept: Whether it is in the bundle.
        max_difference: From what the portable graph answered, as a task's replay has it; None where
            it was not asked.
        reason: Why it was left out; empty where it was kept.
    """

    kept: bool
    max_difference: float | None = None
    reason: str = ""


def write_portable(model: onnx.ModelProto, exported: "Path") -> "GraphFacts":
    """Write a graph as it is, and hold it against the policy of what is served.

    Args:
        model: Stripped. Its weights may lie in a file afterwards, and no longer in it.
        exported: Becomes the parent of the form's folder.

    Raises:
        BundleError: The policy's reason.
    """
    folder = exported / PORTABLE
    folder.mkdir(parents=True, exist_ok=True)
    if model.ByteSize() <= _INLINE_BYTES:
        onnx.save(model, folder / GRAPH)
    else:
        onnx.save(
            model,
            folder / GRAPH,
            save_as_external_data=True,
            location=WEIGHTS,
            size_threshold=_SMALL,
        )
    return _admitted(folder)


def write_optimised(exported: "Path", manifest: "Manifest", goldens: "Sequence[Golden]") -> Outcome:
    """Let ONNX Runtime rewrite the portable form, and keep that where it may be shipped.

    Args:
        exported: With the portable form, and the files that every form needs.
        manifest: What the model is.
        goldens: Its requests, as the portable form answered them.
    """
    folder = exported / optimised_form()
    outcome = _tried(exported, folder, manifest, goldens)
    if not outcome.kept:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _tried(
    exported: "Path", folder: "Path", manifest: "Manifest", goldens: "Sequence[Golden]"
) -> Outcome:
    try:
        optimise_graph(exported / PORTABLE / GRAPH, folder)
        _admitted(folder)
        worst = replay_all(exported, folder.name, manifest, goldens)
    except (BundleError, ModelError, DeadlineError) as error:
        return Outcome(kept=False, reason=str(error).rstrip("."))
    if not worst <= TOLERANCE:
        return Outcome(
            kept=False,
            max_difference=worst,
            reason=f"it differs by {worst:.3g}, at most {TOLERANCE:g} is kept",
        )
    return Outcome(kept=True, max_difference=worst)


def replay_all(
    exported: "Path", form: str, manifest: "Manifest", goldens: "Sequence[Golden]"
) -> float:
    """The largest difference of a form's answers from the recorded ones.

    Args:
        exported: With the form, opened as it is, and the files that every form needs.
        form: Its name, and its folder's.
        manifest: What the model is.
        goldens: Its requests.

    Raises:
        BundleError: It answers otherwise, or its graph is not the one that the manifest describes.
        ModelError: It cannot be opened, or fails.
        DeadlineError: It takes too long.
    """
    session = open_session(exported / form / GRAPH, optimised=True, threads=1)
    task = open_task(manifest, exported, lambda: session)
    deadline = time.monotonic() + _REPLAY_SECONDS
    return max(task.replay(golden, deadline=deadline) for golden in goldens)


def is_rounded(model: onnx.ModelProto) -> bool:
    """Whether a graph computes with rounded numbers, whose last steps differ by processor."""
    return any(
        node.op_type.startswith(_ROUNDING) or node.op_type in _INTEGERS
        for node in _nodes(model.graph)
    )


def has_trees(model: onnx.ModelProto) -> bool:
    """Whether a graph holds an ensemble of trees, which no rewriting changes."""
    return any(node.op_type in _TREES for node in model.graph.node)


def _nodes(graph: onnx.GraphProto) -> "Iterator[onnx.NodeProto]":
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _admitted(folder: "Path") -> "GraphFacts":
    files = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != GRAPH}
    return check_graph((folder / GRAPH).read_bytes(), files)
