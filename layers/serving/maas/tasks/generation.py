"""What is asked of a model that goes on with texts, and what it answers.

May import `maas.tasks`. Conversations are texts by the time the model reads them:

    GenerateRequest(texts=("a fine",), how=Sampling(sample=True, temperature=0.7), seed=1)
    GenerateRequest(messages=(Message("user", "Hello"),))
"""

from typing import Literal, NamedTuple

from msgspec import Struct

from maas.tasks.answers import Answer
from maas.tasks.chat import Message
from maas.tasks.sampling import Sampling
from maas.tasks.task import Counts

Ending = Literal["length", "end", "stop"]
_GREEDY = Sampling()


class GenerateRequest(Struct, frozen=True):
    """Texts to go on with, or a conversation to answer.

    Attributes:
        texts: 1 to 8 texts; none where there are messages.
        messages: A conversation.
        how: How each token is chosen.
        max_new_tokens: Tokens to write at the most; the model's own bound when None, and never more
            than that or than its context has room for.
        stop: Texts at which writing ends; they are left out.
        seed: By which tokens are drawn; one of chance when None.
        keep: Tokens of a text that are kept, its last ones; when None one that is too long is
            refused.
        whole: Whether what was given is a part of the answer.
        field: What the texts are called in the request, for messages.
        details: Whether tokens are answered, too; only carried to the answer.
        streamed: Whether each token is answered as soon as it was written; only for who answers.
    """

    texts: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    how: Sampling = _GREEDY
    max_new_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    keep: int | None = None
    whole: bool = False
    field: str = "inputs"
    details: bool = False
    streamed: bool = False

    @property
    def counts(self) -> Counts:
        """How many texts; a conversation is one."""
        return Counts(texts=1 if self.messages else len(self.texts))


class Token(NamedTuple):
    """A token that was written.

    Attributes:
        id: Its id.
        text: What it adds to the answer: whole characters, and nothing that may become a stop.
        logprob: Its log-probability.
        special: Whether it stands for no text.
    """

    id: int
    text: str
    logprob: float
    special: bool


class Generated(Struct, frozen=True):
    """What was written to one text.

    Attributes:
        text: All of it; with what was given before it, where that was asked for.
        tokens: Its tokens; the one that ends a text among them.
        ending: Why it ends: the most tokens, the model's own end, or a stop.
        read: Tokens that the model was given.
        cut: Whether tokens of what was given were cut off.
        seed: By which tokens were drawn; None where none was.
    """

    text: str
    tokens: tuple[Token, ...]
    ending: Ending
    read: int
    cut: bool
    seed: int | None


class Step(NamedTuple):
    """A token as soon as it was written.

    Attributes:
        row: Which of the request's texts it belongs to.
        token: The token.
        done: All of that text, with the last of its tokens.
    """

    row: int
    token: Token
    done: Generated | None


class GenerateResponse(Answer, frozen=True):
    """One answer per text, in the request's order.

    Attributes:
        rows: The answers.
        details: As in the request.
    """

    rows: tuple[Generated, ...]
    details: bool
