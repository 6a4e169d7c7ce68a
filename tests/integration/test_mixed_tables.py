"""Tables of texts and numbers, some cells missing: what is served is what the original says."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from huggingface_hub import InferenceClient
from support.mixed_tables import MIXED, MixedTable, fit_mixed, histogram_of_numbers
from support.task_bundles import TaskBundle, TaskHome, serving
from support.tiny import register_bundle

from maas.assembly import build_registry
from maas.loading import load_version
from maas.registry.addresses import ByNumber
from maas.settings import Settings
from maas.tasks.table import TableClassifier, TableRequest
from maas_lab.examples import example_of
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes

if TYPE_CHECKING:
    from maas.bundle.verify import Bundle

READING_GAPS = {
    **{"filled": ("age",), "lightgbmgaps": ("a", "b", "c", "d")},
    **{"xgboostgaps": ("a", "b", "c", "d"), "histogramgaps": ("a", "b", "c", "d")},
    **{"neighboursgaps": ("a", "b", "c", "d")},
}


class Served:
    """All of them behind one server.

    Attributes:
        fitted: The originals, by name.
        bundles: What was made of them, by name.
        url: The server's.
    """

    def __init__(self, folder: Path) -> None:
        self.fitted: dict[str, MixedTable] = {}
        self.bundles: dict[str, Bundle] = {}
        self.url = ""
        self.settings = Settings.parse({"MAAS_HOME": str(folder), "MAAS_ACTOR": "tests"})
        self.settings.bundles.mkdir(parents=True)
        with build_registry(self.settings) as registry:
            for name in MIXED:
                fitted = self.fitted[name] = fit_mixed(name)
                path = folder / f"{name}.onnx"
                path.write_bytes(fitted.graph)
                wishes = Wishes(task="tabular-classification", columns=fitted.columns)
                bundle = import_model(path, self.settings.bundles, wishes).made.bundle
                self.bundles[name] = bundle
                register_bundle(registry, TaskBundle(bundle.folder, bundle.digest, bundle.manifest))
                registry.promote(name, ByNumber(1))

    def refused(self, name: str, **changes: list[Any]) -> tuple[str, str]:
        """The field at fault, and why, for the model's own table with other columns."""
        answer = httpx.post(
            f"{self.url}/models/{name}", json={"table": self.fitted[name].table | changes}
        )
        assert answer.status_code == 422, answer.text
        return answer.json()["field"], answer.json()["error"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("mixed"))
    with serving(TaskHome(made.settings, {})) as url:
        made.url = url
        yield made


@pytest.mark.parametrize("name", MIXED)
def test_scores_are_those_of_the_original(served: Served, name: str) -> None:
    fitted = served.fitted[name]
    task = load_version(served.bundles[name], threads=1).task
    assert isinstance(task, TableClassifier)
    answer = task.predict(TableRequest(fitted.table), deadline=monotonic() + 10)
    labels = [str(label) for label in fitted.model.classes_]
    found = [{each.label: each.score for each in row} for row in answer.rows]
    wanted = fitted.model.predict_proba(fitted.rows)
    assert (
        np.abs(np.array([[row[label] for label in labels] for row in found]) - wanted).max() < 1e-5
    )


@pytest.mark.parametrize("name", MIXED)
def test_the_command_that_is_shown_is_answered(served: Served, name: str) -> None:
    example = example_of(served.url, name, served.bundles[name])
    assert example is not None
    _, url, _, header, _, body = shlex.split(example)
    assert header == "content-type: application/json"
    answer = httpx.post(url, json=json.loads(body))
    assert answer.status_code == 200, example
    assert len(answer.json()) == 1


@pytest.mark.parametrize("name", MIXED)
def test_labels_are_those_of_the_original(served: Served, name: str) -> None:
    fitted = served.fitted[name]
    url = f"{served.url}/models/{name}"
    wanted = [str(label) for label in fitted.model.predict(fitted.rows)]
    assert InferenceClient().tabular_classification(fitted.table, model=url) == wanted
    assert len(set(wanted)) > 1
    # And by MLflow's tables
    cells = list(zip(*fitted.table.values(), strict=True))
    frame = {"columns": list(fitted.table), "data": cells}
    answer = httpx.post(f"{url}/invocations", json={"dataframe_split": frame})
    assert answer.json() == {"predictions": wanted}


@pytest.mark.parametrize("name", MIXED)
def test_it_is_known_where_a_cell_may_be_missing(served: Served, name: str) -> None:
    wanted = READING_GAPS.get(name, ())
    assert served.bundles[name].manifest.missing == wanted
    # And whoever asks is told
    described = httpx.get(f"{served.url}/models/{name}").json()
    assert tuple(described.get("missing", ())) == wanted


def test_numbers_are_those_of_the_original_with_missing_cells(tmp_path: Path) -> None:
    fitted = histogram_of_numbers()
    path = tmp_path / "numbers.onnx"
    path.write_bytes(fitted.graph)
    bundle = import_model(path, tmp_path / "bundles", Wishes()).made.bundle
    rows = fitted.rows.astype(np.float32)
    assert np.isnan(rows).any()
    (spec,) = bundle.manifest.inputs
    task = load_version(bundle, threads=1).task
    outputs = task.tensors.infer({spec.name: rows}, deadline=monotonic() + 10).outputs
    (numbers,) = outputs.values()
    assert np.abs(np.asarray(numbers).ravel() - fitted.model.predict(rows)).max() < 1e-5


def test_csv_has_nothing_where_a_cell_is_missing(served: Served) -> None:
    fitted = served.fitted["lightgbmgaps"]
    lines = [",".join("" if c != c else str(c) for c in row) for row in fitted.rows.tolist()]  # noqa: PLR0124
    answer = httpx.post(
        f"{served.url}/models/lightgbmgaps/invocations",
        content="\n".join(lines),
        headers={"content-type": "text/csv"},
    )
    wanted = [str(label) for label in fitted.model.predict(fitted.rows)]
    assert answer.json() == {"predictions": wanted}


def test_a_category_that_was_not_fitted_is_the_originals(served: Served) -> None:
    for name in ("onehot", "ordinal"):
        fitted = served.fitted[name]
        rows = fitted.rows.copy()
        rows[:, 0] = "lima"
        table = MixedTable(fitted.model, b"", fitted.columns, rows).table
        url = f"{served.url}/models/{name}"
        answer = InferenceClient().tabular_classification(table, model=url)
        assert answer == [str(label) for label in fitted.model.predict(rows)]


def test_a_cell_that_may_not_be_missing_is_refused_with_the_remedy(served: Served) -> None:
    for gap in (None, ""):
        field, text = served.refused("onehot", age=[gap] + [0.5] * 39)
        assert field == "table.age"
        assert "misses a cell, which this model does not read; send a number" in text
    field, text = served.refused("onehot", city=[None] + ["rome"] * 39)
    assert field == "table.city"
    assert "send the text that stood for one" in text
    field, text = served.refused("onehot", rooms=[1.5] * 40)
    assert field == "table.rooms"
    assert "whole numbers" in text


def test_a_whole_number_may_be_written_as_a_float(served: Served) -> None:
    table = served.fitted["onehot"].table
    answers = [
        httpx.post(
            f"{served.url}/models/onehot", json={"table": table | {"rooms": list(map(kind, rooms))}}
        ).json()
        for rooms in [table["rooms"]]
        for kind in (int, float, str)
    ]
    assert answers[0] == answers[1] == answers[2]
