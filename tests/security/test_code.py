"""The gates on our own code that need no network: S23's ban, licences (S30), secrets (S31).

Each gate is shown a sample that it must stop.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.effort import count
from support.needs import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PRODUCT = ("layers", "scripts", "functions")

# ---- S23: what is not written here --------------------------------------------------------------

BANNED = {
    "import pickle\nX = pickle": "TID251",
    "from pickle import loads\nX = loads": "TID251",
    "import _pickle\nX = _pickle": "TID251",
    "import joblib\nX = joblib": "TID251",
    "from joblib import load\nX = load": "TID251",
    "import cloudpickle\nX = cloudpickle": "TID251",
    "import dill\nX = dill": "TID251",
    "import marshal\nX = marshal": "TID251",
    "import shelve\nX = shelve.open('x')": "S301",
    "import pandas as pd\nX = pd.read_pickle('x')": "S301",
    "import torch\nX = torch.load('x')": "TID251",
    "import torch\nX = torch.load('x', weights_only=True)": "TID251",
    "from torch import load\nX = load('x')": "TID251",
    "import torch as t\nt.save({}, 'x')": "TID251",
    "import torch\nX = torch.hub.load('a', 'b')": "TID251",
    "import numpy as np\nX = np.load('x', allow_pickle=True)": "TID251",
    "from numpy import load\nX = load('x')": "TID251",
    "X = eval('1')": "S307",
    "exec('1')": "S102",
    "import yaml\nX = yaml.load('x')": "S506",
    "import yaml\nX = yaml.load('x', Loader=yaml.FullLoader)": "S506",
    "import yaml\nX = yaml.unsafe_load('x')": "TID251",
    "import subprocess\nsubprocess.run('ls', shell=True, check=True)": "S602",
    "import subprocess\nX = 'ls'\nsubprocess.Popen(X, shell=True)": "S602",
    "import os\nos.system('ls')": "S605",
    "import os\nX = os.popen('ls')": "S605",
    "import importlib\nX = importlib.import_module('x')": "TID251",
    "import tarfile\nwith tarfile.open('x') as t:\n    t.extractall()": "S202",
    "import httpx\nX = httpx.get('https://x', verify=False)": "S501",
    "import ssl\nX = ssl._create_unverified_context()": "S323",
    "import hashlib\nX = hashlib.md5(b'')": "S324",
    "import tempfile\nX = tempfile.mktemp()": "S306",
    "from urllib.request import urlopen\nX = urlopen('file:///x')": "S310",
    "import os\nX = os.environ['HOME']": "TID251",
    "from os import environ\nX = environ": "TID251",
    "PASSWORD = 'hunter2hunter2'": "S105",
    "HOST = '0.0.0.0'": "S104",
}
# Beside them nothing is excused by a comment. What S603 and S607 see are commands as lists.
EXCUSED = {
    ("layers/serving/maas/bundle/tokenizer_policy.py", "S105"): 1,  # a token of a vocabulary
    ("layers/serving/maas/text/tokenizer.py", "S105"): 1,
    ("layers/serving/maas/tasks/generate.py", "S311"): 1,  # what a seed repeats is no secret
    ("scripts/maas_lab/benching/texts.py", "S311"): 1,
    ("layers/serving/maas/registry/sqlite.py", "S608"): 3,  # constants, and a row of `?`
}


def ruff(*arguments: str, code: str | None = None) -> list[dict[str, str]]:
    """What ruff finds by this project's rules."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("code", BANNED)
def test_s23_lint_stops_it_wherever_the_product_is(code: str) -> None:
    count("attacks")
    for root in ("layers/serving/maas", "scripts/maas_lab", "functions/inference"):
        found = ruff("--stdin-filename", f"{root}/sample.py", "-", code=f'"""A."""\n{code}\n')
        assert BANNED[code] in {finding["code"] for finding in found}


def test_s23_nothing_of_it_is_excused_by_a_comment() -> None:
    rules = sorted({*BANNED.values(), "S3", "S5", "S6", "S1"} - {"S101"})
    found = ruff("--ignore-noqa", "--select", ",".join(rules), *PRODUCT)
    seen = Counter(
        (Path(finding["filename"]).relative_to(ROOT).as_posix(), finding["code"])
        for finding in found
    )
    kept = {
        (path, code): number
        for (path, code), number in seen.items()
        if code not in ("S101", "S603", "S607")
    }
    assert kept == EXCUSED


def test_s23_no_array_is_written_or_read_with_pickle() -> None:
    for path, text in tracked():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PRODUCT:
            assert "allow_pickle" not in text, path


# ---- S30: whose terms the runtime layer has -----------------------------------------------------

LICENCES = {
    "msgspec": "BSD-3-Clause",
    "numpy": "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "onnxruntime": "MIT License",
    "pillow": "MIT-CMU",
    "tokenizers": "Apache Software License",
}
FREE = {
    *("MIT", "MIT License", "BSD-3-Clause", "Apache-2.0", "Apache Software License", "PSF-2.0"),
    *("0BSD", "Zlib", "CC0-1.0", "MIT-CMU"),
}


def licence(package: str) -> str:
    """What a package says of its licence: the expression, else the field, else the classifier."""
    said = metadata(package)
    classifiers = [c for c in said.get_all("Classifier") or [] if c.startswith("License ::")]
    if "License-Expression" in said:
        return str(said["License-Expression"])
    if "License" in said and "\n" not in said["License"]:
        return str(said["License"])
    return str(classifiers[0].split(" :: ")[-1])


def test_s30_the_runtime_layer_has_free_licences_and_those_alone() -> None:
    lock = (ROOT / "layers/runtime/requirements.txt").read_text()
    packages = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    assert {package: licence(package) for package in packages} == LICENCES
    for terms in LICENCES.values():
        assert {term.strip("()") for term in terms.split(" AND ")} <= FREE


# ---- S31: no secret in the repository -----------------------------------------------------------

SECRETS = re.compile(
    r"(?P<aws>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)"
    r"|(?P<key>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)"
    r"|(?P<github>\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{22,})"
    r"|(?P<slack>\bxox[abprs]-[A-Za-z0-9-]{10,})"
    r"|(?P<other>\b(?:sk-[A-Za-z0-9_-]{32,}|hf_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{50,}))"
    r"|(?P<token>\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.)"
    r"|(?P<url>\bhttps?://[^\s/:@{}<>'\"$]+:[^\s/@{}<>'\"$]{8,}@)"
    r"|(?P<named>(?i:secret|password|token)[\w-]*[\"']?\s*[:=]\s*[\"'][A-Za-z0-9+/]{40}[\"'])"
)
# AWS's own examples, which its documents print for everybody
EXAMPLES = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def tracked() -> "Iterator[tuple[Path, str]]":
    """The text files of the repository."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        missing("this is no checkout of git")
    for name in filter(None, done.stdout.split("\0")):
        path = ROOT / name
        data = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" not in data:
            yield path, data.decode(errors="replace")


def secrets(text: str) -> list[str]:
    return [
        hit[0]
        for hit in SECRETS.finditer(text)
        if not any(example in hit[0] for example in EXAMPLES)
    ]


@pytest.mark.parametrize(
    "parts",
    [
        *(("AKIA", "ABCDEFGHIJKLMNOP"), ("ASIA", "0123456789ABCDEF")),
        *(("-----BEGIN RSA ", "PRIVATE KEY-----"), ("-----BEGIN ", "PRIVATE KEY-----")),
        *(("gh", "p_" + "a1" * 18), ("xox", "b-1234567890-abc"), ("hf", "_" + "aB" * 17)),
        *(("ey", "JhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.x"), ("https://ada:", "hunter2hunter2@host")),
        ("secret_key", " = '" + "aB3/" * 10 + "'"),
    ],
)
def test_s31_a_secret_would_be_seen(parts: tuple[str, str]) -> None:
    assert secrets("x = " + "".join(parts))


def test_s31_no_secret_is_in_the_repository() -> None:
    found = {path.relative_to(ROOT).as_posix(): secrets(text) for path, text in tracked()}
    assert len(found) > 300
    assert {path: hits for path, hits in found.items() if hits} == {}
