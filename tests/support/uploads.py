"""S3 and CloudFormation on loopback, as far as `sam deploy` talks to them: they keep what is sent.

with uploads() as sent:
    sam.run("deploy", ..., **sent.environment)       # ends with 1: no change set is made here
    sent.template                                    # what CloudFormation would be given
    sent.parameters                                  # and with which values
"""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from samtranslator.yaml_helper import yaml_parse

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGUN = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
_ENDED = b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>"
_REFUSED = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
    "<Message>Stack with id {stack} does not exist</Message></Error></ErrorResponse>"
)


@dataclass(slots=True)
class Sent:
    """What came.

    Attributes:
        environment: Variables that bring SAM CLI here.
        objects: Keys of what was uploaded, the bucket's name in front.
        template: What CloudFormation would be given, once it was asked to.
        parameters: The values of its parameters.
    """

    environment: dict[str, str]
    objects: set[str] = field(default_factory=set)
    template: Any = None
    parameters: dict[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    def __init__(self, sent: Sent) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sent = sent


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(404)  # nothing was uploaded before

    def do_PUT(self) -> None:
        data = self._body()
        self.server.sent.objects.add(self.path.partition("?")[0].strip("/"))
        if self.path.endswith(".template"):
            self.server.sent.template = yaml_parse(data.decode())
        self._answer(200)

    def do_POST(self) -> None:
        data = self._body()
        if "upload" in self.path:  # S3's, of something large
            self._answer(200, _BEGUN if self.path.endswith("?uploads") else _ENDED)
            return
        asked = {name: values[0] for name, values in parse_qs(data.decode()).items()}
        for name, value in asked.items():
            if name.endswith(".ParameterKey"):
                self.server.sent.parameters[value] = asked[name.removesuffix("Key") + "Value"]
        self._answer(400, _REFUSED.format(stack=asked["StackName"]).encode())

    def log_message(self, *_: object) -> None:
        pass

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("etag", '"1"')
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def uploads() -> "Iterator[Sent]":
    """Answer while the body runs."""
    sent = Sent({})
    with _Server(sent) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        for service in ("S3", "CLOUDFORMATION"):
            sent.environment[f"AWS_ENDPOINT_URL_{service}"] = address
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield sent
        finally:
            server.shutdown()
