"""The nouns of an incident: severity, status, milestones, roles, pages, checklist, timers, and the incident itself.

An `Incident` is a projection: commands/response/fold.py makes it from its events, and nobody else writes one. All
times are aware UTC. What is not known is None or empty, never a word like "unknown" and never the present moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from commands.ledger import START, Head, Line


class Status(StrEnum):
    """Where it stands. The first eight are its way, in this order; the others leave it at the side."""

    DECLARED = "declared"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MITIGATED = "mitigated"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"
    CLOSED = "closed"
    FALSE_ALARM = "false alarm"
    MERGED = "merged"
    CANCELED = "canceled"


WAY = tuple(Status)[:8]
# Users may still feel it: alerts belong to it, timers run, pages go out.
ACTIVE = frozenset(WAY[:5])
OVER = frozenset({Status.CLOSED, Status.FALSE_ALARM, Status.MERGED, Status.CANCELED})


class Milestone(StrEnum):
    """When what happened, in the order in which it may. STARTED to RESOLVED are the ones people complete."""

    STARTED = "started"
    DETECTED = "detected"
    ALERTED = "alerted"
    PAGED = "paged"
    ACKNOWLEDGED = "acknowledged"
    DECLARED = "declared"
    COMMANDED = "commanded"
    IDENTIFIED = "identified"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class Marked:
    """A milestone. is_approximate: somebody said "about". by: "" for the bot. seq: the event that says so."""

    at: datetime
    by: str = ""
    source: str = ""
    is_approximate: bool = False
    seq: int = 0


class Role(StrEnum):
    """Who does what; one person may hold several. In words: ROLE_NAMES."""

    IC = "ic"
    DEPUTY = "deputy"
    SCRIBE = "scribe"
    COMMS = "comms"
    OPS = "ops"


ROLE_NAMES: Mapping[Role, str] = {
    Role.IC: "incident commander",
    Role.DEPUTY: "deputy",
    Role.SCRIBE: "scribe",
    Role.COMMS: "communications lead",
    Role.OPS: "operations lead",
}


@dataclass(frozen=True, slots=True)
class Holding:
    """Who holds a role, since when, and who gave it to them."""

    user: str
    since: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A role somebody was asked to take; it is theirs once they accept."""

    role: Role
    user: str
    by: str
    at: datetime


class Detection(StrEnum):
    """What first told of it."""

    ALERT = "alert"
    CUSTOMER = "customer"
    EMPLOYEE = "employee"
    SYNTHETIC = "synthetic"
    CHANGE = "change-validation"


@dataclass(frozen=True, slots=True)
class AlertLink:
    """An alert group that belongs to it. started: when its first alert began; ended: when it was quiet again, None
    while it fires. is_silenced: somebody hid it."""

    group: str
    name: str
    started: datetime
    ended: datetime | None = None
    is_silenced: bool = False
    refired: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Somebody was called. rung: how many were called before them in this escalation; id: of the escalation."""

    id: str
    user: str
    at: datetime
    rung: int = 0
    acked: datetime | None = None
    acked_by: str = ""


class ItemState(StrEnum):
    OPEN = "open"
    DONE = "done"
    AUTO = "done by evidence"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the checklist. evidence: name of what completes it by itself, "" where only people can. nudged: how
    often its owner was reminded; done_seq: the event that completed it."""

    key: str
    phase: str
    text: str
    role: str
    due: datetime
    evidence: str = ""
    state: ItemState = ItemState.OPEN
    by: str = ""
    at: datetime | None = None
    why: str = ""
    done_seq: int = 0


@dataclass(frozen=True, slots=True)
class Timer:
    """Something is due at an absolute time. It fires once, even late. key: what it is about, such as "item:ack"."""

    key: str
    due: datetime
    fired: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """What people outside were told, and when they were promised to hear again. parts: conditions, actions and needs,
    as far as said. audience: "channel", "stakeholders" or "public"; channels: of the stakeholders, where it is told."""

    at: datetime
    by: str
    text: str
    next_due: datetime | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    audience: str = "channel"
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """Where in Slack it lives. channel: an id, "" until there is one. thread: the message under which it is told, ""
    where the channel is its own. is_own: the channel was made for it. lost: why it has none of its own after all."""

    channel: str = ""
    name: str = ""
    thread: str = ""
    is_own: bool = False
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Blame:
    """The change that caused it. confidence: "suspected" or "confirmed". at: when somebody said so."""

    change: str
    confidence: str
    by: str = ""
    seq: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote into the postmortem, as it is to stand there."""

    text: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Edition:
    """A published version: never changed, and known by its hash."""

    version: int
    stored: str
    sha256: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Report:
    """Its postmortem. version: how often it was drafted; stored, sha256, bucket: the file of the last draft; seq: the
    last event that draft knows of. published: when first and by whom; waived: why there is none.

    sections: what people wrote, by the name of the section. moved: the last event that makes a draft of before it stale.
    has_deleted: the commander let what was deleted in Slack stand in it. editions: what was published.
    """

    version: int = 0
    stored: str = ""
    drafted: datetime | None = None
    published: datetime | None = None
    by: str = ""
    waived: str = ""
    waived_by: str = ""
    sha256: str = ""
    bucket: str = ""
    seq: int = 0
    moved: int = 0
    sections: Mapping[str, Written] = field(default_factory=dict)
    has_deleted: bool = False
    editions: tuple[Edition, ...] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """Somebody wants an event's content erased; a second person must agree."""

    seq: int
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Glass:
    """A change that the incident commander approved alone. requester: who asked for it; reviewed: when a second
    person looked at it afterwards."""

    request: str
    by: str
    at: datetime
    line: str = ""
    requester: str = ""
    reviewed: datetime | None = None
    reviewed_by: str = ""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """Somebody said that it was none, and why."""

    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Incident:
    """id: "INC-2026-11-23-001". severity: 1 (gravest) to 4. wants_channel: it is to have a channel of its own; else
    it is told in a thread. alert: the message of the alert it was declared from, as Place.under has it.

    impact: what users feel, "" while nobody said. merged_into, reopened, related: ids and counts. runs: requests
    asked for in its room, by id. changes: of them and of change requests those that changed something. tasks: ids;
    no_tasks: why there are none. dismissed: as long as it is a false alarm, or cancelled.
    people: users who are in its room or hold a role. led: who took command while it went on, the first first.
    impacts: the times users felt it before it was opened again, and again: when it last was. scopes: what Slack did not
    let the bot do, in words, each once. places: where it was told before, the first first. shown: what the bot has
    posted of what is asked for ("changes"). heard: when a person last did or said anything.
    """

    id: str
    title: str
    severity: int
    opened: datetime
    updated: datetime
    by: str
    cluster: str
    head: Head = START
    status: Status = Status.DECLARED
    is_drill: bool = False
    is_private: bool = False
    is_security: bool = False
    service: str = ""
    affected: tuple[str, ...] = ()
    impact: str = ""
    detection: Detection | None = None
    wants_channel: bool = True
    alert: str = ""
    room: Room = Room()
    places: tuple[Room, ...] = ()
    milestones: Mapping[Milestone, Marked] = field(default_factory=dict)
    roles: Mapping[Role, Holding] = field(default_factory=dict)
    offers: tuple[Offer, ...] = ()
    alerts: tuple[AlertLink, ...] = ()
    pages: tuple[Page, ...] = ()
    items: tuple[Item, ...] = ()
    timers: tuple[Timer, ...] = ()
    updates: tuple[StatusUpdate, ...] = ()
    runs: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    no_tasks: str = ""
    people: tuple[str, ...] = ()
    caused_by: Blame | None = None
    dismissed: Dismissed | None = None
    related: tuple[str, ...] = ()
    merged_into: str = ""
    merged: tuple[str, ...] = ()
    led: tuple[str, ...] = ()
    reopened: int = 0
    impacts: tuple[tuple[datetime, datetime], ...] = ()
    again: datetime | None = None
    report: Report = Report()
    glass: tuple[Glass, ...] = ()
    erasures: tuple[Erasure, ...] = ()
    erased: Mapping[int, str] = field(default_factory=dict)
    lessons: str = ""
    scopes: tuple[str, ...] = ()
    shown: frozenset[str] = frozenset()
    heard: datetime | None = None
    lines: tuple[Line, ...] = ()
    omitted: int = 0

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_over(self) -> bool:
        """Nothing more is due of it."""
        return self.status in OVER

    @property
    def firing(self) -> tuple[AlertLink, ...]:
        return tuple(link for link in self.alerts if link.ended is None)

    @property
    def next_due(self) -> datetime | None:
        """When something is due of it without anybody asking, None for nothing."""
        return min((timer.due for timer in self.timers if timer.fired is None), default=None)

    def at(self, milestone: Milestone) -> datetime | None:
        marked = self.milestones.get(milestone)
        return marked.at if marked else None

    def section(self, name: str) -> str:
        """What people wrote into this section of its postmortem, "" where nobody did."""
        if name == "lessons":  # `incident set lessons` is the same
            return self.lessons
        said = self.report.sections.get(name)
        return said.text if said else ""

    def holder(self, role: Role) -> str:
        """The user who holds it, "" for nobody."""
        held = self.roles.get(role)
        return held.user if held else ""
