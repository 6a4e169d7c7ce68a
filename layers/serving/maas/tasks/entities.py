"""Entities of a text, from what a model says of each of its tokens.

Imports `maas.text` for types alone, msgspec and numpy. The rules are those of Hugging Face's
pipeline, so that its users get what they know:

    pieces = pieces_of(text, window, logits, tokenizer)
    entities = entities_of(pieces, labels, "first", tokenizer)
    entities[0]                # Entity(label="PER", score=0.99, word="wolfgang", start=11, end=19)
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from maas.text.windows import Window, WindowTokenizer

    Floats = npt.NDArray[np.float32]

Strategy = Literal["none", "simple", "first", "average", "max"]
OUTSIDE = "O"
"""The label of what is no entity, by convention."""
_SCORE_DIGITS = 6


class Piece(Struct, frozen=True):
    """A token of a text.

    Attributes:
        word: As the vocabulary writes it.
        scores: float32 `[labels]`, their sum 1.
        start: Its first code point in the text.
        end: The one behind its last.
        continues: Whether it goes on with the word of the piece before.
    """

    word: str
    scores: "Floats"
    start: int
    end: int
    continues: bool


class Entity(Struct, frozen=True):
    """A token, or several that belong together.

    Attributes:
        label: What it is.
        score: How sure the model is.
        word: As the tokenizer writes it; the text's own are from `start` to `end`.
        start: Its first code point in the text.
        end: The one behind its last.
    """

    label: str
    score: float
    word: str
    start: int
    end: int

    def rounded(self) -> "Entity":
        """The same as it is answered."""
        score = round(self.score, _SCORE_DIGITS)
        return Entity(self.label, score, self.word, self.start, self.end)


def pieces_of(
    text: str, window: "Window", logits: "Floats", tokenizer: "WindowTokenizer"
) -> list[Piece]:
    """The tokens of a window that are of the text itself.

    Args:
        text: The whole text.
        window: A part of it.
        logits: float32 `[tokens, labels]`.
        tokenizer: Who cut it.
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = powers / powers.sum(axis=1, keepdims=True)
    pieces = []
    for at, number in enumerate(window.ids):
        if not window.own[at]:
            continue
        start, end = window.spans[at]
        written, word = text[start:end], tokenizer.piece(number)
        if number == tokenizer.unknown_id:
            pieces.append(Piece(written, scores[at], start, end, continues=False))
            continue
        if tokenizer.prefix:  # what continues a word is longer by it
            continues = len(word) != len(written)
        else:
            continues = start > 0 and " " not in text[start - 1 : start + 1]
        pieces.append(Piece(word, scores[at], start, end, continues))
    return pieces


def entities_of(
    pieces: "Sequence[Piece]",
    labels: "Sequence[str]",
    strategy: Strategy,
    tokenizer: "WindowTokenizer",
) -> list[Entity]:
    """Name the pieces, and join those that belong together.

    Args:
        pieces: Of one window.
        labels: By index.
        strategy: `none` joins nothing; `simple` joins neighbours of one label; the others let the
            pieces of a word agree first: on what the first one is, on their mean, or on the surest.
        tokenizer: Who cut them.
    """
    if strategy in ("none", "simple"):
        found = [_named((piece,), piece.scores, labels, piece.word) for piece in pieces]
    else:
        found = [
            _named(word, _agreed(word, strategy), labels, tokenizer.joined([p.word for p in word]))
            for word in _words(pieces)
        ]
    return found if strategy == "none" else _grouped(found, tokenizer)


def widest(entities: "Iterable[Entity]") -> list[Entity]:
    """Of entities that begin within one another, found in windows that overlap, the longest.

    Of equally long ones it is the surest. They come back in the text's order.
    """
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda each: each.start):
        if not kept or not kept[-1].start <= entity.start < kept[-1].end:
            kept.append(entity)
        elif _weight(entity) > _weight(kept[-1]):
            kept[-1] = entity
    return kept


def _weight(entity: Entity) -> tuple[int, float]:
    return entity.end - entity.start, entity.score


def _words(pieces: "Iterable[Piece]") -> list[list[Piece]]:
    words: list[list[Piece]] = []
    for piece in pieces:
        if words and piece.continues:
            words[-1].append(piece)
        else:
            words.append([piece])
    return words


def _agreed(word: "Sequence[Piece]", strategy: Strategy) -> "Floats":
    if strategy == "first":
        return word[0].scores
    if strategy == "max":
        return max(word, key=lambda piece: float(piece.scores.max())).scores
    mean: Floats = np.stack([piece.scores for piece in word]).mean(axis=0)
    return mean


def _named(
    pieces: "Sequence[Piece]", scores: "Floats", labels: "Sequence[str]", word: str
) -> Entity:
    best = int(scores.argmax())
    return Entity(labels[best], float(scores[best]), word, pieces[0].start, pieces[-1].end)


def _grouped(entities: "Sequence[Entity]", tokenizer: "WindowTokenizer") -> list[Entity]:
    """Join neighbours of one label, as far as none says that another of its kind begins with it."""
    groups = [[entity] for entity in entities[:1]]
    for last, entity in pairwise(entities):
        begins, kind = _tag(entity.label)
        if kind == _tag(last.label)[1] and not begins:
            groups[-1].append(entity)
        else:
            groups.append([entity])
    return [
        Entity(
            label=group[0].label.split("-", 1)[-1],
            score=float(np.mean([entity.score for entity in group])),
            word=tokenizer.joined([entity.word for entity in group]),
            start=group[0].start,
            end=group[-1].end,
        )
        for group in groups
    ]


def _tag(label: str) -> tuple[bool, str]:
    """Whether an entity begins with it, and which kind it is: `B-PER` is a PER that begins."""
    if label.startswith(("B-", "I-")):
        return label.startswith("B-"), label[2:]
    return False, label
