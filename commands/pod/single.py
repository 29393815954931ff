"""Which single pod is meant, for the verbs that keep or change one: a name, in one namespace.

A pod is never guessed at: nothing is taken for another name, and no namespace but the application's own is
looked at unless it was typed.
"""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from commands.change import Doing
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Read, Reads, Seen
from commands.plan import Plan, Result, Standing, Verdict
from commands.podreads import OnePod, PodFacts
from commands.reads import DryRun
from commands.scheduling import Owners, OwnerView
from commands.site import ClusterSite
from commands.wording import one_line

# Controllers that a read tells of; there are others, such as a ReplicationController.
OWNER_KINDS = ("ReplicaSet", "StatefulSet", "DaemonSet", "Job")

_LONGEST = 253
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")


def wanted(args: Args, site: ClusterSite) -> OnePod:
    """Raises UsageError over a name or namespace that cannot be meant."""
    name = args.name.casefold().removeprefix("pod/")
    if not name:
        raise UsageError(f"Which one? Type `pod {args.verb} POD`; `pod list` names those that are not well.")
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise UsageError(f"`{one_line(args.name, 60)}` cannot be the name of a pod.")
    if args.flags.get("namespace") == "all":
        raise UsageError(f"`pod {args.verb}` needs one namespace, not all of them.")
    return OnePod(args.flags.get("namespace") or site.namespaces.app, name)


def typed(pod: OnePod) -> str:
    """As it is typed: "shop/backend-1"."""
    return f"{pod.namespace}/{pod.name}"


def wrong(pod: OnePod, answer: PodFacts | Gap | None) -> Finding | None:
    """Why nothing can be done about it, in red; None when it was read."""
    if isinstance(answer, Gap):
        value = f"{typed(pod)} was not read: {one_line(answer.reason)}"
        return Finding("pod.unread", "Pod", Light.RED, value, mend=answer.mend)
    if answer is None:
        mend = "Name its namespace with `--namespace`; `pod list` shows what there is."
        return Finding("pod.none", "Pod", Light.RED, f"there is no pod {typed(pod)}", mend=mend)
    return None


# --- What the changes of one pod share --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keeping:
    """Whether its evidence is kept; None where that could not be read, and why."""

    is_kept: bool | None
    why: str = ""
    mend: str = ""

    @classmethod
    def of(cls, answer: frozenset[str] | Gap, pod: PodFacts) -> "Keeping":
        if isinstance(answer, Gap):
            return cls(None, one_line(answer.reason), answer.mend)
        return cls(pod.target.uid in answer)


def keep(pod: PodFacts) -> Suggestion:
    return Suggestion("Keep evidence", f"pod evidence {pod.target.path}")


def lock(pod: PodFacts) -> str:
    """What no other change of this pod may hold meanwhile."""
    return f"pod/{pod.target.path}"


def owners(kind: str, namespace: str) -> tuple[Owners, ...]:
    """The read that tells of controllers of this kind; () where none is known to."""
    return (Owners(kind, namespace),) if kind in OWNER_KINDS else ()


def owner_of(seen: Mapping[Read, Any], read: tuple[Owners, ...], uid: str) -> OwnerView | Gap | None:
    """The controller of this uid, None when it is gone."""
    if not read:
        return Gap("nothing is known of controllers of this kind")
    answer = seen[read[0]]
    if isinstance(answer, Gap):
        return answer
    return next((owner for owner in answer if owner.target.uid == uid), None)


def has_settled(doing: Doing) -> bool:
    """All steps were true a look ago already. Controllers write their counts down a moment after that, and
    until then the old count still stands."""
    standings = {doing.progress.standing(step) for step in doing.plan.steps}
    return doing.is_over or standings == {Standing.PROVED}


def nothing_left() -> Verdict:
    """The plan that was made anew on approval had no step any more: somebody else did it."""
    return Verdict(Result.SUCCEEDED, summary="there was nothing left to do")


def unseen(doing: Doing, gap: Gap) -> Verdict:
    """What became of it was not read: neither success nor failure."""
    if not doing.is_over:
        return Verdict(Result.WAITING, waiting=(gap.reason,))
    value = f"the result was not read: {one_line(gap.reason)}"
    finding = Finding("pod.unseen", "Proof", Light.UNKNOWN, value, mend=gap.mend)
    return Verdict(
        Result.PARTIAL, left=(value,), summary="the result is unknown", findings=(finding,),
        suggestions=(Suggestion("Show it", f"pod show {doing.plan.steps[0].effect.target.path}"),),
    )  # fmt: skip


def rehearsed(plan: Plan) -> Generator[Reads, Seen, Plan]:
    """The plan with what the API server says to each step in a dry run."""
    seen = yield tuple(DryRun(step.effect) for step in plan.steps)
    lines: list[str] = []
    for step in plan.steps:
        answer = seen[DryRun(step.effect)]
        if isinstance(answer, Gap):
            lines.append(f"{step.effect.target}: unknown, {answer.reason}")
            continue
        word = "would be taken" if answer.would else "would be refused"
        lines.append(": ".join(each for each in (str(step.effect.target), word, answer.said) if each))
        lines += [f"{step.effect.target}: warning: {warning}" for warning in answer.warnings]
    return replace(plan, rehearsal=tuple(lines))
