"""A deployed function or a server, asked for one version as `maas verify --url` does.

Imports httpx and `maas`; of the lab, what a URL is.

    with Remote(url, version, api_key) as remote:
        remote.form(), remote.infer(feeds)
        remote.cold                          # empty where no process had to start
"""

import base64
import re
import time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from maas.errors import BundleError, FieldError, TryAgainError
from maas.http.protocols.oip_data import datatype_of, from_json, to_json
from maas.http.protocols.oip_wire import InferAnswer
from maas_lab.urls import server_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas.registry.records import VersionRecord
    from maas.tasks.tensors import Array

TIMEOUT_SECONDS = 30.0
PROBLEM_CHARACTERS = 200
"""Of what is told of a refusal."""
_STARTED = re.compile(r"(?:^|,)\s*init;")
"""The stage of `server-timing` that says: the process that answers had to start."""


class Remote:
    """One version of a model behind a URL, asked by the Open Inference Protocol.

    Args:
        url: Where it answers.
        version: The version, whose digest every answer must bear.
        api_key: Sent as `x-api-key`.

    Raises:
        FieldError: The URL is none.

    Attributes:
        warm: Seconds of each `infer` that was answered by a process which was there before.
        cold: Seconds of each request that had to wait for one to start.
    """

    def __init__(self, url: str, version: "VersionRecord", api_key: str | None) -> None:
        self._version = version
        self._url = server_url(url)
        headers = {"x-api-key": api_key} if api_key else {}
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, headers=headers)
        self.warm: list[float] = []
        self.cold: list[float] = []

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def form(self) -> str:
        """Which form of the version answers there."""
        response = self._ask("GET", f"/models/{self._version.model}/versions/{self._number}")
        self.warm.clear()  # it opened the connection, and is no request for an answer
        return str(response.json()["form"])

    def infer(self, feeds: "Mapping[str, Array]") -> "dict[str, Array]":
        """What it answers to tensors."""
        body = {"inputs": [_input(name, array) for name, array in feeds.items()]}
        path = f"/v2/models/{self._version.model}/versions/{self._number}/infer"
        answer = msgspec.json.decode(self._ask("POST", path, body).content, type=InferAnswer)
        return {
            each.name: from_json(each.data, each.datatype, each.shape, field=each.name)
            for each in answer.outputs
        }

    @property
    def _number(self) -> int:
        return self._version.number

    def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        began = time.perf_counter()
        try:
            response = self._client.request(method, self._url + path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise TryAgainError(
                "No function or server answers at this --url.", field="url"
            ) from None
        spent = time.perf_counter() - began
        timing = response.headers.get("server-timing")
        if response.status_code in (401, 403) and timing is None:  # the gateway's own answer
            raise FieldError("is missing or not allowed there", field="api-key")
        if response.status_code in (429, 503, 504):
            raise TryAgainError(f"It answers {response.status_code} now: {_said(response)}")
        if response.status_code != httpx.codes.OK:
            raise BundleError(f"It answers {response.status_code}: {_said(response)}")
        if response.headers.get("x-maas-digest") != self._version.digest:
            raise BundleError("What answers there has another digest than is registered.")
        (self.cold if _STARTED.search(timing or "") else self.warm).append(spent)
        return response


def _said(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])[:PROBLEM_CHARACTERS]
    except (ValueError, KeyError, TypeError):
        return "not as maas does"


def _input(name: str, array: "Array") -> dict[str, Any]:
    datatype = datatype_of(array)
    said: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": datatype}
    if datatype != "BYTES":
        return {**said, "data": to_json(array)}
    coded = [base64.b64encode(element).decode() for element in array.ravel().tolist()]
    return {**said, "data": coded, "parameters": {"content_type": "base64"}}
