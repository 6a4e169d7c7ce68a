"""Folders of Hugging Face's: traced and equal to torch, and refused where they could do harm.

The networks are tiny and new; that a trained one keeps its answers is what `proof` says of each.
"""

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transformers
from support.tiny import WORDS, tiny_tokenizer

from maas.bundle.golden import TOLERANCE
from maas.bundle.verify import verify_bundle
from maas.errors import FieldError, MaasError, RefusedError
from maas.loading import load_version
from maas.tasks.classify import ClassifyRequest
from maas.tasks.embed import EmbedRequest
from maas.text.tokenizer import load_tokenizer
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLASSIFY, EMBED = "text-classification", "feature-extraction"
NAMES = {0: "low", 1: "mid", 2: "high"}
TEXTS = ("a good film", "told with warmth and wit", "bad")
_WIDE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
_DEEP = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}
SIZES: dict[str, dict[str, int]] = {
    "Bert": {**_WIDE, "intermediate_size": 32},
    "Roberta": {**_WIDE, "intermediate_size": 32},
    "DistilBert": _DEEP,
}


def make_folder(folder: "Path", kind: str, head: str, **more: Any) -> Any:  # noqa: ANN401
    """A folder as save_pretrained writes it, with the tiny tokenizer; gives the network."""
    torch.manual_seed(7)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(WORDS), max_position_embeddings=48, pad_token_id=0, **SIZES[kind], **more
    )
    network = getattr(transformers, kind + head)(config).eval()
    network.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tiny_tokenizer())
    return network


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> "Path":
    folder = tmp_path_factory.mktemp("bert")
    make_folder(folder, "Bert", "ForSequenceClassification", id2label=NAMES)
    return folder


def ask_torch(network: Any, folder: "Path") -> Any:  # noqa: ANN401
    encoded = load_tokenizer(folder / "tokenizer.json", max_tokens=40).encode(TEXTS)
    with torch.inference_mode():
        return network(
            input_ids=torch.from_numpy(encoded.input_ids),
            attention_mask=torch.from_numpy(encoded.attention_mask),
        ), encoded.attention_mask


@pytest.mark.parametrize("kind", SIZES)
def test_a_classifier_answers_what_torch_does(tmp_path: "Path", kind: str) -> None:
    # Given a folder with a network and its labels
    folder = tmp_path / "mine"
    network = make_folder(folder, kind, "ForSequenceClassification", id2label=NAMES)

    # When it is imported
    done = import_model(folder, tmp_path / "bundles", Wishes(task=CLASSIFY))

    # Then it was compared with torch on enough rows, and its labels and length are the folder's
    manifest = done.made.bundle.manifest
    assert done.exported.proof is not None
    assert done.exported.proof.rows >= 32
    assert done.exported.proof.max_difference <= TOLERANCE
    assert (manifest.name, manifest.labels) == ("mine", tuple(NAMES.values()))
    assert manifest.limits.max_tokens == (46 if kind == "Roberta" else 48)
    assert manifest.metrics["parity_max_difference"] == done.exported.proof.max_difference

    # And what is served says the same
    said, _ = ask_torch(network, folder)
    wanted = said.logits.softmax(dim=1).numpy()
    task = load_version(verify_bundle(done.made.bundle.folder), threads=1).task
    answer = task.predict(ClassifyRequest(TEXTS), deadline=time.monotonic() + 5)
    for row, shares in zip(answer.rows, wanted, strict=True):
        found = {each.label: each.score for each in row}
        assert [found[name] for name in manifest.labels] == pytest.approx(shares, abs=1e-5)


@pytest.mark.parametrize("first", [False, True])
def test_vectors_are_pooled_as_the_folder_says(tmp_path: "Path", first: bool) -> None:
    folder = tmp_path / "mine"
    network = make_folder(folder, "Bert", "Model")
    if first:
        (folder / "1_Pooling").mkdir()
        pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        modules = [{"type": f"sentence_transformers.models.{name}"} for name in
                   ("Transformer", "Pooling", "Normalize")]  # fmt: skip
        (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 24}')

    done = import_model(folder, tmp_path / "bundles", Wishes(task=EMBED))

    assert done.made.bundle.manifest.limits.max_tokens == 24
    said, mask = ask_torch(network, folder)
    states = said.last_hidden_state.numpy()
    means = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    wanted = states[:, 0] if first else means
    wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    task = load_version(verify_bundle(done.made.bundle.folder), threads=1).task
    answer = task.predict(EmbedRequest(TEXTS), deadline=time.monotonic() + 5)
    assert np.allclose(answer.vectors, wanted, atol=1e-5)


def test_several_true_labels_are_told_of(tmp_path: "Path") -> None:
    folder = tmp_path / "mine"
    several = {"problem_type": "multi_label_classification"}
    make_folder(folder, "Bert", "ForSequenceClassification", id2label=NAMES, **several)
    done = import_model(folder, tmp_path / "bundles", Wishes(task=CLASSIFY, labels=("a", "b", "c")))
    assert any("sigmoid" in note for note in done.fitted.notes)
    assert done.made.bundle.manifest.labels == ("a", "b", "c")


def _pickled(folder: "Path") -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _emptied(folder: "Path") -> None:
    (folder / "model.safetensors").unlink()


def _cut(folder: "Path") -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def _unknown(folder: "Path") -> None:
    (folder / "config.json").write_text('{"model_type": "nobody-knows"}')


def _with_code(folder: "Path") -> None:
    (folder / "mine.py").write_text("raise SystemExit('this was run')")
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (folder / "config.json").write_text(json.dumps(config))


def _without(name: str) -> "Callable[[Path], None]":
    return lambda folder: (folder / name).unlink()


def _dense(folder: "Path") -> None:
    modules = [{"type": "sentence_transformers.models.Dense"}]
    (folder / "modules.json").write_text(json.dumps(modules))


def _most(folder: "Path") -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')


@pytest.mark.parametrize(
    ("damage", "task", "refused"),
    [
        (_pickled, CLASSIFY, (RefusedError, "pytorch_model.bin may run code when it is read")),
        (_emptied, CLASSIFY, (RefusedError, "there are no weights")),
        (_cut, CLASSIFY, (RefusedError, "transformers cannot load the folder")),
        (_unknown, CLASSIFY, (RefusedError, "transformers cannot load the folder")),
        (_with_code, CLASSIFY, (RefusedError, "transformers cannot load the folder")),
        (_without("config.json"), CLASSIFY, (FieldError, "has no config.json")),
        (_without("tokenizer.json"), CLASSIFY, (FieldError, "has no tokenizer.json")),
        (_dense, EMBED, (RefusedError, "modules.json names more than")),
        (_most, EMBED, (RefusedError, "asks for pooling_mode_max_tokens")),
        (lambda _: None, "image-classification", (FieldError, "must be one of")),
        (lambda _: None, "tensor", (FieldError, "give the .onnx file in it")),
    ],
)
def test_a_folder_that_is_not_one_is_refused_with_a_remedy(
    bert: "Path",
    tmp_path: "Path",
    damage: "Callable[[Path], None]",
    task: str,
    refused: tuple[type[MaasError], str],
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(bert, folder)
    damage(folder)
    with pytest.raises(refused[0]) as refusal:
        import_model(folder, tmp_path / "bundles", Wishes(task=task))
    assert refused[1] in str(refusal.value)
    assert not (tmp_path / "bundles").exists()


def test_weights_that_would_be_drawn_by_chance_are_refused(tmp_path: "Path") -> None:
    # Given a network that was never tuned to classify
    folder = tmp_path / "mine"
    make_folder(folder, "Bert", "Model")
    with pytest.raises(RefusedError, match=r"The weights lack classifier\.bias"):
        import_model(folder, tmp_path / "bundles", Wishes(task=CLASSIFY))
