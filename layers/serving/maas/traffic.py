"""Which version answers: pure functions over a policy.

May import `maas.errors` and `maas.registry`'s records and addresses.

    number = choose_version(policy, None, draw=rng())                      # by weight
    number = choose_version(policy, parse_address("sha256:…"), draw=0.0)   # pinned
"""

from typing import TYPE_CHECKING

from maas.errors import AmbiguousDigestError, NotReadyError, VersionNotServedError
from maas.registry.addresses import ByAlias, ByDigest, ByNumber, VersionAddress
from maas.registry.records import DEFAULT_ALIAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.registry.records import Policy


def choose_version(
    policy: "Policy",
    address: VersionAddress | None,
    *,
    draw: float,
    carries: "Callable[[str], bool]" = lambda _: True,
) -> int:
    """Choose the version that answers a request.

    Args:
        policy: What the registry says.
        address: What the caller asked for; None asks for the default alias.
        draw: A random number, 0 ≤ draw < 1, that decides between weighted routes.
        carries: Whether the version of a digest is here. Of an alias's routes those that are not
            are left out, and the others keep their proportions; with none at all they all stay.

    Raises:
        VersionNotServedError: The policy has no such number, alias or digest.
        AmbiguousDigestError: A digest prefix fits several versions.
        NotReadyError: Nothing was asked for, and nothing is promoted yet.
    """
    match address:
        case None:
            if DEFAULT_ALIAS not in policy.aliases:
                raise NotReadyError(f"No version of {policy.model} is promoted yet.")
            return _weighted(policy, DEFAULT_ALIAS, draw, carries)
        case ByAlias(name=name):
            if name not in policy.aliases:
                raise VersionNotServedError(
                    f"{policy.model} has no alias of this name.", field="version"
                )
            return _weighted(policy, name, draw, carries)
        case ByNumber(number=number):
            return _only(policy, [number] if number in policy.digests else [])
        case ByDigest(prefix=prefix):
            return _only(policy, [n for n, d in policy.digests.items() if d.startswith(prefix)])


def _weighted(policy: "Policy", alias: str, draw: float, carries: "Callable[[str], bool]") -> int:
    routes = policy.aliases[alias]
    if len(routes) > 1:
        routes = tuple(r for r in routes if carries(policy.digests[r.version])) or routes
    mark = draw * sum(route.weight for route in routes)
    for route in routes:
        mark -= route.weight
        if mark < 0:
            return route.version
    return routes[-1].version  # rounding at the very end of the range


def _only(policy: "Policy", numbers: list[int]) -> int:
    if not numbers:
        raise VersionNotServedError(
            f"This version of {policy.model} is not served here.", field="version"
        )
    if len(numbers) > 1:
        raise AmbiguousDigestError(
            "This digest prefix fits several versions; give more of it.", field="version"
        )
    return numbers[0]
