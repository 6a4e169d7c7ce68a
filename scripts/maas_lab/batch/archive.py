"""What a job needs, in one file: the code, the recipe, and the user's rows where there are some.

Imports the standard library, `maas` and the lab. The same content is the same digest on every
machine, because neither times, owners and modes nor the compression count:

    archive = pack(recipe, folder / "job.tar.gz")
    archive.sha256                                   # of the tar inside
    unpack(archive.file, archive.sha256, into)       # into/maas, into/maas_lab, into/job
"""

import gzip
import hashlib
import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import maas
import maas_lab
from maas.errors import FieldError, RefusedError
from maas_lab.batch.manifest import is_plain
from maas_lab.files import CHUNK_BYTES, write_file
from maas_lab.recipes.recipe import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import IO

    from _typeshed import ReadableBuffer

    from maas_lab.recipes.recipe import AnyRecipe, Recipe

LARGEST_BYTES = 8 * 1024**3
"""Unpacked. Larger rows belong into a bucket of their own."""
_RECIPE, _ROWS = "job/recipe.json", "job/rows"


@dataclass(frozen=True, slots=True)
class Archive:
    """A packed job.

    Attributes:
        file: Where it lies.
        sha256: The digest of the tar inside; zlib does not compress everywhere alike.
        size: Bytes, compressed.
    """

    file: Path
    sha256: str
    size: int


def pack(recipe: "Recipe", file: Path) -> Archive:
    """Pack both packages, the recipe as a run keeps it, and its file of rows.

    Args:
        recipe: What to train. A source that is an absolute path is a file of rows.
        file: Where to write; its folder is there.

    Raises:
        FieldError: The rows cannot be read, are too many, or their file has a name that not every
            system knows.
    """
    contents: dict[str, Path | bytes] = {_RECIPE: recipe.encode()}
    for package in (maas, maas_lab):
        contents |= _modules(package)
    checkpoint = str(getattr(recipe.network, "checkpoint", ""))
    if checkpoint and Path(checkpoint).is_dir():
        raise FieldError(
            "a checkpoint in a folder of yours is not taken along to AWS Batch; name one that"
            " maas_lab knows.",
            field="network.checkpoint",
        )
    rows = Path(recipe.data.source)
    if rows.is_absolute():
        contents[_rows_name(rows)] = rows
    with file.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        tee = _Digest(packed)
        with tarfile.open(fileobj=tee, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(contents):
                _add(tar, name, contents[name])
    return Archive(file, tee.sha256.hexdigest(), file.stat().st_size)


def unpack(file: Path, sha256: str, folder: Path) -> None:
    """Check an archive, then write what is in it; nothing is written before all of it is checked.

    Args:
        file: The archive.
        sha256: What `pack` said.
        folder: Where to; files that are there already are replaced.

    Raises:
        RefusedError: It is not the archive that was packed.
    """
    _check(file, sha256)
    with gzip.open(file) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is None or not is_plain(member.name):
                raise RefusedError(f"The packed job holds {member.name!r}, which is no plain file.")
            write_file(folder / member.name, _chunks(content))


def packed_recipe(folder: Path) -> "AnyRecipe":
    """The recipe of an unpacked job; its source is the packed file of rows, where there is one.

    Raises:
        FieldError: The code that trains is of another version than the code that packed.
    """
    recipe = decode_recipe((folder / _RECIPE).read_bytes())
    rows = folder / _ROWS / recipe.data.source
    if not rows.is_file():
        return recipe
    data = msgspec.structs.replace(recipe.data, source=str(rows.absolute()))
    return msgspec.structs.replace(recipe, data=data)


class _Digest(io.BufferedIOBase):
    """A file that is written to, and the digest of what was written."""

    def __init__(self, target: "gzip.GzipFile") -> None:
        self._target = target
        self.sha256 = hashlib.sha256()

    def write(self, data: "ReadableBuffer", /) -> int:
        self.sha256.update(data)
        return self._target.write(data)


def _modules(package: "ModuleType") -> dict[str, Path | bytes]:
    """A package's files by their names in the archive, from a checkout or an installed copy."""
    (root,) = map(Path, package.__path__)
    found: dict[str, Path | bytes] = {}
    for path in root.rglob("*"):
        parts = path.relative_to(root.parent).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and not path.is_symlink() and not hidden:
            found["/".join(parts)] = path
    return found


def _rows_name(rows: Path) -> str:
    name = f"{_ROWS}/{rows.name}"
    if not is_plain(name):
        raise FieldError(f"{rows.name!r}: give the file another name.", field="data")
    return name


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    member = tarfile.TarInfo(name)  # mode 0644, time 0, nobody's
    if isinstance(content, bytes):
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
        return
    try:
        with content.open("rb") as file:
            member.size = content.stat().st_size
            if member.size > LARGEST_BYTES:
                raise FieldError(
                    f"{content.name}: larger than {LARGEST_BYTES} bytes.", field="data"
                )
            tar.addfile(member, file)
    except FileNotFoundError:
        raise FieldError(f"{content}: is not there.", field="data") from None


def _check(file: Path, sha256: str) -> None:
    found, size = hashlib.sha256(), 0
    try:
        with gzip.open(file) as plain:
            for chunk in _chunks(plain):
                size += len(chunk)
                if size > 2 * LARGEST_BYTES:
                    raise RefusedError("The packed job grows beyond all bounds.")
                found.update(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RefusedError(f"The packed job is damaged: {error}.") from error
    if found.hexdigest() != sha256:
        raise RefusedError(
            f"The packed job is sha256:{found.hexdigest()[:12]}, not sha256:{sha256[:12]}."
        )


def _chunks(file: "IO[bytes] | gzip.GzipFile") -> "Iterator[bytes]":
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
