"""What requests of several tasks have in common, and what every task answers beside the answer.

Imports `maas.tasks.task` and msgspec; structs, for each dataclass takes half a millisecond to make.

    class ClassifyRequest(TextsRequest, frozen=True): ...
    class ClassifyResponse(Answer, frozen=True): ...
"""

from msgspec import Struct

from maas.tasks.task import Counts


class TextsRequest(Struct, frozen=True):
    """What is asked about texts.

    Attributes:
        texts: 1 to 32 texts.
    """

    texts: tuple[str, ...]

    @property
    def counts(self) -> Counts:
        """How many texts."""
        return Counts(texts=len(self.texts))


class Answer(Struct, frozen=True, kw_only=True):
    """What is said of how a request was answered.

    Attributes:
        seconds: Time by stage: `tokenize` or `decode` where there was one, and `run`.
        tokens: Per text, tokens that the model read and wrote, those that it read twice twice; none
            where no text is read.
        truncated: Per text, whether tokens of it were cut off; likewise.
    """

    seconds: dict[str, float]
    tokens: tuple[int, ...] = ()
    truncated: tuple[bool, ...] = ()


def place_of(field: str, at: int, count: int) -> str:
    """The name of a field that holds one of several files; of one it is the field's own."""
    return field if count == 1 else f"{field}[{at}]"
