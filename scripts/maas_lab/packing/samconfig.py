"""samconfig.toml: the parameters that packaging writes, with comments and order kept.

Imports tomlkit and `maas.errors`.

    config = read_samconfig(project.samconfig)
    config.architecture()                            # "x86_64"
    config.write(lambda overrides: {**overrides, "Models": "sentiment"})

SAM takes `parameter_overrides` as text (`"A=1 B=2"`), as a list of texts or as a table, and the
section of one command replaces the whole of what `global` says. So a parameter is written into
every section of an environment that has overrides, and into `global` where nothing has.
"""

import re
import shlex
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from maas.errors import RefusedError
from maas_lab.files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tomlkit import TOMLDocument

ARCHITECTURES = ("x86_64", "arm64")
# Not tomlkit's Table: tables that stand apart in the file come as a proxy.
Table: TypeAlias = MutableMapping[str, Any]
_KEY = "parameter_overrides"
_PAIR = re.compile(r"([A-Za-z0-9]+)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Section:
    """Where overrides stand, or could.

    Attributes:
        name: Such as `default.global`.
        table: The table of its parameters.
    """

    name: str
    table: Table

    def overrides(self) -> dict[str, str]:
        """The parameters by name, in their order; empty where there are none.

        Raises:
            RefusedError: They are in a form that is not read here.
        """
        found = self.table.get(_KEY)
        if found is None:
            return {}
        if isinstance(found, MutableMapping):
            return {str(name): _text(value) for name, value in found.items()}
        texts = found if isinstance(found, Array) else [found]
        return dict(_pair(word, self.name) for text in texts for word in _words(text))

    def put(self, overrides: "Mapping[str, str]") -> None:
        """Write the parameters in the form that stands there; what is equal is not touched."""
        before = self.overrides()
        changed = {name: value for name, value in overrides.items() if before.get(name) != value}
        found = self.table.get(_KEY)
        if isinstance(found, MutableMapping):
            found.update(changed)
        elif isinstance(found, str):
            self._put_text(found, changed)
        elif changed:
            if found is None:
                found = tomlkit.array().multiline(multiline=True)
            _put_array(found, changed)
            self.table[_KEY] = found

    def _put_text(self, text: str, changed: "Mapping[str, str]") -> None:
        for name, value in changed.items():
            word = _word(name, value)
            pattern = rf"""(?<!\S){name}=("[^"]*"|'[^']*'|\S*)"""
            replaced, count = re.subn(pattern, lambda _, word=word: word, text)  # type: ignore[misc]
            text = replaced if count else f"{text} {word}".strip()
        if changed:
            self.table[_KEY] = text


@dataclass(frozen=True, slots=True)
class Samconfig:
    """The file as it was read.

    Attributes:
        path: Where it lies.
        text: Its content.
        document: The same parsed, which `write` changes.
    """

    path: "Path"
    text: str
    document: "TOMLDocument"

    def sections(self) -> tuple[Section, ...]:
        """Every section that has overrides, and `global` of an environment where none has."""
        self.document.setdefault("default", tomlkit.table(is_super_table=True))
        return tuple(
            section
            for name, environment in self.document.items()
            if isinstance(environment, MutableMapping)
            for section in _sections(name, environment)
        )

    def overrides(self, command: str, *, environment: str = "default") -> dict[str, str]:
        """The parameters that a SAM command is given."""
        found = {section.name: section.overrides() for section in self.sections()}
        general = found.get(f"{environment}.global", {})
        return found.get(f"{environment}.{command}", general)

    def architecture(self) -> str:
        """The architecture that all sections agree on.

        Raises:
            RefusedError: They do not, or it is none that Lambda has.
        """
        named = [
            section.overrides().get("Architecture", ARCHITECTURES[0]) for section in self.sections()
        ]
        chosen = sorted(set(named)) or [ARCHITECTURES[0]]
        if len(chosen) > 1 or chosen[0] not in ARCHITECTURES:
            raise RefusedError(
                f"{self.path.name} says Architecture={' and '.join(chosen)}; the layers are built"
                " for one. Choose it: maas package --architecture x86_64"
            )
        return chosen[0]

    def write(self, change: "Callable[[dict[str, str]], Mapping[str, str]]") -> bool:
        """Set parameters in every section, and the file in one step; others are kept.

        Args:
            change: From a section's overrides to those to set.

        Returns:
            Whether anything was changed.
        """
        for section in self.sections():
            section.put(change(section.overrides()))
        after = tomlkit.dumps(self.document)
        if after != self.text:
            write_file(self.path, after.encode())
        return after != self.text


def read_samconfig(path: "Path") -> Samconfig:
    """Read the file.

    Raises:
        RefusedError: It is not there, or it is not TOML that we can change.
    """
    try:
        text = path.read_bytes().decode()
        document = tomlkit.parse(text)
    except FileNotFoundError:
        raise RefusedError(
            f"There is no {path.name} beside template.yaml; git checkout {path.name} brings it"
            " back."
        ) from None
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise RefusedError(f"{path.name} cannot be read: {error}.") from None
    samconfig = Samconfig(path, text, document)
    for section in samconfig.sections():
        section.overrides()  # what cannot be read is refused before anything is written
    return samconfig


def _sections(name: str, environment: Table) -> "Iterator[Section]":
    tables = {
        command: section["parameters"]
        for command, section in environment.items()
        if isinstance(section, MutableMapping)
        and isinstance(section.get("parameters"), MutableMapping)
    }
    having = [command for command, table in tables.items() if _KEY in table]
    if not {"global", "deploy"} & set(having):
        having.insert(0, "global")
    for command in having:
        if command not in tables:
            tables[command] = tomlkit.table()
            environment[command] = tomlkit.table(is_super_table=True).append(
                "parameters", tables[command]
            )
        yield Section(f"{name}.{command}", tables[command])


def _words(text: object) -> list[str]:
    try:
        return shlex.split(str(text))
    except ValueError:  # a quote that nothing closes; `_pair` refuses it by its text
        return ["=" + str(text)]


def _pair(word: str, section: str) -> tuple[str, str]:
    match = _PAIR.fullmatch(word)
    if match is None or match[1] == "ParameterKey":
        raise RefusedError(
            f"{_KEY} of [{section}.parameters] has {word.lstrip('=')[:60]!r}, which maas package"
            " cannot keep. Write each parameter as Name=value."
        )
    return match[1], match[2]


def _put_array(array: Array, changed: "Mapping[str, str]") -> None:
    words = {index: _words(item) for index, item in enumerate(array)}
    places = {found[0].partition("=")[0]: i for i, found in words.items() if len(found) == 1}
    for name, value in changed.items():
        if name in places:
            array[places[name]] = _word(name, value)
        else:
            array.append(_word(name, value))


def _word(name: str, value: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9_.,:/@+-]+", value)
    return f"{name}={value}" if plain else f'{name}="{value}"'


def _text(value: Any) -> str:  # noqa: ANN401 - whatever TOML has
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
