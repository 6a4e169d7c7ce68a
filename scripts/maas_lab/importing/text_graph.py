"""A foreign graph that reads the tokens of a text, on its way to what its task asks of it.

Imports numpy, onnx, `maas` and the lab.

    graph = TextGraph(foreign, exported, folder, wishes)
    surgeon = graph.surgeon()                         # input_ids and attention_mask are named
    surgeon.answer_as(chosen_output(graph.model, 2, ("logits",)), "logits")
    surgeon.finish()
    graph.opened("logits")                            # what it answers to a few texts
    graph.fitted("logits", width)
"""

import time
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto

from maas.bundle.golden import TOLERANCE, Golden
from maas.bundle.manifest import ModelLimits
from maas.engine.session import open_session
from maas.errors import DeadlineError, FieldError, ModelError, RefusedError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec
from maas.tasks import TOKENIZER
from maas.text.tokenizer import load_tokenizer
from maas_lab.exporting.forms import GRAPH, PORTABLE
from maas_lab.importing.fitted import Fitted
from maas_lab.importing.forms import write_portable
from maas_lab.importing.surgery import Surgeon
from maas_lab.importing.texts import TEXTS
from maas_lab.importing.vocabulary_files import read_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from maas.engine.session import Session
    from maas.text.tokenizer import Tokenizer
    from maas_lab.importing.exported import Exported
    from maas_lab.importing.reading import Foreign
    from maas_lab.importing.wishes import Wishes

    Floats = npt.NDArray[np.float32]

IDS, MASK = "input_ids", "attention_mask"
_INTEGERS = (TensorProto.INT64, TensorProto.INT32)
_TEXT = ("batch", "sequence")
_LENGTHS = (512, 384, 256, 192, 128, 96, 64, 32, 16)
_FEW = 16
_SECONDS = 60.0
_GOLDENS = 8


class TextGraph:
    """One graph on its way into a task.

    Attributes:
        model: As it is by now.
        notes: What was changed, for people.
    """

    def __init__(
        self, foreign: "Foreign", exported: "Exported", folder: "Path", wishes: "Wishes"
    ) -> None:
        if exported.tokenizer is None:
            raise FieldError("is needed for a task that reads texts", field="tokenizer")
        self.notes = [*foreign.notes, *exported.notes]
        self.model = foreign.model
        self._exported = exported
        self._folder = folder
        data, cuts = read_tokenizer(exported.tokenizer)
        folder.mkdir(parents=True)
        (folder / TOKENIZER).write_bytes(data)
        most = wishes.max_tokens or exported.limits.max_tokens or cuts or LIMITS.tokens
        self._most = min(most, LIMITS.tokens)
        self._exact = wishes.max_tokens is not None

    def surgeon(self) -> Surgeon:
        """Name the inputs; whatever tells first texts from second ones is all zeros."""
        surgeon = Surgeon(self.model)
        inputs = {value.name: value for value in self.model.graph.input}
        odd = [
            name
            for name, value in inputs.items()
            if value.type.tensor_type.elem_type not in _INTEGERS
            or len(value.type.tensor_type.shape.dim) != 2
            or any(dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim)
        ]
        types = [name for name in inputs if "type" in name or "segment" in name]
        masks = [name for name in inputs if "mask" in name]
        ids = [name for name in inputs if name not in (*types, *masks)]
        if odd or len(types) > 1 or len(masks) != 1 or len(ids) != 1:
            raise RefusedError(
                f"The graph reads {', '.join(inputs)}; a model for texts reads input_ids and"
                " attention_mask, integers [batch, sequence] of any size, and token_type_ids where"
                " it must. Export it so, or serve it as it is: --task tensor."
            )
        surgeon.read_as(ids[0], IDS, "int64", _TEXT)
        surgeon.read_as(masks[0], MASK, "int64", _TEXT)
        for name in types:
            surgeon.drop_input(name, IDS)
            self.notes.append(f"{name} is all zeros, as for one text.")
        return surgeon

    def opened(self, output: str) -> "Floats":
        """Write the portable form; what it answers to a few texts, float32 `[texts, width]`."""
        write_portable(self.model, self._folder)
        session = open_session(self._folder / PORTABLE / GRAPH, optimised=True, threads=1)
        tokenizer = load_tokenizer(self._folder / TOKENIZER, max_tokens=min(_FEW, self._most))
        answers = [self._ask(session, tokenizer, (text,)) for text in TEXTS[:_GOLDENS]]
        shapes = {answer.shape for answer in answers}
        if len(shapes) != 1 or len(answers[0].shape) != 2:
            raise RefusedError(f"{output} is not one row of numbers per text.")
        self.model = onnx.load(self._folder / PORTABLE / GRAPH)  # weights may have moved
        return np.concatenate(answers)

    @staticmethod
    def _ask(session: "Session", tokenizer: "Tokenizer", texts: tuple[str, ...]) -> "Floats":
        encoded = tokenizer.encode(texts)
        feeds = {IDS: encoded.input_ids, MASK: encoded.attention_mask}
        try:
            (answer,) = session.run(feeds, deadline=time.monotonic() + _SECONDS)
        except ModelError:
            raise RefusedError(
                "The graph fails on the tokens of a short text: the tokenizer is another model's,"
                " or the graph takes rows of one size alone."
            ) from None
        return np.asarray(answer, dtype=np.float32)

    def fitted(self, output: str, width: int) -> Fitted:
        """Write the form with the shape of its output, and record what it answers."""
        (value,) = self.model.graph.output
        value.CopyFrom(onnx.helper.make_tensor_value_info(output, 1, ("batch", width)))
        write_portable(self.model, self._folder)
        session = open_session(self._folder / PORTABLE / GRAPH, optimised=True, threads=1)
        most = self._longest(session)
        return Fitted(
            inputs=tuple(TensorSpec(v.name, "int64", _TEXT) for v in self.model.graph.input),
            outputs=(TensorSpec(output, "float32", ("batch", width)),),
            goldens=self._exported.goldens or self._goldens(session, most),
            limits=ModelLimits(max_tokens=most),
            notes=tuple(self.notes),
        )

    def _longest(self, session: "Session") -> int:
        """As many tokens as the graph takes, of those that are wished or that anybody may ask."""
        wished = [self._most] if self._exact else sorted({self._most, *_LENGTHS}, reverse=True)
        largest = load_tokenizer(self._folder / TOKENIZER, max_tokens=1).largest_id
        for length in wished:
            if length <= self._most and self._takes(session, length, largest):
                return length
        raise RefusedError(
            f"The graph cannot take two texts of {wished[-1]} tokens with ids up to {largest}: the"
            " tokenizer is another model's, or --max-tokens is too high."
        )

    @staticmethod
    def _takes(session: "Session", length: int, largest: int) -> bool:
        ids = np.full((2, length), largest, dtype=np.int64)
        try:
            session.run({IDS: ids, MASK: np.ones_like(ids)}, deadline=time.monotonic() + _SECONDS)
        except (ModelError, DeadlineError):
            return False
        return True

    def _goldens(self, session: "Session", most: int) -> tuple[Golden, ...]:
        """Texts one by one, and some together: padding must change nothing."""
        tokenizer = load_tokenizer(self._folder / TOKENIZER, max_tokens=most)
        alone = [self._ask(session, tokenizer, (text,)) for text in TEXTS[:_GOLDENS]]
        together = self._ask(session, tokenizer, TEXTS[:_GOLDENS])
        apart = float(np.abs(together - np.concatenate(alone)).max())
        if not apart <= TOLERANCE:
            raise RefusedError(
                f"A text's answer differs by {apart:.3g} when it is padded: the graph does not obey"
                " attention_mask. Export it so that it does."
            )
        requests = [*(((text,), rows) for text, rows in zip(TEXTS, alone, strict=False)),
                    (TEXTS[:_GOLDENS], together)]  # fmt: skip
        return tuple(
            Golden(texts=texts, logits=tuple(map(tuple, rows.tolist()))) for texts, rows in requests
        )
