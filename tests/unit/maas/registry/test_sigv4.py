"""Our signature is botocore's, to the last byte, whatever is signed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from maas.registry.sigv4 import Credentials, Request, signed_headers

AT = datetime(2026, 11, 22, 10, 20, 30, tzinfo=UTC)
TARGET = {"x-amz-target": "DynamoDB_20120810.GetItem"}
# What HTTP lets a header's value be.
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
SPACED = st.lists(VALUES, min_size=1, max_size=4).map("  ".join)
NAMES = st.from_regex(r"x-[a-z0-9]{1,12}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
# botocore leaves these out of what is signed.
UNSIGNED = {"x-amzn-trace-id", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}


def by_botocore(
    request: Request, credentials: Credentials, region: str, service: str, at: datetime
) -> str:
    """The authorization header that botocore makes of the same request."""
    auth = SigV4Auth(
        BotoCredentials(
            credentials.access_key, credentials.secret_key, credentials.session_token or None
        ),
        service,
        region,
    )
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    token = {"x-amz-security-token": credentials.session_token} if credentials.session_token else {}
    theirs = AWSRequest(
        method="POST",
        url=f"http://{request.host}/",
        data=request.body,
        headers={**request.headers, "x-amz-date": stamp, "host": request.host, **token},
    )
    theirs.context["timestamp"] = stamp
    text = auth.string_to_sign(theirs, auth.canonical_request(theirs))
    names = auth.signed_headers(auth.headers_to_sign(theirs))
    return (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(theirs)}, SignedHeaders={names}, "
        f"Signature={auth.signature(text, theirs)}"
    )


@given(
    host=st.from_regex(r"[a-z0-9.-]{1,40}(:[1-9][0-9]{0,4})?", fullmatch=True),
    body=st.binary(max_size=300),
    headers=st.dictionaries(NAMES.filter(lambda name: name not in UNSIGNED), SPACED, max_size=4),
    keys=st.tuples(VALUES, st.text(min_size=1, max_size=60), st.just("") | VALUES),
    region=st.from_regex(r"[a-z]{2}-[a-z]{4,9}-[1-9]", fullmatch=True),
    service=st.sampled_from(["dynamodb", "s3", "lambda"]),
    at=st.datetimes(
        datetime(2000, 1, 1),
        datetime(2100, 1, 1),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9))]),
    ),
)
def test_every_signature_is_that_of_botocore(
    *,
    host: str,
    body: bytes,
    headers: dict[str, str],
    keys: tuple[str, str, str],
    region: str,
    service: str,
    at: datetime,
) -> None:
    request = Request(host, body, headers)
    credentials = Credentials(*keys)
    ours = signed_headers(request, credentials, region=region, service=service, at=at)
    assert ours["authorization"] == by_botocore(request, credentials, region, service, at)
    assert ours["host"] == host
    assert ours.get("x-amz-security-token", "") == keys[2]
    assert ours.items() >= headers.items()


@pytest.mark.parametrize(
    "change",
    [
        {"body": b"{ }"},
        {"host": "dynamodb.eu-west-2.amazonaws.com"},
        {"headers": TARGET | {"x-amz-target": "DynamoDB_20120810.PutItem"}},
        {"headers": {}},
        {"secret_key": "T"},
        {"session_token": "t"},
        {"region": "eu-west-2"},
        {"at": AT + timedelta(seconds=1)},
        {"at": AT + timedelta(days=1)},
    ],
    ids=str,
)
def test_a_change_of_any_part_changes_the_signature(change: dict[str, object]) -> None:
    def signature(**parts: object) -> str:
        values = {
            "host": "dynamodb.eu-west-1.amazonaws.com",
            "body": b"{}",
            "headers": TARGET,
            "secret_key": "S",
            "session_token": "",
            "region": "eu-west-1",
            "at": AT,
        } | parts
        signed = signed_headers(
            Request(values["host"], values["body"], values["headers"]),  # type: ignore[arg-type]
            Credentials("A", str(values["secret_key"]), str(values["session_token"])),
            region=str(values["region"]),
            service="dynamodb",
            at=values["at"],  # type: ignore[arg-type]
        )
        return signed["authorization"].rsplit("=", 1)[1]

    assert signature(**change) != signature()


def test_keys_are_never_shown() -> None:
    shown = repr(Credentials("AKIAcanary", "secret-canary", "token-canary"))
    assert "canary" not in shown
