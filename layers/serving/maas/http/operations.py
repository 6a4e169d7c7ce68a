"""Every route of both functions as the OpenAPI document describes it: what goes in, what comes out.

Imports `maas.errors`, the structs that the routes themselves decode and encode, and nothing that
serves. A test holds this table against the routes of the app.

    OPERATIONS["/models/{model}"]["POST"].bodies      # (ClassifyBody, ImageBody, …)
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
    RefusedError,
    RegistryMisconfiguredError,
    RegistryUnavailableError,
    TokenizerError,
    TooLargeError,
    TryAgainError,
    VersionNotServedError,
)
from maas.http.describe import ModelDescription
from maas.http.protocols.hf_wire import ClassifyAnswer, ClassifyBody
from maas.http.protocols.hf_wire_embedding import EmbedAnswer, EmbedBody
from maas.http.protocols.hf_wire_image import MEDIA_TYPES, ImageAnswer, ImageBody, ImagesAnswer
from maas.http.protocols.hf_wire_writing import (
    SummarizeAnswer,
    SummarizeBody,
    TranslateAnswer,
    TranslateBody,
)
from maas.http.queries import ModelsQuery, NoQuery, NumbersQuery
from maas.http.views import (
    Aliases,
    Deployments,
    EventPage,
    Health,
    ModelPage,
    VersionPage,
)
from maas.registry.records import ModelRecord, VersionRecord

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
        media_types: What the request may be beside JSON.
        query: The query string's struct; None where the route reads a version's address alone.
        public: Whether it is answered without a key.
    """

    name: str
    summary: str
    tag: str
    answers: tuple[Any, ...]
    errors: tuple[type[MaasError], ...]
    bodies: tuple[type[Struct], ...] = ()
    media_types: tuple[str, ...] = ()
    query: type[Struct] | None = None
    public: bool = False


TASKS: dict[str, tuple[type[Struct], tuple[Any, ...]]] = {
    "text-classification": (ClassifyBody, (ClassifyAnswer,)),
    "image-classification": (ImageBody, (ImageAnswer, ImagesAnswer)),
    "feature-extraction": (EmbedBody, (EmbedAnswer,)),
    "translation": (TranslateBody, (TranslateAnswer,)),
    "summarization": (SummarizeBody, (SummarizeAnswer,)),
}
"""What each task is asked and how it answers; which one a model has, its description says."""

_ALWAYS = (MaasError, TryAgainError, OverloadedError)
_DESCRIBED = (
    *_ALWAYS,
    BadRequestError,
    FieldError,
    ModelNotFoundError,
    VersionNotServedError,
    AmbiguousDigestError,
    NotReadyError,
    RegistryUnavailableError,
    RegistryMisconfiguredError,
    DeadlineError,
)
_PREDICTED = (
    *_DESCRIBED,
    TooLargeError,
    MediaTypeError,
    ModelError,
    TokenizerError,
    ModelOutputError,
)
_LISTED = (
    *_ALWAYS,
    BadRequestError,
    FieldError,
    RegistryUnavailableError,
    RegistryMisconfiguredError,
)
_OF_MODEL = (*_LISTED, ModelNotFoundError)


def _inference(what: str, suffix: str) -> dict[str, Operation]:
    return {
        "GET": Operation(
            name=f"describe{suffix}",
            summary=f"Describe {what}",
            tag=INFERENCE,
            answers=(ModelDescription,),
            errors=_DESCRIBED,
        ),
        "POST": Operation(
            name=f"predict{suffix}",
            summary=f"Ask {what} to do its task on 1 to 32 texts or images",
            tag=INFERENCE,
            answers=tuple(answer for _, answers in TASKS.values() for answer in answers),
            errors=_PREDICTED,
            bodies=tuple(body for body, _ in TASKS.values()),
            media_types=tuple(sorted(MEDIA_TYPES)),
        ),
    }


def _catalog(
    name: str,
    summary: str,
    answer: Any,  # noqa: ANN401 - a type, which mypy has no name for
    *,
    errors: tuple[type[MaasError], ...] = _OF_MODEL,
    query: type[Struct] = NoQuery,
    public: bool = False,
) -> dict[str, Operation]:
    operation = Operation(
        name=name,
        summary=summary,
        tag=CATALOG,
        answers=(answer,),
        errors=errors,
        query=query,
        public=public,
    )
    return {"GET": operation}


_MODEL = "/catalog/models/{model}"
OPERATIONS: dict[str, dict[str, Operation]] = {
    "/models/{model}": _inference("whichever version answers", "Model"),
    "/models/{model}/versions/{version}": _inference("one version", "Version"),
    "/health": _catalog(
        "getHealth",
        "Ask whether requests can be answered",
        Health,
        errors=(*_LISTED, NotReadyError),
        public=True,
    ),
    "/catalog/models": _catalog(
        "listModels", "List the models by name", ModelPage, errors=_LISTED, query=ModelsQuery
    ),
    _MODEL: _catalog("getModel", "Show one model", ModelRecord),
    f"{_MODEL}/versions": _catalog(
        "listVersions", "List a model's versions, newest first", VersionPage, query=NumbersQuery
    ),
    f"{_MODEL}/versions/{{version}}": _catalog(
        "getVersion",
        "Show one version",
        VersionRecord,
        errors=(*_OF_MODEL, VersionNotServedError, AmbiguousDigestError, RefusedError),
    ),
    f"{_MODEL}/aliases": _catalog("listAliases", "List a model's aliases", Aliases),
    f"{_MODEL}/history": _catalog(
        "listHistory", "List a model's changes, newest first", EventPage, query=NumbersQuery
    ),
    f"{_MODEL}/deployments": _catalog(
        "listDeployments", "List where a model is deployed to", Deployments
    ),
    "/catalog/openapi.json": _catalog(
        "getOpenApi",
        "This document",
        dict[str, Any],
        errors=(*_ALWAYS, BadRequestError, FieldError),
    ),
}
"""Operations by path and method."""
