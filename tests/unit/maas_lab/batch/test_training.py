"""`train_on_batch` over stand-ins of AWS: submitted once, followed, attached to, brought home."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.aws_stand_in import RefusalError
from support.batch_stand_in import GROUP, QUEUE, BatchStandIn, step
from support.s3_stand_in import S3StandIn, cut, wrong

from maas.errors import (
    ConflictError,
    MaasError,
    NotFoundError,
    RefusedError,
    SettingsError,
    TryAgainError,
)
from maas.settings import Settings
from maas_lab.batch.logs import Pace, follow_job
from maas_lab.batch.resources import TrainingTarget
from maas_lab.batch.store import RunStore
from maas_lab.batch.training import BatchTools, train_on_batch
from maas_lab.recipes.recipe import AnyRecipe, load_recipe
from maas_lab.runs import Run, list_runs

RECIPES = Path(__file__).parents[4] / "scripts" / "recipes"
HOST = "Host EC2 (instance i-0123456789abcdef0) terminated."
TARGET = TrainingTarget(region="eu-central-1")
LINES = [f"epoch {number}" for number in range(1, 6)]


class Desk:
    """Somebody who trains on Batch, and what they see."""

    def __init__(self, s3: S3StandIn, recipe: AnyRecipe, run: Run, home: Path) -> None:
        self.s3, self.recipe, self.run = s3, recipe, run
        self.aws = BatchStandIn()
        self.settings = Settings.parse({"MAAS_HOME": str(home)})
        self.text = StringIO()
        self.waited: list[float] = []
        self.now = datetime.now(UTC)

    def train(
        self,
        target: TrainingTarget = TARGET,
        *,
        sleep: Callable[[float], None] | None = None,
    ) -> Run:
        tools = BatchTools(
            open_cloud=self.aws.cloud,
            open_training=self.aws.training_cloud,
            open_bucket=lambda _name, _region: self.s3.bucket(),
            now=lambda: self.now,
            pace=Pace(sleep=sleep or self.waited.append),
        )
        return train_on_batch(
            self.recipe,
            settings=self.settings,
            target=target,
            console=Console(file=self.text, width=200),
            tools=tools,
        )

    def finish(self) -> None:
        """What the job stores at its end."""
        (job,) = {job.name for job in self.aws.jobs.values()}
        self.run.summary_file.write_text("{}")
        store = RunStore(self.s3.bucket(), job)
        store.read()
        store.put(self.run)

    def succeed(self) -> None:
        """Let the next job be done, with a run in the bucket."""
        self.aws.script = [
            step("RUNNABLE"),
            step("STARTING"),
            step("RUNNING", "s1", log={"s1": LINES}),
            step("SUCCEEDED", "s1", does=self.finish),
        ]

    def submitted(self) -> int:
        return self.aws.asked.count("SubmitJob")

    @property
    def told(self) -> str:
        return self.text.getvalue()


@pytest.fixture
def desk(s3: S3StandIn, run: Run, tmp_path: Path) -> Desk:
    recipe = load_recipe(RECIPES / "sentiment-lstm.toml", name="tiny", seed=3)
    return Desk(s3, recipe, run, tmp_path / "home")


def test_packed_submitted_followed_and_brought_home(desk: Desk) -> None:
    # Given a job that trains
    desk.succeed()

    # When a recipe is trained on Batch
    run = desk.train()

    # Then the run is here, whole, and the newest one
    assert run.finished
    assert run.folder == desk.settings.home / "runs" / desk.run.name
    assert list_runs(desk.settings.home)[-1] == run
    assert run.metrics_file.read_bytes() == desk.run.metrics_file.read_bytes()
    assert not list(run.folder.parent.glob(".*fetched*"))

    # And the job was told where its code and its checkpoints are
    (job,) = desk.aws.jobs.values()
    (code,) = (key for key in desk.s3.objects if key.startswith("code/"))
    assert job.parameters == {"job": job.name, "code": code[5:-7]}
    assert job.name == f"tiny-s3-{code[5:21]}"

    # And each state and each line of its log was shown once, in order
    shown = [line for line in desk.told.splitlines() if line.startswith(("job ", "  "))]
    assert shown == [
        "job waits for a machine",
        "job has a machine, which fetches the image",
        *(f"  epoch {number}" for number in range(1, 6)),
        "job runs",
        "job is done",
    ]


def test_the_same_again_submits_and_uploads_nothing(desk: Desk) -> None:
    desk.succeed()
    first = desk.train()
    uploaded = len(desk.s3.writes())

    again = desk.train()

    assert again == first
    assert desk.submitted() == 1
    assert len(desk.s3.writes()) == uploaded
    assert "is finished already" in desk.told


def test_a_running_job_is_attached_to(desk: Desk) -> None:
    # Given a training that was left by Ctrl-C, which says how to come back
    def leave(_seconds: float) -> None:
        raise KeyboardInterrupt

    desk.succeed()
    with pytest.raises(KeyboardInterrupt):
        desk.train(sleep=leave)
    assert "goes on. The same command attaches to it again" in desk.told
    assert "terminate-job --job-id job-1" in desk.told
    assert "TerminateJob" not in desk.aws.asked

    # When the same is asked for again
    run = desk.train()

    # Then it is the same job, with its log from the beginning
    assert run.finished
    assert desk.submitted() == 1
    assert "Attached to job" in desk.told
    assert desk.told.count("  epoch 1") == 1


def test_two_who_submit_at_once_follow_one_job(desk: Desk) -> None:
    # Given somebody else whose job the list does not show yet
    desk.succeed()
    first = desk.train()
    (name,) = {job.name for job in desk.aws.jobs.values()}
    desk.s3.objects = {k: v for k, v in desk.s3.objects.items() if k.startswith("code/")}
    desk.aws.jobs.clear()
    desk.succeed()
    desk.aws.hidden = True
    other = desk.aws.put(name, desk.aws.script, created=5)

    # When it shows up only after ours was submitted
    desk.aws.submitted = lambda: setattr(desk.aws, "hidden", False)
    assert desk.train() == first

    # Then ours was taken back, and theirs followed
    assert desk.aws.jobs["job-2"].status == "FAILED"
    assert f"Attached to job {name} ({other})" in desk.told


def test_old_code_in_the_bucket_is_renewed_before_it_expires(desk: Desk) -> None:
    desk.succeed()
    desk.train()
    (code,) = (key for key in desk.s3.objects if key.startswith("code/"))
    desk.aws.jobs.clear()
    desk.s3.objects = {code: desk.s3.objects[code]}

    desk.succeed()
    desk.train()
    assert desk.s3.writes().count(code) == 1

    desk.aws.jobs.clear()
    desk.s3.objects = {code: desk.s3.objects[code]}
    desk.succeed()
    desk.now += timedelta(days=8)
    desk.train()
    assert desk.s3.writes().count(code) == 2


def test_a_job_that_fails_is_refused_with_its_reason_and_its_last_lines(desk: Desk) -> None:
    lines = ["maas: training.learning_rate: lower it", *(f"line {n}" for n in range(31))]
    ended = ("Essential container in task exited", 3, "s1")
    desk.aws.script = [
        step("RUNNING", "s1", log={"s1": lines}),
        step("FAILED", "s1", reason="Essential container in task exited", attempts=[ended]),
    ]
    with pytest.raises(RefusedError) as caught:
        desk.train()
    assert caught.value.exit_code == 3
    first, *rest = str(caught.value).splitlines()
    assert re.fullmatch(
        r"Job tiny-s3-[0-9a-f]{16} failed: exit code 3, Essential container in task exited\."
        r" training\.learning_rate: lower it",
        first,
    )
    assert rest == ["The last lines of its log:", *(f"  line {n}" for n in range(11, 31))]

    # And the same again submits a new job, which goes on from what was stored
    desk.succeed()
    assert desk.train().finished
    assert desk.submitted() == 2


def test_a_spot_interruption_is_shown_and_the_next_attempt_followed(desk: Desk) -> None:
    desk.aws.script = [
        step("RUNNING", "s1", log={"s1": ["epoch 1"]}),
        step("RUNNABLE", attempts=[(HOST, None, "s1")], log={"s1": ["checkpoint"]}),
        step("RUNNING", "s2", attempts=[(HOST, None, "s1")], log={"s2": ["Resuming after step 5"]}),
        step("SUCCEEDED", "s2", attempts=[(HOST, None, "s1"), ("", 0, "s2")], does=desk.finish),
    ]
    assert desk.train().finished
    shown = [line for line in desk.told.splitlines() if line.startswith(("job ", "  ", "attempt"))]
    assert shown == [
        "  epoch 1",
        "job runs",
        "  checkpoint",
        f"attempt 1 ended: {HOST} AWS Batch starts it again, and it goes on from its last"
        " checkpoint.",
        "job waits for a machine",
        "  Resuming after step 5",
        "job runs",
        "job is done",
    ]


@pytest.mark.parametrize("attempt", [(HOST, None, "s1"), ("Essential container exited", 5, "s1")])
def test_a_job_whose_attempts_are_used_up_is_worth_another_try(
    desk: Desk, attempt: tuple[str, int | None, str]
) -> None:
    desk.aws.script = [step("FAILED", reason=attempt[0], attempts=[attempt] * 10)]
    with pytest.raises(TryAgainError, match="interrupted 10 times") as caught:
        desk.train()
    assert caught.value.exit_code == 5


def test_a_job_that_batch_cancels_says_why(desk: Desk) -> None:
    desk.aws.script = [step("FAILED", reason="MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too big")]
    with pytest.raises(RefusedError, match="JOB_RESOURCE_REQUIREMENT - too big"):
        desk.train()


def test_aws_may_be_away_for_a_while(desk: Desk) -> None:
    busy = RefusalError("TooManyRequestsException", "slow down", 429)
    desk.succeed()
    desk.aws.refusals["DescribeJobs"] = [busy] * 5
    desk.aws.refusals["GetLogEvents"] = [None, busy]
    assert desk.train().finished
    assert desk.told.count("AWS is away, looking again") == 6


def test_throttled_for_too_long_is_try_again_and_says_how_to_attach(desk: Desk) -> None:
    desk.succeed()
    throttled = RefusalError("ThrottlingException", "slow down", 400)
    desk.aws.refusals["DescribeJobs"] = [throttled] * 100
    with pytest.raises(TryAgainError, match="attaches to it again") as caught:
        desk.train()
    assert caught.value.exit_code == 5
    assert desk.waited == [5.0] * 5


@pytest.mark.parametrize(
    ("call", "code", "kind"),
    [
        ("ListJobs", "TooManyRequestsException", TryAgainError),
        ("SubmitJob", "ServerException", TryAgainError),
        ("SubmitJob", "ClientException", RefusedError),
        ("DescribeStacks", "AccessDenied", RefusedError),
        ("DescribeStacks", "ExpiredToken", SettingsError),
    ],
)
def test_what_aws_refuses_ends_with_its_exit_code(
    desk: Desk, call: str, code: str, kind: type[MaasError]
) -> None:
    desk.aws.refusals[call] = [RefusalError(code, "Some words.", 400)]
    with pytest.raises(kind):
        desk.train()


def test_a_stack_that_is_not_there_or_is_another_one(desk: Desk) -> None:
    desk.aws.outputs = None
    with pytest.raises(NotFoundError, match=r"no stack maas-training in eu-central-1.*--stack"):
        desk.train()
    desk.aws.outputs = {"Url": "https://x"}
    with pytest.raises(RefusedError, match="no output Bucket"):
        desk.train()
    with pytest.raises(SettingsError, match="--region"):
        desk.train(TrainingTarget(region=""))


def test_several_machines_have_a_queue_of_their_own(desk: Desk) -> None:
    # Given a stack for one machine
    several = TrainingTarget(region="eu-central-1", several=True)
    with pytest.raises(RefusedError, match="NodeCount above 1"):
        desk.train(several)

    # When it has one for several
    assert desk.aws.outputs is not None
    definition = desk.aws.outputs["JobDefinition"].replace(":1", "-nodes:1")
    desk.aws.outputs |= {"NodesQueue": f"{QUEUE}-nodes", "NodesJobDefinition": definition}
    desk.aws.nodes = 4
    desk.succeed()

    # Then the log of the first machine is shown, and the run has a place of its own
    assert desk.train(several).finished
    (job,) = desk.aws.jobs.values()
    assert job.name.endswith("-nodes")
    assert "  epoch 5" in desk.told


def test_what_a_terminal_would_obey_is_not_shown(desk: Desk) -> None:
    job = desk.aws.put(
        "x", [step("FAILED", "s1", reason="\x1b[2Jgone", log={"s1": ["\x1b]0;x\x07a"]})]
    )
    said: list[str] = []
    ended = follow_job(
        desk.aws.training_cloud(),
        job,
        log_group=GROUP,
        say=said.append,
        pace=Pace(sleep=desk.waited.append),
    )
    assert "\x1b" not in "".join(said) + "".join(ended.lines)


# ---- Bringing it home ---------------------------------------------------------------------------


def test_f29_a_fetch_that_fails_leaves_no_run_and_the_next_goes_on(desk: Desk) -> None:
    # Given a run whose last file cannot be fetched
    desk.succeed()
    original = desk.finish

    def finish() -> None:
        original()
        files = sorted(k for k in desk.s3.objects if "/files/" in k)
        desk.s3.faults[files[-1]] = [cut] * 3

    desk.aws.script[-1].does = finish
    with pytest.raises(TryAgainError):
        desk.train()
    assert list_runs(desk.settings.home) == []

    # When it is asked for again, then only what is lacking is fetched, and nothing else stays
    beside = desk.settings.home / "runs" / f".{desk.run.name}.fetched"
    (beside / "old.txt").write_text("of another manifest")
    before = len(desk.s3.asked)
    run = desk.train()
    assert run.finished
    fetched = [
        line for line in desk.s3.asked[before:] if line.startswith("GET ") and "/files/" in line
    ]
    assert 0 < len(fetched) < len(list(run.folder.rglob("*")))
    assert not (run.folder / "old.txt").exists()


def test_f29_a_file_with_another_content_is_refused(desk: Desk) -> None:
    desk.succeed()
    original = desk.finish

    def finish() -> None:
        original()
        key = next(k for k in desk.s3.objects if "/files/" in k)
        desk.s3.faults[key] = [wrong] * 3

    desk.aws.script[-1].does = finish
    with pytest.raises(RefusedError, match="digest or size differs"):
        desk.train()
    assert list_runs(desk.settings.home) == []


def test_an_unfinished_run_of_this_machine_gives_way_and_a_finished_one_does_not(
    desk: Desk,
) -> None:
    # Given an unfinished run of the same name here
    here = Run(desk.settings.home / "runs" / desk.run.name)
    here.folder.mkdir(parents=True)
    here.recipe_file.write_text("{}")
    here.test_file.write_text("mine")
    desk.succeed()
    assert desk.train().finished
    assert not here.test_file.exists()

    # When it is finished here and something was exported since, it stays
    (here.folder / "export").mkdir()
    (here.folder / "export" / "model.onnx").write_text("x")
    desk.train()
    assert (here.folder / "export" / "model.onnx").exists()

    # Then one that differs is not thrown away
    here.metrics_file.write_text("other")
    with pytest.raises(ConflictError, match="with other content"):
        desk.train()
    assert here.metrics_file.read_text() == "other"


def test_a_job_that_succeeds_without_a_run_is_refused(desk: Desk) -> None:
    desk.aws.script = [step("SUCCEEDED")]
    with pytest.raises(RefusedError, match="no finished run"):
        desk.train()
