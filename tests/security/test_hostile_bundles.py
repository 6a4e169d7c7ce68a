"""S16, S17, S20-S25 and family 26 at the doors: a hostile bundle is refused, and nothing opened it.

Every bundle here is whole by its manifest, as its maker would have it. What exactly is refused of a
graph or a tokenizer is in test_graph_policy.py and test_tokenizer_policy.py; links, counts and
flipped bits are in tests/unit/maas/bundle.
"""

import io
import json
import os
import random
import shutil
import subprocess
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import onnx
import pytest
from msgspec.structs import replace
from support.effort import count, examples
from support.graphs import WEIGHTS_FILE, edited
from support.shipping import make_project, package_into
from support.tiny import (
    TinyBundle,
    describe_bundle,
    file_entry,
    make_bundle,
    make_home,
    open_client,
    tiny_tokenizer,
    write_bundle,
)
from support.trees import chain

import maas.loading
import maas.text.tokenizer
from maas.assembly import build_registry
from maas.bundle.golden import GOLDEN
from maas.bundle.manifest import canonical_json, digest16, parse_manifest
from maas.bundle.verify import sha256_file, verify_bundle
from maas.engine import session
from maas.errors import BundleError, RefusedError
from maas.limits import LIMITS
from maas.loaded import REFUSED_SECONDS
from maas.loading import TOKENIZER, load_version, optimised_form
from maas.settings import Settings
from maas_lab.packing.packaged import read_packaged
from maas_lab.releasing import register_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session

    Damage = Callable[["Hostile"], "Manifest | None"]

PORTABLE = "portable/model.onnx"
PICKLE = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."


@dataclass(frozen=True, slots=True)
class Hostile:
    """A bundle on its way to a registry.

    Attributes:
        bundle: As it was made, which is good.
        settings: Where it shall be registered.
        opened: The graphs and tokenizers that were opened.
    """

    bundle: TinyBundle
    settings: Settings
    opened: "list[str]"

    @property
    def folder(self) -> "Path":
        return self.bundle.folder

    @property
    def external(self) -> str:
        """The form with weights in a file of their own."""
        return optimised_form()

    def edit(self, path: str, change: "Callable[[Any], object]") -> None:
        file = self.folder / path
        file.write_bytes(edited(file.read_bytes(), change))

    def point(self, location: str) -> None:
        """Let the weights lie elsewhere."""

        def change(model: Any) -> None:  # noqa: ANN401 - onnx has no types for its fields
            for tensor in model.graph.initializer:
                for entry in tensor.external_data:
                    if entry.key == "location":
                        entry.value = location

        self.edit(f"{self.external}/model.onnx", change)

    def register(self, manifest: "Manifest | None" = None) -> int:
        """Seal what lies there and register it."""
        digest = write_bundle(self.folder, manifest or describe_bundle(self.folder))
        place = self.folder.with_name(digest16(digest))
        self.folder.rename(place)
        with build_registry(self.settings) as registry:
            return register_bundle(registry, place).record.number

    def refusal(self, manifest: "Manifest | None" = None) -> str:
        """Why it is refused; nothing was opened or written, and a good one is taken after it."""
        with pytest.raises(BundleError) as refused:
            self.register(manifest)
        assert self.opened == []
        with build_registry(self.settings) as registry:
            assert registry.models(limit=10).records == ()
            good = make_bundle(self.settings.bundles, seed=99)
            assert register_bundle(registry, good.folder).record.number == 1
        assert len(self.opened) == 4
        assert str(self.settings.home) not in str(refused.value)
        count("attacks")
        return str(refused.value)


@pytest.fixture
def hostile(tmp_path: "Path", monkeypatch: pytest.MonkeyPatch) -> Hostile:
    opened: list[str] = []

    def watched(module: "ModuleType", name: str) -> None:
        real = getattr(module, name)

        def watch(*arguments: object, **options: object) -> object:
            opened.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, watch)

    watched(maas.loading, "open_session")
    watched(maas.text.tokenizer, "load_tokenizer")
    settings = Settings.parse({"MAAS_HOME": str(tmp_path / "home"), "MAAS_ACTOR": "tests"})
    settings.bundles.mkdir(parents=True)
    return Hostile(make_bundle(settings.bundles, seed=1), settings, opened)


def test_a_good_bundle_is_registered_by_the_same_door(hostile: Hostile) -> None:
    assert hostile.register() == 1
    assert sorted(hostile.opened) == ["load_tokenizer"] * 2 + ["open_session"] * 2


# ---- S16: weights that lie elsewhere ------------------------------------------------------------


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/passwd", "", "other.bin", "sub/w.bin"]
)
def test_s16_weights_that_the_manifest_does_not_name_are_refused(
    hostile: Hostile, location: str
) -> None:
    shutil.copy(hostile.folder / hostile.external / WEIGHTS_FILE, hostile.settings.bundles)
    hostile.point(location)
    assert f"points at {location!r}, which the manifest does not list" in hostile.refusal()


def test_s16_weights_of_another_form_are_refused(hostile: Hostile) -> None:
    (hostile.folder / "portable" / "mine.bin").write_bytes(b"\x00" * 144)
    hostile.point("mine.bin")
    assert "points at 'mine.bin', which the manifest does not list" in hostile.refusal()


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "folder"])
def test_s16_weights_behind_a_link_are_refused(hostile: Hostile, kind: str) -> None:
    folder = hostile.folder / hostile.external
    weights, elsewhere = folder / WEIGHTS_FILE, hostile.settings.home / "elsewhere"
    if kind == "folder":
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
    elif kind == "symlink":
        weights.rename(elsewhere)
        weights.symlink_to(elsewhere)
    else:
        elsewhere.hardlink_to(weights)
    assert "link" in hostile.refusal(hostile.bundle.manifest)


# ---- S17: other files than the manifest's -------------------------------------------------------


def _swapped(hostile: Hostile) -> None:
    other = make_bundle(hostile.settings.bundles, seed=2)
    shutil.copy(other.folder / PORTABLE, hostile.folder / PORTABLE)
    shutil.rmtree(other.folder)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda h: (h.folder / "numpy.py").write_text("import os"), "Not named in manifest.json"),
        (lambda h: (h.folder / ".ignore").write_text("*"), "Not named in manifest.json"),
        (lambda h: (h.folder / GOLDEN).unlink(), "Missing from the bundle"),
        (lambda h: (h.folder / TOKENIZER).rename(h.folder / "Tokenizer.json"), "Missing"),
        (_swapped, "was changed: its sha256"),
    ],
    ids=["extra", "ignored", "missing", "renamed", "swapped"],
)
def test_s17_what_is_not_as_the_manifest_says_is_refused(
    hostile: Hostile, damage: "Damage", reason: str
) -> None:
    damage(hostile)
    assert reason in hostile.refusal(hostile.bundle.manifest)


def test_s17_an_older_version_in_the_place_of_a_newer_one_does_not_answer(
    tmp_path: "Path", log: io.StringIO
) -> None:
    # Given the bundle of version 1, whole, where that of version 2 should lie
    home = make_home(tmp_path, versions=2)
    shutil.rmtree(home.bundles[2].folder)
    shutil.copytree(home.bundles[1].folder, home.bundles[2].folder)
    with open_client(home.services()) as client:
        answer = client.post("/models/sentiment/versions/2", json={"inputs": "good"})
        assert (answer.status_code, answer.json()["code"]) == (503, "model_not_ready")
        assert "the registry says" in log.getvalue()
        assert client.predict("good").headers["x-maas-digest"] == home.bundles[1].digest
    # And registering the older one again makes no newer version of it
    with home.registry() as registry:
        again = register_bundle(registry, home.bundles[1].folder)
        assert (again.record.number, again.created) == (1, False)
    count("attacks", 2)


# ---- S20, S21, S22: what libraries would do -----------------------------------------------------


def _foreign(hostile: Hostile) -> None:
    def change(model: Any) -> None:  # noqa: ANN401
        model.graph.node[0].domain, model.graph.node[0].op_type = "com.microsoft", "PyOp"

    hostile.edit(PORTABLE, change)


def _endless_tree(hostile: Hostile) -> None:
    tree = onnx.load_from_string(chain(20_000))

    def change(model: Any) -> None:  # noqa: ANN401
        model.graph.node.append(tree.graph.node[0])
        model.opset_import.append(tree.opset_import[1])

    hostile.edit(PORTABLE, change)


def _tokenizer(**fields: object) -> "Damage":
    def damage(hostile: Hostile) -> None:
        file = json.loads(tiny_tokenizer()) | fields
        (hostile.folder / TOKENIZER).write_text(json.dumps(file))

    return damage


def _config(hostile: Hostile) -> None:
    session = '{"session_options": {"enable_profiling": 1}}'
    hostile.edit(PORTABLE, lambda m: m.metadata_props.add(key="ort_config", value=session))


def _renamed_graph(hostile: Hostile) -> "Manifest":
    (hostile.folder / PORTABLE).rename(hostile.folder / "portable/model.ort")
    optimised, portable = hostile.bundle.manifest.forms
    (file,) = portable.files
    path = "portable/model.ort"
    renamed = replace(portable, graph=path, files=(replace(file, path=path),))
    return replace(hostile.bundle.manifest, forms=(optimised, renamed))


def _unused_weights(hostile: Hostile) -> None:
    (hostile.folder / "portable" / "more.bin").write_bytes(b"\x00" * 9)


def _other_opset(hostile: Hostile) -> None:
    hostile.edit(PORTABLE, lambda m: setattr(m.opset_import[0], "version", 18))


def _other_input(hostile: Hostile) -> None:
    hostile.edit(PORTABLE, lambda m: setattr(m.graph.input[0], "name", "tokens"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_foreign, "portable/model.onnx is refused: node 'PyOp' of"),
        (_endless_tree, "has a tree of more than 1000 levels"),
        (_config, "portable/model.onnx is refused: the model has metadata_props"),
        (_renamed_graph, "portable/model.ort is called a graph and not .onnx"),
        (_unused_weights, "portable/model.onnx does not point at portable/more.bin"),
        (_other_opset, "portable/model.onnx has other opset than the manifest says"),
        (_other_input, "portable/model.onnx has other inputs than the manifest says"),
        (_tokenizer(model={}), "tokenizer.json is refused: model"),
        (_tokenizer(normalizer={"type": "Precompiled"}), "tokenizer.json is refused: normalizer"),
        (
            _tokenizer(
                added_tokens=json.loads(tiny_tokenizer())["added_tokens"]
                + [
                    {"id": 18, "content": "good film", "single_word": False, "lstrip": False}
                    | {"rstrip": False, "normalized": False, "special": True}
                ]
            ),
            "tokenizer.json is refused: it has 19 ids, and the graph a table of 18 rows",
        ),
    ],
    ids=[
        *(
            "S20 PyOp",
            "S20 tree",
            "S21 ort_config",
            "S20 .ort",
            "S16 unused",
            "F13 opset",
            "F13 inputs",
        ),
        *("S22 model", "S22 panics", "S22 ids"),
    ],
)
def test_s20_s21_s22_what_the_policies_refuse_cannot_be_registered(
    hostile: Hostile, damage: "Damage", reason: str
) -> None:
    assert reason in hostile.refusal(damage(hostile))


def test_s22_a_version_that_an_older_maas_registered_cannot_be_packaged(tmp_path: "Path") -> None:
    # Given versions with a pattern that panics, which got past the door
    home = make_home(tmp_path / "home", versions=1, hazards=True)
    project = make_project(tmp_path / "project")
    # Then they end before a layer is written
    with pytest.raises(RefusedError, match=r"tokenizer\.json is refused: pre_tokenizer"):
        package_into(project, home)
    assert not list(project.models.glob("*/served.json"))
    count("attacks")


# ---- S23: files that run code when they are opened ----------------------------------------------


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", PICKLE)
    return file.getvalue()


@pytest.mark.parametrize(
    "path", [PORTABLE, f"{optimised_form()}/{WEIGHTS_FILE}", TOKENIZER, GOLDEN]
)
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PICKLE, "is a pickle"),
        (b"\x80\x02" + PICKLE[2:], "is a pickle"),
        (_zip(), "is a zip archive"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '|O'}", "is a NumPy array"),
        (b"\x1f\x8b\x08\x00" + b"\x00" * 20, "is a gzip file"),
        (b"BZh9" + b"\x00" * 20, "is a bzip2 file"),
        (b"\xfd7zXZ\x00" + b"\x00" * 20, "is an xz file"),
        (b"\x89HDF\r\n\x1a\n" + b"\x00" * 20, "is an HDF5 file"),
        (b"\x7fELF" + b"\x00" * 20, "is a program"),
        (b"#!/bin/sh\nid", "is a script"),
    ],
    ids=[*("pickle", "old pickle", "torch", "npy", "gzip", "bzip2", "xz", "HDF5", "ELF", "script")],
)
def test_s23_what_runs_code_when_it_is_opened_is_refused_by_name(
    hostile: Hostile, path: str, data: bytes, kind: str
) -> None:
    (hostile.folder / path).write_bytes(data)
    assert f"{path} {kind}" in hostile.refusal()


def test_s23_a_file_that_no_part_of_a_bundle_needs_is_refused(hostile: Hostile) -> None:
    file = hostile.folder / "model.pkl"
    file.write_bytes(b"cposix\nsystem\n(S'id'\ntR.")  # the oldest kind, which has no magic
    golden, tokenizer = hostile.bundle.manifest.files
    size, digest = file.stat().st_size, sha256_file(file)
    extra = replace(golden, path="model.pkl", size=size, sha256=digest)
    files = (golden, extra, tokenizer)
    assert "model.pkl is missing, or is no file of a bundle" in hostile.refusal(
        replace(hostile.bundle.manifest, files=files)
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("portable/golden-int8.jsonl", "does not point at portable/golden-int8.jsonl"),
        ("int8/golden.jsonl", "int8/golden.jsonl is missing, or is no file of a bundle"),
        ("golden-int8.jsonl", "golden-int8.jsonl is missing, or is no file of a bundle"),
    ],
)
def test_s23_golden_requests_of_no_form_are_refused(
    hostile: Hostile, path: str, reason: str
) -> None:
    (hostile.folder / path).parent.mkdir(exist_ok=True)
    shutil.copy(hostile.folder / GOLDEN, hostile.folder / path)
    manifest = describe_bundle(hostile.folder)
    if not path.startswith("portable"):  # listed as what every form needs
        files = (*manifest.files, file_entry(hostile.folder, path))
        manifest = replace(manifest, files=tuple(sorted(files, key=lambda each: each.path)))
    assert reason in hostile.refusal(manifest)


@pytest.mark.parametrize("listed", [True, False])
def test_s23_golden_requests_of_a_form_that_are_gone_or_unnamed_are_refused(
    hostile: Hostile, *, listed: bool
) -> None:
    own = hostile.folder / "portable" / GOLDEN
    shutil.copy(hostile.folder / GOLDEN, own)
    manifest = describe_bundle(hostile.folder)
    if listed:
        own.unlink()
        assert "Missing from the bundle: portable/golden.jsonl" in hostile.refusal(manifest)
        return
    refusal = hostile.refusal(hostile.bundle.manifest)
    assert "Not named in manifest.json: portable/golden.jsonl" in refusal


def test_s23_golden_requests_are_no_weights(hostile: Hostile) -> None:
    (hostile.folder / hostile.external / WEIGHTS_FILE).rename(
        hostile.folder / hostile.external / GOLDEN
    )
    hostile.point(GOLDEN)
    assert f"{hostile.external}/model.onnx is refused" in hostile.refusal()


def test_s23_golden_requests_of_a_form_are_bounded(hostile: Hostile) -> None:
    (hostile.folder / "portable" / GOLDEN).write_bytes(b" " * (LIMITS.golden_bytes + 1))
    assert "portable/golden.jsonl has more than" in hostile.refusal()


def test_s23_weights_may_begin_as_a_pickle_does(hostile: Hostile) -> None:
    file = hostile.folder / hostile.external / WEIGHTS_FILE
    data = b"\x80\x04" + file.read_bytes()[2:]
    assert data[-1:] != b"."
    file.write_bytes(data)
    assert hostile.register() == 1  # these weights are the padding's


# ---- S24: exchanged after it was verified -------------------------------------------------------


def _exchange(folder: "Path") -> None:
    other = folder.with_name("other")
    (folder / PORTABLE).rename(other)
    shutil.copy(other, folder / PORTABLE)


def _there_and_back(folder: "Path") -> None:
    _exchange(folder)
    folder.with_name("other").rename(folder / PORTABLE)


def _in_place(folder: "Path") -> None:
    status = (folder / PORTABLE).stat()
    data = (folder / PORTABLE).read_bytes()
    (folder / PORTABLE).write_bytes(data)
    os.utime(folder / PORTABLE, ns=(status.st_atime_ns, status.st_mtime_ns))


def _whole_folder(folder: "Path") -> None:
    shutil.copytree(folder, folder.with_name("other"))
    folder.rename(folder.with_name("former"))
    folder.with_name("other").rename(folder)


def _form_folder(folder: "Path") -> None:
    form = folder / "portable"
    shutil.copytree(form, folder.with_name("other"))
    form.rename(folder.with_name("former"))
    folder.with_name("other").rename(form)
    shutil.rmtree(form)
    folder.with_name("former").rename(form)


def _tokenizer_file(folder: "Path") -> None:
    other = folder.with_name("other.json")  # at once: it is read at this very moment
    other.write_bytes((folder / TOKENIZER).read_bytes())
    other.replace(folder / TOKENIZER)


SWAPS = [_exchange, _there_and_back, _in_place, _whole_folder, _form_folder, _tokenizer_file]


@pytest.mark.parametrize("swap", SWAPS)
def test_s24_what_was_exchanged_while_it_was_opened_does_not_answer(
    tmp_path: "Path", monkeypatch: pytest.MonkeyPatch, swap: "Callable[[Path], None]"
) -> None:
    # Given a verified bundle, and somebody who exchanges a file before ONNX Runtime opens it
    bundle = make_bundle(tmp_path / "bundles")
    time.sleep(0.02)  # the file system's clock ticks every 4 ms
    verified = verify_bundle(bundle.folder, digest=bundle.digest)
    real = session.open_session

    def exchanged(*arguments: Any, **options: Any) -> "Session":  # noqa: ANN401
        swap(bundle.folder)
        return real(*arguments, **options)

    monkeypatch.setattr("maas.loading.open_session", exchanged)
    # Then what was loaded is thrown away, though it answers as recorded
    with pytest.raises(BundleError, match="was changed while it was loaded"):
        load_version(verified, form="portable", threads=1)
    count("attacks")


def test_s24_it_is_loaded_again_when_nobody_interferes(
    tmp_path: "Path", monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    home = make_home(tmp_path, versions=1)
    later = [0.0]
    real = session.open_session

    def exchanged(*arguments: Any, **options: Any) -> "Session":  # noqa: ANN401
        _tokenizer_file(home.bundles[1].folder)
        return real(*arguments, **options)

    with open_client(home.services(clock=lambda: time.monotonic() + later[0])) as client:
        with monkeypatch.context() as patch:
            patch.setattr("maas.loading.open_session", exchanged)
            assert client.predict("good").status_code == 503
        later[0] = REFUSED_SECONDS
        assert client.predict("good").status_code == 200
    assert "tokenizer.json was changed while it was loaded" in log.getvalue()


# ---- S25: a layer that shadows modules ----------------------------------------------------------

SHADOWS = ["numpy.py", "sitecustomize.py", "python/numpy.py", "usercustomize.py", "models.pth"]


@pytest.mark.parametrize("name", SHADOWS)
@pytest.mark.parametrize("place", ["", "version"])
def test_s25_a_layer_with_a_file_of_its_own_is_neither_built_nor_deployed(
    tmp_path: "Path", name: str, place: str
) -> None:
    # Given a packaged model, and a module that somebody put beside it or into it
    home = make_home(tmp_path / "home", versions=1)
    project = make_project(tmp_path / "project")
    package_into(project, home)
    folder = project.models / "sentiment"
    version = digest16(home.bundles[1].digest)
    shadow = folder / (version if place else "") / name
    shadow.parent.mkdir(exist_ok=True)
    shadow.write_text("raise SystemExit")
    # Then it is refused before anything is deployed
    with pytest.raises(RefusedError, match="layers/models/sentiment was changed"):
        read_packaged(project)
    # And a build takes nothing but what packaging named, all of it below /opt/models
    artifacts = tmp_path / "artifacts"
    built = ["make", "-s", "-C", str(folder), "build-X", f"ARTIFACTS_DIR={artifacts}"]
    subprocess.run(built, check=True, timeout=30)
    top = {path.relative_to(artifacts).parts[:2] for path in artifacts.rglob("*") if path.is_file()}
    assert top == {("models", "sentiment")}
    beside = {path.name for path in (artifacts / "models/sentiment").iterdir()}
    assert beside == {"served.json", version}
    count("attacks")


# ---- Family 26 ----------------------------------------------------------------------------------

ODD: list[Any] = [
    *(None, True, -1, 0, 1, 2**63, 1.5, "", "..", "/etc/passwd", "a/b/c", "x" * 200, "\x00", "é"),
    *([], {}, [[]], ["a", "a"], {"a": 1}, {"__class__": "x"}),
]


def _places(value: object) -> "Iterator[tuple[Any, Any]]":
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


def test_family_26_anything_anywhere_in_a_manifest_is_refused_or_means_what_it_says(
    tmp_path: "Path",
) -> None:
    # Given manifests with something odd, absent or added anywhere
    rng = random.Random(26)
    whole = canonical_json(make_bundle(tmp_path).manifest)
    accepted = 0
    for _ in range(examples(1_000, 20_000)):
        body = msgspec.json.decode(whole)
        holder, key = rng.choice(list(_places(body)))
        match rng.randrange(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder["extra"] = rng.choice(ODD)
            case _:
                holder[key] = rng.choice(ODD)
        data = msgspec.json.encode(body, order="sorted")
        count("inputs")
        # Then each is refused as such, or says what its bytes say
        try:
            manifest = parse_manifest(data)
        except BundleError:
            continue
        accepted += 1
        assert canonical_json(manifest) == data
        paths = [entry.path for entry in manifest.entries()]
        assert all(not path.startswith(("/", ".")) and ".." not in path for path in paths)
    assert 0 < accepted < examples(1_000, 20_000) / 2
