"""The catalog's own routes: models, versions, aliases, history, deployments, health.

Imports the structs that the routes themselves decode and encode, and nothing that serves.
"""

from typing import Any

from msgspec import Struct

from maas.errors import (
    AmbiguousDigestError,
    BadRequestError,
    FieldError,
    MaasError,
    NotReadyError,
    RefusedError,
    VersionNotServedError,
)
from maas.http.operations.operation import ALWAYS, CATALOG, LISTED, OF_MODEL, Operation
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


def read_only(
    name: str,
    summary: str,
    answer: Any,  # noqa: ANN401 - a type, which mypy has no name for
    *,
    errors: tuple[type[MaasError], ...] = OF_MODEL,
    query: type[Struct] = NoQuery,
    public: bool = False,
) -> dict[str, Operation]:
    """One GET of the catalog.

    Args:
        name: The operation's id.
        summary: What it does.
        answer: What a 200 holds.
        errors: What may go wrong.
        query: The query string's struct.
        public: Whether it is answered without a key.
    """
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
    "/health": read_only(
        "getHealth",
        "Ask whether requests can be answered",
        Health,
        errors=(*LISTED, NotReadyError),
        public=True,
    ),
    "/catalog/models": read_only(
        "listModels", "List the models by name", ModelPage, errors=LISTED, query=ModelsQuery
    ),
    _MODEL: read_only("getModel", "Show one model", ModelRecord),
    f"{_MODEL}/versions": read_only(
        "listVersions", "List a model's versions, newest first", VersionPage, query=NumbersQuery
    ),
    f"{_MODEL}/versions/{{version}}": read_only(
        "getVersion",
        "Show one version",
        VersionRecord,
        errors=(*OF_MODEL, VersionNotServedError, AmbiguousDigestError, RefusedError),
    ),
    f"{_MODEL}/aliases": read_only("listAliases", "List a model's aliases", Aliases),
    f"{_MODEL}/history": read_only(
        "listHistory", "List a model's changes, newest first", EventPage, query=NumbersQuery
    ),
    f"{_MODEL}/deployments": read_only(
        "listDeployments", "List where a model is deployed to", Deployments
    ),
    "/catalog/openapi.json": read_only(
        "getOpenApi",
        "This document",
        dict[str, Any],
        errors=(*ALWAYS, BadRequestError, FieldError),
    ),
}
"""Operations by path and method."""
