"""Least privilege as it is used (P10, S28): each function asks AWS for what its role allows.

The functions run as Lambda starts them, with their variables of the template, and with DynamoDB
Local behind a wire that notes every request. They meet nobody else; no more is allowed than was
asked for, and no less.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from support.doors import rest_event
from support.dynamo import REGION, empty_table
from support.dynamo_standin import StandIn
from support.function import Ended, pack, routed, run_function
from support.registries import NOW
from support.roles import TABLE, Statements, Use, allows, granted, use_of
from support.rollouts import candidate
from support.stack import Stack, translate
from support.tiny import Home, make_home, register_bundle
from support.wire import Wire, cut, error, forward

from maas.http.catalog import catalog_routes
from maas.registry.addresses import ByNumber
from maas.registry.dynamo import Table
from maas.registry.dynamo_store import DynamoStore
from maas.registry.reader import Reader
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore

MODELS = ("sentiment", "spam")
FUNCTION = "ModelsentimentFunction"
OWN = Use("dynamodb:GetItem", TABLE, "MODEL#sentiment")
QUEUE = "ModelsentimentShadowQueue"
HERE, GOOD = "/models/sentiment", {"inputs": "a good film"}
LISTEN = """
import json, sys, threading
met = set()
def listen(event, arguments):
    if event == "socket.connect":
        met.add(arguments[1])
    if event == "socket.getaddrinfo":
        met.add(arguments[:2])
sys.addaudithook(listen)
"""
TELL = """
for thread in threading.enumerate():
    if thread.name == "maas-shadow":
        thread.join(5)
sys.stderr.write(json.dumps(sorted(met)))
"""


@pytest.fixture(scope="module")
def stack() -> Stack:
    return translate(MODELS)


@pytest.fixture(scope="module")
def shadowed() -> Stack:
    return translate(MODELS, Shadows="on")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Versions 1, 2 and 3."""
    return make_home(tmp_path_factory.mktemp("home"), versions=3)


@pytest.fixture(scope="module")
def models(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the function carries: versions 1 and 2."""
    folder = tmp_path_factory.mktemp("opt") / "models"
    return pack(home, folder, routed(home, 1, v1=100), carried=(1, 2))


@pytest.fixture
def table(home: Home, monkeypatch: pytest.MonkeyPatch) -> Table:
    """All kinds of records: production at version 2 with a shadow, a deployment, another model."""
    table = empty_table(monkeypatch)
    registry = Registry(DynamoStore(table), clock=lambda: NOW, actor="ada")
    for bundle in home.bundles.values():
        register_bundle(registry, bundle)
    registry.register(replace(candidate("7"), model="spam"))
    for number in (1, 2):
        registry.promote("sentiment", ByNumber(number))
    registry.shadow("sentiment", ByNumber(1), sample=10_000)
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


@pytest.fixture
def queue() -> Iterator[StandIn]:
    with StandIn() as queue:
        queue.answer = (200, {"MessageId": "1"})
        yield queue


def role_of(stack: Stack, function: str) -> Statements:
    role = stack.of("AWS::Lambda::Function")[function]["Role"]
    return stack.statements()[role.strip("<>").split(".")[0]]


def environ_of(stack: Stack, function: str, **other: str) -> dict[str, str]:
    """A function's variables of the template, but for those of where things are."""
    variables = dict(stack.of("AWS::Lambda::Function")[function]["Environment"]["Variables"])
    assert variables.keys() >= other.keys()
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return variables | keys | {"AWS_REGION": REGION} | other


def run(
    name: str, environ: dict[str, str], *steps: object, cwd: Path, meets: tuple[str, ...]
) -> Ended:
    """Go through the steps; the function must meet these addresses, and nobody else."""
    ended = run_function(name, environ, LISTEN, *steps, TELL, cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    wanted = [[urlsplit(url).hostname, urlsplit(url).port] for url in meets]
    assert json.loads(ended.stderr.splitlines()[-1]) == sorted(wanted)
    return ended


def ask(path: str, body: object = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A request: POST where there is a body."""
    return rest_event("GET" if body is None else "POST", path, body, **more)


# ---- A model's function -------------------------------------------------------------------------


def test_p10_a_models_function_uses_all_of_its_role_and_nothing_else(  # noqa: PLR0917
    stack: Stack, home: Home, models: Path, table: Table, wire: Wire, tmp_path: Path
) -> None:
    tensors = [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a good film"]}]
    digest = home.bundles[2].digest
    pins = ("1", "2", "production", digest, digest[:20])
    answered = [
        *(ask(HERE, GOOD) for _ in range(3)),
        *(ask(f"{HERE}/versions/{pin}", GOOD) for pin in pins),
        *(ask(HERE, GOOD, headers={"x-maas-version": pin}) for pin in pins),
        *(ask(HERE, GOOD, query=f"version={pin}") for pin in pins),
        ask("/v2/models/sentiment/infer", {"inputs": tensors}),
        ask("/v1/models/sentiment:predict", {"instances": ["a good film"]}),
        *(ask(path) for path in (HERE, f"{HERE}/versions/1", "/v2/models/sentiment/stats")),
    ]
    refused = [
        *(ask(f"{HERE}/versions/{pin}", GOOD) for pin in ("3", "9", "canary", f"sha256:{0:064}")),
        *(ask(f"/models/{model}", GOOD) for model in ("spam", "MODEL%23spam", "nobody")),
        ask("/catalog/models"),
    ]
    # Given a policy that is read anew with each request, and a table that fails now and then
    throttled = error("ThrottlingException")
    wire.script("GetItem", [error("AccessDeniedException"), forward, cut, throttled])
    environ = environ_of(
        stack,
        FUNCTION,
        MAAS_BUNDLES=str(models),
        MAAS_POLICY_TTL="0",
        MAAS_REGISTRY=f"dynamodb://{table.name}",
        AWS_ENDPOINT_URL_DYNAMODB=wire.address,
    )
    ended = run("inference", environ, *answered, *refused, cwd=tmp_path, meets=(wire.address,))
    statuses = ended.statuses()
    assert statuses[: len(answered)] == [200] * len(answered)
    assert all(status >= 400 for status in statuses[len(answered) :])
    assert "live" in {answer["headers"].get("x-maas-policy") for answer in ended.answers}
    # Then each read is allowed, and whatever is allowed was read; its shadow was told nothing
    role = role_of(stack, FUNCTION)
    assert len(wire.asked) > 10
    assert {use_of(asked, table=table.name) for asked in wire.asked} == {OWN}
    assert allows(role, OWN)
    assert granted(role) == {(OWN.action, OWN.resource)}


def test_p10_with_shadows_a_models_function_may_send_to_its_own_queue_and_does(  # noqa: PLR0917
    shadowed: Stack, models: Path, table: Table, wire: Wire, queue: StandIn, tmp_path: Path
) -> None:
    variables = shadowed.of("AWS::Lambda::Function")[FUNCTION]["Environment"]["Variables"]
    assert variables["MAAS_SHADOW_QUEUE"] == f"<{QUEUE}>"
    address = f"{queue.url}/123456789012/maas-shadow-sentiment"
    environ = environ_of(
        shadowed,
        FUNCTION,
        MAAS_BUNDLES=str(models),
        MAAS_REGISTRY=f"dynamodb://{table.name}",
        MAAS_SHADOW_QUEUE=address,
        AWS_ENDPOINT_URL_DYNAMODB=wire.address,
    )
    asked = [ask(HERE, GOOD)] * 5
    meets = (wire.address, queue.url)
    assert run("inference", environ, *asked, cwd=tmp_path, meets=meets).statuses() == [200] * 5
    # Then it sent messages to its own queue, and asked its table what it asks without a shadow
    send = Use("sqs:SendMessage", f"<{QUEUE}.Arn>")
    assert {sent.headers["x-amz-target"] for sent in queue.requests} == {"AmazonSQS.SendMessage"}
    assert {json.loads(sent.body)["QueueUrl"] for sent in queue.requests} == {address}
    assert {use_of(asked, table=table.name) for asked in wire.asked} == {OWN}
    role = role_of(shadowed, FUNCTION)
    assert allows(role, send)
    assert granted(role) == {(use.action, use.resource) for use in (OWN, send)}

    # When its shadow's function is given such a message, then it asks AWS for nothing itself
    message = json.loads(queue.requests[-1].body)["MessageBody"]
    event = {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": message}]}
    shadow = environ_of(shadowed, "ModelsentimentShadowFunction", MAAS_BUNDLES=str(models))
    ended = run("shadow", shadow, event, cwd=tmp_path, meets=())
    assert ended.answers == [{}]
    assert '"ShadowErrors":0' in ended.stdout
    # And its role allows what Lambda needs to hand it messages of this queue
    assert granted(role_of(shadowed, "ModelsentimentShadowFunction")) == {
        (f"sqs:{action}", f"<{QUEUE}.Arn>")
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    }


# ---- The catalog --------------------------------------------------------------------------------


def test_p10_the_catalogs_function_uses_all_of_its_role_and_nothing_else(
    stack: Stack, home: Home, table: Table, wire: Wire, tmp_path: Path
) -> None:
    routes = catalog_routes(Reader(SqliteStore(tmp_path / "none.sqlite")))
    versions = ("1", "production", home.bundles[2].digest, "9", "canary", f"sha256:{0:064}")
    paths = {
        (method, route.format(model=model, version=version))
        for route, methods in routes.items()
        for method in methods
        for model in ("sentiment", "nobody")
        for version in versions
    }
    queries = ("", "limit=1", "limit=1&after=2", "limit=1&after=sentiment")
    events = [rest_event(m, path, query=query) for m, path in sorted(paths) for query in queries]
    environ = environ_of(
        stack,
        "CatalogFunction",
        MAAS_REGISTRY=f"dynamodb://{table.name}",
        AWS_ENDPOINT_URL_DYNAMODB=wire.address,
    )
    ended = run("catalog", environ, *events, cwd=tmp_path, meets=(wire.address,))
    # Given that every route was asked and answered, but those that refuse
    answered = zip(events, ended.answers, strict=True)
    good = {event["path"] for event, answer in answered if answer["statusCode"] == 200}
    refused = {route for route in routes if route.endswith(("/load", "/unload"))}
    for route in routes.keys() - refused:
        assert route.format(model="sentiment", version="1") in good
    # Then each read is allowed, and whatever is allowed was read
    uses = {use_of(asked, table=table.name) for asked in wire.asked}
    role = role_of(stack, "CatalogFunction")
    assert {use for use in uses if not allows(role, use)} == set()
    assert {(use.action, use.resource) for use in uses} == granted(role)


# ---- What is refused ----------------------------------------------------------------------------

FOREIGN = [
    (FUNCTION, Use("dynamodb:GetItem", TABLE, "MODEL#spam")),
    (FUNCTION, Use("dynamodb:GetItem", TABLE, "MODEL")),
    (FUNCTION, Use("dynamodb:Query", TABLE, "MODEL#sentiment")),
    (FUNCTION, Use("dynamodb:Query", f"{TABLE}/index/listed", "MODEL")),
    (FUNCTION, Use("dynamodb:PutItem", TABLE, "MODEL#sentiment")),
    (FUNCTION, Use("sqs:SendMessage", "<ModelspamShadowQueue.Arn>")),
    (FUNCTION, Use("sqs:ReceiveMessage", f"<{QUEUE}.Arn>")),
    ("ModelspamFunction", OWN),
    ("ModelsentimentShadowFunction", OWN),
    ("ModelsentimentShadowFunction", Use("sqs:SendMessage", f"<{QUEUE}.Arn>")),
    ("CatalogFunction", Use("dynamodb:PutItem", TABLE, "MODEL#sentiment")),
    ("CatalogFunction", Use("dynamodb:Scan", TABLE)),
    ("CatalogFunction", Use("dynamodb:Query", f"{TABLE}/index/other", "MODEL")),
    ("CatalogFunction", Use("sqs:SendMessage", f"<{QUEUE}.Arn>")),
]


@pytest.mark.parametrize(
    ("function", "use"), FOREIGN, ids=lambda each: each if isinstance(each, str) else each.action
)
def test_s28_what_a_function_does_not_need_is_refused(
    shadowed: Stack, function: str, use: Use
) -> None:
    assert not allows(role_of(shadowed, function), use)
