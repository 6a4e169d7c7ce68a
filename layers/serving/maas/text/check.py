"""Whether texts may be tokenised at all: counts and characters, before any real work.

May import `maas.errors` and `maas.limits`. Tokenising costs time before truncation does (a 5 MB
text takes seconds), so the caps count characters.
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_texts(texts: "Sequence[str]", *, field: str, limits: Limits = LIMITS) -> None:
    """Refuse texts that are too many, too long, empty or not Unicode.

    Args:
        texts: The texts of one request.
        field: The request field that they came from, for the message.
        limits: The caps.

    Raises:
        FieldError: With the field, the index where there is one, and the limit.
    """
    if not 1 <= len(texts) <= limits.texts:
        raise FieldError(f"must be 1 to {limits.texts} texts, got {len(texts)}", field=field)
    for index, text in enumerate(texts):
        where = field if len(texts) == 1 else f"{field}[{index}]"
        if len(text) > limits.text_characters:
            raise FieldError(
                f"must be at most {limits.text_characters} characters, got {len(text)}", field=where
            )
        if not text or text.isspace():
            raise FieldError("must not be empty", field=where)
        if not is_unicode(text):
            raise FieldError(
                "holds half of a surrogate pair, which is not a character", field=where
            )
    total = sum(map(len, texts))
    if total > limits.request_characters:
        raise FieldError(
            f"must be at most {limits.request_characters} characters in all, got {total}",
            field=field,
        )


def check_whole(truncated: "Sequence[bool]", *, field: str, most: int) -> None:
    """Refuse texts of which tokens were cut off, for a caller who wants none cut.

    Args:
        truncated: Per text, whether it was.
        field: The request field that they came from, for the message.
        most: Tokens that a text may have.

    Raises:
        FieldError: With the first one's index where there are more texts.
    """
    if True in truncated:
        where = field if len(truncated) == 1 else f"{field}[{list(truncated).index(True)}]"
        raise FieldError(f"has more than {most} tokens, and is not to be cut", field=where)


def check_windows(count: int, *, field: str, limits: Limits = LIMITS) -> None:
    """Refuse texts that a model would have to read in too many parts.

    Args:
        count: Rows that the model would be given.
        field: The request field that they came from, for the message.
        limits: The caps.

    Raises:
        FieldError: With the limit.
    """
    if count > limits.windows:
        raise FieldError(
            f"must be at most {limits.windows} parts that the model reads one by one, got {count};"
            " send less at a time, or let parts overlap less",
            field=field,
        )


def is_unicode(text: str) -> bool:
    """Whether a text holds no half of a surrogate pair, which is how broken bytes are read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
