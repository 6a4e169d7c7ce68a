"""The makefiles of the layers and the lock of the runtime, without SAM, Docker or a network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.needs import missing
from support.stack import TEMPLATE, translate

ROOT = TEMPLATE.parent
RUNTIME, SERVING = ROOT / "layers/runtime", ROOT / "layers/serving"
REQUIREMENTS, MAKEFILE = RUNTIME / "requirements.txt", RUNTIME / "Makefile"
# What the doors of both functions and the tasks behind them load, beside Python's own.
PROBE = """
import sys
before = set(sys.modules)
import maas.http.entry, maas.http.catalog_entry, maas.text.tokenizer, maas.vision.pictures
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(tops - sys.stdlib_module_names - {"maas"}))
"""

DECODING = """
import io, sys
from PIL import Image
from maas.bundle.manifest import ImageInput
from maas.vision.files import read_file
pictures = []
for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
    pictures.append(io.BytesIO())
    Image.new(mode, (8, 8)).save(pictures[-1], "PNG")
for mode in ("L", "RGB", "CMYK"):
    pictures.append(io.BytesIO())
    Image.new(mode, (8, 8)).save(pictures[-1], "JPEG")
for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
    del sys.modules[name]
from maas.vision.pictures import decode
for picture in pictures:
    decode(read_file(picture.getvalue(), field="x"), ImageInput(4, 4, 3), field="x")
names = [name for name in sys.modules if name.partition(".")[0] == "PIL"]
print(*sorted(name.partition(".")[2] or "__init__" for name in names))
"""


def locked(path: Path) -> dict[str, str]:
    """Versions by normalised name."""
    pairs = re.findall(r"^([A-Za-z0-9._-]+)==([\w.+!]+)", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[._-]+", "-", name).lower(): version for name, version in pairs}


def make(
    folder: Path, *arguments: str, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("make") or missing("make is not on PATH")
    return subprocess.run(
        [tool, "-C", str(folder), *arguments],
        env={"PATH": path if path is not None else os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def python313() -> str:
    """Lambda's Python, or the end of the test."""
    found = shutil.which("python3.13")
    works = found and subprocess.run([found, "--version"], capture_output=True, check=False)
    if not found or not works or works.returncode:  # a version manager's stand-in may not run
        missing("python3.13 is not on PATH")
    return found


def test_the_runtime_has_the_versions_that_everything_else_has() -> None:
    runtime, everything = locked(REQUIREMENTS), locked(ROOT / "requirements.lock")
    assert runtime == {name: everything.get(name) for name in runtime}
    assert {"onnxruntime", "numpy", "tokenizers", "msgspec"} < set(runtime)


def test_every_package_of_the_runtime_has_its_hashes() -> None:
    text = REQUIREMENTS.read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", "").splitlines()
    assert len(joined) == len(locked(REQUIREMENTS)) == 5
    for line in joined:
        assert re.fullmatch(r"[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+ *", line), line


def test_the_runtime_has_what_the_functions_import_and_no_more() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {re.sub("_", "-", name) for name in done.stdout.split()} - {"PIL"} | {"pillow"}
    loaded -= {"typing-extensions"}  # msgspec imports it where it is, and goes without it
    assert loaded == set(locked(REQUIREMENTS))


def test_of_pillow_it_has_what_decoding_imports() -> None:
    # Given what a process has loaded after it decoded a picture of each kind
    done = subprocess.run(
        [sys.executable, "-c", DECODING], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    # Then the makefile keeps that, and what is imported for types or in refusals alone
    (listed,) = re.findall(
        r"^PILLOW := ((?:.*\\\n)*.*)$", MAKEFILE.read_text("utf-8"), re.MULTILINE
    )
    kept = set(listed.replace("\\\n", " ").split())
    assert loaded - {"_imaging"} <= kept
    assert kept - loaded <= {"_typing"}


def test_every_layer_of_the_template_has_its_target() -> None:
    folders = {
        re.sub(r"[0-9a-f]{10}$", "", name): layer["Content"]["S3Key"]
        for name, layer in translate().of("AWS::Lambda::LayerVersion").items()
    }
    assert folders.pop("ModelsentimentLayer") == "layers/models/sentiment"  # maas package writes it
    assert set(folders) == {"RuntimeLayer", "ServingLayer"}
    for layer, folder in folders.items():
        done = make(ROOT / folder, "--dry-run", f"build-{layer}", "ARTIFACTS_DIR=/nowhere")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("said", "machine"), [(None, "x86_64"), ("x86_64\n", "x86_64"), ("arm64\n", "aarch64")]
)
def test_wheels_are_taken_for_the_machine_that_was_packaged_for(
    tmp_path: Path, said: str | None, machine: str
) -> None:
    shutil.copy(RUNTIME / "Makefile", tmp_path)
    if said is not None:
        (tmp_path / "architecture").write_text(said)
    done = make(tmp_path, "--dry-run", "install", "ARTIFACTS_DIR=/nowhere")
    platforms = re.findall(r"--platform (\S+)", done.stdout)
    assert all(platform.endswith(machine) for platform in platforms)
    assert {f"manylinux2014_{machine}", f"manylinux_2_28_{machine}"} < set(platforms)
    for option in ("--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version 3.13"):
        assert option in done.stdout


@pytest.mark.parametrize(("limit", "passes"), [(1000, True), (999, False)])
def test_a_layer_above_its_limit_is_not_built(tmp_path: Path, limit: int, passes: bool) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python/a").write_bytes(bytes(600))
    (tmp_path / "python/b c").write_bytes(bytes(400))
    done = make(RUNTIME, "measure", f"ARTIFACTS_DIR={tmp_path}", f"LIMIT={limit}")
    assert (done.returncode == 0) is passes
    assert f"has 1000 bytes unzipped; the limit is {limit}" in done.stderr
    assert ("Too large" in done.stderr) is not passes


def test_the_limit_is_110_megabytes() -> None:
    done = make(RUNTIME, "--dry-run", "measure", "ARTIFACTS_DIR=/nowhere")
    assert "-le 110000000" in done.stdout


@pytest.mark.parametrize(
    ("folder", "target"), [(RUNTIME, "build-RuntimeLayer"), (SERVING, "build-ServingLayer")]
)
def test_without_lambdas_python_it_says_what_is_missing(
    tmp_path: Path, folder: Path, target: str
) -> None:
    for tool in ("sh", "env", "test"):
        if found := shutil.which(tool):
            (tmp_path / tool).symlink_to(found)
    done = make(folder, target, f"ARTIFACTS_DIR={tmp_path / 'out'}", path=str(tmp_path))
    assert done.returncode != 0
    assert "python3.13" in done.stderr
    assert "must be on PATH" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_serving_layer_is_the_same_wherever_it_is_built(tmp_path: Path) -> None:
    python313()
    trees = []
    for name in ("one", "other"):
        # Given two checkouts, one of which was worked in
        source = tmp_path / name / "serving"
        shutil.copytree(SERVING, source, ignore=shutil.ignore_patterns("__pycache__"))
        if name == "other":
            (source / "maas/__pycache__").mkdir()
            (source / "maas/__pycache__/old.cpython-311.pyc").write_bytes(b"old")
            (source / "maas/errors.py").chmod(0o600)

        # When both are built
        out = tmp_path / name / "out"
        done = make(source, "build-ServingLayer", f"ARTIFACTS_DIR={out}")
        assert done.returncode == 0, done.stderr
        trees.append({p.relative_to(out): p for p in sorted(out.rglob("*"))})

    # Then they are equal: names, modes, times and bytes
    one, other = trees
    assert list(one) == list(other)
    for path, file in one.items():
        ours, theirs = file.stat(), other[path].stat()
        assert (ours.st_mode, ours.st_mtime) == (theirs.st_mode, theirs.st_mtime), path
        if file.is_file():
            assert file.read_bytes() == other[path].read_bytes(), path
    compiled = [path.name for path in one if path.suffix == ".pyc"]
    assert compiled
    assert all(".cpython-313." in name for name in compiled)
    assert len(compiled) == sum(path.suffix == ".py" for path in one)
    (errors,) = (file for path, file in one.items() if path.name == "errors.cpython-313.pyc")
    assert b"/opt/python/maas/errors.py" in errors.read_bytes()  # as a trace will name it
    # Flags of the header: hash-based, and not to be checked against the source
    assert int.from_bytes(errors.read_bytes()[4:8], "little") == 0b01
