"""Paths to endpoints: segments as they are written before open ones, and nothing in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.http.router import Router

ROUTES = {
    "/": "root",
    "/health": "health",
    "/models/{model}": "model",
    "/models/{model}/versions/{version}": "version",
    "/models/{model}/v1/models": "list",
    "/models/{model}/v1/models/{id}": "one",
    "/models/special/versions": "special",
    "/{anything}/infer": "anything",
    "/models/{model}:predict": "predict",
    "/models/{model}/versions/{version}:predict": "predict one",
}
ROUTER = Router(ROUTES)


@pytest.mark.parametrize(
    ("path", "endpoint", "values"),
    [
        ("/", "root", {}),
        ("/health", "health", {}),
        ("/models/sentiment", "model", {"model": "sentiment"}),
        ("/models/a/versions/3", "version", {"model": "a", "version": "3"}),
        ("/models/a/v1/models", "list", {"model": "a"}),
        ("/models/a/v1/models/b@2", "one", {"model": "a", "id": "b@2"}),
        ("/models/v1", "model", {"model": "v1"}),
        ("/models/a b\n", "model", {"model": "a b\n"}),
        # What is written goes first, and what does not lead on is left again
        ("/models/special/versions", "special", {}),
        ("/models/special/versions/3", "version", {"model": "special", "version": "3"}),
        ("/models/special", "model", {"model": "special"}),
        ("/models/infer", "model", {"model": "infer"}),
        ("/health/infer", "anything", {"anything": "health"}),
        # And an end that is written before none
        ("/models/a:predict", "predict", {"model": "a"}),
        ("/models/a:b:predict", "predict", {"model": "a:b"}),
        ("/models/a/versions/3:predict", "predict one", {"model": "a", "version": "3"}),
        ("/models/:predict", "model", {"model": ":predict"}),
        ("/models/a:predict/versions/3", "version", {"model": "a:predict", "version": "3"}),
    ],
)
def test_a_path_leads_to_its_endpoint(path: str, endpoint: str, values: dict[str, str]) -> None:
    assert ROUTER.find(path) == (endpoint, values)


@pytest.mark.parametrize(
    "path",
    [
        *("", "health", "models/sentiment", "/models", "/models/", "/health/", "//health"),
        *(
            "/models//versions/3",
            "/models/a/versions",
            "/models/a/versions/",
            "/Health",
            "/{model}",
        ),
        *("/models/a/versions/3/4", "/models/a/v1/models/b/c", "/models/{model}/", "/health?x"),
    ],
)
def test_any_other_path_leads_nowhere(path: str) -> None:
    assert ROUTER.find(path) is None


@given(st.lists(st.text(), min_size=1, max_size=6))
def test_what_is_found_is_what_was_asked(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    found = ROUTER.find(path)
    if found is not None:
        endpoint, values = found
        (route,) = [route for route, name in ROUTES.items() if name == endpoint]
        for name, value in values.items():
            assert "/" not in value
            assert value
            route = route.replace(f"{{{name}}}", value)
        assert route == path


def test_what_is_kept_of_a_path_is_short_and_stays_as_it_is() -> None:
    router = Router({"/models/{model}": "model"})
    for model in ("a", "a" * 100_000):  # the first one's answer is given again
        first, again = router.find(f"/models/{model}"), router.find(f"/models/{model}")
        assert first == again == ("model", {"model": model})
        assert (first is again) == (model == "a")
        assert first is not None
        with pytest.raises(TypeError):
            first[1]["model"] = "b"
