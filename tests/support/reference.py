"""An encoder of the size that people serve, made in code: its costs are real, its answers are not.

    home = reference_home(tmp_path)      # 6 layers of 384: 11 million parameters
    reference_text(512)                  # a text of as many tokens

Attention's memory grows with the square of a text's length, which the tiny models' does not.
"""

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper
from support.graphs import INPUTS, OPSET
from support.tiny import (
    MODEL,
    WORDS,
    Home,
    TinyBundle,
    describe_bundle,
    make_home,
    register_bundle,
    tiny_tokenizer,
    write_bundle,
)

from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import ModelLimits, digest16
from maas.engine.session import open_session
from maas.loading import TOKENIZER, optimised_form

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

TOKENS = 512
LAYERS, WIDTH, HEADS, INNER = 6, 384, 12, 1536


def reference_text(tokens: int) -> str:
    """A text of so many tokens, its words in an order of their own."""
    return " ".join(WORDS[2 + index % 10] for index in range(tokens))


class _Encoder:
    """Collects nodes and weights; each method answers with the name of what it made."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(0)

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - as ONNX has them
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: object, dtype: "npt.DTypeLike" = np.float32) -> str:
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def matrix(self, *shape: int) -> str:
        return self.constant(self._rng.standard_normal(shape, dtype=np.float32) * 0.02)

    def layer(self, x: str, bias: str) -> str:
        split = self.constant((0, 0, HEADS, WIDTH // HEADS), np.int64)
        heads = []
        for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
            flat = self.node("MatMul", x, self.matrix(WIDTH, WIDTH))
            heads.append(self.node("Transpose", self.node("Reshape", flat, split), perm=order))
        scaled = self.node("Mul", self.node("MatMul", *heads[:2]), self.constant(WIDTH**-0.5))
        weights = self.node("Softmax", self.node("Add", scaled, bias), axis=-1)
        seen = self.node("Transpose", self.node("MatMul", weights, heads[2]), perm=[0, 2, 1, 3])
        joined = self.node("Reshape", seen, self.constant((0, 0, WIDTH), np.int64))
        x = self.node("Add", x, self.node("MatMul", joined, self.matrix(WIDTH, WIDTH)))
        inner = self.node("Relu", self.node("MatMul", x, self.matrix(WIDTH, INNER)))
        return self.node("Add", x, self.node("MatMul", inner, self.matrix(INNER, WIDTH)))


def _graph() -> onnx.ModelProto:
    made = _Encoder()
    one = made.constant(1.0)
    mask = made.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    rows = made.node("Unsqueeze", mask, made.constant((1, 2), np.int64))
    bias = made.node("Mul", made.node("Sub", one, rows), made.constant(-1e4))
    x = made.node("Gather", made.matrix(len(WORDS), WIDTH), "input_ids")
    for _ in range(LAYERS):
        x = made.layer(x, bias)
    first = made.node("Gather", x, made.constant(0, np.int64), axis=1)
    logits = made.node("MatMul", first, made.matrix(WIDTH, 2))
    made.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    graph = helper.make_graph(
        made.nodes,
        "reference",
        [
            helper.make_tensor_value_info(n, TensorProto.INT64, ("batch", "sequence"))
            for n in INPUTS
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("batch", 2))],
        made.weights,
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def reference_home(path: "Path") -> Home:
    """A home whose production is version 1, such a model for texts of 512 tokens."""
    home = make_home(path, versions=0, promoted=False)
    bundle = _bundle(home.settings.bundles)
    with home.registry() as registry:
        home.bundles[register_bundle(registry, bundle)] = bundle
    home.promote(1)
    return home


def _bundle(bundles: "Path") -> TinyBundle:
    part = bundles / ".part-reference"
    portable = part / "portable"
    portable.mkdir(parents=True)
    onnx.save_model(
        _graph(),
        portable / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=1024,
    )
    shutil.copytree(portable, part / optimised_form())
    (part / TOKENIZER).write_text(tiny_tokenizer(), encoding="utf-8")
    ids = np.arange(2, 12, dtype=np.int64)[None]
    session = open_session(portable / "model.onnx", optimised=False, threads=1)
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    logits = session.run(feeds, deadline=float("inf"))[0].tolist()
    golden = Golden(texts=(reference_text(10),), logits=tuple(map(tuple, logits)))
    (part / GOLDEN).write_bytes(golden.encode() + b"\n")
    manifest = replace(describe_bundle(part), limits=ModelLimits(max_tokens=TOKENS))
    digest = write_bundle(part, manifest)
    folder = bundles / MODEL / digest16(digest)
    folder.parent.mkdir(exist_ok=True)
    none = np.empty((0, 2), dtype=np.float32)
    return TinyBundle(part.rename(folder), digest, manifest, none)
