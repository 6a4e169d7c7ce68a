"""The Lambda handler of a model's shadow: requests from a queue, asked once more and compared.

It reads no registry: a message names the version by its digest, and the layer of the model's
function is its own too. A function's app.py is three lines:

    handler = build_shadow_handler(read_settings())

What a message holds is a caller's request: it is answered, compared, counted and forgotten.
"""

import math
import time
from typing import TYPE_CHECKING, Any, cast

from maas.assembly import Services
from maas.errors import ModelNotFoundError, RegistryUnavailableError, SettingsError
from maas.http.app import App
from maas.http.gateway import guarded, new_id
from maas.http.inference import inference_routes
from maas.observe import Observer
from maas.service import Turn
from maas.shadow.message import Message
from maas.shadow.metrics import metrics_of
from maas.shadow.outcome import Outcome, compare, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.exchange import Exchange
    from maas.http.gateway import Event, Handler
    from maas.registry.addresses import VersionAddress
    from maas.registry.records import Policy
    from maas.service import Service
    from maas.settings import Settings
    from maas.tasks.task import Response


class _Quiet(Observer):
    """Says what failed, and nothing of answers: they are the shadow's, and nobody got them."""

    def answered(self, exchange: "Exchange", *, status: int, code: str | None = None) -> None:
        """Say nothing."""


class _Aimed:
    """Stands in for a model's service: whatever a request names, the shadow answers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._message: Message | None = None
        self.outcome: Outcome | None = None
        self.nanoseconds = 0

    def aim(self, message: Message) -> None:
        """From now on, answer by the version that this message names."""
        self._message, self.outcome = message, None

    def note(self, _turn: Turn, _again: object, answer: "Response", nanoseconds: int) -> None:
        """Keep what was answered."""
        self.outcome, self.nanoseconds = outcome_of(answer), nanoseconds

    def __call__(self, model: str) -> "Service":
        """The stand-in of a model's service."""
        if self._message is None or self._message.model != model:
            raise ModelNotFoundError("No model of this name is served here.")
        return cast("Service", self)

    def turn(
        self,
        _address: "VersionAddress | None",
        *,
        caller: str | None = None,
        deadline: float = math.inf,
    ) -> Turn:
        """The shadow's."""
        message = self._message
        assert message is not None  # noqa: S101 - `__call__` comes first
        loaded = self._services(message.model).open(message.digest, deadline=deadline)
        number = message.version
        return Turn(number, message.digest, "baked", loaded, shadow=(number, message.digest))


def build_shadow_handler(settings: "Settings") -> "Callable[[Any, object], Event]":
    """Build the handler. Called once, while the function starts; versions load when asked for.

    Raises:
        SettingsError: No model is named.
    """
    if settings.model is None:
        raise SettingsError("MAAS_MODEL must name the model of this function.", field="MAAS_MODEL")
    observer = Observer(settings.log_level, metrics=True)
    quiet = _Quiet(settings.log_level, metrics=False)
    aimed = _Aimed(Services(settings, _no_policy, full=settings.snapshot))
    app = App(
        inference_routes(cast("Services", aimed), watch=aimed.note),
        observer=quiet,
        new_id=new_id,
        base_path=settings.base_path,
    )
    replay = guarded(app, quiet)

    def handler(event: Any, context: object) -> "Event":  # noqa: ANN401 - whatever comes
        records = event.get("Records") if isinstance(event, dict) else None
        for record in records if isinstance(records, list) else []:
            message = Message.parse(record.get("body")) if isinstance(record, dict) else None
            if message is not None:
                _ask(aimed, replay, message, observer, context)
        return {}

    return handler


def _ask(
    aimed: _Aimed, replay: "Handler", message: Message, observer: Observer, context: object
) -> None:
    """Ask the shadow what was asked, and say how far its answer is from the one that was given."""
    aimed.aim(message)
    replay(_event(message), context)
    outcome = aimed.outcome
    metrics = metrics_of(
        None if outcome is None else compare(message.outcome, outcome),
        milliseconds=aimed.nanoseconds / 1e6,
        answered_milliseconds=message.nanoseconds / 1e6,
        at=time.time(),
    )
    observer.shadowed(message.model, message.version, metrics)


def _event(message: Message) -> "Event":
    """The request as API Gateway would hand it over."""
    return {
        "resource": message.path,
        "path": message.path,
        "httpMethod": "POST",
        "headers": message.headers,
        "multiValueHeaders": {name: [value] for name, value in message.headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "127.0.0.1"}, "stage": "shadow"},
        "body": message.body,
        "isBase64Encoded": message.is_base64,
    }


def _no_policy(_model: str) -> "Policy":
    raise RegistryUnavailableError("A shadow's function reads no registry.")
