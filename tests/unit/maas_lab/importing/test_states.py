"""States: told from names, types and shapes, and from nothing else."""

import pytest

from maas.registry.records import TensorSpec
from maas_lab.importing.states import state_pairs


def specs(*names: str, dtype: str = "float32", last: int | str = 2) -> list[TensorSpec]:
    return [TensorSpec(name, dtype, ("batch", last)) for name in names]


@pytest.mark.parametrize(
    ("inputs", "outputs", "pairs"),
    [
        ("input state sr", "output stateN", {"state": "stateN"}),
        ("x h0 c0", "y hn cn", {"h0": "hn", "c0": "cn"}),
        ("input h c", "probs hn cn", {"h": "hn", "c": "cn"}),
        ("x hidden", "y new_hidden", {"hidden": "new_hidden"}),
        ("x cache_in", "y cache_out", {"cache_in": "cache_out"}),
        ("x prev_state", "y nextState", {"prev_state": "nextState"}),
        ("x s_0 s_1", "y s_0_out s_1_out", {"s_0": "s_0_out", "s_1": "s_1_out"}),
        (
            "input_ids past_key_values.0.key past_key_values.1.value",
            "logits present.0.key present.1.value",
            {
                "past_key_values.0.key": "present.0.key",
                "past_key_values.1.value": "present.1.value",
            },
        ),
        ("input", "output", {}),
        ("x", "y", {}),
        ("ids mask", "scores", {}),
    ],
)
def test_names_that_say_the_same_are_pairs(
    inputs: str, outputs: str, pairs: dict[str, str]
) -> None:
    assert state_pairs(specs(*inputs.split()), specs(*outputs.split())) == pairs


@pytest.mark.parametrize(
    ("outputs", "paired"),
    [
        (specs("stateN"), True),
        (specs("stateN", last="width"), True),
        (specs("stateN", last=3), False),
        (specs("stateN", dtype="float64"), False),
        ([TensorSpec("stateN", "float32", ("batch",))], False),
    ],
)
def test_only_what_can_be_sent_back_is_a_state(outputs: list[TensorSpec], paired: bool) -> None:
    assert state_pairs(specs("state"), outputs) == ({"state": "stateN"} if paired else {})
