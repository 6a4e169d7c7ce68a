"""A model that writes, asked by tensors: by `text`, or by the tokens that a text becomes.

May import `maas.errors`, `maas.text`, `maas.tasks` and numpy.

    tensors = WriterTensors(manifest, writer, largest=tokenizer.largest_id)
    tensors.infer({"text": strings([b"Good morning"], (1,))}, deadline=deadline).outputs["text"]
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec
from maas.tasks.task import Counts
from maas.tasks.tensors import STRING, TensorResponse, check_feeds, strings
from maas.tasks.text_tensors import TEXT, check_tokens, encoded_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas.bundle.manifest import Manifest
    from maas.tasks.tensors import Array
    from maas.tasks.write import Writer

_TOKENS = ("input_ids", "attention_mask")


class WriterTensors:
    """A writer behind its tokenizer. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", writer: "Writer", *, largest: int) -> None:
        self.inputs = (TEXT, *manifest.inputs)
        self.outputs = (TensorSpec("text", STRING, ("batch",)), *manifest.outputs)
        self._tokens = tuple(spec for spec in manifest.inputs if spec.name in _TOKENS)
        self._options = {s.name: s for s in manifest.inputs if s.name not in _TOKENS}
        self._limits = manifest.limits
        self._largest = largest
        self._writer = writer

    def infer(self, feeds: "Mapping[str, Array]", *, deadline: float) -> TensorResponse:
        """Write an answer to each text; `beams` and `max_new_tokens` may be left out.

        Raises:
            FieldError: A tensor or a text is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        beams = self._option(feeds, "beams", 1, LIMITS.beams)
        most = self._option(feeds, "max_new_tokens", self._limits.max_new_tokens, LIMITS.new_tokens)
        asked = {name: array for name, array in feeds.items() if name not in self._options}
        started = time.perf_counter()
        if TEXT.name in asked:
            encoded = self._writer.encode(texts_of(asked))
        else:
            check_tokens(self._tokens, asked, most=self._limits.max_tokens, largest=self._largest)
            encoded = encoded_of(asked)
        tokenized = time.perf_counter()
        most = min(most, self._limits.max_new_tokens)
        written = self._writer.write(encoded, beams=beams, most=most, deadline=deadline)
        ran = time.perf_counter()
        ids = np.zeros((len(written), max(len(row.ids) for row in written)), dtype=np.int64)
        for at, row in enumerate(written):
            ids[at, : len(row.ids)] = row.ids
        return TensorResponse(
            outputs={
                "text": strings([row.text for row in written], (len(written),)),
                "output_ids": ids,
                "scores": np.array([row.score for row in written], dtype=np.float32),
            },
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
            counts=Counts(texts=len(written)),
            tokens=tuple(
                read + len(row.ids) for read, row in zip(encoded.tokens, written, strict=True)
            ),
            truncated=encoded.truncated,
        )

    def _option(self, feeds: "Mapping[str, Array]", name: str, default: int, most: int) -> int:
        if name not in feeds:
            return default
        check_feeds((self._options[name],), {name: feeds[name]})
        value = int(feeds[name][0])
        if not 1 <= value <= most:
            raise FieldError(f"must be 1 to {most}", field=name)
        return value
