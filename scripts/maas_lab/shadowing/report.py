"""What a server has seen of a model's shadows, read over HTTP. Imports httpx, `maas` and the lab.

found = read_report("http://127.0.0.1:8080", "sentiment")
found.shadows[0].agreed
"""

import httpx
import msgspec

from maas.errors import FieldError, MaasError, NotFoundError, TryAgainError
from maas_lab.shadowing.route import SHADOWS
from maas_lab.shadowing.tallies import ModelShadows

_SECONDS = 10.0


def read_report(url: str, model: str) -> ModelShadows:
    """Ask a server.

    Raises:
        FieldError: The URL is none.
        TryAgainError: Nobody answers there.
        NotFoundError: It has no such model, or no such route: it is no server of `maas serve`.
    """
    address = url.rstrip("/") + SHADOWS.format(model=model)
    try:
        response = httpx.get(address, timeout=_SECONDS)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise FieldError("must be a URL such as http://127.0.0.1:8080", field="url") from None
    except httpx.HTTPError as error:
        raise TryAgainError(
            f"{url} does not answer ({type(error).__name__}). Is `maas serve` running there?"
        ) from error
    if response.status_code == httpx.codes.NOT_FOUND:
        raise NotFoundError(
            f"{url} knows no shadows of {model}. Only a server that `maas serve` started tells of"
            " them; those of deployed functions are told with --cloudwatch."
        )
    if response.status_code != httpx.codes.OK:
        raise TryAgainError(f"{url} answers with status {response.status_code}; try again.")
    try:
        return msgspec.json.decode(response.content, type=ModelShadows)
    except msgspec.DecodeError:
        raise MaasError(f"What {url} says of its shadows cannot be read.") from None
