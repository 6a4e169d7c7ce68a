"""Which subject a recipe makes. Imports the recipes and the subjects.

subject = open_subject(run)
"""

from typing import TYPE_CHECKING

from maas_lab.exporting.vectors import PictureNumbers, TextNumbers
from maas_lab.exporting.writers import WriterSubject
from maas_lab.recipes.recipe import (
    FeatureExtraction,
    ImageClassification,
    Summarization,
    TextClassification,
    Translation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas_lab.exporting.subject import Subject
    from maas_lab.runs import Run

# In code, never by a name that data brings.
_SUBJECTS: "dict[type, Callable[[Run], Subject]]" = {
    TextClassification: TextNumbers,
    FeatureExtraction: TextNumbers,
    ImageClassification: PictureNumbers,
    Translation: WriterSubject,
    Summarization: WriterSubject,
}


def open_subject(run: "Run") -> "Subject":
    """The trained network of a run, with what its task needs to be exported."""
    return _SUBJECTS[type(run.recipe())](run)
