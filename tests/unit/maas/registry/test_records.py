"""What is stored: it round-trips, it is checked when read, and a policy stays small."""

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from maas.registry.deployment_records import DeploymentRecord
from maas.registry.records import (
    ALIASES_MAX,
    BLOCKED_MAX,
    POLICY_BYTES,
    POLICY_VERSIONS,
    ROUTES_MAX,
    VERSIONS_MAX,
    WEIGHT_TOTAL,
    AliasRecord,
    Policy,
    Route,
    Shadow,
    TensorSpec,
    VersionRecord,
    decode,
    encode,
)
from maas.registry.rollout_records import RolloutRecord

NOW = "2030-01-02T03:04:05.678Z"
DIGEST = "sha256:" + "0" * 64
POLICY: dict[str, Any] = {
    "model": "sentiment",
    "revision": 3,
    "aliases": {"production": [{"version": 1, "weight": 10_000}]},
    "digests": {"1": DIGEST},
}


def test_a_policy_survives_json_with_numbers_as_keys() -> None:
    policy = Policy("sentiment", 3, {"production": (Route(1, 10_000),)}, {1: DIGEST})
    text = json.dumps(encode(policy))
    assert json.loads(text) == POLICY
    assert decode(json.loads(text), Policy) == policy


def test_shapes_keep_numbers_and_names() -> None:
    spec = TensorSpec("input_ids", "int64", ("batch", 512))
    assert decode(json.loads(json.dumps(encode(spec))), TensorSpec) == spec


@pytest.mark.parametrize(
    "wrong",
    [
        {"extra": 1},
        {"model": "Sentiment"},
        {"model": "sentiment\n"},
        {"revision": 0},
        {"revision": "3"},
        {"aliases": {"1": []}},
        {"aliases": {"production": [{"version": 0, "weight": 10_000}]}},
        {"aliases": {"production": [{"version": 1, "weight": 0}]}},
        {"aliases": {"production": [{"version": 1, "weight": 10_001}]}},
        {"aliases": {"production": [{"version": 1, "weight": 10_000, "extra": 1}]}},
        {"digests": {"0": DIGEST}},
        {"digests": {"one": DIGEST}},
        {"digests": {"1": DIGEST[:-1]}},
        {"digests": {"1": DIGEST + "\n"}},
        {"digests": {"1": DIGEST.replace("0", "G")}},
    ],
    ids=str,
)
def test_a_record_that_is_not_acceptable_is_not_read(wrong: dict[str, Any]) -> None:
    decode(POLICY, Policy)
    with pytest.raises(msgspec.ValidationError):
        decode(POLICY | wrong, Policy)


def test_a_missing_field_is_not_read() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode({"model": "sentiment", "name": "production"}, AliasRecord)


def test_the_largest_policy_fits() -> None:
    routes = tuple(Route(VERSIONS_MAX - n, WEIGHT_TOTAL) for n in range(ROUTES_MAX))
    policy = Policy(
        model="m" * 32,
        revision=10**12,
        aliases={f"{'a' * 30}{n:02}": routes for n in range(ALIASES_MAX)},
        digests={VERSIONS_MAX - n: DIGEST for n in range(POLICY_VERSIONS)},
        shadows={
            f"{'a' * 30}{n:02}": Shadow(VERSIONS_MAX, WEIGHT_TOTAL) for n in range(ALIASES_MAX)
        },
        blocked=(VERSIONS_MAX,) * BLOCKED_MAX,
    )
    room_for_fields_to_come = 1_000
    assert len(json.dumps(encode(policy))) + room_for_fields_to_come <= POLICY_BYTES


@pytest.mark.parametrize(
    "wrong",
    [
        {"shadows": {"production": {"version": 1, "sample": 0}}},
        {"shadows": {"production": {"version": 1, "sample": 10_001}}},
        {"shadows": {"1": {"version": 1, "sample": 1}}},
        {"blocked": [0]},
        {"blocked": ["1"]},
    ],
    ids=str,
)
def test_a_shadow_or_a_block_that_is_not_acceptable_is_not_read(wrong: dict[str, Any]) -> None:
    more = {"shadows": {"production": {"version": 1, "sample": 500}}, "blocked": [1]}
    policy = decode(POLICY | more, Policy)
    assert (policy.shadows, policy.blocked) == ({"production": Shadow(1, 500)}, (1,))
    assert json.loads(json.dumps(encode(policy))) == POLICY | more
    with pytest.raises(msgspec.ValidationError):
        decode(POLICY | wrong, Policy)


def test_an_alias_without_a_shadow_is_written_as_an_older_release_reads_it() -> None:
    record = AliasRecord("sentiment", "production", (Route(1, 10_000),), None, 1, NOW, "ada", "")
    assert "shadow" not in encode(record)
    assert encode(record)["previous"] is None
    shadowed = replace(record, shadow=Shadow(2, 500))
    assert decode(encode(shadowed), AliasRecord) == shadowed


VERSION: dict[str, Any] = {
    "model": "sentiment",
    "number": 1,
    "status": "verified",
    "digest": DIGEST,
    "task": "text-classification",
    "inputs": [],
    "outputs": [],
    "labels": [],
    "metrics": {},
    "lineage": {},
    "verification": {"golden": 1, "max_difference": 0.0, "seconds": 0.0},
    "registered_at": NOW,
    "registered_by": "ada",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": ["Good"]},
        {"tags": ["-good"]},
        {"tags": ["good\n"]},
        {"tags": ["g" * 33]},
        {"tags": [f"tag{n}" for n in range(17)]},
        {"revision": 0},
        {"status": "gone"},
    ],
    ids=str,
)
def test_a_version_that_is_not_acceptable_is_not_read(wrong: dict[str, Any]) -> None:
    record = decode(VERSION, VersionRecord)
    assert json.loads(json.dumps(encode(record))) == VERSION
    tagged = replace(record, tags=("good",), description="longer texts", revision=3)
    assert decode(encode(tagged), VersionRecord) == tagged
    with pytest.raises(msgspec.ValidationError):
        decode(VERSION | wrong, VersionRecord)


ROLLOUT: dict[str, Any] = {
    "model": "sentiment",
    "alias": "production",
    "version": 2,
    "steps": [1, 10, 100],
    "step": 0,
    "status": "running",
    "baseline": [{"version": 1, "weight": 10_000}],
    "started_at": NOW,
    "step_at": NOW,
    "by": "ada",
    "reason": "",
    "alias_revision": 2,
    "revision": 1,
    "gate": {
        "interval": 600.0,
        "max_error_rate": 0.01,
        "max_p99_ratio": 1.5,
        "min_requests": 100,
    },
    "holder": "3f2a9c01",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": []},
        {"steps": [0, 100]},
        {"steps": [101]},
        {"steps": [1] * 33},
        {"step": -1},
        {"status": "paused"},
        {"alias": "Production"},
        {"alias_revision": 0},
        {"holder": "Ada"},
        *(
            {"gate": ROLLOUT["gate"] | wrong}
            for wrong in (
                {"interval": 0},
                {"max_error_rate": 1.1},
                {"max_p99_ratio": 0.9},
                {"min_requests": 0},
            )
        ),
    ],
    ids=str,
)
def test_a_rollout_that_is_not_acceptable_is_not_read(wrong: dict[str, Any]) -> None:
    record = decode(ROLLOUT, RolloutRecord)
    assert decode(encode(record), RolloutRecord) == record
    with pytest.raises(msgspec.ValidationError):
        decode(ROLLOUT | wrong, RolloutRecord)


DEPLOYMENT: dict[str, Any] = {
    "model": "sentiment",
    "target": "maas-prod",
    "status": "live",
    "function": "maas-prod-model-sentiment:live",
    "function_version": "7",
    "digests": {"1": DIGEST},
    "revision": 1,
    "at": "2030-01-02T03:04:05.678Z",
    "by": "ada",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "-maas"},
        {"target": "a" * 129},
        {"target": "maas\n"},
        {"status": "gone"},
        {"function": ""},
        {"function": "f live"},
        {"function_version": "$LATEST"},
        {"function_version": "0"},
        {"digests": {"0": DIGEST}},
        {"digests": {"1": DIGEST[:-1]}},
        {"revision": 0},
    ],
    ids=str,
)
def test_a_deployment_that_is_not_acceptable_is_not_read(wrong: dict[str, Any]) -> None:
    record = decode(DEPLOYMENT, DeploymentRecord)
    assert decode(encode(record), DeploymentRecord) == record
    with pytest.raises(msgspec.ValidationError):
        decode(DEPLOYMENT | wrong, DeploymentRecord)
