"""The finished run of a job, brought home: into MAAS_HOME/runs, whole or not at all.

Imports rich through the lab. The run is put together beside its place, and what a fetch that was
cut has brought already is not fetched again:

    run = fetch_run(store, home=settings.home, console=console)
"""

from typing import TYPE_CHECKING

from maas.errors import ConflictError, RefusedError
from maas_lab.batch.transfers import holds
from maas_lab.files import lock_folder, replace_folder
from maas_lab.packing.byte_bar import byte_bar
from maas_lab.runs import Run

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from maas_lab.batch.manifest import RunManifest
    from maas_lab.batch.store import RunStore


def fetch_run(store: "RunStore", *, home: "Path", console: "Console") -> Run:
    """Fetch a finished run; an unfinished one of the same name here gives way to it.

    Args:
        store: Where it is.
        home: The folder that holds `runs`.
        console: Where progress is shown.

    Returns:
        The run, the newest one of this machine.

    Raises:
        RefusedError: The job has stored no finished run, or what it stored is damaged.
        ConflictError: A finished run of this name is here and differs; or it is being trained here.
        TryAgainError: It did not come as a whole; the next try goes on from what came.
    """
    manifest = store.read()
    if manifest is None or not manifest.finished:
        raise RefusedError("The bucket holds no finished run of this job.")
    run = Run(home / "runs" / manifest.run)
    with lock_folder(run.folder):
        if not _is_here(run, manifest):
            if run.finished:
                raise ConflictError(
                    f"Run {run.name} is finished here already, with other content. Move"
                    f" {run.folder} away to fetch the one of the job."
                )
            beside = run.folder.with_name(f".{run.name}.fetched")
            with byte_bar(console, f"fetching {run.name}", manifest.size) as advance:
                store.get(manifest, beside, advance=advance)
            _drop_others(beside, manifest)
            replace_folder(run.folder, beside)
        run.summary_file.touch()  # the newest run is the one that was asked for last
    return run


def _is_here(run: Run, manifest: "RunManifest") -> bool:
    """Whether all of it is here; what was exported since lies beside it and does not count."""
    return all(holds(run.folder / file.path, file) for file in manifest.files)


def _drop_others(folder: "Path", manifest: "RunManifest") -> None:
    """Take away what a former fetch of an older manifest has left."""
    wanted = {folder / file.path for file in manifest.files}
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
