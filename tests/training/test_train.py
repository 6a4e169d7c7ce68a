"""Training a tiny recipe from beginning to end, in this process."""

import json
import os
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from training.tiny import Lab

from maas.errors import ConflictError, FieldError, RefusedError
from maas_lab.baseline import MAJORITY, measure_baselines
from maas_lab.checkpoint import load_best
from maas_lab.data.dataset import load_texts
from maas_lab.files import lock_folder
from maas_lab.finishing import run_tokenizer
from maas_lab.metrics import read_metrics
from maas_lab.records import Scores
from maas_lab.runs import Run, TextRow, list_runs
from maas_lab.tasks import open_task

pytestmark = pytest.mark.training


def weights(run: Run) -> bytes:
    return run.best_file.read_bytes()


def test_a_run_keeps_all_that_it_promises(lab: Lab) -> None:
    recipe = lab.recipe()
    run = lab.train(recipe)

    assert run.finished
    assert run.recipe().training == recipe.training
    assert run.environment().device == "cpu"
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "checkpoints",
        "data.json",
        "environment.json",
        "metrics.jsonl",
        "plots",
        "recipe.json",
        "summary.json",
        "test.jsonl",
        "tokenizer.json",
    ]
    assert len(list(run.checkpoints.iterdir())) == 3
    assert len(list(run.plots.glob("*.png"))) == 5
    _, epochs = read_metrics(run.metrics_file)
    assert [line.epoch for line in epochs] == list(range(1, run.summary().epochs + 1))


def test_a_tiny_network_learns_what_one_word_decides(lab: Lab) -> None:
    run = lab.train(lab.recipe(max_epochs=20, patience=20))
    summary = run.summary()

    assert summary.reached >= 0.9
    assert summary.target_met
    assert summary.baselines[MAJORITY] < 0.6
    assert 1 <= summary.best_epoch <= summary.epochs <= 20


def test_the_figures_are_those_of_the_weights_that_are_kept(lab: Lab) -> None:
    # Given a finished run, and its data and network as others find them
    recipe = lab.recipe()
    run = lab.train(recipe)
    task = open_task(recipe, cache=lab.folder)
    dataset = task.dataset
    tokenizer = run_tokenizer(run, task)
    network = load_best(run)

    # When the test rows are put to the network again
    scores = task.measure(network, dataset.test, tokenizer, device="cpu")

    # Then everything that the run says about them is found again
    summary = run.summary()
    assert scores == summary.test
    assert measure_baselines(dataset.train, dataset.test) == summary.baselines
    assert run.test_rows() == [TextRow(sample.text, sample.label) for sample in dataset.test]
    assert summary.parameters == sum(weight.numel() for weight in network.parameters())
    assert not network.training
    _, epochs = read_metrics(run.metrics_file)
    assert isinstance(summary.validation, Scores)
    assert min(line.validation_loss for line in epochs) == summary.validation.loss


def test_the_vocabulary_holds_no_word_of_the_other_splits(lab: Lab) -> None:
    # Given rows of which each has a word of its own, n0, n1, …, and room for all of them
    path = lab.recipe_file
    path.write_text(path.read_text().replace("size = 60", "size = 1000"))
    recipe = lab.recipe()
    dataset = load_texts(recipe.data, cache=lab.folder)

    run = lab.train(recipe)

    words = json.loads(run.tokenizer_file.read_text())["model"]["vocab"]
    own = {
        name: {row.text.split()[-1] for row in getattr(dataset, name)}
        for name in ("train", "validation", "test")
    }
    assert own["train"] <= words.keys()
    assert not (own["validation"] | own["test"]) & words.keys()


def test_the_same_recipe_gives_the_same_network_and_another_seed_another(lab: Lab) -> None:
    first = lab.train(home="one")
    second = lab.train(home="two")
    other = lab.train(lab.recipe(seed=4), home="one")

    assert weights(first) == weights(second)
    assert weights(first) != weights(other)
    assert first.test_file.read_bytes() == other.test_file.read_bytes()
    assert first.data_card() == other.data_card()


def test_how_often_checkpoints_are_written_changes_nothing(lab: Lab) -> None:
    often = lab.train(lab.recipe(checkpoint_steps=1), home="one")
    never = lab.train(lab.recipe(checkpoint_steps=1000), home="two")

    assert weights(often) == weights(never)


def test_training_stops_when_the_validation_loss_no_longer_falls(lab: Lab) -> None:
    run = lab.train(lab.recipe(learning_rate=0.3, max_epochs=50, patience=2))
    summary = run.summary()

    assert summary.epochs == summary.best_epoch + 2 < 50


def times(run: Run) -> dict[Path, int]:
    paths = set(run.folder.rglob("*")) - {run.summary_file}
    return {path: path.stat().st_mtime_ns for path in paths}


def test_a_finished_run_is_not_trained_again(lab: Lab) -> None:
    told = StringIO()
    run = lab.train()
    before, summary = times(run), run.summary()

    again = lab.train(console=Console(file=told))

    assert again == run
    assert "finished already: nothing to do" in told.getvalue()
    assert times(run) == before
    assert run.summary() == summary


def test_a_finished_run_that_is_asked_for_is_the_newest(lab: Lab) -> None:
    # Given a run, and another that is newer
    first = lab.train()
    second = lab.train(lab.recipe(seed=4))
    os.utime(first.summary_file, (1, 1))
    os.utime(second.summary_file, (2, 2))
    assert list_runs(lab.folder / "home") == [first, second]

    # When the first is asked for again
    lab.train()

    # Then whoever takes the newest takes that one
    assert list_runs(lab.folder / "home") == [second, first]


def test_the_figures_are_shown_at_the_end_of_every_training(lab: Lab) -> None:
    for state in ("is finished: ", "is finished already"):
        told = StringIO()
        summary = lab.train(console=Console(file=told)).summary()

        end = told.getvalue().partition(state)[2]
        assert end.count("test accuracy") == 1
        for figure in (summary.reached, summary.target, *summary.baselines.values()):
            assert f"{figure:.4f}" in end


def test_restart_throws_everything_away_and_trains_again(lab: Lab) -> None:
    run = lab.train()
    before = weights(run)
    (run.folder / "stray").write_text("")
    run.best_file.write_bytes(b"")

    lab.train(restart=True)

    assert weights(run) == before
    assert not (run.folder / "stray").exists()
    assert [path.name for path in (lab.folder / "home" / "runs").iterdir() if path.is_dir()] == [
        run.name
    ]


def test_an_unfinished_run_is_neither_resumed_nor_restarted_unasked(lab: Lab) -> None:
    run = lab.train()
    run.summary_file.unlink()

    with pytest.raises(RefusedError, match=r"--resume.*--restart") as caught:
        lab.train()

    assert caught.value.exit_code == 3


def test_what_a_killed_process_left_half_written_is_cleared_away(lab: Lab) -> None:
    run = lab.train()
    run.summary_file.unlink()
    leftover = run.checkpoints / ".step-000000024.safetensors.1.part"
    leftover.write_bytes(b"half")

    lab.train(resume=True)

    assert not leftover.exists()


def test_only_one_process_trains_a_run(lab: Lab) -> None:
    run = lab.train()

    with lock_folder(run.folder), pytest.raises(ConflictError, match=run.name) as caught:
        lab.train(restart=True)

    assert caught.value.exit_code == 4


def test_rows_that_cannot_be_used_are_in_the_card_and_on_the_console(lab: Lab) -> None:
    told = StringIO()
    with lab.rows_file.open("a") as file:
        file.write("a,b,c\n,good\n")

    run = lab.train(console=Console(file=told))

    assert [row.line for row in run.data_card().unusable] == [47, 48]
    assert "not used: 1 wrong number of fields (line 47)" in told.getvalue()


def test_hopeless_data_leaves_no_trace(lab: Lab) -> None:
    lab.rows_file.write_text("text,label\nfine,good\n")

    with pytest.raises(FieldError):
        lab.train()

    assert list_runs(lab.folder / "home") == []
    assert not (lab.folder / "home").exists()


def test_a_loss_that_is_no_number_stops_the_training(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a loss that has gone astray, as that of a network with infinite weights
    monkeypatch.setattr(
        "torch.nn.functional.cross_entropy", lambda logits, *_, **__: logits[:, 0] * float("nan")
    )

    with pytest.raises(RefusedError, match=r"step 1 is nan; lower training\.learning_rate"):
        lab.train()


def test_bars_are_drawn_on_a_terminal_alone(lab: Lab) -> None:
    terminal, pipe = StringIO(), StringIO()
    lab.train(home="one", console=Console(file=terminal, force_terminal=True, width=100))
    lab.train(home="two", console=Console(file=pipe))

    assert "\x1b[" in terminal.getvalue()
    assert "train loss" in terminal.getvalue()
    assert "\x1b[" not in pipe.getvalue()
    assert pipe.getvalue().count("validation loss") == 3


def test_the_path_of_the_rows_is_kept_out_of_the_records(lab: Lab) -> None:
    run = lab.train()

    for path in (run.recipe_file, run.data_file, run.environment_file, run.summary_file):
        assert str(lab.folder) not in Path(path).read_text()
