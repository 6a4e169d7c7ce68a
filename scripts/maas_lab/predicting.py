"""Asking a model from the command line: in this process, or a server over HTTP.

Imports `maas` and httpx. Both ways give the answer in Hugging Face's form, because the first one
goes through the same app. What is sent depends on the model's task, which it is asked for first:

    answer = predict_here(settings, "sentiment", None, ["a fine film"], top_k=1)
    answer.rows[0][0]["label"]
    predict_here(settings, "digits", None, ["seven.png"], top_k=None).rows    # inputs are files
    predict_here(settings, "iris", None, ["rows.csv"], top_k=None).rows       # a label per row
"""

import asyncio
import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
from msgspec.structs import replace

from maas.bundle.task_rules import BARE, FILED, PAIRED, TABULAR
from maas.errors import BadRequestError, FieldError, MaasError, TryAgainError
from maas.limits import LIMITS
from maas_lab.examples import example_of, path_of
from maas_lab.serving import build_local_app
from maas_lab.urls import server_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from maas.registry.addresses import VersionAddress
    from maas.settings import Settings

    Options = dict[str, Any]

_TIMEOUT_SECONDS = 30.0
_UNASKED = (BARE | PAIRED) - TABULAR
"""The tasks that need more than a text or a file."""
SERVED_AT = "http://127.0.0.1:8080"
"""Where `maas serve` answers, unless it is told another place."""
_LABELS = ("text-classification", "image-classification", "audio-classification")


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer and who gave it.

    Attributes:
        task: What the model does.
        version: The version's number.
        digest: Its bundle's digest.
        rows: One answer per input, in their order, as Hugging Face's client gets it: labels with
            scores, best first; a vector's numbers; or an object with the text that was written.
            Of tables, a label per row of the files.
    """

    task: str
    version: int
    digest: str
    rows: list[Any]


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
    inputs: "Sequence[str]",
    *,
    top_k: int | None,
) -> Prediction:
    """Load the model in this process and ask it.

    Args:
        settings: Where the registry and the bundles are.
        model: The model's name.
        address: Which version; whichever answers when None.
        inputs: Texts, or paths of files for a model that looks, listens or reads tables.
        top_k: Labels per input; all when None.

    Raises:
        MaasError: As a server would answer it, or a file cannot be read.
    """
    app, services = build_local_app(replace(settings, log_level="ERROR"))
    path = path_of(model, address)

    async def ask() -> Prediction:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            task = _task(await client.get(path))
            if task in _UNASKED:
                bundle = services(model).turn(address).loaded.bundle
                example = example_of(SERVED_AT, model, bundle, address)
                raise _unasked(SERVED_AT, model, address, task=task, example=example)
            asked, place = _requests(task, inputs, top_k), path + _below(task)
            return _prediction(task, [await client.post(place, **options) for options in asked])

    return asyncio.run(ask())


def predict_there(
    url: str,
    model: str,
    address: "VersionAddress | None",
    inputs: "Sequence[str]",
    *,
    top_k: int | None,
) -> Prediction:
    """Ask a server; arguments as in `predict_here`.

    Raises:
        TryAgainError: It cannot be reached.
        MaasError: What it answered, or a file cannot be read.
    """
    url = server_url(url)
    path = url + path_of(model, address)
    try:
        with httpx.Client(timeout=_TIMEOUT_SECONDS) as client:
            task = _task(client.get(path))
            if task in _UNASKED:
                raise _unasked(url, model, address, task=task)
            asked, place = _requests(task, inputs, top_k), path + _below(task)
            responses = [client.post(place, **each) for each in asked]
    except (httpx.HTTPError, httpx.InvalidURL):
        raise TryAgainError("No server answers at this --url.", field="url") from None
    return _prediction(task, responses)


def _below(task: str) -> str:
    """Where below a model's own path it is asked: files of rows are SageMaker's and MLflow's."""
    return "/invocations" if task in TABULAR else ""


def _unasked(
    url: str,
    model: str,
    address: "VersionAddress | None",
    *,
    task: str,
    example: str | None = None,
) -> BadRequestError:
    """How a model is asked that this command cannot ask."""
    tensors = task in BARE
    if example is None:
        place = url + path_of(model, address, tensors=tensors)
        asked = f"{place}/infer" if tensors else place
        example = f"POST {asked}; what it reads is told by curl {place}"
    reads = "tensors" if tensors else "more than a text"
    return BadRequestError(
        f"{model} reads {reads}, and maas predict asks models of texts, pictures, sounds and"
        f" tables. Ask a server: {example}"
    )


def _task(response: httpx.Response) -> str:
    """The task of the model that describes itself so."""
    if response.status_code != httpx.codes.OK:
        raise _as_error(response)
    return str(response.json()["task"])


def _requests(task: str, inputs: "Sequence[str]", top_k: int | None) -> "Iterator[Options]":
    """As many requests as the inputs need: a file each, or as many texts as one may have."""
    if top_k is not None and task not in _LABELS:
        raise FieldError(f"is for labels, which a model for {task} has none of", field="top-k")
    parameters = {} if top_k is None else {"parameters": {"top_k": top_k}}
    if task in TABULAR:
        for name in inputs:
            yield {"content": _file(name), "headers": {"content-type": "text/csv"}}
        return
    if task in FILED:
        for name in inputs:
            data = _file(name)
            coded = {"inputs": base64.b64encode(data).decode(), **parameters}
            yield {"json": coded} if parameters else {"content": data}
        return
    for at in range(0, len(inputs), LIMITS.texts):
        yield {"json": {"inputs": list(inputs[at : at + LIMITS.texts]), **parameters}}


def _file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no path"
        raise FieldError(f"cannot be read: {reason}", field=name) from None


def _prediction(task: str, responses: "Sequence[httpx.Response]") -> Prediction:
    for response in responses:
        if response.status_code != httpx.codes.OK:
            raise _as_error(response)
    answers = [response.json() for response in responses]
    if task in TABULAR:
        answers = [answer["predictions"] for answer in answers]
    return Prediction(
        task=task,
        version=int(responses[0].headers["x-maas-version"]),
        digest=responses[0].headers["x-maas-digest"],
        rows=answers if task in FILED else [row for answer in answers for row in answer],
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
