"""`maas package` as its users run it: the verb, SAM's translator, kills, full disks, rivals."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.shipping import make_project, package_into, tree
from support.stack import translate
from support.tiny import Home, make_home

from maas.served import read_served
from maas_lab.packing.packaged import read_packaged
from maas_lab.packing.samconfig import read_samconfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas_lab.packing.project import Project

MAAS = (sys.executable, "-m", "maas_lab.cli")
NEVER = 10_000
# Kills this process, or lets the disk be full, at the nth thing that it does to a file.
FAULTY = """
import errno, os, runpy, signal, sys
left, how, home = int(sys.argv[1]), sys.argv[2], os.getcwd()
watched = ["open", "os.rename"]
if how == "kill":
    watched += "os.remove os.rmdir os.mkdir os.chmod os.utime shutil.rmtree ctypes.dlsym".split()
def watch(event, arguments):
    global left
    if event not in watched or not any(part in str(arguments) for part in (home, "renameat2")):
        return
    if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
        return
    left -= 1
    if left == 0:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, "No space left on device", "layers/models/a-file")
sys.addaudithook(watch)
import atexit
atexit.register(lambda: sys.stderr.write(f"left {left}"))
sys.argv = ["maas", *sys.argv[3:]]
runpy.run_module("maas_lab.cli", run_name="__main__")
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Versions 1 and 2 of `sentiment`; production is 1."""
    return make_home(tmp_path / "home")


@pytest.fixture
def project(tmp_path: Path) -> "Project":
    return make_project(tmp_path / "project")


def maas(
    home: Home, project: "Project", *arguments: str, command: tuple[str, ...] = MAAS
) -> subprocess.CompletedProcess[str]:
    """Run the command in the project's folder."""
    return subprocess.run(
        [*command, *arguments],
        env={"PATH": os.environ["PATH"], "MAAS_HOME": str(home.settings.home)},
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def package(home: Home, project: "Project", *arguments: str) -> dict[str, Any]:
    done = maas(home, project, "package", "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


# ---- The verb -----------------------------------------------------------------------------------


def test_the_verb_prints_the_plan_and_what_it_did(home: Home, project: "Project") -> None:
    done = maas(home, project, "package")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["sentiment@2", "0.0", "optimised-x86", "newest", "candidate"] in lines
    assert lines[1][:2] == ["runtime", "110.0"]
    assert ["layers/models/sentiment", "new"] in lines
    assert any(line[:1] == ["sentiment"] and line[-1] == "fits" for line in lines)


def test_the_verb_speaks_json(home: Home, project: "Project") -> None:
    first = package(home, project)
    assert (first["written"], first["samconfig_changed"]) == (True, True)
    assert first["plan"]["models"][0]["fits"] is True
    assert [v["roles"] for v in first["plan"]["models"][0]["versions"]] == [
        ["routed"],
        ["candidate"],
    ]
    again = package(home, project, "sentiment", "--candidate", "sentiment@2")
    assert [layer["state"] for layer in again["layers"]] == ["unchanged"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--candidate", "sentiment@9"), 3, "has no version 9"),
        (("stars",), 3, "There is no model stars"),
        (("--without", "all"), 2, "neither newest nor previous"),
        (("--architecture", "sparc"), 2, "x86_64 or arm64"),
        (("--project", "functions"), 3, "There is no template.yaml"),
    ],
)
def test_a_refusal_is_one_line_and_its_exit_code(
    home: Home, project: "Project", arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = tree(project.root)
    done = maas(home, project, "package", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert said in done.stderr
    assert tree(project.root) == before


def test_what_does_not_fit_ends_with_3_says_what_would_help_and_writes_nothing(
    home: Home, project: "Project"
) -> None:
    # Given a runtime layer that leaves a kilobyte
    layer = project.build / "RuntimeLayer" / "python" / "onnxruntime"
    layer.mkdir(parents=True)
    with (layer / "__init__.py").open("wb") as file:
        file.truncate(244_362_000)
    before = tree(project.root)
    done = maas(home, project, "package", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["written"], answer["plan"]["fits"]) == (3, False, False)
    assert answer["plan"]["models"][0]["remedies"]
    text = maas(home, project, "package").stdout
    assert "does not fit" in text
    assert "nothing was written" in text
    assert tree(project.root) == before


# ---- The trap: SAM publishes no version when only a layer changes -------------------------------


def published(overrides: "Mapping[str, str]") -> dict[str, str]:
    """Logical ids of the function versions that SAM would publish, by the function's."""
    parameters: dict[str, object] = {k: v for k, v in overrides.items() if k != "Models"}
    stack = translate(tuple(overrides["Models"].split(",")), **parameters)
    return {
        version["FunctionName"].strip("<>"): name
        for name, version in stack.of("AWS::Lambda::Version").items()
    }


def test_a_new_model_version_always_publishes_a_new_function_version(
    home: Home, project: "Project"
) -> None:
    package(home, project)
    first = published(read_samconfig(project.samconfig).overrides("deploy"))
    package(home, project)
    assert published(read_samconfig(project.samconfig).overrides("deploy")) == first

    home.add(seed=3)
    package(home, project)
    second = published(read_samconfig(project.samconfig).overrides("deploy"))
    assert second.keys() == first.keys()
    assert not set(second.values()) & set(first.values())

    # And so does a promote, a line of code, and a parameter
    home.promote(3)
    package(home, project)
    third = published(read_samconfig(project.samconfig).overrides("deploy"))
    (project.serving / "maas" / "another.py").write_text("")
    package(home, project)
    fourth = published(read_samconfig(project.samconfig).overrides("deploy"))
    read_samconfig(project.samconfig).write(lambda _: {"Memory": "2048"})
    package(home, project)
    fifth = published(read_samconfig(project.samconfig).overrides("deploy"))
    ids = {tuple(sorted(each.values())) for each in (first, second, third, fourth, fifth)}
    assert len(ids) == 5


# ---- Faults -------------------------------------------------------------------------------------


def is_usable(project: "Project") -> bool:
    """Whether every model that samconfig.toml names has a whole layer."""
    models = read_samconfig(project.samconfig).overrides("deploy")["Models"].split(",")
    return all(read_served(project.models / model) is not None for model in models)


@pytest.mark.parametrize("how", ["kill", "full"])
def test_a_kill_or_a_full_disk_at_any_step_leaves_layers_that_can_be_built(
    home: Home, tmp_path: Path, how: str
) -> None:
    # Given a project that is packaged, and a registry that went on
    former = make_project(tmp_path / "former")
    package_into(former, home)
    old = read_packaged(former).served[0]
    home.add(seed=3)
    home.promote(2)
    wanted = make_project(tmp_path / "wanted")
    package_into(wanted, home)
    # When it is packaged again and ends at one of its steps, the last ones among them
    total = NEVER - int(
        faulty(home, make_copy(former, tmp_path / "whole"), NEVER, how).stderr.split()[-1]
    )
    steps = {*range(total - 6, total + 1), *random.Random(5).sample(range(1, total - 6), 4)}
    seen = set()
    for step in sorted(steps):
        project = make_copy(former, tmp_path / f"step-{step}")
        done = faulty(home, project, step, how)
        assert done.returncode == (-9 if how == "kill" else 5), done.stderr
        # Then there is the former layer or the new one, never half of one
        assert is_usable(project)
        served = read_served(project.models / "sentiment")
        assert served in (old, read_packaged(wanted).served[0])
        seen.add(served == old)
        if how == "full":
            assert "Make room and run it again" in done.stderr
            assert not list(project.models.glob(".*.part"))
        # And the next run ends as one that nothing disturbed
        package_into(project, home)
        assert tree(project.models) == tree(wanted.models)
        assert project.samconfig.read_bytes() == wanted.samconfig.read_bytes()
        shutil.rmtree(project.root)
    assert seen == {True, False}


def faulty(home: Home, project: "Project", step: int, how: str) -> subprocess.CompletedProcess[str]:
    """Package in a process to which something happens at a step."""
    command = (sys.executable, "-c", FAULTY, str(step), how)
    return maas(home, project, "package", command=command)


def make_copy(project: "Project", root: Path) -> "Project":
    shutil.copytree(project.root, root)
    return type(project)(root)


def test_a_project_that_cannot_be_written_to_is_said(home: Home, project: "Project") -> None:
    # Given a file where the folder of layers would be (a mode would not stop root)
    project.models.write_text("x")
    done = maas(home, project, "package")
    assert done.returncode == 2
    assert "The project's folder must be one that you may write to" in done.stderr


def test_rivals_end_with_one_whole_layer_and_the_others_turned_away(
    home: Home, project: "Project"
) -> None:
    environment = {"PATH": os.environ["PATH"], "MAAS_HOME": str(home.settings.home)}
    rivals = [
        subprocess.Popen(
            [*MAAS, "package"],
            env=environment,
            cwd=project.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    ends = [(rival.communicate(timeout=120)[1], rival.returncode) for rival in rivals]
    assert {code for _, code in ends} <= {0, 4}
    assert 0 in {code for _, code in ends}
    assert all("Another process is at work" in said for said, code in ends if code == 4)
    read_packaged(project)
