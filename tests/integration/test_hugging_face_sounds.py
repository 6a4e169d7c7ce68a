"""Folders of Hugging Face's that listen: imported, served, and asked by the real client.

What is answered is held against transformers' own pipelines. The networks are tiny and new, and so
answer anything: all the more must agree.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import transformers
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from support.sound_folders import (
    MEL_RATE,
    RATE,
    extract_mel,
    make_sound_folder,
    make_spectrogram_folder,
)
from support.task_bundles import TaskHome, serving
from support.tiny_audio import heard
from support.wav import wav

from maas.assembly import build_registry
from maas.errors import FieldError, MaasError, RefusedError
from maas.registry.addresses import ByNumber
from maas.settings import Settings
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes
from maas_lab.releasing import register_bundle

SOUNDS, SPEECH = "audio-classification", "automatic-speech-recognition"
LABELS = ("up", "down", "left")
pipeline: Any = transformers.pipeline  # whose kind depends on a name


def noise(seed: int, seconds: float = 0.5, channels: int = 1) -> npt.NDArray[np.float64]:
    shape = (round(seconds * RATE), channels)[: 1 if channels == 1 else 2]
    swell = np.sin(np.linspace(0, 20, shape[0])).reshape(-1, *[1] * (len(shape) - 1))
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape) * swell


CLIPS = [wav(noise(seed, seconds)) for seed, seconds in enumerate((0.2, 0.5, 1.1))]


@contextmanager
def served(path: Path, folder: Path, task: str) -> Iterator[str]:
    """Import a folder, register and promote what it became, and serve it."""
    settings = Settings.parse({"MAAS_HOME": str(path), "MAAS_ACTOR": "tests"})
    imported = import_model(folder, settings.bundles, Wishes(task=task, seconds=3))
    assert imported.exported.proof is not None
    assert imported.exported.proof.max_difference <= 1e-4
    assert imported.optimised.kept, imported.optimised.reason
    name = imported.made.bundle.manifest.name
    settings = Settings.parse({"MAAS_HOME": str(path), "MAAS_ACTOR": "tests", "MAAS_MODEL": name})
    with build_registry(settings) as registry:
        register_bundle(registry, imported.made.bundle.folder)
        registry.promote(name, ByNumber(1))
    with serving(TaskHome(settings, {1: imported.made.bundle})) as url:
        yield f"{url}/models/{name}"


@pytest.fixture(
    scope="module",
    params=[
        ("Wav2Vec2", {}),
        ("Hubert", {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "lower": True}),
    ],
    ids=["wav2vec2", "hubert"],
)
def speech(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    path = tmp_path_factory.mktemp("speech")
    kind, more = request.param
    folder = make_sound_folder(path / "letters", "ForCTC", kind=kind, **more)
    with served(path / "home", folder, SPEECH) as url:
        yield url, folder


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    path = tmp_path_factory.mktemp("sounds")
    folder = make_sound_folder(path / "words", "ForSequenceClassification", labels=LABELS)
    with served(path / "home", folder, SOUNDS) as url:
        yield url, folder


@cache
def opened(folder: Path, task: str) -> Any:  # noqa: ANN401
    return pipeline(task, model=str(folder), device="cpu")


def asked(folder: Path, task: str, clip: bytes, **options: Any) -> Any:  # noqa: ANN401
    """What transformers' pipeline says of the same samples."""
    return opened(folder, task)(heard(clip).astype(np.float32), **options)


def test_speech_is_written_as_the_pipeline_writes_it(
    speech: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = speech
    client = InferenceClient()
    for number, clip in enumerate(CLIPS):
        wanted = asked(folder, SPEECH, clip)
        assert wanted["text"]
        answer = client.automatic_speech_recognition(clip, model=url)
        assert (answer.text, answer.chunks) == (wanted["text"], None)
        # And the same as a file, whose name says what it is
        file = tmp_path / f"{number}.wav"
        file.write_bytes(clip)
        assert client.automatic_speech_recognition(file, model=url).text == wanted["text"]


@pytest.mark.parametrize("of", ["word", "char"])
def test_its_times_are_the_pipelines(speech: tuple[str, Path], of: str) -> None:
    url, folder = speech
    client = InferenceClient()
    for clip in CLIPS:
        wanted = asked(folder, SPEECH, clip, return_timestamps=of)
        for option in (of, True) if of == "word" else (of,):
            answer = client.automatic_speech_recognition(
                clip, model=url, extra_body={"return_timestamps": option}
            )
            assert answer.text == wanted["text"]
            assert answer.chunks is not None
            found = [(each.text, tuple(each.timestamp)) for each in answer.chunks]
            # Which writes parts in large letters where it writes the whole in small ones
            lower = wanted["text"].islower()
            texts = [each["text"].lower() if lower else each["text"] for each in wanted["chunks"]]
            assert [text for text, _ in found] == texts
            np.testing.assert_allclose(
                [times for _, times in found],
                [each["timestamp"] for each in wanted["chunks"]],
                atol=1e-9,
            )


def test_sounds_are_told_apart_as_the_pipeline_does(sounds: tuple[str, Path]) -> None:
    url, folder = sounds
    client = InferenceClient()
    for clip in CLIPS:
        wanted = {each["label"]: each["score"] for each in asked(folder, SOUNDS, clip)}
        answer = client.audio_classification(clip, model=url)
        assert {each.label: each.score for each in answer} == pytest.approx(wanted, abs=2e-5)
        assert [each.score for each in answer] == sorted((e.score for e in answer), reverse=True)
        best = client.audio_classification(clip, model=url, top_k=1, function_to_apply="none")
        logits = asked(folder, SOUNDS, clip, top_k=1, function_to_apply="none")
        assert [each.label for each in best] == [logits[0]["label"]]
        assert best[0].score == pytest.approx(logits[0]["score"], abs=1e-4)


@pytest.mark.parametrize("more", [{}, {"do_normalize": False}], ids=["normalised", "plain"])
def test_spectrograms_are_told_apart_as_the_pipeline_does(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    # Given a network of 64 frames of a spectrogram, which are 0.65 seconds
    folder = make_spectrogram_folder(tmp_path / "words", labels=LABELS, **more)
    clips = [
        wav(noise(seed, 2 * seconds), rate=MEL_RATE)
        for seed, seconds in enumerate((0.025, 0.2, 0.5, 1.1))  # of a frame, and of too many
    ]
    with served(tmp_path / "home", folder, SOUNDS) as url:
        client = InferenceClient()
        for clip in clips:
            wanted = asked(folder, SOUNDS, clip, function_to_apply="none")
            logits = {each["label"]: each["score"] for each in wanted}
            answer = client.audio_classification(clip, model=url, function_to_apply="none")
            assert {each.label: each.score for each in answer} == pytest.approx(logits, abs=1e-4)
        # And less than one frame is too short
        with pytest.raises(HfHubHTTPError, match="422"):
            client.audio_classification(wav(noise(1, 0.04), rate=MEL_RATE), model=url)


def test_a_clip_of_two_channels_is_heard_as_their_mean(sounds: tuple[str, Path]) -> None:
    url, _ = sounds
    both = noise(9, channels=2)
    client = InferenceClient()
    one, other = (
        client.audio_classification(wav(samples, bits=24), model=url)
        for samples in (both, both.mean(axis=1))
    )
    assert [each.label for each in one] == [each.label for each in other]
    for each, same in zip(one, other, strict=True):
        assert each.score == pytest.approx(same.score, abs=1e-4)


def test_what_is_no_wav_is_refused_with_the_remedy(
    sounds: tuple[str, Path], tmp_path: Path
) -> None:
    url, _ = sounds
    file = tmp_path / "song.flac"
    file.write_bytes(b"fLaC" + bytes(99))
    for sent in (file, b"OggS" + bytes(99), CLIPS[0][:-1]):
        with pytest.raises(HfHubHTTPError, match="send 16-bit PCM WAV"):
            InferenceClient().audio_classification(sent, model=url)
    with pytest.raises(HfHubHTTPError, match="generation_parameters"):
        InferenceClient().automatic_speech_recognition(
            CLIPS[0], model=url, extra_body={"generation_parameters": {}}
        )


# ---- What cannot be served ----------------------------------------------------------------------


def _other_extractor(folder: Path) -> None:
    extract_mel(sampling_rate=RATE).save_pretrained(folder)


def _other_network(folder: Path) -> None:
    extract_mel(sampling_rate=MEL_RATE).save_pretrained(folder)


def _whispering(folder: Path) -> None:
    other: Any = transformers.WhisperFeatureExtractor
    other(feature_size=8).save_pretrained(folder)


@pytest.mark.parametrize(
    ("task", "head", "spoil", "refusal"),
    [
        (SOUNDS, "ForCTC", lambda _: None, (RefusedError, "weights lack")),
        (SPEECH, "ForCTC", lambda f: (f / "vocab.json").unlink(), (FieldError, "no vocab.json")),
        (
            SOUNDS,
            "ForSequenceClassification",
            lambda f: (f / "preprocessor_config.json").unlink(),
            (FieldError, "no preprocessor_config.json"),
        ),
        (SOUNDS, "ForSequenceClassification", _other_extractor, (RefusedError, "16000 samples")),
        (SOUNDS, "ForSequenceClassification", _other_network, (RefusedError, "says nothing of")),
        (SOUNDS, "ForSequenceClassification", _whispering, (RefusedError, "WhisperFeature")),
    ],
)
def test_a_folder_that_cannot_be_served_says_why(
    tmp_path: Path,
    task: str,
    head: str,
    spoil: Any,  # noqa: ANN401
    refusal: tuple[type[MaasError], str],
) -> None:
    error, said = refusal
    labels = LABELS if head == "ForSequenceClassification" else ()
    folder = make_sound_folder(tmp_path / "words", head, labels=labels)
    spoil(folder)
    with pytest.raises(error, match=said):
        import_model(folder, tmp_path / "bundles", Wishes(task=task))
    assert not [*(tmp_path / "bundles").glob("*/*")]
