"""OpenSSF's `model_signing`, unmodified, in an environment of its own: it and we take each other's.

It verifies what `maas sign` wrote, and what it signs is accepted where a signature is required,
unless it was told to leave files out.
"""

import subprocess
from pathlib import Path

import pytest
from support.environments import python_of
from support.signing import KEY, PRIVATE, WIDE, pem_of
from support.tiny import TinyBundle, make_bundle

from maas.bundle.signature import require_signature, signature_path
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas_lab.signing.bundles import sign_bundle
from maas_lab.signing.keys import FileKey

pytestmark = pytest.mark.clients


@pytest.fixture
def bundle(tmp_path: Path) -> TinyBundle:
    return make_bundle(tmp_path / "bundles", rounded=True)


def tool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the tool as its users do."""
    command = (python_of("model_signing"), "-I", "-m", "model_signing", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def they_verify(
    bundle: TinyBundle, key: FileKey, tmp_path: Path
) -> subprocess.CompletedProcess[str]:
    public = tmp_path / "key.pub"
    public.write_text(key.public.pem)
    signature = signature_path(bundle.folder)
    return tool(
        "verify", "key", bundle.folder, "--signature", signature, "--public_key", public
    )  # fmt: skip


def they_sign(bundle: TinyBundle, tmp_path: Path, *options: str) -> None:
    private = tmp_path / "key.pem"
    private.write_bytes(pem_of(PRIVATE))
    signature = signature_path(bundle.folder)
    done = tool(
        "sign", "key", bundle.folder, "--signature", signature, "--private_key", private, *options
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key", [KEY, WIDE], ids=["P-256", "P-384"])
def test_it_verifies_what_we_signed(bundle: TinyBundle, tmp_path: Path, key: FileKey) -> None:
    sign_bundle(bundle.folder, key)
    done = they_verify(bundle, key, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "Verification succeeded"), done.stderr


@pytest.mark.parametrize("what", ["key", "file", "extra"])
def test_it_refuses_what_we_refuse(bundle: TinyBundle, tmp_path: Path, what: str) -> None:
    sign_bundle(bundle.folder, KEY)
    if what == "file":
        (bundle.folder / "tokenizer.json").write_text("{}")
    elif what == "extra":
        (bundle.folder / "run.py").write_text("print()")
    assert they_verify(bundle, WIDE if what == "key" else KEY, tmp_path).returncode == 1


def test_we_verify_what_it_signed(bundle: TinyBundle, tmp_path: Path) -> None:
    they_sign(bundle, tmp_path, "--no-ignore-git-paths")
    require_signature(verify_bundle(bundle.folder), KEY.public)


@pytest.mark.parametrize(
    "options", [(), ("--ignore-paths", "portable")], ids=["git's files", "a folder"]
)
def test_we_refuse_what_it_signed_with_files_left_out(
    bundle: TinyBundle, tmp_path: Path, options: tuple[str, ...]
) -> None:
    options = tuple(str(bundle.folder / each) if each == "portable" else each for each in options)
    they_sign(bundle, tmp_path, *options)
    with pytest.raises(BundleError, match="ignore_paths"):
        require_signature(verify_bundle(bundle.folder), KEY.public)
