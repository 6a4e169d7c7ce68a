"""A tokenizer.json, loaded once, that turns texts into padded int64 arrays, and ids into texts.

The only module that imports `tokenizers`. Training and serving encode through the same call, so a
text has the same ids in both:

    tokenizer = load_tokenizer(folder / "tokenizer.json", max_tokens=256)
    encoded = tokenizer.encode(["a fine film"])
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from tokenizers import Tokenizer as NativeTokenizer

from maas.errors import TokenizerError

if TYPE_CHECKING:
    from collections.abc import Sequence
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

    def __init__(self, native: NativeTokenizer, *, pad_id: int, max_tokens: int) -> None:
        self._native = native
        self._pad_id = pad_id
        self._max_tokens = max_tokens

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
        with _ENCODING:
            rows = self._native.encode_batch_fast(list(texts))
            found = [row.ids for row in rows]
            cut = [
                len(ids) >= self._max_tokens and bool(row.overflowing)
                for ids, row in zip(found, rows, strict=True)
            ]
        tokens = tuple(map(len, found))
        if len(found) == 1 and found[0]:  # as a rule, and with nothing to pad
            input_ids = np.array(found, dtype=np.int64)
            attention_mask = np.array([[1] * len(found[0])], dtype=np.int64)
        else:
            input_ids = np.full((len(found), max((1, *tokens))), self._pad_id, dtype=np.int64)
            attention_mask = np.zeros_like(input_ids)
            for index, ids in enumerate(found):
                input_ids[index, : len(ids)] = ids
                attention_mask[index, : len(ids)] = 1
        return Encoded(input_ids, attention_mask, tokens, tuple(cut))

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
    return Tokenizer(native, pad_id=pad_id, max_tokens=max_tokens)


class panics_as:  # noqa: N801 - read where it is used: with panics_as("…")
    """Turns whatever the native library raises into a TokenizerError."""

    __slots__ = ("_message",)

    def __init__(self, message: str) -> None:
        self._message = message

    def __enter__(self) -> None:
        """Nothing begins."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Whatever was raised; a Rust panic is no Exception."""
        if error is not None and not isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise TokenizerError(self._message) from None


_ENCODING = panics_as("The tokenizer failed on a text.")
