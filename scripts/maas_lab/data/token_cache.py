"""Rows of token ids, kept so that another run of the same rows need not tokenise them again.

Imports numpy, safetensors and `maas_lab.files`:

    rows = cached_rows(settings.cache, tokenizer_digest, card.digest, lambda: encode(texts))

The file's name follows from both digests. It is written in one step, and one that is damaged or
cut is made anew; so is one that cannot be kept, because nothing but time depends on it.
"""

import contextlib
import hashlib
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from maas_lab.files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

_CHECKSUM = 32  # bytes of sha256, before the tensors


def cached_rows(
    cache: "Path",
    tokenizer_digest: str,
    data_digest: str,
    make: "Callable[[], Sequence[npt.NDArray[np.int32]]]",
) -> "list[npt.NDArray[np.int32]]":
    """The token ids of rows.

    Args:
        cache: The folder that keeps what can be made again.
        tokenizer_digest: Of the tokenizer with all that decides what it does, such as its cut.
        data_digest: Of the texts in their order.
        make: Tokenises; called where the cache does not hold the rows.

    Returns:
        Per row, int32 `[tokens]`.
    """
    key = hashlib.sha256(f"{tokenizer_digest}\n{data_digest}".encode()).hexdigest()
    path = cache / "tokens" / f"{key[:32]}.safetensors"
    rows = _read(path)
    if rows is None:
        rows = [np.asarray(row, dtype=np.int32) for row in make()]
        with contextlib.suppress(OSError):
            write_file(path, _encode(rows))
    return rows


def _encode(rows: "Sequence[npt.NDArray[np.int32]]") -> bytes:
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    ids = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int32)
    content: bytes = save({"ids": ids, "lengths": lengths})
    return hashlib.sha256(content).digest() + content


def _read(path: "Path") -> "list[npt.NDArray[np.int32]] | None":
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[_CHECKSUM:]).digest() != content[:_CHECKSUM]:
        return None
    try:
        tensors = load(content[_CHECKSUM:])
        return np.split(tensors["ids"], np.cumsum(tensors["lengths"]))[:-1]
    except (SafetensorError, KeyError, ValueError):
        return None
