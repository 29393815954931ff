"""Reads of single pods, events, use and disks: on the stand-in, on a real API server, and on a rude one."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rude_server import Asked, RudeServer, page

from commands.errors import Refused, Unanswered
from commands.podreads import (
    ConfigMapChange,
    Ending,
    Events,
    NodeDisk,
    PodDetail,
    PodDetails,
    PodMetrics,
    PodRows,
    Resources,
)
from commands.site import ClusterSite
from sandbox.controlplane import ControlPlane
from sandbox.kube import KubeStandIn, build
from workers.cluster import Cluster

MIB = 2**20


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


# --- on an API server -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Api:
    cluster: Cluster
    world: Any

    def read(self, read: Any) -> Any:
        return self.cluster.read(read, soon())


APP = {
    "name": "app",
    "image": "registry.example.com/shop/app:2",
    "resources": {"requests": {"cpu": "1500m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "password"}}],
    "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}],
    "readinessProbe": {"httpGet": {"port": 8080, "path": "/readyz"}, "periodSeconds": 5},
}
KILLED = {
    "exitCode": 137,
    "reason": "OOMKilled",
    "startedAt": "2026-01-05T08:00:00Z",
    "finishedAt": "2026-01-05T08:01:00Z",
}
TOLD = {
    "phase": "Running",
    "qosClass": "Burstable",
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "lastTransitionTime": "2026-01-05T08:01:00Z",
            "message": "not ready",
        }
    ],
    "containerStatuses": [
        {
            "name": "app",
            "image": APP["image"],
            "imageID": f"{APP['image']}@sha256:{'a' * 64}",
            "ready": False,
            "restartCount": 7,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": KILLED},
        }
    ],
}


def sick(name: str = "web-1", namespace: str = "shop") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "web"}},
        "spec": {"nodeName": "node-1", "containers": [APP]},
        "status": TOLD,
    }


def event(name: str, count: int, at: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "shop"},
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting failed container",
        "count": count,
        "firstTimestamp": "2026-01-05T08:00:00Z",
        "lastTimestamp": at,
        "source": {"component": "kubelet", "host": "node-1"},
        **more,
    }


def objects() -> list[dict[str, Any]]:
    return [
        sick(),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"},
         "data": {"a": "not for us"}},
        *(event(f"web-1.{n}", 1, f"2026-01-05T08:{n:02}:00Z") for n in range(50)),
        event("web-1.new", 3, "2026-01-05T07:00:00Z", type="Normal", reason="Pulled", message="again"),
    ]  # fmt: skip


@pytest.fixture(scope="module", params=[pytest.param("real", marks=pytest.mark.cluster), "stand-in"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    if request.param == "real":
        with ControlPlane(controllers=(), scheduler=False) as plane:
            plane.add_namespace("shop")
            plane.add_node("node-1")
            for each in objects():
                path = f"/api/v1/namespaces/shop/{each['kind'].lower()}s"
                plane.request("POST", path, each)
                if "status" in each:
                    plane.request("PUT", f"{path}/{each['metadata']['name']}/status", each)
            yield Api(Cluster(ClusterSite(), plane.kubeconfig), plane)
        return
    with KubeStandIn() as kube:
        kube.apply([build.namespace("shop"), build.node("node-1"), *objects()])
        config = kube.kubeconfig(tmp_path_factory.mktemp("kube") / "config")
        yield Api(Cluster(ClusterSite(), config), kube)


def test_a_pod_is_told_whole_with_the_servers_own_words(api: Api) -> None:
    (found,) = api.read(PodDetails("shop", "web-1"))
    assert (found.status, found.ready, found.restarts, found.node) == ("CrashLoopBackOff", "0/1", 7, "node-1")
    assert found.restarted is not None and found.restarted > timedelta(days=1)
    assert found.not_ready_since == datetime(2026, 1, 5, 8, 1, tzinfo=UTC)
    assert (found.config_maps, found.secrets) == (("settings",), ("password", "keys"))
    (app,) = found.containers
    assert (app.state, app.word, app.digest) == ("waiting", "CrashLoopBackOff", f"sha256:{'a' * 64}")
    assert app.resources == Resources(1.5, None, 64.0 * MIB, 128.0 * MIB)
    assert app.probes == ("readiness http :8080/readyz every 5 s",)
    assert isinstance(app.ended, Ending)
    assert (app.ended.reason, app.ended.code) == ("OOMKilled", 137)
    assert app.ended.finished == datetime(2026, 1, 5, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "read, names",
    [
        (PodDetails(node="node-1"), ["web-1"]),
        (PodDetails(node="node-2"), []),
        (PodDetails("shop", selector="app=web"), ["web-1"]),
        (PodDetails("shop", selector="app in (other)"), []),
        (PodDetails("", "web-1"), ["web-1"]),
        (PodDetails("shop", "nobody"), []),
    ],
)
def test_pods_by_name_node_and_labels(api: Api, read: PodDetails, names: list[str]) -> None:
    assert [pod.name for pod in api.read(read)] == names


def test_a_selector_that_is_none_is_refused_in_the_servers_words(api: Api) -> None:
    with pytest.raises(Refused, match="unable to parse requirement"):
        api.read(PodDetails("shop", selector="app==="))


@pytest.mark.parametrize("namespace", ["", "shop"])
def test_lines_know_their_namespace(api: Api, namespace: str) -> None:
    (row,) = api.read(PodRows(namespace))
    assert (row.namespace, row.name, row.status, row.restarts) == ("shop", "web-1", "CrashLoopBackOff", 7)


def test_repeats_are_one_event_and_the_last_seen_is_last(api: Api) -> None:
    pulled, back_off = api.read(Events("shop"))
    assert (pulled.reason, pulled.count) == ("Pulled", 3)
    assert (back_off.count, back_off.host) == (50, "node-1")
    assert back_off.last == datetime(2026, 1, 5, 8, 49, tzinfo=UTC)
    assert back_off.first == datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def test_events_of_one_object_and_warnings_only(api: Api) -> None:
    assert len(api.read(Events("shop", "Pod", "web-1"))) == 2
    assert api.read(Events("shop", "Node", "web-1")) == ()
    assert [event.reason for event in api.read(Events(warnings=True))] == ["BackOff"]


def test_of_a_config_map_only_when_it_changed(api: Api) -> None:
    found = api.read(ConfigMapChange("shop", "settings"))
    assert found.changed is not None and datetime.now(UTC) - found.changed < timedelta(minutes=5)
    assert "not for us" not in repr(found)
    assert api.read(ConfigMapChange("shop", "nobody")) is None


def test_without_metrics_server_its_api_is_not_there(api: Api) -> None:
    with pytest.raises(Refused, match=r"pod metrics: the cluster has no metrics\.k8s\.io API") as caught:
        api.read(PodMetrics("shop"))
    assert caught.value.mend == "install metrics-server"


def test_a_kubelet_that_cannot_be_reached_is_no_answer(api: Api) -> None:
    with pytest.raises(Unanswered, match="disk of node node-1"):
        api.read(NodeDisk("node-1"))


# --- on the stand-in alone ------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Api]:
    with KubeStandIn() as kube:
        kube.apply([build.namespace("shop"), build.node("node-1"), build.pod("web-1", "shop", node="node-1")])
        yield Api(Cluster(ClusterSite(), kube.kubeconfig(tmp_path / "config")), kube)


def test_use_is_by_container_whatever_unit_it_comes_in(shop: Api) -> None:
    shop.world.metrics.switch("present")
    name = shop.read(PodDetails("shop"))[0].containers[0].name
    shop.world.metrics.set_pod("shop", "web-1", **{name: {"cpu": "250000000n", "memory": "65536Ki"}})
    (found,) = shop.read(PodMetrics("shop"))
    assert (found.name, found.cpu, found.memory) == ("web-1", 0.25, 64.0 * MIB)


def test_a_disk_is_read_from_the_kubelet_through_the_proxy(shop: Api) -> None:
    fs = {"capacityBytes": 1000, "availableBytes": 140, "usedBytes": 800}
    shop.world.proxy(
        "", "node/node-1", lambda request: {"node": {"fs": fs}} if "summary" in request.path else 404
    )
    found = shop.read(NodeDisk("node-1"))
    assert (found.capacity, found.available) == (1000, 140)


def test_the_bot_does_not_ask_for_the_right_to_run_commands_on_nodes(shop: Api, tmp_path: Path) -> None:
    token = shop.world.user("bot", rbac=True)
    config = shop.world.kubeconfig(tmp_path / "other", token=token)
    with pytest.raises(Refused) as caught:
        Cluster(ClusterSite(), config).read(NodeDisk("node-1"), soon())
    assert "node-exporter" in caught.value.mend
    assert "verbs" not in caught.value.mend


# --- on a rude server -----------------------------------------------------------------------------


@contextmanager
def talking(path: Path, answer: Callable[[Asked], Any]) -> Iterator[tuple[Cluster, RudeServer]]:
    with RudeServer(answer) as server:
        config = path / "config"
        cluster = {"server": server.url}
        config.write_text(
            json.dumps(
                {
                    "current-context": "only",
                    "contexts": [{"name": "only", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                }
            )
        )
        client = Cluster(ClusterSite(), config)
        yield client, server
        client.close()


COLUMNS = [{"name": name} for name in ("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node")]


def table(*pods: Mapping[str, Any]) -> bytes:
    rows = [
        {"cells": [pod["metadata"]["name"], "1/1", "Running", 0, "1d", "ip", "n"], "object": pod}
        for pod in pods
    ]
    return page(200, {"kind": "Table", "columnDefinitions": COLUMNS, "metadata": {}, "rows": rows})


def one(tmp_path: Path, pod: Mapping[str, Any]) -> PodDetail:
    with talking(tmp_path, lambda _: table(pod)) as (client, _):
        (found,) = client.read(PodDetails("shop", "x"), soon())
        assert isinstance(found, PodDetail)
        return found


def test_nulls_everywhere_are_nothing(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        {
            "metadata": {"name": "x", "namespace": "shop", "labels": None, "ownerReferences": None},
            "spec": {
                "containers": [{"name": "app", "resources": None, "env": None, "envFrom": None}],
                "initContainers": None,
                "volumes": [{"name": "v", "emptyDir": None}],
            },
            "status": {"containerStatuses": None, "conditions": None},
        },
    )
    assert (found.containers[0].state, found.containers[0].image, found.volumes) == (
        "",
        "",
        ("v (emptyDir)",),
    )
    assert found.containers[0].resources == Resources()


def test_fields_of_a_newer_api_do_no_harm(tmp_path: Path) -> None:
    newer = {
        "metadata": {"name": "x", "namespace": "shop"},
        "spec": {
            "containers": [{"name": "app", "livenessProbe": {"quic": {"port": 1}}, "restartRules": [1]}]
        },
        "status": {"containerStatuses": [{"name": "app", "state": {"hibernating": {"reason": "Deep"}}}]},
    }
    found = one(tmp_path, newer).containers[0]
    assert (found.state, found.word, found.probes) == ("hibernating", "Deep", ("liveness exec every 10 s",))


def test_a_sidecar_is_told_from_an_init_container(tmp_path: Path) -> None:
    spec = {
        "containers": [{"name": "app"}],
        "initContainers": [{"name": "wait"}, {"name": "proxy", "restartPolicy": "Always"}],
    }
    found = one(tmp_path, {"metadata": {"name": "x"}, "spec": spec, "status": {}})
    assert [(each.name, each.kind) for each in found.containers] == [
        ("wait", "init"), ("proxy", "sidecar"), ("app", ""),
    ]  # fmt: skip


def test_a_malformed_pod_is_a_refusal_and_no_bug(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="malformed"):
        one(tmp_path, {"metadata": {"name": "x"}, "spec": {"containers": ["app"]}, "status": {}})


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"node": {"fs": {"capacityBytes": "many", "availableBytes": 1}}}']
)
def test_a_kubelet_that_talks_nonsense_is_a_refusal(tmp_path: Path, body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with talking(tmp_path, lambda _: answer) as (client, _), pytest.raises(Refused, match="malformed"):
        client.read(NodeDisk("n"), soon())


def test_an_event_of_a_series_counts_and_dates_by_its_series(tmp_path: Path) -> None:
    told = {
        "metadata": {"namespace": "shop", "creationTimestamp": "2026-01-05T08:00:00Z"},
        "involvedObject": {"kind": "Pod", "name": "x"}, "reason": "R", "message": None, "eventTime": None,
        "series": {"count": 12, "lastObservedTime": "2026-01-05T09:00:00.000000Z"}, "lastTimestamp": None,
    }  # fmt: skip
    answer = page(200, {"kind": "List", "metadata": {}, "items": [told]})
    with talking(tmp_path, lambda _: answer) as (client, _):
        (found,) = client.read(Events("shop"), soon())
    assert (found.count, found.last, found.namespace) == (12, datetime(2026, 1, 5, 9, tzinfo=UTC), "shop")


def test_a_list_that_is_null_is_empty_and_its_pages_are_merged(tmp_path: Path) -> None:
    told = {"metadata": {}, "involvedObject": {"kind": "Pod", "name": "x"}, "reason": "R", "message": "m"}

    def answer(asked: Asked) -> bytes:
        first = "continue" not in parse_qs(urlsplit(asked.target).query)
        return page(200, {"kind": "List", "items": [told], "metadata": {"continue": "t" if first else ""}})

    with talking(tmp_path, answer) as (client, _):
        assert [event.count for event in client.read(Events("shop"), soon())] == [2]
    with talking(tmp_path, lambda _: page(200, {"kind": "List", "items": None, "metadata": {}})) as (
        client,
        _,
    ):
        assert client.read(Events("shop"), soon()) == ()


@pytest.mark.parametrize("name", ["a,b=c", "../secrets", "A B"])
def test_a_name_from_people_cannot_leave_its_place(tmp_path: Path, name: str) -> None:
    with talking(tmp_path, lambda _: table()) as (client, server):
        for read in (
            PodDetails("shop", name),
            PodDetails(node=name),
            NodeDisk(name),
            Events("shop", "Pod", name),
        ):
            with pytest.raises(Refused, match="is not a name"):
                client.read(read, soon())
        assert server.asked == []
