"""Export, bundle and register, from a real run: what is proven, what is refused, what is stable."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from support.graphs import edited
from support.laptop import Laptop, write_reviews
from support.shipping import make_project
from support.tiny import Home, open_client

from maas.bundle.golden import GOLDEN
from maas.bundle.manifest import MANIFEST, parse_manifest
from maas.bundle.verify import verify_bundle
from maas.engine.session import open_session
from maas.errors import RefusedError
from maas.loading import load_version, optimised_form
from maas.settings import Settings
from maas.tasks.classify import Classifier
from maas.text.tokenizer import load_tokenizer
from maas_lab import export
from maas_lab.checkpoint import load_best
from maas_lab.export_record import export_folder
from maas_lab.exporting import forms
from maas_lab.exporting.subject import Subject
from maas_lab.exporting.subjects import open_subject
from maas_lab.runs import Run, list_runs

EXACT = ("portable", optimised_form())


def first_run(laptop: Laptop) -> Run:
    return list_runs(laptop.home / "state")[0]


def bundle_folder(laptop: Laptop, version: int = 1) -> Path:
    digest = str(laptop.ok("show", f"sentiment@{version}")["digest"])
    return laptop.bundles / "sentiment" / digest.removeprefix("sha256:")[:16]


# ---- Export -------------------------------------------------------------------------------------


def test_every_form_answers_what_torch_answers_on_rows_of_any_shape(shipped: Laptop) -> None:
    run = first_run(shipped)
    network = load_best(run)
    tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=64)
    texts = ["", "lovely", "a dull film " * 40, "\u200b", "warm story"]
    for form in EXACT:
        graph = run.folder / "export" / form / "model.onnx"
        session = open_session(graph, optimised=graph.parent.name != "portable", threads=1)
        for batch in ([texts[0]], [texts[2]], texts, texts * 7):
            encoded = tokenizer.encode(batch)
            feeds = {"input_ids": encoded.input_ids, "attention_mask": encoded.attention_mask}
            (logits,) = session.run(feeds, deadline=float("inf"))
            with torch.inference_mode():
                expected = network(*map(torch.from_numpy, feeds.values())).numpy()
            assert float(np.abs(np.subtract(logits, expected)).max()) <= 1e-4


def test_the_record_says_what_was_compared(shipped: Laptop) -> None:
    record = shipped.ok("export", first_run(shipped).name)
    parity = record["parity"]
    assert isinstance(parity, dict)
    assert parity["rows"] >= 200
    assert parity["edge_rows"] == 9
    assert 0 < parity["max_difference"] <= 1e-4


def test_a_graph_that_differs_is_not_written(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a network that changes after it was traced
    run = first_run(laptop)
    good = (run.folder / "export" / "export.json").read_bytes()

    def changed_after(run: Run) -> Subject:
        subject = open_subject(run)
        subject.graph()
        with torch.no_grad():
            subject.network.output.bias += 0.01  # type: ignore[attr-defined]
        return subject

    monkeypatch.setattr(export, "open_subject", changed_after)

    # When it is exported again, then it is refused and the earlier export is untouched
    with pytest.raises(RefusedError, match=r"differs from torch by 0\.01"):
        export.export_run(run, again=True)
    assert (run.folder / "export" / "export.json").read_bytes() == good
    assert [path.name for path in run.folder.glob(".export*")] == []


def test_graphs_hold_no_trace_of_the_machine(shipped: Laptop) -> None:
    for graph in (first_run(shipped).folder / "export").glob("*/model.onnx"):
        model = onnx.load(graph, load_external_data=False)
        assert list(model.metadata_props) == []
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
        assert b"site-packages" not in graph.read_bytes()
        assert b"maas_lab" not in graph.read_bytes()
        assert {opset.domain for opset in model.opset_import} <= {"", "com.microsoft"}


# ---- Bundle -------------------------------------------------------------------------------------


def test_one_run_gives_one_digest_anywhere(shipped: Laptop, tmp_path: Path) -> None:
    # Given the same run in another place, under another time zone, locale and umask
    run = first_run(shipped)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(run.folder, elsewhere / "runs" / run.name)
    command = f"umask 077; '{sys.executable}' -m maas_lab.cli bundle {run.name} --json"
    done = subprocess.run(
        ["bash", "-c", command],
        env={"MAAS_HOME": str(elsewhere), "TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": "/nowhere"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    there = msgspec.json.decode(done.stdout)["digest"]
    again = shipped.ok("bundle", run.name)
    assert there == again["digest"] == shipped.ok("show", "sentiment@1")["digest"]
    assert again["created"] is False


def test_the_manifest_names_no_time_host_or_path(shipped: Laptop) -> None:
    folder = bundle_folder(shipped)
    text = (folder / MANIFEST).read_text()
    assert str(shipped.home) not in text
    manifest = parse_manifest(text.encode())
    assert {form.name for form in manifest.forms} - {"int8"} == set(EXACT)
    assert manifest.inputs[0].shape == ("batch", "sequence")
    assert manifest.outputs[0].shape == ("batch", 2)
    assert {"run", "recipe", "data", "weights", "commit"} <= manifest.lineage.keys()


def test_the_card_says_how_good_the_model_is_beside_simple_methods(shipped: Laptop) -> None:
    folder = bundle_folder(shipped)
    card = folder.with_name(folder.name + ".card")
    text = (card / "card.md").read_text()
    summary = first_run(shipped).summary()
    for figure in (summary.reached, *summary.baselines.values()):
        assert f"{figure:.4f}" in text
    for plot in ("confusion", "reliability", "loss", "accuracy"):
        assert any(plot in path.name for path in card.glob("*.png")), plot


# ---- A form of 8-bit weights --------------------------------------------------------------------


def test_a_quantised_form_is_registered_packed_and_served(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a run whose quantised form is accepted
    monkeypatch.setattr(forms, "_MOST_SIZE", 10.0)
    monkeypatch.setattr(forms, "_MOST_POINTS", 100.0)
    run = first_run(laptop)
    assert "int8" in [form.name for form in export.export_run(run, again=True).forms]
    made = laptop.ok("bundle", run.name)
    assert "int8" in str(made["bytes_by_form"])
    version = laptop.ok("register", run.name)["number"]

    # When that form is packed
    project = make_project(tmp_path / "project")
    laptop.ok("package", "--form", "int8", "--project", str(project.root))
    folder = project.models / "sentiment" / Path(str(made["folder"])).name
    paths = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {path.split("/")[0] for path in paths} == {
        *("int8", "manifest.json", GOLDEN, "tokenizer.json"),
    }
    assert f"int8/{GOLDEN}" in paths

    # Then a function answers with it from the layer alone, nearly as the exact one does
    environ = laptop.environment | {"MAAS_MODEL": "sentiment"}
    here = Home(Settings.parse(environ), {})
    packed = Home(Settings.parse(environ | {"MAAS_BUNDLES": str(project.models)}), {})
    path, scores = f"/models/sentiment/versions/{version}", []
    for home, form in ((here, optimised_form()), (packed, "int8")):
        with open_client(home.services(full=False)) as client:
            assert client.get(path).json()["form"] == form
            (rows,) = client.post(path, json={"inputs": "a lovely warm film"}).json()
            scores.append({row["label"]: row["score"] for row in rows})
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


# ---- Register -----------------------------------------------------------------------------------


def test_f7_the_same_digest_again_is_a_no_op_that_says_so(laptop: Laptop) -> None:
    before = laptop.ok("history", "sentiment")
    again = laptop.run("register", first_run(laptop).name)
    assert again.exit_code == 0
    assert "already" in again.stdout
    assert laptop.ok("history", "sentiment") == before


def test_a_changed_bundle_is_refused_and_nothing_is_written(laptop: Laptop) -> None:
    before = laptop.ok("list", "sentiment")
    weights = bundle_folder(laptop) / optimised_form() / "model.data"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    result = laptop.run("register", first_run(laptop).name)
    assert result.exit_code == 3
    assert f"{optimised_form()}/model.data was changed" in result.stderr
    assert laptop.ok("list", "sentiment") == before


def test_a_bundle_that_answers_otherwise_is_refused(laptop: Laptop) -> None:
    # Given a bundle, whole by its digests, whose model is not the one that was exported
    run = first_run(laptop)
    golden = run.folder / "export" / GOLDEN
    other = list_runs(laptop.home / "state")[1].folder / "export" / GOLDEN
    golden.write_bytes(other.read_bytes())
    laptop.ok("bundle", run.name)

    # When it is registered, then it is refused
    result = laptop.run("register", run.name)
    assert result.exit_code == 3
    assert "not the model that was exported" in result.stderr


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_promote_refuses_what_could_not_answer_and_its_remedy_works(
    laptop: Laptop, damage: str
) -> None:
    # Given a version whose bundle is gone or damaged
    folder = bundle_folder(laptop, 2)
    if damage == "gone":
        shutil.rmtree(folder)
    else:
        (folder / "tokenizer.json").write_text("{}")

    # When it is promoted, then it is refused, and production stays
    result = laptop.run("promote", "sentiment@2")
    assert result.exit_code == 3
    assert laptop.run("doctor").exit_code == 0

    # And the command that the refusal names mends it
    remedy = re.search(r"maas (bundle \S+)\.", result.stderr)
    assert remedy is not None
    mended = laptop.ok(*remedy[1].split())
    assert mended["created"] is True
    assert laptop.ok("promote", "sentiment@2")["changed"] is True


def test_rollback_refuses_what_could_not_answer(laptop: Laptop) -> None:
    laptop.ok("promote", "sentiment@2")
    shutil.rmtree(bundle_folder(laptop, 1))
    result = laptop.run("rollback", "sentiment")
    assert result.exit_code == 3
    assert "maas bundle" in result.stderr
    assert laptop.ok("predict", "sentiment", "a film")["version"] == 2


def test_too_few_test_rows_are_joined_to_enough(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path)
    write_reviews(tmp_path / "reviews.csv", 300)
    laptop.ok("train", str(laptop.recipe))
    parity = laptop.ok("export")["parity"]
    assert isinstance(parity, dict)
    assert 0 < parity["rows"] < 100
    assert parity["rows"] + parity["joined_rows"] == 256


def test_doctor_names_a_promoted_version_that_cannot_answer(laptop: Laptop) -> None:
    (bundle_folder(laptop, 1) / "tokenizer.json").unlink()
    result = laptop.run("doctor")
    assert result.exit_code == 3
    assert "tokenizer.json" in result.stdout


def test_a_bundle_answers_the_same_in_every_form(shipped: Laptop) -> None:
    bundle = verify_bundle(bundle_folder(shipped))
    answers = []
    for form in bundle.manifest.forms:
        task = load_version(bundle, form=form.name, threads=1).task
        assert isinstance(task, Classifier)
        answers.append(task.logits(["a lovely film", "a dull one"], deadline=float("inf")))
    np.testing.assert_allclose(answers[0], answers[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", ["portable", optimised_form()])
def test_s21_an_export_that_the_graph_policy_refuses_makes_no_bundle(
    laptop: Laptop, form: str
) -> None:
    # Given an exported graph that somebody gave settings for a session
    run = first_run(laptop)
    graph = export_folder(run) / form / "model.onnx"
    change = {"key": "ort_config", "value": "{}"}
    graph.write_bytes(edited(graph.read_bytes(), lambda model: model.metadata_props.add(**change)))
    before = sorted(laptop.home.rglob("manifest.json"))
    # Then it is refused before anything is written
    result = laptop.run("bundle", run.name)
    assert result.exit_code == 3
    assert f"{form}/model.onnx is refused: the model has metadata_props" in result.stderr
    assert sorted(laptop.home.rglob("manifest.json")) == before
