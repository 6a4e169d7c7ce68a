"""Events of every shape at both functions: families 17 and 24, F26 (trust.md 6, 7).

P4, P5: whatever Lambda is invoked with, the answer is defined: 204 for a warm-up, an HTTP answer
for HTTP, else 400 with the one error body. No exception, no 5xx, and a good event follows.
"""

import base64
import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.doors import LambdaContext, http_event, rest_event
from support.effort import count, examples
from support.tiny import Home, make_home

from maas.http.catalog_entry import build_catalog_handler
from maas.http.entry import build_handler

if TYPE_CHECKING:
    from collections.abc import Callable

    Event = dict[str, Any]
    Handler = Callable[[Any, object], Event]

CONTEXT = LambdaContext()
GOOD = {"inputs": "a good film"}
UNKNOWN = "This event is not an HTTP request that is known here."


def alb_event(
    method: str = "POST",
    path: str = "/models/sentiment",
    body: object = None,
    *,
    many: bool = False,
) -> "Event":
    """An event of an Application Load Balancer, with single or with multi-value headers."""
    headers = {"content-type": "application/json", "host": "lb", "x-forwarded-for": "10.0.0.1"}
    several = {name: [value] for name, value in headers.items()}
    query: Event = {}
    named: Event = {
        "multiValueHeaders" if many else "headers": several if many else headers,
        "multiValueQueryStringParameters" if many else "queryStringParameters": query,
    }
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}},
        "httpMethod": method,
        "path": path,
        "body": "" if body is None else json.dumps(body),
        "isBase64Encoded": False,
        **named,
    }


@dataclass(frozen=True, slots=True)
class Function:
    """One function, and what it is asked when all is well."""

    handler: "Handler"
    method: str
    path: str
    body: object

    def events(self) -> "list[Event]":
        """The good request in every shape that HTTP comes in."""
        asked = (self.method, self.path, self.body)
        one_zero = rest_event(*asked) | {"version": "1.0"}
        return [
            *(rest_event(*asked), http_event(*asked), one_zero),
            *(alb_event(*asked), alb_event(*asked, many=True)),
        ]

    def ask(self, event: object) -> "Event":
        """The answer to any event, which must be one."""
        count("requests")
        answer = self.handler(event, CONTEXT)
        json.dumps(answer)  # as the runtime does
        return answer

    def check(self, event: object) -> "Event":
        """The answer to a bad event: defined, no fault of ours, and a good event follows."""
        count("inputs")
        answer = self.ask(event)
        status = answer["statusCode"]
        assert status in (200, 204) or 400 <= status < 500, answer
        if status >= 400:
            assert json.loads(answer["body"]).keys() == {"error", "code", "field", "request_id"}
            assert "Traceback" not in answer["body"]
        assert self.ask(rest_event(self.method, self.path, self.body))["statusCode"] == 200
        return answer


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Function]:
    home: Home = make_home(tmp_path_factory.mktemp("home"))
    inference = build_handler(home.settings)
    catalog = build_catalog_handler(home.settings)
    return {
        "inference": Function(inference, "POST", "/models/sentiment", GOOD),
        "catalog": Function(catalog, "GET", "/catalog/models/sentiment/versions", None),
    }


@pytest.fixture(params=["inference", "catalog"])
def function(functions: dict[str, Function], request: pytest.FixtureRequest) -> Function:
    return functions[request.param]


def test_family_24_a_good_request_in_every_shape(function: Function) -> None:
    bodies = set()
    for event in function.events():
        answer = function.ask(event)
        assert answer["statusCode"] == 200
        assert answer["isBase64Encoded"] is False
        headers = answer.get("headers") or {n: v[0] for n, v in answer["multiValueHeaders"].items()}
        assert headers["content-type"] == "application/json"
        assert headers["x-request-id"] == CONTEXT.aws_request_id
        bodies.add(answer["body"])
    assert len(bodies) == 1


# ---- F26: what is no HTTP -----------------------------------------------------------------------

WARM_UPS: "list[Event]" = [
    {"source": "warm-up"},
    {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "version": "0"},
    {"source": "aws.events", "body": "{}", "path": "/models/sentiment"},
    {"source": "warm-up", "requestContext": None},
    {"source": "warm-up", "concurrency": 10},
]
SQS = {"messageId": "1", "receiptHandle": "x", "body": "{}", "eventSource": "aws:sqs"}
JUNK: list[object] = [
    *({}, [], None, "", "text", 0, 7, 1.5, True, [GOOD], GOOD, {"": ""}),
    *({"Records": []}, {"Records": [SQS]}, {"Records": [SQS] * 10}, {"Records": None}),
    {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "x"}}}]},
    {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{}"}}]},
    {"Records": [{"cf": {"request": {"uri": "/models/sentiment", "method": "GET"}}}]},
    {"Records": [{"cf": {}}], "requestContext": {}},
    {"type": "TOKEN", "methodArn": "arn:x", "authorizationToken": "x"},
    {"requestContext": {"eventType": "CONNECT", "connectionId": "x"}, "headers": {}},
    {"RequestType": "Create", "ResponseURL": "http://127.0.0.1:1/", "StackId": "x"},
    {"awslogs": {"data": "H4sIAAAAAAAA"}},
    {"invocationId": "1", "deliveryStreamArn": "arn:x", "records": []},
    {"httpMethod": "GET", "path": "/health"},
    {"requestContext": []},
    {"requestContext": {}},
    {"requestContext": {"elb": None}},
    {"requestContext": {"http": {"method": "GET", "path": "/health"}}},
    {"requestContext": {}, "version": "2.0"},
    {"requestContext": {}, "resource": "/"},
    {"source": ["warm-up"]},
    {"source": {"warm-up": 1}},
]


@pytest.mark.parametrize("event", WARM_UPS, ids=str)
def test_f26_a_warm_up_is_answered_by_nothing(function: Function, event: "Event") -> None:
    assert function.check(event) == {"statusCode": 204}


@pytest.mark.parametrize("event", JUNK, ids=lambda event: str(event)[:50])
def test_f26_what_is_no_http_is_refused(function: Function, event: object) -> None:
    answer = function.check(event)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["error"] == UNKNOWN


# ---- Family 24: wrong types in every field ------------------------------------------------------

VALUES: list[object] = [None, 0, 7, 1.5, True, False, "", "x", "\ud800", "\x00", [], [None], {}]
VALUES += [[[]], {"a": None}, {"": {}}, {"a": [1]}, {"a": "b"}, "9" * 5_000]


def places(event: "Event") -> "list[tuple[str, ...]]":
    """Every field of an event, and every field of its inner objects."""
    found: list[tuple[str, ...]] = []

    def walk(value: object, path: tuple[str, ...]) -> None:
        if path:
            found.append(path)
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, (*path, name))

    walk(event, ())
    return found


def changed(event: "Event", path: tuple[str, ...], value: object) -> "Event":
    """The event with another value at a place; an absent one where it is `...`."""
    event = deepcopy(event)
    inner = event
    for name in path[:-1]:
        inner = inner[name]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return event


@pytest.mark.parametrize("shape", ["rest", "http", "rest by version", "alb", "alb of many"])
def test_p4_family_24_any_field_of_a_wrong_type_or_absent(function: Function, shape: str) -> None:
    kinds = ["rest", "http", "rest by version", "alb", "alb of many"]
    event = function.events()[kinds.index(shape)]
    for path in places(event):
        for value in (..., *VALUES):
            function.check(changed(event, path, value))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = sorted({*rest_event(), *http_event(), *alb_event(), "version", "cookies", "source"})
INNER = ["http", "elb", "identity", "path", "httpMethod", "stage", "requestId"]


@settings(max_examples=examples(150, 5_000))
@given(
    kind=st.integers(0, 4),
    change=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    inner=st.dictionaries(st.sampled_from(INNER), JSON, max_size=3),
)
def test_p4_family_24_any_event(
    functions: dict[str, Function], kind: int, change: "Event", inner: "Event"
) -> None:
    for function in functions.values():
        event = function.events()[kind]
        event["requestContext"] |= inner
        function.check(event | change)


@settings(max_examples=examples(100, 3_000))
@given(JSON)
def test_p4_family_24_any_json_at_all(functions: dict[str, Function], event: object) -> None:
    for function in functions.values():
        assert function.check(event)["statusCode"] in (204, 400)


HEADER_SETS: "list[Event]" = [
    {"headers": None, "multiValueHeaders": None},  # API Gateway's own console sends these
    {"headers": {}, "multiValueHeaders": {}},
    {"headers": {"content-type": "application/json"}, "multiValueHeaders": None},
    {"headers": None, "multiValueHeaders": {"content-type": ["application/json"]}},
    {"headers": {f"x-{n}": "y" for n in range(200)}, "multiValueHeaders": None},
    {"headers": {"x": "y" * 8_192}, "multiValueHeaders": {"x": ["y" * 8_192, "z" * 8_192]}},
    {"headers": {"é": "日本"}, "multiValueHeaders": {"é": ["日本", "\U0001f600"]}},
    {"headers": {"X-A": "1", "x-a": "2"}, "multiValueHeaders": {"X-A": ["1", "2"], "x-a": []}},
    {"headers": {"host": "[::1]:3000"}, "multiValueHeaders": {"HOST": ["a:b:c"]}},
]


@pytest.mark.parametrize("sent", HEADER_SETS, ids=lambda sent: str(sent)[:50])
def test_p4_family_24_headers_of_any_shape(function: Function, sent: "Event") -> None:
    event = rest_event(function.method, function.path, function.body) | sent
    assert function.check(event)["statusCode"] == 200
    assert function.check(event | {"version": "1.0"})["statusCode"] == 200


# ---- Family 17: a body that is said to be base64 ------------------------------------------------

ENCODED = base64.b64encode(json.dumps(GOOD).encode()).decode()
NOT_BASE64: list[object] = [
    *("e30", "e30==", "e3.0", "!!!!", "é", "e30=\n", " e30=", "e30=e30=", "{}", json.dumps(GOOD)),
    *(ENCODED[:-1], ENCODED + "=", ENCODED + "A", "data:application/json;base64," + ENCODED),
    *("_-__", "\x00", "\ud800", "=" * 1_000, "A" * 999_997),
]
BASE64_OF_NO_JSON = [
    *(
        b"",
        b" ",
        b'{"inputs":"\xff"}',
        b"\x1f\x8b\x08\x00 gzip",
        b"\x89PNG\r\n\x1a\n",
        b"\x80\x04.",
    ),
    ENCODED.encode(),
]
OTHERS: list[object] = [None, "", 7, [], {}, True, ["e30="]]
EVENTS: "list[Callable[..., Event]]" = [rest_event, http_event, alb_event]


def marked(event: "Event", body: object) -> "Event":
    return event | {"isBase64Encoded": True, "body": body}


@pytest.mark.parametrize("event_of", EVENTS)
@pytest.mark.parametrize("body", [*NOT_BASE64, *OTHERS], ids=lambda body: ascii(body)[:30])
def test_p4_family_17_what_is_no_base64(
    functions: dict[str, Function], event_of: "Callable[..., Event]", body: object
) -> None:
    answer = functions["inference"].check(marked(event_of(), body))
    assert answer["statusCode"] == 400


@pytest.mark.parametrize("event_of", EVENTS)
@pytest.mark.parametrize("body", BASE64_OF_NO_JSON, ids=lambda body: ascii(body)[:30])
def test_p4_family_17_base64_of_what_is_no_json(
    functions: dict[str, Function], event_of: "Callable[..., Event]", body: bytes
) -> None:
    answer = functions["inference"].check(marked(event_of(), base64.b64encode(body).decode()))
    assert answer["statusCode"] == 400


@pytest.mark.parametrize("event_of", EVENTS)
def test_p3_family_17_base64_of_too_much(
    functions: dict[str, Function], event_of: "Callable[..., Event]"
) -> None:
    body = base64.b64encode(b" " * 4_400_000).decode()  # what fits into Lambda's 6 MB
    assert functions["inference"].check(marked(event_of(), body))["statusCode"] == 413


@settings(max_examples=examples(60, 2_000))
@given(st.text(max_size=40))
def test_p4_family_17_any_text_as_base64(functions: dict[str, Function], body: str) -> None:
    for event_of in EVENTS:
        answer = functions["inference"].check(marked(event_of(), body))
        assert answer["statusCode"] in (400, 422)


@pytest.mark.parametrize("event_of", EVENTS)
def test_family_17_good_base64_is_read(
    functions: dict[str, Function], event_of: "Callable[..., Event]"
) -> None:
    assert functions["inference"].ask(marked(event_of(), ENCODED))["statusCode"] == 200
