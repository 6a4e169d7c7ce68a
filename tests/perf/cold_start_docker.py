"""Cold start inside the Lambda runtime emulator, with and without the compiled files of the layers.

Not a test: figures depend on the machine. After `maas package` and `sam build`:

    python tests/perf/cold_start_docker.py --runs 9 --cpus 1

Every run is a new container of the base image with the built layers; the two kinds take turns, so
what disturbs one disturbs the other. `INIT REPORT` is the emulator's own clock around the runtime's
start: from the process to the end of the handler's module. Prints one JSON line.
"""

import argparse
import http.client
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
EVENT = ROOT / "functions/inference/events/predict.json"
LAYERS = ("RuntimeLayer", "ServingLayer")
INVOKE = "/2015-03-31/functions/function/invocations"
KINDS = ("compiled", "sources")


def lay_out(build: Path, model: str, opt: Path, *, compiled: bool) -> None:
    """Put the layers together as Lambda does, with or without their .pyc files."""
    skipped = None if compiled else shutil.ignore_patterns("__pycache__")
    for layer in (*LAYERS, f"Model{model}Layer"):
        shutil.copytree(build / layer, opt, ignore=skipped, dirs_exist_ok=True)


def start(build: Path, model: str, opt: Path, *, cpus: float, memory: int) -> str:
    """Start a container whose registry nobody answers for; gives its id."""
    variables = {
        "SAM_CLI_RIE_DEV": "1",  # makes the emulator say what it measures
        "MAAS_MODEL": model,
        "MAAS_BUNDLES": "/opt/models",
        "MAAS_REGISTRY": "dynamodb://nowhere",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
    }
    options = [f"--env={name}={value}" for name, value in variables.items()]
    options += [f"--memory={memory}m", f"--cpus={cpus}", "--publish=127.0.0.1::8080"]
    code = build / f"Model{model}Function"
    options += [f"--volume={code}:/var/task:ro", f"--volume={opt}:/opt:ro"]
    return docker("run", "--detach", *options, IMAGE, "app.handler").strip()


def measure(container: str) -> tuple[float, float]:
    """Invoke once; gives milliseconds of the init, and of the whole invocation as a caller sees it.

    Raises:
        RuntimeError: The function did not answer with a prediction.
    """
    port = int(docker("port", container, "8080").rpartition(":")[2])
    end = time.monotonic() + 30
    while True:
        started = time.perf_counter()
        try:
            answer = invoke(port)
        except (OSError, http.client.HTTPException):  # Docker listens before the emulator does
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            break
    spent = (time.perf_counter() - started) * 1000
    if answer.get("statusCode") != 200:
        raise RuntimeError(str(answer))
    found = re.search(r"INIT REPORT\(durationMs: ([0-9.]+)\)", docker("logs", container))
    if found is None:
        raise RuntimeError("the emulator reported no init")
    return float(found[1]), spent


def invoke(port: int) -> dict[str, object]:
    """Send the sample event to the emulator, which starts the function when it is first asked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", INVOKE, EVENT.read_bytes())
        answer: dict[str, object] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer


def docker(*arguments: str) -> str:
    """Run a command of Docker; what it says on both channels."""
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Cold start in the runtime emulator.")
    parser.add_argument("--build", type=Path, default=ROOT / ".aws-sam/build")
    parser.add_argument("--model", default="sentiment")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--cpus", type=float, default=1.0)
    parser.add_argument("--memory", type=int, default=1024, help="MB")
    given = parser.parse_args()
    build = given.build.absolute()
    seen: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            opt = Path(folder) / kind
            lay_out(build, given.model, opt, compiled=kind == "compiled")
        for _ in range(given.runs):
            for kind in KINDS:
                options = {"cpus": given.cpus, "memory": given.memory}
                container = start(build, given.model, Path(folder) / kind, **options)
                try:
                    seen[kind].append(measure(container))
                finally:
                    docker("rm", "--force", container)
    report: dict[str, object] = {"runs": given.runs, "cpus": given.cpus, "memory": given.memory}
    for kind, pairs in seen.items():
        names = ("init_ms", "first_answer_ms")
        for name, values in zip(names, zip(*pairs, strict=True), strict=True):
            low, high = min(values), max(values)
            report[f"{kind}_{name}"] = [round(v, 1) for v in (statistics.median(values), low, high)]
    print(json.dumps(report))  # noqa: T201 - the report


if __name__ == "__main__":
    main()
