"""Whether a rollback, restart or scaling did what was approved: the cluster's word, pod by pod.

A rollout that is complete by its counts is not a success while its new pods crash or were restarted, nor when
somebody wrote something else meanwhile. What cannot be read is no success either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from commands import grammar
from commands.change import Doing, Verifying
from commands.deploy import rollout
from commands.deploy.revisions import apart_from_restarts, writer
from commands.deploy.target import line
from commands.effects import Restart, RollBack, Scale
from commands.finding import Suggestion
from commands.model import Gap
from commands.phrase import counted, span
from commands.plan import Result, Standing, Step, Verdict
from commands.podreads import Events, EventView
from commands.reads import Now
from commands.site import ClusterSite
from commands.templates import template_hash
from commands.wording import one_line
from commands.workloads import (
    RESTARTED_AT,
    Members,
    MemberView,
    Revisions,
    RevisionView,
    Workload,
    WorkloadView,
)

# A container that crashes at its start does so within seconds, and may have passed for ready until then.
SETTLED = timedelta(seconds=5)
# Times of the API are whole seconds.
_SECOND = timedelta(seconds=1)

Mine = RollBack | Restart | Scale


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the result."""

    doing: Doing
    step: Step
    effect: Mine
    view: WorkloadView
    now: datetime

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """After what went wrong: back to before, look closer, try again."""
        undo = self.doing.plan.undo
        return (
            *((Suggestion("Undo", undo),) if undo else ()),
            Suggestion("Show it", line("show", self.view)),
            Suggestion("Try again", grammar.format(self.doing.args)),
        )

    def failed(self, summary: str, *left: str, proved: bool = False) -> Verdict:
        return self._verdict(Result.FAILED, summary, left, proved)

    def partial(self, summary: str, *left: str, proved: bool = False) -> Verdict:
        return self._verdict(Result.PARTIAL, summary, left, proved)

    def waiting(self, *lines: str) -> Verdict:
        return Verdict(Result.WAITING, waiting=lines)

    def _verdict(self, result: Result, summary: str, left: tuple[str, ...], proved: bool) -> Verdict:
        keys = (self.step.key,) if proved else ()
        return Verdict(result, keys, left=left, summary=summary, suggestions=self.suggestions)


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    if not doing.plan.steps:
        return Verdict(Result.SUCCEEDED, summary="there was nothing left to do")
    step = doing.plan.steps[0]
    effect = step.effect
    assert isinstance(effect, Mine)
    target = effect.target
    asked = Workload(target.namespace, target.name, target.kind)
    seen = yield (Now(), asked)
    found, now = seen[asked], seen[Now()]
    for answer in (found, now):
        if isinstance(answer, Gap):
            return _unread(doing, answer)
    if not found or found[0].target.uid != target.uid:
        return _gone(doing, found)
    look = Look(doing, step, effect, found[0], now)
    verdict = _not_ours(look)
    if verdict is not None:
        return verdict
    revisions, members = Revisions(target, look.view.selector), Members(target.namespace, look.view.selector)
    more = yield (revisions, members)
    for answer in (more[revisions], more[members]):
        if isinstance(answer, Gap):
            return _unread(doing, answer)
    pods = rollout.own(look.view, more[revisions], more[members])
    fresh = _fresh(look, more[revisions], pods)
    if fresh or _stand(look).is_done:
        return _judged(look, fresh, _refused_pods(look.view))
    events = Events(target.namespace, target.kind, target.name, warnings=True)
    told = yield (events,)
    return _judged(look, fresh, (*_refused_pods(look.view), *_warned(look, told[events])))


def _unread(doing: Doing, gap: Gap) -> Verdict:
    said = f"what became of it is not known: {one_line(gap.reason)}"
    if not doing.is_over:
        return Verdict(Result.WAITING, waiting=(said,))
    retry = Suggestion("Try again", grammar.format(doing.args))
    return Verdict(
        Result.PARTIAL, left=(said, gap.mend) if gap.mend else (said,), summary=said, suggestions=(retry,)
    )


def _gone(doing: Doing, found: tuple[WorkloadView, ...]) -> Verdict:
    what = "deleted and made anew" if found else "deleted"
    return Verdict(Result.FAILED, summary=f"{doing.plan.steps[0].effect.target} was {what} meanwhile")


# --- Is it still what we wrote? -------------------------------------------------------------------

Hand = Literal["ours", "before", "others"]


def _hand(look: Look) -> Hand:
    """Whose the present state is: ours, the one from before, or somebody else's."""
    view, effect = look.view, look.effect
    match effect:
        case Scale():
            return _which(view.replicas == effect.replicas, view.replicas == effect.was)
        case RollBack():
            now = template_hash(view.template)
            return _which(now == effect.target_template, now == effect.template)
    notes = (view.template.get("metadata") or {}).get("annotations") or {}
    rest = f"{view.target} apart from restarts {apart_from_restarts(view.template)}"
    is_ours = notes.get(RESTARTED_AT) == effect.at and rest in look.doing.plan.scope
    return _which(is_ours, template_hash(view.template) == effect.template)


def _which(is_ours: bool, is_before: bool) -> Hand:
    return "ours" if is_ours else "before" if is_before else "others"


def _not_ours(look: Look) -> Verdict | None:
    """The verdict where the change is not in force; None where it is."""
    hand = _hand(look)
    if hand == "ours":
        return None
    standing = look.doing.progress.standing(look.step)
    if hand == "others":
        return look.failed(f"changed by others meanwhile{_by(look)}, so it is not what was approved")
    if standing in (Standing.APPLIED, Standing.PROVED):
        return look.failed(f"it was put back as it was before{_by(look)}")
    if not look.doing.is_over:
        return look.waiting("the change is on its way to the API server")
    mark = look.doing.progress.marks.get(look.step.key)
    why = f": {mark.note}" if mark and mark.note else ""
    return look.failed(f"nothing was changed{why}")


def _by(look: Look) -> str:
    """ " by helm 12 s ago", "" where nobody says."""
    who = writer(look.view, replicas=isinstance(look.effect, Scale))
    if who is None:
        return ""
    return f" by {who.name}" + (f" {span(look.now - who.at)} ago" if who.at else "")


# --- Is it done, and well? ------------------------------------------------------------------------


def _judged(look: Look, fresh: Sequence[MemberView], obstacles: tuple[str, ...]) -> Verdict:
    """obstacles: why pods are not even made, in the words of their controller."""
    stand = _stand(look)
    bad = (*obstacles, *rollout.troubled(fresh, look.now))
    if stand.is_done:
        return _done(look, stand.said, fresh, _restarted(look, fresh))
    if _has_given_up(look):
        return look.failed(f"its progress deadline passed: {stand.said}", *bad)
    if look.doing.is_cancelled:
        return look.partial(f"cancelled after it was sent, and it goes on by itself: {stand.said}", *bad)
    if look.doing.is_over:
        return _too_late(look, stand.said, fresh, bad)
    if obstacles:
        return look.waiting(f"{stand.said}: {bad[0]}", *bad[1:])
    return look.waiting(_line(stand.said, bad), *bad[1:])


def _stand(look: Look) -> rollout.Stand:
    return _scaled(look.view) if isinstance(look.effect, Scale) else rollout.stand(look.view)


def _refused_pods(view: WorkloadView) -> tuple[str, ...]:
    """A quota, an admission webhook: what a Deployment's ReplicaSet met when it wanted to make a pod."""
    failures = [each for each in view.conditions if (each.type, each.status) == ("ReplicaFailure", "True")]
    return tuple(f"{each.reason}: {one_line(each.message)}" for each in failures)


def _warned(look: Look, events: Sequence[EventView] | Gap) -> tuple[str, ...]:
    """Of the others their own events tell it, the latest first; that they were not read changes nothing."""
    since = look.doing.progress.started - _SECOND
    found = () if isinstance(events, Gap) else events
    recent = [each for each in found if each.last is None or each.last >= since]
    return tuple(f"{each.reason}: {one_line(each.message)}" for each in reversed(recent[-2:]))


def _line(said: str, bad: tuple[str, ...]) -> str:
    """ "2 of 5 updated, 1 not ready: web-7d9 ImagePullBackOff since 40 s"."""
    return f"{said}, {len(bad)} not ready: {bad[0]}" if bad else said


def _scaled(view: WorkloadView) -> rollout.Stand:
    """Only the number counts here; a rollout that goes on besides is not ours."""
    if view.observed < view.generation:
        return rollout.Stand(False, "its controller has not seen the change yet")
    is_done = view.total == view.replicas and min(view.ready, view.available) >= view.replicas
    return rollout.Stand(is_done, f"{view.ready} of {view.replicas} ready")


def _fresh(look: Look, revisions: Sequence[RevisionView], members: Sequence[MemberView]) -> list[MemberView]:
    """The pods this change is about: those of the new template, or those made since it began to scale."""
    if isinstance(look.effect, Scale):
        began = look.doing.progress.started - _SECOND
        return [each for each in members if each.created and each.created >= began]
    marks = rollout.marks(look.view.template, revisions)
    return [each for each in members if each.mark in marks or not marks]


def _restarted(look: Look, fresh: Sequence[MemberView]) -> tuple[str, ...]:
    """Pods with a container that ended and was started again since the change began."""
    began = look.doing.progress.started - _SECOND
    crashed = [
        each for each in fresh if each.restarts and (not each.last_restart or each.last_restart >= began)
    ]
    return tuple(
        f"{each.name} was restarted {counted(each.restarts, 'time')}"
        + (f" ({each.last_exit})" if each.last_exit else "")
        for each in crashed
    )


def _done(look: Look, said: str, fresh: Sequence[MemberView], restarted: tuple[str, ...]) -> Verdict:
    if restarted:
        return look.partial(f"{said}, but {restarted[0]}", *restarted, proved=True)
    unseen = _unseen(look, fresh)
    if unseen and look.doing.is_over:
        return look.partial(f"{said}, but {unseen}", unseen, proved=True)
    if unseen:
        return look.waiting(f"{said}, but {unseen}")
    unsettled = [each for each in fresh if not each.ready_since or look.now - each.ready_since < SETTLED]
    if unsettled and not look.doing.is_over and not isinstance(look.effect, Scale):
        return look.waiting(f"{said}; watched for {span(SETTLED)}")
    return Verdict(Result.SUCCEEDED, (look.step.key,), summary=f"{look.view.target}: {said}")


def _unseen(look: Look, fresh: Sequence[MemberView]) -> str:
    """Counts are a controller's word: whether new pods crash is only known of those that were seen."""
    strategy = look.view.strategy
    if isinstance(look.effect, Scale) or strategy.type == "OnDelete":
        return ""
    wanted = max(look.view.replicas - strategy.partition, 0)
    return f"only {len(fresh)} of {counted(wanted, 'new pod')} were seen" if len(fresh) < wanted else ""


def _has_given_up(look: Look) -> bool:
    """The Deployment's controller says so of this rollout; of an earlier one it may have said so, too.

    What stood there before stands until it has seen the change, and a little longer. Of this rollout it cannot
    say so before the deadline; half of it leaves room for clocks that differ.
    """
    view = look.view
    if isinstance(look.effect, Scale) or view.observed < view.generation:
        return False
    since = look.doing.progress.started + (view.strategy.deadline or timedelta()) / 2 - _SECOND
    return any(
        each.type == "Progressing"
        and each.reason == "ProgressDeadlineExceeded"
        and (each.since is None or each.since >= since)
        for each in view.conditions
    )


def _too_late(look: Look, said: str, fresh: Sequence[MemberView], bad: tuple[str, ...]) -> Verdict:
    crashing = any(each.trouble for each in fresh)
    if crashing or not any(each.is_ready for each in fresh):
        return look.failed(f"not done in time: {said}", *bad)
    return look.partial(f"not done in time, and it goes on by itself: {said}", *bad)
