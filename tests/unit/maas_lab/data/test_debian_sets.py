"""The sets that Debian's packages hold, read out of small ones of the same form."""

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.archives import catalog_of, package_of

from maas.errors import RefusedError
from maas_lab.data.dataset import load_pairs
from maas_lab.data.debian_synopses import group_by_paragraphs, read_debian_synopses, stem
from maas_lab.data.descriptions import Description, decompress, parse_descriptions
from maas_lab.data.known_sets import PAIR_SETS
from maas_lab.data.libreoffice_help import RULE, read_libreoffice_help
from maas_lab.data.message_catalog import parse_catalog
from maas_lab.data.pair_splits import split_pairs
from maas_lab.data.rows import PairReading
from maas_lab.recipes.data import PairData

HELP = "usr/share/libreoffice/help/{}/text/shared/{}.html"
MESSAGES = "usr/lib/libreoffice/program/resource/zh_CN/LC_MESSAGES/a.mo"
ENGLISH = """Package: chess
Description-md5: aaa
Description-en: a game
 One plays it with
 two people.
 .
 It has a board.

Package: go
Description-md5: bbb
Description-en: another game
 Stones.
"""
CHINESE = """Package: chess
Description-md5: aaa
Description-zh_CN: 一种游戏
 由两个人
 来玩 chess
 的游戏。
 .
 有一个棋盘。

Package: unknown
Description-md5: ccc
Description-zh_CN: 没有原文
"""


def page(*paragraphs: str) -> bytes:
    lines = [f'<p id="par_id{n}" class="x">{text}</p>' for n, text in enumerate(paragraphs)]
    return ("<html><body>" + "\n".join(lines) + "</body></html>").encode()


class Archive:
    """A small Debian archive."""

    def __init__(self, pages: dict[str, tuple[bytes, bytes]]) -> None:
        english = {HELP.format("en-US", name): both[0] for name, both in pages.items()}
        chinese = {HELP.format("zh-CN", name): both[1] for name, both in pages.items()}
        messages = {"": "header", "ctx\x04_Open  file": "打开文件(_O)", "Base _DN:": "基准 _DN:"}
        self.files = {
            "libreoffice-help-en-us_1_all.deb": package_of(english),
            "libreoffice-help-zh-cn_1_all.deb": package_of(chinese),
            "libreoffice-l10n-zh-cn_1_all.deb": package_of({MESSAGES: catalog_of(messages)}),
            "debian-descriptions-en.gz": gzip.compress(ENGLISH.encode()),
            "debian-descriptions-zh_CN.gz": gzip.compress(CHINESE.encode()),
        }

    def fetch(self, _packages: Sequence[str], _languages: Sequence[str], folder: Path) -> None:
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


MAC = (
    '<span class="switchinline"><span hidden="true" id="M" class="MAC">'
    '<span class="menuitem">Preferences</span></span><span id="d">'
    '<span class="menuitem">Tools</span></span></span>'
)


def test_help_messages_and_descriptions_become_pairs(tmp_path: Path) -> None:
    english = page(f"Choose {MAC} &amp; <b>go</b>\n on.", "The same", "LibreOffice", "Only here")
    chinese = page(f"选择 {MAC} 和 <b>go</b>。", "一样", "LibreOffice")
    archive = Archive({"one": (english, chinese)})

    reading, files = read_libreoffice_help(tmp_path, fewest=2, fetch=archive.fetch)

    assert [(pair.source, pair.target, pair.group) for pair in reading.pairs] == [
        ("Choose Tools & go on.", "选择 Tools 和 go。", "shared/one.html"),
        ("The same", "一样", "shared/one.html"),
        ("Open file", "打开文件", ""),
        ("Base _DN:", "基准 _DN:", ""),
        ("a game", "一种游戏", ""),
        ("One plays it with two people.", "由两个人来玩 chess 的游戏。", ""),
        ("It has a board.", "有一个棋盘。", ""),
    ]
    assert reading.reasons == {"not translated": 1}
    assert sorted(files) == sorted(archive.files)


def test_only_pages_that_training_has_not_seen_are_measured_with(tmp_path: Path) -> None:
    # Given a phrase that is on every page, and one page that says a message of the program
    pages = {}
    for number in range(20):
        text = f"This is the text of page number {number}"
        others = ("Open file", "打开 文件") if number == 3 else ("Short", "短")
        pages[f"page{number}"] = (
            page("Click on the button to go on", text, others[0]),
            page("点击按钮继续", f"第 {number} 页的文字", others[1]),
        )
    reading, _ = read_libreoffice_help(tmp_path, fewest=2, fetch=Archive(pages).fetch)

    splits, _ = split_pairs(reading, PairData(source="./x", test=0.2), RULE)

    held = splits["validation"] + splits["test"]
    assert [len(splits["validation"]), len(splits["test"])] == [2, 4]
    assert all(row.source.startswith("This is the text of page") for row in held)
    assert "Click on the button to go on" in {row.source for row in splits["train"]}
    assert "Open file" in {row.source for row in splits["train"]}
    assert not {row.group for row in held} & {row.group for row in splits["train"]}


def test_help_of_another_form_is_refused(tmp_path: Path) -> None:
    archive = Archive({"one": (page("a"), page("一"))})

    with pytest.raises(RefusedError, match="gives 1 pairs where at least 15000"):
        read_libreoffice_help(tmp_path, fetch=archive.fetch)


def stanza(package: str, synopsis: str, *paragraphs: str) -> str:
    body = "\n .\n ".join(paragraphs)
    checksum = package.replace("-", "0")
    return f"Package: {package}\nDescription-md5: {checksum}\nDescription-en: {synopsis}\n {body}\n"


def long(word: str, words: int = 25) -> str:
    return " ".join(f"{word}{number}" for number in range(words))


def test_synopses_that_people_wrote_are_kept_and_the_others_counted(tmp_path: Path) -> None:
    text = "\n".join(
        [
            stanza("chess", "a game", long("chess")),
            stanza("libchess1", "a library", long("lib")),
            stanza("chess-doc", "its documentation", long("doc")),
            stanza("old-chess", "transitional package", long("old")),
            stanza("draughts", "Another Game", "short"),
            stanza("go", "A  GAME", long("go")),
            stanza("python3-chess", "bindings", long("bind"), "2nd paragraph"),
            stanza("chess", "a game again", long("again")),  # a checksum that was there
        ]
    )

    def fetch(_packages: Sequence[str], _languages: Sequence[str], folder: Path) -> None:
        (folder / "debian-descriptions-en.gz").write_bytes(gzip.compress(text.encode()))

    reading, files = read_debian_synopses(tmp_path, fewest=2, fetch=fetch)

    assert [(pair.line, pair.target, pair.group) for pair in reading.pairs] == [
        (1, "a game", "chess"),
        (7, "bindings", "chess"),
    ]
    assert reading.pairs[1].source.endswith("bind24 2nd paragraph")
    assert reading.reasons == {
        "library or part of a package": 2,
        "transitional or metapackage": 1,
        "fewer than 20 words": 1,
        "synopsis of another package too": 1,
    }
    assert list(files) == ["debian-descriptions-en.gz"]
    with pytest.raises(RefusedError, match="give 2 pairs"):
        read_debian_synopses(tmp_path)


def test_stems_that_share_a_longer_paragraph_are_one_group() -> None:
    shared, other = long("shared"), long("other")
    descriptions = [
        Description("zebra-tool", "", (long("zebra"), shared)),
        Description("python3-apple", "", (shared.upper(), "A short one.")),
        Description("fonts-mango", "", (other,)),
        Description("apple-more", "", (other,)),
        Description("kiwi", "", (long("kiwi"), "A short one.")),
    ]

    assert group_by_paragraphs(descriptions) == {
        "zebra": "apple",
        "apple": "apple",
        "mango": "apple",
        "kiwi": "kiwi",
    }
    assert stem("r-cran-foo-bar") == stem("gir1.2-foo-1.0") == stem("foo") == "foo"
    assert stem("python") == "python"


def test_damaged_descriptions_are_told() -> None:
    whole = gzip.compress(ENGLISH.encode())

    assert decompress(whole) == ENGLISH
    with pytest.raises(RefusedError, match="damaged"):
        decompress(b"no gzip")
    with pytest.raises(RefusedError, match="cut or too large"):
        decompress(whole[:-9])


def test_stanzas_without_a_checksum_or_a_synopsis_are_none() -> None:
    text = "Package: a\nDescription-en: x\n\nPackage: b\nDescription-md5: b\n\n" + ENGLISH

    assert list(parse_descriptions(text)) == ["aaa", "bbb"]
    assert list(parse_descriptions(text, wanted={"bbb"})) == ["bbb"]


def test_catalogues_are_read_strictly() -> None:
    content = catalog_of({"": "header", "a\0plural": "b\0many", "ctx\x04c": "d"})

    assert list(parse_catalog(content)) == [("a", "b"), ("c", "d")]
    for damaged in (b"", content[:20], struct.pack("<7I", 1, 0, 1, 28, 36, 0, 0), content[:40]):
        with pytest.raises(RefusedError, match="catalogue"):
            list(parse_catalog(damaged))
    with pytest.raises(RefusedError, match="cut"):
        list(parse_catalog(content[:-10]))


@pytest.mark.parametrize("name", ["debian-synopses", "libreoffice-help-zh"])
def test_each_set_is_known_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def read(cache: Path, *, say: object) -> tuple[PairReading, dict[str, str]]:
        assert cache == tmp_path
        assert callable(say)
        reading = PairReading()
        for line in range(1, 41):
            reading.add(line, f"a text of some five words {line}", f"t {line}", f"page {line}")
        return reading, {"some.gz": "0" * 64}

    about, _, rule = PAIR_SETS[name]
    monkeypatch.setitem(PAIR_SETS, name, (about, read, rule))

    dataset = load_pairs(PairData(source=name), cache=tmp_path)

    assert dataset.card.source == name
    assert dataset.card.licence == about.licence
    assert dataset.card.redistribution == about.redistribution
    assert dataset.card.files == {"some.gz": "0" * 64}
    assert [len(dataset.train), len(dataset.test)] == [32, 4]
