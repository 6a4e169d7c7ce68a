"""The release digest: everything that must publish a function version moves it, nothing else."""

import os
from typing import TYPE_CHECKING

import pytest
from support.shipping import make_project

from maas_lab.packing.release_digest import release_digest

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.packing.project import Project

SERVED = {"sentiment": b"{}"}
OVERRIDES = {"Models": "sentiment", "Memory": "1769"}


@pytest.fixture
def project(tmp_path: "Path") -> "Project":
    return make_project(tmp_path / "project")


def digest(project: "Project") -> str:
    return release_digest(project, served=SERVED, overrides=OVERRIDES)


@pytest.mark.parametrize(
    "name",
    [
        "template.yaml",
        "functions/inference/app.py",
        "layers/serving/maas/served.py",
        "layers/serving/Makefile",
        "layers/runtime/requirements.txt",
        "layers/runtime/Makefile",
    ],
)
def test_every_file_that_is_shipped_moves_it(project: "Project", name: str) -> None:
    before = digest(project)
    file = project.root / name
    data = file.read_bytes()
    file.write_bytes(data + b"\n")
    assert digest(project) != before
    file.write_bytes(data.replace(b"\n", b"\r\n", 1))
    assert digest(project) != before
    file.write_bytes(data)
    assert digest(project) == before
    file.rename(file.with_name("another"))
    if name != "template.yaml":
        assert digest(project) != before


def test_a_served_set_and_a_parameter_move_it(project: "Project") -> None:
    found = {
        digest(project),
        release_digest(project, served={"sentiment": b"{} "}, overrides=OVERRIDES),
        release_digest(project, served={"stars": b"{}"}, overrides=OVERRIDES),
        release_digest(project, served=SERVED | {"stars": b"{}"}, overrides=OVERRIDES),
        release_digest(project, served=SERVED, overrides=OVERRIDES | {"Memory": "1024"}),
        release_digest(project, served=SERVED, overrides=OVERRIDES | {"SnapStart": "on"}),
    }
    assert len(found) == 6
    assert all(len(each) == 64 and int(each, 16) for each in found)


def test_its_own_last_value_and_the_order_of_things_do_not(project: "Project") -> None:
    before = digest(project)
    told = {"ServedSets": "f" * 64, **dict(reversed(OVERRIDES.items()))}
    assert release_digest(project, served=SERVED, overrides=told) == before


def test_modes_times_caches_and_hidden_files_do_not(project: "Project") -> None:
    before = digest(project)
    for path in project.root.rglob("*"):
        if path.is_file():
            path.chmod(0o755)
            os.utime(path, (0, 0))
    for name in (
        "functions/inference/__pycache__/app.cpython-313.pyc",
        "layers/serving/maas/.DS_Store",
        "layers/serving/maas/stale.pyc",
        "layers/runtime/architecture",
        "layers/models/sentiment/served.json",
        "README.md",
    ):
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text("x")
    assert digest(project) == before


def test_another_place_does_not(project: "Project", tmp_path: "Path") -> None:
    assert digest(make_project(tmp_path / "elsewhere" / "deep")) == digest(project)
