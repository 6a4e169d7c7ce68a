"""Ends of rollouts on their way to whom they are owed: at least once.

Imports `maas` and the lab. The registry's record says what is owed, from the write that ends a
rollout until all channels have taken the notice; a kill in between has it sent again by whoever
comes next, with the same id:

    record, said = deliver(registry, record, channels, sleep=time.sleep)
    record.owed                  # () where all of them took it
"""

from typing import TYPE_CHECKING

from maas.errors import ConflictError, MaasError
from maas.registry.changes import TEXT_CHARACTERS
from maas.registry.records import WEIGHT_TOTAL
from maas_lab.rollout.driver import TAKEN_BACK
from maas_lab.rollout.notify import Notice, notify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from maas.registry.roller import Roller
    from maas.registry.rollout_records import Owed, RolloutRecord
    from maas_lab.rollout.notify import Answer, Channel
    from maas_lab.rollout.outcome import Ending
    from maas_lab.rollout.timeline import Ended, Mark

PAUSES = (1.0, 5.0)
"""Seconds before a channel that has failed is told again."""
_SETTLES = 3
"""Somebody else's change of the model costs one."""


def deliver(
    registry: "Roller",
    record: "RolloutRecord",
    channels: "Sequence[Channel]",
    *,
    sleep: "Callable[[float], None]",
) -> "tuple[RolloutRecord, list[str]]":
    """Tell all channels of all that a record owes, and note in it what they have taken.

    Args:
        registry: Where the record is.
        record: The record; without channels it stays as it is.
        channels: Who is to be told.
        sleep: Waits so many seconds; where it raises, nobody is told again.

    Returns:
        The record as it is then, and how each channel took each notice.
    """
    said: list[str] = []
    for owed in record.owed if channels else ():
        answers = tell(channels, notice_of(record, owed), sleep=sleep)
        said += map(str, answers)
        if all(answer.done for answer in answers):
            record = _settled(registry, record, owed, answers)
    return record, said


def tell(
    channels: "Sequence[Channel]", notice: Notice, *, sleep: "Callable[[float], None]"
) -> "list[Answer]":
    """Tell all channels; those that fail are told again, each at most `len(PAUSES)` times."""
    answers = notify(channels, notice)
    for pause in PAUSES:
        failed = [answer.channel for answer in answers if not answer.done]
        if not failed:
            break
        try:
            sleep(pause)
        except MaasError:  # somebody wants the process to end
            break
        again = iter(notify(failed, notice))
        answers = [answer if answer.done else next(again) for answer in answers]
    return answers


def own_end(record: "RolloutRecord") -> "Owed | None":
    """What is owed of the record's own end, and not of a former rollout's."""
    for owed in reversed(record.owed):
        same = (owed.version, owed.event) == (record.version, record.status)
        if same and owed.at >= record.started_at:
            return owed
    return None


def notice_of(record: "RolloutRecord", owed: "Owed") -> Notice:
    """What is told of an end that a record owes."""
    reason = owed.reason.removeprefix(TAKEN_BACK)
    return _notice(
        record,
        owed.event,
        version=owed.version,
        revision=owed.revision,
        percent=owed.weight * 100 / WEIGHT_TOTAL,
        reason=reason,
        at=owed.at,
    )


def news_of(ending: "Ending", last: "Mark") -> Notice:
    """What is told of a driver's end that left the rollout to others, which no record owes."""
    record = ending.record
    return _notice(
        record,
        ending.kind,
        version=record.version,
        revision=record.revision,
        percent=last.percent,
        reason=ending.reason,
        at=last.at,
    )


def _notice(
    record: "RolloutRecord",
    event: "Ended",
    *,
    version: int,
    revision: int,
    percent: float,
    reason: str,
    at: str,
) -> Notice:
    what, alias = f"{record.model}@{version}", record.alias
    text = {
        "finished": f"{what} answers all of {alias}",
        "stopped": f"{what} was taken back from {alias} by itself",
        "overtaken": f"the rollout of {what} to {alias} was ended by somebody",
        "stuck": f"the rollout of {what} to {alias} is stuck and nobody watches it",
    }[event]
    return Notice(
        id=f"{record.model}.{alias}.{revision}.{event}",
        event=event,
        model=record.model,
        alias=alias,
        version=version,
        percent=percent,
        reason=reason,
        at=at,
        text=f"{text}: {reason}",
    )


def _settled(
    registry: "Roller", record: "RolloutRecord", owed: "Owed", answers: "Sequence[Answer]"
) -> "RolloutRecord":
    """The record without what was owed; as it was where that cannot be written now."""
    reason = f"told {', '.join(map(str, answers))}"[:TEXT_CHARACTERS]
    for _ in range(_SETTLES):
        try:
            return registry.settle_rollout(record.model, [owed], alias=record.alias, reason=reason)
        except ConflictError:
            continue
        except MaasError:
            break
    return record
