"""A workload in which all is well, its revisions and pods, to be made worse one answer at a time."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.change import Doing, Who
from commands.effects import Target
from commands.finding import Finding
from commands.model import Args, Read, Seen
from commands.plan import Mark, Plan, Progress, Standing
from commands.podreads import Events, IsolatedPods
from commands.reads import DryRun, Now, Query, Rehearsal, Vector
from commands.scheduling import Needs, Newcomer, NodeDetail, NodeDetails, Placements, PodDetail
from commands.site import ClusterSite
from commands.workloads import (
    Autoscalers,
    IngressesOf,
    Members,
    MemberView,
    Quotas,
    Referred,
    ReferredView,
    Revisions,
    RevisionView,
    ServicesOf,
    Strategy,
    Workload,
    WorkloadBudgets,
    Workloads,
    WorkloadView,
)

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
SITE = ClusterSite(eks=False)
SPACE = "sre-shop"
WHO = Who("RTEST0001", "U0ALICE0001", "bad release", NOW)


def target(kind: str = "Deployment", name: str = "backend") -> Target:
    return Target(kind, SPACE, name, f"uid-{name}")


def template(image: str = "shop:1.4", **spec: Any) -> dict[str, Any]:
    """One container "web"; `container=` and `notes=` change it and the annotations, the rest is of the pod."""
    container = {"name": "web", "image": image, **spec.pop("container", {})}
    metadata = {"labels": {"app": "backend"}, "annotations": spec.pop("notes", {})}
    return {"metadata": metadata, "spec": {"containers": [container], **spec}}


def view(kind: str = "Deployment", replicas: int = 3, **changes: Any) -> WorkloadView:
    """Three of three ready, the rollout done; as its controller would have it after `changes`."""
    strategies = {
        "Deployment": Strategy(surge="25%", unavailable="25%", deadline=timedelta(minutes=10)),
        "StatefulSet": Strategy(is_ordered=True),
        "DaemonSet": Strategy(),
    }
    made = WorkloadView(
        target(kind), 3, 3, replicas, replicas, replicas, replicas, replicas, template(), "app=backend",
        strategy=strategies[kind], current="backend-7", update="backend-7", created=NOW - 100 * HOUR,
    )  # fmt: skip
    return replace(made, **changes)


def revision(
    number: int, image: str = "", kind: str = "Deployment", source: str = "", **changes: Any
) -> RevisionView:
    """Revision n runs shop:1.n-3, so that 7 is the present one."""
    name = source or f"backend-{number}"
    made = RevisionView(
        number,
        Target("ReplicaSet" if kind == "Deployment" else "ControllerRevision", SPACE, name, f"uid-{name}"),
        name,
        template(image or f"shop:1.{number - 3}"),
        NOW - timedelta(hours=10 - number),
    )
    return replace(made, **changes)


def member(name: str = "backend-7-a", owner: str = "uid-backend-7", **changes: Any) -> MemberView:
    made = MemberView(
        name, f"uid-{name}", owner, "backend-7", True, ready_since=NOW - HOUR, created=NOW - HOUR
    )
    return replace(made, **changes)


def sick(name: str = "backend-7-b", trouble: str = "ImagePullBackOff", **changes: Any) -> MemberView:
    worse = {"is_ready": False, "trouble": trouble, "since": NOW - 40 * SECOND, "ready_since": None}
    return replace(member(name), **{**worse, **changes})


GI = float(2**30)


def node(name: str, cpu: float = 4.0, **changes: Any) -> NodeDetail:
    room = {"cpu": cpu, "memory": 16 * GI, "pods": 110.0}
    return replace(
        NodeDetail(Target("Node", "", name, f"uid-{name}"), "True", False, room, {}, {}), **changes
    )


def newcomer(kind: str, namespace: str, name: str, cpu: float = 0.5, **needs: Any) -> PodDetail:
    asks = Needs({"cpu": cpu, "memory": GI, "pods": 1.0}, **needs)
    return PodDetail(Target("Pod", namespace, name, ""), {"app": "backend"}, "", "", False, asks)


class World:
    """Answers by the kind of read; `answers` replace single ones. Everything asked for is kept."""

    def __init__(self, *views: WorkloadView, **answers: Any) -> None:
        self.views = views or (view(),)
        self.answers = answers
        self.asked: list[Read] = []

    def __call__(self, read: Read) -> Any:
        self.asked.append(read)
        given = self.answers.get(type(read).__name__)
        if given is not None:
            return given(read) if callable(given) else given
        match read:
            case Now():
                return NOW
            case Workload():
                return tuple(v for v in self.views if self._is_meant(v, read))
            case Workloads():
                return self.views
            case Revisions():
                return (revision(7), revision(6), revision(4))
            case Members():
                return tuple(member(f"backend-7-{letter}") for letter in "abc")
            case Referred():
                return ReferredView(True, frozenset({"level"}))
            case NodeDetails():
                return tuple(node(f"node-{number}") for number in (1, 2, 3))
            case Placements():
                return ()
            case Newcomer(kind, namespace, name):
                return newcomer(kind, namespace, name)
            case DryRun():
                return Rehearsal(True, "")
            case Query():
                return Vector(())
            case Autoscalers() | Quotas() | ServicesOf() | IngressesOf() | WorkloadBudgets() | Events():
                return ()
            case IsolatedPods():
                return ()
        raise LookupError(read)

    @staticmethod
    def _is_meant(view: WorkloadView, read: Workload) -> bool:
        target = view.target
        is_kind = read.kind in ("", target.kind)
        return is_kind and (target.namespace, target.name) == (read.namespace, read.name)

    def drive(self, inquiry: Generator[Any, Seen, Any]) -> Any:
        try:
            wanted = next(inquiry)
            while True:
                assert wanted and len(set(wanted)) == len(wanted), f"asked for nothing, or twice: {wanted}"
                wanted = inquiry.send(Seen({read: self(read) for read in wanted}))
        except StopIteration as end:
            return end.value


def keys(plan: Plan) -> dict[str, str]:
    """The findings of a plan that are not green: their keys with their lights."""
    return {each.key: each.light.value for each in plan.findings if each.light != "green"}


def finding(plan: Plan, key: str) -> Finding:
    found = [each for each in plan.findings if each.key == key]
    assert len(found) == 1, f"{key}: {[each.key for each in plan.findings]}"
    return found[0]


def args(verb: str, name: str = "backend", rest: str = "", **flags: str) -> Args:
    return Args("deploy", verb, name, {key.replace("_", "-"): value for key, value in flags.items()}, rest)


def doing(
    arguments: Args, plan: Plan, standing: Standing | None = Standing.APPLIED, *, note: str = "", **how: bool
) -> Doing:
    """The plan under way since a minute, its one step standing so."""
    begun = NOW - MINUTE
    marks: Mapping[str, Mark] = {}
    if standing:
        marks = {step.key: Mark(standing, begun, note) for step in plan.steps}
    return Doing(arguments, plan, Progress("w", begun, NOW + HOUR, marks), **how)
