"""A marked text, all the places of a request that it can be put into, and a search for it.

for plant in plants():
    answer = handler(plant.rest(), LambdaContext())
assert not found(log)

The mark is plain, so that no refusal of its characters hides what would be shown; it is searched
for in any case, as base64, in hex and percent-encoded.
"""

import base64
import gzip
import json
import re
from dataclasses import dataclass, field
from typing import Any

from support.doors import http_event, rest_event
from support.tiny import FOREVER_WORD, NAN_WORD, PANIC_TEXT

CANARY = "canary7391"
MODEL = "/models/sentiment"
CATALOG = "/catalog/models/sentiment"
ROUTES = (
    *(MODEL, f"{MODEL}/versions/1", "/health", "/catalog/openapi.json", "/catalog/models"),
    *(CATALOG, f"{CATALOG}/versions", f"{CATALOG}/versions/1", f"{CATALOG}/aliases"),
    *(f"{CATALOG}/history", f"{CATALOG}/deployments"),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", CANARY.upper())
HEADERS = (
    *("x-api-key", "authorization", "cookie", "user-agent", "referer", "origin", "host", "accept"),
    *("x-request-id", "x-amzn-trace-id", "traceparent", "x-forwarded-for", "x-forwarded-port"),
    *("x-forwarded-host", "x-http-method-override", "range", "if-none-match", "accept-language"),
    *("x-maas-version", "x-maas-client", "content-type", "content-encoding", "content-length"),
    CANARY,
)


def _forms() -> "re.Pattern[str]":
    plain = CANARY.encode()
    forms = [CANARY, plain.hex(), "".join(f"%{byte:02x}" for byte in plain)]
    for lead in range(3):  # the characters of base64 that depend on the mark alone
        text = base64.b64encode(b"x" * lead + plain).decode()
        forms.append(text[-(-lead * 8 // 6) : (lead + len(plain)) * 8 // 6])
    return re.compile("|".join(map(re.escape, forms)), re.IGNORECASE)


_FORMS = _forms()


def found(text: str) -> bool:
    """Whether the mark is in a text, in any of its forms."""
    return _FORMS.search(text) is not None


@dataclass(frozen=True, slots=True)
class Plant:
    """A request with the mark somewhere in it."""

    method: str = "POST"
    path: str = MODEL
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"inputs":"a good film"}'

    def rest(self) -> dict[str, Any]:
        """As API Gateway's REST API says it; what is not UTF-8 comes as base64."""
        body, encoded = self._body()
        return rest_event(
            self.method, self.path, body, headers=self.headers, query=self.query, base64=encoded
        )

    def http(self) -> dict[str, Any]:
        """As API Gateway's HTTP API says it."""
        body, encoded = self._body()
        return http_event(
            self.method, self.path, body, headers=self.headers, query=self.query, base64=encoded
        )

    def balancer(self) -> dict[str, Any]:
        """As an application load balancer says it."""
        context = {"elb": {"targetGroupArn": f"arn:aws:elasticloadbalancing:x:1:{CANARY}"}}
        return self.rest() | {"requestContext": context}

    def _body(self) -> tuple[str, bool]:
        try:
            return self.body.decode(), False
        except UnicodeDecodeError:
            return base64.b64encode(self.body).decode(), True


def bodies() -> list[bytes]:
    """Bodies with the mark in a text, in keys, in options, and in what is not to be read."""
    said: list[object] = [
        {"inputs": f"a {CANARY} film"},
        {"inputs": [CANARY, "good"]},
        {"inputs": [CANARY, ""]},
        {"inputs": CANARY * 2_500},
        {"inputs": [f"{CANARY} film"] * 33},
        {"inputs": CANARY + "\ud800"},
        {"inputs": f"{CANARY}\x00\r\n\x1b[31m"},
        {"inputs": {CANARY: CANARY}},
        {"inputs": [[CANARY]]},
        {"inputs": 7, CANARY: CANARY},
        {"inputs": "a", "label": CANARY, "labels": [CANARY], "model": CANARY, "version": CANARY},
        {"inputs": "a", "parameters": CANARY},
        {"inputs": "a", "parameters": {"top_k": CANARY}},
        {"inputs": "a", "parameters": {"function_to_apply": CANARY}},
        {"inputs": "a", "parameters": {f"{CANARY} `$.x`": 1}},
        {"inputs": "a", "parameters": {f"{CANARY}\ud800": 1}},
        {"inputs": f"{CANARY} {NAN_WORD}"},
        {"inputs": f"{CANARY} {PANIC_TEXT}"},
        {"inputs": f"{CANARY} {FOREVER_WORD}"},
        [CANARY],
        CANARY,
        {CANARY: CANARY},
    ]
    whole = json.dumps({"inputs": CANARY}).encode()
    return [
        *(json.dumps(value).encode() for value in said),
        *(CANARY.encode(), whole[:-2], whole + b"}", whole + whole, b"\xef\xbb\xbf" + whole),
        b'{"%b":1,"%b":2,"inputs":"a"}' % (CANARY.encode(), CANARY.encode()),
        b'{"inputs":"%b\xff"}' % CANARY.encode(),
        b'{"inputs":"%b","x":NaN}' % CANARY.encode(),
        b'{"inputs":"%b","x":%b}' % (CANARY.encode(), b"[" * 40 + b"]" * 40),
        whole.decode().encode("utf-16"),
        gzip.compress(whole, mtime=0),
        base64.b64encode(whole),
        b'--x\r\ncontent-disposition: form-data; name="%b"\r\n\r\n' % CANARY.encode(),
    ]


def plants() -> list[Plant]:
    """The mark in each place of a request, one by one, and then in all of them."""
    found = [Plant(method, route, f"{CANARY}!={CANARY}") for route in ROUTES for method in METHODS]
    for route in ROUTES:
        method = "POST" if route.startswith(MODEL) else "GET"
        found += [Plant(method, route, headers={name: CANARY}) for name in HEADERS]
        found += [
            Plant(method, route, f"{name}={CANARY}") for name in ("version", "limit", "after")
        ]
        names = route.split("/")
        for at in range(1, len(names) + 1):  # each segment, and one more
            for name in (
                CANARY,
                CANARY.upper(),
                f"%63{CANARY[1:]}",
                f"{CANARY}%00",
                f"..%2f{CANARY}",
            ):
                found.append(Plant(method, "/".join([*names[:at], name, *names[at + 1 :]])))
    found += [Plant(body=body) for body in bodies()]
    found += [
        Plant(body=body, headers={"content-type": kind})
        for body in bodies()[-4:]
        for kind in ("text/plain", "multipart/form-data; boundary=" + CANARY, "")
    ]
    everywhere = {name: CANARY for name in HEADERS if not name.startswith("content")}
    found += [Plant("POST", f"{MODEL}/versions/{CANARY}", CANARY, everywhere, b) for b in bodies()]
    return found


def events() -> list[Any]:
    """What is no HTTP request, or one of an odd shape, with the mark in it."""
    good = rest_event(body={"inputs": "a good film"})
    return [
        *({"body": CANARY}, {CANARY: CANARY}, CANARY, [CANARY], {"source": CANARY}),
        {"Records": [{"eventSource": "aws:sqs", "body": CANARY}]},
        {"source": "warm-up", "detail": CANARY},
        {"requestContext": {CANARY: CANARY}, "version": CANARY},
        *(good | {name: CANARY} for name in good),
        *(good | {name: {CANARY: CANARY}} for name in good),
        *(good | {name: [CANARY]} for name in good),
        good | {"isBase64Encoded": True, "body": f"{CANARY}!"},
        good | {"requestContext": {"identity": {"sourceIp": CANARY, "userAgent": CANARY}}},
    ]
