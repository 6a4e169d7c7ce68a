"""The OpenAPI document held against both functions' routes by schemathesis (trust.md 7).

P4: of all that it makes out of the document, well-formed or not, nothing is a 5xx; every status,
type, header and body is one that the document names; what the document refuses is refused; methods
that no route has are 405; and what the gateway refuses without a key never reaches a function.

Names are tried at random, which are unknown, and out of those that are there, which are answered.
Every kind of model is asked by what the document says of its own task.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from support.effort import count, examples
from support.kinds import LEVELS, OTHERS, SOUND, SPEECH, beside, home_of_kind
from support.openapi import narrowed, operations
from support.tiny import MAX_TOKENS, WORDS, Client, Home, make_home, open_client
from support.tiny_embedding import DIMENSION
from support.tiny_image import in_base64, jpeg, png
from support.tiny_table import TABLE

from maas.http.app import App
from maas.http.asgi import respond
from maas.http.catalog import catalog_routes
from maas.http.inference import inference_routes
from maas.http.openapi import build_document
from maas.http.protocols.hf_wire_audio import SOUND_TYPES
from maas.limits import LIMITS
from maas.observe import Observer
from maas.registry.addresses import ByNumber

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from maas.http.asgi import Receive, Scope, Send

    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
    from support.task_bundles import TaskHome

    Json = dict[str, Any]

pytestmark = pytest.mark.openapi

KEY = "a-key"
TASK = "text-classification"
DOCUMENT = build_document()
OPERATIONS = [(p, m) for p, m, each in operations(DOCUMENT) if "200" in each["responses"]]
REFUSED = [(p, m) for p, m, each in operations(DOCUMENT) if "200" not in each["responses"]]
# There is one way to ask them well.
SINGLE = {
    *("/health", "/catalog/openapi.json"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models"),
}
# Ways of naming a version that disagree are 400, which no schema can say.
ACCEPTED: list[str | int] = ["2xx", 400, 403, 404]
# Nor that a text is too long for its tokenizer and must not be cut, that one language is absent, or
# that one text alone can be streamed.
UNSAID = {"feature-extraction": [422], "translation": [422], "summarization": [422]}
UNSAID["text-generation"] = [422]
# Nor how many tokens a row may have, of which parts and labels must leave some to a text.
UNSAID |= {"token-classification": [422], "zero-shot-classification": [422]}
UNSAID["question-answering"] = [422]
# Tensors that a text model reads: no schema can say that elements are as many as their shape says.
TENSORS = [
    [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}]
    for texts in (["a good film"], ["bad", "a fine film"])
]
OUTPUTS = [
    None,
    [],
    [{"name": "logits"}],
    [{"name": "logits", "parameters": {"classification": 1}}],
]
IDS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": len(WORDS) - 1},
    "minItems": 1,
    "maxItems": MAX_TOKENS,
}
TALKS = [
    [{"role": "user", "content": "a film"}],
    [{"role": "system", "content": "so"}, {"role": "user", "content": "a"}],
]
NO_BODY: "Json" = {"content": {}}
PREDICTED = {"enum": [["a good film"], ["bad", "a fine film"]]}
RECORDS = {"enum": [[{"text": "a good film"}], [{"text": "bad"}, {"text": "a film"}]]}
SPLIT = {"enum": [{"columns": ["text"], "data": [["a good film"], ["bad"]], "index": None}]}
PICTURES = [png(LEVELS), jpeg(LEVELS)]


CLIPS = [SOUND, SPEECH]


REFUSAL = b'{"error": "Forbidden", "code": "forbidden", "field": null, "request_id": "x"}'


class Canned:
    """An app that has one answer."""

    def __init__(
        self, body: bytes, status: int = 200, media_type: str = "application/json"
    ) -> None:
        self._body = body
        self._status = status
        self._media_type = media_type

    async def __call__(self, _scope: "Scope", _receive: "Receive", send: "Send") -> None:
        await respond(send, self._status, self._body, {"content-type": self._media_type})


for media_type in SOUND_TYPES - {"application/octet-stream"}:
    schemathesis.openapi.media_type(media_type, st.sampled_from(CLIPS))
for media_type in ("image/png", "image/jpeg", "application/octet-stream"):
    schemathesis.openapi.media_type(media_type, st.sampled_from(PICTURES))


class Gateway:
    """What stands before the functions: all but `/health` is refused without a key.

    Args:
        app: Both functions.
        keyless: What else is answered without a key.
    """

    def __init__(self, app: "ASGIApp", *, keyless: str = "") -> None:
        self._app = app
        self._keyless = {"/health", keyless}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            return
        sent = [value for name, value in scope["headers"] if name == b"x-api-key"]
        app = self._app
        if scope["path"] not in self._keyless and sent != [KEY.encode()]:
            app = Canned(REFUSAL, 403)
        await app(scope, receive, send)


@dataclass
class Report:
    """What one run came to.

    Attributes:
        statuses: How often each was answered.
        faults: What the checks said, with the request that they said it of.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Versions 1 and 2, an alias for the second, some changes; models that embed and write."""
    home = make_home(tmp_path_factory.mktemp("home"))
    home.promote(2, alias="candidate")
    with home.registry() as registry:
        registry.promote("sentiment", ByNumber(2))
        registry.rollback("sentiment")
    return beside(home, "feature-extraction", "text-generation")


@pytest.fixture(scope="module")
def routes(home: Home) -> App:
    catalog = catalog_routes(home.registry(), seconds=30)  # however busy the machine is
    routes = {**inference_routes(home.services()), **catalog}
    return App(routes, observer=Observer("INFO", metrics=False), new_id=lambda: "request")


@pytest.fixture(scope="module")
def api(routes: App) -> Gateway:
    return Gateway(routes)


def named(document: "Json", home: "Home | TaskHome", task: str = TASK) -> "Json":
    """The document with the names, task and pictures that are there in place of their grammar."""
    document = narrowed(document, task)
    versions = ["1", "2", "candidate", "production", home.bundles[max(home.bundles)].digest]
    own = {"model": [home.settings.model or "sentiment"], "version": versions}
    for path, _, operation in operations(document):
        below = path.startswith("/models/") and "/v1/" in path  # whose sample embeds
        known = {"model": ["vectors"], "version": ["1", "production"]} if below else own
        if path.endswith("completions"):
            known = {**known, "model": ["generator"]}
        known |= {"x-maas-version": known["version"], "id": ["vectors", "vectors@1"]}
        for parameter in operation["parameters"]:
            if parameter["name"] in known:
                parameter["schema"] = {"type": "string", "enum": known[parameter["name"]]}
    schemas = document["components"]["schemas"]
    for each in schemas["ImageBody"]["properties"]["inputs"]["anyOf"]:
        each.get("items", each)["enum"] = [in_base64(data) for data in PICTURES]
    _with_clips(document, task)
    schemas["TableBody"]["properties"]["table"] = {"enum": [TABLE]}
    schemas["InferBody"]["properties"]["inputs"] = {"enum": TENSORS}
    schemas["InferBody"]["properties"]["outputs"] = {"enum": OUTPUTS}
    schemas["PredictBody"] = _one_of({"instances": PREDICTED, "inputs": PREDICTED})
    schemas["InvocationBody"] = _one_of(
        {"instances": PREDICTED, "dataframe_records": RECORDS, "dataframe_split": SPLIT}
    )
    for kind in ("EmbedBody", "EmbeddingsBody"):
        for each in schemas[kind]["properties"]["dimensions"]["anyOf"]:
            each["maximum"] = DIMENSION
    for kind in ("CompletionBody", "ChatBody"):
        schemas[kind]["properties"]["model"] = {"enum": ["generator", "generator@1", "dummy"]}
        # It may only stand where something else is true, which no schema of a struct says
        del schemas[kind]["properties"]["stream_options"]
    schemas["ChatBody"]["properties"]["messages"] = {"enum": TALKS}
    schemas["EmbeddingsBody"]["properties"]["model"] = {"enum": ["vectors", "vectors@1"]}
    text = schemas["EmbedBody"]["properties"]["inputs"]["anyOf"][0]
    schemas["EmbeddingsBody"]["properties"]["input"] = {
        "anyOf": [text, _listed(text), IDS, _listed(IDS)]  # of this model's vocabulary
    }
    return document


def _with_clips(document: "Json", task: str) -> None:
    for kind in ("SoundBody", "SpeechBody"):
        for each in document["components"]["schemas"][kind]["properties"]["inputs"]["anyOf"]:
            each.get("items", each)["enum"] = [in_base64(data) for data in CLIPS]
    if task in ("audio-classification", "automatic-speech-recognition"):
        for _, _, operation in operations(document):  # of which the samples are pictures
            operation.get("requestBody", NO_BODY)["content"].pop("application/octet-stream", None)


def _listed(items: "Json") -> "Json":
    return {"type": "array", "items": items, "minItems": 1, "maxItems": LIMITS.texts}


def _one_of(fields: "dict[str, Json]") -> "Json":
    """One of some fields and none of the others, which no schema of a struct says."""
    kinds = [
        {
            "type": "object",
            "properties": dict.fromkeys(fields, False) | {name: value},
            "required": [name],
        }
        for name, value in fields.items()
    ]
    return {"anyOf": kinds}


def run(
    api: "ASGIApp",
    document: "Json",
    path: str,
    method: str,
    *,
    tries: int,
    accepted: "Sequence[str | int]" = ACCEPTED,
) -> Report:
    """Try one operation by all that schemathesis knows."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 7,
            "headers": {"x-api-key": KEY},
            "generation": {"max-examples": tries, "database": "none", "deterministic": True},
            "phases": {"stateful": {"enabled": False}},
            "checks": {"positive_data_acceptance": {"expected-statuses": accepted}},
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = api
    schema.hook(filter_body)
    schema.hook(filter_query)
    chosen = schema.include(path=path, method=method)
    report = Report()
    for event in from_schema(chosen).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            report.faults.append(str(event))
        if isinstance(event, events.ScenarioFinished):
            gather(event, report)
    count("requests", report.statuses.total())
    return report


def gather(event: events.ScenarioFinished, report: Report) -> None:
    for interaction in event.recorder.interactions.values():
        if interaction.response is not None:
            report.statuses[interaction.response.status_code] += 1
    for checks in event.recorder.checks.values():
        for check in checks:
            if (info := check.failure_info) is not None:
                report.faults.append(f"{check.name}: {info.failure.message}\n{info.code_sample}")


def filter_body(_: schemathesis.HookContext, body: object) -> bool:
    """Not one with a number such as 63.0, which is an integer to JSON Schema and none to us."""
    if isinstance(body, dict | list):
        parts = body.values() if isinstance(body, dict) else body
        return all(filter_body(_, each) for each in parts)
    return not (isinstance(body, float) and body.is_integer())


def filter_query(context: schemathesis.HookContext, query: object) -> bool:
    """The same of a query string, which may be none at all."""
    return filter_body(context, query)


def test_all_checks_are_on() -> None:
    schemathesis.openapi.from_dict(DOCUMENT)  # which makes those of OpenAPI known
    known = set(CHECKS.get_all_names())
    assert known >= {"not_a_server_error", "status_code_conformance", "content_type_conformance"}
    assert known >= {"response_schema_conformance", "response_headers_conformance", "ignored_auth"}
    assert known >= {"negative_data_rejection", "positive_data_acceptance", "unsupported_method"}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_p4_a_route_asked_by_names_that_are_there(
    api: Gateway, home: Home, path: str, method: str
) -> None:
    tries = examples(25, 2_000)
    report = run(api, named(build_document(), home), path, method, tries=tries)
    assert report.faults == []
    assert report.statuses[200] > 0
    assert report.statuses.total() >= (1 if path in SINGLE else tries)
    count("inputs", report.statuses.total() - report.statuses[200])


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, method in OPERATIONS if "{" in path]
)
def test_p4_a_route_asked_by_names_that_are_not(api: Gateway, path: str, method: str) -> None:
    document = narrowed(build_document(), TASK)
    report = run(api, document, path, method, tries=examples(6, 2_000))
    assert report.faults == []
    assert report.statuses[404] > 0
    count("inputs", report.statuses.total())


@pytest.mark.parametrize(("path", "method"), REFUSED)
def test_p4_a_route_that_is_there_to_refuse(api: Gateway, path: str, method: str) -> None:
    tries = examples(6, 2_000)
    report = run(api, build_document(), path, method, tries=tries, accepted=[403, 405])
    assert report.faults == []
    assert report.statuses[405] > 0
    assert report.statuses[200] == 0


@pytest.mark.parametrize("kind", OTHERS)
def test_p4_every_kind_of_model_is_asked_as_the_document_says(tmp_path: "Path", kind: str) -> None:
    home, tries = home_of_kind(tmp_path, kind), examples(8, 2_000)
    routes = inference_routes(home.services())
    app = App(routes, observer=Observer("INFO", metrics=False), new_id=lambda: "request")
    document = named(build_document(), home, kind)
    for _, _, operation in operations(document):  # the body alone: how a version is named is above
        operation["parameters"] = [each for each in operation["parameters"] if each["required"]]
    accepted = [*ACCEPTED, *UNSAID.get(kind, [])]
    path = "/models/{model}"
    report = run(Gateway(app), document, path, "POST", tries=tries, accepted=accepted)
    assert report.faults == []
    assert report.statuses[200] > tries / 5
    assert report.statuses[422] > 0
    count("inputs", report.statuses.total() - report.statuses[200])


@pytest.mark.parametrize(
    "answer",
    [
        Canned(b'{"status": "ok"}', 500),
        Canned(b'{"status": "fine"}'),
        Canned(b'{"status": "ok"}', media_type="text/plain"),
        Canned(b'{"status": "ok"}', 418),
    ],
    ids=["5xx", "body", "type", "status"],
)
def test_what_is_not_as_described_would_be_seen(answer: Canned) -> None:
    assert run(Gateway(answer), build_document(), "/health", "GET", tries=1).faults


def test_a_route_that_asks_for_no_key_would_be_seen(routes: App) -> None:
    open_gateway = Gateway(routes, keyless="/catalog/models")
    report = run(open_gateway, build_document(), "/catalog/models", "GET", tries=1)
    assert any(fault.startswith("ignored_auth") for fault in report.faults)


# ---- Paging -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Client]":
    """A catalog of five versions and a dozen of changes."""
    home = make_home(tmp_path_factory.mktemp("many"), versions=5)
    with home.registry() as registry:
        for number in (2, 3, 4, 5, 1, 2):
            registry.promote("sentiment", ByNumber(number))
    with open_client(home.services(), reader=home.registry()) as client:
        yield client


LISTS = {
    "/catalog/models": ("models", "name"),
    "/catalog/models/sentiment/versions": ("versions", "number"),
    "/catalog/models/sentiment/history": ("events", "revision"),
}


@settings(max_examples=examples(30, 500))
@given(st.sampled_from(sorted(LISTS)), st.lists(st.integers(1, 20), min_size=1, max_size=20))
def test_pages_of_any_size_are_the_list(client: Client, path: str, sizes: list[int]) -> None:
    name, key = LISTS[path]
    whole = client.get(path).json()
    assert (whole["more"], whole["next"]) == (False, None)
    found: list[object] = []
    after = ""
    for step in range(100):
        size = sizes[step % len(sizes)]
        page = client.get(f"{path}?limit={size}{after}").json()
        assert len(page[name]) <= size
        found += page[name]
        if not page["more"]:
            break
        assert page["next"] == page[name][-1][key]
        after = f"&after={page['next']}"
    assert found == whole[name]
