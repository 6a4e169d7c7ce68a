"""Keys of the environment or of the container's endpoint: asked for, kept, and renewed in time."""

import json
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from support.dynamo_standin import StandIn

from maas.errors import (
    RegistryMisconfiguredError,
    RegistryUnavailableError,
    SettingsError,
)
from maas.registry.credentials import REFRESH, CredentialSource
from maas.registry.sigv4 import Credentials
from maas.settings import AwsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T"}
TOKEN = "canary-token"  # noqa: S105 - of a loopback server
HOUR = timedelta(hours=1)


class Clock:
    """Time that stands still until it is told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> "Iterator[StandIn]":
    with StandIn() as server:
        give(server, "one", clock.now + HOUR)
        yield server


def give(server: StandIn, name: str, expires: datetime) -> None:
    """Let the endpoint answer with keys of this name."""
    server.answer = (
        200,
        {
            "AccessKeyId": name,
            "SecretAccessKey": "canary-secret",
            "Token": "canary-session",
            "Expiration": expires.isoformat().replace("+00:00", "Z"),
            "Type": "AWS-HMAC",
        },
    )


def source_of(clock: Clock, environ: dict[str, str]) -> CredentialSource:
    return CredentialSource(
        AwsSettings.parse(environ), now=clock, context=ssl.create_default_context
    )


def endpoint(server: StandIn) -> dict[str, str]:
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/2021-08-23/credentials?a=b",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
    }


def name_of(source: CredentialSource) -> str:
    return source.get(deadline=time.monotonic() + 5).access_key


def test_the_environments_keys_are_taken_as_they_are(clock: Clock) -> None:
    assert source_of(clock, KEYS).get(deadline=0.0) == Credentials("AKIA", "S", "T")
    del (without := dict(KEYS))["AWS_SESSION_TOKEN"]
    assert source_of(clock, without).get(deadline=0.0) == Credentials("AKIA", "S", "")


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_without_keys_it_says_which_variables_hold_them(clock: Clock, missing: str) -> None:
    source = source_of(clock, {**KEYS, missing: ""})
    with pytest.raises(RegistryMisconfiguredError, match="AWS_SECRET_ACCESS_KEY are not"):
        source.get(deadline=0.0)


def test_the_endpoint_wins_and_is_shown_the_token(server: StandIn, clock: Clock) -> None:
    source = source_of(clock, KEYS | endpoint(server))
    got = source.get(deadline=time.monotonic() + 5)
    assert got == Credentials("one", "canary-secret", "canary-session")
    (asked,) = server.requests
    assert asked.line == "GET /2021-08-23/credentials?a=b HTTP/1.1"
    assert asked.headers["authorization"] == TOKEN
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"


def test_keys_are_kept_until_shortly_before_they_expire(server: StandIn, clock: Clock) -> None:
    source = source_of(clock, endpoint(server))
    assert name_of(source) == "one"
    give(server, "two", clock.now + 2 * HOUR)
    clock.now += HOUR - REFRESH - timedelta(seconds=1)
    assert name_of(source) == "one"
    assert len(server.requests) == 1
    clock.now += timedelta(seconds=1)
    assert name_of(source) == "two"
    assert len(server.requests) == 2


def test_keys_that_are_still_good_bridge_an_endpoint_that_is_away(
    server: StandIn, clock: Clock
) -> None:
    source = source_of(clock, endpoint(server))
    assert name_of(source) == "one"
    server.way, server.answer = "garbage", None
    clock.now += HOUR - timedelta(seconds=1)
    assert name_of(source) == "one"
    clock.now += timedelta(seconds=1)
    with pytest.raises(RegistryUnavailableError, match="container's credentials"):
        name_of(source)


def test_after_a_drop_it_asks_again(server: StandIn, clock: Clock) -> None:
    source = source_of(clock, endpoint(server))
    assert name_of(source) == "one"
    give(server, "two", clock.now + HOUR)
    source.drop()
    assert name_of(source) == "two"


def test_keys_that_were_asked_for_before_a_drop_are_not_kept(server: StandIn, clock: Clock) -> None:
    asked, dropped = threading.Event(), threading.Event()

    def now() -> datetime:
        asked.set()
        assert dropped.wait(5)
        return clock.now

    source = CredentialSource(
        AwsSettings.parse(endpoint(server)), now=now, context=ssl.create_default_context
    )
    thread = threading.Thread(target=name_of, args=(source,), daemon=True)
    thread.start()
    assert asked.wait(5)
    source.drop()
    dropped.set()
    thread.join(5)
    assert len(server.requests) == 1
    give(server, "two", clock.now + HOUR)
    assert name_of(source) == "two"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {}, RegistryUnavailableError),
        (200, [], RegistryUnavailableError),
        (200, {"AccessKeyId": "canary"}, RegistryUnavailableError),
        (500, {"code": "canary"}, RegistryUnavailableError),
        (302, {"code": "canary"}, RegistryUnavailableError),
        (400, {"code": "canary"}, RegistryMisconfiguredError),
        (403, {"code": "canary"}, RegistryMisconfiguredError),
        (404, "canary", RegistryMisconfiguredError),
    ],
)
def test_what_is_no_keys_is_none_and_is_not_repeated(
    server: StandIn, clock: Clock, status: int, body: object, error: type[Exception]
) -> None:
    server.answer = (status, body)
    with pytest.raises(error) as refused:
        name_of(source_of(clock, endpoint(server)))
    assert "canary" not in f"{refused.value} {refused.value.__cause__}"


@pytest.mark.parametrize("expires", ["2026-11-22T10:00:00", "tomorrow", "", None, 7])
def test_keys_without_a_time_of_expiry_are_none(
    server: StandIn, clock: Clock, expires: object
) -> None:
    assert server.answer is not None
    body = json.loads(json.dumps(server.answer[1])) | {"Expiration": expires}
    server.answer = (200, body)
    with pytest.raises(RegistryUnavailableError):
        name_of(source_of(clock, endpoint(server)))


def test_an_endpoint_that_hangs_is_left_at_the_deadline(server: StandIn, clock: Clock) -> None:
    server.way, server.answer = "hang", None
    started = time.monotonic()
    with pytest.raises(RegistryUnavailableError):
        source_of(clock, endpoint(server)).get(deadline=started + 0.1)
    assert time.monotonic() - started < 0.35


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:9001/x", "http://127.8.8.8", "http://[::1]:9/x", "http://localhost/x"),
        *("http://169.254.170.2/v2", "http://169.254.170.23/v1", "http://[fe80::1]/x"),
        *("https://keys.example.com/x", "https://10.0.0.1/x"),
    ],
)
def test_a_token_may_go_to_this_machine_or_where_it_is_encrypted(clock: Clock, url: str) -> None:
    source_of(clock, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url})


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1/x", "http://example.com", "http://127.0.0.1.example.com/x"),
        *(
            "http://localhost.example.com",
            "http://169.253.1.1",
            "http://0.0.0.0/x",
            "http://2130706433/x",
        ),
        *("http://[fd00:ec2::23]/v1", "ftp://127.0.0.1", "127.0.0.1:9001", "http://x@127.0.0.1/x"),
    ],
)
def test_a_token_goes_nowhere_else(clock: Clock, url: str) -> None:
    with pytest.raises(SettingsError, match="AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        source_of(clock, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url})
