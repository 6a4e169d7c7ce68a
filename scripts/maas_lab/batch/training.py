"""`maas train RECIPE --on batch`: pack, submit or attach, follow, fetch.

Imports rich and the lab. The same call again goes on from wherever the last one was: it attaches to
a job that runs, submits one that failed again, and fetches one that is done:

    target = TrainingTarget(region="eu-central-1")
    run = train_on_batch(recipe, settings=settings, target=target, console=output.progress)
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from maas.assembly import utc_now
from maas.errors import RefusedError, SettingsError, TryAgainError
from maas_lab.aws import open_cloud
from maas_lab.batch.archive import pack
from maas_lab.batch.aws import open_bucket, open_training_cloud
from maas_lab.batch.fetch import fetch_run
from maas_lab.batch.logs import Pace, follow_job
from maas_lab.batch.resources import find_training
from maas_lab.batch.store import RunStore
from maas_lab.batch.submit import find_job, job_name, submit_job, upload_archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rich.console import Console

    from maas.settings import Settings
    from maas_lab.aws import Cloud
    from maas_lab.batch.aws import TrainingCloud
    from maas_lab.batch.bucket import Bucket
    from maas_lab.batch.logs import Ended
    from maas_lab.batch.resources import TrainingResources, TrainingTarget
    from maas_lab.recipes.recipe import Recipe
    from maas_lab.runs import Run

TRY_AGAIN = 5
"""What a job ends with that is worth another try; infra/training.yaml retries it by itself."""
_HOST = "Host EC2"
"""How Batch's reason begins where a machine was taken away."""


@dataclass(frozen=True, slots=True)
class BatchTools:
    """What training on Batch works with.

    Attributes:
        open_cloud: Makes the clients that read stacks, for a region.
        open_training: Makes those of Batch and of its logs.
        open_bucket: Makes S3's, by a bucket's name and region.
        now: The time.
        pace: How often to look at a job.
    """

    open_cloud: "Callable[[str], Cloud]" = open_cloud
    open_training: "Callable[[str], TrainingCloud]" = open_training_cloud
    open_bucket: "Callable[[str, str], Bucket]" = open_bucket
    now: "Callable[[], datetime]" = utc_now
    pace: Pace = field(default_factory=Pace)


def train_on_batch(
    recipe: "Recipe",
    *,
    settings: "Settings",
    target: "TrainingTarget",
    console: "Console",
    tools: BatchTools | None = None,
) -> "Run":
    """Train a recipe on AWS Batch, and bring the finished run home.

    Args:
        recipe: What to train, as `load_recipe` gives it.
        settings: Where runs are kept.
        target: Where to train.
        console: Where progress, states and the job's log are shown.
        tools: What to work with; by default AWS.

    Returns:
        The finished run in MAAS_HOME/runs, the newest one.

    Raises:
        RefusedError: The job failed; the message ends with its last lines. Or AWS or a rule of ours
            refused something.
        TryAgainError: AWS is away or too busy, or the job ended with that and its attempts are used
            up. What was trained stays; the same call goes on.
        NotFoundError: There is no such stack.
        ConflictError: A finished run of the same name is here and differs.
        SettingsError: No region is known, or AWS does not take the credentials.
        KeyboardInterrupt: After saying how to attach again; the job goes on.
    """
    if not target.region:
        raise SettingsError(
            "No region is known: name it with --region, or set AWS_REGION.", field="--region"
        )
    tools = tools or BatchTools()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    training = find_training(tools.open_cloud(target.region), target)
    cloud = tools.open_training(target.region)
    bucket = tools.open_bucket(training.bucket, target.region)
    with tempfile.TemporaryDirectory(prefix="maas-job-") as folder:
        archive = pack(recipe, Path(folder) / "job.tar.gz")
        name = job_name(recipe, archive, several=target.several)
        store = RunStore(bucket, name, sleep=tools.pace.sleep)
        job = find_job(cloud, training, name)
        if job is None:
            stored = store.read()
            if stored is not None and stored.finished:
                say(f"Job {name} is finished already.")
                return fetch_run(store, home=settings.home, console=console)
            upload_archive(bucket, archive, now=tools.now(), console=console)
            submission = submit_job(cloud, training, name, archive)
            job = submission.job
            say(f"{'Attached to' if submission.found else 'Submitted'} job {name} ({job})")
        else:
            say(f"Attached to job {name} ({job})")
    ended = _follow(cloud, job, training, say, tools.pace)
    _require_success(name, ended)
    return fetch_run(store, home=settings.home, console=console)


def _follow(
    cloud: "TrainingCloud",
    job: str,
    training: "TrainingResources",
    say: "Callable[[str], None]",
    pace: Pace,
) -> "Ended":
    goes_on = (
        f"Job {job} goes on. The same command attaches to it again; to end it: aws batch"
        f" terminate-job --job-id {job} --reason stopped"
    )
    try:
        return follow_job(cloud, job, log_group=training.log_group, say=say, pace=pace)
    except KeyboardInterrupt:
        say(goes_on)
        raise
    except TryAgainError as error:
        raise TryAgainError(f"{error} {goes_on}") from error


def _require_success(name: str, ended: "Ended") -> None:
    """Raise what a failed job means to whoever waits for it."""
    state = ended.state
    if state.status == "SUCCEEDED":
        return
    last = state.attempts[-1] if state.attempts else None
    reason = (last and last.reason) or state.reason or "AWS Batch gives no reason"
    code = last.exit_code if last else None
    said = (f"exit code {code}, {reason}" if code is not None else reason).rstrip(".")
    if code == TRY_AGAIN or (code is None and reason.startswith(_HOST)):
        raise TryAgainError(
            f"Job {name} was interrupted {len(state.attempts)} times and its attempts are used up"
            f" ({said}). Run the same command again; it goes on from its last checkpoint."
        )
    error = f" {ended.error}" if ended.error else ""
    lines = "".join(f"\n  {line}" for line in ended.lines)
    last_lines = f"\nThe last lines of its log:{lines}" if lines else ""
    raise RefusedError(f"Job {name} failed: {said}.{error}{last_lines}")
