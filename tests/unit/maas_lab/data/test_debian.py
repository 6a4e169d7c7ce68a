"""Debian's files: fetched together by apt, kept, and used again."""

import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from maas.errors import RefusedError, TryAgainError
from maas_lab.data.debian import download_debian, obtain_debian

APT = """#!/bin/sh
# arguments: -q -c CONFIGURATION COMMAND [PACKAGE…]
configuration=$3 command=$4; shift 4
echo "$command $*" >>"$LOG"
case $command in
  update)
    lists=$(sed -n 's/^Dir::State::lists "\\(.*\\)";/\\1/p' "$configuration")
    echo 'Package: one' >"$lists/host_dists_stable_main_i18n_Translation-en"
    echo 'Package: two' >"$lists/host_dists_updates_main_i18n_Translation-en"
    echo 'Package: eins' >"$lists/host_dists_stable_main_i18n_Translation-zh%5fCN" ;;
  download)
    for name; do echo "$name" >"${name}_1%3a2_all.deb"; done ;;
esac
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian archive in a shell script, and what it was asked."""
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(APT)
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{apt.parent}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def test_what_is_missing_is_fetched_in_one_go_and_once(tmp_path: Path, log: Path) -> None:
    told: list[str] = []
    cache = tmp_path / "cache"

    for _ in range(2):
        found = obtain_debian(["some-set"], ["en", "zh_CN"], cache=cache, say=told.append)

    assert log.read_text() == "update \ndownload some-set\n"
    assert told == ["Fetching some-set, descriptions of packages from the Debian archive"]
    assert found["some-set"].content == b"some-set\n"
    assert found["some-set"].files == {
        "some-set_1%3a2_all.deb": hashlib.sha256(b"some-set\n").hexdigest()
    }
    assert gzip.decompress(found["en"].content) == b"Package: one\n\nPackage: two\n"
    assert gzip.decompress(found["zh_CN"].content) == b"Package: eins\n"


def test_descriptions_alone_need_no_package(tmp_path: Path, log: Path) -> None:
    obtain_debian([], ["en"], cache=tmp_path / "cache")
    obtain_debian([], ["zh_CN"], cache=tmp_path / "cache")

    assert log.read_text() == "update \n"


def test_of_two_versions_the_later_is_used(tmp_path: Path) -> None:
    import os

    for name, seconds in (("some-set_2_all.deb", 100), ("some-set_10_all.deb", 200)):
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, (seconds, seconds))
    (tmp_path / "some-set-more_1_all.deb").write_bytes(b"another package")

    assert obtain_debian(["some-set"], [], cache=tmp_path)["some-set"].name == "some-set_10_all.deb"


def test_where_there_is_no_apt_the_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RefusedError) as caught:
        obtain_debian(["some-set"], ["en"], cache=tmp_path / "cache")

    told = str(caught.value)
    assert "apt-get is not installed" in told
    assert "some-set_VERSION_all.deb" in told
    assert "debian-descriptions-en.gz" in told


def test_an_archive_that_is_away_is_told(tmp_path: Path, log: Path) -> None:
    apt = log.parent / "bin" / "apt-get"
    apt.write_text("#!/bin/sh\necho 'E: Unable to locate package some-set' >&2\nexit 100\n")

    with pytest.raises(TryAgainError, match="apt-get says: E: Unable to locate"):
        download_debian(["some-set"], [], tmp_path)


def test_a_client_that_brings_nothing_is_told(tmp_path: Path) -> None:
    def fetch(packages: Sequence[str], languages: Sequence[str], folder: Path) -> None:
        assert (packages, languages) == (["some-set"], [])
        assert folder.is_dir()

    with pytest.raises(TryAgainError, match="some-set_"):
        obtain_debian(["some-set"], [], cache=tmp_path, fetch=fetch)
