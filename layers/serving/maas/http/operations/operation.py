"""One method of one path as the OpenAPI document describes it, and what may go wrong on the way.

Imports `maas.errors`, `maas.http.problems` and msgspec's types.

    Operation(name="getHealth", summary="…", tag=CATALOG, answers=(Health,), errors=LISTED)
"""

from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from maas.errors import (
    AmbiguousDigestError,
    BadRequestError,
    DeadlineError,
    FieldError,
    MaasError,
    MediaTypeError,
    ModelError,
    ModelNotFoundError,
    ModelOutputError,
    NotReadyError,
    OverloadedError,
    RegistryMisconfiguredError,
    RegistryUnavailableError,
    TokenizerError,
    TooLargeError,
    TryAgainError,
    VersionBlockedError,
    VersionNotServedError,
)
from maas.http.problems import Problem

INFERENCE = "inference"
CATALOG = "catalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        name: The operation's id: unique, a verb first.
        summary: What it does, in one line.
        tag: Which function answers it.
        answers: What a 200 holds, one of these.
        errors: What may go wrong.
        bodies: What the request holds, one of these; none for no body.
        bodiless: Whether the request may hold nothing as well.
        media_types: What the request may be beside JSON.
        answer_types: What a 200 may be beside JSON.
        problem: The body of an error.
        query: The query string's struct; None where the route reads a version's address alone.
        public: Whether it is answered without a key.
    """

    name: str
    summary: str
    tag: str
    answers: tuple[Any, ...]
    errors: tuple[type[MaasError], ...]
    bodies: tuple[type[Struct], ...] = ()
    bodiless: bool = False
    media_types: tuple[str, ...] = ()
    answer_types: tuple[str, ...] = ()
    problem: type[Struct] = Problem
    query: type[Struct] | None = None
    public: bool = False


ALWAYS = (MaasError, TryAgainError, OverloadedError)
"""What any route may answer."""
DESCRIBED = (
    *ALWAYS,
    BadRequestError,
    FieldError,
    ModelNotFoundError,
    VersionNotServedError,
    VersionBlockedError,
    AmbiguousDigestError,
    NotReadyError,
    RegistryUnavailableError,
    RegistryMisconfiguredError,
    DeadlineError,
)
"""What a route that says something of a model may answer."""
PREDICTED = (
    *DESCRIBED,
    TooLargeError,
    MediaTypeError,
    ModelError,
    TokenizerError,
    ModelOutputError,
)
"""What a route that asks a model may answer."""
LISTED = (
    *ALWAYS,
    BadRequestError,
    FieldError,
    RegistryUnavailableError,
    RegistryMisconfiguredError,
)
"""What a route that reads the registry may answer."""
OF_MODEL = (*LISTED, ModelNotFoundError)
"""The same, of one model."""
