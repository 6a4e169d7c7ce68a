"""Runs beside each other: which figures may be compared, and what is shown of them."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from support.recipes import GOOD, PAIRS, written

from maas.errors import RefusedError
from maas_lab.compare_plots import draw_comparison
from maas_lab.comparing import compare_runs
from maas_lab.metrics import EpochMetrics
from maas_lab.output import Output
from maas_lab.recipes.recipe import load_recipe
from maas_lab.records import (
    AnyScores,
    DataCard,
    Duplicates,
    LabelScores,
    Scores,
    Summary,
    WritingScores,
    encode_record,
)
from maas_lab.runs import Run, TextRow, run_folder
from maas_lab.views.comparing import compare_view

DATA = DataCard(
    source="mine.csv",
    title="Rows of mine.csv",
    licence="The owner of the file knows.",
    citation="",
    digest="sha256:aaaaaaaaaaaaaaaa",
    labels=["bad", "good"],
    rows=12,
    counts={},
    duplicates=Duplicates(repeated=[], conflicting=[]),
    reasons={},
    unusable=[],
)
ROWS = [TextRow("a fine film", "good"), TextRow("a dull film", "bad")]
Make = Callable[..., Run]


def classified(**f1: float) -> Scores:
    labels = {
        label: LabelScores(precision=0.5, recall=0.5, f1=value, rows=6)
        for label, value in f1.items()
    }
    return Scores(
        rows=12,
        accuracy=sum(f1.values()) / len(f1),
        loss=0.5,
        calibration_error=0.1,
        labels=labels,
        confusion=[],
        reliability=[],
    )


def wrote(bleu: float) -> WritingScores:
    return WritingScores(
        rows=12, loss=1.0, figures={"bleu": bleu}, beams=1, settings="none", examples=[]
    )


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Finished runs, as far as a comparison looks at them."""

    def made(
        seed: int,
        scores: AnyScores,
        *,
        data: str = DATA.digest,
        rows: list[TextRow] = ROWS,
        epochs: int = 3,
    ) -> Run:
        classifier = isinstance(scores, Scores)
        recipe = load_recipe(written(tmp_path, GOOD if classifier else PAIRS), seed=seed)
        run = run_folder(tmp_path, recipe, data)
        run.folder.mkdir(parents=True)
        run.recipe_file.write_bytes(recipe.encode())
        run.data_file.write_bytes(encode_record(msgspec.structs.replace(DATA, digest=data)))
        run.test_file.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        course = [
            EpochMetrics(
                step=10 * epoch,
                epoch=epoch,
                train_loss=1 / epoch,
                validation_loss=1.1 / epoch,
                validation_accuracy=0.8,
                seconds=float(epoch),
            )
            for epoch in range(1, epochs + 1)
        ]
        run.metrics_file.write_bytes(b"".join(msgspec.json.encode(e) + b"\n" for e in course))
        summary = Summary(
            metric="accuracy" if classifier else "bleu",
            test=scores,
            validation=scores,
            baselines={"majority": 0.5, "a linear one": 0.75} if classifier else {},
            target=0.76,
            target_met=True,
            best_epoch=epochs,
            epochs=epochs,
            steps=10 * epochs,
            parameters=1234567,
            vocabulary=100,
            seconds=12.4,
        )
        run.summary_file.write_bytes(encode_record(summary))
        return run

    return made


def test_figures_stand_beside_each_other_and_the_largest_difference_comes_first(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given three runs; the second does worse on the bad ones alone
    runs = [
        make(1, classified(bad=0.9, good=0.8)),
        make(2, classified(bad=0.6, good=0.81), epochs=5),
        make(3, classified(bad=0.88, good=0.82)),
    ]

    # When they are compared
    compared = compare_runs(runs)

    # Then the label on which they differ comes first
    assert [label.label for label in compared.labels] == ["bad", "good"]
    assert compared.labels[0].f1 == (0.9, 0.6, 0.88)
    assert compared.labels[0].spread == pytest.approx(0.3)
    assert compared.same_data

    # And all figures are shown
    view = compare_view(compared, Path("there.png"))
    Output(as_json=False).show(view)
    shown = capsys.readouterr().out
    for run, figure in zip(runs, ("0.8500", "0.7050", "0.8500"), strict=True):
        (line,) = [line for line in shown.splitlines() if line.startswith(run.name)]
        for word in (figure, "0.76 met", "majority 0.5000", "bilstm", "1,234,567", "12", "aaaa"):
            assert word in line
    assert "note" not in shown
    machine = json.loads(json.dumps(view.data))
    assert machine["f1"] == {"bad": [0.9, 0.6, 0.88], "good": [0.8, 0.81, 0.82]}
    assert [run["epochs"] for run in machine["runs"]] == [3, 5, 3]
    assert machine["plot"] == "there.png"


def test_other_test_rows_are_refused(make: Make) -> None:
    first, other = make(1, classified(a=1.0)), make(2, classified(a=1.0), rows=ROWS[:1])

    with pytest.raises(RefusedError, match="different test rows") as caught:
        compare_runs([first, other])

    assert caught.value.exit_code == 3
    assert first.name in str(caught.value)


def test_the_order_of_the_test_rows_does_not_matter(make: Make) -> None:
    runs = [make(1, classified(a=1.0)), make(2, classified(a=1.0), rows=ROWS[::-1])]

    assert len({run.test for run in compare_runs(runs).runs}) == 1


def test_other_training_rows_are_marked(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    compared = compare_runs(
        [make(1, classified(a=1.0)), make(2, classified(a=1.0), data="sha256:b")]
    )

    Output(as_json=False).show(compare_view(compared, Path("there.png")))

    assert not compared.same_data
    assert "note: the test rows are the same, what the runs learned from is not" in (
        capsys.readouterr().out
    )


def test_other_metrics_and_unfinished_runs_are_refused(make: Make) -> None:
    classifier, translator = make(1, classified(a=1.0)), make(2, wrote(20.0))
    with pytest.raises(RefusedError, match=r"accuracy.*bleu"):
        compare_runs([classifier, translator])

    translator.summary_file.unlink()
    with pytest.raises(RefusedError, match="not finished"):
        compare_runs([translator])


def test_translators_and_classifiers_of_other_labels_have_no_table_of_labels(make: Make) -> None:
    writers = [make(1, wrote(20.0)), make(2, wrote(30.0))]
    others = [make(3, classified(a=1.0)), make(4, classified(b=1.0))]

    for runs in (writers, others):
        assert compare_runs(runs).labels == ()


def test_the_plot_follows_from_the_figures(make: Make) -> None:
    # Given more runs than there are colours, one of which trained nothing
    runs = [make(seed, classified(a=0.7), epochs=seed % 4) for seed in range(9)]

    first, again = (draw_comparison(compare_runs(runs)) for _ in range(2))

    assert first.startswith(b"\x89PNG")
    assert first == again
    assert first != draw_comparison(compare_runs(runs[:2]))


def test_the_file_of_a_plot_is_that_of_its_runs(make: Make) -> None:
    runs = [make(1, classified(a=1.0)), make(2, classified(a=1.0))]

    assert compare_runs(runs).file_name == compare_runs(runs[::-1]).file_name
    assert compare_runs(runs).file_name != compare_runs(runs[:1]).file_name
