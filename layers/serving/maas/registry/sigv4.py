"""AWS's signature, version 4, of one POST to the root of an endpoint.

Imports the standard library and msgspec. Pure: time and keys are passed in, and nothing is sent.

    headers = signed_headers(Request(host, body, {"x-amz-target": …}), credentials,
                             region="eu-west-1", service="dynamodb", at=datetime.now(UTC))

The path is always `/` and there is no query, which leaves out everything that is hard about it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(Struct, frozen=True):
    """Keys of an AWS principal; none of them is ever shown.

    Attributes:
        access_key: Who signs.
        secret_key: What it is signed with.
        session_token: Sent along where the keys are temporary; else empty.
    """

    access_key: str
    secret_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return "Credentials()"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Nothing: by default a struct shows all of its fields."""
        return []


class Request(Struct, frozen=True):
    """A POST to `/`.

    Attributes:
        host: As the header says it: with the port, unless it is the scheme's own.
        body: What is sent.
        headers: Names in lower case, and values, of what is signed beside the host and the date.
    """

    host: str
    body: bytes
    headers: Mapping[str, str]


def signed_headers(
    request: Request, credentials: Credentials, *, region: str, service: str, at: datetime
) -> dict[str, str]:
    """All headers of the request: its own, host, date, token and signature.

    Args:
        request: What is sent.
        credentials: Who sends it.
        region: The endpoint's region.
        service: The service's name in signatures, such as `dynamodb`.
        at: The time now, with its zone; AWS allows five minutes of difference.
    """
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {**request.headers, "host": request.host, "x-amz-date": stamp}
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(headers))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    canonical = _canonical(headers, names, request.body)
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = _signing_key(credentials.secret_key, stamp[:8], region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _canonical(headers: Mapping[str, str], names: str, body: bytes) -> str:
    """The request as both sides must see it, to the letter."""
    # White space within a value counts as one space, as the receiver will see it too.
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)]
    return "\n".join(("POST", "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()))


def _signing_key(secret: str, *scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
