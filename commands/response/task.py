"""A task: something that somebody is to do until a day, made of events as an incident is.

It has an owner and a day from its first event on: nothing else is a task. What is done may be opened again; when it was
done first never changes. Pure; commands/taskclock.py says when its owner is reminded.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from commands.ledger import START, Draft, Head, Line
from commands.response.incident import Timer


class TaskState(StrEnum):
    OPEN = "open"
    DONE = "done"
    SKIPPED = "left out"


class Kind(StrEnum):
    # OPENED: title owner due(2026-12-01) incident topic cluster channel drill private of(the message it was made from)
    OPENED = "task"
    ASSIGNED = "assigned"  # owner
    DUE = "due"  # due
    DONE = "task done"
    SKIPPED = "task left out"  # why
    REOPENED = "task opened again"  # why
    TIMER = "timer"  # due ("" for none)
    REMINDED = "reminded"  # late


@dataclass(frozen=True, slots=True)
class Task:
    """id: "TSK-2026-11-23-001". owner: a Slack user; owners: everybody who ever had it. due: the last day on which it
    is in time, where the house is. by: who asked for it. incident: the one it is an action of, "" for none. topic:
    "techtalk" and the like.

    channel: where it is told, "" for direct messages to its owner; an action of an incident is told under its card.
    finished: when it was last done or left out, None while it is open; done: when it was done first. why: it was left
    out, or opened again.
    """

    id: str
    title: str
    owner: str
    due: date
    opened: datetime
    updated: datetime
    by: str
    cluster: str = ""
    owners: tuple[str, ...] = ()
    head: Head = START
    state: TaskState = TaskState.OPEN
    incident: str = ""
    topic: str = ""
    channel: str = ""
    is_drill: bool = False
    is_private: bool = False
    finished: datetime | None = None
    finished_by: str = ""
    done: datetime | None = None
    why: str = ""
    reopened: int = 0
    timer: Timer | None = None
    lines: tuple[Line, ...] = ()
    omitted: int = 0

    @property
    def is_active(self) -> bool:
        return self.state is TaskState.OPEN

    @property
    def is_over(self) -> bool:
        return not self.is_active

    @property
    def next_due(self) -> datetime | None:
        """When its owner is to be reminded, None for never again."""
        return self.timer.due if self.timer and self.timer.fired is None else None

    @property
    def under(self) -> str:
        """The message under which it is told, "" where it has one of its own (Place.under)."""
        return f"incident:{self.incident} card" if self.incident else ""


def draft(
    kind: Kind, text: str, by: str = "", *, is_told: bool = False, mention: str = "", **facts: str
) -> Draft:
    """With its empty facts left out."""
    kept = {name: value for name, value in facts.items() if value}
    return Draft(kind, text, by=by, facts=kept, is_told=is_told, mention=mention)
