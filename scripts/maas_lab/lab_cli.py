"""The verbs of the lab: train, export, bundle, import, compare, new. Logic lies in what they call.

Joined to the `maas` command without a group name:

    maas train sentiment-lstm && maas export && maas bundle
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from maas.errors import FieldError
from maas.settings import Settings, read_settings
from maas_lab.output import Output
from maas_lab.recipes.recipe import AnyRecipe
from maas_lab.runs import Run, open_run
from maas_lab.scaffold import Task
from maas_lab.verbs import Json, RunName, chosen_run, verbs_of, warn_unshippable
from maas_lab.views import recipes as recipe_views
from maas_lab.views import runs as run_views

app = typer.Typer()
verb = verbs_of(app)

RecipeName = Annotated[
    str | None,
    typer.Argument(help="A recipe's name or file; when left out, those that there are."),
]


@verb
def train(
    recipe: RecipeName = None,
    seed: Annotated[int | None, typer.Option(help="Another seed: another model.")] = None,
    name: Annotated[str | None, typer.Option(help="Another name for the model.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Your rows: .csv, .tsv, .jsonl or .parquet.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Their column of texts.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Their column of labels.")] = None,
    source_column: Annotated[
        str | None, typer.Option(help="Their column of texts, of pairs.")
    ] = None,
    target_column: Annotated[
        str | None, typer.Option(help="Their column of what they become, of pairs.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="Each label, in order.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was ended.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin an unfinished run anew.")
    ] = False,
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option(help="A GPU where there is one.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="At toy size, in seconds.")] = False,
    on: Annotated[
        Literal["here", "batch"], typer.Option(help="On this machine, or on AWS Batch.")
    ] = "here",
    stack: Annotated[
        str | None, typer.Option(help="The training stack on AWS; maas-training.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS's region; AWS_REGION.")] = None,
    as_json: Json = False,
) -> None:
    """Train a recipe, or list those that there are.

    The run folder keeps everything that a run was made of.
    """
    from maas_lab.recipes.recipe import load_recipe
    from maas_lab.recipes.shelf import find_recipe, read_shelf
    from maas_lab.recipes.smoke import smoke_variant

    output = Output(as_json=as_json)
    if recipe is None:
        output.show(recipe_views.shelf_view(read_shelf()))
        return
    settings = read_settings()
    columns = {
        "text_column": text_column,
        "label_column": label_column,
        "source_column": source_column,
        "target_column": target_column,
    }
    loaded = load_recipe(
        find_recipe(recipe),
        seed=seed,
        name=name,
        data=data,
        columns={key: column for key, column in columns.items() if column is not None},
        labels=tuple(label) if label else None,
    )
    if smoke:
        loaded = smoke_variant(loaded)
    warn_unshippable(loaded.name, output, again=f"maas train {recipe}")
    if on == "batch":
        _refuse_on_batch({"--device": device, "--restart": restart})
        run = _train_on_batch(loaded, settings, output, stack=stack, region=region)
    else:
        run = _train_here(loaded, settings, output, resume=resume, restart=restart, device=device)
    output.show(run_views.run_view(run))


@verb
def export(
    run: RunName = None,
    again: Annotated[bool, typer.Option("--again", help="Export anew what is exported.")] = False,
    as_json: Json = False,
) -> None:
    """Export a run to ONNX in every form, proven equal to what was trained."""
    from maas_lab.export import export_run

    chosen = chosen_run(read_settings(), run)
    Output(as_json=as_json).show(run_views.export_view(chosen, export_run(chosen, again=again)))


@verb
def bundle(run: RunName = None, as_json: Json = False) -> None:
    """Make the bundle of an exported run: model, tokenizer, golden requests, manifest."""
    from maas_lab.bundling import bundle_run

    settings = read_settings()
    made = bundle_run(chosen_run(settings, run), settings.bundles)
    Output(as_json=as_json).show(run_views.bundle_view(made))


@verb
def import_(
    source: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A .onnx file, or a model's folder from the Hub."),
    ],
    task: Annotated[
        str, typer.Option(help="What it is for; tensor serves any graph as it is.")
    ] = "tensor",
    name: Annotated[str | None, typer.Option(help="The model's name; the file's if none.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="Class names: a file, one a line; or a,b,c.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Of a table, in the graph's order: a file, or a,b,c.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Its tokenizer.json, where it reads texts.")
    ] = None,
    example: Annotated[
        list[Path] | None,
        typer.Option(help="A request that it takes, in the Open Inference Protocol's JSON."),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a text; as many as it takes if none.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="A picture's, as 224x224, where the graph takes any.")
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="Taken from a picture's colours of 0 to 1, as 0.5,0.5,0.5.")
    ] = None,
    std: Annotated[str | None, typer.Option(help="What they are divided by then.")] = None,
    rate: Annotated[
        int | None, typer.Option(min=1, help="Samples a second of a clip, as 16000.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="The longest clip, where the graph takes any.")
    ] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Make a clip's mean 0 and its variance 1.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a bundle of a model from anywhere: an ONNX graph, or a folder with its weights."""
    from maas_lab.importing.importer import import_model
    from maas_lab.importing.wishes import Wishes, read_labels, read_numbers, read_size
    from maas_lab.views.importing import import_view

    wishes = Wishes(
        task=task,
        name=name,
        labels=read_labels(labels),
        columns=read_labels(columns),
        tokenizer=tokenizer,
        examples=tuple(example or ()),
        max_tokens=max_tokens,
        size=read_size(size),
        mean=read_numbers(mean, field="mean"),
        std=read_numbers(std, field="std"),
        rate=rate,
        seconds=seconds,
        normalise=normalise,
    )
    output = Output(as_json=as_json)
    imported = import_model(source, read_settings().bundles, wishes)
    warn_unshippable(imported.made.bundle.manifest.name, output, again="maas import …")
    output.show(import_view(imported))


@verb
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names or folders.")],
    plot: Annotated[
        Path | None, typer.Option(help="The PNG to write; in MAAS_HOME/compare when left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put finished runs beside each other that were measured on the same test rows."""
    from maas_lab.compare_plots import draw_comparison
    from maas_lab.comparing import compare_runs
    from maas_lab.files import write_file
    from maas_lab.views.comparing import compare_view

    home = read_settings().home
    compared = compare_runs([open_run(home, run) for run in runs])
    file = plot or home / "compare" / compared.file_name
    write_file(file, draw_comparison(compared))
    Output(as_json=as_json).show(compare_view(compared, file))


@verb
def new(
    name: Annotated[str, typer.Argument(help="The model's name, such as stars.")],
    task: Annotated[
        Task, typer.Option(help="What it is for: what its rows are and what it answers.")
    ] = "text-classification",
    folder: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
    as_json: Json = False,
) -> None:
    """Make a folder with a recipe, a reader of your rows and a test, all of which run at once."""
    from maas_lab.scaffold import make_model
    from maas_lab.views.recipes import made_view

    output = Output(as_json=as_json)
    made = make_model(name, task=task, folder=folder)
    warn_unshippable(name, output, again="maas train RECIPE")
    output.show(made_view(made))


def _train_here(
    recipe: AnyRecipe,
    settings: Settings,
    output: Output,
    *,
    resume: bool,
    restart: bool,
    device: str | None,
) -> Run:
    from maas_lab.train import train as train_recipe

    return train_recipe(
        recipe,
        home=settings.home,
        cache=settings.cache,
        resume=resume,
        restart=restart,
        console=output.progress,
        device=device,
    )


def _train_on_batch(
    recipe: AnyRecipe, settings: Settings, output: Output, *, stack: str | None, region: str | None
) -> Run:
    from maas_lab.batch.resources import STACK, TrainingTarget
    from maas_lab.batch.training import train_on_batch

    target = TrainingTarget(region=region or settings.aws.region, stack=stack or STACK)
    return train_on_batch(recipe, settings=settings, target=target, console=output.progress)


def _refuse_on_batch(options: dict[str, object]) -> None:
    """Refuse what a job does not take: it always resumes, and its stack chooses its machine."""
    for option, value in options.items():
        if value:
            raise FieldError("goes with --on here alone", field=option)
