"""The Lambda handler of a model's function: the service behind the one ASGI app.

A function's app.py is three lines:

    handler = build_handler(read_settings())

What answers HTTP is imported while the model is opened, which is a third of a cold start (0016).
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from maas.assembly import build_services, utc_now
from maas.errors import MaasError, SettingsError
from maas.observe import Observer

try:
    from snapshot_restore_py import register_after_restore  # type: ignore[import-not-found]
except ImportError:  # a part of Lambda's managed runtime, and of nothing else
    register_after_restore = None

# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.http.gateway import Handler
    from maas.settings import Settings
    from maas.shadow.sender import Sender


def build_handler(settings: "Settings") -> "Handler":
    """Load the model and build the handler. Called once, while the function starts.

    A model that cannot be loaded does not end the function: it answers 503 and says so in the log.
    Nor does a registry that does not answer: the baked policy does. With SnapStart all of this is
    in the snapshot, every protocol's modules too, and each restored process reads the policy anew.

    Raises:
        SettingsError: No model is named, or the registry's address is none.
    """
    if settings.model is None:
        raise SettingsError("MAAS_MODEL must name the model of this function.", field="MAAS_MODEL")
    started = time.perf_counter()
    observer = Observer(settings.log_level, metrics=True)

    def notice(model: str, error: MaasError) -> None:
        from maas.http.gateway import new_exchange

        exchange = new_exchange(None)
        exchange.model = model
        observer.failed(exchange, error)

    services = build_services(settings, full=False, notice=notice)
    with suppress(MaasError):  # told below, where it is waited for
        services(settings.model).begin()
    from maas.http.app import App
    from maas.http.gateway import guarded, new_id
    from maas.http.inference import inference_routes
    from maas.http.protocols.hf import wire_of

    sender = _sender(settings, notice)
    routes = inference_routes(services, watch=sender.note if sender else None)
    app = App(routes, observer=observer, new_id=new_id, base_path=settings.base_path)
    handler = guarded(app, observer)
    if sender is not None:
        handler = sender.around(handler)
    if settings.snapshot:
        from maas.http.faces import spoken  # noqa: F401 - a cold start does not pay for all
    try:
        service = services(settings.model)
        service.warm_up()
        wire_of(service.turn(None).task_name)  # imported here, so that no request pays for it
    except MaasError as error:
        notice(settings.model, error.__cause__ if isinstance(error.__cause__, MaasError) else error)
    else:
        spent = (time.perf_counter() - started) * 1000
        observer.loaded(model=settings.model, milliseconds=spent)

    def renew() -> None:
        restored = time.perf_counter()
        services.renew()
        if sender is not None:
            sender.renew()
        app.started(time.perf_counter() - restored)

    if register_after_restore is not None:
        register_after_restore(renew)
    app.started(time.perf_counter() - started)
    return handler


def _sender(settings: "Settings", notice: "Callable[[str, MaasError], None]") -> "Sender | None":
    """What sends requests to a shadow's queue; None where there is none, as a rule."""
    if not settings.shadow_queue:
        return None
    from maas.shadow.sender import Sender

    return Sender(settings.shadow_queue, settings.aws, now=utc_now, notice=notice)
