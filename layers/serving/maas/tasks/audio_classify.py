"""Audio classification: clips of sound to labels with scores.

May import `maas.bundle`, `maas.engine`, `maas.tasks` and numpy.

    classifier = AudioClassifier(manifest, session)
    answer = classifier.predict(AudioRequest(clips=(data,)), deadline=deadline)
    answer.rows[0][0]                     # LabelScore(label="dog bark", score=0.94)
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from maas.tasks.answers import Answer
from maas.tasks.audio_tensors import AudioTensors
from maas.tasks.labels import LabelScore, ScoreFunction, check_top_k, ranked
from maas.tasks.listening import Listener
from maas.tasks.task import Counts

if TYPE_CHECKING:
    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session


class AudioRequest(Struct, frozen=True):
    """Clips to classify.

    Attributes:
        clips: 1 to 8 files, each a WAV.
        top_k: Labels to answer per clip, best first; all when None.
        function: What turns logits into scores.
        alone: Whether one clip was asked about by itself, not in a list.
    """

    clips: tuple[bytes, ...]
    top_k: int | None = None
    function: ScoreFunction = "softmax"
    alone: bool = False

    @property
    def counts(self) -> Counts:
        """How many clips."""
        return Counts(clips=len(self.clips))


class AudioResponse(Answer, frozen=True):
    """One row per clip, in the request's order.

    Attributes:
        rows: Per clip, labels with scores, best first. `truncated` says of each whether it was cut.
        alone: As in the request.
    """

    rows: tuple[tuple[LabelScore, ...], ...]
    alone: bool = False


class AudioClassifier:
    """A loaded classifier of sounds. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", session: "Session") -> None:
        """Bring the two together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        self._labels = manifest.labels
        self._listener = Listener(manifest, session)
        self.tensors = AudioTensors(manifest, self._listener)

    def predict(self, request: AudioRequest, *, deadline: float) -> AudioResponse:
        """Classify clips.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A clip or an option is not acceptable.
            ModelError: The model failed.
            DeadlineError: The deadline came first.
        """
        check_top_k(request.top_k)
        seconds = {"decode": 0.0, "run": 0.0}
        files = self._listener.opened(request.clips, field="inputs")
        heard = self._listener.heard(files, field="inputs", seconds=seconds, deadline=deadline)
        return AudioResponse(
            rows=ranked(
                np.stack([*heard]), self._labels, top_k=request.top_k, function=request.function
            ),
            seconds=seconds,
            truncated=self._listener.truncated(files),
            alone=request.alone,
        )

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; answers with the largest difference of a logit.

        Raises:
            BundleError: A clip is not one.
        """
        logits = np.stack([*self._listener.replay(golden, deadline=deadline)])
        return float(np.abs(logits - np.asarray(golden.logits)).max())

    def check_widest(self, *, deadline: float) -> None:
        """Run the longest clip, and the shortest.

        Raises:
            BundleError: The graph cannot take what the manifest allows.
        """
        self._listener.check_widest(deadline=deadline)
