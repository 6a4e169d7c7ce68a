"""Texts to texts that a graph writes: greedily or by beams, bounded, and the recorded ones."""

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from support.tiny_writer import (
    EOS,
    MAX_NEW_TOKENS,
    MAX_TOKENS,
    WORDS,
    TinyWriter,
    make_writer,
    writer_tokenizer,
)

from maas.bundle.manifest import ModelLimits
from maas.bundle.verify import verify_bundle
from maas.engine.session import Session, open_session
from maas.errors import BundleError, DeadlineError, FieldError, ModelOutputError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.tasks.runs import RUN_TOKENS
from maas.tasks.write import Writer, WriteRequest, WriteResponse
from maas.text.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("a fine film", "bad", "the dull story", "unknown story", "good " * 40)
SENTENCES = st.lists(st.sampled_from(WORDS[4:]), min_size=1, max_size=20).map(" ".join)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyWriter:
    return make_writer(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def writer(bundle: TinyWriter) -> Writer:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, Writer)
    return task


def ask(writer: Writer, *texts: str, seconds: float = 5, **options: Any) -> WriteResponse:  # noqa: ANN401
    request = WriteRequest(texts, **options)
    return writer.predict(request, deadline=time.monotonic() + seconds)


@pytest.mark.parametrize("beams", [1, 2, 4, LIMITS.beams])
@pytest.mark.parametrize("most", [1, 3, None])
def test_it_writes_what_a_search_by_hand_finds(
    writer: Writer, bundle: TinyWriter, beams: int, most: int | None
) -> None:
    answer = ask(writer, *TEXTS, beams=beams, max_new_tokens=most)
    wanted = [bundle.ids(text, beams=beams, most=most or MAX_NEW_TOKENS) for text in TEXTS]
    assert answer.texts == tuple(
        bundle.write(text, beams=beams, most=most or MAX_NEW_TOKENS) for text in TEXTS
    )
    assert answer.truncated == (False,) * 4 + (True,)
    read = (4, 2, 4, 3, MAX_TOKENS)  # the end token included
    assert answer.tokens == tuple(r + len(ids) for r, ids in zip(read, wanted, strict=True))
    assert answer.seconds.keys() == {"tokenize", "run"}


def test_beams_find_what_the_greedy_way_does_not(writer: Writer) -> None:
    greedy, wide = (ask(writer, *TEXTS, beams=beams).texts for beams in (1, LIMITS.beams))
    assert greedy != wide


@settings(max_examples=30, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=6), st.integers(1, 4))
def test_a_batch_writes_as_its_texts_do_alone(writer: Writer, texts: list[str], beams: int) -> None:
    together = ask(writer, *texts, beams=beams)
    alone = [ask(writer, text, beams=beams) for text in texts]
    assert together.texts == tuple(each.texts[0] for each in alone)
    assert together.tokens == tuple(each.tokens[0] for each in alone)


@pytest.mark.parametrize("most", [MAX_NEW_TOKENS + 1, LIMITS.new_tokens])
def test_more_than_the_model_may_write_is_its_own_bound(writer: Writer, most: int) -> None:
    assert ask(writer, *TEXTS, max_new_tokens=most).texts == ask(writer, *TEXTS).texts


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"beams": 0}, "num_beams"),
        ({"beams": LIMITS.beams + 1}, "num_beams"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": LIMITS.new_tokens + 1}, "max_new_tokens"),
    ],
)
def test_options_out_of_bounds_are_refused(
    writer: Writer, options: dict[str, int], field: str
) -> None:
    with pytest.raises(FieldError) as refused:
        ask(writer, "a film", **options)
    assert refused.value.field == f"parameters.generate_parameters.{field}"


def test_texts_that_are_not_to_be_cut_are_refused_with_their_place(writer: Writer) -> None:
    longest = "good " * (MAX_TOKENS - 1)
    assert ask(writer, longest, cut=False).truncated == (False,)
    with pytest.raises(FieldError, match=f"more than {MAX_TOKENS} tokens") as refused:
        ask(writer, "good", longest + "good", cut=False)
    assert refused.value.field == "inputs[1]"


@pytest.mark.parametrize("texts", [(), ("a",) * 33, ("a", " ")])
def test_texts_pass_the_caps_first(writer: Writer, texts: tuple[str, ...]) -> None:
    with pytest.raises(FieldError):
        ask(writer, *texts)


# ---- What the graph is given, and what it may answer --------------------------------------------


class Watched:
    """A session that remembers its feeds, and answers something else while it is told to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.inputs, self.outputs = session.inputs, session.outputs
        self.costs: list[int] = []
        self.answer: list[Any] | None = None

    def run(self, feeds: Any, *, deadline: float) -> Any:  # noqa: ANN401
        rows, width = feeds["input_ids"].shape
        (beams,), (most,) = feeds["beams"].tolist(), feeds["max_new_tokens"].tolist()
        self.costs.append(rows * beams * (width + most))
        return self.answer or self._session.run(feeds, deadline=deadline)


def watched(bundle: TinyWriter) -> tuple[Writer, Watched]:
    path = bundle.folder / "portable/model.onnx"
    session = Watched(open_session(path, optimised=False, threads=1))
    tokenizer = load_tokenizer(bundle.folder / "tokenizer.json", max_tokens=MAX_TOKENS)
    return Writer(bundle.manifest, tokenizer, cast("Session", session)), session


@pytest.mark.parametrize(("beams", "runs"), [(1, 1), (2, 2), (8, 6)])
def test_f16_a_run_is_bounded_by_rows_beams_and_tokens(
    bundle: TinyWriter, beams: int, runs: int
) -> None:
    writer, session = watched(bundle)
    ask(writer, *["good " * 20] * 32, beams=beams)
    assert len(session.costs) == runs
    assert all(cost <= RUN_TOKENS for cost in session.costs)


IDS, SCORES = np.full((1, 2), EOS), np.zeros(1, dtype=np.float32)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([np.full((2, 2), EOS), SCORES], "as many tokens as it may"),
        ([np.full((1, MAX_NEW_TOKENS + 1), EOS), SCORES], "as many tokens as it may"),
        ([np.full(1, EOS), SCORES], "as many tokens as it may"),
        ([np.full((1, 2), len(WORDS)), SCORES], "a token that there is not"),
        ([np.full((1, 2), -1), SCORES], "a token that there is not"),
        ([IDS, np.full(1, np.nan, dtype=np.float32)], "not a finite number"),
        ([IDS, np.zeros(2, dtype=np.float32)], "not a finite number"),
    ],
)
def test_f23_an_answer_of_another_kind_is_the_models_failure(
    bundle: TinyWriter, answer: list[Any], said: str
) -> None:
    writer, session = watched(bundle)
    session.answer = answer
    with pytest.raises(ModelOutputError, match=said):
        ask(writer, "a film")
    session.answer = None
    assert ask(writer, "a film").texts == (bundle.write("a film"),)


def test_what_follows_the_end_is_no_text(bundle: TinyWriter) -> None:
    writer, session = watched(bundle)
    good = WORDS.index("good")
    session.answer = [np.array([[good, EOS, good, 0]]), SCORES]
    answer = ask(writer, "a film")
    assert (answer.texts, answer.tokens) == (("good",), (3 + 2,))


def test_f18_a_loop_ends_at_the_deadline_and_the_next_request_is_answered(
    tmp_path: "Path",
) -> None:
    # Given a model that writes as long as it may, for so many texts that it takes a while
    bundle = make_writer(tmp_path, stays=True)
    writer, _ = watched(bundle)
    started = time.monotonic()

    def ask_on_and_on() -> None:
        for _ in range(1000):
            writer.predict(WriteRequest(("good",) * 32, beams=8), deadline=started + 0.05)

    with pytest.raises(DeadlineError):
        ask_on_and_on()
    assert time.monotonic() - started < 0.05 + 0.25
    assert ask(writer, "a film").texts == (bundle.write("a film"),)


# ---- The recorded texts -------------------------------------------------------------------------


def test_another_models_texts_are_refused(tmp_path: "Path") -> None:
    bundle = make_writer(tmp_path, seed=1, golden_seed=2)
    with pytest.raises(BundleError, match="another text"):
        load_version(verify_bundle(bundle.folder), threads=1)


def test_f13_a_graph_that_takes_less_than_the_manifest_says_is_refused(
    bundle: TinyWriter, tmp_path: "Path"
) -> None:
    # Given a tokenizer with a word that the graph has no row for
    words = (*WORDS, "more")
    (tmp_path / "tokenizer.json").write_text(writer_tokenizer(words=words))
    path = bundle.folder / "portable/model.onnx"
    session = open_session(path, optimised=False, threads=1)
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json", max_tokens=MAX_TOKENS)
    task = Writer(bundle.manifest, tokenizer, session)
    with pytest.raises(BundleError, match=f"ids up to {len(WORDS)} and write {MAX_NEW_TOKENS}"):
        task.check_widest(deadline=math.inf)


def test_f13_a_graph_that_writes_more_than_the_manifest_says_is_refused(bundle: TinyWriter) -> None:
    less = ModelLimits(max_tokens=MAX_TOKENS, max_new_tokens=2)
    manifest = structs.replace(bundle.manifest, limits=less)
    writer, session = watched(replace(bundle, manifest=manifest))
    assert ask(writer, "a film").texts == (bundle.write("a film", most=2),)
    session.answer = [np.full((2, 3), EOS), np.zeros(2, dtype=np.float32)]
    with pytest.raises(BundleError, match="cannot take two texts"):
        writer.check_widest(deadline=math.inf)
