"""A service of the shop in which all is well, for diagnoses of what users feel; each test makes one thing worse.

Answers as in triage_world.py: by the read itself, by a piece of its PromQL, or by its kind; a list of numbers in
place of a Matrix is a series of one sample a minute that ends now.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from triage_world import HIDDEN, NODE, NOW, World, node, vector

from commands.alertreads import Matrix, QueryRange, Series
from commands.finding import Finding, Light
from commands.model import Read, Reads, Seen
from commands.podreads import (
    ContainerLog,
    ContainerView,
    Events,
    LogText,
    PodDetail,
    PodDetails,
    PodRow,
    PodRows,
    Policies,
    Resources,
)
from commands.reads import (
    EksCluster,
    EksView,
    Endpoints,
    EndpointView,
    Http,
    Nodegroup,
    NodegroupView,
    Nodes,
    Now,
    PodHttp,
    Query,
    Vector,
)
from commands.site import ClusterSite, Dependency
from commands.triage.rule import Diagnosis
from commands.triagereads import (
    Changes,
    ChangeSeen,
    ChangesSeen,
    CloudEvents,
    Connect,
    Connected,
    ContainerSpec,
    Fetch,
    PodSpec,
    PodSpecOf,
    Resolve,
    Resolved,
)
from commands.workloads import Autoscalers, ServicePort, ServicesOf, ServiceView

SITE = ClusterSite()
BACKEND = SITE.service("backend")
MS = timedelta(milliseconds=1)
MI = float(2**20)
PODS = ("backend-5d9f8c7b6d-bbbbb", "backend-5d9f8c7b6d-ccccc", "backend-5d9f8c7b6d-ddddd")
FIRST = PODS[0]
PAYMENTS = Dependency("payments", "https://pay.example.com/health", 99.9, 300)
WITH_PAYMENTS = replace(SITE, dependencies=(PAYMENTS,))


def row(name: str = FIRST, status: str = "Running", ready: str = "1/1", **changes: Any) -> PodRow:
    return replace(PodRow("sre-shop", name, status, ready, 0, node=NODE), **changes)


def container(name: str = "backend", **changes: Any) -> ContainerView:
    made = ContainerView(
        name, "shop/backend:1.5", state="running", ready=True, digest="sha256:aaaa",
        resources=Resources(0.1, 0.5, 128 * MI, 256 * MI),
    )  # fmt: skip
    return replace(made, **changes)


def pod(name: str = FIRST, *containers: ContainerView, **changes: Any) -> PodDetail:
    made = PodDetail(
        "sre-shop", name, "Running", "1/1", 0, NODE, "ReplicaSet/backend-5d9f8c7b6d", phase="Running",
        labels={"app": "backend", "pod-template-hash": "5d9f8c7b6d"}, containers=containers or (container(),),
    )  # fmt: skip
    return replace(made, **changes)


def spec(**changes: Any) -> PodSpec:
    made = ContainerSpec("backend", "shop/backend:1.5", ports=(8080,), named={"http": 8080})
    return PodSpec((replace(made, **changes),))


def endpoint(name: str, n: int = 9, ready: bool = True) -> EndpointView:
    return EndpointView(f"10.0.3.{n}", name, ready, NODE)


def service(target: str = "http", **selector: str) -> ServiceView:
    wanted = selector or {"app": "backend"}
    return ServiceView("backend-service", wanted, "172.20.0.10", (ServicePort(8080, target),))


def rollout(minutes_ago: float, revision: int = 7, name: str = "backend") -> ChangesSeen:
    at = NOW - timedelta(minutes=minutes_ago)
    what = f"rollout of revision {revision}"
    return ChangesSeen((ChangeSeen("Deployment", "sre-shop", name, what, at, "helm", revision=revision),))


def series(values: Sequence[float], step: int = 60, **labels: str) -> Series:
    end = NOW.timestamp()
    return Series(labels, tuple((end - step * (len(values) - 1 - n), v) for n, v in enumerate(values)))


def matrix(values: Sequence[float], step: int = 60, **labels: str) -> Matrix:
    return Matrix((series(values, step, **labels),))


def log(*lines: str) -> LogText:
    return LogText("".join(f"2026-11-23T08:29:{n:02d}Z {line}\n" for n, line in enumerate(lines)))


def _pods(read: PodDetails) -> tuple[PodDetail, ...]:
    if read.selector:
        return tuple(map(pod, PODS)) if read.selector == "app=backend" else ()
    return (pod(read.name),)


WELL: Mapping[Any, Any] = {
    Now: NOW,
    PodRows: tuple(map(row, PODS)),
    PodDetails: _pods,
    PodSpecOf: spec(),
    ContainerLog: log("all is well"),
    Events: (),
    Endpoints: tuple(endpoint(name, n) for n, name in enumerate(PODS, 9)),
    Changes: ChangesSeen(()),
    Autoscalers: (),
    ServicesOf: (service(),),
    Policies: (),
    Nodes: (node(),),
    Resolve: tuple(Resolved(("172.20.0.10",), 2 * MS) for _ in range(10)),
    Connect: Connected(1 * MS),
    PodHttp: Http(200, 3 * MS),
    Fetch: Http(200, 50 * MS),
    CloudEvents: (),
    EksCluster: EksView("training", "ACTIVE", "1.33", "eks.9"),
    Nodegroup: NodegroupView("sre-training-nodes", "ACTIVE"),
    Query: Vector(()),
    QueryRange: Matrix(()),
}


class Shop(World):
    """What is given stands before what is well; what is callable is asked with the read."""

    found: Diagnosis
    rounds: int = 0

    def answer(self, read: Read) -> Any:
        if isinstance(read, Query | QueryRange) and read not in self.given:
            pieces = [key for key in self.given if isinstance(key, str) and key in read.expr]
            fitting = [
                key for key in pieces if isinstance(self.given[key], Matrix) is isinstance(read, QueryRange)
            ]
            fitting += [key for key in pieces if self.given[key] is HIDDEN]
            if fitting:
                self.asked.append(read)
                return vector(self.given[max(fitting, key=len)])
        self.asked.append(read)
        found = self.given.get(read, self.given.get(type(read), WELL[type(read)]))
        return vector(found(read) if callable(found) else found)


def asked(generator: Generator[Reads, Seen, Diagnosis], given: Mapping[Any, Any] | None = None) -> Shop:
    """The world after the generator was driven through it; what it returned is `found`."""
    world = Shop(given or {})
    try:
        wanted = next(generator)
        while True:
            assert len(set(wanted)) == len(wanted), "a question is asked twice in one round"
            world.rounds += 1
            wanted = generator.send(Seen({read: world.answer(read) for read in wanted}))
    except StopIteration as done:
        world.found = done.value
    return world


def told(generator: Generator[Reads, Seen, Diagnosis], given: Mapping[Any, Any] | None = None) -> Diagnosis:
    return asked(generator, given).found


def finding(found: Diagnosis, label: str) -> Finding:
    """The one whose label begins so."""
    return next(each for each in found.findings if each.label.startswith(label))


def lights(found: Diagnosis) -> dict[str, Light]:
    return {each.label: each.light for each in found.findings}
