"""The laptop's server: what both functions answer on Lambda, as one app under uvicorn.

Imports `maas` and uvicorn. It serves every model of the registry and every version whose
bundle lies here; new ones are found without a restart.

    serve(settings, host="127.0.0.1", port=8080)
"""

import errno
import functools
import signal
import socket
import sys
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from msgspec.structs import replace

from maas.assembly import Services, build_services
from maas.errors import FieldError, MaasError, TryAgainError
from maas.http.app import App
from maas.http.catalog import catalog_routes
from maas.http.inference import check_promoted, inference_routes
from maas.limits import LIMITS
from maas.observe import Observer
from maas.registry.reader import Reader
from maas.registry.stores import open_store
from maas_lab.connections import Connection
from maas_lab.shadowing.background import Background
from maas_lab.shadowing.route import shadow_routes
from maas_lab.shadowing.tallies import Tallies

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.bundle.verify import Bundle
    from maas.settings import Settings

_GRACE_SECONDS = 5


def build_local_app(settings: "Settings") -> "tuple[App, Services]":
    """Build the app with what a laptop adds: both functions' routes, whole verification."""
    services = build_services(settings, full=True)
    reader = Reader(open_store(settings.registry, aws=settings.aws))
    catalog = catalog_routes(reader, ready=functools.partial(check_promoted, services))
    observer = Observer(settings.log_level, metrics=False, stream=sys.stderr)
    tallies = Tallies()
    watch = Background(services, tallies).watch
    routes = inference_routes(services, threads=True, watch=watch)
    app = App(
        {**routes, **catalog, **shadow_routes(services, tallies)},
        observer=observer,
        new_id=lambda: str(uuid.uuid4()),
        base_path=settings.base_path,
        concurrency=LIMITS.concurrency,
    )
    return app, services


def serve(
    settings: "Settings",
    *,
    host: str,
    port: int,
    policy_ttl: float,
    ready: "Callable[[str, dict[str, Bundle]], None]",
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way get five seconds to end.

    Args:
        settings: Where the registry and the bundles are.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        policy_ttl: Seconds until a promote or rollback is seen.
        ready: Told the URL, and each model's version that answers, once requests are answered.

    Raises:
        FieldError: The address is none of this machine's.
        TryAgainError: The port is taken.
    """
    app, services = build_local_app(replace(settings, policy_ttl=policy_ttl))
    models = _warm_up(services)
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,  # its own would close every handler that the process has
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        server_header=False,
    )
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    # In place before anybody is told that we are up. Uvicorn has its own handler while it runs, and
    # raises the signal once more afterwards, which would end this process with an error.
    signal.signal(signal.SIGTERM, stop)
    with _listen(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{listening.getsockname()[1]}", models)
        with suppress(KeyboardInterrupt):  # Ctrl-C is how a person ends it
            server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only where it sees it;
    # with it on, every request of a kept connection waits 40 ms for a delayed acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise FieldError(
                f"{host} is no address of this machine; give --host 127.0.0.1, or 0.0.0.0 for all"
                " that it has",
                field="host",
            ) from None
        raise TryAgainError(
            f"Cannot listen on port {port} of {host} ({error.strerror}); choose another by --port."
        ) from None
    return listening


def _warm_up(services: Services) -> "dict[str, Bundle]":
    """Load what is promoted, so that the first request does not wait; say which models answer.

    Where several versions of a model do, it is one of them.
    """
    answering = {}
    for model in services.models():
        try:
            services(model).warm_up()
            answering[model] = services(model).turn(None).loaded.bundle
        except MaasError as error:
            print(f"maas: {model} does not answer yet: {error.__cause__ or error}", file=sys.stderr)  # noqa: T201
    return answering
