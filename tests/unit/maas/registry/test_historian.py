"""What an alias was at some time, and back to it; on each store."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.registries import STORES, opener

from maas.errors import FieldError, ModelNotFoundError, RefusedError, VersionNotServedError
from maas.limits import LIMITS
from maas.registry.addresses import ByNumber
from maas.registry.historian import AtRevision, AtTime, parse_moment
from maas.registry.records import VERSIONS_MAX, Candidate, Route
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore

BEGAN = datetime(2030, 1, 1, tzinfo=UTC)
ONE, TWO, THREE = ((Route(number, 10_000),) for number in (1, 2, 3))


@pytest.fixture(params=STORES)
def registry(
    request: pytest.FixtureRequest,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    candidate: Callable[..., Candidate],
) -> Iterator[Registry]:
    """One change an hour from 01:00: versions 1, 2, 3; production at 1, 2, 3; canary at 2."""
    now = BEGAN

    def clock() -> datetime:
        nonlocal now
        now += timedelta(hours=1)
        return now

    with opener(request.param, file, monkeypatch, clock=clock)() as registry:
        for seed in (1, 2, 3):
            registry.register(candidate(seed))
        for number in (1, 2, 3):
            registry.promote("sentiment", ByNumber(number), reason=f"to {number}")
        registry.promote("sentiment", ByNumber(2), alias="canary")
        yield registry


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("5", AtRevision(5)),
        ("2030-01-01", AtTime("2030-01-01T00:00:00.000Z")),
        ("2030-01-01T05:30", AtTime("2030-01-01T05:30:00.000Z")),
        ("2030-01-01T05:30:15.5Z", AtTime("2030-01-01T05:30:15.500Z")),
        ("2030-01-01T05:30+02:00", AtTime("2030-01-01T03:30:00.000Z")),
    ],
)
def test_a_moment_is_a_revision_or_a_time(text: str, moment: object) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "0", "-1", "yesterday", "2030-13-01", "٣", "9" * 400])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match="revision"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("moment", "routes", "reason"),
    [
        ("4", ONE, "to 1"),
        ("2030-01-01T04:59", ONE, "to 1"),
        ("2030-01-01T05:00", TWO, "to 2"),
        ("5", TWO, "to 2"),
        ("6", THREE, "to 3"),
        ("7", THREE, "to 3"),
        ("2040-01-01", THREE, "to 3"),
    ],
)
def test_an_alias_as_it_was(
    registry: Registry, moment: str, routes: tuple[Route, ...], reason: str
) -> None:
    then = registry.alias_at("sentiment", "production", parse_moment(moment))
    assert (then.state.routes, then.event.reason) == (routes, reason)


@pytest.mark.parametrize("moment", ["3", "2030-01-01T03:59", "1999-01-01"])
def test_before_its_first_promote_an_alias_was_not(registry: Registry, moment: str) -> None:
    with pytest.raises(VersionNotServedError, match="had no alias production"):
        registry.alias_at("sentiment", "production", parse_moment(moment))
    with pytest.raises(ModelNotFoundError):
        registry.alias_at("nobody", "production", parse_moment(moment))


@pytest.mark.parametrize("revision", [8, 999, VERSIONS_MAX - 1, VERSIONS_MAX])
def test_a_revision_that_never_was_is_refused(registry: Registry, revision: int) -> None:
    asked: tuple[Callable[[], object], ...] = (
        lambda: registry.alias_at("sentiment", "production", AtRevision(revision)),
        lambda: registry.aliases_at("sentiment", AtRevision(revision)),
        lambda: registry.rollback("sentiment", to=AtRevision(revision)),
    )
    for ask in asked:
        with pytest.raises(
            VersionNotServedError, match=f"sentiment has no revision {revision}; its newest is 7"
        ) as refused:
            ask()
        assert refused.value.field == "revision"
    assert registry.model("sentiment").revision == 7


def test_all_aliases_as_they_were(registry: Registry) -> None:
    then = registry.aliases_at("sentiment", parse_moment("6"))
    assert {one.name: one.state.routes for one in then} == {"production": THREE}
    now = registry.aliases_at("sentiment", parse_moment("7"))
    assert {one.name: one.state.routes for one in now} == {"canary": TWO, "production": THREE}


def test_a_block_is_part_of_what_an_alias_was(registry: Registry) -> None:
    registry.promote("sentiment", ByNumber(1), weight=50)
    registry.block("sentiment", ByNumber(1))
    assert registry.alias_at("sentiment", "production", AtRevision(8)).state.routes == (
        Route(1, 5_000),
        Route(3, 5_000),
    )
    assert registry.alias_at("sentiment", "production", AtRevision(9)).state.routes == THREE


def test_back_to_what_was_at_a_time(registry: Registry) -> None:
    # A dry run says it, and writes nothing
    dry = registry.rollback("sentiment", to=parse_moment("2030-01-01T04:10"), dry_run=True)
    assert (dry.record.routes, dry.changed) == (ONE, True)
    assert registry.alias("sentiment", "production").routes == THREE
    assert registry.model("sentiment").revision == 7
    # Then it is done, as a change of its own
    done = registry.rollback("sentiment", to=parse_moment("2030-01-01T04:10"), reason="as it was")
    assert (done.record.routes, done.record.previous) == (ONE, THREE)
    (event,) = registry.history("sentiment", limit=1).records
    assert (event.action, event.reason, event.revision) == ("rollback", "as it was", 8)
    # And a second time there is nothing to do
    assert not registry.rollback("sentiment", to=AtRevision(4)).changed
    # Without a moment it is back again
    assert registry.rollback("sentiment").record.routes == THREE


def test_not_back_to_what_may_have_no_traffic(registry: Registry) -> None:
    registry.retire("sentiment", ByNumber(1))
    for dry_run in (True, False):
        with pytest.raises(RefusedError, match="sentiment@1 is retired"):
            registry.rollback("sentiment", to=AtRevision(4), dry_run=dry_run)
    with pytest.raises(VersionNotServedError, match="had no alias"):
        registry.rollback("sentiment", to=AtRevision(3))


def test_time_travel_walks_pages(file: Path, candidate: Callable[..., Candidate]) -> None:
    # Given more changes than a page has since an alias was changed
    with Registry(SqliteStore(file), clock=lambda: BEGAN, actor="ada") as registry:
        registry.register(candidate(1))
        registry.promote("sentiment", ByNumber(1))
        for number in range(LIMITS.page_records + 5):
            registry.describe_model("sentiment", f"text {number}")
        then = registry.alias_at("sentiment", "production", parse_moment("2040-01-01"))
        assert then.event.revision == 2
