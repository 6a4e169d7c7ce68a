"""KServe's `InferenceRESTClient`, unmodified, in an environment of its own, against `maas serve`.

What it is asked lies in kserve/ask.py; here is what it must have answered.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from support.environments import python_of
from support.task_bundles import TaskHome, home_with, serving
from support.tiny import make_bundle, register_bundle
from support.tiny_echo import make_echo

from maas.http.protocols.oip_data import DTYPES
from maas.registry.addresses import ByNumber

pytestmark = pytest.mark.clients
ASK = Path(__file__).parent / "kserve" / "ask.py"
TEXTS = ["a good film", "a bad film"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TaskHome:
    """Versions 1 and 2 of `sentiment`, production is 1, and a model of every datatype."""
    home = home_with(tmp_path_factory.mktemp("home"), make_bundle, versions=2)
    with home.registry() as registry:
        register_bundle(registry, make_echo(home.settings.bundles))
        registry.promote("echo", ByNumber(1))
    return replace(home, settings=structs.replace(home.settings, model=None))


@pytest.fixture(scope="module")
def said(home: TaskHome) -> dict[str, Any]:
    """What the client answered to each question."""
    python = python_of("kserve")
    with serving(home) as url:
        done = subprocess.run(
            [python, "-I", ASK, url, "sentiment", "echo"],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_the_server_and_its_models_are_known(said: dict[str, Any]) -> None:
    assert (said["live"], said["ready"], said["model ready"]) == (True, True, True)
    assert said["nobody ready"] is False
    assert said["models"] == {"models": ["echo", "sentiment"]}


@pytest.mark.parametrize(
    ("asked", "version", "id_"),
    [
        ("texts JSON", 1, "42"),
        ("texts binary", 1, "42"),
        ("no outputs", 1, ...),  # an id that the client makes
        ("plain", 1, None),
        ("pinned", 2, None),
    ],
)
def test_texts_are_answered_however_they_are_sent(
    home: TaskHome, said: dict[str, Any], asked: str, version: int, id_: object
) -> None:
    answer = said[asked]
    np.testing.assert_allclose(
        answer["outputs"]["logits"], home.bundles[version].logits(TEXTS), atol=1e-5
    )
    assert answer["model_name"] == "sentiment"  # the client keeps no version
    assert answer["id"] == id_ or (id_ is ... and answer["id"])


@pytest.mark.parametrize("form", ["JSON", "binary"])
def test_tensors_of_every_datatype_go_there_and_back(said: dict[str, Any], form: str) -> None:
    assert sorted(said[f"tensors {form}"]) == sorted(DTYPES)


def test_an_error_is_what_the_client_raises(said: dict[str, Any]) -> None:
    assert said["refused"].startswith("text: must not be empty")
    assert "422" in said["refused"]
    assert "404" in said["no model"]
    assert "nobody" not in said["no model"].partition("for url")[0]
