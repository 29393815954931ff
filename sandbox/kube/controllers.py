"""The control loops behind the API: each tick brings the cluster one step closer to what is wanted.

Owns the order of a tick and the loops that are not about workloads: namespaces, garbage, budgets, endpoint
slices, node taints. Autoscalers are never touched. A tick without any change since the last one is free.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sandbox.kube import build, workloads
from sandbox.kube.catalog import Resource
from sandbox.kube.defaults import NOT_READY, UNREACHABLE
from sandbox.kube.kubelet import Kubelet, Pace
from sandbox.kube.logs import PodLogs
from sandbox.kube.objects import DeleteOptions, Objects
from sandbox.kube.printers import parse_time
from sandbox.kube.recorder import Recorder
from sandbox.kube.scheduler import Scheduler
from sandbox.kube.selectors import matching
from sandbox.kube.store import Entry
from sandbox.kube.workloads import is_ready, share

__all__ = ["Controllers", "Pace"]

Json = dict[str, Any]

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_SERVICE_NAME = "kubernetes.io/service-name"
# A disrupted pod that is still there after so long is no longer counted as going.
DISRUPTION_SECONDS = 120.0


class Controllers:
    def __init__(self, objects: Objects, logs: PodLogs, pace: Pace) -> None:
        self._objects = objects
        recorder = Recorder(objects)
        self.kubelet = Kubelet(objects, logs, recorder, pace)
        self._scheduler = Scheduler(objects, self.kubelet, recorder)
        self._workloads = workloads.Workloads(objects, recorder)
        self._seen = -1

    def tick(self) -> None:
        with self._objects.store.lock:
            self.kubelet.renew_leases()
            revision = self._objects.store.revision
            if revision == self._seen and not self.kubelet.waiting and not self._workloads.waiting:
                return
            self._taint_nodes()
            self._empty_namespaces()
            self._collect_garbage()
            self._workloads.tick()
            self._scheduler.tick()
            self.kubelet.tick()
            self._workloads.report()
            self._budget()
            self._slice_endpoints()
            # What this tick wrote is news to the next one.
            self._seen = revision if self._objects.store.revision == revision else -1

    def _entries(self, kind: str) -> tuple[Resource, tuple[Entry, ...]]:
        resource = self._objects.catalog.named(kind)
        return resource, self._objects.store.entries(resource.storage)

    def _taint_nodes(self) -> None:
        nodes, entries = self._entries("nodes")
        for entry in entries:
            node = entry.obj
            wanted = _condition_taints(node)
            taints = list((node.get("spec") or {}).get("taints") or ())
            kept = [t for t in taints if t["key"] not in (NOT_READY, UNREACHABLE, UNSCHEDULABLE)]
            have = [t for t in taints if t not in kept]
            if sorted(map(_identity, have)) == sorted(map(_identity, wanted)):
                continue
            spec = {key: value for key, value in (node.get("spec") or {}).items() if key != "taints"}
            if kept or wanted:
                spec["taints"] = [*kept, *wanted]
            self._objects.store.put(nodes.storage, {**node, "metadata": dict(node["metadata"]), "spec": spec})

    def _empty_namespaces(self) -> None:
        namespaces, entries = self._entries("namespaces")
        for entry in entries:
            if not entry.obj["metadata"].get("deletionTimestamp"):
                continue
            left = 0
            for resource in self._objects.catalog.resources():
                if (
                    not resource.namespaced
                    or "list" not in resource.verbs
                    or resource.group == "metrics.k8s.io"
                ):
                    continue
                for item in self._objects.store.entries(resource.storage):
                    if item.namespace == entry.name:
                        left += 1
                        if not item.obj["metadata"].get("deletionTimestamp"):
                            self._objects.delete(resource, item.namespace, item.name, DeleteOptions())
            if not left:
                self._objects.remove(namespaces, entry)

    def _collect_garbage(self) -> None:
        """Dependents whose owners are all gone go too, and owners being deleted wait for theirs."""
        owned: dict[str, list[tuple[Resource, Entry]]] = defaultdict(list)
        present, leaving = set(), []
        storages = set(self._objects.store.keys())
        for resource in self._objects.catalog.resources():
            if resource.storage not in storages or "delete" not in resource.verbs:
                continue
            storages.discard(resource.storage)
            for entry in self._objects.store.entries(resource.storage):
                metadata = entry.obj["metadata"]
                present.add(metadata["uid"])
                for owner in metadata.get("ownerReferences") or ():
                    owned[owner["uid"]].append((resource, entry))
                if metadata.get("deletionTimestamp") and metadata.get("finalizers"):
                    leaving.append((resource, entry))
        for resource, entry in leaving:
            self._let_go(resource, entry, owned[entry.obj["metadata"]["uid"]])
        for uid, dependents in owned.items():
            if uid in present:
                continue
            for resource, entry in dependents:
                owners = entry.obj["metadata"].get("ownerReferences") or ()
                if not any(owner["uid"] in present for owner in owners):
                    self._drop(resource, entry)

    def _let_go(self, resource: Resource, entry: Entry, dependents: list[tuple[Resource, Entry]]) -> None:
        finalizers = entry.obj["metadata"]["finalizers"]
        if "orphan" in finalizers:
            for kind, dependent in dependents:
                self._disown(kind, dependent, entry.obj["metadata"]["uid"])
            self._finish(resource, entry, "orphan")
        elif "foregroundDeletion" in finalizers:
            for kind, dependent in dependents:
                self._drop(kind, dependent)
            if not dependents:
                self._finish(resource, entry, "foregroundDeletion")

    def _disown(self, resource: Resource, entry: Entry, uid: str) -> None:
        owners = [o for o in entry.obj["metadata"].get("ownerReferences") or () if o["uid"] != uid]
        self._merge(resource, entry, {"metadata": {"ownerReferences": owners or None}})

    def _finish(self, resource: Resource, entry: Entry, finalizer: str) -> None:
        left = [name for name in entry.obj["metadata"]["finalizers"] if name != finalizer]
        self._merge(resource, entry, {"metadata": {"finalizers": left or None}})

    def _merge(self, resource: Resource, entry: Entry, change: Json) -> None:
        how = "application/merge-patch+json"
        self._objects.patch(resource, entry.namespace, entry.name, change, how=how)

    def _drop(self, resource: Resource, entry: Entry) -> None:
        current = self._objects.find(resource, entry.namespace, entry.name)
        if current is not None and not current.obj["metadata"].get("deletionTimestamp"):
            self._objects.delete(resource, entry.namespace, entry.name, DeleteOptions())

    def _budget(self) -> None:
        budgets, entries = self._entries("poddisruptionbudgets")
        for entry in entries:
            self._objects.write_status(budgets, entry, self._budget_status(entry))

    def _budget_status(self, entry: Entry) -> Json:
        spec, before = entry.obj["spec"], entry.obj.get("status") or {}
        selects = matching(spec.get("selector"))
        pods = [
            pod.obj
            for pod in self._objects.store.entries(("", "pods"))
            if pod.namespace == entry.namespace and selects(pod.obj["metadata"].get("labels") or {})
        ]
        pods = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
        expected, desired = self._expected(spec, pods)
        disrupted = self._still_disrupted(before.get("disruptedPods") or {}, pods)
        healthy = sum(
            is_ready(pod)
            and not pod["metadata"].get("deletionTimestamp")
            and pod["metadata"]["name"] not in disrupted
            for pod in pods
        )
        allowed = max(healthy - desired, 0) if expected > 0 else 0
        told: Json = {
            "observedGeneration": entry.obj["metadata"].get("generation", 1),
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        if disrupted:
            told["disruptedPods"] = disrupted
        told["conditions"] = [self._budget_condition(before, allowed, told["observedGeneration"])]
        return told

    def _expected(self, spec: Json, pods: list[Json]) -> tuple[int, int]:
        """(expected pods, healthy pods wanted). Only a plain number of minAvailable needs no controllers."""
        minimum, maximum = spec.get("minAvailable"), spec.get("maxUnavailable")
        if isinstance(minimum, int):
            return len(pods), minimum
        scales = {}
        for pod in pods:
            controller = next(
                (o for o in pod["metadata"].get("ownerReferences") or () if o.get("controller")), None
            )
            if controller is not None:
                scales[controller["uid"]] = self._workloads.replicas_of(controller["uid"])
        expected = sum(scales.values())
        if minimum is not None:
            return expected, share(minimum, expected, up=True)
        return expected, max(expected - share(1 if maximum is None else maximum, expected, up=True), 0)

    def _still_disrupted(self, disrupted: Json, pods: list[Json]) -> Json:
        names = {pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}
        now = self._objects.clock()
        return {
            name: moment
            for name, moment in disrupted.items()
            if name in names and (now - parse_time(moment)).total_seconds() < DISRUPTION_SECONDS
        }

    def _budget_condition(self, before: Json, allowed: int, generation: int) -> Json:
        word = "True" if allowed > 0 else "False"
        for condition in before.get("conditions") or ():
            if condition["type"] == "DisruptionAllowed" and condition["status"] == word:
                return {**condition, "observedGeneration": generation}
        return {
            "type": "DisruptionAllowed",
            "status": word,
            "observedGeneration": generation,
            "lastTransitionTime": self._objects.now(),
            "reason": "SufficientPods" if allowed > 0 else "InsufficientPods",
            "message": "",
        }

    def _slice_endpoints(self) -> None:
        _, entries = self._entries("services")
        slices, existing = self._entries("endpointslices")
        for entry in entries:
            if not entry.obj["spec"].get("selector"):
                continue
            name = f"{entry.name}-{entry.obj['metadata']['uid'][:5]}"
            wanted = self._endpoint_slice(entry, name)
            found = self._objects.find(slices, entry.namespace, name)
            foreign = [item for item in existing if _is_of(item, entry) and item.name != name]
            if found is None and foreign:
                # Seeded by hand: somebody wants exactly these endpoints.
                continue
            if found is None or found.obj.get("endpoints") != wanted["endpoints"]:
                self._objects.seed(wanted)

    def _endpoint_slice(self, service: Entry, name: str) -> Json:
        spec = service.obj["spec"]
        selects = matching({"matchLabels": spec["selector"]})
        endpoints = []
        pods = []
        for pod in self._objects.store.entries(("", "pods")):
            if pod.namespace == service.namespace and selects(pod.obj["metadata"].get("labels") or {}):
                pods.append(pod.obj)
                if (pod.obj.get("status") or {}).get("podIP"):
                    endpoints.append(_endpoint(pod.obj))
        ports = [
            {
                "name": port.get("name", ""),
                "port": _number(port, pods),
                "protocol": port.get("protocol", "TCP"),
            }
            for port in spec.get("ports") or ()
        ]
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": build.meta(
                name,
                service.namespace,
                labels={_SERVICE_NAME: service.name},
                owner=build.owner_of(service.obj),
            ),
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        }


def _identity(taint: Json) -> tuple[str, str]:
    return taint["key"], taint["effect"]


def _condition_taints(node: Json) -> list[Json]:
    taints: list[Json] = []
    for condition in (node.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] != "True":
            key = UNREACHABLE if condition["status"] == "Unknown" else NOT_READY
            taints += [{"key": key, "effect": effect} for effect in ("NoSchedule", "NoExecute")]
    if (node.get("spec") or {}).get("unschedulable"):
        taints.append({"key": UNSCHEDULABLE, "effect": "NoSchedule"})
    return taints


def _is_of(item: Entry, service: Entry) -> bool:
    labels = item.obj["metadata"].get("labels") or {}
    return item.namespace == service.namespace and labels.get(_SERVICE_NAME) == service.name


def _endpoint(pod: Json) -> Json:
    going = bool(pod["metadata"].get("deletionTimestamp"))
    ready = is_ready(pod)
    metadata = pod["metadata"]
    target = {
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not going, "serving": ready, "terminating": going},
        "targetRef": target,
        "nodeName": pod["spec"].get("nodeName"),
    }


def _number(port: Json, pods: list[Json]) -> int:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for item in container.get("ports") or ():
                if item.get("name") == target:
                    return int(item["containerPort"])
    return int(port["port"])
