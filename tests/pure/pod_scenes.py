"""A pod of the shop in every kind of trouble, for diagnoses: whole answers, each to be made worse by a keyword."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.effects import Target
from commands.model import Gap, Read, Reads, Seen
from commands.podreads import (
    ContainerLog,
    ContainerView,
    Ending,
    Events,
    EventView,
    LogText,
    PodDetail,
    PodDetails,
    PodRow,
    PodRows,
    Resources,
)
from commands.reads import Nodes, NodeView, Now, Query, Vector
from commands.scheduling import Backends, Needs, Newcomer, NodeDetail, NodeDetails, Placement, Placements
from commands.scheduling import PodDetail as Applicant
from commands.site import ClusterSite
from commands.triage.rule import Subject
from commands.triagereads import (
    Changes,
    ChangeSeen,
    ChangesSeen,
    Claim,
    ContainerSpec,
    ImageTags,
    PodSpec,
    PodSpecOf,
    ProbeView,
)
from commands.workloads import Members, Referred, ReferredView, ServicesOf, ServiceView

SITE = ClusterSite()
NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
POD, HASH = "web-5d9f8c7b6d-x7k2p", "5d9f8c7b6d"
MI, MINUTE = 2**20, timedelta(minutes=1)
GAP = Gap("pods is forbidden: cannot list", "grant it")
ENDED = Ending("Error", 1, NOW - 3 * MINUTE, NOW - 2 * MINUTE)


def container(name: str = "app", **changes: Any) -> ContainerView:
    """It waits for its next start, after it ended with 1."""
    made = ContainerView(
        name, "shop/web:1.5", state="waiting", word="CrashLoopBackOff", restarts=4, ended=ENDED,
        message=f"back-off 2m40s restarting failed container={name} pod={POD}_shop(uid)",
        resources=Resources(0.1, 0.5, 128 * MI, 256 * MI),
    )  # fmt: skip
    return replace(made, **changes)


def running(name: str = "app", **changes: Any) -> ContainerView:
    made = container(name, state="running", word="", message="", restarts=0, ended=None, ready=True)
    return replace(made, **changes)


def waiting(word: str, message: str = "", **changes: Any) -> ContainerView:
    return container(word=word, message=message, restarts=0, ended=None, **changes)


def pod(*containers: ContainerView, **changes: Any) -> PodDetail:
    made = PodDetail(
        "shop", POD, "CrashLoopBackOff", "0/1", 4, "n1", f"ReplicaSet/web-{HASH}", "uid-1", "Running",
        created=NOW - timedelta(hours=1), not_ready_since=NOW - 20 * MINUTE,
        labels={"app": "web", "pod-template-hash": HASH}, containers=containers or (container(),),
    )  # fmt: skip
    return replace(made, **changes)


def pending(message: str, **changes: Any) -> PodDetail:
    idle = container(state="", word="", message="", restarts=0, ended=None)
    held = {"status": "Pending", "phase": "Pending", "node": "", "restarts": 0, "not_ready_since": None}
    conditions = (("PodScheduled", "False", message),)
    return pod(idle, **{**held, "conditions": conditions, "message": message, **changes})


def event(reason: str, message: str, count: int = 1, **changes: Any) -> EventView:
    made = EventView("shop", "Pod", POD, "Warning", reason, message, count, NOW - 10 * MINUTE, NOW - MINUTE)
    return replace(made, **changes)


def spec(*containers: ContainerSpec, **changes: Any) -> PodSpec:
    return replace(PodSpec(containers or (ContainerSpec("app", "shop/web:1.5", ports=(8080,)),)), **changes)


def probed(
    kind: str = "readiness", target: str = "GET :8080/healthz", port: int = 8080, **changes: Any
) -> PodSpec:
    probe = replace(ProbeView(kind, target, port), **changes)
    return spec(ContainerSpec("app", "shop/web:1.5", ports=(8080,), probes=(probe,)))


def row(name: str = POD, status: str = "CrashLoopBackOff", ready: str = "0/1", **changes: Any) -> PodRow:
    return replace(PodRow("shop", name, status, ready, 4), **changes)


def rollout(ago: timedelta, revision: int = 7) -> ChangesSeen:
    what = f"rollout of revision {revision}"
    return ChangesSeen((ChangeSeen("Deployment", "shop", "web", what, NOW - ago, "helm", revision=revision),))


def node(name: str, zone: str = "a", cpu: float = 2.0, **changes: Any) -> NodeDetail:
    labels = {"topology.kubernetes.io/zone": f"eu-central-1{zone}"}
    allocatable = {"cpu": cpu, "memory": 4096.0 * MI, "pods": 29.0}
    return replace(
        NodeDetail(Target("Node", "", name, name), "True", False, allocatable, labels, {}), **changes
    )


def placed(name: str, cpu: float) -> Placement:
    return Placement("shop", name, {}, {"cpu": cpu, "memory": 512.0 * MI, "pods": 1.0}, "uid-o", True)


def applicant(**changes: Any) -> Applicant:
    """The pod as its ReplicaSet makes it."""
    made = Applicant(Target("Pod", "shop", "web", ""), {"app": "web"}, "", "", False, Needs({"cpu": 0.1}))
    return replace(made, **changes)


def log(previous: str = "", current: str = "") -> Callable[[ContainerLog], LogText]:
    def said(read: ContainerLog) -> LogText:
        text = previous if read.previous else current
        return LogText(text) if text else LogText("", missing="previous terminated container not found")

    return said


def world(about: PodDetail | None = None, **answers: Any) -> dict[str, Any]:
    """Answers by the name of their read; one that is callable is asked with the read."""
    seen = (about or pod(),)
    node_view = NodeView(
        "n1",
        (),
        False,
        (),
        "v1.33",
        2.0,
        4096.0 * MI,
        {"kubernetes.io/arch": "arm64", "topology.kubernetes.io/region": "eu-west-1"},
    )
    services = (ServiceView("web", {"app": "web"}), ServiceView("db", {"app": "db"}))
    held: dict[type[Read], Any] = {
        Now: NOW, PodDetails: seen, PodSpecOf: spec(), PodRows: (row(status=seen[0].status, ready=seen[0].ready),),
        Events: (), Changes: ChangesSeen(()), ContainerLog: log(), Query: Vector(()), Members: (),
        ServicesOf: services, Backends: (), Nodes: (node_view,),
        NodeDetails: (node("n1"), node("n2", "b")), Placements: (placed("n1", 1.5), placed("n2", 0.5)),
        Referred: ReferredView(False), ImageTags: ("1.4", "1.4.1", "1.6"), Claim: None, Newcomer: applicant(),
    }  # fmt: skip
    return {kind.__name__: answer for kind, answer in held.items()} | answers


def told(generator: Generator[Reads, Seen, Any], answers: Mapping[str, Any]) -> Any:
    """What the generator returns over this world; a read that the world has no answer to is a KeyError."""

    def answer(read: Read) -> Any:
        found = answers[type(read).__name__]
        return found(read) if callable(found) else found

    try:
        wanted = next(generator)
        while True:
            assert len(set(wanted)) == len(wanted)
            wanted = generator.send(Seen({read: answer(read) for read in wanted}))
    except StopIteration as end:
        return end.value


def subject(name: str = "KubePodCrashLooping", **changes: Any) -> Subject:
    labels = {"namespace": "shop", "pod": POD, "container": "app"}
    return replace(Subject(name, labels, since=NOW - 5 * MINUTE), **changes)
