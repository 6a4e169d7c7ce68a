"""Tags and descriptions: what people say of versions and models; on each store."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.registries import STORES, opener

from maas.errors import FieldError, ModelNotFoundError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.records import TAGS_MAX
from maas.registry.registry import Registry

Invariants = Callable[..., int]


@pytest.fixture(params=STORES)
def open_file(
    request: pytest.FixtureRequest, file: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Registry]:
    """Opens the registry as another process would; in each of the stores."""
    return opener(request.param, file, monkeypatch)


def test_tags_are_added_and_taken_away(two: Registry, invariants: Invariants) -> None:
    assert two.tag("sentiment", ByNumber(2), add=["good", "a.b"]).record.tags == ("a.b", "good")
    change = two.tag("sentiment", ByNumber(2), add=["fast"], remove=["good", "never-there"])
    assert change.record.tags == ("a.b", "fast")
    (event,) = two.history("sentiment", limit=1).records
    assert (event.action, event.subject, event.by) == ("tag", "2", "ada")
    assert (event.before, event.after) == ({"tags": ["a.b", "good"]}, {"tags": ["a.b", "fast"]})
    assert not two.tag("sentiment", ByNumber(2), add=["fast"]).changed
    assert two.version("sentiment", ByNumber(2)).status == "verified"
    invariants(two)


@pytest.mark.parametrize("tag", ["", "Good", "-good", "a b", "g" * 33, "good\n"])
def test_what_is_no_tag_is_refused(two: Registry, tag: str) -> None:
    with pytest.raises(FieldError) as refused:
        two.tag("sentiment", ByNumber(2), add=[tag])
    assert refused.value.field == "tag"


def test_a_tag_is_not_added_and_taken_away(two: Registry) -> None:
    with pytest.raises(FieldError, match="good is both"):
        two.tag("sentiment", ByNumber(2), add=["good"], remove=["good"])


def test_limit_tags_of_a_version(two: Registry) -> None:
    tags = [f"t{number:02}" for number in range(TAGS_MAX)]
    assert len(two.tag("sentiment", ByNumber(2), add=tags).record.tags) == TAGS_MAX
    with pytest.raises(RefusedError, match="16 tags at the most"):
        two.tag("sentiment", ByNumber(2), add=["one-more"])
    two.tag("sentiment", ByNumber(2), add=["one-more"], remove=["t00"])


def test_a_version_and_a_model_are_described(two: Registry) -> None:
    two.describe_version("sentiment", ByNumber(2), "longer texts")
    two.describe_model("sentiment", "Reviews, good or bad")
    assert two.version("sentiment", ByNumber(2)).description == "longer texts"
    assert two.model("sentiment").description == "Reviews, good or bad"
    of_model, of_version = two.history("sentiment", limit=2).records
    assert (of_model.action, of_model.subject) == ("describe", "sentiment")
    assert of_model.after == {"description": "Reviews, good or bad"}
    assert (of_version.action, of_version.subject) == ("describe", "2")
    assert of_version.before == {"description": ""}
    assert not two.describe_model("sentiment", "Reviews, good or bad").changed
    assert not two.describe_version("sentiment", ByNumber(2), "longer texts").changed
    assert two.policy("sentiment").revision == two.model("sentiment").revision


@pytest.mark.parametrize("text", ["two\nlines", "t" * 501, "\x1b[2J"], ids=["lines", "long", "esc"])
def test_what_would_not_print_is_no_description(two: Registry, text: str) -> None:
    with pytest.raises(FieldError):
        two.describe_model("sentiment", text)
    with pytest.raises(FieldError):
        two.describe_version("sentiment", ByNumber(1), text)


def test_only_what_there_is_is_described(two: Registry) -> None:
    with pytest.raises(ModelNotFoundError):
        two.describe_model("nobody", "text")
