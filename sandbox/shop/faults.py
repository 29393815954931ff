"""What can be broken in the shop, each as one small class: its effects on objects and metrics together.

A fault begins, goes on with the clock, and ends by putting back what it changed. To add one: write the
class, name it in FAULTS. What it does to objects goes through `Shop.kube`; what objects cannot say, through
`Simulation.conditions`. Metrics, endpoints and statuses follow by themselves.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sandbox import kube
from sandbox.kube import KubeStandIn
from sandbox.shop import inventory
from sandbox.shop.inventory import BACKEND, stamp
from sandbox.shop.simulation import Simulation, is_ready

Json = dict[str, Any]

CAUSE = "kubernetes.io/change-cause"


class World(Protocol):
    """What a fault may touch."""

    kube: KubeStandIn
    simulation: Simulation

    def now(self) -> datetime.datetime: ...


class Fault(Protocol):
    """`title` is what the page shows on its lever; `expect` what a person will see of it."""

    title: str
    expect: str

    def begin(self, world: World) -> None: ...

    def go_on(self, world: World) -> None:
        """Once a second while it lasts."""

    def end(self, world: World) -> None: ...


class CrashLoop:
    """The first backend pod ends soon after each start. Its replacement, if it is deleted, does so too."""

    title = "Crash loop of a backend pod"
    expect = "KubePodCrashLooping fires; `health cluster` names the pod; one endpoint fewer"
    LOG = '{"level":"info","msg":"Starting podinfo"}\n{"level":"fatal","msg":"redis: connection refused"}'

    def __init__(self) -> None:
        self._pod = ""

    def begin(self, world: World) -> None:
        pods = sorted(_backend_pods(world), key=lambda pod: str(pod["metadata"]["name"]))
        victims = [pod for pod in pods if is_ready(pod)]
        if victims:
            self._pod = victims[0]["metadata"]["name"]
            world.kube.behave(kube.CrashLoop(log=self.LOG), namespace=BACKEND.namespace, name=self._pod)

    def go_on(self, world: World) -> None:
        if world.kube.get("pods", self._pod, BACKEND.namespace) is None:
            self.begin(world)

    def end(self, world: World) -> None:
        world.kube.behave(kube.Healthy(), namespace=BACKEND.namespace, name=self._pod)


class Errors:
    """A fifth of all requests fails."""

    title = "Every fifth request fails"
    expect = "HighErrorRate fires; `health slo` shows the error rate and the budget going"
    SHARE = 0.2

    def begin(self, world: World) -> None:
        self._before = world.simulation.conditions.error_share
        world.simulation.conditions.error_share = self.SHARE
        self.go_on(world)

    def go_on(self, world: World) -> None:
        for pod in _backend_pods(world):
            line = (
                '{"level":"error","msg":"payment backend: timeout after 2s","path":"/api/info","status":500}'
            )
            world.kube.log(BACKEND.namespace, pod["metadata"]["name"], line)

    def end(self, world: World) -> None:
        world.simulation.conditions.error_share = self._before


class NodeNotReady:
    """A node's kubelet falls silent, with all that runs there."""

    title = "A node stops reporting"
    expect = "KubeNodeNotReady fires; targets on it are down; its pods leave the endpoints"

    def begin(self, world: World) -> None:
        pods = [pod for pod in world.kube.list("pods", BACKEND.namespace) if is_ready(pod)]
        hosts = [(pod["spec"].get("nodeName"), inventory.of_pod(pod)) for pod in pods]

        def worth(node: str) -> tuple[int, bool]:
            """One that serves, so that it is felt; not where the traffic comes from, or nothing would be."""
            return hosts.count((node, BACKEND)), (node, inventory.TRAFFIC) not in hosts

        self._node = max(sorted(node["metadata"]["name"] for node in world.kube.list("nodes")), key=worth)
        self._since = world.now()
        world.simulation.conditions.silent_nodes.add(self._node)
        self.go_on(world)

    def go_on(self, world: World) -> None:
        """Also what arrives there later is not ready."""
        node = world.kube.get("nodes", self._node)
        if node is None:
            return
        if all(condition["status"] != "Unknown" for condition in node["status"]["conditions"]):
            self._silence(world, node)
        for pod in _on(world, self._node):
            if is_ready(pod):
                _change_status(
                    world, "pods", pod["metadata"]["name"], self._not_ready, pod["metadata"]["namespace"]
                )

    def end(self, world: World) -> None:
        """The kubelet speaks again; that its pods are ready is then its own to say."""
        world.simulation.conditions.silent_nodes.discard(self._node)
        node = world.kube.get("nodes", self._node)
        if node is None:
            return
        conditions = inventory.node_conditions(world.now(), world.now())
        world.kube.apply({**node, "status": {**node["status"], "conditions": conditions}})

    def _silence(self, world: World, node: Json) -> None:
        """What the node lifecycle controller writes after 40 s without a heartbeat."""
        told = {
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastTransitionTime": stamp(self._since),
        }
        conditions = [{**condition, **told} for condition in node["status"]["conditions"]]
        world.kube.apply({**node, "status": {**node["status"], "conditions": conditions}})

    def _not_ready(self, status: Json) -> None:
        """Only the Ready condition: the containers are as they were when last heard of."""
        for condition in status["conditions"]:
            if condition["type"] == "Ready":
                condition |= {"status": "False", "lastTransitionTime": stamp(self._since)}


class BadRollout:
    """Somebody rolled out an image that nobody pushed: its first pod cannot start, the old ones go on.

    It was eight minutes ago: a pod that is young may be on its way, and is no trouble yet.
    """

    title = "A rollout of an image that is not there"
    expect = (
        "`health cluster` names the pod, `deploy history backend` what changed; `rollback backend` mends it"
    )
    AGO = datetime.timedelta(minutes=8)
    IMAGE = "stefanprodan/podinfo:6.5.1-rc1"
    REASON = "shop 2.5: podinfo 6.5.1-rc1"
    MESSAGE = f'failed to resolve reference "docker.io/{IMAGE}": docker.io/{IMAGE}: not found'

    def __init__(self) -> None:
        self._image, self._cause = "", ""
        self._aged: set[str] = set()

    def begin(self, world: World) -> None:
        world.kube.behave(kube.ImagePullError(self.MESSAGE), image=self.IMAGE)
        found = world.kube.get("deployments.apps", BACKEND.name, BACKEND.namespace)
        if found is not None:
            self._image = _image(found)
            self._cause = (found["metadata"].get("annotations") or {}).get(CAUSE, "")
            self._roll_out(world, found, self.IMAGE, self.REASON)
            world.kube.tick()  # which makes its first pod
            self.go_on(world)

    def go_on(self, world: World) -> None:
        """A rollback mends it, and is not fought."""
        for kind in ("replicasets.apps", "pods"):
            for found in world.kube.list(kind, BACKEND.namespace):
                name = found["metadata"]["name"]
                if name not in self._aged and _image(found) == self.IMAGE:
                    self._aged.add(name)
                    made = {"creationTimestamp": stamp(world.now() - self.AGO)}
                    world.kube.patch(kind, name, {"metadata": made}, BACKEND.namespace)

    def end(self, world: World) -> None:
        """The image from before, unless somebody has seen to it."""
        found = world.kube.get("deployments.apps", BACKEND.name, BACKEND.namespace)
        if found is not None and _image(found) == self.IMAGE:
            self._roll_out(world, found, self._image, self._cause)

    def _roll_out(self, world: World, deployment: Json, image: str, cause: str) -> None:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        change = {
            "metadata": {"annotations": {CAUSE: cause}},
            "spec": {"template": {"spec": {"containers": [container | {"image": image}]}}},
        }
        world.kube.patch("deployments.apps", BACKEND.name, change, BACKEND.namespace)


FAULTS: Mapping[str, Callable[[], Fault]] = {
    "crash-loop": CrashLoop,
    "errors": Errors,
    "node-not-ready": NodeNotReady,
    "bad-rollout": BadRollout,
}


def _image(owner: Json) -> str:
    """Of a pod, or of the template of what makes pods."""
    spec = owner["spec"].get("template", owner)["spec"]
    return str(spec["containers"][0]["image"])


def _backend_pods(world: World) -> list[Json]:
    return [pod for pod in world.kube.list("pods", BACKEND.namespace) if inventory.of_pod(pod) is BACKEND]


def _on(world: World, node: str) -> list[Json]:
    return [pod for pod in world.kube.list("pods") if pod["spec"].get("nodeName") == node]


def _change_status(
    world: World, kind: str, name: str, change: Callable[[Json], None], namespace: str = ""
) -> None:
    """Nothing when the object is gone: a fault must not bring back what somebody deleted."""
    with world.kube.store.lock:
        found = world.kube.get(kind, name, namespace)
        if found is None:
            return
        status = copy.deepcopy(found["status"])
        change(status)
        world.kube.apply({**found, "status": status})
