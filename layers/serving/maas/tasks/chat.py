"""A conversation as one text for a model, by what its manifest says stands around each message.

May import `maas.errors`, `maas.limits` and `maas.text.check`.

    text = written(chat, (Message("user", "Hello"),), specials=tokenizer.special_texts)

No message may hold one of the tokenizer's special tokens: it could end its own turn and begin
another's.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.text.check import is_unicode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.bundle.generation import Chat

Role = Literal["system", "user", "assistant"]


class Message(NamedTuple):
    """What somebody said."""

    role: Role
    content: str


def written(chat: "Chat", messages: "Sequence[Message]", *, specials: "Sequence[str]") -> str:
    """Write a conversation, up to where the model's answer begins.

    Args:
        chat: What stands around the messages.
        messages: At least one.
        specials: What no message may hold.

    Raises:
        FieldError: With the message at fault.
    """
    _check_messages(messages, specials)
    _check_order(chat, messages)
    turns = {"system": chat.system, "user": chat.user, "assistant": chat.assistant}
    parts = [chat.begin, "" if messages[0].role == "system" else chat.no_system]
    for message in messages:
        turn = turns[message.role] or chat.user
        content = message.content.strip() if chat.trims else message.content
        parts += [turn.before, content, turn.after]
    return "".join((*parts, chat.answer))


def _check_messages(messages: "Sequence[Message]", specials: "Sequence[str]") -> None:
    if not 1 <= len(messages) <= LIMITS.messages:
        raise FieldError(
            f"must be 1 to {LIMITS.messages} messages, got {len(messages)}", field="messages"
        )
    total = sum(len(message.content) for message in messages)
    if total > LIMITS.text_characters:
        raise FieldError(
            f"must be at most {LIMITS.text_characters} characters in all, got {total}",
            field="messages",
        )
    for index, message in enumerate(messages):
        field = f"messages[{index}].content"
        if not is_unicode(message.content):
            raise FieldError(
                "holds half of a surrogate pair, which is not a character", field=field
            )
        if any(special in message.content for special in specials):
            raise FieldError("holds a special token of the model, which no text may", field=field)


def _check_order(chat: "Chat", messages: "Sequence[Message]") -> None:
    roles = [message.role for message in messages]
    if "system" in roles[1:]:
        index = roles.index("system", 1)
        raise FieldError("must come first if it is a system message", field=f"messages[{index}]")
    if roles[0] == "system":
        if chat.system is None:
            raise FieldError(
                "is a system message, which this model was not trained with;"
                " put it into the first user message",
                field="messages[0]",
            )
        roles = roles[1:]
    if "user" not in roles:
        raise FieldError("must hold a user message", field="messages")
    if chat.alternates and any(
        role != ("user", "assistant")[turn % 2] for turn, role in enumerate(roles)
    ):
        raise FieldError(
            "must be of user and assistant in turns, the user's first: this model knows no other"
            " conversation",
            field="messages",
        )
    if roles[-1] != "user":
        raise FieldError("must end with a user message, which is answered", field="messages")
