"""What a changing command declares: a plan made of what was read, and a verification of what it did.

The engine walks both: read, plan, show, approve, read and plan again, apply, verify, tell
(workers/change.py). Everything here is pure.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from datetime import datetime

from commands.finding import Finding, Light
from commands.model import Args, Reads, Seen
from commands.plan import Plan, Progress, Standing, Step, Verdict
from commands.site import ClusterSite


def drift(shown: Plan, now: Plan) -> tuple[str, ...]:
    """What a plan made anew has that the approved one had not, a line each; () when the approval covers it.

    Less than was approved is covered, and so is another pod of a workload that was named. More locks are not:
    the approval lined up for those of the plan that was shown.
    """
    wider = [f"also: {each}" for each in now.scope if each not in shown.scope]
    known = {(finding.key, finding.light) for finding in shown.findings}
    grave = [finding for finding in now.findings if finding.light is not Light.GREEN]
    new = [finding for finding in grave if (finding.key, finding.light) not in known]
    more = [f"{now.approvers} people must agree now"] if now.approvers > shown.approvers else []
    locked = [f"also keeps others off: {each}" for each in now.locks if each not in shown.locks]
    return (*wider, *more, *locked, *(f"new: {finding.label} {finding.value}".rstrip() for finding in new))


@dataclass(frozen=True, slots=True)
class Doing:
    """What a verification is about. is_over: no effect will follow (deadline, cancelled, a step that failed),
    so that WAITING is no answer any more."""

    args: Args
    plan: Plan
    progress: Progress
    is_over: bool = False
    is_cancelled: bool = False

    def failed(self) -> tuple[Step, ...]:
        return tuple(s for s in self.plan.steps if self.progress.standing(s) is Standing.FAILED)


Planning = Generator[Reads, Seen, Plan]
Verifying = Generator[Reads, Seen, Verdict]


@dataclass(frozen=True, slots=True)
class Who:
    """On whose behalf a plan is made; what effects write into annotations and change causes."""

    request: str
    user: str
    why: str
    at: datetime

    @property
    def cause(self) -> str:
        """One line, without outside text that could pass for something else."""
        said = f": {self.why}" if self.why else ""
        return f"by {self.user} ({self.request}){said}"[:250]


@dataclass(frozen=True, slots=True)
class Change:
    """What a changing command declares. Both are pure generators over what is read (commands/command.py)."""

    plan: Callable[[Args, ClusterSite, Who], Planning]
    verify: Callable[[Doing, ClusterSite], Verifying]


def blocked(title: str, findings: Iterable[Finding]) -> Plan:
    """A plan that ends where it began: something that had to be read was not, or is not there."""
    return Plan(title, tuple(findings))
