"""Who is told of a rollout's end, and that nobody who listens badly can hold it up."""

import json
import socket
import time

import pytest
from botocore.stub import Stubber
from support.aws_session import aws_session
from support.counting import dripping, listening

from maas.errors import FieldError, TryAgainError
from maas_lab.rollout.aws import RolloutCloud
from maas_lab.rollout.notify import Answer, Notice, Topic, Webhook, notify

NOTICE = Notice(
    id="sentiment.production.7.stopped",
    event="stopped",
    model="sentiment",
    alias="production",
    version=2,
    percent=0,
    reason="p99 90.0 ms is 2.2 × the other versions' 40.0 ms",
    at="2030-01-02T03:04:05.678Z",
    text="sentiment@2 was taken back from production by itself",
)


def words(answers: list[Answer]) -> list[str]:
    return [str(answer) for answer in answers]


@pytest.mark.parametrize(
    ("status", "done", "how"),
    [(200, True, "200"), (204, True, "204"), (302, False, "failed: it answered 302"),
     (404, False, "failed: it answered 404"), (500, False, "failed: it answered 500")],
)  # fmt: skip
def test_a_webhook_is_posted_once_and_has_it_where_it_says_so(
    status: int, how: str, *, done: bool
) -> None:
    with listening(status) as (url, got):
        (answer,) = notify([Webhook(url)], NOTICE)
    assert (str(answer), answer.done) == (f"webhook of 127.0.0.1: {how}", done)
    assert [(sent["event"], sent["id"]) for sent in got] == [("stopped", NOTICE.id)]
    assert got[0]["reason"] == NOTICE.reason


def test_who_hangs_or_is_away_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        away = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with (
        dripping() as slow,
        listening(200) as (url, got),
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        hangs = f"http://127.0.0.1:{mute.getsockname()[1]}/secret"
        began = time.monotonic()
        answers = notify([Webhook(each) for each in (hangs, slow, away, url)], NOTICE, seconds=0.5)
        said = words(answers)
        assert [answer.done for answer in answers] == [False, False, False, True]
        assert time.monotonic() - began < 2
        assert said[:2] == ["webhook of 127.0.0.1: no answer within 0.5 s"] * 2
        assert said[2:] == [
            "webhook of 127.0.0.1: failed: ConnectError",
            "webhook of 127.0.0.1: 200",
        ]
    assert len(got) == 1
    assert "secret" not in "".join(said)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "https://",
        "http://[::",
        "x",
        "",
    ],
)
def test_a_webhook_goes_over_https_or_stays_on_this_machine(url: str) -> None:
    with pytest.raises(FieldError):
        Webhook(url)


@pytest.mark.parametrize("url", ["https://hooks.example/x", "http://localhost:1", "http://[::1]/"])
def test_webhooks_that_are_taken(url: str) -> None:
    assert Webhook(url).name.startswith("webhook of ")


def test_a_topic_is_published_to(cloud_topics: tuple[RolloutCloud, Stubber]) -> None:
    cloud, stub = cloud_topics
    arn = "arn:aws:sns:eu-central-1:123456789012:releases"
    text = json.dumps(
        {name: getattr(NOTICE, name) for name in NOTICE.__struct_fields__},
        indent=2,
        ensure_ascii=False,
    )
    asked = {"TopicArn": arn, "Subject": "maas: sentiment@2 stopped", "Message": text}
    stub.add_response("publish", {"MessageId": "1"}, asked)
    stub.add_client_error("publish", "AuthorizationError", "no")
    stub.add_client_error("publish", "Throttling", "later")
    with stub:
        topic = Topic(cloud, arn)
        assert words(notify([topic], NOTICE)) == ["SNS: sent"]
        assert words(notify([topic], NOTICE))[0].startswith("SNS: failed: AWS refused sns:Publish")
        with pytest.raises(TryAgainError):
            topic.send(NOTICE)


@pytest.fixture
def cloud_topics(monkeypatch: pytest.MonkeyPatch) -> tuple[RolloutCloud, Stubber]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    session = aws_session()
    topics = session.client("sns")
    return RolloutCloud(metrics=session.client("cloudwatch"), topics=topics), Stubber(topics)
