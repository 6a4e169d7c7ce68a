"""Elements of tensors as JSON and as bytes, both ways, as Triton's client has them."""

import base64
import json
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support.effort import examples
from tritonclient.utils import (
    deserialize_bytes_tensor,
    np_to_triton_dtype,
    serialize_byte_tensor,
    triton_to_np_dtype,
)

from maas.errors import FieldError
from maas.http.problems import dump_json
from maas.http.protocols.oip_data import (
    DTYPES,
    datatype_of,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)
from maas.limits import LIMITS
from maas.tasks.tensors import strings

if TYPE_CHECKING:
    from maas.http.protocols.oip_wire import Datatype
    from maas.tasks.tensors import Array

INTEGERS: "list[Datatype]" = [name for name in DTYPES if "INT" in name]
FLOATS: "list[Datatype]" = ["FP16", "FP32", "FP64"]
NUMBERS: "list[Datatype]" = ["BOOL", *INTEGERS, *FLOATS]
TEXTS = ["", "\0", "a\0", "héllo", "\U0001f600", "中文", "a\nb", '"\\', "x" * 1_000]


def extremes(datatype: "Datatype") -> "Array":
    """The least and the largest that there are, and what lies about zero."""
    dtype = np.dtype(DTYPES[datatype])
    if datatype == "BOOL":
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([info.min, info.max, 0, 1], dtype)
    about = np.finfo(dtype)
    return np.array(
        [about.min, about.max, about.tiny, about.smallest_subnormal, -0.0, 1 / 3], dtype
    )


def same(found: "Array", wanted: "Array") -> None:
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert found.tobytes() == wanted.tobytes()


def by_json(array: "Array", datatype: "Datatype", value: object = None) -> "Array":
    """What is read of an array that was sent as JSON."""
    said = json.loads(dump_json(to_json(array) if value is None else value))
    return from_json(said, datatype, array.shape, field="x")


def by_bytes(array: "Array", datatype: "Datatype") -> "Array":
    return from_bytes(to_bytes(array), datatype, array.shape, field="x")


def too_large(datatype: "Datatype", shape: list[int]) -> None:
    with pytest.raises(FieldError, match="too large"):
        from_json([], datatype, shape, field="x")
    with pytest.raises(FieldError, match="too large"):
        from_bytes(b"", datatype, shape, field="x")


# ---- Numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("datatype", NUMBERS)
def test_the_extremes_go_through_json_and_bytes(datatype: "Datatype") -> None:
    array = extremes(datatype)
    assert datatype_of(array) == datatype == np_to_triton_dtype(array.dtype)
    same(by_json(array, datatype), array)
    same(by_bytes(array, datatype), array)
    assert to_bytes(array) == array.tobytes()  # which is what Triton's client sends
    assert np.dtype(DTYPES[datatype]) == np.dtype(triton_to_np_dtype(datatype))


@settings(max_examples=examples(150, 5_000))
@given(st.data())
def test_any_array_comes_back_as_it_was(data: st.DataObject) -> None:
    datatype = data.draw(st.sampled_from(NUMBERS))
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
    array = data.draw(arrays.arrays(DTYPES[datatype], shape))
    same(by_bytes(array, datatype), array)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return
    same(by_json(array, datatype), array)
    same(by_json(array, datatype, array.tolist()), array)


def test_bytes_may_say_what_json_may_not() -> None:
    for datatype in FLOATS:
        array = np.array([np.nan, np.inf, -np.inf], DTYPES[datatype])
        same(by_bytes(array, datatype), array)


def test_numbers_are_little_endian_whatever_an_array_is() -> None:
    array = np.array([1, 258], dtype=">i4")
    assert to_bytes(array) == b"\1\0\0\0\2\1\0\0"
    assert to_bytes(np.arange(6, dtype=np.int8).reshape(2, 3).T) == bytes([0, 3, 1, 4, 2, 5])


@pytest.mark.parametrize("datatype", [*NUMBERS, "BYTES"])
@pytest.mark.parametrize("shape", [[0], [0, 3], [3, 0], [2, 0, 2**40], [0, 2**40, 2**40]])
def test_nothing_has_its_shape_too(datatype: "Datatype", shape: list[int]) -> None:
    if math.prod(size for size in shape if size) > 2**40:
        too_large(datatype, shape)
        return
    for array in (
        from_json([], datatype, shape, field="x"),
        from_bytes(b"", datatype, shape, field="x"),
    ):
        assert array.shape == tuple(shape)
        assert datatype_of(array) == datatype
        assert to_bytes(array) == b""
        assert to_json(array) == []


@pytest.mark.parametrize(
    ("datatype", "value"), [("INT64", 7), ("FP32", 0.5), ("BOOL", True), ("BYTES", "a")]
)
def test_a_scalar_may_come_without_its_list(datatype: "Datatype", value: object) -> None:
    for said in (value, [value]):
        array = from_json(said, datatype, [], field="x")
        assert array.shape == ()
        assert to_json(array) == ([value] if datatype != "BYTES" else ["a"])
        same(from_bytes(to_bytes(array), datatype, [], field="x"), array)


def test_whole_numbers_are_floats_where_floats_are_wanted() -> None:
    for datatype in FLOATS:
        array = from_json([1, 0.5, -2], datatype, [3], field="x")
        assert to_json(array) == [1.0, 0.5, -2.0]


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]),
        ([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], [2, 2, 2]),
        ([[1, 2, 3, 4], [5, 6, 7, 8]], [2, 4]),
        ([[[[[[[[1, 2, 3, 4, 5, 6, 7, 8]]]]]]]], [1] * 7 + [8]),
    ],
)
def test_elements_may_be_nested_or_flat(value: Any, shape: list[int]) -> None:  # noqa: ANN401
    array = from_json(value, "INT32", shape, field="x")
    same(array, np.arange(1, 9, dtype=np.int32).reshape(shape))


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ([[1, 2], [3, 4]], [4]),  # flat is said and nested is sent
        ([[1, 2, 3, 4]], [2, 2]),
        ([[1], [2, 3, 4]], [2, 2]),
        ([[1, 2], 3], [2, 2]),
        ([1, [2, 3]], [2, 2]),
        ([[[1], [2]], [[3], [4]]], [2, 2]),
        ([[1, 2], [3, 4]], [2, 2, 1]),
        ([1, 2, 3], [2, 2]),
        ([1, 2, 3, 4, 5], [2, 2]),
        ([], [1]),
        ([], []),
        ([1], [0]),
        ([[]], [1]),
        (1, [2]),
        ({}, [1]),
        ({"0": 1}, [1]),
        ("1", [1]),
        (None, [1]),
        ([None], [1]),
        ([[5]], []),
    ],
)
def test_elements_that_are_not_as_the_shape_says(value: object, shape: list[int]) -> None:
    with pytest.raises(FieldError) as refused:
        from_json(value, "INT64", shape, field="inputs[0].data")
    assert refused.value.field == "inputs[0].data"


@pytest.mark.parametrize("datatype", INTEGERS)
def test_a_number_beyond_its_datatype_is_refused(datatype: "Datatype") -> None:
    info = np.iinfo(DTYPES[datatype])
    for value in (int(info.max) + 1, int(info.min) - 1):
        for elements in ([value], [0, value], [value, info.max]):
            with pytest.raises(FieldError, match=f"beyond {datatype}"):
                from_json([*map(int, elements)], datatype, [len(elements)], field="x")


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        *(("FP16", value) for value in (65_520, -65_520.0, 70_000, 10**19, 1e300)),
        *(("FP32", value) for value in (3.5e38, -1e300, 1e39)),
    ],
)
def test_a_float_beyond_its_datatype_is_refused(datatype: "Datatype", value: float) -> None:
    with pytest.raises(FieldError, match=f"beyond {datatype}"):
        from_json([1.0, value], datatype, [2], field="x")


NO_WHOLE: tuple[object, ...] = (1.0, True, "1", None, {})
NO_FLOAT: tuple[object, ...] = (True, "1", None, [])
NO_FLAG: tuple[object, ...] = (0, 1, 1.0, "true", None)
NO_TEXT: tuple[object, ...] = (0, 1.0, True, None, {}, [1])
WRONG: "list[tuple[Datatype, object, str]]" = [
    *((name, value, "whole numbers") for name in INTEGERS for value in NO_WHOLE),
    *((name, value, "numbers") for name in FLOATS for value in NO_FLOAT),
    *(("BOOL", value, "true and false") for value in NO_FLAG),
    *(("BYTES", value, "texts") for value in NO_TEXT),
]


@pytest.mark.parametrize(("datatype", "value", "said"), WRONG)
def test_an_element_of_another_kind_is_refused(
    datatype: "Datatype", value: object, said: str
) -> None:
    good = from_json([], datatype, [0], field="x")
    assert good.size == 0
    with pytest.raises(FieldError, match=f"must be {said}|nested as the shape"):
        from_json([value], datatype, [1], field="x")


@pytest.mark.parametrize("datatype", NUMBERS)
@pytest.mark.parametrize("more", [-1, 1, 8, 1_000])
def test_bytes_that_are_not_as_many_as_the_shape_says(datatype: "Datatype", more: int) -> None:
    data = to_bytes(extremes(datatype))
    shape = extremes(datatype).shape
    changed = data[:more] if more < 0 else data + bytes(more)
    with pytest.raises(FieldError, match=rf"must be {len(data)} bytes of {datatype} .* is \d+"):
        from_bytes(changed, datatype, shape, field="x")


@pytest.mark.parametrize("byte", [2, 127, 255])
def test_a_bool_is_one_of_two_bytes(byte: int) -> None:
    with pytest.raises(FieldError, match="neither 0 nor 1"):
        from_bytes(bytes([0, 1, byte]), "BOOL", [3], field="x")


@pytest.mark.parametrize(
    "shape", [[2**40, 2], [2**20] * 3, [2**40] * 8, [2**32, 2**32], [2**40, 0, 2**40]]
)
@pytest.mark.parametrize("datatype", ["INT8", "FP64", "BYTES", "BOOL"])
def test_a_product_that_no_machine_holds_is_refused(datatype: "Datatype", shape: list[int]) -> None:
    too_large(datatype, shape)


def test_many_are_asked_for_and_none_is_sent() -> None:
    for datatype in ("INT8", "BYTES"):
        with pytest.raises(FieldError, match=str(2**40)):
            from_json([], datatype, [2**40], field="x")
    with pytest.raises(FieldError, match=str(2**40)):
        from_bytes(b"", "INT8", [2**40], field="x")
    with pytest.raises(FieldError, match=f"at most {LIMITS.tensor_values} elements"):
        from_bytes(b"", "BYTES", [2**40], field="x")


# ---- Texts and bytes ----------------------------------------------------------------------------


def triton_bytes(elements: list[bytes]) -> bytes:
    """What Triton's client sends of these."""
    array = strings(elements, (len(elements),))
    packed: bytes = serialize_byte_tensor(array).item()
    return packed


def test_texts_go_through_json_and_bytes_as_tritons_client_has_them() -> None:
    sent = from_json(TEXTS, "BYTES", [3, 3], field="x")
    encoded = [text.encode() for text in TEXTS]
    assert sent.dtype == np.object_
    assert sent.ravel().tolist() == encoded
    assert to_json(sent) == TEXTS
    assert to_bytes(sent) == triton_bytes(encoded)
    assert deserialize_bytes_tensor(to_bytes(sent)).tolist() == encoded
    back = from_bytes(triton_bytes(encoded), "BYTES", [3, 3], field="x")
    assert back.tolist() == sent.tolist()


@settings(max_examples=examples(100, 3_000))
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=12))
def test_any_bytes_come_back_as_they_were(elements: list[bytes]) -> None:
    array = strings(elements, (len(elements),))
    assert to_bytes(array) == triton_bytes(elements)
    assert from_bytes(to_bytes(array), "BYTES", array.shape, field="x").tolist() == elements
    coded = [base64.b64encode(each).decode() for each in elements]
    read = from_json(coded, "BYTES", array.shape, field="x", encoded=True)
    assert read.tolist() == elements


@settings(max_examples=examples(100, 3_000))
@given(st.lists(st.text(max_size=20), min_size=1, max_size=8))
def test_any_texts_come_back_as_they_were(elements: list[str]) -> None:
    array = from_json(elements, "BYTES", [len(elements)], field="x")
    assert json.loads(dump_json(to_json(array))) == elements
    assert to_bytes(strings(elements, array.shape)) == to_bytes(array)


@pytest.mark.parametrize("coded", ["a", "YQ", "YQ==\n", "Y Q==", "é", "YQ=a", "=", "data:,YQ=="])
def test_what_is_no_base64_is_refused(coded: str) -> None:
    with pytest.raises(FieldError, match="not base64"):
        from_json(["YQ==", coded], "BYTES", [2], field="x", encoded=True)


def test_half_of_a_surrogate_pair_is_refused() -> None:
    for encoded in (False, True):
        with pytest.raises(FieldError, match="surrogate"):
            from_json(["a", "\ud800"], "BYTES", [2], field="x", encoded=encoded)


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"", 1),
        (b"\0\0\0", 1),
        (b"\0\0\0\0", 0),
        (b"\0\0\0\0", 2),
        (b"\1\0\0\0", 1),
        (b"\1\0\0\0a", 2),
        (b"\1\0\0\0ab", 1),
        (b"\1\0\0\0a\1", 2),
        (b"\1\0\0\0a\1", 1),
        (b"\xff\xff\xff\xffa", 1),
        (struct.pack("<I", 2**31) + b"a" * 10, 1),
        (b"\0\0\0\1a", 1),  # big-endian
    ],
)
def test_bytes_whose_lengths_are_not_theirs_are_refused(data: bytes, count: int) -> None:
    with pytest.raises(FieldError, match=f"must be {count} elements of BYTES"):
        from_bytes(data, "BYTES", [count], field="x")


def test_what_is_no_text_is_answered_as_nearly_as_json_can() -> None:
    assert to_json(strings([b"a\xff", "b"], (2,))) == ["a\ufffd", "b"]
