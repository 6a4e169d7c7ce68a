"""What a person sees of training: bars on a terminal, plain lines elsewhere.

Imports rich:

    display = Display(console)
    display.say("Training sentiment-s1-3f2a9c01")
    with display.epoch(progress, steps=265) as advance:
        advance(0.69)                         # the mean loss so far
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from maas_lab.checkpoint import Progress
    from maas_lab.metrics import EpochMetrics
    from maas_lab.records import Summary


class Display:
    """A console that may be a terminal, a file or a pipe."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()

    def say(self, line: str) -> None:
        """Print a line as it is, without markup and without breaking it."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def lines(self, lines: "Iterable[str]") -> None:
        """Print lines as they are."""
        for line in lines:
            self.say(line)

    @contextmanager
    def epoch(self, training: "Progress", *, steps: int) -> "Iterator[Callable[[float], None]]":
        """Show an epoch's progress while the body runs.

        Args:
            training: Where training stands as the epoch begins, or goes on.
            steps: Steps of the whole epoch.
        """
        if not self._console.is_terminal:
            yield lambda _: None
            return
        columns = (
            TextColumn(f"epoch {training.epoch + 1:3d}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("train loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task("", total=steps, completed=training.batch, loss=0.0)
            yield lambda loss: bars.update(task, advance=1, loss=loss)

    def epoch_ended(self, metrics: "EpochMetrics") -> None:
        """Print an epoch's figures, on a terminal and elsewhere alike."""
        self.say(
            f"epoch {metrics.epoch:3d}   train loss {metrics.train_loss:.4f}   "
            f"validation loss {metrics.validation_loss:.4f}, "
            f"accuracy {metrics.validation_accuracy:.4f}   {metrics.seconds:.0f} s"
        )

    def figures(self, summary: "Summary") -> None:
        """Print how good the model is beside what simple methods reach."""
        met = "met" if summary.target_met else "NOT met"
        self.say(f"test accuracy          {summary.test.accuracy:.4f}   {summary.test.rows} rows")
        self.say(f"  target               {summary.target_accuracy:.4f}   {met}")
        self.say(f"  TF-IDF + logistic    {summary.baselines.linear:.4f}   the same rows")
        self.say(f"  majority             {summary.baselines.majority:.4f}")
        self.say(f"calibration error      {summary.test.calibration_error:.4f}")
