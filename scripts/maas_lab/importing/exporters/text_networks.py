"""Networks of Hugging Face's that answer a text with one row of numbers: traced, and proven.

Imports numpy, torch, `maas` and the lab.

    exported = export_rows(hub, network, "logits", out)
"""

import time
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from maas.bundle.golden import TOLERANCE, Golden
from maas.bundle.manifest import ModelLimits
from maas.engine.session import open_session
from maas.errors import RefusedError
from maas.text.tokenizer import load_tokenizer
from maas_lab.environment import limit_threads
from maas_lab.exporting.forms import GRAPH
from maas_lab.exporting.texts import cut
from maas_lab.exporting.tracing import trace
from maas_lab.graphs import strip_graph
from maas_lab.importing.exported import Exported, Proof
from maas_lab.importing.exporters.hub_folder import TOKENIZER
from maas_lab.importing.texts import TEXTS
from maas_lab.importing.vocabulary_files import read_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from maas.engine.session import Session
    from maas.text.tokenizer import Tokenizer
    from maas_lab.importing.exporters.hub_folder import HubFolder

    Floats = npt.NDArray[np.float32]

INPUTS = ("input_ids", "attention_mask")
_TEXT = {0: "batch", 1: "sequence"}
_SECONDS = 120.0
_GOLDENS = 8
_AT_ONCE = 8


class Answering(nn.Module):
    """A network of transformers as one from ids and mask to one tensor."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What `answer` makes of what the network says."""
        raise NotImplementedError


def export_rows(hub: "HubFolder", network: nn.Module, output: str, out: "Path") -> Exported:
    """Trace a network, write out/model.onnx, and compare it with torch.

    Args:
        hub: The folder that it came from.
        network: From ids and mask, int64 `[batch, sequence]`, to float32 `[batch, width]`.
        output: What its answer is called.
        out: An empty folder.

    Raises:
        FieldError: The tokenizer cannot be used.
        RefusedError: The graph does not answer what torch answers.
    """
    data, cuts = read_tokenizer(hub.tokenizer)
    (out / TOKENIZER).write_bytes(data)
    most = min(hub.max_tokens, cuts or hub.max_tokens)
    tokenizer = load_tokenizer(out / TOKENIZER, max_tokens=most)
    graph = trace_texts(network, (output,), {output: {0: "batch"}})
    onnx.save(graph, out / GRAPH, save_as_external_data=True, location="model.data")
    with limit_threads(1):  # as a session of the graph has it
        proof = prove_rows(network, out / GRAPH, tokenizer)
        goldens = _goldens(network, tokenizer)
    return Exported(
        graph=out / GRAPH,
        limits=ModelLimits(max_tokens=most),
        tokenizer=out / TOKENIZER,
        proof=proof,
        goldens=goldens,
    )


def trace_texts(
    network: nn.Module, outputs: "Sequence[str]", names: dict[str, dict[int, str]]
) -> onnx.ModelProto:
    """Trace a network that reads ids and mask, whatever their sizes.

    Args:
        network: As it is evaluated.
        outputs: What its answers are called.
        names: What the free dimensions of the outputs are called.
    """
    long, short = torch.ones((2, 7), dtype=torch.int64), torch.ones((3, 5), dtype=torch.int64)
    mask = torch.ones_like(long)
    mask[1, 4:] = 0
    examples = (long, mask), (short, torch.ones_like(short))
    free = dict.fromkeys(INPUTS, _TEXT)
    return strip_graph(trace(network, INPUTS, outputs, examples, names={**free, **names}))


def prove_rows(network: nn.Module, graph: "Path", tokenizer: "Tokenizer") -> Proof:
    """Compare a graph with torch on texts of several lengths, alone and together.

    Raises:
        RefusedError: An answer differs by more than TOLERANCE.
    """
    session = open_session(graph, optimised=False, threads=1)
    ordered = sorted(TEXTS, key=len)
    batches = [*cut(TEXTS, 1), *cut(TEXTS, _AT_ONCE), *cut(ordered, _AT_ONCE)]
    worst = 0.0
    for texts in batches:
        apart = np.abs(_ask(session, tokenizer, texts) - _ask_torch(network, tokenizer, texts))
        worst = max(worst, float(np.nan_to_num(apart, nan=np.inf).max()))
    if not worst <= TOLERANCE:
        raise RefusedError(
            f"The graph differs from torch by {worst:.3g} (at most {TOLERANCE:g}): this network"
            " cannot be traced. Export it to ONNX with its own tools, and import the .onnx file."
        )
    return Proof(rows=sum(map(len, batches)), max_difference=worst)


def _goldens(network: nn.Module, tokenizer: "Tokenizer") -> tuple[Golden, ...]:
    requests = [*((text,) for text in TEXTS[:_GOLDENS]), TEXTS[:_GOLDENS]]
    return tuple(
        Golden(
            texts=texts,
            logits=tuple(map(tuple, _ask_torch(network, tokenizer, texts).tolist())),
        )
        for texts in requests
    )


def _ask(session: "Session", tokenizer: "Tokenizer", texts: tuple[str, ...]) -> "Floats":
    encoded = tokenizer.encode(texts)
    feeds = dict(zip(INPUTS, (encoded.input_ids, encoded.attention_mask), strict=True))
    (answer,) = session.run(feeds, deadline=time.monotonic() + _SECONDS)
    return np.asarray(answer, dtype=np.float32)


def _ask_torch(network: nn.Module, tokenizer: "Tokenizer", texts: tuple[str, ...]) -> "Floats":
    encoded = tokenizer.encode(texts)
    with torch.inference_mode():
        answer: Floats = network(
            torch.from_numpy(encoded.input_ids), torch.from_numpy(encoded.attention_mask)
        ).numpy()
    return answer
