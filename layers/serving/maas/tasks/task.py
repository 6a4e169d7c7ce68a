"""What every task offers, whatever it reads and answers.

Imports types alone. Which struct a task takes is known to who made it; all of them can be asked by
tensors as well:

    task: Task = open_task(manifest, folder, lambda: session)
    task.check_widest(deadline=deadline)
    worst = max(task.replay(golden, deadline=deadline) for golden in goldens)
    task.tensors.infer({"text": texts}, deadline=deadline)
"""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas.bundle.golden import Golden
    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array, TensorResponse


class Counts(NamedTuple):
    """How much a request asks about: all that may be logged of what it says."""

    texts: int = 0
    images: int = 0
    clips: int = 0


class Request(Protocol):
    """What is asked of a task."""

    @property
    def counts(self) -> Counts:
        """Texts, images and clips of sound in it."""


class Response(Protocol):
    """What a task answered, beside the answer itself."""

    @property
    def tokens(self) -> tuple[int, ...]:
        """Per text, tokens that the model read and wrote."""

    @property
    def truncated(self) -> tuple[bool, ...]:
        """Per text, whether tokens were cut off."""

    @property
    def seconds(self) -> dict[str, float]:
        """Time by stage."""


class Tensors(Protocol):
    """A model as tensors go in and come out: its graph's own, and what the task reads itself."""

    @property
    def inputs(self) -> "tuple[TensorSpec, ...]":
        """What may be sent. A task's `text`, `image` or `audio` stands for all of its graph's."""

    @property
    def outputs(self) -> "tuple[TensorSpec, ...]":
        """What is answered."""

    def infer(self, feeds: "Mapping[str, Array]", *, deadline: float) -> "TensorResponse":
        """Answer tensors.

        Args:
            feeds: Arrays by input; a string tensor is one of bytes.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: What is sent is not acceptable.
            ModelError: The model, or what stands before it, failed.
            DeadlineError: The deadline came first.
        """


class Task(Protocol):
    """A loaded model that answers. Safe to share between threads."""

    @property
    def tensors(self) -> Tensors:
        """The same model, asked by tensors."""

    # Each task's own structs: the wire format is chosen by the task's name, as the task itself is.
    def predict(self, request: Any, *, deadline: float) -> Any:  # noqa: ANN401
        """Answer a request.

        Args:
            request: A `Request` of this task.
            deadline: Seconds on `time.monotonic`'s clock.

        Returns:
            A `Response` of this task.

        Raises:
            FieldError: What is asked is not acceptable.
            ModelError: The model, or what stands before it, failed.
            DeadlineError: The deadline came first.
        """

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export.

        Returns:
            The largest absolute difference of a number from the recorded one.

        Raises:
            BundleError: A text that was written is not the recorded one.
        """

    def check_widest(self, *, deadline: float) -> None:
        """Run the largest request that there can be.

        Raises:
            BundleError: The graph cannot take what the manifest and its files allow.
        """
