"""samconfig.toml: parameters are set where SAM reads them, and nothing else moves."""

from typing import TYPE_CHECKING

import pytest
from support.shipping import ROOT

from maas.errors import RefusedError
from maas_lab.packing.samconfig import read_samconfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEW = {"Models": "sentiment,stars", "ServedSets": "f" * 64}

ARRAY = """\
# What sam is told.
version = 0.1

[default.global.parameters]
stack_name = "maas"   # the stack
parameter_overrides = [
  "Memory=1769",      # one processor
  "Models=old",
]

[default.deploy.parameters]
confirm_changeset = true
"""
TEXT = """\
[default.global.parameters]
parameter_overrides = "Memory=1769 Models=old Title='a b'"
"""
TABLE = """\
[default.global.parameters.parameter_overrides]
Memory = 1769
Models = ["old", "older"]
"""
APART = """\
[default.global.parameters]
parameter_overrides = ["Memory=1"]

[prod.deploy.parameters]
stack_name = "prod"

[default.local_invoke.parameters]
parameter_overrides = ["Memory=2"]
"""


@pytest.fixture
def write(tmp_path: "Path") -> "Callable[[str], Path]":
    def written(text: str) -> "Path":
        path = tmp_path / "samconfig.toml"
        path.write_bytes(text.encode())
        return path

    return written


def test_an_array_keeps_its_comments_and_order(write: "Callable[[str], Path]") -> None:
    path = write(ARRAY)
    assert read_samconfig(path).write(lambda _: NEW)
    expected = ARRAY.replace(
        '"Models=old",\n', f'"Models=sentiment,stars",\n  "ServedSets={"f" * 64}",\n'
    )
    assert path.read_text() == expected


def test_text_and_tables_are_kept_as_they_are_written(write: "Callable[[str], Path]") -> None:
    path = write(TEXT)
    read_samconfig(path).write(lambda _: NEW)
    assert (
        f"Memory=1769 Models=sentiment,stars Title='a b' ServedSets={'f' * 64}" in path.read_text()
    )
    path = write(TABLE)
    read_samconfig(path).write(lambda _: NEW)
    assert path.read_text() == (
        "[default.global.parameters.parameter_overrides]\nMemory = 1769\n"
        f'Models = "sentiment,stars"\nServedSets = "{"f" * 64}"\n'
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ARRAY, {"Memory": "1769", "Models": "old"}),
        (TEXT, {"Memory": "1769", "Models": "old", "Title": "a b"}),
        (TABLE, {"Memory": "1769", "Models": "old,older"}),
        ("version = 0.1\n", {}),
    ],
)
def test_the_others_are_read_whatever_their_form(
    write: "Callable[[str], Path]", text: str, found: dict[str, str]
) -> None:
    assert read_samconfig(write(text)).overrides("deploy") == found


def test_what_is_equal_is_not_written_again(write: "Callable[[str], Path]") -> None:
    for text in (ARRAY, TEXT, TABLE, APART, ARRAY.replace("\n", "\r\n")):
        path = write(text)
        assert read_samconfig(path).write(lambda _: NEW)
        data, node = path.read_bytes(), path.stat().st_ino
        assert not read_samconfig(path).write(lambda _: NEW)
        assert (path.read_bytes(), path.stat().st_ino) == (data, node)


def test_line_endings_stay(write: "Callable[[str], Path]") -> None:
    path = write(TEXT.replace("\n", "\r\n"))
    read_samconfig(path).write(lambda _: NEW)
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")


def test_every_section_that_would_hide_the_global_one_is_told(
    write: "Callable[[str], Path]",
) -> None:
    path = write(APART)
    read_samconfig(path).write(lambda found: NEW | {"ServedSets": found.get("Memory", "none")})
    config = read_samconfig(path)
    assert config.overrides("deploy") == {"Memory": "1", "Models": NEW["Models"], "ServedSets": "1"}
    assert config.overrides("local_invoke")["ServedSets"] == "2"
    assert config.overrides("deploy", environment="prod")["ServedSets"] == "none"
    assert 'stack_name = "prod"' in path.read_text()


def test_overrides_of_deploy_alone_are_enough(write: "Callable[[str], Path]") -> None:
    path = write('[default.deploy.parameters]\nparameter_overrides = ["Memory=1"]\n')
    read_samconfig(path).write(lambda _: NEW)
    assert "global" not in path.read_text()


def test_a_file_without_sections_gets_the_global_one(write: "Callable[[str], Path]") -> None:
    path = write("version = 0.1\n")
    read_samconfig(path).write(lambda _: {"Models": "a"})
    assert path.read_text() == (
        "version = 0.1\n\n[default.global.parameters]\n"
        'parameter_overrides = [\n    "Models=a",\n]\n'
    )


def test_an_element_with_several_parameters_loses_none(write: "Callable[[str], Path]") -> None:
    path = write('[default.global.parameters]\nparameter_overrides = ["Models=old Memory=1"]\n')
    read_samconfig(path).write(lambda _: NEW)
    found = read_samconfig(path).overrides("deploy")
    assert found == {"Memory": "1", **NEW}


def test_the_architecture_is_one(write: "Callable[[str], Path]") -> None:
    assert read_samconfig(write(ARRAY)).architecture() == "x86_64"
    arm = ARRAY.replace("Memory=1769", "Architecture=arm64")
    assert read_samconfig(write(arm)).architecture() == "arm64"
    two = read_samconfig(write(arm + APART.replace("[default.global", "[prod.global")))
    with pytest.raises(RefusedError, match="Architecture=arm64 and x86_64; the layers are built"):
        two.architecture()
    with pytest.raises(RefusedError, match="Architecture=riscv"):
        read_samconfig(write(arm.replace("arm64", "riscv"))).architecture()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[default", "cannot be read"),
        ("a = 1\na = 2\n", "cannot be read"),
        (
            '[default.global.parameters]\nparameter_overrides = "ParameterKey=A"\n',
            "Write each parameter as Name=value",
        ),
        ('[default.global.parameters]\nparameter_overrides = ["file://p.toml"]\n', "Name=value"),
        ('[default.global.parameters]\nparameter_overrides = "A=\'b"\n', "Name=value"),
        ("[default.global.parameters]\nparameter_overrides = 3\n", "Name=value"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    write: "Callable[[str], Path]", text: str, reason: str
) -> None:
    path = write(text)
    with pytest.raises(RefusedError, match=reason):
        read_samconfig(path)
    assert path.read_text() == text


def test_bytes_that_are_no_text_are_refused(tmp_path: "Path") -> None:
    (tmp_path / "samconfig.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RefusedError, match="cannot be read"):
        read_samconfig(tmp_path / "samconfig.toml")


def test_a_lost_file_comes_with_the_remedy(tmp_path: "Path") -> None:
    with pytest.raises(RefusedError, match=r"git checkout samconfig.toml brings it back"):
        read_samconfig(tmp_path / "samconfig.toml")


def test_the_committed_file_can_be_kept() -> None:
    read_samconfig(ROOT / "samconfig.toml").architecture()
