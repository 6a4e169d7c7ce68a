"""Bundle → registry: register after a replay, promote only what answers.

Imports `maas` and the lab.

    outcome = register_bundle(registry, folder)       # replays the golden requests of every form
    change = promote(registry, settings.bundles, "sentiment", ByNumber(2), weight=10)
"""

from pathlib import Path
from typing import TYPE_CHECKING

from maas.bundle.manifest import digest16
from maas.bundle.signature import require_signature
from maas.bundle.verify import Bundle, verify_bundle
from maas.errors import BundleError, ModelError, RefusedError
from maas.loading import load_version
from maas.registry.addresses import ByNumber
from maas.registry.records import DEFAULT_ALIAS, Candidate, Verification

if TYPE_CHECKING:
    from maas.bundle.ecdsa import PublicKey
    from maas.registry.addresses import VersionAddress
    from maas.registry.curator import AliasChange
    from maas.registry.historian import Moment
    from maas.registry.records import VersionRecord
    from maas.registry.registry import Registered, Registry


def register_bundle(
    registry: "Registry", folder: Path, *, key: "PublicKey | None" = None
) -> "Registered":
    """Verify a bundle, look into it, replay its golden requests in every form, and store it.

    Args:
        registry: Where to.
        folder: The bundle.
        key: Whose owner must have signed it; None where nobody must.

    Raises:
        BundleError: The bundle is not acceptable or does not answer as it should, or it is not
            signed; nothing was written.
    """
    bundle = verify_bundle(folder)
    if (folder.parent.name, folder.name) != (bundle.manifest.name, digest16(bundle.digest)):
        raise BundleError(
            f"The bundle must lie in <bundles>/{bundle.manifest.name}/{digest16(bundle.digest)}/,"
            " where serving looks for it."
        )
    if key is not None:
        require_signature(bundle, key)
    verification = replay_bundle(bundle)
    manifest = bundle.manifest
    return registry.register(
        Candidate(
            model=manifest.name,
            digest=bundle.digest,
            task=manifest.task,
            inputs=manifest.inputs,
            outputs=manifest.outputs,
            verification=verification,
            labels=manifest.labels,
            metrics=manifest.metrics,
            lineage=manifest.lineage,
        )
    )


def replay_bundle(bundle: Bundle) -> Verification:
    """Replay the golden requests in every form of a verified bundle.

    Raises:
        BundleError: A form does not load, or an answer is outside the tolerance.
    """
    try:
        replays = [
            load_version(bundle, form=form.name, threads=1).replay for form in bundle.manifest.forms
        ]
    except ModelError as error:
        raise BundleError(f"The bundle cannot be loaded: {error}") from error
    return Verification(
        golden=sum(replay.requests for replay in replays),
        max_difference=max(replay.max_difference for replay in replays),
        seconds=sum(replay.seconds for replay in replays),
    )


def promote(
    registry: "Registry",
    bundles: Path,
    model: str,
    address: "VersionAddress",
    *,
    alias: str = DEFAULT_ALIAS,
    weight: int = 100,
    reason: str = "",
    force: bool = False,
    key: "PublicKey | None" = None,
) -> "AliasChange":
    """Route an alias to a version that every live deployment carries.

    Where the model is deployed nowhere, `maas serve` is what answers: its bundle must lie here, and
    be signed where a key requires it.

    Raises:
        RefusedError: The bundle is absent, damaged or not signed, so that the version could not
            answer; or a rule of the registry says no.
        ConflictError: Somebody else changed the model first.
    """
    version = registry.version(model, address)
    require_answerable(registry, bundles, version, key)
    number = ByNumber(version.number)  # not the address: an alias may move meanwhile
    return registry.promote(model, number, alias=alias, weight=weight, reason=reason, force=force)


def roll_back(
    registry: "Registry",
    bundles: Path,
    model: str,
    *,
    alias: str = DEFAULT_ALIAS,
    to: "Moment | None" = None,
    reason: str = "",
    dry_run: bool = False,
    key: "PublicKey | None" = None,
) -> "AliasChange":
    """Restore what an alias routed to before, or at some time, if that can still answer.

    Raises:
        RefusedError: There is nothing to go back to, or its bundle is absent, damaged or not
            signed.
        ConflictError: Somebody else changed the model first.
    """
    previous = registry.alias(model, alias).previous or ()
    routes = previous if to is None else registry.alias_at(model, alias, to).state.routes
    for route in routes:
        version = registry.version(model, ByNumber(route.version))
        require_answerable(registry, bundles, version, key)
    return registry.rollback(model, alias=alias, to=to, reason=reason, dry_run=dry_run)


def shadow(
    registry: "Registry",
    bundles: Path,
    model: str,
    address: "VersionAddress",
    *,
    sample: int,
    alias: str = DEFAULT_ALIAS,
    reason: str = "",
    key: "PublicKey | None" = None,
) -> "AliasChange":
    """Let a version see a sample of an alias's requests, if it can answer where they are.

    Raises:
        FieldError: The sample is out of range.
        RefusedError: The bundle is absent, damaged or not signed; or a rule of the registry says
            no.
        ConflictError: Somebody else changed the model first.
    """
    version = registry.version(model, address)
    require_answerable(registry, bundles, version, key)
    number = ByNumber(version.number)  # not the address: an alias may move meanwhile
    return registry.shadow(model, number, sample=sample, alias=alias, reason=reason)


def require_answerable(
    registry: "Registry", bundles: Path, version: "VersionRecord", key: "PublicKey | None" = None
) -> None:
    """Refuse a version that could not answer where `maas serve` is what answers.

    Where the model is deployed, the registry itself knows who carries what, and its rules refuse
    what is absent.

    Raises:
        RefusedError: Its bundle is absent, damaged, or not signed where a key requires it.
    """
    deployments = registry.deployments(version.model)
    if all(deployment.status == "removed" for deployment in deployments):
        _require_whole(bundles, version, key)


def _require_whole(bundles: Path, version: "VersionRecord", key: "PublicKey | None") -> None:
    folder = bundles / version.model / digest16(version.digest)
    try:
        bundle = verify_bundle(folder, digest=version.digest)
    except BundleError as error:
        run = version.lineage.get("run")
        again = f"maas bundle {run}" if run else "maas import, of the same file"
        raise RefusedError(
            f"Version {version.number} could not answer: {error} Make its bundle again with"
            f" {again}."
        ) from error
    if key is not None:
        try:
            require_signature(bundle, key)
        except BundleError as error:
            raise RefusedError(
                f"Version {version.number} would not be served: {error} Sign it with maas sign."
            ) from error
