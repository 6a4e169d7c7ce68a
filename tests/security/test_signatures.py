"""S17 and S18: where a signature is required, every bundle without the right one is refused.

Each attack is made on a bundle that was signed as it should be, and tried where a bundle comes in
(`maas register`) and where it goes to work (a function's start, and `maas serve`).
"""

import base64
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from msgspec import structs
from support.effort import count
from support.signing import (
    KEY,
    OTHER,
    PRIVATE,
    WIDE,
    pem_of,
    sign_by_another_hash,
    stated,
    write_file,
    write_signature,
)
from support.tiny import Home, make_bundle, make_home, open_client

from maas.bundle.ecdsa import PublicKey
from maas.bundle.signature import require_signature, signature_path
from maas.bundle.statement import signed_bytes
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, RefusedError, SettingsError
from maas.registry.addresses import ByNumber
from maas.registry.records import WEIGHT_TOTAL, Route
from maas_lab.releasing import promote, register_bundle, roll_back, shadow
from maas_lab.signing.bundles import sign_bundle

Attack = Callable[[Path], None]


@pytest.fixture
def signed(tmp_path: Path) -> Home:
    """Two versions of `sentiment`, both signed by KEY, which is required; production is 1."""
    home = requiring(make_home(tmp_path / "home"), KEY.public)
    for bundle in home.bundles.values():
        sign_bundle(bundle.folder, KEY)
    return home


def requiring(home: Home, key: PublicKey) -> Home:
    return replace(home, settings=structs.replace(home.settings, require_signature=key.line))


def changed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Sign by the right key what another tool, or a deceived hand, might have stated."""
    statement = stated(folder)
    write_signature(folder, change(statement) or statement)


def edited(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the file around a right statement and its right signature."""
    path = signature_path(folder)
    file = json.loads(path.read_bytes())
    change(file)
    path.write_text(json.dumps(file))


def write(content: bytes) -> Attack:
    return lambda folder: void(signature_path(folder).write_bytes(content))


def void(_: object) -> None:
    """What is called for what it does."""


def of_payload(folder: Path, make: Callable[[bytes], list[bytes]]) -> None:
    """Other signatures of the right statement."""
    payload = json.dumps(stated(folder)).encode()
    write_file(folder, payload, make(payload))


def serialization(**values: object) -> Attack:
    return lambda folder: changed(
        folder, lambda statement: statement["predicate"]["serialization"].update(values)
    )


def resource(number: int, **values: object) -> Attack:
    return lambda folder: changed(
        folder, lambda statement: statement["predicate"]["resources"][number].update(values)
    )


def other_bundle(folder: Path) -> None:
    """The signature of a bundle of other weights, by the right key."""
    other = make_bundle(folder.parents[1] / "other", seed=9)
    path = sign_bundle(other.folder, KEY).path
    path.replace(signature_path(folder))


def linked(folder: Path) -> None:
    path = signature_path(folder)
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def hard_linked(folder: Path) -> None:
    path = signature_path(folder)
    path.with_suffix(".real").hardlink_to(path)


def a_pipe(folder: Path) -> None:
    signature_path(folder).unlink()
    os.mkfifo(signature_path(folder))


def a_folder(folder: Path) -> None:
    signature_path(folder).unlink()
    signature_path(folder).mkdir()


def cut(folder: Path) -> None:
    path = signature_path(folder)
    path.write_bytes(path.read_bytes()[:-20])


def one_bit(folder: Path) -> None:
    def flip(file: dict[str, Any]) -> None:
        payload = bytearray(base64.b64decode(file["dsseEnvelope"]["payload"]))
        payload[100] ^= 1
        file["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()

    edited(folder, flip)


def none_left(folder: Path) -> None:
    changed(folder, lambda statement: statement["predicate"].update(resources=[]))


RIGHT_HINT = KEY.public
ATTACKS: dict[str, tuple[Attack, str]] = {
    # There is none, or it is no file that can be one
    "absent": (lambda f: signature_path(f).unlink(), "not signed"),
    "a link": (linked, "cannot be read"),
    "a file of two names": (hard_linked, "not a plain file"),
    "a pipe": (a_pipe, "not a plain file"),
    "a folder": (a_folder, "not a plain file|cannot be read"),
    "empty": (write(b""), "not JSON"),
    "no JSON": (write(b"-----BEGIN"), "not JSON"),
    "no UTF-8": (write(b'{"mediaType": "\xff"}'), "not JSON"),
    "cut": (cut, "not JSON"),
    "deep": (write(b"[" * 60_000), "cannot be read"),
    "null": (write(b"null"), "cannot be read"),
    "huge": (write(b" " * 100_000_000), "larger than"),
    # Another key, or another algorithm
    "another key": (lambda f: write_signature(f, stated(f), key=OTHER), "another key"),
    "another key under the right name": (
        lambda f: write_signature(f, stated(f), key=OTHER, hint=RIGHT_HINT),
        "signature is wrong",
    ),
    "another curve": (lambda f: write_signature(f, stated(f), key=WIDE), "another key"),
    "another curve under the right name": (
        lambda f: write_signature(f, stated(f), key=WIDE, hint=RIGHT_HINT),
        "signature is wrong",
    ),
    "no key's name": (
        lambda f: edited(f, lambda s: s["verificationMaterial"].update(publicKey={})),
        "cannot be read",
    ),
    "a key in the file": (
        lambda f: edited(
            f,
            lambda s: s["verificationMaterial"]["publicKey"].update(rawBytes=OTHER.public.line),
        ),
        "cannot be read",
    ),
    "a certificate": (
        lambda f: edited(f, lambda s: s.update(verificationMaterial={"certificate": {}})),
        "cannot be read",
    ),
    "an algorithm in the file": (
        lambda f: edited(
            f, lambda s: s["verificationMaterial"]["publicKey"].update(keyDetails="none")
        ),
        "cannot be read",
    ),
    "a weaker hash": (
        lambda f: of_payload(f, lambda p: [sign_by_another_hash(signed_bytes(p), hashes.SHA224())]),
        "signature is wrong",
    ),
    "a longer hash": (
        lambda f: of_payload(f, lambda p: [sign_by_another_hash(signed_bytes(p), hashes.SHA512())]),
        "signature is wrong",
    ),
    "the older encoding": (
        lambda f: write_signature(f, stated(f), pae=b"DSSEV1 28 application/vnd.in-toto+json "),
        "signature is wrong",
    ),
    "the payload without its envelope": (
        lambda f: of_payload(f, lambda p: [KEY.sign(p)]),
        "signature is wrong",
    ),
    "no signature": (lambda f: of_payload(f, lambda _: []), "cannot be read"),
    "an empty signature": (lambda f: of_payload(f, lambda _: [b""]), "signature is wrong"),
    "a signature of zeros": (
        lambda f: of_payload(f, lambda _: [bytes.fromhex("3006020100020100")]),
        "signature is wrong",
    ),
    "two signatures": (
        lambda f: of_payload(f, lambda p: [KEY.sign(signed_bytes(p))] * 2),
        "cannot be read",
    ),
    "two, of which one is right": (
        lambda f: of_payload(f, lambda p: [KEY.sign(signed_bytes(p)), b"none"]),
        "cannot be read",
    ),
    "no base64": (
        lambda f: edited(f, lambda s: s["dsseEnvelope"]["signatures"][0].update(sig="!")),
        "not base64",
    ),
    "one bit of the statement": (one_bit, "signature is wrong"),
    # The right key, and another statement
    "another bundle's": (other_bundle, "another bundle: signed as another: .*manifest.json"),
    "no file": (none_left, "another bundle: not signed: "),
    "one file less": (
        lambda f: changed(f, lambda s: void(s["predicate"]["resources"].pop())),
        "another bundle: not signed: ",
    ),
    "one file more": (
        lambda f: changed(
            f,
            lambda s: s["predicate"]["resources"].append(
                {"name": "run.py", "algorithm": "sha256", "digest": "0" * 64}
            ),
        ),
        "another bundle: signed, and not in this one: run.py",
    ),
    "one file twice": (
        lambda f: changed(
            f,
            lambda s: s["predicate"]["resources"].append(dict(s["predicate"]["resources"][0])),
        ),
        "another bundle",
    ),
    "another order": (
        lambda f: changed(f, lambda s: s["predicate"]["resources"].reverse()),
        "another bundle",
    ),
    "another file": (resource(0, digest="0" * 64), "signed as another"),
    "a name with more lines": (resource(0, name="a\nb"), "cannot be read"),
    "another hash of a file": (resource(0, algorithm="blake2b"), "cannot be read"),
    "no hash of a file": (resource(0, digest=""), "cannot be read"),
    "files left out by name": (serialization(ignore_paths=["portable/model.onnx"]), "ignore_paths"),
    "an empty list of what is left out": (serialization(ignore_paths=[]), "ignore_paths"),
    "links allowed": (serialization(allow_symlinks=True), "another bundle"),
    "parts of files": (serialization(method="shards", shard_size=1), "cannot be read"),
    "another hash": (serialization(hash_type="blake3"), "cannot be read"),
    "another whole": (
        lambda f: changed(f, lambda s: s["subject"][0]["digest"].update(sha256="0" * 64)),
        "another bundle",
    ),
    "another name": (
        lambda f: changed(f, lambda s: s["subject"][0].update(name="other")),
        "another bundle",
    ),
    "two subjects": (
        lambda f: changed(f, lambda s: s["subject"].append(s["subject"][0])),
        "cannot be read",
    ),
    "the older predicate": (
        lambda f: changed(
            f, lambda s: s.update(predicateType="https://model_signing/Digests/v0.1")
        ),
        "cannot be read",
    ),
    "something else of in-toto": (
        lambda f: changed(f, lambda s: s.update(predicateType="https://slsa.dev/provenance/v1")),
        "cannot be read",
    ),
    "a statement of another version": (
        lambda f: changed(f, lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")),
        "cannot be read",
    ),
    "a statement that is no JSON": (lambda f: write_signature(f, b"yes"), "not JSON"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_s18_a_wrong_signature_is_refused_at_register_and_at_init(
    signed: Home, log: io.StringIO, name: str
) -> None:
    attack, reason = ATTACKS[name]
    folder = signed.bundles[1].folder
    attack(folder)
    count("attacks")
    # Then it is not registered
    with (
        signed.registry() as registry,
        pytest.raises(BundleError, match=reason) as refusal,
    ):
        register_bundle(registry, folder, key=KEY.public)
    assert refusal.value.exit_code == 3
    # And a function that has it answers 503, says nothing of why, and logs it
    with open_client(signed.services(full=False)) as client:
        answer = client.predict("good")
    assert (answer.status_code, answer.json()["code"]) == (503, "model_not_ready")
    assert "signature" not in answer.text
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert f"{folder.name}: {refusal.value}" in [line.get("reason") for line in lines]


@pytest.mark.parametrize("full", [True, False], ids=["serve", "function"])
def test_a_signed_version_answers(signed: Home, *, full: bool) -> None:
    with open_client(signed.services(full=full)) as client:
        assert client.predict("good").status_code == 200
    with signed.registry() as registry:
        assert not register_bundle(registry, signed.bundles[1].folder, key=KEY.public).created


def test_where_no_signature_is_required_none_is_read(signed: Home) -> None:
    signature_path(signed.bundles[1].folder).write_bytes(b"no JSON")
    home = replace(signed, settings=structs.replace(signed.settings, require_signature=""))
    with open_client(home.services()) as client:
        assert client.predict("good").status_code == 200


def test_a_wider_key_signs_as_well(signed: Home) -> None:
    for bundle in signed.bundles.values():
        sign_bundle(bundle.folder, WIDE)
    with open_client(requiring(signed, WIDE.public).services()) as client:
        assert client.predict("good").status_code == 200


# ---- S17: the right signature, and another bundle -----------------------------------------------


def spoil(folder: Path, what: str) -> None:
    """Change a signed bundle, and leave its signature."""
    graph = folder / "portable" / "model.onnx"
    if what == "changed":
        graph.write_bytes(graph.read_bytes() + b"\0")
    elif what == "missing":
        graph.unlink()
    elif what == "extra":
        (folder / "run.py").write_text("print()")
    elif what == "renamed":
        graph.rename(graph.with_name("other.onnx"))
    elif what == "ignored by name":
        (folder / ".gitignore").write_text("*")
    else:
        manifest = folder / "manifest.json"
        manifest.write_bytes(manifest.read_bytes().replace(b'"negative"', b'"positivf"'))


@pytest.mark.parametrize(
    "what", ["changed", "missing", "extra", "renamed", "ignored by name", "manifest"]
)
def test_s17_a_signed_bundle_that_was_changed_is_refused(
    signed: Home, log: io.StringIO, what: str
) -> None:
    folder = signed.bundles[1].folder
    spoil(folder, what)
    count("attacks")
    with signed.registry() as registry, pytest.raises(BundleError):
        register_bundle(registry, folder, key=KEY.public)
    with open_client(signed.services(full=False)) as client:
        assert client.predict("good").json()["code"] == "model_not_ready"
    assert folder.name in log.getvalue()


@pytest.mark.parametrize("renewed", [False, True], ids=["its folder", "its name and signature"])
def test_s17_an_older_signed_version_in_the_place_of_another_is_refused(
    signed: Home, log: io.StringIO, *, renewed: bool
) -> None:
    # Given version 1, whole and rightly signed, where version 2 should lie
    old, new = signed.bundles[1].folder, signed.bundles[2].folder
    shutil.rmtree(new)
    shutil.copytree(old, new)
    if renewed:
        shutil.copyfile(signature_path(old), signature_path(new))
    signed.promote(2)
    count("attacks")
    with open_client(signed.services(full=False)) as client:
        assert client.predict("good").json()["code"] == "model_not_ready"
    # Then its digest says so: the registry's is that of version 2
    assert "the registry says" in log.getvalue()


def test_s17_the_signatures_of_two_versions_cannot_be_exchanged(signed: Home) -> None:
    one, two = (signature_path(signed.bundles[number].folder) for number in (1, 2))
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)
    for number in (1, 2):
        count("attacks")
        with pytest.raises(BundleError, match="another bundle"):
            require_signature(verify_bundle(signed.bundles[number].folder), KEY.public)


def test_only_the_version_that_is_not_signed_is_refused(signed: Home) -> None:
    signature_path(signed.bundles[2].folder).unlink()
    with open_client(signed.services(full=False)) as client:
        assert client.predict("good").status_code == 200
        answer = client.post("/models/sentiment/versions/2", json={"inputs": "good"})
        assert answer.json()["code"] == "model_not_ready"
        assert client.predict("good").status_code == 200


def test_s18_what_is_not_signed_is_given_no_traffic(signed: Home) -> None:
    folder, key = signed.settings.bundles, KEY.public
    signature_path(signed.bundles[2].folder).unlink()
    with signed.registry() as registry:
        for give in (promote, partial(shadow, sample=100)):
            with pytest.raises(RefusedError, match=r"not be served: .*\. Sign it with maas sign\."):
                give(registry, folder, "sentiment", ByNumber(2), key=key)
        assert registry.alias("sentiment", "production").routes == (Route(1, WEIGHT_TOTAL),)
        # And what was before the requirement is not gone back to either
        promote(registry, folder, "sentiment", ByNumber(2))
        promote(registry, folder, "sentiment", ByNumber(1), key=key)
        with pytest.raises(RefusedError, match="Version 2 would not be served"):
            roll_back(registry, folder, "sentiment", key=key)
        sign_bundle(signed.bundles[2].folder, KEY)
        roll_back(registry, folder, "sentiment", key=key)
    count("attacks", 3)


# ---- The key ------------------------------------------------------------------------------------


def test_the_key_may_be_a_pem_a_line_or_a_file(signed: Home, tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(KEY.public.pem)
    for said in (KEY.public.pem, KEY.public.line, f" {KEY.public.line}\n", str(file)):
        settings = structs.replace(signed.settings, require_signature=said)
        with open_client(replace(signed, settings=settings).services()) as client:
            assert client.predict("good").status_code == 200


@pytest.mark.parametrize(
    "said",
    ["on", "true", "no/such/file", ".", "-----BEGIN PUBLIC KEY-----", "MFkwEwYHKoZIzj0C", "\0"],
)
def test_a_required_key_that_is_none_lets_nothing_start(signed: Home, said: str) -> None:
    home = replace(signed, settings=structs.replace(signed.settings, require_signature=said))
    with pytest.raises(SettingsError, match="MAAS_REQUIRE_SIGNATURE must be a public key"):
        home.services()


def test_a_private_key_is_not_taken_for_a_public_one(signed: Home, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem_of(PRIVATE))
    settings = structs.replace(signed.settings, require_signature=str(tmp_path / "key.pem"))
    with pytest.raises(SettingsError, match="no public key") as refusal:
        replace(signed, settings=settings).services()
    assert "PRIVATE" not in str(refusal.value)


def test_a_version_that_is_not_signed_is_not_registered(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", versions=1)
    bundle = make_bundle(home.settings.bundles, seed=7)
    with home.registry() as registry:
        with pytest.raises(BundleError, match="not signed"):
            register_bundle(registry, bundle.folder, key=KEY.public)
        assert registry.version("sentiment", ByNumber(1)).number == 1
        sign_bundle(bundle.folder, KEY)
        assert register_bundle(registry, bundle.folder, key=KEY.public).record.number == 2
