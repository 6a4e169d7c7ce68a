"""The data sets by their names: readers of pictures and of pairs, and every set's title page.

Imports the modules of this room below it:

    about, read = PICTURE_SETS["mnist"]
    about, read, rule = PAIR_SETS["debian-synopses"]
    about_set("mnist").rows                      # 70000
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from maas_lab.data import debian_synopses, fashion_mnist, libreoffice_help, mnist
from maas_lab.data.pair_splits import PairRule
from maas_lab.data.pictures import PictureFiles
from maas_lab.data.plain_texts import ABOUT as ABOUT_MIXED
from maas_lab.data.plain_texts import MIXED
from maas_lab.data.rows import PairReading
from maas_lab.data.text_sets import TEXT_SETS

if TYPE_CHECKING:
    from maas_lab.data.about import About

PictureReader = Callable[..., PictureFiles]
PairReader = Callable[..., tuple[PairReading, dict[str, str]]]
PICTURE_SETS: "dict[str, tuple[About, PictureReader]]" = {
    "fashion-mnist": (fashion_mnist.ABOUT, fashion_mnist.read_fashion_mnist),
    "mnist": (mnist.ABOUT, mnist.read_mnist),
}
"""Title page and reader of each."""
PAIR_SETS: "dict[str, tuple[About, PairReader, PairRule]]" = {
    "debian-synopses": (
        debian_synopses.ABOUT,
        debian_synopses.read_debian_synopses,
        PairRule(),
    ),
    "libreoffice-help-zh": (
        libreoffice_help.ABOUT,
        libreoffice_help.read_libreoffice_help,
        libreoffice_help.RULE,
    ),
}
"""Title page, reader and rule of the split of each."""


def about_set(name: str) -> "About":
    """The title page of any data set that comes with a name."""
    if name in TEXT_SETS:
        return TEXT_SETS[name].about
    if name in PICTURE_SETS:
        return PICTURE_SETS[name][0]
    return ABOUT_MIXED if name == MIXED else PAIR_SETS[name][0]
