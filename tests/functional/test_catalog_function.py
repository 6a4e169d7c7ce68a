"""functions/catalog/app.py as Lambda starts it: a fresh process, the environment, an event."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tiny import Home, make_home

ROOT = Path(__file__).parents[2] / "functions"
APP = ROOT / "catalog/app.py"
EVENTS = ROOT / "catalog/events"
WARNINGS = ("-W", "error")
DRIVER = """
import json, runpy, sys
from pathlib import Path

class Context:
    aws_request_id = "request-of-lambda"
    @staticmethod
    def get_remaining_time_in_millis():
        return 15_000

app, answers, *events = map(Path, sys.argv[1:])
handler = runpy.run_path(str(app))["handler"]
made = [handler(json.loads(event.read_text()), Context()) for event in events]
answers.write_text(json.dumps({"answers": made, "modules": sorted(sys.modules)}))
"""
MODEL_LIBRARIES = {"onnxruntime", "numpy", "tokenizers", "torch", "onnx", "maas_lab", "pydantic"}


def start(
    app: Path, tmp_path: Path, environ: dict[str, str], *events: Path
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run a function with nothing but these variables; answers with what its handler answered."""
    answers = tmp_path / "answers.json"
    done = subprocess.run(
        [sys.executable, *WARNINGS, "-c", DRIVER, app, answers, *events],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done, json.loads(answers.read_text()) if answers.exists() else {}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


def environ_of(home: Home) -> dict[str, str]:
    return {"MAAS_REGISTRY": home.settings.registry}


def test_it_answers_every_sample_and_loads_no_models_library(home: Home, tmp_path: Path) -> None:
    events = sorted(EVENTS.glob("*.json"))
    done, result = start(APP, tmp_path, environ_of(home), *events)
    assert done.returncode == 0, done.stderr
    statuses = {
        event.stem: a["statusCode"] for event, a in zip(events, result["answers"], strict=True)
    }
    assert statuses == dict.fromkeys(statuses, 200) | {"warm-up": 204}
    assert MODEL_LIBRARIES.isdisjoint(name.split(".")[0] for name in result["modules"])
    # One line per answer, which is its metrics too, and nothing else
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(line.get("message") == "answered" for line in lines) == len(events) - 1
    assert sum("_aws" in line for line in lines) == len(events) - 1
    assert len(lines) == len(events) - 1
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["answers.json"]


def test_without_a_registry_it_lives_and_answers(tmp_path: Path) -> None:
    environ = {"MAAS_REGISTRY": f"sqlite:///{tmp_path}/none.sqlite"}
    done, result = start(APP, tmp_path, environ, EVENTS / "health.json", EVENTS / "model.json")
    assert done.returncode == 0, done.stderr
    assert [answer["statusCode"] for answer in result["answers"]] == [200, 404]


def test_with_a_registry_that_cannot_be_read_it_lives_and_logs_why(tmp_path: Path) -> None:
    broken = tmp_path / "registry.sqlite"
    broken.write_bytes(b"not a database, and long enough to be taken for one" * 100)
    environ = {"MAAS_REGISTRY": f"sqlite:///{broken}"}
    done, result = start(APP, tmp_path, environ, EVENTS / "health.json", EVENTS / "openapi.json")
    assert done.returncode == 0, done.stderr
    refused, document = result["answers"]
    assert (refused["statusCode"], document["statusCode"]) == (500, 200)
    assert str(tmp_path) not in json.dumps(result["answers"])
    logged = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["error"].split()[0] for line in logged if line.get("message") == "failed"] == [
        "SettingsError",
        "SettingsError",
    ]


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"MAAS_REGISTRY": "mysql://x"}, "MAAS_REGISTRY"),
        ({"MAAS_REGISTRI": "sqlite:///x"}, "MAAS_REGISTRI"),
    ],
)
def test_a_wrong_environment_ends_it_at_once_by_name(
    tmp_path: Path, environ: dict[str, str], named: str
) -> None:
    done, result = start(APP, tmp_path, environ)
    assert done.returncode != 0
    assert result == {}
    assert named in done.stderr.strip().splitlines()[-1]


def test_the_inference_function_pays_nothing_for_the_catalog(home: Home, tmp_path: Path) -> None:
    app = ROOT / "inference/app.py"
    event = ROOT / "inference/events/predict.json"
    done, result = start(app, tmp_path, home.environ, event)
    assert done.returncode == 0, done.stderr
    catalog = {"openapi", "operations", "catalog", "catalog_entry", "views", "queries"}
    assert {f"maas.http.{name}" for name in catalog}.isdisjoint(result["modules"])


def test_it_is_as_short_as_promised() -> None:
    assert len(APP.read_text().splitlines()) <= 25
