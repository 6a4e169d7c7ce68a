"""Every command of the README, run in its order in a fresh copy of the project."""

import random
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```(bash|python)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def readme_blocks() -> list[tuple[str, str]]:
    text = (ROOT / "README.md").read_text()
    return [(language, body) for language, body in FENCE.findall(text)]


def as_script(port: int) -> str:
    """All blocks as one bash script, on a port that is free; each command is echoed."""
    lines = ["set -Eeuo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for language, body in readme_blocks():
        if language == "python":
            lines.append(f"python - <<'PY'\n{body}PY")
        else:
            for command in body.strip().splitlines():
                lines += [f"echo '>>>' {quoted(command.strip())}", command.strip()]
    return "\n".join(lines).replace("8080", str(port)) + "\n"


def quoted(command: str) -> str:
    return "'" + command.replace("'", "'\\''") + "'"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def borrow_environment(folder: Path) -> None:
    """Give a copy this run's packages, marked as installed so that they stay as they are."""
    (folder / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name not in ("base", "installed"):
            (folder / ".venv" / part.name).symlink_to(part)
    stamp = """
        set -- lab,dev; python=${PYTHON:-python3}
        eval "$(grep -E '^(python=.*_base|base=|wanted=)' scripts/venv)"
        echo "$base" >.venv/base; echo "$wanted" >.venv/installed
    """
    subprocess.run(["bash", "-c", stamp], cwd=folder, check=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files, the virtual environment of this run, and a user's file of reviews."""
    folder = tmp_path_factory.mktemp("readme") / "maas"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    borrow_environment(folder)
    rng = random.Random(0)
    rows = ["review,stars"]
    for index in range(400):
        word, label = (("lovely", "good"), ("dreadful", "bad"))[index % 2]
        rows.append(f"{rng.choice(['a', 'one', 'this'])} {word} film number {index},{label}")
    (folder / "reviews.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_every_command_runs(clone: Path) -> None:
    # Given the data set that an earlier run fetched, if there was one
    cache = ROOT / ".maas" / "cache"
    if cache.is_dir():
        shutil.copytree(cache, clone / ".maas" / "cache")

    # When all commands run, one after the other
    done = subprocess.run(
        ["bash", "-c", as_script(free_port())],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )

    # Then none fails, and the answers are those that the page promises
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    said = done.stdout
    assert "Installing" not in said
    assert "all of it took" in said
    assert "sentiment@production is now version 1 90 %, version 2 10 %" in said
    assert '"status":"ok"' in said
    assert said.count('[[{"label":"') == 3
    assert '"more":' in said


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
