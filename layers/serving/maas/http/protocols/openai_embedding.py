"""OpenAI's embeddings: bodies to tensors, and vectors to numbers or base64.

May import `maas.errors`, `maas.tasks` and the wire's structs beside it. Translates only. A text and
the ids of its tokens are both what a model is asked by tensors:

    feeds = feeds_of(body)                       # {"text": …}, or {"input_ids": …, …}
    answer = embeddings_of(body, vectors, tokens=12, model="vectors@2")
"""

import base64
from typing import TYPE_CHECKING

import numpy as np

from maas.errors import FieldError
from maas.http.protocols.openai_wire import Embedding, Embeddings, EmbeddingsUsage
from maas.tasks.embed import rounded, shortened
from maas.tasks.tensors import strings
from maas.text.check import check_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from maas.http.protocols.openai_wire import EmbeddingsBody
    from maas.tasks.tensors import Array


def feeds_of(body: "EmbeddingsBody") -> "Mapping[str, Array]":
    """The tensors that a request stands for.

    Raises:
        FieldError: Texts and tokens are mixed, or a text is not acceptable.
    """
    inputs = [body.input] if isinstance(body.input, str) else body.input
    texts = [each for each in inputs if isinstance(each, str)]
    lists = [each for each in inputs if isinstance(each, list)]
    numbers = [each for each in inputs if isinstance(each, int)]
    if len(inputs) not in (len(texts), len(lists), len(numbers)):
        raise FieldError("must be texts alone, or ids of tokens alone", field="input")
    if texts or not inputs:
        check_texts(texts, field="input")
        return {"text": strings([text.encode() for text in texts], (len(texts),))}
    return _padded([numbers] if numbers else lists)


def _padded(rows: list[list[int]]) -> "Mapping[str, Array]":
    """Rows of one width, whose mask says where each ends."""
    shape = (len(rows), max(map(len, rows)))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for at, row in enumerate(rows):
        if not row:
            raise FieldError("must not be empty", field=f"input[{at}]")
        ids[at, : len(row)], mask[at, : len(row)] = row, 1
    return {"input_ids": ids, "attention_mask": mask}


def embeddings_of(
    body: "EmbeddingsBody", answered: "Array", *, tokens: int, model: str
) -> Embeddings:
    """The answer.

    Args:
        body: The request.
        answered: float32 `[texts, dimension]`.
        tokens: How many were read.
        model: Which version answered.

    Raises:
        FieldError: More dimensions are asked for than there are.
    """
    vectors = np.asarray(answered, dtype=np.float32)
    if body.dimensions is not None:
        if body.dimensions > vectors.shape[1]:
            raise FieldError(f"must be 1 to {vectors.shape[1]}", field="dimensions")
        vectors = shortened(vectors, body.dimensions)
    packed = body.encoding_format == "base64"
    return Embeddings(
        model,
        [
            Embedding(at, _base64(row) if packed else rounded(row).tolist())
            for at, row in enumerate(vectors)
        ],
        EmbeddingsUsage(tokens, tokens),
    )


def _base64(row: "npt.NDArray[np.float32]") -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()
