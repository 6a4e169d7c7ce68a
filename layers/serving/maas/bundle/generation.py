"""What a manifest says of a model that goes on with a text: where it ends, and how it is talked to.

Imports msgspec. The form of a conversation is data, not a program: a few texts that stand around
each message (infra/decisions/0018):

    chat = Chat(user=Turn("<|user|>", "<|end|>"), assistant=Turn("<|bot|>", "<|end|>"), …)
    Generation(end_ids=(2,), chat=chat)
"""

from typing import Annotated

from msgspec import Meta, Struct

Around = Annotated[str, Meta(max_length=4_096)]
"""A text that stands around messages."""
Id = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands around the messages of one role."""

    before: Around
    """Before each of them."""
    after: Around
    """After each of them."""


class Chat(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a conversation is written for the model."""

    user: Turn
    """Around what the user said."""
    assistant: Turn
    """Around what the model said before."""
    answer: Around
    """Behind all messages: what the model's answer follows."""
    begin: Around = ""
    """Before all messages."""
    system: Turn | None = None
    """Around the message that comes first and says how to answer; None where there can be none."""
    no_system: Around = ""
    """What stands in the place of that message where there is none."""
    trims: bool = False
    """Whether white space around each message is left out."""
    alternates: bool = False
    """Whether the user speaks first and both take turns, or it is no conversation."""


class Generation(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a model goes on with a text."""

    end_ids: Annotated[tuple[Id, ...], Meta(max_length=16)]
    """The tokens that end one."""
    chat: Chat | None = None
    """How it is talked to; None where it cannot be."""
