"""A tokenizer.json as a model reads that goes on with a text: nothing is padded, nothing cut.

May import `maas.errors`, `maas.text.tokenizer` and tokenizers. What is written comes token by
token, and a character may be made of several: `Detokeniser` hands out whole ones.

    tokenizer = load_generating(folder / "tokenizer.json")
    prompt = tokenizer.encode("a fine", template=True)
    pieces = Detokeniser(tokenizer, prompt.ids)
    pieces.add(5)                         # " film", or nothing yet
"""

from typing import TYPE_CHECKING

from msgspec import Struct
from tokenizers import Tokenizer as NativeTokenizer

from maas.text.tokenizer import panics_as

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_BROKEN = "\ufffd"
"""How the library writes bytes that are no character, or not yet."""
_BEFORE = 6
"""Tokens of the prompt that are decoded with what follows: its first space depends on them."""


class Prompt(Struct, frozen=True):
    """A text to go on with.

    Attributes:
        ids: Its tokens.
        added: How many of them the tokenizer put in front of it.
    """

    ids: tuple[int, ...]
    added: int = 0

    def last(self, most: int) -> "Prompt":
        """The same with as many tokens at the most: what was put in front, and the text's end."""
        if len(self.ids) <= most:
            return self
        added = self.added if self.added < most else 0
        return Prompt(self.ids[:added] + self.ids[len(self.ids) - most + added :], added)


class GeneratingTokenizer:
    """A loaded tokenizer.json. Safe to share between threads."""

    def __init__(self, native: NativeTokenizer) -> None:
        self._native = native
        special = {
            number: token.content
            for number, token in native.get_added_tokens_decoder().items()
            if token.special
        }
        self.special_ids = frozenset(special)
        """Ids that stand for no text."""
        self.special_texts = tuple(special.values())
        """What a text must not hold that nobody may take for more than text."""

    @property
    def vocabulary_size(self) -> int:
        """The number of ids, added tokens included."""
        return self._native.get_vocab_size()

    def encode(self, text: str, *, template: bool) -> Prompt:
        """Encode a text that has passed the character caps.

        Args:
            text: The text; special tokens in it are themselves.
            template: Whether what the tokenizer has for a text is put around it.

        Raises:
            TokenizerError: The native library panicked or refused the text.
        """
        with panics_as("The tokenizer failed on a text."):
            encoding = self._native.encode(text, add_special_tokens=template)
            added = [*encoding.special_tokens_mask, 0].index(0)
            return Prompt(tuple(encoding.ids), added)

    def decode(self, ids: "Sequence[int]") -> str:
        """Turn ids into the text that they stand for; special tokens are left out.

        Raises:
            TokenizerError: The native library panicked or refused an id.
        """
        with panics_as("The tokenizer failed on what the model wrote."):
            text: str = self._native.decode(list(ids), skip_special_tokens=True)
        return text


class Detokeniser:
    """Hands out what each token adds to a text, in whole characters.

    Args:
        tokenizer: Whose tokens they are.
        before: The tokens that they follow.
    """

    def __init__(self, tokenizer: GeneratingTokenizer, before: "Sequence[int]") -> None:
        self._tokenizer = tokenizer
        self._ids = list(before[-_BEFORE:])
        # A window from what was handed out last: decoders look at what stands before a token.
        self._first = 0
        self._read = len(self._ids)

    def add(self, number: int) -> str:
        """What a token adds; nothing while a character is not whole."""
        self._ids.append(number)
        text = self._new()
        if not text or text.endswith(_BROKEN):
            return ""
        self._first, self._read = self._read, len(self._ids)
        return text

    def rest(self) -> str:
        """What was held back, less the bytes of a character that never became whole."""
        return self._new().rstrip(_BROKEN)

    def _new(self) -> str:
        known = self._tokenizer.decode(self._ids[self._first : self._read])
        return self._tokenizer.decode(self._ids[self._first :])[len(known) :]


def load_generating(path: "Path") -> GeneratingTokenizer:
    """Load a tokenizer.json; its own truncation and padding settings are left out.

    Args:
        path: A tokenizer.json whose digest was checked.

    Raises:
        TokenizerError: The file cannot be loaded.
    """
    with panics_as("tokenizer.json cannot be loaded."):
        native = NativeTokenizer.from_file(str(path))
        native.no_truncation()
        native.no_padding()
        return GeneratingTokenizer(native)
