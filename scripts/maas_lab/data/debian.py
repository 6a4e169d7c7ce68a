"""Packages of the Debian archive and its descriptions of packages, fetched by apt into a cache.

Imports the standard library, `maas.errors` and the modules of this room below it:

    found = obtain_debian(["dataset-fashion-mnist"], ["en"], cache=settings.cache, say=print)
    found["dataset-fashion-mnist"].content, found["en"].sha256

apt verifies the archive's signatures. Packages move with updates, so no checksum is pinned here:
the card of a run records the one of what was used. apt works on lists of its own in a temporary
folder; the system's are neither read nor changed, and nothing is installed.
"""

import gzip
import hashlib
import io
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import RefusedError, TryAgainError
from maas_lab.data.archives import read_members
from maas_lab.data.fetching import read_bounded, require_tool, run_client
from maas_lab.files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_AR_MAGIC, _AR_HEADER = b"!<arch>\n", 60
_LANGUAGES = ("en", "zh_CN")  # fetched together: most of the time goes into the lists themselves
_CONFIGURATION = """
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Acquire::GzipIndexes "false";
Acquire::Retries "2";
#clear Acquire::Languages;
Acquire::Languages {{ {languages} }};
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
"""


@dataclass(frozen=True, slots=True)
class DebianFile:
    """A file of the cache that came from the Debian archive.

    Attributes:
        name: Its name in the cache.
        content: All of it.
        sha256: Of the content.
    """

    name: str
    content: bytes
    sha256: str

    @property
    def files(self) -> dict[str, str]:
        """File name to checksum, for the card."""
        return {self.name: self.sha256}


def obtain_debian(
    packages: "Sequence[str]",
    languages: "Sequence[str]",
    *,
    cache: Path,
    fetch: "Callable[[Sequence[str], Sequence[str], Path], None] | None" = None,
    say: "Callable[[str], None]" = lambda _: None,
) -> dict[str, DebianFile]:
    """Packages, and the descriptions of all packages in some languages, by their names.

    Args:
        packages: Names of packages; in the cache they are `NAME_VERSION_ARCHITECTURE.deb`.
        languages: Such as `en`; in the cache they are `debian-descriptions-LANGUAGE.gz`, which is
            the archive's file `Translation-LANGUAGE`, compressed by gzip.
        cache: The folder that keeps archives.
        fetch: Puts packages and descriptions into a folder, under these names.
        say: Tells the user about the download.

    Raises:
        TryAgainError: Something is not in the cache and cannot be fetched.
        RefusedError: apt is not installed here. The message names what is missing.
    """
    patterns = {name: f"{name}_*.deb" for name in packages}
    patterns |= {language: f"debian-descriptions-{language}.gz" for language in languages}
    missing = [name for name, pattern in patterns.items() if not _kept(cache, pattern)]
    if missing:
        named = [name for name in packages if name in missing]
        spoken = [name for name in _LANGUAGES if set(languages) & set(missing)]
        what = named + ["descriptions of packages"] * bool(spoken)
        say(f"Fetching {', '.join(what)} from the Debian archive")
        with tempfile.TemporaryDirectory(prefix="maas-") as folder:
            (fetch or download_debian)(named, spoken, Path(folder))
            for fetched in sorted(Path(folder).glob("*.deb")) + sorted(Path(folder).glob("*.gz")):
                write_file(cache / fetched.name, read_bounded(fetched))
    found = {}
    for name, pattern in patterns.items():
        path = _kept(cache, pattern)
        if path is None:
            raise TryAgainError(f"{pattern} could not be fetched from the Debian archive.")
        content = read_bounded(path)
        found[name] = DebianFile(path.name, content, hashlib.sha256(content).hexdigest())
    return found


def download_debian(packages: "Sequence[str]", languages: "Sequence[str]", folder: Path) -> None:
    """Let apt put packages and descriptions into a folder.

    Raises:
        TryAgainError: The archive cannot be reached, or apt gave up for another reason.
        RefusedError: apt is not installed.
    """
    names = [f"{name}_VERSION_all.deb" for name in packages]
    names += [f"debian-descriptions-{language}.gz" for language in languages]
    what = ", ".join(names)
    apt = require_tool("apt-get", what)
    for inner in ("lists/partial", "cache/archives/partial"):
        (folder / inner).mkdir(parents=True)
    spoken = " ".join(f'"{language}";' for language in languages) or '"none";'
    settings = folder / "apt.conf"
    settings.write_text(_CONFIGURATION.format(folder=folder, languages=spoken))
    command = [apt, "-q", "-c", str(settings)]
    run_client([*command, "update"], what=what, folder=folder)
    if packages:
        run_client([*command, "download", *packages], what=what, folder=folder)
    for language in languages:
        ending = f"*_Translation-{language.replace('_', '%5f')}"
        lists = sorted((folder / "lists").glob(ending))
        text = b"\n".join(read_bounded(path) for path in lists)
        if text:
            kept = folder / f"debian-descriptions-{language}.gz"
            kept.write_bytes(gzip.compress(text, mtime=0))


def read_package(content: bytes, wanted: "Callable[[str], bool]") -> dict[str, bytes]:
    """Name to content of some files of a package, without unpacking it to the disk.

    Args:
        content: The .deb file.
        wanted: Whether a file is read, by its path without the leading `/`.

    Raises:
        RefusedError: The package is damaged, or too much was asked for.
    """
    name, data = _data_member(content)
    if name.endswith(".zst"):  # of Ubuntu; Python cannot read it
        tool = require_tool("zstd", "the content of a package")
        done = subprocess.run(  # noqa: S603 - every word of the command is ours
            [tool, "-dc"], input=data, capture_output=True, check=False
        )
        if done.returncode:
            raise RefusedError("The package is damaged.")
        data = done.stdout
    return read_members(io.BytesIO(data), wanted)


def _data_member(content: bytes) -> tuple[str, bytes]:
    """Name and content of the tar archive inside a package, which is an ar archive."""
    place = len(_AR_MAGIC)
    if content[:place] == _AR_MAGIC:
        while place + _AR_HEADER <= len(content):
            header = content[place : place + _AR_HEADER]
            name = header[:16].decode("ascii", "replace").strip().rstrip("/")
            digits = header[48:58].strip()
            if not digits.isdigit():
                break
            size = int(digits)
            place += _AR_HEADER
            if name.startswith("data.tar") and place + size <= len(content):
                return name, content[place : place + size]
            place += size + size % 2
    raise RefusedError("The file is no Debian package, or is cut. Delete it, and it is fetched.")


def _kept(cache: Path, pattern: str) -> Path | None:
    """The file of the cache; of several versions the one that was put there last."""
    found = sorted(cache.glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name))
    return found[-1] if found else None
