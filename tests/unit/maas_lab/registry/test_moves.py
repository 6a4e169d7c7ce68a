"""Copies of a registry: out of one store, into another, with nothing lost and nothing half done."""

import hashlib
import io
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.dynamo import empty_table
from support.registries import NOW

from maas.errors import ConflictError, MaasError, ModelNotFoundError, RefusedError
from maas.registry import layout
from maas.registry.addresses import ByNumber
from maas.registry.dynamo_store import DynamoStore
from maas.registry.records import Candidate, TensorSpec, Verification, encode
from maas.registry.registry import Registry
from maas.registry.rollout_plans import Plan
from maas.registry.rollout_records import Gate
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Item, Key, Page, Store, Write
from maas_lab.registry.checks import contradictions
from maas_lab.registry.copies import copy_model, items_of
from maas_lab.registry.moves import export_lines, import_file

FORK = get_context("fork")


def make_candidate(seed: int, *, model: str = "sentiment", labels: int = 2) -> Candidate:
    return Candidate(
        model=model,
        digest=f"sha256:{hashlib.sha256(str(seed).encode()).hexdigest()}",
        task="text-classification",
        inputs=(TensorSpec("input_ids", "int64", ("batch", "sequence")),),
        outputs=(TensorSpec("logits", "float32", ("batch", labels)),),
        verification=Verification(golden=8, max_difference=1e-6, seconds=1 / 3),
        labels=tuple(f"étiquette {n}" for n in range(labels)),
        metrics={"accuracy": 0.1 + 0.2, "tiny": 5e-324, "whole": 1.0},
        lineage={"recipe": "sentiment-lstm", "note": '"quoted" \\ \u2028 模型'},
    )


def fill(store: Store, *, versions: int = 3, model: str = "sentiment", labels: int = 2) -> None:
    """Versions, two aliases with a history, a deployment, and one that was removed."""
    registry = Registry(store, clock=lambda: NOW, actor="ada")
    for seed in range(1, versions + 1):
        registry.register(make_candidate(seed, model=model, labels=labels))
    registry.promote(model, ByNumber(1))
    registry.promote(model, ByNumber(versions), weight=10, reason="try it — müde")
    registry.rollback(model)
    registry.promote(model, ByNumber(1), alias="canary")
    registry.promote(model, ByNumber(2), alias="canary")
    digests = {number: registry.policy(model).digests[number] for number in (1, 2)}
    for target in ("maas-prod", "maas-old"):
        registry.record_deployment(
            model, target, function=f"{target}:live", function_version="7", digests=digests
        )
    registry.remove_deployment(model, "maas-old")
    if versions > 2:
        curate(registry, model)


def curate(registry: Registry, model: str) -> None:
    """One of each further kind of change: words, states, a shadow, a rollout."""
    third = ByNumber(3)
    registry.describe_model(model, "Reviews — gut oder schlecht")
    registry.describe_version(model, third, "longer texts")
    registry.tag(model, third, add=["good", "a.b"])
    failed = Verification(8, 0.5, 0.1, passed=False, problem="differs", where="function")
    registry.record_verification(model, third, failed, reason="nightly")
    registry.block(model, third, reason="wrong language")
    registry.unblock(model, third)
    registry.retire(model, third)
    registry.shadow(model, ByNumber(2), sample=500)
    gate = Gate(interval=600.0, max_error_rate=0.01, max_p99_ratio=1.5, min_requests=50)
    registry.begin_rollout(model, ByNumber(2), plan=Plan((10, 100), gate, "abc"), reason="try")


def exported(store: Store, *models: str) -> bytes:
    return b"".join(export_lines(store, models))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("filled") / "source.sqlite"
    store = SqliteStore(file)
    fill(store)
    fill(store, model="a-b", versions=2)
    fill(store, model="aa", versions=2)
    store.close()
    return file


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> Iterator[SqliteStore]:
    """Three models; a copy for each test."""
    store = SqliteStore(Path(shutil.copy(filled, tmp_path)))
    yield store
    store.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "target.sqlite")
    yield store
    store.close()


def load(store: Store, content: bytes) -> tuple[int, int]:
    outcome = import_file(store, io.BytesIO(content))
    return outcome.written, outcome.present


# ---- Nothing is lost ----------------------------------------------------------------------------


def test_from_a_file_to_a_table_and_back_gives_the_same_bytes(
    source: SqliteStore, target: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = exported(source)
    table = DynamoStore(empty_table(monkeypatch))
    written, present = load(table, first)
    assert (written, present) == (first.count(b"\n") - 2, 0)
    second = exported(table)
    load(target, second)
    assert first == second == exported(target)
    # Then both go on from there
    for store in (table, target):
        registry = Registry(store, clock=lambda: NOW, actor="bob")
        assert registry.register(make_candidate(99)).record.number == 4
        assert registry.promote("sentiment", ByNumber(2), weight=50).changed
        assert contradictions(copy_model(store, "sentiment")) == []


def test_some_models_are_taken_and_the_others_left(
    source: SqliteStore, target: SqliteStore
) -> None:
    load(target, exported(source, "sentiment", "a-b"))
    assert exported(target) == exported(source, "a-b", "sentiment")
    with pytest.raises(ModelNotFoundError):
        exported(source, "unknown")


def test_an_empty_registry_is_an_export_too(target: SqliteStore) -> None:
    assert load(target, exported(target)) == (0, 0)


def test_what_is_there_and_equal_stays(source: SqliteStore, target: SqliteStore) -> None:
    items = exported(source).count(b"\n") - 2
    assert load(target, exported(source)) == (items, 0)
    assert load(target, exported(source)) == (0, items)


# ---- One moment ---------------------------------------------------------------------------------


class Restless:
    """A store in which somebody changes a model whenever its history is read."""

    def __init__(self, store: Store, change: Callable[[], None], times: int) -> None:
        self._store = store
        self._change = change
        self._times = times
        self.read = store.read
        self.list_index = store.list_index
        self.transact = store.transact
        self.close = store.close

    def query(
        self,
        pk: str,
        prefix: str,
        *,
        limit: int,
        newest_first: bool = False,
        after: Key | None = None,
    ) -> Page:
        if prefix == layout.EVENT_PREFIX and self._times:
            self._times -= 1
            self._change()
        return self._store.query(pk, prefix, limit=limit, newest_first=newest_first, after=after)


@pytest.mark.parametrize("times", [1, 5])
def test_a_copy_is_of_one_moment(source: SqliteStore, times: int) -> None:
    registry = Registry(source, clock=lambda: NOW, actor="bob")
    restless = Restless(source, lambda: _rolled_back(registry), times)
    copy = copy_model(restless, "sentiment")
    assert contradictions(copy) == []
    assert copy == copy_model(source, "sentiment")


def test_a_model_that_never_rests_is_a_conflict(source: SqliteStore) -> None:
    registry = Registry(source, clock=lambda: NOW, actor="bob")
    restless = Restless(source, lambda: _rolled_back(registry), 10**6)
    with pytest.raises(ConflictError):
        copy_model(restless, "sentiment")


def _rolled_back(registry: Registry) -> None:
    registry.rollback("sentiment", alias="canary")


# ---- Refusals: nothing is written ---------------------------------------------------------------


def _changed(content: bytes, change: Callable[[list[bytes]], object]) -> bytes:
    lines = content.splitlines(keepends=True)
    change(lines)
    return b"".join(lines)


def _sealed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The export with something changed, and an end that agrees with it."""
    assert content.count(old) >= 1
    *lines, _ = content.replace(old, new, 1).splitlines(keepends=True)
    end = {
        "line": "end",
        "items": len(lines) - 1,
        "sha256": hashlib.sha256(b"".join(lines)).hexdigest(),
    }
    return b"".join([*lines, json.dumps(end).encode() + b"\n"])


CUTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "half": lambda content: content[: len(content) // 2],
    "no end": lambda content: _changed(content, lambda lines: lines.pop()),
    "a line less": lambda content: _changed(content, lambda lines: lines.pop(5)),
    "two lines swapped": lambda content: _changed(
        content, lambda lines: lines.insert(5, lines.pop(6))
    ),
    "no header": lambda content: _changed(content, lambda lines: lines.pop(0)),
    "something behind": lambda content: content + b"{}\n",
    "no last line feed": lambda content: content[:-1],
    "a byte changed": lambda content: content.replace(b"ada", b"eve", 1),
    "not text": lambda content: b"\xff\n" + content,
    "deep": lambda content: b"[" * 100_000 + b"\n" + content,
    "endless": lambda _: b" " * 400_000,
    "another format": lambda content: content.replace(b"registry-1", b"registry-2", 1),
}
FORGERIES: dict[str, tuple[bytes, bytes]] = {
    "models": (b'"models":3', b'"models":2'),
    "an unknown field": (b'"by":"ada"', b'"by":"ada","extra":1'),
    "a status": (b'"number":1,"status":"verified"', b'"number":1,"status":"trusted"'),
    "a weight": (b'"weight":10000', b'"weight":9999'),
    "a digest": (b"DIGEST#", b"DIGEST#0"),
    "a kind": (b"ALIAS#canary", b"ALIEN#canary"),
    "a revision": (b'"sk":"META","revision":10', b'"sk":"META","revision":9'),
    "a model": (b'"pk":"MODEL#a-b"', b'"pk":"MODEL#a-a"'),
    "an index": (b'"index":"MODEL"', b'"index":"OTHER"'),
    "a key": (b'"sk":"ALIAS#canary"', b'"sk":"ALIAS#can ary"'),
}


@pytest.mark.parametrize("cut", sorted(CUTS))
def test_what_is_no_whole_export_is_refused(
    source: SqliteStore, target: SqliteStore, cut: str
) -> None:
    with pytest.raises(RefusedError, match="Nothing was written"):
        load(target, CUTS[cut](exported(source)))
    assert exported(target) == exported(SqliteStore(Path("nowhere")))
    assert items_of(target, "a-b") == ()


def test_an_export_of_a_release_to_come_is_named(source: SqliteStore, target: SqliteStore) -> None:
    with pytest.raises(RefusedError, match="maas-registry-2 is newer than this release"):
        load(target, CUTS["another format"](exported(source)))


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_records_that_contradict_each_other_are_refused(
    source: SqliteStore, target: SqliteStore, forgery: str
) -> None:
    with pytest.raises(RefusedError, match="Nothing was written"):
        load(target, _sealed(exported(source), *FORGERIES[forgery]))
    assert [items_of(target, name) for name in ("a-b", "aa", "sentiment")] == [(), (), ()]


def test_another_model_of_the_same_name_is_refused_before_anything_is_written(
    source: SqliteStore, target: SqliteStore
) -> None:
    # Given a registry that has the last model of the file, with one version more
    fill(target)
    Registry(target, clock=lambda: NOW, actor="ada").register(make_candidate(77))
    before = exported(target)
    with pytest.raises(RefusedError, match="sentiment"):
        load(target, exported(source))
    assert exported(target) == before
    assert items_of(target, "a-b") == ()


# ---- Killed between chunks ----------------------------------------------------------------------


class Deadly:
    """A store that ends its process after some transactions."""

    def __init__(self, store: Store, left: int) -> None:
        self._store = store
        self._left = left
        self.read = store.read
        self.query = store.query
        self.list_index = store.list_index
        self.close = store.close

    def transact(self, writes: Sequence[Write]) -> None:
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
        self._store.transact(writes)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("kind", ["sqlite", "dynamodb"])
def test_an_import_that_was_killed_shows_nothing_and_is_run_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a model of so many records that they take four transactions
    source = SqliteStore(tmp_path / "large.sqlite")
    fill(source, versions=110)
    content = exported(source)
    items = content.count(b"\n") - 2
    assert 300 < items < 400
    store: Store = SqliteStore(tmp_path / "target.sqlite")
    if kind == "dynamodb":
        store = DynamoStore(empty_table(monkeypatch))
    # When the import is killed before each of its transactions, one after the other
    for left in (0, 1, 1, 1):
        child = FORK.Process(
            target=lambda left=left: import_file(Deadly(store, left), io.BytesIO(content))
        )
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        # Then the model is not there for anybody
        registry = Registry(store, clock=lambda: NOW, actor="ada")
        assert registry.models().records == ()
        with pytest.raises(ModelNotFoundError):
            registry.policy("sentiment")
        assert contradictions(copy_model(source, "sentiment")) == []
    # And run again it writes what is left
    written, present = load(store, content)
    assert (written, present) == (100, items - 100)
    assert exported(store) == content
    source.close()
    store.close()


def test_a_change_in_the_middle_of_an_import_is_a_conflict(
    source: SqliteStore, target: SqliteStore
) -> None:
    # Given somebody who registers the model while it is imported
    class Raced(Deadly):
        def transact(self, writes: Sequence[Write]) -> None:
            fill(target)
            super().transact(writes)

    with pytest.raises(ConflictError, match="again"):
        import_file(Raced(target, 9), io.BytesIO(exported(source, "sentiment")))


def test_large_records_go_in_transactions_that_the_stores_take(
    tmp_path: Path, target: SqliteStore
) -> None:
    source = SqliteStore(tmp_path / "large.sqlite")
    fill(source, versions=25, labels=10_000)  # 25 records of about 240 KB
    content = exported(source)
    assert len(content) > 5_000_000
    load(target, content)
    assert exported(target) == content
    source.close()


# ---- Contradictions -----------------------------------------------------------------------------


def _without(sk: str) -> Callable[[Item], Item | None]:
    return lambda item: None if item.key.sk == sk else item


def _with(sk: str, **fields: object) -> Callable[[Item], Item | None]:
    return lambda item: (
        Item(item.key, item.revision, item.body | fields, item.index) if item.key.sk == sk else item
    )


SPOILT: dict[str, tuple[Callable[[Item], Item | None], str]] = {
    "no policy": (_without("POLICY"), "POLICY is missing"),
    "a gap in history": (_without("EVENT#000000000003"), "without a gap"),
    "a version lost": (_without("VERSION#00000002"), "versions are not 1 to 3"),
    "a digest lost": (_without("DIGEST#" + make_candidate(2).digest[7:]), "DIGEST records"),
    "an alias lost": (_without("ALIAS#canary"), "routes otherwise"),
    "another revision": (_with("META", revision=9), "META is not where"),
    "another digest": (_with("POLICY", digests={"1": "sha256:" + "0" * 64}), "another digest"),
    "another route": (
        _with("ALIAS#production", routes=[{"version": 2, "weight": 10_000}]),
        "routes otherwise",
    ),
    "another past": (
        _with("EVENT#000000000008", after={"routes": []}),
        "the history of canary ends otherwise",
    ),
    "a deployment's digest": (
        _with("DEPLOYMENT#maas-prod", digests={"1": "sha256:" + "0" * 64}),
        "DEPLOYMENT maas-prod has another digest",
    ),
    "a deployment's lack": (
        _with("DEPLOYMENT#maas-prod", digests={}),
        "does not carry version 1",
    ),
    "a deployment's end": (
        _with("DEPLOYMENT#maas-prod", status="removed"),
        "history of DEPLOYMENT maas-prod ends otherwise",
    ),
    "an actor's tale": (_with("EVENT#000000000008", subject="nobody"), "history is not of"),
}


@pytest.mark.parametrize("spoilt", sorted(SPOILT))
def test_a_contradiction_is_found(source: SqliteStore, spoilt: str) -> None:
    spoil, said = SPOILT[spoilt]
    copy = copy_model(source, "sentiment")
    assert contradictions(copy) == []
    items = [spoil(item) for item in copy.items]
    found = contradictions(type(copy)(copy.name, tuple(filter(None, items))))
    assert any(said in each for each in found), found


def test_a_record_of_a_newer_release_is_not_guessed(source: SqliteStore) -> None:
    record = replace(Registry(source, clock=lambda: NOW, actor="ada").model("aa"), revision=11)
    body = encode(record) | {"schema": 2}
    source.transact([Write(Item(layout.model_key("aa"), 11, body, layout.MODELS), 10)])
    with pytest.raises(MaasError, match="Upgrade maas"):
        exported(source)
