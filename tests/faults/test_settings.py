"""F25: a variable that is missing, empty, malformed or unknown ends a start at once, by its name.

In fresh processes with nothing but the variables that are set: both functions, as Lambda starts
them, and `maas serve`. Beside these, every variable is tried in this process.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from support.doors import rest_event
from support.effort import count
from support.function import run_function
from support.tiny import Home, make_home

from maas.errors import SettingsError
from maas.http.catalog_entry import build_catalog_handler
from maas.http.entry import build_handler
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MALFORMED = (
    *(("MAAS_MODEL", value) for value in ("Sentiment", "a/b", "x", "sentiment\n")),
    *(("MAAS_REGISTRY", value) for value in ("registry.sqlite", "mysql://x", "dynamodb://")),
    *(("MAAS_REGISTRY", value) for value in ("dynamodb://x", "sqlite://", " ", "dynamodb://a b")),
    *(("MAAS_BASE_PATH", value) for value in ("prod", "/a//b", "/a?b")),
    *(("MAAS_POLICY_TTL", value) for value in ("soon", "-1", "1e9", "nan", "1_0")),
    *(("MAAS_THREADS", value) for value in ("0", "65", "two", "1.0")),
    *(("MAAS_LOG_LEVEL", value) for value in ("info", "5", "TRACE")),
    *((name, "x") for name in ("MAAS_MODELL", "MAAS_TTL", "MAAS_policy_ttl", "MAAS_")),
    ("ORT_LOAD_CONFIG_FROM_MODEL", "1"),
)
KNOWN = (
    *("MAAS_BASE_PATH", "MAAS_POLICY_TTL", "MAAS_THREADS", "MAAS_LOG_LEVEL"),
    *("MAAS_REGISTRY", "MAAS_BUNDLES", "MAAS_CACHE", "MAAS_ACTOR"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


# ---- Every variable, in this process -------------------------------------------------------------


@pytest.mark.parametrize("build", [build_handler, build_catalog_handler])
@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_f25_no_function_starts_with_a_variable_that_is_wrong(
    home: Home, build: "Callable[[Settings], object]", name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        build(Settings.parse({**home.environ, name: value}))
    text = str(refused.value)
    # Then one line names it
    assert name in text
    assert "\n" not in text
    count("faults")


@pytest.mark.parametrize("name", KNOWN)
def test_f25_an_empty_variable_is_one_that_is_not_set(home: Home, name: str) -> None:
    others = {key: value for key, value in home.environ.items() if key != name}
    assert Settings.parse({**others, name: ""}) == Settings.parse(others)


# ---- Fresh processes -----------------------------------------------------------------------------

WRONG = (
    ("MAAS_MODELL", "sentiment"),
    ("MAAS_REGISTRY", "mysql://x"),
    ("MAAS_POLICY_TTL", "-1"),
)


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize("name", ["inference", "catalog"])
def test_f25_a_function_ends_before_its_first_request(
    home: Home, tmp_path: "Path", name: str
) -> None:
    cases = [*WRONG, *([("MAAS_MODEL", "")] if name == "inference" else [])]
    event = rest_event("GET", "/health")

    def start(case: tuple[str, str]) -> None:
        environ = {**home.environ, case[0]: case[1]}
        ended = run_function(name, environ, event, cwd=tmp_path)
        assert (ended.returncode, ended.answers, ended.stdout) == (1, [], ""), case
        said = last_line(ended.stderr)
        assert said.startswith("maas.errors.SettingsError: "), case
        assert case[0] in said

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(start, cases))
    assert list(tmp_path.iterdir()) == []  # nothing was begun
    # And with the variables as they should be it answers
    ended = run_function(name, home.environ, event, cwd=tmp_path)
    assert ended.statuses() == [404 if name == "inference" else 200], ended.stderr
    count("faults", len(cases))


def test_f25_the_laptops_server_ends_with_2_and_one_line(home: Home, tmp_path: "Path") -> None:
    folder = tmp_path / "home"

    def serve(case: tuple[str, str]) -> None:
        environ = {"MAAS_HOME": str(folder), "PATH": "", case[0]: case[1]}
        done = subprocess.run(
            [sys.executable, "-I", "-m", "maas_lab.cli", "serve", "--port", "0"],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (2, ""), case
        assert len(done.stderr.splitlines()) == 1
        assert case[0] in done.stderr
        count("faults")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(serve, WRONG))
    assert list(tmp_path.iterdir()) == []
