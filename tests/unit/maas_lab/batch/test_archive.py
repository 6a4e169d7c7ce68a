"""What is packed: the same digest anywhere, checked before anything of it is written."""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import msgspec
import pytest

import maas
import maas_lab
from maas.errors import FieldError, RefusedError
from maas_lab.batch.archive import Archive, pack, packed_recipe, unpack
from maas_lab.recipes.networks import BertRecipe
from maas_lab.recipes.recipe import AnyRecipe, load_recipe

RECIPES = Path(__file__).parents[4] / "scripts" / "recipes"
PACK = """
import sys
from pathlib import Path
from maas_lab.batch.archive import pack
from maas_lab.recipes.recipe import load_recipe
recipe = load_recipe(Path(sys.argv[1]), data=Path(sys.argv[2]))
print(pack(recipe, Path(sys.argv[3])).sha256)
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows of mine.csv"
    path.write_text("text,label\nfine,positive\ndull,negative\n")
    return path


@pytest.fixture
def recipe(rows: Path) -> AnyRecipe:
    return load_recipe(RECIPES / "sentiment-lstm.toml", data=rows)


@pytest.fixture
def archive(recipe: AnyRecipe, tmp_path: Path) -> Archive:
    return pack(recipe, tmp_path / "job.tar.gz")


def test_the_code_the_recipe_and_the_rows_are_in_it(
    archive: Archive, recipe: AnyRecipe, rows: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    unpack(archive.file, archive.sha256, folder)

    packages = ("maas/settings.py", "maas_lab/batch/job.py", "maas_lab/train.py")
    assert all((folder / name).is_file() for name in packages)
    assert not list(folder.rglob("__pycache__"))
    unpacked = packed_recipe(folder)
    assert unpacked.encode() == recipe.encode()  # so that the run has the same name
    assert Path(unpacked.data.source).read_bytes() == rows.read_bytes()
    assert Path(unpacked.data.source).name == rows.name
    assert archive.size == archive.file.stat().st_size


def test_a_known_data_set_needs_no_rows(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / "sentiment-lstm.toml")
    archive = pack(recipe, tmp_path / "job.tar.gz")
    unpack(archive.file, archive.sha256, tmp_path / "there")
    assert packed_recipe(tmp_path / "there") == recipe
    assert not (tmp_path / "there/job/rows").exists()


def test_f39_the_digest_is_the_same_wherever_and_whenever_it_is_packed(
    rows: Path, tmp_path: Path
) -> None:
    # Given two copies of code and rows, of other times and modes
    digests, contents = set(), set()
    source = tmp_path / "one"
    source.mkdir()
    for package in (maas, maas_lab):
        (folder,) = map(Path, package.__path__)
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(folder, source / folder.name, ignore=skipped)
    shutil.copy(rows, source / rows.name)
    other = tmp_path / "elsewhere" / "two"
    shutil.copytree(source, other, copy_function=shutil.copyfile)
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    (other / rows.name).chmod(0o600)

    # When each is packed by its own code, in another zone and language, with another hash seed
    for folder, zone, seed in ((source, "UTC", "1"), (other, "Asia/Tokyo", "7")):
        told = subprocess.run(
            [sys.executable, "-c", PACK, RECIPES / "sentiment-lstm.toml", rows.name, "packed"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TZ": zone, "LC_ALL": "C", "PYTHONHASHSEED": seed},
            umask=0o022 + int(seed),
            cwd=folder,
        )
        digests.add(told.stdout.strip())
        contents.add((folder / "packed").read_bytes())

    # Then the digest is the same, and so are the bytes on a machine with the same zlib
    assert len(digests) == len(contents) == 1


def test_another_compression_is_the_same_archive(archive: Archive, tmp_path: Path) -> None:
    plain = gzip.decompress(archive.file.read_bytes())
    other = tmp_path / "other.tar.gz"
    other.write_bytes(gzip.compress(plain, 1))
    assert other.read_bytes() != archive.file.read_bytes()
    unpack(other, archive.sha256, tmp_path / "there")


def test_other_rows_another_seed_and_another_note_are_other_archives(
    archive: Archive, recipe: AnyRecipe, rows: Path, tmp_path: Path
) -> None:
    digests = {archive.sha256}
    for changed in (
        msgspec.structs.replace(recipe, seed=9),
        msgspec.structs.replace(recipe, note="n"),
    ):
        digests.add(pack(changed, tmp_path / "x").sha256)
    rows.write_text(rows.read_text() + "good,positive\n")
    digests.add(pack(recipe, tmp_path / "x").sha256)
    assert len(digests) == 4


def test_rows_that_cannot_be_read_or_named_are_refused(
    recipe: AnyRecipe, rows: Path, tmp_path: Path
) -> None:
    rows.unlink()
    with pytest.raises(FieldError, match="is not there"):
        pack(recipe, tmp_path / "x")
    strange = rows.with_name("a:b.csv")
    strange.write_text("x")
    with pytest.raises(FieldError, match="another name"):
        pack(load_recipe(RECIPES / "sentiment-lstm.toml", data=strange), tmp_path / "x")


def test_a_checkpoint_of_the_users_own_is_refused(recipe: AnyRecipe, tmp_path: Path) -> None:
    network = BertRecipe(checkpoint=str(tmp_path))
    with pytest.raises(FieldError, match="not taken along"):
        pack(msgspec.structs.replace(recipe, network=network), tmp_path / "x")


# ---- What is not what was packed ----------------------------------------------------------------


def flip(data: bytes) -> bytes:
    plain = bytearray(gzip.decompress(data))
    plain[1000] ^= 1
    return gzip.compress(bytes(plain))


@pytest.mark.parametrize(
    "damage", [flip, lambda data: data[:-100], lambda _: b"", lambda _: b"no archive at all"]
)
def test_a_damaged_archive_leaves_nothing(
    archive: Archive, tmp_path: Path, damage: "type[bytes]"
) -> None:
    archive.file.write_bytes(damage(archive.file.read_bytes()))
    with pytest.raises(RefusedError, match="The packed job"):
        unpack(archive.file, archive.sha256, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def hostile(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar with one member that should not be there."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../up", tarfile.REGTYPE),
        ("/absolute", tarfile.REGTYPE),
        ("a/../../up", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("hard", tarfile.LNKTYPE),
        ("device", tarfile.CHRTYPE),
        ("folder", tarfile.DIRTYPE),
    ],
)
def test_s19_a_member_that_is_no_plain_file_below_the_folder_is_refused(
    tmp_path: Path, name: str, kind: bytes
) -> None:
    plain = hostile(name, kind)
    file = tmp_path / "job.tar.gz"
    file.write_bytes(gzip.compress(plain))
    with pytest.raises(RefusedError, match="no plain file"):
        unpack(file, hashlib.sha256(plain).hexdigest(), tmp_path / "in" / "there")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["job.tar.gz"]
