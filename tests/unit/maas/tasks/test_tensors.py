"""Every kind of model asked by tensors: by what its task reads, and by its graph's own."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.kinds import KINDS, LEVELS, TEXT
from support.tensors import SECOND
from support.tiny import FOREVER_WORD, NAN_WORD, WORDS
from support.tiny_image import png
from support.tiny_table import LABELS as LOST_OR_SAVED
from tokenizers import Tokenizer

import maas.tasks.runs
from maas.bundle.verify import verify_bundle
from maas.engine.session import Session
from maas.errors import DeadlineError, FieldError, ModelOutputError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.registry.records import TensorSpec
from maas.tasks.task import Counts
from maas.tasks.tensors import STRING, check_feeds, strings

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.tasks.task import Task

    Arrays = dict[str, Any]

FILED = ("image-classification", "audio-classification", "automatic-speech-recognition")
"""Which read files, and no texts; what listens is asked in test_audio."""
PAIRED = ("zero-shot-classification", "question-answering")
WRITING = ("translation", "summarization")
READING = tuple(kind for kind, each in KINDS.items() if "inputs" in each.body and kind not in FILED)
WHOLE = tuple(each for each in READING if each != "text-generation")
"""The kinds of which one run of the graph answers a text."""
CELLS = np.array([[41, 0, 7.25], [17, 2, 71.3]], np.float32)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> "Arrays":
    folder = tmp_path_factory.mktemp("bundles")
    return {kind: each.make(folder / kind, seed=3) for kind, each in KINDS.items()}


@pytest.fixture(scope="module")
def tasks(bundles: "Arrays") -> "dict[str, Task]":
    return {
        kind: load_version(verify_bundle(bundle.folder, digest=bundle.digest), threads=1).task
        for kind, bundle in bundles.items()
    }


def infer(task: "Task", feeds: "Arrays", *, seconds: float = 10) -> Any:  # noqa: ANN401
    """A TensorResponse, whose arrays may be of any kind."""
    return task.tensors.infer(feeds, deadline=time.monotonic() + seconds)


def texts(*each: str) -> Any:  # noqa: ANN401
    return strings([text.encode() for text in each], (len(each),))


def read(kind: str, *first: str) -> "Arrays":
    """What stands for all other inputs."""
    second = {"text_pair": texts(*[SECOND] * len(first))} if kind in PAIRED else {}
    return {"text": texts(*first), **second}


def tokens(kind: str, bundle: Any, *first: str) -> "Arrays":  # noqa: ANN401
    """The same as its own tokenizer has it, by the graph's inputs."""
    native = Tokenizer.from_file(str(bundle.folder / "tokenizer.json"))
    native.enable_padding()
    pairs = [(text, SECOND) for text in first] if kind in PAIRED else list(first)
    encoded = native.encode_batch(pairs)
    columns = {
        "input_ids": [each.ids for each in encoded],
        "attention_mask": [each.attention_mask for each in encoded],
        "token_type_ids": [each.type_ids for each in encoded],
    }
    names = {spec.name for spec in bundle.manifest.inputs}
    return {name: np.array(rows) for name, rows in columns.items() if name in names}


WANTED: "dict[str, Callable[[Any], Arrays]]" = {
    "text-classification": lambda bundle: {"logits": bundle.logits([TEXT])},
    "token-classification": lambda bundle: {
        "logits": bundle.weights[[WORDS.index(word) for word in TEXT.split()]][None]
    },
    "zero-shot-classification": lambda bundle: {"logits": bundle.logits(TEXT, SECOND)[None]},
    "question-answering": lambda bundle: {
        "start_logits": bundle.tokens(TEXT, SECOND)[None, :, 0],
        "end_logits": bundle.tokens(TEXT, SECOND)[None, :, 1],
    },
    "feature-extraction": lambda bundle: {"embedding": bundle.vectors([TEXT])},
    **dict.fromkeys(
        WRITING,
        lambda bundle: {"text": [bundle.write(TEXT)], "output_ids": np.array([bundle.ids(TEXT)])},
    ),
    "text-generation": lambda bundle: {"text": [bundle.goes_on(TEXT)]},
}
"""What is answered to TEXT and SECOND, by numpy or Python alone."""


def check(outputs: "Arrays", known: "Arrays") -> None:
    for name, value in known.items():
        if isinstance(value, list):
            assert outputs[name].tolist() == value
        else:
            assert outputs[name].shape == value.shape, name
            np.testing.assert_allclose(outputs[name], value, atol=1e-5)


# ---- Answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", READING)
def test_a_text_is_answered_as_its_model_must(
    tasks: "dict[str, Task]", bundles: "Arrays", kind: str
) -> None:
    task = tasks[kind]
    answer = infer(task, read(kind, TEXT))
    check(answer.outputs, WANTED[kind](bundles[kind]))
    assert answer.counts == Counts(texts=1)
    assert (len(answer.tokens), answer.truncated) == (1, (False,))
    assert "run" in answer.seconds
    # And each output is one that is declared, of its dtype
    specs = {spec.name: spec.dtype for spec in task.tensors.outputs}
    for name, array in answer.outputs.items():
        assert specs[name] == (STRING if array.dtype == np.object_ else array.dtype.name)


@pytest.mark.parametrize("kind", READING)
def test_a_column_is_taken_as_well(tasks: "dict[str, Task]", kind: str) -> None:
    flat, task = read(kind, TEXT, "bad"), tasks[kind]
    column = {name: array.reshape(-1, 1) for name, array in flat.items()}
    one, other = (infer(task, feeds).outputs for feeds in (flat, column))
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert array.tolist() == other[name].tolist()


@pytest.mark.parametrize("kind", WHOLE)
def test_tokens_are_answered_as_the_texts_that_become_them(
    tasks: "dict[str, Task]", bundles: "Arrays", kind: str
) -> None:
    several = (TEXT, "bad", "the dull story")
    by_text = infer(tasks[kind], read(kind, *several))
    by_tokens = infer(tasks[kind], tokens(kind, bundles[kind], *several))
    assert by_tokens.outputs.keys() == by_text.outputs.keys()
    for name, array in by_text.outputs.items():
        if array.dtype == np.object_:
            assert by_tokens.outputs[name].tolist() == array.tolist()
        else:
            np.testing.assert_allclose(by_tokens.outputs[name], array, atol=1e-5)
    assert by_tokens.counts == by_text.counts == Counts(texts=3)
    width = tokens(kind, bundles[kind], *several)["input_ids"].shape[1]
    assert all(few <= many for few, many in zip(by_text.tokens, by_tokens.tokens, strict=True))
    assert kind in WRITING or max(by_tokens.tokens) <= width


@pytest.mark.parametrize("kind", WRITING)
def test_a_writer_takes_its_options_with_texts_and_with_tokens(
    tasks: "dict[str, Task]", bundles: "Arrays", kind: str
) -> None:
    options = {"beams": np.array([4]), "max_new_tokens": np.array([5])}
    want = bundles[kind].write(TEXT, beams=4, most=5)
    for feeds in (read(kind, TEXT), tokens(kind, bundles[kind], TEXT)):
        assert infer(tasks[kind], feeds | options).outputs["text"].tolist() == [want]


def test_a_step_of_a_generator_is_its_graphs_own(
    tasks: "dict[str, Task]", bundles: "Arrays"
) -> None:
    task, bundle = tasks["text-generation"], bundles["text-generation"]
    ids = tokens("text-generation", bundle, TEXT)["input_ids"]
    shapes = {spec.name: spec.shape for spec in bundle.manifest.inputs}
    state = {
        name: np.zeros((1, *shape[1:2], 0, *shape[3:]), np.float32)
        for name, shape in shapes.items()
        if name.startswith("past_key_values.")
    }
    assert state
    written: list[int] = []
    width = ids.shape[1]
    while len(written) < 4:
        feeds = {"input_ids": ids, "attention_mask": np.ones((1, width), np.int64), **state}
        answer = infer(task, feeds).outputs
        written.append(int(answer["logits"][0, -1].argmax()))
        ids, width = np.array([[written[-1]]]), width + 1
        state = {name: answer[name.replace("past_key_values.", "present.")] for name in state}
    assert written == bundle.ids(TEXT, most=4)


def test_pictures_are_answered_alike_as_files_and_as_pixels(
    tasks: "dict[str, Task]", bundles: "Arrays"
) -> None:
    task, want = tasks["image-classification"], bundles["image-classification"].logits(LEVELS)
    files = strings([png(LEVELS)] * 2, (2,))
    pixels = (LEVELS.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    for feeds, count in (
        ({"image": files}, 2),
        ({"image": files.reshape(2, 1)}, 2),
        ({"pixels": pixels}, 1),
        ({"pixels": np.repeat(pixels, LIMITS.images, axis=0)}, LIMITS.images),
    ):
        answer = infer(task, feeds)
        np.testing.assert_allclose(answer.outputs["logits"], [want] * count, atol=1e-5)
        assert answer.counts == Counts(images=count)


def test_a_table_is_answered_by_its_cells(tasks: "dict[str, Task]", bundles: "Arrays") -> None:
    answer = infer(tasks["tabular-classification"], {"cells": CELLS})
    labels = [LOST_OR_SAVED[index] for index in answer.outputs["label"]]
    assert labels == bundles["tabular-classification"].best(CELLS.tolist())


@pytest.mark.parametrize("kind", [each for each in WHOLE if each not in PAIRED])
def test_f16_many_rows_are_run_in_parts_and_come_back_in_their_order(
    tasks: "dict[str, Task]", bundles: "Arrays", kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given as many texts as there may be, of all lengths, and a graph that is given little at once
    words = ("a", "good", "film", "the", "bad", "story")
    several = [" ".join((words * 2)[at % 6 : at % 6 + 1 + at % 5]) for at in range(LIMITS.texts)]
    feeds = tokens(kind, bundles[kind], *several)
    whole = infer(tasks[kind], feeds).outputs
    shapes: list[tuple[int, ...]] = []
    run = Session.run

    def noted(self: Session, fed: Any, *, deadline: float) -> Any:  # noqa: ANN401
        shapes.append(fed["input_ids"].shape)
        return run(self, fed, deadline=deadline)

    monkeypatch.setattr(Session, "run", noted)
    for name in ("RUN_TOKENS", "BUCKET_TOKENS"):
        monkeypatch.setattr(maas.tasks.runs, name, 24)
    parts = infer(tasks[kind], feeds).outputs
    # Then it runs more than once, and its answers are as before
    assert len(shapes) > 1
    assert sum(rows for rows, _ in shapes) == LIMITS.texts
    assert kind in WRITING or all(rows * width <= 24 for rows, width in shapes)
    for name, array in whole.items():
        if array.dtype == np.object_:
            assert parts[name].tolist() == array.tolist()
        else:
            np.testing.assert_allclose(parts[name], array, atol=1e-5)


# ---- What is refused ----------------------------------------------------------------------------


def refused(task: "Task", feeds: "Arrays") -> str:
    with pytest.raises(FieldError) as raised:
        infer(task, feeds)
    return str(raised.value.field)


@pytest.mark.parametrize("kind", READING)
def test_texts_that_are_not_acceptable_are_refused_by_their_name(
    tasks: "dict[str, Task]", kind: str
) -> None:
    task, good = tasks[kind], read(kind, TEXT)
    assert refused(task, good | {"text": texts("")}).startswith("text")
    assert refused(task, good | {"text": np.array([1])}) == "text"
    assert refused(task, good | {"text": texts(TEXT).reshape(1, 1, 1)}) == "text"
    assert refused(task, good | {"text": strings([b"\xff"], (1,))}) == "text"
    assert refused(task, good | {"input_ids": np.array([[1]])}) in ("text", "inputs")
    assert refused(task, good | {"nobody": np.array([1])}) in ("text", "inputs")
    assert refused(task, read(kind, *[TEXT] * (LIMITS.texts + 1))) == "text"
    assert refused(task, read(kind)) == "text"


@pytest.mark.parametrize("kind", PAIRED)
def test_a_pair_is_two_texts_of_each_row(tasks: "dict[str, Task]", kind: str) -> None:
    good = read(kind, TEXT)
    assert refused(tasks[kind], {"text": good["text"]}) == "text_pair"
    assert refused(tasks[kind], {"text_pair": good["text"]}) == "text"
    assert refused(tasks[kind], good | {"text_pair": texts("a", "b")}) == "text_pair"
    assert refused(tasks[kind], good | {"text_pair": texts("")}) == "text_pair"


@pytest.mark.parametrize("kind", WHOLE)
def test_tokens_that_no_text_becomes_are_refused_by_their_name(
    tasks: "dict[str, Task]", bundles: "Arrays", kind: str
) -> None:
    task, good = tasks[kind], tokens(kind, bundles[kind], TEXT)
    ids, mask = good["input_ids"], good["attention_mask"]
    native = Tokenizer.from_file(str(bundles[kind].folder / "tokenizer.json"))
    for value in (-1, native.get_vocab_size(), 2**63 - 1, -(2**63)):
        changed = ids.copy()
        changed[0, -1] = value
        assert refused(task, good | {"input_ids": changed}) == "input_ids"
    for value in (-1, 2, 2**62):
        changed = mask.copy()
        changed[0, 0] = value
        assert refused(task, good | {"attention_mask": changed}) == "attention_mask"
    assert refused(task, good | {"attention_mask": np.zeros_like(mask)}) == "attention_mask"
    assert refused(task, good | {"attention_mask": mask[:, 1:]}) == "attention_mask"
    assert refused(task, good | {"input_ids": ids.astype(np.int32)}) == "input_ids"
    assert refused(task, good | {"input_ids": ids[0]}) == "input_ids"
    for name in good:
        assert refused(task, {k: array for k, array in good.items() if k != name}) == name
    assert refused(task, good | {"nobody": ids}) == "inputs"
    for rows, width in ((LIMITS.texts + 1, 1), (1, 513), (0, 3), (1, 0)):
        sized = {name: np.ones((rows, width), np.int64) for name in good}
        assert refused(task, sized) == "input_ids"


@pytest.mark.parametrize("kind", PAIRED)
def test_types_of_tokens_are_those_of_two_texts(
    tasks: "dict[str, Task]", bundles: "Arrays", kind: str
) -> None:
    good = tokens(kind, bundles[kind], TEXT)
    assert "token_type_ids" in good
    for value in (-1, 2, 2**62):
        types = good["token_type_ids"].copy()
        types[0, 0] = value
        assert refused(tasks[kind], good | {"token_type_ids": types}) == "token_type_ids"


@pytest.mark.parametrize("kind", WRITING)
@pytest.mark.parametrize("name", ["beams", "max_new_tokens"])
def test_options_of_a_writer_have_their_limits(
    tasks: "dict[str, Task]", kind: str, name: str
) -> None:
    most = {"beams": LIMITS.beams, "max_new_tokens": LIMITS.new_tokens}[name]
    for value in ([0], [-1], [most + 1], [1, 1], [], 1, [1.0]):
        assert refused(tasks[kind], read(kind, TEXT) | {name: np.array(value)}) == name
    infer(tasks[kind], read(kind, TEXT) | {name: np.array([most])})


@pytest.mark.parametrize(
    ("kind", "hazard", "error"),
    [
        (kind, hazard, error)
        for kind in ("text-classification", "token-classification", "feature-extraction")
        for hazard, error in ((NAN_WORD, ModelOutputError), (FOREVER_WORD, DeadlineError))
    ],
)
def test_a_failure_is_named_and_the_next_is_answered(
    tmp_path_factory: pytest.TempPathFactory, kind: str, hazard: str, error: type[Exception]
) -> None:
    bundle = KINDS[kind].make(tmp_path_factory.mktemp("bundles") / "b", hazards=True)
    task = load_version(verify_bundle(bundle.folder, digest=bundle.digest), threads=1).task
    good = infer(task, read(kind, TEXT)).outputs
    with pytest.raises(error):
        infer(task, read(kind, TEXT, hazard), seconds=0.1 if hazard == FOREVER_WORD else 10)
    for name, array in infer(task, read(kind, TEXT)).outputs.items():
        assert array.tolist() == good[name].tolist()


# ---- The shared checks --------------------------------------------------------------------------

A = TensorSpec("a", "float32", ("batch", 2))
B = TensorSpec("b", STRING, ("batch",))
C = TensorSpec("c", "bool", ())
FED: "Arrays" = {
    "a": np.ones((3, 2), np.float32),
    "b": texts("x", "y", "z"),
    "c": np.array(True),
}


def test_what_fits_passes() -> None:
    check_feeds((A, B, C), FED)
    check_feeds((A, B, C), FED | {"a": np.ones((0, 2), np.float32), "b": texts()})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"d": np.ones(1)}, "inputs"),
        ({"a": np.ones((3, 2))}, "a"),
        ({"a": np.ones((3, 2), ">f4").astype(np.int32)}, "a"),
        ({"a": np.ones((3, 3), np.float32)}, "a"),
        ({"a": np.ones(6, np.float32)}, "a"),
        ({"a": np.ones((2, 2), np.float32)}, "b"),  # the first one says how many there are
        ({"b": np.ones(3)}, "b"),
        ({"c": np.array([True])}, "c"),
        ({"c": np.array(1)}, "c"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(change: "Arrays", field: str) -> None:
    with pytest.raises(FieldError) as raised:
        check_feeds((A, B, C), FED | change)
    assert raised.value.field == field


def test_a_refusal_says_what_there_is_and_nothing_that_was_sent() -> None:
    with pytest.raises(FieldError, match="which reads a, b, c") as unknown:
        check_feeds((A, B, C), FED | {"secret": np.ones(1)})
    assert "secret" not in str(unknown.value)
    with pytest.raises(FieldError, match=r"\[batch, 2\], and has \[3, 7\]"):
        check_feeds((A, B, C), FED | {"a": np.ones((3, 7), np.float32)})
    with pytest.raises(FieldError, match="is missing; this model reads a, b, c"):
        check_feeds((A, B, C), {"a": FED["a"], "b": FED["b"]})
