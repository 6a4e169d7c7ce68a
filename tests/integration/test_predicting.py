"""`maas predict` for each task: in this process, and by asking a server."""

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.task_bundles import TaskHome, home_with, serving
from support.tiny_audio import make_sounds, make_speech, spoken
from support.tiny_embedding import make_embedding
from support.tiny_image import LABELS, make_image, picture, png
from support.tiny_writer import make_writer
from support.wav import wav

from maas.errors import FieldError, MaasError
from maas.observe import Observer
from maas_lab.predicting import Prediction, predict_here, predict_there
from maas_lab.views.serving import prediction_view

TEXTS = ["a fine film", "bad"]


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    """The command is quiet below errors, and so would be every test after these."""
    Observer("INFO", metrics=False)
    yield
    logging.getLogger("maas").setLevel("INFO")


def both(home: TaskHome, inputs: list[str], *, top_k: int | None = None) -> Prediction:
    """The answer of this process and of a server, which must be the same."""
    name = home.bundle.manifest.name
    here = predict_here(home.settings, name, None, inputs, top_k=top_k)
    with serving(home) as url:
        there = predict_there(url, name, None, inputs, top_k=top_k)
    assert here == there
    assert (here.version, here.digest) == (1, home.bundle.digest)
    assert here.task == home.bundle.manifest.task
    return here


def shown(inputs: list[str], answer: Prediction) -> str:
    console = Console(width=240, file=io.StringIO())
    console.print(prediction_view(inputs, answer).text)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("task", ["translation", "summarization"])
def test_texts_are_written(tmp_path: Path, task: str) -> None:
    home = home_with(tmp_path, make_writer, seed=3, task=task)
    answer = both(home, TEXTS * 20)
    key = {"translation": "translation_text", "summarization": "summary_text"}[task]
    assert answer.rows == [{key: home.bundle.write(text)} for text in TEXTS] * 20
    lines = shown(TEXTS * 20, answer).splitlines()
    assert lines[0].split() == ["version", "1", "text"]
    assert home.bundle.write(TEXTS[0]) in lines[1]


def test_vectors_are_shown_by_their_first_numbers(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_embedding, seed=3)
    answer = both(home, TEXTS)
    assert np.allclose(answer.rows, home.bundle.vectors(TEXTS), atol=1e-6)
    text = shown(TEXTS, answer)
    assert text.count("… (8 numbers, length 1.000)") == 2
    assert f"{answer.rows[0][0]:.4f}" in text


@pytest.mark.parametrize("top_k", [None, 2])
def test_images_are_files(tmp_path: Path, top_k: int | None) -> None:
    home = home_with(tmp_path / "home", make_image, seed=3)
    names = [str(tmp_path / f"{seed}.png") for seed in range(2)]
    for seed, name in enumerate(names):
        Path(name).write_bytes(png(picture(seed)))
    answer = both(home, names, top_k=top_k)
    for seed, row in enumerate(answer.rows):
        assert len(row) == (top_k or len(LABELS))
        label, score = home.bundle.best(picture(seed))
        assert row[0] == {"label": label, "score": pytest.approx(score, abs=2e-6)}
        assert f"{label} {score:.3f}" in shown(names, answer)


def test_clips_are_files(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(spoken("a film")))
    names = [str(tmp_path / "a.wav")] * 2
    speech = both(home_with(tmp_path / "speech", make_speech), names)
    assert speech.rows == [{"text": "a film"}] * 2
    assert shown(names, speech).count("a film") == 2
    sounds = both(home_with(tmp_path / "sounds", make_sounds), names, top_k=1)
    ((best,), _) = sounds.rows
    assert f"{best['label']} {best['score']:.3f}" in shown(names, sounds)


@pytest.mark.parametrize(
    ("make", "inputs", "top_k", "field"),
    [
        (make_image, ["/nowhere/1.png"], None, "/nowhere/1.png"),
        (make_image, ["a\0b"], None, "a\0b"),
        (make_image, [__file__], None, "inputs"),
        (make_sounds, [__file__], None, "inputs"),
        (make_speech, [__file__], 1, "top-k"),
        (make_writer, TEXTS, 1, "top-k"),
        (make_embedding, TEXTS, 1, "top-k"),
        (make_embedding, [" "], None, "inputs"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    tmp_path: Path,
    make: Callable[..., Any],
    inputs: list[str],
    top_k: int | None,
    field: str,
) -> None:
    home = home_with(tmp_path, make)
    with pytest.raises(MaasError) as refused:
        predict_here(home.settings, home.bundle.manifest.name, None, inputs, top_k=top_k)
    assert (refused.value.field, refused.value.exit_code) == (field, 2)


def test_a_model_that_is_not_there_is_none(tmp_path: Path) -> None:
    home = home_with(tmp_path, make_writer)
    with pytest.raises(MaasError, match="No model") as refused:
        predict_here(home.settings, "other", None, TEXTS, top_k=None)
    assert (refused.value.exit_code, FieldError.exit_code) == (3, 2)
