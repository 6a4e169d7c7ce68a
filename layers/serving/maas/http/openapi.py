"""The OpenAPI 3.1 document of both functions, made of the structs that they decode and encode.

Imports msgspec, `maas.http.operations` and `maas.http.problems`. Only the catalog imports this.

    document = build_document()
"""

import inspect
import re
from typing import TYPE_CHECKING, Any

import msgspec

from maas.http.methods import EVENTS
from maas.http.operations import CATALOG, INFERENCE, OPERATIONS, Operation
from maas.http.problems import JSON, Problem
from maas.http.protocols.openai_errors import OpenAiProblem
from maas.registry.records import ModelName

if TYPE_CHECKING:
    from maas.errors import MaasError

    Json = dict[str, Any]

_SCHEMAS = "#/components/schemas/{name}"
_ADDRESS = {
    "type": "string",
    "pattern": r"^([1-9][0-9]{0,7}|[a-z][a-z0-9-]{0,31}|sha256:[0-9a-f]{12,64})$(?!\n)",
}
_NAME = {
    "type": "string",
    "pattern": r"^[a-z][a-z0-9-]{1,31}(@([1-9][0-9]{0,7}|[a-z][a-z0-9-]{0,31}"
    r"|sha256:[0-9a-f]{12,64}))?$(?!\n)",
}
_ADDRESS_TEXT = "A version: its number, an alias, or sha256: and 12 to 64 digits of its digest."
_CLIENT = {"type": "string", "pattern": r"^[!-+\--~]{1,128}$"}
_CLIENT_TEXT = (
    "Who asks, so that the same version answers each time while an alias has several. Behind API "
    "Gateway the API key says so. It is neither kept nor logged."
)
_ALWAYS = ("x-request-id", "server-timing")
_OF_MODEL = ("x-maas-model",)
_OF_VERSION = ("x-maas-version", "x-maas-digest", "x-maas-policy")
_HEADERS: "Json" = {
    "x-request-id": ("The request, as our log names it.", {"type": "string"}),
    "server-timing": (
        "Milliseconds by stage; `init` where a function's process had to start for this request.",
        {"type": "string"},
    ),
    "x-maas-model": ("The model.", {"type": "string"}),
    "x-maas-version": ("The version that answered.", {"type": "string", "pattern": "^[0-9]+$"}),
    "x-maas-digest": ("That version's digest.", {"type": "string", "pattern": "^sha256:"}),
    "x-maas-policy": (
        "How it was chosen: by the registry's policy of now, by the last one that could be read, "
        "or by the one that was packed with the function.",
        {"enum": ["live", "stale", "baked"]},
    ),
    "retry-after": ("Seconds after which to try again.", {"type": "string", "pattern": "^[0-9]+$"}),
    "x-should-retry": ("Whether to try again.", {"enum": ["true", "false"]}),
}
_FILE = {"type": "string", "format": "binary", "minLength": 1}
_INFO = {
    "title": "maas",
    "version": "1",
    "summary": "Versioned models behind HTTPS.",
    "description": (
        "Every error has the one body `Problem`; below a model's `/v1` it has OpenAI's. A method "
        "that a route does not answer is 405; HEAD is answered as GET is. What a model is asked "
        "and answers depends on its task, which its description says; a PNG or JPEG may be sent as "
        "it is to a model that looks at images, and a WAV file to one that listens."
    ),
}


def build_document() -> "Json":
    """Make the document; JSON can say it as it is."""
    operations = [each for methods in OPERATIONS.values() for each in methods.values()]
    used = (kind for o in operations for kind in (*o.answers, *o.bodies, o.problem))
    kinds = [Problem, *used]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        # Relative to where this document lies, so that it holds behind any stage or domain.
        "servers": [{"url": "..", "description": "Where /catalog/openapi.json was read from."}],
        "tags": [
            {"name": INFERENCE, "description": "One function per model."},
            {"name": CATALOG, "description": "What the registry holds, read-only."},
        ],
        "security": [{"apiKey": []}],
        "paths": {
            path: {method.lower(): _operation(path, each) for method, each in methods.items()}
            for path, methods in OPERATIONS.items()
        },
        "components": {
            "schemas": {name: _described(schema) for name, schema in schemas.items()},
            "headers": {
                name: {"description": text, "schema": schema}
                for name, (text, schema) in _HEADERS.items()
            },
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "Asked for by the gateway; not by a laptop's server.",
                }
            },
        },
    }


def _operation(path: str, operation: Operation) -> "Json":
    made: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(path, operation),
        "responses": _responses(path, operation),
    }
    if operation.bodies:
        files = {kind: {"schema": _FILE} for kind in operation.media_types}
        content = _content(*operation.bodies) | files
        made["requestBody"] = {"required": not operation.bodiless, "content": content}
    if operation.public:
        made["security"] = []
    return made


def _parameters(path: str, operation: Operation) -> "list[Json]":
    made = []
    if "{model}" in path:
        made.append(_parameter("model", "path", _schema(ModelName), "The model's name."))
    if "{version}" in path:
        made.append(_parameter("version", "path", _ADDRESS, _ADDRESS_TEXT))
    if "{id}" in path:
        made.append(_parameter("id", "path", _NAME, "The model's name, or that, @ and a version."))
    if operation.query is None:
        pin = f"{_ADDRESS_TEXT} What names one twice must say the same."
        made.append(_parameter("x-maas-version", "header", _ADDRESS, pin))
        made.append(_parameter("version", "query", _ADDRESS, pin))
        if operation.bodies:
            made.append(_parameter("x-maas-client", "header", _CLIENT, _CLIENT_TEXT))
        return made
    _, components = msgspec.json.schema_components([operation.query], ref_template=_SCHEMAS)
    schema = _described(components[operation.query.__name__])
    for name, described in schema["properties"].items():
        text = described.pop("description", "")
        made.append(_parameter(name, "query", described, text))
    return made


def _parameter(name: str, place: str, schema: "Json", text: str) -> "Json":
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": text,
        "schema": schema,
    }


def _responses(path: str, operation: Operation) -> "Json":
    names = (*_ALWAYS, *(_OF_MODEL if "{model}" in path else ()))
    names += _OF_VERSION if operation.tag == INFERENCE else ()
    made: Json = {}
    if operation.answers:
        # OpenAPI 3.1 has no words for the events of a stream.
        files = {k: {"schema": {} if k == EVENTS else _FILE} for k in operation.answer_types}
        made["200"] = {
            "description": operation.summary + ".",
            "headers": _headers(names),
            "content": _content(*operation.answers) | files,
        }
    by_status: dict[int, list[type[MaasError]]] = {}
    for error in operation.errors:
        by_status.setdefault(error.status, []).append(error)
    if operation.problem is OpenAiProblem:
        names += ("x-should-retry",)
    for status, errors in sorted(by_status.items()):
        later = any(error.retry_after is not None for error in errors)
        made[str(status)] = {
            "description": " ".join(f"`{each.code}`: {_first_line(each)}" for each in errors),
            "headers": _headers((*names, "retry-after") if later else names),
            "content": _content(operation.problem),
        }
    if not operation.public:
        gateways = "The gateway's own: the key is missing or not allowed here."
        ours = made.get("403", {"description": ""})
        kinds = dict.fromkeys((operation.problem, Problem) if "403" in made else (Problem,))
        made["403"] = {
            **ours,
            "description": f"{ours['description']} {gateways}".strip(),
            "content": _content(*kinds),
        }
    return made


def _headers(names: tuple[str, ...]) -> "Json":
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _content(*kinds: Any) -> "Json":  # noqa: ANN401 - types, which mypy has no name for
    """JSON of one of these kinds."""
    schemas = [_schema(kind) for kind in kinds]
    return {JSON: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}}


def _schema(kind: Any) -> "Json":  # noqa: ANN401
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_SCHEMAS)
    return schema


def _first_line(kind: "type[MaasError]") -> str:
    return inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]


def _described(schema: "Json") -> "Json":
    """The schema with its docstring taken apart: the text above, each attribute at its property."""
    text = inspect.cleandoc(schema.pop("description", ""))
    head, _, attributes = text.partition("\n\nAttributes:\n")
    properties = {name: dict(value) for name, value in schema.get("properties", {}).items()}
    for name, said in re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", attributes, re.MULTILINE):
        if name in properties:
            properties[name]["description"] = re.sub(r"\s+", " ", said)
    described = schema | ({"properties": properties} if "properties" in schema else {})
    return described | {"description": re.sub(r"\s+", " ", head)} if head else described
