"""What happened, in one JSON line of known keys and three metrics; never a reason to fail."""

import io
import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from maas.errors import BundleError
from maas.exchange import Exchange
from maas.observe import LOG_KEYS, Observer

if TYPE_CHECKING:
    from support.tiny import Client, Home

POWERTOOLS_KEYS = {"level", "message", "timestamp", "service"}


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def exchange(**values: Any) -> Exchange:  # noqa: ANN401
    return Exchange(request_id="request-1", deadline=time.monotonic(), **values)


def test_each_answer_is_one_line_of_known_keys(
    client: "Client", home: "Home", log: io.StringIO
) -> None:
    client.predict(["a good film", "bad " * 40])
    client.post("/models/sentiment", content=b"{")
    client.get("/nothing")
    good, bad, nothing = lines(log.getvalue())
    for line in (good, bad, nothing):
        assert line.keys() <= LOG_KEYS | POWERTOOLS_KEYS
        assert (line["message"], line["service"]) == ("answered", "maas")
        assert line["milliseconds"] >= 0
    assert good | {"timestamp": 0, "milliseconds": 0} == {
        "level": "INFO",
        "message": "answered",
        "timestamp": 0,
        "service": "maas",
        "request_id": "request-0",
        "model": "sentiment",
        "version": 1,
        "digest": home.bundles[1].digest,
        "policy": "live",
        "verify": "full",
        "status": 200,
        "texts": 2,
        "tokens": 3 + 16,
        "truncated": 1,
        "milliseconds": 0,
    }
    assert (bad["status"], bad["code"], bad["model"]) == (400, "bad_request", "sentiment")
    assert (nothing["status"], nothing["code"]) == (404, "not_found")
    assert "model" not in nothing


def test_the_asyncio_task_of_a_record_is_not_written(log: io.StringIO) -> None:
    # Given records as Python 3.12 makes them
    factory = logging.getLogRecordFactory()

    def of_a_task(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401
        record = factory(*args, **kwargs)
        record.taskName = "Task-1"
        return record

    logging.setLogRecordFactory(of_a_task)
    try:
        Observer("INFO", metrics=False).answered(exchange(), status=200)
    finally:
        logging.setLogRecordFactory(factory)
    (line,) = lines(log.getvalue())
    assert line.keys() <= LOG_KEYS | POWERTOOLS_KEYS


def test_a_start_is_one_line(log: io.StringIO) -> None:
    Observer("INFO", metrics=False).loaded(model="sentiment", milliseconds=12.345)
    (line,) = lines(log.getvalue())
    assert (line["message"], line["model"], line["milliseconds"]) == ("ready", "sentiment", 12.3)


def test_a_fault_is_told_by_its_class_and_place_and_not_by_its_text(log: io.StringIO) -> None:
    try:
        int("canary")
    except ValueError as error:
        Observer("INFO", metrics=False).failed(exchange(model="sentiment"), error)
    Observer("INFO", metrics=False).failed(exchange(), RuntimeError("canary"))
    raised, made = lines(log.getvalue())
    assert raised["error"].startswith("ValueError at ")
    assert raised["error"].rpartition(":")[2].isdigit()
    assert made["error"] == "RuntimeError at unknown"
    assert "canary" not in log.getvalue()
    assert "/" not in raised["error"]


def test_a_fault_of_our_own_tells_its_reason_too(log: io.StringIO) -> None:
    error = BundleError("tokenizer.json was changed.")
    Observer("INFO", metrics=False).failed(exchange(model="sentiment"), error)
    (line,) = lines(log.getvalue())
    assert (line["level"], line["reason"]) == ("ERROR", "tokenizer.json was changed.")


def test_the_log_says_why_a_version_cannot_answer_and_the_answer_does_not(
    client: "Client", home: "Home", log: io.StringIO
) -> None:
    (home.bundles[1].folder / "tokenizer.json").write_text("damaged")
    response = client.predict("good")
    failed, answered = lines(log.getvalue())
    folder = home.bundles[1].folder.name
    assert failed["reason"].startswith(f"{folder}: tokenizer.json has 7 bytes")
    assert failed["request_id"] == answered["request_id"] == response.json()["request_id"]
    assert (answered["status"], answered["code"]) == (503, "model_not_ready")
    assert "tokenizer" not in response.text
    assert str(home.settings.home) not in log.getvalue()


def test_a_value_with_a_line_break_stays_on_its_line(log: io.StringIO) -> None:
    Observer("INFO", metrics=False).answered(
        exchange(model='a\r\n{"level":"x"}\x1b[31m'), status=200
    )
    (line,) = lines(log.getvalue())
    assert line["model"] == 'a\r\n{"level":"x"}\x1b[31m'


def test_metrics_are_one_line_of_the_embedded_format(
    capsys: pytest.CaptureFixture[str], log: io.StringIO
) -> None:
    observer = Observer("INFO", metrics=True)
    for status in (200, 422, 503):
        observer.answered(exchange(model="sentiment"), status=status)
    observer.answered(exchange(), status=404)
    written = lines(capsys.readouterr().out)
    for line, model, errors in zip(
        written, ("sentiment",) * 3 + ("none",), (0, 0, 1, 0), strict=True
    ):
        assert line.keys() == {"_aws", "model", "service", "Requests", "Errors", "Latency"}
        assert (line["model"], line["Requests"], line["Errors"]) == (model, [1.0], [errors])
        assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "maas"
    assert len(lines(log.getvalue())) == 4


def test_no_metrics_are_written_unless_asked_for(
    capsys: pytest.CaptureFixture[str], log: io.StringIO
) -> None:
    Observer("INFO", metrics=False).answered(exchange(), status=200)
    assert log.getvalue()
    assert capsys.readouterr().out == ""


def test_a_stream_that_is_closed_fails_no_request(
    client: "Client", log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # the library would print to stderr
    log.close()
    assert client.predict("good").status_code == 200
    assert client.predict([]).status_code == 422


def test_closed_standard_output_fails_no_metric(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    closed = io.StringIO()
    closed.close()
    observer = Observer("INFO", metrics=True)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", closed)
        observer.answered(exchange(), status=200)
    assert len(lines(log.getvalue())) == 1


def test_what_could_not_be_counted_is_not_counted_with_the_next_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log: io.StringIO
) -> None:
    observer = Observer("INFO", metrics=True)
    # Given metrics that standard output did not take, and others that were switched off
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), write_through=True))
        sys.stdout.close()
        for _ in range(150):
            observer.answered(exchange(model="other"), status=500)
    with monkeypatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
        for _ in range(150):
            observer.answered(exchange(model="other"), status=500)
    # When it takes them again
    observer.answered(exchange(model="sentiment"), status=200)
    # Then the line is of that request alone
    (line,) = lines(capsys.readouterr().out)
    assert (line["model"], line["Requests"], line["Errors"]) == ("sentiment", [1.0], [0])
    assert len(line["Latency"]) == 1
    assert log.getvalue()


def test_a_key_that_is_not_known_cannot_be_logged() -> None:
    assert {"inputs", "text", "headers", "path", "query", "body"}.isdisjoint(LOG_KEYS)
