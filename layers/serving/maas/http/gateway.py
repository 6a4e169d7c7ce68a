"""Events of API Gateway in front of the one ASGI app: a guard around Mangum.

The only module that imports Mangum. What reaches a function is not always HTTP, and Mangum raises
on what it does not know; the guard answers warm-up events with 204 and the rest with the one error
body. May import `maas.errors`, `maas.exchange`, `maas.observe` and `maas.http.problems`:

    handler = guarded(App(routes, observer=observer, new_id=new_id), observer)
"""

import base64
import binascii
import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

from mangum import Mangum

from maas.errors import BadRequestError, MaasError
from maas.exchange import Exchange
from maas.http.problems import JSON, encode_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.http.app import App
    from maas.observe import Observer

    Event = dict[str, Any]
    Handler = Callable[[Event, object], Event]


_UNREAD = frozenset({"host", "x-forwarded-port"})


def guarded(app: "App", observer: "Observer") -> "Handler":
    """Make a Lambda handler of an app: whatever event comes, the answer is defined.

    Args:
        app: What answers HTTP.
        observer: Told of the answers that the app never sees.
    """
    adapter = Mangum(app, lifespan="off")
    logging.getLogger("mangum").setLevel(logging.CRITICAL + 1)  # it would log every path

    def handler(event: "Event", context: object) -> "Event":
        if not _is_http(event):
            return {"statusCode": 204} if _is_warm_up(event) else _refused(observer, context)
        try:
            _check_base64(event)
            answer: Event = adapter(_without_unread(event), context)  # type: ignore[arg-type]
        except MaasError as error:
            return _refused(observer, context, error)
        except MemoryError as error:  # ours, while it was read
            observer.failed(new_exchange(context), error)
            return _refused(observer, context, MaasError("Something failed on our side."))
        except Exception as error:  # noqa: BLE001 - the outer guard: an event of unknown shape
            observer.failed(new_exchange(context), error)
            return _refused(observer, context)
        return answer

    return handler


def new_id() -> str:
    """A request id where Lambda gives none."""
    return str(uuid.uuid4())


def new_exchange(context: object) -> Exchange:
    """What is known of an event before anything of it was read.

    Args:
        context: What Lambda hands over beside the event; None while the function starts.
    """
    request_id = getattr(context, "aws_request_id", None) or new_id()
    return Exchange(request_id=request_id, deadline=time.monotonic())


def _is_http(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("requestContext"), dict)


def _is_warm_up(event: object) -> bool:
    return isinstance(event, dict) and event.get("source") in ("warm-up", "aws.events")


def _without_unread(event: "Event") -> "Event":
    """The event less the headers that nobody here reads and Mangum takes apart.

    It raises on a host such as `[::1]:3000` and on a port that is no number; a client may send any.
    """
    read = {
        field: {name: value for name, value in sent.items() if name.lower() not in _UNREAD}
        for field in ("headers", "multiValueHeaders")
        if isinstance(sent := event.get(field), dict)
    }
    return {**event, **read}


def _check_base64(event: "Event") -> None:
    if not event.get("isBase64Encoded"):
        return
    try:
        base64.b64decode(event.get("body") or "", validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadRequestError("The body is marked as base64 and is not.") from None


def _refused(observer: "Observer", context: object, error: MaasError | None = None) -> "Event":
    problem = error or BadRequestError("This event is not an HTTP request that is known here.")
    exchange = new_exchange(context)
    observer.answered(exchange, status=problem.status, code=problem.code)
    return {
        "statusCode": problem.status,
        "headers": {**exchange.headers(), "content-type": JSON},
        "body": encode_error(problem, exchange).decode(),
        "isBase64Encoded": False,
    }
