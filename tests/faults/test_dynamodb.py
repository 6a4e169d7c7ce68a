"""DynamoDB throttles, hangs, resets or is gone: bounded, told apart, and never written twice.

F2 to F5 of the fault list, seen from the store; F5 through the registry's door too.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from support.dynamo import REGION, empty_table, set_aws
from support.rollouts import MODEL, candidate
from support.wire import JSON, Answer, Step, Wire, answer, cut, error, forward, hang, reset

from maas.errors import ConflictError, RegistryUnavailableError, SettingsError
from maas.registry.addresses import ByNumber
from maas.registry.dynamo import Table
from maas.registry.dynamo_attempts import BOUND, CONNECT_TIMEOUT, READ_TIMEOUT, Attempts
from maas.registry.dynamo_faults import Fault, FaultError, Kind
from maas.registry.dynamo_store import DynamoStore
from maas.registry.registry import Registry
from maas.registry.store import Item, Key, Write
from maas_lab.registry.copies import copy_model

A, B = Key("MODEL#a", "META"), Key("MODEL#a", "POLICY")
NEW = [Write(Item(A, 1, {"n": 1}), None), Write(Item(B, 1, {"n": 1}), None)]
WRITE = "TransactWriteItems"
THROTTLED = error("ThrottlingException")
TOLERANCE = 3.0
"""Seconds that a busy machine may add."""
BROKEN = error("InternalServerError", status=500)
CROWDED = error("TransactionCanceledException", reasons=["None", "TransactionConflict"])
FULL = error("TransactionCanceledException", reasons=["ThrottlingError", "None"])
RUNNING = error("TransactionInProgressException")


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def attempts(self) -> Attempts:
        """The longest pauses that could be drawn, without waiting for them."""
        return Attempts(self.sleep, lambda: 1.0, lambda: self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return empty_table(monkeypatch)


@pytest.fixture
def wire(table: Table) -> Iterator[Wire]:
    """Between the store and DynamoDB Local."""
    with Wire(table.endpoint) as wire:
        yield wire


@pytest.fixture
def store(table: Table, wire: Wire, clock: Clock) -> Iterator[DynamoStore]:
    store = DynamoStore(
        Table(table.name, region=REGION, endpoint=wire.address, attempts=clock.attempts())
    )
    yield store
    store.close()


# ---- One effect ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [[cut], [cut, cut], [cut, BROKEN], [reset, cut], [BROKEN], [THROTTLED, FULL], [CROWDED] * 5,
     [RUNNING, RUNNING], [cut, RUNNING]],
    ids=["cut", "cut-twice", "cut-500", "reset-cut", "500", "throttled", "crowded", "running",
         "cut-running"],
)  # fmt: skip
def test_f4_a_write_that_is_asked_again_has_one_effect(
    store: DynamoStore, wire: Wire, steps: Sequence[Step]
) -> None:
    # Given answers that are lost, late or bad
    wire.script(WRITE, steps)
    # When something is written, it is asked for again with the token that it began with
    store.transact(NEW)
    assert wire.count(WRITE) == len(steps) + 1
    assert len(set(wire.tokens())) == 1
    # Then it is there, once: its revision moves on from 1, under a token of its own
    assert store.read([A, B]) == [write.item for write in NEW]
    store.transact([Write(Item(A, 2, {"n": 2}), 1)])
    assert len(set(wire.tokens())) == 2


def test_an_answer_that_never_comes_is_not_called_unwritten(store: DynamoStore, wire: Wire) -> None:
    # Given a change that DynamoDB obeys while every answer is lost
    wire.script(WRITE, [cut] * 3)
    with pytest.raises(RegistryUnavailableError, match="not known whether") as refusal:
        store.transact(NEW)
    assert "nothing was written" not in str(refusal.value)
    assert "the same command may be run again" in str(refusal.value)
    # Then it was written, and the same change again is a conflict as it must be
    assert store.read([A])[0] is not None
    with pytest.raises(ConflictError):
        store.transact(NEW)


@pytest.mark.parametrize("steps", [[cut] + [RUNNING] * 9, [BROKEN] + [CROWDED] * 9])
def test_doubt_stays_when_the_last_answer_is_another(
    store: DynamoStore, wire: Wire, steps: Sequence[Step]
) -> None:
    wire.script(WRITE, steps)
    with pytest.raises(RegistryUnavailableError, match="not known whether"):
        store.transact(NEW)


def test_f5_a_crowd_is_a_conflict_in_the_end(store: DynamoStore, wire: Wire, clock: Clock) -> None:
    wire.script(WRITE, [CROWDED] * 20)
    with pytest.raises(ConflictError, match="nothing was written"):
        store.transact(NEW)
    assert (wire.count(WRITE), len(set(wire.tokens()))) == (8, 1)
    assert 0.5 < clock.now <= 2.0
    assert store.read([A, B]) == [None, None]


def test_a_failed_condition_is_asked_once(store: DynamoStore, wire: Wire) -> None:
    store.transact(NEW)
    with pytest.raises(ConflictError, match="nothing was written"):
        store.transact(NEW)
    assert wire.count(WRITE) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda registry: registry.promote(MODEL, ByNumber(1), weight=10),
        lambda registry: registry.rollback(MODEL),
    ],
    ids=["promote", "rollback"],
)
@pytest.mark.parametrize("code", ["TransactionConflict", "ConditionalCheckFailed"])
def test_f5_a_change_that_is_cancelled_names_the_present_revision_and_writes_nothing(
    store: DynamoStore, wire: Wire, change: Callable[[Registry], object], code: str
) -> None:
    registry = Registry(store, clock=lambda: datetime(2030, 1, 2, tzinfo=UTC), actor="ada")
    for digit in "12":
        registry.register(candidate(digit))
    for number in (1, 2):
        registry.promote(MODEL, ByNumber(number))
    before = copy_model(store, MODEL)
    # When DynamoDB cancels a change because of others, as often as it is asked
    wire.script(WRITE, [error("TransactionCanceledException", reasons=["None", code])] * 8)
    with pytest.raises(ConflictError, match=r"nothing was written.* revision 4\.") as conflict:
        change(registry)
    assert (conflict.value.status, conflict.value.exit_code) == (409, 4)
    assert copy_model(store, MODEL) == before
    # Then it goes once they are done
    wire.script(WRITE, [])
    change(registry)
    assert registry.alias(MODEL, "production").revision == 3


# ---- Bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, reset, cut], ids=["429", "500", "rst", "cut"])
def test_f2_the_third_bad_answer_is_the_last(
    store: DynamoStore, wire: Wire, clock: Clock, fault: Step, times: int
) -> None:
    wire.script("GetItem", [fault] * times)
    if times < 3:
        assert store.read([A]) == [None]
    else:
        with pytest.raises(RegistryUnavailableError) as refusal:
            store.read([A])
        assert refusal.value.status == 503
        assert refusal.value.retry_after
    assert wire.count("GetItem") == min(times + 1, 3)
    assert clock.now < 0.7


@pytest.mark.parametrize("fault", [THROTTLED, FULL], ids=["request", "transaction"])
def test_f2_the_third_throttled_write_is_the_last_and_nothing_is_written(
    store: DynamoStore, wire: Wire, clock: Clock, fault: Step
) -> None:
    wire.script(WRITE, [fault] * 3)
    with pytest.raises(RegistryUnavailableError, match="throttled") as refusal:
        store.transact(NEW)
    assert refusal.value.status == 503
    assert (wire.count(WRITE), len(set(wire.tokens()))) == (3, 1)
    assert clock.now < 0.7
    assert store.read([A, B]) == [None, None]
    # And it is written once there is room
    store.transact(NEW)
    assert store.read([A, B]) == [write.item for write in NEW]


def test_a_snapshot_is_read_again_when_others_write(store: DynamoStore, wire: Wire) -> None:
    wire.script("TransactGetItems", [CROWDED] * 3)
    assert store.read([A, B]) == [None, None]
    wire.script("TransactGetItems", [CROWDED] * 20)
    with pytest.raises(RegistryUnavailableError, match="consistent"):
        store.read([A, B])


def test_f3_what_hangs_is_left_in_time_and_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_aws(monkeypatch)
    with Wire() as wire:
        wire.script("GetItem", [hang] * 3)
        store = DynamoStore(Table("maas-registry", region=REGION, endpoint=wire.address))
        before = _own_threads()
        began = time.monotonic()
        with pytest.raises(RegistryUnavailableError, match="within its bounds") as refusal:
            store.read([A])
        assert 2 * READ_TIMEOUT < time.monotonic() - began < BOUND + TOLERANCE
        assert refusal.value.status == 503
        # On a machine that is busy the third attempt would begin too late
        assert wire.count("GetItem") in {2, 3}
        assert _own_threads() == before
        store.close()


@pytest.mark.parametrize("kind", [Kind.UNCLEAR, Kind.UNSENT, Kind.THROTTLED, Kind.CROWDED])
@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, READ_TIMEOUT, CONNECT_TIMEOUT + READ_TIMEOUT])
def test_f3_all_attempts_together_end_within_seven_seconds(
    clock: Clock, seconds: float, kind: Kind
) -> None:
    made = 0

    def attempt() -> None:
        nonlocal made
        made += 1
        clock.sleep(seconds)  # no attempt takes longer than the last of these
        raise FaultError(Fault(kind, "Timeout"))

    with pytest.raises(FaultError):
        clock.attempts().make(attempt)
    assert clock.now <= BOUND == 7.0
    # And one that connects at once and then is mute has all of its three attempts
    assert made >= 3 or seconds > READ_TIMEOUT


def _own_threads() -> set[str]:
    names = {thread.name for thread in threading.enumerate()}
    return {name for name in names if "process_request_thread" not in name}


def test_no_attempt_begins_late(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    set_aws(monkeypatch)
    with Wire() as wire:

        def slow(exchange: object) -> None:
            clock.sleep(3.0)
            CROWDED(exchange)  # type: ignore[arg-type]

        wire.script("TransactGetItems", [slow] * 9)
        table = Table("t-t", region=REGION, endpoint=wire.address, attempts=clock.attempts())
        store = DynamoStore(table)
        with pytest.raises(RegistryUnavailableError):
            store.read([A, B])
        store.close()
        assert wire.count("TransactGetItems") == 2
        assert clock.now < BOUND + 0.2  # this server is slower than an attempt may be


def test_nobody_there_is_known_at_once_and_nothing_was_sent(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aws(monkeypatch)
    with Wire() as wire:
        address = wire.address
    store = DynamoStore(
        Table("maas-registry", region=REGION, endpoint=address, attempts=clock.attempts())
    )
    with pytest.raises(RegistryUnavailableError, match="cannot be reached") as refusal:
        store.transact(NEW)
    assert "not known" not in str(refusal.value)


# ---- What is wrong for good ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("ResourceNotFoundException", "maas registry init"),
        ("AccessDeniedException", "Grant"),
        ("UnrecognizedClientException", "AWS_ACCESS_KEY_ID"),
        ("InvalidSignatureException", "clock"),
        ("ExpiredTokenException", "expired"),
        ("ValidationException", "not a registry's table"),
        ("SomethingNewException", "SomethingNewException"),
    ],
)
def test_a_wrong_table_is_told_with_its_remedy_and_nothing_secret(
    store: DynamoStore, wire: Wire, code: str, remedy: str
) -> None:
    wire.script("GetItem", [error(code)] * 3)
    with pytest.raises(SettingsError, match=remedy) as refusal:
        store.read([A])
    assert (refusal.value.status, refusal.value.exit_code) == (503, 2)
    assert wire.count("GetItem") == 1
    assert "arn:" not in str(refusal.value)
    assert "ada" not in str(refusal.value)


def test_what_another_server_says_is_no_empty_registry(store: DynamoStore, wire: Wire) -> None:
    portal = answer(Answer(200, b"{}", content_type="text/html"))
    wire.script("GetItem", [portal] * 3)
    with pytest.raises(RegistryUnavailableError):
        store.read([A])
    wire.script("GetItem", [answer(Answer(200, b"{}", content_type=JSON)), forward])
    assert store.read([A]) == [None]


def test_an_item_of_somebody_else_is_refused(store: DynamoStore, wire: Wire) -> None:
    foreign = b'{"Item": {"pk": {"S": "MODEL#a"}, "sk": {"S": "META"}, "body": {"S": "{}"}}}'
    wire.script("GetItem", [answer(Answer(200, foreign))])
    with pytest.raises(SettingsError, match="did not write"):
        store.read([A])


def test_every_value_is_bound(store: DynamoStore, wire: Wire) -> None:
    # Given values that would mean something inside an expression (S26)
    hostile: dict[str, object] = {"text": "x) OR attribute_exists(pk) :pk #n"}
    store.transact([Write(Item(A, 1, hostile), None)])
    store.transact([Write(Item(A, 2, hostile), 1)])
    store.query("MODEL#a OR 1", "META", limit=1)
    store.list_index("MODEL) OR (1", limit=1)
    said = {
        str(value)
        for asked in wire.asked
        for request in (asked.body, *_puts(asked.body))
        for name, value in request.items()
        if name.endswith("Expression")
    }
    assert said == {
        "attribute_not_exists(pk)",
        "revision = :expected",
        "pk = :pk AND begins_with(sk, :prefix)",
        "listed = :index AND place > :after",
    }


def _puts(body: dict[str, object]) -> list[dict[str, object]]:
    items = body.get("TransactItems", [])
    assert isinstance(items, list)
    return [item["Put"] for item in items]
