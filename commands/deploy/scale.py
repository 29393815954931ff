"""The plan of `deploy scale`: from how many pods to how many, and who or what says no to that."""

import math
from collections.abc import Sequence

from commands.change import Planning, Who, blocked
from commands.deploy import owners, risks, rollout, room
from commands.deploy.target import Found, checked, line, search
from commands.effects import Scale
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.model import Args, Gap, Reads, Seen
from commands.phrase import counted
from commands.plan import Plan, Step, Wave
from commands.reads import DryRun
from commands.site import ClusterSite
from commands.wording import one_line, unread
from commands.workloads import (
    Autoscalers,
    AutoscalerView,
    BudgetTerms,
    IngressesOf,
    IngressView,
    Members,
    MemberView,
    Quotas,
    ServicesOf,
    ServiceView,
    WorkloadBudgets,
    WorkloadView,
    selects,
)

# More pods than any workload here should have: a slip of the keys.
MOST = 1000
# Beyond this factor two people must agree.
_FACTOR = 3


def replicas(args: Args) -> int:
    """The number that was typed, as `--replicas 5` or after the name; raises UsageError for none."""
    typed, rest = args.flags.get("replicas", ""), args.rest
    if typed and rest:
        raise UsageError(f"`{one_line(rest, 40)}` and `--replicas {typed}` are one too many.")
    text = typed or rest
    if not text:
        raise UsageError("How many? Type `deploy scale NAME 5`.")
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise UsageError(f"`{one_line(text, 40)}` is no number of pods. Type `deploy scale NAME 5`.")
    if int(text) > MOST:
        raise UsageError(f"{int(text):,} pods are more than the {MOST:,} that `deploy scale` allows.")
    return int(text)


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    checked(args)
    to = replicas(args)
    found = yield from search(args, site)
    if isinstance(found, Finding):
        return blocked(f"Scale {args.name}", (found,))
    view = found.view
    if view.target.kind == "DaemonSet":
        raise UsageError(f"{view.target} runs one pod on each node; a number of pods is nothing it has.")
    if view.replicas == to:
        value = f"{view.target} is asked for {counted(to, 'pod')} already"
        return blocked(
            f"Scale {view.target}", (Finding("scale.identical", "Nothing to do", Light.GREEN, value),)
        )
    asked = _Asked(view, to)
    effect = Scale(view.target, view.replicas, to)
    rehearsal = DryRun(effect)
    seen = yield (rehearsal, *asked.reads)
    refused, said = risks.rehearsed(rehearsal, seen)
    extra = to - view.replicas
    findings = (
        *risks.leaving(view),
        *_autoscaled(view, seen[asked.autoscalers], to),
        *owners.findings(view),
        *(_outage(view, seen[asked.services], seen[asked.ingresses]) if not to else ()),
        *(_budgets(view, seen[asked.budgets], to) if asked.budgets in seen else ()),
        *_ordinals(view, to),
        *(_more(view, seen, asked, to) if extra > 0 else ()),
        *room.findings(view.target, extra, f"to scale to {to}", seen),
        *refused,
    )
    return _whole(found, effect, findings, said)


class _Asked:
    """What a plan reads beside the workload itself: whatever may matter for this number."""

    def __init__(self, view: WorkloadView, to: int) -> None:
        space = view.target.namespace
        self.autoscalers = Autoscalers(space)
        self.services = ServicesOf(space)
        self.ingresses = IngressesOf(space)
        self.budgets = WorkloadBudgets(space)
        self.quotas = Quotas(space)
        self.members = Members(space, view.selector)
        matters: Reads = (self.budgets,) if to else (self.services, self.ingresses)
        if to > view.replicas:
            matters = (self.quotas, self.members, *room.reads(view.target, to - view.replicas))
        self.reads: Reads = (self.autoscalers, *matters)


def _autoscaled(view: WorkloadView, scalers: Sequence[AutoscalerView] | Gap, to: int) -> tuple[Finding, ...]:
    """An autoscaler puts its own number back within seconds, so its bounds are what can be changed."""
    if isinstance(scalers, Gap):
        return (owners.unread_autoscalers(scalers),)
    found = owners.autoscaler(view, scalers)
    if found is None:
        return ()
    value = f"{owners.autoscaler_said(found)}: it would put its own number back"
    return (Finding("scale.hpa", "Autoscaler", Light.RED, value, mend=_instead(found, view, to)),)


def _instead(found: AutoscalerView, view: WorkloadView, to: int) -> str:
    field = "minReplicas" if to >= found.now else "maxReplicas"
    if found.keda:
        field = field.replace("Replicas", "ReplicaCount")
        return f"Set {field} of ScaledObject {found.keda} to {to} instead."
    patch = f'{{"spec":{{"{field}":{to}}}}}'
    return f"Instead: kubectl patch hpa {found.name} -n {view.target.namespace} --patch '{patch}'"


def _outage(
    view: WorkloadView, services: Sequence[ServiceView] | Gap, ingresses: Sequence[IngressView] | Gap
) -> tuple[Finding, ...]:
    """No pod is left: who loses it, from inside the cluster and from outside."""
    value = "no pod is left"
    if isinstance(services, Gap):
        return (Finding("scale.zero", "Outage", Light.YELLOW, value), _unread("Services", services))
    labels = (view.template.get("metadata") or {}).get("labels") or {}
    names = [each.name for each in services if each.selector.items() <= labels.items()]
    value += (
        f"; Service {', '.join(names)} has nothing behind it then" if names else "; no Service selects it"
    )
    if isinstance(ingresses, Gap):
        return (Finding("scale.zero", "Outage", Light.YELLOW, value), _unread("Ingresses", ingresses))
    leading = sorted(each.name for each in ingresses if each.services & set(names))
    value += f", nor has Ingress {', '.join(leading)}" if leading else ""
    return (Finding("scale.zero", "Outage", Light.YELLOW, value),)


def _unread(what: str, gap: Gap) -> Finding:
    return unread("scale.services", what, Gap(f"which {what} lose it: {one_line(gap.reason)}", gap.mend))


def _budgets(view: WorkloadView, budgets: Sequence[BudgetTerms] | Gap, to: int) -> tuple[Finding, ...]:
    """Fewer pods than a disruption budget wants: from then on none may be evicted, and no node drained."""
    if isinstance(budgets, Gap):
        return (unread("scale.budget", "Disruption budget", budgets),)
    labels = (view.template.get("metadata") or {}).get("labels") or {}
    tight = [b for b in budgets if selects(b.selector, labels) and _wanted(b, to) >= to]
    return tuple(
        Finding(
            "scale.budget",
            "Disruption budget",
            Light.YELLOW,
            f"PodDisruptionBudget {each.name} wants {_wanted(each, to)} healthy: "
            "no pod may be evicted then, and its node not be drained",
        )
        for each in tight
    )


def _wanted(budget: BudgetTerms, pods: int) -> int:
    """How many of these pods must stay healthy; percentages round up, as the controller does."""
    if budget.least is not None:
        return _of(budget.least, pods)
    return pods - _of(budget.most if budget.most is not None else pods, pods)


def _of(value: int | str, pods: int) -> int:
    if isinstance(value, int):
        return value
    number = value.removesuffix("%")
    return math.ceil(int(number) * pods / 100) if number.isdecimal() else 0


def _ordinals(view: WorkloadView, to: int) -> tuple[Finding, ...]:
    if view.target.kind != "StatefulSet" or to >= view.replicas:
        return ()
    name, gone = view.target.name, range(view.replicas - 1, to - 1, -1)
    pods = ", ".join(f"{name}-{number}" for number in gone[:3]) + (", …" if len(gone) > 3 else "")
    value = f"{pods} go, highest ordinal first: mind the quorum of its members"
    if view.claims:
        value += "; their volume claims stay" if view.keeps_claims else "; THEIR VOLUME CLAIMS ARE DELETED"
    return (Finding("scale.ordinals", "Members go", Light.YELLOW, value),)


def _more(view: WorkloadView, seen: Seen, asked: _Asked, to: int) -> tuple[Finding, ...]:
    """Room in the quotas, and whether pods of it wait for room on nodes already."""
    extra = to - view.replicas
    found = risks.quota(seen[asked.quotas], extra, risks.asked(view.template), f"to scale to {to}")
    members: Sequence[MemberView] | Gap = seen[asked.members]
    if isinstance(members, Gap):
        gap = Gap(f"whether pods of it wait for room: {one_line(members.reason)}", members.mend)
        return (*found, unread("scale.pending", "Capacity", gap))
    waiting = [each for each in members if each.trouble == "Unschedulable"]
    if not waiting:
        return found
    value = f"{counted(len(waiting), 'pod')} of it wait for room on a node already"
    said = tuple(f"{each.name}: {one_line(each.message)}" for each in waiting)
    return (*found, Finding("scale.pending", "Capacity", Light.YELLOW, value, evidence=said))


def _whole(found: Found, effect: Scale, findings: tuple[Finding, ...], said: tuple[str, ...]) -> Plan:
    view, target = found.view, found.view.target
    step = Step(f"scale {target}", effect, f"set the number of pods from {effect.was} to {effect.replicas}")
    return Plan(
        title=f"Scale {target} from {effect.was} to {effect.replicas}",
        findings=findings,
        waves=(Wave("Scale", (step,)),),
        facts=(f"asked for {effect.was}, {view.total} there, {view.ready} ready; to be {effect.replicas}",),
        stays=("the pod template and every other field",),
        scope=(f"{target} replicas {effect.was}", f"to {effect.replicas} replicas"),
        undo=line("scale", view, replicas=str(effect.was)),
        before=(("replicas", str(effect.was)), ("ready", str(view.ready))),
        approvers=2 if effect.replicas > _FACTOR * max(effect.was, 1) else 1,
        locks=(view.lock,),
        rehearsal=said,
        estimate=rollout.estimate(view),
        timeout=rollout.timeout(view, max(effect.replicas, effect.was)),
    )
