"""A graph that goes on with a text, run step by step: the likeliest tokens, and how narrowly.

Imports numpy, `maas.engine`, `maas.text` and the lab; no task, for there is no manifest yet.

    way = go_on(session, prompt_ids, most=16)
    way.ids, way.logits[0], way.margin
    goldens = record_goldens(session, tokenizer, ends=(2,), room=48)
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.golden import GOLDEN_TOKENS, Golden
from maas.bundle.task_rules import PAST, POSITIONS, PRESENT
from maas.engine.session import begin
from maas.text.generating import Detokeniser
from maas_lab.importing.texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.engine.session import Node, Session
    from maas.text.generating import GeneratingTokenizer

    Floats = npt.NDArray[np.float32]

NARROW = 1e-3
"""Logits of two tokens that are nearer may be the other way round on another processor."""
_GOLDENS = 8
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Way:
    """What was written greedily.

    Attributes:
        ids: The tokens, the one that ends a text among them.
        logits: By step what they were chosen by, float32 `[vocabulary]` each.
        margin: How much likelier the narrowest choice was than the next one, in logits.
    """

    ids: tuple[int, ...]
    logits: "tuple[Floats, ...]"
    margin: float


def go_on(
    session: "Session", prompt: "Sequence[int]", *, most: int, ends: "Sequence[int]" = ()
) -> Way:
    """Go on with a text greedily.

    Args:
        session: A graph whose tensors are those of its task.
        prompt: The text's tokens.
        most: Tokens to write at the most.
        ends: Tokens that end a text.

    Raises:
        ModelError: The graph failed.
        DeadlineError: It takes too long.
    """
    deadline = time.monotonic() + _SECONDS
    past = {node.name: _nothing(node) for node in session.inputs if node.name.startswith(PAST)}
    state = begin(past, {PRESENT + name.removeprefix(PAST): name for name in past})
    places = any(node.name == POSITIONS for node in session.inputs)
    ids: list[int] = []
    seen: list[Floats] = []
    new, total = list(prompt), 0
    while len(ids) < most and not (ids and ids[-1] in ends):
        feeds = {
            "input_ids": np.array([new], dtype=np.int64),
            "attention_mask": np.ones((1, total + len(new)), dtype=np.int64),
        }
        if places:
            feeds[POSITIONS] = np.arange(total, total + len(new), dtype=np.int64)[None]
        total += len(new)
        answers, state = session.step(feeds, state, deadline=deadline)
        seen.append(np.asarray(answers[0], dtype=np.float32)[0, -1])
        ids.append(int(seen[-1].argmax()))
        new = ids[-1:]
    return Way(tuple(ids), tuple(seen), min((_margin(row) for row in seen), default=np.inf))


def record_goldens(
    session: "Session", tokenizer: "GeneratingTokenizer", *, ends: "Sequence[int]", room: int
) -> tuple[Golden, ...]:
    """What the graph writes to a few short texts, where no token was chosen narrowly.

    Args:
        session: The graph.
        tokenizer: Its tokenizer.
        ends: Tokens that end a text.
        room: Tokens that it may read and write together.
    """
    goldens: list[Golden] = []
    for text in sorted(TEXTS, key=len):
        prompt = tokenizer.encode(text, template=True).ids
        most = min(GOLDEN_TOKENS, room - len(prompt))
        if not prompt or most < 1:
            continue
        way = go_on(session, prompt, most=most, ends=ends)
        if way.margin >= NARROW:
            goldens.append(Golden(texts=(text,), outputs=(_spoken(tokenizer, prompt, way, ends),)))
        if len(goldens) == _GOLDENS:
            break
    return tuple(goldens)


def _spoken(
    tokenizer: "GeneratingTokenizer", prompt: "Sequence[int]", way: Way, ends: "Sequence[int]"
) -> str:
    """The text as the task makes it: piece by piece, without the end."""
    pieces = Detokeniser(tokenizer, prompt)
    text = "".join(pieces.add(number) for number in way.ids if number not in ends)
    return text + pieces.rest()


def _margin(row: "Floats") -> float:
    second, first = np.partition(row, -2)[-2:]
    return float(first - second)


def _nothing(node: "Node") -> "Floats":
    heads, width = node.shape[1], node.shape[3]
    return np.zeros((1, int(heads or 1), 0, int(width or 1)), dtype=np.float32)
