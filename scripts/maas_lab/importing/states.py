"""Which outputs of a graph are its next state: sent back as inputs, they carry a stream on.

Imports the types of `maas.registry.records` alone.

    state_pairs(inputs, outputs)         # {"state": "stateN", "h0": "hn"}
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.registry.records import TensorSpec

_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_CACHE = re.compile(r"(past_)?key_values", re.ASCII)
# What the names of an input and of its next value differ by.
_BEFORE = frozenset(
    ("in", "input", "inputs", "initial", "init", "past", "prev", "previous", "last", "old", "t")
)
_AFTER = frozenset(
    ("out", "output", "outputs", "next", "new", "updated", "final", "present", "current", "n")
)
_LETTER = re.compile(r"[hc][nt]?", re.ASCII)
_BEGINNING = "0"


def state_pairs(inputs: "Sequence[TensorSpec]", outputs: "Sequence[TensorSpec]") -> dict[str, str]:
    """Pair inputs with outputs of equal type and shape whose names say the same.

    It is told from names, so it is a hint for who calls the model, and changes nothing that it
    answers.

    Returns:
        By input the output that is its next value.
    """
    pairs: dict[str, str] = {}
    for given in inputs:
        stems = _stems(given.name)
        for answer in outputs:
            if answer.name in pairs.values() or not _carries(given, answer):
                continue
            if stems & _stems(answer.name):
                pairs[given.name] = answer.name
                break
    return pairs


def _carries(given: "TensorSpec", answer: "TensorSpec") -> bool:
    """Whether what is answered may be sent: of one type, and equal where both sizes are fixed."""
    if given.dtype != answer.dtype or len(given.shape) != len(answer.shape) or not given.shape:
        return False
    return all(
        one == other or isinstance(one, str) or isinstance(other, str)
        for one, other in zip(given.shape, answer.shape, strict=True)
    )


def _stems(name: str) -> set[tuple[str, ...]]:
    """What is left of a name without the words for before and after, and without the 0 of h0."""
    words = [part.lower() for part in _PARTS.findall(_CACHE.sub("past", name))]
    words = [
        word[0] if _LETTER.fullmatch(word) else word
        for word in words
        if word not in _BEFORE | _AFTER
    ]
    shorter = words[:-1] if words[-1:] == [_BEGINNING] else words
    return {tuple(each) for each in (words, shorter) if each}
