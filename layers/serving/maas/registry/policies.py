"""The policy that belongs to a model's record. Pure; imports the records alone.

policy = next_policy(model, replace(before, aliases={"production": routes}))
in_use(policy)     # {1}
users(policy, 1)   # "production"
"""

from collections.abc import Mapping

from maas.registry.records import BLOCKED_MAX, POLICY_VERSIONS, ModelRecord, Policy, Route


def next_policy(model: ModelRecord, wanted: Policy) -> Policy:
    """The policy at the model's revision: in order, and within its bounds.

    Args:
        model: The model's record as it shall be.
        wanted: What the policy shall say, of whichever revision. Of its digests those in use are
            kept, those of blocked versions, then the newest, so that the cap never drops one that
            answers. Blocked versions beyond the newest `BLOCKED_MAX` are not listed at all, so
            that they are as little served as one that nobody knows.
    """
    blocked = sorted(wanted.blocked)
    named, unnamed = blocked[-BLOCKED_MAX:], blocked[:-BLOCKED_MAX]
    kept = in_use(wanted).union(named)
    newest = sorted(wanted.digests.keys() - kept - set(unnamed), reverse=True)
    kept.update(newest[: POLICY_VERSIONS - len(kept)])
    return Policy(
        model=model.name,
        revision=model.revision,
        aliases={name: wanted.aliases[name] for name in sorted(wanted.aliases)},
        digests={number: wanted.digests[number] for number in sorted(kept)},
        shadows={name: wanted.shadows[name] for name in sorted(wanted.shadows)},
        blocked=tuple(named),
    )


def routed(aliases: Mapping[str, tuple[Route, ...]]) -> set[int]:
    """The versions that an alias gives traffic to."""
    return {route.version for routes in aliases.values() for route in routes}


def in_use(policy: Policy) -> set[int]:
    """The versions that an alias gives traffic to, or a copy of some."""
    shadows = {shadow.version for shadow in policy.shadows.values()}
    return routed(policy.aliases) | shadows


def users(policy: Policy, number: int) -> str:
    """The aliases that a version is in use by, for people; empty where it is in none."""
    routing = [
        name
        for name, routes in policy.aliases.items()
        if any(route.version == number for route in routes)
    ]
    shadowing = [
        f"{name} as its shadow"
        for name, shadow in policy.shadows.items()
        if shadow.version == number
    ]
    return ", ".join(routing + shadowing)
