"""Recipe → promoted model: train, export, bundle, register, promote; the shipped ones in a row.

Imports the lab. What is finished is found and not done again, so that a build that was interrupted
goes on where it was:

    built = build_model(load_recipe(path), settings, console=console)
    built.made.bundle.digest, built.summary.target_met

    python -m maas_lab.building [NAME…] [--smoke] [--json]        # scripts/build-models
"""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from maas.assembly import build_registry
from maas.errors import MaasError
from maas.registry.addresses import ByNumber
from maas.registry.records import DEFAULT_ALIAS
from maas.settings import read_settings
from maas_lab.bundle_files import MadeBundle
from maas_lab.bundling import bundle_run
from maas_lab.endings import exit_codes
from maas_lab.export import export_run
from maas_lab.output import Output
from maas_lab.recipes.recipe import load_recipe
from maas_lab.recipes.shelf import find_recipe, read_shelf
from maas_lab.recipes.smoke import smoke_variant
from maas_lab.releasing import promote, register_bundle
from maas_lab.train import train
from maas_lab.views.runs import built_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from maas.settings import Settings
    from maas_lab.recipes.recipe import AnyRecipe
    from maas_lab.records import Summary
    from maas_lab.runs import Run

_REFUSED = 3  # the exit code


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A model that answers.

    Attributes:
        run: What was trained.
        made: Its bundle.
        version: Its number in the registry.
        promoted: Whether it was made the answer of `production` now; a later version is not.
    """

    run: "Run"
    made: MadeBundle
    version: int
    promoted: bool

    @property
    def summary(self) -> "Summary":
        """The run's figures."""
        return self.run.summary()


def build_model(
    recipe: "AnyRecipe", settings: "Settings", *, console: "Console", device: str | None = None
) -> BuiltModel:
    """Take a recipe from its rows to a version in the registry; the model's first one answers.

    Raises:
        MaasError: What a step refuses.
    """
    with _step("train"):
        run = train(
            recipe,
            home=settings.home,
            cache=settings.cache,
            resume=True,
            console=console,
            device=device,
        )
    with _step("export"):
        export_run(run)
    with _step("bundle"):
        made = bundle_run(run, settings.bundles)
    with _step("register"), build_registry(settings) as registry:
        version = register_bundle(registry, made.bundle.folder).record
        first = DEFAULT_ALIAS not in registry.policy(version.model).aliases
        if first:
            number = ByNumber(version.number)
            promote(registry, settings.bundles, version.model, number, reason="first version")
    return BuiltModel(run, made, version.number, first)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Recipes; all for a CPU.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="At toy size, in seconds each.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train, export, bundle, register and promote the recipes that ship.

    What is finished is not done again. Ends with 3 where a model does not reach its target.
    """
    output = Output(as_json=as_json)
    with exit_codes(as_json=as_json):
        settings = read_settings()
        chosen = names or [each.name for each in read_shelf() if each.complete and not each.large]
        recipes = {name: load_recipe(find_recipe(name)) for name in chosen}
        built: dict[str, BuiltModel | MaasError] = {}
        for place, (name, recipe) in enumerate(recipes.items(), start=1):
            console = output.progress
            console.print(f"== {name} ({place} of {len(recipes)})", markup=False, style="bold")
            try:
                built[name] = build_model(
                    smoke_variant(recipe) if smoke else recipe, settings, console=console
                )
            except MaasError as error:  # the others are not to wait for it
                where = ", ".join(error.__notes__)
                console.print(f"   {where}: {error.described()}", markup=False, soft_wrap=True)
                built[name] = error
        output.show(built_view(built))
        codes = [each.exit_code for each in built.values() if isinstance(each, MaasError)]
        missed = [each for each in built.values() if not isinstance(each, MaasError)]
        codes += [_REFUSED for each in missed if not each.summary.target_met]
        if codes:
            raise SystemExit(max(codes))


@contextmanager
def _step(name: str) -> "Iterator[None]":
    """Note on an error which step it came from."""
    try:
        yield
    except MaasError as error:
        error.add_note(name)
        raise


if __name__ == "__main__":
    typer.run(main)
