"""Importing any module of `maas` does nothing but import; and some things only one room may touch.

It starts no thread, opens no socket, writes no file and reads no variable of the environment.
"""

import ast
import json
import subprocess
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.task_bundles import home_with
from support.tiny import make_home
from support.tiny_audio import make_sounds
from support.tiny_embedding import make_embedding
from support.tiny_image import make_image
from support.tiny_writer import make_writer

import maas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(maas.__file__).parent
MODULES = sorted(
    ".".join(("maas", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)
FORBIDDEN = {"torch", "onnx", "transformers", "boto3", "botocore", "maas_lab"}
PROBE = """
import json, os, sys
opened, asked = [], []
def watch(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.system", "os.fork"):
        raise RuntimeError(f"{event} while importing")
    if event == "open" and (arguments[2] or 0) & 3:  # for writing
        opened.append(str(arguments[0]))
def note():
    frame = sys._getframe(2)  # libraries may ask for what they like; who asks for us is us
    while frame.f_globals.get("__name__") in ("os", "collections.abc"):
        frame = frame.f_back
    if frame.f_globals.get("__name__", "").startswith("maas"):
        asked.append(f"{frame.f_globals['__name__']}:{frame.f_lineno}")
class Watched(type(os.environ)):
    def __getitem__(self, name):
        note()
        return super().__getitem__(name)
    def __iter__(self):
        note()
        return super().__iter__()
os.environ.__class__ = Watched
sys.addaudithook(watch)
sys.dont_write_bytecode = True
import importlib, threading
importlib.import_module(sys.argv[1])
threads = [thread.name for thread in threading.enumerate()]
print(json.dumps(
    {"threads": threads, "written": opened, "asked": asked, "modules": sorted(sys.modules)}
))
"""


def imported(module: str, folder: Path) -> dict[str, Any]:
    """What happens when a fresh process with no environment imports a module and nothing else."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE, module],
        env={"HOME": str(folder)},  # where ONNX Runtime would keep what it tells of a machine
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_by_itself_and_does_nothing_else(module: str, tmp_path: Path) -> None:
    result = imported(module, tmp_path)
    assert result["threads"] == ["MainThread"]
    assert result["written"] == []
    assert result["asked"] == []
    assert FORBIDDEN.isdisjoint(name.split(".")[0] for name in result["modules"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("task", "without"),
    [
        ("text-classification", {"PIL", "maas.tasks.write", "maas.tasks.image"}),
        ("feature-extraction", {"PIL", "maas.tasks.write", "maas.tasks.classify"}),
        ("translation", {"PIL", "maas.tasks.classify", "maas.http.protocols.hf_image"}),
        ("image-classification", {"tokenizers", "maas.tasks.write", "maas.tasks.text_rows"}),
        ("audio-classification", {"tokenizers", "PIL", "maas.tasks.image", "maas.tasks.ctc"}),
    ],
)
def test_a_function_loads_its_own_task_and_no_other(
    tmp_path: Path, task: str, without: set[str]
) -> None:
    # Given a function of each kind, whose model is one that answers
    makers: dict[str, Callable[..., Any]] = {
        "text-classification": make_home,
        "feature-extraction": partial(home_with, make=make_embedding),
        "translation": partial(home_with, make=make_writer),
        "image-classification": partial(home_with, make=make_image),
        "audio-classification": partial(home_with, make=make_sounds),
    }
    settings = makers[task](tmp_path).settings
    environ = {"MAAS_HOME": str(settings.home), "MAAS_MODEL": str(settings.model)}
    source = "from maas.http.entry import build_handler\nfrom maas.settings import read_settings\n"
    source += (
        "import json, sys\nbuild_handler(read_settings())\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], env=environ, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    # Then it has loaded what a request needs, and nothing of the other tasks
    assert loaded & {
        "maas.http.protocols.hf_classify",
        "maas.http.protocols.hf_embedding",
        "maas.http.protocols.hf_writing",
        "maas.http.protocols.hf_image",
        "maas.http.protocols.hf_audio",
    }
    assert without.isdisjoint(loaded)
    # Nor of what is for signatures, where none is required
    signing = {f"maas.bundle.{name}" for name in ("ecdsa", "statement", "signature")}
    assert signing.isdisjoint(loaded)


@pytest.mark.parametrize(
    "read",
    [
        "os.environ['HOME']",
        "os.environ.get('HOME')",
        "os.getenv('HOME')",
        "'HOME' in os.environ",
        "dict(os.environ)",
    ],
)
def test_a_read_of_the_environment_would_be_seen(read: str, tmp_path: Path) -> None:
    (tmp_path / "maas_reader.py").write_text(f"import os\ntry:\n    {read}\nexcept KeyError: ...\n")
    assert "maas_reader:3" in imported("maas_reader", tmp_path)["asked"]


def test_every_module_is_asked() -> None:
    assert {"maas", "maas.http.entry", "maas.registry.sqlite", "maas.tasks"} <= set(MODULES)


# ---- Who may touch what, read from the sources --------------------------------------------------


def touched(path: Path) -> "Iterator[str]":
    """Packages that a source imports wherever it does, and how it reaches for the environment."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name.split(".")[0] for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module.split(".")[0]
                yield from (f"{module}.{alias.name}" for alias in node.names if module == "os")
            case ast.Attribute(value=ast.Name(id="os"), attr=name):
                yield f"os.{name}"


@pytest.mark.parametrize(
    ("thing", "owners"),
    [
        ("onnxruntime", {"engine/session.py"}),
        ("tokenizers", {"text/tokenizer.py", "text/generating.py", "text/windows.py"}),
        ("PIL", {"vision/pictures.py"}),
        ("os.environ", {"settings.py"}),
        ("os.environb", set()),
        ("os.getenv", set()),
        ("os.putenv", {"engine/__init__.py"}),
        ("pickle", set()),
    ],
)
def test_only_its_owner_touches_it(thing: str, owners: set[str]) -> None:
    found = {
        path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py") if thing in touched(path)
    }
    assert found == owners


def test_the_version_is_that_of_the_package() -> None:
    assert version("maas") == maas.__version__
