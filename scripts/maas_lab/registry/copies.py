"""One model's records as they were at one moment, out of any store.

Imports `maas`. A model's META counts every change of anything of it, so records that were read
between two equal METAs belong together:

    copy = copy_model(store, "sentiment")
    [record.number for record in copy.records(VersionRecord)]     # [1, 2, 3]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct

from maas.errors import ConflictError, ModelNotFoundError, SettingsError
from maas.registry import layout
from maas.registry.deployment_records import DeploymentRecord
from maas.registry.event_records import EventRecord
from maas.registry.records import AliasRecord, DigestRecord, ModelRecord, Policy, VersionRecord
from maas.registry.rollout_records import RolloutRecord
from maas.registry.store import Item, Store

TRIES = 20
"""Somebody else's change between the first and the last read costs one."""
_PAGE = 500
_SINGLE: dict[str, type[Struct]] = {"META": ModelRecord, "POLICY": Policy}
_MANY: dict[str, type[Struct]] = {
    layout.ALIAS_PREFIX: AliasRecord,
    layout.DEPLOYMENT_PREFIX: DeploymentRecord,
    "DIGEST#": DigestRecord,
    layout.EVENT_PREFIX: EventRecord,
    layout.ROLLOUT_PREFIX: RolloutRecord,
    layout.VERSION_PREFIX: VersionRecord,
}

RecordT = TypeVar("RecordT", bound=Struct)


@dataclass(frozen=True, slots=True)
class ModelCopy:
    """A model's items.

    Attributes:
        name: The model's name.
        items: All of them, in order of sk.
    """

    name: str
    items: tuple[Item, ...]

    def records(self, kind: type[RecordT]) -> list[RecordT]:
        """The records of one kind, in order of sk.

        Raises:
            SettingsError: One of them was not written by this release or an older one.
        """
        return [layout.record_of(item, kind) for item in self.items if kind_of(item) is kind]


def kind_of(item: Item) -> type[Struct]:
    """What an item holds, by its place.

    Raises:
        SettingsError: Nothing that this release knows.
    """
    sk = item.key.sk
    kind = _SINGLE.get(sk) or _MANY.get(sk[: sk.find("#") + 1])
    if kind is None:
        raise SettingsError(
            f"The registry's record {item.key.pk} {sk} is of a kind that this release of maas "
            "does not know. Upgrade maas."
        )
    return kind


def copy_model(store: Store, model: str) -> ModelCopy:
    """Read a model as it is at one moment.

    Raises:
        ModelNotFoundError: The store has no such model.
        ConflictError: It was changed again and again while it was read.
    """
    key = layout.model_key(model)
    for _ in range(TRIES):
        (before,) = store.read([key])
        if before is None:
            raise ModelNotFoundError(f"There is no model {model}.")
        items = items_of(store, model)
        (after,) = store.read([key])
        if after == before:
            return ModelCopy(model, items)
    raise ConflictError(f"{model} was changed all the while it was read. Try again.")


def items_of(store: Store, model: str) -> tuple[Item, ...]:
    """Everything in a model's partition, in order of sk; what is read late may be newer."""
    single = store.read([layout.model_key(model), layout.policy_key(model)])
    many = [item for prefix in _MANY for item in _section(store, model, prefix)]
    return tuple(sorted([*filter(None, single), *many], key=lambda item: item.key))


def model_names(store: Store) -> Iterator[str]:
    """The models of a store, by name."""
    after = None
    more = True
    while more:
        page = store.list_index(layout.MODELS, limit=_PAGE, after=after)
        for item in page.items:
            yield layout.record_of(item, ModelRecord).name
            after = item.key
        more = page.more


def _section(store: Store, model: str, prefix: str) -> Iterator[Item]:
    after = None
    more = True
    while more:
        page = store.query(layout.partition(model), prefix, limit=_PAGE, after=after)
        yield from page.items
        more, after = page.more, page.items[-1].key if page.items else None
