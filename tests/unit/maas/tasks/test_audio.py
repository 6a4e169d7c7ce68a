"""Clips of sound to labels, and to texts with their times: what is asked, in the order asked."""

import time
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from msgspec.structs import replace
from support.task_bundles import TaskBundle
from support.tiny_audio import (
    FRAME,
    LABELS,
    TinySounds,
    TinySpeech,
    in_base64,
    make_sounds,
    make_speech,
    noise,
    tone,
)
from support.wav import RATE, wav

from maas.bundle.golden import TOLERANCE, Golden
from maas.bundle.verify import verify_bundle
from maas.engine.session import Session, open_session
from maas.errors import BundleError, DeadlineError, FieldError, ModelOutputError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.tasks.audio_classify import AudioClassifier, AudioRequest, AudioResponse
from maas.tasks.task import Counts
from maas.tasks.tensors import STRING, strings
from maas.tasks.transcribe import Transcriber, TranscribeRequest, TranscribeResponse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

SOUNDS = (noise(1), tone(300), tone(500, seconds=0.3))
TEXTS = ("a good film", "all", "x")
MAKES: "tuple[Callable[..., TaskBundle], ...]" = (make_sounds, make_speech)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> TinySounds:
    return make_sounds(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> TinySpeech:
    return make_speech(tmp_path_factory.mktemp("bundles"), seed=3)


def loaded(bundle: TaskBundle) -> Any:  # noqa: ANN401 - the task of its kind
    return load_version(verify_bundle(bundle.folder), threads=1).task


@pytest.fixture(scope="module")
def classifier(sounds: TinySounds) -> AudioClassifier:
    task: AudioClassifier = loaded(sounds)
    return task


@pytest.fixture(scope="module")
def transcriber(speech: TinySpeech) -> Transcriber:
    task: Transcriber = loaded(speech)
    return task


def classify(task: AudioClassifier, *clips: bytes, **options: Any) -> AudioResponse:  # noqa: ANN401
    return task.predict(AudioRequest(clips, **options), deadline=time.monotonic() + 5)


def write(task: Transcriber, *clips: bytes, **options: Any) -> TranscribeResponse:  # noqa: ANN401
    return task.predict(TranscribeRequest(clips, **options), deadline=time.monotonic() + 5)


def scores(response: AudioResponse, row: int = 0) -> list[float]:
    found = {pair.label: pair.score for pair in response.rows[row]}
    return [found[label] for label in LABELS]


# ---- Answers ------------------------------------------------------------------------------------


def test_sounds_are_answered_as_numpy_says_alone_and_together(
    classifier: AudioClassifier, sounds: TinySounds
) -> None:
    together = classify(classifier, *map(wav, SOUNDS), function="none")
    for row, samples in enumerate(SOUNDS):
        wanted = pytest.approx(sounds.logits(samples).tolist(), abs=1e-3)  # 16 bits
        assert scores(together, row) == wanted
        assert scores(classify(classifier, wav(samples), function="none")) == scores(together, row)
    assert together.truncated == (False,) * 3
    assert together.seconds.keys() == {"decode", "run"}
    assert AudioRequest((b"a", b"b")).counts == Counts(clips=2)


def test_a_sound_is_the_same_whatever_holds_it(classifier: AudioClassifier) -> None:
    wanted = scores(classify(classifier, wav(tone(300))))
    twice = np.stack([tone(300)] * 2, axis=1)
    for data in (
        wav(tone(300), bits=24),
        wav(tone(300), bits=32, floats=True),
        wav(twice),
        wav(tone(300, rate=2 * RATE), rate=2 * RATE),
    ):
        assert scores(classify(classifier, data)) == pytest.approx(wanted, abs=5e-3)


def test_labels_come_best_first_and_as_many_as_asked(classifier: AudioClassifier) -> None:
    (row,) = classify(classifier, wav(SOUNDS[0]), top_k=2, function="sigmoid").rows
    assert len(row) == 2
    assert row[0].score >= row[1].score
    with pytest.raises(FieldError) as refused:
        classify(classifier, wav(SOUNDS[0]), top_k=0)
    assert refused.value.field == "parameters.top_k"


def test_what_is_said_is_written_with_its_times(
    transcriber: Transcriber, speech: TinySpeech
) -> None:
    clips = [wav(speech.said(text)) for text in TEXTS]
    answer = write(transcriber, *clips)
    assert [row.text for row in answer.rows] == list(TEXTS)
    assert all(row.chunks is None for row in answer.rows)
    for text, row in zip(TEXTS, write(transcriber, *clips, timestamps="word").rows, strict=True):
        assert row.text == text
        assert row.chunks is not None
        wanted = speech.written(speech.said(text))["chunks"]
        for each, other in zip(row.chunks, wanted, strict=True):
            assert each.text == other["text"]
            assert [each.start, each.end] == pytest.approx(other["timestamp"])
    (row, *_) = write(transcriber, *clips, timestamps="char").rows
    assert row.chunks is not None
    assert "".join(each.text for each in row.chunks) == TEXTS[0]
    assert (row.chunks[1].start, row.chunks[1].end) == (2 * FRAME / RATE, 4 * FRAME / RATE)


def test_silence_says_nothing(transcriber: Transcriber) -> None:
    (row,) = write(transcriber, wav(np.zeros(FRAME * 9)), timestamps="word").rows
    assert (row.text, row.chunks) == ("", ())


# ---- By tensors ---------------------------------------------------------------------------------


def infer(task: Any, feeds: Any) -> Any:  # noqa: ANN401
    return task.tensors.infer(feeds, deadline=time.monotonic() + 5)


def waveforms(*samples: "npt.NDArray[np.float64]") -> "dict[str, Any]":
    return {"waveform": np.stack(samples).astype(np.float32)}


def test_files_and_waveforms_are_answered_alike(
    classifier: AudioClassifier, sounds: TinySounds
) -> None:
    several = SOUNDS[:2]
    files = strings(list(map(wav, several)), (2,))
    want = [sounds.logits(each) for each in several]
    for feeds in ({"audio": files}, {"audio": files.reshape(2, 1)}, waveforms(*several)):
        answer = infer(classifier, feeds)
        np.testing.assert_allclose(answer.outputs["logits"], want, atol=1e-3)
        assert answer.counts == Counts(clips=2)


def test_speech_is_a_text_by_files_and_frames_as_well_by_waveforms(
    transcriber: Transcriber, speech: TinySpeech
) -> None:
    specs = {spec.name: spec for spec in transcriber.tensors.outputs}
    assert specs["text"].dtype == STRING
    files = strings([wav(speech.said(text)) for text in TEXTS], (3,))
    assert infer(transcriber, {"audio": files}).outputs["text"].tolist() == list(TEXTS)
    by_waveform = infer(transcriber, waveforms(*[speech.said("all")] * 2)).outputs
    assert by_waveform["text"].tolist() == ["all", "all"]
    assert by_waveform["logits"].shape == (2, len(speech.said("all")) // FRAME, 28)


def test_tensors_that_are_no_clips_are_refused_by_their_name(classifier: AudioClassifier) -> None:
    def refused(feeds: object) -> str:
        with pytest.raises(FieldError) as raised:
            infer(classifier, feeds)
        return str(raised.value.field)

    good = strings([wav(SOUNDS[0])], (1,))
    assert refused({"audio": good, **waveforms(SOUNDS[0])}) == "audio"
    assert refused({"audio": strings([b"fLaC"], (1,))}) == "audio"
    assert refused({"audio": strings([good[0], b""], (2,))}) == "audio[1]"
    assert refused({"audio": strings([], (0,))}) == "audio"
    assert refused({"audio": strings([good[0]] * 9, (9,))}) == "audio"
    assert refused({"audio": np.zeros(3)}) == "audio"
    assert refused({"nobody": good}) == "inputs"
    for rows, samples in ((0, 9), (LIMITS.clips + 1, 9), (1, 7), (1, RATE * 30 + 1)):
        assert refused({"waveform": np.zeros((rows, samples), np.float32)}) == "waveform"
    for value in (np.nan, np.inf):
        assert refused({"waveform": np.full((1, 9), value, np.float32)}) == "waveform"


def test_the_deadline_holds_between_clips(classifier: AudioClassifier) -> None:
    gone = time.monotonic()
    with pytest.raises(DeadlineError):
        classifier.predict(AudioRequest((wav(SOUNDS[0]),)), deadline=gone)
    with pytest.raises(DeadlineError):
        classifier.tensors.infer(waveforms(SOUNDS[0]), deadline=gone)


# ---- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clips", "field", "said"),
    [
        ((), "inputs", "1 to 8 clips, got 0"),
        ((wav(SOUNDS[0]),) * 9, "inputs", "1 to 8 clips, got 9"),
        ((b"OggS",), "inputs", "send 16-bit PCM WAV"),
        ((wav(SOUNDS[0]), wav(SOUNDS[0])[:-1]), "inputs[1]", "damaged"),
        ((wav(SOUNDS[0]), wav(SOUNDS[0][:7])), "inputs[1]", "at least 0.001 seconds"),
        ((wav(np.full(9, np.nan), bits=32, floats=True),), "inputs", "-1 to 1"),
    ],
)
def test_clips_that_are_none_are_refused_by_their_place(
    classifier: AudioClassifier, clips: tuple[bytes, ...], field: str, said: str
) -> None:
    with pytest.raises(FieldError, match=said) as refused:
        classify(classifier, *clips)
    assert refused.value.field == field


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(
    ("shift", "accepted"), [(TOLERANCE / 2, True), (TOLERANCE * 2, False), (1.0, False)]
)
def test_a_model_that_is_not_the_recorded_one_is_refused(
    tmp_path: "Path", make: "Callable[..., TaskBundle]", shift: float, *, accepted: bool
) -> None:
    bundle = make(tmp_path, golden_shift=shift)
    if accepted:
        loaded(bundle)
    else:
        with pytest.raises(BundleError, match="golden request"):
            loaded(bundle)


def test_golden_requests_that_are_no_clips_are_refused(
    classifier: AudioClassifier, transcriber: Transcriber, speech: TinySpeech
) -> None:
    until = time.monotonic() + 5
    for clip in ("?", "aa==", ""):
        with pytest.raises(BundleError, match="cannot be read"):
            classifier.replay(Golden(clips=(clip,), logits=((0.0,) * 3,)), deadline=until)
    clip = in_base64(wav(speech.said("all")))
    golden = Golden(clips=(clip,), logits=((0.0,) * 28,))
    with pytest.raises(BundleError, match="another number of frames"):
        transcriber.replay(golden, deadline=until)


class Watched:
    """A session that answers something else while it is told to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.inputs, self.outputs = session.inputs, session.outputs
        self.answer: list[Any] | None = None

    def run(self, feeds: Any, *, deadline: float) -> Any:  # noqa: ANN401
        return self.answer or self._session.run(feeds, deadline=deadline)


def watched(bundle: TaskBundle) -> Watched:
    return Watched(open_session(bundle.folder / "portable/model.onnx", optimised=False, threads=1))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((1, 2)), "one number per label"),
        (np.zeros((2, 3)), "one number per label"),
        (np.zeros((1, 4, 3)), "another shape"),
        (np.full((1, 3), np.nan), "not a finite number"),
    ],
)
def test_f23_an_answer_of_another_kind_is_the_models_failure(
    sounds: TinySounds, answer: "npt.NDArray[np.float64]", said: str
) -> None:
    session = watched(sounds)
    task = AudioClassifier(sounds.manifest, cast("Session", session))
    session.answer = [answer]
    with pytest.raises(ModelOutputError, match=said):
        classify(task, wav(SOUNDS[0]))
    # And a graph that answers so is not what the manifest allows
    with pytest.raises(BundleError, match="which the manifest allows"):
        task.check_widest(deadline=time.monotonic() + 5)


def test_f23_no_frame_is_no_answer(speech: TinySpeech) -> None:
    session = watched(speech)
    task = Transcriber(speech.manifest, cast("Session", session))
    session.answer = [np.zeros((1, 0, 28))]
    with pytest.raises(ModelOutputError):
        write(task, wav(speech.said("a")))


def test_the_shortest_and_the_longest_clip_are_tried(sounds: TinySounds) -> None:
    assert sounds.manifest.audio is not None
    wrong = replace(sounds.manifest, audio=replace(sounds.manifest.audio, shortest=1))
    session = cast("Session", watched(sounds))
    AudioClassifier(wrong, session).check_widest(deadline=time.monotonic() + 5)
    for name, kind in (("audio", AudioClassifier), ("ctc", Transcriber)):
        with pytest.raises(BundleError) as refused:
            kind(replace(sounds.manifest, **{name: None}), session)
        assert refused.value.field == name


def test_a_short_clip_that_a_graph_fails_on_is_found(speech: TinySpeech) -> None:
    assert speech.manifest.audio is not None
    wrong = replace(speech.manifest, audio=replace(speech.manifest.audio, shortest=FRAME - 1))
    task = Transcriber(wrong, cast("Session", watched(speech)))
    with pytest.raises(BundleError, match=f"a clip of {FRAME - 1} samples"):
        task.check_widest(deadline=time.monotonic() + 5)
