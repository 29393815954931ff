"""When the owner of a task is reminded: two days before its day, on it, and every day after; in the morning, never at
night; and not any more once it is done or left out.

`consequences` is asked once for every write (bot/taskrecords.py), `due` by workers/timers.py. Pure.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from commands.ledger import Draft
from commands.phrase import counted
from commands.response.events import written
from commands.response.task import Kind, Task, draft
from commands.site import Site

MORNING = time(9)  # where the house is
_EVENING = time(20)
_DAY = timedelta(days=1)
_AHEAD = 2 * _DAY


def consequences(before: Task | None, after: Task, now: datetime, site: Site) -> tuple[Draft, ...]:
    if before is not None and (before.due, before.state) == (after.due, after.state):
        return ()
    return (_timer(following(after, now, site)),)


def _timer(due: datetime | None) -> Draft:
    return draft(
        Kind.TIMER,
        "its owner is reminded" if due else "no reminder any more",
        due=written(due) if due else "",
    )


def following(task: Task, now: datetime, site: Site) -> datetime | None:
    """The next reminder after now, None for none."""
    if not task.is_active:
        return None
    zone = ZoneInfo(site.timezone)
    days = (task.due - _AHEAD, task.due, now.astimezone(zone).date(), now.astimezone(zone).date() + _DAY)
    mornings = (
        datetime.combine(day, MORNING, zone) for day in days if day >= task.due or day == task.due - _AHEAD
    )
    return min((each for each in mornings if each > now), default=None)


def due(task: Task, now: datetime, site: Site) -> tuple[Draft, ...]:
    """What is due now: the reminder, and when the next one is."""
    if task.next_due is None or task.next_due > now:
        return ()
    local = now.astimezone(ZoneInfo(site.timezone))
    again = _timer(following(task, now, site))
    if not MORNING <= local.time() < _EVENING:  # the house was away: its owner is not woken for that
        return (again,)
    return tuple(_reminded(task, local, again))


def _reminded(task: Task, local: datetime, again: Draft) -> Iterator[Draft]:
    mention = "" if task.is_drill else task.owner
    yield draft(
        Kind.REMINDED, f"⏰ {_when(task, local)}: {task.title} ({task.id})", is_told=True, mention=mention
    )
    yield again


def _when(task: Task, local: datetime) -> str:
    left = (task.due - local.date()).days
    if left < 0:
        return f"late by {counted(-left, 'day')}"
    return "due today" if left == 0 else f"due in {counted(left, 'day')}"
