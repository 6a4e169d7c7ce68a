"""The policy by one signed request: what is sent, what is understood, what each failure is."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from support.dynamo_standin import StandIn

from maas.errors import (
    MaasError,
    ModelNotFoundError,
    RegistryMisconfiguredError,
    RegistryUnavailableError,
    SettingsError,
)
from maas.registry.policy_read import PolicyReader
from maas.registry.records import Policy, Route, encode
from maas.settings import AwsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
KEYS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "canary-secret",
    "AWS_SESSION_TOKEN": "canary-session",
}
POLICY = Policy(
    "sentiment",
    7,
    {"production": (Route(1, 9_000), Route(2, 1_000)), "candidate": (Route(2, 10_000),)},
    {1: "sha256:" + "a" * 64, 2: "sha256:" + "b" * 64},
)


@pytest.fixture
def server() -> "Iterator[StandIn]":
    with StandIn() as server:
        server.policy = POLICY
        yield server


def reader_of(server: StandIn, **environ: str) -> PolicyReader:
    settings = AwsSettings.parse(KEYS | {"AWS_ENDPOINT_URL_DYNAMODB": server.url} | environ)
    return PolicyReader("maas-registry", settings, now=lambda: AT)


def test_a_policy_is_read_as_it_was_written(server: StandIn) -> None:
    reader = reader_of(server)
    assert [reader.policy("sentiment") for _ in range(3)] == [POLICY] * 3
    assert server.connections == 1


def test_what_is_sent_asks_for_one_item_consistently_and_is_signed(server: StandIn) -> None:
    reader_of(server).policy("sentiment")
    (sent,) = server.requests
    assert json.loads(sent.body) == {
        "TableName": "maas-registry",
        "Key": {"pk": {"S": "MODEL#sentiment"}, "sk": {"S": "POLICY"}},
        "ConsistentRead": True,
    }
    assert sent.line == "POST / HTTP/1.1"
    assert sent.headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert sent.headers["content-type"] == "application/x-amz-json-1.0"
    assert sent.headers["x-amz-date"] == "20261122T100000Z"
    # And botocore signs what came over the wire in the same way
    names = re.search("SignedHeaders=([^,]*)", sent.headers["authorization"])
    assert names is not None
    auth = SigV4Auth(
        BotoCredentials("AKIAEXAMPLE", "canary-secret", "canary-session"),
        "dynamodb",
        "eu-west-1",
    )
    theirs = AWSRequest(
        method="POST",
        url=f"{server.url}/",
        data=sent.body,
        headers={name: sent.headers[name] for name in names[1].split(";")},
    )
    theirs.context["timestamp"] = sent.headers["x-amz-date"]
    signature = auth.signature(auth.string_to_sign(theirs, auth.canonical_request(theirs)), theirs)
    assert sent.headers["authorization"].endswith(f"Signature={signature}")
    assert {"host", "x-amz-date", "x-amz-security-token", "x-amz-target"} <= set(
        names[1].split(";")
    )


def test_a_model_that_is_not_there_is_not_found(server: StandIn) -> None:
    server.policy = None
    with pytest.raises(ModelNotFoundError, match="There is no model sentiment"):
        reader_of(server).policy("sentiment")


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        ("ResourceNotFoundException", RegistryMisconfiguredError, "maas-registry"),
        ("AccessDeniedException", RegistryMisconfiguredError, "right"),
        ("UnrecognizedClientException", RegistryMisconfiguredError, "credentials"),
        ("InvalidSignatureException", RegistryMisconfiguredError, "clock"),
        ("ExpiredTokenException", RegistryMisconfiguredError, "expired"),
        ("MissingAuthenticationTokenException", RegistryMisconfiguredError, "credentials"),
        ("ValidationException", RegistryMisconfiguredError, "MAAS_REGISTRY"),
        ("SomethingNewException", RegistryMisconfiguredError, "SomethingNewException"),
        ("ProvisionedThroughputExceededException", RegistryUnavailableError, "throttled"),
        ("ThrottlingException", RegistryUnavailableError, "throttled"),
        ("RequestLimitExceeded", RegistryUnavailableError, "throttled"),
        ("not a name", RegistryUnavailableError, "something else"),
        ("x" * 100, RegistryUnavailableError, "something else"),
    ],
)
def test_each_refusal_has_its_error_and_remedy(
    server: StandIn, code: str, error: type[MaasError], says: str
) -> None:
    reader = reader_of(server)
    server.error = code
    with pytest.raises(error, match=says) as refused:
        reader.policy("sentiment")
    assert type(refused.value) is error
    # And nothing of what DynamoDB wrote, nor a key, is in it
    assert "canary" not in f"{refused.value} {refused.value.__cause__}"
    # And the next read is answered, over the same connection
    server.error = None
    assert reader.policy("sentiment") == POLICY
    assert server.connections == 1


@pytest.mark.parametrize(
    "way", ["reset", "silent", "throttle", "500", "503", "garbage", "json", "half", "long"]
)
def test_what_is_no_answer_is_unavailable_and_passes(server: StandIn, way: str) -> None:
    reader = reader_of(server)
    server.way = way
    for _ in range(2):
        with pytest.raises(RegistryUnavailableError) as refused:
            reader.policy("sentiment")
        assert "canary" not in f"{refused.value} {refused.value.__cause__}"
    server.way = "answer"
    assert reader.policy("sentiment") == POLICY


@pytest.mark.parametrize(("kept", "connections"), [(60.0, 1), (0.0, 2)])
def test_a_connection_that_was_idle_for_too_long_is_not_used_again(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, kept: float, connections: int
) -> None:
    # Given a network that may have forgotten the connection and says nothing
    monkeypatch.setattr("maas.registry.policy_read.KEEP_SECONDS", kept)
    reader = reader_of(server)
    assert [reader.policy("sentiment") for _ in range(2)] == [POLICY] * 2
    assert server.connections == connections


def test_a_server_that_closes_after_each_answer_is_read_all_the_same(server: StandIn) -> None:
    server.way = "close"
    reader = reader_of(server)
    assert [reader.policy("sentiment") for _ in range(3)] == [POLICY] * 3


@pytest.mark.parametrize("body", ["canary", {}, {"__type": None}, {"__type": 7}, []])
@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_an_error_that_is_not_dynamodbs_is_unavailable(
    server: StandIn, status: int, body: object
) -> None:
    server.answer = (status, body)
    with pytest.raises(RegistryUnavailableError, match=str(status)):
        reader_of(server).policy("sentiment")


def test_many_threads_read_at_a_time_and_one_connection_is_kept(server: StandIn) -> None:
    reader = reader_of(server)
    gate = threading.Barrier(8)

    def read() -> Policy:
        gate.wait(5)
        return reader.policy("sentiment")

    with ThreadPoolExecutor(8) as pool:
        assert [job.result() for job in [pool.submit(read) for _ in range(8)]] == [POLICY] * 8
    before = server.connections
    assert [reader.policy("sentiment") for _ in range(3)] == [POLICY] * 3
    assert server.connections == before


BODY = encode(POLICY)


@pytest.mark.parametrize(
    "text",
    [
        *("", "canary", "[]", "{}", "null", '{"model":"sentiment"}', "[" * 100_000),
        json.dumps(BODY | {"model": "other"}),
        json.dumps(BODY | {"canary": 1}),
        json.dumps(BODY | {"revision": 0}),
        json.dumps(BODY | {"aliases": {"production": []}}),
        json.dumps(BODY | {"aliases": {"production": [{"version": 9, "weight": 10_000}]}}),
        json.dumps(BODY | {"digests": {"1": "sha256:canary"}}),
    ],
    ids=lambda text: ascii(text[:30]),
)
def test_a_policy_that_is_none_of_ours_is_refused(server: StandIn, text: str) -> None:
    server.policy, server.text = None, text
    with pytest.raises(RegistryMisconfiguredError, match="Deploy a newer release") as refused:
        reader_of(server).policy("sentiment")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("item", [{}, {"body": {}}, {"body": {"N": "7"}}, {"other": {"S": "x"}}])
def test_an_item_without_a_body_is_none_of_ours(server: StandIn, item: dict[str, Any]) -> None:
    server.answer = (200, {"Item": item, "ConsumedCapacity": {"CapacityUnits": 1}})
    with pytest.raises(RegistryMisconfiguredError):
        reader_of(server).policy("sentiment")


# ---- Where to, and as whom ----------------------------------------------------------------------


@pytest.mark.parametrize("region", ["", "EU", "eu west", "x/../y", "eu-west-1\n"])
def test_a_region_is_needed(region: str) -> None:
    settings = AwsSettings.parse(KEYS | {"AWS_REGION": region})
    with pytest.raises(SettingsError, match="AWS_REGION"):
        PolicyReader("maas-registry", settings, now=lambda: AT)


def test_without_an_endpoint_it_is_the_regions_own_by_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, object]] = []

    def nowhere(host: object, port: object, **_: object) -> object:
        asked.append((host, port))
        raise OSError("no name server")

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    # Given two regions of each partition that botocore knows
    aws = boto3.Session("local", "local")
    known = (aws.get_available_regions("dynamodb", p) for p in aws.get_available_partitions())
    urls = {
        region: aws.client("dynamodb", region_name=region).meta.endpoint_url
        for regions in known
        for region in regions[-2:]
    }
    assert len(urls) >= 8
    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    for region in urls:
        settings = AwsSettings.parse(KEYS | {"AWS_REGION": region})
        with pytest.raises(RegistryUnavailableError):
            PolicyReader("maas-registry", settings, now=lambda: AT).policy("sentiment")
    # Then each is asked where botocore would ask
    assert [(f"https://{host}", port) for host, port in asked] == [
        (url, 443) for url in urls.values()
    ]


def test_a_malformed_endpoint_is_refused_by_name(server: StandIn) -> None:
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL_DYNAMODB"):
        reader_of(server, AWS_ENDPOINT_URL_DYNAMODB="127.0.0.1:8000")


def test_without_keys_nothing_is_sent(server: StandIn) -> None:
    with pytest.raises(RegistryMisconfiguredError, match="AWS_ACCESS_KEY_ID"):
        reader_of(server, AWS_SECRET_ACCESS_KEY="").policy("sentiment")
    assert server.requests == []


@dataclass
class Keys:
    """A container's endpoint whose keys are numbered."""

    server: StandIn

    def give(self, number: int) -> None:
        self.server.answer = (
            200,
            {
                "AccessKeyId": f"KEY{number}",
                "SecretAccessKey": "canary",
                "Token": "canary",
                "Expiration": (AT + timedelta(hours=1)).isoformat(),
            },
        )


def signer(server: StandIn) -> str:
    """Whose name the last request bore."""
    found = re.search("Credential=([^/]*)", server.requests[-1].headers["authorization"])
    assert found is not None
    return found[1]


def test_after_a_restore_keys_and_connection_are_new(server: StandIn) -> None:
    with StandIn() as endpoint:
        keys = Keys(endpoint)
        keys.give(1)
        reader = reader_of(server, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{endpoint.url}/x")
        reader.policy("sentiment")
        keys.give(2)
        reader.policy("sentiment")
        assert (signer(server), server.connections, endpoint.connections) == ("KEY1", 1, 1)
        # When a snapshot is restored
        reader.renew()
        reader.policy("sentiment")
        assert (signer(server), server.connections, endpoint.connections) == ("KEY2", 2, 2)


def test_a_connection_that_was_in_use_at_a_snapshot_is_not_kept(server: StandIn) -> None:
    reader = reader_of(server)
    server.heard = reader.renew
    reader.policy("sentiment")
    reader.policy("sentiment")
    assert server.connections == 2


def test_keys_that_were_refused_are_asked_for_anew(server: StandIn) -> None:
    with StandIn() as endpoint:
        keys = Keys(endpoint)
        keys.give(1)
        reader = reader_of(server, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{endpoint.url}/x")
        server.error = "ExpiredTokenException"
        with pytest.raises(RegistryMisconfiguredError):
            reader.policy("sentiment")
        keys.give(2)
        server.error = None
        reader.policy("sentiment")
        assert signer(server) == "KEY2"


FROZEN_READER = """
import sys
from datetime import UTC, datetime
from maas.registry import policy_read
from maas.settings import AwsSettings

policy_read.READ_SECONDS, policy_read.FREEZE_SECONDS = 0.3, 0.2
keys = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
settings = AwsSettings.parse(keys | {"AWS_ENDPOINT_URL_DYNAMODB": sys.argv[1]})
reader = policy_read.PolicyReader("maas-registry", settings, now=lambda: datetime.now(UTC))
try:
    print(reader.policy("sentiment").revision)
except policy_read.RegistryUnavailableError:
    print("away")
"""


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "away"), (0.8, "7")])
def test_a_read_that_was_frozen_is_begun_anew(server: StandIn, seconds: float, said: str) -> None:
    # Given a process whose read is under way, and nothing comes
    server.way = "hang"
    came = threading.Event()
    server.heard = came.set
    with subprocess.Popen(
        [sys.executable, "-c", FROZEN_READER, server.url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert came.wait(20)
        # When it is frozen for longer than it may wait, as Lambda does between requests, or not
        if seconds:
            process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            server.way = "answer"
            process.send_signal(signal.SIGCONT)
        # Then only the time in which it was awake counts
        out, _ = process.communicate(timeout=20)
    assert out.strip() == said
