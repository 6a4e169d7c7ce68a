"""Clips of sound to what a graph says of each: the half that all tasks share that listen.

May import `maas.audio`, `maas.bundle`, `maas.engine`, `maas.tasks`, `maas.errors` and numpy.

    listener = Listener(manifest, session)
    files = listener.opened(clips, field="inputs")
    for logits in listener.heard(files, field="inputs", seconds=seconds, deadline=deadline): ...

A clip is a run of its own, so that it is answered alike alone and in company: no silence stands
behind it for which the graph would need a mask, and memory does not grow with a request.
"""

import base64
import binascii
import time
from typing import TYPE_CHECKING

import numpy as np

from maas.audio.files import ClipFile, read_file
from maas.audio.waveforms import check_length, decode, is_cut
from maas.errors import BundleError, DeadlineError, FieldError, ModelError, ModelOutputError
from maas.limits import LIMITS
from maas.tasks.answers import place_of
from maas.tasks.nodes import check_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session

    Floats = npt.NDArray[np.float32]


class Listener:
    """A graph from `waveform` to `logits`. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", session: "Session") -> None:
        """Bring the two together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        check_nodes(manifest, session)
        if manifest.audio is None:
            raise BundleError("must be given for a model that listens", field="audio")
        self.audio = manifest.audio
        self._shape = manifest.outputs[0].shape[1:]
        self._session = session

    def opened(self, clips: "Sequence[bytes]", *, field: str) -> list[ClipFile]:
        """Tell what files hold, before a sample of any is decoded.

        Args:
            clips: The files of one request.
            field: The request field that they came from, for the message.

        Raises:
            FieldError: They are too many, or one is not a clip that the model takes.
        """
        if not 1 <= len(clips) <= LIMITS.clips:
            raise FieldError(f"must be 1 to {LIMITS.clips} clips, got {len(clips)}", field=field)
        files = []
        for at, data in enumerate(clips):
            file = read_file(data, field=place_of(field, at, len(clips)))
            check_length(file, self.audio, field=place_of(field, at, len(clips)))
            files.append(file)
        return files

    def truncated(self, files: "Sequence[ClipFile]") -> tuple[bool, ...]:
        """Of which clips the end is not heard."""
        return tuple(is_cut(file, self.audio) for file in files)

    def heard(
        self,
        files: "Sequence[ClipFile]",
        *,
        field: str,
        seconds: dict[str, float],
        deadline: float,
    ) -> "Iterator[Floats]":
        """What the graph says of each clip, one after the other.

        Args:
            files: What `opened` told.
            field: The request field that they came from, for the message.
            seconds: Time by stage, to which `decode` and `run` are added.
            deadline: Seconds on `time.monotonic`'s clock.

        Yields:
            float32 `[labels]` or `[frames, tokens]`, finite.

        Raises:
            FieldError: A clip is not acceptable.
            ModelError: The model failed.
            DeadlineError: The deadline came first.
        """
        for at, file in enumerate(files):
            if time.monotonic() >= deadline:
                raise DeadlineError("The clips were not heard before the deadline.")
            started = time.perf_counter()
            waveform = decode(file, self.audio, field=place_of(field, at, len(files)))
            decoded = time.perf_counter()
            logits = self.run(waveform, deadline=deadline)
            seconds["decode"] += decoded - started
            seconds["run"] += time.perf_counter() - decoded
            yield logits

    def run(self, waveform: "Floats", *, deadline: float) -> "Floats":
        """What the graph says of one waveform.

        Args:
            waveform: float32 `[samples]`.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            ModelError: The model failed, or answered what cannot be sent.
            DeadlineError: The deadline came first.
        """
        outputs = self._session.run({"waveform": waveform[None]}, deadline=deadline)
        logits = np.asarray(outputs[0], dtype=np.float32)
        if len(logits) != 1 or logits.shape[1:][-1:] != self._shape[-1:]:
            raise ModelOutputError("The model's answer does not have one number per label.")
        if logits.ndim != 1 + len(self._shape) or 0 in logits.shape:
            raise ModelOutputError("The model's answer is of another shape than it should be.")
        if not np.isfinite(logits).all():
            raise ModelOutputError("The model's answer is not a finite number.")
        one: Floats = logits[0]
        return one

    def replay(self, golden: "Golden", *, deadline: float) -> "Iterator[Floats]":
        """What the graph says of a golden request's clips.

        Raises:
            BundleError: A clip is not one.
        """
        seconds = {"decode": 0.0, "run": 0.0}
        try:
            clips = [base64.b64decode(clip, validate=True) for clip in golden.clips]
            files = self.opened(clips, field="clips")
            yield from self.heard(files, field="clips", seconds=seconds, deadline=deadline)
        except (binascii.Error, ValueError, FieldError):
            raise BundleError("A clip of a golden request cannot be read.") from None

    def check_widest(self, *, deadline: float) -> None:
        """Run the longest clip, and the shortest.

        Raises:
            BundleError: The graph cannot take what the manifest allows.
        """
        for samples in (self.audio.shortest, self.audio.samples):
            try:
                self.run(np.ones(samples, dtype=np.float32), deadline=deadline)
            except ModelError:
                raise BundleError(
                    f"The graph cannot take a clip of {samples} samples, which the manifest allows."
                ) from None
