"""A chat template, which is a program in Jinja, as the few texts that stand around each message.

Imports transformers' own sandbox for such programs, of the extra `dev`, and `maas`. The template is
run on conversations made up here; a form is told from some of them, and kept only if it writes the
very text that the template writes for all of them:

    chat, said = chat_of(template, {"bos_token": "<s>", "eos_token": "</s>"})

What a template does beside that, with tools or documents or dates, is not looked for.
"""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from maas.bundle.generation import Chat, Turn
from maas.errors import FieldError, RefusedError
from maas.tasks.chat import Message, written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from maas.tasks.chat import Role

    Render = Callable[..., str | None]

_FIRST, _SECOND, _THIRD, _RULE = "qFirstq", "qSecondq", "qThirdq", "qRuleq"
_ODD = ("two\n\nlines", "{{ braces }} & <tags>", "naïve 漢字 🙂", "a 'quoted' \"word\"", "7")
_UNTOLD = (
    "Its chat_template does more than put texts around messages: it goes on with texts, and answers"
    " no conversation."
)


def chat_of(template: str, specials: "Mapping[str, str]") -> "tuple[Chat | None, str]":
    """Tell the form of a conversation from a template.

    Args:
        template: The program.
        specials: The texts of special tokens, by the names that programs have for them.

    Returns:
        The form, or None where it is none of the simple kind; and a note for people.

    Raises:
        RefusedError: transformers is not installed.
    """
    render = _renderer(template, specials)
    chat = _told(render)
    if chat is None or not _writes_alike(chat, render):
        return None, _UNTOLD
    said = "It answers conversations"
    if chat.system is None:
        said += ", without a system message, which its chat_template does not take by itself"
    return chat, said + "."


def _renderer(template: str, specials: "Mapping[str, str]") -> "Render":
    try:
        from transformers.utils.chat_template_utils import (  # noqa: PLC0415 - seconds
            render_jinja_template,
        )
    except ImportError:
        raise RefusedError(
            "A chat_template is read by transformers: pip install 'transformers>=5.24,<6'"
        ) from None

    run: Any = render_jinja_template  # whose annotations are another function's

    def render(messages: "Sequence[Message]", *, answers: bool = True) -> str | None:
        """What the template writes; None where it refuses."""
        said = [{"role": each.role, "content": each.content} for each in messages]
        try:
            texts = run(
                conversations=[said],
                chat_template=template,
                add_generation_prompt=answers,
                **specials,
            )[0]
        except Exception:  # noqa: BLE001 - whatever a program of somebody else raises
            return None
        return str(texts[0])

    return render


def _told(render: "Render") -> Chat | None:
    """A form that may be the template's."""
    user = (Message("user", _FIRST),)
    turns = (*user, Message("assistant", _SECOND), Message("user", _THIRD))
    asked, plain, long = render(user), render(user, answers=False), render(turns)
    if asked is None or plain is None or long is None or not asked.startswith(plain):
        return None
    answer = asked[len(plain) :]
    pieces = _around(long, (_FIRST, _SECOND, _THIRD))
    if pieces is None or not pieces[3].endswith(answer):
        return None
    before, between, back, end = pieces
    after_user = end[: len(end) - len(answer)]
    if not between.startswith(after_user):
        return None
    shared = _shared_end(before, back)
    trims = render((Message("user", f"  {_FIRST}\n"),)) == asked
    found = [
        Chat(
            begin=before[: len(before) - count],
            user=Turn(before[len(before) - count :], after_user),
            assistant=Turn(between[len(after_user) :], back[: len(back) - count]),
            answer=answer,
            trims=trims,
        )
        for count in range(len(shared), -1, -1)
    ]
    return _with_system(_of_any_order(found, render), render)


def _of_any_order(chats: "Sequence[Chat]", render: "Render") -> Chat:
    """Of forms that differ in what belongs to whom, one that holds for any order of roles.

    Where none does, the first: a conversation is of both in turns, or it is none.
    """
    twice = (Message("user", _FIRST), Message("user", _SECOND))
    other = (Message("assistant", _FIRST), Message("user", _SECOND))
    wanted = [(each, render(each)) for each in (twice, other)]
    for chat in chats:
        if all(_written(chat, each) == text for each, text in wanted):
            return chat
    return replace(chats[0], alternates=True)


def _with_system(chat: Chat, render: "Render") -> Chat:
    """The same with what stands around a first message of the system, where it stands alone."""
    ruled = render((Message("system", _RULE), Message("user", _FIRST)))
    pieces = None if ruled is None else _around(ruled, (_RULE, _FIRST))
    if pieces is None or not pieces[1].endswith(chat.user.before):
        return chat
    begin = _shared_start(pieces[0], chat.begin)
    after = pieces[1][: len(pieces[1]) - len(chat.user.before)]
    found = replace(
        chat,
        begin=begin,
        no_system=chat.begin[len(begin) :],
        system=Turn(pieces[0][len(begin) :], after),
    )
    return found if _writes_alike(found, render) else chat


def _writes_alike(chat: Chat, render: "Render") -> bool:
    return all(
        render(each) == _written(chat, each)
        for each in _conversations(system=chat.system is not None)
    )


def _conversations(*, system: bool) -> "list[tuple[Message, ...]]":
    """Short ones and long ones, with contents that programs treat in ways of their own."""
    roles: tuple[Role, ...] = ("user", "assistant")
    made = []
    for content in (_FIRST, *_ODD, *(f" {odd}\n" for odd in _ODD)):
        for length in (1, 3, 5):
            turns = tuple(
                Message(roles[turn % 2], content if turn % 3 else _SECOND) for turn in range(length)
            )
            last = (*turns[:-1], Message("user", content))
            made.append(last)
            if system:
                made.append((Message("system", content), *last))
    return made


def _written(chat: Chat, messages: "Sequence[Message]") -> str | None:
    try:
        return written(chat, messages, specials=())
    except FieldError:
        return None


def _around(text: str, contents: "Sequence[str]") -> "tuple[str, ...] | None":
    """What stands before, between and behind contents that each come once, in their order."""
    pieces = []
    for content in contents:
        before, found, text = text.partition(content)
        if not found:
            return None
        pieces.append(before)
    return (*pieces, text)


def _shared_start(one: str, other: str) -> str:
    same = (n for n, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1)
    return one[: next(same, min(len(one), len(other)))]


def _shared_end(one: str, other: str) -> str:
    return _shared_start(one[::-1], other[::-1])[::-1]
