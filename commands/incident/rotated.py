"""Whether a rotation is done: each step by what the cluster or AWS says now. Proves what rotate.py planned."""

from commands.change import Doing, Verifying
from commands.effects import DeleteToken, Effect, Restart, RevokeSessions, RotateSecret
from commands.finding import Suggestion
from commands.incident.proof import nothing_left, verdict
from commands.model import Gap, Read, Seen
from commands.phrase import counted
from commands.plan import Step
from commands.securityreads import AccountTokens, ManagedSecret, Role
from commands.site import ClusterSite
from commands.wording import one_line
from commands.workloads import RESTARTED_AT, Workload, WorkloadView


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    """Each step by what the cluster or AWS says now."""
    if not doing.plan.steps:
        return nothing_left()
    reads = {step.key: _read(step.effect, doing) for step in doing.plan.steps}
    seen = yield tuple(dict.fromkeys(reads.values()))
    missing = {s.key: why for s in doing.plan.steps if (why := _missing(s, reads[s.key], seen))}
    restarts = (
        step.effect.target
        for step in doing.plan.steps
        if isinstance(step.effect, Restart) and step.key in missing
    )
    offers = tuple(_restart_offer(target.kind, target.path) for target in restarts)
    return verdict(doing, missing, f"{doing.plan.title}: done and read back", offers)


def _restart_offer(kind: str, path: str) -> Suggestion:
    short = {"StatefulSet": "sts/", "DaemonSet": "ds/"}.get(kind, "")
    namespace, _, name = path.partition("/")
    return Suggestion(f"Restart {name}", f"deploy restart {namespace}/{short}{name}")


def _read(effect: Effect, doing: Doing) -> Read:
    match effect:
        case RevokeSessions():
            return Role(effect.target.uid, effect.policy)
        case RotateSecret():
            return ManagedSecret(effect.target.name)
        case DeleteToken():
            return AccountTokens(effect.target.namespace, dict(doing.plan.before)["account"])
    return Workload(effect.target.namespace, effect.target.name, effect.target.kind)


def _missing(step: Step, read: Read, seen: Seen) -> str:
    answer, target = seen[read], step.effect.target
    if isinstance(answer, Gap):
        return f"{target}: not read back: {one_line(answer.reason)}"
    match step.effect:
        case RevokeSessions(before=before):
            return (
                "" if answer and answer.denied_before >= before else f"{target}: older sessions still count"
            )
        case RotateSecret(token=token):
            stages = answer.versions.get(token, ()) if answer else ()
            return "" if "AWSCURRENT" in stages else f"{target}: its rotation is not over"
        case DeleteToken():
            return f"{target} is there still" if any(each.target == target for each in answer) else ""
        case Restart(at=at):
            view = next((each for each in answer if each.target.uid == target.uid), None)
            return f"{target} is gone" if view is None else _not_restarted(view, at)
    raise LookupError(f"not a part of a rotation: {step.effect}")


def _not_restarted(view: WorkloadView, at: str) -> str:
    notes = (view.template.get("metadata") or {}).get("annotations") or {}
    if str(notes.get(RESTARTED_AT) or "") < at:
        return f"{view.target} is not restarted yet"
    if view.observed < view.generation or view.updated < view.replicas or view.total > view.updated:
        return f"{view.target}: {view.updated} of {counted(view.replicas, 'pod')} new"
    if view.available < view.replicas:
        return f"{view.target}: {view.available} of {counted(view.replicas, 'pod')} available"
    return ""
