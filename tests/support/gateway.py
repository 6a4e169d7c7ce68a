"""A function behind HTTP: requests become events, as API Gateway makes them.

with behind_http(lambda: build_handler(settings)) as url:
    httpx.get(f"{url}/models/sentiment")       # the first request waits for the handler
"""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

from support.doors import LambdaContext, rest_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maas.http.gateway import Handler


@contextmanager
def behind_http(build: "Callable[[], Handler]") -> "Iterator[str]":
    """Serve a function, one request at a time; its process starts with the first."""
    built: list[Handler] = []

    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not built:
                built.append(build())
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length).decode() or None
            event = rest_event(self.command, self.path, body, headers=dict(self.headers))
            answer = built[0](event, LambdaContext())
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer["body"].encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
