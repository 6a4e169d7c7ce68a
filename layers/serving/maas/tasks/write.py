"""Translation and summarization: texts to texts that the graph writes token by token.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.tasks`, `maas.errors` and numpy.

    writer = Writer(manifest, tokenizer, session)
    answer = writer.predict(WriteRequest(texts=("ein guter Film",), beams=4), deadline=deadline)
    answer.texts[0]                       # "a good film"

The whole loop is inside the graph: it reads the source once, writes until each text ends, and
chooses among its beams by the mean log-probability of a token.
"""

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from maas.bundle.golden import GOLDEN_BEAMS
from maas.errors import BundleError, FieldError, ModelError, ModelOutputError
from maas.limits import LIMITS
from maas.tasks.answers import Answer, TextsRequest
from maas.tasks.nodes import check_nodes
from maas.tasks.runs import runs
from maas.tasks.writer_tensors import WriterTensors
from maas.text.check import check_texts, check_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.text.tokenizer import Encoded, Tokenizer

    Ids = npt.NDArray[np.int64]

END_ID = 3
"""The id of [EOS], which `bundle.writing_tokenizer` holds every writing tokenizer to."""


class WriteRequest(TextsRequest, frozen=True):
    """Texts to translate or to summarise.

    Attributes:
        beams: Texts that are written side by side for one answer; 1 is greedy.
        max_new_tokens: Tokens to write per text, the last one included; the model's own bound when
            None, and never more than that.
        cut: Whether a text that is too long is cut, and not refused.
    """

    beams: int = 1
    max_new_tokens: int | None = None
    cut: bool = True


class WriteResponse(Answer, frozen=True):
    """One text per text, in the request's order.

    Attributes:
        texts: What was written.
    """

    texts: tuple[str, ...]


class Written(NamedTuple):
    """What was written for one text: its ids, the end token included, and how likely it is."""

    ids: list[int]
    text: str
    score: float


class Writer:
    """A loaded model that writes. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", tokenizer: "Tokenizer", session: "Session") -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        check_nodes(manifest, session)
        self._limits = manifest.limits
        self._ids = tokenizer.vocabulary_size
        self._tokenizer = tokenizer
        self._session = session
        self.tensors = WriterTensors(manifest, self, largest=tokenizer.largest_id)

    def predict(self, request: WriteRequest, *, deadline: float) -> WriteResponse:
        """Write an answer to each text.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A text or an option is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        check_texts(request.texts, field="inputs")
        _check_count("num_beams", request.beams, LIMITS.beams)
        most = self._limits.max_new_tokens
        if request.max_new_tokens is not None:
            _check_count("max_new_tokens", request.max_new_tokens, LIMITS.new_tokens)
            most = min(most, request.max_new_tokens)
        started = time.perf_counter()
        encoded = self.encode(request.texts)
        if not request.cut:
            check_whole(encoded.truncated, field="inputs", most=self._limits.max_tokens)
        tokenized = time.perf_counter()
        written = self.write(encoded, beams=request.beams, most=most, deadline=deadline)
        ran = time.perf_counter()
        return WriteResponse(
            texts=tuple(row.text for row in written),
            tokens=tuple(
                read + len(row.ids) for read, row in zip(encoded.tokens, written, strict=True)
            ),
            truncated=encoded.truncated,
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
        )

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; what was written must be the very same.

        Raises:
            BundleError: It is not.
        """
        encoded = self.encode(golden.texts)  # trusted: one of them may be empty
        most = self._limits.max_new_tokens
        for beams, wanted in ((1, golden.outputs), (GOLDEN_BEAMS, golden.beam_outputs)):
            if wanted:
                written = self.write(encoded, beams=beams, most=most, deadline=deadline)
                if tuple(row.text for row in written) != wanted:
                    raise BundleError(
                        "What was written for a golden request is another text:"
                        " this is not the model that was exported."
                    )
        return 0.0

    def check_widest(self, *, deadline: float) -> None:
        """Read two of the longest texts, of the largest id, and write with the most beams.

        Raises:
            BundleError: The graph cannot take what the manifest and the tokenizer allow.
        """
        shape = (2, self._limits.max_tokens)
        ids = np.full(shape, self._tokenizer.largest_id, dtype=np.int64)
        mask = np.ones(shape, dtype=np.int64)
        try:
            self._run_once(ids, mask, LIMITS.beams, self._limits.max_new_tokens, deadline)
        except ModelError:
            raise BundleError(
                f"The graph cannot take two texts of {shape[1]} tokens with ids up to"
                f" {ids[0, 0]} and write {self._limits.max_new_tokens} with {LIMITS.beams} beams,"
                " which the manifest and tokenizer.json allow."
            ) from None

    def encode(self, texts: "Sequence[str]") -> "Encoded":
        """Turn texts that have passed the caps into ids.

        Raises:
            TokenizerError: The tokenizer failed on one.
        """
        return self._tokenizer.encode(texts)

    def write(
        self, encoded: "Encoded", *, beams: int, most: int, deadline: float
    ) -> "list[Written]":
        """Write an answer to each text, as many at a time as fit into memory.

        Args:
            encoded: The texts.
            beams: As in `WriteRequest`.
            most: Tokens to write per text, the last one included.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            ModelError: The model, or the tokenizer on what it wrote, failed.
            DeadlineError: The deadline came first.
        """
        written: list[Written] = []
        for rows, width in runs(encoded.tokens, cost=lambda width: beams * (width + most)):
            ids, mask = encoded.input_ids[rows, :width], encoded.attention_mask[rows, :width]
            output_ids, scores = self._run_once(ids, mask, beams, most, deadline)
            ended = map(_ended, output_ids.tolist())
            written += map(self._written, ended, scores.tolist())
        return written

    def _written(self, ids: list[int], score: float) -> Written:
        return Written(ids, self._tokenizer.decode(ids), score)

    def _run_once(
        self, ids: "Ids", mask: "Ids", beams: int, most: int, deadline: float
    ) -> "tuple[Ids, npt.NDArray[np.float32]]":
        feeds = {
            "input_ids": ids,
            "attention_mask": mask,
            "beams": np.array([beams], dtype=np.int64),
            "max_new_tokens": np.array([most], dtype=np.int64),
        }
        output_ids, scores = self._session.run(feeds, deadline=deadline)
        written: Ids = np.asarray(output_ids, dtype=np.int64)
        if written.ndim != 2 or len(written) != len(ids) or written.shape[1] > most:
            raise ModelOutputError("The model did not write as many tokens as it may.")
        if written.size and not 0 <= written.min() <= written.max() < self._ids:
            raise ModelOutputError("The model wrote a token that there is not.")
        if scores.shape != (len(ids),) or not np.isfinite(scores).all():
            raise ModelOutputError("The model's answer is not a finite number.")
        return written, np.asarray(scores, dtype=np.float32)


def _check_count(name: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise FieldError(f"must be 1 to {most}", field=f"parameters.generate_parameters.{name}")


def _ended(ids: "Sequence[int]") -> list[int]:
    """The ids up to the one that ends a text; what follows is padding."""
    kept = list(ids)
    return kept[: kept.index(END_ID) + 1] if END_ID in kept else kept
