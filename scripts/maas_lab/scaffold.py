"""A folder for a new model: a recipe, a reader of raw rows, rows, and a test that all of it works.

Imports `maas` and the lab's `scaffolds`, which hold what is copied:

    made = make_model("stars", task="text-classification", folder=Path())
    made.recipe                                   # stars/stars.toml

What is copied runs at once, on a made-up example; the owner then changes it.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maas.errors import ConflictError
from maas.registry.addresses import parse_model
from maas_lab.files import write_file
from maas_lab.scaffolds.classify import rows as classify
from maas_lab.scaffolds.embed import rows as embed
from maas_lab.scaffolds.picture import rows as picture
from maas_lab.scaffolds.summarize import rows as summarize
from maas_lab.scaffolds.translate import rows as translate

Task = Literal[
    "text-classification",
    "image-classification",
    "translation",
    "summarization",
    "feature-extraction",
]

# In code, never by a name that data brings.
_WRITERS: dict[Task, Callable[[Path], Path]] = {
    "text-classification": classify.write_rows,
    "image-classification": picture.write_rows,
    "translation": translate.write_rows,
    "summarization": summarize.write_rows,
    "feature-extraction": embed.write_rows,
}
_FOLDERS: dict[Task, Path] = {
    task: Path(writer.__code__.co_filename).parent for task, writer in _WRITERS.items()
}
_TEST = Path(__file__).parent / "scaffolds" / "test_example.py"
_EXAMPLE = "example"


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A new folder.

    Attributes:
        folder: It.
        recipe: The recipe in it.
        test: The test in it.
        files: All that lies in it, each with what it is.
    """

    folder: Path
    recipe: Path
    test: Path
    files: dict[Path, str]

    @property
    def width(self) -> int:
        """Of the longest file name (characters)."""
        return max(len(file.name) for file in self.files)


def make_model(name: str, *, task: Task, folder: Path) -> MadeModel:
    """Make the folder of a new model.

    Args:
        name: The model's.
        task: What it is for.
        folder: Where its folder goes.

    Raises:
        FieldError: No model may have this name.
        ConflictError: There is something of this name already; it is left as it is.
    """
    made = folder / parse_model(name)
    try:
        made.mkdir(parents=True)
    except FileExistsError:
        raise ConflictError(
            f"{made} is there already and stays as it is. Take another name, or --folder."
        ) from None
    recipe, reader, test = made / f"{name}.toml", made / "rows.py", made / f"test_{name}.py"
    source = _FOLDERS[task]
    write_file(recipe, _named(source / "recipe.toml", name))
    shutil.copyfile(source / "rows.py", reader)
    write_file(test, _named(_TEST, name))
    rows = _WRITERS[task](made)
    files = {
        recipe: "the recipe; its note is the card's text",
        reader: "turns raw files into rows; change read_rows",
        rows: "made by it, so far made up",
        test: "rows, splits, and every step at toy size",
    }
    return MadeModel(made, recipe, test, files)


def _named(template: Path, name: str) -> bytes:
    """A file that speaks of this model, without what only our own checks need."""
    text = re.sub(r"^# ruff: .*\n", "", template.read_text(encoding="utf-8"), flags=re.M)
    return re.sub(rf"\b(test_)?{_EXAMPLE}\b", rf"\g<1>{name}", text).encode()
