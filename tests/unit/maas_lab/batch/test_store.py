"""RunStore: what is stored is one moment of the run, whatever is killed, cut or wrong."""

from pathlib import Path

import pytest
from support.s3_stand_in import Fault, S3StandIn, away, cut, denied, longer, wrong

from maas.errors import ConflictError, MaasError, RefusedError, TryAgainError
from maas_lab.batch.manifest import RunManifest, StoredFile, decode_manifest
from maas_lab.batch.store import RunStore
from maas_lab.batch.transfers import WrongContentError
from maas_lab.runs import Run

JOB = "tiny-s3-00112233aabbccdd"
MANIFEST = f"runs/{JOB}/manifest.json"
FILES = f"runs/{JOB}/files/"


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def store(s3: S3StandIn, waited: list[float]) -> RunStore:
    return RunStore(s3.bucket(), JOB, sleep=waited.append)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_there_and_back(store: RunStore, s3: S3StandIn, run: Run, tmp_path: Path) -> None:
    # Given an empty bucket
    assert store.read() is None

    # When a run is stored, and somebody else fetches it
    stored = store.put(run)
    other = RunStore(s3.bucket(), JOB)
    manifest = other.read()
    assert manifest == stored
    other.get(manifest, tmp_path / "there")

    # Then it is the same, and the manifest was written last
    assert contents(tmp_path / "there") == contents(run.folder)
    assert s3.writes()[-1] == MANIFEST
    assert manifest.run == run.name
    assert not manifest.finished


def test_only_what_is_new_goes_up_and_what_is_old_goes_away(
    store: RunStore, s3: S3StandIn, run: Run
) -> None:
    # Given a stored run
    store.put(run)
    before = len(s3.writes())

    # When nothing changed, then a checkpoint took another's place
    store.put(run)
    assert len(s3.writes()) == before
    (run.checkpoints / "step-000000005.safetensors").unlink()
    (run.checkpoints / "step-000000015.safetensors").write_bytes(b"\x0f" * 1000)
    (run.folder / ".half.part").write_text("never")
    manifest = store.put(run)

    # Then one file and the manifest went up, and the bucket holds the run and no more
    assert len(s3.writes()) == before + 2
    assert set(s3.objects) == {MANIFEST, *(FILES + file.sha256 for file in manifest.files)}
    assert "checkpoints/step-000000005.safetensors" not in {f.path for f in manifest.files}


def test_a_store_that_was_killed_before_the_manifest_leaves_the_former_run(
    store: RunStore, s3: S3StandIn, run: Run, tmp_path: Path
) -> None:
    # Given a stored run
    store.put(run)
    former = contents(run.folder)

    # When all changes and the manifest does not come through
    run.metrics_file.write_text('{"step": 15}\n')
    run.best_file.write_bytes(b"better")
    s3.faults[MANIFEST] = [away]
    with pytest.raises(TryAgainError):
        store.put(run)

    # Then the former one is still whole there, and the next try brings the new one
    other = RunStore(s3.bucket(), JOB)
    manifest = other.read()
    assert manifest is not None
    other.get(manifest, tmp_path / "former")
    assert contents(tmp_path / "former") == former
    store.put(run)
    assert other.read() != manifest


def test_two_jobs_cannot_store_one_run(store: RunStore, s3: S3StandIn, run: Run) -> None:
    store.put(run)
    other = RunStore(s3.bucket(), JOB)  # it has not read what is there
    run.metrics_file.write_text("other\n")
    with pytest.raises(ConflictError, match="Another job"):
        other.put(run)
    store.put(run)  # the first goes on


def test_a_manifest_whose_answer_was_lost_is_taken_as_written(
    store: RunStore, s3: S3StandIn, run: Run
) -> None:
    # Given S3 obeyed and the answer got lost: what is there is ours, and our etag is the old one
    other = RunStore(s3.bucket(), JOB)
    other.put(run)
    assert store.put(run).run == run.name


@pytest.mark.parametrize("fault", [cut, wrong, longer, away])
@pytest.mark.parametrize("times", [1, 2])
def test_f29_a_transfer_that_fails_is_tried_again(  # noqa: PLR0917 - three are fixtures
    s3: S3StandIn, waited: list[float], run: Run, tmp_path: Path, fault: Fault, times: int
) -> None:
    store = RunStore(s3.bucket(), JOB, sleep=waited.append)
    manifest = store.put(run)
    s3.faults[FILES] = [fault] * times
    moved: list[int] = []
    store.get(manifest, tmp_path / "there", advance=moved.append)
    assert contents(tmp_path / "there") == contents(run.folder)
    assert waited == [1.0, 2.0][:times]
    assert sum(moved) == manifest.size  # a failed try counts for nothing


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (cut, TryAgainError),
        (away, TryAgainError),
        (wrong, WrongContentError),
        (longer, WrongContentError),
        (denied, RefusedError),
    ],
)
def test_f29_after_three_tries_nothing_is_half_written(
    s3: S3StandIn, run: Run, tmp_path: Path, fault: Fault, kind: type[MaasError]
) -> None:
    # Given a file that is there in an older form
    store = RunStore(s3.bucket(), JOB, sleep=lambda _: None)
    manifest = store.put(run)
    first = manifest.files[0]
    target = tmp_path / "there" / first.path
    target.parent.mkdir(parents=True)
    target.write_text("older")

    # When it cannot be fetched
    s3.faults[FILES + first.sha256] = [fault] * 5
    before = len(s3.asked)
    with pytest.raises(kind):
        store.get(manifest, tmp_path / "there")

    # Then it is what it was, nothing lies beside it, and it was asked for three times at most
    assert contents(tmp_path / "there") == {first.path: b"older"}
    assert len(s3.asked) - before == (1 if fault is denied else 3)


def test_what_is_here_already_is_not_fetched_again(
    store: RunStore, s3: S3StandIn, run: Run, tmp_path: Path
) -> None:
    manifest = store.put(run)
    store.get(manifest, tmp_path / "there")
    before = len(s3.asked)
    store.get(manifest, tmp_path / "there")
    assert len(s3.asked) == before


def test_a_large_file_goes_up_in_parts(s3: S3StandIn, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 36_864)  # 9 MiB
    moved: list[int] = []
    s3.bucket().upload("runs/large", large, advance=moved.append)
    assert s3.objects["runs/large"] == large.read_bytes()
    assert sum(moved) == large.stat().st_size
    assert sum(line.startswith("PUT") for line in s3.asked) == 2


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../up", "a/../../up", "a//b", "./a", "a\\b", "C:x", "a\nb", "a/"],
)
def test_a_manifest_cannot_name_a_place_elsewhere(path: str) -> None:
    file = StoredFile(path="plain", size=1, sha256="0" * 64)
    data = RunManifest(run="tiny-s3-0123abcd", finished=True, files=(file,)).encode()
    assert decode_manifest(data).files == (file,)
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n").encode()
    with pytest.raises(RefusedError, match="not one of a run"):
        decode_manifest(data.replace(b'"plain"', b'"' + escaped + b'"'))


@pytest.mark.parametrize(
    "change",
    [
        (b'"format":1', b'"format":2'),
        (b'"finished":true', b'"finished":true,"more":1'),
        (b'"run":"tiny-s3-0123abcd"', b'"run":"../tiny"'),
        (b'"sha256":"0', b'"sha256":"x'),
        (b'"size":1', b'"size":-1'),
        (b"{", b""),
    ],
)
def test_a_manifest_that_is_none_is_refused(change: tuple[bytes, bytes]) -> None:
    file = StoredFile(path="plain", size=1, sha256="0" * 64)
    data = RunManifest(run="tiny-s3-0123abcd", finished=True, files=(file,)).encode()
    with pytest.raises(RefusedError, match="not one of a run"):
        decode_manifest(data.replace(*change))


def test_a_manifest_with_two_files_at_one_place_is_refused() -> None:
    file = StoredFile(path="plain", size=1, sha256="0" * 64)
    with pytest.raises(ValueError, match="differ from one another"):
        RunManifest(run="tiny-s3-0123abcd", finished=True, files=(file, file))
