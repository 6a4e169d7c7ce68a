"""What each verb of rollouts says, for people and for machines.

Imports `maas`, the lab's rollouts and rich's tables.
"""

from typing import TYPE_CHECKING

import msgspec
from rich.console import Group

from maas.registry.rollout_plans import command
from maas_lab.output import View
from maas_lab.rollout.progress import line_of
from maas_lab.views.records import record_data
from maas_lab.views.states import routes_text

if TYPE_CHECKING:
    from maas.registry.roller import RolloutState
    from maas.registry.rollout_records import RolloutRecord
    from maas_lab.rollout.outcome import Outcome

_MOVES = frozenset(("began", "resumed", "advanced", "finished", "stopped", "overtaken", "stuck"))


def outcome_view(outcome: "Outcome") -> View:
    """How a rollout ended, with all that happened."""
    ending = outcome.ending
    record = ending.record
    what, alias = f"{record.model}@{record.version}", f"{record.model}@{record.alias}"
    said = {
        "finished": f"{what} answers all of {alias} now: {ending.reason}",
        "stopped": f"{what} was taken back, {alias} is {routes_text(record.baseline)} again:"
        f" {ending.reason}",
        "overtaken": f"the rollout of {what} was ended: {ending.reason}",
        "stuck": f"the rollout of {what} is stuck, {alias} stays as it is: {ending.reason}",
    }[ending.kind]
    moves = [line_of(mark) for mark in outcome.marks if mark.kind in _MOVES]
    told = [f"told {notice}" for notice in outcome.notices]
    data: dict[str, object] = {
        "outcome": ending.kind,
        "reason": ending.reason,
        "rollout": _data(record),
        "timeline": [msgspec.to_builtins(mark) for mark in outcome.marks],
        "plot": str(outcome.plot) if outcome.plot else None,
        "notifications": outcome.notices,
    }
    drawn = [f"plot {outcome.plot}"] if outcome.plot else []
    return View(data, Group(*moves, *told, *_owed(record), *drawn, said))


def stopped_view(record: "RolloutRecord") -> View:
    """What `maas rollout stop` did."""
    text = (
        f"{record.model}@{record.version} was taken back, {record.model}@{record.alias} is"
        f" {routes_text(record.baseline)} again"
    )
    return View({"rollout": _data(record)}, text)


def state_view(model: str, alias: str, state: "RolloutState") -> View:
    """How far the newest rollout to an alias is."""
    record = state.record
    if record is None:
        return View(
            {"running": False, "rollout": None}, f"There never was a rollout to {alias} of {model}."
        )
    overtaken = record.status == "running" and not state.running
    data: dict[str, object] = {
        "running": state.running,
        "overtaken": overtaken,
        "rollout": _data(record),
        "alias": record_data(state.alias) if state.alias else None,
    }
    steps = ", ".join(
        f"[{step} %]" if place == record.step else f"{step} %"
        for place, step in enumerate(record.steps)
    )
    status = "ended by somebody's change of the alias" if overtaken else record.status
    lines = [
        f"{model}@{record.version} to {alias}: {status}",
        f"  steps    {steps} since {record.step_at[:19]}",
        f"  began    {record.started_at[:19]} by {record.by}",
        f"  before   {routes_text(record.baseline)}",
    ]
    if state.alias:
        lines.append(f"  now      {routes_text(state.alias.routes)}")
    if record.reason:
        lines.append(f"  reason   {record.reason}")
    lines += [f"  {line}" for line in _owed(record)]
    return View(data, "\n".join(lines))


def _owed(record: "RolloutRecord") -> list[str]:
    """Ends that somebody is still to be told of, and how."""
    how = f"{command(record, 'resume')} --notify URL or --sns ARN"
    return [
        f"somebody is still to be told that {record.model}@{owed.version} {owed.event} at"
        f" {owed.at[:19]}: {how}"
        for owed in record.owed
    ]


def _data(record: "RolloutRecord") -> dict[str, object]:
    owed = [record_data(one) for one in record.owed]
    return record_data(record) | ({"owed": owed} if owed else {})
