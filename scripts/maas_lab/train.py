"""Training: one loop, one straight read.

Imports torch, numpy, rich and the other modules of the lab. A run can be stopped or killed at any
moment and gives the same network when it is resumed, bit for bit on the same machine:

    recipe = load_recipe(Path("scripts/recipes/sentiment-lstm.toml"))
    run = train(recipe, home=settings.home, cache=settings.cache)
    run.summary().test.accuracy
"""

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from maas.errors import RefusedError
from maas.text.tokenizer import load_tokenizer
from maas_lab.batches import batch_order, encode_rows
from maas_lab.beginning import begin_run
from maas_lab.checkpoint import load_checkpoint, save_best, save_checkpoint
from maas_lab.data.dataset import load_dataset, report
from maas_lab.display import Display
from maas_lab.environment import choose_device, limit_threads
from maas_lab.evaluate import predict, score
from maas_lab.files import lock_folder
from maas_lab.finishing import finish_run
from maas_lab.interruption import stop_on_signals
from maas_lab.metrics import EpochMetrics, MetricsLog, StepMetrics
from maas_lab.networks import build_network
from maas_lab.runs import Run, run_folder
from maas_lab.vocabulary import UNKNOWN_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from maas_lab.batches import Batch
    from maas_lab.checkpoint import Progress
    from maas_lab.data.dataset import Dataset
    from maas_lab.recipe import Recipe

_REPORT_STEPS = 50
_FIRST_WEIGHTS, _DROPOUT = 0, 1  # what a random state is for


def train(
    recipe: "Recipe",
    *,
    home: "Path",
    cache: "Path",
    resume: bool = False,
    restart: bool = False,
    console: "Console | None" = None,
    device: str | None = None,
    clock: "Callable[[], float]" = time.monotonic,
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

    Returns:
        The finished run.

    Raises:
        FieldError: The data is not acceptable.
        RefusedError: The run is unfinished and neither `resume` nor `restart` is given; or the loss
            is no longer a number.
        ConflictError: Another process is training this run.
        TryAgainError: A signal came, and everything is saved; or the data cannot be fetched now.
    """
    display = Display(console)
    device = device or choose_device()
    dataset = load_dataset(recipe.data, cache=cache, say=display.say)
    display.lines(report(dataset.card))
    run = run_folder(home, recipe, dataset.card.digest)
    with lock_folder(run.folder), limit_threads(recipe.training.threads):
        if run.finished and not restart:
            run.summary_file.touch()  # the newest run is the one that was asked for last
            display.say(f"Run {run.name} is finished already: nothing to do.")
        else:
            begin_run(run, recipe, dataset, device=device, resume=resume, restart=restart)
            display.say(f"Training {run.name} on {device}")
            network, progress = _fit(
                run, recipe, dataset, device=device, display=display, clock=clock
            )
            finish_run(run, recipe, dataset, network, progress, device=device)
            display.say(f"Run {run.name} is finished: {run.folder}")
        display.figures(run.summary())
    return run


def _fit(
    run: Run,
    recipe: "Recipe",
    dataset: "Dataset",
    *,
    device: str,
    display: Display,
    clock: "Callable[[], float]",
) -> "tuple[nn.Module, Progress]":
    """Learn until the validation loss no longer falls. The best weights are left in the run."""
    plan, labels = recipe.training, recipe.data.labels

    # The rows as token ids, and a network whose first weights follow from the seed.
    tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=recipe.vocabulary.max_tokens)
    rows = encode_rows(dataset.train, tokenizer, labels)
    validation = encode_rows(dataset.validation, tokenizer, labels)
    _seed_torch(recipe.seed, _FIRST_WEIGHTS, 0)
    network = build_network(
        recipe.network, vocabulary_size=tokenizer.vocabulary_size, classes=len(labels)
    ).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=plan.learning_rate)

    # Where the last process was stopped or killed, if there was one.
    progress = load_checkpoint(run, network, optimizer, display.say)
    metrics = MetricsLog(run.metrics_file)
    metrics.cut(progress.step, epoch=progress.epoch)
    started = clock() - progress.seconds
    if progress.step:
        display.say(f"Resuming after step {progress.step}, in epoch {progress.epoch + 1}")

    with stop_on_signals() as stop:
        while progress.epoch < plan.max_epochs and progress.waited < plan.patience:
            order = batch_order(
                rows.lengths, batch_size=plan.batch_size, seed=recipe.seed, epoch=progress.epoch
            )
            network.train()
            with display.epoch(progress, steps=len(order)) as advance:
                for indices in order[progress.batch :]:
                    batch = rows.batch(indices, device=device)
                    loss = _learn(network, optimizer, batch, recipe, step=progress.step)
                    progress.end_step(loss, seconds=clock() - started)
                    advance(progress.mean_loss)
                    if progress.step % _REPORT_STEPS == 0:
                        recent = progress.recent_sum / _REPORT_STEPS
                        metrics.append(StepMetrics(step=progress.step, train_loss=recent))
                        progress.recent_sum = 0.0
                    if stop.requested or progress.step % plan.checkpoint_steps == 0:
                        save_checkpoint(run, network, optimizer, progress)
                        stop.obey()

            scores = score(
                predict(network, validation, device=device), validation.labels, labels=labels
            )
            train_loss = progress.mean_loss
            if progress.end_epoch(scores.loss):
                save_best(run, network)
            ended = EpochMetrics(
                step=progress.step,
                epoch=progress.epoch,
                train_loss=train_loss,
                validation_loss=scores.loss,
                validation_accuracy=scores.accuracy,
                seconds=progress.seconds,
            )
            metrics.append(ended)
            save_checkpoint(run, network, optimizer, progress)
            display.epoch_ended(ended)
            stop.obey()
    return network, progress


def _learn(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: "Batch",
    recipe: "Recipe",
    *,
    step: int,
) -> float:
    """One step: forward, backward, update. Gives the loss."""
    plan = recipe.training
    _seed_torch(recipe.seed, _DROPOUT, step)  # so that no random state has to be saved
    words = _drop_words(batch.input_ids, batch.attention_mask, plan.word_dropout)
    logits = network(words, batch.attention_mask)
    loss = functional.cross_entropy(logits, batch.labels)

    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
    optimizer.step()

    value = loss.item()
    if not math.isfinite(value):
        raise RefusedError(
            f"The loss of step {step + 1} is {value}; lower training.learning_rate in the recipe."
        )
    return value


def _drop_words(input_ids: Tensor, attention_mask: Tensor, share: float) -> Tensor:
    """Replace a share of the words by `[UNK]`: unknown words then come as no surprise.

    Args:
        input_ids: int64 `[batch, sequence]`.
        attention_mask: int64 `[batch, sequence]`.
        share: 0 to 1.
    """
    dropped = torch.rand(input_ids.shape, device=input_ids.device) < share
    return input_ids.masked_fill(dropped & (attention_mask == 1), UNKNOWN_ID)


def _seed_torch(seed: int, purpose: int, index: int) -> None:
    """Set torch's random state to one that follows from these numbers, however close they are."""
    (state,) = np.random.SeedSequence([seed, purpose, index]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))
