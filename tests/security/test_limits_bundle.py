"""Limits on bundles where they bite: limit − 1, limit, limit + 1 (P3, family 26, S20, S22)."""

import json
import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import structs
from onnx import TensorProto, helper
from support.effort import count
from support.graphs import add_node, classifier_graph, edited, nested
from support.resealed import home_of, resealed
from support.signing import KEY
from support.task_bundles import TaskBundle, home_with
from support.tiny import (
    TinyBundle,
    make_bundle,
    make_home,
    open_client,
    tiny_tokenizer,
    tiny_weights,
)
from support.tiny_generator import make_generator
from support.tiny_image import make_image
from support.tiny_writer import make_writer, writer_graph, writer_weights
from support.trees import chain, classic

from maas.bundle.graph_policy import check_graph
from maas.bundle.manifest import ImageInput, canonical_json, parse_manifest
from maas.bundle.signature import require_signature
from maas.bundle.tokenizer_policy import check_tokenizer
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas.limits import LIMITS, Limits
from maas_lab.recipes.recipe import VocabularyRecipe
from maas_lab.signing.bundles import sign_bundle

if TYPE_CHECKING:
    import io
    from pathlib import Path

MODEL = "/models/sentiment"
GOOD = {"inputs": "a good film"}
GRAPH = classifier_graph(tiny_weights(1))
edge = pytest.mark.parametrize("step", [-1, 0, 1])


# ---- The whole ----------------------------------------------------------------------------------


def check_bundle(
    bundle: TinyBundle | TaskBundle, step: int, said: str, limits: Limits = LIMITS
) -> None:
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


@edge
def test_limit_context_tokens(tmp_path: "Path", step: int) -> None:
    # Given a model that goes on with texts, and asks for so many
    most = LIMITS.context_tokens + step
    home = home_with(tmp_path, make_generator, context=most)
    check_bundle(home.bundle, step, f"must be 1 to {LIMITS.context_tokens}")
    if step > 0:
        return
    # Then a text may have all of them but one, which is for what follows
    with open_client(home.services()) as client:
        for words, status in ((most - 2, 200), (most - 1, 422)):  # and what begins it
            answer = client.post("/models/generator", json={"inputs": "a " * words})
            assert answer.status_code == status


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
    limits = structs.replace(LIMITS, bundle_bytes=total - step)
    check_bundle(bundle, step, f"larger than {limits.bundle_bytes} bytes", limits)
    # And the real one, of which a manifest can only tell
    entry = bundle.manifest.files[0]
    size = entry.size + LIMITS.bundle_bytes - total + step
    files = (structs.replace(entry, size=size), *bundle.manifest.files[1:])
    told = resealed(bundle, structs.replace(bundle.manifest, files=files))
    said = f"larger than {LIMITS.bundle_bytes} bytes" if step > 0 else "manifest.json says"
    check_bundle(told, 1, said)


@edge
def test_limit_bundle_files(tmp_path: "Path", step: int) -> None:
    bundle = make_bundle(tmp_path)
    forms = {form.name: form for form in bundle.manifest.forms}
    portable = forms["portable"]
    for number in range(LIMITS.bundle_files - len(bundle.manifest.entries()) + step):
        name = f"copy-{number:02}"
        shutil.copytree(bundle.folder / "portable", bundle.folder / name)
        (entry,) = portable.files
        entry = structs.replace(entry, path=f"{name}/model.onnx")
        forms[name] = structs.replace(portable, name=name, graph=entry.path, files=(entry,))
    ordered = tuple(forms[name] for name in sorted(forms))
    bundle = resealed(bundle, structs.replace(bundle.manifest, forms=ordered))
    check_bundle(bundle, step, f"more than {LIMITS.bundle_files} files")


@edge
def test_limit_manifest_bytes(tmp_path: "Path", step: int) -> None:
    bundle = make_bundle(tmp_path)
    room = LIMITS.manifest_bytes + step - len(canonical_json(bundle.manifest))
    lineage = bundle.manifest.lineage | {"run": "x" * (room + len(bundle.manifest.lineage["run"]))}
    bundle = resealed(bundle, structs.replace(bundle.manifest, lineage=lineage))
    assert (bundle.folder / "manifest.json").stat().st_size == LIMITS.manifest_bytes + step
    check_bundle(bundle, step, f"larger than {LIMITS.manifest_bytes} bytes")


@edge
def test_limit_signature_bytes(tmp_path: "Path", step: int) -> None:
    # Given a right signature with white space behind it
    bundle = verify_bundle(make_bundle(tmp_path).folder)
    path = sign_bundle(bundle.folder, KEY).path
    path.write_bytes(path.read_bytes().ljust(LIMITS.signature_bytes + step))
    if step <= 0:
        require_signature(bundle, KEY.public)
        return
    count("attacks")
    with pytest.raises(BundleError, match=f"larger than {LIMITS.signature_bytes} bytes"):
        require_signature(bundle, KEY.public)


# ---- What lies in it ----------------------------------------------------------------------------


def check_size(tmp_path: "Path", limit: str, names: tuple[str, ...], step: int) -> None:
    """The limit is the size of the largest of these files, or one byte to either side."""
    bundle = make_bundle(tmp_path)
    size = max((bundle.folder / name).stat().st_size for name in names)
    limits = structs.replace(LIMITS, **{limit: size - step})
    check_bundle(bundle, step, f"more than {size - step} bytes", limits)


@edge
def test_limit_graph_bytes(tmp_path: "Path", step: int) -> None:
    check_size(tmp_path, "graph_bytes", ("portable/model.onnx",), step)


@edge
def test_limit_tokenizer_bytes(tmp_path: "Path", step: int) -> None:
    check_size(tmp_path, "tokenizer_bytes", ("tokenizer.json",), step)


@edge
def test_limit_golden_bytes(tmp_path: "Path", step: int) -> None:
    check_size(tmp_path, "golden_bytes", ("golden.jsonl",), step)


def check_admitted(graph: bytes, step: int, said: str, limits: Limits = LIMITS) -> None:
    """Up to the limit a graph is admitted; above it refused, and the limit named."""
    if step <= 0:
        check_graph(graph, {}, limits=limits)
        return
    count("attacks")
    with pytest.raises(BundleError, match=said):
        check_graph(graph, {}, limits=limits)


@edge
def test_limit_graph_nodes(step: int) -> None:
    nodes = check_graph(GRAPH, {}).nodes
    limits = structs.replace(LIMITS, graph_nodes=nodes - step)
    check_admitted(GRAPH, step, f"more than {nodes - step} nodes", limits)


@edge
def test_limit_graph_depth(step: int) -> None:
    graph = edited(GRAPH, lambda m: add_node(m, nested(LIMITS.graph_depth + step), yes=True))
    check_admitted(graph, step, f"deeper than {LIMITS.graph_depth} levels")


@edge
def test_limit_graph_fields(step: int) -> None:
    def admitted(fields: int) -> bool:
        try:
            check_graph(GRAPH, {}, limits=structs.replace(LIMITS, graph_fields=fields))
        except BundleError:
            return False
        return True

    # How many it has is found by halves
    few, enough = 0, 10_000
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if admitted(middle) else (middle, enough)
    assert 50 < enough < 1_000
    check_admitted(GRAPH, step, "fields", structs.replace(LIMITS, graph_fields=enough - step))


@edge
def test_limit_graph_elements(step: int) -> None:
    def large(model: Any) -> None:  # noqa: ANN401
        node = helper.make_node("ConstantOfShape", ["shape"], ["large"])
        add_node(model, node, shape=[LIMITS.graph_elements + step])

    check_admitted(edited(GRAPH, large), step, f"more than {LIMITS.graph_elements} elements")


@edge
def test_limit_tree_nodes(step: int) -> None:
    limits = structs.replace(LIMITS, tree_nodes=4 - step)
    check_admitted(classic("TreeEnsembleRegressor"), step, f"{4 - step} are admitted", limits)


@edge
def test_limit_tree_depth(step: int) -> None:
    graph = chain(LIMITS.tree_depth - 1 + step)  # and the leaf of the last branch
    check_admitted(graph, step, f"a tree of more than {LIMITS.tree_depth} levels")


@edge
def test_limit_graph_turns(step: int) -> None:
    def value(name: str, kind: int) -> Any:  # noqa: ANN401
        return helper.make_tensor_value_info(name, kind, [])

    again = helper.make_node("Identity", ["more"], ["again"])
    taken = [value("turn", TensorProto.INT64), value("more", TensorProto.BOOL)]
    body = helper.make_graph([again], "body", taken, [value("again", TensorProto.BOOL)])
    node = helper.make_node("Loop", ["turns", "yes"], [], body=body)
    graph = edited(GRAPH, lambda m: add_node(m, node, yes=True, turns=LIMITS.graph_turns + step))
    check_admitted(graph, step, f"more than {LIMITS.graph_turns} times")


@edge
def test_limit_added_tokens(step: int) -> None:
    tokenizer = json.loads(tiny_tokenizer())
    first = len(tokenizer["model"]["vocab"])
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    tokenizer["added_tokens"] = [
        {"id": first + n, "content": f"<{n}>", **plain} for n in range(LIMITS.added_tokens + step)
    ]
    data = json.dumps(tokenizer).encode()
    if step <= 0:
        assert check_tokenizer(data, labels=(), rows=None) == first + LIMITS.added_tokens + step
        return
    count("attacks")
    with pytest.raises(BundleError, match=f"more than {LIMITS.added_tokens} tokens"):
        check_tokenizer(data, labels=(), rows=None)


# ---- The tasks' own -----------------------------------------------------------------------------


@edge
def test_limit_input_side(tmp_path: "Path", step: int) -> None:
    # Given an image model whose manifest says how large its pictures are
    manifest = make_image(tmp_path).manifest
    image = ImageInput(width=1, height=LIMITS.input_side + step, channels=1)
    shape = ("batch", 1, image.height, 1)
    inputs = (structs.replace(manifest.inputs[0], shape=shape),)
    data = canonical_json(structs.replace(manifest, image=image, inputs=inputs))
    if step <= 0:
        assert parse_manifest(data).image == image
        return
    count("attacks")
    with pytest.raises(BundleError, match=f"at most {LIMITS.input_side} pixels"):
        parse_manifest(data)


@pytest.mark.parametrize("tokens", [0, LIMITS.new_tokens + 1])
def test_a_manifest_is_held_to_the_limit_of_new_tokens(tmp_path: "Path", tokens: int) -> None:
    manifest = make_writer(tmp_path).manifest
    for most in (LIMITS.new_tokens, tokens):
        limits = structs.replace(manifest.limits, max_new_tokens=most)
        data = canonical_json(structs.replace(manifest, limits=limits))
        if most == LIMITS.new_tokens:
            assert parse_manifest(data).limits == limits
        else:
            with pytest.raises(BundleError, match=f"must be 1 to {LIMITS.new_tokens}"):
                parse_manifest(data)


@edge
def test_a_graph_that_writes_is_held_to_the_limit_of_turns(step: int) -> None:
    # Given a loop that turns as often as the lesser of a constant and what is asked for
    graph = writer_graph(*writer_weights(1), turns=LIMITS.graph_turns + step)
    for data in (graph, edited(graph, _squeeze_count)):
        if step <= 0:
            assert check_graph(data, {}).outputs == ("output_ids", "scores")
            continue
        count("attacks")
        with pytest.raises(BundleError, match=f"turn more than {LIMITS.graph_turns} times"):
            check_graph(data, {})


def _squeeze_count(model: Any) -> None:  # noqa: ANN401
    """Let the count come as a list of one, as an exporter may have it."""
    (at,) = (i for i, node in enumerate(model.graph.node) if node.op_type == "Loop")
    loop = model.graph.node[at]
    model.graph.node.insert(at, helper.make_node("Squeeze", [loop.input[0]], ["squeezed"]))
    loop.input[0] = "squeezed"
