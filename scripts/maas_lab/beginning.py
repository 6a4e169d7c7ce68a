"""What a run writes before training: recipe, environment, data card, test rows, vocabulary.

Imports msgspec, `maas.errors` and other modules of the lab:

    with lock_folder(run.folder):
        begin_run(run, recipe, dataset, device="cpu", resume=False, restart=False)
"""

from typing import TYPE_CHECKING

import msgspec

from maas.errors import RefusedError
from maas_lab.environment import describe_environment
from maas_lab.files import drop_folder, write_file
from maas_lab.records import encode_record
from maas_lab.runs import Row
from maas_lab.vocabulary import train_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas_lab.data.dataset import Dataset
    from maas_lab.recipe import Recipe
    from maas_lab.runs import Run


def begin_run(
    run: "Run", recipe: "Recipe", dataset: "Dataset", *, device: str, resume: bool, restart: bool
) -> None:
    """Write the files that are not there yet; the caller holds the folder's lock.

    The recipe is written first, because its presence says that the run was begun. Files of an
    earlier beginning stay as they are: the weights belong to that vocabulary.

    Raises:
        RefusedError: The run was begun, and neither `resume` nor `restart` is given.
    """
    if restart:
        drop_folder(run.folder)
    elif run.recipe_file.is_file() and not resume:
        raise RefusedError(
            f"Run {run.name} was begun and is not finished. Go on with it by --resume, or throw "
            "it away and begin again by --restart."
        )
    for leftover in run.folder.rglob(".*.part"):  # of a process that was killed while writing
        leftover.unlink()
    makers: dict[Path, Callable[[], bytes]] = {
        run.recipe_file: lambda: recipe.encode() + b"\n",
        run.environment_file: lambda: encode_record(describe_environment(device)),
        run.data_file: lambda: encode_record(dataset.card),
        run.test_file: lambda: _lines(dataset),
        run.tokenizer_file: lambda: train_vocabulary(
            (sample.text for sample in dataset.train), recipe.vocabulary
        ),
    }
    for path, make in makers.items():
        if not path.is_file():
            write_file(path, make())


def _lines(dataset: "Dataset") -> bytes:
    rows = (Row(sample.text, sample.label) for sample in dataset.test)
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
