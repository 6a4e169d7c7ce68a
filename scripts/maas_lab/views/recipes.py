"""What `maas train` and `maas new` say of recipes, for people and for machines.

Imports the lab and rich's tables.
"""

import shlex
from typing import TYPE_CHECKING

from rich.console import Group

from maas_lab.data.known_sets import about_set
from maas_lab.output import View, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas_lab.recipes.shelf import ShelvedRecipe
    from maas_lab.scaffold import MadeModel

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
        size = about_set(recipe.data.source).rows if shelved.complete else None
        rows.append(
            (
                shelved.name,
                recipe.task,
                shelved.architecture,
                recipe.data.source if shelved.complete else "--data FILE",
                f"{size:,}" if size else "",
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
                "data": recipe.data.source if shelved.complete else None,
                "rows": size,
                "minutes": recipe.minutes or None,
                "target": shelved.target,
            }
        )
    columns = ("recipe", "task", "architecture", "data", "rows", "minutes", "target")
    return View({"recipes": data}, Group(table(*columns, rows=rows), _HINT))


def made_view(made: "MadeModel") -> View:
    """What lies in a new folder, and what to do next."""
    folder, recipe = shlex.quote(str(made.folder)), shlex.quote(str(made.recipe))
    lines = [f"made {folder}"]
    lines += [f"  {file.name:<{made.width}} {what}" for file, what in made.files.items()]
    lines += [
        "Next; all of it runs as it is, on a made-up example:",
        f"  pytest {shlex.quote(str(made.test))}",
        f"  python {folder}/rows.py    after you have changed it to read your rows",
        f"  maas train {recipe}",
        "  maas export && maas bundle && maas register",
    ]
    data: dict[str, object] = {
        "folder": str(made.folder),
        "recipe": str(made.recipe),
        "test": str(made.test),
        "files": [str(file) for file in made.files],
    }
    return View(data, "\n".join(lines))
