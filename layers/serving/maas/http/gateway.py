"""Lambda's events in front of the one ASGI app: a guard around the door.

What reaches a function is not always HTTP; the guard answers warm-up events with 204 and what it
does not know with the one error body. May import `maas.errors`, `maas.exchange`, `maas.observe`,
`maas.http.events` and `maas.http.problems`:

    handler = guarded(App(routes, observer=observer, new_id=new_id), observer)
"""

import time
import uuid
from typing import TYPE_CHECKING, Any

from maas.errors import BadRequestError, MaasError
from maas.exchange import Exchange
from maas.http.events import answer_of, request_of
from maas.http.problems import JSON, encode_error

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from maas.http.app import App
    from maas.http.asgi import Message, Scope
    from maas.observe import Observer

    Event = dict[str, Any]
    Handler = Callable[[Event, object], Event]
    Run = Callable[[Coroutine[Any, Any, None]], None]


def at_once(answering: "Coroutine[Any, Any, None]") -> None:
    """Run what has nothing to wait for, without an event loop.

    An event's body is whole and its answer, too, and a function has one request at a time: its
    model runs in the thread that asked. A loop would cost each start a sixteenth, and each request.

    Raises:
        RuntimeError: It waited for something.
    """
    try:
        answering.send(None)
    except StopIteration:
        return
    answering.close()
    raise RuntimeError("A function's app waited for an event loop; there is none.")


def guarded(app: "App", observer: "Observer", run: "Run" = at_once) -> "Handler":
    """Make a Lambda handler of an app: whatever event comes, the answer is defined.

    Args:
        app: What answers HTTP.
        observer: Told of the answers that the app never sees.
        run: Runs the app; an event loop's, where it waits for something.
    """

    def handler(event: "Event", context: object) -> "Event":
        if not _is_http(event):
            return {"statusCode": 204} if _is_warm_up(event) else _refused(observer, context)
        try:
            scope, body = request_of(event, context)
        except MaasError as error:
            return _refused(observer, context, error)
        except MemoryError as error:  # ours, while it was read
            return _failed(observer, context, error)
        except Exception as error:  # noqa: BLE001 - an event of unknown shape
            observer.failed(new_exchange(context), error)
            return _refused(observer, context)
        try:
            return answer_of(event, _sent(app, scope, body, run))
        except Exception as error:  # noqa: BLE001 - the outer guard: the app has one of its own
            return _failed(observer, context, error)

    return handler


def _sent(app: "App", scope: "Scope", body: bytes, run: "Run") -> "list[Message]":
    sent: list[Message] = []

    async def receive() -> "Message":
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: "Message") -> None:
        sent.append(message)

    run(app(scope, receive, send))
    return sent


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


def _failed(observer: "Observer", context: object, error: Exception) -> "Event":
    observer.failed(new_exchange(context), error)
    return _refused(observer, context, MaasError("Something failed on our side."))


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
