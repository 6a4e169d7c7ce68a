"""Rows of named columns: cells, columns and rows as they may be, and scores beside labels."""

from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from support.tiny_table import COLUMNS, LABELS, TABLE, TinyTable, make_table, table_graph

from maas.bundle.manifest import canonical_json, parse_manifest
from maas.bundle.verify import verify_bundle
from maas.engine.session import open_session
from maas.errors import BundleError, FieldError, ModelOutputError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.registry.records import TensorSpec
from maas.tasks.table import TableClassifier, TableRequest, TableResponse
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import TABLE as TASK
from maas_lab.importing.wishes import Wishes


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyTable:
    return make_table(tmp_path_factory.mktemp("bundles"), seed=1)


@pytest.fixture(scope="module")
def classifier(bundle: TinyTable) -> TableClassifier:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, TableClassifier)
    return task


def ask(classifier: TableClassifier, columns: dict[str, Any]) -> TableResponse:
    return classifier.predict(TableRequest(columns=columns), deadline=monotonic() + 10)


def test_the_best_label_of_each_row(bundle: TinyTable, classifier: TableClassifier) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 20, size=(50, len(COLUMNS))).round(3).tolist()
    columns = {name: [str(row[at]) for row in rows] for at, name in enumerate(COLUMNS)}
    answer = ask(classifier, columns)
    assert [row[0].label for row in answer.rows] == bundle.best(rows)
    for row in answer.rows:
        assert {each.label for each in row} == set(LABELS)
        assert sum(each.score for each in row) == pytest.approx(1, abs=1e-5)


def test_the_order_of_columns_and_how_numbers_are_written_change_nothing(
    classifier: TableClassifier,
) -> None:
    numbers = {name: [float(cell) for cell in TABLE[name]] for name in reversed(COLUMNS)}
    assert ask(classifier, numbers).rows == ask(classifier, TABLE).rows


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"age": None}, "table"),
        ({"cabin": ["C85", "B5"]}, "table"),
        ({"age": ["41"]}, "table"),
        ({name: [] for name in COLUMNS}, "table"),
        ({name: ["1"] * (LIMITS.table_rows + 1) for name in COLUMNS}, "table"),
        ({"age": ["41", "young"]}, "table.age"),
        ({"age": ["41", ""]}, "table.age"),
        ({"age": ["41", None]}, "table.age"),
        ({"age": ["41", "nan"]}, "table.age"),
        ({"fare": ["1", "1e39"]}, "table.fare"),
        ({"fare": ["1", "inf"]}, "table.fare"),
    ],
)
def test_a_table_that_is_not_the_models_is_refused(
    classifier: TableClassifier, change: dict[str, Any], field: str
) -> None:
    columns = {name: cells for name, cells in {**TABLE, **change}.items() if cells is not None}
    with pytest.raises(FieldError) as refused:
        ask(classifier, columns)
    assert refused.value.field == field
    assert "young" not in str(refused.value)


def test_as_many_rows_as_may_be(classifier: TableClassifier) -> None:
    columns = {name: [1] * LIMITS.table_rows for name in COLUMNS}
    assert len(ask(classifier, columns).rows) == LIMITS.table_rows


def test_what_no_float_can_hold_in_between_is_no_answer(tmp_path: Path) -> None:
    graph = tmp_path / "passengers.onnx"
    graph.write_bytes(table_graph(np.full((len(COLUMNS), len(LABELS)), 10, np.float32)))
    wishes = Wishes(task=TASK, labels=LABELS, columns=COLUMNS)
    made = import_model(graph, tmp_path / "bundles", wishes).made.bundle
    task = load_version(made, threads=1).task
    assert isinstance(task, TableClassifier)
    with pytest.raises(ModelOutputError):
        ask(task, {name: ["3e38"] for name in COLUMNS})


def test_a_row_without_an_answer_for_want_of_a_cell_is_the_callers(bundle: TinyTable) -> None:
    # Given a graph that makes no number of a gap, though its manifest says that it reads one
    verified = verify_bundle(bundle.folder)
    loaded = load_version(verified, threads=1)
    manifest = replace(verified.manifest, missing=("age",))
    session = open_session(bundle.folder / manifest.forms[0].graph, optimised=True, threads=1)
    task = TableClassifier(manifest, session)
    assert ask(task, TABLE).rows == ask(loaded.task, TABLE).rows  # type: ignore[arg-type]
    for gap in (None, ""):
        with pytest.raises(FieldError, match="without which there is no answer") as refused:
            ask(task, TABLE | {"age": ["41", gap]})
        assert refused.value.field == "table"


def test_it_is_asked_by_tensors_too(bundle: TinyTable, classifier: TableClassifier) -> None:
    cells = np.array([[41, 0, 7.25], [17, 2, 71.3]], dtype=np.float32)
    answer = classifier.tensors.infer({"cells": cells}, deadline=monotonic() + 10)
    labels = [LABELS[index] for index in answer.outputs["label"].tolist()]
    assert labels == bundle.best(cells.tolist())


@pytest.mark.parametrize("apart", [False, True])
def test_a_foreign_graph_becomes_one(tmp_path: Path, bundle: TinyTable, *, apart: bool) -> None:
    graph = tmp_path / "passengers.onnx"
    graph.write_bytes(table_graph(bundle.weights, apart=apart))
    wishes = Wishes(task=TASK, labels=LABELS, columns=COLUMNS)
    made = import_model(graph, tmp_path / "bundles", wishes).made.bundle
    task = load_version(made, threads=1).task
    assert isinstance(task, TableClassifier)
    answer = ask(task, TABLE)
    assert [row[0].label for row in answer.rows] == bundle.best([[41, 0, 7.25], [17, 2, 71.3]])


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"columns": ()}, "columns"),
        ({"columns": tuple(f"c{at}" for at in range(LIMITS.columns + 1))}, "columns"),
        ({"columns": ("age", "siblings")}, "columns"),
        ({"columns": ("age", "age", "fare")}, "columns"),
        ({"columns": ("age", "siblings", "fa\nre")}, "columns"),
        ({"labels": ()}, "labels"),
        ({"labels": ("a", "b", "c")}, "outputs"),
        ({"task": "tensor"}, "columns"),
        ({"task": "tensor", "columns": (), "missing": ("age",)}, "columns"),
        ({"missing": ("cabin",)}, "missing"),
        ({"missing": ("age",), "inputs": (TensorSpec("cells", "int64", ("rows", 3)),)}, "missing"),
        ({"inputs": (TensorSpec("cells", "float32", ("rows", 2)),)}, "columns"),
        ({"inputs": (TensorSpec("cells", "float32", ("rows",)),)}, "columns"),
        ({"inputs": (TensorSpec("cells", "float32", ("rows", "columns")),)}, "columns"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    bundle: TinyTable, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(BundleError) as refused:
        parse_manifest(canonical_json(replace(bundle.manifest, **changed)))
    assert refused.value.field == field
