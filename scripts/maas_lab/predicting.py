"""Asking a model from the command line: in this process, or a server over HTTP.

Imports `maas` and httpx. Both ways give the answer in Hugging Face's form, because the first one
goes through the same app:

    answer = predict_here(settings, "sentiment", None, ["a fine film"], top_k=1)
    answer.rows[0][0]["label"]
"""

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx
import msgspec

from maas.errors import FieldError, MaasError, TryAgainError
from maas.limits import LIMITS
from maas_lab.serving import build_local_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from maas.registry.addresses import VersionAddress
    from maas.settings import Settings

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer and who gave it.

    Attributes:
        version: The version's number.
        digest: Its bundle's digest.
        rows: Per text, labels with scores, best first.
    """

    version: int
    digest: str
    rows: list[list[dict[str, str | float]]]


class _ErrorBody(msgspec.Struct, frozen=True):
    """The error body of a server, as far as it is used here."""

    error: str
    code: str
    field: str | None = None


def read_lines(stream: "BinaryIO") -> list[str]:
    """Read texts, one a line; blank lines are passed over.

    Raises:
        FieldError: There is no text, or a line is not UTF-8; its number is given.
    """
    texts = []
    for number, line in enumerate(stream, start=1):
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            raise FieldError("is not UTF-8", field=f"line {number}") from None
        if text:
            texts.append(text)
    if not texts:
        raise FieldError("holds no text", field="standard input")
    return texts


def predict_here(
    settings: "Settings",
    model: str,
    address: "VersionAddress | None",
    texts: "Sequence[str]",
    *,
    top_k: int | None,
) -> Prediction:
    """Load the model in this process and ask it.

    Raises:
        MaasError: As a server would answer it.
    """
    app, _ = build_local_app(replace(settings, log_level="ERROR"))

    async def ask() -> Prediction:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            path = _path(model, address)
            bodies = _bodies(texts, top_k)
            return _prediction([await client.post(path, json=body) for body in bodies])

    return asyncio.run(ask())


def predict_there(
    url: str,
    model: str,
    address: "VersionAddress | None",
    texts: "Sequence[str]",
    *,
    top_k: int | None,
) -> Prediction:
    """Ask a server.

    Raises:
        TryAgainError: It cannot be reached.
        MaasError: What it answered.
    """
    path = url.rstrip("/") + _path(model, address)
    try:
        with httpx.Client(timeout=_TIMEOUT_SECONDS) as client:
            responses = [client.post(path, json=body) for body in _bodies(texts, top_k)]
    except (httpx.HTTPError, httpx.InvalidURL):
        raise TryAgainError("No server answers at this --url.", field="url") from None
    return _prediction(responses)


def _path(model: str, address: "VersionAddress | None") -> str:
    return f"/models/{model}" + (f"/versions/{address}" if address else "")


def _bodies(texts: "Sequence[str]", top_k: int | None) -> "Iterator[dict[str, object]]":
    """As many requests as the limit of texts asks for."""
    parameters = {} if top_k is None else {"top_k": top_k}
    for at in range(0, len(texts), LIMITS.texts):
        yield {"inputs": list(texts[at : at + LIMITS.texts]), "parameters": parameters}


def _prediction(responses: "Sequence[httpx.Response]") -> Prediction:
    for response in responses:
        if response.status_code != httpx.codes.OK:
            raise _as_error(response)
    return Prediction(
        version=int(responses[0].headers["x-maas-version"]),
        digest=responses[0].headers["x-maas-digest"],
        rows=[row for response in responses for row in response.json()],
    )


def _as_error(response: httpx.Response) -> MaasError:
    """The server's error as it was raised there, by its code."""
    try:
        body = msgspec.json.decode(response.content, type=_ErrorBody)
    except msgspec.DecodeError:
        return TryAgainError(f"The server answered {response.status_code}, not as maas does.")
    error = MaasError(body.error, field=body.field)
    error.code = body.code
    error.exit_code = _exit_codes(MaasError).get(body.code, MaasError.exit_code)
    return error


def _exit_codes(kind: type[MaasError]) -> dict[str, int]:
    """Exit code by error code, for a branch of the tree."""
    codes = {kind.code: kind.exit_code}
    for below in kind.__subclasses__():
        codes |= _exit_codes(below)
    return codes
