"""The app over a real registry and real bundles: routes, versions, headers, errors."""

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest
from support.tiny import MAX_TOKENS, Client, Home, make_home, open_client

from maas.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from maas.assembly import Services

MODEL = "/models/sentiment"
VERSIONS = "/models/sentiment/versions"
GOOD = {"inputs": "a good film"}
MODEL_HEADERS = {"x-maas-model", "x-maas-version", "x-maas-digest", "x-maas-policy"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Production is version 1, candidate is version 2; nobody changes it."""
    home = make_home(tmp_path_factory.mktemp("home"))
    home.promote(2, alias="candidate")
    return home


@pytest.fixture
def client(shared: Home) -> "Iterator[Client]":
    with open_client(shared.services(), reader=shared.registry()) as client:
        yield client


def problem(response: "httpx.Response", status: int, code: str, field: str | None = None) -> str:
    """Check that this is the one error body, and answer with its text."""
    body = response.json()
    assert (response.status_code, body["code"], body["field"]) == (status, code, field)
    assert body.keys() == {"error", "code", "field", "request_id"}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == body["request_id"]
    assert "total;dur=" in response.headers["server-timing"]
    text = body["error"]
    assert isinstance(text, str)
    assert text
    return text


# ---- Answers ------------------------------------------------------------------------------------


def test_a_text_is_classified(client: Client, shared: Home) -> None:
    response = client.post(MODEL, json=GOOD)
    assert response.status_code == 200
    ((best, worst),) = response.json()
    assert best["score"] >= worst["score"]
    wanted = shared.bundles[1].probabilities(GOOD["inputs"])
    assert {best["label"]: best["score"], worst["label"]: worst["score"]} == pytest.approx(
        wanted, abs=2e-6
    )


def test_every_answer_says_who_gave_it(client: Client, shared: Home) -> None:
    for response in (client.post(MODEL, json=GOOD), client.get(MODEL)):
        headers = response.headers
        assert headers["content-type"] == "application/json"
        assert headers["x-request-id"].startswith("request-")
        assert headers["x-maas-model"] == "sentiment"
        assert headers["x-maas-version"] == "1"
        assert headers["x-maas-digest"] == shared.bundles[1].digest
        assert headers["x-maas-policy"] == "live"
        assert 'verify;desc="full"' in headers["server-timing"]
    assert "tokenize;dur=" in client.post(MODEL, json=GOOD).headers["server-timing"]


def test_a_list_is_answered_in_its_order_and_as_its_texts_alone(client: Client) -> None:
    texts = ["good", "bad", "a dull story told with wit", "good", "unknown words"]
    batch = client.predict(texts).json()
    assert len(batch) == len(texts)
    for text, row in zip(texts, batch, strict=True):
        assert row == client.predict(text).json()[0]
        assert row == client.predict([text]).json()[0]
    assert client.predict(texts[::-1]).json() == batch[::-1]


def test_the_same_request_has_the_same_bytes_as_answer(client: Client) -> None:
    assert len({client.post(MODEL, json=GOOD).content for _ in range(5)}) == 1


def test_options_are_obeyed(client: Client, shared: Home) -> None:
    def ask(**parameters: object) -> Any:  # noqa: ANN401
        return client.post(MODEL, json=GOOD | {"parameters": parameters}).json()[0]

    everything = ask()
    assert ask(top_k=1) == everything[:1]
    assert ask(top_k=1000) == everything
    logits = {pair["label"]: pair["score"] for pair in ask(function_to_apply="none")}
    wanted = shared.bundles[1].logits([GOOD["inputs"]])[0].tolist()
    assert logits == pytest.approx(
        dict(zip(("negative", "positive"), wanted, strict=True)), abs=1e-5
    )
    assert sum(pair["score"] for pair in ask(function_to_apply="sigmoid")) != pytest.approx(1.0)


def test_a_body_needs_no_type_of_its_own(client: Client) -> None:
    response = client.post(MODEL, content=json.dumps(GOOD).encode())
    assert "content-type" not in response.request.headers
    assert response.status_code == 200


def test_metadata_describes_the_version_that_answers(client: Client, shared: Home) -> None:
    body = client.get(MODEL).json()
    assert body == {
        "name": "sentiment",
        "task": "text-classification",
        "version": 1,
        "digest": shared.bundles[1].digest,
        "form": body["form"],
        "labels": ["negative", "positive"],
        "max_tokens": MAX_TOKENS,
        "metrics": {"test_accuracy": 0.75},
        "aliases": {
            "candidate": [{"version": 2, "weight": 100.0}],
            "production": [{"version": 1, "weight": 100.0}],
        },
        "versions": [1, 2],
    }
    assert client.get(f"{VERSIONS}/2").json()["digest"] == shared.bundles[2].digest
    assert client.request("HEAD", MODEL).headers["x-maas-version"] == "1"


def test_weights_are_seen_from_outside(tmp_path: "Path") -> None:
    home = make_home(tmp_path)
    home.promote(2, weight=50)
    with open_client(home.services()) as client:
        shares = Counter(client.get(MODEL).headers["x-maas-version"] for _ in range(200))
    assert set(shares) == {"1", "2"}
    assert 60 <= shares["1"] <= 140  # 5.6 standard deviations


def test_a_caller_that_says_who_it_is_keeps_its_version(tmp_path: "Path") -> None:
    home = make_home(tmp_path)
    home.promote(2, weight=50)

    def versions(client: Client, name: str) -> set[str]:
        sent = {"x-maas-client": name}
        asked = [client.post(MODEL, json={"inputs": "good"}, headers=sent) for _ in range(4)]
        return {answer.headers["x-maas-version"] for answer in asked}

    names = [f"user-{number}" for number in range(30)]
    with open_client(home.services()) as client:
        before = {name: versions(client, name) for name in names}
        assert {len(each) for each in before.values()} == {1}
        assert set().union(*before.values()) == {"1", "2"}
    # And in another process too, where the share of one version has grown
    home.promote(2, weight=80)
    with open_client(home.services()) as client:
        after = {name: versions(client, name) for name in names}
    assert all(after[name] == {"2"} for name in names if before[name] == {"2"})
    assert any(after[name] != before[name] for name in names)


@pytest.mark.parametrize("name", ["", "two words", "a,b", "x" * 129])
def test_a_client_that_is_no_name_is_refused_by_name(client: Client, name: str) -> None:
    refused = client.post(MODEL, json={"inputs": "good"}, headers={"x-maas-client": name})
    problem(refused, 422, "invalid_field", "x-maas-client")


# ---- Versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["2", "candidate", "digest", "prefix"])
@pytest.mark.parametrize("way", ["path", "header", "query", "all"])
def test_a_version_is_named_in_three_ways(
    client: Client, shared: Home, way: str, wanted: str
) -> None:
    digest = shared.bundles[2].digest
    name = {"digest": digest, "prefix": digest[:19]}.get(wanted, wanted)
    path = f"{VERSIONS}/{name}" if way in ("path", "all") else MODEL
    headers = {"x-maas-version": name} if way in ("header", "all") else {}
    params = {"version": name} if way in ("query", "all") else {}
    for response in (
        client.post(path, json=GOOD, headers=headers, params=params),
        client.get(path, headers=headers, params=params),
    ):
        assert response.status_code == 200
        assert response.headers["x-maas-version"] == "2"
        assert response.headers["x-maas-digest"] == digest


@pytest.mark.parametrize(
    ("path", "headers", "query"),
    [
        (f"{VERSIONS}/1", {"x-maas-version": "2"}, ""),
        (f"{VERSIONS}/1", {}, "?version=2"),
        (MODEL, {"x-maas-version": "1"}, "?version=2"),
        (f"{VERSIONS}/1", {"x-maas-version": "1"}, "?version=2"),
        (f"{VERSIONS}/production", {"x-maas-version": "1"}, ""),  # the same today, not tomorrow
        (MODEL, [("x-maas-version", "1"), ("x-maas-version", "2")], ""),
        (MODEL, {}, "?version=1&version=1"),
        (MODEL, {}, "?version=1&version=2"),
    ],
)
def test_ways_that_disagree_are_a_bad_request(
    client: Client,
    path: str,
    headers: Any,  # noqa: ANN401
    query: str,
) -> None:
    problem(client.post(path + query, json=GOOD, headers=headers), 400, "bad_request", "version")
    problem(client.get(path + query, headers=headers), 400, "bad_request", "version")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "0",
            "01",
            "-1",
            "1.0",
            "100000000",
            "Production",
            "latest!",
            "a" * 33,
            "a b",
            "é",
            "..;",
        ),
        *(
            "sha256:abc",
            "sha256:" + "A" * 64,
            "sha256:" + "a" * 65,
            "sha1:" + "a" * 40,
            "1\n",
            "%00",
        ),
    ],
)
def test_a_malformed_version_is_refused(client: Client, name: str) -> None:
    assert name not in problem(
        client.get(MODEL, params={"version": name}), 422, "invalid_field", "version"
    )
    if name.isascii() and name.isprintable():
        problem(
            client.get(MODEL, headers={"x-maas-version": name}), 422, "invalid_field", "version"
        )


def test_an_empty_version_is_refused_and_not_ignored(client: Client) -> None:
    problem(client.get(MODEL + "?version="), 422, "invalid_field", "version")
    problem(client.get(MODEL, headers={"x-maas-version": ""}), 422, "invalid_field", "version")


@pytest.mark.parametrize("name", ["3", "99999999", "canary", "sha256:" + "0" * 12])
def test_a_version_that_is_not_here_is_not_found(client: Client, name: str) -> None:
    text = problem(
        client.post(f"{VERSIONS}/{name}", json=GOOD), 404, "version_not_served", "version"
    )
    assert name not in text


# ---- Routes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/models", "/models/", "/models//", "/sentiment", "/Models/sentiment", "/v3"),
        *(f"{MODEL}/", f"{MODEL}/predict", f"{VERSIONS}", f"{VERSIONS}/", f"{VERSIONS}/1/", "//"),
        *(
            f"{VERSIONS}/1/2",
            f"/{MODEL}",
            "/health/",
            "/.env",
            "/metrics",
            "/docs",
            "/openapi.json",
        ),
        *("/%2e%2e/%2e%2e/etc/passwd", "/models/..%2f..%2fetc", "/x" * 2_500, "/é", "/a;b", "/%00"),
    ],
)
def test_no_other_path_is_a_route(client: Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        text = problem(client.request(method, f"http://testserver{path}"), 404, "not_found")
        assert text == "No route answers this path."


@pytest.mark.parametrize(
    "name",
    [
        *("other", "Sentiment", "s", "a" * 33, "a_b", "%2e%2e", "..;", "sentiment%00", "%0a", "é"),
        *("sentiment%0a", "sentiment%20", "-x", "1x"),
    ],
)
def test_all_unknown_models_are_refused_alike(client: Client, name: str) -> None:
    for response in (
        client.get(f"/models/{name}"),
        client.post(f"/models/{name}", json=GOOD),
        client.get(f"/models/{name}/versions/1"),
    ):
        text = problem(response, 404, "model_not_found")
        assert text == "No model of this name is served here."
        assert "x-maas-model" not in response.headers


@pytest.mark.parametrize(
    ("path", "allowed"),
    [(MODEL, "GET, POST"), (f"{VERSIONS}/1", "GET, POST"), ("/health", "GET")],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO"])
def test_other_methods_are_refused_with_those_that_are_not(
    client: Client, path: str, allowed: str, method: str
) -> None:
    response = client.request(method, path, headers={"x-http-method-override": "GET"})
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/prod{MODEL}", 200),
        (f"/prod{VERSIONS}/1", 200),
        ("/prod/health", 200),
        (MODEL, 200),  # a custom domain may leave it out
        (f"/production{MODEL}", 404),
        (f"/prod/prod{MODEL}", 404),
        (f"/pro{MODEL}", 404),
        (f"//prod{MODEL}", 404),
        (f"/prod.{MODEL}", 404),
        ("/prod", 404),
        ("/prod/", 404),
    ],
)
def test_a_base_path_is_stripped_on_a_segments_boundary(
    shared: Home, path: str, status: int
) -> None:
    with open_client(shared.services(), reader=shared.registry(), base_path="/prod") as client:
        assert client.get(f"http://testserver{path}").status_code == status


def test_health_is_what_the_promoted_version_says(tmp_path: "Path") -> None:
    home = make_home(tmp_path)
    with open_client(home.services(), reader=home.registry()) as client:
        assert client.get("/health").json() == {"status": "ok"}
    file = home.bundles[1].folder / "golden.jsonl"
    file.write_bytes(file.read_bytes()[:-1])
    with open_client(home.services(), reader=home.registry()) as client:
        response = client.get("/health")
        text = problem(response, 503, "model_not_ready")
        assert response.headers["retry-after"] == "1"
        assert str(tmp_path) not in text


class Watched:
    """An object that notes in which thread it is called, and what it gives is watched too."""

    def __init__(self, thing: Any, threads: list[threading.Thread]) -> None:  # noqa: ANN401
        self._thing = thing
        self._threads = threads

    def __call__(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        self._threads.append(threading.current_thread())
        given = self._thing(*arguments, **options)
        return Watched(given, self._threads) if isinstance(given, Service) else given

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        value = getattr(self._thing, name)
        return Watched(value, self._threads) if callable(value) else value


@pytest.mark.parametrize("threads", [True, False])
def test_on_a_server_nothing_asks_the_registry_on_the_event_loop(
    shared: Home, *, threads: bool
) -> None:
    called: list[threading.Thread] = []
    services = cast("Services", Watched(shared.services(), called))
    with open_client(services, threads=threads) as client:
        for response in (client.get(MODEL), client.post(MODEL, json=GOOD)):
            assert response.status_code == 200
        assert client.get("/models/other").status_code == 404
    # The client's event loop runs in this thread
    assert len(called) >= 6
    assert (threading.main_thread() in called) is not threads


# ---- Bad requests -------------------------------------------------------------------------------


def test_a_refusal_says_which_version_would_have_answered(client: Client) -> None:
    for response in (client.predict([]), client.post(MODEL, content=b"{")):
        assert response.status_code in (400, 422)
        assert response.headers.keys() >= MODEL_HEADERS
    response = client.post(f"{MODEL}/versions/9", content=b"{")
    assert MODEL_HEADERS & response.headers.keys() == {"x-maas-model"}


def test_many_requests_at_a_time_do_not_meet(shared: Home) -> None:
    # Given an app with threads, as a laptop runs it
    words = ("good", "bad", "film", "story", "wit", "warmth", "dull", "fine")
    texts = [" ".join(words[: n % 8 + 1]) if n % 3 else words[n % 8] for n in range(200)]
    with open_client(shared.services(), threads=True) as client:
        # When 200 requests come at once
        responses = client.together(*texts)
    # Then each has its own answer and its own id
    for text, response in zip(texts, responses, strict=True):
        scores = {pair["label"]: pair["score"] for pair in response.json()[0]}
        assert scores == pytest.approx(shared.bundles[1].probabilities(text), abs=2e-6)
    assert len({response.headers["x-request-id"] for response in responses}) == 200
