"""Fixtures of the tests of training on Batch: keys that open nothing, and S3 on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.s3_stand_in import S3StandIn, s3_stand_in

from maas_lab.runs import Run


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


@pytest.fixture
def s3() -> Iterator[S3StandIn]:
    with s3_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An unfinished run with two checkpoints, made by hand: no store looks into its files."""
    run = Run(tmp_path / "job" / "runs" / "tiny-s3-0123abcd")
    run.checkpoints.mkdir(parents=True)
    run.recipe_file.write_text("{}")
    run.metrics_file.write_text('{"step": 5}\n')
    for step in (5, 10):
        (run.checkpoints / f"step-{step:09d}.safetensors").write_bytes(bytes([step]) * 1000)
    run.best_file.write_bytes(b"best" * 100)
    return run
