"""The nouns every part of the house shares: findings, sections, requests, alert groups.

Frozen values only: no I/O, no clock, no vendor types. A record (`Request`, `AlertGroup`) is the whole
truth about one thing; its Slack messages are a projection of it (bot/render.py), its jobs are hints.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal

from commands.errors import Unanswered, Unreachable
from commands.finding import Finding, Light, Suggestion, worst
from commands.ledger import Addition, Line
from commands.picture import Picture
from commands.plan import Asking, Plan, Progress, Verdict
from commands.response.changerequest import ChangeRequest
from commands.response.incident import Incident
from commands.response.task import Task


class Confidence(StrEnum):
    """How sure a cause is. CERTAIN: a source says so in words. LIKELY: the facts fit and nothing speaks against
    it. POSSIBLE: it would explain what is seen, and so would other things."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Cause:
    """What is probably the matter, in one sentence that names the object ("web-7 was killed at its memory limit
    of 256 MiB"), and the commands that would mend it, best first."""

    text: str
    confidence: Confidence
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A named part of an answer. `done` is False until its last read came back or gave up.

    note: one line on how it was read (source, window, data age); empty where there is nothing to say.
    table: lines in columns (wording.aligned), shown after the findings in letters of one width.
    cause: what it found to be the matter, None where it judges only, or found no cause.
    additions: what it adds to the records of incidents (workers/additions.py).
    """

    key: str
    title: str
    done: bool = False
    findings: tuple[Finding, ...] = ()
    note: str = ""
    attachments: tuple["Attachment", ...] = ()
    table: tuple[str, ...] = ()
    cause: Cause | None = None
    additions: tuple[Addition, ...] = ()

    @property
    def light(self) -> Light:
        return worst([finding.light for finding in self.findings])


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a section: too long for a message, or meant to be kept.

    A command gives name, title and content; the engine keeps the content in the store (and in the bucket
    where `keep_in_bucket` is set and one is configured) and writes down where: `stored` is its key in the
    store, sha256 and size what was kept, bucket the S3 address or why there is none. evidence_of: uids of the
    pods whose evidence this is, which are noted once it is kept (reads.EvidenceKept). picture: what is drawn as
    a PNG in place of a content; the record keeps the file's whereabouts and not the picture.
    """

    name: str
    title: str
    content: str = ""
    keep_in_bucket: bool = False
    stored: str = ""
    sha256: str = ""
    size: int = 0
    bucket: str = ""
    evidence_of: tuple[str, ...] = ()
    picture: Picture | None = None
    is_image: bool = False


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
    """Base of the closed vocabulary of questions (commands/reads.py); frozen and hashable.

    patience: in seconds, for the few that take longer than a read is usually given.
    """

    __slots__ = ()
    patience: ClassVar[float] = 0.0


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

    private: the card goes to the asker's direct messages instead. under: the message in whose thread it is told,
    as "alert:A… 2:card" (outbox key of its record, key of the message); it is waited for until Slack has it.
    """

    channel: str
    thread: str = ""
    private: bool = False
    under: str = ""


class State(StrEnum):
    """Where a request stands on the road.

    A question goes reading → answered. A change goes reading → awaiting → approved → applying and ends as one
    of succeeded, partial, failed, cancelled; a plan that says no ends as blocked.
    """

    READING = "reading"
    ANSWERED = "answered"
    AWAITING = "awaiting"
    BLOCKED = "blocked"
    APPROVED = "approved"
    APPLYING = "applying"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


# The only arrows. One to itself is how a record is saved on the way: a section that was read, the first of two
# approvals, waiting behind another change, a checkpoint. APPROVED → AWAITING: the plan made anew needs more
# than was approved, so people are asked again.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.READING: frozenset(
        {State.READING, State.ANSWERED, State.AWAITING, State.BLOCKED, State.FAILED, State.CANCELLED}
    ),
    State.ANSWERED: frozenset(),
    State.AWAITING: frozenset(
        {
            State.AWAITING,
            State.APPROVED,
            State.REJECTED,
            State.EXPIRED,
            State.CANCELLED,
            State.FAILED,
        }
    ),
    State.BLOCKED: frozenset(),
    State.APPROVED: frozenset(
        {
            State.APPROVED,
            State.APPLYING,
            State.AWAITING,
            State.BLOCKED,
            State.EXPIRED,
            State.CANCELLED,
            State.FAILED,
        }
    ),
    State.APPLYING: frozenset(
        {State.APPLYING, State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELLED}
    ),
    State.SUCCEEDED: frozenset(),
    State.PARTIAL: frozenset(),
    State.FAILED: frozenset(),
    State.REJECTED: frozenset(),
    State.EXPIRED: frozenset(),
    State.CANCELLED: frozenset(),
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

    Of a change only: plan as last made; asking since it is put before people; progress since it is applied;
    verdict once something was seen of its result; behind, while approved, the id of the change it waits for,
    with its text and its requester;
    ended_by and ended_why, of whom and why it was rejected or cancelled. why: the requester's reason, or
    the approver's where none was given.
    trace: the step of a trace that it began in (a W3C traceparent), "" where nothing is traced; decides nothing.
    again: a diagnosis that was asked for anew, because something else fires now than it was about.
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
    why: str = ""
    plan: Plan | None = None
    asking: Asking | None = None
    progress: Progress | None = None
    verdict: Verdict | None = None
    behind: str = ""
    behind_what: str = ""
    behind_by: str = ""
    ended_by: str = ""
    ended_why: str = ""
    trace: str = ""
    again: bool = False

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

LINES = 300  # of a thread kept on its record; older ones are in Slack, unless it was away for all of them


class Severity(StrEnum):
    """How grave an alert is to the bot, whatever word its label uses (`alerts.severities`); gravest first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a group as last heard of; times are aware UTC. heard: when its status was first heard of."""

    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: str = ""
    heard: datetime | None = None

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")


class Judgement(StrEnum):
    """What people call an alert (AD-2.1)."""

    ACTIONABLE = "actionable"
    INFORMATIONAL = "informational"
    FALSE_ALARM = "false alarm"


@dataclass(frozen=True, slots=True)
class Judged:
    judgement: Judgement
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Silenced:
    """A silence in Alertmanager that somebody made from here. ended: it ran out or was taken back."""

    id: str
    by: str
    until: datetime
    why: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Care:
    """What people have done about an episode of a group, and what is still to remind them of.

    acked: when somebody took notice, by whom; that ends the reminders. owner: the user who has it in hand.
    snoozed: no reminder before; snoozed_by: who wanted that, "" once its end was told. reminded: when the second
    person was told. judged: the last one counts, the others are its history.
    """

    acked: datetime | None = None
    acked_by: str = ""
    owner: str = ""
    snoozed: datetime | None = None
    snoozed_by: str = ""
    reminded: datetime | None = None
    judged: tuple[Judged, ...] = ()
    silences: tuple[Silenced, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """An Alertmanager group and all alerts heard of in its current episode.

    An episode begins when the first alert fires and the group was quiet (or new); its card is one
    message. truncated: how many alerts of its last body are not among them, because Alertmanager cut it (max_alerts)
    or a record holds no more. omitted: how many
    lines of the thread are no longer kept here.

    cluster: by its name in the configuration, "" where its label names none that is known. severity: the gravest
    of what fires. heard: when Alertmanager last said anything of it; repeats: how often it has only repeated
    itself since the last news. flaps: how often it fired again within this episode. mention: a Slack user or
    user-group id that its opening mentions, "" for nobody. owner: whose it is by its route or the annotations of
    its namespace: such an id, or a name. route: which rule of the configuration sent it here.
    storm: id of the storm in whose thread it is told, "" where it has a card of its own. before: the message of
    the episode before this one, as "channel ts". triage: the request that diagnoses it; cause: what that found;
    looking: nothing yet of what fires now. care: what people have done about it.
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
    cluster: str = ""
    severity: Severity = Severity.WARNING
    heard: datetime | None = None
    repeats: int = 0
    flaps: int = 0
    mention: str = ""
    owner: str = ""
    route: str = ""
    storm: str = ""
    before: str = ""
    triage: str = ""
    cause: Cause | None = None
    looking: bool = False
    care: Care = Care()

    @property
    def firing(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @property
    def resolved(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "resolved")

    @property
    def lead(self) -> Alert:
        """The alert a diagnosis is about: of those that fire (else of all) the first that began."""
        return min(self.firing or self.alerts, key=lambda alert: (alert.starts_at, alert.fingerprint))

    @property
    def name(self) -> str:
        """What the group is called: the alert name it is grouped by, or that its first alert bears."""
        return self.group_labels.get("alertname") or self.lead.name

    def say(self, text: str, at: datetime, *, mention: str = "", by: str = "") -> "AlertGroup":
        """With one more line in its thread."""
        number = int(self.lines[-1].key) + 1 if self.lines else 1
        lines = (*self.lines, Line(str(number), text, at, mention, by))
        return replace(self, lines=lines[-LINES:], omitted=self.omitted + len(lines[:-LINES]))


@dataclass(frozen=True, slots=True)
class Storm:
    """More groups opened in a channel than people can read: one card counts them, their own are in its thread.

    members: how many in all; counts: by (what, name), such as ("alert", "KubePodCrashLooping") or
    ("namespace", "shop"), how many of them still fire; with the name "", how many more names there are. firing:
    how many in all. listing: the kept file of all.
    """

    id: str
    channel: str
    opened: datetime
    updated: datetime
    members: int = 0
    firing: int = 0
    counts: tuple[tuple[str, str, int], ...] = ()
    listing: Attachment | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A message of the house itself: the dead-man's switch, a cluster nobody knows. text changes in place;
    lines are its thread. mention: a Slack user or user-group id, "" for nobody."""

    id: str
    channel: str
    text: str
    at: datetime
    mention: str = ""
    lines: tuple[Line, ...] = ()


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


Record = Request | AlertGroup | Storm | Notice | Whisper | Incident | ChangeRequest | Task
