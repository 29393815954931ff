"""Deployments, StatefulSets and DaemonSets that are not as many, or not as new, as they should be.

The answer is nearly always in one of their pods, so the worst one is told in words and named for the next look.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted, span
from commands.podreads import Events, EventView, workload
from commands.reads import Condition, Now
from commands.site import ClusterSite
from commands.triage import changed
from commands.triage.eventline import event_line
from commands.triage.images import refusal
from commands.triage.refused import refused
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triagereads import Changes
from commands.wording import one_line, unread
from commands.workloads import Members, MemberView, Quotas, QuotaView, Workload, WorkloadView, typed

KEY = "AR-5"
_KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
_SHOWN = 6
# The controller's own words when it may not make a pod at all.
_REFUSED = ("FailedCreate", "ReplicaFailure")


def diagnose(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Why a workload has not the pods it should have: refused, unschedulable, failing, or still on its way."""
    kind, name = subject.workload
    read, changes, now = (
        Workload(subject.namespace, name, _KINDS.get(kind, "")),
        Changes(subject.namespace),
        Now(),
    )
    events = Events(subject.namespace, warnings=True)
    seen = yield (read, changes, events, now)
    found = seen[read]
    if isinstance(found, Gap):
        return Diagnosis(findings=(unread(KEY, "Workload", found),))
    if not found:
        gone = Finding(
            KEY, "Workload", Light.YELLOW, f"there is no {kind} {subject.namespace}/{name} (any more)"
        )
        return Diagnosis(findings=(gone,))
    view: WorkloadView = found[0]
    members, quotas = Members(subject.namespace, view.selector), Quotas(subject.namespace)
    more = yield (members, quotas)
    looked = changed.looked(seen[changes], subject.since, seen[now], name)
    cause, findings = _judged(view, more[members], seen[events], seen[now])
    roll_back = looked.cause.suggestions if looked.cause else ()
    if cause:
        cause = Cause(cause.text, cause.confidence, (*roll_back, *cause.suggestions))
    return Diagnosis(cause, (*findings, *_full(more[quotas])), _steps(view))


def _judged(
    view: WorkloadView,
    members: tuple[MemberView, ...] | Gap,
    events: tuple[EventView, ...] | Gap,
    now: datetime,
) -> tuple[Cause | None, tuple[Finding, ...]]:
    stand = _stand(view)
    if isinstance(members, Gap):
        return _of_controller(view, events), (stand, unread(KEY, "Pods", members), *_said(view, events))
    ill = [member for member in members if not member.is_ready and not member.is_leaving]
    is_short = len(members) < view.replicas or view.updated < view.replicas
    refused = _of_controller(view, events) if is_short else None
    cause = refused or _of_pods(view, ill, now) or _of_stand(view)
    return cause, (stand, _pods(view, members, ill, now), *_said(view, events))


# --- What is the matter ---------------------------------------------------------------------------


def _of_controller(view: WorkloadView, events: tuple[EventView, ...] | Gap) -> Cause | None:
    """It may not make pods: a quota, an admission webhook, Pod Security, a missing ServiceAccount."""
    failure = _condition(view, "ReplicaFailure")
    said = failure.message if failure and failure.status == "True" else ""
    if not said and not isinstance(events, Gap):
        said = next(
            (e.message for e in reversed(events) if e.reason in _REFUSED and _is_made_by(e, view)), ""
        )
    if not said:
        return None
    steps = (Suggestion("Show it", f"deploy show {_typed(view)}"),)
    text = f"{_name(view)} may not create pods: {one_line(refused(said).text, 260)}"
    return Cause(text, Confidence.CERTAIN, steps)


def _of_pods(view: WorkloadView, ill: Sequence[MemberView], now: datetime) -> Cause | None:
    if not ill:
        return None
    troubles = Counter(member.trouble or "not ready" for member in ill)
    # A trouble with a name tells more than pods that merely are not ready, however many they are.
    word, count = max(troubles.items(), key=lambda each: (each[0] != "not ready", each[1]))
    worst = next(member for member in ill if (member.trouble or "not ready") == word)
    said = f": {_in_words(worst)}" if worst.message else _exit(worst)
    since = f" for {span(now - worst.since)}" if worst.since else ""
    text = f"{count} of {view.replicas} pods of {_name(view)}: {word}{since}{said}"
    pod = f"{view.target.namespace}/{worst.name}"
    steps = (Suggestion("Why", f"debug startup {pod}"), Suggestion("Show pod", f"pod show {pod}"))
    return Cause(text, Confidence.LIKELY if worst.trouble else Confidence.POSSIBLE, steps)


def _in_words(member: MemberView) -> str:
    """What a registry's refusal comes to; its own words repeat the image's name three times before they say it."""
    found = refusal(member.message) if "Image" in member.trouble or "ErrPull" in member.trouble else None
    return found.text if found and found.kind != "other" else one_line(member.message, 160)


def _exit(member: MemberView) -> str:
    return f", last ended as {member.last_exit}" if member.last_exit else ""


def _of_stand(view: WorkloadView) -> Cause | None:
    """Nothing is wrong with its pods: then it is the controller, or somebody holds it."""
    name = _name(view)
    if view.is_paused:
        return Cause(f"The rollout of {name} is paused", Confidence.CERTAIN)
    if view.observed < view.generation:
        text = f"Its controller has not seen generation {view.generation} of {name}: kube-controller-manager is behind"
        return Cause(text, Confidence.LIKELY)
    if view.strategy.type == "OnDelete" and view.updated < view.replicas:
        text = f"{name} updates a pod only when it is deleted (OnDelete): {view.updated} of {view.replicas} are new"
        return Cause(text, Confidence.CERTAIN)
    if view.strategy.partition and view.updated < view.replicas:
        text = f"{name} has partition {view.strategy.partition}: ordinals below it keep the old revision on purpose"
        return Cause(text, Confidence.CERTAIN)
    if view.misplaced:
        text = f"{name} has pods on {counted(view.misplaced, 'node')} where it should not be"
        text += ": its selector, or the node's labels or taints, changed, and the pods do not go away"
        return Cause(text, Confidence.CERTAIN)
    if view.total > view.replicas and view.available >= view.replicas:
        text = f"{view.total - view.replicas} old pods of {name} do not go away"
        return Cause(text, Confidence.LIKELY)
    return None


# --- Facts ----------------------------------------------------------------------------------------


def _stand(view: WorkloadView) -> Finding:
    told = [f"{view.ready} ready", f"{view.available} available", f"{view.updated} of the new revision"]
    progress = _condition(view, "Progressing")
    stuck = (one_line(progress.message),) if progress and progress.status == "False" else ()
    if view.misplaced:
        told.append(f"{view.misplaced} where it should not be")
    is_well = view.available >= view.replicas and not stuck and not view.misplaced
    light = Light.GREEN if is_well else Light.RED
    return Finding(KEY, f"{view.target.kind} {view.target.path}", light,
                   f"{', '.join(told)}, of {view.replicas} wanted", evidence=stuck)  # fmt: skip


def _pods(
    view: WorkloadView, members: Sequence[MemberView], ill: Sequence[MemberView], now: datetime
) -> Finding:
    lines = tuple(_member(member, now) for member in ill[:_SHOWN])
    more = (f"and {len(ill) - _SHOWN} more",) if len(ill) > _SHOWN else ()
    missing = max(view.replicas - len(members), 0)
    light = Light.RED if ill or missing else Light.GREEN
    value = f"{len(ill)} of {len(members)} not ready{f', {missing} not made' if missing else ''}"
    return Finding(KEY, "Pods", light, value, evidence=(*lines, *more))


def _member(member: MemberView, now: datetime) -> str:
    since = f" for {span(now - member.since)}" if member.since else ""
    said = f": {one_line(member.message, 120)}" if member.message else ""
    where = f" on {member.node}" if member.node else ""
    restarts = f", {counted(member.restarts, 'restart')}" if member.restarts else ""
    return f"{member.name} {member.trouble or 'not ready'}{since}{restarts}{_exit(member)}{where}{said}"


def _said(view: WorkloadView, events: tuple[EventView, ...] | Gap) -> Iterable[Finding]:
    if isinstance(events, Gap):
        yield unread("AL-26", "Events", events)
        return
    own = [event for event in reversed(events) if _is_about(event, view)]
    if own:
        lines = tuple(map(event_line, own[:_SHOWN]))
        yield Finding("AL-26", "Events", Light.YELLOW, counted(len(own), "kind"), evidence=lines)


def _full(quotas: tuple[QuotaView, ...] | Gap) -> Iterable[Finding]:
    if isinstance(quotas, Gap):
        yield unread(KEY, "Quota", quotas)
        return
    for quota in quotas:
        full = [n for n, most in quota.hard.items() if most and quota.used.get(n, 0) >= most]
        if full:
            told = ", ".join(f"{n} {quota.used[n]:g} of {quota.hard[n]:g}" for n in full)
            yield Finding(KEY, f"Quota {quota.name}", Light.RED, f"used up: {told}")


def _steps(view: WorkloadView) -> tuple[Suggestion, ...]:
    typed = _typed(view)
    return (
        Suggestion("Show it", f"deploy show {typed}"),
        Suggestion("Its revisions", f"deploy history {typed}"),
    )


def _condition(view: WorkloadView, type: str) -> Condition | None:
    return next((each for each in view.conditions if each.type == type), None)


def _is_made_by(event: EventView, view: WorkloadView) -> bool:
    """An event of the workload, or of a ReplicaSet of it: "web-admin-6f7d8" is none of "web"."""
    if event.kind == "ReplicaSet":
        return event.name.rpartition("-")[0] == view.target.name
    return (event.kind, event.name) == (view.target.kind, view.target.name)


def _is_about(event: EventView, view: WorkloadView) -> bool:
    own = view.target.name
    ordinal = event.name.removeprefix(f"{own}-")
    is_pod = event.kind == "Pod" and (workload(event.name) == own or ordinal.isdecimal())
    return is_pod or _is_made_by(event, view)


def _name(view: WorkloadView) -> str:
    return f"{view.target.kind} {view.target.path}"


def _typed(view: WorkloadView) -> str:
    return typed(view.target.kind, view.target.namespace, view.target.name)


_LOOK = (
    "See which pods are not ready, and why: `/sre deploy show NAME`.",
    "Did a rollout begin just before? Then roll back first and look for the reason afterwards.",
    "Do pods stay Pending? Then it is room, a volume or a taint, not the application.",
)

RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeDeploymentReplicasMismatch", "KubernetesDeploymentReplicasMismatch", "DeploymentReplicasMismatch"),
        "A Deployment has had fewer ready pods than it asks for, for some time.",
        diagnose, _LOOK, ("namespace", "workload"),
    ),
    Rule(
        ("KubeDeploymentRolloutStuck", "KubeDeploymentGenerationMismatch", "KubernetesDeploymentGenerationMismatch"),
        "A rollout does not come to its end: new pods do not become ready.",
        diagnose, _LOOK, ("namespace", "workload"),
    ),
    Rule(
        (
            "KubeStatefulSetReplicasMismatch", "KubeStatefulSetGenerationMismatch",
            "KubeStatefulSetUpdateNotRolledOut", "KubernetesStatefulsetDown", "KubernetesStatefulsetReplicasMismatch",
            "KubernetesStatefulsetUpdateNotRolledOut", "KubernetesStatefulsetGenerationMismatch",
        ),
        "A StatefulSet misses pods, or keeps old ones: it goes one by one, so the first that fails stops the rest.",
        diagnose, _LOOK, ("namespace", "workload"),
    ),
    Rule(
        (
            "KubeDaemonSetRolloutStuck", "KubeDaemonSetNotScheduled", "KubeDaemonSetMisScheduled",
            "KubernetesDaemonsetRolloutStuck", "KubernetesDaemonsetMisscheduled",
        ),
        "A DaemonSet is not on every node it should be on, or is on one where it should not be.",
        diagnose, _LOOK, ("namespace", "workload"),
    ),
)  # fmt: skip
