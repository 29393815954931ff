"""A driver for parts, and a world in which everything is green, to be made worse one answer at a time."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.finding import Finding
from commands.model import Inquiry, Read, Section, Seen
from commands.queries import query
from commands.reads import (
    AlertmanagerStatus,
    AlertmanagerView,
    Condition,
    Dashboards,
    DashboardView,
    Deployment,
    DeploymentView,
    EksCluster,
    EksView,
    Endpoints,
    EndpointView,
    Exposition,
    GrafanaHealth,
    GrafanaView,
    HeartbeatView,
    Http,
    Nodegroup,
    NodegroupView,
    NodeMetrics,
    Nodes,
    NodeUsage,
    NodeView,
    Now,
    PodExposition,
    PodHttp,
    Pods,
    PodSurvey,
    PodView,
    Probe,
    Retention,
    Sample,
    Targets,
    TargetView,
    Vector,
    WebhookHeartbeat,
)
from commands.site import ClusterSite, Urls

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
SITE = ClusterSite(urls=Urls(grafana="https://grafana.example.com"))
BACKEND = SITE.service("backend")
MONTH, FIVE = timedelta(days=30), timedelta(minutes=5)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GB = 2**30
OK = Http(200, timedelta(milliseconds=12), "OK")


def drive(inquiry: Inquiry, answers: Mapping[Read, Any]) -> tuple[Section, list[Read]]:
    """The section a part returns, and every read it asked for. A read without an answer is a KeyError."""
    asked: list[Read] = []
    try:
        wanted = next(inquiry)
        while True:
            assert wanted and len(set(wanted)) == len(wanted), f"asked for nothing, or twice: {wanted}"
            asked += wanted
            wanted = inquiry.send(Seen({read: answers[read] for read in wanted}))
    except StopIteration as end:
        assert isinstance(end.value, Section)
        assert end.value.done
        return end.value, asked


def section(inquiry: Inquiry, answers: Mapping[Read, Any]) -> Section:
    return drive(inquiry, answers)[0]


def finding(found: Section, key: str, label: str = "") -> Finding:
    """The one finding of this row (and label, where a row has several)."""
    named = [one for one in found.findings if one.key == key and one.label.startswith(label)]
    assert len(named) == 1, f"{key}: {[one.label for one in named]}"
    return named[0]


def vector(*values: float, warnings: tuple[str, ...] = ()) -> Vector:
    return Vector(tuple(Sample({}, value) for value in values), warnings)


# --- SLO ---

AVAILABLE = query(SITE, "Q-avail", window=MONTH)
AVAILABLE_NOW = query(SITE, "Q-avail", window=FIVE)
SUCCESS = query(SITE, "Q-success", window=MONTH)
BUDGET = query(SITE, "Q-budget", window=MONTH)
ERRORS = query(SITE, "Q-error", window=FIVE)
CPU = query(SITE, "Q-slocpu", window=FIVE)
BOARD = "SRE Shop - SLO Dashboard"


def slo_answers(**worse: Any) -> dict[Read, Any]:
    """Green SLIs; `availability=0.989` and the like replace one of them."""
    named = {
        "availability": AVAILABLE,
        "availability_now": AVAILABLE_NOW,
        "success": SUCCESS,
        "budget": BUDGET,
        "errors": ERRORS,
        "cpu": CPU,
        "retention": Retention(),
        "boards": Dashboards(BOARD),
    }
    green: dict[Read, Any] = {
        AVAILABLE: vector(0.99995),
        AVAILABLE_NOW: vector(1.0),
        SUCCESS: vector(0.9999),
        BUDGET: vector(0.1),
        ERRORS: vector(0.0001),
        CPU: vector(0.3),
        Retention(): 60 * DAY,
        Dashboards(BOARD): (DashboardView(BOARD, "abc", "/d/abc/slo"),),
        Dashboards(""): (),
    }
    for name, value in worse.items():
        green[named[name]] = vector(value) if isinstance(value, float) else value
    return green


# --- cluster ---


def node(name: str = "ip-10-0-1-1", *conditions: Condition, **rest: Any) -> NodeView:
    given = {condition.type for condition in conditions}
    ready = () if "Ready" in given else (Condition("Ready", "True", "KubeletReady"),)
    return NodeView(
        name=name,
        conditions=(*ready, *conditions),
        unschedulable=rest.get("unschedulable", False),
        taints=(),
        kubelet="v1.33.1",
        allocatable_cpu=rest.get("cpu", 4.0),
        allocatable_memory=rest.get("memory", 10.0 * GB),
        labels=rest.get("labels", {}),
        created=rest.get("created", NOW - 9 * DAY),
    )


def pod(status: str, name: str = "backend-1", **rest: Any) -> PodView:
    usual = PodView("sre-shop", name, status, "0/1", 0, HOUR, "ip-10-0-1-1", phase="Running")
    return replace(usual, **rest)


def survey(*sick: PodView, total: int = 42, more: int = 0, **by_status: int) -> PodSurvey:
    return PodSurvey(total, {"Running": total - len(sick), **by_status}, sick, len(sick) + more)


def cluster_answers(site: ClusterSite = SITE, **worse: Any) -> dict[Read, Any]:
    group = Nodegroup("sre-training-cluster", "sre-training-nodes")
    named = {
        "nodes": Nodes(),
        "pods": Pods(),
        "usage": NodeMetrics(),
        "eks": EksCluster("sre-training-cluster"),
        "group": group,
        "cpu": query(site, "Q-nodecpu"),
        "memory": query(site, "Q-nodemem"),
    }
    green: dict[Read, Any] = {
        Now(): NOW,
        Nodes(): (node(),),
        Pods(): survey(),
        NodeMetrics(): (NodeUsage("ip-10-0-1-1", 1.0, 2.0 * GB),),
        EksCluster("sre-training-cluster"): EksView("sre-training-cluster", "ACTIVE", "1.33", "eks.9"),
        group: NodegroupView("sre-training-nodes", "ACTIVE"),
    }
    return green | {named[name]: value for name, value in worse.items()}


# --- monitoring ---

PROMETHEUS, PROMETHEUS_READY = Probe("prometheus", "/-/healthy"), Probe("prometheus", "/-/ready")
ALERTMANAGER, ALERTMANAGER_READY = Probe("alertmanager", "/-/healthy"), Probe("alertmanager", "/-/ready")
JOBS = ("backend", "kubernetes-nodes", "kube-state-metrics")
ALL_UP = tuple(TargetView(job, f"10.0.0.{n}:8080", "up") for n, job in enumerate(JOBS))


def monitoring_answers(**worse: Any) -> dict[Read, Any]:
    named = {
        "healthy": PROMETHEUS,
        "ready": PROMETHEUS_READY,
        "am_healthy": ALERTMANAGER,
        "am_ready": ALERTMANAGER_READY,
        "am_status": AlertmanagerStatus(),
        "targets": Targets(),
        "grafana": GrafanaHealth(),
        "beat": WebhookHeartbeat(),
    }
    green: dict[Read, Any] = {
        Now(): NOW,
        PROMETHEUS: replace(OK, body="Prometheus Server is Healthy."),
        PROMETHEUS_READY: OK,
        ALERTMANAGER: OK,
        ALERTMANAGER_READY: OK,
        AlertmanagerStatus(): AlertmanagerView("0.27.0", "ready", 3),
        Targets(): ALL_UP,
        GrafanaHealth(): GrafanaView("10.4.1", "ok", "d9a2b7c"),
        WebhookHeartbeat(): HeartbeatView(NOW - MINUTE, NOW - HOUR, NOW - MINUTE),
    }
    return green | {named[name]: value for name, value in worse.items()}


# --- app ---

ENDPOINTS = Endpoints("sre-shop", "backend-service")
GENERATOR = Deployment("sre-shop", "traffic-generator")
NAMES = frozenset(BACKEND.must_export) | {"process_cpu_seconds_total"}


def endpoint(n: int, *, ready: bool = True, **rest: Any) -> EndpointView:
    return EndpointView(f"10.0.1.{n}", f"backend-{n}", ready, "ip-10-0-1-1", **rest)


def deployment(ready: int, replicas: int, **rest: Any) -> DeploymentView:
    usual = DeploymentView("sre-shop", "traffic-generator", replicas, ready, ready, replicas, 3, 3)
    return replace(usual, **rest)


def get(n: int, path: str) -> PodHttp:
    return PodHttp("sre-shop", f"backend-{n}", f"10.0.1.{n}", 8080, path)


def page(n: int) -> PodExposition:
    return PodExposition("sre-shop", f"backend-{n}", f"10.0.1.{n}", 8080, "/metrics")


def app_answers(*endpoints: EndpointView, **worse: Any) -> dict[Read, Any]:
    """Three good pods unless given; every page of pods 1 to 30 is good."""
    green: dict[Read, Any] = {
        ENDPOINTS: endpoints or tuple(endpoint(n) for n in (1, 2, 3)),
        GENERATOR: deployment(1, 1),
    }
    for n in range(1, 31):
        green |= {get(n, "/healthz"): OK, get(n, "/readyz"): OK, page(n): Exposition(200, NAMES)}
    named = {"endpoints": ENDPOINTS, "generator": GENERATOR}
    return green | {named[name]: value for name, value in worse.items()}


def all_answers() -> dict[Read, Any]:
    return slo_answers() | cluster_answers() | monitoring_answers() | app_answers()
