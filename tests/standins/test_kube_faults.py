"""What only the stand-in can do: faults, metrics modes, logs, backends, and its little control plane."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.kube import (
    Break,
    CrashLoop,
    Drop,
    Fault,
    Forbid,
    Garble,
    Hang,
    ImagePullError,
    KubeStandIn,
    NeverReady,
    NeverTerminates,
    Pace,
    ProxyAnswer,
    ProxyRequest,
    Throttle,
    Unschedulable,
    build,
)

Json = dict[str, Any]
TABLE = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}


@pytest.fixture
def kube() -> Iterator[KubeStandIn]:
    with KubeStandIn(pace=Pace(backoff=0)) as standin:
        yield standin


@pytest.fixture
def http(kube: KubeStandIn) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {kube.token}", "User-Agent": "tests/1"}
    with httpx.Client(base_url=kube.url, headers=headers, trust_env=False) as client:
        yield client


def small_cluster(kube: KubeStandIn, *objects: Json) -> None:
    kube.apply([*(build.node(f"node-{number}") for number in range(3)), *objects])


def words(http: httpx.Client, namespace: str) -> set[str]:
    rows = http.get(f"/api/v1/namespaces/{namespace}/pods", headers=TABLE).json()["rows"]
    return {row["cells"][2] for row in rows}


# Faults.


def test_a_throttled_request_is_told_when_to_come_back(kube: KubeStandIn, http: httpx.Client) -> None:
    fault = kube.fail(Throttle(retry_after=3), "list", "pods", times=2)
    codes = [http.get("/api/v1/pods").status_code for _ in range(3)]
    assert codes == [429, 429, 200]
    assert fault.hits == 2
    kube.fail(Throttle(retry_after=3), "list", "pods", times=1)
    answer = http.get("/api/v1/pods")
    assert answer.headers["retry-after"] == "3"
    assert "causes" not in answer.json()["details"]


def test_faults_strike_only_what_they_match(kube: KubeStandIn, http: httpx.Client) -> None:
    small_cluster(kube, build.pod("a", "shop", node="node-0"), build.pod("a", "other", node="node-0"))
    fault = kube.fail(Break(503, "ServiceUnavailable", "no"), "get", "pods", namespace="shop")
    assert http.get("/api/v1/namespaces/shop/pods/a").status_code == 503
    assert http.get("/api/v1/namespaces/other/pods/a").status_code == 200
    assert http.get("/api/v1/namespaces/shop/pods").status_code == 200
    kube.faults.remove(fault)
    assert http.get("/api/v1/namespaces/shop/pods/a").status_code == 200


def test_a_forbidden_request_is_worded_as_rbac_would(kube: KubeStandIn, http: httpx.Client) -> None:
    kube.fail(Forbid(), "create", "pods/eviction", times=1)
    answer = http.post("/api/v1/namespaces/shop/pods/a/eviction", json={})
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        'pods "a" is forbidden: User "admin" cannot create resource "pods/eviction" '
        'in API group "" in the namespace "shop"'
    )


def test_denied_verbs_show_in_reviews_too(kube: KubeStandIn, http: httpx.Client) -> None:
    denied = kube.deny("list", "secrets")
    assert http.get("/api/v1/secrets").status_code == 403
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked = {"spec": {"resourceAttributes": {"verb": "list", "resource": "secrets"}}}
    assert http.post(path, json=asked).json()["status"] == {"allowed": False}
    rules = http.post(path.replace("access", "rules"), json={"spec": {"namespace": "default"}}).json()
    verbs = next(
        rule["verbs"] for rule in rules["status"]["resourceRules"] if rule["resources"] == ["secrets"]
    )
    assert "get" in verbs and "list" not in verbs
    kube.access.denied.remove(denied)
    assert http.get("/api/v1/secrets").status_code == 200


def test_a_hanging_request_outlasts_the_client(kube: KubeStandIn, http: httpx.Client) -> None:
    kube.fail(Hang(), "list", "nodes")
    with pytest.raises(httpx.ReadTimeout):
        http.get("/api/v1/nodes", timeout=0.1)


def test_a_slow_request_gets_its_answer_in_the_end(kube: KubeStandIn, http: httpx.Client) -> None:
    kube.fail(Hang(0.2), "list", "nodes", times=1)
    started = time.monotonic()
    assert http.get("/api/v1/nodes").status_code == 200
    assert time.monotonic() - started >= 0.2


def test_garbage_and_a_cut_connection(kube: KubeStandIn, http: httpx.Client) -> None:
    kube.fail(Garble(), "list", "nodes", times=1)
    answer = http.get("/api/v1/nodes")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    kube.faults.add(Fault(Drop(), "list", "nodes", times=1))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        http.get("/api/v1/nodes")
    assert http.get("/api/v1/nodes").status_code == 200


def test_every_request_is_logged(kube: KubeStandIn, http: httpx.Client) -> None:
    http.post(
        "/api/v1/namespaces/default/configmaps", json={"metadata": {"name": "a"}}, params={"dryRun": "All"}
    )
    seen = kube.requests[-1]
    assert (seen.method, seen.query, seen.user_agent, seen.code) == (
        "POST",
        {"dryRun": "All"},
        "tests/1",
        201,
    )
    assert (seen.target.verb, seen.target.resource, seen.user) == ("create", "configmaps", "admin")
    assert seen.json() == {"metadata": {"name": "a"}}


def test_stopping_ends_watches_and_hanging_requests() -> None:
    ended = threading.Event()

    def follow(url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        query = {"watch": "1", "resourceVersion": "1"}
        with (
            httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client,
            client.stream("GET", "/api/v1/pods", params=query) as stream,
        ):
            for _ in stream.iter_lines():
                pass
        ended.set()

    with KubeStandIn() as kube:
        thread = threading.Thread(target=follow, args=(kube.url, kube.token))
        thread.start()
        kube.wait_for(lambda k: any(seen.target.verb == "watch" for seen in k.requests))
    thread.join(10)
    assert ended.is_set()


def test_continue_tokens_expire() -> None:
    with KubeStandIn(continue_ttl=0) as kube:
        kube.apply([build.pod(f"p{number}") for number in range(3)])
        headers = {"Authorization": f"Bearer {kube.token}"}
        with httpx.Client(base_url=kube.url, headers=headers, trust_env=False) as http:
            token = http.get("/api/v1/pods", params={"limit": 1}).json()["metadata"]["continue"]
            assert http.get("/api/v1/pods", params={"limit": 1, "continue": token}).status_code == 410


# Metrics.


def test_metrics_absent_unavailable_present_and_partial(kube: KubeStandIn, http: httpx.Client) -> None:
    small_cluster(kube, build.pod("web", "shop", node="node-0"))
    path = "/apis/metrics.k8s.io/v1beta1"
    service = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
    assert http.get(f"{path}/nodes").status_code == http.get(service).status_code == 404
    kube.metrics.switch("unavailable")
    assert (http.get(f"{path}/nodes").status_code, http.get(path).status_code) == (503, 503)
    assert http.get(service).json()["status"]["conditions"][0]["status"] == "False"
    aggregated = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    groups = {g["metadata"]["name"]: g for g in http.get("/apis", headers=aggregated).json()["items"]}
    assert groups["metrics.k8s.io"]["versions"][0]["freshness"] == "Stale"
    kube.metrics.switch("present")
    kube.metrics.set_node("node-0", cpu="1500m", memory="2Gi")
    kube.metrics.set_pod("shop", "web", app={"cpu": "123456n", "memory": "64Mi"})
    assert http.get(f"{path}/nodes/node-0").json()["usage"] == {"cpu": "1500m", "memory": "2Gi"}
    assert http.get(f"{path}/nodes/node-1").json()["usage"] == {"cpu": "2000000000n", "memory": "8388608Ki"}
    items = http.get(f"{path}/namespaces/shop/pods").json()["items"]
    assert items[0]["containers"] == [{"name": "app", "usage": {"cpu": "123456n", "memory": "64Mi"}}]
    kube.metrics.missing.add("node-1")
    kube.metrics.switch("partial")
    assert len(http.get(f"{path}/nodes").json()["items"]) == 2
    assert http.get(f"{path}/nodes/node-1").status_code == 404


# Logs and backends.


def test_logs(kube: KubeStandIn, http: httpx.Client) -> None:
    two = [build.container("app"), build.container("side")]
    kube.apply(build.pod("web", "shop", node="node-0", containers=two, restarts=1))
    old = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    kube.log("shop", "web", f"{old} first\nsecond\nthird", container="app")
    kube.log("shop", "web", "fatal: before", container="app", previous=True)
    path = "/api/v1/namespaces/shop/pods/web/log"

    def read(**query: Any) -> str:
        return http.get(path, params={"container": "app", **query}).text

    assert read() == "first\nsecond\nthird\n"
    assert read(tailLines=1) == "third\n"
    assert read(tailLines=0) == ""
    assert read(limitBytes=5) == "first"
    assert read(sinceSeconds=60) == "second\nthird\n"
    assert read(timestamps="true").startswith(f"{old} first\n")
    assert read(previous="true") == "fatal: before\n"
    assert http.get(path, params={"container": "side"}).text == ""
    kube.apply(build.pod("new", "shop", node="node-0"))
    refused = http.get("/api/v1/namespaces/shop/pods/new/log", params={"previous": "true"})
    assert refused.json()["message"] == 'previous terminated container "app" in pod "new" not found'
    kube.apply(build.pod("slow", "shop", node="node-0", phase="Pending"))
    refused = http.get("/api/v1/namespaces/shop/pods/slow/log")
    assert refused.json()["message"] == 'container "app" in pod "slow" is waiting to start: ContainerCreating'


def test_backends_behind_the_proxy(kube: KubeStandIn, http: httpx.Client) -> None:
    small_cluster(kube, build.deployment("web", "shop"), build.service("web", "shop"))
    path = "/api/v1/namespaces/shop/services/http:web:http/proxy/healthz"
    assert http.get(path).json()["message"] == 'no endpoints available for service "web"'
    kube.settle()
    refused = http.get(path)
    assert (refused.status_code, refused.json()["reason"]) == (503, "ServiceUnavailable")
    assert refused.json()["message"].endswith(":8080: connect: connection refused")
    asked: list[ProxyRequest] = []

    def answer(request: ProxyRequest) -> ProxyAnswer:
        asked.append(request)
        return ProxyAnswer(418, b"short and stout", {"Content-Type": "text/plain"})

    kube.proxy("shop", "pod/web-*:8080", answer)
    got = http.get(path, params={"deep": "1"})
    assert (got.status_code, got.text) == (418, "short and stout")
    assert (asked[0].path, asked[0].query) == ("/healthz", "deep=1")
    kube.proxy("shop", "service/web", lambda request: {"path": request.path})
    assert http.get(path).json() == {"path": "/healthz"}


def test_an_upstream_behind_the_proxy(kube: KubeStandIn, http: httpx.Client) -> None:
    kube.apply(build.service("other", "shop"))
    with KubeStandIn() as upstream:
        kube.proxy("shop", "service/other", upstream.url)
        got = http.get("/api/v1/namespaces/shop/services/other:80/proxy/version", headers={"Accept": "*/*"})
        # The caller's token is not passed on, and the version is open to anybody.
        assert got.json()["gitVersion"] == "v1.36.3"
        assert upstream.requests[-1].user == "system:anonymous"
    got = http.get("/api/v1/namespaces/shop/services/other:80/proxy/version")
    assert got.status_code == 503


# The control plane behind it.


def test_a_deployment_comes_up_and_rolls(kube: KubeStandIn) -> None:
    small_cluster(kube, build.deployment("web", "shop", replicas=4))
    kube.settle()
    status = (kube.get("deployments", "web", "shop") or {})["status"]
    assert (status["readyReplicas"], status["updatedReplicas"]) == (4, 4)
    assert len({pod["spec"]["nodeName"] for pod in kube.list("pods", "shop")}) == 3
    change = {"spec": {"template": {"spec": {"containers": [build.container(image="app:2")]}}}}
    kube.patch("deployments", "web", change, "shop")
    kube.settle()
    revisions = {
        item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: item["spec"]["replicas"]
        for item in kube.list("replicasets", "shop")
    }
    assert revisions == {"1": 0, "2": 4}
    assert {pod["spec"]["containers"][0]["image"] for pod in kube.list("pods", "shop")} == {"app:2"}


def test_a_bad_rollout_stops_and_is_declared_late() -> None:
    moment = [datetime.datetime(2026, 1, 5, 8, tzinfo=datetime.UTC)]
    with KubeStandIn(clock=lambda: moment[0]) as kube:
        small_cluster(kube, build.deployment("web", "shop", replicas=4, progressDeadlineSeconds=60))
        kube.settle()
        kube.behave(ImagePullError(), image="*:bad")
        change = {"spec": {"template": {"spec": {"containers": [build.container(image="app:bad")]}}}}
        kube.patch("deployments", "web", change, "shop")
        kube.tick(5)
        moment[0] += datetime.timedelta(seconds=90)
        kube.tick(2)
        status = (kube.get("deployments", "web", "shop") or {})["status"]
        progressing = next(item for item in status["conditions"] if item["type"] == "Progressing")
        assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
        assert status["availableReplicas"] == 3


BEHAVIOURS = [
    (CrashLoop(exit_code=137, reason="OOMKilled"), "CrashLoopBackOff"),
    (ImagePullError(), "ImagePullBackOff"),
    (NeverReady(), "Running"),
    (Unschedulable(), "Pending"),
]


@pytest.mark.parametrize(("behaviour", "word"), BEHAVIOURS, ids=[word for _, word in BEHAVIOURS])
def test_sick_pods(kube: KubeStandIn, http: httpx.Client, behaviour: Any, word: str) -> None:
    kube.behave(behaviour, namespace="shop")
    small_cluster(kube, build.deployment("web", "shop"))
    for _ in range(6):
        kube.tick()
        if word in (seen := words(http, "shop")):
            break
    assert word in seen
    assert "readyReplicas" not in (kube.get("deployments", "web", "shop") or {})["status"]


def test_a_crash_loop_counts_and_logs(kube: KubeStandIn, http: httpx.Client) -> None:
    pod = build.pod("web", "shop", node="node-0", annotations={"sandbox.sre-bot/behaviour": "oom-loop"})
    small_cluster(kube, pod)
    kube.tick(5)
    state = (kube.get("pods", "web", "shop") or {})["status"]["containerStatuses"][0]
    assert state["restartCount"] >= 2
    assert state["lastState"]["terminated"]["exitCode"] == 137
    log = http.get("/api/v1/namespaces/shop/pods/web/log", params={"previous": "true"})
    assert log.text == "allocating caches\n"


def test_an_evicted_pod_is_replaced_and_the_budget_recovers(kube: KubeStandIn, http: httpx.Client) -> None:
    small_cluster(
        kube, build.deployment("web", "shop", replicas=3), build.pdb("web", "shop", min_available=2)
    )
    kube.settle()
    names = [pod["metadata"]["name"] for pod in kube.list("pods", "shop")]

    def evict(name: str) -> int:
        path = f"/api/v1/namespaces/shop/pods/{name}/eviction"
        return http.post(path, json={"metadata": {"name": name}}).status_code

    assert [evict(name) for name in names] == [201, 429, 429]
    kube.settle()
    assert names[0] not in {pod["metadata"]["name"] for pod in kube.list("pods", "shop")}
    assert (kube.get("poddisruptionbudgets", "web", "shop") or {})["status"]["disruptionsAllowed"] == 1


def test_a_pod_that_never_terminates(kube: KubeStandIn, http: httpx.Client) -> None:
    kube.behave(NeverTerminates(), name="stuck")
    small_cluster(kube, build.pod("stuck", "shop", node="node-0"))
    kube.delete("pods", "stuck", "shop")
    kube.tick(3)
    assert words(http, "shop") == {"Terminating"}
    kube.vanish("pods", "stuck", "shop")
    assert kube.list("pods", "shop") == []


def test_the_other_workloads(kube: KubeStandIn) -> None:
    small_cluster(
        kube,
        build.statefulset("db", "shop", replicas=2),
        build.daemonset("agent", "shop"),
        build.job("once", "shop"),
        build.service("db", "shop"),
    )
    kube.settle()
    assert (kube.get("statefulsets", "db", "shop") or {})["status"]["readyReplicas"] == 2
    assert (kube.get("daemonsets", "agent", "shop") or {})["status"]["numberReady"] == 3
    assert (kube.get("jobs", "once", "shop") or {})["status"]["succeeded"] == 1
    assert len(kube.list("endpointslices", "shop")[0]["endpoints"]) == 2
    change = {"spec": {"template": {"spec": {"containers": [build.container(image="db:2")]}}}}
    kube.patch("statefulsets", "db", change, "shop")
    kube.settle()
    status = (kube.get("statefulsets", "db", "shop") or {})["status"]
    assert status["currentRevision"] == status["updateRevision"]
    revisions = [
        item["revision"]
        for item in kube.list("controllerrevisions", "shop")
        if "db" in item["metadata"]["name"]
    ]
    assert sorted(revisions) == [1, 2]


def test_a_cordoned_node_gets_no_pods_and_owners_take_theirs_along(kube: KubeStandIn) -> None:
    small_cluster(kube, build.deployment("web", "shop", replicas=4))
    kube.patch("nodes", "node-0", {"spec": {"unschedulable": True}})
    kube.settle()
    assert "node-0" not in {pod["spec"]["nodeName"] for pod in kube.list("pods", "shop")}
    kube.delete("deployments", "web", "shop")
    kube.settle()
    assert kube.list("pods", "shop") == kube.list("replicasets", "shop") == []
    kube.delete("namespaces", "shop")
    kube.settle()
    assert kube.get("namespaces", "shop") is None


def test_living_kubelets_renew_their_leases(kube: KubeStandIn) -> None:
    kube.apply([build.node("alive"), build.node("dead", ready=None)])
    kube.settle()
    leases = kube.list("leases", "kube-node-lease")
    assert [(lease["metadata"]["name"], lease["spec"]["holderIdentity"]) for lease in leases] == [
        ("alive", "alive")
    ]
    taints = (kube.get("nodes", "dead") or {})["spec"]["taints"]
    assert {taint["key"] for taint in taints} == {"node.kubernetes.io/unreachable"}


def test_it_ticks_by_itself() -> None:
    with KubeStandIn(tick_every=0.01) as kube:
        small_cluster(kube, build.deployment("web", "shop"))
        kube.wait_for(
            lambda k: (k.get("deployments", "web", "shop") or {}).get("status", {}).get("readyReplicas")
        )


def test_a_large_cluster_is_seeded_and_listed_quickly(kube: KubeStandIn, http: httpx.Client) -> None:
    nodes = [build.node(f"node-{number:03}") for number in range(300)]
    pods = [build.pod(f"p{n}", f"team-{n % 20}", node=f"node-{n % 300:03}") for n in range(10_000)]
    kube.apply(nodes)
    kube.apply(pods)
    rows, token = 0, ""
    while True:
        query = {"limit": 1000, "includeObject": "None", "continue": token}
        page = http.get("/api/v1/pods", params=query, headers=TABLE).json()
        rows += len(page["rows"])
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert rows == 10_000
