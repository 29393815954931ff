"""Reads about scheduling: every field that decides, whatever else an object holds or lacks; then the same on
the stand-in and on a real API server, with a drain planned over them."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rude_server import Asked, RudeServer, page

from commands import reads
from commands.change import Who
from commands.effects import Target
from commands.errors import Refused, Unanswered
from commands.model import Args, Read
from commands.node import drain
from commands.plan import Go, Plan
from commands.scheduling import (
    AttachLimits,
    Backends,
    BackendView,
    Budgets,
    Newcomer,
    NodeDetails,
    NodeTerm,
    Owner,
    Owners,
    Placements,
    PodsOnNode,
    PodTerm,
    PodVolume,
    Requirement,
    Selector,
    Spread,
    Taint,
    Toleration,
    Volumes,
    Webhooks,
    WebhookView,
)
from commands.site import ClusterSite, Monitoring, Prometheus
from sandbox.controlplane import ControlPlane
from sandbox.kube import KubeStandIn, build
from workers import podneeds
from workers.cluster import Cluster
from workers.effects import Rehearsals
from workers.reader import Reader
from workers.walk import walk

Json = dict[str, Any]
GI = float(2**30)
SITE = ClusterSite(eks=False, monitoring=Monitoring(prometheus=Prometheus(url="")))
WHO = Who("RTEST0001", "U0ALICE0001", "", datetime(2026, 11, 23, tzinfo=UTC))


def soon() -> float:
    return time.monotonic() + 20


# --- What a pod asks for ---


def container(cpu: str = "", memory: str = "", **more: Any) -> Json:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": more.pop("name", "app"), "resources": {"requests": requests}, **more}


def spec(*containers: Json, **more: Any) -> Json:
    return {"spec": {"containers": list(containers), **more}, "status": more.pop("status", {})}


SIDECAR = {"restartPolicy": "Always"}
RESIZED = {"containerStatuses": [{"name": "app", "allocatedResources": {"cpu": "2"}}]}

REQUESTS: dict[str, tuple[Json, dict[str, float]]] = {
    "none at all": ({}, {}),
    "containers run side by side": (spec(container("250m", "1Gi"), container("1")), {"cpu": 1.25, "memory": GI}),
    "a larger init container wins": (
        spec(container("1"), initContainers=[container("3"), container("2")]), {"cpu": 3.0},
    ),
    "a smaller one does not count": (spec(container("1"), initContainers=[container("500m")]), {"cpu": 1.0}),
    "a sidecar runs on": (spec(container("1"), initContainers=[container("500m", **SIDECAR)]), {"cpu": 1.5}),
    "an init container runs beside the sidecars before it": (
        spec(container("1"), initContainers=[container("1", **SIDECAR), container("2")]), {"cpu": 3.0},
    ),
    "and not beside those after it": (
        spec(container("1"), initContainers=[container("2500m"), container("1", **SIDECAR)]), {"cpu": 2.5},
    ),
    "overhead comes on top": (spec(container("1"), overhead={"cpu": "250m"}), {"cpu": 1.25}),
    "a request of the whole pod stands in": (
        spec(container("1", "1Gi"), resources={"requests": {"cpu": "4"}}), {"cpu": 4.0, "memory": GI},
    ),
    "while it is resized the larger counts": (spec(container("1")) | {"status": RESIZED}, {"cpu": 2.0}),
    "devices count, too": (
        spec({"resources": {"requests": {"nvidia.com/gpu": "2"}}}), {"nvidia.com/gpu": 2.0},
    ),
    "fields that are null": (
        spec({"resources": {"requests": None}}, initContainers=None, overhead=None), {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("written", "expected"), REQUESTS.values(), ids=REQUESTS.keys())
def test_the_effective_request_is_what_the_scheduler_counts(written, expected):
    assert podneeds.requests(written) == {**expected, "pods": 1.0}


# --- Odd answers ---


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Reads from a server that answers every list with these items; "asked" holds its last requests."""
    open_servers: list[Any] = []

    def ask(read: Read, *items: Json, raw: Any = None) -> Any:
        def answer(asked: Asked) -> bytes:
            ask.target = asked.target  # type: ignore[attr-defined]
            if raw is not None:
                return raw(asked) if callable(raw) else page(200, raw)
            return page(200, {"kind": "List", "metadata": {}, "items": list(items)})

        server = RudeServer(answer)
        server.__enter__()
        open_servers.append(server)
        cluster = Cluster(SITE, _kubeconfig(tmp_path / "config", server.url))
        try:
            return cluster.read(read, soon())
        finally:
            cluster.close()

    yield ask
    for server in open_servers:
        server.__exit__(None, None, None)


def _kubeconfig(path: Path, url: str) -> Path:
    path.write_text(
        '{"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}], '
        f'"clusters": [{{"name": "c", "cluster": {{"server": "{url}"}}}}], '
        '"users": [{"name": "u", "user": {"token": "t"}}]}'
    )
    return path


EVERY_READ = (
    NodeDetails(), NodeDetails(("node-7",)), PodsOnNode("node-7"), Placements(), Budgets(), Owners("ReplicaSet"),
    Owners("Job", "shop"), Backends(), Backends("shop"), Webhooks(), Volumes(), AttachLimits(),
)  # fmt: skip


@pytest.mark.parametrize("read", EVERY_READ, ids=str)
@pytest.mark.parametrize("listed", [{"items": None}, {"items": []}, {}])
def test_an_empty_list_of_any_shape_is_an_empty_answer(told, read, listed):
    assert not told(read, raw={"kind": "List", **listed})


@pytest.mark.parametrize("read", EVERY_READ, ids=str)
def test_an_object_with_nothing_but_a_name_is_read(told, read):
    assert told(read, {"metadata": {"name": "x" * 253}}) is not None


@pytest.mark.parametrize("read", EVERY_READ, ids=str)
def test_fields_that_are_null_and_fields_of_a_newer_api_do_no_harm(told, read):
    null = dict.fromkeys(("labels", "annotations", "ownerReferences", "managedFields"))
    item = {
        "metadata": {"name": "näme", "future": [1], **null},
        "spec": None,
        "status": None,
        "new": {"a": 1},
    }
    assert told(read, item) is not None


@pytest.mark.parametrize("read", EVERY_READ, ids=str)
def test_a_refusal_says_which_right_is_missing(told, read):
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "code": 403}
    with pytest.raises(Refused) as caught:
        told(read, raw=lambda _: page(403, status))
    assert "forbidden, needs list on" in caught.value.reason
    assert "verbs: [list]" in caught.value.mend


def test_a_malformed_item_is_refused_and_not_skipped(told):
    with pytest.raises(Unanswered, match="malformed"):
        told(Budgets(), {"metadata": {"name": "x"}, "status": {"disruptionsAllowed": "many"}})


@pytest.mark.parametrize("name", ["../../secrets", "a?watch=1", ""])
def test_a_name_that_is_none_never_reaches_the_server(told, name):
    with pytest.raises(Refused, match="not a name"):
        told(PodsOnNode(name))


def test_a_token_at_the_end_of_a_page_is_followed_like_one_at_its_head(told):
    """Servers write the list's metadata first; one that does not must cost speed, not pods."""

    def answer(asked: Asked) -> bytes:
        number = int(asked.target.rpartition("continue=t")[2]) if "continue=" in asked.target else 0
        more = f"t{number + 1}" if number < 2 else ""
        item = {"metadata": {"name": f"b{number}"}}
        return page(200, {"items": [item], "metadata": {"continue": more}})

    assert [budget.target.name for budget in told(Budgets(), raw=answer)] == ["b0", "b1", "b2"]


# --- A pod that is not there yet ---

WEB = {
    "kind": "Deployment", "metadata": {"namespace": "shop", "name": "w" * 253, "labels": {"of": "the deployment"}},
    "spec": {"template": {
        "metadata": {"labels": {"app": "web"}, "creationTimestamp": None},
        "spec": {"containers": [
            {"name": "web", "resources": {"requests": {"cpu": "250m", "memory": "128Mi", "new.io/thing": "1e3"}}},
            {"name": "bare", "resources": None},
        ], "affinity": {"podAffinity": None}},
    }},
}  # fmt: skip


def test_a_new_pod_has_the_labels_and_the_requests_of_its_template(told):
    pod = told(Newcomer("Deployment", "shop", "w" * 253), raw=WEB)
    assert f"/apis/apps/v1/namespaces/shop/deployments/{'w' * 253}" in told.target
    assert (pod.target.namespace, pod.target.name, pod.node) == ("shop", "w" * 253, "")
    assert dict(pod.labels) == {"app": "web"}
    assert pod.needs.requests == {"cpu": 0.25, "memory": 128 * 2.0**20, "new.io/thing": 1000.0, "pods": 1.0}


@pytest.mark.parametrize(
    "spec", [None, {"template": None}, {"template": {"metadata": {"labels": None}, "spec": None}}]
)
def test_a_template_of_nothing_asks_for_nothing(told, spec):
    pod = told(Newcomer("ReplicaSet", "shop", "web"), raw={"metadata": {"name": "web"}, "spec": spec})
    assert (dict(pod.labels), pod.needs.requests) == ({}, {"pods": 1.0})


def test_a_template_that_is_gone_is_none(told):
    missing = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": 404,
        "details": {"name": "web"},
    }
    assert told(Newcomer("StatefulSet", "shop", "web"), raw=lambda _: page(404, missing)) is None


# --- Every field that decides ---


def test_a_node_is_read_with_what_it_has_and_what_keeps_pods_off(told):
    written = build.node(
        "node-7", unschedulable=True, ready=None, conditions={"DiskPressure": "True"},
        annotations={"sre-bot/cordoned": "by U0BOB"}, capacity={"nvidia.com/gpu": "1"},
        taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "bare", "effect": "NoExecute"}],
    )  # fmt: skip
    (node,) = told(NodeDetails(), written)
    assert (node.ready, node.unschedulable, node.takes_pods) == ("Unknown", True, False)
    assert node.taints == (Taint("gpu", "yes", "NoSchedule"), Taint("bare", "", "NoExecute"))
    assert node.pressures == ("DiskPressure",)
    assert node.allocatable["memory"] == 16 * GI
    assert node.allocatable["nvidia.com/gpu"] == 1.0
    assert node.annotations == {"sre-bot/cordoned": "by U0BOB"}
    assert node.ready_reason.startswith("NodeStatusUnknown")


def test_one_node_by_its_name_is_asked_for_alone(told):
    told(NodeDetails(("node-7",)))
    assert "fieldSelector=metadata.name%3Dnode-7" in told.target


AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}],
                    "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["x"]}],
                }
            ]
        }
    },
    "podAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "zone", "namespaceSelector": {}, "labelSelector": {"matchLabels": {"app": "db"}}}
        ]
    },
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {}}],
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {
                "topologyKey": "host",
                "labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
                "matchLabelKeys": ["pod-template-hash"],
                "mismatchLabelKeys": ["tenant"],
            }
        ],
    },
}
SPREADS = [
    {"topologyKey": "zone", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {},
     "minDomains": 3, "nodeTaintsPolicy": "Honor"},
    {"topologyKey": "host", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
]  # fmt: skip
VOLUMES = [
    {"name": "cache", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    {"name": "plain", "emptyDir": {}},
    {"name": "logs", "hostPath": {"path": "/var/log"}},
    {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}},
    {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
    {"name": "token", "projected": {}},
]


def _decided() -> Json:
    """A pod with everything that can decide where it goes."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5f", "uid": "u1", "controller": True}
    port = {"containerPort": 80, "hostPort": 8080}
    made = build.pod(
        "web-1", "shop", node="node-7", labels={"app": "web", "pod-template-hash": "5f", "tenant": "t"},
        containers=[build.container() | {"ports": [port, {**port, "hostIP": "10.0.0.1", "protocol": "UDP"}]}],
        affinity=AFFINITY, topologySpreadConstraints=SPREADS, volumes=VOLUMES, priority=7,
        nodeSelector={"disk": "ssd"}, terminationGracePeriodSeconds=45,
        tolerations=[{"operator": "Exists"}, {"key": "gpu", "value": "yes", "effect": "NoSchedule"}],
    )  # fmt: skip
    made["metadata"] |= {"ownerReferences": [{**owner, "controller": False, "uid": "no"}, owner], "uid": "p1"}
    made["metadata"]["creationTimestamp"] = "2026-11-23T08:00:00Z"
    for condition in made["status"]["conditions"]:
        condition["lastTransitionTime"] = "2026-11-23T08:00:20Z"
    return made


def test_a_pod_is_read_with_everything_that_decides_where_it_may_go(told):
    (pod,) = told(PodsOnNode("node-7"), _decided())
    assert pod.target == Target("Pod", "shop", "web-1", "p1")
    assert pod.owner == Owner("ReplicaSet", "web-5f", "u1", "apps/v1")
    assert (pod.grace, pod.priority, pod.ready, pod.mirror, pod.deleted) == (45, 7, True, False, None)
    assert pod.startup == timedelta(seconds=20)
    needs = pod.needs
    assert needs.node_selector == (("disk", "ssd"),)
    assert needs.node_terms == (
        NodeTerm((Requirement("zone", "In", ("a", "b")),), (Requirement("metadata.name", "NotIn", ("x",)),)),
    )
    assert needs.near == (PodTerm("zone", Selector((Requirement("app", "In", ("db",)),)), ()),)
    own = (
        Requirement("app", "Exists"),
        Requirement("pod-template-hash", "In", ("5f",)),
        Requirement("tenant", "NotIn", ("t",)),
    )
    assert needs.apart == (PodTerm("host", Selector(own), ("shop",)),)
    assert needs.spread == (Spread("zone", 2, Selector(), 3, True),)
    assert needs.ports == ("TCP/0.0.0.0/8080", "UDP/10.0.0.1/8080")
    assert needs.tolerations == (Toleration("", "Exists"), Toleration("gpu", "Equal", "yes", "NoSchedule"))
    assert pod.volumes == (
        PodVolume("cache", "emptyDir", "Memory", "1Gi"),
        PodVolume("plain", "emptyDir"),
        PodVolume("logs", "hostPath", "/var/log"),
        PodVolume("data", "claim", "data-0"),
        PodVolume("scratch", "claim", "web-1-scratch"),
        PodVolume("token", "projected"),
    )


def test_a_pod_that_is_going_a_static_one_and_a_restarted_one_are_told_apart(told):
    going, static, restarted = _decided(), _decided(), _decided()
    going["metadata"] |= {"deletionTimestamp": "2026-11-23T09:00:00Z", "deletionGracePeriodSeconds": 5}
    static["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "hash"}
    restarted["status"]["containerStatuses"][0]["restartCount"] = 2
    found = told(PodsOnNode("node-7"), going, static, restarted)
    assert [pod.deleted is not None for pod in found] == [True, False, False]
    assert [pod.grace for pod in found] == [5, 45, 45]
    assert [pod.mirror for pod in found] == [False, True, False]
    assert found[2].startup is None


def test_a_placement_keeps_what_others_must_know_and_equal_values_once(told):
    one, two = told(Placements(), _decided(), _decided())
    assert (one.namespace, one.node, one.owner, one.ready) == ("shop", "node-7", "u1", True)
    assert one.claims == ("data-0", "web-1-scratch")
    assert one.ports == ("TCP/0.0.0.0/8080", "UDP/10.0.0.1/8080")
    assert len(one.apart) == 1
    assert one.labels is two.labels
    assert one.requests is two.requests
    assert "status.phase%21%3DSucceeded" in told.target


def test_a_budget_is_read_as_the_controller_left_it(told):
    counts = {"disruptionsAllowed": 1, "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3}
    written = build.pdb("web", "shop", status={**counts, "observedGeneration": 4})
    written["metadata"]["generation"] = 5
    written["spec"]["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    (budget,) = told(Budgets(), written)
    assert (budget.allowed, budget.healthy, budget.desired, budget.expected) == (1, 3, 2, 3)
    assert (budget.observed, budget.generation, budget.always_allows_unready) == (4, 5, True)
    assert budget.guards("shop", {"app": "web"})


@pytest.mark.parametrize(
    ("written", "guards"), [({"selector": {}}, True), ({"selector": None}, False), ({}, False)]
)
def test_an_empty_selector_is_not_the_same_as_none(told, written, guards):
    (budget,) = told(Budgets(), {"metadata": {"name": "b", "namespace": "shop"}, "spec": written})
    assert budget.guards("shop", {"any": "thing"}) is guards


IGNORED = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        ("ReplicaSet", {"replicas": 0}, {}, (0, 0, False)),
        ("StatefulSet", {}, {"readyReplicas": 1}, (1, 1, False)),
        ("DaemonSet", {}, {"desiredNumberScheduled": 5, "numberReady": 4}, (5, 4, False)),
        ("Job", {"parallelism": 2, "podFailurePolicy": IGNORED}, {"ready": 1}, (2, 1, True)),
    ],
)
def test_controllers_are_read_with_what_they_want_and_have(told, kind, spec, status, expected):
    above = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d1", "controller": True}
    metadata = {"name": "web-5f", "namespace": "shop", "uid": "r1", "ownerReferences": [above]}
    (view,) = told(Owners(kind, "shop"), {"metadata": metadata, "spec": spec, "status": status})
    assert (view.replicas, view.ready, view.forgives) == expected
    assert view.above == Owner("Deployment", "web", "d1", "apps/v1")


def test_ready_addresses_are_read_once_and_null_is_ready(told):
    def slice_of(family: str, *endpoints: Json) -> Json:
        labels = {"kubernetes.io/service-name": "web"}
        metadata = {"name": f"web-{family}", "namespace": "shop", "labels": labels}
        return {"metadata": metadata, "addressType": family, "endpoints": list(endpoints)}

    def endpoint(name: str, **conditions: Any) -> Json:
        return {
            "addresses": ["x"],
            "nodeName": "node-7",
            "conditions": conditions,
            "targetRef": {"name": name},
        }

    four = slice_of("IPv4", endpoint("web-1", ready=True), endpoint("web-2", ready=False), endpoint("web-3"))
    found = told(Backends("shop"), four, slice_of("IPv6", endpoint("web-1", ready=None)), {"metadata": {}})
    assert found == (
        BackendView("shop", "web", "web-1", "node-7"),
        BackendView("shop", "web", "web-3", "node-7"),
    )


def test_only_webhooks_that_fail_closed_in_the_cluster_are_kept(told):
    rule = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}
    service = {"clientConfig": {"service": {"namespace": "shop", "name": "hook"}}}
    hooks = [
        {"name": "all", "rules": [rule], **service},
        {"name": "exempt", "rules": [rule], "namespaceSelector": {"matchLabels": {"a": "b"}}, **service},
        {"name": "other", "rules": [{**rule, "resources": ["secrets"]}], "failurePolicy": "Fail", **service},
        {"name": "open", "rules": [rule], "failurePolicy": "Ignore", **service},
        {"name": "outside", "rules": [rule], "clientConfig": {"url": "https://x"}},
    ]
    found = told(Webhooks(), {"metadata": {"name": "c"}, "webhooks": hooks})
    assert set(found) == {
        WebhookView("all", "shop", "hook", True),
        WebhookView("exempt", "shop", "hook", False),
        WebhookView("other", "shop", "hook", False),
    }


def test_a_volume_is_read_with_where_it_can_go(told):
    def volume(name: str, key: str, **spec: Any) -> Json:
        terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": ["a"]}]}]
        claim = {"namespace": "shop", "name": name}
        affinity = {"required": {"nodeSelectorTerms": terms}}
        return {
            "metadata": {"name": f"pv-{name}"},
            "spec": {"claimRef": claim, "nodeAffinity": affinity, **spec},
        }

    bound, local, old, free = told(
        Volumes(),
        volume("ebs", "topology.kubernetes.io/zone", csi={"driver": "ebs.csi.aws.com"}),
        volume("disk", "kubernetes.io/hostname"),
        volume("old", "zone", awsElasticBlockStore={}, accessModes=["ReadWriteMany"]),
        {"metadata": {"name": "pv"}, "spec": {"claimRef": {"name": "free"}}},
        {"metadata": {"name": "unclaimed"}},
    )
    assert (bound.driver, bound.local, bound.claim) == ("ebs.csi.aws.com", False, "ebs")
    assert bound.terms == (NodeTerm((Requirement("topology.kubernetes.io/zone", "In", ("a",)),)),)
    assert (local.local, old.driver, old.shared, free.terms) == (True, "ebs.csi.aws.com", True, ())


def test_attach_limits_are_read_by_node_and_driver(told):
    drivers = [
        {"name": "ebs.csi.aws.com", "allocatable": {"count": 25}},
        {"name": "efs", "allocatable": None},
    ]
    found = told(AttachLimits(), {"metadata": {"name": "node-7"}, "spec": {"drivers": drivers}})
    assert found == {"node-7": {"ebs.csi.aws.com": 25}}


# --- On an API server ---


class World:
    def __init__(self, url: str, token: str, kubeconfig: Path, **tls: Any) -> None:
        self.cluster = Cluster(SITE, kubeconfig)
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, **tls)

    def post(self, path: str, body: Json, *, status: bool = True) -> Json:
        answer = self.http.post(path, json=body)
        assert answer.status_code in (201, 409), answer.text
        made: Json = answer.json()
        if status and "status" in body and answer.status_code == 201:
            # A status write takes its metadata from the body.
            told = {"metadata": made["metadata"], "status": body["status"], "spec": made["spec"]}
            put = self.http.put(f"{path}/{body['metadata']['name']}/status", json=told)
            assert put.status_code == 200, put.text
        return made

    def close(self) -> None:
        self.cluster.close()
        self.http.close()


class Rest:
    """What the cluster itself does not answer."""

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((reads.Now,),)

    def read(self, read: Read, deadline: float) -> Any:
        return datetime.now(UTC)


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.cluster)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if request.param == "real":
        with ControlPlane(controllers=(), scheduler=False) as plane:
            tls = ssl.create_default_context(cafile=str(plane.ca))
            with closing(World(plane.url, plane.token, plane.kubeconfig, verify=tls)) as made:
                _filled(made)
                yield made
        return
    with KubeStandIn() as kube:
        config = kube.kubeconfig(tmp_path_factory.mktemp("kube") / "c")
        with closing(World(kube.url, kube.token, config)) as made:
            _filled(made)
            yield made


def _filled(world: World) -> None:
    """Two nodes, a workload with a pod on each, its budget and Service, a claimed volume and a webhook."""
    world.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    world.post("/api/v1/namespaces/shop/serviceaccounts", {"metadata": {"name": "default"}})
    for name in ("node-7", "node-8"):
        world.post("/api/v1/nodes", build.node(name))
        # Admission of a real server puts the not-ready taint on every new node.
        patch = {"spec": {"taints": []}}
        merge = {"Content-Type": "application/merge-patch+json"}
        assert world.http.patch(f"/api/v1/nodes/{name}", json=patch, headers=merge).status_code == 200
        limits = {"drivers": [{"name": "ebs.csi.aws.com", "nodeID": name, "allocatable": {"count": 25}}]}
        world.post("/apis/storage.k8s.io/v1/csinodes", {"metadata": {"name": name}, "spec": limits})
    sets = "/apis/apps/v1/namespaces/shop/replicasets"
    made = world.post(sets, build.replicaset("web-5f", "shop", replicas=2), status=False)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5f", "uid": made["metadata"]["uid"]}
    for number, node in ((1, "node-7"), (2, "node-8")):
        written = build.pod(f"web-{number}", "shop", node=node, labels={"app": "web"}, volumes=VOLUMES[1:2])
        written["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
        world.post("/api/v1/namespaces/shop/pods", written)
    counts = {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}
    budgets = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
    world.post(budgets, build.pdb("web", "shop", status=counts))
    _published(world)


def _published(world: World) -> None:
    slices = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
    written = build.endpointslice("web", "shop", ready=("10.0.0.1",))
    written["endpoints"][0] |= {"nodeName": "node-7", "targetRef": {"kind": "Pod", "name": "web-1"}}
    world.post(slices, written)
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE"]}
    hook = {
        "name": "check.shop.example.com", "rules": [rule], "sideEffects": "None", "failurePolicy": "Fail",
        "admissionReviewVersions": ["v1"], "clientConfig": {"service": {"namespace": "shop", "name": "web"}},
    }  # fmt: skip
    hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    world.post(hooks, {"metadata": {"name": "check"}, "webhooks": [hook]})
    volume = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"},
        "claimRef": {"namespace": "shop", "name": "data"},
    }  # fmt: skip
    world.post("/api/v1/persistentvolumes", {"metadata": {"name": "pv-1"}, "spec": volume})


def test_everything_is_read_from_an_api_server(world):
    found = {
        type(read): world.cluster.read(read, soon()) for read in EVERY_READ if read != Owners("Job", "shop")
    }
    assert [node.name for node in world.cluster.read(NodeDetails(), soon())] == ["node-7", "node-8"]
    assert [node.name for node in found[NodeDetails]] == ["node-7"]
    assert [pod.target.name for pod in found[PodsOnNode]] == ["web-1"]
    assert sorted(each.node for each in found[Placements]) == ["node-7", "node-8"]
    assert all(each.ready for each in found[Placements])
    assert (found[Budgets][0].allowed, found[Budgets][0].selector) == (
        1,
        Selector((Requirement("app", "In", ("web",)),)),
    )
    assert found[Backends] == (BackendView("shop", "web", "web-1", "node-7"),)
    assert found[Webhooks] == (WebhookView("check.shop.example.com", "shop", "web"),)
    assert (found[Volumes][0].claim, found[Volumes][0].driver) == ("data", "ebs.csi.aws.com")
    assert found[AttachLimits] == {name: {"ebs.csi.aws.com": 25} for name in ("node-7", "node-8")}


def test_a_drain_is_planned_over_an_api_server(world):
    reader = Reader([world.cluster, Rehearsals(world.cluster.api), Rest()], timedelta(seconds=20))
    plan = walk(drain.plan(Args("node", "drain", "node-7", {"emptydir": ""}), SITE, WHO), reader, soon())
    assert isinstance(plan, Plan)
    assert plan.go is Go.RISK
    assert [step.effect.target.name for step in plan.steps] == ["node-7", "web-1"]
    assert plan.steps[1].lane == "shop/web"
    kinds = {finding.key for finding in plan.findings}
    assert {"drain.emptydir", "drain.service", "drain.webhook", "drain.fits"} <= kinds
    assert plan.steps[1].effect.target.uid
