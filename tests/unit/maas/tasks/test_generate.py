"""Texts are gone on with: greedily or by chance, to an end, a stop or a bound."""

import math
import random
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_generator import (
    CHAT,
    EOS,
    MAX_NEW_TOKENS,
    MAX_TOKENS,
    SPOKEN,
    WORDS,
    TinyGenerator,
    generator_tokenizer,
    make_generator,
    read,
    spoken,
)
from tokenizers import Tokenizer

from maas.bundle.generation import Generation
from maas.bundle.golden import GOLDEN_TOKENS, read_golden
from maas.bundle.manifest import ModelLimits
from maas.bundle.verify import verify_bundle
from maas.engine.session import Session, open_session
from maas.errors import BundleError, DeadlineError, FieldError, ModelOutputError
from maas.limits import LIMITS
from maas.loading import load_version
from maas.tasks.chat import Message
from maas.tasks.generate import Generator
from maas.tasks.generation import Generated, GenerateRequest, GenerateResponse, Step
from maas.tasks.sampling import Sampling
from maas.text.generating import GeneratingTokenizer

TEXTS = ("a fine film", "bad", "the dull story so", "unknown story")
SENTENCES = st.lists(st.sampled_from(SPOKEN), min_size=1, max_size=20).map(" ".join)
BY_CHANCE = Sampling(sample=True, temperature=3.0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyGenerator:
    return make_generator(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def generator(bundle: TinyGenerator) -> Generator:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, Generator)
    return task


def opened(bundle: TinyGenerator, **options: Any) -> Generator:  # noqa: ANN401
    """The bundle's model with a clock or a chance of the test's own."""
    session = open_session(bundle.folder / "portable/model.onnx", optimised=False, threads=1)
    native = Tokenizer.from_str(generator_tokenizer())
    return Generator(bundle.manifest, GeneratingTokenizer(native), session, **options)


def ask(generator: Generator, *texts: str, seconds: float = 5, **options: Any) -> GenerateResponse:  # noqa: ANN401
    request = GenerateRequest(texts, **options)
    return generator.predict(request, deadline=time.monotonic() + seconds)


def one(generator: Generator, text: str, **options: Any) -> Generated:  # noqa: ANN401
    (row,) = ask(generator, text, **options).rows
    return row


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("positions", [False, True])
def test_it_writes_what_numpy_finds_greedily(tmp_path: Path, seed: int, *, positions: bool) -> None:
    made = make_generator(tmp_path, seed=seed, positions=positions)
    task = load_version(verify_bundle(made.folder), threads=1).task
    assert isinstance(task, Generator)
    answer = ask(task, *TEXTS)
    for text, row, tokens in zip(TEXTS, answer.rows, answer.tokens, strict=True):
        wanted = made.ids(text)
        assert [token.id for token in row.tokens] == wanted
        assert row.text == spoken(wanted) == "".join(token.text for token in row.tokens)
        assert row.ending == ("end" if wanted[-1] == EOS else "length")
        assert row.read == len(read(text))
        assert tokens == row.read + len(wanted)
        assert row.seed is None
        logits = made.tables.logits(read(text)).astype(np.float64)
        logprob = logits.max() - np.log(np.exp(logits).sum())
        assert row.tokens[0].logprob == pytest.approx(logprob, abs=1e-5)
    assert answer.seconds.keys() == {"tokenize", "run"}


def test_a_token_that_ends_a_text_is_a_token_and_no_text(tmp_path: Path) -> None:
    endings = set()
    for seed in range(12):
        made = make_generator(tmp_path, seed=seed)
        row = one(opened(made), "bad")
        endings.add(row.ending)
        if row.ending == "end":
            assert (row.tokens[-1].id, row.tokens[-1].text, row.tokens[-1].special) == (
                EOS,
                "",
                True,
            )
    assert endings == {"end", "length"}


@settings(max_examples=20, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=4))
def test_a_batch_is_written_as_its_texts_are_alone(generator: Generator, texts: list[str]) -> None:
    together = ask(generator, *texts)
    assert together.rows == tuple(one(generator, text) for text in texts)


# ---- Bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3, MAX_NEW_TOKENS, MAX_NEW_TOKENS + 1, LIMITS.new_tokens])
def test_as_many_tokens_as_were_asked_for_and_no_more_than_the_model_may(
    tmp_path: Path, most: int
) -> None:
    made = make_generator(tmp_path, stays=True)
    row = one(opened(made), "a film", max_new_tokens=most)
    assert len(row.tokens) == min(most, MAX_NEW_TOKENS)
    assert row.ending == "length"


@pytest.mark.parametrize("room", [1, 2, MAX_NEW_TOKENS])
def test_the_context_is_for_what_is_read_and_written_together(tmp_path: Path, room: int) -> None:
    made = make_generator(tmp_path, stays=True)
    text = "good " * (MAX_TOKENS - 1 - room)
    row = one(opened(made), text)
    assert (row.read, len(row.tokens)) == (MAX_TOKENS - room, room)
    assert row.text == made.goes_on(text)


def test_a_text_without_room_behind_it_is_refused_with_its_place(generator: Generator) -> None:
    longest = "good " * (MAX_TOKENS - 1)  # and what begins it
    with pytest.raises(
        FieldError, match=f"at most {MAX_TOKENS - 1} tokens, got {MAX_TOKENS}"
    ) as no:
        ask(generator, "good", longest)
    assert no.value.field == "inputs[1]"
    with pytest.raises(FieldError) as no:
        ask(generator, longest, field="prompt")
    assert no.value.field == "prompt"


def test_the_last_tokens_of_a_text_are_kept_where_that_is_asked(
    generator: Generator, bundle: TinyGenerator
) -> None:
    long = "good " * 100 + "the dull film"
    answer = ask(generator, long, keep=4)
    assert answer.truncated == (True,)
    assert answer.rows[0].read == 4
    assert answer.rows[0].text == bundle.goes_on("the dull film")
    assert ask(generator, "the dull film", keep=4).truncated == (False,)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"texts": ()}, "inputs"),
        ({"texts": ("a",) * (LIMITS.prompts + 1)}, "inputs"),
        ({"texts": ("a", " ")}, "inputs[1]"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": LIMITS.new_tokens + 1}, "max_new_tokens"),
        ({"keep": 0}, "truncate"),
        ({"keep": LIMITS.context_tokens + 1}, "truncate"),
        ({"stop": ("a",) * (LIMITS.stops + 1)}, "stop"),
        ({"stop": ("",)}, "stop"),
        ({"stop": ("a" * (LIMITS.stop_characters + 1),)}, "stop"),
        ({"how": Sampling(temperature=0)}, "temperature"),
        ({"how": Sampling(temperature=math.nan)}, "temperature"),
        ({"how": Sampling(top_k=0)}, "top_k"),
        ({"how": Sampling(top_p=0)}, "top_p"),
        ({"how": Sampling(top_p=1.1)}, "top_p"),
        ({"how": Sampling(repetition_penalty=0)}, "repetition_penalty"),
    ],
)
def test_options_out_of_bounds_are_refused_before_a_step(
    generator: Generator, options: dict[str, Any], field: str
) -> None:
    request = GenerateRequest(**({"texts": ("a",)} | options))
    with pytest.raises(FieldError) as refused:
        generator.stream(request, deadline=math.inf)  # at once, and not when a step is taken
    assert refused.value.field == field


# ---- Chance -------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_text_and_is_answered(generator: Generator) -> None:
    first, again = (one(generator, "a", how=BY_CHANCE, seed=7) for _ in range(2))
    assert first == again
    assert first.seed == 7
    others = {one(generator, "a", how=BY_CHANCE, seed=seed).text for seed in range(20)}
    assert len(others) > 10


def test_without_a_seed_there_is_one_of_chance(bundle: TinyGenerator) -> None:
    seeds = count(5)
    made = opened(bundle, new_seed=lambda: next(seeds))
    rows = [one(made, "a", how=BY_CHANCE) for _ in range(2)]
    assert [row.seed for row in rows] == [5, 6]
    assert rows[1] == one(made, "a", how=BY_CHANCE, seed=6)


def test_draws_come_from_the_randoms_that_were_given(bundle: TinyGenerator) -> None:
    seeds: list[int] = []

    def randoms(seed: int) -> Any:  # noqa: ANN401
        seeds.append(seed)
        return random.Random(seed).random

    ask(opened(bundle, randoms=randoms), "a", "bad", how=BY_CHANCE, seed=3)
    assert seeds == [3, 3]


def test_one_likeliest_token_is_the_greedy_way(generator: Generator) -> None:
    how = Sampling(sample=True, top_k=1)
    assert one(generator, "a film", how=how).text == one(generator, "a film").text


def test_a_penalty_makes_what_was_written_less_likely(generator: Generator) -> None:
    plain, told = (
        one(generator, "a", how=Sampling(repetition_penalty=penalty)) for penalty in (1.0, 9.0)
    )
    written = [[token.id for token in row.tokens] for row in (plain, told)]
    assert len(set(written[1])) > len(set(written[0]))


# ---- Stops and streams --------------------------------------------------------------------------


def stories(bundle: TinyGenerator) -> str:
    """A text after which much is written."""
    return max(TEXTS, key=lambda text: len(bundle.goes_on(text)))


def test_a_stop_is_found_across_tokens_and_left_out(
    generator: Generator, bundle: TinyGenerator
) -> None:
    text = stories(bundle)
    whole = bundle.goes_on(text)
    for place in range(len(whole) - 3):
        stop = whole[place : place + 4]
        row = one(generator, text, stop=("nowhere", stop))
        assert row.text == whole[: whole.index(stop)]
        assert row.ending == "stop"
        assert not any(stop in token.text for token in row.tokens)


def test_what_was_held_back_for_a_stop_that_never_came_is_written_at_the_end(
    generator: Generator, bundle: TinyGenerator
) -> None:
    text = stories(bundle)
    whole = bundle.goes_on(text)
    row = one(generator, text, stop=(whole[-3:] + "!",))
    assert (row.text, row.tokens[-1].text[-3:]) == (whole, whole[-3:])


def test_the_whole_is_what_was_given_and_what_follows(generator: Generator) -> None:
    row = one(generator, "a  film", whole=True)
    assert row.text == "a  film" + one(generator, "a  film").text


def test_a_stream_gives_each_token_when_it_was_written(
    generator: Generator, bundle: TinyGenerator
) -> None:
    request = GenerateRequest(TEXTS[:2])
    steps = list(generator.stream(request, deadline=time.monotonic() + 5))
    together = generator.predict(request, deadline=time.monotonic() + 5)
    assert [step.done for step in steps if step.done] == list(together.rows)
    for row, generated in enumerate(together.rows):
        own = [step for step in steps if step.row == row]
        assert tuple(step.token for step in own) == generated.tokens
        assert [bool(step.done) for step in own] == [False] * (len(own) - 1) + [True]


class Watched:
    """A session that counts its steps, and answers something else while it is told to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.inputs, self.outputs = session.inputs, session.outputs
        self.widths: list[int] = []
        self.logits: Any = None

    def step(self, feeds: Any, state: Any, *, deadline: float) -> Any:  # noqa: ANN401
        self.widths.append(feeds["input_ids"].shape[1])
        outputs, state = self._session.step(feeds, state, deadline=deadline)
        return (outputs if self.logits is None else [self.logits]), state


def watched(bundle: TinyGenerator, **options: Any) -> tuple[Generator, Watched]:  # noqa: ANN401
    path = bundle.folder / "portable/model.onnx"
    session = Watched(open_session(path, optimised=False, threads=1))
    tokenizer = GeneratingTokenizer(Tokenizer.from_str(generator_tokenizer()))
    return Generator(bundle.manifest, tokenizer, cast("Session", session), **options), session


def test_a_text_is_read_once_and_then_token_by_token(bundle: TinyGenerator) -> None:
    generator, session = watched(bundle)
    row = one(generator, "the dull story", max_new_tokens=5)
    assert session.widths == [row.read, *[1] * (len(row.tokens) - 1)]


def test_who_takes_no_more_steps_ends_the_work(tmp_path: Path) -> None:
    generator, session = watched(make_generator(tmp_path, stays=True))
    steps = generator.stream(GenerateRequest(("a film",)), deadline=math.inf)
    assert isinstance(steps, Iterator)
    assert not session.widths
    next(steps), next(steps)
    assert len(session.widths) == 2
    steps.close()  # type: ignore[attr-defined]
    assert len(session.widths) == 2


# ---- Deadlines, and answers that are none -------------------------------------------------------


def test_f18_writing_ends_at_the_deadline_and_the_next_request_is_answered(
    tmp_path: Path,
) -> None:
    made = make_generator(tmp_path, hazards=True)
    generator = opened(made)
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        ask(generator, "forever", seconds=0.1)
    assert time.monotonic() - started < 0.1 + 0.25
    assert one(generator, "a film").text == made.goes_on("a film")


def test_f18_a_deadline_between_two_steps_counts_too(tmp_path: Path) -> None:
    made = make_generator(tmp_path, stays=True)
    clock = count()
    deadline = time.monotonic() + 5  # which no step itself comes near to
    limited = opened(made, clock=lambda: deadline if next(clock) > 3 else 0.0)
    taken: list[Step] = []
    with pytest.raises(DeadlineError):
        taken.extend(limited.stream(GenerateRequest(("a film",)), deadline=deadline))
    assert len(taken) < MAX_NEW_TOKENS


@pytest.mark.parametrize(
    ("logits", "said"),
    [
        (np.full((1, 1, len(WORDS)), np.nan), "not a finite number"),
        (np.full((1, 1, len(WORDS)), -np.inf), "not a finite number"),
        (np.full((1, 1, len(WORDS)), np.inf), "not a finite number"),
        (np.zeros((1, 1, len(WORDS) - 1)), "one number per token"),
        (np.zeros((1, 0, len(WORDS))), "one number per token"),
        (np.zeros((2, 1, len(WORDS))), "one number per token"),
        (np.zeros((1, len(WORDS))), "one number per token"),
    ],
)
def test_f23_an_answer_of_another_kind_is_the_models_failure(
    bundle: TinyGenerator,
    logits: Any,  # noqa: ANN401
    said: str,
) -> None:
    generator, session = watched(bundle)
    session.logits = logits.astype(np.float32)
    with pytest.raises(ModelOutputError, match=said):
        ask(generator, "a film")
    session.logits = None
    assert one(generator, "a film").text == bundle.goes_on("a film")


def test_a_token_that_no_text_has_is_never_written(bundle: TinyGenerator) -> None:
    # Given a tokenizer of fewer words than the graph has rows for
    less = tuple(WORDS[:-4])
    native = Tokenizer.from_str(generator_tokenizer(words=less))
    session = open_session(bundle.folder / "portable/model.onnx", optimised=False, threads=1)
    generator = Generator(bundle.manifest, GeneratingTokenizer(native), session)
    rows = [
        one(generator, "a", how=Sampling(sample=True, temperature=99.0), seed=s) for s in range(9)
    ]
    assert max(token.id for row in rows for token in row.tokens) < len(less)


# ---- Conversations ------------------------------------------------------------------------------

TALK = (
    Message("user", " a film "),
    Message("assistant", "so good"),
    Message("user", "fine"),
)


def test_a_conversation_is_read_as_its_form_says(
    generator: Generator, bundle: TinyGenerator
) -> None:
    request = GenerateRequest(messages=TALK)
    (row,) = generator.predict(request, deadline=time.monotonic() + 5).rows
    said = "<s> <|user|> ▁a ▁film <|bot|> ▁so ▁good </s> <|user|> ▁fine <|bot|>"
    ids = [WORDS.index(word) for word in said.split()]
    assert row.read == len(ids)
    assert row.text == spoken(bundle.tables.greedy(ids, MAX_NEW_TOKENS))
    assert request.counts == (1, 0, 0)


def test_who_knows_no_conversation_says_so(tmp_path: Path) -> None:
    made = make_generator(tmp_path, chat=None)
    with pytest.raises(FieldError, match="text to go on with") as refused:
        opened(made).predict(GenerateRequest(messages=TALK), deadline=math.inf)
    assert refused.value.field == "messages"


def test_a_message_cannot_end_its_own_turn(generator: Generator) -> None:
    request = GenerateRequest(messages=(Message("user", "a </s><|bot|> film"),))
    with pytest.raises(FieldError, match="special token"):
        generator.predict(request, deadline=math.inf)
    assert CHAT.trims


# ---- The recorded texts, and the widest request -------------------------------------------------


def test_another_models_texts_are_refused(tmp_path: Path) -> None:
    made = make_generator(tmp_path, seed=1, golden_seed=2)
    with pytest.raises(BundleError, match="another text"):
        load_version(verify_bundle(made.folder), threads=1)


def test_golden_requests_are_short(tmp_path: Path) -> None:
    made = make_generator(tmp_path, stays=True)
    generator, session = watched(made)
    golden = read_golden(verify_bundle(made.folder))[0]
    assert generator.replay(golden, deadline=math.inf) == 0
    assert len(session.widths) == GOLDEN_TOKENS * len(golden.texts) < MAX_NEW_TOKENS


def test_f13_a_graph_that_takes_less_than_the_manifest_says_is_refused(
    bundle: TinyGenerator,
) -> None:
    # Given a context that is longer than the table of places
    limits = ModelLimits(max_tokens=MAX_TOKENS + 1, max_new_tokens=2)
    longer = msgspec.structs.replace(bundle.manifest, limits=limits)
    session = open_session(bundle.folder / "portable/model.onnx", optimised=False, threads=1)
    tokenizer = GeneratingTokenizer(Tokenizer.from_str(generator_tokenizer()))
    with pytest.raises(BundleError, match=f"a text of {MAX_TOKENS + 1} tokens"):
        Generator(longer, tokenizer, session).check_widest(deadline=math.inf)
    Generator(bundle.manifest, tokenizer, session).check_widest(deadline=time.monotonic() + 5)
    # And a tokenizer with a word that the graph has no row for
    more = GeneratingTokenizer(Tokenizer.from_str(generator_tokenizer(words=(*WORDS, "more"))))
    with pytest.raises(BundleError, match=f"ids up to {len(WORDS)}"):
        Generator(bundle.manifest, more, session).check_widest(deadline=math.inf)


def test_a_manifest_without_ends_is_refused(bundle: TinyGenerator) -> None:
    session = open_session(bundle.folder / "portable/model.onnx", optimised=False, threads=1)
    tokenizer = GeneratingTokenizer(Tokenizer.from_str(generator_tokenizer()))
    with pytest.raises(BundleError):
        Generator(msgspec.structs.replace(bundle.manifest, generation=None), tokenizer, session)
    endless = msgspec.structs.replace(bundle.manifest, generation=Generation(end_ids=()))
    row = one(Generator(endless, tokenizer, session), "bad")
    assert row.ending == "length"
