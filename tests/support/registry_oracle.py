"""What a registry should say of a model, in plain variables: the oracle of its state machine.

oracle = Oracle()
oracle.route("production", {1: 10_000}); oracle.changed("production")
oracle.now("production"), oracle.in_use(1), oracle.running("production")
"""

from dataclasses import dataclass, field

from maas.registry.records import WEIGHT_TOTAL, Route, Shadow
from maas.registry.timeline import AliasState

Weights = dict[int, int]
ALIVE = frozenset({"registered", "verified"})


@dataclass
class Rolling:
    """The newest rollout to an alias.

    Attributes:
        version: What is rolled out.
        steps: Its shares in percent.
        baseline: What a stop restores.
        holder: Who drives it.
        step: Which of the shares it has.
        status: `running`, `finished`, `stopped`, or `overtaken` by somebody.
    """

    version: int
    steps: tuple[int, ...]
    baseline: Weights
    holder: str
    step: int = 0
    status: str = "running"

    @property
    def share(self) -> int:
        return self.steps[self.step] * WEIGHT_TOTAL // 100

    @property
    def needed(self) -> set[int]:
        """What it gives traffic to, or would when it is stopped."""
        return {self.version} | self.baseline.keys()


@dataclass
class Oracle:
    """One model.

    Attributes:
        digests: By number, as are statuses, verdicts of the last replays, and tags.
        retired: Who ever was retired, which is for good.
        aliases: All that each alias ever routed to, a revision each.
        before: What a rollback restores.
        shadows: Who sees some of an alias's requests too.
        rollouts: The newest rollout to each alias.
        past: What each alias became at which of the model's revisions.
        changes: The model's revision.
    """

    digests: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)
    tags: list[set[str]] = field(default_factory=list)
    retired: set[int] = field(default_factory=set)
    aliases: dict[str, list[Weights]] = field(default_factory=dict)
    before: dict[str, Weights | None] = field(default_factory=dict)
    shadows: dict[str, Shadow] = field(default_factory=dict)
    rollouts: dict[str, Rolling] = field(default_factory=dict)
    past: dict[str, list[tuple[int, AliasState]]] = field(default_factory=dict)
    changes: int = 0

    def status(self, number: int) -> str:
        return self.statuses[number - 1] if number <= len(self.statuses) else "absent"

    def alive(self, numbers: set[int]) -> bool:
        return all(self.status(number) in ALIVE for number in numbers)

    def mostly_alive(self) -> bool:
        """Whether there is something left to do; what is out of service does not come back."""
        lost = [status for status in self.statuses if status not in ALIVE]
        return 2 * len(lost) < len(self.statuses)

    def now(self, alias: str) -> Weights:
        return self.aliases.get(alias, [{}])[-1]

    def in_use(self, number: int) -> bool:
        shadowed = {shadow.version for shadow in self.shadows.values()}
        return number in shadowed or any(number in self.now(alias) for alias in self.aliases)

    def running(self, alias: str) -> Rolling | None:
        rolling = self.rollouts.get(alias)
        return rolling if rolling is not None and rolling.status == "running" else None

    def rolling(self) -> list[str]:
        """The aliases that a rollout is running to."""
        return [alias for alias in self.rollouts if self.running(alias)]

    def rolled(self) -> str:
        """An alias that a rollout is running to; where there is none, that of the last one."""
        return (self.rolling() or list(self.rollouts))[-1]

    def decides(self) -> bool:
        """Whether it is time for a person to decide, who mostly lets a rollout be."""
        return not self.rolling() or self.changes % 4 == 0

    def needed(self, number: int) -> bool:
        """Whether a running rollout needs a version."""
        return any(number in self.rollouts[alias].needed for alias in self.rolling())

    def last_of_an_alias(self, number: int) -> bool:
        """Whether nobody could answer some alias's requests instead of a version."""
        return any(self._is_last(alias, number) for alias in self.aliases)

    def _is_last(self, alias: str, number: int) -> bool:
        rolling = self.running(alias)
        if rolling is None:
            return self.now(alias).keys() == {number}
        return number != rolling.version and rolling.baseline.keys() - {rolling.version} == {number}

    def then(self, alias: str, revision: int) -> AliasState | None:
        states = [state for at, state in self.past.get(alias, ()) if at <= revision]
        return states[-1] if states and revision <= self.changes else None

    # ---- Changes ---------------------------------------------------------------------------------

    def register(self, digest: str) -> None:
        self.digests.append(digest)
        self.statuses.append("verified")
        self.passed.append(True)
        self.tags.append(set())
        self.changed()

    def route(self, alias: str, after: Weights) -> None:
        """An alias's next revision."""
        self.aliases.setdefault(alias, []).append(after)

    def decide(self, alias: str, after: Weights) -> None:
        """A person routes an alias, which ends a rollout to it."""
        self.before[alias] = self.now(alias) or None
        self.route(alias, after)
        if rolling := self.running(alias):
            rolling.status = "overtaken"
        self.changed(alias)

    def roll(self, alias: str, rolling: Rolling, after: Weights) -> None:
        """A rollout routes an alias."""
        self.rollouts[alias] = rolling
        self.before[alias] = rolling.baseline
        self.route(alias, after)
        self.changed(alias)

    def changed(self, *aliases: str) -> None:
        """The model's next revision, in which aliases were changed."""
        self.changes += 1
        for alias in aliases:
            state = AliasState(routes(self.now(alias)), self.shadows.get(alias))
            self.past.setdefault(alias, []).append((self.changes, state))


def routes(shares: Weights) -> tuple[Route, ...]:
    return tuple(Route(version, shares[version]) for version in sorted(shares))


def weights(shares: tuple[Route, ...]) -> Weights:
    return {route.version: route.weight for route in shares}


def without(shares: Weights, number: int) -> Weights:
    return {version: weight for version, weight in shares.items() if version != number}


def is_shared(after: Weights, fixed: Weights, others: Weights) -> bool:
    """Whether some versions have just their weights, and others the rest in proportion."""
    rest = WEIGHT_TOTAL - sum(fixed.values())
    total = sum(others.values())
    return (
        sum(after.values()) == WEIGHT_TOTAL
        and after.keys() <= fixed.keys() | others.keys()
        and all(after.get(version) == weight for version, weight in fixed.items())
        and all(abs(after.get(v, 0) - rest * w / total) < 1 for v, w in others.items())
    )
