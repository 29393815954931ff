"""What diagnoses ask of single objects: on the stand-in, on a real API server, and on a rude one."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rude_server import Asked, RudeServer, page

from commands.errors import Refused, Unreachable
from commands.model import Read
from commands.site import ClusterSite
from commands.triagereads import (
    ApiHealth,
    ApiServices,
    Claim,
    ClaimView,
    ContainerSpec,
    CronJob,
    CronJobView,
    Jobs,
    NamespaceNotes,
    NodeClaims,
    NodeLease,
    OwnerNotes,
    PodSpec,
    PodSpecOf,
    ProbeView,
    ProviderId,
)
from sandbox.controlplane import ControlPlane
from sandbox.kube import Hang, KubeStandIn, build
from workers.cluster import Cluster

Json = dict[str, Any]
GIB = 2.0**30
TEN = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Api:
    """One API server with what is written below."""

    cluster: Cluster
    put: Callable[[str, Json], object]  # a new object, with its status

    def read(self, read: Read) -> Any:
        return self.cluster.read(read, time.monotonic() + 5)


WEB = {
    "name": "web",
    "image": "shop:1.4",
    "command": ["/bin/web", "--port", "8080"],
    "ports": [{"name": "http", "containerPort": 8080}],
    "env": [
        {"name": "LEVEL", "value": "info"},
        {"name": "API_TOKEN", "value": "hunter2"},
        {"name": "DB_URL", "value": "postgres://shop:hunter2@db:5432/shop"},
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "web-config", "key": "COLOUR"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "db", "key": "key"}}},
        {"name": "FLAG", "valueFrom": {"secretKeyRef": {"name": "flags", "key": "a", "optional": True}}},
        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
    ],
    "envFrom": [{"secretRef": {"name": "all"}}],
    "volumeMounts": [{"name": "conf", "mountPath": "/etc/web"}, {"name": "data", "mountPath": "/data"}],
    "livenessProbe": {"httpGet": {"port": "http", "path": "/healthz"}, "initialDelaySeconds": 5},
    "readinessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 3, "failureThreshold": 2},
    "startupProbe": {"grpc": {"port": 9000}},
    "securityContext": {"readOnlyRootFilesystem": True},
}
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop"},
    "spec": {
        "initContainers": [
            {"name": "wait", "image": "wait:1"},
            {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always",
             "livenessProbe": {"tcpSocket": {"port": 15021}}},
        ],
        "containers": [WEB],
        "imagePullSecrets": [{"name": "registry"}],
        "securityContext": {"runAsUser": 1000, "fsGroup": 2000},
        "serviceAccountName": "web",
        "volumes": [
            {"name": "conf", "configMap": {"name": "web-files", "items": [{"key": "a.yaml", "path": "a.yaml"}]}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "other", "secret": {"secretName": "not-mounted"}},
        ],
    },
    "status": {"phase": "Running"},
}  # fmt: skip
ENDED: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "copy-1", "namespace": "shop"},
    "spec": {
        "containers": [{"name": "copy", "image": "copy:1"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    },
    "status": {"phase": "Succeeded"},
}
CLAIM: Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "20Gi"}},
        "storageClassName": "gp3",
        "volumeName": "pv-1",
    },
    "status": {
        "phase": "Bound",
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteOnce"],
        "conditions": [
            {
                "type": "FileSystemResizePending",
                "status": "True",
                "message": "Waiting for user to (re-)start a pod",
            }
        ],
    },
}
ZONE = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-central-1a"]}
VOLUME: Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "pv-1"},
    "spec": {
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteOnce"],
        "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [ZONE]}]}},
    },
}
CLASS: Json = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "gp3"},
    "provisioner": "ebs.csi.aws.com",
    "allowVolumeExpansion": True,
}
WORK = {"spec": {"containers": [{"name": "x", "image": "x:1"}], "restartPolicy": "Never"}}
CRON: Json = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "report", "namespace": "shop"},
    "spec": {
        "schedule": "0 6 * * *",
        "concurrencyPolicy": "Forbid",
        "suspend": True,
        "jobTemplate": {"spec": {"template": WORK}},
    },
    "status": {"lastScheduleTime": "2026-01-05T06:00:00Z", "lastSuccessfulTime": "2026-01-04T06:05:00Z"},
}


def job(name: str, started: str, **told: Any) -> Json:
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": "u", "controller": True}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": [owner]},
        "spec": {"backoffLimit": 2, "activeDeadlineSeconds": 600, "template": WORK},
        "status": {"startTime": started, **told},
    }


FAILED = {
    "failed": 3,
    "conditions": [
        {"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached it",
         "lastTransitionTime": "2026-01-05T10:00:00Z", "lastProbeTime": "2026-01-05T10:00:00Z"}
        for kind in ("FailureTarget", "Failed")
    ],
}  # fmt: skip
LEASE: Json = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "node-1", "namespace": "kube-node-lease"},
    "spec": {
        "holderIdentity": "node-1",
        "leaseDurationSeconds": 40,
        "renewTime": "2026-01-05T10:00:00.123456Z",
    },
}
NODE: Json = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node-1"},
    "spec": {"providerID": "aws:///eu-central-1a/i-0abc"},
}
SERVED: Json = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": "v1beta1.custom.metrics.k8s.io"},
    "spec": {
        "group": "custom.metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"name": "adapter", "namespace": "monitoring", "port": 443},
    },
    "status": {
        "conditions": [
            {"type": "Available", "status": "False", "reason": "ServiceNotFound",
             "message": 'service/adapter in "monitoring" is not present',
             "lastTransitionTime": "2026-01-05T10:00:00Z"}
        ]
    },
}  # fmt: skip
OWNED: Json = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db", "namespace": "shop", "annotations": {"sre-bot/owner": "U0BOB"}},
    "spec": {
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "x", "image": "x"}]},
        },
    },
}
NOTES = {"sre-bot/owner": "S0SHOP", "sre-bot/channel": "C0SHOP", "other": "x"}
SHOP: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "annotations": NOTES}}

PLACES = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/namespaces/shop/pods",
    "PersistentVolumeClaim": "/api/v1/namespaces/shop/persistentvolumeclaims",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "Job": "/apis/batch/v1/namespaces/shop/jobs",
    "CronJob": "/apis/batch/v1/namespaces/shop/cronjobs",
    "StatefulSet": "/apis/apps/v1/namespaces/shop/statefulsets",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
    "APIService": "/apis/apiregistration.k8s.io/v1/apiservices",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "NodeClaim": "/apis/karpenter.sh/v1/nodeclaims",
}
THINGS = (
    NODE, CLASS, VOLUME, CLAIM, POD, ENDED, CRON, OWNED, LEASE, SERVED,
    job("report-1", "2026-01-05T06:00:00Z", **FAILED),
    job("report-2", "2026-01-05T07:00:00Z", active=1),
)  # fmt: skip


@pytest.fixture(scope="module", params=[pytest.param("real", marks=pytest.mark.cluster), "stand-in"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    if request.param == "real":
        with ControlPlane(controllers=(), scheduler=False) as plane:
            plane.add_namespace("shop")
            plane.request("PUT", "/api/v1/namespaces/shop", SHOP)
            plane.request("POST", "/api/v1/namespaces/shop/serviceaccounts", {"metadata": {"name": "web"}})
            plane.ensure("/api/v1/namespaces", {"metadata": {"name": "kube-node-lease"}})

            def put(place: str, each: Json) -> None:
                plane.request("POST", place, each)
                if "status" in each:
                    path = f"{place}/{each['metadata']['name']}/status"
                    # Without a resourceVersion: a controller of the API server's own may write it meanwhile.
                    patch = {"status": each["status"]}
                    plane.request("PATCH", path, patch, content_type="application/merge-patch+json")

            yield _filled(Api(Cluster(ClusterSite(), plane.kubeconfig), put))
        return
    with KubeStandIn() as kube:
        kube.apply(SHOP)
        config = kube.kubeconfig(tmp_path_factory.mktemp("kube") / "config")
        yield _filled(Api(Cluster(ClusterSite(), config), lambda _, each: kube.apply(each)))


def _filled(api: Api) -> Api:
    for each in THINGS:
        api.put(PLACES[each["kind"]], each)
    return api


# --- On both API servers --------------------------------------------------------------------------


def test_a_pod_is_told_as_it_is_declared(api: Api) -> None:
    found: PodSpec = api.read(PodSpecOf("shop", "web-1"))
    assert (found.pull_secrets, found.claims, found.fs_group, found.account) == (
        ("registry",), ("data",), 2000, "web",
    )  # fmt: skip
    wait, proxy, web = found.containers
    assert (wait.kind, proxy.kind, web.kind) == ("init", "sidecar", "")
    assert proxy.probes == (ProbeView("liveness", "TCP :15021", 15021),)
    assert web == ContainerSpec(
        name="web",
        image="shop:1.4",
        command="/bin/web --port 8080",
        ports=(8080,),
        probes=(
            ProbeView("liveness", "GET :http/healthz", 8080, initial_delay=5),
            ProbeView("readiness", "exec cat /tmp/ok", 0, period=3, failures=2),
            ProbeView("startup", "gRPC :9000", 9000),
        ),
        env={"LEVEL": "info", "DB_URL": "postgres://***@db:5432/shop"},
        refs=("Secret/all", "ConfigMap/web-config:COLOUR", "Secret/db:key", "ConfigMap/web-files:a.yaml"),
        user=1000,
        read_only_root=True,
        named={"http": 8080},
    )
    assert api.read(PodSpecOf("shop", "nobody")) is None


def test_a_claim_is_told_with_its_class_its_volume_and_who_mounts_it(api: Api) -> None:
    assert api.read(Claim("shop", "data")) == ClaimView(
        namespace="shop",
        name="data",
        phase="Bound",
        capacity=10 * GIB,
        requested=20 * GIB,
        storage_class="gp3",
        provisioner="ebs.csi.aws.com",
        expandable=True,
        volume="pv-1",
        zone="eu-central-1a",
        modes=("ReadWriteOnce",),
        pods=("web-1",),
        resizing="Waiting for user to (re-)start a pod",
    )
    assert api.read(Claim("shop", "nobody")) is None


def test_jobs_come_newest_first_with_what_became_of_them(api: Api) -> None:
    running, failed = api.read(Jobs("shop"))
    assert (running.name, running.active, running.finished) == ("report-2", 1, None)
    assert (failed.failed, failed.backoff_limit, failed.cronjob, failed.finished) == (3, 2, "report", TEN)
    assert failed.deadline == timedelta(minutes=10)
    assert failed.conditions[-1].reason == "BackoffLimitExceeded"
    assert [each.name for each in api.read(Jobs("shop", "report-1"))] == ["report-1"]
    assert api.read(Jobs("shop", "nobody")) == ()


def test_a_cron_job_tells_its_schedule_and_its_last_success(api: Api) -> None:
    assert api.read(CronJob("shop", "report")) == CronJobView(
        "shop", "report", "0 6 * * *", "Forbid", True, (), TEN - timedelta(hours=4), TEN - timedelta(hours=27, minutes=55)
    )  # fmt: skip
    assert api.read(CronJob("shop", "nobody")) is None


def test_a_lease_tells_when_the_kubelet_was_there_last(api: Api) -> None:
    assert api.read(NodeLease("node-1")) == TEN + timedelta(microseconds=123456)
    assert api.read(NodeLease("node-2")) is None


def test_a_node_tells_its_provider(api: Api) -> None:
    assert api.read(ProviderId("node-1")) == "aws:///eu-central-1a/i-0abc"
    assert api.read(ProviderId("node-2")) is None


def test_to_whom_a_workload_belongs_is_its_own_word_before_its_namespaces(api: Api) -> None:
    shops = {"sre-bot/owner": "S0SHOP", "sre-bot/channel": "C0SHOP"}
    assert api.read(OwnerNotes("shop")) == shops
    assert api.read(OwnerNotes("shop", "statefulset/db")) == {**shops, "sre-bot/owner": "U0BOB"}
    assert api.read(OwnerNotes("shop", "statefulset/nobody")) == shops
    assert api.read(OwnerNotes("kube-node-lease")) == api.read(OwnerNotes("nowhere")) == {}
    assert api.read(NamespaceNotes()) == {"shop": shops}


def test_an_api_that_a_service_serves_tells_whether_it_is_there(api: Api) -> None:
    (found,) = api.read(ApiServices())
    assert (found.name, found.service) == ("v1beta1.custom.metrics.k8s.io", "monitoring/adapter:443")
    assert found.available.status in ("False", "Unknown")


def test_an_api_server_that_is_ready_fails_no_check(api: Api) -> None:
    assert api.read(ApiHealth()) == ()


def test_node_claims_are_none_until_karpenter_is_installed(api: Api) -> None:
    assert api.read(NodeClaims()) is None
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": schema,
        "subresources": {"status": {}},
    }
    api.put(
        PLACES["CustomResourceDefinition"],
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "nodeclaims.karpenter.sh"},
            "spec": {
                "group": "karpenter.sh",
                "scope": "Cluster",
                "names": {"plural": "nodeclaims", "singular": "nodeclaim", "kind": "NodeClaim"},
                "versions": [version],
            },
        },
    )
    end = time.monotonic() + 30
    while api.read(NodeClaims()) is None:
        assert time.monotonic() < end, "the definition is not served after 30 s"
    labels = {"karpenter.sh/nodepool": "general", "karpenter.sh/capacity-type": "spot"}
    launched = {
        "type": "Launched",
        "status": "False",
        "reason": "InsufficientCapacityError",
        "message": "no m6i",
    }
    api.put(
        PLACES["NodeClaim"],
        {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodeClaim",
            "metadata": {"name": "general-x1", "labels": labels},
            "spec": {},
            "status": {"nodeName": "node-1", "conditions": [launched]},
        },
    )
    (found,) = api.read(NodeClaims())
    assert (found.name, found.node, found.pool, found.capacity_type) == (
        "general-x1",
        "node-1",
        "general",
        "spot",
    )
    assert (found.conditions[0].reason, found.deleting) == ("InsufficientCapacityError", None)


# --- On the stand-in alone ------------------------------------------------------------------------


@pytest.fixture
def kube() -> Iterator[KubeStandIn]:
    with KubeStandIn() as kube:
        kube.apply([SHOP, CLAIM, CLASS, VOLUME, POD, build.node("node-1")])
        yield kube


@pytest.fixture
def cluster(kube: KubeStandIn, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(ClusterSite(), kube.kubeconfig(tmp_path / "config"))
    yield cluster
    cluster.close()


def soon(seconds: float = 5) -> float:
    return time.monotonic() + seconds


def test_what_may_not_be_read_of_a_claim_stays_unknown_with_its_reason(
    kube: KubeStandIn, cluster: Cluster
) -> None:
    kube.deny("get", "storageclasses")
    kube.deny("list", "pods")
    found = cluster.read(Claim("shop", "data"), soon())
    assert (found.expandable, found.zone, found.pods, found.capacity) == (None, "eu-central-1a", (), 10 * GIB)
    forbidden, _ = found.unread
    assert "needs get on storageclasses.storage.k8s.io at the cluster scope" in forbidden.reason
    assert [gap.mend.count("storageclasses") for gap in found.unread] == [1, 0]


def test_a_claim_whose_class_or_volume_is_gone_is_told_all_the_same(
    kube: KubeStandIn, cluster: Cluster
) -> None:
    kube.vanish("storageclasses.storage.k8s.io", "gp3")
    kube.vanish("persistentvolumes", "pv-1")
    found = cluster.read(Claim("shop", "data"), soon())
    assert (found.expandable, found.zone, found.pods, found.unread) == (None, "", ("web-1",), ())


@pytest.mark.parametrize(
    ("read", "need"),
    [
        (Jobs("shop"), "jobs in shop: forbidden, needs list on jobs.batch in namespace shop"),
        (NodeLease("n1"), "forbidden, needs get on leases.coordination.k8s.io in namespace kube-node-lease"),
        (NodeClaims(), "nodeclaims: forbidden, needs list on nodeclaims.karpenter.sh at the cluster scope"),
    ],
)
def test_a_missing_right_is_named_with_the_rule_that_gives_it(
    kube: KubeStandIn, cluster: Cluster, read: Read, need: str
) -> None:
    kube.deny()
    with pytest.raises(Refused) as caught:
        cluster.read(read, soon())
    assert need in caught.value.reason
    assert caught.value.mend.startswith("- {apiGroups: ")


def test_jobs_that_hang_are_no_answer_in_time(kube: KubeStandIn, cluster: Cluster) -> None:
    kube.fail(Hang(30), "list", "jobs")
    with pytest.raises(Unreachable, match="jobs in shop: no complete answer"):
        cluster.read(Jobs("shop"), soon(0.5))


# --- On a rude server -----------------------------------------------------------------------------


@pytest.fixture
def rude(tmp_path: Path) -> Iterator[Callable[[Callable[[Asked], Any]], Cluster]]:
    closing: list[Any] = []

    def talking(answer: Callable[[Asked], Any]) -> Cluster:
        server = RudeServer(answer)
        server.__enter__()
        config = {
            "current-context": "only",
            "contexts": [{"name": "only", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        client = Cluster(ClusterSite(), tmp_path / "config")
        closing.extend((client.close, lambda: server.__exit__(None, None, None)))
        return client

    yield talking
    for close in closing:
        close()


UNREADY = "[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/x failed: y\nreadyz check failed\n"


def test_checks_that_fail_are_named(rude: Callable[..., Cluster]) -> None:
    client = rude(lambda _: page(500, UNREADY, "text/plain; charset=utf-8"))
    assert client.read(ApiHealth(), soon()) == ("etcd", "poststarthook/x")


def test_a_server_that_fails_without_naming_a_check_is_no_answer(rude: Callable[..., Cluster]) -> None:
    client = rude(lambda _: page(503, "no", "text/plain"))
    with pytest.raises(Unreachable, match="readiness of the API server: the Kubernetes API answers 503"):
        client.read(ApiHealth(), soon())


def test_who_may_not_ask_whether_it_is_ready_gets_the_rule(rude: Callable[..., Cluster]) -> None:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "message": "no"}
    client = rude(lambda _: page(403, status))
    with pytest.raises(Refused) as caught:
        client.read(ApiHealth(), soon())
    assert caught.value.mend == "- {nonResourceURLs: [/readyz], verbs: [get]}"


def test_the_older_version_of_karpenter_is_asked_where_the_newer_is_not_served(
    rude: Callable[..., Cluster],
) -> None:
    def answer(asked: Asked) -> bytes:
        if "/v1/" in asked.target:
            return page(404, "404 page not found\n", "text/plain")
        claim = {"metadata": {"name": "old", "deletionTimestamp": "2026-01-05T10:00:00Z", "labels": None}}
        return page(200, {"kind": "List", "metadata": {}, "items": [claim]})

    (found,) = rude(answer).read(NodeClaims(), soon())
    assert (found.name, found.deleting, found.pool) == ("old", TEN, "")


def test_nulls_everywhere_are_nothing(rude: Callable[..., Cluster]) -> None:
    container = {"name": "x", "env": None, "envFrom": None, "ports": None, "securityContext": None}
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [container], "volumes": None}}
    client = rude(lambda _: page(200, pod))
    assert client.read(PodSpecOf("shop", "x"), soon()) == PodSpec((ContainerSpec("x", ""),))


def test_a_malformed_pod_is_a_refusal_and_no_bug(rude: Callable[..., Cluster]) -> None:
    client = rude(lambda _: page(200, {"metadata": {"name": "x"}, "spec": {"containers": ["web"]}}))
    with pytest.raises(Refused, match="malformed"):
        client.read(PodSpecOf("shop", "x"), soon())


@pytest.mark.parametrize(
    "read",
    [PodSpecOf("shop", "../x"), Claim("a b", "x"), Jobs("shop", "a,b=c"), OwnerNotes("shop", "job/../x")],
)
def test_a_name_from_an_alert_cannot_leave_its_place(rude: Callable[..., Cluster], read: Read) -> None:
    client = rude(lambda _: page(200, {"metadata": {"name": "shop"}}))
    with pytest.raises(Refused, match="is not a name"):
        client.read(read, soon())
