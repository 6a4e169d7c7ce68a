"""The job's side: train what was packed, and keep what is saved in the bucket.

Imports torch through `maas_lab.train`, and the lab. `maas_lab.batch.start` has put the code, the
recipe and the checkpoints in place, and starts this once per GPU:

    python -m maas_lab.batch.job --bucket NAME --job NAME --folder /work/code --ending FILE

The loop calls `saved` after each checkpoint and at its end. Only the first process of all stores
anything; while it does, the loop waits, so that what is stored is one moment of the run.
"""

import argparse
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from maas.settings import read_node, read_settings
from maas_lab.batch.archive import packed_recipe
from maas_lab.batch.aws import open_bucket
from maas_lab.batch.store import RunStore
from maas_lab.endings import exit_codes
from maas_lab.runs import list_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from maas_lab.recipes.recipe import AnyRecipe
    from maas_lab.runs import Run

EVERY_SECONDS = 60.0
"""Between two uploads at least; a machine that vanishes costs at most so much work, and one
checkpoint."""


class Trainer(Protocol):
    """What `maas_lab.train.train` is to a job."""

    def __call__(
        self,
        recipe: "AnyRecipe",
        *,
        home: Path,
        cache: Path,
        resume: bool,
        saved: "Callable[[Run], None]",
    ) -> "Run":
        """Train to the end; `saved` is told each checkpoint, and the end."""
        ...


class Keeper:
    """Brings a run into the bucket now and then, and at its end at once.

    Args:
        store: Where to.
        clock: Seconds, never going back.
        every: Seconds between two uploads of an unfinished run.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        clock: "Callable[[], float]" = time.monotonic,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._every = every
        self._next = -float("inf")

    def saved(self, run: "Run") -> None:
        """Take notice of a checkpoint, or of the end."""
        if run.finished or self._clock() >= self._next:
            self.store(run)
            self._next = self._clock() + self._every

    def store(self, run: "Run") -> None:
        """Bring a run into the bucket now; SIGTERM acts when that is done."""
        with _held_signal():
            self._store.put(run)


def run_job(
    recipe: "AnyRecipe", *, home: Path, cache: Path, train: Trainer, keeper: Keeper
) -> "Run":
    """Train, and store the run however training ends.

    Args:
        recipe: What to train.
        home: The folder that holds `runs`; this run alone.
        cache: The folder that keeps fetched data sets.
        train: The loop.
        keeper: Brings the run into its store, which was read; what it held was fetched into `home`.

    Raises:
        ConflictError: Another job stores this run, too.
        TryAgainError: A signal came, and all is stored; or S3 is away.
        RefusedError: The loop refused something.
    """
    try:
        return train(recipe, home=home, cache=cache, resume=True, saved=keeper.saved)
    finally:  # a Spot notice most of all
        for run in list_runs(home)[-1:]:
            keeper.store(run)


@contextmanager
def _held_signal() -> "Iterator[None]":
    """Hold SIGTERM back while the body runs, and then let it act.

    Torchrun sends a second one as soon as one of the other processes has ended; it must not stop
    the first process in the middle of its last upload.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
        if came:
            signal.raise_signal(signal.SIGTERM)


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Read the command line, train, and leave the exit code in a file: torchrun hides it."""
    parser = argparse.ArgumentParser(description="Train a packed job.", allow_abbrev=False)
    parser.add_argument("--bucket", required=True, metavar="NAME")
    parser.add_argument("--job", required=True, metavar="NAME")
    parser.add_argument("--folder", required=True, type=Path, help="where it was unpacked")
    parser.add_argument("--ending", required=True, type=Path, help="told the exit code")
    given = parser.parse_args(arguments)
    try:
        with exit_codes(interrupted=5):
            _train(given.bucket, given.job, given.folder)
    except SystemExit as ended:
        if not given.ending.exists():  # the first to fail knows why; the others were stopped
            given.ending.write_text(str(ended.code))
        raise
    return 0


def _train(bucket: str, job: str, folder: Path) -> None:
    from maas_lab.train import train  # noqa: PLC0415 - torch, after the command line was read

    settings, recipe = read_settings(), packed_recipe(folder)
    if read_node().rank:
        train(recipe, home=settings.home, cache=settings.cache, resume=True)
        return
    store = RunStore(open_bucket(bucket), job)
    store.read()
    run_job(
        recipe,
        home=settings.home,
        cache=settings.cache,
        train=train,
        keeper=Keeper(store),
    )


if __name__ == "__main__":
    sys.exit(main())
