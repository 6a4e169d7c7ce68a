"""Telling somebody how a rollout ended: a webhook, a topic of SNS. It never fails the rollout.

Imports httpx, `maas.errors` and the lab:

    answers = notify([Webhook("https://hooks.example/abc"), Topic(cloud, arn)], notice)
    [str(answer) for answer in answers]     # ["webhook of hooks.example: 200", "SNS: sent"]
    all(answer.done for answer in answers)

A webhook's URL is often a secret, so of it no more than the host is ever shown or kept.
"""

import ipaddress
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import httpx
import msgspec
from msgspec import Struct

from maas.errors import FieldError, MaasError, TryAgainError

if TYPE_CHECKING:
    from maas_lab.rollout.aws import RolloutCloud

SECONDS = 10.0
"""All channels together have so long."""


class Notice(Struct, frozen=True):
    """What is sent, at least once.

    Attributes:
        id: The same each time that the same end is told, and no other's.
        event: How the rollout ended.
        model: The model's name.
        alias: The alias.
        version: The version that was rolled out.
        percent: Its share when that was decided.
        reason: Why.
        at: When (ISO 8601, UTC).
        text: All of it in one sentence; what chats show of a webhook.
    """

    id: str
    event: str
    model: str
    alias: str
    version: int
    percent: float
    reason: str
    at: str
    text: str


class Channel(Protocol):
    """One way to tell."""

    name: str

    def send(self, notice: Notice) -> str:
        """Tell; answers with how it went, and may take long.

        Raises:
            MaasError: It was not taken.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """How one channel took a notice.

    Attributes:
        channel: The channel.
        done: Whether it has it.
        how: In a few words.
    """

    channel: Channel
    done: bool
    how: str

    def __str__(self) -> str:
        return f"{self.channel.name}: {self.how}"


class Webhook:
    """A POST of the notice as JSON. A redirect is not followed.

    Args:
        url: Where: `https`, or `http` on this machine.

    Raises:
        FieldError: The URL is another one.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise FieldError("is no URL", field="notify") from None
        if not parsed.host or not (
            parsed.scheme == "https" or (parsed.scheme == "http" and _is_loopback(parsed.host))
        ):
            raise FieldError("must begin with https:// (http:// on 127.0.0.1)", field="notify")
        self._url = parsed
        self.name = f"webhook of {parsed.host}"

    def send(self, notice: Notice) -> str:
        """Post it; nothing of the answer but its status is read.

        Raises:
            TryAgainError: There was none, or another one than 2xx.
        """
        headers = {"content-type": "application/json"}
        body = msgspec.json.encode(notice)
        try:
            with (
                httpx.Client(timeout=SECONDS, follow_redirects=False) as client,
                client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                status = response.status_code
        except httpx.HTTPError as error:
            raise TryAgainError(type(error).__name__) from None
        if not httpx.codes.is_success(status):
            raise TryAgainError(f"it answered {status}")
        return str(status)


class Topic:
    """A topic of SNS.

    Args:
        cloud: Where it is.
        arn: Its ARN.
    """

    name = "SNS"

    def __init__(self, cloud: "RolloutCloud", arn: str) -> None:
        self._cloud, self._arn = cloud, arn

    def send(self, notice: Notice) -> str:
        """Publish it."""
        subject = f"maas: {notice.model}@{notice.version} {notice.event}"
        text = msgspec.json.format(msgspec.json.encode(notice), indent=2).decode()
        self._cloud.publish(self._arn, subject=subject, text=text)
        return "sent"


def notify(
    channels: Sequence[Channel], notice: Notice, *, seconds: float = SECONDS
) -> list[Answer]:
    """Tell all channels at once, and wait no longer than so many seconds.

    Returns:
        How each of them took it, in their order.
    """
    late = f"no answer within {seconds:g} s"
    answers = [Answer(channel, done=False, how=late) for channel in channels]

    def send(place: int, channel: Channel) -> None:
        try:
            answers[place] = Answer(channel, done=True, how=channel.send(notice))
        except MaasError as error:
            answers[place] = Answer(channel, done=False, how=f"failed: {error}")

    # Daemons: a channel that drips must not hold the process, either.
    threads = [
        threading.Thread(target=send, args=(place, channel), daemon=True)
        for place, channel in enumerate(channels)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(answers)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
