"""What people say of models and versions: tags and descriptions. Pure, as `rules` is.

Imports `maas.errors`, the records and `changes`:

    change = tag(current, version, add=["good"], remove=["slow"], stamp=stamp)
    change = describe_version(current, version, "longer texts", stamp=stamp)
    change = describe_model(current, "Reviews, good or bad", stamp=stamp)

Each answers with the records to write, or with the record as it is where nothing would change.
"""

from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry.changes import (
    TEXT_CHARACTERS,
    Current,
    NewDescription,
    NewState,
    Stamp,
    new_event,
)
from maas.registry.policies import next_policy
from maas.registry.records import TAGS_MAX, ModelRecord, Tag, VersionRecord
from maas.registry.states import changed


def parse_tag(text: str) -> str:
    """Check a tag.

    Raises:
        FieldError: It is not 1 to 32 of a-z, 0-9, dot, _ and -, a letter or digit first.
    """
    try:
        return msgspec.convert(text, Tag)
    except msgspec.ValidationError:
        message = "must be 1 to 32 of a-z, 0-9, dot, _ and -, a letter or digit first"
        raise FieldError(message, field="tag") from None


def tag(
    current: Current,
    version: VersionRecord,
    *,
    add: Collection[str],
    remove: Collection[str],
    stamp: Stamp,
) -> NewState | VersionRecord:
    """Add tags to a version and take others away.

    Raises:
        FieldError: A tag is malformed, or both added and taken away.
        RefusedError: There would be too many.
    """
    added, removed = set(map(parse_tag, add)), set(map(parse_tag, remove))
    if both := sorted(added & removed):
        raise FieldError(f"{both[0]} is both added and taken away", field="tag")
    tags = tuple(sorted(added.union(version.tags) - removed))
    if len(tags) > TAGS_MAX:
        raise RefusedError(f"A version has {TAGS_MAX} tags at the most; take another one away.")
    if tags == version.tags:
        return version
    before: dict[str, object] = {"tags": list(version.tags)}
    after: dict[str, object] = {"tags": list(tags)}
    record = replace(version, tags=tags)
    return changed(current, version, record, action="tag", before=before, after=after, stamp=stamp)


def describe_version(
    current: Current, version: VersionRecord, text: str, *, stamp: Stamp
) -> NewState | VersionRecord:
    """Say in one line what a version is.

    Raises:
        FieldError: The text is too long or would not print.
    """
    if _checked(text) == version.description:
        return version
    before: dict[str, object] = {"description": version.description}
    after: dict[str, object] = {"description": text}
    record = replace(version, description=text)
    return changed(
        current, version, record, action="describe", before=before, after=after, stamp=stamp
    )


def describe_model(current: Current, text: str, *, stamp: Stamp) -> NewDescription | ModelRecord:
    """Say in one line what a model is.

    Raises:
        FieldError: The text is too long or would not print.
    """
    if _checked(text) == current.model.description:
        return current.model
    model = replace(current.model, description=text, revision=current.model.revision + 1)
    before: dict[str, object] = {"description": current.model.description}
    after: dict[str, object] = {"description": text}
    event = new_event(model, "describe", model.name, before=before, after=after, stamp=stamp)
    return NewDescription(model, next_policy(model, current.policy), event)


def _checked(text: str) -> str:
    if len(text) > TEXT_CHARACTERS or not text.isprintable():
        message = f"must be {TEXT_CHARACTERS} printable characters at the most, one line"
        raise FieldError(message, field="description")
    return text
