"""The kinds of model that are served: a tiny one of each, how it is asked, what it answers.

@pytest.mark.parametrize("kind", KINDS)
home = home_of_kind(tmp_path, kind, versions=2)
client.post(home.path, json=KINDS[kind].body)          # a good request
check_kind(kind, home.bundle, response.json())         # by numpy or Python alone
home = home_of_kind(tmp_path, kind, hazards=True)      # which KINDS[kind].hazards make fail
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec import structs
from PIL import Image
from support.task_bundles import TaskHome, home_with
from support.tiny import FOREVER_WORD, NAN_WORD, Home, make_bundle, register_bundle
from support.tiny_audio import TOO_LOUD, heard, make_sounds, make_speech, noise, spoken
from support.tiny_embedding import make_embedding
from support.tiny_generator import make_generator
from support.tiny_image import (
    HEIGHT,
    LABELS,
    WIDTH,
    encoded,
    in_base64,
    make_image,
    picture,
    png,
)
from support.tiny_pairs import make_question, make_zero_shot
from support.tiny_table import TABLE, make_table
from support.tiny_tokens import make_tokens
from support.tiny_writer import make_writer
from support.wav import wav

from maas.limits import LIMITS
from maas.registry.addresses import ByNumber

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

TEXT = "a good film"
CONTEXT = "a gripping story told with wit"
TOPICS = {"candidate_labels": ["fine", "dull"], "hypothesis_template": "the {} film"}
LEVELS = picture(7)
MOST = 4
"""Tokens that a good request lets a model write, so that one which never ends is as quick."""
# As much as may be asked: the most texts, beams and tokens, and as many pixels in all
LONGEST = {"generate_parameters": {"num_beams": LIMITS.beams, "max_new_tokens": LIMITS.new_tokens}}
LARGE = Image.new("RGB", (LIMITS.request_pixels // LIMITS.images // 1_024, 1_024))
SOUND = wav(noise(7))
SAID = "all good"
SPEECH = wav(spoken(SAID))
SILENCE, LOUD = wav(np.zeros(400)), wav([TOO_LOUD] * 400, bits=32, floats=True)
WHITE = Image.new("RGB", (WIDTH, HEIGHT), "white")
NO_NUMBER, TOO_LONG = (500, "model_output_invalid"), (504, "deadline_exceeded")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of model.

    Attributes:
        make: Makes a tiny one's bundle.
        body: A good request.
        wanted: What a bundle's model must answer to it.
        hazards: What it fails on that was made with `hazards`: bodies, each with what it is
            answered where there is a moment, but not much more.
    """

    make: "Callable[..., Any]"
    body: dict[str, Any]
    wanted: "Callable[[Any], Any]"
    hazards: "tuple[tuple[dict[str, Any], tuple[int, str]], ...]"


def _scored(labels: "Sequence[str]", logits: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    powers = np.exp(np.asarray(logits, dtype=np.float64))
    scores = zip(labels, (powers / powers.sum()).tolist(), strict=True)
    return [
        {"label": label, "score": score}
        for label, score in sorted(scores, key=lambda each: -each[1])
    ]


def _fitting(bundle: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    labels = TOPICS["candidate_labels"]
    logits = [bundle.logits(TEXT, f"the {label} film")[-1] for label in labels]
    return _scored(labels, logits)


def _writes(task: str, key: str) -> Kind:
    how = {"generate_parameters": {"max_new_tokens": MOST}}
    return Kind(
        partial(make_writer, task=task),
        {"inputs": TEXT, "parameters": how},
        lambda bundle: [{key: bundle.write(TEXT, most=MOST)}],
        (
            ({"inputs": [TEXT, NAN_WORD]}, NO_NUMBER),
            ({"inputs": [TEXT] * LIMITS.texts, "parameters": LONGEST}, TOO_LONG),
        ),
    )


_OF_TEXTS = (
    ({"inputs": [TEXT, NAN_WORD]}, NO_NUMBER),
    ({"inputs": [TEXT, FOREVER_WORD]}, TOO_LONG),
)
_OF_CLIPS = (
    ({"inputs": [in_base64(SOUND), in_base64(SILENCE)]}, NO_NUMBER),
    ({"inputs": in_base64(LOUD)}, TOO_LONG),
)


KINDS = {
    "text-classification": Kind(
        make_bundle,
        {"inputs": TEXT},
        lambda bundle: [_scored(bundle.manifest.labels, bundle.logits([TEXT])[0])],
        _OF_TEXTS,
    ),
    "image-classification": Kind(
        make_image,
        {"inputs": in_base64(png(LEVELS))},
        lambda bundle: _scored(LABELS, bundle.logits(LEVELS)),
        (
            ({"inputs": in_base64(encoded(WHITE))}, NO_NUMBER),
            ({"inputs": [in_base64(encoded(LARGE))] * LIMITS.images}, TOO_LONG),
        ),
    ),
    "audio-classification": Kind(
        make_sounds,
        {"inputs": in_base64(SOUND)},
        lambda bundle: _scored(bundle.manifest.labels, bundle.logits(heard(SOUND))),
        _OF_CLIPS,
    ),
    "automatic-speech-recognition": Kind(
        make_speech,
        {"inputs": in_base64(SPEECH), "parameters": {"return_timestamps": "word"}},
        lambda bundle: bundle.written(heard(SPEECH)),
        _OF_CLIPS,
    ),
    "token-classification": Kind(
        make_tokens,
        {"inputs": TEXT, "parameters": {"ignore_labels": []}},
        lambda bundle: bundle.tokens(TEXT),
        _OF_TEXTS,
    ),
    "zero-shot-classification": Kind(
        make_zero_shot,
        {"inputs": TEXT, "parameters": TOPICS},
        _fitting,
        (
            ({"inputs": [TEXT, NAN_WORD], "parameters": TOPICS}, NO_NUMBER),
            ({"inputs": [TEXT, FOREVER_WORD], "parameters": TOPICS}, TOO_LONG),
        ),
    ),
    "question-answering": Kind(
        make_question,
        {"inputs": {"question": TEXT, "context": CONTEXT}},
        lambda bundle: bundle.answer(TEXT, CONTEXT),
        (
            ({"inputs": {"question": TEXT, "context": NAN_WORD}}, NO_NUMBER),
            ({"inputs": {"question": FOREVER_WORD, "context": TEXT}}, TOO_LONG),
        ),
    ),
    "feature-extraction": Kind(
        make_embedding,
        {"inputs": TEXT},
        lambda bundle: bundle.vectors([TEXT]).tolist(),
        _OF_TEXTS,
    ),
    "translation": _writes("translation", "translation_text"),
    "summarization": _writes("summarization", "summary_text"),
    "text-generation": Kind(
        make_generator,
        {"inputs": TEXT, "parameters": {"max_new_tokens": MOST}},
        lambda bundle: [{"generated_text": bundle.goes_on(TEXT, most=MOST)}],
        _OF_TEXTS,
    ),
    "tabular-classification": Kind(
        make_table,
        {"table": TABLE},
        lambda bundle: bundle.best([[41, 0, 7.25], [17, 2, 71.3]]),
        (),  # a table's graph has no loop, and its cells are refused where a float cannot hold them
    ),
}
"""By the name that a manifest gives it."""
OTHERS = tuple(KINDS)[1:]
"""All but text classification."""


def home_of_kind(path: "Path", kind: str, **options: Any) -> TaskHome:  # noqa: ANN401
    """A home of one model; options are `home_with`'s."""
    return home_with(path, KINDS[kind].make, **options)


def beside(home: Home, *kinds: str) -> Home:
    """A home with a tiny model of each of these kinds beside its own; it serves them all."""
    with home.registry() as registry:
        for kind in kinds:
            bundle = KINDS[kind].make(home.settings.bundles)
            register_bundle(registry, bundle)
            registry.promote(bundle.manifest.name, ByNumber(1))
    return replace(home, settings=structs.replace(home.settings, model=None))


def check_kind(kind: str, bundle: Any, answer: object) -> None:  # noqa: ANN401
    """Hold an answer to the good request against what this bundle's model must answer."""
    wanted = dict(_leaves(KINDS[kind].wanted(bundle)))
    assert dict(_leaves(answer)) == pytest.approx(wanted, abs=2e-6)


def _leaves(value: object, place: str = "") -> "list[tuple[str, object]]":
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for at, each in parts for leaf in _leaves(each, f"{place}/{at}")]
    return [(place, value)]
