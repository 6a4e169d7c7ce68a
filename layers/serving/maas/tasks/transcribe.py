"""Automatic speech recognition: clips of speech to the texts that are said in them.

May import `maas.bundle`, `maas.engine`, `maas.tasks`, `maas.errors` and numpy.

    transcriber = Transcriber(manifest, session)
    request = TranscribeRequest(clips=(data,), timestamps="word")
    answer = transcriber.predict(request, deadline=deadline)
    answer.rows[0].text, answer.rows[0].chunks[0]    # "hello world", Chunk("hello", 0.06, 0.42)
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct

from maas.errors import BundleError
from maas.tasks.answers import Answer
from maas.tasks.audio_tensors import SpeechTensors
from maas.tasks.ctc import spans_of, text_of, words_of
from maas.tasks.listening import Listener
from maas.tasks.task import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.tasks.ctc import Span

Timestamps = Literal["word", "char"]


class TranscribeRequest(Struct, frozen=True):
    """Clips to write down.

    Attributes:
        clips: 1 to 8 files, each a WAV.
        timestamps: Of what the times are asked for; of nothing when None.
        alone: Whether one clip was asked about by itself, not in a list.
    """

    clips: tuple[bytes, ...]
    timestamps: Timestamps | None = None
    alone: bool = False

    @property
    def counts(self) -> Counts:
        """How many clips."""
        return Counts(clips=len(self.clips))


class Chunk(Struct, frozen=True):
    """A word or a token, and when it was heard.

    Attributes:
        text: What was said.
        start: Seconds from the start of the clip.
        end: The same.
    """

    text: str
    start: float
    end: float


class Transcript(Struct, frozen=True):
    """What was said in one clip.

    Attributes:
        text: All of it.
        chunks: Its parts with their times, where they were asked for.
    """

    text: str
    chunks: tuple[Chunk, ...] | None = None


class TranscribeResponse(Answer, frozen=True):
    """One transcript per clip, in the request's order.

    Attributes:
        rows: The transcripts. `truncated` says of each clip whether it was cut.
        alone: As in the request.
    """

    rows: tuple[Transcript, ...]
    alone: bool = False


class Transcriber:
    """A loaded model of speech. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", session: "Session") -> None:
        """Bring the two together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        self._listener = Listener(manifest, session)
        if manifest.ctc is None:
            raise BundleError("must be given for a model that writes what it hears", field="ctc")
        self._ctc = manifest.ctc
        self.tensors = SpeechTensors(manifest, self._listener, self._text)

    def predict(self, request: TranscribeRequest, *, deadline: float) -> TranscribeResponse:
        """Write down what is said in clips.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A clip is not acceptable.
            ModelError: The model failed.
            DeadlineError: The deadline came first.
        """
        seconds = {"decode": 0.0, "run": 0.0}
        files = self._listener.opened(request.clips, field="inputs")
        heard = self._listener.heard(files, field="inputs", seconds=seconds, deadline=deadline)
        return TranscribeResponse(
            rows=tuple(self._transcript(logits, request.timestamps) for logits in heard),
            seconds=seconds,
            truncated=self._listener.truncated(files),
            alone=request.alone,
        )

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; answers with the largest difference of a logit.

        Raises:
            BundleError: A clip is not one, or has more or fewer frames than it had.
        """
        (logits,) = self._listener.replay(golden, deadline=deadline)
        wanted = np.asarray(golden.logits, dtype=np.float32)
        if logits.shape != wanted.shape:
            raise BundleError("A golden request's clip has another number of frames.")
        return float(np.abs(logits - wanted).max())

    def check_widest(self, *, deadline: float) -> None:
        """Run the longest clip, and the shortest.

        Raises:
            BundleError: The graph cannot take what the manifest allows.
        """
        self._listener.check_widest(deadline=deadline)

    def _transcript(
        self, logits: "npt.NDArray[np.float32]", timestamps: Timestamps | None
    ) -> Transcript:
        spans = self._spans(logits)
        if timestamps is None:
            return Transcript(text_of(spans))
        parts: Sequence[Span] = spans if timestamps == "char" else [*words_of(spans)]
        frame, rate = self._ctc.frame, self._listener.audio.rate
        return Transcript(
            text_of(spans),
            tuple(
                Chunk(each.text, each.start * frame / rate, each.end * frame / rate)
                for each in parts
            ),
        )

    def _spans(self, logits: "npt.NDArray[np.float32]") -> "list[Span]":
        return spans_of(logits, self._ctc.tokens, blank=self._ctc.blank)

    def _text(self, logits: "npt.NDArray[np.float32]") -> str:
        return text_of(self._spans(logits))
