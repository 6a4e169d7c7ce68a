"""The manifest: strict to read, canonical to write, and its hash is the digest (family 26)."""

import copy
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from support.tiny import TinyBundle, make_bundle
from support.tiny_embedding import make_embedding
from support.tiny_image import make_image
from support.tiny_pairs import make_question, make_zero_shot
from support.tiny_tokens import make_tokens
from support.tiny_writer import make_writer

from maas.bundle.manifest import bundle_digest, canonical_json, digest16, parse_manifest
from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Body = dict[str, Any]

HEX = "0" * 64


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    return make_bundle(tmp_path_factory.mktemp("bundles"))


def sealed(body: "Body") -> bytes:
    """The canonical bytes of a manifest that may be wrong in any way."""
    return msgspec.json.encode(body, order="sorted")


def body_of(bundle: TinyBundle) -> "Body":
    body: Body = msgspec.json.decode(canonical_json(bundle.manifest))
    return body


def entry(path: str, **other: object) -> "Body":
    return {"path": path, "size": 1, "sha256": HEX} | other


def test_a_manifest_survives_the_way_to_bytes_and_back(bundle: TinyBundle) -> None:
    data = (bundle.folder / "manifest.json").read_bytes()
    assert parse_manifest(data) == bundle.manifest
    assert canonical_json(parse_manifest(data)) == data
    assert bundle_digest(data) == bundle.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert digest16(bundle.digest) == bundle.folder.name == bundle.digest[7:23]


def test_an_unknown_field_is_refused_wherever_it_stands(bundle: TinyBundle) -> None:
    # Given each object of a manifest, at any depth
    def objects(value: object) -> "list[Body]":
        if isinstance(value, list):
            return [found for item in value for found in objects(item)]
        if not isinstance(value, dict):
            return []
        inner = [found for key, item in value.items() for found in objects(item)]
        free = {
            "test_accuracy",
            "run",
        } & value.keys()  # metrics and lineage have names of their own
        return inner if free else [value, *inner]

    count = len(objects(body_of(bundle)))
    assert count == 12  # the manifest, 3 tensors, limits, 2 forms, 2 + 3 files

    for place in range(count):
        # When it has one field more
        body = body_of(bundle)
        objects(body)[place]["extra"] = 1

        # Then the manifest is refused, and the field named
        with pytest.raises(BundleError, match="unknown field `extra`"):
            parse_manifest(sealed(body))


def _set(*keys: str | int, to: object) -> "Callable[[Body], None]":
    def change(body: "Body") -> None:
        target: Any = body
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = to

    return change


def _files(*entries: "Body") -> "Callable[[Body], None]":
    return _set("files", to=list(entries))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        # wrong types and values of single fields
        (_set("format", to=2), "Invalid enum value 2"),
        (_set("format", to="1"), r"Expected `int`"),
        (_set("task", to="image"), "Invalid enum value 'image'"),
        (_set("name", to="Sentiment"), "a name such as sentiment"),
        (_set("name", to="../x"), "a name such as sentiment"),
        (_set("limits", "max_tokens", to=0), "max_tokens"),
        (_set("limits", "max_tokens", to=513), "1 to 512"),
        (_set("limits", "max_tokens", to=True), "Expected `int`"),
        (_set("metrics", "x", to="0.5"), "Expected `float`"),
        (_set("lineage", "run", to=1), "Expected `str`"),
        (_set("forms", 0, "optimised", to=1), "Expected `bool`"),
        (_set("forms", 0, "opset", to=0), "opset"),
        (_set("forms", 0, "name", to="x y"), "name"),
        # labels
        (_set("labels", to=["only"]), "2 to 1000 labels"),
        (_set("labels", to=[str(n) for n in range(1001)]), "2 to 1000 labels"),
        (_set("labels", to=["same", "same"]), "distinct"),
        *((_set("labels", to=["a", f"b{c}"]), "control") for c in "\x00\n\r\x1b\x7f\x85\u2028"),
        (_set("labels", to=["a", ""]), "control"),
        (_set("labels", to=["a", "b" * 129]), "control"),
        # tensors
        (_set("inputs", to=[]), "at least one tensor"),
        (_set("outputs", to=[]), "at least one tensor"),
        (_set("inputs", 0, "name", to="attention_mask"), "each named once"),
        (_set("inputs", 0, "name", to="tokens"), "must be input_ids, int64 [batch, sequence]"),
        (_set("inputs", 0, "dtype", to="int32"), "must be input_ids, int64"),
        (_set("inputs", 0, "shape", to=["batch", 16]), "must be input_ids, int64"),
        (_set("inputs", 0, "shape", to=["batch"]), "must be input_ids, int64"),
        (lambda body: body["inputs"].pop(), "must be attention_mask"),
        (lambda body: body["inputs"].append(body["inputs"][0] | {"name": "z"}), "no other tensor"),
        (lambda body: body["outputs"].append(body["outputs"][0] | {"name": "z"}), "no other"),
        (_set("outputs", 0, "name", to="scores"), "must be logits, float32"),
        (_set("outputs", 0, "dtype", to="float64"), "must be logits, float32"),
        (_set("outputs", 0, "shape", to=[1, 2]), "must be logits, float32"),
        (_set("inputs", 0, "shape", to=["batch", 0]), "at least 1"),
        (_set("inputs", 0, "shape", to=["batch", -1]), "at least 1"),
        (_set("outputs", 0, "shape", to=["batch", 3]), "one number per label"),
        (_set("outputs", 0, "shape", to=[]), "one number per label"),
        # forms
        (_set("forms", to=[]), "at least one form"),
        (_set("forms", 0, "graph", to="tokenizer.json"), "does not list its graph"),
        (lambda body: body["forms"].reverse(), "in name order"),
        (lambda body: body["forms"].append(body["forms"][-1]), "in name order"),
        # files
        *(
            (_files(entry(path)), "not a plain path")
            for path in (
                "/etc/passwd",
                "..",
                "../x",
                "a/../x",
                "a/..",
                "a/b/c",
                "a//b",
                "./a",
                "a/",
            )
        ),
        *(
            (_files(entry(path)), "not a plain path")
            for path in ("", ".hidden", "a\\b", "a\nb", "a\n", "a b", "é", "a" * 65, "a/.b", "C:/x")
        ),
        (_files(entry("a"), entry("a")), "listed twice"),
        (_files(entry("manifest.json")), "listed twice"),
        (_files(entry("portable/model.onnx")), "listed twice"),
        (_files(entry("portable")), "a file and a folder at once"),
        (_files(entry("b"), entry("a")), "path order"),
        (_files(entry("a", sha256=HEX[1:])), "sha256"),
        (_files(entry("a", sha256=HEX + "0")), "sha256"),
        (_files(entry("a", sha256=HEX + "\n")), "sha256"),
        (_files(entry("a", sha256="A" * 64)), "sha256"),
        (_files(entry("a", size=-1)), "size"),
        (_files(entry("a", size=1.5)), "Expected `int`"),
        (_files(entry("a", size=2**31)), "larger than 2147483648 bytes"),
        (_files(*(entry(f"f{n:02}") for n in range(30))), "more than 32 files"),
        (lambda body: body.pop("files"), "missing required field `files`"),
    ],
)
def test_what_is_not_acceptable_is_refused_with_its_reason(
    bundle: TinyBundle, change: "Callable[[Body], None]", reason: str
) -> None:
    body = body_of(bundle)
    change(body)
    with pytest.raises(BundleError) as refusal:
        parse_manifest(sealed(body))
    assert reason in f"{refusal.value.field}: {refusal.value}"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_metric_that_is_not_finite_is_refused(bundle: TinyBundle, number: str) -> None:
    data = (bundle.folder / "manifest.json").read_bytes()
    with pytest.raises(BundleError):
        parse_manifest(data.replace(b'"test_accuracy":0.75', b'"test_accuracy":' + number.encode()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data + b"\n",
        lambda data: b" " + data,
        lambda data: data.replace(b":", b": ", 1),
        lambda data: data.replace(b'"format":1', b'"format":1.0'),
        lambda data: data.replace(b'"format":1', b'"format":1,"format":1'),
        lambda data: data.replace(b"negative", b"n\\u0065gative"),
        lambda data: b"{" + b",".join(data[1:-1].rsplit(b',"task"', 1)[::-1]) + b"}",
    ],
    ids=["line feed", "space", "space inside", "1.0", "twice", "escape", "other order"],
)
def test_other_bytes_for_the_same_content_are_refused(
    bundle: TinyBundle, damage: "Callable[[bytes], bytes]"
) -> None:
    data = (bundle.folder / "manifest.json").read_bytes()
    assert damage(data) != data
    with pytest.raises(BundleError):
        parse_manifest(damage(data))


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":"\\ud800"}'],
    ids=["empty", "null", "list", "cut", "not UTF-8", "BOM", "deep", "surrogate"],
)
def test_what_is_no_manifest_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        parse_manifest(data)


def test_ten_megabytes_are_refused_before_they_are_parsed(bundle: TinyBundle) -> None:
    body = body_of(bundle)
    body["lineage"] = {f"k{n}": "v" * 1000 for n in range(10_000)}
    with pytest.raises(BundleError, match="larger than 1048576 bytes"):
        parse_manifest(sealed(body))


def test_a_form_is_found_by_name_or_refused(bundle: TinyBundle) -> None:
    assert bundle.manifest.form("portable").graph == "portable/model.onnx"
    with pytest.raises(BundleError, match="no form 'int8'"):
        bundle.manifest.form("int8")


# ---- What each task asks of a manifest ----------------------------------------------------------


def made(folder: "Path") -> "dict[str, Body]":
    """A manifest of each task beside text classification."""
    bundles = {
        "translation": make_writer(folder, seed=1),
        "summarization": make_writer(folder, seed=2, task="summarization"),
        "feature-extraction": make_embedding(folder),
        "image-classification": make_image(folder),
        "token-classification": make_tokens(folder),
        "zero-shot-classification": make_zero_shot(folder),
        "question-answering": make_question(folder),
    }
    return {
        task: msgspec.json.decode(canonical_json(bundle.manifest))
        for task, bundle in bundles.items()
    }


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> "dict[str, Body]":
    return made(tmp_path_factory.mktemp("tasks"))


def test_a_manifest_of_each_task_is_read(bodies: "dict[str, Body]") -> None:
    for task, body in bodies.items():
        manifest = parse_manifest(sealed(body))
        assert (manifest.format, manifest.task) == (1, task)
        assert canonical_json(manifest) == sealed(body)


def test_text_classification_has_the_bytes_that_it_ever_had(bundle: TinyBundle) -> None:
    body = body_of(bundle)
    assert body["limits"] == {"max_tokens": 16}
    assert "image" not in body
    for unused in ({"max_tokens": 16, "max_new_tokens": 0},):
        with pytest.raises(BundleError, match="canonical"):
            parse_manifest(sealed(body | {"limits": unused}))
    with pytest.raises(BundleError, match="canonical"):
        parse_manifest(sealed(body | {"image": None}))


WRITES, EMBEDS, LOOKS = "translation", "feature-extraction", "image-classification"
TAGS, FOLLOWS = "token-classification", "zero-shot-classification"
ANSWERS = "question-answering"
TYPED = {"name": "token_type_ids", "dtype": "int64", "shape": ["batch", "sequence"]}
IMAGE = {"width": 6, "height": 4, "channels": 3}


@pytest.mark.parametrize(
    ("task", "change", "reason"),
    [
        # labels are for those that classify
        (WRITES, _set("labels", to=["a", "b"]), "labels: must be none for translation"),
        (EMBEDS, _set("labels", to=["a", "b"]), "labels: must be none"),
        (LOOKS, _set("labels", to=[]), "labels: must be 2 to 1000 labels"),
        (LOOKS, _set("labels", to=["a", "b"]), "one number per label"),
        # limits
        (LOOKS, _set("limits", "max_tokens", to=1), "max_tokens: must be 0 for image"),
        (EMBEDS, _set("limits", "max_tokens", to=0), "max_tokens: must be 1 to 512"),
        (EMBEDS, _set("limits", "max_new_tokens", to=1), "max_new_tokens: must be 0"),
        (WRITES, _set("limits", to={"max_tokens": 16}), "max_new_tokens: must be 1 to 512"),
        (WRITES, _set("limits", "max_new_tokens", to=513), "max_new_tokens: must be 1 to 512"),
        (WRITES, _set("limits", "max_new_tokens", to=-1), "max_new_tokens"),
        (WRITES, _set("limits", "max_new_tokens", to=True), "Expected `int`"),
        # the picture
        (LOOKS, lambda body: body.pop("image"), "image: must be given"),
        (WRITES, _set("image", to=IMAGE), "image: must be absent"),
        (EMBEDS, _set("image", to=IMAGE), "image: must be absent"),
        (LOOKS, _set("image", "width", to=0), "width"),
        (LOOKS, _set("image", "channels", to=4), "Invalid enum value 4"),
        (LOOKS, _set("image", "depth", to=1), "unknown field `depth`"),
        (LOOKS, _set("image", "height", to=5), "must be pixels, float32"),
        (LOOKS, _set("image", "channels", to=1), "must be pixels, float32"),
        # tensors
        (LOOKS, _set("inputs", 0, "shape", to=["batch", 4, 6, 3]), "must be pixels, float32"),
        (LOOKS, _set("inputs", 0, "dtype", to="uint8"), "must be pixels, float32"),
        (EMBEDS, _set("outputs", 0, "name", to="logits"), "must be embedding, float32"),
        (EMBEDS, _set("outputs", 0, "shape", to=["batch", "dimension"]), "must be embedding"),
        (EMBEDS, _set("outputs", 0, "shape", to=["batch", "sequence", 8]), "must be embedding"),
        (WRITES, lambda body: body["inputs"].pop(), "max_new_tokens and no other tensor"),
        (WRITES, _set("inputs", 2, "shape", to=["batch"]), "must be beams, int64 [1]"),
        (WRITES, lambda body: body["outputs"].reverse(), "must be output_ids, int64"),
        (WRITES, lambda body: body["outputs"].pop(), "output_ids, scores and no other"),
        (WRITES, _set("outputs", 1, "dtype", to="float64"), "must be scores, float32 [batch]"),
        (TAGS, _set("outputs", 0, "shape", to=["batch", 5]), "[batch, sequence, labels]"),
        (TAGS, _set("labels", to=["O", "PER"]), "one number per label"),
        (TAGS, _set("inputs", 0, "dtype", to="int32"), "must be input_ids, int64"),
        (FOLLOWS, _set("labels", to=["yes", "no", "maybe"]), "one that begins with entail"),
        (FOLLOWS, _set("outputs", 0, "shape", to=["batch", "sequence", 3]), "[batch, labels]"),
        (FOLLOWS, _set("inputs", 2, "name", to="types"), "input_ids and no other tensor"),
        (ANSWERS, _set("labels", to=["a", "b"]), "labels: must be none for question-answering"),
        (ANSWERS, lambda body: body["outputs"].reverse(), "must be start_logits, float32"),
        (ANSWERS, lambda body: body["outputs"].pop(), "start_logits, end_logits and no other"),
        (ANSWERS, _set("outputs", 1, "shape", to=["batch"]), "must be end_logits, float32"),
        (EMBEDS, lambda body: body["inputs"].append(TYPED), "input_ids and no other tensor"),
        # and of another task it is none
        (WRITES, _set("task", to=EMBEDS), "max_new_tokens: must be 0"),
        (EMBEDS, _set("task", to=WRITES), "max_new_tokens: must be 1"),
        (EMBEDS, _set("task", to="text-classification"), "must be 2 to 1000 labels"),
        (LOOKS, _set("task", to="text-classification"), "max_tokens: must be 1"),
        (WRITES, _set("task", to="object-detection"), "Invalid enum value 'object-detection'"),
    ],
)
def test_what_does_not_fit_the_task_is_refused(
    bodies: "dict[str, Body]", task: str, change: "Callable[[Body], None]", reason: str
) -> None:
    body = copy.deepcopy(bodies[task])
    change(body)
    with pytest.raises(BundleError) as refusal:
        parse_manifest(sealed(body))
    assert reason in f"{refusal.value.field}: {refusal.value}"
