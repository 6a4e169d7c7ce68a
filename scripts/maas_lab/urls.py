"""The `--url` of a server or a function, held against what a URL is before anything is asked.

Imports httpx and `maas.errors`.

    server_url("http://127.0.0.1:8080/")        # without the last slash
"""

import httpx

from maas.errors import FieldError


def server_url(given: str) -> str:
    """Where something answers, to which a path can be added.

    Raises:
        FieldError: It is no URL of HTTP.
    """
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise FieldError("must be a URL such as http://127.0.0.1:8080", field="url")
    return given.rstrip("/")
