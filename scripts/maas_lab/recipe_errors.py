"""What is wrong with a recipe, said so that it can be mended: file, line, key, what is allowed.

Imports msgspec and `maas.errors`. msgspec finds the first mistake; this module finds its line and
adds what would be right:

    text, tree = parse_toml(path)
    raise explain(error, path=path, text=text, kind=Recipe)
"""

import re
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.inspect import LiteralType, Metadata, StructType, Type, type_info

from maas.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_BYTES = 1_048_576  # a recipe is a page of text; anything larger is another kind of file
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD_IN_MESSAGE = re.compile(r"(?:unknown|missing required) field `(?P<key>[^`]*)`")


def parse_toml(path: "Path") -> tuple[str, dict[str, Any]]:
    """Read a TOML file.

    Returns:
        Its text and what it says.

    Raises:
        FieldError: It is absent, too large, not UTF-8 or not TOML.
    """
    try:
        with path.open("rb") as file:
            encoded = file.read(_BYTES + 1)
    except OSError as error:
        raise FieldError(f"{path}: cannot be read ({error.strerror}).", field="recipe") from None
    if len(encoded) > _BYTES:
        raise FieldError(f"{path}: larger than {_BYTES} bytes.", field="recipe")
    try:
        text = encoded.decode()
        return text, tomllib.loads(text)
    except UnicodeDecodeError:
        raise FieldError(f"{path}: is not UTF-8 text.", field="recipe") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FieldError(f"{path}: is not TOML: {error}.", field="recipe") from None


def explain(
    error: msgspec.ValidationError,
    *,
    path: "Path",
    text: str,
    kind: type[Struct],
    replaced: "Collection[str]" = (),
) -> FieldError:
    """Turn msgspec's finding into an error that names file, line, key and what is allowed.

    Args:
        error: The finding.
        path: The recipe's file.
        text: What the file says.
        kind: What it was read as.
        replaced: Dotted keys whose values came from the command line and not from the file.
    """
    found = _AT.match(str(error))
    what, place = (found["what"], found["path"] or "") if found else (str(error), "")
    keys = [key for key in re.sub(r"\[[^]]*]", "", place).split(".") if key]
    named = _FIELD_IN_MESSAGE.search(what)
    if named:
        known = ", ".join(_fields(kind, keys))
        problem = "is missing" if "missing" in what else f"is not known here. Known: {known}"
        keys.append(named["key"])
    else:
        problem = f"is not acceptable: {what}{_allowed(kind, keys)}"
    key = ".".join(keys)
    line = _line_of(text, keys)
    where = f"{path}, line {line}" if line else f"{path}"
    if key in replaced:
        where = "The command line"
    return FieldError(f"{where}: {key} {problem}.", field=key or None)


def _allowed(kind: type[Struct], keys: list[str]) -> str:
    """The values of a choice; msgspec's own message already gives ranges and types."""
    parent = _resolve(kind, keys[:-1])
    if not isinstance(parent, StructType) or not keys:
        return ""
    if parent.tag_field == keys[-1]:
        return f"; allowed: {parent.tag}"
    for field in parent.fields:
        if field.encode_name == keys[-1]:
            bare = _bare(field.type)
            if isinstance(bare, LiteralType):
                return "; allowed: " + ", ".join(str(value) for value in bare.values)
    return ""


def _fields(kind: type[Struct], keys: list[str]) -> list[str]:
    info = _resolve(kind, keys)
    if not isinstance(info, StructType):
        return []
    tag = [info.tag_field] if info.tag_field else []
    return tag + [field.encode_name for field in info.fields]


def _resolve(kind: type[Struct], keys: list[str]) -> Type | None:
    info: Type | None = type_info(kind)
    for key in keys:
        if not isinstance(info, StructType):
            return None
        types = [_bare(field.type) for field in info.fields if field.encode_name == key]
        info = types[0] if types else None
    return info


def _bare(info: Type) -> Type:
    return info.type if isinstance(info, Metadata) else info


def _line_of(text: str, keys: list[str]) -> int | None:
    """The line of a key, or of its table where the key is missing; None where neither is seen.

    Reads the plain style of our recipes (`[table]` and `key = value`), which is all that is needed
    to point at a mistake.
    """
    table = ""
    table_line = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^][]+?)\s*]", line)
        if header:
            table = header[1]
            table_line = number if table in {".".join(keys), ".".join(keys[:-1])} else table_line
        key = re.match(r"\s*([\w.\"'-]+?)\s*=", line)
        if key and ".".join(filter(None, [table, key[1].strip("\"'")])) == ".".join(keys):
            return number
    return table_line
