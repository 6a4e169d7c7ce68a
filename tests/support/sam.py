"""SAM CLI and Docker for tests: build the application, invoke its functions, run its API.

    sam = Sam(project.root)                          # ends the test where a tool is absent
    sam.run("build")
    answer = sam.invoke("ModelsentimentFunction", event, variables)
    with sam.api(variables) as url: ...

Containers call this machine `container_host()`: 127.0.0.1 is their own.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.needs import missing
from support.tiny import Home

from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OLDEST = (1, 170)
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sam:
    """SAM CLI in a project's folder.

    Attributes:
        root: Where template.yaml lies.
    """

    root: Path

    def __post_init__(self) -> None:
        """End the test where SAM CLI, Docker or Lambda's Python is absent."""
        for tool, sign in (("sam", "--version"), ("python3.13", "--version"), ("docker", "info")):
            if shutil.which(tool) is None or _output(tool, sign) is None:
                missing(f"{tool} {sign} does not answer")
        version = (_output("sam", "--version") or "").split()[-1]
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            missing(f"SAM CLI {version} is too old; it must be {OLDEST[0]}.{OLDEST[1]} or newer")

    def run(
        self, *arguments: str, more: "Mapping[str, str] | None" = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with more variables; its exit code is for the caller to look at."""
        return subprocess.run(
            ["sam", *arguments],
            cwd=self.root,
            env=sam_environment() | dict(more or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def invoke(self, function: str, event: Path, variables: "Mapping[str, str]") -> Any:  # noqa: ANN401
        """Invoke a function in a container of its own.

        Args:
            function: Its logical id.
            event: A file with the event.
            variables: Of the environment; only what the template declares is set.

        Returns:
            What the handler answered. SAM exits with 0 whatever happened, so look at it.
        """
        file = self._variables(variables)
        done = self.run(
            *("local", "invoke", function, "--event", str(event), "--env-vars", str(file)),
            "--skip-pull-image",
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    @contextlib.contextmanager
    def api(self, variables: "Mapping[str, str]", log: Path) -> "Iterator[str]":
        """Run the API on a free port of loopback; its containers stay warm, as Lambda's do.

        Args:
            variables: As in `invoke`.
            log: A file for what SAM and the functions write.

        Returns:
            The API's address.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = ["sam", "local", "start-api", "--port", str(port), "--warm-containers", "LAZY"]
        command += ["--skip-pull-image", "--env-vars", str(self._variables(variables))]
        with (
            log.open("w") as out,
            subprocess.Popen(
                command,
                cwd=self.root,
                env=sam_environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            ) as server,
        ):
            try:
                _await_port(port, server, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.terminate()  # not SIGINT, which leaves its containers behind
                server.wait(timeout=60)

    def _variables(self, variables: "Mapping[str, str]") -> Path:
        file = self.root / "variables.json"
        file.write_text(json.dumps({"Parameters": dict(variables)}))
        return file


@dataclass(frozen=True, slots=True)
class World:
    """A packaged and built application on this machine, as if it were deployed.

    Attributes:
        sam: SAM CLI in the built project.
        home: The bundles, and the registry in DynamoDB Local.
        environ: What `maas` needs in its environment to find both.
        variables: What a function needs beside what the template says.
    """

    sam: Sam
    home: Home
    environ: dict[str, str]
    variables: dict[str, str]

    @property
    def built(self) -> Path:
        """What `sam build` made."""
        return self.sam.root / ".aws-sam/build"

    def function_settings(self, **more: str) -> Settings:
        """The settings of a function that runs in this process on the packaged layer."""
        bundles = str(self.sam.root / "layers/models")
        return Settings.parse({**self.environ, "MAAS_BUNDLES": bundles, **more})


@contextlib.contextmanager
def maas_serve(environ: "Mapping[str, str]", log: Path) -> "Iterator[str]":
    """Run `maas serve` with these variables; gives its address."""
    command = [sys.executable, "-m", "maas_lab.cli", "serve", "--port", "0", "--json"]
    with (
        log.open("w") as out,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=out, text=True, env={"PATH": "", **environ}
        ) as server,
    ):
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()
            server.communicate(timeout=15)


def ask(
    url: str, path: str, body: bytes | None = None, *, headers: "Mapping[str, str] | None" = None
) -> tuple[int, dict[str, str], bytes]:
    """Send a GET, or a POST where there is a body.

    Returns:
        Status, headers by lower-case name, body.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def container_host() -> str:
    """How containers call this machine."""
    if sys.platform != "linux":
        return "host.docker.internal"
    form = "{{(index .IPAM.Config 0).Gateway}}"
    address = _output("docker", "network", "inspect", "bridge", "--format", form)
    return (address or "").strip() or "172.17.0.1"


def sam_environment() -> dict[str, str]:
    """This process's environment for SAM CLI, with credentials that are nobody's."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "MAAS_", "SAM_"))}
    return kept | {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        # SAM asks who calls before every command, and asks again where nobody answers.
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
        "SAM_CLI_TELEMETRY": "0",
    }


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _await_port(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text())
