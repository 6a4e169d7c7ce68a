"""F39: packaging twice, as if on two machines, gives the same served set, layers and release.

That one run gives one bundle digest anywhere is tests/integration/test_shipping.py.
"""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from support import effort
from support.shipping import make_project, tree

from maas_lab.packing.project import open_project

if TYPE_CHECKING:
    from pathlib import Path

    from support.tiny import Home

MACHINES = (
    ("077", {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "1", "HOME": "/nowhere"}),
    (
        "000",
        {"TZ": "America/New_York", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "LANG": "tr_TR"},
    ),
)


def test_f39_packages_are_equal_whatever_the_zone_locale_umask_and_hash_seed(
    home: "Home", tmp_path: "Path"
) -> None:
    # Given the same project and home in two places
    one = make_project(tmp_path / "one")
    two = open_project(shutil.copytree(one.root, tmp_path / "other" / "two"))
    state = shutil.copytree(home.settings.home, tmp_path / "other" / "home")
    places = ((one, home.settings.home), (two, state))

    def package(number: int) -> None:
        (umask, environ), (project, folder) = MACHINES[number], places[number]
        command = f"umask {umask}; exec '{sys.executable}' -m maas_lab.cli package"
        subprocess.run(
            ["sh", "-c", command],
            env={"PATH": "/usr/bin:/bin", "MAAS_HOME": str(folder), **environ},
            cwd=project.root,
            capture_output=True,
            check=True,
            timeout=120,
        )

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(package, (0, 1)))
    # Then every file, mode and time is equal, and what SAM is told: the release's digest too
    assert tree(one.models) == tree(two.models)
    assert len(tree(one.models)) > 10
    assert one.samconfig.read_bytes() == two.samconfig.read_bytes()
    assert b"ServedSets" in one.samconfig.read_bytes()
    effort.count("faults")
