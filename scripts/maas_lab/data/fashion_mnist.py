"""70,000 pictures of clothes, 28 by 28 pixels, with the official test split.

Imports the standard library and the modules of this room below it. All four files lie inside the
Debian package dataset-fashion-mnist:

    found = read_fashion_mnist(settings.cache)
    found.images["test"].shape                   # (10000, 28, 28, 1)
"""

from typing import TYPE_CHECKING

from maas.errors import RefusedError
from maas_lab.data.about import About
from maas_lab.data.debian import obtain_debian, read_package
from maas_lab.data.idx import decompress
from maas_lab.data.pictures import NAMES, PictureFiles, parse_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ABOUT = About(
    title=(
        "Fashion-MNIST: pictures of clothes, 28 by 28 pixels, 60,000 to train on and 10,000 to "
        "test with"
    ),
    licence="MIT",
    citation=(
        "Xiao, H., Rasul, K. & Vollgraf, R. (2017). Fashion-MNIST: a Novel Image Dataset for "
        "Benchmarking Machine Learning Algorithms. arXiv:1708.07747."
    ),
    redistribution="Yes, with the MIT notice of Zalando SE.",
    rows=70_000,
)
_PACKAGE = "dataset-fashion-mnist"
_FOLDER = "usr/share/datasets/fashion-mnist/"


def read_fashion_mnist(
    cache: "Path",
    *,
    fetch: "Callable[[Sequence[str], Sequence[str], Path], None] | None" = None,
    say: "Callable[[str], None]" = lambda _: None,
) -> PictureFiles:
    """Read the pictures, fetching the package first where the cache does not hold it.

    Args:
        cache: The folder that keeps archives.
        fetch: Puts packages into a folder.
        say: Tells the user about the download.

    Raises:
        TryAgainError: The package is not in the cache and cannot be fetched.
        RefusedError: apt is missing, or the package does not hold the four files.
    """
    found = obtain_debian([_PACKAGE], [], cache=cache, fetch=fetch, say=say)[_PACKAGE]
    wanted = {f"{_FOLDER}{name}.gz": name for name in NAMES}
    members = read_package(found.content, wanted.__contains__)
    missing = sorted(wanted.keys() - members.keys())
    if missing:
        raise RefusedError(f"{found.name} does not hold {missing[0]}.")
    contents = {wanted[path]: decompress(content, path) for path, content in members.items()}
    return parse_files(contents, found.files)
