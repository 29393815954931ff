"""metrics.k8s.io: what metrics-server would say, or how it fails.

Owns the usage figures and the mode: `absent` (not installed), `unavailable` (its APIService has no
backend), `present`, and `partial` (present, with the nodes and pods named in `missing` left out). Figures
not set are derived from requests.
"""

from __future__ import annotations

from typing import Any, Literal

from sandbox.kube.catalog import Resource
from sandbox.kube.objects import Objects, Query
from sandbox.kube.quantity import number
from sandbox.kube.selectors import Predicate
from sandbox.kube.store import Entry

Json = dict[str, Any]
Mode = Literal["absent", "unavailable", "present", "partial"]

GROUP = "metrics.k8s.io"
VERSION = "v1beta1"
_IDLE_POD = {"cpu": "5m", "memory": "32Mi"}
_VERBS = ["get", "list"]


def _entry(plural: str, singular: str, kind: str, scope: str) -> Json:
    response = {"group": GROUP, "version": VERSION, "kind": kind}
    return {
        "resource": plural,
        "responseKind": response,
        "scope": scope,
        "singularResource": singular,
        "verbs": _VERBS,
    }


_ENTRIES = [
    _entry("nodes", "", "NodeMetrics", "Cluster"),
    _entry("pods", "", "PodMetrics", "Namespaced"),
]


class Metrics:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._nodes: dict[str, Json] = {}
        self._pods: dict[tuple[str, str], dict[str, Json]] = {}
        self.missing: set[str] = set()
        self.mode: Mode = "absent"

    def switch(self, mode: Mode) -> None:
        """Also changes discovery and the APIService, as installing or losing metrics-server would."""
        self.mode = mode
        catalog = self._objects.catalog
        catalog.remove_group(GROUP)
        services = catalog.named("apiservices")
        name = f"{VERSION}.{GROUP}"
        found = self._objects.find(services, "", name)
        if mode == "absent":
            if found is not None:
                self._objects.remove(services, found)
            return
        catalog.add_group(GROUP, VERSION, _ENTRIES, custom=False)
        catalog.mark_stale(GROUP, stale=mode == "unavailable")
        self._objects.seed(api_service(GROUP, VERSION, "metrics-server", available=mode != "unavailable"))

    def set_node(self, name: str, *, cpu: str, memory: str) -> None:
        self._nodes[name] = {"cpu": cpu, "memory": memory}

    def set_pod(self, namespace: str, name: str, **containers: Json) -> None:
        """`set_pod("shop", "web-1", app={"cpu": "250m", "memory": "64Mi"})`."""
        self._pods[namespace, name] = containers

    def one(self, resource: Resource, namespace: str, name: str) -> Json | None:
        source = self._objects.catalog.named(resource.plural, "")
        entry = self._objects.find(source, namespace, name)
        return self._measured(resource, entry) if entry is not None else None

    def many(self, resource: Resource, namespace: str, query: Query) -> list[Json]:
        source = self._objects.catalog.named(resource.plural, "")
        matches: Predicate = query.predicate(source)
        items = []
        for entry in self._objects.store.entries(source.storage):
            if (not namespace or entry.namespace == namespace) and matches(entry.obj):
                found = self._measured(resource, entry)
                if found is not None:
                    items.append(found)
        return items

    def _measured(self, resource: Resource, entry: Entry) -> Json | None:
        if self.mode == "partial" and entry.name in self.missing:
            return None
        metadata: Json = {"name": entry.name, "creationTimestamp": self._objects.now()}
        if entry.obj["metadata"].get("labels"):
            metadata["labels"] = entry.obj["metadata"]["labels"]
        if resource.namespaced:
            if (entry.obj.get("status") or {}).get("phase") != "Running":
                return None
            metadata["namespace"] = entry.namespace
        shown: Json = {"metadata": metadata, "timestamp": self._objects.now(), "window": "15s"}
        if resource.plural == "nodes":
            return {**shown, "usage": self._nodes.get(entry.name) or self._half(entry)}
        known = self._pods.get((entry.namespace, entry.name), {})
        containers = []
        for container in entry.obj["spec"]["containers"]:
            usage = known.get(container["name"]) or _requested(container)
            containers.append({"name": container["name"], "usage": usage})
        return {**shown, "containers": containers}

    def _half(self, entry: Entry) -> Json:
        """Without figures a node is taken for half used."""
        allocatable = (entry.obj.get("status") or {}).get("allocatable") or {}
        return {
            "cpu": f"{number(allocatable.get('cpu', '0')) / 2 * 1e9:.0f}n",
            "memory": f"{number(allocatable.get('memory', '0')) / 2 / 1024:.0f}Ki",
        }


def api_service(group: str, version: str, service: str, *, available: bool = True) -> Json:
    spec: Json = {"version": version, "groupPriorityMinimum": 100, "versionPriority": 100}
    if group:
        spec["group"] = group
    if service:
        spec["service"] = {"name": service, "namespace": "kube-system", "port": 443}
        reason, message = "Passed", "all checks passed"
        if not available:
            reason = "MissingEndpoints"
            message = (
                f'endpoints for service/{service} in "kube-system" have no addresses with port name "https"'
            )
    else:
        reason, message = "Local", "Local APIServices are always available"
    condition = {
        "type": "Available",
        "status": "True" if available else "False",
        "reason": reason,
        "message": message,
    }
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}"},
        "spec": spec,
        "status": {"conditions": [condition]},
    }


def _requested(container: Json) -> Json:
    requests = (container.get("resources") or {}).get("requests") or {}
    return {name: requests.get(name, idle) for name, idle in _IDLE_POD.items()}
