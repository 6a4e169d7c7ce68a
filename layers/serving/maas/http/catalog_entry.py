"""The Lambda handler of the catalog's function: the registry's reader behind the one ASGI app.

It loads no model and none of a model's libraries. A function's app.py is three lines:

    handler = build_catalog_handler(read_settings())
"""

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING

from maas.errors import MaasError
from maas.http.app import App
from maas.http.catalog import catalog_routes
from maas.http.gateway import guarded, new_exchange, new_id
from maas.observe import Observer
from maas.registry.reader import Reader
from maas.registry.stores import open_store

if TYPE_CHECKING:
    from maas.http.gateway import Handler
    from maas.settings import Settings

_WARM_UP_SECONDS = 2.0  # of the ten that Lambda gives a start; one that hangs goes on without us


def build_catalog_handler(settings: "Settings") -> "Handler":
    """Build the handler. Called once, while the function starts.

    A registry that is away or not set up ends no function: each request tries it anew and says 503
    meanwhile.

    Raises:
        SettingsError: The registry's URL names none.
    """
    observer = Observer(settings.log_level, metrics=True)
    reader = Reader(open_store(settings.registry, aws=settings.aws))
    app = App(
        catalog_routes(reader), observer=observer, new_id=new_id, base_path=settings.base_path
    )
    _warm_up(reader, observer)
    loop = asyncio.new_event_loop()  # reads end in time, for which somebody must wait
    handler = guarded(app, observer, run=loop.run_until_complete)
    weakref.finalize(handler, loop.close)
    return handler


def _warm_up(reader: Reader, observer: Observer) -> None:
    """Read once while Lambda lends a starting function a whole processor.

    The first read imports the store's libraries; within a request that could outlast its bound.
    """

    def read() -> None:
        try:
            reader.models(limit=1)
        except MaasError as error:
            observer.failed(new_exchange(None), error)

    reading = threading.Thread(target=read, name="warm-up", daemon=True)
    reading.start()
    reading.join(_WARM_UP_SECONDS)
