"""Odd headers, methods, paths and queries by every door: families 20 to 23 (trust.md 7), S3, S10.

P4, P5: what we do not read is ignored, what is no route is 404, and a name is held against its
grammar after decoding, by ASGI and by both kinds of events alike. No file is ever looked for.
"""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from support.doors import http_event, rest_event
from support.effort import count, examples
from support.hostile import GOOD, JSON, MODEL, Doors, Sent, open_doors
from support.tiny import make_home

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"inputs": "a good film"}'
VERSION = f"{MODEL}/versions/1"


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    with open_doors(make_home(tmp_path_factory.mktemp("home"))) as doors:
        yield doors


# ---- Family 20: headers -------------------------------------------------------------------------

HEADERS: list[dict[str, str]] = [
    {f"x-{number}": "y" for number in range(200)},
    {"x-long": "y" * 8_192},
    {"x" * 8_192: "y"},
    {"authorization": "Bearer x", "x-api-key": "k", "cookie": "a=b; " * 500},
    {"x-forwarded-for": "::1, 127.0.0.1", "x-forwarded-proto": "gopher", "x-forwarded-host": "a"},
    {"x-http-method-override": "DELETE", "x-method-override": "PUT", "x-original-url": "/admin"},
    {"x-rewrite-url": "/health", "x-forwarded-prefix": "/prod", "x-forwarded-path": "/x"},
    {"x-amzn-trace-id": "not-an-x-ray-id", "traceparent": "00-0-0-0"},
    {"transfer-encoding": "chunked"},
    {"expect": "100-continue", "upgrade": "h2c", "te": "trailers", "range": "bytes=0-1"},
    {"accept": "image/png", "accept-encoding": "br;q=1, gzip", "accept-charset": "utf-16"},
    {"origin": "https://evil.example", "access-control-request-method": "POST"},
    {"x-empty": ""},
]
HOSTS = ["a:b:c", "[::1]:3000", "::1", "localhost:", "a:99999999", ":", "evil.example", "a" * 4_000]


@pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: next(iter(headers))[:30])
def test_p4_family_20_headers_of_others_are_ignored(doors: Doors, headers: dict[str, str]) -> None:
    count("inputs")
    assert doors.accept(GOOD, **headers).body == doors.accept(GOOD).body


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host[:20])
def test_p4_family_20_any_host_and_port_is_ignored(doors: Doors, host: str) -> None:
    """Nobody takes them apart; `http://[::1]:3000` is how some call sam local."""
    count("inputs")
    for headers in ({"host": host}, {"x-forwarded-port": host}, {"Host": host}):
        for event in (
            rest_event(body=GOOD, headers=headers),
            http_event(body=GOOD, headers=headers),
        ):
            assert doors.handler(event, None)["statusCode"] == 200
    doors.good()


@pytest.mark.parametrize("value", ["é", "日本", "\u200b", "\x80", "\U0001f600"], ids=ascii)
def test_p4_family_20_headers_beyond_ascii_are_ignored(doors: Doors, value: str) -> None:
    count("inputs")
    doors.accept(GOOD, **{"x-latin": value, "é": "x"})
    for headers in ({"x-latin": value}, {value: "x"}):
        for event in (
            rest_event(body=GOOD, headers=headers),
            http_event(body=GOOD, headers=headers),
        ):
            assert doors.handler(event, None)["statusCode"] == 200
    doors.good()


@settings(max_examples=examples(40, 1_000))
@given(
    st.dictionaries(
        st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12).map("z-".__add__),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        max_size=8,
    )
)
def test_p4_family_20_any_headers(doors: Doors, headers: dict[str, str]) -> None:
    count("inputs")
    doors.accept(GOOD, **headers)


@pytest.mark.parametrize(
    ("name", "values", "status"),
    [
        ("x-maas-version", ("1", "1"), 200),
        ("x-maas-version", ("1", "2"), 400),
        ("x-maas-version", ("1", ""), 400),
        ("x-maas-version", ("", ""), 422),
        ("content-type", ("application/json", "application/json"), 415),
        ("content-type", ("application/json", "text/plain"), 415),
        ("content-encoding", ("identity", "gzip"), 415),
        ("content-length", ("25", "25"), 400),
        ("x-other", ("1", "2"), 200),
    ],
)
def test_p4_family_20_what_is_sent_twice_is_read_alike_by_all_doors(
    doors: Doors, name: str, values: tuple[str, ...], status: int
) -> None:
    count("inputs")
    sent = Sent(BODY, headers={name: values[0], name.upper(): values[1]})
    assert doors.send(sent)[0].status == status
    rest = rest_event(body=BODY.decode())
    rest["multiValueHeaders"] |= {name: list(values)}
    http = http_event(body=BODY.decode(), headers={name: ", ".join(values)})
    for event in (rest, http):
        assert doors.handler(event, None)["statusCode"] == status
    doors.good()


def test_s10_a_body_that_is_framed_twice_is_refused_where_frames_are_read(doors: Doors) -> None:
    sent = Sent(BODY, headers=JSON | {"content-length": "25", "transfer-encoding": "chunked"})
    server, *functions = doors.send(sent)
    assert (server.status, server.headers["connection"]) == (400, "close")
    assert [answer.status for answer in functions] == [200, 200]  # the gateway has read them
    doors.good()


# ---- Family 21: methods -------------------------------------------------------------------------

METHODS = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO", "post", "PROPFIND"]


@pytest.mark.parametrize("path", [MODEL, VERSION])
@pytest.mark.parametrize("method", METHODS)
def test_p4_family_21_other_methods(doors: Doors, method: str, path: str) -> None:
    headers = JSON | {"x-http-method-override": "POST"}
    answer = doors.refuse(Sent(BODY, method, path, headers=headers), 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("path", ["/", "/admin", "/models", f"{MODEL}/promote", "/shutdown"])
@pytest.mark.parametrize("method", ["GET", "POST", *METHODS[:7]])
def test_p4_family_21_no_method_makes_a_route(doors: Doors, method: str, path: str) -> None:
    doors.refuse(Sent(BODY, method, path), 404, "not_found")


@settings(max_examples=examples(30, 1_000))
@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_!#$%&'*+.^`|~09", min_size=1, max_size=20))
def test_p4_family_21_any_method(doors: Doors, method: str) -> None:
    if method not in ("GET", "HEAD", "POST"):
        doors.refuse(Sent(BODY, method), 405, "method_not_allowed")


# ---- Family 22: paths ---------------------------------------------------------------------------

PATHS = [
    *("", "/", "//", "/models", "/models/", "/models//", f"{MODEL}/", f"/{MODEL}", f"{MODEL}//"),
    *("/models/..", "/models/.", "/..", "/../..", "/models/../models/sentiment", "/./models/a"),
    *("/%2e%2e/%2e%2e/etc/passwd", "/models/%2e%2e", "/models/..%2f..%2fetc%2fpasswd", "/%2e"),
    *(
        "/models/sentiment%00",
        "/%00",
        f"{MODEL}%00.json",
        f"{MODEL}%0a",
        f"{MODEL}%20",
        f"{MODEL}%09",
    ),
    *("/models/Sentiment", "/MODELS/sentiment", "/models/SENTIMENT", f"{MODEL}/Versions/1"),
    *(f"{MODEL};", f"{MODEL};v=2", "/models;x/sentiment", f"{MODEL}%3bx", f"{MODEL}%3Fversion=2"),
    *(
        "/models/" + "a" * 5_000,
        "/x" * 2_500,
        "/models/sentiment" + "/a" * 2_500,
        "/" + "%2f" * 1_600,
    ),
    *(
        "/models/%C3%A9",
        "/models/%ff",
        "/models/sentiment%E2%80%8B",
        "/models/%ED%A0%80",
        "/%F0%9F",
    ),
    *(
        "/models/%2573entiment",
        "/models/sentiment%252Fversions%252F1",
        "/models/%25%25",
        "/models/%zz",
    ),
    *("/models/sentiment@2", "/models/a/b", "/models/*", "/models/{model}", "/models/%7Bmodel%7D"),
    *("/.env", "/.git/config", "/metrics", "/docs", "/openapi.json", "/favicon.ico", "/index.php"),
    *(f"{VERSION}/", f"{VERSION}/2", f"{MODEL}/versions", f"{MODEL}/versions/", "/models/..;/x"),
]
VERSIONS = [
    *("0", "01", "-1", "1.0", "1e0", "100000000", "%31%00", "1%0a", "%201", "%EF%BC%91", "%D9%A1"),
    *(
        "Production",
        "a_b",
        "a" * 33,
        "sha256:abc",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 65,
        "..;",
    ),
    *("%2e%2e", "..%5c..", "1;2", "latest!", "%ff", "sha1:" + "a" * 40, "*", "$LATEST", "1%3f"),
]


_OPENED: list[str] = []
_WATCHING: list[bool] = []  # empty until the hook is there, which stays for good


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _WATCHING[-1:] == [True] and event in ("open", "os.listdir", "os.scandir"):
        _OPENED.append(str(arguments[0]))


@pytest.fixture
def opened() -> "Iterator[list[str]]":
    """Every file that Python opens meanwhile."""
    if not _WATCHING:
        sys.addaudithook(_audit)
    _OPENED.clear()
    _WATCHING.append(True)
    yield _OPENED
    _WATCHING.append(False)


def test_the_watch_sees_a_file_that_is_opened(doors: Doors, opened: list[str]) -> None:
    manifest = doors.home.bundles[1].folder / "manifest.json"
    manifest.read_bytes()
    assert opened == [str(manifest)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ascii(path[:40]))
def test_p4_family_22_no_path_but_the_routes(doors: Doors, path: str, opened: list[str]) -> None:
    for method in ("GET", "POST"):
        doors.refuse(Sent(BODY if method == "POST" else b"", method, path), 404)
    assert opened == []


@pytest.mark.parametrize("version", VERSIONS)
def test_p4_family_22_a_version_that_is_none(doors: Doors, version: str) -> None:
    for method in ("GET", "POST"):
        sent = Sent(BODY if method == "POST" else b"", method, f"{MODEL}/versions/{version}")
        doors.refuse(sent, {404, 422})


@settings(max_examples=examples(100, 3_000))
@given(st.text(max_size=30))
def test_p4_family_22_any_name(doors: Doors, name: str) -> None:
    encoded = quote(name.encode(errors="replace"), safe="")
    for path in (f"/models/{encoded}", f"/{encoded}", f"{MODEL}/{encoded}"):
        doors.refuse(Sent(b"", "GET", path), 404)


@pytest.mark.parametrize(
    "path", ["/models%2Fsentiment", "/%6dodels/%73entiment", f"{MODEL}%2fversions%2F1"]
)
def test_family_22_a_path_is_what_it_decodes_to(doors: Doors, path: str) -> None:
    count("inputs")
    for answer in doors.send(Sent(BODY, "POST", path)):
        assert (answer.status, answer.body) == (200, doors.accept(GOOD).body)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((f"/prod{MODEL}", 200), (f"/%70rod{MODEL}", 200), ("/prod%2fmodels/sentiment", 200)),
        *((f"/prod%2e{MODEL}", 404), (f"/prod/..{MODEL}", 404), (f"/prod;{MODEL}", 404)),
        *((f"/PROD{MODEL}", 404), (f"//prod{MODEL}", 404), (f"/prod//{MODEL}", 404)),
        *((f"/prod%00{MODEL}", 404), (f"/production{MODEL}", 404), (f"/prod/prod{MODEL}", 404)),
        *(("/prod", 404), ("/prod/", 404), ("/prod" * 1_000, 404), (MODEL, 200)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_family_22_a_base_path_is_a_segment_of_what_the_path_decodes_to(
    doors: Doors, path: str, status: int
) -> None:
    """`MAAS_BASE_PATH` is what a custom domain puts before the path of REST events too."""
    count("inputs")
    home = replace(doors.home, settings=structs.replace(doors.home.settings, base_path="/prod"))
    with open_doors(home, base_path="/prod") as based:
        for answer in based.send(Sent(BODY, "POST", path)):
            assert answer.status == status


# ---- Family 23: queries -------------------------------------------------------------------------

QUERIES = [
    *(
        "x=1&x=2",
        "q" * 8_192,
        "%ff=%zz",
        ";&&==",
        "Version=9",
        "version%00=2",
        "a" * 2 + "&" * 4_000,
    ),
    *(
        "inputs=bad&parameters[top_k]=1",
        "model=other",
        "x-api-key=k",
        "%76ersion2=2",
        "=",
        "&",
        "?",
    ),
    "&".join(f"k{number}=v" for number in range(1_000)),
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:30])
def test_p4_family_23_queries_of_others_are_ignored(doors: Doors, query: str) -> None:
    count("inputs")
    assert doors.accept(GOOD, query=query).body == doors.accept(GOOD).body


@settings(max_examples=examples(40, 1_000))
@given(st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=5))
def test_p4_family_23_any_query(doors: Doors, query: dict[str, str]) -> None:
    if "version" in query:
        return
    count("inputs")
    encoded = [f"{_quoted(name)}={_quoted(value)}" for name, value in query.items()]
    doors.accept(GOOD, query="&".join(encoded))


@pytest.mark.parametrize(
    "query",
    ["version=1&version=1", "version=1&version=2", "version=&version=", "%76ersion=1&version=1"],
)
def test_p4_family_23_the_one_key_that_is_read_may_not_occur_twice(
    doors: Doors, query: str
) -> None:
    doors.refuse(Sent(BODY, query=query), 400, "bad_request", "version")


@settings(max_examples=examples(60, 2_000))
@given(st.text(max_size=40))
def test_p4_family_23_any_version(doors: Doors, version: str) -> None:
    if version not in ("1", "2", "production"):
        doors.refuse(Sent(BODY, query=f"version={_quoted(version)}"), {404, 422})


def _quoted(text: str) -> str:
    return quote(text.encode(errors="replace"), safe="")
