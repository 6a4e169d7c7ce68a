"""The same recipe at toy size: every step from rows to answers in seconds, for figures of no use.

Imports msgspec and the lab's recipes. The task, the architecture, the loss and the kind of
vocabulary stay; so does the model's name, which is why its run is another one only by its digest.
A classifier that begins with a checkpoint begins with fresh weights, a model that is nothing but a
checkpoint stays one and looks at fewer and shorter rows:

    recipe = smoke_variant(load_recipe(path))
    train(recipe, home=settings.home, cache=settings.cache)
"""

from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from maas_lab.recipes.data import is_known_set
from maas_lab.recipes.networks import BertRecipe
from maas_lab.recipes.recipe import FeatureExtraction, TextClassification

if TYPE_CHECKING:
    from maas_lab.recipes.data import DataRecipe
    from maas_lab.recipes.recipe import AnyRecipe

NOTE = "A smoke run at toy size: it shows that every step works, and its figures mean nothing."
_ROWS = 384
_ROWS_OF_CHECKPOINTS = 32  # whose sizes cannot shrink
_TOKENS, _TOKENS_OF_CHECKPOINTS = 64, 16
_TEST_ROWS = 64
_SHARE = 0.01
_MOST: dict[str, int] = {
    "embedding": 16,
    "hidden": 16,
    "width": 16,
    "heads": 2,
    "layers": 1,
    "decoder_layers": 1,
    "feedforward": 32,
    "channels": 8,
}
"""What the sizes of a network shrink to; a checkpoint's cannot."""

Section = TypeVar("Section", bound=Struct)


def smoke_variant(recipe: "AnyRecipe") -> "AnyRecipe":
    """Shrink a recipe until it takes seconds; its target is then one that is always met."""
    if isinstance(recipe, TextClassification) and isinstance(recipe.network, BertRecipe):
        vocabulary = recipe.vocabulary
        kind = "words" if vocabulary.kind == "checkpoint" else vocabulary.kind
        recipe = replace(
            recipe,
            network=replace(recipe.network, checkpoint="", first_layers=0),
            vocabulary=replace(vocabulary, kind=kind),
        )
    large = isinstance(recipe, FeatureExtraction)
    shrunk = replace(
        recipe,
        note=NOTE,
        minutes=0.0,
        data=_shrunk_rows(recipe.data, _ROWS_OF_CHECKPOINTS if large else _ROWS),
        network=recipe.network if large else _at_most(recipe.network, _MOST),
        training=replace(
            recipe.training,
            batch_size=min(32, recipe.training.batch_size),
            batch_tokens=min(1024, recipe.training.batch_tokens),
            accumulate=1,
            max_epochs=1,
            precision="fp32",
            compile=False,
            threads=1,
        ),
        targets=replace(recipe.targets, **dict.fromkeys(recipe.targets.__struct_fields__, 0.0)),
    )
    sections = {
        "vocabulary": {"size": 400, "max_tokens": _TOKENS_OF_CHECKPOINTS if large else _TOKENS},
        "decoding": {"max_new_tokens": 16, "beams": 2},
    }
    for name, most in sections.items():
        if name in recipe.__struct_fields__:
            shrunk = replace(shrunk, **{name: _at_most(getattr(recipe, name), most)})
    return shrunk


def _shrunk_rows(data: "DataRecipe", rows: int) -> "DataRecipe":
    """Few rows to train on, and few to choose by and to test with.

    Only the data sets that we know are surely large: the rows of a user's own file are shared as
    the recipe says, because a small share of few rows lacks a label.
    """
    changes: dict[str, object] = {"train_rows": data.train_rows or rows}
    if hasattr(data, "test_rows"):
        changes["test_rows"] = data.test_rows or _TEST_ROWS
    for name in ("validation", "test"):
        if hasattr(data, name) and is_known_set(data.source):
            changes[name] = min(_SHARE, getattr(data, name))
    return replace(data, **changes)


def _at_most(section: Section, most: dict[str, int]) -> Section:
    """A section with sizes that are at most so large; lists of sizes keep their length."""
    changes: dict[str, object] = {}
    for name, value in msgspec.structs.asdict(section).items():
        if name in most:
            least = most[name]
            changes[name] = (
                tuple(min(each, least) for each in value)
                if isinstance(value, tuple)
                else min(value, least)
            )
    return replace(section, **changes)
