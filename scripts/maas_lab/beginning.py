"""What a run writes before training: recipe, environment, data card, test rows, vocabulary.

Imports msgspec, `maas.errors` and other modules of the lab:

    with lock_folder(run.folder):
        begin_run(run, task, device="cpu", resume=False, restart=False)
"""

from typing import TYPE_CHECKING

import msgspec

from maas.errors import RefusedError
from maas_lab.environment import describe_environment
from maas_lab.files import drop_folder, write_file
from maas_lab.records import encode_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas_lab.runs import Run
    from maas_lab.tasks.task import Task

_CONFIG = "config.json"


def begin_run(run: "Run", task: "Task", *, device: str, resume: bool, restart: bool) -> None:
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
    makers: dict[Path, Callable[[], bytes | None]] = {
        run.recipe_file: lambda: task.recipe.encode() + b"\n",
        run.environment_file: lambda: encode_record(describe_environment(device)),
        run.data_file: lambda: encode_record(task.dataset.card),
        run.test_file: lambda: _lines(task),
        run.tokenizer_file: task.vocabulary,
    }
    for path, make in makers.items():
        if not path.is_file() and (content := make()) is not None:
            write_file(path, content)
    if task.checkpoint is not None:
        config = run.checkpoint / _CONFIG
        write_file(config, (task.checkpoint / _CONFIG).read_bytes())


def _lines(task: "Task") -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in task.test_rows())
