"""Folders of Hugging Face's for three tasks: imported, served, and asked by the real client.

What is answered is held against transformers' own pipelines; against torch, step by step, where it
has none any more. The networks are tiny and new, and so answer anything: all the more must agree.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
import transformers
from huggingface_hub import InferenceClient, QuestionAnsweringOutputElement
from huggingface_hub.errors import HfHubHTTPError
from support.hub_folders import KINDS, MOST, make_folder
from support.task_bundles import TaskHome, serving

from maas.assembly import build_registry
from maas.errors import FieldError, RefusedError
from maas.registry.addresses import ByNumber
from maas.settings import Settings
from maas_lab.environment import limit_threads
from maas_lab.importing.importer import import_model
from maas_lab.importing.wishes import Wishes
from maas_lab.releasing import register_bundle

pytestmark = pytest.mark.recipes
TOKENS, TOPICS, QUESTIONS = (
    "token-classification",
    "zero-shot-classification",
    "question-answering",
)
ENTITIES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC")
FOLLOWS = ("contradiction", "neutral", "entailment")
Strategy = Literal["none", "simple", "first", "average", "max"]
STRATEGIES: tuple[Strategy, ...] = ("simple", "first", "average", "max")
guesses = pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
"""Where the vocabulary does not mark how words go on, the pipeline guesses, and says so."""
TEXTS = (
    "My name is Wolfgang and I live in Berlin.",
    "Wolfgang Wolfganggang livelive, berberlin!",
    "I live in 柏林, in Café Zoë; unknowable \U0001f600 words-and-more (e\u0301).",
    "  two  spaces\tand\na line ",
    "\u200bberlin",
    " Wolfgang's  café(in Berlin),\u00a0unknowable--the \U0001f468\u200d\U0001f469 lives",
    "there<unk>it is! ",
    "#",
)
LONG = " ".join(TEXTS[:3] * 6)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with limit_threads(1):  # several wait for each other longer than so little takes
        yield


@cache
def pipeline(task: str, folder: Path) -> Any:  # noqa: ANN401 - whose kind depends on a name
    """The one of transformers, which takes a while to make."""
    make: Any = transformers.pipeline
    return make(task, model=str(folder), tokenizer=str(folder))


@contextmanager
def served(path: Path, folder: Path, task: str) -> Iterator[str]:
    """Import a folder, register and promote what it became, and serve it."""
    settings = Settings.parse({"MAAS_HOME": str(path), "MAAS_ACTOR": "tests"})
    imported = import_model(folder, settings.bundles, Wishes(task=task))
    proof = imported.exported.proof
    assert proof is not None
    assert proof.max_difference <= 1e-4
    assert imported.optimised.kept, imported.optimised.reason
    name = imported.made.bundle.manifest.name
    settings = Settings.parse({"MAAS_HOME": str(path), "MAAS_ACTOR": "tests", "MAAS_MODEL": name})
    with build_registry(settings) as registry:
        register_bundle(registry, imported.made.bundle.folder)
        registry.promote(name, ByNumber(1))
    home = TaskHome(settings, {1: imported.made.bundle})
    with serving(home) as url:
        yield f"{url}/models/{name}"


@pytest.fixture(scope="module", params=sorted(KINDS))
def entities(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    path = tmp_path_factory.mktemp("entities")
    labels = dict(enumerate(ENTITIES))
    folder = make_folder(
        path / "entities", "ForTokenClassification", kind=request.param, id2label=labels
    )
    with served(path / "home", folder, TOKENS) as url:
        yield url, folder


@pytest.fixture(scope="module", params=["bert", "roberta"])
def topics(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    path = tmp_path_factory.mktemp("topics")
    labels = dict(enumerate(FOLLOWS))
    numbers = {label: at for at, label in labels.items()}
    folder = make_folder(
        path / "topics",
        "ForSequenceClassification",
        kind=request.param,
        id2label=labels,
        label2id=numbers,
    )
    with served(path / "home", folder, TOPICS) as url:
        yield url, folder


@pytest.fixture(scope="module", params=["bert", "roberta"])
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    path = tmp_path_factory.mktemp("answers")
    folder = make_folder(path / "answers", "ForQuestionAnswering", kind=request.param)
    with served(path / "home", folder, QUESTIONS) as url:
        yield url, folder


# ---- Tokens -------------------------------------------------------------------------------------


def same_entities(found: Any, wanted: Any) -> None:  # noqa: ANN401
    """One by one: what each is, where it stands, how it is written, and how sure it is."""
    names = ("entity", "entity_group", "word", "start", "end")
    assert [[getattr(each, name) for name in names] for each in found] == [
        [each.get(name) for name in names] for each in wanted
    ]
    scores = [float(each["score"]) for each in wanted]
    assert [each.score for each in found] == pytest.approx(scores, abs=2e-5)


@guesses
@pytest.mark.parametrize("strategy", ["none", *STRATEGIES])
@pytest.mark.parametrize("ignored", [[], ["O", "PER", "B-LOC"]])
def test_tokens_are_what_the_pipeline_says(
    entities: tuple[str, Path], strategy: Strategy, ignored: list[str]
) -> None:
    url, folder = entities
    pipe = pipeline(TOKENS, folder)
    for text in (*TEXTS, LONG):
        wanted = pipe(text, aggregation_strategy=strategy, ignore_labels=ignored)
        found = InferenceClient().token_classification(
            text, model=url, aggregation_strategy=strategy, ignore_labels=ignored
        )
        same_entities(found, wanted)


@guesses
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("stride", [0, 20])
def test_parts_of_a_long_text_are_what_the_pipeline_says(
    entities: tuple[str, Path], strategy: Strategy, stride: int
) -> None:
    url, folder = entities
    how: dict[str, Any] = {"aggregation_strategy": strategy, "stride": stride}
    for text, ignored in itertools.product((LONG, TEXTS[0]), (["O"], [])):
        found = InferenceClient().token_classification(
            text, model=url, ignore_labels=ignored, **how
        )
        same_entities(found, pipeline(TOKENS, folder)(text, ignore_labels=ignored, **how))
        if text == LONG:  # of several parts, down to the last one
            assert len(found) > 8
            assert max(each.end for each in found if each.end) > len(LONG) - 60


# ---- Labels of the caller's own -----------------------------------------------------------------


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("template", [None, "It is about {}, who knows?"])
@pytest.mark.parametrize("labels", [["sports", "Berlin", "good"], ["sports"]])
def test_labels_are_scored_as_the_pipeline_does(
    topics: tuple[str, Path], labels: list[str], template: str | None, several: bool
) -> None:
    url, folder = topics
    pipe = pipeline(TOPICS, folder)
    how = {} if template is None else {"hypothesis_template": template}
    for text in (*TEXTS[:4], LONG):
        wanted = pipe(text, candidate_labels=labels, multi_label=several, **how)
        found = InferenceClient().zero_shot_classification(
            text, candidate_labels=labels, multi_label=several, model=url, **how
        )
        assert [each.label for each in found] == wanted["labels"]
        assert [each.score for each in found] == pytest.approx(wanted["scores"], abs=2e-5)


# ---- Questions ----------------------------------------------------------------------------------


def reference(
    folder: Path,
    question: str,
    context: str,
    *,
    top_k: int = 1,
    stride: int | None = None,
    answer: int = 15,
    width: int = MOST,
    none: bool = False,
    words: bool = True,
) -> list[dict[str, Any]]:
    """The rules of the pipeline that transformers 4 had, plainly: every piece of every part."""
    fast = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    parts = fast(
        question,
        context,
        truncation="only_second",
        max_length=width,
        stride=min(width // 2, 128) if stride is None else stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=True,
        return_tensors="pt",
    )
    inputs = {name: parts[name] for name in fast.model_input_names}
    with torch.inference_mode():
        said = network(**inputs)
    found: dict[str, dict[str, Any]] = {}
    nulls = [1.0]
    for at in range(len(parts["input_ids"])):
        own = np.array([number == 1 for number in parts.sequence_ids(at)])
        seen = own | (np.arange(len(own)) == 0)
        begins, ends = (
            _softmax(np.where(seen, logits[at].double().numpy(), -np.inf))
            for logits in (said.start_logits, said.end_logits)
        )
        nulls.append(begins[0] * ends[0])
        places = np.flatnonzero(own)
        pieces = [
            (begins[a] * ends[b], a, b)
            for a, b in itertools.product(places, places)
            if a <= b < a + answer
        ]
        count = top_k * 2 + 10 if words else top_k
        for score, a, b in sorted(pieces, key=lambda piece: -piece[0])[:count]:
            start, end = (
                int(parts["offset_mapping"][at][a][0]),
                int(parts["offset_mapping"][at][b][1]),
            )
            if words:
                encoding = parts[at]
                start = encoding.word_to_chars(encoding.token_to_word(int(a)), 1)[0]
                end = encoding.word_to_chars(encoding.token_to_word(int(b)), 1)[1]
            text = context[start:end]
            if text.lower() in found:
                found[text.lower()]["score"] += score
            else:
                found[text.lower()] = {"answer": text, "score": score, "start": start, "end": end}
    every = list(found.values())
    if none:
        every.append({"answer": "", "score": min(nulls), "start": 0, "end": 0})
    return sorted(every, key=lambda each: -each["score"])[:top_k]


def _softmax(logits: Any) -> Any:  # noqa: ANN401
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"top_k": 4},
        {"top_k": 3, "answer": 2, "stride": 3},
        {"top_k": 5, "words": False, "none": True},
        {"width": 24, "stride": 0, "top_k": 2},
        {"width": 30, "stride": 11, "words": False},
    ],
)
@pytest.mark.parametrize("context", [*TEXTS[:3], LONG])
def test_answers_are_what_torch_says(
    answers: tuple[str, Path], context: str, how: dict[str, Any]
) -> None:
    url, folder = answers
    question = "Where is Wolfgang?"
    options = {
        "top_k": how.get("top_k"),
        "doc_stride": how.get("stride"),
        "max_answer_len": how.get("answer"),
        "max_seq_len": how.get("width"),
        "handle_impossible_answer": how.get("none"),
        "align_to_words": how.get("words"),
    }
    asked = {name: value for name, value in options.items() if value is not None}
    found = InferenceClient().question_answering(
        question=question, context=context, model=url, **asked
    )
    wanted = reference(folder, question, context, **how)
    assert isinstance(found, QuestionAnsweringOutputElement) is (how.get("top_k", 1) == 1)
    listed = found if isinstance(found, list) else [found]
    assert [(each.answer, each.start, each.end) for each in listed] == [
        (each["answer"], each["start"], each["end"]) for each in wanted
    ]
    scores = [each["score"] for each in wanted]
    assert [each.score for each in listed] == pytest.approx(scores, abs=2e-5)
    assert all(context[each.start : each.end] == each.answer for each in listed)


def test_a_question_that_fills_a_part_is_refused_with_the_remedy(
    answers: tuple[str, Path],
) -> None:
    url, _ = answers
    with pytest.raises(HfHubHTTPError, match="make max_question_len less"):
        InferenceClient().question_answering(question="who " * 60, context="I live.", model=url)


# ---- What is no such folder ---------------------------------------------------------------------


def test_a_classifier_that_knows_no_entailment_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "mine", "ForSequenceClassification", num_labels=3)
    with pytest.raises(RefusedError, match="begins with entail"):
        import_model(folder, tmp_path / "bundles", Wishes(task=TOPICS))
    assert not (tmp_path / "bundles").exists()


def test_a_network_without_its_head_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "mine", "Model")
    for task in (TOKENS, QUESTIONS):
        with pytest.raises(RefusedError, match="this is no checkpoint for the task"):
            import_model(folder, tmp_path / "bundles", Wishes(task=task))


def test_fewer_tokens_may_be_asked_for(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path / "mine", "ForTokenClassification", id2label=dict(enumerate(ENTITIES))
    )
    done = import_model(folder, tmp_path / "bundles", Wishes(task=TOKENS, max_tokens=12))
    assert done.made.bundle.manifest.limits.max_tokens == 12
    with pytest.raises(FieldError, match="must be 6"):
        import_model(folder, tmp_path / "bundles", Wishes(task=TOKENS, labels=("a", "b")))


def test_a_graph_of_other_tensors_is_refused_with_the_remedy(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "mine", "ForQuestionAnswering")
    done = import_model(folder, tmp_path / "bundles", Wishes(task=QUESTIONS))
    graph = done.made.bundle.folder / "portable" / "model.onnx"
    more: Any = {"name": "again", "tokenizer": folder / "tokenizer.json", "max_tokens": MOST}
    # The graph by itself is as good as its folder
    again = import_model(graph, tmp_path / "bundles", Wishes(task=QUESTIONS, **more))
    assert again.made.bundle.manifest.outputs == done.made.bundle.manifest.outputs
    # But not for another task
    with pytest.raises(RefusedError, match="answers start_logits, end_logits; a model for"):
        import_model(graph, tmp_path / "bundles", Wishes(task=TOKENS, **more))
