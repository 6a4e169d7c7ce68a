"""`maas verify`: replay a version's golden requests, and write down what they showed.

Imports `maas` and httpx. The bundle that lies here is asked, every form of it; with a URL a
deployed function or server is asked too, pinned to the version, and must answer as the bundle does:

    change = verify_version(registry, settings.bundles, version, url="https://…/prod")
    change.record.verification.passed
"""

import base64
import statistics
import time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import numpy as np
from msgspec.structs import replace

from maas.bundle.golden import read_golden, tolerance_of
from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, FieldError, MaasError, RefusedError, TryAgainError
from maas.http.protocols.oip_data import datatype_of, from_json, to_json
from maas.http.protocols.oip_wire import InferAnswer
from maas.loading import load_version
from maas.registry.addresses import ByNumber
from maas.registry.records import Verification
from maas.tasks.tensor import as_array, difference
from maas.tasks.tensors import strings
from maas_lab.releasing import replay_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from maas.bundle.golden import Golden
    from maas.bundle.verify import Bundle
    from maas.loading import LoadedVersion
    from maas.registry.curator import VersionChange
    from maas.registry.records import VersionRecord
    from maas.registry.registry import Registry
    from maas.tasks.tensors import Array

_TIMEOUT_SECONDS = 30.0
_ROUNDS = 3
_PROBLEM_CHARACTERS = 200


def verify_version(
    registry: "Registry",
    bundles: "Path",
    version: "VersionRecord",
    *,
    url: str | None = None,
    api_key: str | None = None,
    tolerance: float | None = None,
    reason: str = "",
) -> "VersionChange":
    """Replay a version's golden requests and record the verdict, be it good or bad.

    Args:
        registry: Where the version is, and the verdict goes.
        bundles: Where its bundle lies.
        version: The version.
        url: Where a function or server answers for it; None asks the bundle alone.
        api_key: Sent there as `x-api-key`.
        tolerance: The largest difference of a number that is allowed; None: as at registration.
        reason: Why, for history.

    Raises:
        RefusedError: The bundle is not here, so that nothing can be replayed.
        TryAgainError: Nobody answers at the URL, or not now. Nothing was written.
        ConflictError: Somebody changed the model meanwhile; nothing was written.
    """
    folder = bundles / version.model / digest16(version.digest)
    if not folder.exists():
        raise RefusedError(
            f"The bundle of {version.model}@{version.number} is not here, so its golden requests "
            "are not. Bundle or import it again, or fetch it."
        )
    try:
        bundle = verify_bundle(folder, digest=version.digest)
        proof = _of_bundle(bundle, tolerance)
        if url is not None:
            with _Remote(url, version, api_key) as remote:
                proof = _of_function(bundle, remote, tolerance)
    except BundleError as error:
        where = version.verification.where if url is None else "function"
        proof = Verification(0, 0.0, 0.0, passed=False, problem=_line(error), where=where)
    at = registry.now()
    number = ByNumber(version.number)
    return registry.record_verification(version.model, number, replace(proof, at=at), reason=reason)


def _of_bundle(bundle: "Bundle", tolerance: float | None) -> Verification:
    proof = replay_bundle(bundle)
    began = time.perf_counter()
    loaded = load_version(bundle, threads=1, replays=1)
    opened = time.perf_counter() - began
    goldens = read_golden(bundle, bundle.manifest.form(loaded.form))
    proof = replace(proof, p50_ms=_p50(loaded, goldens), cold_start_seconds=opened)
    return _judged(proof, tolerance)


def _p50(loaded: "LoadedVersion", goldens: "tuple[Golden, ...]") -> float:
    seconds = []
    for golden in goldens * _ROUNDS:
        began = time.perf_counter()
        loaded.task.replay(golden, deadline=time.monotonic() + _TIMEOUT_SECONDS)
        seconds.append(time.perf_counter() - began)
    return 1_000 * statistics.median(seconds)


def _of_function(bundle: "Bundle", remote: "_Remote", tolerance: float | None) -> Verification:
    """Ask for each golden request what the bundle answers here in the function's own form."""
    began = time.perf_counter()
    first = remote.form()
    cold = time.perf_counter() - began
    loaded = load_version(bundle, form=first, threads=1, replays=1)
    form = bundle.manifest.form(first)
    goldens = read_golden(bundle, form)
    worst, seconds = 0.0, []
    for golden in goldens * _ROUNDS:
        feeds = _feeds(golden)
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        expected = loaded.task.tensors.infer(feeds, deadline=deadline).outputs
        began = time.perf_counter()
        answered = remote.infer(feeds)
        seconds.append(time.perf_counter() - began)
        worst = max(worst, _apart(expected, answered))
    proof = Verification(
        golden=len(goldens),
        max_difference=worst,
        seconds=sum(seconds),
        where="function",
        p50_ms=1_000 * statistics.median(seconds),
        cold_start_seconds=cold,
    )
    return _judged(proof, tolerance_of(form, goldens) if tolerance is None else tolerance)


def _judged(proof: Verification, tolerance: float | None) -> Verification:
    if tolerance is None or proof.max_difference <= tolerance:
        return proof
    problem = f"an answer differs by {proof.max_difference:.3g} (at most {tolerance:.3g})"
    return replace(proof, passed=False, problem=problem)


def _apart(expected: "Mapping[str, Array]", answered: "Mapping[str, Array]") -> float:
    if expected.keys() != answered.keys():
        raise BundleError("The function answers with other tensors than the bundle.")
    apart = max(difference(answered[name], array) for name, array in expected.items())
    if not np.isfinite(apart):
        raise BundleError("The function answers a golden request with what is no number.")
    return apart


def _feeds(golden: "Golden") -> "dict[str, Array]":
    """A golden request as tensors."""
    if golden.tensors:
        return {tensor.name: as_array(tensor) for tensor in golden.tensors}
    files = {"image": golden.images, "audio": golden.clips}
    for name, coded in files.items():
        if coded:
            return {name: strings([base64.b64decode(each) for each in coded], (len(coded),))}
    texts = {"text": golden.texts, "text_pair": golden.pairs}
    return {
        name: strings([each.encode() for each in said], (len(said),))
        for name, said in texts.items()
        if said
    }


class _Remote:
    """One version of a model behind a URL, asked by the Open Inference Protocol."""

    def __init__(self, url: str, version: "VersionRecord", api_key: str | None) -> None:
        self._version = version
        self._url = url.rstrip("/")
        headers = {"x-api-key": api_key} if api_key else {}
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, headers=headers)

    def __enter__(self) -> "_Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def form(self) -> str:
        """Which form of the version answers there."""
        response = self._ask("GET", f"/models/{self._version.model}/versions/{self._number}")
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
        try:
            response = self._client.request(method, self._url + path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise TryAgainError(
                "No function or server answers at this --url.", field="url"
            ) from None
        if response.status_code in (401, 403) and "x-maas-request-id" not in response.headers:
            raise FieldError("is missing or not allowed there", field="api-key")
        if response.status_code in (429, 503, 504):
            raise TryAgainError(f"It answers {response.status_code} now: {_said(response)}")
        if response.status_code != httpx.codes.OK:
            raise BundleError(f"It answers {response.status_code}: {_said(response)}")
        if response.headers.get("x-maas-digest") != self._version.digest:
            raise BundleError("What answers there has another digest than is registered.")
        return response


def _said(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])[:_PROBLEM_CHARACTERS]
    except (ValueError, KeyError, TypeError):
        return "not as maas does"


def _input(name: str, array: "Array") -> dict[str, Any]:
    datatype = datatype_of(array)
    said: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": datatype}
    if datatype != "BYTES":
        return {**said, "data": to_json(array)}
    coded = [base64.b64encode(element).decode() for element in array.ravel().tolist()]
    return {**said, "data": coded, "parameters": {"content_type": "base64"}}


def _line(error: MaasError) -> str:
    """An error as one line for the record."""
    return " ".join(error.described().split())[:_PROBLEM_CHARACTERS]
