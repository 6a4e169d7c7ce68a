"""Every field of `maas.limits.LIMITS` where it bites: limit − 1, limit, limit + 1 (P3, family 20).

A limit without a test of its name fails here; so does a test of a limit that is gone.
"""

import asyncio
import json
import shutil
import threading
import time
from dataclasses import fields, replace
from inspect import signature
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from support.doors import LambdaContext, rest_event
from support.effort import count
from support.tiny import (
    Client,
    Home,
    TinyBundle,
    make_bundle,
    make_home,
    open_client,
    register_bundle,
    write_bundle,
)

from maas.assembly import build_registry
from maas.bundle.manifest import Manifest, ModelLimits, bundle_digest, canonical_json, digest16
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas.http.app import App
from maas.http.catalog import catalog_routes
from maas.http.gateway import guarded
from maas.limits import LIMITS, Limits
from maas.observe import Observer
from maas.registry.addresses import ByNumber
from maas.registry.reader import Reader
from maas.registry.stores import open_store
from maas.settings import Settings
from maas_lab.recipe import DataRecipe, VocabularyRecipe
from maas_lab.serving import build_local_app

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from starlette.requests import Request

    from maas.exchange import Exchange
    from maas.registry.reader import Listing
    from maas.registry.records import ModelRecord

MODEL = "/models/sentiment"
GOOD = {"inputs": "a good film"}
edge = pytest.mark.parametrize("step", [-1, 0, 1])


def test_p3_every_limit_has_a_test_here() -> None:
    limits = {field.name for field in fields(Limits)}
    tested = {
        name.removeprefix("test_limit_") for name in globals() if name.startswith("test_limit_")
    }
    assert tested == limits


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), versions=1)


@pytest.fixture
def client(shared: Home) -> "Iterator[Client]":
    with open_client(shared.services(), reader=shared.registry()) as client:
        yield client


def check(client: Client, response: "httpx.Response", step: int, status: int, said: str) -> None:
    """Up to the limit 200; above it a refusal that names the limit, and a good answer after it."""
    if step <= 0:
        assert response.status_code == 200, response.text
        return
    count("inputs")
    assert response.status_code == status
    assert said in response.json()["error"]
    assert client.post(MODEL, json=GOOD).status_code == 200


# ---- Bodies -------------------------------------------------------------------------------------


@edge
@pytest.mark.parametrize("whole", [True, False], ids=["declared", "in parts"])
def test_limit_body_bytes(client: Client, step: int, *, whole: bool) -> None:
    body = json.dumps(GOOD).encode()
    body += b" " * (LIMITS.body_bytes - len(body) + step)

    async def parts() -> Any:  # noqa: ANN401
        for at in range(0, len(body), 65_537):
            yield body[at : at + 65_537]

    response = client.post(MODEL, content=body if whole else parts())
    assert ("content-length" in response.request.headers) is whole
    check(client, response, step, 413, f"at most {LIMITS.body_bytes} bytes")


@edge
def test_limit_json_depth(client: Client, step: int) -> None:
    lists = LIMITS.json_depth - 1 + step  # and the object around them
    body = '{"inputs":"a good film","x":' + "[" * lists + "]" * lists + "}"
    response = client.post(MODEL, content=body)
    check(client, response, step, 400, f"deeper than {LIMITS.json_depth} levels")


@edge
def test_limit_json_values(client: Client, step: int) -> None:
    body = GOOD | {"x": [0] * (LIMITS.json_values - 3 + step)}  # the object, the text, the list
    check(client, client.post(MODEL, json=body), step, 400, f"than {LIMITS.json_values} values")


@edge
@pytest.mark.parametrize("number", ["{}", "-{}", "0.{}", "1e-{}"])
def test_limit_number_digits(client: Client, number: str, step: int) -> None:
    digits = LIMITS.number_digits - number.count("1") + step  # zeros in front are none
    body = '{"inputs":"a good film","x":' + number.format("1" * digits) + "}"
    response = client.post(MODEL, content=body)
    check(client, response, step, 400, f"more than {LIMITS.number_digits} digits")


# ---- Texts --------------------------------------------------------------------------------------


@edge
def test_limit_texts(client: Client, step: int) -> None:
    response = client.predict(["good"] * (LIMITS.texts + step))
    check(client, response, step, 422, f"must be 1 to {LIMITS.texts} texts")


@pytest.mark.parametrize(("number", "status"), [(0, 422), (1, 200), (10_000, 422)])
def test_p3_no_text_at_all_and_very_many_are_refused(
    client: Client, number: int, status: int
) -> None:
    assert client.predict(["good"] * number).status_code == status


@edge
@pytest.mark.parametrize("character", ["a", "é", "\U0001f600", " b"])
def test_limit_text_characters(client: Client, character: str, step: int) -> None:
    characters = LIMITS.text_characters + step
    text = (character * characters)[:characters]
    for inputs in (text, ["good", text]):
        response = client.predict(inputs)
        check(client, response, step, 422, f"at most {LIMITS.text_characters} characters")


@edge
def test_limit_request_characters(client: Client, step: int) -> None:
    each = LIMITS.text_characters - 1
    number, rest = divmod(LIMITS.request_characters + step, each)
    response = client.predict(["a" * each] * number + ["a" * rest])
    check(client, response, step, 422, f"at most {LIMITS.request_characters} characters in all")


# ---- Answers ------------------------------------------------------------------------------------


@edge
def test_limit_response_bytes(client: Client, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    # Given an answer of known size, whose limit is just that, or one byte to either side
    whole = client.predict(["a good film", "bad"])
    limits = replace(LIMITS, response_bytes=len(whole.content) - step)
    with monkeypatch.context() as patch:
        patch.setattr("maas.http.problems.LIMITS", limits)
        response = client.predict(["a good film", "bad"])
    check(client, response, step, 422, f"above {limits.response_bytes} bytes")


def test_p3_the_largest_answer_that_can_be_asked_for_is_refused(tmp_path: "Path") -> None:
    labels = [f"{number:0128d}" for number in range(LIMITS.labels)]
    with open_client(home_of(tmp_path, labels=labels).services()) as client:
        large = client.predict(["good"] * LIMITS.texts)
        assert (large.status_code, large.json()["code"]) == (422, "invalid_field")
        assert f"above {LIMITS.response_bytes} bytes" in large.json()["error"]
        asked = {"inputs": ["good"] * LIMITS.texts, "parameters": {"top_k": 100}}
        assert client.post(MODEL, json=asked).status_code == 200


@edge
def test_limit_page_records(client: Client, step: int) -> None:
    for route in ("models", "models/sentiment/versions", "models/sentiment/history"):
        response = client.get(f"/catalog/{route}?limit={LIMITS.page_records + step}")
        check(client, response, step, 422, f"<= {LIMITS.page_records}")
        assert client.get(f"/catalog/{route}?limit=0").status_code == 422


@edge
def test_limit_labels(client: Client, tmp_path: "Path", step: int) -> None:
    # Given a caller who asks for so many
    asked = GOOD | {"parameters": {"top_k": LIMITS.labels + step}}
    check(client, client.post(MODEL, json=asked), step, 422, f"<= {LIMITS.labels}")
    # And a bundle, and a recipe, that have so many
    labels = tuple(f"label {number}" for number in range(LIMITS.labels + step))
    bundle = make_bundle(tmp_path, labels=labels)
    asked_for = {"source": "x.csv", "labels": labels}
    if step <= 0:
        assert verify_bundle(bundle.folder).manifest.labels == labels
        assert msgspec.convert(asked_for, DataRecipe).labels == labels
        return
    with pytest.raises(BundleError, match=f"2 to {LIMITS.labels} labels"):
        verify_bundle(bundle.folder)
    with pytest.raises(msgspec.ValidationError, match=f"<= {LIMITS.labels}"):
        msgspec.convert(asked_for, DataRecipe)


# ---- Time and load ------------------------------------------------------------------------------


def probe(remaining_seconds: float) -> tuple[int, float, float]:
    """The status of a request with so much time, and between what its deadline must have come.

    Returns:
        The status; seconds from before the request to its deadline; and from within it.
    """
    seen: list[tuple[float, float]] = []

    async def endpoint(_: "Request", exchange: "Exchange") -> bytes:
        seen.append((exchange.deadline, time.monotonic()))
        return b"{}"

    observer = Observer("INFO", metrics=False)
    app = App({"/": {"GET": endpoint}}, observer=observer, new_id=lambda: "request-1")
    milliseconds = round(remaining_seconds * 1000)
    before = time.monotonic()
    answer = guarded(app, observer)(rest_event("GET", "/"), LambdaContext("id", milliseconds))
    deadline, inside = seen[0] if seen else (before, before)
    return answer["statusCode"], deadline - before, deadline - inside


@edge
@pytest.mark.usefixtures("log")
def test_limit_deadline_seconds(step: int) -> None:
    left = LIMITS.deadline_seconds + step * 0.1
    status, longest, shortest = probe(left + LIMITS.deadline_margin_seconds)
    assert status == 200
    assert shortest <= min(left, LIMITS.deadline_seconds) <= longest


@edge
@pytest.mark.usefixtures("log")
def test_limit_deadline_margin_seconds(step: int) -> None:
    status, longest, shortest = probe(LIMITS.deadline_margin_seconds + step * 0.001)
    assert status == (200 if step > 0 else 503)
    if step > 0:
        assert shortest <= 0.001 <= longest


class Slow(Reader):
    """A registry that answers when it is told to."""

    def __init__(self, home: Home) -> None:
        super().__init__(open_store(home.settings.registry, aws=home.settings.aws))
        self.answer = threading.Event()

    def models(self, *, limit: int = 100, after: str | None = None) -> "Listing[ModelRecord]":
        """Wait, and list the models."""
        assert self.answer.wait(10)
        return super().models(limit=limit, after=after)


@pytest.mark.usefixtures("log")
def test_limit_catalog_seconds(shared: Home) -> None:
    assert signature(catalog_routes).parameters["seconds"].default == LIMITS.catalog_seconds < 2
    reader = Slow(shared)
    for seconds, in_time in ((10.0, True), (0.05, False), (10.0, True)):
        reader.answer.set() if in_time else reader.answer.clear()
        app = App(
            catalog_routes(reader, seconds=seconds),
            observer=Observer("INFO", metrics=False),
            new_id=lambda: "request-1",
        )
        with Client(app) as client:
            response = client.get("/catalog/models")
            reader.answer.set()
        assert response.status_code == (200 if in_time else 503)


@edge
def test_limit_concurrency(shared: Home, step: int) -> None:
    # Given the laptop's server, and requests whose bodies wait until all of them have begun
    app, services = build_local_app(shared.settings)
    services("sentiment").warm_up()

    async def all_at_once(number: int) -> list[int]:
        begun = asyncio.Event()

        async def one() -> int:
            async def receive() -> dict[str, object]:
                await begun.wait()
                return {"type": "http.request", "body": json.dumps(GOOD).encode()}

            sent: list[Any] = []

            async def send(message: object) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": MODEL, "headers": []}
            await app({**scope, "query_string": b""}, receive, send)
            assert sent[0]["status"] == 200 or (b"retry-after", b"1") in sent[0]["headers"]
            return int(sent[0]["status"])

        tasks = [asyncio.create_task(one()) for _ in range(number)]
        await asyncio.sleep(0)  # each runs until it waits
        begun.set()
        return await asyncio.gather(*tasks)

    # When they come at the same time, then what is above the limit is told to come again
    number = LIMITS.concurrency + step
    count("requests", number)
    statuses = asyncio.run(all_at_once(number))
    assert sorted(statuses) == [200] * (number - max(step, 0)) + [429] * max(step, 0)


# ---- Bundles ------------------------------------------------------------------------------------


def sealed(bundle: TinyBundle, manifest: Manifest) -> TinyBundle:
    """The same bundle under another manifest, in the folder of its digest."""
    folder = bundle.folder.with_name(digest16(bundle_digest(canonical_json(manifest))))
    bundle.folder.rename(folder)
    digest = write_bundle(folder, manifest)
    return replace(bundle, folder=folder, digest=digest, manifest=manifest)


def home_of(
    path: "Path", *, labels: list[str] | None = None, max_tokens: int | None = None
) -> Home:
    """A home whose one version has these labels, or keeps so many tokens."""
    settings = Settings.parse({"MAAS_HOME": str(path), "MAAS_ACTOR": "tests"})
    settings.bundles.mkdir(parents=True)
    bundle = make_bundle(settings.bundles, labels=labels or ["bad", "good"])
    if max_tokens is not None:
        limits = ModelLimits(max_tokens=max_tokens)
        bundle = sealed(bundle, msgspec.structs.replace(bundle.manifest, limits=limits))
    with build_registry(settings) as registry:
        register_bundle(registry, bundle)
        registry.promote("sentiment", ByNumber(1))
    return Home(settings, {1: bundle})


def check_bundle(bundle: TinyBundle, step: int, said: str, limits: Limits = LIMITS) -> None:
    """Up to the limit it is accepted; above it refused, and the limit named."""
    if step <= 0:
        assert verify_bundle(bundle.folder, limits=limits).digest == bundle.digest
        return
    count("attacks")
    with pytest.raises(BundleError, match=said):
        verify_bundle(bundle.folder, limits=limits)


@edge
def test_limit_tokens(tmp_path: "Path", log: "io.StringIO", step: int) -> None:
    # Given a bundle, and a recipe, that ask for so many
    home = home_of(tmp_path, max_tokens=LIMITS.tokens + step)
    check_bundle(home.bundles[1], step, f"must be 1 to {LIMITS.tokens}")
    if step > 0:
        with pytest.raises(msgspec.ValidationError, match=f"<= {LIMITS.tokens}"):
            msgspec.convert({"max_tokens": LIMITS.tokens + step}, VocabularyRecipe)
        with open_client(home.services()) as client:
            assert client.predict("good").json()["code"] == "model_not_ready"
        return
    # Then a text of as many is whole, and one of more is cut
    with open_client(home.services()) as client:
        for more in (-1, 0, 1):
            assert client.predict("good " * (LIMITS.tokens + step + more)).status_code == 200
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    most = LIMITS.tokens + step
    seen = [(line["tokens"], line["truncated"]) for line in lines]
    assert seen == [(most - 1, 0), (most, 0), (most, 1)]


@pytest.mark.usefixtures("log")
def test_limit_loaded_versions(tmp_path: "Path") -> None:
    # Given one version more than is kept, of which the first was asked before the others
    most = LIMITS.loaded_versions
    home = make_home(tmp_path, versions=most + 1)
    with open_client(home.services()) as client:

        def ask(number: int) -> int:
            return client.post(f"{MODEL}/versions/{number}", json=GOOD).status_code

        assert ask(1) == 200
        (home.bundles[1].folder / "tokenizer.json").write_text("so it cannot be opened again")
        for number in range(2, most + 1):
            assert ask(number) == 200
        # Then it is still there while the limit is not passed, and gone when it is
        (home.bundles[2].folder / "tokenizer.json").write_text("so it cannot be opened again")
        assert ask(1) == 200  # it is the last used now, and the second the first to go
        assert ask(most + 1) == 200
        assert ask(1) == 200
        assert ask(2) == 503


@edge
def test_limit_bundle_bytes(tmp_path: "Path", step: int) -> None:
    bundle = make_bundle(tmp_path)
    total = sum(entry.size for entry in bundle.manifest.entries())
    limits = replace(LIMITS, bundle_bytes=total - step)
    check_bundle(bundle, step, f"larger than {limits.bundle_bytes} bytes", limits)
    # And the real one, of which a manifest can only tell
    entry = bundle.manifest.files[0]
    size = entry.size + LIMITS.bundle_bytes - total + step
    files = (msgspec.structs.replace(entry, size=size), *bundle.manifest.files[1:])
    told = sealed(bundle, msgspec.structs.replace(bundle.manifest, files=files))
    said = f"larger than {LIMITS.bundle_bytes} bytes" if step > 0 else "manifest.json says"
    check_bundle(told, 1, said)


@edge
def test_limit_bundle_files(tmp_path: "Path", step: int) -> None:
    bundle = make_bundle(tmp_path)
    more = LIMITS.bundle_files - len(bundle.manifest.entries()) + step
    entry, files = bundle.manifest.files[0], list(bundle.manifest.files)
    for number in range(more):
        path = f"a/{number:02}"
        target = bundle.folder / path
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(bundle.folder / entry.path, target)
        files.append(msgspec.structs.replace(entry, path=path))
    ordered = tuple(sorted(files, key=lambda entry: entry.path))
    bundle = sealed(bundle, msgspec.structs.replace(bundle.manifest, files=ordered))
    check_bundle(bundle, step, f"more than {LIMITS.bundle_files} files")


@edge
def test_limit_manifest_bytes(tmp_path: "Path", step: int) -> None:
    bundle = make_bundle(tmp_path)
    room = LIMITS.manifest_bytes + step - len(canonical_json(bundle.manifest))
    lineage = bundle.manifest.lineage | {"run": "x" * (room + len(bundle.manifest.lineage["run"]))}
    bundle = sealed(bundle, msgspec.structs.replace(bundle.manifest, lineage=lineage))
    assert (bundle.folder / "manifest.json").stat().st_size == LIMITS.manifest_bytes + step
    check_bundle(bundle, step, f"larger than {LIMITS.manifest_bytes} bytes")
