"""Least privilege as it is used (P10, S28): each function asks AWS for what its role allows.

The functions run as Lambda starts them, with their variables of the template, and with DynamoDB
Local behind a wire that notes every request. No more is allowed than was asked, and no less.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.doors import rest_event
from support.dynamo import REGION, empty_table
from support.function import Ended, pack, routed, run_function
from support.registries import NOW
from support.rollouts import candidate
from support.stack import Stack, translate
from support.tiny import Home, make_home, register_bundle
from support.wire import Asked, Wire, cut, error, forward

from maas.http.catalog import catalog_routes
from maas.registry.addresses import ByNumber
from maas.registry.dynamo import Table
from maas.registry.dynamo_store import DynamoStore
from maas.registry.reader import Reader
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore

MODELS = ("sentiment", "spam")
TABLE = "<Registry.Arn>"
THROTTLED = error("ThrottlingException")
Event = dict[str, Any]
LISTEN = """
import json, sys
met = set()
def listen(event, arguments):
    if event == "socket.connect":
        met.add(arguments[1])
    if event == "socket.getaddrinfo":
        met.add(arguments[:2])
sys.addaudithook(listen)
"""
TELL = "sys.stderr.write(json.dumps(sorted(met)))"


@dataclass(frozen=True, order=True, slots=True)
class Use:
    """One request as AWS weighs it against a role.

    Attributes:
        action: Its action, as roles name it.
        resource: What it is asked of.
        leading: The partition key that it names.
    """

    action: str
    resource: str
    leading: str


def use_of(asked: Asked, table: Table) -> Use:
    """What a request was; fails for one of a kind that no function makes."""
    body: Any = asked.body
    assert body["TableName"] == table.name
    match asked.operation:
        case "GetItem":
            resource, leading = TABLE, body["Key"]["pk"]
        case "Query" if "IndexName" in body:
            values = body["ExpressionAttributeValues"]
            resource, leading = f"{TABLE}/index/{body['IndexName']}", values[":index"]
        case "Query":
            resource, leading = TABLE, body["ExpressionAttributeValues"][":pk"]
        case operation:
            raise AssertionError(f"nothing in a function asks for {operation}")
    return Use(f"dynamodb:{asked.operation}", resource, leading["S"])


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allows(statements: list[Any], use: Use) -> bool:
    """Whether IAM would let a request pass."""
    return any(
        use.action in listed(statement["Action"])
        and use.resource in listed(statement["Resource"])
        and _holds(statement.get("Condition", {}), use)
        for statement in statements
    )


def _holds(condition: dict[str, Any], use: Use) -> bool:
    if not condition:
        return True
    ((operator, ((name, values),)),) = ((o, tuple(c.items())) for o, c in condition.items())
    assert (operator, name) == ("ForAllValues:StringEquals", "dynamodb:LeadingKeys")
    return use.leading in values


def granted(statements: list[Any]) -> set[tuple[str, str]]:
    """What a role allows of the registry; an index knows no GetItem."""
    return {
        (action, resource)
        for statement in statements
        for action in listed(statement["Action"])
        if action.startswith("dynamodb:")
        for resource in listed(statement["Resource"])
        if "/index/" not in resource or action in {"dynamodb:Query", "dynamodb:Scan"}
    }


@pytest.fixture(scope="module")
def stack() -> Stack:
    return translate(MODELS)


def role_of(stack: Stack, function: str) -> list[Any]:
    role = stack.of("AWS::Lambda::Function")[function]["Role"]
    return stack.statements()[role.strip("<>").split(".")[0]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Versions 1, 2 and 3."""
    return make_home(tmp_path_factory.mktemp("home"), versions=3)


@pytest.fixture
def table(home: Home, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table with all kinds of records: production at version 2, a deployment, another model."""
    table = empty_table(monkeypatch)
    registry = Registry(DynamoStore(table), clock=lambda: NOW, actor="ada")
    for bundle in home.bundles.values():
        register_bundle(registry, bundle)
    registry.register(replace(candidate("7"), model="spam"))
    for number in (1, 2):
        registry.promote("sentiment", ByNumber(number))
    registry.record_deployment(
        "sentiment",
        "maas",
        function="maas-model-sentiment:live",
        function_version="1",
        digests={number: home.bundles[number].digest for number in (1, 2)},
    )
    return table


@pytest.fixture
def wire(table: Table) -> Iterator[Wire]:
    with Wire(table.endpoint) as wire:
        yield wire


def run(
    name: str,
    stack: Stack,
    function: str,
    wire: Wire,
    table: Table,
    *steps: object,
    cwd: Path,
    **more: str,
) -> Ended:
    """Start a function with its variables of the template; it may meet nobody but DynamoDB."""
    variables = dict(stack.of("AWS::Lambda::Function")[function]["Environment"]["Variables"])
    environ = variables | {
        "MAAS_REGISTRY": f"dynamodb://{table.name}",
        "AWS_ENDPOINT_URL_DYNAMODB": wire.address,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        **more,
    }
    ended = run_function(name, environ, LISTEN, *steps, TELL, cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    port = int(wire.address.rpartition(":")[2])
    assert json.loads(ended.stderr) == [["127.0.0.1", port]]
    return ended


def ask(path: str, body: object = None, **more: Any) -> Event:  # noqa: ANN401
    """A request: POST where there is a body."""
    return rest_event("GET" if body is None else "POST", path, body, **more)


def test_p10_a_models_function_uses_all_of_its_role_and_nothing_else(
    stack: Stack, home: Home, table: Table, wire: Wire, tmp_path: Path
) -> None:
    models = pack(home, tmp_path / "models", routed(home, 1, v1=100), carried=(1, 2))
    here, good = "/models/sentiment", {"inputs": "a good film"}
    tensors = [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a good film"]}]
    pins = (
        *("1", "2", "production"),
        *(home.bundles[2].digest, home.bundles[2].digest[:20]),
    )
    answered = [
        *(ask(here, good) for _ in range(3)),
        *(ask(f"{here}/versions/{pin}", good) for pin in pins),
        *(ask(here, good, headers={"x-maas-version": pin}) for pin in pins),
        *(ask(here, good, query=f"version={pin}") for pin in pins),
        ask("/v2/models/sentiment/infer", {"inputs": tensors}),
        ask("/v1/models/sentiment:predict", {"instances": ["a good film"]}),
        *(ask(path) for path in (here, f"{here}/versions/1", "/v2/models/sentiment/stats")),
    ]
    refused = [
        *(
            ask(f"{here}/versions/{pin}", good)
            for pin in ("3", "9", "canary", "sha256:" + "0" * 64)
        ),
        *(ask(f"/models/{model}", good) for model in ("spam", "MODEL%23spam", "nobody")),
        ask("/catalog/models"),
    ]
    # Given a policy that is read anew with each request, and a table that fails now and then
    wire.script("GetItem", [error("AccessDeniedException"), forward, cut, THROTTLED])
    ended = run(
        "inference",
        stack,
        "ModelsentimentFunction",
        wire,
        table,
        *answered,
        *refused,
        cwd=tmp_path,
        MAAS_BUNDLES=str(models),
        MAAS_POLICY_TTL="0",
    )
    statuses = ended.statuses()
    assert statuses[: len(answered)] == [200] * len(answered)
    assert all(status >= 400 for status in statuses[len(answered) :])
    assert "live" in {answer["headers"].get("x-maas-policy") for answer in ended.answers}
    # Then each read is allowed, and whatever is allowed was read
    uses = {use_of(asked, table) for asked in wire.asked}
    role = role_of(stack, "ModelsentimentFunction")
    assert len(wire.asked) > 10
    assert uses == {Use("dynamodb:GetItem", TABLE, "MODEL#sentiment")}
    assert all(allows(role, use) for use in uses)
    assert {(use.action, use.resource) for use in uses} == granted(role)


def test_p10_the_catalogs_function_uses_all_of_its_role_and_nothing_else(
    stack: Stack, table: Table, wire: Wire, tmp_path: Path, home: Home
) -> None:
    routes = catalog_routes(Reader(SqliteStore(tmp_path / "none.sqlite")))
    versions = ("1", "production", home.bundles[2].digest, "9", "canary", "sha256:" + "0" * 64)
    events = [
        rest_event(method, path, query=query)
        for route, methods in routes.items()
        for method in methods
        for path in sorted(
            {
                route.format(model=model, version=version)
                for model in ("sentiment", "nobody")
                for version in versions
            }
        )
        for query in ("", "limit=1", "limit=1&after=2", "limit=1&after=sentiment")
    ]
    ended = run("catalog", stack, "CatalogFunction", wire, table, *events, cwd=tmp_path)
    # Given that every route was asked and answered
    good = {
        event["path"]
        for event, answer in zip(events, ended.answers, strict=True)
        if answer["statusCode"] == 200
    }
    refused = {path for path in routes if path.endswith(("/load", "/unload"))}
    for route in routes.keys() - refused:
        assert route.format(model="sentiment", version="1") in good
    # Then each read is allowed, and whatever is allowed was read
    uses = {use_of(asked, table) for asked in wire.asked}
    role = role_of(stack, "CatalogFunction")
    assert {use for use in uses if not allows(role, use)} == set()
    assert {(use.action, use.resource) for use in uses} == granted(role)


@pytest.mark.parametrize(
    ("function", "use"),
    [
        ("ModelsentimentFunction", Use("dynamodb:GetItem", TABLE, "MODEL#spam")),
        ("ModelsentimentFunction", Use("dynamodb:GetItem", TABLE, "MODEL")),
        ("ModelsentimentFunction", Use("dynamodb:Query", TABLE, "MODEL#sentiment")),
        ("ModelsentimentFunction", Use("dynamodb:Query", f"{TABLE}/index/listed", "MODEL")),
        ("ModelsentimentFunction", Use("dynamodb:PutItem", TABLE, "MODEL#sentiment")),
        ("ModelspamFunction", Use("dynamodb:GetItem", TABLE, "MODEL#sentiment")),
        ("CatalogFunction", Use("dynamodb:PutItem", TABLE, "MODEL#sentiment")),
        ("CatalogFunction", Use("dynamodb:Scan", TABLE, "MODEL#sentiment")),
        ("CatalogFunction", Use("dynamodb:Query", f"{TABLE}/index/other", "MODEL")),
    ],
    ids=str,
)
def test_s28_what_no_function_needs_is_refused(stack: Stack, function: str, use: Use) -> None:
    assert not allows(role_of(stack, function), use)
