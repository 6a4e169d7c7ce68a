"""The commands that `maas serve` prints are pasted into a shell, and answered."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.foreign_graphs import relu, saved
from support.kinds import OTHERS, beside, home_of_kind
from support.laptop import Laptop
from support.task_bundles import serving
from support.tiny import Home, make_home, register_bundle
from support.tiny_audio import spoken
from support.tiny_image import picture, png
from support.tiny_table import make_table
from support.tiny_tensor import make_tensor
from support.wav import wav

from maas.assembly import build_services
from maas.bundle.verify import Bundle
from maas.errors import MaasError
from maas.registry.addresses import ByNumber
from maas_lab.examples import example_of
from maas_lab.predicting import SERVED_AT, predict_here
from maas_lab.views.serving import serving_view

FEW = ("tabular-classification", "image-classification")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the files that a person would have."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "picture.png").write_bytes(png(picture(1)))
    (folder / "sound.wav").write_bytes(wav(spoken("a film")))
    return folder


def pasted(line: str, folder: Path) -> str:
    """The status that a shell gets which reads the command."""
    command = line[line.index("curl ") :] + " -s -o answer -w '%{http_code}'"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def bundles_of(home: Home) -> dict[str, Bundle]:
    services = build_services(home.settings, full=True)
    return {name: services(name).turn(None).loaded.bundle for name in services.models()}


def lines_of(url: str, models: dict[str, Bundle]) -> list[str]:
    text = serving_view(url, models).text
    assert isinstance(text, str)
    return text.splitlines()[1:]


@pytest.fixture
def all_tasks(tmp_path: Path) -> Home:
    tasks = [task for task in OTHERS if task != "summarization"]  # of translation's name and body
    home = beside(make_home(tmp_path / "home"), *tasks)
    with home.registry() as registry:
        register_bundle(registry, make_tensor(home.settings.bundles))
        registry.promote("zoo", ByNumber(1))
    return home


def test_what_is_printed_of_every_task_is_answered(all_tasks: Home, files: Path) -> None:
    with serving(all_tasks) as url:
        for name, bundle in bundles_of(all_tasks).items():
            (line,) = lines_of(url, {name: bundle})
            assert pasted(line, files) == "200", line


def test_many_models_do_not_hide_where_the_server_is(all_tasks: Home) -> None:
    models = bundles_of(all_tasks)
    lines = lines_of("http://x", models)
    assert len(lines) == 6
    assert lines[-1] == f"  and {len(models) - 5} more models, which maas list names"


def test_a_request_that_is_long_is_told_of_instead(all_tasks: Home) -> None:
    bundle = bundles_of(all_tasks)["zoo"]
    assert example_of("http://x", "zoo", bundle) is None
    (line,) = lines_of("http://x", {"zoo": bundle})
    assert line == "  zoo reads more than fits here: curl http://x/v2/models/zoo"


@pytest.fixture
def few(tmp_path: Path) -> Laptop:
    """A laptop with a model of texts, a graph as it is, a table and a model of pictures."""
    laptop = Laptop(tmp_path / "laptop")
    home = beside(make_home(laptop.home / "state"), *FEW)
    laptop.environment |= {"MAAS_HOME": str(home.settings.home)}
    laptop.ok("import", str(saved(tmp_path, relu(), "linear")))
    laptop.ok("register", "linear")
    laptop.ok("promote", "linear@1")
    return laptop


def test_what_maas_serve_prints_is_answered(few: Laptop, files: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "maas_lab.cli", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PATH": "", **few.environment},
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith("serving on http://127.0.0.1:")
            lines = [server.stdout.readline() for _ in range(4)]
            assert all(line.startswith("  curl ") for line in lines)
            assert {line.count("/infer") for line in lines} == {0, 1}
            assert [pasted(line.strip(), files) for line in lines] == ["200"] * 4
        finally:
            server.terminate()
            server.communicate(timeout=15)


def test_what_cannot_be_asked_by_the_command_is_told_how(few: Laptop, files: Path) -> None:
    # Given a model that reads tensors, asked in this process and by a server
    here = few.run("predict", "linear", "a film")
    with few.serving() as url:
        there = few.run("predict", "linear@1", "a film", "--url", url)
        # Then what is said can be pasted once the server runs
        ours = here.stderr.replace("http://127.0.0.1:8080", url)
        assert "/v2/models/linear/infer" in ours
        assert pasted(ours.strip(), files) == "200"
        assert f"POST {url}/v2/models/linear/versions/1/infer" in there.stderr
        assert pasted(there.stderr.strip(), files) == "200"
    assert (here.exit_code, there.exit_code) == (2, 2)


@pytest.mark.parametrize("kind", ["question-answering", "zero-shot-classification"])
def test_who_reads_more_than_a_text_is_asked_by_a_server(tmp_path: Path, kind: str) -> None:
    home = home_of_kind(tmp_path / "home", kind)
    name = home.bundle.manifest.name
    with pytest.raises(MaasError) as refused:
        predict_here(home.settings, name, None, ["a film"], top_k=None)
    with serving(home) as url:
        said = str(refused.value).replace(SERVED_AT, url)
        assert pasted(said, tmp_path) == "200"


def test_a_table_is_a_file_of_rows(few: Laptop, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("fare,age,siblings\n7.25,41,0\n71.3,17,2\n")
    wanted = make_table(tmp_path / "bundles").best([[41, 0, 7.25], [17, 2, 71.3]])
    assert few.ok("predict", "passengers", str(rows))["predictions"] == wanted
    shown = few.run("predict", "passengers", str(rows), str(rows)).stdout.splitlines()
    assert [line.split() for line in shown[1:]] == [
        [label, str(number)] for number, label in enumerate(wanted * 2, start=1)
    ]
    with few.serving() as url:
        assert few.ok("predict", "passengers", str(rows), "--url", url)["predictions"] == wanted
    rows.write_text("age,fare\n1,2\n")
    refused = few.run("predict", "passengers", str(rows))
    assert refused.exit_code == 2
    assert "age, siblings, fare" in refused.stderr
    assert few.run("predict", "passengers", str(tmp_path / "none.csv")).exit_code == 2
