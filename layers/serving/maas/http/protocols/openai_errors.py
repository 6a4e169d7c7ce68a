"""Errors as OpenAI's clients read them: an object, where everybody else is told a text.

May import `maas.errors`, `maas.http.problems` and msgspec.

    body = encode_openai_error(error)
    headers |= retry_headers(error)
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from maas.http.problems import dump_json, told

if TYPE_CHECKING:
    from maas.errors import MaasError

_RATE_LIMITED = 429


class OpenAiFault(Struct, frozen=True):
    """What is wrong.

    Attributes:
        message: For people.
        type: Whose fault it is: `invalid_request_error`, `rate_limit_error` or `server_error`.
        param: The field at fault, in dotted form, or null.
        code: For machines; as on our other routes.
    """

    message: str
    type: str
    param: str | None
    code: str


class OpenAiProblem(Struct, frozen=True):
    """The error body under `/v1` of a model.

    Attributes:
        error: What is wrong.
    """

    error: OpenAiFault


def encode_openai_error(error: "MaasError") -> bytes:
    """Encode an error.

    Returns:
        An `OpenAiProblem` as JSON.
    """
    return dump_json(openai_problem(error))


def openai_problem(error: "MaasError") -> OpenAiProblem:
    """What a caller is told of an error."""
    text, field = told(error)
    return OpenAiProblem(OpenAiFault(text, _kind(error.status), field, error.code))


def retry_headers(error: "MaasError") -> dict[str, str]:
    """Whether to try again: the clients would do so after every 409 and every fault of ours."""
    return {"x-should-retry": "false" if error.retry_after is None else "true"}


def _kind(status: int) -> str:
    if status == _RATE_LIMITED:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"
