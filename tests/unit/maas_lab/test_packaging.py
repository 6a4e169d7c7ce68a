"""`maas package` on a real registry and real bundles: what it writes, and what it refuses."""

import os
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.shipping import add_model, make_project, package_into, set_status, tree
from support.tiny import Home, make_home

from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, ConflictError, FieldError, RefusedError
from maas.registry.records import Policy
from maas.served import read_served
from maas.settings import Settings
from maas_lab.files import lock_folder
from maas_lab.packing.layer_copies import MODIFIED, write_version
from maas_lab.packing.samconfig import read_samconfig
from maas_lab.packing.served_sets import parse_wishes

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.packaging import Packaged
    from maas_lab.packing.project import Project


@pytest.fixture(autouse=True)
def _one_kind_of_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.fixture
def home(tmp_path: "Path") -> Home:
    """Versions 1 to 3 of `sentiment`; production is 2 and was 1."""
    home = make_home(tmp_path / "home", versions=3)
    home.promote(2)
    return home


@pytest.fixture
def project(tmp_path: "Path") -> "Project":
    return make_project(tmp_path / "project")


def states(outcome: "Packaged") -> dict[str, str]:
    return {layer.served.model: layer.state for layer in outcome.layers}


def overrides(project: "Project") -> dict[str, str]:
    return read_samconfig(project.samconfig).overrides("deploy")


# ---- What is written ----------------------------------------------------------------------------


def test_a_layer_holds_its_served_set_and_one_form_of_each_version(
    home: Home, project: "Project"
) -> None:
    outcome = package_into(project, home)

    folder = project.models / "sentiment"
    served = read_served(folder)
    assert served is not None
    assert served.digests() == {number: home.bundles[number].digest for number in (1, 2, 3)}
    assert set(served.forms().values()) == {"optimised-x86"}
    folders = {digest16(bundle.digest) for bundle in home.bundles.values()}
    assert {path.name for path in folder.iterdir()} == {"Makefile", "served.json", *folders}
    for version in served.versions:
        verify_bundle(
            folder / digest16(version.digest), digest=version.digest, form="optimised-x86"
        )
    assert states(outcome) == {"sentiment": "new"}
    assert (project.runtime / "architecture").read_bytes() == b"x86_64\n"
    assert overrides(project)["Models"] == "sentiment"


def test_a_function_answers_from_the_layer_alone(home: Home, project: "Project") -> None:
    package_into(project, home)
    shutil.rmtree(home.settings.bundles)
    environ = home.environ | {"MAAS_BUNDLES": str(project.models)}
    packed = Home(Settings.parse(environ), home.bundles)
    service = packed.services(full=False)("sentiment")
    assert service.model == "sentiment"
    served = read_served(project.models / "sentiment")
    assert served is not None
    assert served.policy.aliases["production"][0].version == 2


def test_modes_and_times_are_fixed_whatever_the_bundle_and_the_umask(
    home: Home, project: "Project"
) -> None:
    for path in home.settings.bundles.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o640)
    before = os.umask(0o077)
    try:
        package_into(project, home)
    finally:
        os.umask(before)
    for path in (project.models / "sentiment", *(project.models / "sentiment").rglob("*")):
        status = path.stat()
        assert stat.S_IMODE(status.st_mode) == (0o755 if path.is_dir() else 0o644)
        assert (status.st_mtime, status.st_nlink > 1) == (MODIFIED, path.is_dir())


def test_two_runs_anywhere_give_equal_trees(home: Home, tmp_path: "Path") -> None:
    one, two = make_project(tmp_path / "one"), make_project(tmp_path / "other" / "two")
    package_into(one, home)
    for path in home.settings.bundles.rglob("*"):
        os.utime(path, (0, 0))
    package_into(two, home)
    assert tree(one.models) == tree(two.models)
    assert one.samconfig.read_bytes() == two.samconfig.read_bytes()


def test_packaging_again_touches_nothing(home: Home, project: "Project") -> None:
    package_into(project, home)
    before = tree(project.root)
    node = (project.models / "sentiment").stat().st_ino
    outcome = package_into(project, home)
    assert (states(outcome), outcome.samconfig_changed) == ({"sentiment": "unchanged"}, False)
    assert tree(project.root) == before
    assert (project.models / "sentiment").stat().st_ino == node


@pytest.mark.parametrize("damage", ["byte", "extra", "mode", "time", "makefile", "missing"])
def test_a_layer_that_was_changed_is_made_anew(home: Home, project: "Project", damage: str) -> None:
    package_into(project, home)
    before = tree(project.models)
    folder = project.models / "sentiment"
    inside = folder / digest16(home.bundles[1].digest)
    match damage:
        case "byte":
            (inside / "tokenizer.json").write_bytes(b"x")
        case "extra":
            (folder / "numpy.py").write_text("x")
        case "mode":
            (inside / "golden.jsonl").chmod(0o600)
        case "time":
            os.utime(folder / "served.json")
        case "makefile":
            (folder / "Makefile").write_text("build-%:\n")
        case "missing":
            shutil.rmtree(inside)
    assert states(package_into(project, home)) == {"sentiment": "replaced"}
    assert tree(project.models) == before


def test_the_makefile_builds_everything_but_itself(
    home: Home, project: "Project", tmp_path: "Path"
) -> None:
    package_into(project, home)
    target = tmp_path / "artifacts dir"
    target.mkdir()
    subprocess.run(
        ["make", "-s", "-C", project.models / "sentiment", "build-ModelsentimentLayer"],
        env={"PATH": os.environ["PATH"], "ARTIFACTS_DIR": str(target)},
        check=True,
    )
    packed = tree(project.models / "sentiment")
    del packed["Makefile"]
    assert tree(target / "models" / "sentiment") == packed


def test_a_promote_changes_what_is_baked_and_the_digest(home: Home, project: "Project") -> None:
    package_into(project, home)
    before = overrides(project)
    home.promote(3)
    assert states(package_into(project, home)) == {"sentiment": "replaced"}
    after = overrides(project)
    assert after["ServedSets"] != before["ServedSets"]
    served = read_served(project.models / "sentiment")
    assert served is not None
    assert sorted(served.digests()) == [2, 3]  # 1 is not where a rollback leads any more


def test_a_deployment_makes_no_new_release(home: Home, project: "Project") -> None:
    package_into(project, home)
    before = tree(project.root)
    with home.registry() as registry:
        registry.record_deployment(
            "sentiment",
            "maas",
            function="maas-model-sentiment:live",
            function_version="1",
            digests={n: bundle.digest for n, bundle in home.bundles.items()},
        )
    package_into(project, home)
    assert tree(project.root) == before


# ---- Models, forms, architectures ---------------------------------------------------------------


def test_models_that_are_not_named_any_more_are_removed_and_nothing_else(
    home: Home, project: "Project"
) -> None:
    add_model(home, "stars", seed=9)
    package_into(project, home)
    assert overrides(project)["Models"] == "sentiment,stars"
    (project.models / "mine").mkdir()
    (project.models / "notes.txt").write_text("mine")

    outcome = package_into(project, home, parse_wishes(["stars"]))

    assert outcome.removed == ("sentiment",)
    names = {path.name for path in project.models.iterdir() if not path.name.startswith(".")}
    assert names == {"stars", "mine", "notes.txt"}
    assert overrides(project)["Models"] == "stars"


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_folder_that_we_did_not_make_is_never_replaced(
    home: Home, project: "Project", tmp_path: "Path", kind: str
) -> None:
    theirs = project.models / "sentiment"
    if kind == "folder":
        theirs.mkdir(parents=True)
    else:
        package_into(project, home)
        theirs.rename(tmp_path / "elsewhere")
        theirs.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="was not made by maas package; move it away"):
        package_into(project, home)
    assert theirs.exists()


def test_the_portable_form_is_packed_where_none_is_optimised_for_the_target(
    home: Home, project: "Project"
) -> None:
    outcome = package_into(project, home, architecture="arm64")
    assert set(outcome.layers[0].served.forms().values()) == {"portable"}
    assert (project.runtime / "architecture").read_bytes() == b"arm64\n"
    assert overrides(project)["Architecture"] == "arm64"
    # And it stays so, until somebody says otherwise
    assert package_into(project, home).architecture == "arm64"
    back = package_into(project, home, architecture="x86_64")
    assert set(back.layers[0].served.forms().values()) == {"optimised-x86"}
    assert overrides(project)["Architecture"] == "x86_64"


def test_another_form_can_be_asked_for(home: Home, project: "Project") -> None:
    outcome = package_into(project, home, parse_wishes(form="portable"))
    assert set(outcome.layers[0].served.forms().values()) == {"portable"}
    outcome = package_into(project, home, parse_wishes(form="int8"))  # no bundle has it: portable
    assert set(outcome.layers[0].served.forms().values()) == {"portable"}


def test_an_architecture_that_lambda_does_not_have_is_refused(
    home: Home, project: "Project"
) -> None:
    with pytest.raises(FieldError, match="must be x86_64 or arm64"):
        package_into(project, home, architecture="riscv")


# ---- What is refused, with nothing written ------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "damage", "reason"),
    [
        (2, "gone", r"sentiment@2 \(production\): the bundle cannot be read.*maas bundle tiny"),
        (1, "gone", r"sentiment@1 \(before in production\).*go on --without previous"),
        (2, "byte", r"sentiment@2 .*tokenizer.json was changed.*maas bundle tiny"),
        (3, "byte", r"sentiment@3 \(newest candidate\): tokenizer.json was changed"),
        (2, "hard link", r"tokenizer.json has 2 hard links"),
        (2, "link", r"tokenizer.json is a symbolic link"),
        (2, "extra", r"Not named in manifest.json: numpy.py"),
        (2, "manifest", r"manifest.json has digest"),
    ],
)
def test_a_bundle_that_could_not_answer_is_refused_with_the_remedy(
    home: Home, project: "Project", number: int, damage: str, reason: str
) -> None:
    before = tree(project.root)
    folder = home.bundles[number].folder
    file = folder / "tokenizer.json"
    match damage:
        case "gone":
            shutil.rmtree(folder)
        case "byte":
            file.write_bytes(file.read_bytes().replace(b"film", b"Film"))
        case "hard link":
            os.link(file, home.settings.home / "tokenizer.json")
        case "link":
            file.rename(home.settings.home / "tokenizer.json")
            file.symlink_to(home.settings.home / "tokenizer.json")
        case "extra":
            (folder / "numpy.py").write_text("x")
        case "manifest":
            data = (folder / "manifest.json").read_bytes()
            (folder / "manifest.json").write_bytes(data.replace(b"0.75", b"0.99"))
    with pytest.raises(RefusedError, match=reason):
        package_into(project, home)
    assert tree(project.root) == before


def test_without_previous_a_lost_bundle_of_before_holds_nothing_up(
    home: Home, project: "Project"
) -> None:
    shutil.rmtree(home.bundles[1].folder)
    outcome = package_into(project, home, parse_wishes(without=["previous"]))
    assert sorted(outcome.layers[0].served.digests()) == [2, 3]


def test_the_newest_version_of_another_machine_is_left_out_and_said(
    home: Home, project: "Project"
) -> None:
    shutil.rmtree(home.bundles[3].folder)
    outcome = package_into(project, home)
    assert sorted(outcome.layers[0].served.digests()) == [1, 2]
    assert outcome.left_out == (
        f"sentiment@3 (newest candidate): its bundle is not in {home.settings.bundles}.",
    )
    with pytest.raises(RefusedError, match=r"sentiment@3 \(named candidate\)"):
        package_into(project, home, parse_wishes(candidates=["sentiment@3"]))


def test_a_model_of_which_nothing_is_here_is_refused(home: Home, project: "Project") -> None:
    shutil.rmtree(add_model(home, "stars", seed=9).folder)
    with pytest.raises(RefusedError, match="Nothing of stars would be carried"):
        package_into(project, home)
    assert not (project.models / "sentiment").exists()  # all or nothing


def test_a_blocked_version_that_is_routed_is_kept(home: Home, project: "Project") -> None:
    set_status(home, 2, "blocked")
    assert 2 in package_into(project, home).layers[0].served.digests()


def test_a_promote_while_files_are_copied_is_baked_too(
    home: Home, project: "Project", monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given somebody who promotes 3 once the first copy was written
    left = [3]

    def write_and_promote(*arguments: object, **options: object) -> None:
        write_version(*arguments, **options)  # type: ignore[arg-type]
        if left:
            home.promote(left.pop())

    monkeypatch.setattr("maas_lab.packaging.write_version", write_and_promote)
    outcome = package_into(project, home)
    policy = outcome.layers[0].served.policy
    assert isinstance(policy, Policy)
    assert policy.aliases["production"][0].version == 3


def test_promotes_without_end_are_a_conflict_and_leave_nothing(
    home: Home, project: "Project", monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(project.root)
    next_one = [3, 2]

    def write_and_promote(*arguments: object, **options: object) -> None:
        write_version(*arguments, **options)  # type: ignore[arg-type]
        next_one.reverse()
        home.promote(next_one[0])

    monkeypatch.setattr("maas_lab.packaging.write_version", write_and_promote)
    with pytest.raises(ConflictError, match="nothing was written"):
        package_into(project, home)
    project.models.joinpath(".models.lock").unlink()
    project.models.rmdir()
    assert tree(project.root) == before


def test_a_copy_that_came_out_wrong_is_never_placed(
    home: Home, project: "Project", monkeypatch: pytest.MonkeyPatch
) -> None:
    package_into(project, home)
    before = tree(project.root)
    home.promote(3)

    def flip(source: "Path", target: "Path", **_: object) -> None:
        data = bytearray(source.read_bytes())
        data[len(data) // 2] ^= 1
        target.write_bytes(data)

    monkeypatch.setattr("maas_lab.packing.layer_copies.copy_file", flip)
    with pytest.raises(BundleError):
        package_into(project, home)
    assert tree(project.root) == before


def test_a_second_packager_is_turned_away(home: Home, project: "Project") -> None:
    with (
        lock_folder(project.models / "models"),
        pytest.raises(ConflictError, match="Another process is at work on models"),
    ):
        package_into(project, home)
    package_into(project, home)


def test_what_a_killed_run_left_is_swept(home: Home, project: "Project") -> None:
    for name in (".sentiment.part", ".stars.part", ".sentiment.dropped"):
        (project.models / name).mkdir(parents=True)
        (project.models / name / "file").write_text("half")
    package_into(project, home)
    assert sorted(path.name for path in project.models.iterdir()) == [".models.lock", "sentiment"]
