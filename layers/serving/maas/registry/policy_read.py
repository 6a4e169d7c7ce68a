"""The policy of a model by one signed request to DynamoDB, without boto3.

Imports `maas.errors`, msgspec and the rooms beside it. Importing boto3 and making a client costs a
cold start more than opening a model does; this costs next to nothing, and does one thing:

    reader = PolicyReader("maas-registry", settings.aws, now=utc_now)
    policy = reader.policy("sentiment")        # within READ_SECONDS
    reader.renew()                             # after a snapshot was restored

The read is strongly consistent: a promote that was confirmed to somebody must be seen by the next
read, or `x-maas-policy: live` would not be true. It costs one read unit instead of a half.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from maas.errors import (
    MaasError,
    ModelNotFoundError,
    RegistryMisconfiguredError,
    RegistryUnavailableError,
    SettingsError,
)
from maas.registry.credentials import CredentialSource
from maas.registry.dynamo_faults import error_of, fault_of_answer
from maas.registry.endpoint import Endpoint, parse_endpoint
from maas.registry.layout import policy_key
from maas.registry.records import Policy
from maas.registry.sigv4 import Credentials, Request, signed_headers

if TYPE_CHECKING:
    import ssl

    from maas.registry.connection import Answer, Connection
    from maas.settings import AwsSettings

READ_SECONDS = 2.0
FREEZE_SECONDS = 1.0
"""A read that took so much longer than it may was frozen with its function, between requests."""
"""For a whole read: credentials, connection, request and answer. Only a name server may take
longer, as the system offers no bound for it; the reader has a thread of its own for that."""
KEEP_SECONDS = 60.0
"""A connection that was idle for longer is not used again. Lambda's network forgets idle ones, at
times without a word; a request into one would wait out its time while a new one takes 20 ms."""
_ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
_DOMAINS = {  # of AWS's partitions, by how their regions begin; all others: amazonaws.com
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
}
_TYPE = re.compile(r"(?:[A-Za-z0-9_.]{1,64}#)?([A-Za-z]{1,64})")


class _Found(Struct, frozen=True):
    """DynamoDB's answer; without an item where there is none."""

    item: dict[str, dict[str, object]] | None = field(name="Item", default=None)


class _Refusal(Struct, frozen=True):
    """DynamoDB's answer of an error."""

    type: str = field(name="__type")


class PolicyReader:
    """Reads policies from one table. Safe to share among threads.

    Args:
        table: The table's name.
        aws: What AWS's variables say of region, endpoint and credentials.
        now: The time now, with its zone; signatures bear it.

    Raises:
        SettingsError: There is no region, or an endpoint's address is malformed.
    """

    def __init__(self, table: str, aws: "AwsSettings", *, now: Callable[[], datetime]) -> None:
        self._table = table
        self._region = _region(aws)
        self._endpoint = _endpoint(aws)
        self._now = now
        self._tls: ssl.SSLContext | None = None
        self._credentials = CredentialSource(aws, now=now, context=self._context)
        self._idle: Connection | None = None
        self._idle_since = 0.0
        self._generation = 0
        self._lock = threading.Lock()

    def policy(self, model: str) -> Policy:
        """Read a model's policy, in `READ_SECONDS` at the most; once more after a freeze.

        Lambda freezes threads between requests, and what was on its way then is lost as a rule.
        That time is not DynamoDB's, and no reason to call it away.

        Raises:
            ModelNotFoundError: The table has no such model.
            RegistryUnavailableError: DynamoDB does not answer, or not now.
            RegistryMisconfiguredError: It answers that the table is not there or not for us; or
                what lies there cannot be read.
        """
        began = time.monotonic()
        try:
            return self._read(model, deadline=began + READ_SECONDS)
        except RegistryUnavailableError:
            now = time.monotonic()
            if now - began < READ_SECONDS + FREEZE_SECONDS:
                raise
            return self._read(model, deadline=now + READ_SECONDS)

    def renew(self) -> None:
        """Drop the connection and the credentials: they are those of before a snapshot."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, None
        if idle is not None:
            idle.close()
        self._credentials.drop()

    def _read(self, model: str, *, deadline: float) -> Policy:
        credentials = self._credentials.get(deadline=deadline)
        answer = self._exchange(self._request(model), credentials, deadline)
        if answer.status != 200:
            raise self._refused(answer)
        try:
            found = msgspec.json.decode(answer.body, type=_Found)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise RegistryUnavailableError("DynamoDB's answer cannot be read.") from None
        if found.item is None:
            raise ModelNotFoundError(f"There is no model {model}. Register a bundle of it first.")
        return _policy(model, found.item.get("body", {}).get("S"))

    def _request(self, model: str) -> Request:
        key = policy_key(model)
        body = {
            "TableName": self._table,
            "Key": {"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            "ConsistentRead": True,
        }
        return Request(
            host=self._endpoint.authority,
            body=json.dumps(body).encode(),
            headers={
                "content-type": "application/x-amz-json-1.0",
                "x-amz-target": "DynamoDB_20120810.GetItem",
            },
        )

    def _exchange(self, request: Request, credentials: Credentials, deadline: float) -> "Answer":
        """Over the kept connection, if nobody else uses it and it is not too old."""
        headers = signed_headers(
            request, credentials, region=self._region, service="dynamodb", at=self._now()
        )
        with self._lock:
            connection, self._idle = self._idle, None
            too_old = time.monotonic() - self._idle_since > KEEP_SECONDS
            generation = self._generation
        from maas.registry.connection import Connection  # noqa: PLC0415 - http.client takes 15 ms

        connection = connection or Connection(
            self._endpoint,
            of="DynamoDB",
            context=self._context() if self._endpoint.scheme == "https" else None,
        )
        if too_old:
            connection.close()  # the exchange opens another
        answer = connection.exchange("POST", "/", headers, request.body, deadline=deadline)
        with self._lock:
            if generation == self._generation and self._idle is None:
                self._idle, connection = connection, None
                self._idle_since = time.monotonic()
        if connection is not None:
            connection.close()
        return answer

    def _refused(self, answer: "Answer") -> MaasError:
        code = _code(answer)
        if not code or not 400 <= answer.status < 500:
            return RegistryUnavailableError(
                f"DynamoDB does not answer now: {code or 'something else does'} ({answer.status})."
            )
        error = error_of(
            fault_of_answer(code, answer.status), table=self._table, writing=False, unclear=False
        )
        if isinstance(error, RegistryMisconfiguredError):
            self._credentials.drop()  # they may be what was refused
        return error

    def _context(self) -> "ssl.SSLContext":
        """The system's certificates, read when first needed: it takes some milliseconds."""
        import ssl  # noqa: PLC0415 - an endpoint of http needs none of it

        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _region(aws: "AwsSettings") -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,64}", aws.region):
        raise SettingsError(
            "AWS_REGION must name a region, such as eu-west-1, for a registry in DynamoDB.",
            field="AWS_REGION",
        )
    return aws.region


def _endpoint(aws: "AwsSettings") -> Endpoint:
    found = (domain for start, domain in _DOMAINS.items() if aws.region.startswith(start))
    domain = next(found, "amazonaws.com")
    aws_own = f"https://dynamodb.{aws.region}.{domain}"
    return parse_endpoint(aws.dynamodb_endpoint or aws_own, field=_ENDPOINT)


def _code(answer: "Answer") -> str:
    """The error's name, such as `ThrottlingException`; empty where DynamoDB gave none."""
    try:
        named = _TYPE.fullmatch(msgspec.json.decode(answer.body, type=_Refusal).type)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    return named[1] if named else ""


def _policy(model: str, text: object) -> Policy:
    policy = None
    if isinstance(text, str):
        with suppress(msgspec.DecodeError, RecursionError, UnicodeError):
            policy = msgspec.json.decode(text, type=Policy)
    if policy is None or policy.model != model or not _is_whole(policy):
        raise RegistryMisconfiguredError(
            f"The policy of {model} in the registry was not written by this release of maas or an "
            "older one. Deploy a newer release."
        )
    return policy


def _is_whole(policy: Policy) -> bool:
    """Whether every alias and every shadow leads to a digest."""
    return all(
        routes and all(route.version in policy.digests for route in routes)
        for routes in policy.aliases.values()
    ) and all(shadow.version in policy.digests for shadow in policy.shadows.values())
