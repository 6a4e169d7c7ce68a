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

from maas.errors import BadRequestError, MaasError, NotFoundError, TryAgainError
from maas_lab.serving import build_local_app

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post(_path(model, address), json=_body(texts, top_k))

    return _prediction(asyncio.run(ask()))


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
    try:
        response = httpx.post(
            url.rstrip("/") + _path(model, address),
            json=_body(texts, top_k),
            timeout=_TIMEOUT_SECONDS,
        )
    except (httpx.HTTPError, httpx.InvalidURL):
        raise TryAgainError("No server answers at this --url.", field="url") from None
    return _prediction(response)


def _path(model: str, address: "VersionAddress | None") -> str:
    return f"/models/{model}" + (f"/versions/{address}" if address else "")


def _body(texts: "Sequence[str]", top_k: int | None) -> dict[str, object]:
    parameters = {} if top_k is None else {"top_k": top_k}
    return {"inputs": list(texts), "parameters": parameters}


def _prediction(response: httpx.Response) -> Prediction:
    if response.status_code != httpx.codes.OK:
        raise _as_error(response)
    return Prediction(
        version=int(response.headers["x-maas-version"]),
        digest=response.headers["x-maas-digest"],
        rows=response.json(),
    )


def _as_error(response: httpx.Response) -> MaasError:
    try:
        message = str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        message = f"The server answered {response.status_code}."
    if response.status_code == httpx.codes.NOT_FOUND:
        return NotFoundError(message)
    if response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
        return BadRequestError(message)
    return TryAgainError(message)
