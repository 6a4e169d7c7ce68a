"""What `GET /models/{model}` tells: the version that answers, and how the model is routed.

Imports msgspec and the registry's records at run time; it is handed what it tells.

    body = encode_json(describe(service.model, turn, service.policy()))
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from maas.registry.records import AliasName, Digest, ModelName, VersionNumber

if TYPE_CHECKING:
    from maas.registry.records import Policy
    from maas.service import Turn


class Share(Struct, frozen=True):
    """One version's share of an alias.

    Attributes:
        version: The version's number.
        weight: Its share in percent.
    """

    version: VersionNumber
    weight: float


class ModelDescription(Struct, frozen=True):
    """A model as its function serves it.

    Attributes:
        name: The model's name.
        task: What it does, such as `text-classification`.
        version: The version that answers.
        digest: That version's digest.
        form: Which form of it is loaded, such as `portable`.
        labels: A classifier's labels in the order of its outputs.
        max_tokens: Tokens of one text; what is longer is cut.
        metrics: Figures of the test split, by name.
        aliases: Who answers, by alias.
        versions: The numbers that can be asked for, ascending.
    """

    name: ModelName
    task: str
    version: VersionNumber
    digest: Digest
    form: str
    labels: tuple[str, ...]
    max_tokens: int
    metrics: dict[str, float]
    aliases: dict[AliasName, tuple[Share, ...]]
    versions: tuple[VersionNumber, ...]


def describe(model: str, turn: "Turn", policy: "Policy") -> ModelDescription:
    """Put together a model's metadata.

    Args:
        model: The model's name.
        turn: The version that answers.
        policy: Which versions and aliases there are, with weights in hundredths of a percent.
    """
    manifest = turn.loaded.bundle.manifest
    return ModelDescription(
        name=model,
        task=manifest.task,
        version=turn.version,
        digest=turn.digest,
        form=turn.loaded.form,
        labels=manifest.labels,
        max_tokens=manifest.limits.max_tokens,
        metrics=manifest.metrics,
        aliases={
            alias: tuple(Share(route.version, route.weight / 100) for route in routes)
            for alias, routes in policy.aliases.items()
        },
        versions=tuple(sorted(policy.digests)),
    )
