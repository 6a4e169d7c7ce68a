"""The recipes that ship with the software: what there is, and which file a name means.

Imports `maas.errors` and `maas_lab.recipes.recipe`. They lie in scripts/recipes of the checkout;
those whose name ends in `-base` are of the size that a GPU is for:

    find_recipe("sentiment-lstm")                # scripts/recipes/sentiment-lstm.toml
    find_recipe("mine/stars.toml")               # that file
    [shelved.name for shelved in read_shelf()]
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from maas.errors import FieldError
from maas_lab.recipes.data import is_known_set
from maas_lab.recipes.recipe import load_recipe

if TYPE_CHECKING:
    from maas_lab.recipes.recipe import AnyRecipe

SHELF = Path(__file__).parents[2] / "recipes"
_LARGE = "-base"
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class ShelvedRecipe:
    """A recipe and the name that it is asked for by.

    Attributes:
        name: The file's, without its ending.
        path: The file.
        recipe: What it says.
    """

    name: str
    path: Path
    recipe: "AnyRecipe"

    @property
    def large(self) -> bool:
        """Whether it is of the size that a GPU is for."""
        return self.name.endswith(_LARGE)

    @property
    def complete(self) -> bool:
        """Whether it says where its rows come from, or waits for rows of the user's."""
        return is_known_set(self.recipe.data.source)

    @property
    def architecture(self) -> str:
        """Such as `bilstm`."""
        return str(self.recipe.network.__struct_config__.tag)

    @property
    def target(self) -> dict[str, float]:
        """Metric to the figure that is to be reached, such as accuracy to 0.76."""
        targets: dict[str, float] = msgspec.structs.asdict(self.recipe.targets)
        return {name.removeprefix("test_"): value for name, value in targets.items()}


def read_shelf(folder: Path = SHELF) -> list[ShelvedRecipe]:
    """All recipes of a folder, by name.

    Raises:
        FieldError: One of them is not acceptable.
    """
    return [
        ShelvedRecipe(path.stem, path, load_recipe(path)) for path in sorted(folder.glob("*.toml"))
    ]


def find_recipe(reference: str, folder: Path = SHELF) -> Path:
    """The file that is meant by a recipe's name or its path.

    Raises:
        FieldError: It looks like a name, and there is no such recipe; the message names those that
            there are.
    """
    if not _NAME.fullmatch(reference):
        return Path(reference)
    path = folder / f"{reference}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.toml"))) or "none"
        raise FieldError(
            f"No recipe is called {reference}. There are: {known}. A file of your own is given by"
            f" its path, such as {reference}.toml.",
            field="recipe",
        )
    return path
