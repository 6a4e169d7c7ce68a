"""What KServe's own client says to a server of ours; run in an environment of its own.

    python ask.py http://127.0.0.1:8080 MODEL [TENSOR_MODEL]

It imports nothing of this project. Prints one JSON object: by question what the client answered.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

TEXTS = ["a good film", "a bad film"]
ARRAYS = {
    "BOOL": np.array([True, False]),
    **{
        f"INT{bits}": np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1], f"int{bits}")
        for bits in (8, 16, 32, 64)
    },
    **{f"UINT{bits}": np.array([0, 2**bits - 1], f"uint{bits}") for bits in (8, 16, 32, 64)},
    "FP16": np.array([0.5, -65504], np.float16),
    "FP32": np.array([0.1, -3e38], np.float32),
    "FP64": np.array([0.1, 1e300]),
    "BYTES": np.array([b"a\0b", "é".encode()], np.object_),
}


def texts(*, binary: bool) -> list[InferInput]:
    tensor = InferInput("text", [len(TEXTS)], "BYTES")
    tensor.set_data_from_numpy(np.array(TEXTS, np.object_), binary_data=binary)
    return [tensor]


def tensors(*, binary: bool) -> list[InferInput]:
    """One of each datatype; FP16 has no JSON, says this client."""
    made = []
    for datatype, array in ARRAYS.items():
        dtype = "string" if datatype == "BYTES" else array.dtype.name
        tensor = InferInput(f"{dtype}_in", list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=binary or datatype == "FP16")
        made.append(tensor)
    return made


def same(found: Any, sent: Any) -> bool:  # noqa: ANN401
    """Whether what came back is what was sent, to the last bit."""
    if sent.dtype == np.object_:
        texts = [each.encode() if isinstance(each, str) else each for each in found.tolist()]
        return bool(texts == sent.tolist())
    return bool((found.dtype, found.tobytes()) == (sent.dtype, sent.tobytes()))


def told(answer: InferResponse) -> dict[str, Any]:
    return {
        "id": answer.id,
        "model_name": answer.model_name,
        "outputs": {each.name: each.as_numpy().tolist() for each in answer.outputs},
    }


async def refusal(asked: Awaitable[Any]) -> str:
    try:
        await asked
    except httpx.HTTPStatusError as error:
        return str(error)
    return "nothing was raised"


async def ask(url: str, model: str, tensor_model: str | None = None) -> dict[str, Any]:
    """Ask everything that the client can."""
    found: dict[str, Any] = {}
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as client:
        found["live"] = await client.is_server_live(url)
        found["ready"] = await client.is_server_ready(url)
        found["model ready"] = await client.is_model_ready(url, model)
        found["nobody ready"] = await client.is_model_ready(url, "nobody")
        for binary in (False, True):
            request = InferRequest(
                model_name=model,
                infer_inputs=texts(binary=binary),
                request_id="42",
                request_outputs=[RequestedOutput("logits", parameters={"binary_data": not binary})],
            )
            answer = await client.infer(url, request, model_name=model)
            found[f"texts {'binary' if binary else 'JSON'}"] = told(answer)
        request = InferRequest(model_name=model, infer_inputs=texts(binary=False))
        found["no outputs"] = told(await client.infer(url, request, model_name=model))
        body = {"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS}]}
        found["plain"] = told(await client.infer(url, body, model_name=model))
        pinned = await client.infer(f"{url}/", body, model_name=f"{model}/versions/2")
        found["pinned"] = told(pinned)
        for binary in (False, True) if tensor_model else ():
            request = InferRequest(
                model_name=tensor_model,
                infer_inputs=tensors(binary=binary),
                parameters={"binary_data_output": True},
            )
            answer = await client.infer(url, request, model_name=tensor_model)
            found[f"tensors {'binary' if binary else 'JSON'}"] = [
                each.datatype
                for each in answer.outputs
                if same(each.as_numpy(), ARRAYS[each.datatype])
            ]
        empty = InferInput("text", [1], "BYTES", data=[""])
        request = InferRequest(model_name=model, infer_inputs=[empty])
        found["refused"] = await refusal(client.infer(url, request, model_name=model))
        found["no model"] = await refusal(client.infer(url, body, model_name="nobody"))
    async with httpx.AsyncClient() as plain:  # the client itself has no listing over REST
        found["models"] = (await plain.get(f"{url}/v2/models")).json()
    return found


if __name__ == "__main__":
    json.dump(asyncio.run(ask(*sys.argv[1:])), sys.stdout)
