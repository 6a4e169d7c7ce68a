"""metrics.jsonl: appended line by line, cut back to a checkpoint; TensorBoard's copy of it."""

from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from maas_lab.metrics import EpochMetrics, MetricsLog, StepMetrics, read_metrics
from maas_lab.runs import Run


def epoch(number: int, step: int) -> EpochMetrics:
    return EpochMetrics(
        step=step,
        epoch=number,
        train_loss=0.5,
        validation_loss=0.4,
        validation_accuracy=0.8,
        seconds=1.0,
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "runs" / "tiny-s1-00000000")
    run.folder.mkdir(parents=True)
    return run


def test_lines_come_back_as_they_were_written(run: Run) -> None:
    with MetricsLog(run, step=0, epoch=0) as log:
        log.append(StepMetrics(step=5, train_loss=0.7))
        log.append(epoch(1, 6))

    assert read_metrics(run.metrics_file) == (
        [StepMetrics(step=5, train_loss=0.7)],
        [epoch(1, 6)],
    )


def test_what_came_after_the_checkpoint_is_cut_and_so_is_half_a_line(run: Run) -> None:
    with MetricsLog(run, step=0, epoch=0) as log:
        for step in (5, 10, 15):
            log.append(StepMetrics(step=step, train_loss=0.7))
    with run.metrics_file.open("ab") as file:
        file.write(b'{"type":"step","st')

    with MetricsLog(run, step=10, epoch=0) as log:
        log.append(StepMetrics(step=11, train_loss=0.6))

    assert [line.step for line in read_metrics(run.metrics_file)[0]] == [5, 10, 11]


def test_the_end_of_an_epoch_that_the_checkpoint_does_not_hold_is_cut(run: Run) -> None:
    # Given a checkpoint at the last step of epoch 2, and a kill after that epoch's line
    with MetricsLog(run, step=0, epoch=0) as log:
        for line in (epoch(1, 5), StepMetrics(step=10, train_loss=0.7), epoch(2, 10)):
            log.append(line)

    with MetricsLog(run, step=10, epoch=1):
        pass

    assert read_metrics(run.metrics_file) == (
        [StepMetrics(step=10, train_loss=0.7)],
        [epoch(1, 5)],
    )


def test_a_log_that_never_began_is_empty(run: Run) -> None:
    assert read_metrics(run.metrics_file) == ([], [])
    with MetricsLog(run, step=0, epoch=0):
        pass
    assert run.metrics_file.read_bytes() == b""


def test_a_process_that_is_not_the_first_writes_nothing(run: Run) -> None:
    with MetricsLog(run, step=0, epoch=0, writes=False) as log:
        log.append(epoch(1, 6))

    assert not any(path.is_file() for path in run.folder.parents[1].rglob("*"))


def test_tensorboard_reads_the_same_figures(run: Run, tmp_path: Path) -> None:
    with MetricsLog(run, step=0, epoch=0) as log:
        log.append(StepMetrics(step=5, train_loss=0.75))
        log.append(epoch(1, 6))

    (events,) = (tmp_path / "tensorboard" / run.name).iterdir()
    found = {
        (value.tag, event.step): value.simple_value
        for event in events_of(events.read_bytes())
        for value in event.summary.value
    }
    assert found["step/train_loss", 5] == 0.75
    assert found["epoch/validation_accuracy", 6] == pytest.approx(0.8)


def events_of(content: bytes) -> list[Event]:
    """The records of an event file: a length, its checksum, the event, its checksum."""
    found, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 8], "little")
        found.append(Event.FromString(content[at + 12 : at + 12 + size]))
        at += 12 + size + 4
    return found
