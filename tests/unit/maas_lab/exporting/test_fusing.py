"""Graphs with fewer nodes that compute the same, and graphs that are let alone."""

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
from unit.maas_lab.exporting.made_runs import make_run

from maas.bundle.graph_policy import check_graph
from maas_lab.exporting.fusing import fuse, fuse_attention
from maas_lab.exporting.subjects import open_subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx


@pytest.mark.parametrize(
    ("architecture", "fused_by"),
    [("bert", fuse), ("transformer", fuse), ("bert", fuse_attention)],
)
def test_a_fused_encoder_answers_the_same(
    tmp_path: "Path", architecture: str, fused_by: "Callable[[onnx.ModelProto], onnx.ModelProto]"
) -> None:
    plain = open_subject(make_run(tmp_path, "text-classification", architecture)).graph()
    before = plain.SerializeToString()
    fused = fused_by(plain)
    assert fused is not None
    assert plain.SerializeToString() == before
    assert len(fused.graph.node) < len(plain.graph.node)
    assert check_graph(fused.SerializeToString(), {}).rows == check_graph(before, {}).rows
    sessions = [onnxruntime.InferenceSession(m.SerializeToString()) for m in (plain, fused)]
    rng = np.random.default_rng(1)
    for batch, length, padding in ((1, 1, 0), (3, 9, 4), (5, 16, 16)):
        mask = np.ones((batch, length), dtype=np.int64)
        mask[-1, length - padding :] = 0
        feeds = {"input_ids": rng.integers(1, 10, (batch, length)), "attention_mask": mask}
        one, other = (session.run(None, feeds)[0] for session in sessions)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("task", "architecture"),
    [
        ("text-classification", "bilstm"),
        ("image-classification", "cnn"),
        ("translation", "seq2seq-transformer"),
    ],
)
def test_other_networks_are_let_alone(tmp_path: "Path", task: str, architecture: str) -> None:
    assert open_subject(make_run(tmp_path, task, architecture)).fused() is None
