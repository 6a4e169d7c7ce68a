"""A conversation becomes the text that the manifest says, or is refused by its message."""

from typing import Any

import msgspec
import pytest

from maas.bundle.generation import Chat, Turn
from maas.errors import FieldError
from maas.limits import LIMITS
from maas.tasks.chat import Message, written

CHAT = Chat(
    begin="<s>",
    system=Turn("[", "]"),
    no_system="[be kind]",
    user=Turn("U:", "\n"),
    assistant=Turn("B:", "</s>"),
    answer="B:",
)
ASKED = Message("user", "Hi")
TALK = (Message("system", "short"), ASKED, Message("assistant", " Hello "), Message("user", "Why?"))


def chat(**fields: Any) -> Chat:  # noqa: ANN401
    return msgspec.structs.replace(CHAT, **fields)


@pytest.mark.parametrize(
    ("form", "messages", "text"),
    [
        (CHAT, (ASKED,), "<s>[be kind]U:Hi\nB:"),
        (CHAT, TALK, "<s>[short]U:Hi\nB: Hello </s>U:Why?\nB:"),
        (chat(trims=True), TALK, "<s>[short]U:Hi\nB:Hello</s>U:Why?\nB:"),
        (chat(alternates=True), TALK, "<s>[short]U:Hi\nB: Hello </s>U:Why?\nB:"),
        (chat(system=None, no_system=""), TALK[1:], "<s>U:Hi\nB: Hello </s>U:Why?\nB:"),
        (CHAT, (ASKED, ASKED), "<s>[be kind]U:Hi\nU:Hi\nB:"),
        (CHAT, (Message("user", ""),), "<s>[be kind]U:\nB:"),
    ],
)
def test_each_message_stands_within_its_turn(
    form: Chat, messages: tuple[Message, ...], text: str
) -> None:
    assert written(form, messages, specials=("<s>", "</s>")) == text


@pytest.mark.parametrize(
    ("form", "messages", "field", "said"),
    [
        (CHAT, (), "messages", "1 to"),
        (CHAT, (ASKED,) * (LIMITS.messages + 1), "messages", f"1 to {LIMITS.messages}"),
        (CHAT, TALK[:1], "messages", "a user message"),
        (CHAT, TALK[:3], "messages", "end with a user message"),
        (CHAT, (ASKED, TALK[0], ASKED), "messages[1]", "first"),
        (chat(system=None), TALK, "messages[0]", "first user message"),
        (chat(alternates=True), (ASKED, ASKED), "messages", "in turns"),
        (chat(alternates=True), TALK[2:], "messages", "in turns"),
        (CHAT, (ASKED, Message("user", "a</s>b")), "messages[1].content", "special token"),
        (CHAT, (Message("user", "\ud800"),), "messages[0].content", "surrogate"),
        (CHAT, (Message("user", "a" * 20_001),), "messages", "20000 characters in all"),
        (CHAT, (Message("user", "a" * 10_001),) * 2, "messages", "20000 characters in all"),
    ],
)
def test_what_is_no_conversation_is_refused_and_not_repeated(
    form: Chat, messages: tuple[Message, ...], field: str, said: str
) -> None:
    with pytest.raises(FieldError, match=said) as refused:
        written(form, messages, specials=("<s>", "</s>"))
    assert refused.value.field == field
    assert "a</s>b" not in str(refused.value)


@pytest.mark.parametrize("count", [1, LIMITS.messages])
def test_as_many_messages_as_may_be(count: int) -> None:
    assert written(CHAT, (ASKED,) * count, specials=()).count("U:Hi\n") == count
