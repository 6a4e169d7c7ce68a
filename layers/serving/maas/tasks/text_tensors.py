"""A model that reads texts, asked by tensors: by `text`, or by the tokens that a text becomes.

May import `maas.errors`, `maas.bundle`, `maas.text`, `maas.tasks` and numpy.

    tensors = TextTensors(manifest, rows)
    tensors.infer({"text": strings([b"a fine film"], (1,))}, deadline=deadline).outputs["logits"]
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.task_rules import TYPES
from maas.errors import FieldError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec
from maas.tasks.task import Counts
from maas.tasks.tensors import STRING, TensorResponse, as_texts, check_feeds
from maas.text.check import check_texts
from maas.text.tokenizer import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas.bundle.manifest import Manifest
    from maas.tasks.tensors import Array
    from maas.tasks.text_rows import TextRows

TEXT = TensorSpec("text", STRING, ("batch",))
"""The input that stands for all of the graph's; also sent as `[batch, 1]`, as some clients do."""


class TextTensors:
    """A classifier or an embedder behind its tokenizer. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", rows: "TextRows") -> None:
        self.inputs = (TEXT, *manifest.inputs)
        self.outputs = manifest.outputs
        self._graph = manifest.inputs
        self._max_tokens = manifest.limits.max_tokens
        self._rows = rows

    def infer(self, feeds: "Mapping[str, Array]", *, deadline: float) -> TensorResponse:
        """Answer texts, or the tokens of texts, with one row of numbers each.

        Raises:
            FieldError: A tensor or a text is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        started = time.perf_counter()
        if TEXT.name in feeds:
            encoded = self._rows.encode(texts_of(feeds))
        else:
            check_tokens(self._graph, feeds, most=self._max_tokens, largest=self._rows.largest_id)
            encoded = encoded_of(feeds)
        tokenized = time.perf_counter()
        numbers = self._rows.run(encoded, deadline=deadline)
        ran = time.perf_counter()
        return TensorResponse(
            outputs={self.outputs[0].name: numbers},
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
            counts=Counts(texts=len(numbers)),
            tokens=encoded.tokens,
            truncated=encoded.truncated,
        )


def texts_of(feeds: "Mapping[str, Array]") -> tuple[str, ...]:
    """The texts of a request that sends them as they are.

    Raises:
        FieldError: Something is sent beside them, or they are not acceptable.
    """
    array = feeds[TEXT.name]
    if len(feeds) > 1:
        raise FieldError("must come alone: it stands for all other inputs", field=TEXT.name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    check_feeds((TEXT,), {TEXT.name: array})
    texts = tuple(as_texts(array, field=TEXT.name).tolist())
    check_texts(texts, field=TEXT.name)
    return texts


def encoded_of(feeds: "Mapping[str, Array]") -> Encoded:
    """Tokens that `check_tokens` let pass, as the tokenizer would have made them.

    A row ends with the last token that its mask keeps; what follows is padding.
    """
    ids = np.asarray(feeds["input_ids"], dtype=np.int64)
    mask = np.asarray(feeds["attention_mask"], dtype=np.int64)
    rows, width = ids.shape
    tokens = width - np.argmax(mask[:, ::-1], axis=1)
    return Encoded(ids, mask, tuple(tokens.tolist()), (False,) * rows)


def check_tokens(
    specs: "tuple[TensorSpec, ...]", feeds: "Mapping[str, Array]", *, most: int, largest: int
) -> None:
    """Refuse tokens that no text becomes.

    Args:
        specs: The graph's inputs, `input_ids` and `attention_mask` among them.
        feeds: What was sent.
        most: Tokens of a text.
        largest: The largest id that there is.

    Raises:
        FieldError: With the input at fault.
    """
    check_feeds(specs, feeds)
    ids, mask = feeds["input_ids"], feeds["attention_mask"]
    if not 1 <= ids.shape[0] <= LIMITS.texts or not 1 <= ids.shape[1] <= most:
        raise FieldError(
            f"must be 1 to {LIMITS.texts} rows of 1 to {most} tokens", field="input_ids"
        )
    if ids.min() < 0 or ids.max() > largest:
        raise FieldError(f"must be 0 to {largest}", field="input_ids")
    if not np.isin(mask, (0, 1)).all() or not mask.any(axis=1).all():
        raise FieldError("must be 0 or 1, with a 1 in each row", field="attention_mask")
    if TYPES in feeds and not np.isin(feeds[TYPES], (0, 1)).all():
        raise FieldError("must be 0, or 1 for a second text", field=TYPES)
