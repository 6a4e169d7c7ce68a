"""Where a server listens, read from a URL. Imports `maas.errors` and msgspec.

endpoint = parse_endpoint("http://127.0.0.1:8000", field="AWS_ENDPOINT_URL_DYNAMODB")
endpoint.authority        # "127.0.0.1:8000", for the header host
"""

import re
from urllib.parse import urlsplit

from msgspec import Struct

from maas.errors import SettingsError

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


class Endpoint(Struct, frozen=True):
    """Where a server listens.

    Attributes:
        scheme: `http` or `https`.
        host: A name or an address, without brackets.
        port: Its port.
        path: The path and query of the URL; `/` where it has none.
    """

    scheme: str
    host: str
    port: int
    path: str = "/"

    @property
    def authority(self) -> str:
        """The header `host`: with the port, unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_endpoint(url: str, *, field: str) -> Endpoint:
    """Read a URL; nothing is opened.

    Raises:
        SettingsError: It is not one of HTTP, or carries a name and a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise _malformed(field) from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or parts.username is not None:
        raise _malformed(field)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(parts.scheme, host, port, path)


def _malformed(field: str) -> SettingsError:
    return SettingsError(
        f"{field} must be a URL of http or https, such as http://127.0.0.1:8000.", field=field
    )
