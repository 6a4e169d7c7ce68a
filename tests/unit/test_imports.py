"""Importing any module of `maas` does nothing but import: no thread, no socket, no environment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import maas

ROOT = Path(maas.__file__).parent
MODULES = sorted(
    ".".join(("maas", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)
FORBIDDEN = {"torch", "onnx", "transformers", "boto3", "botocore", "maas_lab"}
PROBE = """
import json, sys
opened = []
def watch(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.system", "os.fork"):
        raise RuntimeError(f"{event} while importing")
    if event == "open" and (arguments[2] or 0) & 3:  # for writing
        opened.append(str(arguments[0]))
sys.addaudithook(watch)
sys.dont_write_bytecode = True
import importlib, threading
importlib.import_module(sys.argv[1])
threads = [thread.name for thread in threading.enumerate()]
print(json.dumps({"threads": threads, "written": opened, "modules": sorted(sys.modules)}))
"""


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_by_itself_in_an_empty_environment(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE, module],
        env={},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["threads"] == ["MainThread"]
    assert result["written"] == []
    assert FORBIDDEN.isdisjoint(name.split(".")[0] for name in result["modules"])
    assert list(tmp_path.iterdir()) == []


def test_every_module_is_asked() -> None:
    assert {"maas", "maas.http.entry", "maas.registry.sqlite", "maas.tasks"} <= set(MODULES)
