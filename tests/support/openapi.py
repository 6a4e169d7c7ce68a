"""What a document must be to be OpenAPI 3.1, and what it says of an answer.

    check_document(document)                         # AssertionError with the first fault
    check_answer(document, "GET", "/catalog/models", 200, {"models": [], …})
    narrowed(document, "translation")                # what it says of models of one task

The rules are those that our document can break, written as JSON Schema from the specification's
text: required fields, no unknown ones, parameters and responses of the right shape.
"""

import copy
import re
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from maas.http.operations import TASKS
from maas.http.operations.sagemaker import OPERATIONS as BESIDE
from maas.http.operations.tasks import OPERATIONS as OF_TASKS
from maas.http.protocols.hf_wire_audio import SOUND_TYPES
from maas.http.protocols.hf_wire_image import MEDIA_TYPES

Json = dict[str, Any]
_FILES = {
    "image-classification": MEDIA_TYPES,
    "audio-classification": SOUND_TYPES,
    "automatic-speech-recognition": SOUND_TYPES,
}


def _closed(required: "list[str]", /, **properties: Json) -> Json:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


def _map(value: Json, *, names: str = r"^[A-Za-z0-9._-]+$") -> Json:
    return {
        "type": "object",
        "additionalProperties": value,
        "propertyNames": {"pattern": names},
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


TEXT: Json = {"type": "string", "minLength": 1}
SCHEMA: Json = {"type": "object"}
REQUIREMENTS: Json = {"type": "array", "items": _map({"type": "array", "items": TEXT})}
RULES: Json = {
    **_closed(
        ["openapi", "info", "paths"],
        openapi={"type": "string", "pattern": r"^3\.1\.\d+$"},
        info=_closed(
            ["title", "version"], title=TEXT, version=TEXT, summary=TEXT, description=TEXT
        ),
        servers={"type": "array", "items": _closed(["url"], url=TEXT, description=TEXT)},
        tags={"type": "array", "items": _closed(["name"], name=TEXT, description=TEXT)},
        security=REQUIREMENTS,
        paths=_map(_ref("item"), names="^/"),
        components=_closed(
            [],
            schemas=_map(SCHEMA),
            headers=_map(_ref("header")),
            securitySchemes=_map(_ref("scheme")),
        ),
    ),
    "$defs": {
        "item": _closed([], **{m: _ref("operation") for m in ("get", "post", "put", "delete")}),
        "operation": _closed(
            ["operationId", "responses"],
            operationId={"type": "string", "pattern": "^[a-z][A-Za-z]+$"},
            summary=TEXT,
            tags={"type": "array", "items": TEXT, "uniqueItems": True},
            parameters={"type": "array", "items": _ref("parameter"), "uniqueItems": True},
            requestBody=_closed(["content"], content=_ref("content"), required={"type": "boolean"}),
            responses={
                **_map(_ref("response"), names="^[1-5][0-9]{2}$"),
                "minProperties": 1,
            },
            security=REQUIREMENTS,
        ),
        "parameter": {
            **_closed(
                ["name", "in", "schema"],
                name=TEXT,
                description=TEXT,
                required={"type": "boolean"},
                schema=SCHEMA,
                **{"in": {"enum": ["path", "query", "header"]}},
            ),
            "if": {"properties": {"in": {"const": "path"}}},
            "then": {"required": ["required"], "properties": {"required": {"const": True}}},
        },
        "response": _closed(
            ["description"],
            description=TEXT,
            content=_ref("content"),
            headers=_map(_closed(["$ref"], **{"$ref": TEXT})),
        ),
        "content": {**_map(_closed(["schema"], schema=SCHEMA), names="^[a-z]+/[a-z.-]+$")},
        "header": _closed(["schema"], schema=SCHEMA, description=TEXT),
        "scheme": _closed(
            ["type", "name", "in"],
            type={"const": "apiKey"},
            name=TEXT,
            description=TEXT,
            **{"in": {"const": "header"}},
        ),
    },
}


def check_document(document: Json) -> None:
    """Hold a document against the rules, its schemas against JSON Schema's, its references too."""
    Draft202012Validator.check_schema(RULES)
    Draft202012Validator(RULES).validate(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in _references(document):
        _resolved(document, reference)
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names)), "an operationId occurs twice"
    tags = {tag["name"] for tag in document["tags"]}
    schemes = document["components"]["securitySchemes"].keys()
    for path, _, operation in operations(document):
        declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path)), path
        places = [(p["in"], p["name"]) for p in operation["parameters"]]
        assert len(places) == len(set(places)), path
        assert set(operation["tags"]) <= tags
        for parameter in operation["parameters"]:
            Draft202012Validator.check_schema(parameter["schema"])
        where = operation if "security" in operation else document
        for requirement in where["security"]:
            assert requirement.keys() <= schemes


def operations(document: Json) -> "list[tuple[str, str, Json]]":
    """Path, method in capitals and operation of each."""
    return [
        (path, method.upper(), operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def operation_of(document: Json, method: str, path: str) -> Json:
    """The operation that a request asks for; a literal segment wins over a parameter."""
    fitting = [
        template
        for template in sorted(document["paths"], key=lambda path: path.count("{"))
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    operation: Json = document["paths"][fitting[0]][method.lower()]
    return operation


def narrowed(document: Json, task: str) -> Json:
    """The document as it is of models of one task: their bodies and answers, and no other's.

    What is sent to any model whatever its task, as rows are, stays.
    """
    document = copy.deepcopy(document)
    kinds = list(TASKS)
    answers = [kind for kind, (_, listed) in TASKS.items() for _ in listed]
    for path, _, operation in operations(document):
        if path not in OF_TASKS | BESIDE or "requestBody" not in operation:
            continue
        content = operation["requestBody"]["content"]
        bodies = _of_task(content["application/json"]["schema"]["anyOf"], kinds, task)
        files = {kind: value for kind, value in content.items() if kind in _FILES.get(task, ())}
        schema = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
        operation["requestBody"]["content"] = {"application/json": {"schema": schema}} | files
        said = operation["responses"]["200"]["content"]["application/json"]
        said["schema"] = {"anyOf": _of_task(said["schema"]["anyOf"], answers, task)}
    return document


def _of_task(schemas: "list[Json]", kinds: "list[str]", task: str) -> "list[Json]":
    """Of schemas whose last ones are of these kinds, the first ones and those of a task."""
    any_task = len(schemas) - len(kinds)
    assert 0 <= any_task <= 1
    own = zip(kinds, schemas[any_task:], strict=True)
    return schemas[:any_task] + [schema for kind, schema in own if kind == task]


def check_answer(document: Json, method: str, path: str, status: int, body: object) -> None:
    """Hold an answer's body against the schema that the document gives it."""
    response = operation_of(document, method, path)["responses"][str(status)]
    schema = response["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole).validate(body)


def _references(value: object) -> "list[str]":
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for each in value.values() for found in _references(each)]
    if isinstance(value, list):
        return [found for each in value for found in _references(each)]
    return []


def _resolved(document: Json, reference: str) -> Json:
    assert reference.startswith("#/"), reference
    found = document
    for part in reference[2:].split("/"):
        found = found[part]
    return found
