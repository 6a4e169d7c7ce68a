"""A folder is what its manifest says, or it is refused by the name of the file and a reason."""

import os
import random
import resource
import socket
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from support.tiny import TinyBundle, describe_bundle, make_bundle, write_bundle

from maas.bundle.verify import SMALL_FILE_BYTES, verify_bundle
from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas.bundle.manifest import Manifest

FILES = (
    *("golden.jsonl", "tokenizer.json", "portable/model.onnx"),
    *("optimised-x86/model.onnx", "optimised-x86/weights.bin"),
)
FLIPS = 300


@pytest.fixture(autouse=True)
def _one_kind_of_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.fixture
def bundle(tmp_path: "Path") -> TinyBundle:
    return make_bundle(tmp_path / "bundles")


def refusal(folder: "Path", *, full: bool = True) -> str:
    with pytest.raises(BundleError) as refused:
        verify_bundle(folder, full=full)
    assert str(folder) not in str(refused.value)  # a path would name the machine
    return str(refused.value)


@pytest.mark.parametrize("full", [True, False])
def test_a_whole_bundle_is_accepted(bundle: TinyBundle, *, full: bool) -> None:
    verified = verify_bundle(bundle.folder, digest=bundle.digest, full=full)
    assert (verified.digest, verified.full) == (bundle.digest, full)
    assert verified.manifest == bundle.manifest
    assert {entry.path for entry in verified.manifest.entries()} == set(FILES)
    assert verified.graph(verified.manifest.form("portable")).read_bytes()


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_missing_file_is_named(bundle: TinyBundle, name: str) -> None:
    (bundle.folder / name).unlink()
    reasons = {
        "manifest.json": "manifest.json cannot be read: No such file or directory.",
        "portable/model.onnx": "portable/ is an empty folder.",
    }
    assert refusal(bundle.folder, full=False) == reasons.get(
        name, f"Missing from the bundle: {name}."
    )


@pytest.mark.parametrize(
    "name", ["extra.txt", ".hidden", "portable/extra.bin", "manifest.json.bak", "numpy.py"]
)
def test_an_extra_file_is_named(bundle: TinyBundle, name: str) -> None:
    (bundle.folder / name).write_text("x")
    assert refusal(bundle.folder, full=False) == f"Not named in manifest.json: {name}."


def test_a_file_under_another_name_is_missing(bundle: TinyBundle) -> None:
    file = bundle.folder / "tokenizer.json"
    file.rename(file.with_name("Tokenizer.json"))
    assert refusal(bundle.folder) == "Missing from the bundle: tokenizer.json."


def test_any_flipped_bit_of_any_file_is_found(bundle: TinyBundle) -> None:
    # Given 300 places, chosen by seed over all files and the manifest
    names = (*FILES, "manifest.json")
    rng = random.Random(11)
    refused = 0
    for _ in range(FLIPS):
        name = rng.choice(names)
        file = bundle.folder / name
        whole = file.read_bytes()
        place = rng.randrange(len(whole) * 8)
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8

        # When one bit of one of them is flipped
        file.write_bytes(damaged)

        # Then the bundle is refused, and the file named
        with pytest.raises(BundleError) as error:
            verify_bundle(bundle.folder, digest=bundle.digest)
        refused += name in str(error.value)
        file.write_bytes(whole)
    assert refused == FLIPS
    verify_bundle(bundle.folder, digest=bundle.digest)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_a_small_file_that_was_changed_is_found_either_way(
    bundle: TinyBundle, name: str, *, full: bool
) -> None:
    file = bundle.folder / name
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    assert refusal(bundle.folder, full=full).startswith(f"{name} was changed")


def test_a_large_file_is_hashed_only_in_full(tmp_path: "Path") -> None:
    # Given a bundle with a file of more than a megabyte, of which one byte was changed
    bundle = make_bundle(tmp_path, rows=140_000)
    name = "optimised-x86/weights.bin"
    file = bundle.folder / name
    assert file.stat().st_size > SMALL_FILE_BYTES
    with file.open("r+b") as opened:
        opened.write(b"\xff")

    # Then a cold start trusts its size, and a full check does not
    verify_bundle(bundle.folder, full=False)
    assert refusal(bundle.folder).startswith(f"{name} was changed")

    # But a change of its size is found either way
    with file.open("ab") as opened:
        opened.write(b"\x00")
    assert refusal(bundle.folder, full=False).startswith(f"{name} has ")


def _symlink(bundle: TinyBundle) -> str:
    file = bundle.folder / "tokenizer.json"
    file.rename(bundle.folder.parent / "elsewhere.json")
    file.symlink_to(bundle.folder.parent / "elsewhere.json")
    return "tokenizer.json is a symbolic link"


def _manifest_symlink(bundle: TinyBundle) -> str:
    file = bundle.folder / "manifest.json"
    file.rename(bundle.folder.parent / "elsewhere.json")
    file.symlink_to(bundle.folder.parent / "elsewhere.json")
    return "manifest.json is a symbolic link"


def _dangling_symlink(bundle: TinyBundle) -> str:
    (bundle.folder / "nowhere").symlink_to("nothing")
    return "nowhere is a symbolic link"


def _symlinked_folder(bundle: TinyBundle) -> str:
    folder = bundle.folder / "portable"
    folder.rename(bundle.folder.parent / "elsewhere")
    folder.symlink_to(bundle.folder.parent / "elsewhere")
    return "portable is a symbolic link"


def _hard_link(bundle: TinyBundle) -> str:
    (bundle.folder.parent / "twin").hardlink_to(bundle.folder / "portable/model.onnx")
    return "portable/model.onnx has 2 hard links"


def _manifest_hard_link(bundle: TinyBundle) -> str:
    (bundle.folder.parent / "twin").hardlink_to(bundle.folder / "manifest.json")
    return "manifest.json has 2 hard links"


def _nested_folder(bundle: TinyBundle) -> str:
    (bundle.folder / "portable/deeper").mkdir()
    return "portable/deeper/ is nested too deep"


def _empty_folder(bundle: TinyBundle) -> str:
    (bundle.folder / "nothing").mkdir()
    return "nothing/ is an empty folder"


def _fifo(bundle: TinyBundle) -> str:
    (bundle.folder / "tokenizer.json").unlink()
    os.mkfifo(bundle.folder / "tokenizer.json")
    return "tokenizer.json is not a plain file"


def _manifest_fifo(bundle: TinyBundle) -> str:
    (bundle.folder / "manifest.json").unlink()
    os.mkfifo(bundle.folder / "manifest.json")  # opening it would wait for ever
    return "manifest.json is not a plain file"


def _socket(bundle: TinyBundle) -> str:
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.open(".", os.O_RDONLY)
        os.chdir(bundle.folder)  # a socket's path may not be long
        try:
            listening.bind("s")
        finally:
            os.fchdir(before)
            os.close(before)
    return "s is not a plain file"


def _folder_for_a_file(bundle: TinyBundle) -> str:
    (bundle.folder / "tokenizer.json").unlink()
    (bundle.folder / "tokenizer.json").mkdir()
    return "tokenizer.json/ is an empty folder"


def _grown(bundle: TinyBundle) -> str:
    with (bundle.folder / "golden.jsonl").open("ab") as file:
        file.write(b" ")
    return "golden.jsonl has "


def _oversized_manifest(bundle: TinyBundle) -> str:
    (bundle.folder / "manifest.json").write_bytes(b" " * 10_000_000)
    return "manifest.json is larger than 1048576 bytes"


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        *(_symlink, _manifest_symlink, _dangling_symlink, _symlinked_folder),
        *(_hard_link, _manifest_hard_link, _nested_folder, _empty_folder),
        *(_fifo, _manifest_fifo, _socket, _folder_for_a_file, _grown, _oversized_manifest),
    ],
)
def test_anything_but_plain_files_is_refused(
    bundle: TinyBundle, damage: "Callable[[TinyBundle], str]", *, full: bool
) -> None:
    reason = damage(bundle)
    assert refusal(bundle.folder, full=full).startswith(reason)


def test_a_bundle_of_more_bytes_than_allowed_is_refused_by_its_manifest(tmp_path: "Path") -> None:
    bundle = make_bundle(tmp_path)
    with (bundle.folder / "tokenizer.json").open("r+b") as file:
        file.truncate(2**31 + 1)  # sparse: takes no room
    write_bundle(bundle.folder, _with_size(bundle, "tokenizer.json", 2**31 + 1))
    assert refusal(bundle.folder, full=False) == "is larger than 2147483648 bytes"


def _with_size(bundle: TinyBundle, path: str, size: int) -> "Manifest":
    files = tuple(
        replace(entry, size=size) if entry.path == path else entry
        for entry in bundle.manifest.files
    )
    return replace(bundle.manifest, files=files)


def test_another_digest_than_the_registrys_is_refused(tmp_path: "Path") -> None:
    # Given two bundles that are both whole
    one, two = make_bundle(tmp_path, seed=1), make_bundle(tmp_path, seed=2)
    assert one.digest != two.digest
    # When one lies where the other should, then it is not taken for it
    with pytest.raises(BundleError, match=r"manifest\.json has digest sha256:") as refused:
        verify_bundle(two.folder, digest=one.digest)
    assert one.digest[:19] in str(refused.value)


def test_a_file_of_another_bundle_is_refused(tmp_path: "Path") -> None:
    one, two = make_bundle(tmp_path, seed=1), make_bundle(tmp_path, seed=2)
    other = (two.folder / "portable/model.onnx").read_bytes()
    (one.folder / "portable/model.onnx").write_bytes(other)
    assert refusal(one.folder).startswith("portable/model.onnx was changed")


def test_what_is_no_folder_is_refused(bundle: TinyBundle) -> None:
    link = bundle.folder.with_name("link")
    link.symlink_to(bundle.folder)
    assert refusal(link) == "The bundle is not a folder (a link to one is refused)."
    assert refusal(bundle.folder / "tokenizer.json").startswith("The bundle is not a folder")
    assert (
        refusal(bundle.folder / "absent") == "the bundle cannot be read: No such file or directory."
    )


def test_the_same_files_have_the_same_digest_anywhere(tmp_path: "Path") -> None:
    one = make_bundle(tmp_path / "one", seed=5)
    two = make_bundle(tmp_path / "another/place", seed=5)
    assert one.digest == two.digest
    assert describe_bundle(two.folder) == one.manifest


def test_a_machine_that_cannot_open_files_refuses_instead_of_failing(bundle: TinyBundle) -> None:
    # Given a process that has as many files open as it may
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        # Then the refusal is one of ours
        reason = refusal(bundle.folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in reason


def test_a_name_that_is_not_unicode_is_refused_in_text_that_can_be_sent(bundle: TinyBundle) -> None:
    with open(os.fsencode(bundle.folder) + b"/\xff", "wb"):  # noqa: PTH123 - no str names it
        pass
    assert refusal(bundle.folder).encode()
