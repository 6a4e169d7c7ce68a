"""The job's side from end to end: a tiny recipe, packed, interrupted, resumed and brought home."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from support.aws_session import REGION
from support.s3_stand_in import NAME, S3StandIn
from training.tiny import RECIPE, Lab, made_up_rows

from maas.errors import ConflictError, NotFoundError, RefusedError, TryAgainError
from maas.settings import NodeSettings
from maas_lab.batch.archive import Archive, pack, packed_recipe
from maas_lab.batch.bucket import Bucket
from maas_lab.batch.fetch import fetch_run
from maas_lab.batch.job import Keeper, run_job
from maas_lab.batch.job import main as train_packed
from maas_lab.batch.start import main as start
from maas_lab.batch.start import prepare, run_trainers, trainer_command
from maas_lab.batch.store import RunStore
from maas_lab.batch.submit import archive_key
from maas_lab.recipes.recipe import AnyRecipe
from maas_lab.runs import Run
from maas_lab.train import train

JOB = "tiny-s3-00112233aabbccdd"


class Cloud:
    """A bucket with a packed job, and machines that come and go."""

    def __init__(self, s3: S3StandIn, lab: Lab) -> None:
        self.s3, self.lab = s3, lab
        self.archive: Archive = pack(lab.recipe(), lab.folder / "job.tar.gz")
        s3.store(archive_key(self.archive.sha256), self.archive.file.read_bytes())
        self.machines = 0

    def bucket(self) -> Bucket:
        return self.s3.bucket()

    def machine(self) -> Path:
        """A new machine, prepared; the code lies in `code`, the run in `home`."""
        self.machines += 1
        place = self.lab.folder / f"machine-{self.machines}"
        prepare(self.bucket(), JOB, self.archive.sha256, folder=place / "code", home=place / "home")
        return place

    def train(self, place: Path, *, on_save: Callable[[int], object] = lambda _: None) -> Run:
        """Train there; `on_save` is told the number of each saved checkpoint."""
        store = RunStore(self.bucket(), JOB)
        store.read()
        keeper = Keeper(store, every=0.0)

        def trainer(
            recipe: AnyRecipe,
            *,
            home: Path,
            cache: Path,
            resume: bool,
            saved: Callable[[Run], None],
        ) -> Run:
            count = 0

            def told(run: Run) -> None:
                nonlocal count
                count += 1
                saved(run)
                on_save(count)

            quiet = Console(file=io.StringIO())
            return train(
                recipe,
                home=home,
                cache=cache,
                resume=resume,
                console=quiet,
                device="cpu",
                saved=told,
            )

        home, recipe = place / "home", packed_recipe(place / "code")
        return run_job(recipe, home=home, cache=place, train=trainer, keeper=keeper)


@pytest.fixture
def cloud(s3: S3StandIn, tmp_path: Path) -> Cloud:
    lab = Lab(tmp_path / "lab")
    lab.folder.mkdir()
    lab.recipe_file.write_text(RECIPE)
    lab.rows_file.write_text(made_up_rows(45))
    s3.page = 1000
    return Cloud(s3, lab)


def vanish(count: int) -> None:
    """The machine is gone after the second checkpoint, without a word."""
    if count == 2:
        raise MemoryError


def notice(count: int) -> None:
    """A Spot notice comes after the third checkpoint."""
    if count == 3:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.training
def test_p9_interrupted_twice_and_resumed_on_other_machines_it_ends_the_same(
    cloud: Cloud, s3: S3StandIn
) -> None:
    # Given the same recipe trained here without a pause
    whole = cloud.lab.train(home="whole")

    # When one machine is lost, the next is told to end, and a third finishes
    with pytest.raises(MemoryError):
        cloud.train(cloud.machine(), on_save=vanish)
    with pytest.raises(TryAgainError, match="everything is saved"):
        cloud.train(cloud.machine(), on_save=notice)
    last = cloud.machine()
    (begun,) = (last / "home" / "runs").iterdir()
    assert list(Run(begun).checkpoints.glob("step-*"))  # it resumes, and does not begin
    cloud.train(last)

    # Then what comes home has the same name and the same weights, bit for bit
    home = cloud.lab.folder / "home"
    run = fetch_run(RunStore(cloud.bucket(), JOB), home=home, console=Console(file=io.StringIO()))
    assert run.name == whole.name
    assert run.best_file.read_bytes() == whole.best_file.read_bytes()
    assert run.recipe_file.read_bytes() == whole.recipe_file.read_bytes()
    assert run.finished

    # And a job that is started once more finds that all is done, and writes nothing
    before = len(s3.writes())
    assert cloud.train(cloud.machine()).finished
    assert len(s3.writes()) == before


@pytest.mark.training
def test_the_whole_job_in_processes_of_its_own(cloud: Cloud, tmp_path: Path) -> None:
    # Given what the image's first process is told
    command = [sys.executable, "-m", "maas_lab.batch.start", "--bucket", NAME, "--job", JOB]
    words = ["--code", cloud.archive.sha256, "--gpus", "1"]
    environment = os.environ | {
        "MAAS_HOME": str(tmp_path / "machine"),
        "AWS_ENDPOINT_URL_S3": cloud.s3.address,
        "AWS_DEFAULT_REGION": REGION,
        "CUDA_VISIBLE_DEVICES": "",
    }

    # When it runs
    done = subprocess.run(
        [*command, *words],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    # Then it trains by the packed code, and the run lies finished in the bucket
    assert done.returncode == 0, done.stderr
    assert f"{JOB}: beginning" in done.stdout
    assert "test accuracy" in done.stdout
    manifest = RunStore(cloud.bucket(), JOB).read()
    assert manifest is not None
    assert manifest.finished


# ---- What is stored, and when -------------------------------------------------------------------


def test_uploads_are_some_time_apart_but_the_end_is_stored_at_once(s3: S3StandIn, run: Run) -> None:
    now = [100.0]
    keeper = Keeper(RunStore(s3.bucket(), JOB), clock=lambda: now[0], every=60.0)

    def stores_after(seconds: float) -> bool:
        before, now[0] = len(s3.writes()), now[0] + seconds
        run.metrics_file.write_text(f"{now[0]}\n")
        keeper.saved(run)
        return len(s3.writes()) > before

    assert [stores_after(seconds) for seconds in (0, 30, 29, 1, 59)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    run.summary_file.write_text("{}")
    assert stores_after(0)


def test_a_second_signal_waits_for_the_upload(s3: S3StandIn, run: Run) -> None:
    # Given SIGTERM comes while a checkpoint goes up
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    sent: list[bool] = []

    class Signalled(RunStore):
        def put(self, run: Run) -> object:  # type: ignore[override]
            signal.raise_signal(signal.SIGTERM)
            sent.append(bool(came))
            return super().put(run)

    try:
        Keeper(Signalled(s3.bucket(), JOB)).store(run)
    finally:
        signal.signal(signal.SIGTERM, before)

    # Then it acts after that
    assert sent == [False]
    assert came == [signal.SIGTERM]
    assert RunStore(s3.bucket(), JOB).read() is not None


def test_a_run_that_another_job_stores_is_left_to_it(cloud: Cloud, s3: S3StandIn) -> None:
    def another(_count: int) -> None:
        key = f"runs/{JOB}/manifest.json"
        s3.store(key, s3.objects[key].replace(b'"finished":false', b'"finished":true '))

    with pytest.raises(ConflictError, match="Another job"):
        cloud.train(cloud.machine(), on_save=another)


# ---- What a machine begins with -----------------------------------------------------------------


def test_code_that_is_not_what_was_packed_is_not_run(cloud: Cloud, s3: S3StandIn) -> None:
    key = archive_key(cloud.archive.sha256)
    s3.objects[key] = s3.objects[key][:-50]
    with pytest.raises(RefusedError, match="damaged"):
        cloud.machine()
    del s3.objects[key]
    with pytest.raises(NotFoundError):
        cloud.machine()


def node(**variables: str) -> NodeSettings:
    return NodeSettings.parse(variables)


def test_one_trainer_is_started_directly_and_several_by_torchrun() -> None:
    alone = trainer_command(node(), 1, ["--job", JOB])
    assert alone == [sys.executable, "-m", "maas_lab.batch.job", "--job", JOB]

    several = trainer_command(node(), 4, [])
    assert several[1:3] == ["-m", "torch.distributed.run"]
    assert " ".join(several[3:]) == (
        "--nnodes 1 --node-rank 0 --nproc-per-node 4 --master-addr 127.0.0.1 --master-port 29500"
        " -m maas_lab.batch.job"
    )

    second = node(
        AWS_BATCH_JOB_NUM_NODES="3",
        AWS_BATCH_JOB_NODE_INDEX="1",
        AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS="10.0.0.7",
    )
    assert "--nnodes 3 --node-rank 1 --nproc-per-node 1 --master-addr 10.0.0.7" in " ".join(
        trainer_command(second, 1, [])
    )


@pytest.mark.parametrize(
    ("body", "said", "code"),
    [
        ("", "", 0),
        ("sys.exit(3)", "", 3),
        ("sys.exit(1)", "5", 5),  # torchrun's own exit code says nothing
        ("os.kill(os.getpid(), signal.SIGKILL)", "", 137),
        ("", "5", 0),
    ],
)
def test_the_exit_code_is_the_trainers(tmp_path: Path, body: str, said: str, code: int) -> None:
    ending = tmp_path / "ending"
    if said:
        ending.write_text(said)
    program = f"import os, signal, sys\n{body}"
    assert run_trainers([sys.executable, "-S", "-c", program], tmp_path, ending) == code


def test_a_trainer_leaves_its_exit_code_and_the_first_one_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ending = tmp_path / "ending"
    words = ["--bucket", NAME, "--job", JOB, "--ending", str(ending)]
    with pytest.raises(SystemExit) as ended:
        train_packed([*words, "--folder", str(tmp_path / "nowhere")])
    assert ended.value.code == 2
    assert ending.read_text() == "2"
    ending.write_text("5")
    with pytest.raises(SystemExit):
        train_packed([*words, "--folder", str(tmp_path / "nowhere")])
    assert ending.read_text() == "5"
    assert "No such file" in capsys.readouterr().err


def test_a_job_whose_code_is_gone_ends_with_a_line(
    s3: S3StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.address)
    monkeypatch.setenv("MAAS_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        start(["--bucket", NAME, "--job", JOB, "--code", "0" * 64])
    assert ended.value.code == 3
    assert capsys.readouterr().err.startswith("maas: AWS does not find what s3:GetObject asked for")


def test_sigterm_is_handed_on(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "time.sleep(30)\n"
    )
    command = [sys.executable, "-S", "-c", program]
    assert run_trainers(command, tmp_path, tmp_path / "ending") == 5
