"""What goes wrong with machines and disks: one stops, a node's disk fills, a volume fills."""

from __future__ import annotations

from typing import Any

from sandbox.shop import inventory
from sandbox.shop.fault import Group, InShop, World, change_status, pods_on
from sandbox.shop.inventory import BACKEND, MACHINES, stamp
from sandbox.shop.simulation import IMAGES_USED, METRICS_USED, is_ready

Json = dict[str, Any]


class NodeNotReady(InShop):
    """EC2 stops a machine: its kubelet falls silent, with all that runs there."""

    group: Group = "nodes"
    title = "A machine is stopped, and its node stops reporting"
    expect = "KubeNodeNotReady fires, and says that EC2 stopped it; targets on it are down; its pods leave the endpoints"

    def begin(self, world: World) -> None:
        pods = [pod for pod in world.kube.list("pods", BACKEND.namespace) if is_ready(pod)]
        hosts = [(pod["spec"].get("nodeName"), inventory.of_pod(pod)) for pod in pods]

        def worth(node: str) -> tuple[int, bool]:
            """One that serves, so that it is felt; not where the traffic comes from, or nothing would be."""
            return hosts.count((node, BACKEND)), (node, inventory.TRAFFIC) not in hosts

        self._node = max(sorted(node["metadata"]["name"] for node in world.kube.list("nodes")), key=worth)
        self._since = world.now()
        world.outside.power(self._machine, is_on=False)
        world.simulation.conditions.silent_nodes.add(self._node)
        self.go_on(world)

    def go_on(self, world: World) -> None:
        """Also what arrives there later is not ready."""
        node = world.kube.get("nodes", self._node)
        if node is None:
            return
        if all(condition["status"] != "Unknown" for condition in node["status"]["conditions"]):
            self._silence(world, node)
        for pod in pods_on(world, self._node):
            if is_ready(pod):
                change_status(
                    world, "pods", pod["metadata"]["name"], self._not_ready, pod["metadata"]["namespace"]
                )

    def end(self, world: World) -> None:
        """The kubelet speaks again; that its pods are ready is then its own to say."""
        world.outside.power(self._machine, is_on=True)
        world.simulation.conditions.silent_nodes.discard(self._node)
        node = world.kube.get("nodes", self._node)
        if node is None:
            return
        conditions = inventory.node_conditions(world.now(), world.now())
        world.kube.apply({**node, "status": {**node["status"], "conditions": conditions}})

    @property
    def _machine(self) -> inventory.Machine:
        return next(each for each in MACHINES if each.name == self._node)

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


class DiskFilling(InShop):
    """The disk of a node's images and logs is nearly full, and a pod's log goes on filling it."""

    group: Group = "nodes"
    title = "A node's disk fills up"
    expect = "NodeFilesystemSpaceFillingUp fires: how full, how much is left, and for how many hours"
    FULL, EACH_SECOND = 0.91, 0.05 / 3600  # of the disk

    def begin(self, world: World) -> None:
        self._used = self.FULL
        self.go_on(world)

    def go_on(self, world: World) -> None:
        self._used = min(self._used + self.EACH_SECOND, 0.99)
        world.simulation.conditions.images_used[MACHINES[0].name] = self._used

    def end(self, world: World) -> None:
        """The kubelet has deleted images that nobody uses."""
        world.simulation.conditions.images_used[MACHINES[0].name] = IMAGES_USED


class VolumeFilling(InShop):
    """Prometheus' own volume is nearly full, and goes on filling."""

    group: Group = "nodes"
    title = "A volume fills up"
    expect = (
        "KubePersistentVolumeFillingUp fires: how long it lasts, who mounts it, and how large it should be"
    )
    FULL, EACH_SECOND = 0.93, 0.04 / 3600  # of the volume

    def begin(self, world: World) -> None:
        self._used = self.FULL
        self.go_on(world)

    def go_on(self, world: World) -> None:
        self._used = min(self._used + self.EACH_SECOND, 0.99)
        world.simulation.conditions.metrics_used = self._used

    def end(self, world: World) -> None:
        world.simulation.conditions.metrics_used = METRICS_USED
