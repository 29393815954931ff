"""The questions to the bot's own records: incidents, how changes ended, what was asked for by hand, who was on call.

Answers are plain facts, as in commands/reads.py; commands/numbers counts them. workers/records.py answers
those about incidents, workers/deeds.py what people did, from the audit trail and the configuration.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from commands.model import Read


@dataclass(frozen=True, slots=True)
class Incidents(Read):
    """→ tuple[Incident, ...] whose record says anything of the time from start to end (aware UTC), by when they were
    declared: declared before the end, and not last written before the start. Of every kind and status: drills,
    merged ones, those that are open and those that are private are among them. cluster: "" for all."""

    start: datetime
    end: datetime
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class IncidentOf(Read):
    """→ Incident of this id, None where there is none."""

    id: str


@dataclass(frozen=True, slots=True)
class OpenIncidents(Read):
    """→ tuple[Incident, ...] that are not over, newest first; cluster: "" for all."""

    cluster: str = ""


@dataclass(frozen=True, slots=True)
class EventsOf(Read):
    """→ tuple[Event, ...] of an incident: `count` from the `start`-th (from 0) on, all of them for -1."""

    id: str
    start: int = 0
    count: int = -1


@dataclass(frozen=True, slots=True)
class TasksOf(Read):
    """→ tuple[Task, ...]: the actions of an incident, the oldest first."""

    incident: str


@dataclass(frozen=True, slots=True)
class Tasks(Read):
    """→ tuple[Task, ...] that are open, newest first; of everybody. since: with those that were touched since then."""

    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asker(Read):
    """→ str: the user who asks. Answered by the desk alone."""


@dataclass(frozen=True, slots=True)
class Awaiting(Read):
    """→ tuple[Request, ...]: the changes of others that wait for an approval that the user who asks may give, the
    longest waiting first. Answered by the desk alone."""


@dataclass(frozen=True, slots=True)
class HouseZone(Read):
    """→ str: the name of the time zone of the configuration."""


@dataclass(frozen=True, slots=True)
class ChangeRequestOf(Read):
    """→ ChangeRequest of this id, None where there is none."""

    id: str


@dataclass(frozen=True, slots=True)
class ChangeRequests(Read):
    """→ tuple[ChangeRequest, ...] that are not over, newest first; cluster: "" for all."""

    cluster: str = ""


@dataclass(frozen=True, slots=True)
class ChangeBaseline(Read):
    """→ Mapping[str, baseline.Baseline], frozen when the change began: of its service and of those beside it, by
    name; None where none was."""

    id: str


@dataclass(frozen=True, slots=True)
class ChangeSamples(Read):
    """→ tuple[watch.Judged, ...]: every sample that was taken of the change, oldest first."""

    id: str


class Outcome(StrEnum):
    """How a change ended. The first four reached production; the others never did."""

    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled back"
    ROLLBACK_FAILED = "rollback failed"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"
    PRECHECK_FAILED = "pre-check failed"


PRODUCTION = frozenset(tuple(Outcome)[:4])


class Road(StrEnum):
    """How a change came: by a change request, asked of the bot without one, or only seen in the cluster."""

    REQUEST = "change request"
    BOT = "asked of the bot"
    SEEN = "rollout seen"


@dataclass(frozen=True, slots=True)
class ChangeFacts:
    """A change that has ended. ended: when it was carried out, or refused. restored: when users were well again after
    it failed, None where it did not or nobody knows. hotfix_for: the incident or the change that it had to repair,
    "" for a planned one. is_emergency: carried out without the usual approval. objects: what it changed, as the
    audit trail names it ("deployment/shop/backend"). runs: ids of what was asked of the bot for it."""

    id: str
    service: str
    outcome: Outcome
    ended: datetime
    restored: datetime | None = None
    is_emergency: bool = False
    hotfix_for: str = ""
    road: Road = Road.REQUEST
    objects: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeOutcomes(Read):
    """→ tuple[ChangeFacts, ...] that ended in the time, by when they did: change requests, and changes that were asked
    of the bot without one. What was only seen in the cluster is not the bot's to know."""

    patience: ClassVar[float] = 20.0  # a month of the audit trail
    start: datetime
    end: datetime
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class CommandCount:
    """How often people (not the calendar) asked for a command about one object. line: "deploy restart"; object: as
    they typed it, "" for none; people: how many different ones."""

    line: str
    object: str
    times: int
    people: int


@dataclass(frozen=True, slots=True)
class CommandPage:
    """since: how far back the trail was read, when that is less than was asked."""

    counts: tuple[CommandCount, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class CommandCounts(Read):
    """→ CommandPage of what was asked for by hand in the time, most frequent first."""

    patience: ClassVar[float] = 20.0
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody's time on call; user: a Slack user or user-group id."""

    user: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """turns: by start, one at a time. zone: the name of the time zone that people here live by."""

    turns: tuple[Turn, ...] = field(default=())
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class OnCallTurns(Read):
    """→ Duty: who was on call in the time, by the configuration as it is now."""

    start: datetime
    end: datetime
