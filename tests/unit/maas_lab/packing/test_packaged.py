"""What was packaged is read back whole, and what was changed since is refused."""

import shutil
from typing import TYPE_CHECKING

import pytest
from support.shipping import add_model, make_project, package_into
from support.tiny import Home, make_home

from maas.errors import RefusedError
from maas_lab.packing.packaged import read_packaged
from maas_lab.packing.project import open_project
from maas_lab.packing.samconfig import read_samconfig

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.packing.project import Project


@pytest.fixture
def home(tmp_path: "Path") -> Home:
    return make_home(tmp_path / "home")


@pytest.fixture
def project(tmp_path: "Path", home: Home) -> "Project":
    project = make_project(tmp_path / "project")
    package_into(project, home)
    return project


def test_it_says_all_that_a_deployment_needs(project: "Project", home: Home) -> None:
    add_model(home, "stars", seed=9)
    outcome = package_into(project, home)
    packaged = read_packaged(project)
    assert packaged.architecture == "x86_64"
    assert packaged.served == tuple(layer.served for layer in outcome.layers)
    assert packaged.overrides["Models"] == "sentiment,stars"
    assert packaged.digest == packaged.overrides["ServedSets"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("code", "changed after maas package; run it again"),
        ("parameter", "changed after maas package; run it again"),
        ("bundle", "layers/models/sentiment was changed; run: maas package"),
        ("served", "served.json cannot be read: it is not JSON.* Run: maas package"),
        ("swapped", "layers/models/sentiment was changed"),
        ("gone", "layers/models/sentiment is not there; run: maas package"),
    ],
)
def test_what_was_changed_since_is_refused(
    project: "Project", home: Home, change: str, reason: str
) -> None:
    folder = project.models / "sentiment"
    match change:
        case "code":
            (project.serving / "maas" / "new.py").write_text("")
        case "parameter":
            read_samconfig(project.samconfig).write(lambda _: {"Memory": "2048"})
        case "bundle":
            next(folder.glob("*/tokenizer.json")).write_text("{}")
        case "served":
            (folder / "served.json").write_text("no")
        case "swapped":
            add_model(home, "stars", seed=9)
            package_into(project, home)
            shutil.copyfile(project.models / "stars" / "served.json", folder / "served.json")
        case "gone":
            shutil.rmtree(folder)
    with pytest.raises(RefusedError, match=reason):
        read_packaged(project)
    package_into(project, home)
    read_packaged(project)


def test_a_clone_in_which_nothing_was_packaged_says_so(tmp_path: "Path") -> None:
    with pytest.raises(RefusedError, match="Nothing was packaged; run: maas package"):
        read_packaged(make_project(tmp_path / "clone"))


@pytest.mark.parametrize("name", ["template.yaml", "samconfig.toml"])
def test_a_folder_that_is_no_project_is_refused(project: "Project", name: str) -> None:
    (project.root / name).unlink()
    with pytest.raises(RefusedError, match=f"There is no {name} in .*--project"):
        open_project(project.root)
