"""Bad fields by every door: families 3, 7, 8, 9, 10, 13 and 25 (trust.md 7).

P4, P5: JSON that can be read and is not acceptable is 422 and names its field; nothing of its
values is repeated, and a good request by the same process follows.
"""

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import examples
from support.hostile import GOOD, Doors, open_doors
from support.tiny import make_home

from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    with open_doors(make_home(tmp_path_factory.mktemp("home"))) as doors:
        yield doors


def is_text(value: object) -> bool:
    """Whether it is a text that may be classified, as the promise says it."""
    if not isinstance(value, str) or not value.strip() or len(value) > LIMITS.text_characters:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def is_inputs(value: object) -> bool:
    if isinstance(value, list):
        return 1 <= len(value) <= LIMITS.texts and all(map(is_text, value))
    return is_text(value)


@settings(max_examples=examples(80, 3_000))
@given(JSON_VALUES)
def test_p4_families_3_7_8_any_json_as_the_body(doors: Doors, value: Any) -> None:  # noqa: ANN401
    if not (isinstance(value, dict) and is_inputs(value.get("inputs"))):
        doors.refuse(value, 422, None)


@settings(max_examples=examples(80, 3_000))
@given(JSON_VALUES)
def test_p4_family_8_any_json_as_the_inputs(doors: Doors, value: Any) -> None:  # noqa: ANN401
    if is_inputs(value):
        doors.accept({"inputs": value})
    else:
        doors.refuse({"inputs": value}, 422, None)


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"input": "a"}, {"Inputs": "a"}, {"inputs ": "a"}, {"in\u200bputs": "a"}),
        *({"text": "a"}, {"instances": ["a"]}, {"parameters": {}}, {"inputs": None}),
        *({"inputs": 7}, {"inputs": 7.5}, {"inputs": True}, {"inputs": {"text": "a"}}),
    ],
    ids=str,
)
def test_p4_family_8_keys_missing_and_types_wrong(doors: Doors, body: object) -> None:
    doors.refuse(body, 422, "invalid_field", "inputs")


@pytest.mark.parametrize("value", [None, 1, 1.5, True, {}, ["b"], []], ids=str)
def test_p4_family_8_a_text_of_many_that_is_none(doors: Doors, value: object) -> None:
    doors.refuse({"inputs": ["a", value, "b"]}, 422, "invalid_field", "inputs[1]")


# ---- Family 7 -----------------------------------------------------------------------------------

STRANGE = [
    *("__class__", "__proto__", "constructor", "prototype", "__init__", "$ref", "@type"),
    *("version", "model_path", "providers", "stage", "top-k", "topK", "", " ", "é", "\x00"),
    *("a`b", "` - at `$.x", "k" * 65, "k" * 10_000, "..", "../../etc/passwd"),
]


@pytest.mark.parametrize("key", STRANGE, ids=lambda key: ascii(key[:20]))
@pytest.mark.parametrize("value", [1, {"__class__": "x"}], ids=str)
def test_p4_family_7_unknown_keys_in_parameters(doors: Doors, key: str, value: object) -> None:
    answer = doors.refuse(GOOD | {"parameters": {key: value}}, 422)
    assert answer.json["code"] == "invalid_field"
    assert answer.json["field"].startswith("parameters.")
    assert len(answer.json["field"]) <= 80


@pytest.mark.parametrize("key", STRANGE, ids=lambda key: ascii(key[:20]))
def test_family_7_unknown_keys_at_the_root_change_nothing(doors: Doors, key: str) -> None:
    """Clients send some; none of them has an effect (S4)."""
    assert doors.accept(GOOD | {key: {"version": 2}}).body == doors.accept(GOOD).body


@settings(max_examples=examples(60, 2_000))
@given(st.text(max_size=70).filter(lambda key: key not in ("top_k", "function_to_apply")))
def test_p4_family_7_any_unknown_key(doors: Doors, key: str) -> None:
    doors.refuse(GOOD | {"parameters": {key: 1}}, 422, None)


# ---- Families 9 and 10 --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 100, 10_000])
def test_p3_family_9_so_many_texts(doors: Doors, count: int) -> None:
    if 1 <= count <= LIMITS.texts:
        assert len(doors.accept({"inputs": ["a"] * count}).json) == count
    else:
        answer = doors.refuse({"inputs": ["a"] * count}, 422, "invalid_field", "inputs")
        assert f"1 to 32 texts, got {count}" in answer.json["error"]


@settings(max_examples=examples(20, 300))
@given(st.integers(LIMITS.texts + 1, 15_000))
def test_p3_family_9_any_number_of_texts(doors: Doors, count: int) -> None:
    doors.refuse({"inputs": ["a"] * count}, 422, "invalid_field", "inputs")


@pytest.mark.parametrize("text", ["", " ", "\t\n\r\f\v", "\u00a0\u2003\u3000", "\x1c\x1d", "\x85"])
def test_p4_family_10_an_empty_text(doors: Doors, text: str) -> None:
    doors.refuse({"inputs": text}, 422, "invalid_field", "inputs")
    doors.refuse({"inputs": ["a", text]}, 422, "invalid_field", "inputs[1]")


@settings(max_examples=examples(30, 500))
@given(st.text(st.characters(categories=("Zs", "Zl", "Zp")), min_size=1, max_size=40))
def test_p4_family_10_any_white_space(doors: Doors, text: str) -> None:
    doors.refuse({"inputs": text}, 422, "invalid_field", "inputs")


@pytest.mark.parametrize(
    ("texts", "status"),
    [
        *((("a" * 19_999,), 200), (("a" * 20_000,), 200), (("a" * 20_001,), 422)),
        *((("é" * 20_000,), 200), (("\U0001f600" * 20_000,), 200), (("\U0001f600" * 20_001,), 422)),
        *((("a" * 20_000,) * 5, 200), ((*("a" * 20_000,) * 5, "a"), 422)),
        *((("a" * 3_125,) * 32, 200), ((*("a" * 3_125,) * 31, "a" * 3_126), 422)),
        (("a" * 5_000_000,), 413),
    ],
    ids=lambda value: str(value)[:24],
)
def test_p3_family_10_characters_at_their_limits(
    doors: Doors, texts: tuple[str, ...], status: int
) -> None:
    body = {"inputs": texts[0] if len(texts) == 1 else list(texts)}
    if status == 200:
        doors.accept(body)
    else:
        doors.refuse(body, status)


# ---- Family 13 ----------------------------------------------------------------------------------

HALVES = [
    "\ud800",
    "\udfff",
    "a\udc00b",
    "\udc00\ud800",
    "\ud83d" + "a" + "\ude00",
    "a" * 99 + "\udbff",
]


@pytest.mark.parametrize("text", HALVES, ids=ascii)
def test_p4_family_13_half_a_character_anywhere(doors: Doors, text: str) -> None:
    doors.refuse({"inputs": text}, 422, "invalid_field", "inputs")
    doors.refuse({"inputs": ["a", text]}, 422, "invalid_field", "inputs[1]")
    for body in (
        GOOD | {text: 1},
        GOOD | {"parameters": {text: 1}},
        GOOD | {"parameters": {"function_to_apply": text}},
        GOOD | {"parameters": {"top_k": text}},
        {text: text},
    ):
        doors.refuse(body, 422)


@settings(max_examples=examples(30, 1_000))
@given(
    st.text(max_size=8),
    st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3),
    st.text(max_size=8),
)
def test_p4_family_13_any_half(doors: Doors, before: str, half: str, after: str) -> None:
    text = json.loads(json.dumps(before + half + after))  # two halves that meet are a character
    if not is_text(text):
        doors.refuse({"inputs": text}, 422, "invalid_field", "inputs")


# ---- Family 25 ----------------------------------------------------------------------------------


NO_COUNTS: list[object] = [0, -1, 1_001, 10**9, 10**19, 1.5, 1.0, "2", True, [], {}]
NO_FUNCTIONS: list[object] = ["Softmax", "", "relu", 1, True, [], {}, "softmax\x00"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("top_k", value) for value in NO_COUNTS),
        *(("function_to_apply", value) for value in NO_FUNCTIONS),
    ],
    ids=str,
)
def test_p4_family_25_options(doors: Doors, option: str, value: object) -> None:
    field = f"parameters.{option}"
    doors.refuse(GOOD | {"parameters": {option: value}}, 422, "invalid_field", field)


@pytest.mark.parametrize("value", [True, "true", 1, None, "longest_first"], ids=str)
@pytest.mark.parametrize("option", ["truncate", "truncation", "return_all_scores"])
def test_p4_family_25_options_that_we_do_not_have(doors: Doors, option: str, value: object) -> None:
    field = f"parameters.{option}"
    doors.refuse(GOOD | {"parameters": {option: value}}, 422, "invalid_field", field)


@settings(max_examples=examples(60, 2_000))
@given(st.sampled_from(["top_k", "function_to_apply"]), JSON_VALUES)
def test_p4_family_25_any_value_of_an_option(doors: Doors, option: str, value: Any) -> None:  # noqa: ANN401
    body = GOOD | {"parameters": {option: value}}
    known = value is None or (
        type(value) is int and 1 <= value <= LIMITS.labels
        if option == "top_k"
        else value in ("softmax", "sigmoid", "none")
    )
    if known:
        doors.accept(body)
    else:
        doors.refuse(body, 422)


@pytest.mark.parametrize("value", [[], "x", 1, True, 1.5, [{}]], ids=str)
def test_p4_family_25_parameters_that_are_no_object(doors: Doors, value: object) -> None:
    doors.refuse(GOOD | {"parameters": value}, 422, "invalid_field", "parameters")
