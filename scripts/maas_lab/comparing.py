"""Runs beside each other: figures that may be compared, and what explains that they differ.

Imports msgspec, `maas.errors` and the lab's records:

    compared = compare_runs([open_run(home, "sentiment-s1-…"), open_run(home, "sentiment-s2-…")])
    compared.runs[0].summary.reached
    compared.labels[0].spread                     # the label on which the runs differ most

Only figures on the same test rows say which model is better: other rows are refused.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import RefusedError
from maas_lab.metrics import read_metrics
from maas_lab.records import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas_lab.metrics import EpochMetrics
    from maas_lab.recipes.recipe import AnyRecipe
    from maas_lab.records import Summary
    from maas_lab.runs import Run


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A finished run and what is looked at.

    Attributes:
        name: The run's.
        recipe: What it computed.
        summary: Its figures.
        data: The digest of all of its rows, before they were split.
        test: The digest of its test rows.
        epochs: The course of its training.
    """

    name: str
    recipe: "AnyRecipe"
    summary: "Summary"
    data: str
    test: str
    epochs: "list[EpochMetrics]"

    @property
    def architecture(self) -> str:
        """Such as `bilstm`."""
        return str(self.recipe.network.__struct_config__.tag)


@dataclass(frozen=True, slots=True)
class ComparedLabel:
    """How well each run tells one class from the others.

    Attributes:
        label: The class.
        f1: By run, in their order (0 to 1).
    """

    label: str
    f1: tuple[float, ...]

    @property
    def spread(self) -> float:
        """How far the best run is above the worst."""
        return max(self.f1) - min(self.f1)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs that were measured on the same test rows.

    Attributes:
        runs: In the order that was asked for.
        labels: Of classifiers, those on which the runs differ most first; else none.
    """

    runs: tuple[ComparedRun, ...]
    labels: tuple[ComparedLabel, ...]

    @property
    def metric(self) -> str:
        """The figure that all of them have."""
        return self.runs[0].summary.metric

    @property
    def file_name(self) -> str:
        """The same for the same runs, in any order."""
        names = ",".join(sorted(run.name for run in self.runs))
        return f"{self.metric}-{hashlib.sha256(names.encode()).hexdigest()[:8]}.png"

    @property
    def same_data(self) -> bool:
        """Whether all runs had the very same rows to learn from, too."""
        return len({run.data for run in self.runs}) == 1


def compare_runs(runs: "Sequence[Run]") -> Comparison:
    """Put finished runs beside each other.

    Raises:
        RefusedError: One is not finished; or their test rows or metrics differ, so that their
            figures say nothing of one another.
    """
    compared = tuple(_look_at(run) for run in runs)
    first = compared[0]
    for other in compared[1:]:
        if other.summary.metric != first.summary.metric:
            raise RefusedError(
                f"{first.name} is measured by {first.summary.metric} and {other.name} by"
                f" {other.summary.metric}: they cannot be compared."
            )
        if other.test != first.test:
            raise RefusedError(
                f"{first.name} and {other.name} were measured on different test rows, so that the"
                " higher figure need not be the better model. Train them on the same data with the"
                " same data.split_seed."
            )
    return Comparison(compared, _labels(compared))


def _look_at(run: "Run") -> ComparedRun:
    summary = run.summary()  # an unfinished run is refused here
    _, epochs = read_metrics(run.metrics_file)
    # In any order; of pictures the first ones alone are kept, so that their number counts, too.
    kept = sorted(run.test_file.read_bytes().splitlines())
    digest = hashlib.sha256(b"\n".join([b"%d" % summary.test.rows, *kept]))
    return ComparedRun(
        name=run.name,
        recipe=run.recipe(),
        summary=summary,
        data=run.data_card().digest,
        test=f"sha256:{digest.hexdigest()}",
        epochs=epochs,
    )


def _labels(runs: "Sequence[ComparedRun]") -> tuple[ComparedLabel, ...]:
    """Empty where the runs have other classes, or none."""
    scores = [run.summary.test for run in runs]
    found = [each.labels for each in scores if isinstance(each, Scores)]
    if len(found) < len(runs) or any(each.keys() != found[0].keys() for each in found):
        return ()
    labels = (ComparedLabel(label, tuple(each[label].f1 for each in found)) for label in found[0])
    return tuple(sorted(labels, key=lambda label: -label.spread))
