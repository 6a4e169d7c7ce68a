"""Archives: fetched once, verified always, and an honest word where a client is away."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from maas.errors import RefusedError, TryAgainError
from maas_lab.data.fetching import Archive, download, obtain

CONTENT = b"an archive"
NPM = Archive("made-up", "1.0", hashlib.sha256(CONTENT).hexdigest(), kind="npm")


def client(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a client of a registry where it is found first."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")


def test_each_kind_has_the_registrys_own_file_name() -> None:
    assert Archive("some-set", "1.0", "0").file_name == "some-set-1.0.tar.gz"
    assert NPM.file_name == "made-up-1.0.tgz"
    wheel = Archive("some-set", "1.0", "0", kind="wheel")
    assert wheel.file_name == "some_set-1.0-py3-none-any.whl"
    assert NPM.files == {"made-up-1.0.tgz": NPM.sha256}


def test_npm_packs_the_pinned_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an npm that says what it was asked for
    script = f'printf "%s " "$@" >{tmp_path}/asked; printf "an archive" >"$5/made-up-1.0.tgz"'
    client(tmp_path, "npm", script, monkeypatch)

    assert obtain(NPM, tmp_path / "cache") == CONTENT

    asked = (tmp_path / "asked").read_text().split()
    assert asked[:4] == ["pack", "--silent", "--ignore-scripts", "--pack-destination"]
    assert asked[5] == "made-up@1.0"
    assert (tmp_path / "cache/made-up-1.0.tgz").read_bytes() == CONTENT


def test_a_wheel_of_one_platform_is_fetched_on_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a Python whose pip says what it was asked for
    platform = "manylinux_2_17_x86_64.manylinux2014_x86_64"
    wheel = Archive("some-set", "1.0", NPM.sha256, kind="wheel", platform=platform)
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    client(tmp_path, "python", f'printf "%s " "$@" >{tmp_path}/asked', monkeypatch)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))

    download(wheel, fetched)

    assert " --platform manylinux2014_x86_64 " in (tmp_path / "asked").read_text()
    assert wheel.file_name == f"some_set-1.0-py3-none-{platform}.whl"

    download(replace(wheel, platform="any"), fetched)
    assert "--platform" not in (tmp_path / "asked").read_text()


def test_a_client_that_fails_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, "npm", "echo npm error code E404 >&2; exit 1", monkeypatch)

    with pytest.raises(TryAgainError, match=r"made-up-1\.0\.tgz.*npm says: npm error code E404"):
        obtain(NPM, tmp_path / "cache")


def test_a_client_that_brings_something_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, "npm", "exit 0", monkeypatch)

    with pytest.raises(TryAgainError, match="brought another file"):
        obtain(NPM, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_nothing_is_fetched_that_could_not_be_kept(tmp_path: Path) -> None:
    (tmp_path / "home").touch()

    def fetch(archive: Archive, folder: Path) -> None:
        raise AssertionError(json.dumps([archive.package, str(folder)]))

    with pytest.raises(NotADirectoryError):
        obtain(NPM, tmp_path / "home" / "cache", fetch=fetch)


def test_a_missing_client_is_named_with_what_can_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RefusedError, match=r"npm is not installed.*copy of made-up-1\.0\.tgz"):
        download(NPM, tmp_path)


def test_a_copy_made_by_hand_is_used_and_verified(tmp_path: Path) -> None:
    # Given the archive in the cache, and no way to fetch it
    (tmp_path / NPM.file_name).write_bytes(CONTENT)

    def fetch(archive: Archive, folder: Path) -> None:
        raise AssertionError(json.dumps([archive.package, str(folder)]))

    assert obtain(NPM, tmp_path, fetch=fetch) == CONTENT

    (tmp_path / NPM.file_name).write_bytes(CONTENT + b"!")
    with pytest.raises(RefusedError, match="Delete the file"):
        obtain(NPM, tmp_path, fetch=fetch)
