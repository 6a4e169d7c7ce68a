"""The policy that belongs to a model's record. Pure; imports the records alone.

policy = next_policy(model, aliases={"production": routes}, digests={1: "sha256:…"})
routed(policy.aliases)     # {1}
"""

from collections.abc import Mapping

from maas.registry.records import POLICY_VERSIONS, ModelRecord, Policy, Route


def next_policy(
    model: ModelRecord, *, aliases: Mapping[str, tuple[Route, ...]], digests: Mapping[int, str]
) -> Policy:
    """The policy at the model's revision.

    Args:
        model: The model's record as it shall be.
        aliases: Routes by alias.
        digests: Full digest by version number; the routed versions are kept, then the newest, so
            that the cap never drops one that answers.
    """
    kept = routed(aliases)
    newest = sorted(digests.keys() - kept, reverse=True)
    kept.update(newest[: POLICY_VERSIONS - len(kept)])
    return Policy(
        model=model.name,
        revision=model.revision,
        aliases={name: aliases[name] for name in sorted(aliases)},
        digests={number: digests[number] for number in sorted(kept)},
    )


def routed(aliases: Mapping[str, tuple[Route, ...]]) -> set[int]:
    """The versions that an alias gives traffic to."""
    return {route.version for routes in aliases.values() for route in routes}
