"""Requests that go to a shadow behind Lambda: one SQS send at the end of a request, bounded.

Imports `maas.errors`, the registry's connection and signature, and the rooms beside it.

    sender = Sender(queue_url, settings.aws, now=utc_now, notice=notice)
    handler = sender.around(handler)           # sends what was noted while a request was answered
    Answering(services, threads=False, watch=sender.note)

Sending happens in a thread of its own, which a request waits for `SEND_WAIT` at the most. What is
on its way then is frozen with the function and goes on with the next request, as a read of the
policy does; and one message waits for it at the most, so that a queue that does not answer costs
messages and nothing else.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from maas.errors import MaasError, RegistryUnavailableError, SettingsError
from maas.registry.credentials import CredentialSource
from maas.registry.endpoint import Endpoint, parse_endpoint
from maas.registry.sigv4 import Request, signed_headers
from maas.shadow.message import Message, kept_headers
from maas.shadow.outcome import outcome_of

if TYPE_CHECKING:
    import ssl
    from datetime import datetime

    from maas.registry.connection import Connection
    from maas.service import Turn
    from maas.settings import AwsSettings
    from maas.tasks.task import Response

    Event = dict[str, Any]
    Handler = Callable[[Event, object], Event]

SEND_WAIT = 0.010
"""Seconds that a send may add to a request."""
SEND_SECONDS = 2.0
"""For a whole send: credentials, connection, request and answer."""
FREEZE_SECONDS = 1.0
"""A send that took so much longer than it may was frozen with its function, between requests."""
KEEP_SECONDS = 60.0
"""A connection that was idle for longer is not used again; as in `policy_read`."""
_QUEUE = "MAAS_SHADOW_QUEUE"
_REGION = re.compile(r"[a-z0-9-]{1,64}")


class _Noted(Struct, frozen=True):
    """What was answered, while the event is not at hand."""

    turn: "Turn"
    answer: "Response"
    nanoseconds: int


class Sender:
    """Notes what was answered, and sends it when the answer is whole.

    One per process, and a process has one request at a time: Lambda's way.

    Args:
        queue: The queue's URL.
        aws: What AWS's variables say of region and credentials.
        now: The time now, with its zone; signatures bear it.
        notice: Told of a model and of a failed send, unless the one before failed alike.
        wait: Seconds that a send may add to a request.

    Raises:
        SettingsError: The queue's URL is none, or there is no region.
    """

    def __init__(
        self,
        queue: str,
        aws: "AwsSettings",
        *,
        now: "Callable[[], datetime]",
        notice: Callable[[str, MaasError], None],
        wait: float = SEND_WAIT,
    ) -> None:
        if not _REGION.fullmatch(aws.region):
            raise SettingsError("AWS_REGION must name the queue's region.", field="AWS_REGION")
        self._queue = queue
        self._region = aws.region
        self._endpoint: Endpoint = parse_endpoint(queue, field=_QUEUE)
        self._now = now
        self._notice = notice
        self._wait = wait
        self._tls: ssl.SSLContext | None = None
        self._credentials = CredentialSource(aws, now=now, context=self._context)
        self._noted: _Noted | None = None
        self._waiting: Message | None = None
        self._sending = False
        self._failure = ""
        self._generation = 0
        self._connection: Connection | None = None
        self._used = 0.0
        self._changed = threading.Condition()

    def note(self, turn: "Turn", _again: object, answer: "Response", nanoseconds: int) -> None:
        """Keep what was answered until the request is over."""
        self._noted = _Noted(turn, answer, nanoseconds)

    def around(self, handler: "Handler") -> "Handler":
        """A handler that sends what was noted while it answered."""

        def sending(event: "Event", context: object) -> "Event":
            self._noted = None
            answer = handler(event, context)
            noted, self._noted = self._noted, None
            if noted is not None:
                self._send(noted, event)
            return answer

        return sending

    def renew(self) -> None:
        """Drop the connection and the credentials: they are those of before a snapshot."""
        with self._changed:
            self._generation += 1
            self._connection = None
            self._waiting = None
            self._sending = False
        self._credentials.drop()

    def _send(self, noted: _Noted, event: "Event") -> None:
        message = _message(noted, event)
        if message is None:
            return
        with self._changed:
            self._waiting = message  # one that still waits has lost its turn
            if not self._sending:
                self._begin()
            self._changed.wait_for(lambda: not self._sending, timeout=self._wait)

    def _begin(self) -> None:
        self._sending = True
        try:
            threading.Thread(
                target=self._run, args=(self._generation,), name="maas-shadow", daemon=True
            ).start()
        except RuntimeError:  # the machine has no more threads
            self._sending, self._waiting = False, None

    def _run(self, generation: int) -> None:
        """Send what waits, until nothing does."""
        while True:
            with self._changed:
                if generation != self._generation:
                    return
                message, self._waiting = self._waiting, None
                if message is None:
                    self._sending = False
                    self._changed.notify_all()
                    return
            try:
                self._deliver(message)
                failure: MaasError | None = None
            except MaasError as error:
                failure = error
            told = "" if failure is None else f"{type(failure).__name__} {failure}"
            if failure is not None and told != self._failure:
                self._notice(message.model, failure)
            self._failure = told

    def _deliver(self, message: Message) -> None:
        """Send a message; once more where it was frozen on its way, which is nobody's failure."""
        began = time.monotonic()
        try:
            self._exchange(message)
        except RegistryUnavailableError:
            if time.monotonic() - began < SEND_SECONDS + FREEZE_SECONDS:
                raise
            self._exchange(message)

    def _exchange(self, message: Message) -> None:
        text = message.encode()
        if not text:
            return
        deadline = time.monotonic() + SEND_SECONDS
        credentials = self._credentials.get(deadline=deadline)
        request = Request(
            host=self._endpoint.authority,
            body=json.dumps({"QueueUrl": self._queue, "MessageBody": text}).encode(),
            headers={
                "content-type": "application/x-amz-json-1.0",
                "x-amz-target": "AmazonSQS.SendMessage",
            },
        )
        headers = signed_headers(
            request, credentials, region=self._region, service="sqs", at=self._now()
        )
        connection = self._open()
        answer = connection.exchange("POST", "/", headers, request.body, deadline=deadline)
        self._used = time.monotonic()
        if answer.status != 200:
            raise RegistryUnavailableError(f"The shadow's queue refuses (status {answer.status}).")

    def _open(self) -> "Connection":
        from maas.registry.connection import Connection  # noqa: PLC0415 - http.client takes 15 ms

        if self._connection is None:
            context = self._context() if self._endpoint.scheme == "https" else None
            self._connection = Connection(self._endpoint, of="The shadow's queue", context=context)
        elif time.monotonic() - self._used > KEEP_SECONDS:
            self._connection.close()  # the exchange opens another
        return self._connection

    def _context(self) -> "ssl.SSLContext":
        import ssl  # noqa: PLC0415 - an endpoint of http needs none of it

        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _message(noted: _Noted, event: "Event") -> Message | None:
    turn, body = noted.turn, event.get("body")
    if turn.shadow is None or not isinstance(body, str):
        return None
    number, digest = turn.shadow
    return Message(
        model=turn.loaded.bundle.manifest.name,
        version=number,
        digest=digest,
        answered_by=turn.version,
        path=str(event.get("path")),
        headers=kept_headers(event),
        body=body,
        is_base64=bool(event.get("isBase64Encoded")),
        outcome=outcome_of(noted.answer),
        nanoseconds=noted.nanoseconds,
    )
