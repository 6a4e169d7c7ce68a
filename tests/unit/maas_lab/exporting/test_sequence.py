"""The graph that decodes against torch, which decodes step by step."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from unit.maas_lab.exporting.writers import KINDS, VOCABULARY, padded, random_texts, tiny_writer

from maas.bundle.graph_policy import check_graph
from maas.engine.session import Session, open_session
from maas_lab.exporting.composing import Parts, compose
from maas_lab.exporting.decoding import Search, write_texts
from maas_lab.exporting.quantising import quantise_parts
from maas_lab.exporting.sequence import INPUTS, trace_parts
from maas_lab.graphs import strip_graph
from maas_lab.optimise import optimise_graph

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

MOST = 12


@dataclass(frozen=True)
class Made:
    """A search, its graph, and the forms of it in a folder."""

    search: Search
    parts: Parts
    model: onnx.ModelProto
    folder: "Path"

    def composed(self, parts: Parts) -> onnx.ModelProto:
        """One graph of parts."""
        network = self.search.network
        return strip_graph(compose(parts, network, most=MOST))  # type: ignore[arg-type]

    def sessions(self) -> dict[str, Session]:
        """By form."""
        return {
            name: open_session(
                self.folder / name / "model.onnx", optimised=name != "portable", threads=1
            )
            for name in ("portable", "optimised")
        }


def write_forms(model: onnx.ModelProto, folder: "Path") -> None:
    (folder / "portable").mkdir()
    onnx.save(model, folder / "portable" / "model.onnx")
    optimise_graph(folder / "portable" / "model.onnx", folder / "optimised")


@pytest.fixture(params=KINDS, scope="module")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    search = Search(tiny_writer(request.param), vocabulary_size=VOCABULARY, length_penalty=1.2)
    folder, parts = tmp_path_factory.mktemp("made"), trace_parts(search)
    one = Made(search, parts, onnx.ModelProto(), folder)
    model = one.composed(parts)
    write_forms(model, folder)
    return Made(search, parts, model, folder)


def asked(
    session: Session, texts: list[list[int]], beams: int, most: int
) -> "tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]":
    ids, mask = padded(texts)
    counts = {"beams": np.array([beams]), "max_new_tokens": np.array([most])}
    feeds = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), **counts}
    written, scores = session.run(feeds, deadline=float("inf"))
    return np.asarray(written, np.int64), np.asarray(scores, np.float32)


def test_the_graph_writes_what_torch_writes(made: Made) -> None:
    texts = random_texts(66)
    batches = [texts[:1], [[3]], texts[1:3], texts[3:], [[3], [9, 3], [7] * 40 + [3]]]
    sessions = made.sessions()
    for beams in (1, 2, 4):
        for batch in batches:
            expected = write_texts(made.search, *padded(batch), beams=beams, max_new_tokens=MOST)
            for name, session in sessions.items():
                ids, scores = asked(session, batch, beams, MOST)
                assert ids.tolist() == expected.output_ids.tolist(), name
                np.testing.assert_allclose(scores, expected.scores.numpy(), rtol=0, atol=1e-5)


def test_a_request_may_ask_for_less_and_not_for_more(made: Made) -> None:
    texts = random_texts(8)
    for session in made.sessions().values():
        for asked_for, written in ((0, 0), (1, 1), (5, 5), (10**6, MOST)):
            ids, _ = asked(session, texts, 2, asked_for)
            expected = write_texts(made.search, *padded(texts), beams=2, max_new_tokens=written)
            assert ids.tolist() == expected.output_ids.tolist()


def test_a_graph_is_admitted(made: Made) -> None:
    onnx.checker.check_model(made.model, full_check=True)
    optimised = (made.folder / "optimised" / "model.onnx").read_bytes()
    weights = {"model.data": (made.folder / "optimised" / "model.data").stat().st_size}
    for data, files in ((made.model.SerializeToString(), {}), (optimised, weights)):
        facts = check_graph(data, files)
        assert facts.inputs == INPUTS
        assert facts.outputs == ("output_ids", "scores")
        assert facts.rows == {"input_ids": VOCABULARY}


def test_each_weight_is_kept_once(made: Made) -> None:
    kept = [onnx.numpy_helper.to_array(tensor) for tensor in made.model.graph.initializer]
    matrices = [array for array in kept if array.ndim == 2]
    for one in range(len(matrices)):
        for other in range(one):
            for turned in (matrices[other], matrices[other].T):
                assert not np.array_equal(matrices[one], turned)
    parameters = sum(part.numel() for part in made.search.parameters() if part.dim() == 2)
    assert 0 < sum(array.size for array in matrices) <= parameters


def test_no_weight_lies_in_the_loop(made: Made) -> None:
    (body,) = (a.g for node in made.model.graph.node for a in node.attribute if a.HasField("g"))
    assert list(body.initializer) == []
    constants = [a.t for node in body.node for a in node.attribute if a.HasField("t")]
    assert max(len(tensor.raw_data) for tensor in constants) <= 64
    optimised = onnx.load(made.folder / "optimised" / "model.onnx", load_external_data=False)
    inline = [tensor for tensor in optimised.graph.initializer if tensor.data_location == 0]
    assert max(len(tensor.raw_data) for tensor in inline) < 1024


def test_names_are_those_of_the_network(made: Made) -> None:
    names = {tensor.name for tensor in made.model.graph.initializer}
    assert "embedding.weight" in names
    text = made.model.SerializeToString()
    for trace in (b"owner", b"onnx::", b"site-packages", b"maas_lab"):
        assert trace not in text


def test_parts_are_quantised_before_they_are_put_together(made: Made, tmp_path: "Path") -> None:
    model = made.composed(quantise_parts(made.parts))
    (tmp_path / "int8").mkdir()
    write_forms(model, tmp_path / "int8")
    facts = check_graph(model.SerializeToString(), {})
    assert facts.rows == {"input_ids": VOCABULARY}
    left = [
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1
        if min(tensor.dims) > 1
    ]
    assert left == []
    graph = tmp_path / "int8" / "optimised" / "model.onnx"
    ids, scores = asked(open_session(graph, optimised=True, threads=1), random_texts(9), 4, MOST)
    assert len(ids) == 9
    assert np.isfinite(scores).all()
    # And the parts are as they were
    again = made.composed(made.parts)
    assert again.SerializeToString() == made.model.SerializeToString()
