"""S3 on loopback, as far as a training uses it: objects, lists, parts, conditions; and its faults.

with s3_stand_in() as s3:
    bucket = s3.bucket()                    # a Bucket whose requests end here
    s3.objects["runs/x/manifest.json"]      # what is stored
    s3.faults["runs/x/files/"] = [cut]      # the next read of an object whose key begins so
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from botocore.config import Config
from support.aws_session import aws_session

from maas_lab.batch.bucket import Bucket

NAME = "jobs"
Fault = Callable[["_Handler", bytes], None]


def cut(handler: "_Handler", data: bytes) -> None:
    """The connection is closed in the middle of the object."""
    handler.begin(200, len(data))
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def wrong(handler: "_Handler", data: bytes) -> None:
    """Another content of the same size."""
    handler.answer(200, bytes([data[0] ^ 1]) + data[1:])


def longer(handler: "_Handler", data: bytes) -> None:
    """More than was stored."""
    handler.answer(200, data + b"!")


def away(handler: "_Handler", _data: bytes) -> None:
    """S3 is too busy."""
    handler.refuse(503, "SlowDown")


def denied(handler: "_Handler", _data: bytes) -> None:
    """The role may not."""
    handler.refuse(403, "AccessDenied")


@dataclass
class S3StandIn:
    """One bucket.

    Attributes:
        address: Of the server.
        objects: Contents by key.
        modified: When each was written; a test may change it.
        faults: What the next requests for keys that begin so end with, first to last.
        asked: "METHOD key" of every request.
        page: Keys per page of a list.
    """

    address: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    modified: dict[str, datetime] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    page: int = 2

    def bucket(self, tries: int = 1) -> Bucket:
        """A bucket whose requests end here, with keys that open nothing."""
        client = aws_session().client(
            "s3",
            endpoint_url=self.address,
            config=Config(retries={"total_max_attempts": tries}, connect_timeout=5, read_timeout=5),
        )
        return Bucket(client, NAME)

    def writes(self) -> list[str]:
        """The keys that were written, in order."""
        return [line.partition(" ")[2] for line in self.asked if line.startswith("PUT ")]

    def store(self, key: str, data: bytes) -> None:
        """Write an object."""
        self.objects[key] = data
        self.modified[key] = datetime.now(UTC)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, s3: S3StandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.s3 = s3


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        key, query = self._target()
        if "list-type" in query:
            self._list(query)
            return
        data = self.server.s3.objects.get(key)
        fault = self._fault(key)
        if fault is not None:
            fault(self, data or b"")
        elif data is None:
            self.refuse(404, "NoSuchKey")
        else:
            self.answer(200, data)

    def do_PUT(self) -> None:
        key, query = self._target()
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        fault, s3 = self._fault(key), self.server.s3
        if fault is not None:
            fault(self, data)
        elif "partNumber" in query:
            s3.parts[query["uploadId"]][int(query["partNumber"])] = data
            self.answer(200)
        elif not self._condition_holds(key):
            self.refuse(412, "PreconditionFailed")
        else:
            s3.store(key, data)
            self.answer(200, etag=etag_of(data))

    def do_POST(self) -> None:
        key, query = self._target()
        self.rfile.read(int(self.headers.get("content-length", 0)))
        s3 = self.server.s3
        if "uploads" in query:
            s3.parts[key] = {}
            tag = "InitiateMultipartUploadResult"
            self.answer(200, f"<{tag}><UploadId>{key}</UploadId></{tag}>".encode())
            return
        parts = s3.parts.pop(query["uploadId"])
        s3.store(key, b"".join(parts[number] for number in sorted(parts)))
        self.answer(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")

    def do_DELETE(self) -> None:
        key, _query = self._target()
        self.server.s3.objects.pop(key, None)
        self.answer(204)

    def log_message(self, *_: object) -> None:
        pass

    def begin(self, status: int, size: int, etag: str = '"0"') -> None:
        """Send the head of an answer."""
        self.send_response(status)
        self.send_header("etag", etag)
        self.send_header("content-length", str(size))
        self.end_headers()

    def answer(self, status: int, body: bytes = b"", etag: str = '"0"') -> None:
        """Send a whole answer."""
        self.begin(status, len(body), etag)
        self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        """Send an error of S3's."""
        self.answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())

    def _target(self) -> tuple[str, dict[str, str]]:
        split = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(split.query, keep_blank_values=True).items()}
        bucket, _, key = unquote(split.path).strip("/").partition("/")
        assert bucket == NAME
        self.server.s3.asked.append(f"{self.command} {key or query.get('prefix', '')}")
        return key, query

    def _fault(self, key: str) -> Fault | None:
        for prefix, faults in self.server.s3.faults.items():
            if key.startswith(prefix) and faults:
                return faults.pop(0)
        return None

    def _condition_holds(self, key: str) -> bool:
        there = self.server.s3.objects.get(key)
        if self.headers.get("if-none-match") == "*":
            return there is None
        wanted = self.headers.get("if-match")
        return wanted is None or (there is not None and etag_of(there) == wanted)

    def _list(self, query: dict[str, str]) -> None:
        s3 = self.server.s3
        after = query.get("continuation-token", "")
        keys = [k for k in sorted(s3.objects) if k.startswith(query["prefix"]) and k > after]
        shown = keys[: s3.page]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(s3.objects[key])}</Size>"
            f"<ETag>{escape(etag_of(s3.objects[key]))}</ETag>"
            f"<LastModified>{s3.modified[key]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
            for key in shown
        )
        more = len(keys) > len(shown)
        token = (
            f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        )
        cut_off = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        self.answer(200, f"<ListBucketResult>{cut_off}{token}{entries}</ListBucketResult>".encode())


def etag_of(data: bytes) -> str:
    """An object's etag."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


@contextmanager
def s3_stand_in() -> Iterator[S3StandIn]:
    """Answer while the body runs."""
    s3 = S3StandIn()
    with _Server(s3) as server:
        s3.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield s3
        finally:
            server.shutdown()
