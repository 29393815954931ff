"""A small cluster in which everything may be drained, to be made worse one thing at a time; and its drivers."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commands import reads
from commands.change import Doing, Who
from commands.effects import Target
from commands.finding import Finding
from commands.model import Args, Gap, Read, Seen
from commands.node import cordon, drain, proof
from commands.node.cases import READ_KINDS
from commands.plan import Mark, Plan, Progress, Standing, Verdict
from commands.scheduling import (
    AttachLimits,
    Backends,
    BackendView,
    Budgets,
    BudgetView,
    Needs,
    NodeDetail,
    NodeDetails,
    NodeTerm,
    Owner,
    Owners,
    OwnerView,
    Placement,
    Placements,
    PodDetail,
    PodsOnNode,
    PodVolume,
    Requirement,
    Selector,
    Volumes,
    VolumeView,
    Webhooks,
    WebhookView,
)
from commands.site import ClusterSite, Monitoring, Prometheus

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
SITE = ClusterSite(monitoring=Monitoring(prometheus=Prometheus(url="")))
WHO = Who("RTEST0001", "U0ALICE0001", "kernel update", NOW)
GI = float(2**30)
ROOM = {"cpu": 4.0, "memory": 16 * GI, "pods": 110.0}


def node(name: str = "node-7", **changes: Any) -> NodeDetail:
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "eu-central-1a"}
    made = NodeDetail(
        Target("Node", "", name, f"uid-{name}"), "True", False, ROOM, {**labels, **changes.pop("labels", {})}, {},
        ready_since=NOW - timedelta(days=9), kubelet="v1.33.1", created=NOW - timedelta(days=9),
        provider="aws:///eu-central-1a/i-0abc",
    )  # fmt: skip
    return replace(made, **changes)


def owner(name: str = "backend-5f", kind: str = "ReplicaSet", **changes: Any) -> Owner:
    return replace(Owner(kind, name, f"uid-{name}", "batch/v1" if kind == "Job" else "apps/v1"), **changes)


def view(
    name: str = "backend-5f", kind: str = "ReplicaSet", above: str = "backend", **changes: Any
) -> OwnerView:
    upper = Owner("Deployment", above, f"uid-{above}", "apps/v1") if kind == "ReplicaSet" and above else None
    return replace(OwnerView(Target(kind, "shop", name, f"uid-{name}"), 3, 3, upper), **changes)


def pod(name: str = "backend-1", **changes: Any) -> PodDetail:
    needs = Needs(changes.pop("requests", {"cpu": 0.5, "memory": GI, "pods": 1.0}))
    needs = replace(needs, **changes.pop("needs", {}))
    made = PodDetail(
        Target("Pod", changes.pop("namespace", "shop"), name, changes.pop("uid", f"uid-{name}")),
        {"app": "backend"}, "node-7", "Running", True, needs, owner(), created=NOW - timedelta(days=1),
    )  # fmt: skip
    return replace(made, **changes)


def placed(of: PodDetail, node: str = "", **changes: Any) -> Placement:
    uid = of.owner.uid if of.owner else ""
    made = Placement(
        of.target.namespace, node or of.node, of.labels, of.needs.requests, uid, of.ready, of.needs.apart,
        of.needs.ports, of.claims,
    )  # fmt: skip
    return replace(made, **changes)


def selector(**labels: str) -> Selector:
    return Selector(tuple(Requirement(key, "In", (value,)) for key, value in labels.items()))


def budget(name: str = "backend", **changes: Any) -> BudgetView:
    made = BudgetView(
        Target("PodDisruptionBudget", "shop", name, f"uid-{name}"), selector(app="backend"), 1, 3, 2, 3, 1, 1
    )
    return replace(made, **changes)


def volume(claim: str = "data", zone: str = "eu-central-1a", **changes: Any) -> VolumeView:
    terms = (NodeTerm((Requirement("topology.kubernetes.io/zone", "In", (zone,)),)),) if zone else ()
    return replace(VolumeView(f"pv-{claim}", "shop", claim, "ebs.csi.aws.com", terms=terms), **changes)


def scratch(name: str = "cache", **changes: Any) -> PodVolume:
    return replace(PodVolume(name, "emptyDir"), **changes)


def claimed(claim: str = "data") -> PodVolume:
    return PodVolume("data", "claim", claim)


DAEMON = pod("agent-x", labels={"app": "agent"}, owner=owner("agent", "DaemonSet"))
AGENT = view("agent", "DaemonSet")


class World:
    """Two other nodes with room; three replicas of the backend, one of them on the node to be drained."""

    def __init__(self, *pods: PodDetail, **worse: Any) -> None:
        self.pods = pods or (pod(),)
        self.nodes: tuple[NodeDetail, ...] | Gap = (node(), node("node-8"), node("node-9"))
        self.budgets: tuple[BudgetView, ...] | Gap = ()
        self.owners: tuple[OwnerView, ...] | Gap = (view(), AGENT)
        self.elsewhere = (placed(pod("backend-2"), "node-8"), placed(pod("backend-3"), "node-9"))
        self.placements: tuple[Placement, ...] | Gap | None = None
        self.backends: tuple[BackendView, ...] | Gap = ()
        self.webhooks: tuple[WebhookView, ...] | Gap = ()
        self.volumes: tuple[VolumeView, ...] | Gap = ()
        self.limits: Mapping[str, Mapping[str, int]] | Gap = {}
        self.kept: frozenset[str] | Gap = frozenset()
        self.scaler: reads.DeploymentView | Gap | None = None
        self.sick: tuple[reads.PodView, ...] = ()
        self.rehearsal: reads.Rehearsal | Gap = reads.Rehearsal(True)
        self.alerts: reads.Vector | Gap = reads.Vector(())
        self.now: datetime | Gap = NOW
        self.asked: list[Read] = []
        for name, value in worse.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    def answer(self, read: Read) -> Any:
        self.asked.append(read)
        match read:
            case reads.Now():
                return self.now
            case NodeDetails(names=names):
                if isinstance(self.nodes, Gap) or not names:
                    return self.nodes
                return tuple(each for each in self.nodes if each.name in names)
            case PodsOnNode(node=name):
                return tuple(each for each in self.pods if each.node == name)
            case Placements():
                if self.placements is not None:
                    return self.placements
                here = (placed(each) for each in self.pods if not each.finished)
                return (*here, *self.elsewhere)
            case Budgets():
                return self.budgets
            case Owners(kind=kind, namespace=namespace):
                return self._owners(kind, namespace)
            case Backends(namespace=namespace):
                if isinstance(self.backends, Gap):
                    return self.backends
                return tuple(each for each in self.backends if namespace in ("", each.namespace))
            case Webhooks():
                return self.webhooks
            case Volumes():
                return self.volumes
            case AttachLimits():
                return self.limits
            case reads.EvidenceKept():
                return self.kept
            case reads.Deployment():
                return self.scaler
            case reads.Query():
                return self.alerts
            case reads.DryRun():
                return self.rehearsal
            case reads.Pods():
                return reads.PodSurvey(len(self.sick), {}, self.sick, len(self.sick))
        raise KeyError(read)

    def _owners(self, kind: str, namespace: str) -> tuple[OwnerView, ...] | Gap:
        assert kind in READ_KINDS, f"no client lists {kind}s"
        if isinstance(self.owners, Gap):
            return self.owners
        mine = (each for each in self.owners if each.target.kind == kind)
        return tuple(each for each in mine if namespace in ("", each.target.namespace))

    def walk(self, inquiry: Any) -> Any:
        try:
            wanted = next(inquiry)
            while True:
                assert wanted and len(set(wanted)) == len(wanted), f"asked for nothing, or twice: {wanted}"
                wanted = inquiry.send(Seen({read: self.answer(read) for read in wanted}))
        except StopIteration as end:
            return end.value

    def plan(self, name: str = "node-7", site: ClusterSite = SITE, **flags: str) -> Plan:
        typed = {key.replace("_", "-"): value for key, value in flags.items()}
        made = self.walk(drain.plan(Args("node", "drain", name, typed), site, WHO))
        assert isinstance(made, Plan)
        return made

    def close(self, verb: str = "cordon", name: str = "node-7", **flags: str) -> Plan:
        made = self.walk(cordon.plan(Args("node", verb, name, flags), SITE, WHO))
        assert isinstance(made, Plan)
        return made

    def verdict(self, plan: Plan, marks: Mapping[str, Mark] | None = None, **changes: Any) -> Verdict:
        verb = changes.pop("verb", "drain")
        flags = changes.pop("flags", {})
        progress = Progress("w", NOW - timedelta(minutes=1), NOW + timedelta(minutes=9), marks or {})
        doing = replace(Doing(Args("node", verb, "node-7", flags), plan, progress), **changes)
        made = self.walk((proof if verb == "drain" else cordon).verify(doing, SITE))
        assert isinstance(made, Verdict)
        return made


def marks(
    plan: Plan, standing: Standing = Standing.PROVED, at: datetime = NOW, note: str = ""
) -> dict[str, Mark]:
    return {step.key: Mark(standing, at, note, 1) for step in plan.steps}


def found(plan: Plan, key: str) -> Finding:
    """The one finding of this kind."""
    named = [each for each in plan.findings if each.key == key]
    assert len(named) == 1, f"{key}: {[(each.key, each.value) for each in plan.findings]}"
    return named[0]


def keys(plan: Plan) -> set[str]:
    return {each.key for each in plan.findings}


def evicted(plan: Plan) -> list[str]:
    return [step.effect.target.name for step in plan.steps if step.key.startswith("evict")]


def said(plan: Plan, name: str) -> str:
    return next(step.text for step in plan.steps if step.effect.target.name == name)


def lanes(plan: Plan) -> Iterable[str]:
    return [step.lane for step in plan.steps if step.key.startswith("evict")]
