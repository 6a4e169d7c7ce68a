"""Asking deployed functions what they answer with, and comparing that with what was registered.

Imports `maas` and `maas_lab.aws`. Every function is asked through its alias `live`, as the gateway
asks it, but without the gateway:

    check = check_model(
        cloud, "maas", "sentiment", digests, function_version="7", patience=patience
    )
    check.differences                    # empty: every version answers with its digest
"""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from maas.errors import ConflictError, TryAgainError
from maas_lab.stack.live_alias import LIVE, catalog_function, model_function

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maas_lab.aws import Cloud
    from maas_lab.stack.live_alias import Patience

OK = 200
MODELS_PATH = "/catalog/models?limit=1000"
_LATER = frozenset((429, 503, 504))
_TIMED_OUT = ("timed out", "Timedout")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was registered.

    Attributes:
        function: The function's name.
        function_version: The function version that answered.
        subject: What was asked for, such as `sentiment@2`.
        expected: The registered digest, or what else should be.
        answered: What came instead.
    """

    function: str
    function_version: str
    subject: str
    expected: str
    answered: str

    def __str__(self) -> str:
        return (
            f"{self.function} version {self.function_version}, {self.subject}: expected"
            f" {self.expected}, answered {self.answered}"
        )


@dataclass(frozen=True, slots=True)
class Check:
    """What one function was seen to answer with.

    Attributes:
        function: The function's name.
        function_version: The function version behind the alias.
        digests: Digest by number of the versions that answered as they should.
        policy: Where it had its policy from when asked last: live, stale or baked. One that is not
            live is asked again a few times.
        differences: What was not as it should be.
    """

    function: str
    function_version: str
    digests: "Mapping[int, str]" = field(default_factory=dict)
    policy: str = ""
    differences: tuple[Difference, ...] = ()


def get_event(path: str) -> dict[str, Any]:
    """A GET as the REST API hands it to a function; the path may end with a query."""
    path, _, asked = path.partition("?")
    query = dict(parse_qsl(asked))
    return {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": {"accept": "application/json"},
        "multiValueHeaders": {"accept": ["application/json"]},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": {k: [v] for k, v in query.items()} or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "httpMethod": "GET",
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "maas deploy"},
            "path": path,
            "requestId": "maas-deploy",
            "resourcePath": path,
            "stage": LIVE,
        },
        "body": None,
        "isBase64Encoded": False,
    }


def check_model(
    cloud: "Cloud",
    stack: str,
    model: str,
    digests: "Mapping[int, str]",
    *,
    function_version: str,
    patience: "Patience",
) -> Check:
    """Ask a model's function for each version and compare the digests.

    Args:
        cloud: The account.
        stack: The stack's name.
        model: The model's name.
        digests: Registered digest by number of what the function shall carry.
        function_version: The function version behind the alias.
        patience: See there.

    Raises:
        ConflictError: The alias points at another function version meanwhile.
        TryAgainError: AWS does not let us ask.
    """
    function = model_function(stack, model)
    seen: dict[int, str] = {}
    differences = []
    policy = path = ""
    for number, digest in digests.items():
        path = f"/models/{model}/versions/{number}"
        reply = _ask(cloud, function, path, function_version, patience)
        answered = reply.headers.get("x-maas-digest", reply.said)
        policy = reply.headers.get("x-maas-policy", policy)
        if reply.status == OK and answered == digest:
            seen[number] = digest
        else:
            subject = f"{model}@{number}"
            said = answered if reply.status == OK else reply.said
            differences.append(Difference(function, function_version, subject, digest, said))
    for _ in range(patience.tries - 1):
        # A request waits 50 ms for the registry, which a cold function's first read may outlast.
        if differences or policy in ("", "live"):
            break
        patience.sleep(1.0)
        reply = _ask(cloud, function, path, function_version, patience)
        policy = reply.headers.get("x-maas-policy", policy)
    return Check(function, function_version, seen, policy, tuple(differences))


def check_catalog(
    cloud: "Cloud",
    stack: str,
    models: "Mapping[str, int]",
    *,
    function_version: str,
    patience: "Patience",
) -> Check:
    """Ask the catalog whether it is well, and whether it lists the models.

    Args:
        cloud: The account.
        stack: The stack's name.
        models: The newest version's number by model.
        function_version: The function version behind the alias.
        patience: See there.

    Raises:
        ConflictError: See `check_model`.
        TryAgainError: See `check_model`.
    """
    function = catalog_function(stack)
    differences = []
    health = _ask(cloud, function, "/health", function_version, patience)
    if health.status != OK:
        differences.append(
            Difference(function, function_version, "GET /health", "200", health.said)
        )
    for _ in range(patience.tries):  # the index that lists the models lags behind their table
        listing = _ask(cloud, function, MODELS_PATH, function_version, patience)
        listed = dict(_listed(listing.body))
        missing = {m: newest for m, newest in models.items() if listed.get(m, 0) < newest}
        if not missing or listing.status != OK:
            break
        patience.sleep(1.0)
    for model, newest in missing.items():
        said = f"last version {listed[model]}" if model in listed else "not listed"
        answered = said if listing.status == OK else listing.said
        expected = f"last version {newest}"
        differences.append(Difference(function, function_version, model, expected, answered))
    return Check(function, function_version, differences=tuple(differences))


@dataclass(frozen=True, slots=True)
class _Reply:
    """A function's HTTP answer; `said` is what to show where it is not the wanted one."""

    status: int
    headers: "Mapping[str, str]"
    body: "Mapping[str, Any]"
    said: str


def _ask(
    cloud: "Cloud", function: str, path: str, function_version: str, patience: "Patience"
) -> _Reply:
    """Ask once, and again while the function is throttled, starting or loading."""
    pause = 1.0
    for tries in range(patience.tries, 0, -1):
        try:
            answer = cloud.invoke(function, LIVE, get_event(path))
        except TryAgainError:
            if tries == 1:
                raise
        else:
            if answer.version not in ("", function_version):
                raise ConflictError(
                    f"{function}:{LIVE} pointed at version {function_version} and now answers from"
                    f" version {answer.version}: somebody else deploys. Run maas deploy again."
                )
            reply = _reply(answer.payload, answer.error)
            if tries == 1 or not _is_starting(reply, answer.error):
                return reply
        patience.sleep(pause)
        pause *= 2
    raise AssertionError("unreachable: the last try returns or raises")


def _reply(payload: "Mapping[str, Any]", error: str) -> _Reply:
    if error:
        return _Reply(0, {}, {}, error)
    headers = {str(name).lower(): str(value) for name, value in _pairs(payload)}
    try:
        body = json.loads(payload.get("body") or "{}")
    except ValueError:
        body = {}
    status = payload.get("statusCode")
    body = body if isinstance(body, dict) else {}
    said = f"status {status} {body.get('code', '')} {str(body.get('error', ''))[:200]}".rstrip()
    return _Reply(status if isinstance(status, int) else 0, headers, body, said)


def _pairs(payload: "Mapping[str, Any]") -> "Iterator[tuple[object, object]]":
    for name, values in (payload.get("multiValueHeaders") or {}).items():
        yield name, values[-1] if values else ""
    yield from (payload.get("headers") or {}).items()


def _is_starting(reply: _Reply, error: str) -> bool:
    """A first request may find the function cold; anything else does not pass by itself."""
    return reply.status in _LATER or any(word in error for word in _TIMED_OUT)


def _listed(body: "Mapping[str, Any]") -> "Iterator[tuple[str, int]]":
    for model in body.get("models") or ():
        if isinstance(model, dict) and isinstance(model.get("last_version"), int):
            yield str(model.get("name")), model["last_version"]
