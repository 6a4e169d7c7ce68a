"""A model that listens, asked by tensors: by `audio`, a file, or by its waveform.

May import `maas.errors`, `maas.tasks` and numpy.

    tensors = AudioTensors(manifest, listener)
    tensors.infer({"audio": strings([data], (1,))}, deadline=deadline).outputs["logits"]
    tensors = SpeechTensors(manifest, listener, text)
    tensors.infer({"audio": strings([data], (1,))}, deadline=deadline).outputs["text"]
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from maas.errors import DeadlineError, FieldError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec
from maas.tasks.task import Counts
from maas.tasks.tensors import STRING, TensorResponse, check_feeds, sent_files, strings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from maas.bundle.manifest import Manifest
    from maas.tasks.listening import Floats, Listener
    from maas.tasks.tensors import Array

AUDIO = TensorSpec("audio", STRING, ("batch",))
"""The input that stands for the graph's: a WAV file; also sent as `[batch, 1]`."""


class AudioTensors:
    """A classifier of sounds. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", listener: "Listener") -> None:
        self.inputs = (AUDIO, *manifest.inputs)
        self.outputs = manifest.outputs
        self._graph = manifest.inputs
        self._listener = listener

    def infer(self, feeds: "Mapping[str, Array]", *, deadline: float) -> TensorResponse:
        """Answer files, or waveforms, with what the graph says of each.

        Raises:
            FieldError: A tensor or a file is not acceptable.
            ModelError: The model failed.
            DeadlineError: The deadline came first.
        """
        seconds = {"decode": 0.0, "run": 0.0}
        if AUDIO.name not in feeds:
            logits = self._of_waveforms(feeds, seconds, deadline)
            return TensorResponse(
                outputs=self._answer(logits), seconds=seconds, counts=Counts(clips=len(logits))
            )
        sent = sent_files(feeds, AUDIO, instead_of="the waveform")
        files = self._listener.opened(sent, field=AUDIO.name)
        heard = self._listener.heard(files, field=AUDIO.name, seconds=seconds, deadline=deadline)
        return TensorResponse(
            outputs=self._of_files(heard),
            seconds=seconds,
            counts=Counts(clips=len(files)),
            truncated=self._listener.truncated(files),
        )

    def _of_files(self, heard: "Iterable[Floats]") -> "dict[str, Array]":
        return self._answer([*heard])

    def _answer(self, logits: "Sequence[Floats]") -> "dict[str, Array]":
        return {"logits": np.stack(logits)}

    def _of_waveforms(
        self, feeds: "Mapping[str, Array]", seconds: dict[str, float], deadline: float
    ) -> "list[Floats]":
        rows = self._checked(feeds)
        started = time.perf_counter()
        logits = []
        for row in rows:
            if time.monotonic() >= deadline:
                raise DeadlineError("The clips were not heard before the deadline.")
            logits.append(self._listener.run(row, deadline=deadline))
        seconds["run"] = time.perf_counter() - started
        return logits

    def _checked(self, feeds: "Mapping[str, Array]") -> "Floats":
        check_feeds(self._graph, feeds)
        audio, (spec,) = self._listener.audio, self._graph
        rows = np.asarray(feeds[spec.name], dtype=np.float32)
        if not 1 <= len(rows) <= LIMITS.clips:
            raise FieldError(f"must be 1 to {LIMITS.clips} clips", field=spec.name)
        if not audio.shortest <= rows.shape[1] <= audio.samples:
            raise FieldError(
                f"must have {audio.shortest} to {audio.samples} samples", field=spec.name
            )
        if not np.isfinite(rows).all():
            raise FieldError("must be finite numbers", field=spec.name)
        return rows


class SpeechTensors(AudioTensors):
    """A model that writes what it hears. Safe to share between threads.

    Args:
        manifest: What it is.
        listener: The graph.
        text: What is said, by what the graph says of each frame.
    """

    def __init__(
        self, manifest: "Manifest", listener: "Listener", text: "Callable[[Floats], str]"
    ) -> None:
        super().__init__(manifest, listener)
        self.outputs = (TensorSpec("text", STRING, ("batch",)), *manifest.outputs)
        self._text = text

    def _of_files(self, heard: "Iterable[Floats]") -> "dict[str, Array]":
        """The texts alone: clips have as many frames as they are long, and a tensor has no gaps."""
        return self._texts([self._text(logits) for logits in heard])

    def _answer(self, logits: "Sequence[Floats]") -> "dict[str, Array]":
        return {**self._texts([*map(self._text, logits)]), **super()._answer(logits)}

    @staticmethod
    def _texts(texts: list[str]) -> "dict[str, Array]":
        return {"text": strings(texts, (len(texts),))}
