"""What a run writes after training: scores, plots, and last of all the summary.

Imports torch and other modules of the lab. All of it can be done again after a kill, because it
starts from the best weights on the disk:

    finish_run(run, task, progress, device="cpu")
"""

from typing import TYPE_CHECKING

from maas_lab.checkpoint import restore_best
from maas_lab.files import write_file
from maas_lab.metrics import read_metrics
from maas_lab.plots import draw_plots
from maas_lab.records import Summary, encode_record
from maas_lab.row_tokenizer import RowTokenizer, open_row_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.checkpoint import Progress
    from maas_lab.records import Speed
    from maas_lab.runs import Run
    from maas_lab.tasks.task import Task


def run_tokenizer(run: "Run", task: "Task", cache: "Path | None" = None) -> RowTokenizer | None:
    """The tokenizer that the run keeps; None where the task reads no text."""
    vocabulary = getattr(task.recipe, "vocabulary", None)
    if vocabulary is None:
        return None
    return open_row_tokenizer(run.tokenizer_file, max_tokens=vocabulary.max_tokens, cache=cache)


def finish_run(
    run: "Run",
    task: "Task",
    progress: "Progress",
    *,
    device: str,
    speed: "Speed | None" = None,
) -> None:
    """Measure the best weights on the test rows, for the first and only time, and sum up.

    Args:
        run: The run, trained to the end; the caller holds its lock.
        task: Its rows and figures.
        progress: Where training ended.
        device: Where to compute.
        speed: What a GPU was good for.

    Raises:
        RefusedError: The best weights are absent or damaged.
    """
    tokenizer = run_tokenizer(run, task)
    network = task.network(tokenizer).to(device)
    restore_best(run, network)
    test = task.measure(network, task.dataset.test, tokenizer, device=device)
    target = target_of(task)
    summary = Summary(
        metric=task.metric,
        test=test,
        validation=task.measure(network, task.dataset.validation, tokenizer, device=device),
        baselines=task.baselines(),
        transfer=task.transfer(network, tokenizer, device=device),
        target=target,
        target_met=test.figure(task.metric) >= target,
        best_epoch=progress.best_epoch,
        epochs=progress.epoch,
        steps=progress.step,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        vocabulary=tokenizer.vocabulary_size if tokenizer else 0,
        seconds=progress.seconds,
        speed=speed,
    )
    for name, content in draw_plots(summary, *read_metrics(run.metrics_file)).items():
        write_file(run.plots / name, content)
    write_file(run.summary_file, encode_record(summary))


def target_of(task: "Task") -> float:
    """What the recipe asks for, in the unit of the task's metric."""
    return float(getattr(task.recipe.targets, f"test_{task.metric}"))
