"""The nouns of a change request: what is planned, where it stands, who agreed, what was looked at, how it went.

A `ChangeRequest` is a projection: commands/response/changefold.py makes it from its events, and nobody else writes one.
All times are aware UTC. What is not known is None or empty, never a word like "unknown" and never the present moment.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from commands.finding import Light
from commands.ledger import START, Head, Line
from commands.response.incident import Timer

# How long a window is open for a change that users do not feel.
UNFELT = timedelta(hours=1)


class Stage(StrEnum):
    """Where it stands. The arrows between them are in changemoves.py."""

    DRAFT = "draft"
    PRECHECKS = "pre-checks"
    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"
    VALIDATING = "validating"
    ROLLING_BACK = "rolling back"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled back"
    ROLLBACK_FAILED = "rollback failed"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELED = "canceled"
    EXPIRED = "expired"


# It is being done: its service is locked, and it is watched.
RUNNING = frozenset({Stage.EXECUTING, Stage.VALIDATING, Stage.ROLLING_BACK})
OVER = frozenset(tuple(Stage)[7:])


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Payload:
    """What is asked for, and all that an approval is given to.

    at: when it is to begin; duration: how long users may feel it, None for not at all. rollback: how it is taken back,
    in words and `/sre` lines; why: what it is for. steps: a text each, `/sre` lines in them are run or offered. verify:
    `/sre` lines that show whether it worked. expected: names of alerts that it will cause. approvers: who was asked to
    look at it. authors: who made it beside the requester; none of them may approve it. image: the one that it brings.
    is_auto: it may be rolled back without asking.
    """

    what: str
    service: str
    cluster: str
    namespace: str
    at: datetime
    duration: timedelta | None
    rollback: str
    why: str
    risk: Risk = Risk.MEDIUM
    steps: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    image: str = ""
    is_irreversible: bool = False
    is_auto: bool = False

    @property
    def until(self) -> datetime:
        """When its window is over."""
        return self.at + (self.duration or UNFELT)

    @property
    def digest(self) -> str:
        """64 hex digits over all of it, in one form: what an approval names."""
        told = {**asdict(self), "at": int(self.at.timestamp()), "duration": _seconds(self.duration)}
        text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else int(length.total_seconds())


@dataclass(frozen=True, slots=True)
class Agreed:
    """Somebody approved. person: the id that stands for every id of this user, "" for the user's own."""

    user: str
    at: datetime
    person: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of the pre-checks, as it was found. key: what it is about; row: of the manual."""

    key: str
    label: str
    light: Light
    value: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    """The pre-checks as they were last run. digest: of the payload they were run for. target: what the change would
    be done to, in words that another revision of it does not have; "" where that was not read."""

    at: datetime
    request: str
    digest: str
    target: str
    lines: tuple[Checked, ...]

    def worst(self, light: Light) -> tuple[Checked, ...]:
        return tuple(line for line in self.lines if line.light is light)


class TickState(StrEnum):
    """SKIPPED: an approver let it go, and said why. NO: it is not so."""

    DONE = "done"
    SKIPPED = "skipped"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Tick:
    """What a person said of a line that no machine can say."""

    item: str
    state: TickState
    by: str
    at: datetime
    note: str = ""


class StepState(StrEnum):
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepMark:
    """What became of a step. number: from 1."""

    number: int
    state: StepState
    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Validated:
    """A look after the change. due: minutes after it was done ("5", "15", "60"), "" where somebody asked."""

    at: datetime
    due: str
    lines: tuple[Checked, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A change that was asked of the bot for it: its request, what was typed, and how it ended ("" while it goes).
    is_back: it takes the change back; is_own: the bot asked for that by itself."""

    request: str
    line: str
    state: str = ""
    at: datetime | None = None
    is_back: bool = False
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """One change request, from its draft to its validation.

    by: who asked for it. channel: where it is told. version: how often its payload was written. cleared: when it was
    put before people. agreed: who approved this payload; target: what it was about when they did. ticks: the last word
    on each line that people tick; standby: who said that they are there, or are not. started: when its baseline was to
    be frozen, baseline: whether it is. done: when its last step was; ended: when it was over. samples: how many were
    taken; verdict: what they come to, and why. reports: who saw users complain, and when. restored: when users were
    well again. incident: that was opened for it. notified: when the stakeholders were told, is_on_page: the status
    page, too. emergency: the incident
    in which it is done without the usual approval; reviewed: who looked at it afterwards.
    """

    id: str
    payload: Payload
    digest: str
    by: str
    opened: datetime
    updated: datetime
    channel: str
    head: Head = START
    stage: Stage = Stage.DRAFT
    version: int = 1
    cleared: datetime | None = None
    checks: Checks | None = None
    agreed: tuple[Agreed, ...] = ()
    roles: tuple[str, ...] = ()
    granted: datetime | None = None
    target: str = ""
    ticks: Mapping[str, Tick] = field(default_factory=dict)
    standby: Mapping[str, bool] = field(default_factory=dict)
    steps: tuple[StepMark, ...] = ()
    linked: tuple[Linked, ...] = ()
    started: datetime | None = None
    started_by: str = ""
    baseline: datetime | None = None
    done: datetime | None = None
    undone: datetime | None = None
    ended: datetime | None = None
    ended_by: str = ""
    ended_why: str = ""
    samples: int = 0
    verdict: str = ""
    verdict_why: str = ""
    validated: tuple[Validated, ...] = ()
    reports: tuple[tuple[str, datetime], ...] = ()
    restored: datetime | None = None
    incident: str = ""
    notified: datetime | None = None
    is_on_page: bool = False
    emergency: str = ""
    reviewed: str = ""
    timers: tuple[Timer, ...] = ()
    lines: tuple[Line, ...] = ()
    omitted: int = 0

    @property
    def is_active(self) -> bool:
        return self.stage in RUNNING

    @property
    def is_over(self) -> bool:
        """Its way is at its end; it may still be watched for a while."""
        return self.stage in OVER

    @property
    def next_due(self) -> datetime | None:
        """When something is due of it without anybody asking, None for nothing."""
        return min((timer.due for timer in self.timers if timer.fired is None), default=None)

    @property
    def linked_back(self) -> tuple[Linked, ...]:
        """The changes that were asked for to take it back."""
        return tuple(each for each in self.linked if each.is_back)

    def timer(self, key: str) -> datetime | None:
        """When this is due, None where it is not or was."""
        found = (timer.due for timer in self.timers if timer.key == key and timer.fired is None)
        return next(found, None)

    def step(self, number: int) -> StepMark | None:
        """What was last said of a step."""
        return next((mark for mark in reversed(self.steps) if mark.number == number), None)

    @property
    def next_step(self) -> int:
        """The first step that is not done, 0 where all are."""
        count = max(len(self.payload.steps), 1)
        is_done = {n: mark.state is StepState.DONE for n in range(1, count + 1) if (mark := self.step(n))}
        return next((n for n in range(1, count + 1) if not is_done.get(n)), 0)


_LINE = re.compile(r"`/sre[ \t]+([^`\n]+)`|(?:^|(?<=\s))/sre[ \t]+([^`\n]+)")


def lines_in(text: str) -> tuple[str, ...]:
    """The `/sre` lines of a text, without the slash command: between backticks, or up to the end of the line."""
    return tuple((quoted or plain).strip() for quoted, plain in _LINE.findall(text))
