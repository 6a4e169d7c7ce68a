"""Routes of an alias, as the rules make them: for tests that try many.

@given(shared())
def test_something(routes: tuple[Route, ...]) -> None: ...
"""

from itertools import pairwise

from hypothesis import strategies as st

from maas.registry.records import ROUTES_MAX, WEIGHT_TOTAL, Route


@st.composite
def shared(draw: st.DrawFn) -> tuple[Route, ...]:
    """Routes of an alias: ascending versions, positive weights, exact sum."""
    count = draw(st.integers(1, ROUTES_MAX - 1))
    versions = draw(
        st.lists(st.integers(1, 99), min_size=count, max_size=count, unique=True).map(sorted)
    )
    cuts = draw(
        st.lists(
            st.integers(1, WEIGHT_TOTAL - 1), min_size=count - 1, max_size=count - 1, unique=True
        ).map(sorted)
    )
    edges = [0, *cuts, WEIGHT_TOTAL]
    weights = [high - low for low, high in pairwise(edges)]
    return tuple(Route(v, w) for v, w in zip(versions, weights, strict=True))
