"""`maas rollout …`: a version's share grows step by step, and is taken back by itself.

Thin functions as in `cli`; logic lives in the modules that they call.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from maas.assembly import build_registry
from maas.errors import FieldError, TryAgainError
from maas.registry.addresses import parse_alias, parse_model
from maas.registry.records import DEFAULT_ALIAS
from maas.registry.rollout_records import Gate
from maas.settings import Settings, read_settings
from maas_lab.output import Output
from maas_lab.verbs import Alias, Json, Model, Reference, Why, verbs_of, version_of

if TYPE_CHECKING:
    from maas_lab.rollout.notify import Channel
    from maas_lab.rollout.outcome import Outcome
    from maas_lab.rollout.release import Desk
    from maas_lab.rollout.sources import Source

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_CODES = {"finished": 0, "stopped": 3, "overtaken": 4, "stuck": 5}
_CLOUD_PAUSE = 60.0
"""Seconds; CloudWatch has nothing new sooner."""
_CLOUD_INTERVAL = 180.0
"""Seconds; of a shorter step CloudWatch would have nothing by its end."""
_SLICE = 0.1
"""Seconds until a signal is obeyed."""


class _Verbs(TyperGroup):
    """`maas rollout MODEL@V …` is short for `maas rollout begin MODEL@V …`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put the verb in where none is named."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["begin", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(no_args_is_help=True, cls=_Verbs)

verb = verbs_of(app)

Reason = Annotated[str, typer.Option("--reason", "--why", help="The reason, kept in the history.")]
Url = Annotated[
    str | None, typer.Option(help="The server that answers, such as http://127.0.0.1:8080.")
]
CloudWatch = Annotated[
    bool, typer.Option("--cloudwatch", help="Watch the metrics of deployed functions.")
]
Notify = Annotated[
    list[str] | None,
    typer.Option("--notify", help="A webhook that is told of the end, at least once."),
]
Topics = Annotated[
    list[str] | None,
    typer.Option("--sns", help="The ARN of a topic that is told of the end, at least once."),
]


@verb
def begin(
    version: Reference,
    alias: Alias = DEFAULT_ALIAS,
    steps: Annotated[str, typer.Option(help="Shares in percent, up to 100.")] = "1,10,50,100",
    interval: Annotated[
        str, typer.Option(help="How long each step lasts, such as 30s, 10m or 1h.")
    ] = "10m",
    max_error_rate: Annotated[
        float, typer.Option(min=0, max=1, help="The share of the requests that may fail.")
    ] = 0.01,
    max_p99_ratio: Annotated[
        float, typer.Option(min=1, max=1000, help="p99 against that of the other versions.")
    ] = 1.5,
    min_requests: Annotated[
        int,
        typer.Option(
            min=1, help="Requests that a step must have; with fewer it waits, however long."
        ),
    ] = 100,
    url: Url = None,
    cloudwatch: CloudWatch = False,
    notify: Notify = None,
    sns: Topics = None,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Shift an alias to a version step by step; take it back by itself where it is worse."""
    from maas_lab.rollout.release import Wish

    model, address = version_of(version)
    gate = Gate(_seconds(interval), max_error_rate, max_p99_ratio, min_requests)
    wish = Wish(model, address, parse_alias(alias), _steps(steps), gate, why)
    if cloudwatch and gate.interval < _CLOUD_INTERVAL:
        message = f"must be at least {_CLOUD_INTERVAL:.0f}s where CloudWatch is watched"
        raise FieldError(message, field="interval")
    settings, output = read_settings(), Output(as_json=as_json)
    source_of = _source_of(settings, model, url, cloudwatch=cloudwatch)
    channels = _channels(settings, notify, sns)
    with _desk(settings, output, cloudwatch=cloudwatch) as desk:
        _end(output, desk.begin(wish, source_of, channels))


@verb
def resume(
    model: Model,
    alias: Alias = DEFAULT_ALIAS,
    url: Url = None,
    cloudwatch: CloudWatch = False,
    notify: Notify = None,
    sns: Topics = None,
    as_json: Json = False,
) -> None:
    """Go on with a rollout whose driver is gone; of one that is over, tell whom it is owed."""
    settings, output = read_settings(), Output(as_json=as_json)
    model, alias = parse_model(model), parse_alias(alias)

    def source_of(version: int, others: "Sequence[int]") -> "Source":
        return _source_of(settings, model, url, cloudwatch=cloudwatch)(version, others)

    channels = _channels(settings, notify, sns)
    with _desk(settings, output, cloudwatch=cloudwatch) as desk:
        _end(output, desk.resume(model, alias, source_of, channels))


@verb
def stop(model: Model, alias: Alias = DEFAULT_ALIAS, why: Why = "", as_json: Json = False) -> None:
    """End a rollout, and restore what the alias routed to before it."""
    from maas_lab.views.rollout import stopped_view

    with build_registry(read_settings()) as registry:
        record = registry.stop_rollout(parse_model(model), alias=parse_alias(alias), reason=why)
    Output(as_json=as_json).show(stopped_view(record))


@verb
def status(model: Model, alias: Alias = DEFAULT_ALIAS, as_json: Json = False) -> None:
    """Show how far the newest rollout to an alias is."""
    from maas_lab.views.rollout import state_view

    with build_registry(read_settings()) as registry:
        state = registry.rollout(parse_model(model), alias=parse_alias(alias))
    Output(as_json=as_json).show(state_view(model, alias, state))


def _end(output: Output, outcome: "Outcome") -> None:
    from maas_lab.views.rollout import outcome_view

    output.show(outcome_view(outcome))
    if code := _CODES[outcome.ending.kind]:
        raise typer.Exit(code)


@contextmanager
def _desk(settings: Settings, output: Output, *, cloudwatch: bool) -> "Iterator[Desk]":
    """A desk whose driver ends at the first signal, and leaves the rollout as it is."""
    from maas_lab.interruption import stop_on_signals
    from maas_lab.rollout.driver import PAUSE
    from maas_lab.rollout.release import Desk

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not stopping.requested:
            time.sleep(min(left, _SLICE))
        if stopping.requested:
            raise TryAgainError(
                "Stopped watching; the weights stay as they are. Go on with maas rollout resume,"
                " or take the version back with maas rollout stop."
            )

    with build_registry(settings) as registry, stop_on_signals() as stopping:
        yield Desk(
            registry,
            settings.home,
            output.progress,
            clock=lambda: datetime.now(UTC),
            ticks=time.monotonic,
            sleep=sleep,
            pause=_CLOUD_PAUSE if cloudwatch else PAUSE,
        )


def _source_of(
    settings: Settings, model: str, url: str | None, *, cloudwatch: bool
) -> "Callable[[int, Sequence[int]], Source]":
    if (url is None) == (not cloudwatch):
        raise FieldError("say what is watched: either --url or --cloudwatch", field="url")
    if url is not None:
        from maas_lab.rollout.sources import ServerSource

        return lambda version, others: ServerSource(url, model, version=version, others=others)
    from maas_lab.rollout.aws import CloudWatchSource, open_rollout_cloud

    cloud = open_rollout_cloud(settings.aws.region)
    return lambda version, others: CloudWatchSource(cloud, model, version=version, others=others)


def _channels(
    settings: Settings, urls: list[str] | None, topics: list[str] | None
) -> "list[Channel]":
    from maas_lab.rollout.notify import Topic, Webhook

    channels: list[Channel] = [Webhook(url) for url in urls or ()]
    if topics:
        from maas_lab.rollout.aws import open_rollout_cloud

        channels += [Topic(open_rollout_cloud(settings.aws.region), arn) for arn in topics]
    return channels


def _steps(text: str) -> tuple[int, ...]:
    parts = text.replace(" ", "").split(",")
    if not all(part.isascii() and part.isdecimal() and len(part) < 4 for part in parts):
        raise FieldError("must be whole percentages, such as 1,10,50,100", field="steps")
    return tuple(map(int, parts))


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smh]?)", text, re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not seconds:
        raise FieldError("must be a time above 0, such as 30s, 10m or 1h", field="interval")
    return seconds
