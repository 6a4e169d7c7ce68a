"""Whether a folder is what its manifest says: plain files only, none missing, extra or changed.

May import `maas.bundle`, `maas.errors` and `maas.limits`.

    bundle = verify_bundle(folder)                              # hashed, and looked into
    bundle = verify_bundle(folder, digest=record.digest)        # hashed: the registered one
    bundle = verify_bundle(folder, digest=..., full=False)      # a cold start: large files by size
    bundle.check_unchanged()                                    # after its files were opened

Nothing opens a model but through a Bundle, so that every graph and tokenizer was either looked into
here, or is by its digest one that was when it was registered. Every refusal is a BundleError that
names the file and the reason.
"""

import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import Struct, field

from maas.bundle.manifest import MANIFEST, FileEntry, Form, Manifest, bundle_digest, parse_manifest
from maas.errors import BundleError
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SMALL_FILE_BYTES = 1_048_576
"""Files up to this size are hashed even when `full` is off."""


class Bundle(Struct, frozen=True):
    """A folder that was verified.

    Attributes:
        folder: Where the files lie.
        manifest: What they are.
        digest: `sha256:` and 64 hex characters, of the manifest.
        full: Whether every byte was hashed.
        form: The one form that lies here, as packaging ships it; None where all of them do.
    """

    folder: "Path"
    manifest: Manifest
    digest: str
    full: bool
    form: str | None = None
    states: "Mapping[Path, tuple[int, ...]]" = field(default_factory=dict)
    """What the file system said of each file and folder before it was read."""

    def check_unchanged(self) -> None:
        """Check that nothing was changed or exchanged since the verification began.

        Libraries open files by their paths. Whoever may write here could exchange a file after it
        was hashed; that shows in its inode or its times.

        Raises:
            BundleError: A file or folder is not the one that was verified.
        """
        for path, state in self.states.items():
            name = "the bundle" if path == self.folder else str(path.relative_to(self.folder))
            if _state(_lstat(path, name)) != state:
                raise BundleError(f"{name} was changed while it was loaded; try again.")

    def graph(self, form: Form) -> "Path":
        """The path of a form's ONNX graph."""
        return self.folder / form.graph


def verify_bundle(
    folder: "Path",
    *,
    digest: str | None = None,
    full: bool = True,
    form: str | None = None,
    limits: Limits = LIMITS,
) -> Bundle:
    """Check a bundle's folder against its manifest.

    Args:
        folder: The bundle.
        digest: What the bundle's digest must be, as the registry has it. Without one nobody has
            looked into the bundle yet, so its contents are checked here.
        full: Hash every byte; otherwise files above SMALL_FILE_BYTES are checked by size, which is
            enough where the file system is an immutable layer.
        form: The one form whose files must lie here and no other's; all of them when None.
        limits: Sizes and counts.

    Raises:
        BundleError: The folder, its manifest or a file is not acceptable.
    """
    if not stat.S_ISDIR(_lstat(folder, "the bundle").st_mode):
        raise BundleError("The bundle is not a folder (a link to one is refused).")
    data = _read_manifest(folder, limits)
    actual = bundle_digest(data)
    if digest is not None and actual != digest:
        raise BundleError(
            f"{MANIFEST} has digest {actual[:19]}…, the registry says {digest[:19]}…."
        )
    manifest = parse_manifest(data, limits=limits)
    entries = {entry.path: entry for entry in manifest.entries(form)}
    states = _states(folder, [MANIFEST, *entries])
    found = _plain_files(folder)
    if missing := sorted(entries.keys() - found):
        raise BundleError(f"Missing from the bundle: {', '.join(missing)}.")
    if extra := sorted(found - entries.keys() - {MANIFEST}):
        raise BundleError(f"Not named in {MANIFEST}: {', '.join(extra)}.")
    for entry in entries.values():
        _check_file(folder, entry, hashed=full or entry.size <= SMALL_FILE_BYTES)
    if digest is None:
        # Imported here, because a cold start never looks in and would pay 10 ms for it.
        from maas.bundle.contents import check_contents  # noqa: PLC0415

        check_contents(folder, manifest, form=form, limits=limits)
    return Bundle(folder, manifest, actual, full=full, form=form, states=states)


def sha256_file(path: "Path") -> str:
    """Hash a file's content, without following a link; lower-case hex."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(folder: "Path", limits: Limits) -> bytes:
    path = folder / MANIFEST
    _check_plain(_lstat(path, MANIFEST), MANIFEST)
    with _readable(MANIFEST), path.open("rb") as file:
        return file.read(limits.manifest_bytes + 1)


def _plain_files(folder: "Path", prefix: str = "") -> set[str]:
    """Relative paths of all files; anything that is neither file nor first-level folder raises."""
    found = set()
    with _readable(prefix or "the bundle"), os.scandir(folder) as listing:
        for entry in listing:
            # A name that is not UTF-8 could not be sent in the refusal.
            name = prefix + entry.name.encode(errors="backslashreplace").decode()
            if not entry.is_dir(follow_symlinks=False):
                _check_plain(entry.stat(follow_symlinks=False), name)
                found.add(name)
            elif prefix:
                raise BundleError(f"{name}/ is nested too deep; a bundle has one level of folders.")
            elif not (below := _plain_files(folder / entry.name, f"{name}/")):
                raise BundleError(f"{name}/ is an empty folder.")
            else:
                found |= below
    return found


def _states(folder: "Path", names: "list[str]") -> "dict[Path, tuple[int, ...]]":
    """The state of files and of the folders that they lie in; one that is not there has none."""
    files = [folder / name for name in names]
    states = {}
    for path in (*files, *sorted({folder, *(file.parent for file in files)})):
        with suppress(FileNotFoundError, NotADirectoryError):
            states[path] = _state(path.lstat())
    return states


def _state(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _check_plain(status: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise BundleError(f"{name} is a symbolic link; a bundle holds plain files only.")
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{name} is not a plain file.")
    if status.st_nlink != 1:
        raise BundleError(f"{name} has {status.st_nlink} hard links; a bundle's files have one.")


def _check_file(folder: "Path", entry: FileEntry, *, hashed: bool) -> None:
    path = folder / entry.path
    size = _lstat(path, entry.path).st_size
    if size != entry.size:
        raise BundleError(f"{entry.path} has {size} bytes, {MANIFEST} says {entry.size}.")
    with _readable(entry.path):
        if hashed and sha256_file(path) != entry.sha256:
            raise BundleError(f"{entry.path} was changed: its sha256 is not the one in {MANIFEST}.")


def _lstat(path: "Path", name: str) -> os.stat_result:
    with _readable(name):
        return path.lstat()


@contextmanager
def _readable(name: str) -> "Iterator[None]":
    """Refuse what the operating system cannot read; its own message would name the whole path."""
    try:
        yield
    except OSError as error:
        raise BundleError(f"{name} cannot be read: {error.strerror}.") from None
