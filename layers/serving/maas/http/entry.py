"""The Lambda handler: a guard around Mangum around the one ASGI app.

The only module that imports Mangum. A function's app.py is three lines:

    handler = build_handler(read_settings())

What reaches a function is not always HTTP, and Mangum raises on what it does not know; the guard
answers warm-up events with 204 and the rest with the one error body.
"""

import base64
import binascii
import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

from mangum import Mangum

from maas.assembly import build_services
from maas.errors import BadRequestError, MaasError, SettingsError
from maas.exchange import Exchange
from maas.http.app import App
from maas.http.inference import inference_routes
from maas.http.problems import JSON, encode_error
from maas.observe import Observer

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.settings import Settings

    Event = dict[str, Any]
    Handler = Callable[[Event, object], Event]


def build_handler(settings: "Settings") -> "Handler":
    """Load the model and build the handler. Called once, while the function starts.

    A model that cannot be loaded does not end the function: it answers 503 and says so in the log.

    Raises:
        SettingsError: No model is named; a function serves one.
    """
    if settings.model is None:
        raise SettingsError("MAAS_MODEL must name the model of this function.", field="MAAS_MODEL")
    started = time.perf_counter()
    observer = Observer(settings.log_level, metrics=True)
    services = build_services(settings, full=False)
    routes = inference_routes(services)
    app = App(routes, observer=observer, new_id=_new_id, base_path=settings.base_path)
    adapter = Mangum(app, lifespan="off")
    logging.getLogger("mangum").setLevel(logging.CRITICAL + 1)  # it would log every path
    try:
        services(settings.model).warm_up()
    except MaasError as error:
        observer.failed(_exchange(None), error.__cause__ or error)
    else:
        spent = (time.perf_counter() - started) * 1000
        observer.loaded(model=settings.model, milliseconds=spent)

    def handler(event: "Event", context: object) -> "Event":
        if not _is_http(event):
            return {"statusCode": 204} if _is_warm_up(event) else _refused(observer, context)
        try:
            _check_base64(event)
            answer: Event = adapter(event, context)  # type: ignore[arg-type]
        except MaasError as error:
            return _refused(observer, context, error)
        except Exception as error:  # noqa: BLE001 - the outer guard: an event of unknown shape
            observer.failed(_exchange(context), error)
            return _refused(observer, context)
        return answer

    return handler


def _new_id() -> str:
    return str(uuid.uuid4())


def _is_http(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("requestContext"), dict)


def _is_warm_up(event: object) -> bool:
    return isinstance(event, dict) and event.get("source") in ("warm-up", "aws.events")


def _check_base64(event: "Event") -> None:
    if not event.get("isBase64Encoded"):
        return
    try:
        base64.b64decode(event.get("body") or "", validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadRequestError("The body is marked as base64 and is not.") from None


def _exchange(context: object) -> Exchange:
    request_id = getattr(context, "aws_request_id", None) or _new_id()
    return Exchange(request_id=request_id, deadline=time.monotonic())


def _refused(observer: Observer, context: object, error: MaasError | None = None) -> "Event":
    problem = error or BadRequestError("This event is not an HTTP request that is known here.")
    exchange = _exchange(context)
    observer.answered(exchange, status=problem.status, code=problem.code)
    return {
        "statusCode": problem.status,
        "headers": {**exchange.headers(), "content-type": JSON},
        "body": encode_error(problem, exchange).decode(),
        "isBase64Encoded": False,
    }
