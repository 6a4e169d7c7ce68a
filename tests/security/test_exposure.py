"""What must not be there and must not be told: S3–S5 and S9–S14 of the attacks.

What a socket can be sent beside HTTP (S10) is in test_families_socket.py.
"""

import io
import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from support.canary import CATALOG, MODEL, ROUTES
from support.doors import LambdaContext, http_event, rest_event
from support.dynamo_standin import StandIn
from support.effort import count
from support.function import function_environ, pack, routed
from support.laptop import Laptop
from support.tiny import NAN_WORD, PANIC_TEXT, Client, Home, make_home, open_client, register_bundle

from maas.bundle.manifest import canonical_json, parse_manifest
from maas.errors import BundleError
from maas.http.catalog_entry import build_catalog_handler
from maas.http.entry import build_handler
from maas.observe import LINE_KEYS, LOG_KEYS
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    Event = dict[str, Any]
    Handler = Callable[[Any, object], Event]

ROOT = Path(__file__).parents[2]
CONTEXT = LambdaContext()
GOOD = {"inputs": "a good film"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two versions, of which the first is promoted; it can be made to fail."""
    return make_home(tmp_path_factory.mktemp("home"), hazards=True)


@pytest.fixture
def client(home: Home) -> "Iterator[Client]":
    with open_client(home.services(), reader=home.registry()) as client:
        yield client


@pytest.fixture(scope="module")
def handlers(home: Home) -> "dict[str, Handler]":
    return {
        "inference": build_handler(home.settings),
        "catalog": build_catalog_handler(Settings.parse(home.environ)),
    }


def told(answer: "Event") -> dict[str, Any]:
    """An answer less what is different each time."""
    body = json.loads(answer["body"])
    if isinstance(body, dict):
        body.pop("request_id", None)
    passing = ("x-request-id", "server-timing", "content-length")
    headers = {name: value for name, value in answer["headers"].items() if name not in passing}
    return {"status": answer["statusCode"], "headers": headers, "body": body}


# ---- S3: no other door --------------------------------------------------------------------------

ABSENT = (
    *("/.env", "/.git/config", "/.aws/credentials", "/robots.txt", "/favicon.ico", "/index.html"),
    *("/admin", "/console", "/debug", "/debug/pprof", "/shutdown", "/restart", "/reload"),
    *("/metrics", "/stats", "/status", "/server-status", "/actuator/env", "/healthz", "/ping"),
    *("/docs", "/redoc", "/swagger.json", "/openapi.json", "/graphql", "/invocations", "/predict"),
    *("/v3", "/v2/models/sentiment/load", "/v2/systemsharedmemory/region/x/register"),
    *("/models", "/models/sentiment/promote", "/models/sentiment/versions/1/promote"),
    *("/models/sentiment/files/model.onnx", "/models/sentiment/versions/1/manifest.json"),
    *(f"{CATALOG}/promote", f"{CATALOG}/rollback", f"{CATALOG}/register", f"{CATALOG}/policy"),
    *(f"{CATALOG}/versions/1/files", "/catalog", "/catalog/", "/catalog/registry", "/catalog/.env"),
    *("/2015-03-31/functions/function/invocations", "/2018-06-01/runtime/invocation/next"),
    *("/opt/models/sentiment/served.json", "/registry.sqlite", "/latest/meta-data/"),
)


@pytest.mark.parametrize("path", ABSENT)
def test_s3_there_is_no_write_debug_or_file_route(
    client: Client, handlers: "dict[str, Handler]", path: str
) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        statuses = {client.request(method, path, json=GOOD).status_code}
        for handler in handlers.values():
            statuses.add(handler(rest_event(method, path, GOOD), CONTEXT)["statusCode"])
            statuses.add(handler(http_event(method, path, GOOD), CONTEXT)["statusCode"])
        count("attacks")
        assert statuses == {404}


@pytest.mark.parametrize("path", ROUTES)
def test_s3_what_is_there_cannot_be_written(client: Client, path: str) -> None:
    writes = {"PUT", "PATCH", "DELETE", "MKCOL", "COPY", "LINK", "PURGE"}
    if not path.startswith(MODEL):
        writes.add("POST")
    for method in sorted(writes):
        count("attacks")
        assert client.request(method, path, json=GOOD).status_code == 405


# ---- S4: mass assignment ------------------------------------------------------------------------

ASSIGNED = {
    "version": 2,
    "model": "other",
    "model_path": "/etc/passwd",
    "bundle": "../2",
    "digest": "sha256:" + "0" * 64,
    "alias": "candidate",
    "stage": "prod",
    "providers": ["CUDAExecutionProvider"],
    "threads": 64,
    "labels": ["yes", "no"],
    "deadline": 1e9,
    "max_tokens": 1,
    "truncate": False,
    "log_level": "DEBUG",
    "__class__": "Settings",
    "__proto__": {"top_k": 1},
    "constructor": {"prototype": {}},
}


@pytest.mark.parametrize("key", ASSIGNED)
def test_s4_no_key_of_a_body_reaches_a_setting(client: Client, key: str) -> None:
    plain = client.post(MODEL, json=GOOD)
    # At the root, where clients send what they like, it is ignored
    asked = client.post(MODEL, json=GOOD | {key: ASSIGNED[key]})
    assert (asked.status_code, asked.content) == (200, plain.content)
    for name in ("x-maas-model", "x-maas-version", "x-maas-digest", "x-maas-policy"):
        assert asked.headers[name] == plain.headers[name]
    # Among the options, where it would be meant, it is refused
    asked = client.post(MODEL, json=GOOD | {"parameters": {key: ASSIGNED[key]}})
    assert (asked.status_code, asked.json()["code"]) == (422, "invalid_field")
    count("attacks", 2)


# ---- S5: what answers tell ----------------------------------------------------------------------

# Modules of ours and of Python are not in the list where they are words of the documents
PACKAGES = sorted(
    {distribution.metadata["Name"].lower() for distribution in distributions()}
    - {"maas", "rich", "attrs", "click", "six", "idna"}
)
PRIVATE = {
    "an ARN": r"arn:aws",
    "an account": r"(?<![0-9a-f.])\d{12}(?![0-9a-f])",
    "a path": r"(?<![\w.:/}])/(?:opt|tmp|var|home|usr|etc|srv|root|work|private|Users)\b",
    "a source": r"\.py\b|site-packages|<module>|\bline \d+",
    "a trace": r"Traceback|Error\(|Exception\b|panicked|RUST_BACKTRACE|core dumped",
    "a variable": r"\b(?:MAAS|AWS|POWERTOOLS|LAMBDA|ORT|PYTHON)_[A-Z]+",
    "a package": r"\b(?:" + "|".join(map(re.escape, PACKAGES)) + r")\b[ /=@]*v?\d+\.\d+",
    "a table": r"maas-registry",
    "a library": r"(?i)\b(?:onnxruntime|onnx runtime|starlette|uvicorn|mangum|msgspec|botocore"
    r"|powertools|sqlite3?|python|numpy|tokenizers)\b",
    "an address": r"\b(?:127\.0\.0\.1|169\.254\.|10\.\d+\.\d+|localhost|amazonaws)\b",
}


def private(text: str) -> list[str]:
    """What of this may not be told, and is."""
    return [f"{what}: {hit[0]}" for what, form in PRIVATE.items() if (hit := re.search(form, text))]


@pytest.mark.parametrize(
    "text",
    [
        *("arn:aws:iam::123456789012:role/x", "account 123456789012 denied", "in /opt/python/maas"),
        *('File "app.py", line 7', "KeyError('x')", "MAAS_HOME is not set", "uvicorn/0.54.0"),
        *("server: uvicorn", "numpy 2.4", "no table maas-registry", "connect to 127.0.0.1:8000"),
        "thread '<unnamed>' panicked at src/lib.rs",
    ],
)
def test_s5_what_may_not_be_told_would_be_seen(text: str) -> None:
    assert private(text)


def seen(response: "httpx.Response") -> str:
    """All that a caller reads of an answer."""
    return json.dumps([list(response.headers.items()), response.text])


@pytest.mark.parametrize("path", ROUTES)
def test_s5_no_answer_tells_of_the_inside(client: Client, path: str) -> None:
    bodies = [json.dumps(GOOD), "{", "[]", '{"inputs":7}', '{"inputs":"\\ud800"}', "[" * 99]
    bodies += [json.dumps({"inputs": text}) for text in (NAN_WORD, PANIC_TEXT)]
    queries = ("", "?version=9", "?version=%00", "?limit=x", "?after=x&after=y")
    for method, query, body in [
        *(("GET", query, "") for query in queries),
        *(("POST", "", body) for body in bodies),
        ("DELETE", "", ""),
    ]:
        response = client.request(method, path + query, content=body)
        assert private(seen(response)) == [], (method, path, query)
    for header in ("server", "x-powered-by", "via", "x-amzn-trace-id", "set-cookie"):
        assert header not in response.headers


def test_s5_nor_does_one_of_a_laptop_s_server(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path)
    with laptop.serving() as url:
        port = int(url.rpartition(":")[2])
        for request in (b"GET /health HTTP/1.1\r\nhost: x\r\n", b"GET /x HTTP/1.1\r\nhost: x\r\n"):
            answer = raw(port, request + b"connection: close\r\n\r\n")
            assert private(answer) == []
            assert "\r\nserver:" not in answer.lower()
        for request in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
            assert private(raw(port, request)) == []


@pytest.mark.parametrize("fault", ["no bundle", "other bytes", "no served set", "no registry"])
def test_s5_nor_does_a_function_that_cannot_answer(tmp_path: Path, fault: str) -> None:
    broken = make_home(tmp_path / "home", versions=1)
    bundle = broken.bundles[1].folder
    if fault == "no bundle":
        bundle.rename(bundle.with_name("away"))
    elif fault == "other bytes":
        (bundle / "tokenizer.json").write_bytes(b"{")
    elif fault == "no served set":
        (bundle.parent / "served.json").write_bytes(b"{")
    else:
        (broken.settings.home / "registry.sqlite").write_bytes(b"not a database" * 1_000)
    handler, catalog = build_handler(broken.settings), build_catalog_handler(broken.settings)
    for answer in (
        *(handler(rest_event(method, body=GOOD), CONTEXT) for method in ("GET", "POST")),
        *(catalog(rest_event("GET", path), CONTEXT) for path in ("/health", CATALOG)),
    ):
        assert private(json.dumps(answer)) == []
    assert handler(rest_event(body=GOOD), CONTEXT)["statusCode"] >= 500
    count("faults")


@pytest.mark.parametrize("way", ["refuse", "throttle", "500", "garbage", "reset"])
def test_s5_nor_does_one_whose_table_fails(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    # Given a table whose errors name a principal, as AWS's do
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    models = pack(home, tmp_path / "models", routed(home, 1, v1=100))
    with StandIn() as table:
        environ = function_environ(models, endpoint=table.url, policy_ttl=0)
        for name, value in environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        table.way = way
        settings = Settings.parse(environ)
        handler, catalog = build_handler(settings), build_catalog_handler(settings)
        answer = handler(rest_event(body=GOOD), CONTEXT)
        assert (answer["statusCode"], private(json.dumps(answer))) == (200, [])
        answer = catalog(rest_event("GET", "/catalog/models"), CONTEXT)
        assert (answer["statusCode"], private(json.dumps(answer))) == (503, [])
    count("faults")


# ---- S9: nothing is fetched ---------------------------------------------------------------------

ADDRESSES = (
    *("http://169.254.169.254/latest/meta-data/iam/security-credentials/", "file:///etc/passwd"),
    *("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "s3://bucket/key", "\\\\host\\x"),
    *("http://[::ffff:169.254.169.254]/", "gopher://x:25/_", "ldap://x/", "${jndi:ldap://x/a}"),
    *("/proc/self/environ", "../../../../etc/passwd", "{{7*7}}", "$(id)", "`id`", "x; cat /etc/*"),
)
WATCHING = """
import json, runpy, sys

class Context:
    aws_request_id = "request-of-lambda"
    @staticmethod
    def get_remaining_time_in_millis():
        return 5_000

seen, watching = [], False
def watch(event, arguments):
    if not watching:
        return
    if event.startswith(("socket.", "subprocess.", "os.", "ctypes.", "urllib.", "webbrowser.")):
        seen.append(event)
    elif event in ("open", "exec", "compile", "import", "pickle.find_class", "shutil.copyfile"):
        seen.append(f"{event} {arguments[0]}")

handler = runpy.run_path(sys.argv[1])["handler"]
events = [json.loads(line) for line in sys.stdin]
warm = [handler(event, Context()) for event in events[:2]]  # what is imported by the first of all
sys.addaudithook(watch)
watching = True
made = [handler(event, Context()) for event in events]
said = list(seen)
open("/dev/null").close()  # which must be seen
watching = False
told = {"statuses": [each["statusCode"] for each in made], "seen": said, "control": seen}
print("\\n" + json.dumps(told))
"""


@pytest.mark.parametrize("function", ["inference", "catalog"])
def test_s9_an_address_in_a_request_is_a_text(home: Home, tmp_path: Path, function: str) -> None:
    # Given addresses as texts, names, versions, options and headers
    quoted = [address.replace("/", "%2f").replace(" ", "%20") for address in ADDRESSES]
    events = [
        rest_event(body=GOOD),
        rest_event("GET", CATALOG),
        *(rest_event(body={"inputs": address}) for address in ADDRESSES),
        *(rest_event(body={"inputs": "a", "model_path": address}) for address in ADDRESSES),
        *(rest_event(body={"inputs": "a", "parameters": {"x": a}}) for a in ADDRESSES),
        *(rest_event("GET", f"/models/{name}") for name in quoted),
        *(rest_event("GET", f"{MODEL}/versions/{name}") for name in quoted),
        *(rest_event("GET", f"/catalog/models/{name}/history") for name in quoted),
        *(rest_event(body=GOOD, headers={"x-maas-version": address}) for address in ADDRESSES),
        *(rest_event(body=GOOD, headers={"x-forwarded-host": a, "host": a}) for a in ADDRESSES),
    ]
    # When a function is asked whose every step is watched by the interpreter
    done = subprocess.run(
        [sys.executable, "-c", WATCHING, ROOT / f"functions/{function}/app.py"],
        env=home.environ | {"HOME": str(tmp_path), "MAAS_POLICY_TTL": "3600"},
        cwd=tmp_path,
        input="".join(json.dumps(event) + "\n" for event in events),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    # Then it opened, imported, ran and connected to nothing
    assert set(result["statuses"]) <= {200, 400, 404, 405, 422}
    assert result["seen"] == []
    assert result["control"] == ["open /dev/null"]
    count("attacks", len(events) - 2)
    count("requests", len(events))


# ---- S10, S13: headers --------------------------------------------------------------------------

IGNORED = (
    {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-port": "22"},
    {"x-forwarded-host": "evil.example", "forwarded": "for=127.0.0.1;host=evil.example"},
    {"x-forwarded-prefix": "/admin", "x-original-url": "/admin", "x-rewrite-url": "/admin"},
    {"x-http-method-override": "DELETE", "x-method-override": "PUT", "x-http-method": "PATCH"},
    {"host": "evil.example", "origin": "null", "referer": "https://evil.example"},
    {"transfer-encoding": "chunked", "te": "trailers", "connection": "x-maas-version"},
    {"x-request-id": "mine", "x-amzn-requestid": "mine", "x-amz-security-token": "mine"},
    {"x-maas-model": "other", "x-maas-digest": "sha256:0", "x-maas-policy": "baked"},
    {"cookie": "version=2", "range": "bytes=0-1", "if-none-match": "*", "expect": "100-continue"},
)


@pytest.mark.parametrize("event_of", [rest_event, http_event])
@pytest.mark.parametrize("headers", IGNORED, ids=lambda headers: next(iter(headers)))
def test_s10_headers_of_others_change_nothing(
    handlers: "dict[str, Handler]", event_of: "Callable[..., Event]", headers: dict[str, str]
) -> None:
    asked = [("inference", "POST", MODEL), ("inference", "GET", MODEL), ("catalog", "GET", CATALOG)]
    for function, method, path in asked:
        plain = told(handlers[function](event_of(method, path, GOOD), CONTEXT))
        answer = handlers[function](event_of(method, path, GOOD, headers=headers), CONTEXT)
        assert plain["status"] == 200
        assert told(answer) == plain
        count("attacks")


def raw(port: int, request: bytes) -> str:
    """What a server says to these very bytes."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(10 if b"connection: close" in request else 0.2)
        try:
            while part := connection.recv(65_536):
                received += part
        except OSError:
            pass  # refused before all was read, or waiting for more
    return received.decode("latin-1")


SPLITS = ("\r\nset-cookie: a=b", "\nx: y", "%0d%0aset-cookie:%20a=b", "\u010d\u010ax: y", "\x00")


@pytest.mark.parametrize("split", SPLITS)
def test_s13_no_answer_is_split(handlers: "dict[str, Handler]", split: str) -> None:
    count("attacks")
    for name in ("sentiment" + split, split):
        for event in (
            rest_event("GET", f"/models/{name}"),
            rest_event("GET", f"{MODEL}/versions/1{name}"),
            rest_event("GET", MODEL, query=f"version=1{name}"),
            rest_event("GET", MODEL, headers={"x-maas-version": f"1{name}"}),
        ):
            answer = handlers["inference"](event, CONTEXT)
            assert 400 <= answer["statusCode"] < 500
            assert "set-cookie" not in answer["headers"]
            for header, value in answer["headers"].items():
                assert (header + value).isprintable()
                assert (header + value).isascii()


@pytest.mark.parametrize("text", ["a\r\nset-cookie: a=b", "a\n", "\u2028", "a\x1b[31m", "\x9b", ""])
def test_s13_no_bundle_brings_a_label_or_a_name_that_could(home: Home, text: str) -> None:
    said = json.loads(canonical_json(home.bundles[1].manifest))
    for changed in (said | {"labels": [text, "positive"]}, said | {"name": "sentiment" + text}):
        if changed == said:
            continue
        count("attacks")
        data = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        with pytest.raises(BundleError):
            parse_manifest(data.encode())


# ---- S11: other origins -------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "*"])
def test_s11_no_other_origin_is_given_leave(
    client: Client, handlers: "dict[str, Handler]", origin: str
) -> None:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
    }
    for path in ROUTES:
        for method in ("GET", "POST", "OPTIONS"):
            answers = [list(client.request(method, path, json=GOOD, headers=headers).headers)]
            event = rest_event(method, path, GOOD, headers=headers)
            answers += [list(handler(event, CONTEXT)["headers"]) for handler in handlers.values()]
            assert not [n for names in answers for n in names if n.startswith("access-control")]
    assert client.request("OPTIONS", MODEL, headers=headers).status_code == 405
    count("attacks")


# ---- S12: logs ----------------------------------------------------------------------------------

FORGED = (
    'a\n{"level":"INFO","message":"answered","status":200}',
    "a\r\nERROR forged",
    "\x1b[2J\x1b[31mred",
    '"},{"level":"ERROR"',
    "\u2028forged\u2029",
    "\x00\x07\x08",
)


@pytest.mark.parametrize("text", FORGED)
def test_s12_each_record_is_one_line_of_known_keys(
    client: Client, log: io.StringIO, text: str
) -> None:
    header = {"user-agent": text.encode(errors="replace"), "x-api-key": text.encode()}
    client.post(MODEL, json={"inputs": text, text: text}, headers=header)
    client.post(MODEL, json={"inputs": "a", "parameters": {text: text}})
    client.post(MODEL, content=text.encode())
    client.get("/models/" + "".join(f"%{byte:02x}" for byte in text.encode()))
    client.get(MODEL, params={"version": text})
    client.get(CATALOG, params={text: text})
    count("attacks", 6)
    lines = log.getvalue().split("\n")
    assert lines.pop() == ""
    assert len(lines) == 6
    for line in lines:
        record = json.loads(line)
        assert record.keys() <= LOG_KEYS | LINE_KEYS
        assert record["message"] == "answered"
        assert line.isprintable()
        assert "forged" not in line


# ---- S14: probing -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/models/{}", "/models/{}/versions/1", "/catalog/models/{}"])
def test_s14_a_model_that_is_elsewhere_is_told_as_one_that_is_nowhere(
    tmp_path: Path, path: str
) -> None:
    # Given a function of one model, in a registry that has another, and names that none has
    home = make_home(tmp_path, versions=1)
    bundle = home.bundles[1]
    other = replace(bundle, manifest=structs.replace(bundle.manifest, name="elsewhere"))
    with home.registry() as registry:
        register_bundle(registry, other)
    names = ("elsewhere", "nowhere", "x" * 32, "X", "%2e%2e", "sentimen", "sentiment2")
    function = "catalog" if path.startswith("/catalog") else "inference"
    build = build_catalog_handler if function == "catalog" else build_handler
    handler: Handler = build(Settings.parse(home.environ))
    # Then all are told alike, to the byte
    event = [rest_event("GET", path.format(name)) for name in names]
    answers = [told(handler(each, CONTEXT)) for each in event]
    if function == "catalog":  # which is there to tell them apart, to whoever holds a key
        assert answers.pop(0)["status"] == 200
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["status"] == 404
    assert answers[0]["body"]["error"] == "No model of this name is served here."
    count("attacks", len(answers))
