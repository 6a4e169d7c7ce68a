"""What the user says of a model that was made elsewhere, and how it is read.

Imports `maas` and msgspec:

    wishes = Wishes(task="tensor", labels=read_labels("cat,dog"))
    name_of(Path("yolo/model.onnx"), wishes)     # "yolo"
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import FieldError, MaasError
from maas.http.protocols.oip import decode
from maas.limits import LIMITS
from maas.settings import MODEL_NAME
from maas.tasks.tensors import check_feeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from maas.registry.records import TensorSpec
    from maas.tasks.tensors import Array

TENSOR, TABLE = "tensor", "tabular-classification"
_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", re.ASCII)
_MANY = (
    " Leave it out, and requests are invented; callers send so many as bytes (the protocol's binary"
    " tensors)."
)
_UNSAID = frozenset(("model", "onnx", "inference", "optimized", "quantized", "standard"))


@dataclass(frozen=True, slots=True)
class Wishes:
    """Options of an import.

    Attributes:
        task: What the model is for.
        name: The model's; told from the file when None.
        labels: Class names, by class index.
        tokenizer: A tokenizer.json, for a task that reads texts.
        columns: What a row has, for a task that reads tables.
        examples: Files with requests that the graph takes.
        max_tokens: Tokens of a text; what the tokenizer and the graph allow when None.
        size: Width and height of a picture, where the graph takes any.
        mean: What is taken away from the colours of a picture, each 0 to 1.
        std: What they are divided by then.
        rate: Samples a second of a clip of sound.
        seconds: How long one may be, where the graph takes any.
        normalise: Whether its mean is made 0 and its variance 1.
    """

    task: str = TENSOR
    name: str | None = None
    labels: tuple[str, ...] = ()
    tokenizer: Path | None = None
    columns: tuple[str, ...] = ()
    examples: tuple[Path, ...] = ()
    max_tokens: int | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    rate: int | None = None
    seconds: float | None = None
    normalise: bool = False


def read_numbers(given: str | None, *, field: str) -> tuple[float, ...]:
    """Numbers with commas between.

    Raises:
        FieldError: One is no number.
    """
    try:
        numbers = tuple(float(each) for each in (given or "").split(",") if each)
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise FieldError("must be numbers with commas between", field=field)
    return numbers


def read_size(given: str | None) -> tuple[int, int] | None:
    """Width and height, as in `224x224`.

    Raises:
        FieldError: It is something else.
    """
    if given is None:
        return None
    if not (found := _SIZE.fullmatch(given)):
        raise FieldError("must be width and height, such as 224x224", field="size")
    return int(found[1]), int(found[2])


def read_labels(given: str | None) -> tuple[str, ...]:
    """Class names: of a file, one a line, or as they are, with commas between.

    Raises:
        FieldError: The file cannot be read.
    """
    if given is None:
        return ()
    if "," not in given or Path(given).is_file():
        lines = _read(Path(given), "labels").decode(errors="replace").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    return tuple(label.strip() for label in given.split(","))


def read_example(path: Path, specs: "Sequence[TensorSpec]") -> "Mapping[str, Array]":
    """A request in the Open Inference Protocol's JSON, as a server would take it.

    Raises:
        FieldError: It cannot be read, or is no request that fits what the graph reads.
    """
    data = _read(path, "example")
    try:
        feeds = decode(data, None, specs).feeds
        known = [spec.name for spec in specs]
        if unknown := [name for name in feeds if name not in known]:
            raise FieldError(
                f"the graph reads no {', '.join(unknown)}; it reads {', '.join(known)}",
                field="inputs",
            )
        check_feeds(specs, feeds)
    except MaasError as error:
        remedy = _MANY if f"more than {LIMITS.tensor_values} values" in str(error) else ""
        raise FieldError(f"{path}: {error.described()}{remedy}", field="example") from None
    return feeds


def name_of(source: Path, wishes: Wishes) -> str:
    """The model's name: as wished, else that of the file, else that of its folder.

    Raises:
        FieldError: None of them can be a model's name.
    """
    resolved = source.absolute()
    candidates = [resolved.stem if resolved.suffix else resolved.name, resolved.parent.name]
    for candidate in [wishes.name] if wishes.name else candidates:
        name = candidate if wishes.name else _plain(candidate)
        if name not in _UNSAID and MODEL_NAME.fullmatch(name):
            return name
    raise FieldError("must be a name such as sentiment (a-z, 0-9 and -); give one", field="name")


def _plain(text: str) -> str:
    """Letters and digits alone: such a name can be shipped to AWS, too."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())[:32]


def _read(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no path"
        raise FieldError(f"{path} cannot be read: {reason}", field=field) from None
