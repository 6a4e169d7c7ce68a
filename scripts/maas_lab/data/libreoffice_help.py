"""English to Chinese: the help and the messages of LibreOffice, and descriptions of packages.

Imports the standard library, `maas.errors` and the modules of this room below it. Everything comes
from the Debian archive:

    reading, files = read_libreoffice_help(settings.cache)
    splits, _ = split_pairs(reading, recipe, RULE)

The help has the same pages and the same ids of paragraphs in both languages, so that paragraphs
pair exactly. Only the help is measured with: pairs of 5 to 40 English words of pages that training
has not seen, and no source that is in training. Messages and descriptions are trained on only.

It is one domain, office software, and a model of it is no translator of anything else.
"""

import html
import re
from typing import TYPE_CHECKING

from maas.errors import RefusedError
from maas_lab.data.about import About
from maas_lab.data.debian import obtain_debian, read_package
from maas_lab.data.descriptions import decompress, parse_descriptions
from maas_lab.data.message_catalog import parse_catalog
from maas_lab.data.pair_splits import PairRule
from maas_lab.data.rows import PairReading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from maas_lab.data.rows import Pair

ABOUT = About(
    title=(
        "English to Chinese: LibreOffice's help and messages, and Debian's descriptions of "
        "packages; the test rows are help pages that training has not seen"
    ),
    licence=(
        "MPL-2.0 for the help and the messages; the descriptions are by the Debian Description "
        "Translation Project, under the terms of each package"
    ),
    citation="The Document Foundation: LibreOffice Help. The Debian Project: package descriptions.",
    redistribution=(
        "The help and the messages may be passed on under MPL-2.0; of the descriptions nobody "
        "states it. Fetched where they are needed."
    ),
    rows=39_382,
)
_HELP = {"en-US": "libreoffice-help-en-us", "zh-CN": "libreoffice-help-zh-cn"}
_MESSAGES = "libreoffice-l10n-zh-cn"
_PAGES = "usr/share/libreoffice/help/{language}/text/"
_PARAGRAPH = re.compile(r'<(p|h[1-6])[^>]*\bid="([a-z]+_id[^"]+)"[^>]*>(.*?)</\1>', re.DOTALL)
_OTHER_SYSTEM = re.compile(
    r'<span[^>]*\bclass="MAC"[^>]*>(?:[^<]|<span[^>]*>[^<]*</span>)*</span>'
)  # both `Preferences` of a Mac and `Options` of the others are in a page
_TAG = re.compile(r"<[^>]+>")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_MNEMONIC = re.compile(r"\(([_~])\w\)")
_SHORTEST, _LONGEST = 5, 40  # English words of a pair that is measured with
_FEWEST = 15_000  # pairs of the help; Debian's packages move, and fewer are another format


def _measures(pair: "Pair") -> bool:
    return _SHORTEST <= len(pair.source.split()) <= _LONGEST


RULE = PairRule(
    teaches=lambda pair: not pair.group,
    measures=_measures,
    unmeasured=f"held out, and not of {_SHORTEST} to {_LONGEST} words",
    novel=True,
)


def read_libreoffice_help(
    cache: "Path",
    *,
    fewest: int = _FEWEST,
    fetch: "Callable[[Sequence[str], Sequence[str], Path], None] | None" = None,
    say: "Callable[[str], None]" = lambda _: None,
) -> tuple[PairReading, dict[str, str]]:
    """Read the pairs, fetching what the cache does not hold.

    A pair's line is its number; its group is the page of the help, or nothing.

    Args:
        cache: The folder that keeps archives.
        fewest: Pairs of the help that there must be.
        fetch: Puts packages and descriptions into a folder.
        say: Tells the user about the download.

    Returns:
        The pairs, and name to sha256 of what was fetched.

    Raises:
        TryAgainError: Something is not in the cache and cannot be fetched.
        RefusedError: apt is missing, or the packages are not as they were.
    """
    packages = [*_HELP.values(), _MESSAGES]
    found = obtain_debian(packages, ["en", "zh_CN"], cache=cache, fetch=fetch, say=say)
    pages = {language: _pages(found[name].content, language) for language, name in _HELP.items()}
    reading = PairReading()
    for page, source, target in _help_pairs(pages["en-US"], pages["zh-CN"]):
        _add(reading, source, target, page)
    if len(reading.pairs) < fewest:
        raise RefusedError(
            f"The help of LibreOffice gives {len(reading.pairs)} pairs where at least {fewest} "
            "were expected; its format has changed."
        )
    for source, target in _message_pairs(found[_MESSAGES].content):
        _add(reading, source, target, "")
    for source, target in _description_pairs(found["en"].content, found["zh_CN"].content):
        _add(reading, source, target, "")
    files = {file.name: file.sha256 for file in found.values()}
    return reading, files


def _add(reading: PairReading, source: str, target: str, page: str) -> None:
    if source == target or not _CHINESE.search(target):
        reading.leave_out("not translated")
    else:
        reading.add(reading.rows + 1, source, target, page)


def _pages(content: bytes, language: str) -> dict[str, dict[str, str]]:
    """By page, the text of each paragraph by its id."""
    folder = _PAGES.format(language=language)
    members = read_package(content, lambda name: name.startswith(folder) and name[-5:] == ".html")
    return {
        name.removeprefix(folder): {
            key: _plain(text)
            for _, key, text in _PARAGRAPH.findall(member.decode("utf-8", "surrogateescape"))
        }
        for name, member in members.items()
    }


def _plain(text: str) -> str:
    if 'class="MAC"' in text:
        text = _OTHER_SYSTEM.sub("", text)
    return " ".join(html.unescape(_TAG.sub("", text)).split())


def _help_pairs(
    english: dict[str, dict[str, str]], chinese: dict[str, dict[str, str]]
) -> "Iterator[tuple[str, str, str]]":
    for page in sorted(english.keys() & chinese.keys()):
        other = chinese[page]
        for key, text in english[page].items():
            if text and key in other:
                yield page, text, other[key]


def _message_pairs(content: bytes) -> "Iterator[tuple[str, str]]":
    """Messages of the program, without the letters that a key stands for: `_Open`, `打开(_O)`."""
    members = read_package(content, lambda name: name.endswith(".mo"))
    for name in sorted(members):
        for message, translation in parse_catalog(members[name]):
            source, target = message, translation
            marked = _MNEMONIC.search(translation)
            if marked:
                source = message.replace(marked[1], "", 1)
                target = _MNEMONIC.sub("", translation)
            yield " ".join(source.split()), " ".join(target.split())


def _description_pairs(english: bytes, chinese: bytes) -> "Iterator[tuple[str, str]]":
    translations = parse_descriptions(decompress(chinese))
    originals = parse_descriptions(decompress(english), wanted=translations)
    for checksum, translated in translations.items():
        original = originals.get(checksum)
        if original is not None:
            yield original.synopsis, translated.synopsis
            if len(original.paragraphs) == len(translated.paragraphs):
                yield from zip(original.paragraphs, translated.paragraphs, strict=True)
