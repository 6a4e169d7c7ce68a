"""What is written ends where a stop begins, however it came in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.tasks.stopping import Stopper

LETTERS = st.text("ab\n", max_size=12)
STOPS = st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3).map(tuple)


@given(st.lists(LETTERS, max_size=6), STOPS)
def test_pieces_are_cut_as_the_whole_would_be(pieces: list[str], stops: tuple[str, ...]) -> None:
    stopper = Stopper(stops)
    out: list[str] = []
    for count, piece in enumerate(pieces, 1):
        out.append(stopper.add(piece))
        # What was handed out may be wrong neither now nor later
        first = min((p for s in stops if (p := "".join(pieces).find(s)) >= 0), default=None)
        assert first is None or len("".join(out)) <= first
        # And nothing is held back that can be no stop
        if not stopper.ended:
            held = "".join(pieces[:count])[len("".join(out)) :]
            assert not held or any(stop.startswith(held) for stop in stops)
        if stopper.ended:
            break
    out.append(stopper.rest())
    whole = "".join(pieces[:count]) if pieces else ""
    places = [place for stop in stops if (place := whole.find(stop)) >= 0]
    assert stopper.ended == bool(places)
    assert "".join(out) == (whole[: min(places)] if places else whole)


@pytest.mark.parametrize(
    ("stops", "pieces", "out"),
    [
        ((), ("a", "b"), ["a", "b", ""]),
        (("END",), ("the E", "ND of"), ["the ", "", ""]),
        (("END",), ("the E", "N", "O"), ["the ", "", "ENO", ""]),
        (("b", "abc"), ("abc",), ["", ""]),
        (("b", "abc"), ("a", "b", "c"), ["", "a", "", ""]),  # the one that is whole first
        (("\n\n",), ("a\n", "b\n", "\nc"), ["a", "\nb", "", ""]),
    ],
)
def test_what_may_become_a_stop_is_held_back(
    stops: tuple[str, ...], pieces: tuple[str, ...], out: list[str]
) -> None:
    stopper = Stopper(stops)
    assert [*map(stopper.add, pieces), stopper.rest()] == out


def test_nothing_comes_after_a_stop() -> None:
    stopper = Stopper(("b",))
    assert [stopper.add("ab"), stopper.add("more"), stopper.rest()] == ["a", "", ""]
