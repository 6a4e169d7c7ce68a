"""A request on its way to an alias's shadow, and what was answered to it. Never logged.

Imports msgspec and the outcome.

    text = message.encode()              # "" where it is too large to send
    message = Message.parse(text)        # None where it is none
"""

import base64
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

from maas.registry.records import Digest, ModelName, VersionNumber
from maas.shadow.outcome import Outcome

MESSAGE_BYTES = 256_000
"""Bytes of a message; SQS takes 262,144 with what it adds. A larger request has no shadow."""
_HEADERS = ("content-type", "content-encoding", "inference-header-content-length")
"""All that a model's routes read of a request but who asks and for which version."""


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """One request that was answered.

    Attributes:
        model: The model.
        version: The shadow's number.
        digest: The shadow's digest.
        answered_by: The number of the version that answered.
        path: The request's path.
        headers: Those of its headers that say how its body is to be read.
        body: Its body, as the event has it.
        is_base64: Whether that is base64.
        outcome: What was answered.
        nanoseconds: How long it took, the task alone.
    """

    model: ModelName
    version: VersionNumber
    digest: Digest
    answered_by: VersionNumber
    path: str
    headers: dict[str, str]
    body: str
    is_base64: bool
    outcome: Outcome
    nanoseconds: Annotated[int, Meta(ge=0)]
    format: Literal[1] = 1

    def encode(self) -> str:
        """As text that SQS takes; empty where it would be too long."""
        text = base64.b64encode(msgspec.msgpack.encode(self)).decode("ascii")
        return text if len(text) <= MESSAGE_BYTES else ""

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """Read a message; None where it is none."""
        try:
            data = base64.b64decode(text, validate=True)  # type: ignore[arg-type]
            return msgspec.msgpack.decode(data, type=cls)
        except (ValueError, TypeError, RecursionError):  # msgspec's errors are ValueErrors
            return None


def kept_headers(event: "dict[str, Any]") -> dict[str, str]:
    """What of an event's headers goes along: never a key, and nothing of who asked."""
    sent = event.get("headers")
    found = sent.items() if isinstance(sent, dict) else ()
    lowered = {str(name).lower(): str(value) for name, value in found}
    return {name: lowered[name] for name in _HEADERS if name in lowered}
