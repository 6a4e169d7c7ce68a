"""What a function can import: the runtime layer's packages and our own, and nothing else of here.

Imports the standard library. An environment of the lab has more, and some of it is imported where
it is found: msgspec takes typing_extensions, which is a tenth of an import of its own.

    link_packages(REQUIREMENTS, folder)          # python -S, with PYTHONPATH=folder
"""

import re
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "layers" / "runtime" / "requirements.txt"
_OURS = (ROOT / "layers" / "serving" / "maas", ROOT / "scripts" / "maas_lab")


def link_packages(requirements: Path, folder: Path) -> None:
    """Fill a folder with links to packages that are installed here.

    Args:
        requirements: Names the packages; their versions are those that are installed.
        folder: A new one.
    """
    folder.mkdir()
    names = re.findall(r"^([\w.-]+)==", requirements.read_text("utf-8"), re.MULTILINE)
    tops = [top for name in names for top in _tops(name)]
    for path in (*tops, *_OURS):
        (folder / path.name).symlink_to(path)


def _tops(name: str) -> list[Path]:
    """A package's own folders and files in site-packages; `..` leads to scripts outside."""
    found = distribution(name)
    tops = {file.parts[0] for file in found.files or () if file.parts[0] != ".."}
    return sorted(Path(str(found.locate_file(top))) for top in tops)
