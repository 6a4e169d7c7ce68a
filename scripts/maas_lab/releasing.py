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
) -> "AliasChange":
    """Route an alias to a version that every live deployment carries.

    Where the model is deployed nowhere, `maas serve` is what answers: its bundle must lie here.

    Raises:
        RefusedError: The bundle is absent or damaged, so that the version could not answer; or a
            rule of the registry says no.
        ConflictError: Somebody else changed the model first.
    """
    version = registry.version(model, address)
    if not _is_deployed(registry, model):
        _require_whole(bundles, version)
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
) -> "AliasChange":
    """Restore what an alias routed to before, or at some time, if that can still answer.

    Raises:
        RefusedError: There is nothing to go back to, or its bundle is absent or damaged.
        ConflictError: Somebody else changed the model first.
    """
    if not _is_deployed(registry, model):
        previous = registry.alias(model, alias).previous or ()
        routes = previous if to is None else registry.alias_at(model, alias, to).state.routes
        for route in routes:
            _require_whole(bundles, registry.version(model, ByNumber(route.version)))
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
) -> "AliasChange":
    """Let a version see a sample of an alias's requests, if it can answer where they are.

    Raises:
        FieldError: The sample is out of range.
        RefusedError: The bundle is absent or damaged; or a rule of the registry says no.
        ConflictError: Somebody else changed the model first.
    """
    version = registry.version(model, address)
    if not _is_deployed(registry, model):
        _require_whole(bundles, version)
    number = ByNumber(version.number)  # not the address: an alias may move meanwhile
    return registry.shadow(model, number, sample=sample, alias=alias, reason=reason)


def _is_deployed(registry: "Registry", model: str) -> bool:
    """Whether the registry itself knows who carries what; its rules then refuse what is absent."""
    return any(deployment.status != "removed" for deployment in registry.deployments(model))


def _require_whole(bundles: Path, version: "VersionRecord") -> None:
    try:
        verify_bundle(bundles / version.model / digest16(version.digest), digest=version.digest)
    except BundleError as error:
        run = version.lineage.get("run")
        again = f"maas bundle {run}" if run else "maas import, of the same file"
        raise RefusedError(
            f"Version {version.number} could not answer: {error} Make its bundle again with"
            f" {again}."
        ) from error
