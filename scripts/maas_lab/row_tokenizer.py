"""A run's tokenizer as training uses it: many rows at a time, kept for the next time.

Imports `maas.text`, `maas_lab.batches` and `maas_lab.data.token_cache`:

    tokenizer = open_row_tokenizer(run.tokenizer_file, max_tokens=256, cache=settings.cache)
    rows = tokenizer.rows(texts)              # int32, each of its own length
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maas.text.tokenizer import Tokenizer, load_tokenizer
from maas_lab.batches import encode_texts
from maas_lab.data.token_cache import cached_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas_lab.batches import Ids

_KEPT_ROWS = 5_000  # fewer are encoded faster than they are read


@dataclass(frozen=True, slots=True)
class RowTokenizer:
    """A tokenizer and where its rows are kept.

    Attributes:
        tokenizer: The one that serving will use.
        digest: Of its file, and of where it cuts.
        cache: The folder that keeps what can be made again; None keeps nothing.
    """

    tokenizer: Tokenizer
    digest: str
    cache: Path | None

    @property
    def vocabulary_size(self) -> int:
        """The number of ids."""
        return self.tokenizer.vocabulary_size

    def rows(self, texts: "Sequence[str]") -> "list[Ids]":
        """Encode texts by the very call that serving uses, or find them encoded.

        Returns:
            Per text, int32 `[tokens]`; empty where the normaliser left nothing.
        """
        if self.cache is None or len(texts) < _KEPT_ROWS:
            return encode_texts(texts, self.tokenizer)
        return cached_rows(
            self.cache, self.digest, _digest(texts), lambda: encode_texts(texts, self.tokenizer)
        )


def open_row_tokenizer(path: Path, *, max_tokens: int, cache: Path | None) -> RowTokenizer:
    """Open a run's tokenizer.

    Args:
        path: Its tokenizer.json.
        max_tokens: Where it cuts.
        cache: The folder that keeps encoded rows.

    Raises:
        TokenizerError: The file cannot be loaded.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    tokenizer = load_tokenizer(path, max_tokens=max_tokens)
    return RowTokenizer(tokenizer, f"{digest}:{max_tokens}", cache)


def _digest(texts: "Sequence[str]") -> str:
    digest = hashlib.sha256()
    for text in texts:
        part = text.encode()
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
