"""Training: one loop, one straight read; on a CPU, a GPU, or many of them by torchrun.

Imports torch, numpy, accelerate, rich and the other modules of the lab. A run can be stopped or
killed at any moment and gives the same network when it is resumed, bit for bit on the same machine:

    recipe = load_recipe(Path("scripts/recipes/sentiment-lstm.toml"))
    run = train(recipe, home=settings.home, cache=settings.cache)
    run.summary().reached

With several processes each computes a share of every batch, so that the updates are those of one
process, but for rounding. The first one alone writes.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from maas_lab.batches import batch_order
from maas_lab.beginning import begin_run
from maas_lab.checkpoint import load_checkpoint, save_best, save_checkpoint
from maas_lab.data.dataset import report
from maas_lab.display import Display
from maas_lab.environment import limit_threads
from maas_lab.estimate import estimate_steps
from maas_lab.files import lock_folder
from maas_lab.finishing import finish_run, run_tokenizer
from maas_lab.interruption import StopRequest, stop_on_signals
from maas_lab.learner import Learner, seed_torch
from maas_lab.metrics import EpochMetrics, MetricsLog, StepMetrics
from maas_lab.processes import Processes
from maas_lab.runs import Run, run_folder
from maas_lab.speed import measure_speed
from maas_lab.tasks import open_task

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from maas_lab.checkpoint import Progress
    from maas_lab.recipe import AnyRecipe
    from maas_lab.tasks.task import Indices, Task

_REPORT_STEPS = 50
_FIRST_WEIGHTS = 0  # what a random state is for


def train(
    recipe: "AnyRecipe",
    *,
    home: "Path",
    cache: "Path",
    resume: bool = False,
    restart: bool = False,
    console: "Console | None" = None,
    device: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    saved: Callable[[Run], None] = lambda _: None,
) -> Run:
    """Train a recipe to the end, or find that this was done before; show the figures.

    Either way the run is the newest one afterwards.

    Args:
        recipe: What to compute.
        home: The folder that holds `runs`.
        cache: The folder that keeps fetched data sets.
        resume: Go on where an unfinished run was left; a run that was never begun, begins.
        restart: Throw away what there is of this run, and begin again.
        console: Where progress is shown; by default the standard output.
        device: `cpu` or `cuda`; by default a GPU where there is one.
        clock: Seconds, for the time spent.
        saved: Told of the run whenever something was saved that a later process can go on with,
            and at the end.

    Returns:
        The finished run.

    Raises:
        FieldError: The data is not acceptable.
        RefusedError: The run is unfinished and neither `resume` nor `restart` is given; the loss
            is no longer a number; or there is no such device.
        ConflictError: Another process is training this run.
        TryAgainError: A signal came, and everything is saved; the data cannot be fetched now; or
            the GPU's memory is too small for half a batch.
    """
    processes = Processes(device)
    display = Display(console, quiet=not processes.first)
    with processes.first_goes_ahead():  # so that a data set is fetched once
        task = open_task(recipe, cache=cache, say=display.say)
    display.lines(report(task.dataset.card))
    run = run_folder(home, task.recipe, task.dataset.card.digest)
    with processes.alone(lambda: lock_folder(run.folder)), limit_threads(recipe.training.threads):
        if run.finished and not restart:
            if processes.first:
                run.summary_file.touch()  # the newest run is the one that was asked for last
            display.say(f"Run {run.name} is finished already: nothing to do.")
        else:
            if processes.first:
                begin_run(run, task, device=processes.device, resume=resume, restart=restart)
            processes.wait()
            display.say(f"Training {run.name} on {processes.described()}")
            progress = _fit(
                run, task, processes, cache=cache, display=display, clock=clock, saved=saved
            )
            if processes.first:
                finish_run(
                    run,
                    task,
                    progress,
                    device=processes.device,
                    speed=measure_speed(task, run_tokenizer(run, task), processes.device),
                )
                display.say(f"Run {run.name} is finished: {run.folder}")
                saved(run)
        if processes.first:
            display.figures(run.summary())
    processes.end()
    return run


def _fit(
    run: Run,
    task: "Task",
    processes: Processes,
    *,
    cache: "Path",
    display: Display,
    clock: Callable[[], float],
    saved: Callable[[Run], None],
) -> "Progress":
    """Learn until the validation loss no longer falls. The best weights are left in the run."""
    recipe, plan = task.recipe, task.recipe.training

    # The rows as the network reads them, and first weights that follow from the seed.
    tokenizer = run_tokenizer(run, task, cache)
    rows = task.rows(task.dataset.train, tokenizer)
    validation = task.rows(task.dataset.validation, tokenizer)
    seed_torch(recipe.seed, _FIRST_WEIGHTS, 0)
    learner = Learner(task, task.network(tokenizer), processes)

    def batches(epoch: int) -> "list[Indices]":
        return batch_order(
            rows.lengths,
            batch_size=plan.batch_size,
            batch_tokens=plan.batch_tokens,
            seed=recipe.seed,
            epoch=epoch,
        )

    updates = len(batches(0)) * plan.max_epochs

    # Where the last process was stopped or killed, if there was one.
    progress = load_checkpoint(run, learner, display.say)
    started = clock() - progress.seconds
    if progress.step:
        display.say(f"Resuming after step {progress.step}, in epoch {progress.epoch + 1}")
    if not task.trains:
        save_best(run, learner)
        return progress
    display.estimate(
        estimate_steps(learner, rows, batches(0)), updates=updates - progress.step, plan=plan
    )

    def save(stop: StopRequest) -> None:
        if processes.first:
            save_checkpoint(run, learner, progress)
            saved(run)
        stop.obey()

    course = MetricsLog(run, step=progress.step, epoch=progress.epoch, writes=processes.first)
    with course as metrics, stop_on_signals() as stop:
        while progress.epoch < plan.max_epochs and progress.waited < plan.patience:
            order = batches(progress.epoch)
            with display.epoch(progress, steps=len(order)) as advance:
                for indices in order[progress.batch :]:
                    loss = learner.learn(rows, indices, step=progress.step, updates=updates)
                    progress.end_step(loss, seconds=clock() - started)
                    advance(progress.mean_loss)
                    _report(progress, metrics)
                    stop.requested = processes.any(stop.requested)
                    if stop.requested or progress.step % plan.checkpoint_steps == 0:
                        save(stop)

            found = task.validate(learner.kept, validation, device=processes.device)
            train_loss = progress.mean_loss
            if progress.end_epoch(found.loss) and processes.first:
                save_best(run, learner)
            ended = EpochMetrics(
                step=progress.step,
                epoch=progress.epoch,
                train_loss=train_loss,
                validation_loss=found.loss,
                validation_accuracy=found.accuracy,
                seconds=progress.seconds,
            )
            metrics.append(ended)
            display.epoch_ended(ended)
            stop.requested = processes.any(stop.requested)
            save(stop)
    return progress


def _report(progress: "Progress", metrics: MetricsLog) -> None:
    """Every few steps the mean loss of the last ones."""
    if progress.step % _REPORT_STEPS == 0:
        recent = progress.recent_sum / _REPORT_STEPS
        metrics.append(StepMetrics(step=progress.step, train_loss=recent))
        progress.recent_sum = 0.0
