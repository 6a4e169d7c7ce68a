"""What a tokenizer must have beyond its policy where a model writes with it.

May import `maas.errors` and msgspec. The graph begins, ends and pads by fixed ids, and a source
ends with the token that ends a text:

    check_writing_tokenizer(data)      # after check_tokenizer, which every part has passed
"""

from typing import Any

import msgspec

from maas.errors import BundleError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]")
"""By id: padding, what is not known, what begins a written text and what ends one."""
_END = "[EOS]"


class _Added(msgspec.Struct, frozen=True):
    id: int
    content: str
    special: bool


class _File(msgspec.Struct, frozen=True):
    added_tokens: tuple[_Added, ...]
    post_processor: dict[str, Any] | None


def check_writing_tokenizer(data: bytes) -> None:
    """Check the special tokens of a tokenizer.json, and that each text ends with its end token.

    Args:
        data: A file that `check_tokenizer` admits.

    Raises:
        BundleError: With the reason; who knows the file's name says it.
    """
    file = msgspec.json.decode(data, type=_File)
    special = {token.id: token.content for token in file.added_tokens if token.special}
    if any(special.get(number) != name for number, name in enumerate(SPECIAL_TOKENS)):
        listed = ", ".join(f"{name} {number}" for number, name in enumerate(SPECIAL_TOKENS))
        raise BundleError(f"a model that writes needs the special tokens {listed}")
    post = file.post_processor or {}
    pieces = post.get("single", ())
    named = [piece.get("SpecialToken", {}).get("id") for piece in pieces]
    if post.get("type") != "TemplateProcessing" or named != [None, _END]:
        raise BundleError(f"a model that writes needs the template $A {_END}")
    if post["special_tokens"][_END]["ids"] != [SPECIAL_TOKENS.index(_END)]:
        raise BundleError(f"the template's {_END} is not the token {_END} alone")
