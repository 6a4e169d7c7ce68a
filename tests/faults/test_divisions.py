"""A division that the processor refuses: a request of it is answered, and the next one, too.

In a process of its own, which INT32's least number by -1 would end by a signal.
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

LEAST = -(2**31)
NUMBERS = (TensorProto.INT32, ["n"])


def asking(**numbers: list[int]) -> dict[str, Any]:
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
    laptop = Laptop(tmp_path / "laptop")
    laptop.ok("import", str(saved(tmp_path, model, "divided")))
    laptop.ok("register")
    laptop.ok("promote", "divided@1")

    # When its function is asked for what has no quotient, and then for what has one
    further = [[], []] if constant else [[-1], [-1]]
    events = [
        asking(a=[number], **({"b": by} if by else {}))
        for number, by in zip((LEAST, 9), further, strict=True)
    ]
    environ = {**laptop.environment, "MAAS_MODEL": "divided"}
    ended = run_function("inference", environ, *events, cwd=tmp_path)

    # Then both are answered, and the process ends because there is nothing more to do
    assert ended.returncode == 0
    assert ended.statuses() == [200, 200]
    found = [json.loads(answer["body"])["outputs"] for answer in ended.answers]
    answers = [{each["name"]: each["data"] for each in outputs} for outputs in found]
    assert answers == [{"quotient": [LEAST], "rest": [0]}, {"quotient": [-9], "rest": [0]}]
