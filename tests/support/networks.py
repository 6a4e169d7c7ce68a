"""What every network has to hold, as checks that take any of them."""

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from maas_lab.recipes.data import ImageData, TextData
from maas_lab.recipes.recipe import (
    ImageClassification,
    Targets,
    TextClassification,
    VocabularyRecipe,
)
from maas_lab.recipes.training import TrainingRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from maas_lab.recipes.networks import NetworkRecipe

VOCABULARY = 50
LABELS = ("bad", "fair", "good")
LENGTHS = (5, 1, 12, 0, 3)


def text_recipe(network: "NetworkRecipe", *, max_tokens: int = 64) -> TextClassification:
    """A recipe of three classes around a network."""
    return TextClassification(
        name="tiny",
        seed=1,
        training=TrainingRecipe(),
        data=TextData(source="rows.csv", labels=LABELS),
        vocabulary=VocabularyRecipe(size=VOCABULARY, max_tokens=max_tokens),
        network=network,  # type: ignore[arg-type]  # any of them
        targets=Targets(test_accuracy=0.0),
    )


def image_recipe(network: "NetworkRecipe") -> ImageClassification:
    """The same for pictures."""
    return ImageClassification(
        name="tiny",
        seed=1,
        training=TrainingRecipe(),
        data=ImageData(source="digits", labels=LABELS),
        network=network,  # type: ignore[arg-type]  # any of them
        targets=Targets(test_accuracy=0.0),
    )


def random_rows(lengths: tuple[int, ...] = LENGTHS) -> tuple[Tensor, Tensor]:
    """Token ids and their mask, int64 `[rows, sequence]`."""
    ids = torch.randint(1, VOCABULARY, (len(lengths), max(lengths)))
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)).long()
    return ids * mask, mask


def close(left: Tensor, right: Tensor, *, within: float = 1e-5) -> None:
    """Compare two tensors."""
    torch.testing.assert_close(left, right, atol=within, rtol=0)


def check_padding(network: nn.Module) -> None:
    """A row answers the same alone and in a batch, whatever stands in its padding."""
    ids, mask = random_rows()
    together = network(ids, mask)
    for row, length in enumerate(LENGTHS):
        one, width = slice(row, row + 1), max(1, length)
        close(together[one], network(ids[one, :width], mask[one, :width]))
    close(network(torch.where(mask == 1, ids, torch.full_like(ids, 42)), mask), together)


def check_nothing_to_read(network: nn.Module) -> None:
    """Rows of padding alone have finite, modest answers."""
    empty = torch.zeros(2, 4, dtype=torch.int64)
    answers = network(empty, empty)
    assert torch.isfinite(answers).all()
    assert answers.abs().max() < 10


def check_all_parts_learn(network: nn.Module, *inputs: Tensor) -> None:
    """Every weight has a gradient, and no weight's is 0 throughout."""
    network.train()
    network(*inputs).logsumexp(1).sum().backward()
    idle = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]
    assert idle == []


def check_graph(
    network: nn.Module,
    traced: tuple[Tensor, ...],
    others: "Sequence[tuple[Tensor, ...]]",
    path: "Path",
) -> None:
    """The exported graph answers what torch answers, on rows of other shapes than it was traced."""
    names = [f"input_{at}" for at in range(len(traced))]
    free = {0: "batch"} if traced[0].is_floating_point() else {0: "batch", 1: "sequence"}
    torch.onnx.export(
        network,
        traced,
        path,
        dynamo=False,
        opset_version=20,
        input_names=names,
        output_names=["answers"],
        dynamic_axes={**dict.fromkeys(names, free), "answers": {0: "batch"}},
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for inputs in (traced, *others):
        feeds = {name: part.numpy() for name, part in zip(names, inputs, strict=True)}
        (answers,) = session.run(None, feeds)
        with torch.inference_mode():
            expected = network(*inputs).numpy()
        np.testing.assert_allclose(answers, expected, atol=1e-5, rtol=0)
