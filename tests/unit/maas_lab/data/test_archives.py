"""Members of archives: those that were asked for, in memory, and damage is told."""

import io
import tarfile
from pathlib import Path

import pytest
from support.archives import package_of, tar_of

from maas.errors import RefusedError
from maas_lab.data import archives
from maas_lab.data.archives import read_member, read_members
from maas_lab.data.debian import read_package

CONTENT = tar_of({"a/one.txt": b"one", "a/two.txt": b"two"})


def test_only_the_members_that_were_asked_for_are_read() -> None:
    assert read_member(CONTENT, "a/one.txt") == b"one"
    found = read_members(io.BytesIO(CONTENT), lambda name: name.endswith("two.txt"))
    assert found == {"a/two.txt": b"two"}


@pytest.mark.parametrize("content", [b"", b"no archive", CONTENT[:40], CONTENT[:-30]])
def test_damage_is_told(content: bytes) -> None:
    with pytest.raises(RefusedError, match=r"damaged|does not hold"):
        read_members(io.BytesIO(content), {"a/one.txt", "a/two.txt"})


def test_a_member_that_is_absent_or_no_file_is_told() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("a/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)

    for name in ("a/three.txt", "a/link.txt"):
        with pytest.raises(RefusedError, match=f"does not hold {name}"):
            read_member(buffer.getvalue(), name)


def test_no_more_than_a_bound_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_LARGEST", 5)
    assert read_member(CONTENT, "a/two.txt") == b"two"
    with pytest.raises(RefusedError, match="more than 5 bytes"):
        read_members(io.BytesIO(CONTENT), {"a/one.txt", "a/two.txt"})


def test_a_package_is_read_without_dpkg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    package = package_of({"usr/share/one.txt": b"one", "usr/share/two": b"two"})

    assert read_package(package, lambda name: name.endswith(".txt")) == {
        "usr/share/one.txt": b"one"
    }


@pytest.mark.parametrize("place", [0, 8, 60, 75, 150, 200, -10])
def test_a_cut_package_is_refused(place: int) -> None:
    package = package_of({"usr/share/one.txt": b"one"})

    with pytest.raises(RefusedError):
        read_package(package[:place], lambda _: True)


def test_what_has_another_format_is_refused() -> None:
    with pytest.raises(RefusedError, match="no Debian package"):
        read_package(b"PK" * 100, lambda _: True)
    with pytest.raises(RefusedError, match="no Debian package"):
        read_package(b"!<arch>\n" + b"x" * 60, lambda _: True)


def test_a_package_of_ubuntu_needs_zstd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_of({"usr/one.txt": b"one"}, data="data.tar.zst")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match="zstd is not installed"):
        read_package(package, lambda _: True)

    zstd = tmp_path / "zstd"
    zstd.write_text("#!/bin/sh\nexec /bin/cat\n")
    zstd.chmod(0o755)
    assert read_package(package, lambda _: True) == {"usr/one.txt": b"one"}
    zstd.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(RefusedError, match="damaged"):
        read_package(package, lambda _: True)
