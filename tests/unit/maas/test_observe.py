"""What happened, in one JSON line of known keys and three metrics; never a reason to fail."""

import io
import json
import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from support.tiny import open_client

from maas.errors import BundleError, NotReadyError
from maas.exchange import Exchange
from maas.observe import LINE_KEYS, LOG_KEYS, Observer

if TYPE_CHECKING:
    from support.tiny import Client, Home

METRIC_KEYS = {"_aws", "Requests", "Errors", "Latency", "Faults"}


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
        assert line.keys() <= LOG_KEYS | LINE_KEYS
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


def test_a_line_tells_its_time_and_its_trace(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer("INFO", metrics=False)
    observer.answered(exchange(), status=200)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3f;Parent=53995c3f;Sampled=1")
    observer.answered(exchange(), status=200)
    untraced, traced = lines(log.getvalue())
    assert abs(datetime.fromisoformat(traced["timestamp"]).timestamp() - time.time()) < 60
    assert traced["xray_trace_id"] == "1-5759e988-bd862e3f"
    assert "xray_trace_id" not in untraced


def test_the_time_of_a_line_is_its_own_to_the_millisecond(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer("INFO", metrics=False)
    for at in (1.0, 1.007, 1.9999, 2.0, 951_782_400.25, 1.0625):
        monkeypatch.setattr("maas.observe.time.time", lambda at=at: at)
        observer.answered(exchange(), status=200)
    assert [line["timestamp"] for line in lines(log.getvalue())] == [
        "1970-01-01T00:00:01.000+00:00",
        "1970-01-01T00:00:01.007+00:00",
        "1970-01-01T00:00:01.999+00:00",
        "1970-01-01T00:00:02.000+00:00",
        "2000-02-29T00:00:00.250+00:00",
        "1970-01-01T00:00:01.062+00:00",
    ]


@pytest.mark.parametrize(
    "said", ["Root=canary;Sampled=1", "Root=1-5759e988\udcff", "Root=1-57 59", "Root=", "canary"]
)
def test_a_trace_that_a_caller_made_up_is_not_logged_and_fails_nothing(
    said: str, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", said)
    Observer("INFO", metrics=False).answered(exchange(), status=200)
    (line,) = lines(log.getvalue())
    assert "xray_trace_id" not in line


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


def test_the_line_of_an_answer_is_its_metrics_in_the_embedded_format(log: io.StringIO) -> None:
    observer = Observer("INFO", metrics=True)
    for status in (200, 422, 503):
        observer.answered(exchange(model="sentiment"), status=status)
    observer.answered(exchange(), status=404)
    written = lines(log.getvalue())
    for line, model, errors in zip(
        written, ("sentiment",) * 3 + ("none",), (0, 0, 1, 0), strict=True
    ):
        assert line.keys() <= LOG_KEYS | LINE_KEYS | METRIC_KEYS
        assert (line["model"], line["Requests"], line["Errors"]) == (model, 1, errors)
        assert line["Latency"] >= 0
        # What CloudWatch asks of the format: a time in milliseconds, and each name a root's key
        assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "maas"
        named = [metric["Name"] for metric in directive["Metrics"]]
        assert named == ["Requests", "Errors", "Latency"]
        assert {*named, *directive["Dimensions"][0]} <= line.keys()


def test_an_answer_is_counted_by_its_version_too(home: "Home", log: io.StringIO) -> None:
    with open_client(home.services(), metrics=True) as client:
        client.predict("good")
        client.post("/models/sentiment", json={"inputs": 3})
        client.post("/models/sentiment/versions/9", json={"inputs": "good"})
    answered, refused, unknown = lines(log.getvalue())
    for line in (answered, refused):
        assert line["version"] == "1"  # a dimension's value is text
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Dimensions"] == [["service", "model"], ["service", "model", "version"]]
    (directive,) = unknown["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service", "model"]]
    assert "version" not in unknown


def test_a_version_that_could_not_be_opened_has_an_error_of_its_own(
    home: "Home", log: io.StringIO
) -> None:
    home.promote(2, weight=99)
    (home.bundles[2].folder / "tokenizer.json").write_text("damaged")
    with open_client(home.services(), metrics=True) as client:
        while "passed over" not in log.getvalue():
            assert client.predict("good").status_code == 200
        (stats,) = client.get("/v2/models/sentiment/versions/1/stats").json()["model_stats"]
    assert stats["errors"] == 0
    answered, passed = [
        line for line in lines(log.getvalue()) if line["message"] in ("answered", "passed over")
    ][-3:-1]
    assert (answered["version"], answered["Errors"]) == ("1", 0)
    assert (passed["version"], passed["Requests"], passed["Errors"]) == ("2", 1, 1)
    (directive,) = passed["_aws"]["CloudWatchMetrics"]
    # Of the model it is no request more: that was answered
    assert directive["Dimensions"] == [["service", "model", "version"]]


def test_a_fault_is_a_metric_by_its_code(log: io.StringIO) -> None:
    observer = Observer("INFO", metrics=True)
    observer.failed(exchange(model="sentiment"), NotReadyError("It routes to 3."))
    observer.failed(exchange(), RuntimeError("canary"))
    told, foreign = lines(log.getvalue())
    assert (told["model"], told["code"], told["Faults"]) == ("sentiment", "model_not_ready", 1)
    assert (foreign["model"], foreign["code"], foreign["Faults"]) == ("none", "internal", 1)
    for line in (told, foreign):
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Metrics"] == [{"Name": "Faults", "Unit": "Count"}]
        assert {name for names in directive["Dimensions"] for name in names} <= line.keys()


def test_metrics_are_written_whatever_the_level(log: io.StringIO) -> None:
    # The first observer's level is the process's
    logger = logging.getLogger("maas")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        Observer("ERROR", metrics=True).answered(exchange(model="sentiment"), status=200)
        Observer("ERROR", metrics=True).loaded(model="sentiment", milliseconds=1)
        Observer("ERROR", metrics=False).answered(exchange(model="sentiment"), status=200)
    finally:
        logger.setLevel(level)
    (line,) = lines(log.getvalue())
    assert line["Requests"] == 1


def test_no_metrics_are_written_unless_asked_for(log: io.StringIO) -> None:
    Observer("INFO", metrics=False).answered(exchange(), status=200)
    (line,) = lines(log.getvalue())
    assert METRIC_KEYS.isdisjoint(line)


def test_a_stream_that_is_closed_fails_no_request(
    client: "Client", log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # the library would print to stderr
    log.close()
    assert client.predict("good").status_code == 200
    assert client.predict([]).status_code == 422


def test_a_key_that_is_not_known_cannot_be_logged() -> None:
    assert {"inputs", "text", "headers", "path", "query", "body"}.isdisjoint(LOG_KEYS)
