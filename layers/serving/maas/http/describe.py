"""What `GET /models/{model}` tells: the version that answers, and how the model is routed.

Imports nothing at run time; it is handed what it tells.

    body = encode_json(describe(service.model, turn, service.policy()))
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maas.registry.records import Policy
    from maas.service import Turn


def describe(model: str, turn: "Turn", policy: "Policy") -> dict[str, object]:
    """Put together a model's metadata.

    Args:
        model: The model's name.
        turn: The version that answers.
        policy: Which versions and aliases there are, with weights in hundredths of a percent.

    Returns:
        What JSON can hold; weights in percent.
    """
    manifest = turn.loaded.bundle.manifest
    aliases = {
        alias: [{"version": route.version, "weight": route.weight / 100} for route in routes]
        for alias, routes in policy.aliases.items()
    }
    return {
        "name": model,
        "task": manifest.task,
        "version": turn.version,
        "digest": turn.digest,
        "form": turn.loaded.form,
        "labels": manifest.labels,
        "max_tokens": manifest.limits.max_tokens,
        "metrics": manifest.metrics,
        "aliases": aliases,
        "versions": sorted(policy.digests),
    }
