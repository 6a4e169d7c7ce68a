"""Releases from the command line: verify, block, retire, tag, describe, diff, and what was."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.counting import Statistics, counting
from support.gateway import behind_http
from support.task_bundles import TaskHome, home_with, serving
from support.tiny import Home, make_bundle, make_home
from support.tiny_audio import make_sounds
from support.tiny_embedding import make_embedding
from support.tiny_image import make_image
from support.tiny_table import make_table
from support.tiny_writer import make_writer
from typer.testing import CliRunner, Result

from maas.bundle.manifest import digest16
from maas.http.entry import build_handler
from maas.registry.addresses import ByNumber
from maas.registry.policy_cache import JITTER
from maas_lab import cli

TTL = 0.04
"""Seconds for which the server takes a policy as current."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Versions 1 and 2, production at version 1."""
    return make_home(tmp_path / "home")


def run(home: Home | TaskHome, *arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments, env=home.environ)


def ok(home: Home | TaskHome, *arguments: str) -> dict[str, Any]:
    result = run(home, *arguments, "--json")
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def events(home: Home) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = ok(home, "history", "sentiment")["events"]
    return listed


# ---- States -------------------------------------------------------------------------------------


def test_a_version_is_blocked_and_unblocked(home: Home) -> None:
    ok(home, "promote", "sentiment@2", "--weight", "10")
    blocked = ok(home, "block", "sentiment@2", "--reason", "wrong language")
    assert (blocked["status"], blocked["changed"]) == ("blocked", True)
    assert blocked["aliases"][0]["routes"] == [{"version": 1, "weight": 10_000}]
    assert (events(home)[0]["action"], events(home)[0]["reason"]) == ("block", "wrong language")
    assert "production version 1" in run(home, "history", "sentiment").stdout
    assert "blocked" in run(home, "list", "sentiment").stdout
    refused = run(home, "promote", "sentiment@2")
    assert (refused.exit_code, "maas unblock" in refused.stderr) == (3, True)
    assert ok(home, "unblock", "sentiment@2")["status"] == "verified"
    again = run(home, "unblock", "sentiment@2")
    assert again.exit_code == 0
    assert "sentiment@2 is not blocked: it is verified; nothing was written" in again.stdout


def test_the_only_version_of_an_alias_is_not_blocked(home: Home) -> None:
    refused = run(home, "block", "sentiment@1")
    assert refused.exit_code == 3
    assert "maas rollback sentiment --alias production" in refused.stderr


def test_a_blocked_version_answers_no_pin_within_the_ttl(home: Home) -> None:
    quick = Home(replace(home.settings, policy_ttl=TTL), home.bundles)
    with serving(quick) as url:
        assert run(home, "predict", "sentiment@2", "fine", "--url", url).exit_code == 0
        ok(home, "block", "sentiment@2")
        time.sleep(TTL * (1 + JITTER))
        refused = run(home, "predict", "sentiment@2", "fine", "--url", url, "--json")
        assert refused.exit_code == 3
        assert json.loads(refused.stderr)["code"] == "version_blocked"
        digest = home.bundles[2].digest[:30]
        assert run(home, "predict", f"sentiment@{digest}", "fine", "--url", url).exit_code == 3
        assert run(home, "predict", "sentiment", "fine", "--url", url).exit_code == 0


def test_a_version_is_retired(home: Home) -> None:
    assert run(home, "retire", "sentiment@1").exit_code == 3
    assert ok(home, "retire", "sentiment@2", "--why", "too slow")["status"] == "retired"
    assert run(home, "promote", "sentiment@2", "--force", "--reason", "want it").exit_code == 3
    # For good: a block and its end leave it so
    ok(home, "block", "sentiment@2")
    assert ok(home, "unblock", "sentiment@2")["status"] == "retired"
    assert run(home, "promote", "sentiment@2").exit_code == 3


@pytest.mark.parametrize("verb", ["block", "unblock", "retire", "verify"])
def test_a_version_must_be_named(home: Home, verb: str) -> None:
    assert run(home, verb, "sentiment").exit_code == 2
    assert run(home, verb, "sentiment@9").exit_code == 3


# ---- Verify -------------------------------------------------------------------------------------


def test_a_version_is_verified_by_its_bundle(home: Home) -> None:
    said = ok(home, "verify", "sentiment@2", "--reason", "nightly")
    proof = said["verification"]
    assert (said["status"], proof["golden"] > 0, proof["max_difference"] < 1e-4) == (
        "verified",
        True,
        True,
    )
    assert proof["p50_ms"] > 0
    assert proof["cold_start_seconds"] > 0
    assert proof["at"].endswith("Z")
    assert (events(home)[0]["action"], events(home)[0]["reason"]) == ("verify", "nightly")
    assert "p50" in run(home, "verify", "sentiment@2").stdout


def test_a_version_that_fails_gets_no_traffic_but_by_force(home: Home) -> None:
    # Given a bundle that was damaged
    graph = next(home.bundles[2].folder.rglob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    failed = run(home, "verify", "sentiment@2")
    assert failed.exit_code == 3
    assert "does not answer as it should" in failed.stdout
    assert ok(home, "show", "sentiment@2")["status"] == "registered"
    # Once it is whole again, it passes
    shutil.rmtree(home.settings.bundles / "sentiment" / digest16(home.bundles[2].digest))
    make_bundle(home.settings.bundles, seed=2)
    refused = run(home, "promote", "sentiment@2")
    assert (refused.exit_code, "maas verify sentiment@2" in refused.stderr) == (3, True)
    assert run(home, "promote", "sentiment@2", "--force").exit_code == 2
    ok(home, "promote", "sentiment@2", "--force", "--reason", "the old one is worse")
    assert "forced" in run(home, "history", "sentiment").stdout
    assert ok(home, "verify", "sentiment@2")["status"] == "verified"


def test_what_has_traffic_keeps_it_and_the_verdict_says_where(home: Home) -> None:
    failed = run(home, "verify", "sentiment@1", "--tolerance", "0")
    assert failed.exit_code == 3
    assert "It goes on answering production" in failed.stdout
    with home.registry() as registry:
        assert registry.version("sentiment", ByNumber(1)).status == "registered"
        assert registry.policy("sentiment").aliases["production"][0].version == 1


def test_without_its_bundle_nothing_is_replayed(home: Home) -> None:
    shutil.rmtree(home.settings.bundles / "sentiment" / digest16(home.bundles[2].digest))
    refused = run(home, "verify", "sentiment@2")
    assert (refused.exit_code, "is not here" in refused.stderr) == (3, True)
    assert ok(home, "show", "sentiment@2")["status"] == "verified"


def test_a_function_is_verified_over_http(home: Home) -> None:
    with serving(home) as url:
        said = ok(home, "verify", "sentiment@2", "--url", url, "--api-key", "secret")
        proof = said["verification"]
        assert (proof["where"], said["status"]) == ("function", "verified")
        assert proof["max_difference"] < 1e-4
        assert proof["p50_ms"] > 0
        assert "secret" not in json.dumps(said)
        # And a server that ran before has no cold start, which is said
        assert "cold_start_seconds" not in {k for k, v in proof.items() if v is not None}
        assert "no cold start seen" in run(home, "verify", "sentiment@2", "--url", url).stdout
        # What answers with another digest fails
        other = make_home(home.settings.home / "other", versions=3)
        refused = run(other, "verify", "sentiment@3", "--url", url)
        assert refused.exit_code == 3
        assert ok(other, "show", "sentiment@3")["verification"]["passed"] is False
    wrong = run(home, "verify", "sentiment@2", "--url", "foo", "--json")
    assert (wrong.exit_code, json.loads(wrong.stderr)["field"]) == (2, "url")
    gone = run(home, "verify", "sentiment@2", "--url", url)
    assert gone.exit_code == 5
    assert ok(home, "show", "sentiment@2")["status"] == "verified"


def test_a_cold_start_is_recorded_only_where_a_process_had_to_start(home: Home) -> None:
    with behind_http(lambda: build_handler(home.settings)) as url:
        first = ok(home, "verify", "sentiment@2", "--url", url)["verification"]
        assert first["cold_start_seconds"] > first["p50_ms"] / 1000 > 0
        again = ok(home, "verify", "sentiment@2", "--url", url)["verification"]
        assert again.get("cold_start_seconds") is None
    with behind_http(lambda: build_handler(home.settings)) as url:
        said = run(home, "verify", "sentiment@2", "--url", url).stdout
    assert re.search(r"p50 [0-9.]+ ms, cold start [0-9.]+ s", said)


def test_a_function_that_refuses_a_version_is_told_from_a_gateway_that_refuses_a_key(
    home: Home,
) -> None:
    other = make_home(home.settings.home / "other")
    with home.registry() as registry:
        registry.block("sentiment", ByNumber(2))
    with behind_http(lambda: build_handler(home.settings)) as url:
        refused = run(other, "verify", "sentiment@2", "--url", url)
    assert refused.exit_code == 3
    assert "answers 403" in refused.stdout
    said = json.dumps({"error": "The header x-api-key must hold a valid key."}).encode()
    closed = Statistics()
    closed.status, closed.body = 403, said
    with counting(closed) as gateway:
        refused = run(other, "verify", "sentiment@2", "--url", gateway.url)
    assert (refused.exit_code, "api-key" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    "make",
    [make_writer, make_image, make_embedding, make_sounds, make_table],
    ids=lambda m: m.__name__,
)
def test_a_model_of_any_task_is_verified_over_http(tmp_path: Path, make: Any) -> None:  # noqa: ANN401
    home = home_with(tmp_path, make, seed=3)
    reference = f"{home.bundle.manifest.name}@1"
    with serving(home) as url:
        said = ok(home, "verify", reference, "--url", url)
    assert said["verification"]["where"] == "function"
    assert said["status"] == "verified"


# ---- Words --------------------------------------------------------------------------------------


def test_versions_are_tagged_and_found_by_tag(home: Home) -> None:
    assert ok(home, "tag", "sentiment@2", "good", "fast")["tags"] == ["fast", "good"]
    assert ok(home, "tag", "sentiment@2", "-fast", "long")["tags"] == ["good", "long"]
    listed = ok(home, "list", "sentiment", "--tag", "good")
    assert [version["number"] for version in listed["versions"]] == [2]
    assert "no tags → fast, good" in run(home, "history", "sentiment").stdout
    assert run(home, "tag", "sentiment@2", "--Json").exit_code == 2
    assert run(home, "list", "--tag", "good").exit_code == 2


def test_models_and_versions_are_described(home: Home) -> None:
    ok(home, "describe", "sentiment@2", "longer texts")
    ok(home, "describe", "sentiment", "Reviews, good or bad")
    assert ok(home, "show", "sentiment@2")["description"] == "longer texts"
    assert ok(home, "show", "sentiment")["description"] == "Reviews, good or bad"
    assert run(home, "describe", "sentiment", "two\nlines").exit_code == 2


# ---- What was -----------------------------------------------------------------------------------


def test_what_an_alias_was_and_back_to_it(home: Home) -> None:
    ok(home, "promote", "sentiment@2", "--reason", "better")
    then = ok(home, "show", "sentiment@production", "--at", "3")
    assert then["aliases"][0]["routes"] == [{"version": 1, "weight": 10_000}]
    now = ok(home, "show", "sentiment", "--at", "2999-01-01T10:00")
    assert (now["aliases"][0]["routes"][0]["version"], now["aliases"][0]["reason"]) == (2, "better")
    assert run(home, "show", "sentiment@production", "--at", "1").exit_code == 3
    assert run(home, "show", "sentiment@production", "--at", "soon").exit_code == 2
    assert run(home, "show", "sentiment@2", "--at", "3").exit_code == 2
    # A dry run writes nothing
    dry = ok(home, "rollback", "sentiment", "--to", "3", "--dry-run")
    assert (dry["would_change"], dry["then"]["routes"][0]["version"]) == (True, 1)
    assert (
        "would go from version 2 to version 1"
        in run(home, "rollback", "sentiment", "--dry-run").stdout
    )
    assert len(events(home)) == 4
    # A real one does
    ok(home, "rollback", "sentiment", "--to", "3", "--reason", "as it was")
    assert [each["action"] for each in events(home)[:2]] == ["rollback", "promote"]
    again = ok(home, "rollback", "sentiment", "--to", "3")
    assert again["changed"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        ("promote", "sentiment@2", "--weight", "50"),
        ("rollback", "sentiment"),
        ("shadow", "set", "sentiment@2"),
        ("block", "sentiment@2"),
        ("retire", "sentiment@3"),
        ("verify", "sentiment@2"),
        ("tag", "sentiment@2", "good"),
        ("describe", "sentiment@2", "longer texts"),
        ("describe", "sentiment", "film reviews"),
    ],
    ids=" ".join,
)
def test_the_revision_that_a_verb_tells_is_that_of_history(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    # Given a model whose aliases and versions changed less often than it did
    home = make_home(tmp_path / "home", versions=3)
    for number, alias in ((2, "production"), (1, "production"), (3, "canary"), (1, "canary")):
        ok(home, "promote", f"sentiment@{number}", "--alias", alias)
    ok(home, "tag", "sentiment@2", "seen")
    before = len(events(home))
    # When something is changed, its revision is that of its event
    told = ok(home, *arguments)
    assert told["revision"] == events(home)[0]["revision"] == before + 1


def test_the_revision_that_is_printed_can_be_followed(home: Home) -> None:
    ok(home, "tag", "sentiment@2", "good")
    said = run(home, "promote", "sentiment@2").stdout
    assert "sentiment@production is now version 2 (revision 5)" in said
    run(home, "rollback", "sentiment")
    then = ok(home, "show", "sentiment@production", "--at", "5")
    assert then["aliases"][0]["routes"] == [{"version": 2, "weight": 10_000}]
    back = run(home, "rollback", "sentiment", "--to", "5").stdout
    assert "sentiment@production is now version 2 (revision 7)" in back
    # Where nothing was written, it is the revision at which it is so
    again = run(home, "promote", "sentiment@2").stdout
    assert "already; nothing was written (revision 7)" in again
    # And what an alias or a version counts for itself is called otherwise
    listed = ok(home, "list", "sentiment")
    (alias,) = listed["aliases"]
    assert (alias["alias_revision"], "revision" in alias) == (4, False)
    tagged = next(version for version in listed["versions"] if version["number"] == 2)
    assert (tagged["version_revision"], "revision" in tagged) == (2, False)
    shown = ok(home, "show", "sentiment")
    assert (shown["revision"], "revision" in shown["aliases"][0]) == (7, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("rollback", "sentiment", "--to", "999"),
        ("rollback", "sentiment", "--to", "999", "--dry-run"),
        ("show", "sentiment@production", "--at", "999"),
        ("show", "sentiment", "--at", "999"),
    ],
    ids=" ".join,
)
def test_a_revision_that_never_was_is_not_there(home: Home, arguments: tuple[str, ...]) -> None:
    before = len(events(home))
    refused = run(home, *arguments, "--json")
    assert refused.exit_code == 3
    said = json.loads(refused.stderr)
    assert f"sentiment has no revision 999; its newest is {before}" in said["error"]
    assert said["field"] == "revision"
    assert len(events(home)) == before


def test_two_versions_are_compared(home: Home) -> None:
    ok(home, "tag", "sentiment@2", "good")
    found = ok(home, "diff", "sentiment@1", "sentiment@2")
    rows = {row["what"]: (row["first"], row["second"]) for row in found["differences"]}
    assert rows["tags"] == ("none", "good")
    assert any(what.startswith("golden") for what in rows)
    assert found["notes"] == []
    assert "is the" in run(home, "diff", "sentiment@1", "sentiment@2").stdout
    assert ok(home, "diff", "sentiment@1", "sentiment@1")["differences"] == []
    # Without a bundle the records are still compared
    shutil.rmtree(home.settings.bundles / "sentiment" / digest16(home.bundles[2].digest))
    found = ok(home, "diff", "sentiment@1", "sentiment@2")
    assert "is not here" in found["notes"][0]
    assert [row["what"] for row in found["differences"]] == ["tags"]


def test_graphs_and_signatures_are_compared(home: Home, tmp_path: Path) -> None:
    other = home_with(tmp_path / "image", make_image, seed=3)
    with other.registry() as registry:
        name = other.bundle.manifest.name
        image = registry.version(name, ByNumber(1))
    from maas_lab.registry.differences import compare_versions

    with home.registry() as registry:
        text = registry.version("sentiment", ByNumber(1))
    shutil.copytree(other.settings.bundles / name, home.settings.bundles / name, dirs_exist_ok=True)
    found = compare_versions(home.settings.bundles, text, image)
    whats = [row.what for row in found.rows]
    assert "task" in whats
    assert "no golden request is of both" in found.notes[0]
    for start in ("input", "output", "operator", "bytes of"):
        assert any(what.startswith(start) for what in whats), start
