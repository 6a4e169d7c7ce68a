"""Which versions a function shall carry, chosen from one consistent view of the registry.

Imports `maas` and `registry_pages`; reads the registry, touches no file.

    chosen = choose_served(registry, "sentiment", parse_wishes(candidates=["sentiment@5"]))
    chosen.versions[0].reason            # "production"

A set holds every version that an alias routes to or shadows, what a running rollout would go back
to, what each alias routed to before, so that a rollback finds it there, and candidates: the newest
verified version and those named.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from maas.errors import ConflictError, FieldError, RefusedError
from maas.registry.addresses import ByNumber, VersionAddress, parse_model, parse_reference
from maas.registry.rollout_plans import baselines, running
from maas_lab.registry.pages import versions_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.registry.reader import Reader
    from maas.registry.records import AliasRecord, Policy, Route, VersionRecord

POLICY_TRIES = 4
"""Views of a model that is being changed meanwhile, before packaging gives up."""
# What changes routes or digests; a deployment raises the model's revision and changes neither.
_POLICY_ACTIONS = frozenset(
    ("register", "promote", "rollback", "rollout", "shadow", "block", "unblock")
)
_LEAVABLE = ("newest", "previous")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller of `maas package` asked for.

    Attributes:
        models: The models; all that have a version when empty.
        candidates: Versions to carry besides, by model.
        without: `newest` and `previous` name what is left out although it would be carried.
        form: A form that is preferred to the one for the architecture, or None.
    """

    models: tuple[str, ...] = ()
    candidates: tuple[tuple[str, VersionAddress], ...] = ()
    without: frozenset[str] = frozenset()
    form: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A version of a served set.

    Attributes:
        record: The version.
        routed: The aliases that route to it, shadow it, or go back to it if their rollout stops.
        previous: The aliases that a rollback would route to it.
        candidate: `named`, `newest`, or empty where it is no candidate.
    """

    record: "VersionRecord"
    routed: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    candidate: str = ""

    @property
    def roles(self) -> frozenset[str]:
        """Why it is carried: some of routed, previous and candidate."""
        said = {"routed": self.routed, "previous": self.previous, "candidate": self.candidate}
        return frozenset(role for role, why in said.items() if why)

    @property
    def needed(self) -> bool:
        """Whether packaging must not go on without its bundle: somebody relies on it."""
        return bool(self.routed or self.previous or self.candidate == "named")

    @property
    def reason(self) -> str:
        """Why it is carried, for people."""
        words = [*self.routed, *(f"before in {alias}" for alias in self.previous)]
        return ", ".join(words) or f"{self.candidate} candidate"


@dataclass(frozen=True, slots=True)
class ChosenSet:
    """The versions of one model, and the policy at the moment when they were chosen.

    Attributes:
        model: The model's name.
        policy: What is baked, with the revision at which it last said something new.
        versions: Ascending by number.
        left_out: Why a version that belongs here is not, one sentence each.
    """

    model: str
    policy: "Policy"
    versions: tuple[Chosen, ...]
    left_out: tuple[str, ...] = ()


def parse_wishes(
    models: "Sequence[str] | None" = None,
    *,
    candidates: "Sequence[str] | None" = None,
    without: "Sequence[str] | None" = None,
    form: str | None = None,
) -> Wishes:
    """Read what a command line asks for.

    Raises:
        FieldError: A name or reference is malformed, or a candidate is of no model that is named.
    """
    names = tuple(dict.fromkeys(parse_model(name) for name in models or ()))
    wanted = []
    for text in candidates or ():
        model, address = parse_reference(text)
        if address is None:
            raise FieldError(f"say which version, such as {model}@5", field="candidate")
        if names and model not in names:
            raise FieldError(f"{model} is not among the models to package", field="candidate")
        wanted.append((model, address))
    if unknown := sorted(set(without or ()) - set(_LEAVABLE)):
        raise FieldError(f"{unknown[0]} is neither newest nor previous", field="without")
    return Wishes(names, tuple(wanted), frozenset(without or ()), form)


def choose_served(registry: "Reader", model: str, wishes: Wishes) -> ChosenSet:
    """Choose the versions that a model's function shall carry.

    Raises:
        ModelNotFoundError: The registry has no such model.
        RefusedError: A named candidate is not verified, or nothing would be carried.
        ConflictError: Others keep changing the model.
    """
    for _ in range(POLICY_TRIES):
        policy = registry.policy(model)
        chosen = _choose(registry, settle(registry, policy), wishes)
        if registry.policy(model) == policy:
            return chosen
    raise ConflictError(f"Others keep changing {model}; nothing was written. Run it again.")


def settle(registry: "Reader", policy: "Policy") -> "Policy":
    """The policy as it was first written with what it says.

    Every deployment raises a policy's revision. Baked as it is, each `maas deploy` would make the
    next one publish every function anew.
    """
    after: int | None = None
    more = True
    while more:
        page = registry.history(policy.model, after=after)
        for event in page.records:
            if event.action in _POLICY_ACTIONS and event.revision <= policy.revision:
                return replace(policy, revision=event.revision)
        more = page.more
        after = page.records[-1].revision if page.records else None
    return policy


def _choose(registry: "Reader", policy: "Policy", wishes: Wishes) -> ChosenSet:
    model = policy.model
    aliases = registry.aliases(model)
    routed = _by_version(policy.aliases)
    for alias, shadow in policy.shadows.items():
        routed.setdefault(shadow.version, []).append(f"shadow of {alias}")
    rollouts = running(aliases, registry.rollouts(model)).values()
    for number, waiting in baselines(rollouts).items():
        if number not in routed:
            routed[number] = [f"baseline of {alias}'s rollout" for alias in waiting]
    previous = {} if "previous" in wishes.without else _by_version(_previous(aliases))
    named = {
        registry.version(model, address).number
        for name, address in wishes.candidates
        if name == model
    }
    newest = None if "newest" in wishes.without else _newest_verified(registry, model)
    chosen, left_out = [], []
    for number in sorted({*routed, *previous, *named, *([newest] if newest else [])}):
        record = registry.version(model, ByNumber(number))
        candidate = "named" if number in named else "newest" if number == newest else ""
        made = Chosen(
            record, tuple(routed.get(number, ())), tuple(previous.get(number, ())), candidate
        )
        if made.routed or record.status == "verified":
            chosen.append(made)
        elif number in named:
            raise RefusedError(
                f"{model}@{number} is {record.status}; only a verified version can be a candidate.",
                field="candidate",
            )
        else:
            left_out.append(
                f"{model}@{number}, {made.reason}, is {record.status}; no rollback will reach it."
            )
    if not chosen:
        raise RefusedError(
            f"Nothing of {model} would be carried: nothing is promoted and there is no candidate."
            f" Promote a version, or name one: --candidate {model}@1"
        )
    return ChosenSet(model, policy, tuple(chosen), tuple(left_out))


def _by_version(routes_by_alias: "Mapping[str, tuple[Route, ...]]") -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for alias, routes in sorted(routes_by_alias.items()):
        for route in routes:
            found.setdefault(route.version, []).append(alias)
    return found


def _previous(aliases: "Sequence[AliasRecord]") -> "dict[str, tuple[Route, ...]]":
    return {alias.name: alias.previous for alias in aliases if alias.previous}


def _newest_verified(registry: "Reader", model: str) -> int | None:
    return next(
        (record.number for record in versions_of(registry, model) if record.status == "verified"),
        None,
    )
