"""The Lambda handler: whatever event comes, the answer is defined and the process lives."""

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from support.doors import REQUEST_ID, LambdaContext, http_event, rest_event
from support.tiny import Home, make_home

from maas.http.entry import build_handler
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    Event = dict[str, Any]
    Handler = Callable[[Any, object], Event]

GOOD = {"inputs": "a good film"}
CONTEXT = LambdaContext()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def handler(shared: Home) -> "Handler":
    return build_handler(shared.settings)


def body_of(answer: "Event") -> Any:  # noqa: ANN401
    assert answer["isBase64Encoded"] is False
    assert answer["headers"]["content-type"] == "application/json"
    return json.loads(answer["body"])


def problem(answer: "Event", status: int, code: str) -> str:
    body = body_of(answer)
    assert (answer["statusCode"], body["code"]) == (status, code)
    assert body.keys() == {"error", "code", "field", "request_id"}
    assert body["request_id"] == answer["headers"]["x-request-id"] == REQUEST_ID
    text = body["error"]
    assert isinstance(text, str)
    return text


def is_well(handler: "Handler") -> bool:
    """Whether the same process answers a good request."""
    answer = handler(rest_event(body=GOOD), CONTEXT)
    return bool(answer["statusCode"] == 200 and len(body_of(answer)[0]) == 2)


@pytest.mark.parametrize("event_of", [rest_event, http_event])
def test_a_prediction_by_either_kind_of_api(
    handler: "Handler", shared: Home, event_of: "Callable[..., Event]"
) -> None:
    answer = handler(event_of(body=GOOD), CONTEXT)
    assert answer["statusCode"] == 200
    scores = {pair["label"]: pair["score"] for pair in body_of(answer)[0]}
    assert scores == pytest.approx(shared.bundles[1].probabilities(GOOD["inputs"]), abs=2e-6)
    headers = answer["headers"]
    assert headers["x-request-id"] == REQUEST_ID  # Lambda's, so that its own log lines match
    assert headers["x-maas-digest"] == shared.bundles[1].digest
    assert 'verify;desc="sizes"' in headers["server-timing"]


def test_who_asks_long_after_a_start_did_not_wait_for_it(
    shared: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = build_handler(shared.settings)
    monkeypatch.setattr("maas.http.app.START_SECONDS", 0.01)
    time.sleep(0.02)
    answer = handler(rest_event(body=GOOD), CONTEXT)
    assert "init" not in answer["headers"]["server-timing"]


@pytest.mark.parametrize("event_of", [rest_event, http_event])
@pytest.mark.parametrize(
    ("path", "query", "headers"),
    [
        ("/models/sentiment/versions/2", "", {}),
        ("/models/sentiment", "version=2", {}),
        ("/models/sentiment", "", {"X-Maas-Version": "2"}),
        ("/models/%73entiment/versions/%32", "", {}),
    ],
)
def test_a_version_is_pinned_through_the_event(
    handler: "Handler",
    event_of: "Callable[..., Event]",
    path: str,
    query: str,
    headers: dict[str, str],
) -> None:
    if event_of is http_event:
        path = path.replace("%73", "s").replace("%32", "2")  # decoded by that gateway
    answer = handler(event_of("GET", path, query=query, headers=headers), CONTEXT)
    assert body_of(answer)["version"] == 2


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (rest_event(body=GOOD, query="version=1&version=1"), 400, "bad_request"),
        (rest_event(body=None), 400, "bad_request"),
        (rest_event(body=""), 400, "bad_request"),
        (rest_event(body="{"), 400, "bad_request"),
        (rest_event(body={}), 422, "invalid_field"),
        (rest_event(body={"inputs": "a" * 20_001}), 422, "invalid_field"),
        (rest_event(body=" " * 1_048_577), 413, "too_large"),
        (
            rest_event(body=GOOD, headers={"content-type": "text/csv"}),
            415,
            "unsupported_media_type",
        ),
        (rest_event("PUT", body=GOOD), 405, "method_not_allowed"),
        (rest_event(path="/nothing", body=GOOD), 404, "not_found"),
        (rest_event(path="", body=GOOD), 404, "not_found"),
        (rest_event(path="/models/other", body=GOOD), 404, "model_not_found"),
        (rest_event(path="/models/sentiment/versions/9", body=GOOD), 404, "version_not_served"),
        (http_event(body={}), 422, "invalid_field"),
        (http_event("PUT", body=GOOD), 405, "method_not_allowed"),
    ],
)
def test_bad_requests_have_the_one_error_body(
    handler: "Handler", event: "Event", status: int, code: str
) -> None:
    problem(handler(event, CONTEXT), status, code)
    assert is_well(handler)


@pytest.mark.parametrize("event_of", [rest_event, http_event])
def test_a_body_may_come_as_base64(handler: "Handler", event_of: "Callable[..., Event]") -> None:
    body = base64.b64encode(json.dumps(GOOD).encode()).decode()
    assert handler(event_of(body=body, base64=True), CONTEXT)["statusCode"] == 200


@pytest.mark.parametrize("milliseconds", [0, 1, 499, 500])
def test_too_little_time_is_refused_before_any_work(handler: "Handler", milliseconds: int) -> None:
    answer = handler(rest_event(body=GOOD), LambdaContext(remaining_milliseconds=milliseconds))
    problem(answer, 503, "try_again")
    assert answer["headers"]["retry-after"] == "1"
    assert "x-maas-version" not in answer["headers"]
    assert is_well(handler)


def test_a_context_of_another_kind_is_enough(handler: "Handler") -> None:
    answer = handler(rest_event(body=GOOD), None)
    assert answer["statusCode"] == 200
    assert answer["headers"]["x-request-id"]


def test_a_stage_in_the_path_is_stripped(shared: Home) -> None:
    handler = build_handler(replace(shared.settings, base_path="/prod"))
    for path, status in (("/prod/models/sentiment", 200), ("/production/models/sentiment", 404)):
        for event in (rest_event(path=path, body=GOOD), http_event(path=path, body=GOOD)):
            assert handler(event, CONTEXT)["statusCode"] == status


# ---- Models that cannot answer ------------------------------------------------------------------


def test_a_function_without_its_models_bundle_answers_503_until_it_is_there(home: Home) -> None:
    # Given a function whose bundle is missing
    folder = home.bundles[1].folder
    away = folder.rename(folder.with_name("away"))
    handler = build_handler(home.settings)
    # Then it lives, and says so
    for event in (rest_event(body=GOOD), rest_event("GET")):
        text = problem(handler(event, CONTEXT), 503, "model_not_ready")
        assert str(home.settings.home) not in text
    # And the other version answers meanwhile
    pinned = rest_event(path="/models/sentiment/versions/2", body=GOOD)
    assert handler(pinned, CONTEXT)["statusCode"] == 200
    # When the bundle comes, then it answers
    away.rename(folder)
    assert is_well(handler)


def test_a_function_without_a_promoted_version_answers_503(tmp_path_factory: Any) -> None:  # noqa: ANN401
    home = make_home(tmp_path_factory.mktemp("home"), promoted=False)
    handler = build_handler(home.settings)
    problem(handler(rest_event(body=GOOD), CONTEXT), 503, "model_not_ready")
    home.promote(2)


def test_a_function_of_a_model_that_nobody_registered_answers_404(tmp_path_factory: Any) -> None:  # noqa: ANN401
    environ = {"MAAS_HOME": str(tmp_path_factory.mktemp("empty")), "MAAS_MODEL": "sentiment"}
    handler = build_handler(Settings.parse(environ))
    problem(handler(rest_event(body=GOOD), CONTEXT), 404, "model_not_found")
