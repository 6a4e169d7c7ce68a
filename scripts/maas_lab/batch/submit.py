"""One job for one content: the same code, recipe, seed and rows are never trained twice at a time.

Imports the lab. SubmitJob has no token that makes it idempotent, so that the job's name is one: it
follows from what is packed, and is looked for before and after:

    upload_archive(bucket, archive, now=utc_now(), console=console)
    submission = submit_job(cloud, training, recipe, archive)
    submission.job, submission.found          # whether it was there already
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from maas_lab.packing.byte_bar import byte_bar

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from maas_lab.batch.archive import Archive
    from maas_lab.batch.aws import ListedJob, TrainingCloud
    from maas_lab.batch.bucket import Bucket
    from maas_lab.batch.resources import TrainingResources
    from maas_lab.recipes.recipe import Recipe

FRESH = timedelta(days=7)
"""An older archive is uploaded again, so that it outlives the job: infra/training.yaml lets one
expire after 60 days, and ends a job's ten attempts after 5 days each."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that is on its way, or was.

    Attributes:
        job: Batch's id.
        name: The name that follows from its content.
        found: Whether it was there already.
    """

    job: str
    name: str
    found: bool


def job_name(recipe: "Recipe", archive: "Archive", *, several: bool = False) -> str:
    """The name of a job, such as `sentiment-s1-3f2a9c01d4e5f607`; its run is kept under it, too.

    Args:
        recipe: What is trained.
        archive: What was packed; it holds the recipe.
        several: On several machines at once, which adds its numbers up in another order.
    """
    nodes = "-nodes" if several else ""
    return f"{recipe.name}-s{recipe.seed}-{archive.sha256[:16]}{nodes}"


def archive_key(sha256: str) -> str:
    """Where a packed job lies in the bucket."""
    return f"code/{sha256}.tar.gz"


def upload_archive(
    bucket: "Bucket", archive: "Archive", *, now: "datetime", console: "Console"
) -> bool:
    """Bring a packed job into the bucket, unless it is there; whether it had to be.

    Args:
        bucket: Where to.
        archive: What was packed.
        now: The time.
        console: Where progress is shown.
    """
    key = archive_key(archive.sha256)
    stored = bucket.find(key)
    if stored is not None and now - stored.modified < FRESH:
        return False
    with byte_bar(console, "uploading the job", archive.size) as advance:
        bucket.upload(key, archive.file, advance=advance)
    return True


def find_job(cloud: "TrainingCloud", training: "TrainingResources", name: str) -> str | None:
    """The job to follow instead of submitting one: the oldest that may still run."""
    return next((job.id for job in _active(cloud, training, name)), None)


def submit_job(
    cloud: "TrainingCloud", training: "TrainingResources", name: str, archive: "Archive"
) -> Submission:
    """Submit a job; where two did that at the same time, both follow the older one.

    Args:
        cloud: Where to.
        training: What the stack made.
        name: See `job_name`.
        archive: What was packed and uploaded.
    """
    found = find_job(cloud, training, name)
    if found is not None:
        return Submission(found, name, found=True)
    job = cloud.submit(
        queue=training.queue,
        definition=training.definition,
        name=name,
        parameters={"job": name, "code": archive.sha256},
    )
    first = next(iter(_active(cloud, training, name)), None)
    if first is None or first.id == job:  # the list may lag behind
        return Submission(job, name, found=False)
    cloud.stop(job, f"{first.id} was submitted for the same content before it")
    return Submission(first.id, name, found=True)


def _active(cloud: "TrainingCloud", training: "TrainingResources", name: str) -> "list[ListedJob]":
    return [job for job in cloud.jobs(training.queue, name) if job.active]
