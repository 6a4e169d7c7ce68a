"""What `sam validate` and `sam build` say and make, in a clean clone and in a packaged project."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from support.sam import Sam, World
from support.shipping import make_project, package_into, tree
from support.tiny import make_home

pytestmark = pytest.mark.docker

MEGABYTE = 1_000_000


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_clean_clone_is_valid_before_anything_is_packaged(tmp_path: Path) -> None:
    done = Sam(make_project(tmp_path / "clone").root).run("validate", "--lint")
    assert done.returncode == 0, done.stderr
    assert "is a valid SAM Template" in done.stdout


def test_what_was_packaged_is_valid(world: World) -> None:
    done = world.sam.run("validate", "--lint")
    assert done.returncode == 0, done.stderr


def test_the_layers_lie_where_functions_look_and_fit(world: World) -> None:
    runtime, serving, model = (
        world.built / name for name in ("RuntimeLayer", "ServingLayer", "ModelsentimentLayer")
    )
    assert (runtime / "python/onnxruntime/capi").is_dir()
    assert (serving / "python/maas/http/entry.py").is_file()
    assert (model / "models/sentiment/served.json").is_file()
    assert [path.name for path in model.iterdir()] == ["models"]  # S25: nothing that Python finds
    assert size(runtime) <= 110 * MEGABYTE
    assert size(runtime) + size(serving) + size(model) <= 245 * MEGABYTE
    for layer in (runtime, serving):
        for source in layer.rglob("*.py"):
            compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
            assert compiled.is_file(), source


def test_only_tests_tools_and_headers_were_pruned(world: World) -> None:
    runtime = world.built / "RuntimeLayer/python"
    assert not [p for p in runtime.rglob("*") if p.name == "tests" or p.suffix in (".h", ".a")]
    licensed = {path.parent.name for path in runtime.rglob("LICENSE*")}
    assert {"licenses", "onnxruntime"} <= licensed
    # Nothing names the library for C programs that was left out
    modules = [*runtime.rglob("*.so*"), *runtime.rglob("*.py")]
    assert any(path.name.startswith("onnxruntime_pybind11_state") for path in modules)
    assert not [path for path in modules if b"libonnxruntime.so" in path.read_bytes()]


def test_what_was_pruned_is_imported_by_no_module_of_ours(world: World) -> None:
    program = (
        "import importlib, maas, pkgutil\n"
        "for module in pkgutil.walk_packages(maas.__path__, 'maas.'):\n"
        "    importlib.import_module(module.name)\n"
    )
    layers = [str(world.built / layer / "python") for layer in ("RuntimeLayer", "ServingLayer")]
    done = subprocess.run(
        ["python3.13", "-S", "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(layers), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_two_builds_of_one_commit_are_equal(tmp_path: Path) -> None:
    """P12: from the same bundles, anywhere."""
    home = make_home(tmp_path / "home")
    builds = []
    for name in ("here", "somewhere else"):
        project = make_project(tmp_path / name)
        package_into(project, home)
        done = Sam(project.root).run("build")
        assert done.returncode == 0, done.stderr
        builds.append(project.root / ".aws-sam/build")
    for layer in ("RuntimeLayer", "ServingLayer", "ModelsentimentLayer"):
        ours, theirs = (tree(build / layer) for build in builds)
        assert list(ours) == list(theirs)
        assert [path for path, facts in ours.items() if facts != theirs[path]] == [], layer


def test_another_machines_wheels_are_built_here(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    (project.runtime / "architecture").write_text("arm64\n")
    out = tmp_path / "out"
    done = subprocess.run(
        ["make", "-C", str(project.runtime), "build-RuntimeLayer", f"ARTIFACTS_DIR={out}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    native = list((out / "python").rglob("*.so"))
    assert native
    for path in native:
        assert path.read_bytes()[18] == 0xB7, path  # ELF's number for AArch64


def test_the_runtime_layer_is_small_enough_to_upload_directly(world: World, tmp_path: Path) -> None:
    archive = tmp_path / "runtime.zip"
    runtime = world.built / "RuntimeLayer"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(runtime.rglob("*")):
            file.write(path, path.relative_to(runtime))
    assert archive.stat().st_size <= 48 * MEGABYTE
