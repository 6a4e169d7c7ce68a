"""Values on which ONNX Runtime ends a process: a request of them is answered, and so is the next.

In processes of their own, which INT32's least number by -1 would end by SIGFPE, and an empty batch
for an LSTM by SIGABRT.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto
from support.doors import rest_event
from support.foreign_graphs import graph_of, node, saved
from support.function import run_function
from support.laptop import Laptop

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

LEAST = -(2**31)
NUMBERS = (TensorProto.INT32, ["n"])


def served(folder: "Path", model: "onnx.ModelProto", name: str) -> dict[str, str]:
    """Import a graph and promote it; gives a function's variables."""
    laptop = Laptop(folder / "laptop")
    laptop.ok("import", str(saved(folder, model, name)))
    laptop.ok("register")
    laptop.ok("promote", f"{name}@1")
    return {**laptop.environment, "MAAS_MODEL": name}


def dividing(**numbers: list[int]) -> dict[str, Any]:
    inputs = [
        {"name": name, "shape": [len(data)], "datatype": "INT32", "data": data}
        for name, data in numbers.items()
    ]
    return rest_event(path="/v2/models/divided/infer", body={"inputs": inputs})


@pytest.mark.parametrize("constant", [False, True], ids=["input", "constant"])
def test_the_least_number_by_minus_one_is_answered_and_so_is_the_next_request(
    tmp_path: "Path", *, constant: bool
) -> None:
    # Given an imported graph that divides, by what a request says or by what it says itself
    nodes = [node("Div", ["a", "b"], ["quotient"]), node("Mod", ["a", "b"], ["rest"])]
    inputs = {"a": NUMBERS} if constant else {"a": NUMBERS, "b": NUMBERS}
    minus: dict[str, Any] = {"b": np.array([-1], "int32")} if constant else {}
    model = graph_of(nodes, inputs, {"quotient": NUMBERS, "rest": NUMBERS}, **minus)
    environ = served(tmp_path, model, "divided")

    # When its function is asked for what has no quotient, and then for what has one
    further = [[], []] if constant else [[-1], [-1]]
    events = [
        dividing(a=[number], **({"b": by} if by else {}))
        for number, by in zip((LEAST, 9), further, strict=True)
    ]
    ended = run_function("inference", environ, *events, cwd=tmp_path)

    # Then both are answered, and the process ends because there is nothing more to do
    assert ended.returncode == 0
    assert ended.statuses() == [200, 200]
    found = [json.loads(answer["body"])["outputs"] for answer in ended.answers]
    answers = [{each["name"]: each["data"] for each in outputs} for outputs in found]
    assert answers == [{"quotient": [LEAST], "rest": [0]}, {"quotient": [-9], "rest": [0]}]


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_an_empty_batch_is_refused_and_the_next_request_is_answered(
    tmp_path: "Path", operator: str, gates: int
) -> None:
    # Given an imported graph that reads sequences
    model = graph_of(
        [node(operator, ["x", "w", "r"], ["", "h"], hidden_size=2)],
        {"x": (TensorProto.FLOAT, ["sequence", "batch", 3])},
        {"h": (TensorProto.FLOAT, [1, "batch", 2])},
        w=np.ones((1, 2 * gates, 3), np.float32),
        r=np.ones((1, 2 * gates, 2), np.float32),
    )
    environ = served(tmp_path, model, "reading")

    # When its function is asked about no sequence, and then about one
    def asking(batch: int) -> dict[str, Any]:
        shape, data = [2, batch, 3], [0.5] * 6 * batch
        sent = {"name": "x", "shape": shape, "datatype": "FP32", "data": data}
        return rest_event(path="/v2/models/reading/infer", body={"inputs": [sent]})

    ended = run_function("inference", environ, asking(0), asking(1), cwd=tmp_path)

    # Then the first is the caller's fault, and the process lives
    assert ended.returncode == 0
    assert ended.statuses() == [422, 200]
