"""Networks of Hugging Face's that say something of each token, or of two texts: traced and proven.

Imports numpy, torch, `maas` and the lab.

    exported = export_windows(hub, Speaking(network, ("logits",), typed=typed), task, out)
"""

from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from maas.bundle.golden import TOLERANCE
from maas.bundle.manifest import ModelLimits
from maas.bundle.task_rules import TYPES
from maas.engine.session import open_session
from maas.errors import RefusedError
from maas.text.windows import load_windows
from maas_lab.environment import limit_threads
from maas_lab.exporting.forms import GRAPH
from maas_lab.exporting.tracing import trace
from maas_lab.graphs import strip_graph
from maas_lab.importing.exported import Exported, Proof
from maas_lab.importing.exporters.hub_folder import TOKENIZER
from maas_lab.importing.vocabulary_files import read_tokenizer
from maas_lab.importing.window_requests import answered, goldens_of, graph_answers, windows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from maas.tasks.window_rows import Rows
    from maas_lab.importing.exporters.hub_folder import HubFolder

    Floats = npt.NDArray[np.float32]

_TEXT = {0: "batch", 1: "sequence"}
_AT_ONCE = 8


class Speaking(nn.Module):
    """A network of transformers as one from ids, mask and maybe types to its named answers.

    Args:
        network: As it is evaluated.
        outputs: What its answers are called, in transformers and in the graph.
        typed: Whether it is told which of two texts a token is of.
    """

    def __init__(self, network: nn.Module, outputs: tuple[str, ...], *, typed: bool) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs
        self.inputs = ("input_ids", "attention_mask", *((TYPES,) if typed else ()))
        self.eval()

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Its answers, float32."""
        said = self.network(**dict(zip(self.inputs, tensors, strict=True)))
        return tuple(said[name] for name in self.outputs)

    def answer(self, rows: "Rows") -> "list[Floats]":
        """What it says of rows, by numpy."""
        tensors = map(torch.from_numpy, (rows.ids, rows.mask, rows.types)[: len(self.inputs)])
        with torch.inference_mode():
            return [each.numpy() for each in self(*tensors)]


def is_typed(hub: "HubFolder") -> bool:
    """Whether a network knows first texts from second ones."""
    kinds = hub.config.get("type_vocab_size")
    return isinstance(kinds, int) and kinds > 1


def export_windows(
    hub: "HubFolder", network: Speaking, task: str, out: "Path", *, per_token: bool
) -> Exported:
    """Trace a network, write out/model.onnx, and compare it with torch.

    Args:
        hub: The folder that it came from.
        network: What it is made of.
        task: What it is for.
        out: An empty folder.
        per_token: Whether it answers each token, and not each row.

    Raises:
        FieldError: The tokenizer cannot be used.
        RefusedError: The graph does not answer what torch answers.
    """
    data, cuts = read_tokenizer(hub.tokenizer)
    (out / TOKENIZER).write_bytes(data)
    most = min(hub.max_tokens, cuts or hub.max_tokens)
    tokenizer = load_windows(out / TOKENIZER)
    answer_axes = dict.fromkeys(network.outputs, _TEXT if per_token else {0: "batch"})
    graph = _traced(network, answer_axes)
    onnx.save(graph, out / GRAPH, save_as_external_data=True, location="model.data")
    windows = windows_of(tokenizer, task, most=most)
    with limit_threads(1):  # as a session of the graph has it
        session = open_session(out / GRAPH, optimised=False, threads=1)
        ask = graph_answers(session, typed=TYPES in network.inputs)
        worst = 0.0
        compared = [
            *([window] for window in windows),
            *(windows[at : at + _AT_ONCE] for at in range(0, len(windows), _AT_ONCE)),
        ]
        for batch in compared:
            ours, theirs = (
                answered(each, batch, pad_id=tokenizer.pad_id, per_token=per_token)
                for each in (ask, network.answer)
            )
            worst = max(worst, _apart(ours, theirs))
        goldens = goldens_of(network.answer, tokenizer, task, most=most, per_token=per_token)
    if not worst <= TOLERANCE:
        raise RefusedError(
            f"The graph differs from torch by {worst:.3g} (at most {TOLERANCE:g}): this network"
            " cannot be traced. Export it to ONNX with its own tools, and import the .onnx file."
        )
    return Exported(
        graph=out / GRAPH,
        limits=ModelLimits(max_tokens=most),
        tokenizer=out / TOKENIZER,
        proof=Proof(rows=sum(map(len, compared)), max_difference=worst),
        goldens=goldens,
    )


def _traced(network: Speaking, answer_axes: dict[str, dict[int, str]]) -> onnx.ModelProto:
    long, short = torch.ones((2, 7), dtype=torch.int64), torch.ones((3, 5), dtype=torch.int64)
    mask, types = torch.ones_like(long), torch.zeros_like(long)
    mask[1, 4:] = 0
    types[:, 3:] = 1
    count = len(network.inputs)
    examples = (
        (long, mask, types)[:count],
        (short, torch.ones_like(short), torch.zeros_like(short))[:count],
    )
    free = dict.fromkeys(network.inputs, _TEXT)
    names = {**free, **answer_axes}
    return strip_graph(trace(network, network.inputs, network.outputs, examples, names=names))


def _apart(ours: "Sequence[Floats]", theirs: "Sequence[Floats]") -> float:
    return max(
        float(np.nan_to_num(np.abs(one - other), nan=np.inf).max())
        for one, other in zip(ours, theirs, strict=True)
    )
