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

    log.cut(10)
    log.append(StepMetrics(step=11, train_loss=0.6))

    assert [line.step for line in read_metrics(path)[0]] == [5, 10, 11]


def test_a_log_that_never_began_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"

    assert read_metrics(path) == ([], [])
    MetricsLog(path).cut(0)
    assert path.read_bytes() == b""
