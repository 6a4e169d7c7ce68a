"""`tritonclient.http`, unmodified, sync and asyncio: tensors of every datatype, both ways."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from support.task_bundles import home_with, serving
from support.tiny_echo import ALL, TEXTS, echo_feeds, make_echo
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from maas.bundle.dtypes import STRING


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(home_with(tmp_path_factory.mktemp("echo"), make_echo)) as address:
        yield address.removeprefix("http://")


@pytest.fixture
def client(url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(url) as client:
        yield client


def inputs(*, binary: bool) -> list[triton.InferInput]:
    """All of them; the client has no JSON for FP16, so that always goes as bytes."""
    tensors = []
    for name, array in echo_feeds().items():
        datatype = np_to_triton_dtype(array.dtype)
        tensor = triton.InferInput(name, [*array.shape], datatype)
        tensor.set_data_from_numpy(array, binary_data=binary or datatype == "FP16")
        tensors.append(tensor)
    return tensors


def outputs(*, binary: bool) -> list[triton.InferRequestedOutput]:
    return [
        triton.InferRequestedOutput(f"{dtype}_out", binary_data=binary or dtype == "float16")
        for dtype in ALL
    ]


def check(answer: triton.InferResult, *, binary: bool) -> None:
    for name, array in echo_feeds().items():
        found = answer.as_numpy(name.replace("_in", "_out"))
        if array.dtype == np.object_:
            assert [each if binary else each.encode() for each in found] == [*TEXTS]
            continue
        assert (found.dtype, found.shape) == (array.dtype, array.shape), name
        assert found.tobytes() == array.tobytes(), name


@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_every_datatype_goes_there_and_back(
    client: triton.InferenceServerClient, packed: str | None, *, binary_in: bool, binary_out: bool
) -> None:
    answer = client.infer(
        "echo",
        inputs(binary=binary_in),
        outputs=outputs(binary=binary_out),
        request_compression_algorithm=packed,
        response_compression_algorithm=packed,
    )
    check(answer, binary=binary_out)


def test_without_a_word_on_outputs_all_come_as_bytes(client: triton.InferenceServerClient) -> None:
    check(client.infer("echo", inputs(binary=True)), binary=True)


def test_the_asyncio_client_too(url: str) -> None:
    async def ask() -> Any:  # noqa: ANN401 - what the client returns has no types
        async with triton_aio.InferenceServerClient(url) as client:
            return [
                await client.infer("echo", inputs(binary=b), outputs=outputs(binary=b))
                for b in (True, False)
            ]

    for answer, binary in zip(asyncio.run(ask()), (True, False), strict=True):
        check(answer, binary=binary)


def test_metadata_and_configuration_name_every_datatype(
    client: triton.InferenceServerClient,
) -> None:
    told = client.get_model_metadata("echo")["inputs"]
    assert {each["name"]: each["datatype"] for each in told} == {
        name: np_to_triton_dtype(array.dtype) for name, array in echo_feeds().items()
    }
    config = client.get_model_config("echo")["input"]
    kinds = {each["name"]: each["data_type"] for each in config}
    assert kinds[f"{STRING}_in"] == "TYPE_STRING"
    assert kinds["float16_in"] == "TYPE_FP16"
    assert not any(each["optional"] for each in config)


def test_a_tensor_of_another_kind_is_refused_by_name(client: triton.InferenceServerClient) -> None:
    tensors = inputs(binary=True)
    wrong = triton.InferInput("int8_in", [2], "UINT8")
    wrong.set_data_from_numpy(np.array([1, 2], np.uint8))
    tensors[ALL.index("int8")] = wrong
    with pytest.raises(InferenceServerException, match="int8_in: must be int8, and is uint8"):
        client.infer("echo", tensors)
