"""The nouns every part of the house shares: findings, sections, requests, alert groups.

Frozen values only: no I/O, no clock, no vendor types. A record (`Request`, `AlertGroup`) is the whole
truth about one thing; its Slack messages are a projection of it (bot/render.py), its jobs are hints.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from commands.errors import Unanswered, Unreachable


class Light(StrEnum):
    """How a finding is judged. UNKNOWN is a colour of its own: what was not read is never green."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    UNKNOWN = "unknown"


# Worst first. A red symptom outranks an unread source, and an unread source outranks a warning:
# a summary must never look better than what is not known.
_ORDER = (Light.RED, Light.UNKNOWN, Light.YELLOW, Light.GREEN)


def worst(lights: "list[Light] | tuple[Light, ...]") -> Light:
    """The light a summary shows for these; UNKNOWN when there are none, because nothing was read."""
    return min(lights, key=_ORDER.index, default=Light.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A button that types a command for the presser: `label` is what it says, `text` what it submits."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One judged line.

    key: the manual's row it answers, such as "DH-1.5" (several findings may share a row).
    value, threshold: as people read them, units included ("99.95 %", "> 99.9 %").
    evidence: the facts behind the judgement, worst first; the renderer cuts and counts.
    alarm: set on a red flag: the sentence that goes with the mention of on-call.
    again_after: how long this is not news again, nor on-call mentioned again for it (DH-1.9: an hour; longer
    where the measured window is so long that it stays red for days; zero for what is no news at all).
    mend: for UNKNOWN, the exact line that makes the source readable.
    """

    key: str
    label: str
    light: Light
    value: str = ""
    threshold: str = ""
    evidence: tuple[str, ...] = ()
    link: Link | None = None
    suggestions: tuple[Suggestion, ...] = ()
    alarm: str = ""
    mend: str = ""
    again_after: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Section:
    """A named part of an answer. `done` is False until its last read came back or gave up.

    note: one line on how it was read (source, window, data age); empty where there is nothing to say.
    """

    key: str
    title: str
    done: bool = False
    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def light(self) -> Light:
        return worst([finding.light for finding in self.findings])


@dataclass(frozen=True, slots=True)
class Gap:
    """What stands in a snapshot where a source gave no answer. silent: nobody answered at all in time,
    as opposed to an answer that was a refusal."""

    reason: str
    mend: str = ""
    silent: bool = False

    @classmethod
    def of(cls, error: Unanswered) -> "Gap":
        """A "come back later" is an answer; what has only silence to show is silent."""
        is_silent = isinstance(error, Unreachable) and error.retry_after is None
        return cls(error.reason, error.mend, is_silent)


class Seen(Mapping["Read", Any]):
    """What was read: every read that was asked for maps to its answer or to a `Gap`."""

    def __init__(self, answers: Mapping["Read", Any]) -> None:
        self._answers = answers

    def __getitem__(self, read: "Read") -> Any:
        return self._answers[read]

    def __iter__(self) -> Any:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)


class Read:
    """Base of the closed vocabulary of questions (commands/reads.py); frozen and hashable."""

    __slots__ = ()


Reads = tuple[Read, ...]

# One part of a command: yields the reads it needs, is sent what was seen, and returns its section.
# A part may yield again when the next question depends on an answer. It does no I/O of its own.
Inquiry = Generator[Reads, Seen, Section]


@dataclass(frozen=True, slots=True)
class Args:
    """A parsed command: flags by their long name without dashes, values as typed ("" for a bare flag)."""

    word: str
    verb: str = ""
    name: str = ""
    flags: Mapping[str, str] = field(default_factory=dict)
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, from Slack's signed payload only; or the schedule itself, which no payload can name."""

    user: str
    team: str
    is_scheduler: bool = False


SCHEDULER = Actor("", "", is_scheduler=True)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a card lives: a channel id or "#name"; `thread` when it was asked for inside a thread.

    private: the card goes to the asker's direct messages instead.
    """

    channel: str
    thread: str = ""
    private: bool = False


class State(StrEnum):
    """Where a request stands on the road."""

    READING = "reading"
    ANSWERED = "answered"
    FAILED = "failed"


# The only arrows. Changing verbs add theirs (awaiting, approved, applying…) to this table.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.READING: frozenset({State.READING, State.ANSWERED, State.FAILED}),
    State.ANSWERED: frozenset(),
    State.FAILED: frozenset(),
}


class WrongTransition(AssertionError):
    """A bug: code asked for an arrow that TRANSITIONS does not have."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A red flag that on-call is told about: which finding, and the sentence."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """One thing somebody (or the schedule) asked for, from the text to the answer.

    is_quiet: a scheduled run whose card exists only when it has news.
    has_news: something is red or unknown that no card here told of lately (Finding.again_after).
    late_since: the due time of a scheduled run that was started late; None when on time.
    flags: the red flags this run mentions on-call for (at most one per flag per hour).
    reference: names the log lines of a failure to the user, without its insides.
    """

    id: str
    text: str
    args: Args
    actor: Actor
    place: Place
    cluster: str
    created: datetime
    state: State = State.READING
    sections: tuple[Section, ...] = ()
    finished: datetime | None = None
    is_quiet: bool = False
    has_news: bool = False
    late_since: datetime | None = None
    flags: tuple[Flag, ...] = ()
    mention: str = ""
    reference: str = ""

    @property
    def is_open(self) -> bool:
        return bool(TRANSITIONS[self.state])

    @property
    def light(self) -> Light:
        return worst([section.light for section in self.sections if section.done])

    def move(self, to: State, **changes: Any) -> "Request":
        """The request in its next state; raises WrongTransition for an arrow that does not exist."""
        if to not in TRANSITIONS[self.state]:
            raise WrongTransition(f"{self.id}: {self.state} → {to}")
        return replace(self, state=to, **changes)


AlertStatus = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a group as last heard of; times are aware UTC."""

    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a thread: key makes it unique in its card, so that it is sent once."""

    key: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """An Alertmanager group and all alerts heard of in its current episode.

    An episode begins when the first alert fires and the group was quiet (or new); its card is one
    message. truncated: how many alerts Alertmanager cut from its last body (max_alerts). omitted: how many
    lines of the thread are no longer kept here.
    """

    id: str
    group_labels: Mapping[str, str]
    receiver: str
    channel: str
    alerts: tuple[Alert, ...]
    episode: int
    opened: datetime
    updated: datetime
    external_url: str = ""
    truncated: int = 0
    lines: tuple[Line, ...] = ()
    omitted: int = 0

    @property
    def firing(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @property
    def resolved(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "resolved")


@dataclass(frozen=True, slots=True)
class Whisper:
    """A private answer that no acknowledgement could carry: a mention that was refused, or asked for help.

    Sent to `user` alone, at most once, and not kept by Slack: never used for what must not be lost.
    """

    id: str
    user: str
    place: Place
    text: str = ""
    sections: tuple[Section, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


Record = Request | AlertGroup | Whisper
