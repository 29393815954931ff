"""The plan of `deploy restart`: every pod is replaced by a new one of the same template.

What that may change all the same: an image behind a tag that moved, a ConfigMap or Secret that was changed
since the pods started. It cannot be taken back, because pods that ended do not return.
"""

from collections.abc import Generator, Sequence
from datetime import UTC, datetime

from commands.change import Planning, Who, blocked
from commands.deploy import owners, references, risks, rollout, room
from commands.deploy.revisions import apart_from_restarts
from commands.deploy.target import Found, checked, search
from commands.deploy.telling import told
from commands.differences import images_said
from commands.effects import Restart
from commands.evidence import was_of, without_evidence
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Gap, Reads, Seen
from commands.phrase import counted, span
from commands.plan import Plan, Step, Wave
from commands.podreads import IsolatedPods, PodFacts
from commands.reads import DryRun, EvidenceKept
from commands.site import ClusterSite
from commands.templates import template_hash
from commands.wording import unread
from commands.workloads import (
    Members,
    MemberView,
    Quotas,
    ReferredView,
    Revisions,
    RevisionView,
    WorkloadView,
)


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    checked(args)
    found = yield from search(args, site)
    if isinstance(found, Finding):
        return blocked(f"Restart {args.name}", (found,))
    view = found.view
    title = f"Restart {view.target}"
    stops = (*risks.leaving(view), *risks.paused(view), *risks.on_delete(view, Light.RED))
    if not view.replicas and not stops:
        value = f"{view.target} has no pods to restart"
        return blocked(title, (Finding("restart.empty", "Nothing to do", Light.GREEN, value),))
    at = who.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    effect = Restart(view.target, template_hash(view.template), at)
    rehearsal, space = DryRun(effect), view.target.namespace
    pods, quotas, history = (
        Members(space, view.selector),
        Quotas(space),
        Revisions(view.target, view.selector),
    )
    wants = references.references(view.template)
    extra = rollout.margins(view).surge if view.target.kind == "Deployment" else 0
    needed, isolated = room.reads(view.target, extra), IsolatedPods(space)
    seen = yield (rehearsal, pods, quotas, history, isolated, *(each.read(space) for each in wants), *needed)
    held = yield from _without_evidence(view, seen[isolated], seen[history])
    refused, said = risks.rehearsed(rehearsal, seen)
    members = _own(view, seen[history], seen[pods])
    findings = (
        *stops,
        *held,
        *owners.operators(view),
        *_pods(found, members),
        *risks.outage(view),
        *risks.mutable(view.template),
        *risks.quota(
            seen[quotas], rollout.margins(view).surge, risks.asked(view.template), "while it restarts"
        ),
        *room.findings(view.target, extra, "while it restarts", seen),
        *references.judged(wants, space, seen),
        *_changed_since(wants, space, seen, members, found.now),
        *refused,
    )
    return _whole(view, effect, findings, said)


def _without_evidence(
    view: WorkloadView, isolated: Sequence[PodFacts] | Gap, history: Sequence[RevisionView] | Gap
) -> Generator[Reads, Seen, tuple[Finding, ...]]:
    """Pods of it are part of a security incident: the others, which may be as they are, show as much."""
    if isinstance(isolated, Gap):
        return (unread("restart.isolated", "Isolated pods", isolated),)
    sources = () if isinstance(history, Gap) else history
    own = {view.target.uid, *(each.source.uid for each in sources)}
    pods = [pod.target for pod in isolated if was_of(pod) in own]
    if not pods:
        return ()
    kept = EvidenceKept(tuple(sorted(pod.uid for pod in pods)))
    seen = yield (kept,)
    return tuple(
        Finding(
            "restart.evidence",
            "Evidence",
            Light.RED,
            f"{reason.pod.path} of it is isolated, and {reason.text}",
            mend=reason.mend,
            suggestions=(Suggestion("Keep evidence", f"pod evidence {reason.pod.path}"),),
        )
        for reason in without_evidence(pods, seen[kept])
    )


def _own(view: WorkloadView, history: object, members: object) -> list[MemberView] | Gap:
    """Of a Deployment the pods are its ReplicaSets', so both must have been read."""
    for answer in (history, members):
        if isinstance(answer, Gap):
            return answer
    assert isinstance(history, tuple) and isinstance(members, tuple)
    return rollout.own(view, history, members)


def _pods(found: Found, members: Sequence[MemberView] | Gap) -> tuple[Finding, ...]:
    if isinstance(members, Gap):
        return (unread("deploy.pods", "Pods", members),)
    return risks.stall(found.view, members, found.now)


def _changed_since(
    wants: tuple[references.Reference, ...],
    space: str,
    seen: Seen,
    members: Sequence[MemberView] | Gap,
    now: datetime,
) -> tuple[Finding, ...]:
    """What the new pods will start with, and the running ones did not."""
    started = [] if isinstance(members, Gap) else [each.created for each in members if each.created]
    changed = []
    for each in wants:
        answer: ReferredView | Gap = seen[each.read(space)]
        if isinstance(answer, Gap) or not answer.changed or not started:
            continue
        if answer.changed > min(started):
            changed.append(f"{each} was changed {span(now - answer.changed)} ago")
    if not changed:
        return ()
    said, lines = told(changed, "things were changed")
    value = f"new pods start with what running ones may not have: {said}"
    return (Finding("restart.config", "Pending changes", Light.YELLOW, value, evidence=lines),)


def _whole(view: WorkloadView, effect: Restart, findings: tuple[Finding, ...], said: tuple[str, ...]) -> Plan:
    target = view.target
    step = Step(f"restart {target}", effect, f"replace {counted(view.replicas, 'pod')}, template unchanged")
    return Plan(
        title=f"Restart {target}",
        findings=findings,
        waves=(Wave("Restart", (step,)),),
        facts=(
            f"{view.ready} of {counted(view.replicas, 'pod')} ready, {images_said(view.template)}",
            rollout.strategy_said(view),
            "no undo: pods that ended do not come back; the new revision only bears the time",
        ),
        stays=("the version, replicas and everything else in the template",),
        scope=(
            f"{target} template {effect.template}",
            f"{target} apart from restarts {apart_from_restarts(view.template)}",
        ),
        before=(("ready", f"{view.ready} of {view.replicas}"), ("images", images_said(view.template))),
        locks=(view.lock,),
        rehearsal=said,
        estimate=rollout.estimate(view),
        timeout=rollout.timeout(view),
    )
