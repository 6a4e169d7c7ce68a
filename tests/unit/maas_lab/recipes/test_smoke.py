"""The smoke variant: small in every size, and otherwise the same recipe."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from support.recipes import GOOD, NETWORKS, PAIRS, VECTORS, with_network, written

from maas_lab.recipes.networks import BertRecipe
from maas_lab.recipes.recipe import TextClassification, Translation, load_recipe
from maas_lab.recipes.smoke import NOTE, smoke_variant

if TYPE_CHECKING:
    from maas_lab.recipes.recipe import AnyRecipe


def sizes(recipe: "AnyRecipe") -> list[int]:
    """All sizes of a network."""
    kept = msgspec.to_builtins(recipe.network)
    numbers = [
        each for value in kept.values() for each in (value if type(value) is tuple else [value])
    ]
    return [number for number in numbers if type(number) is int]


@pytest.mark.parametrize(("section", "text"), NETWORKS.items())
def test_every_architecture_has_a_small_variant_of_the_same_kind(
    tmp_path: Path, section: str, text: str
) -> None:
    recipe = load_recipe(written(tmp_path, with_network(section, text)))

    small = smoke_variant(recipe)

    assert type(small) is type(recipe)
    assert type(small.network) is type(recipe.network)
    assert (small.name, small.seed) == (recipe.name, recipe.seed)
    assert small.training.max_epochs == 1
    assert small.note == NOTE
    assert 0 < small.data.train_rows < 1000
    assert set(msgspec.to_builtins(small.targets).values()) <= {0.0, recipe.task}
    if not getattr(small.network, "checkpoint", ""):
        assert max(sizes(small), default=0) <= 32
    msgspec.convert(msgspec.to_builtins(small), type(small))  # and it is a recipe, by all rules


def test_a_classifier_begins_with_fresh_weights(tmp_path: Path) -> None:
    section = 'architecture = "bert"\ncheckpoint = "all-minilm-l6-v2"\nfirst_layers = 3'
    text = with_network(section, GOOD).replace("size = 10_000", 'kind = "checkpoint"')
    text = re.sub(r"word_dropout = .*", "", text)

    small = smoke_variant(load_recipe(written(tmp_path, text)))

    assert isinstance(small, TextClassification)
    assert isinstance(small.network, BertRecipe)
    assert small.network.checkpoint == ""
    assert small.vocabulary.kind == "words"


def test_a_model_that_is_a_checkpoint_stays_one(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, VECTORS))

    assert isinstance(recipe.network, BertRecipe)
    assert smoke_variant(recipe).network == recipe.network


def test_answers_are_short(tmp_path: Path) -> None:
    small = smoke_variant(load_recipe(written(tmp_path, PAIRS)))

    assert isinstance(small, Translation)
    assert (small.decoding.max_new_tokens, small.decoding.beams) == (16, 2)
    assert small.vocabulary.kind == "subwords"


def test_what_is_small_already_stays(tmp_path: Path) -> None:
    text = GOOD.replace("hidden = 64", "hidden = 5").replace("size = 10_000", "size = 50")
    small = smoke_variant(load_recipe(written(tmp_path, text)))

    assert isinstance(small, TextClassification)
    assert small.network.hidden == 5  # type: ignore[union-attr]
    assert small.vocabulary.size == 50


def test_rows_of_ones_own_are_shared_as_the_recipe_says(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)

    assert smoke_variant(load_recipe(path)).data.validation == 0.01
    assert smoke_variant(load_recipe(path, data=tmp_path / "mine.csv")).data.validation == 0.1
