"""What `maas train` says of the recipes that there are, for people and for machines.

Imports the lab and rich's tables.
"""

from typing import TYPE_CHECKING

from rich.console import Group

from maas_lab.output import View, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas_lab.recipe_shelf import ShelvedRecipe

_HINT = """
maas train NAME            with --data FILE on rows of your own; minutes are those of two CPU cores
maas train NAME --smoke    at toy size, in seconds
maas new NAME --task TASK  a folder with a recipe, a reader of your rows and a test"""


def shelf_view(shelf: "Sequence[ShelvedRecipe]") -> View:
    """One line for each recipe."""
    rows = []
    data = []
    for shelved in shelf:
        recipe = shelved.recipe
        rows.append(
            (
                shelved.name,
                recipe.task,
                shelved.architecture,
                recipe.data.source,
                f"{recipe.minutes:g}" if recipe.minutes else "not measured",
                ", ".join(f"{metric} {value:g}" for metric, value in shelved.target.items()),
            )
        )
        data.append(
            {
                "name": shelved.name,
                "file": str(shelved.path),
                "model": recipe.name,
                "task": recipe.task,
                "architecture": shelved.architecture,
                "data": recipe.data.source,
                "minutes": recipe.minutes or None,
                "target": shelved.target,
            }
        )
    columns = ("recipe", "task", "architecture", "data", "minutes", "target")
    return View({"recipes": data}, Group(table(*columns, rows=rows), _HINT))
