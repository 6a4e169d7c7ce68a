"""A model's layer folder: plain files whose modes and times are the same wherever they are written.

Imports `maas` and `maas_lab.files`.

    write_version(bundle, "optimised-x86", part / digest16, advance=bar)
    seal_layer(part, served, signatures) # Makefile, served.json, fixed modes and times
    is_current(project.models / "sentiment", served, signatures)

A folder is ours when it holds served.json; nothing else in layers/models is ever touched.
"""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from maas.bundle.manifest import MANIFEST, digest16
from maas.bundle.signature import require_signature, signature_path
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas.served import SERVED, ServedSet, parse_served, write_served
from maas_lab.files import copy_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maas.bundle.ecdsa import PublicKey
    from maas.bundle.verify import Bundle

MAKEFILE = "Makefile"
MODIFIED = 315_705_600
"""Seconds since 1970: 1980-01-03 in UTC, so that no time zone falls before 1980, where zip begins.

A layer that is built from the same bundles is then the same, byte for byte."""
FILE_MODE = 0o644
FOLDER_MODE = 0o755
_RECIPE = """\
# Written by maas package: what sam build copies into the layer of this model.
build-%:
\tmkdir -p "$(ARTIFACTS_DIR)/models/MODEL"
\tcp -Rp NAMES "$(ARTIFACTS_DIR)/models/MODEL/"
"""


def write_version(
    bundle: "Bundle", form: str, folder: Path, *, advance: "Callable[[int], None]"
) -> None:
    """Copy the manifest, the shared files and those of one form, and hash what was written.

    Args:
        bundle: Verified, with all of its forms.
        form: The one form to copy.
        folder: Where to; it does not exist.
        advance: Told the bytes of every chunk that was copied.

    Raises:
        BundleError: What was written is not what the manifest says.
        OSError: The disk is full, or the folder cannot be written to.
    """
    folder.mkdir(parents=True)
    for path in (MANIFEST, *(entry.path for entry in bundle.manifest.entries(form))):
        (folder / path).parent.mkdir(exist_ok=True)
        copy_file(bundle.folder / path, folder / path, advance=advance)
    verify_bundle(folder, digest=bundle.digest, form=form)


def seal_layer(folder: Path, served: ServedSet, signatures: "Mapping[str, bytes]") -> None:
    """Write what lies beside the versions, and give everything its fixed mode and time.

    Args:
        folder: The layer.
        served: What it carries.
        signatures: The versions' signatures by their files' names.
    """
    for name, data in _own_files(served, signatures).items():
        (folder / name).write_bytes(data)
    for path in [*sorted(folder.rglob("*"), reverse=True), folder]:  # a folder after its files
        path.chmod(_mode(path))
        os.utime(path, (MODIFIED, MODIFIED))


def is_current(folder: Path, served: ServedSet, signatures: "Mapping[str, bytes]") -> bool:
    """Whether a layer folder is what packaging would write anew; every byte is hashed."""
    own = _own_files(served, signatures)
    try:
        if {path.name for path in folder.iterdir()} != {
            *own,
            *(digest16(version.digest) for version in served.versions),
        }:
            return False
        for version in served.versions:
            inside = folder / digest16(version.digest)
            verify_bundle(inside, digest=version.digest, form=version.form)
        return all((folder / name).read_bytes() == data for name, data in own.items()) and all(
            _is_sealed(path) for path in [folder, *folder.rglob("*")]
        )
    except (OSError, BundleError):
        return False


def read_signatures(folder: Path, served: ServedSet, key: "PublicKey | None") -> dict[str, bytes]:
    """The signatures in a layer by their files' names, each checked as its function will.

    Args:
        folder: The layer.
        served: What it carries.
        key: Whose owner must have signed every version; None where nobody must, and none lie here.

    Raises:
        BundleError: One is not right.
    """
    if key is None:
        return {}
    found = {}
    for version in served.versions:
        inside = folder / digest16(version.digest)
        bundle = verify_bundle(inside, digest=version.digest, form=version.form)
        found[signature_path(inside).name] = require_signature(bundle, key)
    return found


def encode_served(served: ServedSet) -> bytes:
    """The canonical bytes of served.json, which the function itself would accept.

    Raises:
        BundleError: It would not.
    """
    data = write_served(served)
    parse_served(data)
    return data


def released(served: ServedSet, signatures: "Mapping[str, bytes]") -> bytes:
    """What a layer adds to the release's digest: all of its content follows from it."""
    return encode_served(served) + b"".join(signatures.values())


def layer_folders(models: Path) -> tuple[Path, ...]:
    """The layer folders that packaging made, by name."""
    if not models.is_dir():
        return ()
    return tuple(
        folder
        for folder in sorted(models.iterdir())
        if not folder.name.startswith(".") and is_ours(folder)
    )


def is_ours(folder: Path) -> bool:
    """Whether packaging made a folder: it holds served.json."""
    return (folder / SERVED).is_file() and not folder.is_symlink()


def _own_files(served: ServedSet, signatures: "Mapping[str, bytes]") -> dict[str, bytes]:
    folders = (digest16(version.digest) for version in served.versions)
    names = " ".join([SERVED, *folders, *signatures])
    recipe = _RECIPE.replace("NAMES", names).replace("MODEL", served.model)
    return {MAKEFILE: recipe.encode(), SERVED: encode_served(served), **signatures}


def _is_sealed(path: Path) -> bool:
    status = path.lstat()
    return (stat.S_IMODE(status.st_mode), status.st_mtime) == (_mode(path), MODIFIED)


def _mode(path: Path) -> int:
    return FOLDER_MODE if path.is_dir() else FILE_MODE
