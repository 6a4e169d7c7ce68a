"""From a URL to a registry."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.dynamo import empty_table

from maas.errors import SettingsError
from maas.registry.records import Candidate
from maas.registry.stores import open_registry
from maas.settings import read_settings


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


def test_a_table_after_two_slashes(
    monkeypatch: pytest.MonkeyPatch, candidate: Callable[..., Candidate]
) -> None:
    table = empty_table(monkeypatch)  # sets AWS's variables, which say where it lies
    with open_registry(f"dynamodb://{table.name}", clock=now, actor="ada") as registry:
        assert registry.models().records == ()
        registry.register(candidate(1))
    aws = read_settings().aws
    with open_registry(f"dynamodb://{table.name}", clock=now, actor="bob", aws=aws) as registry:
        assert [event.by for event in registry.history("sentiment").records] == ["ada"]


def test_opening_a_table_asks_nobody_and_imports_nothing() -> None:
    probe = (
        "import sys; from maas.registry.stores import open_store;"
        "open_store('dynamodb://maas-registry').close();"
        "print('boto3' in sys.modules, 'botocore' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "SQLITE:///x",
        "registry.sqlite",
        "dynamodb:///t",
        "dynamodb://a/b",
    ],
)
def test_other_urls_are_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(SettingsError, match="sqlite:///") as refusal:
        open_registry(url, clock=now, actor="ada")
    assert refusal.value.field == "MAAS_REGISTRY"
