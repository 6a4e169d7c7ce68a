"""F10 to F14: a version whose files are not what they should be never answers; its neighbour does.

Behind both doors: a function that carries a packed served set, and a laptop's server. The log names
the bundle and the file; the caller is told neither, and when to try again.
"""

import io
import json
import random
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec.structs import replace as with_fields
from support.doors import LambdaContext, rest_event
from support.effort import count, examples
from support.function import function_settings, pack, routed
from support.graphs import classifier_graph, save_external, short_graph
from support.tiny import (
    Home,
    TinyBundle,
    describe_bundle,
    make_bundle,
    make_home,
    open_client,
    register_bundle,
    tiny_weights,
    write_bundle,
)

from maas.bundle.golden import GOLDEN
from maas.bundle.manifest import MANIFEST, digest16
from maas.http.entry import build_handler
from maas.loading import TOKENIZER, optimised_form
from maas.served import SERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    Opens = Callable[[Home, Path], AbstractContextManager["Door"]]

TEXT = "a good film"
DEFAULT, OTHER = "/models/sentiment", "/models/sentiment/versions/2"
NOBODY = "http://127.0.0.1:9"
FORM = optimised_form()
GRAPH, WEIGHTS = f"{FORM}/model.onnx", f"{FORM}/weights.bin"
FILES = (GRAPH, WEIGHTS, TOKENIZER, MANIFEST)


@dataclass(frozen=True, slots=True)
class Door:
    """One process that serves versions 1 and 2, of which production is 1.

    Attributes:
        ask: Sends one text to a path; answers with status, headers and JSON.
        folder: Where the bundle of a version lies for it.
    """

    ask: "Callable[[str], tuple[int, dict[str, str], Any]]"
    folder: "Callable[[int], Path]"
    bundles: dict[int, TinyBundle]

    def refuses(self) -> str:
        """The default version is not ready, and the caller is told so in our own words."""
        status, headers, body = self.ask(DEFAULT)
        assert (status, body["code"], headers["retry-after"]) == (503, "model_not_ready", "1")
        assert "/" not in body["error"]
        assert not any(name in body["error"] for name in (*FILES, SERVED, GOLDEN))
        count("requests")
        return str(body["request_id"])

    def answers(self, path: str = DEFAULT, number: int = 1) -> None:
        """A version answers, and with its own scores."""
        status, headers, body = self.ask(path)
        assert (status, headers["x-maas-version"]) == (200, str(number)), body
        scores = {pair["label"]: pair["score"] for pair in body[0]}
        assert scores == pytest.approx(self.bundles[number].probabilities(TEXT), abs=2e-6)
        count("requests")


@contextmanager
def function(home: Home, folder: "Path") -> "Iterator[Door]":
    """A function that carries both versions, whose registry is away."""
    models = folder / "models"
    if not models.exists():
        pack(home, models, routed(home, 4, v1=100))
    handler = build_handler(function_settings(models, endpoint=NOBODY))

    def ask(path: str) -> tuple[int, dict[str, str], Any]:
        answer = handler(rest_event(path=path, body={"inputs": TEXT}), LambdaContext())
        return answer["statusCode"], answer["headers"], json.loads(answer["body"])

    yield Door(ask, lambda n: models / "sentiment" / home.bundles[n].folder.name, home.bundles)


@contextmanager
def laptop(home: Home, _: "Path") -> "Iterator[Door]":
    """A laptop's server, which hashes everything and has both forms."""
    with home.registry() as reader, open_client(home.services(), reader=reader) as client:

        def ask(path: str) -> tuple[int, dict[str, str], Any]:
            answer = client.post(path, json={"inputs": TEXT})
            if path == DEFAULT:  # its health says the same as its default version
                assert (client.get("/health").status_code == 200) == (answer.status_code == 200)
            return answer.status_code, dict(answer.headers), answer.json()

        yield Door(ask, lambda number: home.bundles[number].folder, home.bundles)


DOORS: "tuple[Opens, ...]" = (function, laptop)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that was refused is looked at again by the next request, as it is after 5 s."""
    monkeypatch.setattr("maas.loaded.REFUSED_SECONDS", 0.0)


def reasons(log: io.StringIO) -> list[str]:
    """Why something failed, by the log, which names no path."""
    text = log.getvalue()
    log.seek(0)
    log.truncate()
    assert "/tmp" not in text  # noqa: S108 - what must not be there
    lines = [json.loads(line) for line in text.splitlines()]
    return [line["reason"] for line in lines if line["message"] == "failed" and "reason" in line]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """One bit changed."""
    changed, bit = bytearray(data), rng.randrange(len(data) * 8)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# ---- F10, F11: files that are absent, cut or changed ---------------------------------------------


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["", *FILES, GOLDEN])
def test_f10_without_a_file_it_is_not_ready_and_says_which(
    home: Home, tmp_path: "Path", log: io.StringIO, door: "Opens", name: str
) -> None:
    if door is function:
        pack(home, tmp_path / "models", routed(home, 4, v1=100))
    folder = (
        tmp_path / "models/sentiment" / home.bundles[1].folder.name
        if door is function
        else home.bundles[1].folder
    )
    away = shutil.move(folder / name, tmp_path / "away")
    # Given a process that starts without it
    with door(home, tmp_path) as served:
        served.refuses()
        served.answers(OTHER, 2)
        # Then the log names the bundle, and the file in it
        said = [reason for reason in reasons(log) if reason.startswith(folder.name)]
        assert said
        assert all(name in reason for reason in said), said
        # And it answers once the file is there
        shutil.move(away, folder / name)
        served.answers()
    count("faults")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", FILES)
def test_f11_a_file_that_was_cut_is_refused_by_name(
    home: Home, tmp_path: "Path", log: io.StringIO, door: "Opens", name: str
) -> None:
    with door(home, tmp_path) as started:
        file = started.folder(1) / name
    whole = file.read_bytes()
    with replaced_first(door, home, tmp_path, file, b"") as served:
        for size in (0, 1, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:size])
            reasons(log)
            served.refuses()
            assert any(name in reason for reason in reasons(log))
            served.answers(OTHER, 2)
            count("faults")
        file.write_bytes(whole)
        served.answers()


@contextmanager
def replaced_first(
    door: "Opens",
    home: Home,
    folder: "Path",
    file: "Path",
    data: bytes,
) -> "Iterator[Door]":
    """A process that started with other bytes in this file, so that nothing of it is in memory."""
    file.write_bytes(data)
    with door(home, folder) as served:
        yield served


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", FILES)
def test_f11_a_flipped_bit_is_refused_by_name_however_often(
    home: Home, tmp_path: "Path", log: io.StringIO, door: "Opens", name: str
) -> None:
    with door(home, tmp_path) as started:
        file = started.folder(1) / name
    whole, rng = file.read_bytes(), random.Random(name)
    with replaced_first(door, home, tmp_path, file, b"") as served:
        reasons(log)
        for _ in range(examples(300 if door is function else 25, 1_000)):
            file.write_bytes(flipped(whole, rng))
            served.refuses()
            assert any(name in reason for reason in reasons(log))
            count("faults")
        served.answers(OTHER, 2)
        # And what is whole again answers
        file.write_bytes(whole)
        served.answers()


def test_f11_a_flipped_bit_of_the_served_set_is_refused_by_name(
    home: Home, tmp_path: "Path", log: io.StringIO
) -> None:
    file = pack(home, tmp_path / "models", routed(home, 4, v1=100)) / "sentiment" / SERVED
    whole, rng = file.read_bytes(), random.Random(SERVED)
    with replaced_first(function, home, tmp_path, file, b"") as served:
        for _ in range(examples(300, 1_000)):
            file.write_bytes(flipped(whole, rng))
            served.refuses()
            assert any(SERVED in reason for reason in reasons(log))
            count("faults")
        file.write_bytes(whole)
        served.answers()


def test_f11_a_version_that_answers_is_not_hurt_by_what_happens_to_its_files(
    home: Home, tmp_path: "Path"
) -> None:
    for door in DOORS:
        with door(home, tmp_path) as served:
            served.answers()
            for name in (TOKENIZER, MANIFEST, GOLDEN):
                (served.folder(1) / name).unlink()
                served.answers()
                count("faults")


# ---- F12, F13, F14: files that were registered as they are ---------------------------------------


def damaged_home(path: "Path", damage: "Callable[[TinyBundle], None]", **made: Any) -> Home:  # noqa: ANN401
    """Version 1 was damaged before its digests were made; version 2 is a good one."""
    home = make_home(path, versions=0, promoted=False)
    bundle = make_bundle(home.settings.bundles, seed=1, **made)
    damage(bundle)
    digest = sealed(bundle)
    folder = bundle.folder.rename(bundle.folder.with_name(digest16(digest)))
    with home.registry() as registry:
        register_bundle(registry, replace(bundle, folder=folder, digest=digest))
    home.bundles[1] = replace(bundle, folder=folder, digest=digest)
    home.add(seed=2)
    home.promote(1)
    return home


def sealed(bundle: TinyBundle) -> str:
    """A manifest whose digests fit the files as they are now; its tensors stay as they were."""
    said = describe_bundle(bundle.folder)
    return write_bundle(
        bundle.folder,
        with_fields(
            said,
            inputs=bundle.manifest.inputs,
            outputs=bundle.manifest.outputs,
            labels=bundle.manifest.labels,
        ),
    )


def tokenizer_of(text: str) -> "Callable[[TinyBundle], None]":
    def damage(bundle: TinyBundle) -> None:
        (bundle.folder / TOKENIZER).write_text(text)

    return damage


def tokenizer_with(**fields: object) -> "Callable[[TinyBundle], None]":
    def damage(bundle: TinyBundle) -> None:
        file = bundle.folder / TOKENIZER
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))

    return damage


def cut_tokenizer(bundle: TinyBundle) -> None:
    file = bundle.folder / TOKENIZER
    file.write_bytes(file.read_bytes()[:-40])


PANICS = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "damage",
    [
        cut_tokenizer,
        tokenizer_of(""),
        tokenizer_of("[]"),
        tokenizer_of('"tokenizer"'),
        tokenizer_with(model=None),
        tokenizer_with(model={"type": "WordLevel", "vocab": {"a": "b"}, "unk_token": "a"}),
        tokenizer_with(normalizer=PANICS),
    ],
    ids=["cut", "empty", "list", "text", "no model", "wrong type", "panics"],
)
def test_f12_a_tokenizer_that_is_none_is_not_ready(
    tmp_path: "Path",
    log: io.StringIO,
    door: "Opens",
    damage: "Callable[[TinyBundle], None]",
) -> None:
    home = damaged_home(tmp_path / "home", damage)
    with door(home, tmp_path) as served:
        served.refuses()
        assert any(TOKENIZER in reason for reason in reasons(log))
        served.answers(OTHER, 2)
    count("faults")


def graph_of(bundle: TinyBundle, graph: bytes) -> None:
    (bundle.folder / "portable/model.onnx").write_bytes(graph)
    save_external(graph, bundle.folder / FORM)


def output_of_another_name(bundle: TinyBundle) -> None:
    graph_of(bundle, classifier_graph(bundle.weights, output="scores"))


def one_label_fewer(bundle: TinyBundle) -> None:
    graph_of(bundle, classifier_graph(bundle.weights[:, :1]))


def other_weights(bundle: TinyBundle) -> None:
    graph_of(bundle, classifier_graph(tiny_weights(99)))


def answers_nan(bundle: TinyBundle) -> None:
    graph_of(bundle, classifier_graph(np.full_like(bundle.weights, np.nan)))


def fewer_tokens(bundle: TinyBundle) -> None:
    graph_of(bundle, short_graph(bundle.weights, tokens=8))


@pytest.mark.parametrize(
    ("door", "damage", "said"),
    [
        *((door, output_of_another_name, "outputs are not those") for door in DOORS),
        *((door, one_label_fewer, "does not have the shape") for door in DOORS),
        # Tried where there is time: before it is registered, and on a laptop. A function starts
        # from what was.
        (laptop, fewer_tokens, "cannot take two texts of 16 tokens"),
        *((door, other_weights, "not the model that was exported") for door in DOORS),
        *((door, answers_nan, "not a finite number") for door in DOORS),
    ],
)
def test_f13_f14_a_graph_that_is_not_the_manifests_is_refused_before_its_first_request(
    tmp_path: "Path",
    log: io.StringIO,
    door: "Opens",
    damage: "Callable[[TinyBundle], None]",
    said: str,
) -> None:
    home = damaged_home(tmp_path / "home", damage)
    with door(home, tmp_path) as served:
        served.refuses()
        folder = home.bundles[1].folder.name
        assert any(folder in reason and said in reason for reason in reasons(log))
        served.answers(OTHER, 2)
    count("faults")


@pytest.mark.parametrize("door", DOORS)
def test_f14_answers_that_differ_from_the_recorded_ones_are_refused(
    tmp_path: "Path", log: io.StringIO, door: "Opens"
) -> None:
    home = damaged_home(tmp_path / "home", lambda _: None, golden_shift=0.01)
    with door(home, tmp_path) as served:
        served.refuses()
        assert any("answer differs by 0.01" in reason for reason in reasons(log))
        served.answers(OTHER, 2)
    count("faults")
