"""Whether what a function carries fits into Lambda, and what would make it fit.

Imports `maas` and the lab; reads sizes, writes nothing.

    plan = plan_sizes(project, layers)
    plan.fits                            # every model's function
    plan.models[0].remedies              # what to leave out, the most effective first

All sizes are bytes unzipped; MB is a million of them.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from maas_lab.packing.project import Project

LAMBDA_BYTES = 262_144_000
"""What Lambda takes: function and layers together."""
LAYERS_MAX = 5
"""Layers of one function; ours has three: runtime, serving, model."""
MARGIN_BYTES = 245_000_000
"""What we plan with; the rest is for the function's own code and for what we miscount."""
IMAGE_BYTES = 10_000_000_000
"""What a container image may have."""
RUNTIME_BYTES = 110_000_000
"""Ceiling of the runtime layer where its Makefile names none."""
_WORTHWHILE_BYTES = 1_000_000  # what saves less is told only where it is enough
_LIMIT = re.compile(r"^LIMIT\s*:?=\s*([0-9]+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """A layer that every function has.

    Attributes:
        name: runtime, serving or function.
        bytes: Its size.
        source: Where the figure comes from.
    """

    name: str
    bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class SizedVersion:
    """A version in the form that is packed.

    Attributes:
        number: The version.
        roles: Why it is carried: some of routed, previous and candidate.
        reason: The same for people.
        form: The form's name.
        bytes: Manifest, shared files and the form's own.
        bytes_by_form: The same for every form that the bundle has.
    """

    number: int
    roles: frozenset[str]
    reason: str
    form: str
    bytes: int
    bytes_by_form: dict[str, int]


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that makes a function smaller.

    Attributes:
        what: What to do, with its option.
        bytes: The size of all of it then.
        fits: Whether that is enough.
    """

    what: str
    bytes: int
    fits: bool


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """One model's function.

    Attributes:
        model: The model's name.
        versions: What it carries, ascending by number.
        shared: Bytes of the parts that every function has.
    """

    model: str
    versions: tuple[SizedVersion, ...]
    shared: int

    @property
    def bytes(self) -> int:
        """Bytes of the function with all of its layers."""
        return self.shared + sum(version.bytes for version in self.versions)

    @property
    def fits(self) -> bool:
        """Whether it is within the margin."""
        return self.bytes <= MARGIN_BYTES

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What would make it fit, the most effective first; none where it fits."""
        return () if self.fits else tuple(_remedies(self))


@dataclass(frozen=True, slots=True)
class SizePlan:
    """Every function of the application.

    Attributes:
        parts: What each of them has.
        models: The models.
    """

    parts: tuple[Part, ...]
    models: tuple[ModelPlan, ...]

    @property
    def fits(self) -> bool:
        """Whether all of them are within the margin."""
        return all(model.fits for model in self.models)


def plan_sizes(
    project: "Project", versions: "Iterable[tuple[str, Sequence[SizedVersion]]]"
) -> SizePlan:
    """Add up what each model's function carries.

    Args:
        project: Where the other layers lie.
        versions: Each model with its versions.
    """
    parts = (_runtime(project), _serving(project), _function(project))
    shared = sum(part.bytes for part in parts)
    return SizePlan(
        parts, tuple(ModelPlan(model, tuple(carried), shared) for model, carried in versions)
    )


def _runtime(project: "Project") -> Part:
    built = _built(project, "onnxruntime")
    if built is not None:
        return Part("runtime", folder_bytes(built), "measured in .aws-sam/build")
    return Part("runtime", _declared(project), "its ceiling; sam build tells the real size")


def _serving(project: "Project") -> Part:
    built = _built(project, "maas")
    if built is not None:
        return Part("serving", folder_bytes(built), "measured in .aws-sam/build")
    # The layer ships every module twice: its source, and a .pyc of about the same size.
    size = 2 * folder_bytes(project.serving, skip="__pycache__")
    return Part("serving", size, "its sources, and as much for what is compiled of them")


def _function(project: "Project") -> Part:
    size = folder_bytes(project.functions / "inference", skip="__pycache__")
    return Part("function", size, "functions/inference")


def _built(project: "Project", package: str) -> "Path | None":
    """The layer that holds a package, as `sam build` made it last."""
    found = sorted(project.build.glob(f"*/python/{package}/__init__.py"))
    return found[0].parents[2] if found else None


def _declared(project: "Project") -> int:
    makefile = project.runtime / "Makefile"
    match = _LIMIT.search(makefile.read_text(encoding="utf-8")) if makefile.is_file() else None
    return int(match[1]) if match else RUNTIME_BYTES


def folder_bytes(folder: "Path", *, skip: str = "") -> int:
    """Bytes of all files in a folder; 0 where there is none.

    Args:
        folder: The folder.
        skip: Folders of this name are left out.
    """
    return sum(
        path.lstat().st_size
        for path in folder.rglob("*")
        if path.is_file() and skip not in path.relative_to(folder).parts
    )


def _remedies(plan: ModelPlan) -> "Iterable[Remedy]":
    def without(*roles: str) -> int:
        return plan.shared + sum(
            version.bytes for version in plan.versions if version.roles.difference(roles)
        )

    named = {
        "leave out the candidates: --without newest and no --candidate": without("candidate"),
        "leave out what a rollback needs: --without previous": without("previous"),
    }
    both = without("candidate", "previous")
    if both < min(named.values()):
        named["leave out both: --without newest --without previous"] = both
    for form in sorted({name for version in plan.versions for name in version.bytes_by_form}):
        named[f"another form: --form {form}"] = plan.shared + sum(
            version.bytes_by_form.get(form, version.bytes) for version in plan.versions
        )
    for what, total in sorted(named.items(), key=lambda item: item[1]):
        if total <= MARGIN_BYTES or plan.bytes - total >= _WORTHWHILE_BYTES:
            yield Remedy(what, total, total <= MARGIN_BYTES)
    yield Remedy(
        f"a container image, which takes {IMAGE_BYTES / 1e9:.0f} GB; maas package does not make"
        " one yet",
        plan.bytes,
        plan.bytes <= IMAGE_BYTES,
    )
