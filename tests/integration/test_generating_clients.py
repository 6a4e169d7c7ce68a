"""`openai` and `huggingface_hub`, unmodified, and a model that goes on with texts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import GenerationError, HfHubHTTPError
from openai import APIError, AsyncOpenAI, NotFoundError, OpenAI, UnprocessableEntityError
from support.task_bundles import TaskHome, home_with, serving
from support.tiny_embedding import make_embedding
from support.tiny_generator import EOS, WORDS, TinyGenerator, make_generator, spoken

from maas.engine.session import Session
from maas.errors import ModelError

TEXT = "a fine film"
TALK: Any = [
    {"role": "system", "content": "so"},
    {"role": "user", "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "film"}]},
    {"role": "assistant", "content": "good"},
    {"role": "user", "content": "the dull story"},
]
READ = "<s> ▁so ▁. <|user|> ▁a ▁film <|bot|> ▁good </s> <|user|> ▁the ▁dull ▁story <|bot|>"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TaskHome:
    return home_with(tmp_path_factory.mktemp("home"), make_generator, seed=3, versions=2)


@pytest.fixture(scope="module")
def url(home: TaskHome) -> Iterator[str]:
    with serving(home) as server:
        yield server + home.path


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        yield client


def answered(bundle: TinyGenerator) -> list[int]:
    """What the model says to TALK, greedily."""
    return bundle.tables.greedy([WORDS.index(word) for word in READ.split()], 24)


# ---- Hugging Face -------------------------------------------------------------------------------


def test_a_text_is_gone_on_with(url: str, home: TaskHome) -> None:
    client = InferenceClient(api_key="any")
    assert client.text_generation(TEXT, model=url) == home.bundle.goes_on(TEXT)
    assert client.text_generation(TEXT, model=url, max_new_tokens=3) == home.bundle.goes_on(
        TEXT, most=3
    )
    whole = client.text_generation(TEXT, model=url, return_full_text=True, stop=["film"])
    assert whole == TEXT + home.bundle.goes_on(TEXT).partition("film")[0]
    assert client.text_generation(TEXT, model=f"{url}/versions/2") == home.bundles[2].goes_on(TEXT)


def test_details_are_the_clients_own(url: str, home: TaskHome) -> None:
    answer = InferenceClient().text_generation(
        TEXT, model=url, details=True, seed=7, do_sample=True, temperature=0.9, top_k=9, top_p=0.9
    )
    again = InferenceClient().text_generation(
        TEXT, model=url, details=True, seed=7, do_sample=True, temperature=0.9, top_k=9, top_p=0.9
    )
    assert answer == again
    details = answer.details
    assert details is not None
    assert (details.seed, details.generated_tokens) == (7, len(details.tokens))
    assert details.finish_reason in ("length", "eos_token")
    assert "".join(token.text for token in details.tokens) == answer.generated_text
    assert home.bundle.goes_on(TEXT)


def test_tokens_come_one_after_the_other(url: str, home: TaskHome) -> None:
    client = InferenceClient()
    pieces = list(client.text_generation(TEXT, model=url, stream=True))
    assert "".join(pieces) == home.bundle.goes_on(TEXT)
    assert len(pieces) == len(home.bundle.ids(TEXT))
    *steps, last = client.text_generation(TEXT, model=url, stream=True, details=True)
    assert all(step.generated_text is None for step in steps)
    assert last.generated_text == home.bundle.goes_on(TEXT)
    assert last.details is not None
    assert last.details.generated_tokens == len(pieces)


def test_what_is_refused_reaches_the_user_as_text(url: str) -> None:
    client = InferenceClient()
    for options, said in (
        ({"best_of": 2}, "best_of"),
        ({"max_new_tokens": 513}, "512"),
        ({"decoder_input_details": True, "details": True}, "decoder_input_details"),
    ):
        with pytest.raises(HfHubHTTPError, match=said):
            client.text_generation(TEXT, model=url, **options)


def test_what_fails_on_the_way_is_the_clients_own_error(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, 3)
    client = InferenceClient()
    with pytest.raises(GenerationError, match="The model failed"):
        list(client.text_generation(TEXT, model=url, stream=True))


def fail_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    original, taken = Session.step, iter(range(1, 1000))

    def step(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        if next(taken) >= number:
            raise ModelError("The model failed on this input.")
        return original(*arguments, **options)

    monkeypatch.setattr(Session, "step", step)


def test_hugging_faces_client_talks(url: str, home: TaskHome) -> None:
    client = InferenceClient(base_url=f"{url}/v1", api_key="any")
    wanted = answered(home.bundle)
    answer = client.chat_completion(TALK, temperature=0, max_tokens=24)
    assert answer.choices[0].message.content == spoken(wanted)
    assert answer.usage.completion_tokens == len(wanted)
    parts = client.chat_completion(TALK, temperature=0, max_tokens=24, stream=True)
    said = [each.choices[0].delta.content or "" for each in parts]
    assert "".join(said) == spoken(wanted)
    # And what was answered can be sent back, with all that the client makes of it
    more = [*TALK, answer.choices[0].message, {"role": "user", "content": "so"}]
    again = client.chat_completion(more, temperature=0, max_tokens=24)
    assert again.usage.prompt_tokens > answer.usage.total_tokens


# ---- OpenAI -------------------------------------------------------------------------------------


def test_completions(client: OpenAI, home: TaskHome) -> None:
    answer = client.completions.create(
        model="generator", prompt=[TEXT, "bad"], temperature=0, max_tokens=24
    )
    assert [choice.text for choice in answer.choices] == [
        home.bundle.goes_on(text) for text in (TEXT, "bad")
    ]
    assert [choice.index for choice in answer.choices] == [0, 1]
    written = [home.bundle.ids(text) for text in (TEXT, "bad")]
    for choice, ids in zip(answer.choices, written, strict=True):
        assert choice.finish_reason == ("stop" if ids[-1] == EOS else "length")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 4 + 2
    assert answer.usage.completion_tokens == sum(map(len, written))
    assert (answer.model, answer.object) == ("generator@1", "text_completion")
    pinned = client.completions.create(model="generator@2", prompt="bad", temperature=0)
    assert (pinned.model, pinned.choices[0].text) == (
        "generator@2",
        home.bundles[2].goes_on("bad", most=16),
    )


def test_options_of_completions(client: OpenAI, home: TaskHome) -> None:
    greedy = home.bundle.goes_on(TEXT)
    how: dict[str, Any] = {"model": "generator", "prompt": TEXT, "max_tokens": 24}
    stopped = client.completions.create(**how, temperature=0, stop="film", echo=True)
    assert stopped.choices[0].text == TEXT + greedy.partition("film")[0]
    one = client.completions.create(**how, extra_body={"top_k": 1})
    assert one.choices[0].text == greedy
    drawn = [client.completions.create(**how, seed=5).choices[0].text for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_completions_are_streamed(client: OpenAI, home: TaskHome) -> None:
    *parts, last = client.completions.create(
        model="generator",
        prompt=[TEXT, "bad"],
        temperature=0,
        max_tokens=24,
        echo=True,
        stream=True,
        stream_options={"include_usage": True},
    )
    for row, text in enumerate((TEXT, "bad")):
        own = [part.choices[0] for part in parts if part.choices[0].index == row]
        assert "".join(choice.text for choice in own) == text + home.bundle.goes_on(text)
        assert [choice.finish_reason is None for choice in own] == [True] * (len(own) - 1) + [False]
    assert all(part.usage is None for part in parts)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 6 + len(parts)


def test_a_conversation_is_answered(client: OpenAI, home: TaskHome) -> None:
    wanted = answered(home.bundle)
    answer = client.chat.completions.create(model="generator", messages=TALK, temperature=0)
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", spoken(wanted))
    assert choice.finish_reason == ("stop" if wanted[-1] == EOS else "length")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len(READ.split())
    # And what was answered can be sent back as it is
    more = [*TALK, choice.message, {"role": "user", "content": "so"}]
    again = client.chat.completions.create(model="generator", messages=more, temperature=0)
    assert again.usage is not None
    assert again.usage.prompt_tokens > answer.usage.total_tokens


def test_a_conversation_is_streamed(client: OpenAI, home: TaskHome) -> None:
    wanted = answered(home.bundle)
    parts = list(
        client.chat.completions.create(
            model="generator",
            messages=TALK,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert parts[0].choices[0].delta.role == "assistant"
    said = [part.choices[0].delta.content or "" for part in parts[:-1]]
    assert "".join(said) == spoken(wanted)
    assert parts[-2].choices[0].finish_reason is not None
    assert parts[-1].usage is not None
    assert parts[-1].usage.completion_tokens == len(wanted)
    assert len({part.id for part in parts}) == 1


def test_the_asyncio_client_too(url: str, home: TaskHome) -> None:
    async def ask() -> str:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            parts = await client.chat.completions.create(
                model="generator@1", messages=TALK, temperature=0, stream=True
            )
            return "".join([part.choices[0].delta.content or "" async for part in parts])

    assert asyncio.run(ask()) == spoken(answered(home.bundle))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 2}, "one answer"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools: must be empty"),
        ({"functions": [{"name": "f"}]}, "functions: must be empty"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        (
            {"messages": [{"role": "assistant", "content": "a", "tool_calls": [{}]}, *TALK[-1:]]},
            r"messages\[0\].tool_calls: must be empty",
        ),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": TALK[:1]}, "a user message"),
        ({"messages": [{"role": "user", "content": "a</s>"}]}, "special token"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
def test_what_is_not_done_is_refused_by_name(
    client: OpenAI, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnprocessableEntityError, match=said):
        client.chat.completions.create(**({"model": "generator", "messages": TALK} | options))


def test_what_changes_no_answer_is_ignored(client: OpenAI, home: TaskHome) -> None:
    answer = client.chat.completions.create(
        model="generator",
        messages=TALK,
        temperature=0,
        tools=[],
        parallel_tool_calls=False,
        modalities=["text"],
        reasoning_effort="low",
        verbosity="low",
        safety_identifier="somebody",
        prompt_cache_key="a talk",
        extra_body={"of_a_later_release": True},
    )
    assert answer.choices[0].message.content == spoken(answered(home.bundle))


def test_errors_are_openais(
    client: OpenAI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="Only generator answers"):
        client.completions.create(model="gpt-4o", prompt=TEXT)
    fail_at(monkeypatch, 3)
    with pytest.raises(APIError, match="The model failed"):
        list(client.completions.create(model="generator", prompt=TEXT, stream=True, temperature=0))
    home = home_with(tmp_path, make_embedding)
    with serving(home) as server:
        other = OpenAI(base_url=f"{server}{home.path}/v1", api_key="any", max_retries=0)
        with pytest.raises(UnprocessableEntityError, match="text-generation"):
            other.completions.create(model="vectors", prompt=TEXT)
        other.close()
