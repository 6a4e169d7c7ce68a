"""F10 to F14: a version whose files are not what they should be never answers; its neighbour does.

Behind both doors: a function that carries a packed served set, and a laptop's server. The log names
the bundle and the file; the caller is told neither, and when to try again. What opens a model
depends on its kind, so every kind is tried; how its files are compared does not.
"""

import io
import json
import random
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.doors import LambdaContext, rest_event
from support.effort import count, examples
from support.function import function_settings, pack, routed
from support.graphs import classifier_graph, edited, save_external, short_graph
from support.kinds import KINDS, check_kind, home_of_kind
from support.tiny import TinyBundle, open_client

from maas.bundle.golden import GOLDEN
from maas.bundle.manifest import MANIFEST
from maas.http.entry import build_handler
from maas.loading import TOKENIZER, optimised_form
from maas.served import SERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from _pytest.mark import ParameterSet
    from support.task_bundles import TaskBundle, TaskHome

    AnyBundle = TinyBundle | TaskBundle
    Opens = Callable[[TaskHome, Path], AbstractContextManager["Door"]]

TEXT = "text-classification"
# Summaries open as translations do; a table has no tokenizer, and its weights have no file of their
# own, nor have those of sounds.
UNOPENED = ("summarization", "tabular-classification", "audio-classification")
OPENED = tuple(kind for kind in KINDS if kind not in UNOPENED)
FILED = ("image-classification", "automatic-speech-recognition")
DEFAULT, OTHER = "", "/versions/2"
NOBODY = "http://127.0.0.1:9"
FORM = optimised_form()
GRAPH, WEIGHTS = f"{FORM}/model.onnx", f"{FORM}/weights.bin"
FILES = (GRAPH, WEIGHTS, TOKENIZER, MANIFEST)


@dataclass(frozen=True, slots=True)
class Door:
    """One process that serves versions 1 and 2, of which production is 1.

    Attributes:
        ask: Sends a good request below the model's path; answers with status, headers and JSON.
        folder: Where the bundle of a version lies for it.
        home: What is served.
    """

    ask: "Callable[[str], tuple[int, dict[str, str], Any]]"
    folder: "Callable[[int], Path]"
    home: "TaskHome"

    def refuses(self) -> str:
        """The default version is not ready, and the caller is told so in our own words."""
        status, headers, body = self.ask(DEFAULT)
        assert (status, body["code"], headers["retry-after"]) == (503, "model_not_ready", "1")
        assert "/" not in body["error"]
        assert not any(name in body["error"] for name in (*FILES, SERVED, GOLDEN))
        count("requests")
        return str(body["request_id"])

    def answers(self, path: str = DEFAULT, number: int = 1) -> None:
        """A version answers, and as its own weights say."""
        status, headers, body = self.ask(path)
        assert (status, headers["x-maas-version"]) == (200, str(number)), body
        bundle = self.home.bundles[number]
        check_kind(bundle.manifest.task, bundle, body)
        count("requests")


def good(home: "TaskHome") -> dict[str, Any]:
    """A good request of its model."""
    return KINDS[home.bundle.manifest.task].body


@contextmanager
def function(home: "TaskHome", folder: "Path") -> "Iterator[Door]":
    """A function that carries both versions, whose registry is away."""
    models = folder / "models"
    if not models.exists():
        pack(home, models, routed(home, 4, v1=100))
    model = home.bundle.manifest.name
    handler = build_handler(function_settings(models, endpoint=NOBODY, model=model))

    def ask(path: str) -> tuple[int, dict[str, str], Any]:
        answer = handler(rest_event(path=home.path + path, body=good(home)), LambdaContext())
        return answer["statusCode"], answer["headers"], json.loads(answer["body"])

    yield Door(ask, lambda number: models / model / home.bundles[number].folder.name, home)


@contextmanager
def laptop(home: "TaskHome", _: "Path") -> "Iterator[Door]":
    """A laptop's server, which hashes everything and has both forms."""
    with home.registry() as reader, open_client(home.services(), reader=reader) as client:

        def ask(path: str) -> tuple[int, dict[str, str], Any]:
            answer = client.post(home.path + path, json=good(home))
            if path == DEFAULT:  # its health says the same as its default version
                assert (client.get("/health").status_code == 200) == (answer.status_code == 200)
            return answer.status_code, dict(answer.headers), answer.json()

        yield Door(ask, lambda number: home.bundles[number].folder, home)


DOORS: "tuple[Opens, ...]" = (function, laptop)


@pytest.fixture
def home(tmp_path: "Path") -> "TaskHome":
    """A text classifier's."""
    return home_of_kind(tmp_path / "home", TEXT, versions=2)


def each_file(*names: str) -> "list[ParameterSet]":
    """A kind, a door and a file: all for text classification; of another kind, what it opens."""
    return [
        pytest.param(kind, door, name, id=f"{kind} {door.__name__} {name}")
        for kind in OPENED
        for door in (DOORS if kind == TEXT else (function,))
        for name in names
        if kind == TEXT or name in (GRAPH, GOLDEN, TOKENIZER)
        if name != TOKENIZER or kind not in FILED
    ]


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


@pytest.mark.parametrize(("kind", "door", "name"), each_file("", *FILES, GOLDEN))
def test_f10_without_a_file_it_is_not_ready_and_says_which(
    tmp_path: "Path", log: io.StringIO, kind: str, door: "Opens", name: str
) -> None:
    home = home_of_kind(tmp_path / "home", kind, versions=2)
    if door is function:
        pack(home, tmp_path / "models", routed(home, 4, v1=100))
    folder = (
        tmp_path / "models" / home.bundle.manifest.name / home.bundles[1].folder.name
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


@pytest.mark.parametrize(("kind", "door", "name"), each_file(*FILES))
def test_f11_a_file_that_was_cut_is_refused_by_name(
    tmp_path: "Path", log: io.StringIO, kind: str, door: "Opens", name: str
) -> None:
    home = home_of_kind(tmp_path / "home", kind, versions=2)
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
    home: "TaskHome",
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
    home: "TaskHome", tmp_path: "Path", log: io.StringIO, door: "Opens", name: str
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
    home: "TaskHome", tmp_path: "Path", log: io.StringIO
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
    home: "TaskHome", tmp_path: "Path"
) -> None:
    for door in DOORS:
        with door(home, tmp_path) as served:
            served.answers()
            for name in (TOKENIZER, MANIFEST, GOLDEN):
                (served.folder(1) / name).unlink()
                served.answers()
                count("faults")


# ---- F12, F13, F14: files that were registered as they are ---------------------------------------


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
    home = home_of_kind(tmp_path / "home", TEXT, versions=2, damage=damage)
    with door(home, tmp_path) as served:
        served.refuses()
        assert any(TOKENIZER in reason for reason in reasons(log))
        served.answers(OTHER, 2)
    count("faults")


def graph_of(bundle: "AnyBundle", graph: bytes) -> None:
    (bundle.folder / "portable/model.onnx").write_bytes(graph)
    save_external(graph, bundle.folder / FORM)


def changed(bundle: "AnyBundle", change: "Callable[[onnx.ModelProto], object]") -> None:
    graph_of(bundle, edited((bundle.folder / "portable/model.onnx").read_bytes(), change))


def output_of_another_name(bundle: "AnyBundle") -> None:
    def rename(model: onnx.ModelProto) -> None:
        output = model.graph.output[0]
        (node,) = (node for node in model.graph.node if output.name in node.output)
        output.name = node.output[0] = "other"

    changed(bundle, rename)


def numbers(bundle: "AnyBundle", change: "Callable[[Any], Any]") -> None:
    """All weights after a change."""

    def each(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.dtype == np.float32 and array.size > 1:
                tensor.CopyFrom(numpy_helper.from_array(change(array), tensor.name))

    changed(bundle, each)


def other_weights(bundle: "AnyBundle") -> None:
    numbers(bundle, lambda array: np.ascontiguousarray(array[::-1]))


def answers_nan(bundle: "AnyBundle") -> None:
    numbers(bundle, lambda array: np.full_like(array, np.nan))


def one_label_fewer(bundle: TinyBundle) -> None:
    graph_of(bundle, classifier_graph(bundle.weights[:, :1]))


def fewer_tokens(bundle: TinyBundle) -> None:
    graph_of(bundle, short_graph(bundle.weights, tokens=8))


@pytest.mark.parametrize(
    ("kind", "door", "damage", "said"),
    [
        *(
            (kind, door, damage, said)
            for damage, said in (
                (output_of_another_name, "outputs are not those"),
                (other_weights, "not the model that was exported"),
                # A laptop's server has a writer write at length before it compares
                (answers_nan, "not a finite number|cannot take two texts"),
            )
            for kind in OPENED
            for door in DOORS
        ),
        *((TEXT, door, one_label_fewer, "does not have the shape") for door in DOORS),
        # Tried where there is time: before it is registered, and on a laptop. A function starts
        # from what was.
        (TEXT, laptop, fewer_tokens, "cannot take two texts of 16 tokens"),
    ],
)
def test_f13_f14_a_graph_that_is_not_the_manifests_is_refused_before_its_first_request(
    tmp_path: "Path",
    log: io.StringIO,
    kind: str,
    door: "Opens",
    damage: "Callable[[AnyBundle], None]",
    *,
    said: str,
) -> None:
    home = home_of_kind(tmp_path / "home", kind, versions=2, damage=damage)
    with door(home, tmp_path) as served:
        served.refuses()
        folder = home.bundles[1].folder.name
        assert any(folder in reason and re.search(said, reason) for reason in reasons(log))
        served.answers(OTHER, 2)
    count("faults")


@pytest.mark.parametrize("door", DOORS)
def test_f14_answers_that_differ_from_the_recorded_ones_are_refused(
    tmp_path: "Path", log: io.StringIO, door: "Opens"
) -> None:
    home = home_of_kind(tmp_path / "home", TEXT, versions=2, golden_shift=0.01)
    with door(home, tmp_path) as served:
        served.refuses()
        assert any("answer differs by 0.01" in reason for reason in reasons(log))
        served.answers(OTHER, 2)
    count("faults")
