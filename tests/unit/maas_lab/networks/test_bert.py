"""BERT: from scratch and from a checkpoint's files, as a classifier and as vectors."""

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import safetensors.torch
import torch
from support.networks import (
    LENGTHS,
    VOCABULARY,
    check_all_parts_learn,
    check_graph,
    check_nothing_to_read,
    check_padding,
    close,
    random_rows,
    text_recipe,
)
from torch import Tensor, nn

from maas.errors import FieldError, RefusedError
from maas_lab.networks import build_network
from maas_lab.recipes.data import TextData
from maas_lab.recipes.networks import BertRecipe
from maas_lab.recipes.recipe import CosineTarget, FeatureExtraction, VocabularyRecipe
from maas_lab.recipes.training import TrainingRecipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WIDTH, INNER, POSITIONS = 12, 20, 64
LAYER = {  # of a part of a layer, its output and input
    "attention.self.query": (WIDTH, WIDTH),
    "attention.self.key": (WIDTH, WIDTH),
    "attention.self.value": (WIDTH, WIDTH),
    "attention.output.dense": (WIDTH, WIDTH),
    "attention.output.LayerNorm": (WIDTH,),
    "intermediate.dense": (INNER, WIDTH),
    "output.dense": (WIDTH, INNER),
    "output.LayerNorm": (WIDTH,),
}
DISTIL = {  # what DistilBERT calls these
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": VOCABULARY,
    "max_position_embeddings": POSITIONS,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": INNER,
}
DISTIL_CONFIG: dict[str, Any] = {
    "model_type": "distilbert",
    "vocab_size": VOCABULARY,
    "max_position_embeddings": POSITIONS,
    "dim": WIDTH,
    "n_layers": 2,
    "n_heads": 3,
    "hidden_dim": INNER,
}


def weights() -> dict[str, Tensor]:
    """All tensors of a BERT under their names there."""
    torch.manual_seed(1)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for layer in range(2):
        for part, shape in LAYER.items():
            shapes[f"encoder.layer.{layer}.{part}.weight"] = shape
            shapes[f"encoder.layer.{layer}.{part}.bias"] = shape[:1]
    return {name: torch.randn(shape) * 0.3 for name, shape in shapes.items()}


def distil(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same network as DistilBERT would write it: without vectors of the two texts."""
    positions = tensors["embeddings.position_embeddings.weight"]
    types = tensors["embeddings.token_type_embeddings.weight"]
    found = {"embeddings.position_embeddings.weight": positions + types[0]}
    for name, tensor in tensors.items():
        renamed = name.replace("encoder.layer", "transformer.layer")
        for there, here in DISTIL.items():
            parts = renamed.split(".", 3)
            if parts[0] == "transformer" and parts[3].rpartition(".")[0] == there:
                renamed = ".".join([*parts[:3], here, name.rpartition(".")[2]])
        if "token_type" not in name:
            found.setdefault(renamed, tensor)
    return found


def write(folder: "Path", tensors: dict[str, Tensor], config: dict[str, Any] = CONFIG) -> "Path":
    folder.mkdir(exist_ok=True)
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def checkpoint(tmp_path: "Path") -> "Path":
    return write(tmp_path / "tiny-bert", weights())


def embedding_recipe(name: str = "tiny-bert") -> FeatureExtraction:
    return FeatureExtraction(
        name="tiny",
        seed=1,
        training=TrainingRecipe(),
        data=TextData(source="rows.csv"),
        vocabulary=VocabularyRecipe(kind="checkpoint", max_tokens=POSITIONS),
        network=BertRecipe(checkpoint=name),
        targets=CosineTarget(test_cosine=0.999),
    )


def classifier(checkpoint: "Path", *, load: bool = True, first_layers: int = 0) -> nn.Module:
    torch.manual_seed(0)
    return build_network(
        text_recipe(BertRecipe(checkpoint=checkpoint.name, first_layers=first_layers)),
        vocabulary_size=VOCABULARY,
        checkpoint=checkpoint,
        weights=load,
    ).eval()


def embedder(checkpoint: "Path") -> nn.Module:
    return build_network(
        embedding_recipe(), vocabulary_size=VOCABULARY, checkpoint=checkpoint
    ).eval()


def scratch() -> nn.Module:
    torch.manual_seed(0)
    recipe = text_recipe(BertRecipe(width=WIDTH, layers=2, heads=3, feedforward=INNER))
    return build_network(recipe, vocabulary_size=VOCABULARY).eval()


@pytest.fixture(params=["scratch", "checkpoint", "embedding"])
def network(request: pytest.FixtureRequest, checkpoint: "Path") -> nn.Module:
    builders: dict[str, Callable[[], nn.Module]] = {
        "scratch": scratch,
        "checkpoint": lambda: classifier(checkpoint),
        "embedding": lambda: embedder(checkpoint),
    }
    return builders[request.param]()


# ---- The network --------------------------------------------------------------------------------


def test_logits_have_the_promised_shape_and_type() -> None:
    logits = scratch()(*random_rows())

    assert logits.shape == (len(LENGTHS), 3)
    assert logits.dtype == torch.float32


def test_vectors_have_the_length_of_one(checkpoint: "Path") -> None:
    vectors = embedder(checkpoint)(*random_rows((5, 1, 12)))

    assert vectors.shape == (3, WIDTH)
    close(vectors.norm(dim=1), torch.ones(3))


def test_a_row_has_the_same_answer_alone_and_padded_in_a_batch(network: nn.Module) -> None:
    check_padding(network)


def test_a_row_of_padding_alone_has_a_finite_modest_answer(network: nn.Module) -> None:
    check_nothing_to_read(network)


def test_all_parts_learn(checkpoint: "Path") -> None:
    check_all_parts_learn(scratch(), *random_rows())
    check_all_parts_learn(classifier(checkpoint), *random_rows())


def test_the_order_of_the_words_matters(network: nn.Module) -> None:
    ids = torch.tensor([[7, 8, 9]])
    mask = torch.ones_like(ids)

    assert not torch.allclose(network(ids, mask), network(ids.flip(1), mask), atol=1e-6)


def test_a_seed_gives_one_network(checkpoint: "Path") -> None:
    rows = random_rows()

    assert torch.equal(scratch()(*rows), scratch()(*rows))
    assert torch.equal(classifier(checkpoint)(*rows), classifier(checkpoint)(*rows))


@pytest.mark.filterwarnings("ignore")
def test_the_graph_answers_what_the_network_answers(network: nn.Module, tmp_path: "Path") -> None:
    others = [random_rows(lengths) for lengths in ((1,), (3, 20, 0), (64,))]

    check_graph(network, random_rows((7, 4)), others, tmp_path / "model.onnx")


# ---- The files of a checkpoint ------------------------------------------------------------------


def renamed(tensors: dict[str, Tensor], *, prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def old_norms(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """As the first versions of the library called the weights of norms."""
    kinds = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    found = {}
    for name, tensor in tensors.items():
        last = ".".join(name.split(".")[-2:])
        found[name.removesuffix(last) + kinds.get(last, last)] = tensor
    return found


FORMS: "dict[str, tuple[Callable[[dict[str, Tensor]], dict[str, Tensor]], dict[str, Any]]]" = {
    "of a task": (lambda tensors: renamed(tensors, prefix="bert."), CONFIG),
    "old norms": (old_norms, CONFIG),
    "other heads": (
        lambda tensors: {
            **tensors,
            "pooler.dense.weight": torch.ones(WIDTH, WIDTH),
            "cls.predictions.bias": torch.ones(VOCABULARY),
            "embeddings.position_ids": torch.arange(POSITIONS).unsqueeze(0),
        },
        CONFIG,
    ),
    "distilbert": (distil, DISTIL_CONFIG),
    "distilbert of a task": (
        lambda tensors: {
            **renamed(distil(tensors), prefix="distilbert."),
            "pre_classifier.weight": torch.ones(WIDTH, WIDTH),
            "vocab_layer_norm.bias": torch.ones(WIDTH),
        },
        DISTIL_CONFIG,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_weights_in_another_form_give_the_same_vectors(
    checkpoint: "Path", tmp_path: "Path", form: str
) -> None:
    change, config = FORMS[form]
    other = write(tmp_path / "other", change(weights()), config)
    rows = random_rows()

    close(embedder(other)(*rows), embedder(checkpoint)(*rows), within=1e-6)


def test_half_precision_is_read_as_single(tmp_path: "Path") -> None:
    halves = {name: tensor.half() for name, tensor in weights().items()}

    network = embedder(write(tmp_path / "half", halves))

    assert {weight.dtype for weight in network.parameters()} == {torch.float32}


def test_the_vector_of_the_first_text_is_added_to_each_token(checkpoint: "Path") -> None:
    tensors = weights()

    positions = embedder(checkpoint).get_parameter("encoder.positions.weight")

    types = tensors["embeddings.token_type_embeddings.weight"]
    close(positions, tensors["embeddings.position_embeddings.weight"] + types[0])


def test_a_classifier_may_keep_the_first_layers_alone(checkpoint: "Path", tmp_path: "Path") -> None:
    # Given a checkpoint that never had the second layer
    first = {name: tensor for name, tensor in weights().items() if "layer.1" not in name}
    shorter = write(tmp_path / "shorter", first, {**CONFIG, "num_hidden_layers": 1})
    rows = random_rows()

    kept = classifier(checkpoint, first_layers=1)

    close(kept(*rows), classifier(shorter)(*rows))
    # A run knows its layers without the checkpoint's weights
    assert (
        kept.state_dict().keys()
        == classifier(checkpoint, first_layers=1, load=False).state_dict().keys()
    )


def test_layers_that_there_are_not_are_refused(checkpoint: "Path") -> None:
    with pytest.raises(FieldError, match="has 2 layers") as refused:
        classifier(checkpoint, first_layers=3)
    assert refused.value.field == "network.first_layers"

    with pytest.raises(ValueError, match="`checkpoint` where"):
        BertRecipe(first_layers=1)


def test_vectors_are_those_of_all_layers(checkpoint: "Path") -> None:
    recipe = embedding_recipe()
    network = msgspec.structs.replace(recipe.network, first_layers=1)

    with pytest.raises(FieldError, match="all layers"):
        build_network(msgspec.structs.replace(recipe, network=network), checkpoint=checkpoint)


KEY = "encoder.layer.1.attention.self.key.weight"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({KEY: None}, r"lacks layers\.1\.attention\.key\.weight\."),
        ({KEY: torch.ones(3, 3)}, r"of another shape layers\.1\.attention\.key\.weight\."),
        ({"encoder.layer.2.output.dense.bias": torch.ones(WIDTH)}, r"unknown layers\.2\.outer"),
        ({"encoder.layer.0.adapter.weight": torch.ones(2)}, r"unknown layers\.0\.adapter\.weight"),
        ({"lonely": torch.ones(2)}, r"unknown lonely\."),
        (dict.fromkeys(list(weights())[:5]), r"lacks norm\.bias, norm\.weight, positions.*, …\."),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    tmp_path: "Path", change: dict[str, Tensor | None], reason: str
) -> None:
    changed = {**weights(), **change}
    kept = {name: tensor for name, tensor in changed.items() if tensor is not None}
    folder = write(tmp_path / "wrong", kept)

    with pytest.raises(RefusedError, match=reason):
        embedder(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "roberta"}, "'roberta'"),
        ({"hidden_act": "gelu_new"}, "'gelu_new'.*hidden_act"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"is_decoder": True}, "is_decoder"),
        ({"num_attention_heads": 5}, "multiple of the heads"),
        ({"num_hidden_layers": 1000}, "num_hidden_layers"),
        ({"vocab_size": "many"}, "vocab_size"),
    ],
)
def test_another_architecture_is_refused(
    tmp_path: "Path", change: dict[str, object], reason: str
) -> None:
    folder = write(tmp_path / "other", weights(), {**CONFIG, **change})

    with pytest.raises(RefusedError, match=reason):
        embedder(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"rubbish"])
def test_a_file_that_is_missing_or_broken_is_refused(
    checkpoint: "Path", name: str, content: bytes | None
) -> None:
    if content is None:
        (checkpoint / name).unlink()
    else:
        (checkpoint / name).write_bytes(content)

    with pytest.raises(RefusedError, match=name):
        embedder(checkpoint)


def test_a_run_with_weights_of_its_own_needs_no_more_than_the_sizes(checkpoint: "Path") -> None:
    expected = classifier(checkpoint)
    (checkpoint / "model.safetensors").unlink()

    network = classifier(checkpoint, load=False)
    network.load_state_dict(expected.state_dict())

    rows = random_rows()
    assert torch.equal(network(*rows), expected(*rows))


def test_a_checkpoint_that_is_not_at_hand_is_told() -> None:
    with pytest.raises(RefusedError, match="tiny-bert is not at hand"):
        build_network(embedding_recipe(), vocabulary_size=VOCABULARY)


def test_vectors_from_fresh_weights_are_refused() -> None:
    with pytest.raises(FieldError, match="need trained weights"):
        build_network(embedding_recipe(""), vocabulary_size=VOCABULARY)


def test_more_tokens_than_the_checkpoint_reads_are_refused(checkpoint: "Path") -> None:
    recipe = text_recipe(BertRecipe(checkpoint="tiny-bert"), max_tokens=POSITIONS + 1)

    with pytest.raises(FieldError, match="reads 64 tokens at the most"):
        build_network(recipe, vocabulary_size=VOCABULARY, checkpoint=checkpoint)


def test_more_ids_than_the_checkpoint_knows_are_refused(checkpoint: "Path") -> None:
    recipe = text_recipe(BertRecipe(checkpoint="tiny-bert"))

    with pytest.raises(RefusedError, match="51 ids and the checkpoint 50"):
        build_network(recipe, vocabulary_size=VOCABULARY + 1, checkpoint=checkpoint)
