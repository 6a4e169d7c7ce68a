"""The files of DynamoDB Local, fetched once: Amazon's jar, as npm carries it for Amplify.

Imports the standard library and `maas.errors`. The archive is pinned by version and digest, so what
runs is always the same; several processes may fetch at once, and the first to finish wins:

    folder = fetch_files(settings.cache)     # …/dynamodb-local/2.9.30 with DynamoDBLocal.jar
"""

import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from maas.errors import RefusedError, TryAgainError

VERSION = "2.9.30"
_PACKAGE = f"amplify-dynamodb-simulator@{VERSION}"
_ARCHIVE_SHA256 = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"
_JAR = "DynamoDBLocal.jar"
_JAR_SHA256 = "454305e9bc3e6ebcca5b62569869e31563b8d7e346474e94557b2600702146c7"
_INSIDE = PurePosixPath("package/emulator")
_FETCH_SECONDS = 300
_OLDEST_JAVA = 11


def has_java() -> bool:
    """Whether a Java that is new enough is on the PATH."""
    if shutil.which("java") is None:
        return False
    said = subprocess.run(
        ["java", "-version"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    found = re.search(r'version "(\d+)', said.stderr + said.stdout)
    return said.returncode == 0 and found is not None and int(found[1]) >= _OLDEST_JAVA


def fetch_files(
    cache: Path, *, archive_sha256: str = _ARCHIVE_SHA256, jar_sha256: str = _JAR_SHA256
) -> Path:
    """The folder of DynamoDB Local; fetched through npm where it is not whole.

    Args:
        cache: Where fetched things are kept.
        archive_sha256: What npm's archive must be.
        jar_sha256: What the jar in it must be.

    Raises:
        RefusedError: There is no npm, or what came is not what was pinned.
        TryAgainError: npm could not fetch it.
    """
    folder = cache / "dynamodb-local" / VERSION
    if _whole(folder, jar_sha256):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as work:
        draft = Path(work) / VERSION
        _unpack(_fetch(Path(work), archive_sha256), draft)
        _put_in_place(draft, folder, jar_sha256)
    if not _whole(folder, jar_sha256):
        raise RefusedError(f"{_PACKAGE} does not hold the jar that is expected; it is not run.")
    return folder


def _whole(folder: Path, jar_sha256: str) -> bool:
    jar = folder / _JAR
    return jar.is_file() and _sha256(jar) == jar_sha256


def _fetch(work: Path, sha256: str) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise RefusedError(
            "DynamoDB Local is fetched through npm once. Install npm, or set "
            "AWS_ENDPOINT_URL_DYNAMODB to one that runs."
        )
    try:
        done = subprocess.run(  # noqa: S603
            [npm, "pack", "--silent", "--ignore-scripts", _PACKAGE],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise TryAgainError(f"npm did not fetch {_PACKAGE} in {_FETCH_SECONDS} s.") from None
    archives = list(work.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        said = done.stderr.strip().splitlines()
        raise TryAgainError(f"npm could not fetch {_PACKAGE}: {said[-1] if said else 'no reason'}")
    if _sha256(archives[0]) != sha256:
        raise RefusedError(f"npm's {_PACKAGE} is not the archive that is pinned; it is not used.")
    return archives[0]


def _unpack(archive: Path, folder: Path) -> None:
    """Plain files of one folder of the archive; links and anything outside it are left out."""
    with tarfile.open(archive) as files:
        for member in files:
            name = PurePosixPath(member.name)
            if not member.isfile() or ".." in name.parts or not name.is_relative_to(_INSIDE):
                continue
            content = files.extractfile(member)
            if content is not None:
                target = folder / name.relative_to(_INSIDE)
                target.parent.mkdir(parents=True, exist_ok=True)
                with content, target.open("wb") as file:
                    shutil.copyfileobj(content, file)


def _put_in_place(draft: Path, folder: Path, jar_sha256: str) -> None:
    if folder.exists() and not _whole(folder, jar_sha256):
        folder.rename(draft.parent / "damaged")
    try:
        draft.rename(folder)
    except OSError:  # somebody else was faster: theirs is as good
        if not folder.is_dir():
            raise


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
