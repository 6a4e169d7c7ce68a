"""The catalog: what the registry holds, over HTTP, read-only."""

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from support.doors import Client
from support.tiny import Home, make_home, open_client

from maas.errors import (
    NotReadyError,
    RegistryMisconfiguredError,
    RegistryUnavailableError,
    SettingsError,
)
from maas.http.app import App
from maas.http.catalog import catalog_routes
from maas.observe import Observer
from maas.registry.addresses import ByNumber
from maas.registry.reader import Reader
from maas.registry.records import Candidate, TensorSpec, Verification, encode
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from maas.exchange import Exchange

MODELS = "/catalog/models"
HERE = f"{MODELS}/sentiment"
ROUTES = (
    "/health",
    MODELS,
    HERE,
    f"{HERE}/versions",
    f"{HERE}/versions/1",
    f"{HERE}/aliases",
    f"{HERE}/history",
    f"{HERE}/deployments",
    "/catalog/openapi.json",
)
ARN = "arn:aws:iam::123456789012:user/ada"


def deploy(home: Home) -> None:
    with home.registry() as registry:
        registry.record_deployment(
            "sentiment",
            "maas-prod",
            function="maas-prod-model-sentiment:live",
            function_version="7",
            digests={number: bundle.digest for number, bundle in home.bundles.items()},
        )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Versions 1 and 2; production went to 1, to 2 and back; one deployment."""
    home = make_home(tmp_path_factory.mktemp("home"))
    with home.registry() as registry:
        registry.promote("sentiment", ByNumber(2), reason="better on long texts")
        registry.rollback("sentiment", reason="more errors")
    deploy(home)
    return home


def open_catalog(
    reader: Reader, *, ready: "Callable[[Exchange], None] | None" = None, seconds: float = 1.8
) -> Client:
    """HTTP to the catalog alone, as on Lambda."""
    routes = catalog_routes(reader, ready=ready, seconds=seconds)
    return Client(App(routes, observer=Observer("INFO", metrics=False), new_id=lambda: "request-0"))


@pytest.fixture
def client(shared: Home, log: "io.StringIO") -> "Iterator[Client]":
    with open_catalog(shared.registry()) as client:
        yield client


def problem(response: "httpx.Response", status: int, code: str, field: str | None = None) -> str:
    body = response.json()
    assert (response.status_code, body["code"], body["field"]) == (status, code, field)
    assert body.keys() == {"error", "code", "field", "request_id"}
    assert response.headers["content-type"] == "application/json"
    return str(body["error"])


# ---- What is shown ------------------------------------------------------------------------------


def test_models_versions_and_aliases_are_the_registrys_own(client: Client, shared: Home) -> None:
    with shared.registry() as registry:
        model = encode(registry.model("sentiment"))
        versions = [encode(record) for record in registry.versions("sentiment").records]
        aliases = [encode(record) for record in registry.aliases("sentiment")]
    for alias in aliases:  # what it counts for itself is not taken for a revision of history
        alias["alias_revision"] = alias.pop("revision")
    assert client.get(MODELS).json() == {"models": [model], "more": False, "next": None}
    assert client.get(HERE).json() == model
    page = client.get(f"{HERE}/versions").json()
    assert page == {"versions": json.loads(json.dumps(versions)), "more": False, "next": None}
    assert client.get(f"{HERE}/aliases").json() == json.loads(json.dumps({"aliases": aliases}))


@pytest.mark.parametrize("address", ["1", "production", "{digest}", "{start}"])
def test_a_version_is_found_by_number_alias_and_digest(
    client: Client, shared: Home, address: str
) -> None:
    digest = shared.bundles[1].digest
    path = address.format(digest=digest, start=digest[:19])
    response = client.get(f"{HERE}/versions/{path}")
    assert (response.json()["number"], response.json()["digest"]) == (1, digest)
    assert response.headers["x-maas-model"] == "sentiment"


def test_history_says_what_was_before_and_why(client: Client) -> None:
    events = client.get(f"{HERE}/history").json()["events"]
    told = [(event["action"], event["reason"]) for event in events]
    assert told == [
        ("deploy", ""),
        ("rollback", "more errors"),
        ("promote", "better on long texts"),
        ("promote", ""),
        ("register", ""),
        ("register", ""),
    ]
    assert events[1]["before"]["routes"] == [{"version": 2, "weight": 10_000}]


def test_a_deployment_is_shown_without_its_function(client: Client, shared: Home) -> None:
    (deployment,) = client.get(f"{HERE}/deployments").json()["deployments"]
    assert (deployment["target"], deployment["deployment_revision"]) == ("maas-prod", 1)
    assert "revision" not in deployment
    digests = {str(number): bundle.digest for number, bundle in shared.bundles.items()}
    assert deployment["digests"] == digests
    event = client.get(f"{HERE}/history?limit=1").json()["events"][0]
    assert event["after"] == {"status": "live", "versions": [1, 2]}
    for path in ("deployments", "history"):
        assert "model-sentiment:live" not in client.get(f"{HERE}/{path}").text


# ---- Pages --------------------------------------------------------------------------------------


def walk(client: Client, url: str, list_name: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = f"limit={limit}"
    while True:
        page = client.get(f"{url}?{query}").json()
        assert len(page[list_name]) <= limit
        found += page[list_name]
        if not page["more"]:
            assert page["next"] is None
            return found
        query = f"limit={limit}&after={page['next']}"


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_pages_put_together_are_the_whole(client: Client, limit: int) -> None:
    events = walk(client, f"{HERE}/history", "events", limit)
    assert [event["revision"] for event in events] == [6, 5, 4, 3, 2, 1]
    versions = walk(client, f"{HERE}/versions", "versions", limit)
    assert [version["number"] for version in versions] == [2, 1]
    assert [m["name"] for m in walk(client, MODELS, "models", limit)] == ["sentiment"]


def candidate(model: str, seed: int, **changes: Any) -> Candidate:  # noqa: ANN401
    spec = (TensorSpec("x", "float32", ("batch", 2)),)
    made = Candidate(
        model=model,
        digest=f"sha256:{seed:064x}",
        task="text-classification",
        inputs=spec,
        outputs=spec,
        verification=Verification(golden=1, max_difference=0.0, seconds=0.1),
        labels=("a", "b"),
    )
    return Candidate(**{name: getattr(made, name) for name in made.__struct_fields__} | changes)


def test_models_are_paged_by_name(home: Home) -> None:
    with home.registry() as registry:
        for seed, name in enumerate(("zebra", "apple", "mango"), start=100):
            registry.register(candidate(name, seed))
        with open_catalog(registry) as client:
            names = [model["name"] for model in walk(client, MODELS, "models", 2)]
    assert names == ["apple", "mango", "sentiment", "zebra"]


def test_a_page_above_the_bound_of_an_answer_is_shorter_and_says_more(home: Home) -> None:
    # Given versions of a quarter of a megabyte each
    labels = tuple(f"{number:0250d}" for number in range(1000))
    with home.registry() as registry:
        for seed in range(6):
            registry.register(candidate("wide", seed + 1, labels=labels))
        with open_catalog(registry) as client:
            # When as many are asked for as there are
            response = client.get(f"{MODELS}/wide/versions?limit=1000")
            page = response.json()
            versions = walk(client, f"{MODELS}/wide/versions", "versions", 1000)
    # Then fewer come, and nothing is lost
    assert response.status_code == 200
    assert len(response.content) <= 1_048_576
    assert (len(page["versions"]), page["more"], page["next"]) == (3, True, 4)
    assert [version["number"] for version in versions] == [6, 5, 4, 3, 2, 1]


# ---- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO"])
def test_nothing_can_be_written(client: Client, route: str, method: str) -> None:
    response = client.request(method, route, headers={"x-http-method-override": "GET"})
    assert problem(response, 405, "method_not_allowed") == "This route answers GET only."
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("route", ROUTES)
def test_head_is_answered_as_get_is(client: Client, route: str) -> None:
    got, headed = client.get(route), client.request("HEAD", route)
    assert headed.status_code == got.status_code == 200
    assert headed.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("name", ["other", "Sentiment", "s", "a" * 33, "%2e%2e", "sentiment%0a"])
@pytest.mark.parametrize("suffix", ["", "/versions", "/versions/1", "/aliases", "/history"])
def test_all_unknown_models_are_refused_as_inference_does(
    client: Client, name: str, suffix: str
) -> None:
    response = client.get(f"{MODELS}/{name}{suffix}")
    text = problem(response, 404, "model_not_found")
    assert text == "No model of this name is served here."
    assert "x-maas-model" not in response.headers


@pytest.mark.parametrize("what", ["versions", "history"])
def test_no_page_of_an_unknown_model_is_an_empty_one(client: Client, what: str) -> None:
    problem(client.get(f"{MODELS}/other/{what}?after=1"), 404, "model_not_found")
    page = client.get(f"{HERE}/{what}?after=1").json()  # while there is a first one
    assert (page["more"], page["next"]) == (False, None)


def test_unknown_deployments_too(client: Client) -> None:
    problem(client.get(f"{MODELS}/other/deployments"), 404, "model_not_found")


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("9", 404, "version_not_served"),
        ("canary", 404, "version_not_served"),
        ("sha256:000000000000", 404, "version_not_served"),
        ("0", 422, "invalid_field"),
        ("01", 422, "invalid_field"),
        ("123456789", 422, "invalid_field"),
        ("sha256:00", 422, "invalid_field"),
        ("Production", 422, "invalid_field"),
        ("%2e%2e", 422, "invalid_field"),
    ],
)
def test_an_unknown_version_is_told_from_a_malformed_one(
    client: Client, address: str, status: int, code: str
) -> None:
    problem(client.get(f"{HERE}/versions/{address}"), status, code, "version")


def test_an_alias_that_shares_its_traffic_names_no_version(home: Home) -> None:
    home.promote(2, weight=50)
    with open_catalog(home.registry()) as client:
        text = problem(client.get(f"{HERE}/versions/production"), 409, "refused", "version")
    assert "versions 1, 2" in text


@pytest.mark.parametrize(
    ("route", "query", "status", "field"),
    [
        *((route, "canary=1", 422, "canary") for route in ROUTES),
        *((route, "canary=", 422, "canary") for route in ROUTES),
        *((f"{HERE}/{name}", "x=1&x=2", 400, None) for name in ("versions", "history", "aliases")),
        (MODELS, "limit=1&limit=1", 400, None),
        *((MODELS, f"limit={value}", 422, "limit") for value in ("0", "1001", "-1", "1e2", "1.0")),
        *((MODELS, f"limit={value}", 422, "limit") for value in ("", "null", "%2B1", "007", "ten")),
        (MODELS, f"limit={'9' * 5000}", 422, "limit"),
        *((MODELS, f"after={value}", 422, "after") for value in ("", "A", "7", "a%00", "null%20")),
        *((f"{HERE}/versions", f"after={v}", 422, "after") for v in ("0", "1e9", "null", "x", "")),
        *((f"{HERE}/history", f"after={v}", 422, "after") for v in ("0", "100000000", "-1")),
        (HERE, "limit=1", 422, "limit"),
        (f"{HERE}/aliases", "after=a", 422, "after"),
        (MODELS, "%F0%9F=1", 422, "?"),
    ],
)
def test_a_query_string_is_read_strictly(
    client: Client, route: str, query: str, status: int, field: str | None
) -> None:
    code = "bad_request" if status == 400 else "invalid_field"
    problem(client.get(f"{route}?{query}"), status, code, field)


def test_no_page_lies_behind_the_last_record(client: Client) -> None:
    assert client.get(f"{HERE}/versions?after=1").json()["versions"] == []
    assert client.get(f"{HERE}/history?after=1").json()["events"] == []
    assert client.get(f"{MODELS}?after=zz").json()["models"] == []


# ---- A registry that does not answer ------------------------------------------------------------


class FailingStore(SqliteStore):
    """A registry that fails, hangs or answers, as it is told."""

    def __init__(self, path: "Path", error: Exception | None = None) -> None:
        super().__init__(path)
        self.error = error
        self.go_on = threading.Event()
        self.go_on.set()

    def read(self, keys: Any) -> Any:  # noqa: ANN401
        """Read, or fail."""
        self._fail()
        return super().read(keys)

    def query(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        """Query, or fail."""
        self._fail()
        return super().query(*arguments, **options)

    def list_index(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        """List, or fail."""
        self._fail()
        return super().list_index(*arguments, **options)

    def _fail(self) -> None:
        self.go_on.wait(10)
        if self.error is not None:
            raise self.error


def failing(home: Home, error: Exception | None = None) -> FailingStore:
    return FailingStore(home.settings.home / "registry.sqlite", error)


REGISTRY_ROUTES = [route for route in ROUTES if not route.endswith(".json")]
NOT_SET_UP = RegistryMisconfiguredError(
    f"There is no table maas-registry for {ARN}. Run maas registry init.", field="MAAS_REGISTRY"
)


@pytest.mark.parametrize("route", REGISTRY_ROUTES)
@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (RegistryUnavailableError("The registry is away."), 503, "registry_unavailable", "1"),
        (NOT_SET_UP, 503, "registry_misconfigured", "30"),
        (SettingsError("The record MODEL#x META is newer."), 500, "settings_invalid", None),
        (RuntimeError("/home/ada/secret"), 500, "internal", None),
    ],
)
def test_a_registry_that_fails_is_said_to_and_is_asked_again(  # noqa: PLR0917
    shared: Home,
    log: "io.StringIO",
    route: str,
    error: Exception,
    status: int,
    code: str,
    retry_after: str | None,
) -> None:
    store = failing(shared, error)
    with open_catalog(Reader(store)) as client:
        response = client.get(route)
        text = problem(response, status, code)
        assert response.headers.get("retry-after") == retry_after
        # A caller is told no internals; the log says the remedy
        for private in ("maas-registry", "arn:", "123456789012", "MODEL#", "/home", "init"):
            assert private not in text
        if error is NOT_SET_UP:
            assert "Run maas registry init." in log.getvalue()
        # When the registry is back, so is the catalog
        store.error = None
        assert client.get(route).status_code == 200


def test_the_document_needs_no_registry(shared: Home) -> None:
    with open_catalog(Reader(failing(shared, NOT_SET_UP))) as client:
        assert client.get("/catalog/openapi.json").status_code == 200


@pytest.mark.parametrize("route", [HERE, "/health"])
def test_a_registry_that_hangs_is_given_up_in_time(shared: Home, route: str) -> None:
    store = failing(shared)
    store.go_on.clear()
    with open_catalog(Reader(store), seconds=0.05) as client:
        started = time.perf_counter()
        response = client.get(route)
        spent = time.perf_counter() - started
        problem(response, 503, "registry_unavailable")
        assert response.headers["retry-after"] == "1"
        assert spent < 1
        store.go_on.set()
        assert client.get(route).status_code == 200


# ---- Health -------------------------------------------------------------------------------------


def test_health_asks_what_it_is_told_to_beside_the_registry(shared: Home) -> None:
    def not_ready(exchange: "Exchange") -> None:
        exchange.model = "sentiment"
        raise NotReadyError("Version 1 cannot be loaded.")

    with open_catalog(shared.registry(), ready=not_ready) as client:
        response = client.get("/health")
    problem(response, 503, "model_not_ready")
    assert response.headers["x-maas-model"] == "sentiment"


def test_an_empty_registry_is_well(tmp_path: "Path") -> None:
    with open_catalog(Reader(SqliteStore(tmp_path / "none.sqlite"))) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get(MODELS).json() == {"models": [], "more": False, "next": None}
    assert list(tmp_path.iterdir()) == []


def test_a_laptop_serves_both_functions_routes_as_one_app(home: Home) -> None:
    with open_client(home.services(), reader=home.registry()) as client:
        assert client.predict("good").status_code == 200
        assert client.get("/models/sentiment").status_code == 200
        for route in ROUTES:
            assert client.get(route).status_code == 200


# ---- Privacy ------------------------------------------------------------------------------------


def test_what_is_private_is_not_shown(tmp_path: "Path") -> None:
    careless = "/home/ada/runs by " + ARN
    store = SqliteStore(tmp_path / "registry.sqlite")
    with open_registry(store, actor=ARN) as registry:
        lineage = {
            "run": "sentiment-1",
            "data": "sha256:00",
            "commit": "none",
            "recipe": "/home/ada/recipe.toml",
            "version_torch": "2.13.0",
            "host": "ada-laptop",
        }
        registry.register(candidate("tiny", 1, lineage=lineage, description=careless))
        registry.promote("tiny", ByNumber(1), reason=careless)
        registry.record_deployment(
            "tiny",
            "maas",
            function="maas-model-tiny:live",
            function_version="7",
            digests={1: f"sha256:{1:064x}"},
        )
    here = f"{MODELS}/tiny"
    with open_catalog(Reader(store)) as client:
        texts = [
            client.get(path).text
            for path in (
                MODELS,
                *(f"{here}{s}" for s in ("", "/versions", "/versions/1", "/aliases")),
                *(f"{here}{s}" for s in ("/history", "/deployments")),
            )
        ]
        shown = client.get(f"{here}/versions/1").json()["lineage"]
    for text in texts:
        for private in ("arn:", "123456789012", "/home", "ada-laptop", "2.13.0", "model-tiny:"):
            assert private not in text
    assert shown == {
        "run": "sentiment-1",
        "data": "sha256:00",
        "commit": "none",
        "recipe": "(hidden)",
    }


def open_registry(store: SqliteStore, *, actor: str) -> Registry:
    return Registry(store, clock=lambda: datetime(2030, 1, 2, tzinfo=UTC), actor=actor)


def test_an_answer_is_logged_in_figures_alone(client: Client, log: "io.StringIO") -> None:
    client.get(HERE, headers={"x-api-key": "canary7391"})
    client.get(f"{MODELS}/canary7391?limit=1")
    client.get(f"{HERE}/versions/canary7391")
    client.get(f"{MODELS}?canary7391=canary7391")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["status"] for line in lines] == [200, 422, 404, 422]
    assert lines[0]["model"] == "sentiment"
    assert "canary7391" not in log.getvalue()
