"""Whose name the one signed request bears: keys of the environment, or of the container's endpoint.

Imports `maas.errors`, the rooms beside it and msgspec. Where `credentials_url` is set (by
Lambda with SnapStart, as keys in a snapshot would grow old), it wins over the environment's keys:

    source = CredentialSource(settings.aws, now=utc_now)
    credentials = source.get(deadline=time.monotonic() + 2.0)
"""

import ipaddress
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from maas.errors import MaasError, RegistryMisconfiguredError, RegistryUnavailableError
from maas.registry.endpoint import Endpoint, parse_endpoint
from maas.registry.sigv4 import Credentials

if TYPE_CHECKING:
    import ssl

    from maas.settings import AwsSettings

REFRESH = timedelta(minutes=5)
"""So long before they expire, keys are asked for anew."""
_URL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_ENDPOINT = "The endpoint of the container's credentials"


class _Keys(Struct, frozen=True, rename="pascal"):
    """The endpoint's answer; it may hold more."""

    access_key_id: str
    secret_access_key: str
    token: str
    expiration: datetime


class _Held(Struct, frozen=True):
    credentials: Credentials
    expires: datetime


class CredentialSource:
    """Keeps keys for as long as they are good. Safe to share among threads.

    Args:
        aws: What AWS's variables say.
        now: The time now, with its zone.
        context: Makes the TLS context of an https endpoint.

    Raises:
        SettingsError: The endpoint's address is none, or one that a token must not be sent to.
    """

    def __init__(
        self,
        aws: "AwsSettings",
        *,
        now: Callable[[], datetime],
        context: "Callable[[], ssl.SSLContext]",
    ) -> None:
        self._aws = aws
        self._now = now
        self._context = context
        self._endpoint = _trusted(aws.credentials_url) if aws.credentials_url else None
        self._held: _Held | None = None
        self._generation = 0
        self._lock = threading.Lock()

    def get(self, *, deadline: float) -> Credentials:
        """The keys to sign with.

        Args:
            deadline: Seconds on `time.monotonic`'s clock until which an endpoint is asked.

        Raises:
            RegistryUnavailableError: The endpoint does not answer.
            RegistryMisconfiguredError: It refuses, or there are no keys at all.
        """
        if self._endpoint is None:
            return self._from_environment()
        with self._lock:
            held, generation = self._held, self._generation
        now = self._now()
        if held and now < held.expires - REFRESH:
            return held.credentials
        try:
            fresh = self._ask(self._endpoint, deadline)
        except MaasError:
            if held and now < held.expires:  # good for some minutes more; the next read asks again
                return held.credentials
            raise
        with self._lock:
            if generation == self._generation:
                self._held = fresh
        return fresh.credentials

    def drop(self) -> None:
        """Forget what is held: the keys were refused, or come from before a snapshot."""
        with self._lock:
            self._held = None
            self._generation += 1

    def _from_environment(self) -> Credentials:
        if not self._aws.access_key or not self._aws.secret_key:
            raise RegistryMisconfiguredError(
                "There are no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not "
                "set. On a laptop `aws configure export-credentials --format env` prints them.",
                field="AWS_ACCESS_KEY_ID",
            )
        return Credentials(self._aws.access_key, self._aws.secret_key, self._aws.session_token)

    def _ask(self, endpoint: Endpoint, deadline: float) -> _Held:
        context = self._context() if endpoint.scheme == "https" else None
        from maas.registry.connection import Connection  # noqa: PLC0415 - as in `policy_read`

        connection = Connection(endpoint, of=_ENDPOINT, context=context)
        headers = {"host": endpoint.authority, "accept": "application/json"}
        if self._aws.credentials_token:
            headers["authorization"] = self._aws.credentials_token
        try:
            answer = connection.exchange("GET", endpoint.path, headers, b"", deadline=deadline)
        finally:
            connection.close()
        if 400 <= answer.status < 500:
            raise RegistryMisconfiguredError(
                f"{_ENDPOINT} refuses (status {answer.status}): "
                "AWS_CONTAINER_AUTHORIZATION_TOKEN or the function's role is not what it expects."
            )
        try:
            keys = msgspec.json.decode(answer.body, type=_Keys)
            if answer.status != 200 or keys.expiration.tzinfo is None:
                raise ValueError  # noqa: TRY301 - one refusal for all that is not an answer
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            raise RegistryUnavailableError(
                f"{_ENDPOINT} does not answer with keys (status {answer.status})."
            ) from None
        credentials = Credentials(keys.access_key_id, keys.secret_access_key, keys.token)
        return _Held(credentials, keys.expiration)


def _trusted(url: str) -> Endpoint:
    """An address that the token may be sent to: encrypted, or one that leaves no machine."""
    endpoint = parse_endpoint(url, field=_URL)
    if endpoint.scheme == "https" or endpoint.host == "localhost":
        return endpoint
    try:
        address = ipaddress.ip_address(endpoint.host)
        local = address.is_loopback or address.is_link_local
    except ValueError:
        local = False
    if not local:
        raise RegistryMisconfiguredError(
            f"{_URL} must be https, or http to an address of this machine (127.0.0.1, 169.254.…).",
            field=_URL,
        )
    return endpoint
