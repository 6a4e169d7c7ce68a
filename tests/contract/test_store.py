"""What every `Store` promises, whichever table it stands for."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from maas.errors import ConflictError, MaasError, RefusedError
from maas.registry.store import (
    ITEM_BYTES,
    KEYS_MAX,
    TRANSACTION_BYTES,
    Item,
    Key,
    Page,
    Store,
    Write,
)

A = Key("MODEL#a", "META")


def put(store: Store, *keys: Key, index: str | None = None) -> None:
    """Put new items at revision 1, in as few transactions as may be."""
    writes = [Write(Item(key, 1, {"key": key.sk}, index), None) for key in keys]
    for start in range(0, len(writes), KEYS_MAX):
        store.transact(writes[start : start + KEYS_MAX])


def places(items: Iterable[Item | None]) -> list[str | None]:
    return [item.key.sk if item else None for item in items]


# ---- Reading ------------------------------------------------------------------------------------


def test_an_empty_store_holds_nothing(store: Store) -> None:
    assert store.read([A]) == [None]
    assert store.query("MODEL#a", "META", limit=10) == Page((), more=False)
    assert store.list_index("MODEL", limit=10) == Page((), more=False)


def test_what_was_written_is_read_back_as_json_reads_it(store: Store) -> None:
    body: dict[str, object] = {
        "text": "naïve – 模型 \x00 \U0001f600",
        "numbers": [0, -1, 2**53, 0.1, 1e-300],
        "nested": {"empty": {}, "none": None, "true": True},
    }
    item = Item(A, 7, body, "MODEL")
    store.transact([Write(item, None)])
    assert store.read([A]) == [item]


def test_a_read_answers_in_the_order_of_its_keys(store: Store) -> None:
    keys = [Key("MODEL#a", sk) for sk in ("C", "A", "B")]
    put(store, *keys)
    asked = [keys[2], Key("MODEL#b", "A"), keys[0], keys[1], keys[2]]
    assert places(store.read(asked)) == ["B", None, "C", "A", "B"]


def test_a_read_of_the_most_keys(store: Store) -> None:
    keys = [Key("MODEL#a", f"N#{n:03}") for n in range(KEYS_MAX)]
    put(store, *keys)
    assert places(store.read(keys)) == [key.sk for key in keys]


def test_a_read_sees_one_moment(store: Store) -> None:
    # Given two items that every transaction moves on together
    pair = [Key("MODEL#a", "LEFT"), Key("MODEL#a", "RIGHT")]
    put(store, *pair)
    rounds = 60

    def write() -> None:
        for now in range(1, rounds):
            store.transact([Write(Item(key, now + 1, {}), now) for key in pair])

    # When others read both of them all the while
    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append([item.revision for item in store.read(pair) if item])
    writer.join()
    # Then no reader ever sees one of them moved and the other not
    assert all(left == right for left, right in seen)
    assert [item.revision for item in store.read(pair) if item] == [rounds, rounds]


# ---- Conditions ---------------------------------------------------------------------------------


def test_a_new_item_must_be_absent(store: Store) -> None:
    put(store, A)
    with pytest.raises(ConflictError):
        store.transact([Write(Item(A, 1, {"other": 1}), None)])
    assert store.read([A]) == [Item(A, 1, {"key": "META"})]


@pytest.mark.parametrize("expected", [1, 3])
def test_a_replaced_item_must_be_at_its_revision(store: Store, expected: int) -> None:
    put(store, A)
    store.transact([Write(Item(A, 2, {"n": 2}), 1)])
    with pytest.raises(ConflictError):
        store.transact([Write(Item(A, 9, {"n": 9}), expected)])
    assert store.read([A]) == [Item(A, 2, {"n": 2})]


def test_an_absent_item_is_at_no_revision(store: Store) -> None:
    for expected in (0, 1):
        with pytest.raises(ConflictError):
            store.transact([Write(Item(A, 2, {}), expected)])
    assert store.read([A]) == [None]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_one_failed_condition_undoes_all(store: Store, failing: int) -> None:
    # Given one item that is there, and a transaction that wants it absent
    keys = [Key("MODEL#a", sk) for sk in ("A", "B", "C")]
    put(store, keys[failing])
    before = store.read(keys)
    with pytest.raises(ConflictError):
        store.transact([Write(Item(key, 1, {"new": 1}), None) for key in keys])
    # Then its neighbours, before and behind it, are as they were
    assert store.read(keys) == before


def test_after_a_conflict_the_store_goes_on(store: Store) -> None:
    put(store, A)
    with pytest.raises(ConflictError):
        put(store, A)
    store.transact([Write(Item(A, 2, {}), 1)])
    assert store.read([A]) == [Item(A, 2, {})]


def test_of_many_writers_one_wins_each_revision(store: Store) -> None:
    put(store, A)
    wins: list[int] = []

    def climb(_: int) -> None:
        for _ in range(10):
            (item,) = store.read([A])
            assert item is not None
            try:
                store.transact([Write(Item(A, item.revision + 1, {}), item.revision)])
            except ConflictError:
                continue
            wins.append(item.revision + 1)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(climb, range(16)))
    # Then the revisions that were won are 2, 3, 4 …, none twice and none left out
    (item,) = store.read([A])
    assert item is not None
    assert sorted(wins) == list(range(2, item.revision + 1))
    assert wins


# ---- Queries ------------------------------------------------------------------------------------


def test_a_query_takes_one_partition_and_one_prefix(store: Store) -> None:
    wanted = [Key("MODEL#a", "EVENT#1"), Key("MODEL#a", "EVENT#2")]
    others = [
        Key("MODEL#a", "EVEN"),
        Key("MODEL#a", "EVENTS"),
        Key("MODEL#a", "EVENT"),
        Key("MODEL#a", "META"),
        Key("MODEL#a-b", "EVENT#3"),
        Key("MODEL#b", "EVENT#4"),
    ]
    put(store, *others, *wanted)
    page = store.query("MODEL#a", "EVENT#", limit=10)
    assert places(page.items) == ["EVENT#1", "EVENT#2"]
    assert not page.more


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_pages_are_complete_and_without_repeats(
    store: Store, limit: int, *, newest_first: bool
) -> None:
    keys = [Key("MODEL#a", f"N#{n:02}") for n in range(7)]
    put(store, Key("MODEL#a", "M#0"), Key("MODEL#a", "O#0"), *keys)
    seen: list[Key] = []
    more = True
    while more:
        after = seen[-1] if seen else None
        page = store.query("MODEL#a", "N#", limit=limit, newest_first=newest_first, after=after)
        seen += [item.key for item in page.items]
        more = page.more
        assert len(page.items) == min(limit, 7) or not more
    assert seen == (keys[::-1] if newest_first else keys)


def test_a_page_begins_behind_a_key_that_is_not_there(store: Store) -> None:
    put(store, *(Key("MODEL#a", f"N#{n}") for n in (1, 3, 5)))
    gap = Key("MODEL#a", "N#4")
    up = store.query("MODEL#a", "N#", limit=5, after=gap)
    down = store.query("MODEL#a", "N#", limit=5, after=gap, newest_first=True)
    assert (places(up.items), places(down.items)) == (["N#5"], ["N#3", "N#1"])


def test_a_prefix_may_be_the_whole_key(store: Store) -> None:
    put(store, A, Key("MODEL#a", "METAL"))
    assert places(store.query("MODEL#a", "META", limit=1).items) == ["META"]


# ---- The index ----------------------------------------------------------------------------------


def test_the_index_lists_what_carries_it_in_order(store: Store) -> None:
    put(store, *(Key(f"MODEL#{name}", "META") for name in ("c", "a-b", "b", "a")), index="MODEL")
    put(store, Key("MODEL#a", "POLICY"), Key("MODEL#d", "META"))
    put(store, Key("MODEL#e", "META"), index="OTHER")
    seen: list[Key] = []
    more = True
    while more:
        page = store.list_index("MODEL", limit=2, after=seen[-1] if seen else None)
        seen += [item.key for item in page.items]
        more = page.more
    assert [key.pk for key in seen] == ["MODEL#a", "MODEL#a-b", "MODEL#b", "MODEL#c"]


def test_the_index_goes_on_behind_a_key_that_is_not_there(store: Store) -> None:
    keys = [Key(f"MODEL#{name}", "META") for name in ("a", "a-b", "c")]
    put(store, *keys, index="MODEL")
    page = store.list_index("MODEL", limit=5, after=Key("MODEL#a-a", "META"))
    assert ([item.key for item in page.items], page.more) == (keys[1:], False)
    assert store.list_index("MODEL", limit=2, after=Key("MODEL#Z", "META")).more


def test_an_item_leaves_the_index_when_it_no_longer_carries_it(store: Store) -> None:
    put(store, A, index="MODEL")
    store.transact([Write(Item(A, 2, {}, None), 1)])
    assert store.list_index("MODEL", limit=5).items == ()
    store.transact([Write(Item(A, 3, {}, "OTHER"), 2)])
    assert store.list_index("OTHER", limit=5).items == (Item(A, 3, {}, "OTHER"),)


# ---- Bounds -------------------------------------------------------------------------------------


def test_the_largest_body_fits_and_a_larger_one_is_refused(store: Store) -> None:
    frame = len('{"text":""}')
    largest = Item(A, 1, {"text": "x" * (ITEM_BYTES - frame)})
    store.transact([Write(largest, None)])
    assert store.read([A]) == [largest]
    # Given one byte more, nothing of the transaction is written
    other = Key("MODEL#a", "OTHER")
    too_large = Item(A, 2, {"text": "x" * (ITEM_BYTES - frame + 1)})
    with pytest.raises(RefusedError, match="is the most"):
        store.transact([Write(Item(other, 1, {}), None), Write(too_large, 1)])
    assert store.read([A, other]) == [largest, None]


def test_several_large_bodies_in_one_transaction(store: Store) -> None:
    items = [Item(Key("MODEL#a", f"N#{n}"), 1, {"text": "x" * 250_000}) for n in range(5)]
    store.transact([Write(item, None) for item in items])
    assert store.query("MODEL#a", "N#", limit=9).items == tuple(items)


def test_the_largest_transaction_fits_and_a_larger_one_is_refused(store: Store) -> None:
    # Given bodies that are mostly quotes, which grow the most on their way
    frame = len('{"text":""}')
    text = '"' * ((ITEM_BYTES - frame) // 2)
    fitting = TRANSACTION_BYTES // (ITEM_BYTES + 150)
    items = [Item(Key("MODEL#a", f"N#{n:02}"), 1, {"text": text}) for n in range(fitting + 1)]
    with pytest.raises(RefusedError, match=str(TRANSACTION_BYTES)):
        store.transact([Write(item, None) for item in items])
    assert store.query("MODEL#a", "N#", limit=1).items == ()
    store.transact([Write(item, None) for item in items[:-1]])
    # Then one page is all of them, however many answers of a megabyte it takes
    page = store.query("MODEL#a", "N#", limit=fitting)
    assert (page.items, page.more) == (tuple(items[:-1]), False)
    assert store.query("MODEL#a", "N#", limit=fitting - 1).more
    assert store.read([item.key for item in items[:-1]]) == items[:-1]


@pytest.mark.parametrize(
    "items",
    [
        [],
        [Item(Key("MODEL#a", f"N#{n}"), 1, {}) for n in range(KEYS_MAX + 1)],
        [Item(A, 1, {}), Item(A, 2, {})],
        [Item(Key("MODEL#a", ""), 1, {})],
        [Item(Key("MODEL a", "META"), 1, {})],
        [Item(Key("MODEL#a", "META\n"), 1, {})],
        [Item(A, 1, {"nan": float("nan")})],
        [Item(A, 1, {"set": {1}})],
    ],
    ids=["none", "too-many", "twice", "no-key", "space", "line-feed", "nan", "not-json"],
)
def test_a_transaction_that_no_store_could_take_is_refused(store: Store, items: list[Item]) -> None:
    with pytest.raises(MaasError):
        store.transact([Write(item, None) for item in items])
    assert store.list_index("MODEL", limit=5).items == ()
    assert store.query("MODEL#a", "N#", limit=5).items == ()
    assert store.read([A]) == [None]


def test_a_closed_store_opens_again(store: Store) -> None:
    put(store, A)
    store.close()
    store.close()
    assert store.read([A]) == [Item(A, 1, {"key": "META"})]
