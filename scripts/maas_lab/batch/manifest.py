"""A run in the bucket, as one small file says it: every file's path, size and digest.

Imports msgspec and `maas.errors`. What is read from a bucket decides which files are written here,
so that it is checked as strictly as what comes over HTTP:

    manifest = decode_manifest(data)
    manifest.finished, manifest.size
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from maas.errors import RefusedError

Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class StoredFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of a run."""

    path: Annotated[str, Meta(min_length=1, max_length=1024)]
    """Below the run's folder, with `/` between its parts."""
    size: Annotated[int, Meta(ge=0)]
    """Bytes."""
    sha256: Sha256
    """The digest of its content, which is also its name in the bucket."""

    def __post_init__(self) -> None:
        """Refuse a path that leaves the folder."""
        if not is_plain(self.path):
            raise ValueError("Expected a plain `path` below the run's folder")


class RunManifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All files of a run at one moment; written after they are there."""

    format: Literal[1] = 1
    """Of this file."""
    run: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9-]{1,31}-s[0-9]{1,10}-[0-9a-f]{8}\Z")]
    """The run's name, such as `sentiment-s1-3f2a9c01`."""
    finished: bool
    """Whether training came to its end."""
    files: Annotated[tuple[StoredFile, ...], Meta(max_length=10_000)]
    """By path."""

    def __post_init__(self) -> None:
        """Refuse two files at one place."""
        if len({file.path for file in self.files}) != len(self.files):
            raise ValueError("Expected `files` with paths that differ from one another")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def encode(self) -> bytes:
        """As it is stored."""
        return msgspec.json.encode(self)


def decode_manifest(data: bytes) -> RunManifest:
    """Read a manifest.

    Raises:
        RefusedError: It is none, or one of another version of the software.
    """
    try:
        return msgspec.json.decode(data, type=RunManifest)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise RefusedError(f"The bucket's manifest is not one of a run: {error}.") from None


def is_plain(path: str) -> bool:
    """Whether a path stays below the folder it is joined to, on every system."""
    return (
        path.isprintable()
        and not any(letter in path for letter in "\\:")
        and all(part not in ("", ".", "..") for part in path.split("/"))
    )
