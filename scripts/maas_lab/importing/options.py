"""Which options an import's task takes: another one is refused by its name, and never ignored.

Imports `maas`.

    check_options(Wishes(task="tensor", size=(224, 224)))       # FieldError: size
"""

from typing import get_args

from maas.bundle.manifest import TaskName
from maas.bundle.task_rules import (
    BARE,
    CLASSIFYING,
    LISTENING,
    LOOKING,
    TABULAR,
    TEXTLESS,
    TRANSCRIBING,
)
from maas.errors import FieldError
from maas_lab.importing.wishes import Wishes

_PICTURES = (LOOKING, "reads pictures: --task image-classification")
_SOUNDS = (LISTENING, "listens, such as --task audio-classification")
_READING = frozenset(get_args(TaskName)) - TEXTLESS
_TEXTS = "reads texts, such as --task text-classification"
_TAKEN_BY = {
    "size": _PICTURES,
    "mean": _PICTURES,
    "std": _PICTURES,
    "rate": _SOUNDS,
    "seconds": _SOUNDS,
    "normalise": _SOUNDS,
    "columns": (TABULAR, "reads tables: --task tabular-classification"),
    "tokenizer": (_READING | TRANSCRIBING, _TEXTS),
    "max_tokens": (_READING, _TEXTS),
    "labels": (CLASSIFYING | BARE, "answers labels, such as --task text-classification"),
    "examples": (BARE, "takes a graph as it is, such as --task tensor"),
}
_OPTIONS = {"max_tokens": "max-tokens", "examples": "example"}
_NOTHING = Wishes()


def check_options(wishes: Wishes) -> None:
    """Hold what was said against the task.

    Raises:
        FieldError: An option is for another task.
    """
    for name, (tasks, said) in _TAKEN_BY.items():
        given = getattr(wishes, name) != getattr(_NOTHING, name)
        if given and wishes.task not in tasks:
            raise FieldError(
                f"is for a task that {said}; this one is {wishes.task}",
                field=_OPTIONS.get(name, name),
            )
