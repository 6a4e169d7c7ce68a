"""A model that goes on with texts, asked by tensors: by `text`, or for one step of its graph.

May import `maas.errors`, `maas.tasks` and numpy.

    tensors = GeneratorTensors(manifest, session, predict, largest=31_999)
    tensors.infer({"text": strings([b"a fine"], (1,))}, deadline=deadline).outputs["text"]

A step is the graph's own: who asks keeps `present.*` and sends it as `past_key_values.*`.
"""

from typing import TYPE_CHECKING

import numpy as np

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec
from maas.tasks.generation import GenerateRequest
from maas.tasks.task import Counts
from maas.tasks.tensors import STRING, GraphTensors, TensorResponse, strings
from maas.tasks.text_tensors import TEXT, check_tokens, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.tasks.generation import GenerateResponse
    from maas.tasks.tensors import Array

    class Predict(Protocol):
        """What goes on with texts."""

        def __call__(self, request: GenerateRequest, *, deadline: float) -> GenerateResponse:
            """Go on with texts to their ends."""


class GeneratorTensors:
    """A generator behind its tokenizer. Safe to share between threads."""

    def __init__(
        self, manifest: "Manifest", session: "Session", predict: "Predict", *, largest: int
    ) -> None:
        self.inputs = (TEXT, *manifest.inputs)
        self.outputs = (TensorSpec("text", STRING, ("batch",)), *manifest.outputs)
        self._graph = GraphTensors(manifest, session)
        self._most = manifest.limits.max_tokens
        self._largest = largest
        self._predict = predict

    def infer(self, feeds: "Mapping[str, Array]", *, deadline: float) -> TensorResponse:
        """Go on with each text greedily, as far as the model may; or take one step of the graph.

        Raises:
            FieldError: A tensor or a text is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        if TEXT.name not in feeds:
            return self._step(feeds, deadline)
        request = GenerateRequest(texts=texts_of(feeds), field=TEXT.name)
        answer = self._predict(request, deadline=deadline)
        texts = [row.text for row in answer.rows]
        return TensorResponse(
            outputs={"text": strings(texts, (len(texts),))},
            seconds=answer.seconds,
            counts=Counts(texts=len(texts)),
            tokens=answer.tokens,
            truncated=answer.truncated,
        )

    def _step(self, feeds: "Mapping[str, Array]", deadline: float) -> TensorResponse:
        check_tokens(self._graph.inputs, feeds, most=self._most, largest=self._largest)
        rows, width = np.shape(feeds["attention_mask"])
        if rows > LIMITS.prompts or width > self._most:
            raise FieldError(
                f"must be at most {LIMITS.prompts} rows of {self._most} tokens, past ones included",
                field="attention_mask",
            )
        return self._graph.infer(feeds, deadline=deadline)
