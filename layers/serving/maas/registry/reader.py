"""Reading the registry: models, versions, aliases, history, policies.

Imports `maas.errors`, `maas.limits` and the rooms beside it. All that a read-only service needs:

    reader = Reader(store)
    reader.version("sentiment", parse_address("production")).digest
    page = reader.history("sentiment", limit=20)
    page = reader.history("sentiment", limit=20, after=page.records[-1].revision)  # if page.more
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from msgspec import Struct

from maas.errors import (
    AmbiguousDigestError,
    FieldError,
    ModelNotFoundError,
    RefusedError,
    VersionNotServedError,
)
from maas.limits import LIMITS
from maas.registry import layout
from maas.registry.addresses import (
    ByAlias,
    ByDigest,
    ByNumber,
    VersionAddress,
    parse_alias,
    parse_model,
)
from maas.registry.deployment_records import DEPLOYMENTS_MAX, DeploymentRecord
from maas.registry.event_records import EventRecord
from maas.registry.records import (
    ALIASES_MAX,
    VERSIONS_MAX,
    AliasRecord,
    DigestRecord,
    ModelRecord,
    Policy,
    VersionRecord,
)
from maas.registry.rollout_records import RolloutRecord
from maas.registry.store import Key, Page, Store

RecordT = TypeVar("RecordT", bound=Struct)


@dataclass(frozen=True, slots=True)
class Listing(Generic[RecordT]):
    """Some records in order, and whether more follow the last of them."""

    records: tuple[RecordT, ...]
    more: bool


class Reader:
    """The registry's reading half. Safe to share among threads.

    Every method raises `FieldError` for a malformed name, `RegistryUnavailableError` where the
    store does not answer, and `SettingsError` where it holds what this release cannot read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def models(self, *, limit: int = 100, after: str | None = None) -> Listing[ModelRecord]:
        """The models by name, from behind the name `after`. May lag behind a registration."""
        start = layout.model_key(parse_model(after)) if after is not None else None
        page = self._store.list_index(layout.MODELS, limit=_limit(limit), after=start)
        return _listing(page, ModelRecord)

    def model(self, model: str) -> ModelRecord:
        """One model.

        Raises:
            ModelNotFoundError: No version was ever registered under this name.
        """
        record = self._one(layout.model_key(parse_model(model)), ModelRecord)
        if record is None:
            raise no_model(model)
        return record

    def policy(self, model: str) -> Policy:
        """All that a function needs to choose a version, in one read.

        Raises:
            ModelNotFoundError: No version was ever registered under this name.
        """
        record = self._one(layout.policy_key(parse_model(model)), Policy)
        if record is None:
            raise no_model(model)
        return record

    def versions(
        self, model: str, *, limit: int = 100, after: int | None = None
    ) -> Listing[VersionRecord]:
        """The versions, newest first, from behind the number `after`.

        Raises:
            ModelNotFoundError: No version was ever registered under this name.
        """
        start = layout.version_key(model, _after(after)) if after is not None else None
        return self._newest(model, VersionRecord, layout.VERSION_PREFIX, limit, start)

    def history(
        self, model: str, *, limit: int = 100, after: int | None = None
    ) -> Listing[EventRecord]:
        """The changes, newest first, from behind the model's revision `after`.

        Raises:
            ModelNotFoundError: No version was ever registered under this name.
        """
        start = layout.event_key(model, _after(after)) if after is not None else None
        return self._newest(model, EventRecord, layout.EVENT_PREFIX, limit, start)

    def aliases(self, model: str) -> tuple[AliasRecord, ...]:
        """The aliases by name; none before the first promote.

        Raises:
            ModelNotFoundError: No version was ever registered under this name.
        """
        self.model(model)
        page = self._store.query(layout.partition(model), layout.ALIAS_PREFIX, limit=ALIASES_MAX)
        return _listing(page, AliasRecord).records

    def deployments(self, model: str) -> tuple[DeploymentRecord, ...]:
        """Where the model is or was deployed to, by target; all of them, however many are gone.

        Raises:
            ModelNotFoundError: No version was ever registered under this name.
        """
        pk = layout.partition(parse_model(model))
        records: tuple[DeploymentRecord, ...] = ()
        more, after = True, None
        while more:
            prefix = layout.DEPLOYMENT_PREFIX
            page = self._store.query(pk, prefix, limit=DEPLOYMENTS_MAX, after=after)
            records += _listing(page, DeploymentRecord).records
            more, after = bool(page.more and page.items), page.items[-1].key if page.items else None
        if not records:
            self.model(model)
        return records

    def rollouts(self, model: str) -> tuple[RolloutRecord, ...]:
        """The newest rollout to each alias that ever had one, be it over or not."""
        pk = layout.partition(parse_model(model))
        page = self._store.query(pk, layout.ROLLOUT_PREFIX, limit=ALIASES_MAX)
        return _listing(page, RolloutRecord).records

    def alias(self, model: str, name: str) -> AliasRecord:
        """One alias.

        Raises:
            ModelNotFoundError: No version was ever registered under this name.
            VersionNotServedError: The model has no such alias.
        """
        key = layout.alias_key(parse_model(model), parse_alias(name))
        record = self._one(key, AliasRecord)
        if record is None:
            self.model(model)
            raise no_alias(model, name)
        return record

    def version(self, model: str, address: VersionAddress) -> VersionRecord:
        """One version.

        Args:
            model: The model's name.
            address: Its number, an alias that routes to it alone, or (the start of) its digest.

        Raises:
            ModelNotFoundError: No version was ever registered under this name.
            VersionNotServedError: The model has no such version, alias or digest.
            AmbiguousDigestError: The start of a digest fits several versions.
            RefusedError: The alias routes to several versions.
        """
        number = self._number(model, address)
        record = self._one(layout.version_key(model, number), VersionRecord)
        if record is None:
            raise _no_version(self.model(model), str(number))
        return record

    def _number(self, model: str, address: VersionAddress) -> int:
        parse_model(model)
        match address:
            case ByNumber(number):
                return number
            case ByAlias(name):
                return self._number_by_alias(model, name)
            case ByDigest(prefix):
                return self._number_by_digest(model, prefix)

    def _number_by_alias(self, model: str, name: str) -> int:
        routes = self.alias(model, name).routes
        if len(routes) > 1:
            numbers = ", ".join(str(route.version) for route in routes)
            raise RefusedError(
                f"{name} of {model} shares its traffic among versions {numbers}. "
                "Name one of them by number.",
                field="version",
            )
        return routes[0].version

    def _number_by_digest(self, model: str, prefix: str) -> int:
        key = layout.digest_key(model, prefix)
        page = self._store.query(key.pk, key.sk, limit=2)
        if len(page.items) > 1:
            raise AmbiguousDigestError(
                f"Several versions of {model} have a digest that starts like this. "
                "Give more of its digits.",
                field="version",
            )
        if not page.items:
            raise _no_version(self.model(model), prefix)
        return _listing(page, DigestRecord).records[0].number

    def _one(self, key: Key, kind: type[RecordT]) -> RecordT | None:
        (item,) = self._store.read([key])
        return layout.record_of(item, kind) if item else None

    def _newest(
        self, model: str, kind: type[RecordT], prefix: str, limit: int, after: Key | None
    ) -> Listing[RecordT]:
        pk = layout.partition(parse_model(model))
        page = self._store.query(pk, prefix, limit=_limit(limit), newest_first=True, after=after)
        if not page.items:
            self.model(model)
        return _listing(page, kind)


def _limit(limit: int) -> int:
    if not 1 <= limit <= LIMITS.page_records:
        raise FieldError(f"must be 1 to {LIMITS.page_records}", field="limit")
    return limit


def _after(number: int) -> int:
    if not 1 <= number <= VERSIONS_MAX:
        raise FieldError(f"must be 1 to {VERSIONS_MAX}", field="after")
    return number


def _listing(page: Page, kind: type[RecordT]) -> Listing[RecordT]:
    return Listing(tuple(layout.record_of(item, kind) for item in page.items), page.more)


def no_model(model: str) -> ModelNotFoundError:
    """The error for a model that nobody registered."""
    return ModelNotFoundError(f"There is no model {model}. Register a bundle of it first.")


def no_alias(model: str, name: str) -> VersionNotServedError:
    """The error for an alias that nobody promoted a version to."""
    return VersionNotServedError(
        f"{model} has no alias {name}. Promote a version to it first.", field="version"
    )


def _no_version(model: ModelRecord, what: str) -> VersionNotServedError:
    return VersionNotServedError(
        f"{model.name} has no version {what}; its newest is {model.last_version}. "
        "Register its bundle first.",
        field="version",
    )
