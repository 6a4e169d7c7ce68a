"""What a registration changes in the registry. Pure, as `rules` is.

Imports `maas.errors`, the records, `changes` and `policies`:

    change = register(current, candidate, stamp)     # current is None for a model's first version
    change.version.number                            # one more than the newest
"""

import math

import msgspec
from msgspec.structs import replace

from maas.errors import FieldError, RefusedError
from maas.registry.changes import Current, NewVersion, Stamp, new_event
from maas.registry.policies import next_policy
from maas.registry.records import (
    VERSIONS_MAX,
    Candidate,
    ModelRecord,
    Policy,
    VersionRecord,
    decode,
    encode,
)


def register(current: Current | None, candidate: Candidate, stamp: Stamp) -> NewVersion:
    """Give a verified bundle the next version number. The digest must be new to the model.

    Raises:
        FieldError: The candidate is malformed.
        RefusedError: The model does another task.
    """
    candidate = _checked(candidate)
    model = _model_with_one_more(current, candidate, stamp)
    number = model.last_version
    version = VersionRecord(
        model=model.name,
        number=number,
        status="verified",
        digest=candidate.digest,
        task=candidate.task,
        inputs=candidate.inputs,
        outputs=candidate.outputs,
        labels=candidate.labels,
        metrics=candidate.metrics,
        lineage=candidate.lineage,
        verification=candidate.verification,
        registered_at=stamp.at,
        registered_by=stamp.by,
    )
    before = current.policy if current else Policy(model.name, model.revision, {}, {})
    digests = before.digests | {number: version.digest}
    after: dict[str, object] = {"digest": version.digest, "status": version.status}
    return NewVersion(
        model=model,
        policy=next_policy(model, replace(before, digests=digests)),
        event=new_event(model, "register", str(number), before=None, after=after, stamp=stamp),
        version=version,
    )


def _checked(candidate: Candidate) -> Candidate:
    """A struct made in code was not checked when it was made."""
    try:
        candidate = decode(encode(candidate), Candidate)
    except msgspec.ValidationError as error:
        raise FieldError(f"The candidate is malformed: {error}.", field="candidate") from error
    proof = candidate.verification
    for figure in (*candidate.metrics.values(), proof.max_difference, proof.seconds):
        if not math.isfinite(figure):
            raise FieldError("A figure of the candidate is not finite.", field="candidate")
    return candidate


def _model_with_one_more(
    current: Current | None, candidate: Candidate, stamp: Stamp
) -> ModelRecord:
    if current is None:
        return ModelRecord(
            name=candidate.model,
            task=candidate.task,
            last_version=1,
            revision=1,
            created_at=stamp.at,
            description=candidate.description,
        )
    model = current.model
    if model.task != candidate.task:
        raise RefusedError(
            f"{model.name} does {model.task}, the bundle {candidate.task}. "
            "Register it under another name."
        )
    if model.last_version >= VERSIONS_MAX:
        raise RefusedError(f"{model.name} has no version numbers left. Use another name.")
    return replace(
        model,
        last_version=model.last_version + 1,
        revision=model.revision + 1,
        description=candidate.description or model.description,
    )
