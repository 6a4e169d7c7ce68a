"""What differs from task to task while a model is trained: rows, loss, figures, baselines.

Imports `maas_lab.recipe` and the modules of this room:

    task = open_task(recipe, cache=settings.cache, say=display.say)
    task.recipe.data.labels                       # as the rows turned out to have them
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from maas_lab.recipe import (
    FeatureExtraction,
    ImageClassification,
    Summarization,
    TextClassification,
    Translation,
)
from maas_lab.tasks.embedding import open_embedding
from maas_lab.tasks.pictures import open_pictures
from maas_lab.tasks.texts import open_texts
from maas_lab.tasks.writing import open_writing

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.recipe import AnyRecipe
    from maas_lab.tasks.task import Opener, Task

# In code, never by a name that data brings.
_OPENERS: "dict[type, Opener]" = {
    TextClassification: open_texts,
    ImageClassification: open_pictures,
    Translation: open_writing,
    Summarization: open_writing,
    FeatureExtraction: open_embedding,
}


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
    return _OPENERS[type(recipe)](recipe, cache=cache, say=say)
