"""A model's function as it is deployed: one packed form, a baked policy, a registry that answers.

Imports `maas` and the standard library.

    models = pack_version(bundle, 3, form="optimised-x86", folder=scratch)
    with registry_stand_in(policy) as address: ...

The registry answers as DynamoDB does to the one request that a function sends, at once and from
this process: what a real one takes is measured by `tests/perf/policy_read.py`.
"""

import json
import shutil
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from maas.bundle.manifest import digest16
from maas.registry.records import DEFAULT_ALIAS, WEIGHT_TOTAL, Policy, Route, encode
from maas.served import SERVED, ServedSet, ServedVersion, write_served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from maas.bundle.verify import Bundle


def policy_of(bundle: "Bundle", number: int) -> Policy:
    """A policy by which one version answers everybody."""
    routes = (Route(number, WEIGHT_TOTAL),)
    return Policy(bundle.manifest.name, 1, {DEFAULT_ALIAS: routes}, {number: bundle.digest})


def pack_version(bundle: "Bundle", number: int, *, form: str, folder: "Path") -> "Path":
    """Lay a version out as `maas package` does.

    Args:
        bundle: The version's.
        number: Its number.
        form: The one form that is packed.
        folder: Where to.

    Returns:
        The folder for `MAAS_BUNDLES`.
    """
    manifest = bundle.manifest
    others = [each.name for each in manifest.forms if each.name != form]
    model = folder / manifest.name
    shutil.copytree(
        bundle.folder, model / digest16(bundle.digest), ignore=shutil.ignore_patterns(*others)
    )
    versions = (ServedVersion(number, bundle.digest, form),)
    served = ServedSet(1, manifest.name, versions, policy_of(bundle, number))
    (model / SERVED).write_bytes(write_served(served))
    return folder


@contextmanager
def registry_stand_in(policy: Policy) -> "Iterator[str]":
    """Answer every request with a policy; gives the address."""
    item = {"Item": {"body": {"S": json.dumps(encode(policy))}}}
    content = json.dumps(item).encode()

    class Answering(BaseHTTPRequestHandler):
        """Reads a request and says what it always says."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: this is no server for people."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
