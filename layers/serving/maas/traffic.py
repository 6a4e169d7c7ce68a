"""Which version answers: pure functions over a policy.

May import `maas.errors` and `maas.registry`'s records and addresses.

    number = choose_version(policy, None, draw=rng)                          # by weight
    number = choose_version(policy, None, draw=rng, caller="key-1")          # and always the same
    number = choose_version(policy, parse_address("sha256:…"), draw=rng)     # pinned
    other = shadow_of(policy, None, number, draw=rng)                        # who sees it too

A caller that says who it is keeps its version: of an alias's routes the one with the highest score
answers it, a hash of caller and version that is scaled by the weight (weighted rendezvous hashing).
Over all callers the shares are the weights; where one version's weight grows, callers move to it
and between no others.
"""

import hashlib
import math
from typing import TYPE_CHECKING

from msgspec.structs import replace

from maas.errors import (
    AmbiguousDigestError,
    NotReadyError,
    VersionBlockedError,
    VersionNotServedError,
)
from maas.registry.addresses import ByAlias, ByDigest, ByNumber, VersionAddress
from maas.registry.records import DEFAULT_ALIAS, WEIGHT_TOTAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.registry.records import Policy, Route

_BITS = 52
"""Of a hash: the middle between two numbers of so many bits is still exact."""


def choose_version(
    policy: "Policy",
    address: VersionAddress | None,
    *,
    draw: "Callable[[], float]",
    caller: str | None = None,
    carries: "Callable[[str], bool]" = lambda _: True,
) -> int:
    """Choose the version that answers a request.

    Args:
        policy: What the registry says.
        address: What the caller asked for; None asks for the default alias.
        draw: Random numbers, 0 ≤ n < 1; one decides between weighted routes for a caller that does
            not say who it is.
        caller: Who asks, in words that stay the same; None where it does not say.
        carries: Whether the version of a digest is here. Of an alias's routes those that are not
            are left out, and the others keep their proportions; with none at all they all stay.

    Raises:
        VersionNotServedError: The policy has no such number, alias or digest.
        VersionBlockedError: The version that was pinned must answer nobody.
        AmbiguousDigestError: A digest prefix fits several versions.
        NotReadyError: Nothing was asked for, and nothing is promoted yet.
    """
    match address:
        case None:
            if DEFAULT_ALIAS not in policy.aliases:
                raise NotReadyError(f"No version of {policy.model} is promoted yet.")
            name = DEFAULT_ALIAS
        case ByAlias(name=name):
            if name not in policy.aliases:
                raise VersionNotServedError(
                    f"{policy.model} has no alias of this name.", field="version"
                )
        case ByNumber(number=number):
            return _only(policy, [number] if number in policy.digests else [])
        case ByDigest(prefix=prefix):
            return _only(policy, [n for n, d in policy.digests.items() if d.startswith(prefix)])
    routes = policy.aliases[name]
    if len(routes) > 1:
        routes = tuple(r for r in routes if carries(policy.digests[r.version])) or routes
    if len(routes) == 1:
        return routes[0].version
    if caller is None:
        return _drawn(routes, draw())
    salt = f"{policy.model}/{name}"
    return max(routes, key=lambda route: _score(route, salt, caller)).version


def shadow_of(
    policy: "Policy",
    address: VersionAddress | None,
    version: int,
    *,
    draw: "Callable[[], float]",
) -> int | None:
    """The version that sees a request too, and answers nobody; None where none does.

    Args:
        policy: What the registry says.
        address: What the caller asked for. Who pins a version is compared with nothing.
        version: Who answers the request.
        draw: Random numbers, 0 ≤ n < 1; one decides whether the request is in the sample.
    """
    if isinstance(address, (ByNumber, ByDigest)):
        return None
    shadow = policy.shadows.get(DEFAULT_ALIAS if address is None else address.name)
    if shadow is None or shadow.version == version:
        return None
    return shadow.version if draw() * WEIGHT_TOTAL < shadow.sample else None


def followable(
    policy: "Policy", before: "Policy | None", *, carries: "Callable[[str], bool]"
) -> "Policy":
    """The policy as it can be followed here: an alias that leads nowhere keeps its former routes.

    Args:
        policy: What the registry says.
        before: What was followed so far.
        carries: Whether the version of a digest is here.

    Returns:
        The same policy where every alias leads somewhere, or nothing better is known.
    """
    lost = {
        name
        for name, routes in policy.aliases.items()
        if not any(carries(policy.digests[route.version]) for route in routes)
    }
    former = {
        name: kept
        for name in lost
        if before is not None and (kept := _carried(before, name, policy.blocked, carries))
    }
    if before is None or not former:
        return policy
    digests = {r.version: before.digests[r.version] for kept in former.values() for r in kept}
    return replace(policy, aliases=policy.aliases | former, digests=digests | policy.digests)


def _carried(
    before: "Policy", name: str, blocked: tuple[int, ...], carries: "Callable[[str], bool]"
) -> "tuple[Route, ...]":
    """An alias's former routes that are here, and may answer still."""
    return tuple(
        route
        for route in before.aliases.get(name, ())
        if route.version not in blocked and carries(before.digests[route.version])
    )


def _drawn(routes: "tuple[Route, ...]", draw: float) -> int:
    mark = draw * sum(route.weight for route in routes)
    for route in routes:
        mark -= route.weight
        if mark < 0:
            return route.version
    return routes[-1].version  # rounding at the very end of the range


def _score(route: "Route", salt: str, caller: str) -> float:
    """−w / ln u, for a number u between 0 and 1 that caller and version make: the highest wins."""
    # No name has a space, so that no two of these are the same text.
    told = f"{salt} {route.version} {caller}".encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big")
    return -route.weight / math.log(((number >> (64 - _BITS)) + 0.5) / 2**_BITS)


def _only(policy: "Policy", numbers: list[int]) -> int:
    if not numbers:
        raise VersionNotServedError(
            f"This version of {policy.model} is not served here.", field="version"
        )
    if len(numbers) > 1:
        raise AmbiguousDigestError(
            "This digest prefix fits several versions; give more of it.", field="version"
        )
    if numbers[0] in policy.blocked:
        raise blocked_error(policy.model)
    return numbers[0]


def blocked_error(model: str) -> VersionBlockedError:
    """The error for a pin of a version that must answer nobody."""
    return VersionBlockedError(
        f"This version of {model} is blocked: it answers nobody. Ask for another, or for none.",
        field="version",
    )
