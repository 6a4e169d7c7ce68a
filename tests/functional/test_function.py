"""functions/inference/app.py as Lambda starts it: a fresh process, the environment, an event."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tiny import Home, make_home

ROOT = Path(__file__).parents[2]
APP = ROOT / "functions/inference/app.py"
EVENT = ROOT / "functions/inference/events/predict.json"
# Mangum asks for the main thread's loop before there is one; from 3.12 on that is deprecated.
WARNINGS = ("-W", "error", "-W", "ignore:There is no current event loop:DeprecationWarning")
DRIVER = """
import json, runpy, sys
from pathlib import Path

class Context:
    aws_request_id = "request-of-lambda"
    @staticmethod
    def get_remaining_time_in_millis():
        return 15_000

app, event, answers = map(Path, sys.argv[1:4])
if "close" in sys.argv:
    sys.stdout.close()
event = json.loads(event.read_text())
handler = runpy.run_path(str(app))["handler"]
events = (event, {**event, "body": "{"}, event)
made = [handler(each, Context()) for each in events]
answers.write_text(json.dumps({"answers": made, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


def start(
    tmp_path: Path, environ: dict[str, str], *options: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the function with nothing but these variables; answers with what its handler answered."""
    answers = tmp_path / "answers.json"
    done = subprocess.run(
        [sys.executable, *WARNINGS, "-c", DRIVER, APP, EVENT, answers, *options],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done, json.loads(answers.read_text()) if answers.exists() else {}


def test_it_answers_the_sample_event(home: Home, tmp_path: Path) -> None:
    done, result = start(tmp_path, home.environ)

    # Then it answers a good, a bad and a good request
    assert done.returncode == 0, done.stderr
    good, bad, again = result["answers"]
    assert [answer["statusCode"] for answer in (good, bad, again)] == [200, 400, 200]
    assert good["body"] == again["body"]
    assert {pair["label"] for pair in json.loads(good["body"])[0]} == {"positive", "negative"}
    assert good["headers"]["x-maas-digest"] == home.bundles[1].digest
    assert good["headers"]["x-request-id"] == "request-of-lambda"

    # And writes one JSON line per event and per metric, nothing else
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["message"] for line in lines if "message" in line] == ["ready"] + ["answered"] * 3
    assert sum("_aws" in line for line in lines) == 3
    assert len(lines) == 7
    assert done.stderr == ""

    # And leaves no file, and has loaded nothing that costs a cold start
    assert [path.name for path in tmp_path.iterdir()] == ["answers.json"]
    forbidden = {"torch", "onnx", "transformers", "boto3", "maas_lab", "pydantic"}
    assert forbidden.isdisjoint(name.split(".")[0] for name in result["modules"])
    # Powertools puts its name into botocore's empty root module; what costs is behind it
    assert {name for name in result["modules"] if name.startswith("botocore.")} == set()


def test_closed_standard_output_fails_no_request(home: Home, tmp_path: Path) -> None:
    done, result = start(tmp_path, home.environ, "close")
    assert done.returncode == 0, done.stderr
    assert [answer["statusCode"] for answer in result["answers"]] == [200, 400, 200]


def test_without_its_bundle_it_lives_and_answers_503(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", versions=1)
    home.bundles[1].folder.rename(tmp_path / "away")
    (tmp_path / "work").mkdir()
    done, result = start(tmp_path / "work", home.environ)
    assert done.returncode == 0, done.stderr
    assert [answer["statusCode"] for answer in result["answers"]] == [503, 400, 503]
    assert str(tmp_path) not in json.dumps(result["answers"]) + done.stdout


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "MAAS_MODEL"),
        ({"MAAS_MODELL": "sentiment"}, "MAAS_MODELL"),
        ({"MAAS_MODEL": "Sentiment!"}, "MAAS_MODEL"),
        ({"MAAS_MODEL": "sentiment", "MAAS_REGISTRY": "mysql://x"}, "MAAS_REGISTRY"),
        ({"ORT_LOAD_CONFIG_FROM_MODEL": "1"}, "ORT_LOAD_CONFIG_FROM_MODEL"),
    ],
)
def test_a_wrong_environment_ends_it_at_once_by_name(
    tmp_path: Path, environ: dict[str, str], named: str
) -> None:
    done, result = start(tmp_path, environ)
    assert done.returncode != 0
    assert result == {}
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("maas.errors.SettingsError: ")
    assert named in last
    assert list(tmp_path.iterdir()) == []


def test_it_is_as_short_as_promised() -> None:
    assert len(APP.read_text().splitlines()) <= 25
