"""The doors of the serving half, as its callers see them: Lambda's events and HTTP.

answer = handler(rest_event("POST", "/models/sentiment", {"inputs": "good"}), LambdaContext())
with Client(app) as client:
    client.post("/models/sentiment", json={"inputs": "good"}).json()
"""

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

import httpx
from support.effort import count

if TYPE_CHECKING:
    from maas.http.app import App

REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """What the runtime hands to a handler beside the event."""

    aws_request_id: str = REQUEST_ID
    remaining_milliseconds: int = 15_000

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return self.remaining_milliseconds


def rest_event(
    method: str = "POST",
    path: str = "/models/sentiment",
    body: object = None,
    *,
    headers: dict[str, str] | None = None,
    query: str = "",
    base64: bool = False,
) -> dict[str, Any]:
    """An event of API Gateway's REST API (payload version 1).

    Args:
        method: The method.
        path: The path, percent-encoded as the caller sent it.
        body: Text is taken as it is, None is no body, anything else becomes JSON.
        headers: Beside content-type, which is application/json unless given.
        query: A query string.
        base64: What the event says of its body; the body is not touched.
    """
    sent = {"content-type": "application/json"} | (headers or {})
    lists = parse_qs(query, keep_blank_values=True)
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": {name: values[-1] for name, values in lists.items()} or None,
        "multiValueQueryStringParameters": lists or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "httpMethod": method,
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "tests"},
            "path": path,
            "requestId": REQUEST_ID,
            "resourcePath": path,
            "stage": "local",
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": base64,
    }


def http_event(
    method: str = "POST",
    path: str = "/models/sentiment",
    body: object = None,
    *,
    headers: dict[str, str] | None = None,
    query: str = "",
    base64: bool = False,
) -> dict[str, Any]:
    """An event of API Gateway's HTTP API (payload version 2); arguments as in `rest_event`."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": "application/json"} | (headers or {}),
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "tests",
            },
            "requestId": REQUEST_ID,
            "stage": "$default",
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": base64,
    }


class Client:
    """HTTP to an app in this process, one request at a time, on an event loop of its own."""

    def __init__(self, app: "App") -> None:
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://testserver"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:  # noqa: ANN401
        """Send a request; options are httpx's. A fault that escapes from the app is raised."""
        count("requests")
        return self._loop.run_until_complete(self._client.request(method, url, **options))

    def together(self, *inputs: object) -> list[httpx.Response]:
        """Ask the default version of the tiny model many questions at the same time."""
        count("requests", len(inputs))

        async def ask() -> list[httpx.Response]:
            posts = (self._client.post("/models/sentiment", json={"inputs": i}) for i in inputs)
            return await asyncio.gather(*posts)

        return self._loop.run_until_complete(ask())

    def get(self, url: str, **options: Any) -> httpx.Response:  # noqa: ANN401
        """Send a GET."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:  # noqa: ANN401
        """Send a POST."""
        return self.request("POST", url, **options)

    def predict(self, inputs: object, **options: Any) -> httpx.Response:  # noqa: ANN401
        """Ask the default version of the tiny model."""
        return self.post("/models/sentiment", json={"inputs": inputs}, **options)
