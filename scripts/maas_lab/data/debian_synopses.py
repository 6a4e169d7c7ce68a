"""English summaries: a package's long description, and the line that its author made of it.

Imports the standard library, `maas.errors` and the modules of this room below it:

    reading, files = read_debian_synopses(settings.cache)

What is written by a template is left out: packages that hold a part of another one, those of
libraries, and those whose synopsis another package has too. Packages of one project share
paragraphs. So a pair's group is the stem of the package's name, `foo` of `python3-foo-common`,
together with all stems that share a longer paragraph with it.

Titles of software are an extreme kind of summary: a model of them summarises nothing else.
"""

import re
from typing import TYPE_CHECKING

from maas.errors import RefusedError
from maas_lab.data.about import About
from maas_lab.data.debian import obtain_debian
from maas_lab.data.descriptions import decompress, parse_descriptions
from maas_lab.data.rows import PairReading
from maas_lab.data.splits import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from maas_lab.data.descriptions import Description

ABOUT = About(
    title="Long descriptions of Debian packages, and the one-line synopses that people wrote",
    licence="Debian's descriptions of packages, each under the terms of its package",
    citation="The Debian Project: package descriptions.",
    redistribution="As each package allows; not by us. Fetched where they are needed.",
    rows=26_592,
)
_EMPTY_PACKAGE = re.compile(r"transitional|meta-?package|dummy package", re.IGNORECASE)
_PART = re.compile(r"^(lib|librust-|golang-|node-)|-(dev|doc|data|dbg|dbgsym)$")
_LANGUAGE = re.compile(
    r"^(python3?|pypy3?|ruby|r-(cran|bioc|other)|php[\d.]*|fonts|elpa|gir1\.2|haskell|webext)-(?=.)"
)
_SHORTEST = 20  # words of a description that can be summarised
_SHARED = 15  # words of a paragraph that two packages hardly share by chance
_FEWEST = 15_000  # pairs; Debian's packages move, and fewer are another format


def read_debian_synopses(
    cache: "Path",
    *,
    fewest: int = _FEWEST,
    fetch: "Callable[[Sequence[str], Sequence[str], Path], None] | None" = None,
    say: "Callable[[str], None]" = lambda _: None,
) -> tuple[PairReading, dict[str, str]]:
    """Read the pairs, fetching the descriptions where the cache does not hold them.

    A pair's line is the number of the description; its group is made of stems.

    Args:
        cache: The folder that keeps archives.
        fewest: Pairs that there must be.
        fetch: Puts descriptions into a folder.
        say: Tells the user about the download.

    Returns:
        The pairs, and name to sha256 of what was fetched.

    Raises:
        TryAgainError: The descriptions are not in the cache and cannot be fetched.
        RefusedError: apt is missing, or the descriptions are not as they were.
    """
    found = obtain_debian([], ["en"], cache=cache, fetch=fetch, say=say)["en"]
    reading = PairReading()
    used: dict[int, Description] = {}
    synopses: set[str] = set()
    descriptions = parse_descriptions(decompress(found.content)).values()
    for number, description in enumerate(descriptions, start=1):
        synopsis = fold(description.synopsis)
        reason = _unfit(description)
        if not reason and synopsis in synopses:
            reason = "synopsis of another package too"
        if reason:
            reading.leave_out(reason)
        else:
            synopses.add(synopsis)
            used[number] = description
    groups = group_by_paragraphs(used.values())
    for number, description in used.items():
        text = " ".join(description.paragraphs)
        reading.add(number, text, description.synopsis, groups[stem(description.package)])
    if len(reading.pairs) < fewest:
        raise RefusedError(
            f"Debian's descriptions give {len(reading.pairs)} pairs where at least {fewest} were "
            "expected; their format has changed."
        )
    return reading, found.files


def stem(package: str) -> str:
    """What packages of one project share: the first word of the name, but for a language's."""
    return _LANGUAGE.sub("", package).partition("-")[0]


def group_by_paragraphs(descriptions: "Iterable[Description]") -> dict[str, str]:
    """By stem its group: the first stem, in order, of those that share longer paragraphs."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]
        return name

    owners: dict[str, str] = {}
    for description in descriptions:
        own = stem(description.package)
        top(own)
        for paragraph in description.paragraphs:
            if len(paragraph.split()) >= _SHARED:
                one, other = top(own), top(owners.setdefault(fold(paragraph), own))
                above[max(one, other)] = min(one, other)
    return {name: top(name) for name in list(above)}


def _unfit(description: "Description") -> str:
    """Why a description is left out, or nothing."""
    if _PART.search(description.package):
        return "library or part of a package"
    if any(map(_EMPTY_PACKAGE.search, (description.synopsis, *description.paragraphs))):
        return "transitional or metapackage"
    if sum(len(paragraph.split()) for paragraph in description.paragraphs) < _SHORTEST:
        return f"fewer than {_SHORTEST} words"
    return ""
