"""How a model's versions are named: by number, by alias or by digest.

Imports `maas.errors`, msgspec and the grammar of model names in `maas.settings`. Texts come from
request paths, headers and command lines, so nothing of a refused text is repeated in the message:

    parse_address("7")                       # ByNumber(7)
    parse_address("production")              # ByAlias("production")
    parse_address("sha256:0123456789ab")     # ByDigest("sha256:0123456789ab")
    parse_reference("sentiment@production")  # ("sentiment", ByAlias("production"))
"""

import functools
import re
from typing import TypeAlias

from msgspec import Struct

from maas.errors import FieldError
from maas.settings import MODEL_NAME

_ALIAS = re.compile(r"[a-z][a-z0-9-]{0,31}")
_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_NUMBER = re.compile(r"[1-9][0-9]{0,7}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{12,64}")


class ByNumber(Struct, frozen=True):
    """A version by its number, 1 to 99999999."""

    number: int

    def __str__(self) -> str:
        return str(self.number)


class ByAlias(Struct, frozen=True):
    """Whatever an alias routes to."""

    name: str

    def __str__(self) -> str:
        return self.name


class ByDigest(Struct, frozen=True):
    """A version by its digest or by the start of it: `sha256:` and 12 to 64 hex digits."""

    prefix: str

    def __str__(self) -> str:
        return self.prefix


VersionAddress: TypeAlias = ByNumber | ByAlias | ByDigest


@functools.lru_cache(64)  # who asks again asks for the same few
def parse_address(text: str) -> VersionAddress:
    """Read a version's address.

    Raises:
        FieldError: It is none of the three forms.
    """
    if _NUMBER.fullmatch(text):
        return ByNumber(int(text))
    if _ALIAS.fullmatch(text):
        return ByAlias(text)
    if _DIGEST.fullmatch(text):
        return ByDigest(text)
    raise FieldError(
        "must be a version number such as 7, an alias such as production, "
        "or sha256: with 12 to 64 hex digits of a digest",
        field="version",
    )


def parse_reference(text: str) -> tuple[str, VersionAddress | None]:
    """Read a model with or without a version, such as `sentiment` or `sentiment@2`.

    Raises:
        FieldError: The model's name or the version's address is malformed.
    """
    model, at, address = text.partition("@")
    return parse_model(model), parse_address(address) if at else None


def parse_model(text: str) -> str:
    """Check a model's name.

    Raises:
        FieldError: It is not 2 to 32 of a-z, 0-9 and -, a letter first.
    """
    if not MODEL_NAME.fullmatch(text):
        raise FieldError("must be 2 to 32 of a-z, 0-9 and -, a letter first", field="model")
    return text


def parse_target(text: str) -> str:
    """Check the name of a place that functions are deployed to: a stack's name.

    Raises:
        FieldError: It is not one.
    """
    if not _TARGET.fullmatch(text):
        raise FieldError("must be a stack's name such as maas-prod", field="target")
    return text


def parse_alias(text: str) -> str:
    """Check an alias.

    Raises:
        FieldError: It is not 1 to 32 of a-z, 0-9 and -, a letter first.
    """
    if not _ALIAS.fullmatch(text):
        raise FieldError("must be 1 to 32 of a-z, 0-9 and -, a letter first", field="alias")
    return text
