"""What the verbs of the `maas` command share: how they end, and the arguments that many take.

Imports typer and the lab. A group of verbs lies in a module of its own and joins the command:

    app = typer.Typer()
    verb = verbs_of(app)

    @verb
    def doctor(as_json: Json = False) -> None: ...
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from maas.errors import FieldError, NotFoundError
from maas.registry.addresses import parse_reference
from maas_lab.endings import exit_codes
from maas_lab.packing.shippable import unshippable
from maas_lab.runs import Run, list_runs, open_run

if TYPE_CHECKING:
    from maas.registry.addresses import VersionAddress
    from maas.settings import Settings
    from maas_lab.output import Output

Params = ParamSpec("Params")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
RunName = Annotated[
    str | None, typer.Argument(help="A run's name or folder; the newest run when left out.")
]
Bundled = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="A run, or an imported model's name or digest; the newest if none."
    ),
]
Model = Annotated[str, typer.Argument(help="A model, such as sentiment.")]
Reference = Annotated[
    str, typer.Argument(help="A version, such as sentiment@2, @production or @sha256:….")
]
Alias = Annotated[str, typer.Option(help="The alias that is meant.")]
Why = Annotated[str, typer.Option("--why", "--reason", help="The reason, kept in the history.")]


def verbs_of(
    app: typer.Typer, *, dashed: bool = False
) -> Callable[[Callable[Params, None]], Callable[Params, None]]:
    """A decorator that makes a function a verb of `app`.

    An error of ours becomes a line on stderr and its exit code. A trailing underscore is left out
    of the verb's name, for the names that Python has taken.

    Args:
        app: Where the verbs go.
        dashed: Whether arguments may begin with a dash.
    """
    context = {"ignore_unknown_options": dashed}

    def verb(function: Callable[Params, None]) -> Callable[Params, None]:
        @functools.wraps(function)
        def guarded(*args: Params.args, **kwargs: Params.kwargs) -> None:
            with exit_codes(as_json=bool(kwargs.get("as_json"))):
                function(*args, **kwargs)

        app.command(function.__name__.rstrip("_"), context_settings=context)(guarded)
        return guarded

    return verb


def chosen_run(settings: "Settings", reference: str | None) -> Run:
    """The run that is meant; the newest when none is named.

    Raises:
        NotFoundError: There is none.
    """
    if reference is not None:
        return open_run(settings.home, reference)
    runs = list_runs(settings.home)
    if not runs:
        raise NotFoundError("No run yet; begin with: maas train sentiment-lstm")
    return runs[-1]


def warn_unshippable(model: str, output: "Output", *, again: str) -> None:
    """Say early what maas package would refuse, and which command makes it `again`."""
    if why := unshippable(model, again=again):
        output.progress.print(f"note: {why}", markup=False, soft_wrap=True)


def version_of(reference: str) -> "tuple[str, VersionAddress]":
    """The model and the version that a reference names, for a verb that must know which one.

    Raises:
        FieldError: It names none, or is no reference.
    """
    model, address = parse_reference(reference)
    if address is None:
        raise FieldError(f"say which version, such as {model}@2", field="version")
    return model, address
