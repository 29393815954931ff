"""Whether a block or its lifting is in force: read back from AWS and from the cluster, step by step."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from commands.change import Doing, Verifying
from commands.effects import (
    AllowTraffic,
    DenyEntry,
    DropEntry,
    Effect,
    ExceptTraffic,
    GrantRule,
    RevokeRule,
    Tag,
    Untag,
)
from commands.incident.proof import nothing_left, verdict
from commands.model import Gap, Read, Seen
from commands.plan import Plan, Step
from commands.podreads import Policies
from commands.securityreads import AclView, GroupView, NetworkAcls, SecurityGroups
from commands.site import ClusterSite
from commands.wording import one_line


def verify(doing: Doing, site: ClusterSite) -> Verifying:
    if not doing.plan.steps:
        return nothing_left()
    reads = {step.key: _read(step.effect, doing.plan) for step in doing.plan.steps}
    seen = yield tuple(dict.fromkeys(reads.values()))
    missing = {step.key: why for step in doing.plan.steps if (why := _missing(step, reads[step.key], seen))}
    return verdict(doing, missing, f"{doing.plan.title}: read back and in force")


def _read(effect: Effect, plan: Plan) -> Read:
    vpc = dict(plan.before).get("vpc", "")
    match effect.target.kind:
        case "NetworkAcl":
            return NetworkAcls(vpc)
        case "SecurityGroup":
            return SecurityGroups(vpc)
    return Policies(effect.target.namespace)


def _missing(step: Step, read: Read, seen: Seen) -> str:
    answer = seen[read]
    if isinstance(answer, Gap):
        return f"{step.text}: not read back: {one_line(answer.reason)}"
    views = {view.target.name: view for view in answer}
    return "" if _is_so(step.effect, views) else f"{step.text}: not seen yet"


def _is_so(effect: Effect, views: Mapping[str, Any]) -> bool:
    view = views.get(effect.target.name)
    match effect:
        case ExceptTraffic():
            return view is not None
        case AllowTraffic() | DropEntry() | Untag() | RevokeRule():
            return view is None or not _holds(effect, view)
    return view is not None and _holds(effect, view)


def _holds(effect: Effect, view: Any) -> bool:
    """Whether what the effect is about is there."""
    match effect:
        case AllowTraffic():
            return True
        case Tag() | Untag():
            assert isinstance(view, AclView | GroupView)
            return view.tags.get(effect.key) == effect.value
        case DenyEntry() | DropEntry():
            assert isinstance(view, AclView)
            wanted = (effect.number, effect.is_egress, False, effect.cidr)
            return wanted in {(e.number, e.is_egress, e.is_allow, e.cidr) for e in view.entries}
        case RevokeRule() | GrantRule():
            assert isinstance(view, GroupView)
            bare = {replace(rule, description="") for rule in view.rules}
            return replace(effect.rule, description="") in bare
    raise LookupError(f"not a part of a block: {effect}")
