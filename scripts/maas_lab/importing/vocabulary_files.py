"""A foreign tokenizer.json as a bundle may hold it.

Imports msgspec, `maas.bundle` and `maas.errors`.

    data, most = read_tokenizer(path)         # its bytes, and where it cuts; None if nowhere
"""

import json
from typing import TYPE_CHECKING, Any

from maas.bundle.tokenizer_policy import PAD_TOKEN
from maas.errors import FieldError

if TYPE_CHECKING:
    from pathlib import Path

_PADS = ("<pad>", "<PAD>", "[pad]", "<|pad|>", "<|endoftext|>")


def read_tokenizer(path: "Path") -> tuple[bytes, int | None]:
    """Read a tokenizer.json, and call the token that pads as serving looks for it.

    Args:
        path: The file.

    Returns:
        Its bytes, and the tokens after which it cuts by itself.

    Raises:
        FieldError: It is no tokenizer.json.
    """
    try:
        file = json.loads(path.read_bytes())
        vocabulary = file["model"]["vocab"]
        added = file["added_tokens"]
        cuts = (file.get("truncation") or {}).get("max_length")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise FieldError(
            "is no tokenizer.json, as the library tokenizers writes it", field="tokenizer"
        ) from None
    known = {each.get("content") for each in added} | set(_words(vocabulary))
    if PAD_TOKEN not in known:
        pads = [(file.get("padding") or {}).get("pad_token"), *_PADS]
        found = next((pad for pad in pads if pad in known), None)
        if found is None:
            raise FieldError(
                f"has no token that pads, such as {PAD_TOKEN}; add one", field="tokenizer"
            )
        _rename(file, found, PAD_TOKEN)
    return json.dumps(file, ensure_ascii=False, separators=(",", ":")).encode(), cuts


def _words(vocabulary: Any) -> list[str]:  # noqa: ANN401 - an object, or a list of pairs
    return list(vocabulary) if isinstance(vocabulary, dict) else [word for word, _ in vocabulary]


def _rename(file: dict[str, Any], old: str, new: str) -> None:
    """A token of its own name wherever the file says it; ids stay as they are."""
    model = file["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {new if word == old else word: at for word, at in model["vocab"].items()}
    else:
        model["vocab"] = [[new if word == old else word, score] for word, score in model["vocab"]]
    for each in file["added_tokens"]:
        if each.get("content") == old:
            each["content"] = new
    if (file.get("padding") or {}).get("pad_token") == old:
        file["padding"]["pad_token"] = new
