"""A model that goes on with texts, asked by tensors: whole texts, or one step after the other."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_generator import (
    MAX_TOKENS,
    WORDS,
    TinyGenerator,
    make_generator,
    read,
)

from maas.bundle.verify import verify_bundle
from maas.errors import FieldError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.tasks.task import Tensors
from maas.tasks.tensors import strings

TEXTS = ("a fine film", "bad")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyGenerator:
    return make_generator(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def tensors(bundle: TinyGenerator) -> Tensors:
    return load_version(verify_bundle(bundle.folder), threads=1).task.tensors


def ask(tensors: Tensors, **feeds: Any) -> Any:  # noqa: ANN401
    return tensors.infer(feeds, deadline=time.monotonic() + 5)


def step(ids: list[int], past: dict[str, Any] | None = None) -> dict[str, Any]:
    """The tensors of one step after those that were kept."""
    none = np.zeros((1, 1, 0, len(WORDS)), dtype=np.float32)
    kept = past or {f"past_key_values.0.{part}": none for part in ("key", "value")}
    total = kept["past_key_values.0.key"].shape[2] + len(ids)
    return {
        "input_ids": np.array([ids], dtype=np.int64),
        "attention_mask": np.ones((1, total), dtype=np.int64),
        **kept,
    }


def test_a_text_is_gone_on_with(tensors: Tensors, bundle: TinyGenerator) -> None:
    answer = ask(tensors, text=strings([text.encode() for text in TEXTS], (2,)))
    assert answer.outputs["text"].tolist() == [bundle.goes_on(text) for text in TEXTS]
    assert answer.counts.texts == 2
    assert answer.tokens == tuple(len(read(text)) + len(bundle.ids(text)) for text in TEXTS)


def test_who_keeps_what_was_answered_takes_the_same_steps(
    tensors: Tensors, bundle: TinyGenerator
) -> None:
    new, past, written = read(TEXTS[0]), None, []
    for _ in range(5):
        answer = ask(tensors, **step(new, past)).outputs
        written.append(int(answer["logits"][0, -1].argmax()))
        past = {
            name.replace("present", "past_key_values"): array
            for name, array in answer.items()
            if name.startswith("present")
        }
        new = written[-1:]
    assert written == bundle.ids(TEXTS[0])[:5]


@pytest.mark.parametrize(
    ("feeds", "field"),
    [
        ({"text": strings([b" "], (1,))}, "text"),
        ({"text": strings([b"a"] * (LIMITS.prompts + 1), (LIMITS.prompts + 1,))}, "text"),
        ({"text": strings([b"a"], (1,)), "input_ids": np.zeros((1, 1), dtype=np.int64)}, "text"),
        (step([len(WORDS)]), "input_ids"),
        (step([-1]), "input_ids"),
        (step([1] * (MAX_TOKENS + 1)), "input_ids"),
        (step([1]) | {"attention_mask": np.ones((1, MAX_TOKENS + 1), np.int64)}, "attention_mask"),
        (step([1]) | {"attention_mask": np.zeros((1, 1), np.int64)}, "attention_mask"),
        ({"input_ids": np.ones((1, 1), dtype=np.int64)}, "attention_mask"),
    ],
)
def test_what_is_not_acceptable_is_refused_by_its_name(
    tensors: Tensors, feeds: dict[str, Any], field: str
) -> None:
    with pytest.raises(FieldError) as refused:
        tensors.infer(feeds, deadline=math.inf)
    assert refused.value.field == field


def test_what_can_be_asked_is_said(tensors: Tensors, tmp_path: Path) -> None:
    assert [spec.name for spec in tensors.inputs][:3] == ["text", "input_ids", "attention_mask"]
    assert [spec.name for spec in tensors.outputs][:2] == ["text", "logits"]
    made = make_generator(tmp_path, positions=True)
    task = load_version(verify_bundle(made.folder), threads=1).task
    assert "position_ids" in [spec.name for spec in task.tensors.inputs]
