"""Training: one loop, one straight read; on a CPU, a GPU, or many of them by torchrun.

Imports torch, numpy, accelerate, rich and the other modules of the lab. A run can be stopped or
killed at any moment and gives the same network when it is resumed; on a CPU with the same threads
and processes, bit for bit:

    recipe = load_recipe(Path("scripts/recipes/sentiment-lstm.toml"))
    run = train(recipe, home=settings.home, cache=settings.cache)
    run.summary().reached

With several processes each computes a share of every batch, so that the updates are those of one
process, but for rounding, for the masks of dropout and for batch norms, which see a share each. The
first one alone writes, and decides when to stop.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from maas.errors import TryAgainError
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
from maas_lab.tasks.task import Validation

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from maas_lab.checkpoint import Progress
    from maas_lab.recipes.recipe import AnyRecipe
    from maas_lab.tasks.task import Indices, Rows, Task

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
            is no longer a number; there is no such device, or its memory is too small.
        ConflictError: Another process is training this run.
        TryAgainError: A signal came, and everything is saved; the data cannot be fetched now; or
            machines that train together do not hold the same checkpoint.
    """
    processes = Processes(device)
    display = Display(console, quiet=not processes.first)
    with processes.first_goes_ahead():  # so that a data set is fetched once
        task = open_task(recipe, cache=cache, say=display.say)
    display.lines(report(task.dataset.card))
    run = run_folder(home, task.recipe, task.digest)
    with processes.alone(lambda: lock_folder(run.folder)), limit_threads(recipe.training.threads):
        if processes.from_first(run.finished) and not restart:
            if processes.first:
                run.summary_file.touch()  # the newest run is the one that was asked for last
            display.say(f"Run {run.name} is finished already: nothing to do.")
        else:
            _begin(run, task, processes, resume=resume, restart=restart)
            display.say(f"Training {run.name} on {processes.described()}")
            progress = _fit(
                run, task, processes, cache=cache, display=display, clock=clock, saved=saved
            )
            if processes.first:
                speed = measure_speed(task, run_tokenizer(run, task), progress, processes.device)
                finish_run(run, task, progress, device=processes.device, speed=speed)
                display.say(f"Run {run.name} is finished: {run.folder}")
                saved(run)
        if processes.first:
            display.figures(run.summary())
    processes.end()
    return run


def _begin(run: Run, task: "Task", processes: Processes, *, resume: bool, restart: bool) -> None:
    """Write what a run begins with, on each machine; where they share a disk, once."""
    if processes.first:
        begin_run(run, task, device=processes.device, resume=resume, restart=restart)
    processes.wait()
    if processes.first_here and not run.recipe_file.is_file():
        begin_run(run, task, device=processes.device, resume=True, restart=False)
    processes.wait()


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

    updates = len(_order(task, rows, 0)) * plan.max_epochs

    # Where the last process was stopped or killed, if there was one.
    progress = load_checkpoint(run, learner, display.say)
    _check_agreed(progress, processes)
    started = clock() - progress.seconds
    if not task.trains:
        if processes.first:
            save_best(run, learner)
        return progress
    _announce(progress, learner, rows, updates=updates, display=display)

    def save(stop: StopRequest, *, stopping: bool) -> None:
        if processes.first:
            save_checkpoint(run, learner, progress)
            saved(run)
        if stopping:
            processes.wait()  # nobody leaves while the first one still writes
            stop.requested = True
            stop.obey()

    course = MetricsLog(run, step=progress.step, epoch=progress.epoch, writes=processes.first)
    with course as metrics, stop_on_signals() as stop:
        while progress.epoch < plan.max_epochs and progress.waited < plan.patience:
            order = _order(task, rows, progress.epoch)
            with display.epoch(progress, steps=len(order)) as advance:
                for indices in order[progress.batch :]:
                    loss = learner.learn(rows, indices, step=progress.step, updates=updates)
                    progress.end_step(loss, seconds=clock() - started)
                    advance(progress.mean_loss)
                    _report(progress, metrics)
                    stopping = processes.any(stop.requested)
                    if stopping or progress.step % plan.checkpoint_steps == 0:
                        save(stop, stopping=stopping)

            found = _validated(task, learner, validation, processes)
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
            save(stop, stopping=processes.any(stop.requested))
    return progress


def _order(task: "Task", rows: "Rows", epoch: int) -> "list[Indices]":
    """The batches of an epoch."""
    plan = task.recipe.training
    return batch_order(
        rows.lengths,
        batch_size=plan.batch_size,
        batch_tokens=plan.batch_tokens,
        seed=task.recipe.seed,
        epoch=epoch,
    )


def _check_agreed(progress: "Progress", processes: Processes) -> None:
    if processes.any(processes.from_first(progress.step) != progress.step):
        raise TryAgainError("The machines do not hold the same checkpoint of this run.")


def _announce(
    progress: "Progress", learner: Learner, rows: "Rows", *, updates: int, display: Display
) -> None:
    """Say where training goes on, and how long it may take."""
    if progress.step:
        display.say(f"Resuming after step {progress.step}, in epoch {progress.epoch + 1}")
    plan = learner.task.recipe.training
    if progress.epoch < plan.max_epochs and progress.waited < plan.patience:
        seconds = estimate_steps(learner, rows, _order(learner.task, rows, 0))
        display.estimate(seconds, updates=updates - progress.step, plan=plan)


def _validated(task: "Task", learner: Learner, rows: "Rows", processes: Processes) -> Validation:
    """What the first process finds; the others wait for it, and decide by the same figures."""
    found = Validation(0.0, 0.0)
    if processes.first:
        found = task.validate(learner.kept, rows, device=processes.device)
    return Validation(processes.from_first(found.loss), processes.from_first(found.accuracy))


def _report(progress: "Progress", metrics: MetricsLog) -> None:
    """Every few steps the mean loss of the last ones."""
    if progress.step % _REPORT_STEPS == 0:
        recent = progress.recent_sum / _REPORT_STEPS
        metrics.append(StepMetrics(step=progress.step, train_loss=recent))
        progress.recent_sum = 0.0
