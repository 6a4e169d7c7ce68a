"""metrics.jsonl: appended line by line, cut back to a checkpoint."""

from pathlib import Path

from maas_lab.metrics import EpochMetrics, MetricsLog, StepMetrics, read_metrics


def epoch(number: int, step: int) -> EpochMetrics:
    return EpochMetrics(
        step=step,
        epoch=number,
        train_loss=0.5,
        validation_loss=0.4,
        validation_accuracy=0.8,
        seconds=1.0,
    )


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append(StepMetrics(step=5, train_loss=0.7))
    log.append(epoch(1, 6))

    assert read_metrics(tmp_path / "metrics.jsonl") == (
        [StepMetrics(step=5, train_loss=0.7)],
        [epoch(1, 6)],
    )


def test_what_came_after_the_checkpoint_is_cut_and_so_is_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    for step in (5, 10, 15):
        log.append(StepMetrics(step=step, train_loss=0.7))
    with path.open("ab") as file:
        file.write(b'{"type":"step","st')

    log.cut(10, epoch=0)
    log.append(StepMetrics(step=11, train_loss=0.6))

    assert [line.step for line in read_metrics(path)[0]] == [5, 10, 11]


def test_the_end_of_an_epoch_that_the_checkpoint_does_not_hold_is_cut(tmp_path: Path) -> None:
    # Given a checkpoint at the last step of epoch 2, and a kill after that epoch's line
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for line in (epoch(1, 5), StepMetrics(step=10, train_loss=0.7), epoch(2, 10)):
        log.append(line)

    log.cut(10, epoch=1)

    assert read_metrics(tmp_path / "metrics.jsonl") == (
        [StepMetrics(step=10, train_loss=0.7)],
        [epoch(1, 5)],
    )


def test_a_log_that_never_began_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"

    assert read_metrics(path) == ([], [])
    MetricsLog(path).cut(0, epoch=0)
    assert path.read_bytes() == b""
