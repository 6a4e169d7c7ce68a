"""Which model and version a request names: by path, header or query.

May import `maas.errors`, `maas.settings`, `maas.registry.addresses` and `maas.http.asgi`'s
requests.

    model = requested_model(request)          # "sentiment"
    address = requested_version(request)      # None: whichever the default alias chooses
"""

from typing import TYPE_CHECKING

from maas.errors import BadRequestError, ModelNotFoundError
from maas.registry.addresses import VersionAddress, parse_address
from maas.settings import MODEL_NAME

if TYPE_CHECKING:
    from maas.http.asgi import Request


def requested_model(request: "Request") -> str:
    """The model that the path names.

    Raises:
        ModelNotFoundError: No model can have this name.
    """
    model: str = request.path["model"]
    if not MODEL_NAME.fullmatch(model):
        raise unknown_model()
    return model


def unknown_model() -> ModelNotFoundError:
    """One text for every unknown name, possible or not, which repeats nothing of the path."""
    return ModelNotFoundError("No model of this name is served here.")


def requested_version(request: "Request", *, also: str | None = None) -> VersionAddress | None:
    """The version by path, header or query; what names it twice must say the same.

    Args:
        request: The request.
        also: What its body names, for a protocol that names a version there.

    Raises:
        BadRequestError: It is named twice, and differently.
        FieldError: It is neither a number nor an alias nor a digest.
    """
    wanted = [request.path["version"]] if "version" in request.path else []
    if also is not None:
        wanted.append(also)
    for sent in request.headers.all("x-maas-version"):
        # Lambda's events join what was sent twice; no address has a comma of its own.
        wanted += map(str.strip, sent.split(","))
    if asked := request.query():
        queried = [value for name, value in asked if name == "version"]
        if len(queried) > 1:
            raise BadRequestError("version occurs twice in the query.", field="version")
        wanted += queried
    if len(set(wanted)) > 1:
        raise BadRequestError(
            "The path, x-maas-version, ?version= and the body name different versions.",
            field="version",
        )
    return parse_address(wanted[0]) if wanted else None
