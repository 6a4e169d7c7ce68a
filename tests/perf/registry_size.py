"""How long the registry takes when it is large: 10,000 versions of one model, 1,000 models.

python tests/perf/registry_size.py                    # SQLite, then DynamoDB Local
python tests/perf/registry_size.py sqlite --versions 1000 --models 100

Prints a JSON line for each kind of store: p50 and p99 in milliseconds of a page of 50 versions from
a random place, of a page of 50 models, of a promote and of a policy read. DynamoDB Local answers
from this machine, so its figures show that nothing grows, and not what AWS takes.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
from support.dynamo import fresh_table

from maas.registry.addresses import ByNumber
from maas.registry.dynamo_store import DynamoStore
from maas.registry.records import Candidate, TensorSpec, Verification
from maas.registry.registry import Registry
from maas.registry.sqlite import SqliteStore
from maas.registry.store import Store

ROUNDS = 100
PAGE = 50
WORKERS = 8


def candidate(model: str, seed: int) -> Candidate:
    return Candidate(
        model=model,
        digest=f"sha256:{seed:064x}",
        task="text-classification",
        inputs=(TensorSpec("input_ids", "int64", ("batch", "sequence")),),
        outputs=(TensorSpec("logits", "float32", ("batch", 2)),),
        verification=Verification(8, 1e-6, 0.25),
        labels=("negative", "positive"),
        metrics={"test_accuracy": 0.77},
        lineage={"recipe": "sentiment-lstm"},
    )


@contextmanager
def opened(kind: str) -> Iterator[Store]:
    """An empty store of a kind."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            store = SqliteStore(Path(folder) / "registry.sqlite")
            yield store
            store.close()
        return
    with pytest.MonkeyPatch.context() as patch, fresh_table(patch) as table:
        yield DynamoStore(table)


def fill(registry: Registry, versions: int, models: int) -> float:
    """Register everything; answers with the seconds that it took."""
    began = time.perf_counter()
    for seed in range(1, versions + 1):
        registry.register(candidate("large", seed))
    with ThreadPoolExecutor(WORKERS) as pool:
        names = [f"model-{number:04}" for number in range(models)]
        list(pool.map(lambda name: registry.register(candidate(name, 1)), names))
    return time.perf_counter() - began


def timed(act: Callable[[int], object]) -> dict[str, float]:
    """Milliseconds of many calls."""
    took = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        act(number)
        took.append(1_000 * (time.perf_counter() - began))
    quantiles = statistics.quantiles(took, n=100)
    return {"p50_ms": round(statistics.median(took), 2), "p99_ms": round(quantiles[98], 2)}


def measure(kind: str, versions: int, models: int) -> dict[str, object]:
    """All figures of one kind of store."""
    rng = random.Random(1)
    with opened(kind) as store:
        registry = Registry(store, clock=lambda: datetime.now(UTC), actor="perf")
        seconds = fill(registry, versions, models)
        registry.promote("large", ByNumber(1))
        places = [rng.randint(PAGE + 2, versions) for _ in range(ROUNDS)]
        names = [f"model-{rng.randrange(models):04}" for _ in range(ROUNDS)]
        return {
            "store": kind,
            "versions": versions,
            "models": models,
            "fill_seconds": round(seconds, 1),
            "versions_page": timed(
                lambda at: registry.versions("large", limit=PAGE, after=places[at])
            ),
            "models_page": timed(lambda at: registry.models(limit=PAGE, after=names[at])),
            "history_page": timed(
                lambda at: registry.history("large", limit=PAGE, after=places[at])
            ),
            "promote": timed(lambda at: registry.promote("large", ByNumber(places[at]))),
            "policy_read": timed(lambda _: registry.policy("large")),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=["sqlite", "dynamodb"])
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=1_000)
    asked = parser.parse_args()
    for kind in asked.kinds:
        sys.stdout.write(json.dumps(measure(kind, asked.versions, asked.models)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
