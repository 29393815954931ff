"""Nodes that are not Ready, cut off, or whose kubelet is gone: the machine, its kubelet, or what lies between.

Asked at once: the API server (conditions, lease, events, pods), Karpenter, and then AWS about the instance and its
node group. What AWS says of the machine comes before what the kubelet said last.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from commands.alertreads import Matrix, QueryRange
from commands.finding import Finding, Light, Suggestion
from commands.model import Gap, Reads, Seen
from commands.nodestatus import is_ready
from commands.phrase import counted, span
from commands.podreads import Events, EventView, workload
from commands.reads import Condition, Nodegroup, NodegroupView, Nodes, NodeView, Now
from commands.scheduling import PodDetail, PodsOnNode
from commands.site import ClusterSite
from commands.triage import machine, nodecause, targets
from commands.triage.eventline import event_line
from commands.triage.load import USED
from commands.triage.machine import Machine
from commands.triage.measured import share
from commands.triage.nodecause import Facts
from commands.triage.rule import Diagnosing, Diagnosis, Rule, Subject
from commands.triagereads import Instance, InstanceView, NodeClaims, NodeClaimView, NodeLease, ProviderId
from commands.wording import KEPT, one_line, unread

KEY = "AL-28"
LATE = timedelta(seconds=40)  # a kubelet renews its lease every ten seconds; the API server waits this long
_BEFORE = timedelta(hours=1)  # a node that fell silent was heard in it
_NODEGROUP = "eks.amazonaws.com/nodegroup"


def not_ready(subject: Subject, site: ClusterSite) -> Diagnosing:
    """Why a node is not Ready, or which are, where the alert names none."""
    found = yield from machine.find(subject)
    if found.view is None and found.gap is None:
        bad = [node for node in found.nodes if not is_ready(node)]
        if found.name:
            return _gone(found)
        if not bad:
            return Diagnosis(findings=(Finding(KEY, "Nodes", Light.GREEN, "all Ready"),))
        found = Machine(bad[0].name, bad[0], found.nodes, found.now)
    return (yield from _one(found, site))


def kubelet_down(subject: Subject, site: ClusterSite) -> Diagnosing:
    """A kubelet that Prometheus does not hear: its node, where one is not Ready; else the way to its numbers."""
    seen = yield (Nodes(), Now())
    nodes: tuple[NodeView, ...] | Gap = seen[Nodes()]
    if isinstance(nodes, Gap) or machine.of(subject, seen).name or not all(map(is_ready, nodes)):
        return (yield from not_ready(subject, site))
    told = yield from targets.down(subject, site)
    ready = Finding(KEY, "Nodes", Light.GREEN, f"all {len(nodes)} are Ready")
    return replace(told, findings=(*told.findings, ready))


def _gone(found: Machine) -> Diagnosis:
    return Diagnosis(nodecause.gone(found), (found.finding(),), (Suggestion("Nodes", "node list"),))


def _one(found: Machine, site: ClusterSite) -> Diagnosing:
    name = found.name
    asked = _of_cluster(name)
    more = _of_nodegroup(found, site)
    before = QueryRange(USED.asked(found.words).expr, _BEFORE)
    seen = yield (*asked, *more, before)
    provider = seen[ProviderId(name)]
    told = (yield (Instance(provider),)) if isinstance(provider, str) and _asked(provider) else Seen({})
    instance = _instance(provider, told)
    facts = Facts(
        found,
        _lease_age(seen[NodeLease(name)], found.now),
        None if isinstance(instance, Gap) else instance,
        _asked(provider) if instance is None else "",
        _events(seen[Events(kind="Node", name=name)]),
        _claim(seen[NodeClaims()], name),
        _last(seen[before]),
    )
    findings = (
        found.finding(),
        _lease(seen[NodeLease(name)], found),
        _machine(provider, instance),
        *_nodegroup(more, seen),
        *_karpenter(seen[NodeClaims()], name),
        _pods(seen[PodsOnNode(name)]),
        *_others(found),
        _memory(seen[before]),
        _told(seen[Events(kind="Node", name=name)], found.now),
    )
    return Diagnosis(nodecause.cause(facts), findings, found.steps)


def _of_cluster(name: str) -> Reads:
    return (
        NodeLease(name),
        ProviderId(name),
        Events(kind="Node", name=name),
        PodsOnNode(name),
        NodeClaims(),
    )


def _of_nodegroup(found: Machine, site: ClusterSite) -> tuple[Nodegroup, ...]:
    group = found.view.labels.get(_NODEGROUP, "") if found.view else ""
    return (Nodegroup(site.eks_name, group),) if group and site.eks_name else ()


# --- what was said, source by source --------------------------------------------------------------


def _lease_age(lease: datetime | Gap | None, now: datetime | None) -> timedelta | None:
    return now - lease if isinstance(lease, datetime) and now else None


def _lease(lease: datetime | Gap | None, found: Machine) -> Finding:
    label, threshold = "Kubelet's lease", "< 40 s"
    if isinstance(lease, Gap):
        return unread(KEY, label, lease, threshold)
    if lease is None:
        return Finding(KEY, label, Light.RED, "none: the kubelet never took one", threshold)
    if found.now is None:
        return unread(KEY, label, Gap("the time is not known"), threshold)
    since = found.now - lease
    light = Light.RED if since > LATE else Light.GREEN
    return Finding(KEY, label, light, f"renewed {span(since)} ago", threshold)


def _instance(provider: str | Gap | None, told: Seen) -> InstanceView | Gap | None:
    if isinstance(provider, Gap):
        return provider
    answer: InstanceView | Gap | None = next(iter(told.values()), None)
    return answer


def _asked(provider: str | Gap | None) -> str:
    """The id of the machine that EC2 is asked for; "" for one that is none of its (Fargate, another cloud)."""
    name = provider.rpartition("/")[2] if isinstance(provider, str) else ""
    return name if name.startswith("i-") else ""


def _machine(provider: str | Gap | None, instance: InstanceView | Gap | None) -> Finding:
    label = "EC2 instance"
    if isinstance(instance, Gap):
        return unread(KEY, label, instance)
    if not provider:
        return unread(KEY, label, Gap("the node does not say which machine it is"))
    if not _asked(provider):
        return Finding(
            KEY, label, Light.GREEN, f"none: {one_line(provider if isinstance(provider, str) else '')}"
        )
    if instance is None:
        return Finding(KEY, label, Light.RED, f"EC2 knows no {_asked(provider)}")
    checks = f"system check {instance.system or 'unknown'}, instance check {instance.instance or 'unknown'}"
    spot = ", spot" if instance.is_spot else ""
    value = f"{instance.id} {instance.state}, {checks} ({instance.type or 'type unknown'}{spot})"
    reason = (one_line(instance.reason),) if instance.reason else ()
    if instance.unread and instance.state == "running":
        said = f"its checks: {one_line(instance.unread.reason)}"
        return Finding(KEY, label, Light.UNKNOWN, value, evidence=(said, *reason), mend=instance.unread.mend)
    is_well = instance.state == "running" and (instance.system, instance.instance) == ("ok", "ok")
    light = Light.RED if not is_well else Light.YELLOW if instance.events else Light.GREEN
    return Finding(KEY, label, light, value, evidence=(*reason, *instance.events))


def _nodegroup(asked: Sequence[Nodegroup], seen: Seen) -> tuple[Finding, ...]:
    return tuple(_health(each, seen[each]) for each in asked)


def _health(asked: Nodegroup, group: NodegroupView | Gap | None) -> Finding:
    label = f"Node group {asked.name}"
    if isinstance(group, Gap):
        return unread(KEY, label, group)
    if group is None:
        return Finding(KEY, label, Light.YELLOW, "EKS knows no such node group")
    is_well = group.status == "ACTIVE" and not group.issues
    value = f"{group.status}, {counted(len(group.issues), 'issue')}"
    return Finding(KEY, label, Light.GREEN if is_well else Light.YELLOW, value, evidence=group.issues)


def _claim(claims: Sequence[NodeClaimView] | Gap | None, node: str) -> NodeClaimView | None:
    known = () if claims is None or isinstance(claims, Gap) else claims
    return next((claim for claim in known if claim.node == node), None)


def _last(memory: Matrix | Gap) -> float:
    """The share of memory that was in use when node-exporter was heard last; 0 where it was not."""
    points = (
        [] if isinstance(memory, Gap) else [series.points[-1][1] for series in memory.series if series.points]
    )
    return max(points, default=0.0)


def _memory(memory: Matrix | Gap) -> Finding:
    label = "Memory in use when last heard"
    if isinstance(memory, Gap):
        return unread(KEY, label, memory)
    if not _last(memory):
        return unread(
            KEY, label, Gap("no data in the last hour", "Let Prometheus scrape node-exporter on it.")
        )
    light = Light.RED if _last(memory) >= nodecause.FULL else Light.GREEN
    return Finding(KEY, label, light, share(_last(memory)))


def _karpenter(claims: Sequence[NodeClaimView] | Gap | None, node: str) -> tuple[Finding, ...]:
    """Nothing where Karpenter is not installed, or did not make this node."""
    label = "Karpenter"
    if isinstance(claims, Gap):
        return (unread(KEY, label, claims),)
    claim = _claim(claims, node)
    if claim is None:
        return ()
    said = tuple(
        _condition(each) for each in claim.conditions if each.status != "True" or "Disrupt" in each.type
    )
    value = f"NodeClaim {claim.name} of pool {claim.pool}, {claim.capacity_type or 'capacity type unknown'}"
    if claim.deleting:
        return (Finding(KEY, label, Light.YELLOW, f"{value}: being deleted", evidence=said),)
    return (Finding(KEY, label, Light.GREEN, value, evidence=said),)


def _condition(condition: Condition) -> str:
    said = ": ".join(part for part in (condition.reason, condition.message) if part)
    return one_line(f"{condition.type} is {condition.status}{f' ({said})' if said else ''}")


def _pods(pods: Sequence[PodDetail] | Gap) -> Finding:
    label = "Pods on it"
    if isinstance(pods, Gap):
        return unread(KEY, label, pods)
    running = [pod for pod in pods if not pod.finished]
    owners = Counter(_owner(pod) for pod in running)
    lines = tuple(f"{name}: {counted(count, 'pod')}" for name, count in owners.most_common())
    value = f"{counted(len(running), 'pod')} of {counted(len(owners), 'owner')}"
    return Finding(KEY, label, Light.YELLOW if running else Light.GREEN, value, evidence=lines[:KEPT])


def _owner(pod: PodDetail) -> str:
    if pod.owner is None:
        return f"{pod.target.path} (nothing makes it anew)"
    kind = "Deployment" if pod.owner.kind == "ReplicaSet" else pod.owner.kind
    name = workload(pod.target.name) if pod.owner.kind == "ReplicaSet" else pod.owner.name
    return f"{kind} {pod.target.namespace}/{name}"


def _others(found: Machine) -> tuple[Finding, ...]:
    bad = [node for node in found.nodes if not is_ready(node) and node.name != found.name]
    if not bad:
        return ()
    lines = tuple(f"{node.name} in {nodecause.zone(node) or 'no zone'}" for node in bad)
    value = f"{len(bad)} of {len(found.nodes)} are not Ready either"
    return (Finding(KEY, "Other nodes", Light.RED, value, evidence=lines[:KEPT]),)


def _events(events: Sequence[EventView] | Gap) -> tuple[EventView, ...]:
    return () if isinstance(events, Gap) else tuple(events)


def _told(events: Sequence[EventView] | Gap, now: datetime | None) -> Finding:
    label = "Events of the node"
    if isinstance(events, Gap):
        return unread(KEY, label, events)
    lines = tuple(event_line(event, now) for event in reversed(events))[:8]
    return Finding(
        KEY, label, Light.GREEN, f"{len(events)} kept" if events else "none are kept", evidence=lines
    )


_FIRST = (
    "node show says the conditions and the pods; see whether it is one node, or all of a zone.",
    "Look at the machine: state, both status checks, scheduled events.",
    "A machine that is well with a silent kubelet: memory full, disk full, or no way to the API server.",
    "If it does not come back: drain it, and let the node group or Karpenter replace it.",
)

RULES: tuple[Rule, ...] = (
    Rule(
        ("KubeNodeNotReady", "KubernetesNodeNotReady", "NodeNotReady"),
        "A node has not been Ready for a while: nothing new is started on it, and its pods are moved away.",
        not_ready,
        _FIRST,
    ),
    Rule(
        ("KubeNodeUnreachable",),
        "The API server has not heard from a node, and gives its pods to others.",
        not_ready,
        _FIRST,
    ),
    Rule(
        ("KubeNodeReadinessFlapping",),
        "A node turns Ready and not Ready again and again.",
        not_ready,
        (
            "The events of the node tell how often, and what it said each time.",
            "Memory or disk on the edge, and a busy network, are the usual causes: see its load.",
        ),
    ),
    Rule(
        (
            "KubeNodeUnschedulable",
            "KubernetesNodeUnschedulable",
            "NodeUnschedulable",
            "NodeCordoned",
            "KubeNodeCordoned",
        ),
        "A node is closed to new pods, mostly by somebody who did not open it again.",
        not_ready,
        (
            "The audit (`audit trail`) and the node's events tell who closed it, and why.",
            "Open it again when nothing is being done on it: node uncordon.",
        ),
        ("node",),
    ),
    Rule(
        ("KubeletDown",),
        "Prometheus gets no numbers from a kubelet (of any, where no node is named).",
        kubelet_down,
        (
            "Nodes that are Ready while all kubelets are missing: it is the scrape, not the kubelets.",
            "See the targets of the job in Prometheus, then the nodes themselves.",
        ),
    ),
)
