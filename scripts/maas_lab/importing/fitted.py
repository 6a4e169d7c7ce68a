"""What a task makes of a foreign graph: its portable form is written, its requests are recorded.

Imports the types of `maas` and the lab. One function per task, in modules named `fit_*`:

    fitted = fit(foreign, exported, folder, wishes)
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import ImageInput, ModelLimits
    from maas.registry.records import TensorSpec
    from maas_lab.importing.exported import Exported
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.wishes import Wishes

    Fit = Callable[[Foreign, Exported, Path, Wishes], "Fitted"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A graph that fits its task.

    Attributes:
        inputs: What it reads.
        outputs: What it answers.
        goldens: Requests with what the portable form answered, the smallest first.
        limits: What the model may be asked.
        labels: Class names.
        image: The graph's picture, for a task that looks at one.
        states: By input the output that is its next value.
        notes: What was changed in the graph, for people.
        manifest: Further fields of the manifest by their names, for a task that has some.
    """

    inputs: "tuple[TensorSpec, ...]"
    outputs: "tuple[TensorSpec, ...]"
    goldens: "tuple[Golden, ...]"
    limits: "ModelLimits"
    labels: tuple[str, ...] = ()
    image: "ImageInput | None" = None
    states: "tuple[tuple[str, str], ...]" = ()
    notes: tuple[str, ...] = ()
    manifest: "Mapping[str, object]" = field(default_factory=dict)
