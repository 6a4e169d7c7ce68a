"""What of the registry's records is shown: what callers need, nothing that only operators do."""

import pytest

from maas.http.views import HIDDEN, seen_alias, seen_event, seen_version
from maas.registry.event_records import EventRecord
from maas.registry.records import AliasRecord, Route, TensorSpec, Verification, VersionRecord

ALL = (Route(1, 10_000),)
SPEC = (TensorSpec("x", "int64", ("batch",)),)


def alias(reason: str, *, by: str = "ada") -> AliasRecord:
    return AliasRecord("sentiment", "production", ALL, None, 1, "2030-01-02", by, reason)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("arn:aws:iam::123456789012:user/ada", HIDDEN),
        ("arn:aws-cn:sts::123456789012:assumed-role/ci/run", HIDDEN),
        ("by account 123456789012 today", f"by account {HIDDEN} today"),
        ("from /home/ada/runs/7 and /tmp", f"from {HIDDEN} and {HIDDEN}"),
        (r"from C:\runs\7", f"from {HIDDEN}"),
    ],
)
def test_arns_account_ids_and_paths_are_hidden(text: str, seen: str) -> None:
    assert seen_alias(alias(text)).reason == seen
    assert seen_alias(alias("", by=text)).by == seen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "better on long texts, 3/4 of them",
        "sha256:" + "1" * 64,
        "see https://example.org/home/runs",
        "GET /models/sentiment answered 1234567890123",
        "2030-01-02T03:04:05Z and/or later",
    ],
)
def test_other_texts_are_shown_as_they_are(text: str) -> None:
    seen = seen_alias(alias(text, by=text))
    assert (seen.by, seen.reason) == (text, text)


def test_of_a_lineage_only_what_names_content_is_shown() -> None:
    record = VersionRecord(
        model="sentiment",
        number=1,
        status="verified",
        digest="sha256:" + "0" * 64,
        task="text-classification",
        inputs=SPEC,
        outputs=SPEC,
        labels=("a", "b"),
        metrics={"accuracy": 0.9},
        lineage={"run": "r-1", "commit": "abc", "version_torch": "2.13.0", "host": "laptop"},
        verification=Verification(golden=1, max_difference=0.0, seconds=0.1),
        registered_at="2030-01-02",
        registered_by="ada",
    )
    seen = seen_version(record)
    assert seen.lineage == {"run": "r-1", "commit": "abc"}
    assert seen.metrics == record.metrics


def test_a_change_of_a_deployment_names_no_function() -> None:
    deployed: dict[str, object] = {
        "status": "live",
        "function": "f:live",
        "function_version": "7",
        "versions": [1],
    }
    record = EventRecord(
        "sentiment", 4, "2030-01-02", "ada", "deploy", "maas", None, deployed, "first"
    )
    seen = seen_event(record)
    assert (seen.before, seen.after) == (None, {"status": "live", "versions": [1]})
    assert (seen.revision, seen.subject, seen.reason) == (4, "maas", "first")
