"""A rollout's surroundings: a registry with two versions, a clock that sleeping moves, figures.

registry = two_versions(tmp_path / "registry.sqlite")      # production is version 1
source = FakeSource([Seen(WELL, WELL)])                    # the last one is repeated
time = FakeTime()                                          # time.now, time.ticks, time.sleep
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from maas.errors import MaasError
from maas.registry.addresses import ByNumber
from maas.registry.records import Candidate, TensorSpec, Verification
from maas.registry.registry import Registry
from maas.registry.rollout_plans import Plan
from maas.registry.rollout_records import Gate
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store
from maas_lab.rollout.judge import Figures
from maas_lab.rollout.sources import Seen

MODEL = "sentiment"
HOLDER = "a1"
STEPS = (1, 10, 100)
GATE = Gate(interval=600.0, max_error_rate=0.01, max_p99_ratio=1.5, min_requests=100)
PLAN = Plan(STEPS, GATE, HOLDER)
WELL = Figures(1_000, 0, 40.0)
FAILS = Figures(1_000, 500, 40.0)
SLOW = Figures(1_000, 0, 400.0)
NONE = Figures(0, 0, None)


class FakeTime:
    """A clock that sleeping moves, and a test may set; and seconds that only sleeping counts."""

    def __init__(self) -> None:
        self.at = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.slept = 0.0
        self.on_sleep: Callable[[int], None] = lambda _: None
        self.sleeps = 0

    def now(self) -> datetime:
        return self.at

    def ticks(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.at += timedelta(seconds=seconds)
        self.slept += seconds
        self.sleeps += 1
        assert self.sleeps < 10_000, "it never ends"
        self.on_sleep(self.sleeps)


class FakeSource:
    """Figures one after the other; an error instead of figures is raised."""

    def __init__(self, *looks: Seen | MaasError) -> None:
        self.looks = list(looks)
        self.begun = 0

    def begin(self, now: datetime) -> None:
        del now
        self.begun += 1

    def read(self, now: datetime) -> Seen:
        del now
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, MaasError):
            raise look
        return look


def candidate(digit: str) -> Candidate:
    """A version on its way, whose digest is made of one digit."""
    spec = (TensorSpec("x", "float32", ("batch", 2)),)
    return Candidate(MODEL, f"sha256:{digit * 64}", "tensor", spec, spec, Verification(1, 0.0, 0.1))


def two_versions(
    where: Path | Store, clock: Callable[[], datetime] | None = None, *, actor: str = "ada"
) -> Registry:
    """Open a registry, in a file or a store; it gets versions 1 and 2, where production is 1."""
    store = SqliteStore(where) if isinstance(where, Path) else where
    registry = Registry(store, clock=clock or (lambda: datetime.now(UTC)), actor=actor)
    if not registry.models().records:  # else it has them
        registry.register(candidate("1"))
        registry.register(candidate("2"))
        registry.promote(MODEL, ByNumber(1))
    return registry


def shares(registry: Registry) -> dict[int, int]:
    """Production's weights by version."""
    return {route.version: route.weight for route in registry.alias(MODEL, "production").routes}
