"""Cards: what they say of a model's figures, and how sure of them they are."""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from maas_lab.card import wilson_interval, write_card
from maas_lab.export_record import Quantisation
from maas_lab.recipes.recipe import load_recipe
from maas_lab.records import (
    DataCard,
    Duplicates,
    LabelScores,
    Scores,
    Summary,
    WritingScores,
    Written,
    encode_record,
)
from maas_lab.runs import Run, run_folder

if TYPE_CHECKING:
    from maas.bundle.verify import Bundle
    from maas_lab.export_record import ExportRecord

RECIPE_FILE = Path(__file__).parents[3] / "scripts" / "recipes" / "sentiment-lstm.toml"
SCORES = Scores(
    rows=12,
    accuracy=1.0,
    loss=0.1,
    calibration_error=0.02,
    labels={"good": LabelScores(precision=1.0, recall=1.0, f1=1.0, rows=12)},
    confusion=[[12]],
    reliability=[],
)
SUMMARY = Summary(
    metric="accuracy",
    test=SCORES,
    validation=SCORES,
    baselines={"majority": 0.5, "a linear one": 0.75},
    target=0.76,
    target_met=True,
    best_epoch=1,
    epochs=1,
    steps=1,
    parameters=1,
    vocabulary=3,
    seconds=1.0,
)
DATA = DataCard(
    source="mine.csv",
    title="Rows of mine.csv",
    licence="The owner of the file knows.",
    citation="",
    digest="sha256:aa",
    labels=["bad", "good"],
    rows=12,
    counts={"test": {"bad": 0, "good": 12}},
    duplicates=Duplicates(repeated=[], conflicting=[]),
    files={},
    redistribution="",
    reasons={},
    unusable=[],
)
EXPORT = SimpleNamespace(
    opset=20,
    parity=SimpleNamespace(
        rows=12, joined_rows=0, edge_rows=5, max_difference=1e-6, tolerance=1e-4, ties=0
    ),
    quantisation=Quantisation(
        metric="accuracy",
        metric_before=91.5,
        metric_after=91.25,
        bytes_before=4_000_000,
        bytes_after=1_100_000,
        milliseconds_before=2.0,
        milliseconds_after=0.5,
        accepted=True,
        reason="Kept: it loses 0.2 points.",
    ),
)
BUNDLE = SimpleNamespace(
    digest="sha256:bb",
    manifest=SimpleNamespace(
        forms=(),
        labels=("bad", "good"),
        image=None,
        limits=SimpleNamespace(max_tokens=256, max_new_tokens=0),
    ),
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    recipe = load_recipe(RECIPE_FILE, data=tmp_path / "mine.csv", labels=["bad", "good"])
    run = run_folder(tmp_path, recipe, DATA.digest)
    run.folder.mkdir(parents=True)
    run.recipe_file.write_bytes(recipe.encode())
    run.data_file.write_bytes(encode_record(DATA))
    return run


def card(run: Run, *, accuracy: float, rows: int, linear: float) -> str:
    test = msgspec.structs.replace(SCORES, accuracy=accuracy, rows=rows)
    baselines = {"majority": 0.3, "a linear one": linear}
    summary = msgspec.structs.replace(SUMMARY, test=test, baselines=baselines)
    run.summary_file.write_bytes(encode_record(summary))
    write_card(run.folder, run, cast("ExportRecord", EXPORT), cast("Bundle", BUNDLE))
    return (run.folder / "card.md").read_text()


def test_the_interval_is_that_of_the_books() -> None:
    # Known values: 8 of 10 and, by symmetry, 2 of 10; none and all of 12
    assert wilson_interval(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0.2, 10) == pytest.approx((0.0567, 0.5098), abs=1e-4)
    assert wilson_interval(1.0, 12) == pytest.approx((0.7575, 1.0), abs=1e-4)
    assert wilson_interval(0.0, 12) == pytest.approx((0.0, 0.2425), abs=1e-4)


def test_twelve_of_twelve_is_no_certainty(run: Run) -> None:
    text = card(run, accuracy=1.0, rows=12, linear=0.75)

    assert "With 12 test rows the accuracy is known to lie between 0.757 and 1.000" in text
    assert "25.0 points above a linear one. " in text
    assert "±" not in text


@pytest.mark.parametrize(
    ("linear", "told"),
    [
        (
            0.80,
            "That is 0.0 points above a linear one, which is within the margin of error.",
        ),
        (0.4902, "31.0 points above a linear one, which is within the margin of error."),
        (0.4900, "31.0 points above a linear one. "),
        (0.90, "a linear one is 10.0 points better"),
    ],
)
def test_the_linear_baseline_is_judged_by_the_interval(run: Run, linear: float, told: str) -> None:
    assert told in card(run, accuracy=0.8, rows=10, linear=linear)


def test_the_edge_of_the_interval_is_within_it(run: Run) -> None:
    low, _ = wilson_interval(0.8, 10)

    assert "within the margin" in card(run, accuracy=0.8, rows=10, linear=low)


def test_no_sentence_ends_twice(run: Run) -> None:
    text = card(run, accuracy=0.8, rows=10, linear=0.7)

    assert "Licence: The owner of the file knows.\n" in text
    assert ".." not in text


def test_what_8_bits_cost_and_bring_is_in_the_card(run: Run) -> None:
    text = card(run, accuracy=0.8, rows=10, linear=0.7)

    assert "| accuracy | 91.5 | 91.25 |\n| size, MB | 4.0 | 1.1 |" in text
    assert "| one request, ms | 2.00 | 0.50 |\n\nKept: it loses 0.2 points." in text


def test_a_card_of_what_writes_shows_what_it_wrote(run: Run) -> None:
    # Given a model that writes, and an answer that would break a table
    example = Written(source="open | file", answer="打开", reference="打开文件")
    scores = WritingScores(
        rows=1, loss=2.0, figures={"bleu": 31.26}, beams=4, settings="made up", examples=[example]
    )
    summary = msgspec.structs.replace(
        SUMMARY,
        metric="bleu",
        test=scores,
        validation=scores,
        baselines={"translation memory": 24.0, "copy": 5.0},
        target=35.0,
        target_met=False,
    )
    run.summary_file.write_bytes(encode_record(summary))

    # When its card is written
    write_card(run.folder, run, cast("ExportRecord", EXPORT), cast("Bundle", BUNDLE))

    # Then it says how good it is, beside what needs no network, and shows the answer
    text = (run.folder / "card.md").read_text()
    assert "| this model | 31.3 |\n| copy | 5.0 |\n| translation memory | 24.0 |" in text
    assert "That is 7.3 points above translation memory." in text
    assert "target of 35.0 is **not met**" in text
    assert "1 rows, 4 beams: bleu 31.3 (made up)" in text
    assert "| open \\| file | 打开 | 打开文件 |" in text
