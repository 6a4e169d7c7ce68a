"""A tokenizer.json, loaded once, that turns texts into padded int64 arrays, and ids into texts.

The only module that imports `tokenizers`. Training and serving encode through the same call, so a
text has the same ids in both:

    tokenizer = load_tokenizer(folder / "tokenizer.json", max_tokens=256)
    encoded = tokenizer.encode(["a fine film"])
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from tokenizers import Tokenizer as NativeTokenizer

from maas.errors import TokenizerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

PAD_TOKEN = "[PAD]"  # noqa: S105 - a vocabulary entry, not a secret


class Encoded(Struct, frozen=True):
    """A batch of texts as the model takes it.

    Attributes:
        input_ids: int64 `[batch, sequence]`, padded on the right; sequence is at least 1.
        attention_mask: int64 `[batch, sequence]`, 1 for a token and 0 for padding.
        tokens: Per text, the number of tokens kept.
        truncated: Per text, whether tokens were cut off.
    """

    input_ids: "npt.NDArray[np.int64]"
    attention_mask: "npt.NDArray[np.int64]"
    tokens: tuple[int, ...]
    truncated: tuple[bool, ...]


class Tokenizer:
    """A loaded tokenizer.json with a token limit. Safe to share between threads."""

    def __init__(self, native: NativeTokenizer, *, pad_id: int) -> None:
        self._native = native
        self._pad_id = pad_id

    @property
    def vocabulary_size(self) -> int:
        """The number of ids, added tokens included."""
        return self._native.get_vocab_size()

    @property
    def largest_id(self) -> int:
        """The largest id that a text may become, added tokens included."""
        return max(self._native.get_vocab(with_added_tokens=True).values())

    def encode(self, texts: "Sequence[str]") -> Encoded:
        """Encode texts that have passed the character caps.

        A text of which the normaliser leaves nothing becomes a row of padding alone.

        Raises:
            TokenizerError: The native library panicked or refused a text.
        """
        with panics_as("The tokenizer failed on a text."):
            rows = self._native.encode_batch_fast(list(texts))
        tokens = tuple(len(row.ids) for row in rows)
        shape = (len(rows), max((1, *tokens)))
        input_ids = np.full(shape, self._pad_id, dtype=np.int64)
        attention_mask = np.zeros(shape, dtype=np.int64)
        for index, row in enumerate(rows):
            input_ids[index, : tokens[index]] = row.ids
            attention_mask[index, : tokens[index]] = 1
        return Encoded(input_ids, attention_mask, tokens, tuple(bool(r.overflowing) for r in rows))

    def decode(self, ids: "Sequence[int]") -> str:
        """Turn ids into the text that they stand for; special tokens are left out.

        Raises:
            TokenizerError: The native library panicked or refused an id.
        """
        with panics_as("The tokenizer failed on what the model wrote."):
            text: str = self._native.decode(list(ids), skip_special_tokens=True)
        return text


def load_tokenizer(path: "Path", *, max_tokens: int) -> Tokenizer:
    """Load a tokenizer.json; its own truncation and padding settings are replaced by ours.

    Args:
        path: A tokenizer.json whose digest was checked.
        max_tokens: Tokens kept per text.

    Raises:
        TokenizerError: The file cannot be loaded, or has no `[PAD]` token.
    """
    with panics_as("tokenizer.json cannot be loaded."):
        native = NativeTokenizer.from_file(str(path))
        native.enable_truncation(max_tokens)
        native.no_padding()
        pad_id = native.token_to_id(PAD_TOKEN)
    if pad_id is None:
        raise TokenizerError(f"tokenizer.json has no {PAD_TOKEN} token.")
    return Tokenizer(native, pad_id=pad_id)


@contextmanager
def panics_as(message: str) -> "Iterator[None]":
    """Turn whatever the native library raises into a TokenizerError."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - a Rust panic is no Exception
        raise TokenizerError(message) from None
