"""The registry's own page names each of its rooms, once they are many."""

import re
from pathlib import Path

import maas.registry


def test_the_page_of_the_rooms_names_them_all_and_no_others() -> None:
    page = maas.registry.__doc__ or ""
    folder = Path(maas.registry.__file__).parent
    rooms = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert set(re.findall(r"`(\w+)`", page)) == rooms
