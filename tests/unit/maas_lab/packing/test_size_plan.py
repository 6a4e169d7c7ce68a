"""The size plan: what counts, what fits, and what would make it fit."""

from typing import TYPE_CHECKING

import pytest
from support.shipping import make_project, package_into, tree
from support.tiny import make_home

from maas_lab.packing import size_plan
from maas_lab.packing.size_plan import MARGIN_BYTES, SizedVersion, plan_sizes
from maas_lab.views.shipping import package_view

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.packing.project import Project

MB = 1_000_000


@pytest.fixture
def project(tmp_path: "Path") -> "Project":
    return make_project(tmp_path / "project")


def version(number: int, megabytes: int, *roles: str, **forms: int) -> SizedVersion:
    sizes = {"portable": megabytes * MB} | {name: size * MB for name, size in forms.items()}
    return SizedVersion(
        number, frozenset(roles), ", ".join(roles), "portable", megabytes * MB, sizes
    )


def sparse(path: "Path", size: int) -> None:
    """A file of a size that takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def test_the_runtime_is_taken_at_its_ceiling_until_it_was_built(project: "Project") -> None:
    runtime = plan_sizes(project, []).parts[0]
    assert (runtime.bytes, "ceiling" in runtime.source) == (110 * MB, True)

    layer = project.build / "RuntimeLayer" / "python"
    sparse(layer / "onnxruntime" / "__init__.py", 1 * MB)
    sparse(layer / "numpy" / "core.so", 100 * MB)
    built = plan_sizes(project, []).parts[0]
    assert (built.bytes, built.source) == (101 * MB, "measured in .aws-sam/build")


def test_the_ceiling_is_the_one_that_the_layer_declares(project: "Project") -> None:
    makefile = project.runtime / "Makefile"
    makefile.write_text(makefile.read_text().replace("110000000", "120000000"))
    assert plan_sizes(project, []).parts[0].bytes == 120 * MB
    makefile.unlink()
    assert plan_sizes(project, []).parts[0].bytes == 110 * MB


def test_the_serving_layer_is_measured(project: "Project") -> None:
    sources = sum(path.stat().st_size for path in project.serving.rglob("*") if path.is_file())
    assert plan_sizes(project, []).parts[1].bytes == 2 * sources
    sparse(project.build / "ServingLayer" / "python" / "maas" / "__init__.py", 3 * MB)
    assert plan_sizes(project, []).parts[1].bytes == 3 * MB


def test_the_margin_is_the_last_byte_that_fits(project: "Project") -> None:
    shared = sum(part.bytes for part in plan_sizes(project, []).parts)
    for extra, fits in ((0, True), (1, False)):
        sized = SizedVersion(1, frozenset({"routed"}), "", "a", MARGIN_BYTES - shared + extra, {})
        plan = plan_sizes(project, [("sentiment", [sized])])
        assert (plan.fits, plan.models[0].bytes - MARGIN_BYTES) == (fits, extra)
        assert bool(plan.models[0].remedies) is not fits


def test_what_would_help_comes_with_its_figures_the_most_effective_first(
    project: "Project",
) -> None:
    plan = plan_sizes(
        project,
        [
            ("small", [version(1, 10, "routed")]),
            (
                "large",
                [
                    version(1, 75, "previous", int8=15),
                    version(2, 75, "routed", int8=15),
                    version(3, 85, "candidate", int8=18),
                ],
            ),
        ],
    )
    small, large = plan.models
    assert (plan.fits, small.fits, large.fits) == (False, True, False)
    assert small.remedies == ()
    said = [(remedy.what, (remedy.bytes - large.shared) // MB) for remedy in large.remedies]
    assert said == [
        ("another form: --form int8", 48),
        ("leave out both: --without newest --without previous", 75),
        ("leave out the candidates: --without newest and no --candidate", 150),
        ("leave out what a rollback needs: --without previous", 160),
        (
            "a container image, which takes 10 GB; maas package does not make one yet",
            235,
        ),
    ]
    assert [remedy.fits for remedy in large.remedies] == [True, True, False, False, True]


def test_what_has_another_reason_to_be_there_does_not_go(project: "Project") -> None:
    plan = plan_sizes(project, [("m", [version(1, 200, "previous", "candidate")])])
    (both, image) = plan.models[0].remedies
    assert both.what.startswith("leave out both")
    assert image.what.startswith("a container image")


def test_what_does_not_fit_is_planned_and_not_written(
    project: "Project", tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(tmp_path / "home")
    before = tree(project.root)
    monkeypatch.setattr(size_plan, "MARGIN_BYTES", 100 * MB)
    outcome = package_into(project, home)
    assert (outcome.plan.fits, outcome.layers[0].state) == (False, "planned")
    assert tree(project.root) == before
    assert package_view(outcome).data["written"] is False
