"""`maas registry …`: where the registry lies, whether it is well, and how it moves.

Thin functions as in `cli`; logic lives in the modules that they call.
"""

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from maas.errors import FieldError, TryAgainError
from maas.registry.addresses import parse_model
from maas.registry.stores import open_store
from maas.settings import read_settings
from maas_lab.output import Output, View
from maas_lab.verbs import Json, verbs_of

app = typer.Typer(no_args_is_help=True)

verb = verbs_of(app)

_REGION = "eu-west-1"


@verb
def init(as_json: Json = False) -> None:
    """Make the registry's table or file; what is there already stays."""
    from maas_lab.registry.tables import make_registry

    made = make_registry(read_settings())
    done = "made" if made.created else "found"
    text = "\n".join((f"{done} the {made.place}", *(f"  {note}" for note in made.notes)))
    data: dict[str, object] = {"created": made.created, "place": made.place, "notes": made.notes}
    Output(as_json=as_json).show(View(data, text))


@verb
def doctor(as_json: Json = False) -> None:
    """Check the registry's table or file, and that all records of each model fit together."""
    from maas_lab.registry.examine import examine_registry
    from maas_lab.views.serving import doctor_view

    findings = examine_registry(read_settings())
    Output(as_json=as_json).show(doctor_view(findings))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(3)


@verb
def export(
    file: Annotated[str, typer.Argument(help="The file to write; - is standard output.")] = "-",
    models: Annotated[
        list[str] | None, typer.Argument(help="Models; all of them when left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write models with all of their history as JSON lines, to keep or to move."""
    from maas_lab.files import write_file
    from maas_lab.registry.moves import export_lines
    from maas_lab.registry.tally import Tally

    if as_json and file == "-":
        raise FieldError("goes with a file: standard output gets the export itself", field="json")
    settings, tally = read_settings(), Tally()
    with contextlib.closing(open_store(settings.registry, aws=settings.aws)) as store:
        lines = export_lines(store, [parse_model(model) for model in models or ()], tally=tally)
        if file == "-":
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            return
        write_file(Path(file), lines)
    data: dict[str, object] = {
        "file": file,
        "models": tally.models,
        "versions": tally.versions,
        "events": tally.events,
    }
    text = (
        f"{len(tally.models)} models with {tally.versions} versions and {tally.events} events"
        f" are in {file}"
    )
    Output(as_json=as_json).show(View(data, text))


@verb
def import_(
    file: Annotated[str, typer.Argument(help="The file to read; - is standard input.")] = "-",
    as_json: Json = False,
) -> None:
    """Write an export's models into this registry; those that are there and equal stay."""
    from maas_lab.registry.moves import import_file

    settings = read_settings()
    with (
        _input(file) as lines,
        contextlib.closing(open_store(settings.registry, aws=settings.aws)) as store,
    ):
        outcome = import_file(store, lines)
    data: dict[str, object] = {
        "models": outcome.models,
        "written": outcome.written,
        "present": outcome.present,
    }
    text = (
        f"{len(outcome.models)} models: {outcome.written} records written, "
        f"{outcome.present} there already"
    )
    Output(as_json=as_json).show(View(data, text))


@verb
def local(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    path: Annotated[
        Path | None, typer.Option(help="Keep its tables here; in memory when left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run Amazon's DynamoDB Local until Ctrl-C, to try things without an account."""
    from maas_lab.interruption import stop_on_signals
    from maas_lab.registry.dynamodb_local import dynamodb_local

    with (
        stop_on_signals() as stop,
        dynamodb_local(cache=read_settings().cache, port=port, folder=path) as running,
    ):
        Output(as_json=as_json).show(_local_view(running.address))
        while not stop.requested:
            if not running.running():
                raise TryAgainError("DynamoDB Local ended by itself.")
            time.sleep(0.2)


def _local_view(address: str) -> View:
    variables = {
        "AWS_ENDPOINT_URL_DYNAMODB": address,
        "AWS_REGION": _REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "MAAS_REGISTRY": "dynamodb://maas-registry",
    }
    lines = [f"DynamoDB Local answers at {address} (Ctrl-C ends it). In another terminal:"]
    lines += [f"  export {name}={value}" for name, value in variables.items()]
    lines.append("  maas registry init")
    return View({"url": address, "environment": variables}, "\n".join(lines))


@contextlib.contextmanager
def _input(file: str) -> Iterator[BinaryIO]:
    """A file that can be read twice; what comes through a pipe is kept beside."""
    if file != "-":
        if not Path(file).is_file():
            raise FieldError(f"{file} is no file here", field="file")
        with Path(file).open("rb") as opened:
            yield opened
        return
    with tempfile.TemporaryFile() as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.seek(0)
        yield kept
