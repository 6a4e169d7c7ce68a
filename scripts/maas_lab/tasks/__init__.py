"""What differs from task to task while a model is trained: rows, loss, figures, baselines.

Imports `maas_lab.recipes.recipe` and the modules of this room:

    task = open_task(recipe, cache=settings.cache, say=display.say)
    task.recipe.data.labels                       # as the rows turned out to have them
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from maas_lab.recipes.recipe import FeatureExtraction, ImageClassification, TextClassification

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.recipes.recipe import AnyRecipe
    from maas_lab.tasks.task import Task


def open_task(
    recipe: "AnyRecipe", *, cache: "Path", say: Callable[[str], None] = lambda _: None
) -> "Task":
    """Read the rows of a recipe and say what is to be learned from them.

    Args:
        recipe: What to compute.
        cache: The folder that keeps fetched data sets.
        say: Tells the user about a download.

    Raises:
        FieldError: The rows are not acceptable; the message says what to do.
        TryAgainError: A data set has to be fetched and the registry is away.
        RefusedError: A fetched data set is not the one that was expected.
    """
    # Each imported when it is meant: the libraries of one task are seconds to all others.
    if isinstance(recipe, TextClassification):
        from maas_lab.tasks.texts import open_texts  # noqa: PLC0415

        return open_texts(recipe, cache=cache, say=say)
    if isinstance(recipe, ImageClassification):
        from maas_lab.tasks.pictures import open_pictures  # noqa: PLC0415

        return open_pictures(recipe, cache=cache, say=say)
    if isinstance(recipe, FeatureExtraction):
        from maas_lab.tasks.embedding import open_embedding  # noqa: PLC0415

        return open_embedding(recipe, cache=cache, say=say)
    from maas_lab.tasks.writing import open_writing  # noqa: PLC0415

    return open_writing(recipe, cache=cache, say=say)
