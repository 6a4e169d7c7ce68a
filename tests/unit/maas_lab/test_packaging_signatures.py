"""`maas package` where a signature is required: what the layer carries, and what is refused."""

from pathlib import Path

import pytest
from support.shipping import make_project, package_into, tree
from support.signing import KEY, OTHER, WIDE
from support.tiny import Home, make_home, open_client

from maas.bundle.manifest import digest16
from maas.bundle.signature import signature_path
from maas.errors import RefusedError
from maas.settings import Settings
from maas_lab.packing.packaged import read_packaged
from maas_lab.packing.project import Project
from maas_lab.packing.samconfig import read_samconfig
from maas_lab.signing.bundles import sign_bundle
from maas_lab.signing.keys import FileKey


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Versions 1 and 2 of `sentiment`, both signed; production is 1."""
    home = make_home(tmp_path / "home")
    sign(home)
    return home


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def sign(home: Home, key: FileKey = KEY) -> None:
    for bundle in home.bundles.values():
        sign_bundle(bundle.folder, key)


def overrides(project: Project) -> dict[str, str]:
    return read_samconfig(project.samconfig).overrides("deploy")


def signatures(project: Project) -> set[str]:
    return {path.name for path in (project.models / "sentiment").glob("*.sig")}


@pytest.mark.parametrize("key", [KEY, WIDE], ids=["P-256", "P-384"])
def test_a_function_verifies_what_the_layer_carries(
    home: Home, project: Project, key: FileKey
) -> None:
    sign(home, key)
    package_into(project, home, key=key.public)
    # Given the parameter that packaging wrote, and the layer alone
    environ = home.environ | {
        "MAAS_BUNDLES": str(project.models),
        "MAAS_REQUIRE_SIGNATURE": overrides(project)["RequireSignature"],
    }
    packed = Home(Settings.parse(environ), home.bundles)
    with open_client(packed.services(full=False)) as client:
        assert client.predict("good").status_code == 200
    # Then it answers no more once the signature is gone
    folder = project.models / "sentiment" / digest16(home.bundles[1].digest)
    signature_path(folder).unlink()
    with open_client(packed.services(full=False)) as client:
        assert client.predict("good").json()["code"] == "model_not_ready"


def test_the_layers_makefile_copies_the_signatures(home: Home, project: Project) -> None:
    package_into(project, home, key=KEY.public)
    said = (project.models / "sentiment" / "Makefile").read_text()
    names = {f"{digest16(bundle.digest)}.sig" for bundle in home.bundles.values()}
    assert signatures(project) == names
    assert all(f" {name}" in said for name in names)


def test_packaging_twice_changes_nothing(home: Home, project: Project) -> None:
    package_into(project, home, key=KEY.public)
    before = tree(project.root)
    (layer,) = package_into(project, home, key=KEY.public).layers
    assert layer.state == "unchanged"
    assert tree(project.root) == before


def test_where_none_is_required_no_signature_is_carried(home: Home, project: Project) -> None:
    package_into(project, home)
    assert signatures(project) == set()
    assert "RequireSignature" not in overrides(project)


def test_a_machine_without_the_setting_keeps_the_requirement(home: Home, project: Project) -> None:
    package_into(project, home, key=KEY.public)
    before = tree(project.root)
    package_into(project, home)
    assert tree(project.root) == before
    # And refuses what is not signed
    signature_path(home.bundles[1].folder).unlink()
    with pytest.raises(RefusedError, match=r"sentiment@1 \(production\).*not signed.*maas sign"):
        package_into(project, home)


@pytest.mark.parametrize("number", [1, 2])
def test_a_version_that_is_not_signed_is_not_packaged(
    home: Home, project: Project, number: int
) -> None:
    sign_bundle(home.bundles[number].folder, OTHER)
    before = tree(project.root)
    with pytest.raises(RefusedError, match=rf"sentiment@{number} .*another key.*maas sign sha256:"):
        package_into(project, home, key=KEY.public)
    assert tree(project.root) == before


def test_another_signature_is_another_release(home: Home, project: Project) -> None:
    # SAM publishes a function version only where this digest changes
    releases = []
    for key in (KEY, OTHER, KEY):
        sign(home, key)
        package_into(project, home, key=key.public)
        assert overrides(project)["RequireSignature"] == key.public.line
        releases.append(overrides(project)["ServedSets"])
    assert releases[0] == releases[2] != releases[1]


@pytest.mark.parametrize("what", ["gone", "changed", "another's", "more"])
def test_a_layers_signature_that_was_changed_is_not_deployed(
    home: Home, project: Project, what: str
) -> None:
    package_into(project, home, key=KEY.public)
    assert read_packaged(project).served[0].digests().keys() == {1, 2}
    one, two = (
        signature_path(project.models / "sentiment" / digest16(home.bundles[number].digest))
        for number in (1, 2)
    )
    if what == "gone":
        one.unlink()
    elif what == "changed":
        one.write_bytes(one.read_bytes() + b"\n")
    elif what == "another's":
        one.write_bytes(two.read_bytes())
    else:
        one.with_name("more.sig").write_bytes(one.read_bytes())
    with pytest.raises(RefusedError, match=r"layers/models/sentiment.*run: maas package|Run: maas"):
        read_packaged(project)


def test_a_requirement_that_was_taken_away_by_hand_is_not_deployed(
    home: Home, project: Project
) -> None:
    package_into(project, home, key=KEY.public)
    read_samconfig(project.samconfig).write(lambda _: {"RequireSignature": ""})
    with pytest.raises(RefusedError, match="maas package"):
        read_packaged(project)


@pytest.mark.parametrize("said", ["on", "MFkw", "key.pub", OTHER.public.line[:-4] + "AA=="])
def test_a_parameter_that_is_no_key_is_refused(home: Home, project: Project, said: str) -> None:
    read_samconfig(project.samconfig).write(lambda _: {"RequireSignature": said})
    with pytest.raises(RefusedError, match="no single public key in RequireSignature"):
        package_into(project, home)
