"""What is wrong with a recipe, said so that it can be mended: file, line, key, what is allowed.

Imports msgspec and `maas.errors`. msgspec finds the first mistake; this module finds its line and
adds what would be right:

    text, tree = parse_toml(path)
    raise explain(error, path=path, text=text, kind=AnyRecipe)

Where a section may be one of several structs, such as that of a network, the key that tells them
apart says which struct's keys and values are told.
"""

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.inspect import LiteralType, Metadata, StructType, Type, UnionType, type_info

from maas.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from types import UnionType as Union

    Kind = type[msgspec.Struct] | Union

_BYTES = 1_048_576  # a recipe is a page of text; anything larger is another kind of file
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED = re.compile(r"^Expected `(?P<key>\w+)`")  # by a struct's own rule
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
    kind: "Kind",
    replaced: "Collection[str]" = (),
) -> FieldError:
    """Turn msgspec's finding into an error that names file, line, key and what is allowed.

    Args:
        error: The finding.
        path: The recipe's file.
        text: What the file says.
        kind: What it was read as: a struct, or several that a key tells apart.
        replaced: Dotted keys whose values came from the command line and not from the file.
    """
    found = _AT.match(str(error))
    what, place = (found["what"], found["path"] or "") if found else (str(error), "")
    keys = [key for key in re.sub(r"\[[^]]*]", "", place).split(".") if key]
    recipe = _Section.of(kind, tomllib.loads(text))
    section = recipe.at(keys)
    missing = _FIELD_IN_MESSAGE.search(what)
    ruled = _NAMED.match(what)
    if missing:
        keys.append(missing["key"])
        unknown = f"is not known here. Known: {', '.join(section.keys)}"
        allowed = section.allowed(missing["key"])
        problem = f"is missing{allowed}" if "missing" in what else unknown
    elif ruled and ruled["key"] in section.keys:
        keys.append(ruled["key"])
        problem = f"is not acceptable: {what}"
    else:
        allowed = recipe.at(keys[:-1]).allowed(keys[-1]) if keys else ""
        problem = f"is not acceptable: {what}{allowed}"
    key = ".".join(keys)
    line = _line_of(text, keys)
    where = f"{path}, line {line}" if line else f"{path}"
    if key in replaced:
        where = "The command line"
    return FieldError(f"{where}: {key} {problem}.", field=key or None)


@dataclass(frozen=True, slots=True)
class _Section:
    """A place in a recipe: the structs that may stand there, and the one that does.

    Attributes:
        kinds: All that may stand there.
        kind: The one that is meant; None where nothing says which.
        tree: What stands there.
    """

    kinds: tuple[StructType, ...]
    kind: StructType | None
    tree: dict[str, Any]

    @classmethod
    def of(cls, kind: "Kind | Type", tree: object) -> "_Section":
        """The place of a type."""
        info = _bare(kind if isinstance(kind, Type) else type_info(kind))
        types = info.types if isinstance(info, UnionType) else (info,)
        kinds = tuple(each for each in types if isinstance(each, StructType))
        section = tree if isinstance(tree, dict) else {}
        meant = [each for each in kinds if section.get(each.tag_field) == each.tag]
        alone = kinds[0] if len(kinds) == 1 else None
        return cls(kinds, meant[0] if meant else alone, section)

    def at(self, keys: list[str]) -> "_Section":
        """The place that keys lead to; nothing may stand where they lead nowhere."""
        if not keys:
            return self
        for field in self.kind.fields if self.kind else ():
            if field.encode_name == keys[0]:
                return self.of(field.type, self.tree.get(keys[0])).at(keys[1:])
        return _Section((), None, {})

    @property
    def keys(self) -> list[str]:
        """The keys that are known here; of all kinds only the one that tells them apart."""
        tag = [kind.tag_field for kind in self.kinds[:1] if kind.tag_field]
        fields = self.kind.fields if self.kind else ()
        return tag + [field.encode_name for field in fields]

    def allowed(self, key: str) -> str:
        """The values of a choice; msgspec's own message already gives ranges and types."""
        values: list[object] = []
        if any(kind.tag_field == key for kind in self.kinds):
            values = [kind.tag for kind in self.kinds]
        for field in self.kind.fields if self.kind else ():
            bare = _bare(field.type)
            if field.encode_name == key and isinstance(bare, LiteralType):
                values = list(bare.values)
        return "; allowed: " + ", ".join(map(str, values)) if values else ""


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
