"""The way to DynamoDB: forks, profiles, and what is told of every fault."""

import os
from multiprocessing import get_context
from pathlib import Path

import pytest
from support.dynamo import REGION, empty_table, set_aws
from support.wire import Wire, reset

from maas.errors import (
    ConflictError,
    MaasError,
    RegistryMisconfiguredError,
    RegistryUnavailableError,
)
from maas.registry.dynamo import Table
from maas.registry.dynamo_faults import Fault, Kind, error_of, fault_of_answer
from maas.registry.dynamo_store import DynamoStore
from maas.registry.store import Item, Key, Write

FORK = get_context("fork")
A = Key("MODEL#a", "META")


# ---- Faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (["None", "ConditionalCheckFailed"], Kind.CONDITION),
        (["TransactionConflict", "ConditionalCheckFailed"], Kind.CONDITION),
        (["ThrottlingError", "TransactionConflict"], Kind.CROWDED),
        (["ProvisionedThroughputExceeded", "None"], Kind.THROTTLED),
        (["ValidationError", "None"], Kind.REFUSED),
        ([], Kind.REFUSED),
    ],
)
def test_a_cancelled_transaction_means_the_worst_of_its_reasons(
    reasons: list[str], kind: Kind
) -> None:
    assert fault_of_answer("TransactionCanceledException", 400, reasons).kind is kind


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, Kind.THROTTLED),
        ("Anything", 429, Kind.THROTTLED),
        ("InternalServerError", 500, Kind.UNCLEAR),
        ("", 503, Kind.UNCLEAR),
        ("TransactionInProgressException", 400, Kind.RUNNING),
        ("IdempotentParameterMismatchException", 400, Kind.BROKEN),
        ("AccessDeniedException", 400, Kind.REFUSED),
    ],
)
def test_an_answer_means(code: str, status: int, kind: Kind) -> None:
    assert fault_of_answer(code, status).kind is kind


@pytest.mark.parametrize(
    ("kind", "writing", "unclear", "wanted"),
    [
        (Kind.CONDITION, True, False, ConflictError),
        (Kind.CONDITION, True, True, ConflictError),
        (Kind.CROWDED, True, False, ConflictError),
        (Kind.CROWDED, True, True, RegistryUnavailableError),
        (Kind.CROWDED, False, False, RegistryUnavailableError),
        (Kind.RUNNING, True, True, RegistryUnavailableError),
        (Kind.THROTTLED, True, False, RegistryUnavailableError),
        (Kind.UNSENT, True, False, RegistryUnavailableError),
        (Kind.UNCLEAR, False, True, RegistryUnavailableError),
        (Kind.REFUSED, False, False, RegistryMisconfiguredError),
        (Kind.BROKEN, True, False, MaasError),
    ],
)
def test_doubt_is_told_and_nothing_else_is_doubted(
    kind: Kind, wanted: type[MaasError], *, writing: bool, unclear: bool
) -> None:
    error = error_of(Fault(kind, "Code"), table="t", writing=writing, unclear=unclear)
    assert type(error) is wanted
    # What was not written is not in doubt, and what is in doubt is not called unwritten
    doubted = writing and unclear and kind is not Kind.CONDITION
    assert ("not known whether" in str(error)) == doubted
    assert ("nothing was written" in str(error)) == isinstance(error, ConflictError)


# ---- Forks --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_uses_no_connection_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a store with a connection that is open and idle
    store = DynamoStore(empty_table(monkeypatch))
    keys = [Key("MODEL#a", f"N#{n}") for n in range(4)]
    store.transact([Write(Item(key, 1, {"n": key.sk}), None) for key in keys])
    start = FORK.Barrier(len(keys))

    def misread(key: Key) -> int:
        """How many answers were to somebody else's question, or did not come."""
        start.wait(20)
        wrong = 0
        for _ in range(40):
            try:
                wrong += store.read([key]) != [Item(key, 1, {"n": key.sk})]
            except MaasError:
                wrong += 1
        return wrong

    def work(key: Key) -> None:
        wrong = misread(key)
        store.close()
        os._exit(min(wrong, 100))

    # When it reads together with children that were forked meanwhile
    children = [FORK.Process(target=work, args=(key,)) for key in keys[1:]]
    for child in children:
        child.start()
    mine = misread(keys[0])
    for child in children:
        child.join(60)
    # Then everybody has had the answers to their own questions
    assert (mine, [child.exitcode for child in children]) == (0, [0, 0, 0])


# ---- Settings of AWS ----------------------------------------------------------------------------


def test_a_profile_brings_credentials_but_no_other_place_and_no_other_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aws(monkeypatch)
    with Wire() as elsewhere, Wire() as here:
        # Given a profile that sends DynamoDB somewhere else and asks ten times
        (tmp_path / "config").write_text(
            f"[default]\nendpoint_url = {elsewhere.address}\nmax_attempts = 10\n"
            "retry_mode = legacy\nregion = us-east-1\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB")
        here.script("GetItem", [reset] * 9)
        store = DynamoStore(Table("maas-registry", region=REGION, endpoint=here.address))
        with pytest.raises(RegistryUnavailableError):
            store.read([A])
        store.close()
        assert (here.count("GetItem"), elsewhere.asked) == (3, [])
        assert f"/{REGION}/dynamodb" in here.asked[0].headers["authorization"]
        # Then, where no endpoint is set, it is AWS's own
        aws = Table("maas-registry", region=REGION)
        assert "amazonaws.com" in aws.attempt(lambda client: client.meta.endpoint_url)
        aws.close()


@pytest.mark.parametrize(
    ("taken", "given", "remedy"),
    [
        ("AWS_ACCESS_KEY_ID", {}, "AWS_ACCESS_KEY_ID"),
        ("AWS_SECRET_ACCESS_KEY", {}, "incomplete"),
        ("AWS_REGION", {}, "AWS_REGION"),
        ("AWS_REGION", {"AWS_PROFILE": "nobody"}, "AWS_PROFILE"),
    ],
)
def test_what_is_missing_is_named(
    taken: str, given: dict[str, str], remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aws(monkeypatch)
    monkeypatch.delenv(taken)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    region = REGION if taken != "AWS_REGION" else ""
    with Wire() as wire:
        store = DynamoStore(Table("maas-registry", region=region, endpoint=wire.address))
        with pytest.raises(RegistryMisconfiguredError, match=remedy):
            store.read([A])
        assert wire.asked == []


def test_an_endpoint_that_is_no_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    set_aws(monkeypatch)
    with pytest.raises(RegistryMisconfiguredError, match="AWS_ENDPOINT_URL_DYNAMODB"):
        DynamoStore(Table("maas-registry", region=REGION, endpoint="nowhere")).read([A])
