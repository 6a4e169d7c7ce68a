"""A function and its registry: whatever DynamoDB does, requests are answered, and say by what.

F1 and F3 of the fault list, seen from a model's function.
"""

import io
import json
import shutil
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from support.doors import LambdaContext, rest_event
from support.dynamo import fresh_table, local_endpoint
from support.dynamo_standin import StandIn
from support.function import Said, function_settings, pack, routed, say
from support.tiny import Home, make_home, register_bundle

from maas.assembly import utc_now
from maas.errors import RegistryUnavailableError
from maas.http.entry import build_handler
from maas.registry.addresses import ByNumber
from maas.registry.connection import CONNECT_SECONDS
from maas.registry.policy_cache import READ_WAIT
from maas.registry.policy_read import READ_SECONDS, PolicyReader
from maas.registry.records import WEIGHT_TOTAL
from maas.registry.stores import open_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from maas.http.gateway import Handler

TTL = 0.2
JITTERED = TTL * 1.1
TOLERANCE = 0.8  # a busy machine, and less than the second or two of a wait that should not be
"""Seconds that a busy machine may add."""
FAULTS = (
    *("hang", "reset", "throttle", "refuse", "500", "503", "garbage", "json", "half"),
    *("drip", "drip-head", "long", "endless", "silent", "gone"),
    "no-table",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Versions 1, 2 and 3."""
    return make_home(tmp_path_factory.mktemp("home"), versions=3)


@pytest.fixture(scope="module")
def models(made: Home, tmp_path_factory: pytest.TempPathFactory) -> "Path":
    """What a function carries: versions 1 and 2, production at version 1 by revision 4."""
    folder = tmp_path_factory.mktemp("opt") / "models"
    return pack(made, folder, routed(made, 4, v1=100), carried=(1, 2))


@pytest.fixture
def table(made: Home) -> "Iterator[StandIn]":
    """A table where production has gone on to version 2 by revision 5."""
    with StandIn() as server:
        server.policy = routed(made, 5, v2=100)
        yield server


def fail(table: StandIn, way: str) -> None:
    match way:
        case "gone":
            table.go()
        case "no-table":
            table.error = "ResourceNotFoundException"
        case _:
            table.way = way


def mend(table: StandIn, way: str) -> None:
    if way == "gone":
        table.come_back()
    table.error, table.way = None, "answer"


def start(models: "Path", table: StandIn, *, ttl: float = TTL) -> "Handler":
    return build_handler(function_settings(models, endpoint=table.url, policy_ttl=ttl))


def in_time(said: Said) -> Said:
    """A request that was answered, and not held up by more than a read may add."""
    assert said.status == 200, said
    assert said.seconds < READ_WAIT + TOLERANCE
    return said


def wait_for(handler: "Handler", policy: str, seconds: float) -> Said:
    """Ask until the answer is by this kind of policy; every answer on the way is a good one."""
    until = time.monotonic() + seconds
    while (said := in_time(say(handler))).policy != policy:
        assert time.monotonic() < until, f"still {said.policy} after {seconds} s"
        time.sleep(0.01)
    return said


def lines(log: io.StringIO, message: str) -> "list[dict[str, object]]":
    records = (json.loads(line) for line in log.getvalue().splitlines())
    return [record for record in records if record["message"] == message]


def test_with_the_registry_there_the_first_answer_is_live(models: "Path", table: StandIn) -> None:
    handler = start(models, table)
    said = in_time(say(handler))
    assert (said.policy, said.version) == ("live", 2)
    # And one read serves for the TTL
    handler = start(models, table, ttl=60.0)
    before = len(table.requests)
    assert {in_time(say(handler)).policy for _ in range(20)} == {"live"}
    assert len(table.requests) == before


@pytest.mark.parametrize("way", FAULTS)
def test_f1_a_function_that_starts_without_its_registry_answers_by_the_baked_policy(
    models: "Path", table: StandIn, log: io.StringIO, way: str
) -> None:
    # Given a registry that fails from the start
    fail(table, way)
    started = time.monotonic()
    handler = start(models, table)
    # Then the start is held up no more than a request would be
    assert time.monotonic() - started < 1.5
    for _ in range(5):
        said = in_time(say(handler))
        assert (said.policy, said.version) == ("baked", 1)
    # And what went wrong is logged, without a key
    assert "canary" not in log.getvalue()
    # When it answers again, then that is seen within the TTL
    mend(table, way)
    assert wait_for(handler, "live", JITTERED + TOLERANCE).version == 2


@pytest.mark.parametrize("way", FAULTS)
def test_f1_a_warm_function_that_loses_its_registry_answers_by_the_last_policy(
    models: "Path", table: StandIn, log: io.StringIO, way: str
) -> None:
    handler = start(models, table)
    assert in_time(say(handler)).policy == "live"
    # When the registry fails
    fail(table, way)
    assert wait_for(handler, "stale", JITTERED + TOLERANCE).version == 2
    assert {in_time(say(handler)).version for _ in range(5)} == {2}
    # And answers again
    mend(table, way)
    assert wait_for(handler, "live", JITTERED + TOLERANCE).version == 2
    assert "canary" not in log.getvalue()


@pytest.mark.parametrize("way", ["hang", "drip", "drip-head"])
def test_f3_a_read_that_does_not_end_is_ended_and_leaves_no_thread(
    models: "Path", table: StandIn, way: str
) -> None:
    fail(table, way)
    reader = PolicyReader(
        "maas-registry", function_settings(models, endpoint=table.url).aws, now=utc_now
    )
    before = own_threads()
    started = time.monotonic()
    with pytest.raises(RegistryUnavailableError):
        reader.policy("sentiment")
    assert READ_SECONDS == 2.0
    assert time.monotonic() - started < READ_SECONDS + TOLERANCE
    assert own_threads() <= before


def test_f3_a_host_that_takes_no_connection_is_left_after_a_second(models: "Path") -> None:
    # Given a server whose queue of connections is full
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as callers:
        address = full.getsockname()
        for _ in range(8):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(address)
        url = f"http://127.0.0.1:{address[1]}"
        settings = function_settings(models, endpoint=url)
        started = time.monotonic()
        with pytest.raises(RegistryUnavailableError, match="TimeoutError"):
            PolicyReader("maas-registry", settings.aws, now=utc_now).policy("sentiment")
    assert CONNECT_SECONDS <= time.monotonic() - started < CONNECT_SECONDS + TOLERANCE


def test_f3_while_a_registry_hangs_there_is_one_reader_and_it_ends(
    models: "Path", table: StandIn, log: io.StringIO
) -> None:
    fail(table, "hang")
    handler = start(models, table, ttl=60.0)
    until = time.monotonic() + READ_SECONDS + TOLERANCE
    while readers():
        assert time.monotonic() < until
        assert len(readers()) == 1
        assert in_time(say(handler)).policy == "baked"
    assert table.connections == 1
    assert len(lines(log, "failed")) == 1


def own_threads() -> set[threading.Thread]:
    """All but those of stand-ins."""
    return {thread for thread in threading.enumerate() if not is_of_a_stand_in(thread)}


def is_of_a_stand_in(thread: threading.Thread) -> bool:
    return "_serve" in thread.name or "_accept" in thread.name


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "maas-policy"]


def test_one_line_of_the_log_says_what_is_wrong_with_the_registry(
    models: "Path", table: StandIn, log: io.StringIO
) -> None:
    # Given a role without the right to read
    fail(table, "refuse")
    handler = start(models, table)
    until = time.monotonic() + 3 * JITTERED
    while time.monotonic() < until:
        assert in_time(say(handler)).policy == "baked"
        time.sleep(0.01)
    # Then it was asked several times, and said once
    assert len(table.requests) > 1
    (line,) = lines(log, "failed")
    assert line["model"] == "sentiment"
    assert "AccessDeniedException" in str(line["reason"])
    assert "canary" not in log.getvalue()


def test_a_first_deployment_answers_by_what_was_packaged(
    models: "Path", table: StandIn, log: io.StringIO
) -> None:
    table.policy = None
    handler = start(models, table)
    assert in_time(say(handler)).policy == "baked"
    (line,) = lines(log, "failed")
    assert "There is no model sentiment" in str(line["reason"])


def test_an_older_policy_than_the_baked_one_takes_nothing_back(
    made: Home, models: "Path", table: StandIn
) -> None:
    table.policy = routed(made, 3, v2=100)
    said = in_time(say(start(models, table)))
    assert (said.policy, said.version) == ("baked", 1)


# ---- Routes to versions that are not carried ----------------------------------------------------


def test_a_route_to_a_version_that_is_not_carried_is_left_out_and_said_once(
    made: Home, models: "Path", table: StandIn, log: io.StringIO
) -> None:
    table.policy = routed(made, 6, v1=1, v3=99)
    handler = start(models, table)
    assert {(in_time(said := say(handler)).version, said.policy) for _ in range(20)} == {
        (1, "live")
    }
    (line,) = lines(log, "failed")
    assert "routes to 3, which is not carried here" in str(line["reason"])
    # And those that are carried keep their proportions
    table.policy = routed(made, 7, v1=30, v2=30, v3=40)
    wait_for_revision(table, handler)
    seen = [in_time(say(handler)).version for _ in range(60)]
    assert 10 <= seen.count(1) <= 50
    assert set(seen) == {1, 2}


def wait_for_revision(table: StandIn, handler: "Handler") -> None:
    """Until what the table has now was read."""
    asked = len(table.requests)
    until = time.monotonic() + JITTERED + TOLERANCE
    while len(table.requests) == asked:
        assert time.monotonic() < until
        in_time(say(handler))
    in_time(say(handler))


def test_where_nothing_of_a_route_is_carried_the_version_before_goes_on_answering(
    made: Home, models: "Path", table: StandIn, log: io.StringIO
) -> None:
    # Given a version that answers, by the policy that was packed or by one that was read
    handler = start(models, table)
    table.policy = routed(made, 6, v2=100)
    wait_for_revision(table, handler)
    assert in_time(say(handler)).version == 2
    # When somebody routes all to one that is not here, past the rule that forbids it
    table.policy = routed(made, 7, v3=100)
    wait_for_revision(table, handler)
    # Then it goes on answering and says that this is not what the registry says now
    for _ in range(3):
        said = in_time(say(handler))
        assert (said.status, said.version, said.policy) == (200, 2, "stale")
    # And somebody is told, once, by a line that is a metric too
    (line,) = lines(log, "failed")
    assert "routes to 3, which is not carried here" in str(line["reason"])
    assert (line["model"], line["code"], line["Faults"]) == ("sentiment", "model_not_ready", 1)
    # And it is over with the next policy
    table.policy = routed(made, 8, v1=100)
    wait_for_revision(table, handler)
    said = in_time(say(handler))
    assert (said.version, said.policy) == (1, "live")


def test_a_cold_start_into_such_a_policy_is_answered_by_what_was_packed(
    made: Home, models: "Path", table: StandIn, log: io.StringIO
) -> None:
    table.policy = routed(made, 6, v3=100)
    said = in_time(say(start(models, table)))
    assert (said.status, said.version, said.policy) == (200, 1, "stale")
    assert "routes to 3, which is not carried" in log.getvalue()


def test_where_nothing_was_followed_before_it_is_not_ready_until_it_is_rolled_back(
    made: Home, tmp_path: "Path", table: StandIn, log: io.StringIO
) -> None:
    # Given a function of which the version that was packed for production has gone too
    models = pack(made, tmp_path / "models", routed(made, 5, v1=100), carried=(1, 2))
    shutil.rmtree(models / "sentiment" / made.bundles[1].folder.name)
    table.policy = routed(made, 6, v3=100)
    handler = start(models, table)
    said = say(handler)
    assert (said.status, said.body["code"]) == (503, "model_not_ready")
    assert "routes to 3, which is not carried" in log.getvalue()
    table.policy = routed(made, 7, v2=100)
    until = time.monotonic() + JITTERED + TOLERANCE
    while say(handler).status != 200:
        assert time.monotonic() < until
    assert in_time(say(handler)).version == 2


# ---- DynamoDB itself ----------------------------------------------------------------------------


def within_the_ttl(came: "Callable[[], bool]") -> None:
    """Ask until a change has come, which a warm function sees within its TTL."""
    changed = time.monotonic()
    while not came():
        assert time.monotonic() - changed < JITTERED + 3 * TOLERANCE  # its table is here too
        time.sleep(0.01)


def test_every_change_in_dynamodb_reaches_a_warm_function_within_the_ttl(
    made: Home, models: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_table(monkeypatch) as table, StandIn() as queue:
        queue.answer = (200, {"MessageId": "1"})
        settings = replace(
            function_settings(models, endpoint=local_endpoint(), table=table.name, policy_ttl=TTL),
            shadow_queue=f"{queue.url}/123456789012/shadow",
        )
        # Given a function that was deployed before its table knew the model
        handler = build_handler(settings)
        assert in_time(say(handler)).policy == "baked"
        with open_registry(
            settings.registry, clock=utc_now, actor="tests", aws=settings.aws
        ) as registry:
            for number in (1, 2):
                register_bundle(registry, made.bundles[number])
            # When versions are promoted and rolled back, each is seen within the TTL
            for number in (2, 1, 2):
                registry.promote("sentiment", ByNumber(number))
                # The first revisions are older than the baked one, which nothing takes back
                if registry.policy("sentiment").revision < 4:
                    continue
                # Then it is by the table: the version alone may be that of the baked policy
                wanted = (number, "live")
                within_the_ttl(
                    lambda wanted=wanted: (
                        (  # type: ignore[misc]
                            (said := in_time(say(handler))).version,
                            said.policy,
                        )
                        == wanted
                    )
                )
            # And so is a share, in which each request is drawn anew
            registry.promote("sentiment", ByNumber(1), weight=50)
            within_the_ttl(lambda: in_time(say(handler)).version == 1)
            assert {in_time(say(handler)).version for _ in range(40)} == {1, 2}
            # And a shadow, which sees what was answered
            assert queue.requests == []
            registry.promote("sentiment", ByNumber(1))
            registry.shadow("sentiment", ByNumber(2), sample=WEIGHT_TOTAL)
            within_the_ttl(lambda: say(handler).status == 200 and bool(queue.requests))
            # And a version that is blocked, even where it is pinned
            registry.shadow("sentiment", None)
            assert pinned(handler, 2) == (200, None)
            registry.block("sentiment", ByNumber(2), reason="wrong language")
            within_the_ttl(lambda: pinned(handler, 2) == (403, "version_blocked"))
            # Which holds in a function that starts only now, and keeps nobody else from an answer
            cold = build_handler(settings)
            within_the_ttl(lambda: pinned(cold, 2) == (403, "version_blocked"))
            assert in_time(say(handler)).version == 1
            registry.unblock("sentiment", ByNumber(2))
            within_the_ttl(lambda: pinned(handler, 2) == (200, None))


def pinned(handler: "Handler", version: int) -> tuple[int, str | None]:
    """Status and code of a good request to one version."""
    headers = {"x-maas-version": str(version)}
    answer = handler(rest_event(body={"inputs": "good"}, headers=headers), LambdaContext())
    body = json.loads(answer["body"])
    return answer["statusCode"], body.get("code") if isinstance(body, dict) else None
