"""How DynamoDB is asked: the one room of the library that knows boto3.

Imports boto3 when the first request is made, for that costs more than opening a model; else the
standard library and the rooms beside it. Each request is bounded (`dynamo_attempts`), and what goes
wrong is one of our errors (`dynamo_faults`):

    table = Table("maas-registry", region="eu-west-1")
    table.ask(lambda client: client.get_item(TableName=table.name, Key=key))
"""

import logging
import os
import random
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from maas.registry.dynamo_attempts import CONNECT_TIMEOUT, READ_TIMEOUT, Attempts
from maas.registry.dynamo_faults import Fault, FaultError, Kind, error_of, fault_of_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSResponse
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_dynamodb import DynamoDBClient

_CONNECTIONS = 64  # as many as `maas serve` has threads
_ENVELOPE = "application/x-amz-json"

Answer = TypeVar("Answer")


class Table:
    """A table of DynamoDB and the way to it. Safe to share among threads, and over a fork.

    Args:
        name: The table's name.
        region: Where it lies; empty: what AWS's library finds.
        endpoint: Where DynamoDB answers; empty: AWS's own address in the region.
        attempts: How often to ask; the default is bounded to seven seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str = "",
        endpoint: str = "",
        attempts: Attempts | None = None,
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self._clients = _Clients(region, endpoint)
        self._attempts = attempts or Attempts(time.sleep, random.random, time.monotonic)

    def close(self) -> None:
        """Give back the connections; a later call opens them again."""
        self._clients.close()

    def ask(self, call: "Callable[[DynamoDBClient], Answer]", *, writing: bool = False) -> Answer:
        """Ask DynamoDB for something, as often as it takes.

        Args:
            call: One request; asking it again must mean the same.
            writing: Whether it changes anything.

        Raises:
            ConflictError: A condition does not hold, or others are at it; nothing was written.
            RegistryUnavailableError: No answer within the bounds.
            RegistryMisconfiguredError: The table, the right or the credentials are wrong.
        """
        try:
            return self.attempt(call)
        except FaultError as error:
            raise error_of(
                error.fault, table=self.name, writing=writing, unclear=error.unclear
            ) from error

    def attempt(self, call: "Callable[[DynamoDBClient], Answer]") -> Answer:
        """As `ask`, for those who know what to do about a fault.

        Raises:
            FaultError: It was not answered well.
        """
        return self._attempts.make(lambda: self._clients.ask(call))


class _Clients:
    """One client for each process that uses the store.

    A child inherits its parent's open connections; if both used them, each would read the other's
    answers. So a child makes a client of its own and leaves the inherited one alone.
    """

    def __init__(self, region: str, endpoint: str) -> None:
        self._region = region
        self._endpoint = endpoint
        self._made: dict[int, DynamoDBClient] = {}
        self._locks: dict[int, threading.Lock] = {}  # one that a fork caught locked stays so

    def ask(self, call: "Callable[[DynamoDBClient], Answer]") -> Answer:
        """Ask once; what goes wrong is a `FaultError`."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        try:
            return call(self._client())
        except ClientError as error:
            raise FaultError(_answered(error)) from error
        except ResponseParserError as error:
            raise FaultError(Fault(Kind.UNCLEAR, type(error).__name__)) from error
        except BotoCoreError as error:
            raise FaultError(_unanswered(error)) from error

    def close(self) -> None:
        """Close this process's connections."""
        client = self._made.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _client(self) -> "DynamoDBClient":
        process = os.getpid()
        with self._locks.setdefault(process, threading.Lock()):
            if process not in self._made:
                self._made[process] = _connect(self._region, self._endpoint)
            return self._made[process]


def _connect(region: str, endpoint: str) -> "DynamoDBClient":
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    # At DEBUG it logs whole requests: the names that callers asked for, and the signature.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": 1},  # ours is the only loop
        max_pool_connections=_CONNECTIONS,
        # A profile may bring credentials, but never another place than the policy's reader asks.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # not in the stubs
    )
    try:
        client = boto3.session.Session().client(
            "dynamodb",
            region_name=region or None,
            endpoint_url=endpoint or None,
            config=config,
        )
    except ValueError as error:
        raise FaultError(Fault(Kind.REFUSED, "InvalidEndpoint")) from error
    client.meta.events.register("after-call.dynamodb", _require_dynamodb)
    return client


def _require_dynamodb(http_response: "AWSResponse", **_: object) -> None:
    """Refuse what somebody between us and DynamoDB says; without this it would read as absent."""
    if http_response.status_code < 300 and not http_response.headers.get(
        "content-type", ""
    ).startswith(_ENVELOPE):
        raise FaultError(Fault(Kind.UNCLEAR, "AnswerOfAnother"))


def _answered(error: "ClientError") -> Fault:
    response = error.response
    return fault_of_answer(
        str(response.get("Error", {}).get("Code", "")),
        response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
        [str(reason.get("Code")) for reason in response.get("CancellationReasons", [])],
    )


def _unanswered(error: "BotoCoreError") -> Fault:
    from botocore import exceptions as theirs  # noqa: PLC0415

    name = type(error).__name__
    unsent = (
        theirs.EndpointConnectionError,
        theirs.ConnectTimeoutError,
        theirs.ProxyConnectionError,
        theirs.SSLError,
    )
    if isinstance(error, unsent):
        return Fault(Kind.UNSENT, name)
    lost = (theirs.ConnectionError, theirs.HTTPClientError)
    return Fault(Kind.UNCLEAR if isinstance(error, lost) else Kind.REFUSED, name)
