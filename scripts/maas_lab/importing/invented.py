"""Requests that nobody sent: inputs for a graph of which only the signature is known.

Imports numpy and `maas`. Which values a graph takes stands nowhere; names and types are hints, and
the graph itself says whether it takes them. So this offers many, the likeliest first, and the same
ones for the same graph:

    for styles in invented(inputs, states={"state"}, rows={"ids": 1000}, seed=foreign.digest):
        for feeds in styles: ...
"""

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.dtypes import STRING
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array
    from maas_lab.importing.table_values import Known, Values

    Feeds = dict[str, Array]

SIZES = (
    *((1, 8), (2, 16), (3, 5), (1, 32), (2, 64), (1, 128), (2, 256), (1, 320), (1, 512), (1, 576)),
    *((1, 640), (1, 1_600), (1, 16_000), (1, 1)),
)
"""How large what varies is tried: rows of a batch, and the length of everything else."""
_MOST_IDS = 100
_MOST_VALUES = 2_000_000
_WORDS = ("a", "film", "with", "warmth", "and", "wit", "42", "été")
_BATCH = re.compile(r"batch|^n$|^b$", re.IGNORECASE)
_HINTS = (
    (re.compile(r"mask", re.IGNORECASE), "ones"),
    (re.compile(r"token_?type|segment", re.IGNORECASE), "zeros"),
    (re.compile(r"position", re.IGNORECASE), "places"),
    (re.compile(r"len(gth)?s?$", re.IGNORECASE), "length"),
    (re.compile(r"^sr$|sampl\w*_?rate", re.IGNORECASE), "rate"),
)
_RATE = 16_000
# What integers may be beside ids: nothing, one, what a scalar that counts may be.
_STYLES = ("ids", "ones", "zeros", "length")


def invented(
    specs: "Sequence[TensorSpec]",
    *,
    states: "Collection[str]",
    rows: "Mapping[str, int]",
    seed: str,
    values: "Values | None" = None,
) -> "Iterator[Iterator[Feeds]]":
    """Requests of several sizes, each in several styles.

    Args:
        specs: What the graph reads.
        states: Inputs that carry a stream on: they begin with zeros, and vary by the batch alone.
        rows: By input, the rows of the smallest table that its numbers pick from.
        seed: The same seed gives the same requests.
        values: By input, the columns that the graph knows values of.

    Yields:
        Per sizes of what varies, requests of which one is enough.
    """
    random = np.random.default_rng(int(seed.removeprefix("sha256:")[:16], 16))
    for at, (length, shapes) in enumerate(_all_shapes(specs, states)):
        yield (
            {
                spec.name: _array(
                    spec,
                    shapes[spec.name],
                    style=_style(spec, style),
                    random=random,
                    most=min(rows.get(spec.name, _MOST_IDS), _MOST_IDS),
                    length=length,
                    still=at == 0 and spec.name in states,
                    columns=(values or {}).get(spec.name, {}),
                )
                for spec in specs
            }
            for style in (_STYLES if _has_integers(specs) else _STYLES[:1])
        )


def _all_shapes(
    specs: "Sequence[TensorSpec]", states: "Collection[str]"
) -> "Iterator[tuple[int, dict[str, tuple[int, ...]]]]":
    """A length, and by input its shape, for each size; where nothing varies, the same twice."""
    seen: list[dict[str, tuple[int, ...]]] = []
    varies = any(isinstance(size, str) for spec in specs for size in spec.shape)
    for batch, length in SIZES if varies else SIZES[:1] * 2:
        shapes = _shapes(specs, states, batch=batch, length=length)
        values = sum(math.prod(shape) for shape in shapes.values())
        if values <= _MOST_VALUES and (shapes not in seen or not varies):
            seen.append(shapes)
            yield length, shapes


def _has_integers(specs: "Sequence[TensorSpec]") -> bool:
    return any(spec.dtype.startswith(("int", "uint")) for spec in specs)


def _shapes(
    specs: "Sequence[TensorSpec]", states: "Collection[str]", *, batch: int, length: int
) -> "dict[str, tuple[int, ...]]":
    """By input its shape; a name is one size wherever it stands."""
    named: dict[str, int] = {}

    def size(spec: "TensorSpec", axis: int, dimension: int | str) -> int:
        if isinstance(dimension, int):
            return dimension
        rows = axis == 0 or spec.name in states or bool(_BATCH.search(dimension))
        return named.setdefault(dimension, batch if rows else length)

    return {
        spec.name: tuple(size(spec, axis, each) for axis, each in enumerate(spec.shape))
        for spec in specs
    }


def _style(spec: "TensorSpec", style: str) -> str:
    return next((kind for pattern, kind in _HINTS if pattern.search(spec.name)), style)


def _array(
    spec: "TensorSpec",
    shape: tuple[int, ...],
    *,
    style: str,
    random: np.random.Generator,
    most: int,
    length: int,
    still: bool,
    columns: "Mapping[int, Known]",
) -> "Array":
    """One input; floats are multiples of 1/64, which every type of them holds."""
    if spec.dtype == STRING:
        words = np.asarray(random.choice(_WORDS, size=shape)).astype(np.object_)
        for at, known in columns.items():
            words[:, at] = [str(known[pick]) for pick in random.integers(0, len(known), shape[0])]
        return strings([word.encode() for word in words.ravel().tolist()], shape)
    if columns:
        table = random.integers(-64, 65, shape) / 64
        for at, known in columns.items():
            table[:, at] = random.choice(np.asarray(known, dtype=np.float64), size=shape[0])
        return table.astype(spec.dtype)
    if spec.dtype == "bool":
        return np.asarray(random.integers(0, 2, shape) > 0) | (style == "ones")
    if spec.dtype.startswith("float"):
        low = 0 if len(shape) == 4 else -64  # pictures are not negative
        values = np.zeros(shape) if still else random.integers(low, 65, shape) / 64
        return np.asarray(np.ones(shape) if style == "ones" else values, dtype=spec.dtype)
    if spec.dtype == "uint8":
        return random.integers(0, 256, shape, dtype=np.uint8)
    return np.asarray(_integers(style, shape, random, most=most, length=length), dtype=spec.dtype)


def _integers(
    style: str, shape: tuple[int, ...], random: np.random.Generator, *, most: int, length: int
) -> "Array":
    if style == "ids":
        return np.asarray(random.integers(0, max(1, most), shape))
    if style == "places":
        return np.broadcast_to(np.arange(shape[-1] if shape else 1).reshape(-1), shape)
    return np.full(shape, {"ones": 1, "zeros": 0, "length": length, "rate": _RATE}[style])
