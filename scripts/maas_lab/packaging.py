"""Registry → layers/models: the served set of each model as the folder of a Lambda layer.

Imports `maas` and the lab.

    outcome = package(project, registry, bundles, wishes, architecture=None, console=console)
    outcome.plan.fits                    # where it is False, nothing was written

The order of the steps lets a kill at any moment leave something that can be built: layers are
made beside and exchanged, then samconfig.toml names them, then those that it names no more go.
"""

import errno
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from maas.bundle.manifest import digest16
from maas.errors import BadRequestError, ConflictError, FieldError, RefusedError
from maas_lab.files import drop_folder, lock_folder, replace_folder, write_file
from maas_lab.packing.byte_bar import byte_bar
from maas_lab.packing.layer_copies import (
    is_current,
    is_ours,
    layer_folders,
    released,
    seal_layer,
    write_version,
)
from maas_lab.packing.layer_sources import LayerSource, find_source
from maas_lab.packing.models import wish_models
from maas_lab.packing.release_digest import SERVED_SETS, release_digest
from maas_lab.packing.required_key import REQUIRE_SIGNATURE, required_by
from maas_lab.packing.samconfig import ARCHITECTURES, read_samconfig
from maas_lab.packing.served_sets import POLICY_TRIES, settle
from maas_lab.packing.size_plan import SizePlan, plan_sizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from maas.bundle.ecdsa import PublicKey
    from maas.registry.reader import Reader
    from maas.served import ServedSet
    from maas_lab.packing.project import Project
    from maas_lab.packing.served_sets import Wishes


@dataclass(frozen=True, slots=True)
class Layer:
    """One model's folder.

    Attributes:
        folder: Where it lies, or would.
        served: What it carries.
        state: What became of it; planned where nothing was written.
    """

    folder: "Path"
    served: "ServedSet"
    state: Literal["planned", "new", "replaced", "unchanged"]


@dataclass(frozen=True, slots=True)
class Packaged:
    """What `package` did.

    Attributes:
        architecture: What it is for.
        plan: The sizes. Where they do not fit, nothing was written.
        layers: The models by name.
        removed: Models whose layers were removed.
        left_out: Versions that belong to a set and are not there, one sentence each.
        samconfig_changed: Whether samconfig.toml had to be changed.
    """

    architecture: str
    plan: SizePlan
    layers: tuple[Layer, ...]
    removed: tuple[str, ...]
    left_out: tuple[str, ...]
    samconfig_changed: bool


def package(
    project: "Project",
    registry: "Reader",
    bundles: "Path",
    wishes: "Wishes",
    *,
    architecture: str | None,
    console: "Console",
    key: "PublicKey | None" = None,
) -> Packaged:
    """Write each model's served set, the architecture and the parameters.

    Args:
        project: Where to.
        registry: Where the versions and their routes are.
        bundles: The folder of all bundles.
        wishes: What to carry.
        architecture: x86_64 or arm64; what samconfig.toml says when None.
        console: Where progress goes.
        key: Whose owner must have signed every version, here and in the functions; when None the
            one that samconfig.toml says, if it does.

    Raises:
        RefusedError: A rule says no; nothing was written.
        ConflictError: Others keep changing a model, or another process is packaging.
        OSError: The disk is full; the former layers are untouched.
    """
    kept = read_samconfig(project.samconfig)
    target = kept.architecture() if architecture is None else _known(architecture)
    required = key or required_by(kept)
    models = wish_models(registry, wishes)
    for _ in range(POLICY_TRIES):
        sources = [
            find_source(registry, bundles, model, wishes, target, key=required) for model in models
        ]
        plan = plan_sizes(
            project, ((s.served.model, [pack.size for pack in s.packs]) for s in sources)
        )
        left_out = tuple(line for source in sources for line in source.left_out)
        if not plan.fits:
            layers = tuple(
                Layer(project.models / s.served.model, s.served, "planned") for s in sources
            )
            return Packaged(target, plan, layers, (), left_out, samconfig_changed=False)
        with _writing(project), _staged(project, sources, console) as staged:
            if any(_moved(registry, source.served) for source in sources):
                continue  # a promote came while the files were copied
            layers = tuple(_place(project, source.served, staged) for source in sources)
            chosen = architecture is not None
            changed = _tell_sam(project, sources, target, chosen=chosen, key=required)
            removed = _remove_others(project, models)
        return Packaged(target, plan, layers, removed, left_out, samconfig_changed=changed)
    raise ConflictError("Others keep changing the models; nothing was written. Run it again.")


def _moved(registry: "Reader", served: "ServedSet") -> bool:
    return settle(registry, registry.policy(served.model)) != served.policy


def _known(architecture: str) -> str:
    if architecture not in ARCHITECTURES:
        raise FieldError(f"must be {' or '.join(ARCHITECTURES)}", field="architecture")
    return architecture


@contextmanager
def _writing(project: "Project") -> "Iterator[None]":
    """One packager at a time, and what the system refuses in words that fit."""
    try:
        with lock_folder(project.models / "models"):
            yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            error.filename = error.filename or str(project.models)  # a write names no file
            raise
        raise BadRequestError(
            f"{error.strerror or 'failed'}: {error.filename or project.models}. The project's"
            " folder must be one that you may write to: layers are written there."
        ) from error


@contextmanager
def _staged(
    project: "Project", sources: "Sequence[LayerSource]", console: "Console"
) -> "Iterator[dict[str, Path]]":
    """Make the layers that differ beside those that are there; gone after the body."""
    _sweep(project)
    parts: dict[str, Path] = {}
    try:
        for source in sources:
            served, folder = source.served, project.models / source.served.model
            if folder.is_symlink() or (folder.exists() and not is_ours(folder)):
                raise RefusedError(
                    f"layers/models/{served.model} was not made by maas package; move it away."
                )
            if is_current(folder, served, source.signatures):
                continue
            parts[served.model] = part = folder.with_name(f".{served.model}.part")
            for pack in source.packs:
                what = f"copying {served.model}@{pack.size.number}"
                with byte_bar(console, what, pack.size.bytes) as advance:
                    inside = part / digest16(pack.bundle.digest)
                    write_version(pack.bundle, pack.size.form, inside, advance=advance)
            seal_layer(part, served, source.signatures)
        yield parts
    finally:
        _sweep(project)


def _sweep(project: "Project") -> None:
    """Remove what a killed run left; the lock is held, so nobody is at work on it."""
    for pattern in (".*.part", ".*.dropped"):
        for leftover in project.models.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)
    for leftover in project.root.glob(f".{project.samconfig.name}.*.part"):
        leftover.unlink()


def _place(project: "Project", served: "ServedSet", staged: "dict[str, Path]") -> Layer:
    folder = project.models / served.model
    if served.model not in staged:
        return Layer(folder, served, "unchanged")
    existed = folder.exists()
    replace_folder(folder, staged[served.model])
    return Layer(folder, served, "replaced" if existed else "new")


def _tell_sam(
    project: "Project",
    sources: "Sequence[LayerSource]",
    architecture: str,
    *,
    chosen: bool,
    key: "PublicKey | None",
) -> bool:
    """Write the architecture for the layers' makefiles, and the template's parameters."""
    said = f"{architecture}\n".encode()
    file = project.runtime / "architecture"
    if not file.is_file() or file.read_bytes() != said:
        write_file(file, said)
    served = {source.served.model: released(source.served, source.signatures) for source in sources}

    def change(overrides: dict[str, str]) -> dict[str, str]:
        ours = {"Models": ",".join(served)}
        if chosen or "Architecture" in overrides:
            ours["Architecture"] = architecture
        if key is not None:
            ours[REQUIRE_SIGNATURE] = key.line
        every = overrides | ours | {"Architecture": architecture}
        return ours | {SERVED_SETS: release_digest(project, served=served, overrides=every)}

    return read_samconfig(project.samconfig).write(change)


def _remove_others(project: "Project", models: "Sequence[str]") -> tuple[str, ...]:
    gone = [folder for folder in layer_folders(project.models) if folder.name not in models]
    for folder in gone:
        drop_folder(folder)
    return tuple(folder.name for folder in gone)
