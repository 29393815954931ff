"""The sandbox's shop: what is broken shows in objects, pages and metrics alike, and is gone when mended.

Time is set by hand here, except where a real Prometheus has to see it.
"""

import datetime
import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import alertbody
from commands.queries import QUERIES
from sandbox import monitoring
from sandbox.grafana import TOKEN, Grafana
from sandbox.house import wait_until
from sandbox.kube import KubeStandIn
from sandbox.kube.workloads import template_hash
from sandbox.shop import FAULTS, PACE, Shop, history, rules
from sandbox.shop.exporters import JOBS

# The first nine leave two pods that serve; the others may take what they like.
FIRES = {
    "crash-loop": ("KubePodCrashLooping",),
    "latency": ("HighLatency",),
    "certificate": ("BlackboxSslCertificateWillExpireSoon",),
    "errors": ("HighErrorRate",),
    "bad-rollout": ("KubeDeploymentRolloutStuck", "KubePodNotReady"),
    "at-maximum": ("KubeHpaMaxedOut",),
    "throttled": ("CPUThrottlingHigh",),
    "disk-filling": ("NodeFilesystemSpaceFillingUp",),
    "volume-filling": ("KubePersistentVolumeFillingUp",),
    "out-of-memory": ("KubePodCrashLooping",),
    "no-metrics": ("TargetDown",),
    "node-not-ready": ("KubeNodeNotReady",),
    # By themselves: they change which pods there are.
    "image-pull": ("KubeContainerWaiting", "KubePodNotReady"),
    "bad-config": ("KubeContainerWaiting", "KubeDeploymentRolloutStuck"),
}

# The shop is written in Go, has no database, and measures neither its DNS nor its network.
NOT_IN_THE_SHOP = (
    "jvm_",
    "db_",
    "nodejs_",
    "python_",
    "process_",
    "coredns_",
    "container_network_",
    "go_gc_",
)

Series = dict[str, list[tuple[dict[str, str], float]]]


class World:
    """A shop whose clock moves when it is told to."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0
        clock = lambda: datetime.datetime.fromtimestamp(self.time, datetime.UTC)  # noqa: E731
        self.kube = KubeStandIn(pace=PACE, clock=clock)
        self.shop = Shop(self.kube, time_source=lambda: self.time, is_live=False)

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.time += 1
            self.shop.beat()

    def scrape(self, job: str) -> Series:
        """Every series of a job, with its target's labels, as Prometheus would store it."""
        series: Series = {}
        for target in self.shop.exporters.targets(job):
            labels = dict(target["labels"])
            page = self.shop.exporters.answer(labels.pop("__metrics_path__"))
            up = (labels | {"job": job}, 0.0 if page is None else 1.0)
            series.setdefault("up", []).append(up)
            for family in text_string_to_metric_families(page[1] if page else ""):
                for sample in family.samples:
                    series.setdefault(sample.name, []).append((labels | sample.labels, sample.value))
        return series

    def scrape_all(self) -> Series:
        series: Series = {}
        for job in JOBS:
            for name, samples in self.scrape(job).items():
                series.setdefault(name, []).extend(samples)
        return series

    def backend_statuses(self) -> dict[str, str]:
        """The STATUS column of the backend's pods, as kubectl shows it."""
        url = f"{self.kube.url}/api/v1/namespaces/sre-shop/pods?labelSelector=app%3Dbackend"
        headers = {
            "Accept": "application/json;as=Table;g=meta.k8s.io;v=v1",
            "Authorization": f"Bearer {self.kube.token}",
        }
        rows = httpx.get(url, headers=headers).json()["rows"]
        return {row["cells"][0]: row["cells"][2] for row in rows}

    def ready_endpoints(self) -> list[str]:
        slices = self.kube.list("endpointslices.discovery.k8s.io", "sre-shop")
        return [e["targetRef"]["name"] for s in slices for e in s["endpoints"] if e["conditions"]["ready"]]

    def ask_pod(self, pod: str, path: str) -> httpx.Response:
        url = f"{self.kube.url}/api/v1/namespaces/sre-shop/pods/{pod}:8080/proxy{path}"
        return httpx.get(url, headers={"Authorization": f"Bearer {self.kube.token}"})


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.kube, made.shop:
        yield made


def total(series: Series, name: str, **wanted: str) -> float:
    return sum(value for labels, value in series[name] if wanted.items() <= labels.items())


def test_every_metric_of_the_named_queries_is_exported(world: World) -> None:
    world.shop.break_("crash-loop")  # how a container ended has a series once one did
    world.pass_time(10)
    exported = world.scrape_all()
    asked = {metric for query in QUERIES.values() for metric in query.metrics}
    assert {metric for metric in asked if not metric.startswith(NOT_IN_THE_SHOP)} <= exported.keys()


def test_series_carry_the_labels_that_the_named_queries_select_by(world: World) -> None:
    world.pass_time(10)
    series = world.scrape_all()
    shop = {"namespace": "sre-shop"}
    assert total(series, "up", service="backend-service", job="backend", **shop) == 3
    assert total(series, "http_requests_total", service="backend-service", status="200", **shop) > 0
    assert total(series, "container_cpu_usage_seconds_total", container="backend", **shop) > 0
    requested = total(series, "kube_pod_container_resource_requests", resource="cpu", **shop)
    assert requested == pytest.approx(0.35)
    names = {labels["nodename"] for labels, _ in series["node_uname_info"]}
    assert names == {node["metadata"]["name"] for node in world.kube.list("nodes")}


def test_the_controllers_leave_a_healthy_shop_as_it_was_seeded(world: World) -> None:
    before = {pod["metadata"]["uid"] for pod in world.kube.list("pods")}
    world.pass_time(30)
    assert {pod["metadata"]["uid"] for pod in world.kube.list("pods")} == before
    backend = world.kube.get("deployments.apps", "backend", "sre-shop")
    assert backend is not None
    assert backend["status"]["readyReplicas"] == 3


def test_traffic_grows_with_time_at_the_rate_the_shop_tells(world: World) -> None:
    world.pass_time(10)
    first = total(world.scrape("backend"), "http_requests_total")
    world.pass_time(60)
    grown = total(world.scrape("backend"), "http_requests_total") - first
    assert grown / 60 == pytest.approx(world.shop.state()["requests_per_second"], rel=0.1)


def test_a_crash_loop_shows_in_status_endpoints_and_metrics_until_it_is_mended(world: World) -> None:
    world.pass_time(5)
    world.shop.break_("crash-loop")
    world.pass_time(2)
    (sick,) = [name for name, status in world.backend_statuses().items() if status == "CrashLoopBackOff"]
    assert sick not in world.ready_endpoints() and len(world.ready_endpoints()) == 2
    assert world.ask_pod(sick, "/healthz").status_code == 503
    waiting = world.scrape("kube-state-metrics")
    reason = "CrashLoopBackOff"
    assert total(waiting, "kube_pod_container_status_waiting_reason", reason=reason, pod=sick) == 1
    assert total(world.scrape("backend"), "up") == 2
    world.pass_time(60)
    assert total(world.scrape("kube-state-metrics"), "kube_pod_container_status_restarts_total", pod=sick) > 2
    world.shop.mend("crash-loop")
    world.pass_time(10)
    assert set(world.backend_statuses().values()) == {"Running"}
    assert len(world.ready_endpoints()) == 3


def test_whoever_replaces_a_crashing_pod_crashes_too(world: World) -> None:
    world.shop.break_("crash-loop")
    world.pass_time(2)
    (sick,) = [name for name, status in world.backend_statuses().items() if status == "CrashLoopBackOff"]
    world.kube.delete("pods", sick, "sre-shop", grace=0)
    world.pass_time(4)
    statuses = world.backend_statuses()
    assert sick not in statuses and "CrashLoopBackOff" in statuses.values()


def test_a_restart_moves_the_crash_to_who_is_new_and_leaves_the_old_pods_well(world: World) -> None:
    world.pass_time(5)
    world.shop.break_("crash-loop")
    world.pass_time(3)
    old = world.backend_statuses()
    restarted = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
    world.kube.patch("deployments.apps", "backend", {"spec": {"template": restarted}}, "sre-shop")
    crashed = set()
    for _ in range(30):
        world.pass_time(1)
        crashed |= {name for name, status in world.backend_statuses().items() if status == "CrashLoopBackOff"}
    assert len(crashed - set(old)) == 1
    assert crashed & set(old) == {name for name, status in old.items() if status == "CrashLoopBackOff"}


def test_a_fifth_of_all_requests_fails_while_errors_are_on(world: World) -> None:
    world.shop.break_("errors")
    world.pass_time(60)
    broken = world.scrape("backend")
    share = total(broken, "http_requests_total", status="500") / total(broken, "http_requests_total")
    assert share == pytest.approx(0.2, abs=0.01)
    world.shop.mend("errors")
    failed = total(world.scrape("backend"), "http_requests_total", status="500")
    world.pass_time(60)
    assert total(world.scrape("backend"), "http_requests_total", status="500") - failed < 3


def test_a_silent_node_takes_its_pods_targets_and_figures_along(world: World) -> None:
    world.pass_time(5)
    world.shop.break_("node-not-ready")
    world.pass_time(3)
    silent = [n for n in world.kube.list("nodes") if _ready_word(n) == "Unknown"]
    assert len(silent) == 1
    name = silent[0]["metadata"]["name"]
    assert {taint["key"] for taint in silent[0]["spec"]["taints"]} == {"node.kubernetes.io/unreachable"}
    assert len(world.ready_endpoints()) == 2
    assert total(world.scrape("kubernetes-nodes"), "up") == 2
    ready = world.scrape("kube-state-metrics")
    assert total(ready, "kube_node_status_condition", node=name, condition="Ready", status="true") == 0
    assert world.kube.metrics.missing == {name}
    world.shop.mend()
    world.pass_time(5)
    assert {_ready_word(node) for node in world.kube.list("nodes")} == {"True"}
    assert len(world.ready_endpoints()) == 3 and not world.kube.metrics.missing


def test_the_backend_has_a_past_that_its_controller_would_have_left(world: World) -> None:
    """Every earlier revision has its template and reason, and nothing runs of it."""
    sets = [
        each
        for each in world.kube.list("replicasets.apps", "sre-shop")
        if each["metadata"]["labels"]["app"] == "backend"
    ]
    sets.sort(key=_revision)
    assert [_revision(each) for each in sets] == [1, 2, 3]
    assert [each["spec"]["replicas"] for each in sets] == [0, 0, 3]
    assert len({template_hash(each["spec"]["template"]) for each in sets}) == 3
    assert all(each["metadata"]["annotations"]["kubernetes.io/change-cause"] for each in sets)
    world.pass_time(5)
    backend = world.kube.get("deployments.apps", "backend", "sre-shop")
    assert backend is not None and _revision(backend) == 3
    assert len(world.kube.list("replicasets.apps", "sre-shop")) == len(sets) + 1


def test_an_earlier_template_put_back_is_rolled_out_as_the_newest_revision(world: World) -> None:
    before = min(world.kube.list("replicasets.apps", "sre-shop"), key=_revision_of_backend)
    world.kube.patch(
        "deployments.apps", "backend", {"spec": {"template": before["spec"]["template"]}}, "sre-shop"
    )
    world.pass_time(30)
    backend = world.kube.get("deployments.apps", "backend", "sre-shop")
    assert backend is not None and _revision(backend) == 4
    assert backend["status"]["updatedReplicas"] == backend["status"]["readyReplicas"] == 3
    assert len(world.backend_statuses()) == 3


def test_a_bad_rollout_stops_at_its_first_pod_and_is_mended(world: World) -> None:
    world.pass_time(5)
    world.shop.break_("bad-rollout")
    world.pass_time(10)
    statuses = list(world.backend_statuses().values())
    assert sorted(statuses)[-3:] == ["Running"] * 3 and len(statuses) == 4
    assert sorted(statuses)[0] in ("ErrImagePull", "ImagePullBackOff")
    assert len(world.ready_endpoints()) == 3
    world.shop.mend("bad-rollout")
    world.pass_time(10)
    assert list(world.backend_statuses().values()) == ["Running"] * 3


def test_a_bad_rollout_that_somebody_rolled_back_is_left_as_they_made_it(world: World) -> None:
    world.shop.break_("bad-rollout")
    oldest = min(world.kube.list("replicasets.apps", "sre-shop"), key=_revision_of_backend)
    world.kube.patch(
        "deployments.apps", "backend", {"spec": {"template": oldest["spec"]["template"]}}, "sre-shop"
    )
    world.shop.mend("bad-rollout")
    world.pass_time(30)
    backend = world.kube.get("deployments.apps", "backend", "sre-shop")
    assert backend is not None
    image = backend["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == oldest["spec"]["template"]["spec"]["containers"][0]["image"]


def test_pods_answer_their_pages_through_the_api_server(world: World) -> None:
    world.pass_time(5)
    for pod in world.ready_endpoints():
        assert world.ask_pod(pod, "/healthz").json() == {"status": "OK"}
        assert world.ask_pod(pod, "/readyz").status_code == 200
        page = world.ask_pod(pod, "/metrics").text
        assert "http_request_duration_seconds_bucket" in page and "http_requests_total" in page


def test_an_unknown_lever_is_refused_by_name(world: World) -> None:
    with pytest.raises(LookupError, match="crash-loop"):
        world.shop.break_("flood")


def test_a_month_of_history_leaves_more_than_half_of_the_error_budget(world: World) -> None:
    last: dict[str, float] = {}
    for line in history.openmetrics(world.shop):
        if line.startswith("http_requests_total"):
            series, number, _ = line.rsplit(" ", 2)
            last[series] = float(number)
    failed = sum(number for series, number in last.items() if 'status="500"' in series)
    assert 0.2 < failed / sum(last.values()) / 0.001 < 0.5


def test_what_machines_used_has_two_samples_in_the_last_minutes_so_that_its_rate_is_known_at_once(
    world: World,
) -> None:
    moments: dict[str, list[int]] = {}
    for line in history.openmetrics(world.shop):
        if line.startswith("node_cpu_seconds_total"):
            series, _, moment = line.split(" ")
            moments.setdefault(series, []).append(int(moment))
    # A rate looks back five minutes, and the past ends at the full minute.
    lately = world.shop.now().timestamp() - 240
    assert moments and all(sum(each > lately for each in found) >= 2 for found in moments.values())
    assert all(found == sorted(set(found)) for found in moments.values())


def test_an_alert_made_by_hand_has_alertmanagers_keys_and_the_bot_reads_it() -> None:
    started = datetime.datetime(2026, 11, 23, 6, tzinfo=datetime.UTC)
    body = rules.webhook_body("HighErrorRate", started=started)
    data = json.loads(body)
    keys = "receiver status alerts groupLabels commonLabels commonAnnotations externalURL version groupKey"
    assert data.keys() == {*keys.split(), "truncatedAlerts"}
    alert_keys = "status labels annotations startsAt endsAt generatorURL fingerprint"
    assert data["alerts"][0].keys() == set(alert_keys.split())
    heard = alertbody.parse(body)
    assert heard.group_labels == {"alertname": "HighErrorRate", "namespace": "sre-shop"}
    assert heard.alerts[0].starts_at == started and "{{" not in str(heard.alerts[0].annotations)


def test_grafana_refuses_a_wrong_token_and_lets_nobody_in_unless_told() -> None:
    with Grafana() as grafana:
        search = f"{grafana.url}/api/search?query=slo"
        assert httpx.get(search).status_code == 401
        assert httpx.get(search, headers={"Authorization": "Bearer wrong"}).status_code == 401
        found = httpx.get(search, headers={"Authorization": f"Bearer {TOKEN}"}).json()
        assert [board["title"] for board in found] == ["SRE Shop - SLO Dashboard"]
        grafana.anonymous = True
        assert httpx.get(search).status_code == 200
        with urlopen(Request(f"{grafana.url}/api/health")) as answer:
            assert json.load(answer).keys() == {"database", "version", "commit"}


@pytest.mark.monitoring
@pytest.mark.parametrize(
    "faults", [tuple(FIRES)[:9], tuple(FIRES)[9:12], tuple(FIRES)[12:]], ids=["first", "second", "third"]
)
def test_every_fault_fires_its_alert_in_a_real_prometheus(faults: tuple[str, ...]) -> None:
    if absent := monitoring.lacking():
        pytest.skip(f"not on PATH: {', '.join(absent)}")
    with KubeStandIn(pace=PACE) as kube, Shop(kube) as shop, history.ShopPrometheus(shop) as prometheus:
        for fault in faults:
            shop.break_(fault)
        wanted = {"Watchdog", *(name for fault in faults for name in FIRES[fault])}

        def firing() -> set[str]:
            found = prometheus.query('ALERTS{alertstate="firing"}')
            return {series["metric"]["alertname"] for series in found}

        wait_until(lambda: wanted <= firing(), what=f"{wanted} firing")
        for fault in faults:
            shop.mend(fault)
        wait_until(lambda: firing() == {"Watchdog"}, what="nothing but the Watchdog firing")


def test_every_fault_has_an_alert_that_tells_of_it() -> None:
    """But for those that are about the alerts themselves, and about the house."""
    house = {"slack-429", "slack-down", "redis-restart", "worker-kill"}
    assert FAULTS.keys() == FIRES.keys() | {"storm", "no-alerts", "prometheus-down"} | house
    assert {name for names in FIRES.values() for name in names} <= {rule.name for rule in rules.RULES}


def _revision(owner: dict[str, Any]) -> int:
    return int(owner["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def _revision_of_backend(owner: dict[str, Any]) -> int:
    return _revision(owner) if owner["metadata"]["labels"]["app"] == "backend" else 99


def _ready_word(node: dict[str, dict[str, list[dict[str, str]]]]) -> str:
    return next(c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready")
