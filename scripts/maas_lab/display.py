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

from maas_lab.records import Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from maas_lab.checkpoint import Progress
    from maas_lab.metrics import EpochMetrics
    from maas_lab.recipes.training import TrainingRecipe
    from maas_lab.records import Speed, Summary


class Display:
    """A console that may be a terminal, a file or a pipe."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._console = Console(quiet=True) if quiet else console or Console()

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

    def estimate(self, step: float, *, updates: int, plan: "TrainingRecipe") -> None:
        """Say how long it may take, from the seconds of one step."""
        most = step * updates
        shown = f"{most:.0f} s" if most < 120 else f"{most / 60:.0f} min"
        self.say(
            f"about {shown} for {updates} steps of {1000 * step:.0f} ms; early stopping, after"
            f" {plan.patience} epochs without progress, may make it shorter"
        )

    def figures(self, summary: "Summary") -> None:
        """Print how good the model is beside what simple methods reach."""
        met = "met" if summary.target_met else "NOT met"
        rows = [(f"test {summary.metric}", summary.reached, f"{summary.test.rows} rows")]
        rows.append(("  target", summary.target, met))
        rows += [(f"  {name}", value, "the same rows") for name, value in summary.baselines.items()]
        rows += [
            (f"  on {name}", value, "not trained on") for name, value in summary.transfer.items()
        ]
        if isinstance(summary.test, Scores):
            rows.append(("calibration error", summary.test.calibration_error, ""))
        width = max(len(name) for name, _, _ in rows) + 2
        for name, value, remark in rows:
            self.say(f"{name:<{width}}{value:.4f}   {remark}".rstrip())
        if summary.speed is not None:
            self.say(f"GPU: {speed_text(summary.speed)}")


def speed_text(speed: "Speed") -> str:
    """What a GPU was good for, in one line."""
    parts = [f"{speed.epoch:.1f} s an epoch"]
    if speed.utilisation is not None:
        parts.append(f"{speed.utilisation:.0%} busy")
    if speed.over_cpu is not None:
        parts.append(f"{speed.over_cpu:.1f} × the CPU")
    if speed.bf16_over_fp32 is not None:
        parts.append(f"bf16 {speed.bf16_over_fp32:.2f} × as fast as fp32")
    return ", ".join(parts)
