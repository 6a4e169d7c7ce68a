"""A request of a model that works as it stands, as the line of a shell.

Imports `maas` and numpy. A model of texts gets a sentence, one of pictures or sounds a file's name,
and a table or a graph the shortest of the requests that it answered when it was registered:

    example_of("http://127.0.0.1:8080", "linear", bundle)      # curl … -d '{"inputs": [{"name": …
"""

import json
import math
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from maas.bundle.golden import read_golden
from maas.bundle.table_rules import columns_of
from maas.bundle.task_rules import BARE, LISTENING, LOOKING, TABULAR
from maas.http.protocols.oip_data import DATATYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maas.bundle.golden import Golden, GoldenTensor
    from maas.bundle.manifest import Manifest
    from maas.bundle.verify import Bundle
    from maas.registry.addresses import VersionAddress

LONGEST = 300
"""Characters of a body at the most; a longer one is nothing to paste."""
_TEXT = "A fine film."
_BODIES: dict[str, dict[str, Any]] = {
    "question-answering": {"inputs": {"question": "What is fine?", "context": "The film is fine."}},
    "zero-shot-classification": {
        "inputs": _TEXT,
        "parameters": {"candidate_labels": ["praise", "complaint"]},
    },
}
"""What is sent to models of texts that read more than a text."""


def example_of(
    url: str, model: str, bundle: "Bundle", address: "VersionAddress | None" = None
) -> str | None:
    """A command that is answered when it is pasted; None where its body would be too long.

    Args:
        url: The server's.
        model: The model's name.
        bundle: The version that answers, or is like it.
        address: The version that is asked for, where one is.
    """
    task = bundle.manifest.task
    if task in BARE:
        body = _recorded(bundle)
        tensors = task not in TABULAR
        place = path_of(model, address, tensors=tensors) + ("/infer" if tensors else "")
        return _posted(url + place, body) if body else None
    place = url + path_of(model, address)
    if task in LOOKING:
        return f"curl {place} -H 'content-type: image/png' --data-binary @picture.png"
    if task in LISTENING:
        return f"curl {place} -H 'content-type: audio/wav' --data-binary @sound.wav"
    return _posted(place, json.dumps(_BODIES.get(task, {"inputs": _TEXT})))


def path_of(model: str, address: "VersionAddress | None" = None, *, tensors: bool = False) -> str:
    """Where a model, or one version of it, describes itself: by its task or by its tensors."""
    place = f"{'/v2' if tensors else ''}/models/{model}"
    return place + (f"/versions/{address}" if address else "")


def _posted(place: str, body: str) -> str:
    return f"curl {place} -H 'content-type: application/json' -d {shlex.quote(body)}"


def _recorded(bundle: "Bundle") -> str | None:
    """The shortest of the golden requests that JSON can say, where it is short enough."""
    manifest = bundle.manifest
    said = _table if manifest.task in TABULAR else _tensors
    goldens = [each for each in read_golden(bundle) if all(map(_is_filled, each.tensors))]
    values = [said(golden, manifest) for golden in goldens]
    bodies = [json.dumps(value) for value in values if _is_finite(value)]
    return min((each for each in bodies if len(each) <= LONGEST), key=len, default=None)


def _tensors(golden: "Golden", _manifest: "Manifest") -> dict[str, Any]:
    return {
        "inputs": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "datatype": DATATYPES[tensor.dtype],
                "data": _elements(tensor),
            }
            for tensor in golden.tensors
        ]
    }


def _table(golden: "Golden", manifest: "Manifest") -> dict[str, Any]:
    """The first row, by column."""
    columns = columns_of(manifest.inputs, manifest.columns)
    cells: dict[str, Any] = {}
    for tensor, names in zip(golden.tensors, columns, strict=True):
        cells |= zip(names, _elements(tensor)[: len(names)], strict=True)
    missing = {name: None for name in manifest.missing if not _is_finite(cells[name])}
    return {"table": {name: [cell] for name, cell in {**cells, **missing}.items()}}


def _is_filled(tensor: "GoldenTensor") -> bool:
    return bool(tensor.data or tensor.texts)


def _elements(tensor: "GoldenTensor") -> list[Any]:
    """Row by row. A float is written by as few digits as tell it from its neighbours."""
    if tensor.texts:
        return list(tensor.texts)
    array = np.frombuffer(tensor.data, np.dtype(tensor.dtype).newbyteorder("<"))
    return [float(str(each)) for each in array] if array.dtype.kind == "f" else array.tolist()


def _is_finite(value: object) -> bool:
    """Whether JSON has all of its numbers."""
    parts: Iterable[object] = ()
    if isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list):
        parts = value
    return all(map(_is_finite, parts)) and not (
        isinstance(value, float) and not math.isfinite(value)
    )
