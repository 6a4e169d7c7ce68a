"""What `maas package` wrote, read back and checked before it is built and deployed.

Imports `maas` and the lab.

    packaged = read_packaged(project)        # RefusedError where anything was changed since
    packaged.served[0].digests()             # digest by version number
    check_served(registry, "maas", packaged.served[0])     # RefusedError where one in use is absent
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import BundleError, RefusedError
from maas.registry.addresses import ByNumber
from maas.registry.deployments import require_used
from maas.registry.rollout_plans import running
from maas.served import ServedSet, read_served
from maas_lab.packing.layer_copies import is_current, is_ours, read_signatures, released
from maas_lab.packing.release_digest import SERVED_SETS, release_digest
from maas_lab.packing.required_key import required_by
from maas_lab.packing.samconfig import read_samconfig

if TYPE_CHECKING:
    from maas.bundle.ecdsa import PublicKey
    from maas.registry.reader import Reader
    from maas_lab.packing.project import Project


@dataclass(frozen=True, slots=True)
class PackagedSets:
    """What lies ready.

    Attributes:
        architecture: x86_64 or arm64.
        served: What each model's function will carry, in the order of the parameter Models.
        overrides: All parameters that the template is given.
    """

    architecture: str
    served: tuple[ServedSet, ...]
    overrides: dict[str, str]

    @property
    def digest(self) -> str:
        """The value of the parameter ServedSets."""
        return self.overrides[SERVED_SETS]


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer that lies ready: what it carries, and what the release's digest has of it."""

    served: ServedSet
    said: bytes


def read_packaged(project: "Project", *, environment: str = "default") -> PackagedSets:
    """Read the served sets that samconfig.toml names; every byte of them is hashed.

    Args:
        project: Where they lie.
        environment: The one of samconfig.toml that is deployed (`--config-env`).

    Raises:
        RefusedError: Nothing was packaged, or code, parameters or layers were changed since: SAM
            might then publish no new function version.
    """
    samconfig = read_samconfig(project.samconfig)
    overrides = samconfig.overrides("deploy", environment=environment)
    models = [name for name in overrides.get("Models", "").split(",") if name]
    if not models or SERVED_SETS not in overrides:
        raise RefusedError("Nothing was packaged; run: maas package")
    key = required_by(samconfig)
    layers = {model: _layer(project, model, key) for model in models}
    architecture = samconfig.architecture()
    digest = release_digest(
        project,
        served={name: layer.said for name, layer in layers.items()},
        overrides=overrides | {"Architecture": architecture},
    )
    if digest != overrides[SERVED_SETS]:
        raise RefusedError(
            "Code, layers or parameters were changed after maas package; run it again, so that new"
            " function versions are published."
        )
    return PackagedSets(architecture, tuple(layer.served for layer in layers.values()), overrides)


def check_served(reader: "Reader", stack: str, served: "ServedSet") -> None:
    """Refuse a served set that lacks a version in use, or holds what was not registered.

    Raises:
        ModelNotFoundError: The registry does not have the model.
        RefusedError: With the remedy.
    """
    carried = served.digests()
    rollouts = running(reader.aliases(served.model), reader.rollouts(served.model))
    require_used(reader.policy(served.model), tuple(rollouts.values()), stack, carried)
    for number, digest in carried.items():
        registered = reader.version(served.model, ByNumber(number)).digest
        if registered != digest:
            raise RefusedError(
                f"{served.model}@{number} is packaged with {digest} and registered with"
                f" {registered}. Run maas package."
            )


def _layer(project: "Project", model: str, key: "PublicKey | None") -> _Layer:
    folder = project.models / model
    try:
        served = read_served(folder) if is_ours(folder) else None
        signatures = {} if served is None else read_signatures(folder, served, key)
    except BundleError as error:
        raise RefusedError(f"layers/models/{model}: {error} Run: maas package") from error
    if served is None:
        raise RefusedError(f"layers/models/{model} is not there; run: maas package")
    if served.model != model or not is_current(folder, served, signatures):
        raise RefusedError(f"layers/models/{model} was changed; run: maas package")
    return _Layer(served, released(served, signatures))
