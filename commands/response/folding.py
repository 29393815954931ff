"""What the folds of incidents, change requests and tasks have in common: their head, their thread and their timers.

Pure. Called by the folds beside it (fold.py, clock.py, changefold.py, taskfold.py) alone: a record is made of its events
and of nothing else.
"""

from dataclasses import replace
from typing import TypeVar

from commands.ledger import Event, Head, Line
from commands.response.changerequest import ChangeRequest
from commands.response.events import read
from commands.response.incident import Incident, Timer
from commands.response.task import Task

_LINES = 300  # of its thread kept on the record; the events keep them all

R = TypeVar("R", Incident, ChangeRequest, Task)


def told(record: R, event: Event, line: Line | None) -> R:
    """With the event at its head and, if it is told, its line in the thread."""
    lines = (*record.lines, line) if line else record.lines
    return replace(
        record,
        head=Head(event.seq, event.hash),
        updated=max(record.updated, event.recorded),
        lines=lines[-_LINES:],
        omitted=record.omitted + len(lines[:-_LINES]),
    )


def line_of(event: Event) -> Line | None:
    """For its thread, None where it is not told."""
    return Line(str(event.seq), event.text, event.at, event.mention, event.by) if event.is_told else None


def with_timer(timers: tuple[Timer, ...], event: Event) -> tuple[Timer, ...]:
    """With this one set, or taken away. Set anew it is due again, whatever became of it before."""
    key, due = event.facts["key"], read(event.facts.get("due", ""))
    others = tuple(timer for timer in timers if timer.key != key)
    return (*others, Timer(key, due)) if due else others


def with_fired(timers: tuple[Timer, ...], event: Event) -> tuple[Timer, ...]:
    """It fires once."""
    key = event.facts["key"]
    return tuple(
        replace(timer, fired=event.at) if timer.key == key and timer.fired is None else timer
        for timer in timers
    )
