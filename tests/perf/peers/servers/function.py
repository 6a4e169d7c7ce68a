"""Our function behind HTTP, as Lambda's emulator has it: requests become events for the handler.

    python function.py PORT

Settings come from the environment, as a function's do. One request at a time, as Lambda gives them.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from maas.http.entry import build_handler
from maas.settings import read_settings

STANDARD_OUTPUT, sys.stdout = sys.stdout, sys.stderr  # the function logs to standard output
HANDLER = build_handler(read_settings())


class Context:
    """What the runtime hands to a handler beside the event."""

    aws_request_id = "00000000-0000-4000-8000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Enough."""
        return 15_000


class Gateway(BaseHTTPRequestHandler):
    """What API Gateway does of it: an event, an answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the answer leaves in one piece
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Hand a request over."""
        body = self.rfile.read(int(self.headers["content-length"]))
        event: dict[str, Any] = {
            "resource": self.path,
            "path": self.path,
            "httpMethod": "POST",
            "headers": dict(self.headers),
            "multiValueHeaders": {name: [value] for name, value in self.headers.items()},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "requestContext": {"resourcePath": self.path, "httpMethod": "POST", "stage": "peer"},
            "body": body.decode(),
            "isBase64Encoded": False,
        }
        answer = HANDLER(event, Context())
        content = str(answer["body"]).encode()
        self.send_response(int(answer["statusCode"]))
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the function logs."""


HTTPServer(("127.0.0.1", int(sys.argv[1])), Gateway).serve_forever()
