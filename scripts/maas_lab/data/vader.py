"""Sentences of film reviews, of product reviews and of tweets, each rated by 20 people.

Imports the standard library and the modules of this room below it. All three sets lie inside the
source archive of the package vaderSentiment:

    reading = read_movie_reviews(settings.cache, labels=("negative", "positive"))

The label is the sign of the mean rating, which runs from -4 to 4. Sentences whose mean is exactly 0
(37 of the 10,605 film sentences) were called neither good nor bad by their readers: they are
reported as `neutral` and not used, because any label for them would be made up.

The product reviews are whole reviews, cut into sentences whose ids say the review; a review stays
in one split.
"""

from functools import partial
from typing import TYPE_CHECKING

from maas_lab.data.about import About
from maas_lab.data.archives import read_member
from maas_lab.data.fetching import Archive, download, obtain
from maas_lab.data.rows import Reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CITATION = (
    "Hutto, C.J. & Gilbert, E.E. (2014). VADER: A Parsimonious Rule-based Model for Sentiment "
    "Analysis of Social Media Text. Eighth International Conference on Weblogs and Social Media."
)
_REDISTRIBUTION = "Yes, with the MIT notice of vaderSentiment."
MOVIES = About(
    "Sentences of Rotten Tomatoes film reviews (Pang & Lee), each rated from -4 to 4 by 20 people",
    licence="MIT",
    citation=_CITATION,
    redistribution=_REDISTRIBUTION,
    rows=10_566,
)
PRODUCTS = About(
    "Sentences of 300 Amazon product reviews (Hu & Liu), each rated from -4 to 4 by 20 people",
    licence="MIT",
    citation=_CITATION,
    redistribution=_REDISTRIBUTION,
    rows=3_600,
)
TWEETS = About(
    "Tweets, each rated from -4 to 4 by 20 people",
    licence="MIT",
    citation=_CITATION,
    redistribution=_REDISTRIBUTION,
    rows=4_136,
)
ARCHIVE = Archive(
    package="vaderSentiment",
    version="3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
)
_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"


def _read(
    member: str,
    cache: "Path",
    *,
    labels: tuple[str, ...],
    archive: Archive = ARCHIVE,
    fetch: "Callable[[Archive, Path], None]" = download,
    say: "Callable[[str], None]" = lambda _: None,
) -> Reading:
    """Read the sentences of one set, fetching the archive first where the cache does not hold it.

    Args:
        member: The file of the set.
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
    inner = read_member(content, f"{archive.stem}/{_INNER}")
    return _parse(read_member(inner, f"hutto_ICWSM_2014/{member}_GroundTruth.txt"), labels)


read_movie_reviews = partial(_read, "movieReviewSnippets")
read_amazon_reviews = partial(_read, "amazonReviewSnippets")
read_tweets = partial(_read, "tweets")


def _parse(content: bytes, labels: tuple[str, ...]) -> Reading:
    """Lines of id, mean rating and text, parted by tabs; an id may begin with that of a review."""
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
            review, parted, _ = fields[0].partition("_")
            group = review if parted else ""
            reading.add(line, fields[2], "positive" if rating > 0 else "negative", group)
    return reading


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
