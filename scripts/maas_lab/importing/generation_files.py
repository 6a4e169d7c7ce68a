"""What a model's folder says of how it generates: where a text ends, and how it is talked to.

Imports `maas.bundle` and the lab. The files are those that save_pretrained writes beside the model;
none of them must be there:

    generation, notes = read_generation(folder)
    context_of(config)                        # tokens that it reads and writes together
"""

import json
from typing import TYPE_CHECKING, Any

from maas.bundle.generation import Generation
from maas.limits import LIMITS
from maas_lab.importing.chat_forms import chat_of

if TYPE_CHECKING:
    from pathlib import Path

_CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "sliding_window")
_TALKS = "chat_template"
_NO_END = "The folder names no token that ends a text: writing ends at max_new_tokens alone."
_NO_CHAT = "It has no chat_template: it goes on with texts, and answers no conversation."


def read_generation(folder: "Path") -> tuple[Generation, tuple[str, ...]]:
    """Read what there is.

    Args:
        folder: Where config.json, generation_config.json and tokenizer_config.json lie.

    Returns:
        What goes into the manifest, and notes for people.
    """
    notes: list[str] = []
    ends = _ids(read_json(folder, "generation_config.json").get("eos_token_id"))
    ends = ends or _ids(read_json(folder, "config.json").get("eos_token_id"))
    if not ends:
        notes.append(_NO_END)
    settings = read_json(folder, "tokenizer_config.json")
    template = _template(folder, settings)
    if template is None:
        notes.append(_NO_CHAT)
        return Generation(end_ids=ends), tuple(notes)
    specials = {
        name: text for name in ("bos_token", "eos_token") if (text := _text(settings.get(name)))
    }
    chat, said = chat_of(template, specials)
    return Generation(end_ids=ends, chat=chat), (*notes, said)


def context_of(config: dict[str, Any]) -> int:
    """Tokens that a model reads and writes together, as its config.json says; at most ours."""
    sizes = [config.get(name) for name in _CONTEXTS]
    return min(
        [LIMITS.context_tokens, *(size for size in sizes if isinstance(size, int) and size > 1)]
    )


def read_json(folder: "Path", name: str) -> dict[str, Any]:
    """A file of JSON in a folder; empty where there is none."""
    try:
        found = json.loads((folder / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _ids(value: object) -> tuple[int, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(sorted({each for each in listed if isinstance(each, int)}))


def _template(folder: "Path", settings: dict[str, Any]) -> str | None:
    """The template of conversations: of the settings, or in a file of its own."""
    try:
        return (folder / f"{_TALKS}.jinja").read_text("utf-8")
    except (OSError, ValueError):
        pass
    found = settings.get(_TALKS)
    if isinstance(found, list):
        named = {each.get("name"): each.get("template") for each in found if isinstance(each, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _text(value: object) -> str | None:
    """A token, which older files write as an object."""
    found = value.get("content") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None
