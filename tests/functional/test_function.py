"""functions/inference/app.py as Lambda starts it: a fresh process, the environment, an event."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.dynamo_standin import StandIn
from support.function import function_environ, pack, routed
from support.tiny import Home, make_home

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
APP = ROOT / "functions/inference/app.py"
EVENT = ROOT / "functions/inference/events/predict.json"
WARNINGS = ("-W", "error")
HEAVY = {
    *("boto3", "botocore", "requests", "s3transfer", "urllib3"),
    *("anyio", "asyncio", "aws_lambda_powertools", "mangum", "starlette"),
    *("maas_lab", "onnx", "pydantic", "torch", "transformers"),
}
"""What costs a cold start more than it gives a request."""
DRIVER = """
import json, runpy, sys
from pathlib import Path

class Context:
    aws_request_id = "request-of-lambda"
    @staticmethod
    def get_remaining_time_in_millis():
        return 15_000

app, event, answers = map(Path, sys.argv[1:4])
hooks = []
if "snapshot" in sys.argv:  # what the managed runtime has
    import types
    module = types.ModuleType("snapshot_restore_py")
    module.register_after_restore = hooks.append
    sys.modules["snapshot_restore_py"] = module
if "close" in sys.argv:
    sys.stdout.close()
event = json.loads(event.read_text())
handler = runpy.run_path(str(app))["handler"]
events = (event, {**event, "body": "{"}, event)
made = [handler(each, Context()) for each in events]
if hooks:
    print("before the restore", file=sys.stderr)
    sys.stdin.readline()
    [restored() for restored in hooks]
    made.append(handler(event, Context()))
# A dataclass is known by what its module put into it, whoever imported the module dataclasses.
dataclasses = sorted(
    f"{module.__name__}.{name}"
    for module in list(sys.modules.values())
    if module.__name__.partition(".")[0] == "maas"
    for name, value in vars(module).items()
    if value is sys.modules.get("dataclasses", ...) or hasattr(value, "__dataclass_fields__")
)
answers.write_text(
    json.dumps({"answers": made, "modules": sorted(sys.modules), "dataclasses": dataclasses})
)
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

    # And writes one JSON line per event, which is its metrics too, and nothing else
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["message"] for line in lines if "message" in line] == ["ready"] + ["answered"] * 3
    assert sum("_aws" in line for line in lines) == 3
    assert len(lines) == 4
    assert done.stderr == ""

    # And leaves no file, and has loaded nothing that costs a cold start
    assert [path.name for path in tmp_path.iterdir()] == ["answers.json"]
    assert HEAVY.isdisjoint(name.split(".")[0] for name in result["modules"])


@pytest.fixture
def table(home: Home) -> "Iterator[StandIn]":
    with StandIn() as server:
        server.policy = routed(home, 5, v2=100)
        yield server


@pytest.fixture(scope="module")
def models(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the function carries; its baked policy routes to version 1."""
    return pack(home, tmp_path_factory.mktemp("opt") / "models", routed(home, 4, v1=100))


def test_a_registry_in_dynamodb_is_read_without_aws_libraries(
    home: Home, models: Path, table: StandIn, tmp_path: Path
) -> None:
    done, result = start(tmp_path, function_environ(models, endpoint=table.url))
    assert done.returncode == 0, done.stderr
    good, bad, again = result["answers"]
    assert [answer["statusCode"] for answer in (good, bad, again)] == [200, 400, 200]
    assert good["headers"]["x-maas-policy"] == "live"
    assert good["headers"]["x-maas-digest"] == home.bundles[2].digest
    assert len(table.requests) == 1
    # Then neither boto3 nor an event loop was imported, nor the store of a laptop
    modules = set(result["modules"])
    assert HEAVY.isdisjoint(name.split(".")[0] for name in modules)
    assert modules.isdisjoint({"maas.registry.sqlite", "maas.registry.dynamo"})
    # And no module of ours made a dataclass
    assert result["dataclasses"] == []
    # And no key is in what was written
    assert "canary" not in done.stdout + done.stderr + json.dumps(result["answers"])


@pytest.mark.parametrize("way", ["hang", "drip", "gone"])
def test_a_start_without_its_registry_is_no_failure(
    models: Path, table: StandIn, tmp_path: Path, way: str
) -> None:
    if way == "gone":
        table.go()
    else:
        table.way = way
    done, result = start(tmp_path, function_environ(models, endpoint=table.url))
    assert done.returncode == 0, done.stderr
    assert [answer["statusCode"] for answer in result["answers"]] == [200, 400, 200]
    assert result["answers"][0]["headers"]["x-maas-policy"] == "baked"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"AWS_REGION": ""}, "AWS_REGION"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "127.0.0.1:8000"}, "AWS_ENDPOINT_URL_DYNAMODB"),
        ({"MAAS_REGISTRY": "dynamodb://"}, "MAAS_REGISTRY"),
        (
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com"},
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    ],
)
def test_a_registry_that_no_retry_could_find_ends_it_at_once_by_name(
    models: Path, tmp_path: Path, change: dict[str, str], named: str
) -> None:
    environ = function_environ(models, endpoint="http://127.0.0.1:9") | change
    done, result = start(tmp_path, environ)
    assert done.returncode != 0
    assert result == {}
    assert named in done.stderr.strip().splitlines()[-1]


def test_a_snapshot_holds_a_verified_model_and_a_restore_reads_anew(
    home: Home, models: Path, table: StandIn, tmp_path: Path
) -> None:
    # Given a function that starts for a snapshot, whose keys come from the container
    with StandIn() as endpoint:
        keys = {
            "SecretAccessKey": "canary",
            "Token": "canary",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        endpoint.answer = (200, keys | {"AccessKeyId": "BEFORE"})
        environ = function_environ(models, endpoint=table.url) | {
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoint.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "canary",
        }
        answers = tmp_path / "answers.json"
        with subprocess.Popen(
            [sys.executable, *WARNINGS, "-c", DRIVER, APP, EVENT, answers, "snapshot"],
            env=environ,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as function:
            assert function.stderr is not None
            assert function.stderr.readline() == "before the restore\n"
            assert (len(table.requests), table.connections, endpoint.connections) == (1, 1, 1)
            # When it is restored, long within the TTL, and a promote has happened meanwhile
            table.policy = routed(home, 6, v1=100)
            endpoint.answer = (200, keys | {"AccessKeyId": "AFTER"})
            out, error = function.communicate("now\n", timeout=60)
        assert function.returncode == 0, error
    good, _, second, restored = json.loads(answers.read_text())["answers"]
    # Then each start is told with the answer that waited for it
    timings = [answer["headers"]["server-timing"] for answer in (good, second, restored)]
    assert ["init;dur=" in timing for timing in timings] == [True, False, True]
    # And what was loaded had been hashed as a whole, and both say so
    assert 'verify;desc="full"' in good["headers"]["server-timing"]
    logged = [json.loads(line) for line in out.splitlines()]
    assert "full" in [line["verify"] for line in logged if "verify" in line]
    # And the policy was read anew, over a new connection, as somebody new
    assert [good["headers"][name] for name in ("x-maas-version", "x-maas-policy")] == ["2", "live"]
    assert [restored["headers"][name] for name in ("x-maas-version", "x-maas-policy")] == [
        "1",
        "live",
    ]
    assert (len(table.requests), table.connections, endpoint.connections) == (2, 2, 2)
    assert "Credential=BEFORE/" in table.requests[0].headers["authorization"]
    assert "Credential=AFTER/" in table.requests[1].headers["authorization"]
    assert "canary" not in out + error


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
    assert [answer["statusCode"] for answer in result["answers"]] == [503, 503, 503]
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
