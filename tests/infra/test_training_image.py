"""infra/images/training.Dockerfile, read line by line (S32): no build, no network."""

import re
import shlex
import subprocess

import pytest
from support.stack import TEMPLATE

ROOT = TEMPLATE.parent
FILE = ROOT / "infra" / "images" / "training.Dockerfile"
Step = tuple[str, str]


def read_steps(text: str) -> list[Step]:
    """Instructions with their arguments, continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    words = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(name.upper(), rest) for name, rest in words]


def complaints(steps: list[Step]) -> list[str]:
    """What S32 has against a Dockerfile."""
    found = []
    names = [name for name, _ in steps]
    sources = [rest for name, rest in steps if name == "FROM"]
    found += [f"{s}: no digest" for s in sources if "@sha256:" not in s and s != "${BASE_IMAGE}"]
    if ("ARG", "BASE_IMAGE") not in steps[:1]:
        found.append("BASE_IMAGE has a default or does not come first")
    run = next((rest for name, rest in steps if name == "RUN"), "")
    if "BASE_IMAGE" not in run or "sha256:[0-9a-f]{64}$" not in run:
        found.append("the first RUN does not check the digest")
    found += [f"{rest}: a moving tag" for _, rest in steps if re.search(r":latest\b", rest)]
    users = [rest for name, rest in steps if name == "USER"]
    if not users or users[-1].split(":")[0] in ("0", "root"):
        found.append("the last USER is root")
    if (
        "ENTRYPOINT" in names
        and "USER" in names
        and names.index("ENTRYPOINT") < names.index("USER")
    ):
        found.append("ENTRYPOINT comes before USER")
    found += [f"ADD {rest}: COPY says what comes" for name, rest in steps if name == "ADD"]
    found += [
        f"{rest}: a secret" for name, rest in steps if re.search(r"(?i)secret|passw|token=", rest)
    ]
    return found


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    return read_steps(FILE.read_text(encoding="utf-8"))


def test_s32_there_is_nothing_to_complain_about(steps: list[Step]) -> None:
    assert complaints(steps) == []


@pytest.mark.parametrize(
    ("was", "becomes", "complaint"),
    [
        ("FROM ${BASE_IMAGE}", "FROM python:3.11-slim", "no digest"),
        ("ARG BASE_IMAGE\nFROM", "ARG BASE_IMAGE=python:latest\nFROM", "has a default"),
        ("FROM ${BASE_IMAGE}", "FROM ${BASE_IMAGE}\nRUN true", "does not check"),
        ("sha256:[0-9a-f]{64}", "sha256:.*", "does not check"),
        ("USER 10001:10001", "USER root", "is root"),
        ("USER 10001:10001", "", "is root"),
        ("COPY scripts/train.py", "ADD scripts/train.py", "COPY says what comes"),
        ("HOME=/work ", "HOME=/work TOKEN=x ", "a secret"),
        ("WORKDIR /opt/maas", "COPY --from=tools:latest /a /b", "a moving tag"),
    ],
)
def test_s32_each_rule_stops_something(was: str, becomes: str, complaint: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert was in text
    found = complaints(read_steps(text.replace(was, becomes)))
    assert any(complaint in each for each in found)


@pytest.mark.parametrize(
    ("image", "good"),
    [
        (f"python:3.11-slim@sha256:{'0' * 64}", True),
        (f"some.registry:5000/a/b@sha256:{'f' * 64}", True),
        ("python:3.11-slim", False),
        ("", False),
        (f"python@sha256:{'0' * 63}", False),
        (f"python@sha256:{'0' * 65}", False),
        (f"python@sha256:{'Z' * 64}", False),
        (f"@sha256:{'0' * 64}", False),
        (f"a b@sha256:{'0' * 64}", False),
    ],
)
def test_s32_the_first_step_takes_a_digest_and_nothing_else(
    steps: list[Step], image: str, good: bool
) -> None:
    check = next(rest for name, rest in steps if name == "RUN")
    done = subprocess.run(
        ["sh", "-c", check], env={"PATH": "/usr/bin:/bin", "BASE_IMAGE": image}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode == 0) is good
    assert ("must be name@sha256" in done.stderr) is not good


def test_what_is_copied_is_there_and_what_is_installed_is_locked(steps: list[Step]) -> None:
    for name, rest in steps:
        if name == "COPY":
            *sources, _target = shlex.split(rest)
            assert all((ROOT / source).exists() for source in sources), rest
    (install,) = [rest for name, rest in steps if name == "RUN" and "pip install" in rest]
    assert "-c requirements.lock" in install
    assert "--no-cache-dir" in install


def test_it_starts_what_the_job_definition_gives_arguments_to(steps: list[Step]) -> None:
    assert steps[-1] == ("ENTRYPOINT", '["python", "-m", "maas_lab.batch.start"]')
    environment = dict(
        word.split("=", 1) for name, rest in steps if name == "ENV" for word in shlex.split(rest)
    )
    assert environment["MAAS_HOME"].startswith("/work/")
    assert environment["PYTHONUNBUFFERED"] == "1"  # each line of the log when it is written
    assert ("USER", "10001:10001") in steps
