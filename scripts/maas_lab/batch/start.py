"""The first process of a machine: fetch code and checkpoints, then start a trainer per GPU.

Imports boto3 through `maas_lab.batch.aws`, and the lab; not torch. It is the entry of the training
image, whose own copy of the code it leaves as soon as it has the job's:

    python -m maas_lab.batch.start --bucket NAME --job NAME --code SHA256 --gpus 1

One trainer is started as it is, several by torchrun, on one machine or many. SIGTERM is handed on;
the exit code is the trainer's, which torchrun itself would hide.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from maas.settings import read_node, read_settings
from maas_lab.batch.archive import unpack
from maas_lab.batch.aws import open_bucket
from maas_lab.batch.store import RunStore
from maas_lab.batch.submit import archive_key
from maas_lab.endings import exit_codes
from maas_lab.files import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from maas.settings import NodeSettings
    from maas_lab.batch.bucket import Bucket

_PORT = 29500
_JOB = "maas_lab.batch.job"


def prepare(bucket: "Bucket", job: str, code: str, *, folder: Path, home: Path) -> None:
    """Put the code, the recipe and what an earlier attempt has stored into their places.

    Args:
        bucket: Where all of it is.
        job: The job's name.
        code: The sha256 of what was packed.
        folder: Where the code goes.
        home: The folder that holds `runs`.

    Raises:
        RefusedError: Something is not what was packed or stored.
        NotFoundError: The packed job is not there, or no more.
        TryAgainError: S3 is away.
    """
    packed = folder.with_name(f"{folder.name}.tar.gz")
    write_file(packed, bucket.read(archive_key(code)))
    unpack(packed, code, folder)
    packed.unlink()
    store = RunStore(bucket, job)
    manifest = store.read()
    if manifest is None:
        _say(f"{job}: beginning")
    else:
        _say(f"{job}: fetching what {manifest.run} had saved")
        store.get(manifest, home / "runs" / manifest.run)


def trainer_command(node: "NodeSettings", gpus: int, arguments: "Sequence[str]") -> list[str]:
    """How the trainers of this machine are started: the only one directly, else by torchrun.

    Args:
        node: What Batch says of this machine.
        gpus: Of this machine; each gets a trainer.
        arguments: Of every trainer.
    """
    if node.nodes * gpus == 1:
        return [sys.executable, "-m", _JOB, *arguments]
    return [
        *(sys.executable, "-m", "torch.distributed.run"),
        *("--nnodes", str(node.nodes), "--node-rank", str(node.node)),
        *("--nproc-per-node", str(gpus)),
        *("--master-addr", node.main_address or "127.0.0.1", "--master-port", str(_PORT)),
        *("-m", _JOB, *arguments),
    ]


def run_trainers(command: "Sequence[str]", folder: Path, ending: Path) -> int:
    """Run the trainers to their end; their exit code.

    Args:
        command: See `trainer_command`.
        folder: Where the packages are; Python looks there first.
        ending: Where a trainer that fails leaves its exit code.
    """
    with subprocess.Popen(command, cwd=folder) as child:  # noqa: S603 - every word is ours

        def hand_on(number: int, _frame: "FrameType | None") -> None:
            child.send_signal(number)

        before = signal.signal(signal.SIGTERM, hand_on)
        try:
            code = child.wait()
        finally:
            signal.signal(signal.SIGTERM, before)
    said = ending.read_text() if code and ending.exists() else ""
    if said.isdigit():
        return int(said)
    return code if code >= 0 else 128 - code  # a signal's number, as shells say it


def main(arguments: "Sequence[str] | None" = None) -> None:
    """Read the command line, fetch, start, wait, and end as the trainers did.

    Raises:
        SystemExit: Always.
    """
    parser = argparse.ArgumentParser(description="Begin a job.", allow_abbrev=False)
    parser.add_argument("--bucket", required=True, metavar="NAME")
    parser.add_argument("--job", required=True, metavar="NAME")
    parser.add_argument("--code", required=True, metavar="SHA256")
    parser.add_argument("--gpus", type=int, default=1, metavar="COUNT")
    given = parser.parse_args(arguments)
    with exit_codes(interrupted=5), tempfile.TemporaryDirectory(prefix="maas-") as place:
        folder, ending = Path(place) / "code", Path(place) / "ending"
        bucket = open_bucket(given.bucket)
        prepare(bucket, given.job, given.code, folder=folder, home=read_settings().home)
        words = ["--bucket", given.bucket, "--job", given.job]
        words += ["--folder", str(folder), "--ending", str(ending)]
        command = trainer_command(read_node(), given.gpus, words)
        sys.exit(run_trainers(command, folder, ending))


def _say(line: str) -> None:
    """Write to the job's log at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
