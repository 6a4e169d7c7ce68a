"""An export as a whole, for every task: what lies in its folder, and what is refused."""

import base64
import io
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from unit.maas_lab.exporting.made_runs import make_run

from maas.assembly import build_registry
from maas.bundle.golden import GOLDEN, GOLDEN_BEAMS, TOLERANCE, Golden, read_golden
from maas.engine.session import open_session
from maas.errors import RefusedError
from maas.loading import choose_form, optimised_form
from maas.settings import Settings
from maas.text.tokenizer import load_tokenizer
from maas_lab import export
from maas_lab.bundling import bundle_run
from maas_lab.environment import describe_environment
from maas_lab.export_record import export_folder
from maas_lab.exporting import forms
from maas_lab.exporting.subjects import open_subject
from maas_lab.exporting.writers import WriterSubject
from maas_lab.records import encode_record
from maas_lab.releasing import register_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from maas.engine.session import Session
    from maas_lab.exporting.subject import Subject
    from maas_lab.runs import Run

KINDS = [
    ("text-classification", "bilstm"),
    ("text-classification", "bert"),
    ("image-classification", "cnn"),
    ("translation", "seq2seq-rnn"),
    ("summarization", "seq2seq-transformer"),
]
EXACT = ("portable", optimised_form())


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("vectors", "writers"):
        monkeypatch.setattr(f"maas_lab.exporting.{module}.ROWS", 20)
        monkeypatch.setattr(f"maas_lab.exporting.{module}.GOLDEN_ROWS", 2)
    monkeypatch.setattr("maas_lab.exporting.timing._ROUNDS", 3)


def goldens_of(run: "Run", name: str = GOLDEN) -> list[Golden]:
    lines = (export_folder(run) / name).read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Golden) for line in lines]


@pytest.mark.parametrize(("task", "architecture"), KINDS)
def test_every_task_becomes_forms_that_answer_like_torch(
    tmp_path: "Path", task: str, architecture: str
) -> None:
    run = make_run(tmp_path, task, architecture)
    record = export.export_run(run)

    assert record.quantisation is not None
    kept = {"int8"} if record.quantisation.accepted else set()
    assert [form.name for form in record.forms] == sorted({*EXACT, *kept})
    assert record.parity.max_difference <= TOLERANCE
    assert record.parity.rows == 16
    assert record.parity.joined_rows == (0 if task.startswith("image") else 4)
    assert record.golden == len(goldens_of(run)) > 0
    assert record.quantisation.shipped == record.quantisation.accepted
    names = {path.name for path in export_folder(run).iterdir()}
    tokenizer = set() if task.startswith("image") else {"tokenizer.json"}
    assert names == {"export.json", GOLDEN, *EXACT, *kept, *tokenizer}
    assert list(run.folder.glob(".export*")) == []
    # And again finds the same
    assert export.export_run(run) == record


def test_golden_pictures_hold_the_pixels_that_were_asked(tmp_path: "Path") -> None:
    run = make_run(tmp_path, "image-classification", "mlp")
    export.export_run(run)
    session = open_session(export_folder(run) / "portable/model.onnx", optimised=False, threads=1)
    for golden in goldens_of(run):
        files = [io.BytesIO(base64.b64decode(each)) for each in golden.images]
        pixels = np.stack([np.asarray(Image.open(file), np.float32) / 255 for file in files])
        (logits,) = session.run({"pixels": pixels[:, None]}, deadline=float("inf"))
        assert np.abs(np.subtract(logits, golden.logits)).max() <= TOLERANCE


def test_golden_answers_are_what_a_form_writes(tmp_path: "Path") -> None:
    run = make_run(tmp_path, "translation", "seq2seq-transformer")
    export.export_run(run)
    tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=16)
    for form in EXACT:
        graph = export_folder(run) / form / "model.onnx"
        session = open_session(graph, optimised=form != "portable", threads=1)
        for golden in goldens_of(run):
            encoded = tokenizer.encode(golden.texts)
            for beams, told in ((1, golden.outputs), (GOLDEN_BEAMS, golden.beam_outputs)):
                feeds = {
                    "input_ids": encoded.input_ids,
                    "attention_mask": encoded.attention_mask,
                    "beams": np.array([beams]),
                    "max_new_tokens": np.array([6]),
                }
                ids, _ = session.run(feeds, deadline=float("inf"))
                assert tuple(map(tokenizer.decode, ids.tolist())) == told


@pytest.mark.parametrize(
    ("task", "architecture", "refusal"),
    [
        ("text-classification", "bilstm", r"differs from torch by 0\.0[1-9]"),
        ("translation", "seq2seq-rnn", "writes [0-9]+ texts otherwise"),
    ],
)
def test_a_graph_that_differs_is_not_written(
    tmp_path: "Path",
    monkeypatch: pytest.MonkeyPatch,
    task: str,
    architecture: str,
    refusal: str,
) -> None:
    # Given a network that changes after it was traced
    run = make_run(tmp_path, task, architecture)

    def changing(run: "Run") -> "Subject":
        subject = open_subject(run)
        subject.graph()
        network = getattr(subject, "network", None) or subject._network  # type: ignore[attr-defined]
        with torch.no_grad():
            bias = network.output.bias
            bias += torch.linspace(0.01, 3.0, len(bias)).flip(0) if len(bias) > 2 else 0.01
        return subject

    monkeypatch.setattr(export, "open_subject", changing)
    # When it is exported, then it is refused and nothing is left
    with pytest.raises(RefusedError, match=refusal):
        export.export_run(run)
    assert not export_folder(run).exists()
    assert list(run.folder.glob(".export*")) == []


def test_a_fused_graph_is_taken_where_it_is_faster(
    tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(([1.0, 2.0], [5.0, 5.0]))  # fused and plain; then plain and quantised
    monkeypatch.setattr(forms, "median_milliseconds", lambda *_: next(times))
    run = make_run(tmp_path, "text-classification", "bert")
    record = export.export_run(run)
    assert [(form.name, form.fused) for form in record.forms] == [
        (optimised_form(), True),
        ("portable", False),
    ]
    assert record.parity.max_difference <= TOLERANCE
    model = onnx.load(export_folder(run) / optimised_form() / "model.onnx")
    assert [node.op_type for node in model.graph.node].count("Attention") == 2
    external = [tensor for tensor in model.graph.initializer if len(tensor.raw_data) >= 1024]
    assert external


def test_what_loses_more_than_a_point_is_left_out(
    tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a quantised form that is much smaller and loses everything
    run = make_run(tmp_path, "text-classification", "gru")
    figures = iter((90.0, 88.9))

    def measured(run: "Run") -> "Subject":
        subject = open_subject(run)
        monkeypatch.setattr(subject, "measure", lambda _session: next(figures))
        return subject

    monkeypatch.setattr(export, "open_subject", measured)
    monkeypatch.setattr(forms, "_MOST_SIZE", 10.0)
    record = export.export_run(run)
    # Then it is not kept, and the record says why
    found = record.quantisation
    assert found is not None
    assert not found.accepted
    assert (found.metric, found.metric_before, found.metric_after) == ("accuracy", 90.0, 88.9)
    assert "-1.10 points" in found.reason
    assert not (export_folder(run) / "int8").exists()


def test_what_is_neither_faster_nor_smaller_is_left_out(
    tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, "text-classification", "gru")
    monkeypatch.setattr(forms, "median_milliseconds", lambda *_: [1.0, 1.0])
    monkeypatch.setattr(forms, "form_bytes", lambda _: 1000)
    found = export.export_run(run).quantisation
    assert found is not None
    assert not found.accepted
    assert "1.00 times as fast, 1.00 of the size" in found.reason


@pytest.fixture
def _accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that every quantised form clears."""
    monkeypatch.setattr(forms, "_MOST_SIZE", 10.0)
    monkeypatch.setattr(forms, "_MOST_POINTS", 100.0)


@pytest.mark.usefixtures("_accepted")
def test_a_quantised_form_has_golden_requests_of_its_own(tmp_path: "Path") -> None:
    run = make_run(tmp_path, "text-classification", "bilstm")
    record = export.export_run(run)
    assert [form.name for form in record.forms] == sorted((*EXACT, "int8"))
    assert record.quantisation is not None
    assert record.quantisation.shipped
    (form,) = (form for form in record.forms if form.name == "int8")
    assert form.digest == forms.form_digest(export_folder(run) / "int8")
    tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=16)
    session = open_session(export_folder(run) / "int8/model.onnx", optimised=True, threads=1)
    exact, own = goldens_of(run), goldens_of(run, "int8/golden.jsonl")
    # One row at a time, for a batch is rounded by its largest number
    assert [one.texts for one in own] == [one.texts for one in exact if len(one.texts) == 1]
    for golden in own:
        encoded = tokenizer.encode(golden.texts)
        feeds = {"input_ids": encoded.input_ids, "attention_mask": encoded.attention_mask}
        (logits,) = session.run(feeds, deadline=float("inf"))
        assert np.abs(np.subtract(logits, golden.logits)).max() <= 1e-6


@pytest.mark.usefixtures("_accepted")
@pytest.mark.parametrize(
    ("task", "architecture"),
    [("image-classification", "cnn"), ("translation", "seq2seq-rnn")],
)
def test_every_form_is_bundled_registered_and_answers(
    tmp_path: "Path", task: str, architecture: str
) -> None:
    run = make_run(tmp_path, task, architecture)
    run.environment_file.write_bytes(encode_record(describe_environment("cpu")))
    export.export_run(run)
    made = bundle_run(run, tmp_path / "bundles")
    assert sorted(made.bytes_by_form) == sorted((*EXACT, "int8"))
    assert "| int8 |" in (made.card / "card.md").read_text()
    settings = Settings.parse({"MAAS_HOME": str(tmp_path), "MAAS_ACTOR": "tests"})
    with build_registry(settings) as registry:
        proof = register_bundle(registry, made.bundle.folder).record.verification
    counts = [len(read_golden(made.bundle, form)) for form in made.bundle.manifest.forms]
    assert proof.golden == sum(counts)
    assert choose_form(made.bundle.manifest).name == optimised_form()


def test_a_form_that_writes_otherwise_is_proven_by_what_it_writes_alike(tmp_path: "Path") -> None:
    # Given a form that writes some texts as torch does, and others not
    run = make_run(tmp_path, "translation", "seq2seq-rnn")
    subject = open_subject(run)
    assert isinstance(subject, WriterSubject)
    told = subject.goldens()
    alike = next(golden for golden in told if len(golden.texts) == 1)

    def write(_: object, texts: "tuple[str, ...]", beams: int) -> object:
        said = subject.expect(texts, beams)
        return said.ids if texts == alike.texts else np.full_like(said.ids, 6), said.scores

    subject.write = write  # type: ignore[method-assign, assignment]
    session = cast("Session", object())
    # Then its golden requests are the former
    assert subject.goldens(session) == [alike]
