"""A model that goes on with a text, from a folder of Hugging Face's: one step of it, with a cache.

Imports numpy, torch, onnx, `maas` and the lab; transformers when it is asked.

    exported = export(folder, out)

What is traced is the network's own step. Mask and places are made here, from the mask that serving
sends, because transformers' own way of making them cannot be traced. Of the logits the last ones
alone are computed.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from maas.bundle.golden import TOLERANCE
from maas.bundle.manifest import ModelLimits
from maas.bundle.task_rules import PAST, PRESENT
from maas.engine.session import open_session
from maas.errors import RefusedError
from maas.text.generating import load_generating
from maas_lab.environment import limit_threads
from maas_lab.exporting.forms import GRAPH
from maas_lab.exporting.tracing import trace
from maas_lab.graphs import strip_graph
from maas_lab.importing.exported import Exported, Proof
from maas_lab.importing.exporters.hub_folder import TOKENIZER, open_folder
from maas_lab.importing.generation_files import context_of
from maas_lab.importing.greedy import go_on
from maas_lab.importing.texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from maas.engine.session import Session
    from maas.text.generating import GeneratingTokenizer

    Floats = npt.NDArray[np.float32]

_WRITTEN = 8
_CANNOT = (
    "This network cannot be traced with what it keeps of earlier tokens. Export it to ONNX with its"
    " own tools (optimum: --task text-generation-with-past), and import the .onnx file."
)


class CausalStep(nn.Module):
    """One step of a network of transformers, from tensors to tensors."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()  # the exporter puts back the mode that it finds here, into the network too

    def forward(self, input_ids: Tensor, attention_mask: Tensor, *past: Tensor) -> "list[Tensor]":
        """Logits of what may come next, and keys and values of all tokens so far."""
        from transformers import DynamicCache  # noqa: PLC0415 - seconds

        cache: Any = DynamicCache()
        for layer in range(len(past) // 2):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        length, total = input_ids.shape[1], attention_mask.shape[1]
        places = (attention_mask.cumsum(1) - 1).clamp(min=0)[:, -length:]
        order = torch.arange(total)
        seen = order[None, :] <= order[-length:, None]
        seen = seen[None, None] & attention_mask[:, None, None].bool()
        said = self.network(
            input_ids=input_ids,
            attention_mask=torch.where(seen, 0.0, torch.finfo(torch.float32).min),
            position_ids=places,
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return [
            said.logits,
            *(each for layer in cache.layers for each in (layer.keys, layer.values)),
        ]


def export(folder: "Path", out: "Path") -> Exported:
    """Trace the network, and prove it.

    Raises:
        FieldError: The folder lacks a file.
        RefusedError: It holds no such model, or one that cannot be traced.
    """
    hub = open_folder(folder)
    network = hub.load("AutoModelForCausalLM")
    context = context_of(hub.config)
    (out / TOKENIZER).write_bytes(hub.tokenizer.read_bytes())
    onnx.save(_traced(network), out / GRAPH, save_as_external_data=True, location="model.data")
    session = open_session(out / GRAPH, optimised=False, threads=1)
    tokenizer = load_generating(out / TOKENIZER)
    with limit_threads(1):  # as a session of the graph has it
        proof = prove_steps(network, session, tokenizer, context=context)
    return Exported(
        graph=out / GRAPH,
        limits=ModelLimits(max_tokens=context),
        tokenizer=hub.tokenizer,  # beside it lies how it generates
        proof=proof,
    )


def _traced(network: nn.Module) -> onnx.ModelProto:
    """The step as a graph, whatever its sizes."""
    config: Any = network.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    parts = [
        f"{layer}.{part}" for layer in range(config.num_hidden_layers) for part in ("key", "value")
    ]
    names: dict[str, dict[int, str]] = {
        "input_ids": {0: "batch", 1: "sequence"},
        "attention_mask": {0: "batch", 1: "total"},
        **{PAST + part: {0: "batch", 2: "past"} for part in parts},
        "logits": {0: "batch", 1: "last"},
        **{PRESENT + part: {0: "batch", 2: "total"} for part in parts},
    }
    inputs = ("input_ids", "attention_mask", *(PAST + part for part in parts))
    outputs = ("logits", *(PRESENT + part for part in parts))
    examples = tuple(
        (
            torch.ones((batch, new), dtype=torch.int64),
            torch.ones((batch, past + new), dtype=torch.int64),
            *(torch.randn(batch, heads, past, width) for _ in parts),
        )
        for batch, new, past in ((2, 3, 4), (3, 5, 6))
    )
    step = CausalStep(network)
    try:
        model = trace(step, inputs, outputs, (examples[0], examples[1]), names=names)
    except Exception as error:  # noqa: BLE001 - whatever a network of somebody else raises
        raise RefusedError(f"{_CANNOT} ({type(error).__name__} while it was traced)") from None
    return strip_graph(model)


def prove_steps(
    network: nn.Module, session: "Session", tokenizer: "GeneratingTokenizer", *, context: int
) -> Proof:
    """Go on with texts by the graph, and compare each step with torch, which keeps nothing.

    Args:
        network: The network.
        session: Its graph.
        tokenizer: Its tokenizer.
        context: Tokens that it reads and writes together.

    Raises:
        RefusedError: A logit differs by more than TOLERANCE of the largest one, or a token does.
    """
    worst, rows = 0.0, 0
    for text in TEXTS:
        prompt = tokenizer.encode(text, template=True).ids[: max(1, context - _WRITTEN)]
        if not prompt:
            continue
        way = go_on(session, prompt, most=min(_WRITTEN, context - len(prompt)))
        wanted = _ask_torch(network, [*prompt, *way.ids[:-1]])[len(prompt) - 1 :]
        for found, row in zip(way.logits, wanted, strict=True):
            apart = float(np.nan_to_num(np.abs(found - row), nan=np.inf).max())
            worst = max(worst, apart / max(1.0, float(np.abs(row).max())))
        rows += len(way.logits)
    if not worst <= TOLERANCE:
        raise RefusedError(
            f"The graph differs from torch by {worst:.3g} (at most {TOLERANCE:g}). {_CANNOT}"
        )
    return Proof(rows=rows, max_difference=worst)


def _ask_torch(network: nn.Module, ids: "Sequence[int]") -> "Floats":
    with torch.inference_mode():
        answer: Floats = network(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()
    return answer
