"""Running sam: what it prints goes on, what ends it becomes ours, and nothing is left behind."""

import time
from pathlib import Path

import pytest
from support.sam_stand_in import SamStandIn, install_sam

from maas.errors import RefusedError, TryAgainError
from maas_lab.stack.sam import Sam, find_sam, runs


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SamStandIn:
    return install_sam(tmp_path / "bin", monkeypatch)


def test_its_lines_are_handed_on_as_they_come(stand_in: SamStandIn, tmp_path: Path) -> None:
    lines: list[str] = []
    find_sam().run("build", "--use-container", root=tmp_path, say=lines.append)
    assert lines == ["sam build begins", "sam build ends"]
    assert stand_in.calls == ["build --use-container"]


def test_a_failure_is_worth_another_try_and_its_words_are_shown(
    stand_in: SamStandIn, tmp_path: Path
) -> None:
    stand_in.fail("deploy", "Error: no bucket")
    lines: list[str] = []
    with pytest.raises(TryAgainError, match="sam deploy ended with exit code 1"):
        find_sam().run("deploy", root=tmp_path, say=lines.append)
    assert lines[-1] == "Error: no bucket"


def test_an_interruption_ends_it_too(stand_in: SamStandIn, tmp_path: Path) -> None:
    stand_in.hang("deploy")

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    sam = Sam(find_sam().program, stop_seconds=0.01)
    with pytest.raises(KeyboardInterrupt):
        sam.run("deploy", root=tmp_path, say=interrupt)
    assert time.monotonic() - began < 10


def test_what_is_not_there_is_named(stand_in: SamStandIn) -> None:
    assert runs("python3.13")
    stand_in.lack("sam")
    stand_in.lack("python3.13")
    with pytest.raises(RefusedError, match="Install the AWS SAM CLI"):
        find_sam()
    assert not runs("python3.13")


def test_a_shim_that_leads_nowhere_does_not_run(stand_in: SamStandIn) -> None:
    (stand_in.folder / "python3.13").write_text("#!/bin/sh\nexit 127\n")
    assert not runs("python3.13")
