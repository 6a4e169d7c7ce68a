"""The data sets of pictures and of pairs by their names; those of texts are in `text_sets`.

Imports the modules of this room below it:

    about, read = PICTURE_SETS["mnist"]
    about, read, rule = PAIR_SETS["debian-synopses"]
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from maas_lab.data import debian_synopses, fashion_mnist, libreoffice_help, mnist
from maas_lab.data.pair_splits import PairRule
from maas_lab.data.pictures import PictureFiles
from maas_lab.data.rows import PairReading

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
