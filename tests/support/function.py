"""A model's function as it is deployed: packed bundles, a baked policy, a registry in DynamoDB.

packed = pack(home, tmp_path / "models", policy)
settings = function_settings(packed, endpoint=standin.url, policy_ttl=0.2)
handler = build_handler(settings)
ended = run_function("inference", function_environ(...), rest_event(...), cwd=tmp_path)
"""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.doors import LambdaContext, rest_event

from maas.bundle.manifest import digest16
from maas.loading import optimised_form
from maas.registry.records import WEIGHT_TOTAL, Policy, Route
from maas.served import SERVED, ServedSet, ServedVersion, write_served
from maas.settings import Settings

if TYPE_CHECKING:
    from support.task_bundles import TaskHome
    from support.tiny import Home

    from maas.http.gateway import Handler

MODEL = "sentiment"
TABLE = "maas-registry"


def routed(home: "Home | TaskHome", revision: int, **shares: int) -> Policy:
    """A policy whose production routes to versions by percent: `routed(home, 3, v1=90, v2=10)`."""
    routes = tuple(
        Route(int(name[1:]), percent * WEIGHT_TOTAL // 100) for name, percent in shares.items()
    )
    digests = {number: bundle.digest for number, bundle in home.bundles.items()}
    return Policy(_model(home), revision, {"production": routes}, digests)


def _model(home: "Home | TaskHome") -> str:
    """The one that all its bundles are of."""
    return str(next(iter(home.bundles.values())).manifest.name)


def pack(
    home: "Home | TaskHome", models: Path, baked: Policy, *, carried: tuple[int, ...] = ()
) -> Path:
    """Lay a served set as `maas package` does: one form of each version, and served.json.

    Args:
        home: Where the bundles are.
        models: The folder to make, which `MAAS_BUNDLES` shall name.
        baked: The policy of packaging time.
        carried: Versions that are packed; all of the home's where none is named.
    """
    form, model = optimised_form(), _model(home)
    numbers = carried or tuple(sorted(home.bundles))
    for number in numbers:
        bundle = home.bundles[number]
        folder = models / model / digest16(bundle.digest)
        shutil.copytree(bundle.folder, folder, ignore=shutil.ignore_patterns("portable"))
    versions = tuple(ServedVersion(n, home.bundles[n].digest, form) for n in numbers)
    served = ServedSet(1, model, versions, baked)
    (models / model / SERVED).write_bytes(write_served(served))
    return models


def function_environ(
    models: Path,
    *,
    endpoint: str,
    model: str = MODEL,
    table: str = TABLE,
    policy_ttl: float = 15.0,
) -> dict[str, str]:
    """The variables of a function whose registry is a table."""
    return {
        "MAAS_MODEL": model,
        "MAAS_HOME": str(models.parent / "home-of-nobody"),
        "MAAS_BUNDLES": str(models),
        "MAAS_REGISTRY": f"dynamodb://{table}",
        "MAAS_POLICY_TTL": str(policy_ttl),
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "canary-secret",
    }


def function_settings(models: Path, **options: Any) -> Settings:  # noqa: ANN401 - as above
    """The settings of `function_environ`."""
    return Settings.parse(function_environ(models, **options))


@dataclass(frozen=True, slots=True)
class Said:
    """What a function said to one request.

    Attributes:
        status: HTTP status.
        policy: The header `x-maas-policy`.
        version: The version that answered.
        timing: The header `server-timing`.
        seconds: How long it took.
        body: The answer's JSON.
    """

    status: int
    policy: str
    version: int
    timing: str
    seconds: float
    body: Any


def say(handler: "Handler", text: str = "a good film") -> Said:
    """Send one good request."""
    started = time.monotonic()
    answer = handler(rest_event(body={"inputs": text}), LambdaContext())
    seconds = time.monotonic() - started
    headers = answer["headers"]
    return Said(
        answer["statusCode"],
        headers.get("x-maas-policy", ""),
        int(headers.get("x-maas-version", "0")),
        headers["server-timing"],
        seconds,
        json.loads(answer["body"]),
    )


# ---- In a process of its own --------------------------------------------------------------------

FUNCTIONS = Path(__file__).parents[2] / "functions"
_WARNINGS = ("-W", "error")
_CHILD = """
import json, runpy, sys

class Context:
    aws_request_id = "request-of-lambda"
    @staticmethod
    def get_remaining_time_in_millis():
        return 15_000

app, *steps = json.loads(sys.stdin.readline())
told, names = sys.stderr, {}
while steps and isinstance(steps[0], str):
    exec(steps.pop(0), names)
handler = runpy.run_path(app)["handler"]
for step in steps:
    if isinstance(step, str):
        exec(step, names)
    else:
        print("answer", json.dumps(handler(step, Context())), file=told, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a function's process went.

    Attributes:
        returncode: Its exit status; negative where a signal ended it.
        answers: What its handler answered, in order.
        stdout: Its log and metrics.
        stderr: What it wrote there but the answers.
    """

    returncode: int
    answers: list[Any]
    stdout: str
    stderr: str

    def statuses(self) -> list[int]:
        """The answers' HTTP statuses."""
        return [answer["statusCode"] for answer in self.answers]


def run_function(
    name: str,
    environ: dict[str, str],
    *steps: object,
    cwd: Path,
    within: tuple[str, ...] = (),
    seconds: float = 60,
) -> Ended:
    """Start a function as Lambda does, with nothing but these variables, and go through the steps.

    Args:
        name: `inference` or `catalog`.
        environ: All of its environment.
        steps: An event is handled; a text is Python, run in that process. Texts before the first
            event are run before the function is imported.
        cwd: Its working folder.
        within: A command that runs the rest of its arguments, such as `unshare -rm`.
        seconds: Time for all of it.
    """
    app = str(FUNCTIONS / name / "app.py")
    done = subprocess.run(
        [*within, sys.executable, "-I", *_WARNINGS, "-c", _CHILD],
        input=json.dumps([app, *steps]) + "\n",
        env=environ,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    lines = done.stderr.splitlines(keepends=True)
    told = [line.partition(" ")[2] for line in lines if line.startswith("answer ")]
    rest = "".join(line for line in lines if not line.startswith("answer "))
    return Ended(done.returncode, [json.loads(line) for line in told], done.stdout, rest)
