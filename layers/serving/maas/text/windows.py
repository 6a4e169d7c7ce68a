"""A tokenizer.json that cuts a long text into windows, and knows which characters a token is of.

May import `maas.errors`, `maas.text` and tokenizers. For tasks that answer with places of
a text, or that put two texts into one row:

    tokenizer = load_windows(folder / "tokenizer.json")
    cut = tokenizer.cut("a long text", most=256, overlap=128)        # as many windows as it takes
    cut = tokenizer.cut("a context", before="a question", most=384, overlap=128)
    cuts = tokenizer.pairs("a text", ("a hypothesis",), most=256)    # the text's end is cut off
    cut.windows[0].spans[1]                                          # (0, 1): its characters
"""

from typing import TYPE_CHECKING

from msgspec import Struct
from tokenizers import Encoding, processors
from tokenizers import Tokenizer as NativeTokenizer

from maas.errors import TokenizerError
from maas.text.check import check_windows
from maas.text.tokenizer import PAD_TOKEN, panics_as

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FAILED = "The tokenizer failed on a text."
_UNKNOWN = ("<unk>", "[UNK]")
"""What the token for anything else is called, by custom, where the model does not say it."""


class Window(Struct, frozen=True):
    """What a model reads at once, token by token.

    Attributes:
        ids: The tokens.
        types: Which of two texts each is of, as BERT is told it.
        spans: The code points of its own text that each token stands for, first and behind the
            last; `(0, 0)` for what the tokenizer puts in.
        words: The number of the word, among those of its text, that each is of; None for none.
        own: Whether a token is of the text that was cut, and neither put in nor of the other text.
    """

    ids: tuple[int, ...]
    types: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    words: tuple[int | None, ...]
    own: tuple[bool, ...]


class Cut(Struct, frozen=True):
    """A text in windows.

    Attributes:
        windows: In the text's order; none where the other text leaves no room.
        truncated: Whether tokens of the text are in no window.
    """

    windows: tuple[Window, ...]
    truncated: bool = False


class WindowTokenizer:
    """A loaded tokenizer.json. Safe to share between threads: nothing of it is ever set anew."""

    def __init__(
        self, native: NativeTokenizer, processor: processors.PostProcessor, *, pad_id: int
    ) -> None:
        self._native = native
        self._processor = processor
        self._decoder = native.decoder
        self.pad_id = pad_id
        """What a row is filled up with."""
        self.prefix: str | None = getattr(native.model, "continuing_subword_prefix", None)
        """What a piece begins with that continues a word, where the vocabulary marks them so."""
        names = (getattr(native.model, "unk_token", None), *_UNKNOWN)
        ids = (native.token_to_id(name) for name in names if name is not None)
        self.unknown_id = next((number for number in ids if number is not None), None)
        """The token that stands for what no other does."""

    @property
    def largest_id(self) -> int:
        """The largest id that a text may become, added tokens included."""
        return max(self._native.get_vocab(with_added_tokens=True).values())

    def room(self, *, pair: bool = False) -> int:
        """How many tokens are put into a window beside those of its text, or of its two texts."""
        return self._processor.num_special_tokens_to_add(pair)

    def left(self, before: str, *, most: int, most_before: int) -> int:
        """How many tokens of a window are left for a text behind another, which may be none.

        Args:
            before: The other text.
            most: Tokens of a window.
            most_before: Tokens of the other text; what is longer is cut.

        Raises:
            TokenizerError: The native library panicked or refused a text.
        """
        return most - self.room(pair=True) - len(self._encode(before, most_before))

    def cut(
        self,
        text: str,
        *,
        most: int,
        overlap: int | None = None,
        before: str | None = None,
        most_before: int | None = None,
        field: str = "inputs",
        others: int = 0,
    ) -> Cut:
        """Cut a text that has passed the character caps into windows, each behind another text.

        Args:
            text: The text.
            most: Tokens of a window.
            overlap: Tokens of the text that a window has in common with the next one; when None
                there is one window, and what does not fit is cut off.
            before: What comes first in each window.
            most_before: Tokens of that; what is longer is cut.
            field: The request field that the text came from, for the message.
            others: Windows of the request's other texts.

        Raises:
            FieldError: There would be too many windows. They are counted before any is made: those
                that overlap by all but one token are as many as the text has tokens.
            TokenizerError: The native library panicked or refused a text.
        """
        beside = None if before is None else self._encode(before, most_before)
        left = most - self.room(pair=beside is not None) - (0 if beside is None else len(beside))
        if left <= (overlap or 0):
            return Cut(())
        whole = self._encode(text)
        if overlap is not None:
            behind_the_first = -(-max(0, len(whole) - left) // (left - overlap))
            check_windows(others + 1 + behind_the_first, field=field)
        with panics_as(_FAILED):
            whole.truncate(left, stride=overlap or 0)
            cut_off = overlap is None and bool(whole.overflowing)
            parts = [whole] if overlap is None else [whole, *whole.overflowing]
            # One by one: of windows that hang together, only the first is told which text it is.
            windows = tuple(self._behind(beside, part) for part in parts)
        return Cut(windows, truncated=cut_off)

    def pairs(self, text: str, others: "Sequence[str]", *, most: int) -> tuple[Cut, ...]:
        """Put a text that has passed the character caps before each of several others.

        Args:
            text: The text; its end is cut off where both are too long for a window.
            others: What comes last in each window, whole.
            most: Tokens of a window.

        Raises:
            TokenizerError: The native library panicked or refused a text.
        """
        whole = self._encode(text)
        behind = [self._encode(other) for other in others]
        cuts = [Cut(())] * len(others)
        # The shortest first: then a text, encoded once, only ever gets shorter.
        for at in sorted(range(len(others)), key=lambda at: len(behind[at])):
            left = most - self.room(pair=True) - len(behind[at])
            if left < 1:
                break
            with panics_as(_FAILED):
                whole.truncate(left)
                row = self._processor.process(whole, behind[at])
                cuts[at] = Cut((_window(row, 0),), truncated=bool(whole.overflowing))
        return tuple(cuts)

    def piece(self, number: int) -> str:
        """A token as the vocabulary writes it."""
        return self._native.id_to_token(number) or ""

    def joined(self, pieces: "Sequence[str]") -> str:
        """The text that pieces make together.

        Raises:
            TokenizerError: The native library panicked or refused them.
        """
        if self._decoder is None:
            return " ".join(pieces)
        with panics_as(_FAILED):
            text: str = self._decoder.decode(list(pieces))
        return text

    def _behind(self, beside: Encoding | None, part: Encoding) -> Window:
        if beside is None:
            return _window(self._processor.process(part), 0)
        return _window(self._processor.process(beside, part), 1)

    def _encode(self, text: str, most: int | None = None) -> Encoding:
        """The tokens of a text, without those that are put in."""
        with panics_as(_FAILED):
            encoding = self._native.encode(text)
            if most is not None:
                encoding.truncate(most)
        return encoding


def _window(row: Encoding, number: int) -> Window:
    return Window(
        ids=tuple(row.ids),
        types=tuple(row.type_ids),
        spans=tuple(row.offsets),
        words=tuple(row.word_ids),
        own=tuple(each == number for each in row.sequence_ids),
    )


def load_windows(path: "Path") -> WindowTokenizer:
    """Load a tokenizer.json; its own truncation and padding settings are left out.

    Args:
        path: A tokenizer.json whose digest was checked.

    Raises:
        TokenizerError: The file cannot be loaded, or has no `[PAD]` token.
    """
    with panics_as("tokenizer.json cannot be loaded."):
        native = NativeTokenizer.from_file(str(path))
        native.no_truncation()
        native.no_padding()
        pad_id = native.token_to_id(PAD_TOKEN)
        # Apart, for it is run on windows and not on the text they are of: it moves the places of
        # tokens behind the spaces before them, and would do so twice.
        processor, native.post_processor = native.post_processor, None
    if pad_id is None:
        raise TokenizerError(f"tokenizer.json has no {PAD_TOKEN} token.")
    return WindowTokenizer(native, processor or processors.Sequence([]), pad_id=pad_id)
