"""The kinds of model asked by tensors: the Open Inference Protocol's inputs of a good request.

body = {"inputs": tensors_of(kind)}                          # in JSON
data, header_bytes = with_bytes(body)                        # the same with bytes behind the JSON
"""

import json
from typing import TYPE_CHECKING, Any

from support.kinds import LEVELS, SOUND, SPEECH, TEXT
from support.tiny_image import in_base64, png

from maas.http.protocols.oip_data import datatype_of, from_json, to_bytes, to_json

if TYPE_CHECKING:
    from maas.http.protocols.oip_wire import Datatype

SAID = {"audio-classification": SOUND, "automatic-speech-recognition": SPEECH}
SECOND = "the story told with wit"


def text(name: str, *texts: str) -> dict[str, Any]:
    """An input of texts."""
    return {"name": name, "shape": [len(texts)], "datatype": "BYTES", "data": [*texts]}


def tensor_of(name: str, array: Any, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """An array as an input in JSON."""
    made = {
        "name": name,
        "shape": list(array.shape),
        "datatype": datatype_of(array),
        "data": to_json(array),
    }
    return made | changes


def tensors_of(kind: str) -> list[dict[str, Any]]:
    """What stands for all other inputs of a kind's model, with the good request's own text."""
    if kind == "image-classification":
        coded = text("image", in_base64(png(LEVELS)))
        return [coded | {"parameters": {"content_type": "base64"}}]
    if kind in SAID:
        coded = text("audio", in_base64(SAID[kind]))
        return [coded | {"parameters": {"content_type": "base64"}}]
    if kind == "tabular-classification":
        rows = [[41, 0, 7.25], [17, 2, 71.3]]
        return [{"name": "cells", "shape": [2, 3], "datatype": "FP32", "data": rows}]
    if kind in ("question-answering", "zero-shot-classification"):
        return [text("text", TEXT), text("text_pair", SECOND)]
    return [text("text", TEXT)]


def with_bytes(body: dict[str, Any]) -> tuple[bytes, int]:
    """A request whose inputs follow its JSON as bytes, and how long the JSON is."""
    inputs, tail = [], b""
    for tensor in body["inputs"]:
        parameters = dict(tensor.get("parameters") or {})
        datatype: Datatype = tensor["datatype"]
        array = from_json(
            tensor["data"],
            datatype,
            tensor["shape"],
            field="x",
            encoded=parameters.pop("content_type", None) == "base64",
        )
        data = to_bytes(array)
        parameters["binary_data_size"] = len(data)
        plain = {key: value for key, value in tensor.items() if key != "data"}
        inputs.append(plain | {"parameters": parameters})
        tail += data
    header = json.dumps(body | {"inputs": inputs}).encode()
    return header + tail, len(header)
