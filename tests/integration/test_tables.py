"""Models of scikit-learn, LightGBM and XGBoost, converted by their tools, imported and asked.

What is served is compared with the original: probabilities and predictions within 1e-5, through a
server, by Hugging Face's client and by the Open Inference Protocol.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from huggingface_hub import InferenceClient
from support.fitted_tables import CLASSIFIERS, COLUMNS, REGRESSORS, SEVERAL, FittedTable, fit
from support.laptop import Laptop
from support.task_bundles import TaskBundle, TaskHome, serving
from support.tiny import register_bundle

from maas.assembly import build_registry
from maas.registry.addresses import ByNumber
from maas.settings import Settings
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes

NO_PROBABILITIES = ("svc", "linearsvc", "ridge")


class Served:
    """All of them behind one server.

    Attributes:
        fitted: The originals, by name.
        url: The server's.
    """

    def __init__(self, folder: Path) -> None:
        self.fitted: dict[str, FittedTable] = {}
        self.url = ""
        self.settings = Settings.parse({"MAAS_HOME": str(folder), "MAAS_ACTOR": "tests"})
        self.settings.bundles.mkdir(parents=True)
        with build_registry(self.settings) as registry:
            for name in (*CLASSIFIERS, *REGRESSORS, *SEVERAL):
                self.fitted[name] = fit(name)
                path = folder / f"{name}.onnx"
                path.write_bytes(self.fitted[name].graph)
                bundle = import_model(path, self.settings.bundles, self._wishes(name)).made.bundle
                register_bundle(registry, TaskBundle(bundle.folder, bundle.digest, bundle.manifest))
                registry.promote(name, ByNumber(1))

    @staticmethod
    def _wishes(name: str) -> Wishes:
        if name in CLASSIFIERS:
            return Wishes(task="tabular-classification", columns=COLUMNS)
        return Wishes()

    def answer(self, name: str) -> "dict[str, npt.NDArray[np.float64]]":
        """What the model answers about its rows, by output, by the Open Inference Protocol."""
        described = httpx.get(f"{self.url}/v2/models/{name}").json()
        rows = self.fitted[name].rows
        sent = {
            "name": described["inputs"][-1]["name"],
            "shape": list(rows.shape),
            "datatype": "FP32",
            "data": rows.ravel().tolist(),
        }
        answer = httpx.post(f"{self.url}/v2/models/{name}/infer", json={"inputs": [sent]})
        assert answer.status_code == 200, answer.text
        outputs = [each for each in answer.json()["outputs"] if each["datatype"] == "FP32"]
        return {each["name"]: np.reshape(each["data"], each["shape"]) for each in outputs}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("tables"))
    with serving(TaskHome(made.settings, {})) as url:
        made.url = url
        yield made


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name not in NO_PROBABILITIES])
def test_probabilities_are_those_of_the_original(served: Served, name: str) -> None:
    (scores,) = served.answer(name).values()
    fitted = served.fitted[name]
    assert np.abs(scores - fitted.model.predict_proba(fitted.rows)).max() < 1e-5


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_are_those_of_the_original(served: Served, name: str) -> None:
    fitted = served.fitted[name]
    table = {column: fitted.rows[:, at].tolist() for at, column in enumerate(COLUMNS)}
    answer = InferenceClient().tabular_classification(table, model=f"{served.url}/models/{name}")
    wanted = [str(label) for label in fitted.model.predict(fitted.rows)]
    assert answer == wanted
    assert len(set(wanted)) > 1


@pytest.mark.parametrize("name", REGRESSORS)
def test_numbers_are_those_of_the_original(served: Served, name: str) -> None:
    (numbers,) = served.answer(name).values()
    fitted = served.fitted[name]
    wanted = fitted.model.predict(fitted.rows)
    assert np.abs(numbers.reshape(wanted.shape) - wanted).max() < 1e-5


def test_a_list_of_tensors_is_that_of_the_original(served: Served) -> None:
    # Given a model that tells two kinds of labels, whose probabilities are a list of two tensors
    fitted = served.fitted["several"]
    wanted = fitted.model.predict_proba(fitted.rows)
    # Then they are a list as a whole, and by row
    url, rows = f"{served.url}/v1/models/several:predict", fitted.rows.tolist()
    answer = httpx.post(url, json={"inputs": rows}).json()["outputs"]
    assert answer["label"] == fitted.model.predict(fitted.rows).tolist()
    for found, each in zip(answer["probabilities"], wanted, strict=True):
        assert np.abs(np.array(found) - each).max() < 1e-5
    answer = httpx.post(url, json={"instances": rows}).json()["predictions"]
    for at, row in enumerate(answer):
        for found, each in zip(row["probabilities"], wanted, strict=True):
            assert np.abs(np.array(found) - each[at]).max() < 1e-5
    # And tensors of their own by the Open Inference Protocol
    tensors = served.answer("several")
    assert list(tensors) == ["probabilities_0", "probabilities_1"]
    for found, each in zip(tensors.values(), wanted, strict=True):
        assert np.abs(found - each).max() < 1e-5


def test_a_category_that_was_not_fitted_is_the_callers_mistake(served: Served) -> None:
    table = {column: [1.0] for column in COLUMNS} | {"size": [99]}
    answer = httpx.post(f"{served.url}/models/encoded", json={"table": table})
    assert (answer.status_code, answer.json()["field"]) == (422, "table")
    # A mistake of one is none of the next
    table["size"] = [4]
    assert httpx.post(f"{served.url}/models/encoded", json={"table": table}).status_code == 200


def test_a_graph_without_a_zip_map_has_the_labels_of_its_trees(tmp_path: Path) -> None:
    # Given a converted forest, once with the map and once without
    laptop = Laptop(tmp_path / "laptop")
    columns = ("--columns", ",".join(COLUMNS))
    for name, options in (("mapped", {}), ("bare", {"zipmap": False})):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(fit("named", **options).graph)
        said = laptop.ok("import", str(path), "--task", "tabular-classification", *columns)
        # Then the labels are the graph's, in the order of its scores
        assert said["labels"] == ["high", "low", "middle"]
        assert said["optimised"]["kept"] is False  # type: ignore[index]
    # And as bare tensors it has them, too
    assert laptop.ok("import", str(tmp_path / "bare.onnx"))["labels"] == said["labels"]


@pytest.mark.parametrize("name", ["forest", "svc"])
def test_labels_that_are_given_are_names_of_the_graphs_own(tmp_path: Path, name: str) -> None:
    fitted = fit(name)
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(fitted.graph)
    wishes = Wishes(task="tabular-classification", columns=COLUMNS, labels=("below", "above"))
    done = import_model(path, tmp_path / "bundles", wishes)
    # Each recorded row has its best score where the original's label is
    assert not [note for note in done.fitted.notes if "another label" in note]
    turned = [note for note in done.fitted.notes if "turned round" in note]
    assert len(turned) == (name == "svc")
