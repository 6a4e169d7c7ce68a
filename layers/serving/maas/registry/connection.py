"""One HTTP connection that is kept, and whose every exchange is bounded in time and in size.

Imports `maas.errors`, the endpoint and msgspec. `http.client` bounds each wait for bytes and not
their sum, so a server that drips would hold a reader for hours; here every wait is for what is left
of the whole:

    connection = Connection(parse_endpoint(url, field="AWS_ENDPOINT_URL_DYNAMODB"), of="DynamoDB")
    answer = connection.exchange("POST", "/", headers, body, deadline=time.monotonic() + 2.0)
"""

import http.client
import io
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from maas.errors import RegistryUnavailableError
from maas.registry.endpoint import Endpoint

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 1.0
"""For a TCP connection, all addresses of the host together."""
ANSWER_BYTES = 400_000
"""Bytes of an answer's body at the most: ten times what a policy has, as JSON within JSON."""


class Answer(Struct, frozen=True):
    """What came back: the status and the whole body."""

    status: int
    body: bytes


class Connection:
    """A connection to one endpoint, opened when first needed. For one thread at a time.

    Args:
        endpoint: Where to.
        of: Who answers there, for messages.
        context: The TLS context of an https endpoint.
    """

    def __init__(
        self, endpoint: Endpoint, *, of: str, context: "ssl.SSLContext | None" = None
    ) -> None:
        self._of = of
        self._client = _Client(endpoint, context)

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, deadline: float
    ) -> Answer:
        """Send a request and read its whole answer.

        A connection that was kept and has been dropped meanwhile is opened anew, once: the server
        may close it whenever nothing is asked.

        Args:
            method: The method.
            path: The path.
            headers: All headers but content-length.
            body: What is sent.
            deadline: Seconds on `time.monotonic`'s clock until which all of it must have happened.

        Raises:
            RegistryUnavailableError: It has not, or what came was no answer or too long a one.
        """
        kept = self._client.sock is not None
        self._client.deadline = deadline
        try:
            try:
                return self._once(method, path, headers, body)
            except (OSError, http.client.RemoteDisconnected) as dropped:
                if not kept or isinstance(dropped, TimeoutError):
                    raise
                return self._once(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            raise self._away(type(error).__name__) from error
        except ValueError:  # its text repeats the header at fault, which may be a secret
            raise self._away("a header cannot be sent, or the answer's cannot be read") from None

    def close(self) -> None:
        """Give the socket back; the next exchange opens another."""
        self._client.close()

    def __del__(self) -> None:
        """Whoever forgets it has forgotten the socket too."""
        self.close()

    def _once(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            self._client.request(method, path, body or None, headers)
            with self._client.getresponse() as response:
                return self._answer(response)
        except BaseException:
            self._client.close()
            raise

    def _answer(self, response: http.client.HTTPResponse) -> Answer:
        data = response.read(ANSWER_BYTES + 1)
        if len(data) > ANSWER_BYTES:
            raise self._away(f"its answer has more than {ANSWER_BYTES} bytes")
        if response.length:  # http.client answers with what came before the cut
            raise self._away("its answer was cut")
        return Answer(response.status, data)

    def _away(self, reason: str) -> RegistryUnavailableError:
        return RegistryUnavailableError(f"{self._of} does not answer: {reason}.")


class _Client(http.client.HTTPConnection):
    """A connection whose socket waits for what is left until `deadline`, and no longer."""

    def __init__(self, endpoint: Endpoint, context: "ssl.SSLContext | None") -> None:
        super().__init__(endpoint.host, endpoint.port)
        self.deadline = 0.0
        self._endpoint = endpoint
        self._context = context

    def connect(self) -> None:
        opened = self._opened(min(self.deadline, time.monotonic() + CONNECT_SECONDS))
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.settimeout(_left(self.deadline))
            if self._context is not None:  # the handshake is bounded as a whole
                opened = self._context.wrap_socket(opened, server_hostname=self._endpoint.host)
        except BaseException:
            opened.close()
            raise
        self.sock = _Socket(opened, self)

    def _opened(self, until: float) -> socket.socket:
        """Try the host's addresses in their order; the time is for all of them."""
        failure: OSError = TimeoutError()
        addresses = socket.getaddrinfo(
            self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM
        )
        for family, kind, protocol, _, address in addresses:
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(_left(until))
                opened.connect(address)
            except OSError as error:
                opened.close()
                failure = error
            else:
                return opened
        raise failure


class _Socket:
    """As much of a socket as http.client uses of it."""

    def __init__(self, opened: socket.socket, client: _Client) -> None:
        self._opened = opened
        self._client = client

    def sendall(self, data: bytes) -> None:
        self._opened.settimeout(_left(self._client.deadline))
        self._opened.sendall(data)  # bounded as a whole

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._opened, self._client))

    def close(self) -> None:
        self._opened.close()


class _Incoming(io.RawIOBase):
    """What comes in, as it comes."""

    def __init__(self, opened: socket.socket, client: _Client) -> None:
        super().__init__()
        self._opened = opened
        self._client = client
        self._raw = opened.makefile("rb", buffering=0)  # keeps the socket while it is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int | None:  # type: ignore[override]
        self._opened.settimeout(_left(self._client.deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
