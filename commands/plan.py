"""The nouns of a change as they stand in its record: the plan, who agreed, what became of each step.

Frozen values only, like commands/model.py, whose Request carries them. What a changing command declares is
in commands/change.py.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from commands.effects import Effect, Target
from commands.finding import Finding, Light, Suggestion


class Go(StrEnum):
    """What a plan says of itself."""

    GO = "go"
    RISK = "go with risk"
    NOTHING = "nothing to do"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Step:
    """One effect. key: unique in the plan, and the same in a plan made anew over the same object.

    text: the line on the card. lane: steps of one lane are tried one at a time (the disruption budget they
    share); "" for none.
    """

    key: str
    effect: Effect
    text: str
    lane: str = ""


@dataclass(frozen=True, slots=True)
class Wave:
    """Steps that are tried side by side. The next wave begins when every one of these is proved."""

    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen, complete: what is shown, what is approved and what is applied.

    title: "Drain node-7". findings: green is GO, yellow and unknown GO WITH RISK, red BLOCKED; `key` is the
    kind of the finding ("drain.emptydir"), `mend` its way out. facts: what there is to know of the target, a
    line each. stays: what is left alone, and why. diff: lines beginning with "- ", "+ " or "  ".
    scope: what the approval covers, in words that do not change with ordinary churn: owning workloads, uids of
    nodes, templates of deployments, options. undo: the command that takes it back, "" where none does.
    before: the state before, as (what, value). approvers: how many must agree when it is more than the verb
    asks for. locks: what no other change may hold meanwhile. rehearsal: the API server's own dry run.
    nodes: name and labels of each node it is about, by which the rules of `access` judge it.
    """

    title: str
    findings: tuple[Finding, ...] = ()
    waves: tuple[Wave, ...] = ()
    facts: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    undo: str = ""
    before: tuple[tuple[str, str], ...] = ()
    approvers: int = 1
    locks: tuple[str, ...] = ()
    rehearsal: tuple[str, ...] = ()
    nodes: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    estimate: timedelta = timedelta(seconds=10)
    timeout: timedelta = timedelta(minutes=5)

    @property
    def go(self) -> Go:
        lights = {finding.light for finding in self.findings}
        if Light.RED in lights:
            return Go.BLOCKED
        if not self.steps:
            return Go.NOTHING
        return Go.RISK if lights & {Light.YELLOW, Light.UNKNOWN} else Go.GO

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for wave in self.waves for step in wave.steps)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every object that is touched, once."""
        return tuple(dict.fromkeys(step.effect.target for step in self.steps))

    @property
    def digest(self) -> str:
        """16 hex digits over everything in the plan: what an approval names."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


# --- Applying -------------------------------------------------------------------------------------


class Standing(StrEnum):
    """Where a step stands. TRYING is written before the effect, so a TRYING that nobody works on is one
    whose outcome is not known; APPLIED means that the server took it and the proof is outstanding."""

    PLANNED = "planned"
    TRYING = "trying"
    BLOCKED = "blocked"
    APPLIED = "applied"
    PROVED = "proved"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Mark:
    """The checkpoint of a step: since when, and in one sentence why. tries: how often it was sent.

    A step that is tried again while it is blocked keeps the time from which on it was.
    """

    standing: Standing
    at: datetime
    note: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of the plan so far. owner: the worker that has it now; only it may write here.

    marks: by step key; a step without one is PLANNED. waiting: what it waits for, a line each.
    cancelled_by: the user who pressed Cancel; no effect begins after it.
    """

    owner: str
    started: datetime
    deadline: datetime
    marks: Mapping[str, Mark] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    cancelled_by: str = ""
    at: datetime | None = None

    def standing(self, step: Step) -> Standing:
        mark = self.marks.get(step.key)
        return mark.standing if mark else Standing.PLANNED

    def with_marks(self, marks: Mapping[str, Mark]) -> Mapping[str, Mark]:
        return {**self.marks, **marks}


class Result(StrEnum):
    """WAITING: not proved yet, and time is left."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the cluster says of a change. proved: keys of the steps whose result was seen there.

    waiting: which budget, how many of how many, since when; a line each. left: what is not done, and why.
    summary: one sentence for the closing line. suggestions: the next buttons (retry, uncordon, undo…).
    """

    result: Result
    proved: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    summary: str = ""
    findings: tuple[Finding, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


# --- Asking ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Approval:
    """is_self: the requester's own, where `approvals.self_approve` allows that. person: the id that stands for
    every id of this user (site.Site.person), "" for the user's own."""

    user: str
    at: datetime
    is_self: bool = False
    person: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """A plan put before people. turn: 1, and one more each time a changed plan had to be shown again.

    digest: of the plan shown. needed: how many different people. changed: what differs from the turn before.
    self_approve: the requester counts, too, because the configuration says so; the card must say it.
    roles: who may approve. own: the requester's confirmation is enough, as is that of anybody with these roles
    (words.Verb.own). broken_by: the commander of an incident who approved it alone, "" for nobody.
    """

    turn: int
    digest: str
    needed: int
    expires: datetime
    approvals: tuple[Approval, ...] = ()
    changed: tuple[str, ...] = ()
    self_approve: bool = False
    roles: tuple[str, ...] = ()
    own: bool = False
    broken_by: str = ""

    @property
    def agreed(self) -> int:
        """How many people, however many ids they have."""
        return len({approval.person or approval.user for approval in self.approvals})

    @property
    def is_granted(self) -> bool:
        return bool(self.broken_by) or self.agreed >= self.needed
