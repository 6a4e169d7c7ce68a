"""Run folders of every task, with networks of random weights: all that an export looks at.

run = make_run(tmp_path, "translation")
"""

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import torch

from maas.text.tokenizer import load_tokenizer
from maas_lab.checkpoint import save_best
from maas_lab.networks import build_network
from maas_lab.recipes.recipe import (
    AnyRecipe,
    ImageClassification,
    Seq2SeqRecipe,
    decode_recipe,
)
from maas_lab.records import DataCard, Duplicates, Summary, VectorScores, encode_record
from maas_lab.runs import PairRow, PictureRow, Run, TestRow, TextRow
from maas_lab.vocabulary import train_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ("red", "blue", "green", "old", "new", "house", "river", "bridge", "tree", "stone")
_NETWORKS: dict[str, dict[str, object]] = {
    "bilstm": {"embedding": 12, "hidden": 6},
    "gru": {"embedding": 12, "hidden": 6},
    "transformer": {"width": 16, "layers": 2, "heads": 2, "feedforward": 24},
    "bert": {"width": 16, "layers": 2, "heads": 2, "feedforward": 24},
    "mlp": {"hidden": [16]},
    "cnn": {"channels": [4, 6], "hidden": 12},
    "seq2seq-rnn": {"embedding": 16, "hidden": 12, "layers": 1},
    "seq2seq-transformer": {
        **{"width": 16, "heads": 2, "layers": 1, "decoder_layers": 2, "feedforward": 24},
        "copy": True,
    },
}
_SUMMARY = Summary(
    metric="cosine",
    test=VectorScores(rows=1, cosine=1.0, mean_cosine=1.0, reference="made"),
    validation=VectorScores(rows=1, cosine=1.0, mean_cosine=1.0, reference="made"),
    baselines={},
    target=0.0,
    target_met=True,
    best_epoch=1,
    epochs=1,
    steps=1,
    parameters=1,
    vocabulary=1,
    seconds=0.0,
)


def make_run(folder: "Path", task: str, architecture: str, *, rows: int = 16) -> Run:
    """A run of a task whose network has learned nothing."""
    recipe = decode_recipe(msgspec.json.encode(_recipe(task, architecture)))
    run = Run(folder / "run")
    run.checkpoints.mkdir(parents=True)
    run.recipe_file.write_bytes(recipe.encode())
    kept = _rows(task, rows)
    run.test_file.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in kept))
    run.data_file.write_bytes(encode_record(_card(recipe)))
    run.summary_file.write_bytes(encode_record(_SUMMARY))
    size = 0
    if not isinstance(recipe, ImageClassification):
        special: Any = "seq2seq" if isinstance(recipe, Seq2SeqRecipe) else "classify"
        content = train_vocabulary(list(WORDS) * 2, recipe.vocabulary, special=special)
        run.tokenizer_file.write_bytes(content)
        size = load_tokenizer(run.tokenizer_file, max_tokens=16).vocabulary_size
    torch.manual_seed(3)
    network = build_network(recipe, vocabulary_size=size, image=(1, 8, 8))
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1:
                weight.mul_(2.0)
    save_best(run, cast("Any", SimpleNamespace(kept=network)))
    return run


def _recipe(task: str, architecture: str) -> dict[str, object]:
    targets = {"translation": {"test_bleu": 1.0}, "summarization": {"test_rouge_l": 1.0}}
    recipe: dict[str, object] = {
        "name": "made",
        "task": task,
        "seed": 1,
        "data": {"source": "made.csv"},
        "training": {},
        "network": {"architecture": architecture, **_NETWORKS[architecture]},
        "targets": targets.get(task, {"test_accuracy": 0.5}),
    }
    if task == "image-classification":
        recipe["data"] = {"source": "made.csv", "labels": ["a", "b"]}
        return recipe
    if task == "text-classification":
        recipe["data"] = {"source": "made.csv", "labels": ["a", "b"]}
    else:
        recipe["decoding"] = {"max_new_tokens": 6, "beams": 3, "length_penalty": 1.2}
    recipe["vocabulary"] = {"size": 40, "max_tokens": 16}
    return recipe


def _rows(task: str, count: int) -> list[TestRow]:
    rng = random.Random(5)
    numbers = np.random.default_rng(5)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(count)]
    if task == "text-classification":
        return [TextRow(text, "ab"[at % 2]) for at, text in enumerate(texts)]
    if task == "image-classification":
        pictures = numbers.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
        return [
            PictureRow((8, 8, 1), one.tobytes(), "ab"[at % 2]) for at, one in enumerate(pictures)
        ]
    return [PairRow(text, text.upper()) for text in texts]


def _card(recipe: AnyRecipe) -> DataCard:
    return DataCard(
        source="made.csv",
        title="Made up",
        licence="none",
        citation="",
        digest="sha256:00",
        labels=list(getattr(recipe.data, "labels", ())),
        rows=1,
        counts={},
        duplicates=Duplicates(repeated=[], conflicting=[]),
        reasons={},
        unusable=[],
    )
