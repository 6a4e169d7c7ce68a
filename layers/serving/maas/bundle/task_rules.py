"""What a manifest must say for its task: labels, limits, picture or sound, the graph's tensors.

May import `maas.errors`, `maas.limits`, and `audio`, `composites`, `dtypes` and `table_rules`
beside it. One table says what each task reads and answers; the graph itself is held against the
manifest when it is opened:

    check_task(manifest, LIMITS)
"""

from typing import TYPE_CHECKING, NamedTuple

from maas.bundle.audio import check_audio, check_ctc
from maas.bundle.composites import check_composites
from maas.bundle.dtypes import DTYPES, STRING
from maas.bundle.table_rules import NAME, check_columns
from maas.errors import BundleError
from maas.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.bundle.audio import AudioInput, CtcVocabulary
    from maas.bundle.manifest import Manifest
    from maas.registry.records import TensorSpec

CLASSIFYING = frozenset(
    (
        "text-classification",
        "image-classification",
        "audio-classification",
        "token-classification",
        "zero-shot-classification",
    )
)
"""The tasks whose answers are labels."""
LOOKING = frozenset(("image-classification",))
"""The tasks that look at pictures."""
TRANSCRIBING = frozenset(("automatic-speech-recognition",))
"""The tasks that write down what is said, from numbers per frame."""
LISTENING = frozenset(("audio-classification",)) | TRANSCRIBING
"""The tasks that listen to a clip of sound."""
FILED = LOOKING | LISTENING
"""The tasks that are asked about files."""
WRITING = frozenset(("translation", "summarization"))
"""The tasks that write a text, the whole loop within the graph."""
GENERATING = frozenset(("text-generation",))
"""The tasks that go on with a text, one step of the graph per token."""
TOKENWISE = frozenset(("token-classification", "question-answering"))
"""The tasks whose graphs answer with numbers per token, and not per text."""
PAIRED = frozenset(("zero-shot-classification", "question-answering"))
"""The tasks that read two texts in one row."""
_ENTAILED = "entail"

TABULAR = frozenset(("tabular-classification",))
"""The tasks that read rows of named columns."""
BARE = frozenset(("tensor",)) | TABULAR
"""The tasks that serve a graph as it is, whatever tensors it has."""
TEXTLESS = FILED | BARE
"""The tasks without a tokenizer; all others read texts."""

PAST, PRESENT, POSITIONS = "past_key_values.", "present.", "position_ids"
"""What a generating graph's inputs and outputs are called, or begin with, beside a text's own."""
TYPES = "token_type_ids"
"""What an input is called that tells which of two texts a token is of; a graph may have it."""

_ANY, _SOME = "any", -1


class _Tensor(NamedTuple):
    """A tensor of a task: `_ANY` is a dimension that varies, `_SOME` one of any fixed size."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    said: str


_TEXT = (
    _Tensor("input_ids", "int64", (_ANY, _ANY), "[batch, sequence]"),
    _Tensor("attention_mask", "int64", (_ANY, _ANY), "[batch, sequence]"),
)
_TYPED = _Tensor(TYPES, "int64", (_ANY, _ANY), "[batch, sequence]")
_ANSWER = (
    _Tensor("start_logits", "float32", (_ANY, _ANY), "[batch, sequence]"),
    _Tensor("end_logits", "float32", (_ANY, _ANY), "[batch, sequence]"),
)
_EMBEDDING = (_Tensor("embedding", "float32", (_ANY, _SOME), "[batch, dimension]"),)
_WRITING = (
    *_TEXT,
    _Tensor("beams", "int64", (1,), "[1]"),
    _Tensor("max_new_tokens", "int64", (1,), "[1]"),
)
_GENERATED = _Tensor(
    "logits", "float32", (_ANY, _ANY, _SOME), "[batch, sequence, vocabulary], the last one fixed"
)
_WRITTEN = (
    _Tensor("output_ids", "int64", (_ANY, _ANY), "[batch, length]"),
    _Tensor("scores", "float32", (_ANY,), "[batch]"),
)


def check_task(manifest: "Manifest", limits: Limits) -> None:
    """Check what the task asks of a manifest.

    Raises:
        BundleError: With the field at fault and the reason.
    """
    _check_labels(manifest, limits)
    _check_limits(manifest, limits)
    _check_image(manifest, limits)
    check_audio(manifest.audio, manifest.task, limits, wanted=manifest.task in LISTENING)
    check_ctc(manifest.ctc, manifest.task, limits, wanted=manifest.task in TRANSCRIBING)
    _check_generation(manifest)
    _check_composites(manifest)
    check_columns(manifest, limits, wanted=manifest.task in TABULAR)
    if manifest.task in BARE:
        _check_bare("inputs", manifest.inputs)
        _check_bare("outputs", manifest.outputs)
        return
    inputs, outputs = _signature(manifest)
    # By name: graphs list their inputs as they were exported, and are fed by name.
    _check_tensors("inputs", _by_name(manifest.inputs), sorted(inputs))
    specs = manifest.outputs
    if manifest.task in GENERATING:
        specs, outputs = _by_name(specs), tuple(sorted(outputs))
    _check_tensors("outputs", specs, outputs)


def entailment_of(labels: "Sequence[str]") -> int:
    """Which label of a zero-shot classifier says that one text follows from the other.

    Raises:
        BundleError: None does.
    """
    for number, label in enumerate(labels):
        if label.lower().startswith(_ENTAILED):
            return number
    raise BundleError("must have one that begins with entail, such as entailment", field="labels")


def _by_name(specs: "Sequence[TensorSpec]") -> "tuple[TensorSpec, ...]":
    return tuple(sorted(specs, key=lambda spec: spec.name))


def _check_labels(manifest: "Manifest", limits: Limits) -> None:
    if manifest.task not in CLASSIFYING | BARE and manifest.labels:
        raise BundleError(f"must be none for {manifest.task}", field="labels")
    if manifest.task in BARE - TABULAR and not manifest.labels:
        return
    if manifest.task in CLASSIFYING | BARE and not 2 <= len(manifest.labels) <= limits.labels:
        raise BundleError(f"must be 2 to {limits.labels} labels", field="labels")
    if manifest.task in PAIRED & CLASSIFYING:
        entailment_of(manifest.labels)
    if manifest.task in BARE and not _has_width(manifest.outputs, len(manifest.labels)):
        raise BundleError(
            f"are {len(manifest.labels)}, and no output ends in as many numbers", field="labels"
        )


def _check_composites(manifest: "Manifest") -> None:
    if manifest.composites and manifest.task not in BARE - TABULAR:
        raise BundleError(f"must be none for {manifest.task}", field="composites")
    check_composites(manifest.composites, manifest.outputs)


def _has_width(specs: "Sequence[TensorSpec]", width: int) -> bool:
    """Whether one ends in so many numbers, or in a number that varies."""
    ends = [spec.shape[-1] for spec in specs if spec.shape]
    return any(isinstance(end, str) or end == width for end in ends)


def _check_limits(manifest: "Manifest", limits: Limits) -> None:
    generates = manifest.task in GENERATING
    most = limits.context_tokens if generates else limits.tokens
    rules = (
        ("max_tokens", manifest.task not in TEXTLESS, most),
        ("max_new_tokens", generates or manifest.task in WRITING, limits.new_tokens),
    )
    for name, used, most in rules:
        value = getattr(manifest.limits, name)
        if used and not 1 <= value <= most:
            raise BundleError(f"must be 1 to {most}", field=f"limits.{name}")
        if not used and value:
            raise BundleError(f"must be 0 for {manifest.task}", field=f"limits.{name}")


def _check_image(manifest: "Manifest", limits: Limits) -> None:
    if (manifest.image is not None) != (manifest.task in LOOKING):
        wanted = "given" if manifest.task in LOOKING else "absent"
        raise BundleError(f"must be {wanted} for {manifest.task}", field="image")
    if manifest.image and max(manifest.image.width, manifest.image.height) > limits.input_side:
        raise BundleError(
            f"must be at most {limits.input_side} pixels wide and high", field="image"
        )


def _check_generation(manifest: "Manifest") -> None:
    generation = manifest.generation
    if (generation is not None) != (manifest.task in GENERATING):
        wanted = "given" if manifest.task in GENERATING else "absent"
        raise BundleError(f"must be {wanted} for {manifest.task}", field="generation")
    if generation is None:
        return
    if manifest.limits.max_tokens < 2:
        raise BundleError("must be 2 at least: a text and what follows", field="limits.max_tokens")
    widths = [spec.shape[-1] for spec in manifest.outputs if spec.name == "logits" and spec.shape]
    if any(isinstance(w, int) and number >= w for w in widths for number in generation.end_ids):
        raise BundleError("holds an id that the logits do not have", field="generation.end_ids")


def _signature(manifest: "Manifest") -> tuple[tuple[_Tensor, ...], tuple[_Tensor, ...]]:
    """The tensors that the task's graph reads and answers with, the latter in their order."""
    width = len(manifest.labels)
    logits = (_Tensor("logits", "float32", (_ANY, width), "[batch, labels], one number per label"),)
    if image := manifest.image:
        shape = (_ANY, image.channels, image.height, image.width)
        return (_Tensor("pixels", "float32", shape, "[batch, channels, height, width]"),), logits
    if audio := manifest.audio:
        return (_waveform(audio),), logits if manifest.ctc is None else (_spelled(manifest.ctc),)
    if manifest.task in WRITING:
        return _WRITING, _WRITTEN
    if manifest.task in GENERATING:
        return _generating(manifest)
    if manifest.task in TOKENWISE & CLASSIFYING:
        said = "[batch, sequence, labels], one number per label"
        logits = (_Tensor("logits", "float32", (_ANY, _ANY, width), said),)
    # Of one text alone all tokens are of the first, so that a graph need not be told.
    told = manifest.task in TOKENWISE | PAIRED
    told = told and any(spec.name == TYPES for spec in manifest.inputs)
    text = (*_TEXT, _TYPED) if told else _TEXT
    if manifest.task not in CLASSIFYING:
        return text, _ANSWER if manifest.task in TOKENWISE else _EMBEDDING
    return text, logits


def _waveform(audio: "AudioInput") -> _Tensor:
    size = audio.samples if audio.fixed else _ANY
    return _Tensor("waveform", "float32", (_ANY, size), "[batch, samples], fixed where they are")


def _spelled(ctc: "CtcVocabulary") -> _Tensor:
    said = "[batch, frames, tokens], one number per token"
    return _Tensor("logits", "float32", (_ANY, _ANY, len(ctc.tokens)), said)


def _generating(manifest: "Manifest") -> tuple[tuple[_Tensor, ...], tuple[_Tensor, ...]]:
    """As many layers as the graph's inputs have, each with two tensors that are handed on."""
    names = {spec.name for spec in manifest.inputs}
    layers = max(1, len([name for name in names if name.startswith(PAST)]) // 2)
    parts = [f"{layer}.{part}" for layer in range(layers) for part in ("key", "value")]
    shape, said = (_ANY, _SOME, _ANY, _SOME), "[batch, heads, tokens, numbers]"
    places = _Tensor(POSITIONS, "int64", (_ANY, _ANY), "[batch, sequence]")
    return (
        *_TEXT,
        *((places,) if POSITIONS in names else ()),
        *(_Tensor(PAST + part, "float32", shape, said) for part in parts),
    ), (_GENERATED, *(_Tensor(PRESENT + part, "float32", shape, said) for part in parts))


def _check_tensors(field: str, specs: "Sequence[TensorSpec]", wanted: "Sequence[_Tensor]") -> None:
    for tensor, spec in zip(wanted, specs, strict=False):
        if (spec.name, spec.dtype) != (tensor.name, tensor.dtype) or not _fits(spec, tensor):
            raise BundleError(f"must be {tensor.name}, {tensor.dtype} {tensor.said}", field=field)
    if len(specs) != len(wanted):
        names = ", ".join(tensor.name for tensor in wanted)
        raise BundleError(f"must be {names} and no other tensor", field=field)


def _check_bare(field: str, specs: "Sequence[TensorSpec]") -> None:
    for spec in specs:
        names = (spec.name, *(size for size in spec.shape if isinstance(size, str)))
        if not all(map(NAME.fullmatch, names)):
            raise BundleError("must have names without control characters", field=field)
        if spec.dtype not in DTYPES and spec.dtype != STRING:
            raise BundleError(f"must be of {', '.join(DTYPES)} or {STRING}", field=field)


def _fits(spec: "TensorSpec", tensor: _Tensor) -> bool:
    if len(spec.shape) != len(tensor.shape):
        return False
    for size, wanted in zip(spec.shape, tensor.shape, strict=True):
        if isinstance(size, int) != isinstance(wanted, int):
            return False
        if wanted not in (_ANY, _SOME, size):
            return False
    return True
