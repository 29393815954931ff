"""The scheduler: puts pending pods on nodes that are ready, tolerated and have room.

Considers readiness, cordons, taints, node selectors, requests and the pod limit; no affinity, spreading or
preemption. The emptiest fitting node wins.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sandbox.kube.behaviours import Unschedulable
from sandbox.kube.kubelet import Kubelet
from sandbox.kube.objects import Objects
from sandbox.kube.quantity import number
from sandbox.kube.recorder import Recorder

Json = dict[str, Any]


@dataclass(slots=True)
class _Room:
    """A node with what its pods have left of it."""

    node: Json
    cpu: float
    memory: float
    slots: float
    pods: int = 0

    def take(self, pod: Json) -> None:
        cpu, memory = requested(pod["spec"])
        self.cpu, self.memory, self.slots = self.cpu - cpu, self.memory - memory, self.slots - 1
        self.pods += 1


def requested(spec: Json) -> tuple[float, float]:
    cpu = memory = 0.0
    for container in spec["containers"]:
        requests = (container.get("resources") or {}).get("requests") or {}
        cpu += number(requests.get("cpu", 0))
        memory += number(requests.get("memory", 0))
    return cpu, memory


def tolerates(tolerations: list[Json], taint: Json) -> bool:
    for toleration in tolerations:
        if toleration.get("effect") not in (None, "", taint["effect"]):
            continue
        key = toleration.get("key")
        if toleration.get("operator") == "Exists":
            if key in (None, "", taint["key"]):
                return True
        elif key == taint["key"] and toleration.get("value", "") == taint.get("value", ""):
            return True
    return False


def refuses(node: Json, spec: Json) -> str:
    """Why the node will not have it, as in the message of the scheduler; empty when it will."""
    if (node.get("spec") or {}).get("unschedulable"):
        return "node(s) were unschedulable"
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint["effect"] != "PreferNoSchedule" and not tolerates(spec.get("tolerations") or [], taint):
            value = f"{taint['key']}: {taint.get('value', '')}"
            return f"node(s) had untolerated taint {{{value}}}"
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return "node(s) didn't match Pod's node affinity/selector"
    return ""


class Scheduler:
    def __init__(self, objects: Objects, kubelet: Kubelet, recorder: Recorder) -> None:
        self._objects = objects
        self._kubelet = kubelet
        self._recorder = recorder

    def tick(self) -> None:
        pods = self._objects.catalog.named("pods", "")
        entries = self._objects.store.entries(pods.storage)
        pending = [entry for entry in entries if _waits(entry.obj)]
        if not pending:
            return
        rooms = self._rooms([entry.obj for entry in entries])
        for entry in pending:
            pod = entry.obj
            behaviour = self._kubelet.behaviour_of(pod)
            if isinstance(behaviour, Unschedulable):
                self._give_up(pod, Counter({behaviour.message: len(rooms)}), len(rooms))
                continue
            why: Counter[str] = Counter()
            fitting = []
            for room in rooms:
                refusal = refuses(room.node, pod["spec"]) or _too_full(room, pod)
                if refusal:
                    why[refusal] += 1
                else:
                    fitting.append(room)
            if not fitting:
                self._give_up(pod, why, len(rooms))
                continue
            chosen = min(fitting, key=lambda room: room.pods)
            chosen.take(pod)
            bound = self._objects.bind(pods, pod, chosen.node["metadata"]["name"])
            where = f"{entry.namespace}/{entry.name} to {chosen.node['metadata']['name']}"
            self._recorder.record(
                bound, "Scheduled", f"Successfully assigned {where}", component="default-scheduler"
            )

    def _rooms(self, pods: list[Json]) -> list[_Room]:
        rooms = {}
        for entry in self._objects.store.entries(("", "nodes")):
            allocatable = (entry.obj.get("status") or {}).get("allocatable") or {}
            cpu, memory, slots = (number(allocatable.get(name, 0)) for name in ("cpu", "memory", "pods"))
            rooms[entry.name] = _Room(entry.obj, cpu, memory, slots)
        for pod in pods:
            room = rooms.get(pod["spec"].get("nodeName", ""))
            if room is not None and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                room.take(pod)
        return list(rooms.values())

    def _give_up(self, pod: Json, why: Counter[str], nodes: int) -> None:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(why.items()))
        message = (
            f"0/{nodes} nodes are available: {reasons}." if why else "no nodes available to schedule pods"
        )
        told = pod.get("status") or {}
        conditions = told.get("conditions") or ()
        if any(item["type"] == "PodScheduled" and item.get("message") == message for item in conditions):
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastTransitionTime": self._objects.now(),
            "reason": "Unschedulable",
            "message": message,
        }
        pods = self._objects.catalog.named("pods", "")
        entry = self._objects.get(pods, pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._objects.write_status(pods, entry, {**told, "conditions": [condition]})
        self._recorder.record(pod, "FailedScheduling", message, component="default-scheduler", warning=True)


def _waits(pod: Json) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not spec.get("schedulingGates")
        and not pod["metadata"].get("deletionTimestamp")
        and (pod.get("status") or {}).get("phase", "Pending") == "Pending"
    )


def _too_full(room: _Room, pod: Json) -> str:
    cpu, memory = requested(pod["spec"])
    if room.slots < 1:
        return "Too many pods"
    if cpu > room.cpu:
        return "Insufficient cpu"
    return "Insufficient memory" if memory > room.memory else ""
