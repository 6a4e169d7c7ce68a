"""Which tokenizers are admitted, told from the file before the native library sees it.

May import `maas.bundle.tokenizer_parts`, `maas.errors`, `maas.limits` and msgspec; not tokenizers.
Every part of the file is one that is known (infra/decisions/0011), and its numbers agree with each
other, with the model's labels and with its table of weights:

    check_tokenizer(data, labels=manifest.labels, rows=facts.rows.get("input_ids"))
"""

import json
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from maas.bundle import tokenizer_parts as parts
from maas.errors import BundleError
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAD_TOKEN = "[PAD]"  # noqa: S105 - a vocabulary entry, not a secret
_ROOMS = {
    "normalizer": parts.NORMALIZERS,
    "pre_tokenizer": parts.PRE_TOKENIZERS,
    "post_processor": parts.POST_PROCESSORS,
    "decoder": parts.DECODERS,
}
_KEYS = frozenset(("version", "truncation", "padding", "added_tokens", *_ROOMS, "model"))
_GROWTH = 16
"""How many times longer replacements may make a text: two of 64 times took 7 s."""
_SEQUENCE_PARTS = 16
_Object = dict[str, Any]


def check_tokenizer(
    data: bytes,
    *,
    labels: "Sequence[str]",
    rows: int | None,
    pads: bool = True,
    limits: Limits = LIMITS,
) -> int:
    """Check the bytes of a tokenizer.json; answers with how many ids it has.

    Args:
        data: All of them.
        labels: The model's class names; no token of its own may be called like one.
        rows: Rows of the table of weights that ids pick from, where the graph tells it.
        pads: Whether texts are padded, for which there must be a token.
        limits: Sizes and counts.

    Raises:
        BundleError: With the reason; who knows the file's name says it.
    """
    if len(data) > limits.tokenizer_bytes:
        raise BundleError(f"it has more than {limits.tokenizer_bytes} bytes")
    file = _parsed(data)
    if not isinstance(file, dict) or file.keys() != _KEYS or file["version"] != "1.0":
        raise BundleError(f"it is not version 1.0 with exactly {', '.join(sorted(_KEYS))}")
    for name, fields in (("truncation", parts.TRUNCATION), ("padding", parts.PADDING)):
        if file[name] is not None:
            _check_fields(file[name], fields, name)
    for room, kinds in _ROOMS.items():
        _check_room(room, file[room], kinds)
    _check_part("model", file["model"], parts.MODELS)
    added = _convert(file["added_tokens"], tuple[parts.AddedToken, ...], "added_tokens")
    if len(added) > limits.added_tokens:
        raise BundleError(f"it adds more than {limits.added_tokens} tokens")
    ids = _ids(file["model"], added)
    _check_words(file["model"], ids)
    _check_special(file, ids, added, labels, pads=pads)
    if rows is not None and len(ids) > rows:
        raise BundleError(f"it has {len(ids)} ids, and the graph a table of {rows} rows")
    return len(ids)


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BundleError("it is not JSON, or nested too deep") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BundleError("a key stands twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise BundleError(f"{name} is no number of JSON")


def _check_room(room: str, value: object, kinds: "Mapping[str, parts.Fields]") -> None:
    if value is None:
        return
    listed = parts.SEQUENCES[room]
    if isinstance(value, dict) and value.get("type") == "Sequence":
        each = value.get(listed)
        if value.keys() != {"type", listed} or not isinstance(each, list):
            raise BundleError(f"{room} is no sequence of parts")
        if len(each) > _SEQUENCE_PARTS:
            raise BundleError(f"{room} has more than {_SEQUENCE_PARTS} parts")
    else:
        each = [value]
    for part in each:
        _check_part(room, part, kinds)
    if room == "normalizer":
        growths = (
            -(-len(part["content"]) // len(part["pattern"]["String"]))
            for part in each
            if part["type"] == "Replace"
        )
        if prod(max(1, growth) for growth in growths) > _GROWTH:
            raise BundleError(f"{room} may make a text more than {_GROWTH} times longer")


def _check_part(room: str, value: object, kinds: "Mapping[str, parts.Fields]") -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(kind, str) or kind not in kinds:
        raise BundleError(f"{room} is or holds {_shown(kind)}, which is not admitted")
    _check_fields({k: v for k, v in value.items() if k != "type"}, kinds[kind], f"{room} {kind}")


def _check_fields(value: object, fields: parts.Fields, where: str) -> None:
    if not isinstance(value, dict):
        raise BundleError(f"{where} is not an object")
    required = {name for name in fields if not name.endswith("?")}
    types = {name.removesuffix("?"): kind for name, kind in fields.items()}
    if wrong := (value.keys() - types.keys()) | (required - value.keys()):
        raise BundleError(f"{where} has, or lacks, {_shown(min(wrong))}")
    for name, inner in value.items():
        _convert(inner, types[name], f"{where}.{name}")


def _convert(value: object, kind: Any, where: str) -> Any:  # noqa: ANN401 - a type, and its value
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BundleError(f"{where}: {_shown(str(error))}") from None


def _ids(model: _Object, added: "Sequence[parts.AddedToken]") -> dict[str, int]:
    """Every token with its id; they must be the numbers from 0 on, each once."""
    if model["type"] == "Unigram":
        ids = {word: number for number, (word, _) in enumerate(model["vocab"])}
        whole = len(ids) == len(model["vocab"])
    else:
        ids, whole = dict(model["vocab"]), True
    for token in added:
        if ids.setdefault(token.content, token.id) != token.id:
            raise BundleError(f"the added token {_shown(token.content)} has two ids")
    if not whole or sorted(ids.values()) != list(range(len(ids))):
        raise BundleError("its ids are not the numbers from 0 on, each once")
    return ids


def _check_words(model: _Object, ids: "Mapping[str, int]") -> None:
    """Words that a model names must be in its vocabulary, or it fails when it needs them."""
    vocabulary = model["vocab"]
    if model["type"] == "Unigram":
        known = model["unk_id"] < len(vocabulary)
    else:
        known = model.get("unk_token") is None or model["unk_token"] in vocabulary
    if not known:
        raise BundleError("the model's unknown token is not in its vocabulary")
    prefix = model.get("continuing_subword_prefix") or ""
    for merge in model.get("merges", ()):
        left, _, right = (
            merge.partition(" ") if isinstance(merge, str) else (merge[0], "", merge[1])
        )
        whole = left + right.removeprefix(prefix)
        # The library cuts the prefix off unseen, and panics where there is none.
        if not right.startswith(prefix) or not {left, right, whole} <= vocabulary.keys():
            raise BundleError(f"the merge {_shown(left)} {_shown(right)} is not in the vocabulary")


def _check_special(
    file: _Object,
    ids: "Mapping[str, int]",
    added: "Sequence[parts.AddedToken]",
    labels: "Sequence[str]",
    *,
    pads: bool,
) -> None:
    if pads and PAD_TOKEN not in ids:
        raise BundleError(f"it has no {PAD_TOKEN} token")
    if named := {token.content for token in added} & set(labels):
        raise BundleError(f"the added token {_shown(min(named))} is called like a label")
    post = file["post_processor"] or {}
    for part in post.get("processors", [post]):
        named_ids = [tuple(part[end]) for end in ("sep", "cls") if end in part]
        for special in part.get("special_tokens", {}).values():
            named_ids += zip(special["tokens"], special["ids"], strict=False)
        if any(ids.get(word) != number for word, number in named_ids):
            raise BundleError("the post_processor names a token by another id than its own")
        _check_template(part)


def _check_template(part: _Object) -> None:
    """A template must hold what it names: the library panics on a text where it does not."""
    for name, texts in (("single", ["A"]), ("pair", ["A", "B"])):
        pieces = part.get(name, ())
        if any(len(piece) != 1 for piece in pieces):
            raise BundleError(f"a piece of the template {name} is no token and no text")
        found = [piece["Sequence"]["id"] for piece in pieces if "Sequence" in piece]
        named = {piece["SpecialToken"]["id"] for piece in pieces if "SpecialToken" in piece}
        if pieces and (sorted(found) != texts or named - part["special_tokens"].keys()):
            raise BundleError(f"the template {name} lacks a text or a token that it names")


def _shown(value: object) -> str:
    text = str(value)
    return ascii(text if len(text) <= 120 else text[:120] + "…")
