"""What the registry stores of models, versions and aliases: structs that refuse the unknown.

Imports msgspec alone. `encode` and `decode` go between a struct and the JSON-able dict that a store
keeps; a struct made in code is checked only there, so decode what you did not make yourself:

    policy = Policy("sentiment", 4, {"production": (Route(1, WEIGHT_TOTAL),)}, {1: "sha256:…"})
    decode(encode(policy), Policy) == policy
"""

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

DEFAULT_ALIAS = "production"
"""The alias that answers where a caller names no version."""
WEIGHT_TOTAL = 10_000
"""Sum of an alias's weights: a weight of 1 is a hundredth of a percent."""
VERSIONS_MAX = 99_999_999
"""The largest version number: eight digits in a key."""
ALIASES_MAX = 16
"""Aliases of one model."""
ROUTES_MAX = 8
"""Versions that share one alias."""
POLICY_VERSIONS = 256
"""Digests in a policy: the routed versions, the shadows, the blocked, then the newest (86 bytes
each)."""
BLOCKED_MAX = 64
"""Blocked versions that a policy names, the newest of them; the others it does not list at all."""
POLICY_BYTES = 32_768
"""Bytes of an encoded policy; the four limits above keep every policy below it."""
TAGS_MAX = 16
"""Tags of one version."""

# `$` alone would let a last line feed pass.
ModelName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,31}$(?!\n)")]
AliasName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$(?!\n)")]
Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$(?!\n)")]
VersionNumber = Annotated[int, Meta(ge=1, le=VERSIONS_MAX)]
Revision = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Tag = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$(?!\n)")]
RecordT = TypeVar("RecordT", bound=Struct)


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """One version's share of an alias.

    Attributes:
        version: The version's number.
        weight: Its share in hundredths of a percent; an alias's weights sum to `WEIGHT_TOTAL`.
    """

    version: VersionNumber
    weight: Annotated[int, Meta(ge=1, le=WEIGHT_TOTAL)]


class Shadow(Struct, frozen=True, forbid_unknown_fields=True):
    """A version that sees some of an alias's requests and answers none of them.

    Attributes:
        version: The version's number.
        sample: How many of the requests, in hundredths of a percent.
    """

    version: VersionNumber
    sample: Annotated[int, Meta(ge=1, le=WEIGHT_TOTAL)]


class ModelRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """A model by name (`META`).

    Attributes:
        name: The model's name.
        task: What it does, such as `text-classification`; the same for all of its versions.
        last_version: The newest version's number.
        revision: Counts every change of anything of the model, so that history has no gaps.
        created_at: When its first version was registered (ISO 8601, UTC).
        description: One line for people.
        schema: The layout of all records of the model.
    """

    name: ModelName
    task: str
    last_version: VersionNumber
    revision: Revision
    created_at: str
    description: str = ""
    schema: Literal[1] = 1


class TensorSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One input or output of the graph.

    Attributes:
        name: The tensor's name in the graph.
        dtype: Its element type, such as `int64` or `float32`.
        shape: Its dimensions; a name stands for one that varies, such as `batch`.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


class Verification(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the last replay of a version's golden requests showed.

    Attributes:
        golden: Golden requests that were replayed.
        max_difference: The largest absolute difference of a number from the recorded one.
        seconds: How long the replay took.
        passed: Whether it answered as it should.
        problem: Why not, in one line.
        where: What answered: the bundle itself, or a deployed function.
        p50_ms: Half of the golden requests took no longer, but for cold starts (milliseconds), or
            None.
        cold_start_seconds: Until the first answer: of the bundle, from opening it on, or of a
            function whose process had to start for it. None where no start was seen.
        at: When (ISO 8601, UTC); empty for the replay at registration.
    """

    golden: Count
    max_difference: float
    seconds: float
    passed: bool = True
    problem: str = ""
    where: Literal["bundle", "function"] = "bundle"
    p50_ms: float | None = None
    cold_start_seconds: float | None = None
    at: str = ""


class Candidate(Struct, frozen=True, forbid_unknown_fields=True):
    """A verified bundle on its way to become a version; fields as in `VersionRecord`."""

    model: ModelName
    digest: Digest
    task: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    verification: Verification
    labels: tuple[str, ...] = ()
    metrics: dict[str, float] = {}
    lineage: dict[str, str] = {}
    description: str = ""


class VersionRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One version of a model (`VERSION#00000007`); its bundle never changes.

    Attributes:
        model: The model's name.
        number: 1, 2, 3 … in order of registration.
        status: Where it is in its life; only a verified version is given traffic.
        digest: `sha256:` and 64 hex digits of the bundle's canonical manifest.
        task: The model's task.
        inputs: What the graph reads.
        outputs: What the graph answers.
        labels: A classifier's labels in the order of its outputs.
        metrics: Figures of the test split, by name.
        lineage: Where it comes from: recipe, commit, data digest, job.
        verification: The last replay of its golden requests.
        registered_at: When (ISO 8601, UTC).
        registered_by: Who.
        description: One line for people.
        tags: Words to find it by, ascending.
        revision: The record's own count of changes: 1, 2, 3 …
    """

    model: ModelName
    number: VersionNumber
    status: Literal["registered", "verified", "retired", "blocked"]
    digest: Digest
    task: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...]
    metrics: dict[str, float]
    lineage: dict[str, str]
    verification: Verification
    registered_at: str
    registered_by: str
    description: str = ""
    tags: Annotated[tuple[Tag, ...], Meta(max_length=TAGS_MAX)] = ()
    revision: Revision = 1


class DigestRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Which version has a digest (`DIGEST#<64 hex>`): one digest is one version for ever."""

    number: VersionNumber


class AliasRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A name that routes to one version or shares its traffic among several (`ALIAS#production`).

    Attributes:
        model: The model's name.
        name: The alias.
        routes: Who answers, ascending by version; the weights sum to `WEIGHT_TOTAL`.
        previous: What a rollback restores: the routes before the last promote, rollback or rollout;
            None at first.
        revision: The alias's own count of changes: 1, 2, 3 …
        at: When this revision was made (ISO 8601, UTC).
        by: Who made it.
        reason: Why, in the words of who made it.
        shadow: Who sees some of its requests too, or None.
    """

    model: ModelName
    name: AliasName
    routes: tuple[Route, ...]
    previous: tuple[Route, ...] | None
    revision: Revision
    at: str
    by: str
    reason: str
    shadow: Shadow | None = None


class Policy(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that a function needs to choose a version, in one read (`POLICY`).

    What has its default is not written, so that functions of an older release go on reading the
    policies of models that do without it.

    Attributes:
        model: The model's name.
        revision: The model's revision at which this was written.
        aliases: Routes by alias.
        digests: Full digest by version number, for the versions named here and the newest
            (`POLICY_VERSIONS` in all).
        shadows: Who sees some of an alias's requests too, by alias.
        blocked: Versions that answer nobody, ascending; `BLOCKED_MAX` at the most.
    """

    model: ModelName
    revision: Revision
    aliases: dict[AliasName, tuple[Route, ...]]
    digests: dict[VersionNumber, Digest]
    shadows: dict[AliasName, Shadow] = {}
    blocked: tuple[VersionNumber, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The versions that can be asked for by number, ascending."""
        return tuple(sorted(self.digests.keys() - set(self.blocked)))


def encode(record: Struct) -> dict[str, object]:
    """The record as a JSON-able dict (keys of maps become text)."""
    body: dict[str, object] = msgspec.to_builtins(record, str_keys=True)
    return body


def decode(body: dict[str, object], kind: type[RecordT]) -> RecordT:
    """The record of a JSON-able dict.

    Raises:
        msgspec.ValidationError: A field is missing, unknown or not acceptable.
    """
    return msgspec.convert(body, kind, str_keys=True)
