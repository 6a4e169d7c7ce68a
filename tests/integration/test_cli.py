"""The `maas` command as people use it: help, verbs in the wrong order, pipes, exit codes, JSON."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from support.laptop import Laptop

from maas.loading import optimised_form

VERBS = (
    "train", "export", "bundle", "compare", "new", "register", "promote", "rollback", "list",
    "show", "history", "serve", "predict", "bench", "doctor", "verify",
    "block", "unblock", "retire", "tag", "describe", "diff", "keygen", "sign",
)  # fmt: skip


@pytest.fixture
def empty(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def test_help_names_every_verb_and_each_verb_has_json(empty: Laptop) -> None:
    overview = empty.run("--help").stdout
    for verb in VERBS:
        assert verb in overview
        assert "--json" in empty.run(verb, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["fly"], 2, "No such command"),
        (["promote"], 2, "Missing argument"),
        (["promote", "sentiment@1", "--weight", "0"], 2, "weight"),
        (["promote", "sentiment@1", "--weight", "101"], 2, "weight"),
        (["promote", "sentiment"], 2, "sentiment@2"),
        (["promote", "Sentiment@1"], 2, "model"),
        (["show", "sentiment@01"], 2, "version"),
        (["export"], 3, "maas train"),
        (["export", "nothing"], 3, "nothing"),
        (["list", "sentiment"], 3, "sentiment"),
        (["rollback", "sentiment"], 3, "sentiment"),
        (["predict", "sentiment", "x"], 3, "No model"),
        (["train", "absent.toml"], 2, "absent.toml"),
        (["new", "Stars"], 2, "model"),
        (["new", "stars", "--task", "chess"], 2, "task"),
        (["train", "absent"], 2, "sentiment-lstm"),
        (["train", "sentiment-lstm", "--device", "tpu"], 2, "device"),
        (["train", "sentiment-lstm", "--on", "batch", "--restart"], 2, "--restart"),
        (["train", "sentiment-lstm", "--target-column", "x"], 2, "data.target_column"),
        (["predict", "sentiment", "x", "--url", "http://127.0.0.1:9"], 5, "--url"),
        (["predict", "sentiment", "x", "--url", "foo"], 2, "url: must be a URL such as http://"),
        (
            ["predict", "sentiment", "x", "--url", "ftp://h"],
            2,
            "url: must be a URL such as http://",
        ),
        (["predict", "sentiment", "x", "--url", "http://[::"], 2, "url: must be a URL such as"),
        (["serve", "--host", "192.0.2.1"], 2, "host: 192.0.2.1 is no address of this machine"),
        (["sign", "sentiment"], 2, "--key"),
        (["sign", "sentiment", "--key", "k.pem", "--kms", "arn:aws:kms:x:1:key/y"], 2, "--kms"),
        (["sign", "--key", "k.pem"], 3, "No bundle yet"),
        (["keygen", "no/folder/k.pem"], 2, "k.pem cannot be written"),
        (["keygen", "k.pem", "--curve", "P-521"], 2, "must be P-256 or P-384"),
    ],
)
def test_a_mistake_has_its_exit_code_and_one_clear_line(
    empty: Laptop, arguments: list[str], exit_code: int, said: str
) -> None:
    result = empty.run(*arguments)
    assert result.exit_code == exit_code, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "field", "said"),
    [
        (["promote", "sentiment@2", "--weight", "101"], "invalid_field", "weight", "100"),
        (["list", "--limit", "many"], "invalid_field", "limit", "integer"),
        (["promote"], "invalid_field", "version", "Missing"),
        (["promote", "sentiment@2", "--frob"], "invalid_field", "frob", "--frob"),
        (["list", "sentiment", "more"], "bad_request", None, "more"),
        (["fly"], "bad_request", None, "fly"),
        (["registry", "fly"], "bad_request", None, "fly"),
        (["new", "stars", "--task", "chess"], "invalid_field", "task", "chess"),
    ],
)
def test_wrong_usage_is_an_object_where_json_was_asked_for(
    empty: Laptop, arguments: list[str], code: str, field: str | None, said: str
) -> None:
    result = empty.run(*arguments, "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    told = json.loads(result.stderr)
    assert (told["code"], told["field"]) == (code, field)
    assert said in told["error"]


def test_what_follows_two_dashes_asks_for_no_json(empty: Laptop) -> None:
    result = empty.run("promote", "sentiment@2", "--weight", "101", "--", "--json")
    assert result.exit_code == 2
    assert "Usage" in result.stderr


def test_the_version_is_that_of_the_package(empty: Laptop) -> None:
    result = empty.run("--version")
    assert (result.exit_code, result.stdout) == (0, f"maas {version('maas')}\n")


def test_verbs_in_the_wrong_order_name_the_one_before(empty: Laptop) -> None:
    empty.ok("train", str(empty.recipe))
    for verb, before in (("bundle", "maas export"), ("register", "maas bundle")):
        result = empty.run(verb)
        assert result.exit_code == 3
        assert before in result.stderr


def test_training_again_is_a_no_op_and_restart_gives_the_same(empty: Laptop) -> None:
    first = empty.ok("train", str(empty.recipe))
    again = empty.run("train", str(empty.recipe))
    assert "nothing to do" in again.stderr
    anew = empty.ok("train", str(empty.recipe), "--restart")
    assert anew["run"] == first["run"]
    assert anew["summary"]["test"] == first["summary"]["test"]  # type: ignore[index]


def test_a_file_of_ones_own_reports_every_row_that_cannot_be_used(empty: Laptop) -> None:
    # Given a file with named columns and some bad rows
    rows = [
        f"{word} film number {n},{label}"
        for n in range(60)
        for word, label in (("lovely", "good"), ("dreadful", "bad"))
    ]
    rows[4], rows[9] = ",good", "odd film,unsure"
    file = empty.home / "mine.csv"
    file.write_text("\n".join(["review,stars", *rows]) + "\n")

    # When a model of another name is trained on it
    result = empty.run(
        "train", str(empty.recipe), "--name", "stars", "--data", str(file),
        "--text-column", "review", "--label-column", "stars", "--label", "bad", "--label", "good",
    )  # fmt: skip

    # Then it is trained, and the lines are named
    assert result.exit_code == 0, result.output
    assert "stars-s1-" in result.stdout
    assert "line 6" in result.stderr
    assert "line 11" in result.stderr


def test_train_alone_lists_the_recipes(empty: Laptop) -> None:
    listed = empty.ok("train")["recipes"]
    assert isinstance(listed, list)
    names = [recipe["name"] for recipe in listed]
    assert "sentiment-lstm" in names
    shown = empty.run("train").stdout
    assert all(name in shown for name in names)


def test_a_mistake_in_a_recipe_names_file_line_key_and_what_is_allowed(empty: Laptop) -> None:
    empty.recipe.write_text(empty.recipe.read_text().replace('"bilstm"', '"cnn"'))
    result = empty.run("train", str(empty.recipe))
    assert result.exit_code == 2
    assert f"{empty.recipe}, line 14: network.architecture" in result.stderr
    assert "allowed: bilstm, lstm, gru, transformer, bert" in result.stderr


def test_a_smoke_run_takes_any_recipe_to_its_bundle(empty: Laptop) -> None:
    trained = empty.ok("train", str(empty.recipe), "--smoke", "--device", "cpu")
    assert trained["summary"]["epochs"] == 1  # type: ignore[index]
    empty.ok("export")
    assert empty.ok("bundle")["created"] is True


def test_runs_are_compared_on_the_same_test_rows(shipped: Laptop, tmp_path: Path) -> None:
    names = sorted(path.name for path in (shipped.home / "state" / "runs").glob("sentiment-s*"))
    compared = shipped.ok("compare", *names)
    assert [run["seed"] for run in compared["runs"]] == [1, 2]  # type: ignore[attr-defined]
    assert Path(str(compared["plot"])).parent == shipped.home / "state" / "compare"
    result = shipped.run("compare", *names, "--plot", str(tmp_path / "mine.png"))
    assert "F1 " in result.stdout
    assert (tmp_path / "mine.png").read_bytes().startswith(b"\x89PNG")
    assert shipped.run("compare", "nothing").exit_code == 3


@pytest.mark.recipes
def test_a_new_model_passes_its_own_test_at_once(empty: Laptop) -> None:
    made = empty.ok("new", "stars", "--folder", str(empty.home))
    assert empty.run("new", "stars", "--folder", str(empty.home)).exit_code == 4
    noted = empty.run("new", "film-stars", "--task", "translation", "--folder", str(empty.home))
    assert "no hyphens" in noted.stderr
    assert "pytest" in noted.stdout
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(made["test"])],
        cwd=empty.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_errors_are_json_where_json_was_asked_for(empty: Laptop) -> None:
    result = empty.run("show", "sentiment", "--json")
    assert result.stdout == ""
    assert json.loads(result.stderr)["code"] == "model_not_found"


def test_a_conflict_is_exit_4(shipped: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    from maas.errors import ConflictError
    from maas.registry.registry import Registry

    def lost(*_: object, **__: object) -> None:
        raise ConflictError("production is at revision 7 now; look and run it again")

    monkeypatch.setattr(Registry, "rollback", lost)
    result = shipped.run("rollback", "sentiment")
    assert result.exit_code == 4
    assert "revision 7" in result.stderr


def test_text_is_read_from_standard_input(shipped: Laptop) -> None:
    result = shipped.run(
        "predict", "sentiment", "-", "--json", stdin="a lovely film\na dull film\n"
    )
    answer = json.loads(result.stdout)
    assert [rows[0]["label"] for rows in answer["predictions"]] == ["positive", "negative"]


def test_a_file_of_any_number_of_texts_is_asked_in_parts(shipped: Laptop) -> None:
    lines = "".join(f"a lovely film {n}\n\n" for n in range(70))
    answer = json.loads(shipped.run("predict", "sentiment", "-", "--json", stdin=lines).stdout)
    assert len(answer["predictions"]) == 70


@pytest.mark.parametrize(
    ("stdin", "said"), [(b"", "no text"), (b"fine\n\xff\n", "line 2"), (b"x" * 20_001, "20000")]
)
def test_texts_that_cannot_be_asked_are_refused(shipped: Laptop, stdin: bytes, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "maas_lab.cli", "predict", "sentiment", "-"],
        input=stdin,
        env=shipped.environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_server_s_error_keeps_its_code(shipped: Laptop) -> None:
    with shipped.serving() as url:
        there = shipped.run("predict", "sentiment@9", "x", "--url", url, "--json")
    here = shipped.run("predict", "sentiment@9", "x", "--json")
    assert there.exit_code == here.exit_code == 3
    assert json.loads(there.stderr) == json.loads(here.stderr)
    assert json.loads(there.stderr)["code"] == "version_not_served"


def test_a_home_that_is_no_folder_is_named(empty: Laptop) -> None:
    (empty.home / "state").write_text("a file")
    result = empty.run("train", str(empty.recipe))
    assert result.exit_code == 2
    assert "MAAS_HOME" in result.stderr
    assert empty.run("doctor").exit_code == 3


def test_export_and_history_say_what_they_made(shipped: Laptop) -> None:
    exported = shipped.ok("export")
    digests = [form["digest"] for form in exported["forms"]]  # type: ignore[attr-defined]
    said = shipped.run("export").stdout
    assert len(set(digests)) == 2
    assert all(digest in said for digest in digests)
    assert "nothing → version 1" in shipped.run("history", "sentiment").stdout
    assert "more" in shipped.run("list", "sentiment", "--limit", "1").stdout


def test_train_shows_simple_methods_beside_the_model(empty: Laptop) -> None:
    shown = empty.run("train", str(empty.recipe)).output
    for figure in ("test accuracy", "TF-IDF", "majority", "target"):
        assert figure in shown


def test_a_closed_pipe_is_no_error(shipped: Laptop) -> None:
    command = f"'{sys.executable}' -m maas_lab.cli show sentiment@1 | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={"PATH": "/usr/bin:/bin", **shipped.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("field")
    assert "Traceback" not in done.stderr


def test_bench_measures_the_handler_beside_a_bare_script(shipped: Laptop) -> None:
    result = shipped.ok("bench", "sentiment@2", "--processes", "3", "--requests", "20")
    variants: Any = result["variants"]
    bare = f"bare script, {optimised_form()}"
    assert {"handler", "handler, model stubbed", "bare script", bare} <= variants.keys()
    for name in ("handler", "bare script", bare):
        figures = variants[name]
        assert figures.keys() >= {"cold", "warm_p50", "warm_p99", "batch", "mixed", "peak_mb"}
        assert all(0 < each["low"] <= each["median"] <= each["high"] for each in figures.values())
        assert figures["peak_mb"]["low"] > 10
    assert (result["version"], result["rounds"]) == (2, 3)
    # Then what is promised is said of, met or not: figures of a busy machine decide no test
    rows: Any = result["rows"]
    assert {row["unit"] for row in rows} == {"×", "ms", "µs"}
    assert all((row["met"] is None) == (row["must"] is None) for row in rows)
    assert Path(str(result["plot"])).read_bytes().startswith(b"\x89PNG")


def test_doctor_is_content_with_a_whole_laptop(shipped: Laptop) -> None:
    findings = shipped.ok("doctor")
    assert findings["ok"] is True
    subjects = {finding["subject"] for finding in findings["findings"]}  # type: ignore[attr-defined]
    assert {"Python", "onnxruntime", "MAAS_HOME", "registry"} <= subjects
    assert "sentiment@production version 1" in subjects
