"""From a URL to a registry."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maas.errors import SettingsError
from maas.registry.records import Candidate
from maas.registry.stores import open_registry


def now() -> datetime:
    return datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("form", ["absolute", "relative"])
def test_a_path_after_three_slashes(
    form: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    candidate: Callable[..., Candidate],
) -> None:
    monkeypatch.chdir(tmp_path)
    # Given a path with characters that mean something in a URL
    path = "state ?#%41/registry.sqlite"
    url = f"sqlite:///{tmp_path}/{path}" if form == "absolute" else f"sqlite:///{path}"
    # When it is opened, nothing is made before something is written
    with open_registry(url, clock=now, actor="ada") as registry:
        assert registry.models().records == ()
        assert list(tmp_path.iterdir()) == []
        registry.register(candidate(1))
    assert (tmp_path / path).is_file()


@pytest.mark.parametrize(
    "url",
    ["", "sqlite:", "sqlite://", "sqlite:///", "SQLITE:///x", "registry.sqlite", "dynamodb:///t"],
)
def test_other_urls_are_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(SettingsError, match="sqlite:///") as refusal:
        open_registry(url, clock=now, actor="ada")
    assert refusal.value.field == "MAAS_REGISTRY"
