"""Texts, and pairs of them, for models that say something of each token, or of two texts.

Imports numpy, `maas` and the lab.

    ask = graph_answers(session, typed=True)
    goldens = goldens_of(ask, tokenizer, "question-answering", most=384, per_token=True)
"""

import time
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.golden import Golden
from maas.bundle.task_rules import PAIRED, TYPES
from maas.errors import ModelError, RefusedError
from maas.tasks.window_rows import Rows, side_by_side
from maas_lab.importing.texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from maas.engine.session import Session
    from maas.text.windows import Window, WindowTokenizer

    Floats = npt.NDArray[np.float32]
    Ask = Callable[[Rows], list[Floats]]

QUESTIONS = "question-answering"
_BESIDE = ("Is it about money?", "This example is sports.", "good", "Who was it?", "今天?")
_SECONDS = 120.0
_GOLDENS = 8


def windows_of(tokenizer: "WindowTokenizer", task: str, *, most: int) -> "list[Window]":
    """The texts as a model for a task reads them, each once."""
    return [window for _, _, window in _requests(tokenizer, task, most)]


def goldens_of(
    ask: "Ask", tokenizer: "WindowTokenizer", task: str, *, most: int, per_token: bool
) -> tuple[Golden, ...]:
    """Requests with what is answered to them.

    Args:
        ask: Who answers.
        tokenizer: How it reads.
        task: What it is for.
        most: Tokens that it reads.
        per_token: Whether it answers each token, and not each row.
    """
    goldens = []
    for text, beside, window in _requests(tokenizer, task, most)[:_GOLDENS]:
        (rows,) = answered(ask, [window], pad_id=tokenizer.pad_id, per_token=per_token)
        logits = tuple(map(tuple, rows.tolist()))
        if task == QUESTIONS:
            goldens.append(Golden(texts=(beside,), pairs=(text,), logits=logits))
        else:
            pairs = (beside,) if task in PAIRED else ()
            goldens.append(Golden(texts=(text,), pairs=pairs, logits=logits))
    return tuple(goldens)


def answered(
    ask: "Ask", windows: "Sequence[Window]", *, pad_id: int, per_token: bool
) -> "list[Floats]":
    """What is said of windows that are asked about together: per window a row per token, or one.

    Outputs of one number per token stand side by side, as golden requests have them.
    """
    width = max(len(window.ids) for window in windows)
    answers = [
        each[:, :, None] if per_token and each.ndim == 2 else each
        for each in ask(side_by_side(windows, width, pad_id=pad_id))
    ]
    whole = np.concatenate(answers, axis=-1)
    if not per_token:
        return [row[None] for row in whole]
    return [row[: len(window.ids)] for row, window in zip(whole, windows, strict=True)]


def graph_answers(session: "Session", *, typed: bool) -> "Ask":
    """A graph as one that answers rows.

    Args:
        session: Of inputs and outputs as the task has them.
        typed: Whether it reads which of two texts a token is of.
    """

    def ask(rows: Rows) -> "list[Floats]":
        feeds = {"input_ids": rows.ids, "attention_mask": rows.mask}
        if typed:
            feeds[TYPES] = rows.types
        try:
            answers = session.run(feeds, deadline=time.monotonic() + _SECONDS)
        except ModelError:
            raise RefusedError(
                "The graph fails on the tokens of a text: the tokenizer is another model's, the"
                " graph takes rows of one size alone, or --max-tokens is too high."
            ) from None
        return [np.asarray(each, dtype=np.float32) for each in answers]

    return ask


def _requests(
    tokenizer: "WindowTokenizer", task: str, most: int
) -> "list[tuple[str, str, Window]]":
    """Each text with another one, where a task reads two, and both as a window."""
    found = []
    for text, beside in zip_longest(TEXTS, _BESIDE, fillvalue=_BESIDE[0]):
        if task == QUESTIONS:
            cut = tokenizer.cut(text, before=beside, most=most)
        elif task in PAIRED:
            (cut,) = tokenizer.pairs(text, (beside,), most=most)
        else:
            cut = tokenizer.cut(text, most=most)
        if cut.windows:
            found.append((text, beside, cut.windows[0]))
    if not found:
        raise RefusedError("No text has room beside another one: --max-tokens is too low.")
    return found
