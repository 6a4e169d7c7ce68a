"""A network that writes → one graph that decodes: tracing of the parts of a search.

Imports torch, onnx and the rest of `maas_lab.exporting`:

    search = Search(network, vocabulary_size=8_000, length_penalty=1.0)
    parts = trace_parts(search)
    model = strip_graph(compose(parts, network, most=64))

Two graphs and a loop in Python, the exporter's own Loop, and ONNX Runtime's BeamSearch were weighed
against it in infra/decisions/0013-decoding-in-the-graph.md.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from maas_lab.exporting.composing import GOING, NEXT, Parts
from maas_lab.exporting.decoding import EOS, Beams, Search
from maas_lab.exporting.tracing import Traced, trace

if TYPE_CHECKING:
    Tensors = tuple[Tensor, ...]

INPUTS = ("input_ids", "attention_mask", "beams", "max_new_tokens")
_FIXED = Beams._fields[:-1]
_TEXT = {0: "batch", 1: "sequence"}


def trace_parts(search: Search) -> Parts:
    """Trace what begins, a step, and what ends.

    Everything that varies differs between the two examples: texts, their lengths, beams and the
    tokens that were written.
    """
    search.eval()
    (first, first_memory, first_held), (second, second_memory, second_held) = (
        _example(search, texts=2, tokens=5, beams=2, steps=2),
        _example(search, texts=3, tokens=7, beams=3, steps=4),
    )
    memory = [f"memory_{at}" for at in range(len(first_memory))]
    held = [*_FIXED, *(f"state_{at}" for at in range(len(first_held.state)))]

    def begin(input_ids: Tensor, attention_mask: Tensor, beams: Tensor) -> "Tensors":
        remembered, begun = search.begin(input_ids, attention_mask, beams)
        return (*remembered, *_flat(begun))

    def step(*given: Tensor) -> "Tensors":
        after = search.advance(given[: len(memory)], _beams(given[len(memory) :]))
        return (~after.finished.all(), *_flat(after))

    ends = ("outputs", "sums", "lengths")
    return Parts(
        begin=trace(Traced(search, begin), INPUTS[:3], [*memory, *held], (first, second)),
        step=trace(
            Traced(search, step),
            [*memory, *held],
            [GOING, *(name + NEXT for name in held)],
            ((*first_memory, *_flat(first_held)), (*second_memory, *_flat(second_held))),
        ),
        finish=trace(
            Traced(search, search.finish),
            ends,
            ["output_ids", "scores"],
            (_chosen(first_held, ends), _chosen(second_held, ends)),
        ),
    )


def _chosen(held: Beams, names: tuple[str, ...]) -> "Tensors":
    return tuple(getattr(held, name) for name in names)


def _flat(held: Beams) -> "Tensors":
    return (*held[:-1], *held.state)


def _beams(parts: "Tensors") -> Beams:
    fixed = dict(zip(_FIXED, parts, strict=False))
    return Beams(**fixed, state=parts[len(_FIXED) :])


def _example(
    search: Search, *, texts: int, tokens: int, beams: int, steps: int
) -> "tuple[Tensors, Tensors, Beams]":
    """A request, and its memory and beams after some steps."""
    input_ids = torch.full((texts, tokens), EOS)
    attention_mask = torch.ones_like(input_ids)
    attention_mask[1, 2:] = 0
    request = (input_ids * attention_mask, attention_mask, torch.tensor([beams]))
    with torch.inference_mode():
        memory, held = search.begin(*request)
        for _ in range(steps):
            held = search.advance(memory, held)
    return request, memory, held
