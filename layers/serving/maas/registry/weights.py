"""Sharing an alias's traffic among versions, in whole hundredths of a percent.

Imports `maas.errors` and the records. Pure arithmetic:

    share((Route(1, 10_000),), version=2, weight=1_000)   # (Route(1, 9_000), Route(2, 1_000))
"""

from maas.errors import RefusedError
from maas.registry.records import ROUTES_MAX, WEIGHT_TOTAL, Route


def share(routes: tuple[Route, ...], *, version: int, weight: int) -> tuple[Route, ...]:
    """Give a version its weight and leave the rest to the others in proportion.

    Args:
        routes: The present routes; their weights sum to `WEIGHT_TOTAL`. Empty for a new alias.
        version: The version's number; a former route of its own is replaced.
        weight: Its share, 1 to `WEIGHT_TOTAL`, in hundredths of a percent.

    Returns:
        Routes ascending by version that sum to exactly `WEIGHT_TOTAL`. Each other version is within
        one unit of its exact share; one whose share becomes 0 is dropped.

    Raises:
        RefusedError: There is nobody to take the rest, or there would be too many routes.
    """
    if weight == WEIGHT_TOTAL:
        return (Route(version, WEIGHT_TOTAL),)
    others = tuple(route for route in routes if route.version != version)
    if not others:
        raise RefusedError(
            "No other version of this alias could take the rest of its traffic. "
            "Promote one version without a weight first."
        )
    shared = (*_divide(WEIGHT_TOTAL - weight, others), Route(version, weight))
    if len(shared) > ROUTES_MAX:
        raise RefusedError(
            f"An alias routes to {ROUTES_MAX} versions at the most. "
            "Promote one of them without a weight first."
        )
    return tuple(sorted(shared, key=lambda route: route.version))


def _divide(units: int, routes: tuple[Route, ...]) -> list[Route]:
    """Divide by largest remainder; of equal remainders the lower version's wins."""
    total = sum(route.weight for route in routes)
    shares = {route.version: units * route.weight // total for route in routes}
    left = units - sum(shares.values())
    by_remainder = sorted(routes, key=lambda r: (-(units * r.weight % total), r.version))
    for route in by_remainder[:left]:
        shares[route.version] += 1
    return [Route(version, weight) for version, weight in shares.items() if weight > 0]


def without(routes: tuple[Route, ...], *, version: int) -> tuple[Route, ...]:
    """Take a version's share and give it to the others in proportion; it is not the only one."""
    others = tuple(route for route in routes if route.version != version)
    if others == routes:
        return routes
    return tuple(sorted(_divide(WEIGHT_TOTAL, others), key=lambda route: route.version))
