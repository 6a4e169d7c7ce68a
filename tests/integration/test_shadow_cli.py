"""A shadow from the command line: set, seen by a running server, reported and cleared."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.task_bundles import serving
from support.tiny import Home, make_home
from typer.testing import CliRunner, Result

from maas_lab import cli

REQUESTS = 20


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Versions 1 and 2, production at version 1."""
    return make_home(tmp_path / "home")


def run(home: Home, *arguments: str) -> Result:
    environ = home.environ | {"AWS_EC2_METADATA_DISABLED": "true"}  # nor asked for a region
    return CliRunner().invoke(cli.app, ["shadow", *arguments], env=environ)


def ok(home: Home, *arguments: str) -> dict[str, Any]:
    result = run(home, *arguments, "--json")
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def settled(home: Home, url: str, requests: int) -> dict[str, Any]:
    """The report once all of these requests were seen."""
    until = time.monotonic() + 10
    while True:
        said = ok(home, "report", "sentiment", "--url", url)
        if said["shadows"] and said["shadows"][0]["requests"] == requests:
            return said
        assert time.monotonic() < until, said


def test_a_shadow_sees_every_request_answers_none_and_is_reported(home: Home) -> None:
    said = ok(home, "set", "sentiment@2", "--sample", "100", "--why", "before the canary")
    assert (said["shadow"], said["changed"]) == ({"version": 2, "sample": 10_000}, True)
    with home.registry() as registry:
        (event, *_) = registry.history("sentiment").records
    assert (event.action, event.reason) == ("shadow", "before the canary")

    with serving(home) as url:
        for _ in range(REQUESTS):
            answer = httpx.post(f"{url}/models/sentiment", json={"inputs": ["a good film", "bad"]})
            assert (answer.status_code, answer.headers["x-maas-version"]) == (200, "1")
        pinned = httpx.post(
            f"{url}/models/sentiment", json={"inputs": "a"}, headers={"x-maas-version": "1"}
        )
        assert pinned.status_code == 200
        report = settled(home, url, REQUESTS)
        (shadow,) = report["shadows"]
        people = run(home, "report", "sentiment", "--url", url).stdout
        one = ok(home, "report", "sentiment@2", "--url", url)
        assert one["shadows"] == report["shadows"]
        assert ok(home, "report", "sentiment@1", "--url", url)["shadows"] == []
    # Then what is reported is of all requests but the pinned one
    assert (shadow["version"], shadow["shadow"]) == (1, 2)
    assert (shadow["errors"], shadow["dropped"], shadow["rows"]) == (0, 0, 2 * REQUESTS)
    tops = [
        [max(home.bundles[n].probabilities(text).items(), key=lambda p: p[1]) for n in (1, 2)]
        for text in ("a good film", "bad")
    ]
    assert shadow["agreement"] == sum(one[0] == other[0] for one, other in tops) / 2
    drift = sum(abs(one[1] - other[1]) for one, other in tops) / 2
    assert shadow["mean_drift"] == pytest.approx(drift, abs=1e-4)
    assert shadow["shadow_p99_ms"] >= shadow["shadow_p50_ms"] > 0
    # And it is drawn, and told to people
    plot = Path(report["plot"])
    assert plot == home.settings.home / "shadows" / "sentiment.png"
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "@2" in people
    assert str(plot) in people.replace("\n", "")
    # And when it is cleared, it is so once
    assert ok(home, "clear", "sentiment")["shadow"] is None
    assert ok(home, "clear", "sentiment")["changed"] is False


def test_a_report_without_a_shadow_says_how_to_set_one(home: Home) -> None:
    with serving(home) as url:
        said = ok(home, "report", "sentiment", "--url", url)
        assert (said["shadows"], said["plot"]) == ([], None)
        text = run(home, "report", "sentiment", "--url", url).stdout
        assert "maas shadow set sentiment@N" in text
        unknown = run(home, "report", "topics", "--url", url)
    assert (unknown.exit_code, "knows no shadows of topics" in unknown.stderr) == (3, True)
    away = run(home, "report", "sentiment", "--url", url)
    assert (away.exit_code, "does not answer" in away.stderr) == (5, True)
    none = run(home, "report", "sentiment", "--url", "not a url")
    assert none.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("set", "sentiment"), 2, "say which version"),
        (("set", "sentiment@9"), 3, "no version 9"),
        (("set", "sentiment@1"), 3, "answers all of production itself"),
        (("set", "sentiment@2", "--sample", "0"), 2, "sample"),
        (("set", "sentiment@2", "--alias", "nobody"), 3, "no alias nobody"),
        (("clear", "topics"), 3, "no model topics"),
        (("report", "sentiment", "--cloudwatch"), 3, "sentiment has no shadow now"),
        (("report", "sentiment@9", "--cloudwatch"), 3, "no version 9"),
        (
            ("report", "sentiment@2", "--cloudwatch"),
            2,
            "set AWS_PROFILE or the access keys, and AWS_REGION",
        ),
        (("report", "sentiment", "--cloudwatch", "--url", "http://a"), 2, "either --url or"),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_remedy(
    home: Home, arguments: tuple[str, ...], code: int, says: str
) -> None:
    result = run(home, *arguments)
    assert result.exit_code == code
    assert says in " ".join(result.stderr.split())


def test_a_version_whose_bundle_is_not_here_is_no_shadow(home: Home) -> None:
    shutil.rmtree(home.bundles[2].folder)
    refused = run(home, "set", "sentiment@2")
    assert refused.exit_code == 3
    assert "could not answer" in refused.stderr
