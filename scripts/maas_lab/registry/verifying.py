"""`maas verify`: replay a version's golden requests, and write down what they showed.

Imports `maas` and the lab. The bundle that lies here is asked, every form of it; with a URL a
deployed function or server is asked too, pinned to the version, and must answer as the bundle does:

    change = verify_version(registry, settings.bundles, version, url="https://…/prod")
    change.record.verification.passed
"""

import base64
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from maas.bundle.golden import read_golden, tolerance_of
from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, MaasError, RefusedError
from maas.loading import load_version
from maas.registry.addresses import ByNumber
from maas.registry.records import Verification
from maas.tasks.tensor import as_array, difference
from maas.tasks.tensors import strings
from maas_lab.registry.remote import PROBLEM_CHARACTERS, TIMEOUT_SECONDS, Remote
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

_ROUNDS = 3


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
            with Remote(url, version, api_key) as remote:
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
        loaded.task.replay(golden, deadline=time.monotonic() + TIMEOUT_SECONDS)
        seconds.append(time.perf_counter() - began)
    return 1_000 * statistics.median(seconds)


def _of_function(bundle: "Bundle", remote: "Remote", tolerance: float | None) -> Verification:
    """Ask for each golden request what the bundle answers here in the function's own form."""
    form = bundle.manifest.form(remote.form())
    loaded = load_version(bundle, form=form.name, threads=1, replays=1)
    goldens = read_golden(bundle, form)
    worst = 0.0
    for golden in goldens * _ROUNDS:
        feeds = _feeds(golden)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        expected = loaded.task.tensors.infer(feeds, deadline=deadline).outputs
        worst = max(worst, _apart(expected, remote.infer(feeds)))
    proof = Verification(
        golden=len(goldens),
        max_difference=worst,
        seconds=sum(remote.warm) + sum(remote.cold),
        where="function",
        p50_ms=1_000 * statistics.median(remote.warm) if remote.warm else None,
        cold_start_seconds=max(remote.cold, default=None),
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


def _line(error: MaasError) -> str:
    """An error as one line for the record."""
    return " ".join(error.described().split())[:PROBLEM_CHARACTERS]
