"""The test kubelet beside the real controllers and scheduler: what a drain or a rollback needs of one."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.controlplane import ControlPlane
from sandbox.house import wait_until
from sandbox.kube import build
from sandbox.testkubelet import Fate, TestKubelet

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
NODES = ("node-1", "node-2")


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        for name in NODES:
            plane.add_node(name)
        yield plane


@pytest.fixture(scope="module")
def kubelet(plane: ControlPlane) -> Iterator[TestKubelet]:
    with TestKubelet(plane, NODES) as kubelet:
        yield kubelet


@pytest.fixture
def space(plane: ControlPlane, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-")[:60].strip("-")
    plane.add_namespace(name)
    return name


def deploy(plane: ControlPlane, space: str, **given: Any) -> str:
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    plane.request("POST", path, build.deployment("web", space, **{"replicas": 3, **given}))
    return f"{path}/web"


def pods(plane: ControlPlane, space: str) -> list[Json]:
    found: list[Json] = plane.request("GET", f"/api/v1/namespaces/{space}/pods")["items"]
    return found


def is_available(plane: ControlPlane, path: str, count: int) -> bool:
    return bool(plane.request("GET", path).get("status", {}).get("availableReplicas") == count)


def test_a_deployment_becomes_available_and_an_evicted_pod_is_replaced(
    plane: ControlPlane, kubelet: TestKubelet, space: str
) -> None:
    path = deploy(plane, space)
    wait_until(lambda: is_available(plane, path, 3))
    before = {pod["metadata"]["uid"]: pod for pod in pods(plane, space)}
    pod = next(iter(before.values()))
    name = pod["metadata"]["name"]
    assert pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    assert len({each["status"]["podIP"] for each in before.values()}) == 3
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space}}
    plane.request("POST", f"/api/v1/namespaces/{space}/pods/{name}/eviction", body)

    def is_replaced() -> bool:
        now = {each["metadata"]["uid"] for each in pods(plane, space)}
        return pod["metadata"]["uid"] not in now and len(now) == 3 and is_available(plane, path, 3)

    wait_until(is_replaced)


def test_pods_that_never_become_ready_until_they_may(
    plane: ControlPlane, kubelet: TestKubelet, space: str
) -> None:
    kubelet.fare(Fate(ready_after=None), namespace=space, labels={"app": "web"})
    path = deploy(plane, space)
    wait_until(lambda: [each["status"]["phase"] for each in pods(plane, space)] == ["Running"] * 3)
    assert is_available(plane, path, 3) is False
    kubelet.fare(Fate(), namespace=space)
    wait_until(lambda: is_available(plane, path, 3))
    kubelet.fare(Fate(ready_after=None), namespace=space, name=pods(plane, space)[0]["metadata"]["name"])
    wait_until(lambda: is_available(plane, path, 2))


def test_a_slow_pod_runs_before_it_is_ready(plane: ControlPlane, kubelet: TestKubelet, space: str) -> None:
    kubelet.fare(Fate(ready_after=1.0), namespace=space)
    path = deploy(plane, space, replicas=1)
    wait_until(lambda: [each["status"]["phase"] for each in pods(plane, space)] == ["Running"])
    started = time.monotonic()
    assert not is_available(plane, path, 1)
    wait_until(lambda: is_available(plane, path, 1))
    assert time.monotonic() - started > 0.5


def test_an_image_that_cannot_be_pulled(plane: ControlPlane, kubelet: TestKubelet, space: str) -> None:
    kubelet.fare(Fate(waiting="ImagePullBackOff"), image="*:broken")
    deploy(plane, space, image="web:broken")

    def reasons() -> set[str]:
        statuses = [each["status"].get("containerStatuses") or [{}] for each in pods(plane, space)]
        return {each[0].get("state", {}).get("waiting", {}).get("reason", "") for each in statuses}

    wait_until(lambda: reasons() == {"ImagePullBackOff"})


def test_a_pod_that_never_goes_until_it_may(plane: ControlPlane, kubelet: TestKubelet, space: str) -> None:
    path = deploy(plane, space, replicas=1)
    wait_until(lambda: is_available(plane, path, 1))
    name = pods(plane, space)[0]["metadata"]["name"]
    kubelet.fare(Fate(gone_after=None), namespace=space, name=name)
    plane.request("DELETE", f"/api/v1/namespaces/{space}/pods/{name}")
    wait_until(lambda: is_available(plane, path, 1) and len(pods(plane, space)) == 2)
    kubelet.fare(Fate(), namespace=space)
    wait_until(lambda: [each["metadata"]["name"] for each in pods(plane, space)] != [name])
    wait_until(lambda: len(pods(plane, space)) == 1)


def test_a_lost_node_keeps_its_pods_terminating(
    plane: ControlPlane, kubelet: TestKubelet, space: str
) -> None:
    plane.request("POST", f"/api/v1/namespaces/{space}/pods", build.pod("one", space, node="node-2"))

    def phase() -> str:
        return str(pods(plane, space)[0]["status"]["phase"])

    wait_until(lambda: phase() == "Running")
    kubelet.lose("node-2")
    plane.request("DELETE", f"/api/v1/namespaces/{space}/pods/one", {"gracePeriodSeconds": 1})
    conditions = plane.request("GET", "/api/v1/nodes/node-2")["status"]["conditions"]
    assert [each["status"] for each in conditions if each["type"] == "Ready"] == ["Unknown"]
    assert pods(plane, space)
    kubelet.find("node-2")
    wait_until(lambda: not pods(plane, space))
