"""kube-state-metrics: what the cluster's objects say, as its series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.kube import KubeStandIn
from sandbox.shop.simulation import is_ready
from sandbox.shop.textformat import Labels, family, quantity

Json = dict[str, Any]

_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_UNITS = {"cpu": "core", "memory": "byte"}


def page(kube: KubeStandIn) -> str:
    families = (
        *_pod_families(kube.list("pods")),
        *_node_families(kube.list("nodes")),
        *_deployment_families(kube.list("deployments.apps")),
        *_autoscaler_families(kube.list("horizontalpodautoscalers.autoscaling")),
    )
    return "".join(families)


def _pod_families(pods: Iterable[Json]) -> Iterable[str]:
    phases: list[tuple[Labels, float]] = []
    ready: list[tuple[Labels, float]] = []
    info: list[tuple[Labels, float]] = []
    resources: dict[str, list[tuple[Labels, float]]] = {"requests": [], "limits": []}
    restarts: list[tuple[Labels, float]] = []
    waiting: list[tuple[Labels, float]] = []
    ended: list[tuple[Labels, float]] = []
    for pod in pods:
        metadata, told = pod["metadata"], pod.get("status") or {}
        of = {"namespace": metadata["namespace"], "pod": metadata["name"], "uid": metadata["uid"]}
        node = pod["spec"].get("nodeName", "")
        phases += [({**of, "phase": phase}, told.get("phase") == phase) for phase in _PHASES]
        word = "true" if is_ready(pod) else "false"
        ready += [({**of, "condition": each}, each == word) for each in ("true", "false", "unknown")]
        info.append(({**of, "node": node, "pod_ip": told.get("podIP", "")}, 1))
        for container in pod["spec"]["containers"]:
            for kind, rows in resources.items():
                given = ((container.get("resources") or {}).get(kind) or {}).items()
                where = {**of, "container": container["name"], "node": node}
                rows += [
                    ({**where, "resource": r, "unit": _UNITS.get(r, "integer")}, quantity(v))
                    for r, v in given
                ]
        for status in told.get("containerStatuses") or ():
            where = {**of, "container": status["name"]}
            restarts.append((where, status.get("restartCount", 0)))
            reason = ((status.get("state") or {}).get("waiting") or {}).get("reason")
            waiting += [({**where, "reason": reason}, 1)] if reason else []
            last = ((status.get("lastState") or {}).get("terminated") or {}).get("reason")
            ended += [({**where, "reason": last}, 1)] if last else []
    yield family("kube_pod_status_phase", "gauge", phases)
    yield family("kube_pod_status_ready", "gauge", ready)
    yield family("kube_pod_info", "gauge", info)
    for kind, rows in resources.items():
        yield family(f"kube_pod_container_resource_{kind}", "gauge", rows)
    yield family("kube_pod_container_status_restarts_total", "counter", restarts)
    yield family("kube_pod_container_status_waiting_reason", "gauge", waiting)
    yield family("kube_pod_container_status_last_terminated_reason", "gauge", ended)


def _node_families(nodes: Iterable[Json]) -> Iterable[str]:
    conditions: list[tuple[Labels, float]] = []
    allocatable: list[tuple[Labels, float]] = []
    cordoned: list[tuple[Labels, float]] = []
    for node in nodes:
        of = {"node": node["metadata"]["name"]}
        for condition in node["status"].get("conditions") or ():
            where = {**of, "condition": condition["type"]}
            word = condition["status"].lower()
            conditions += [({**where, "status": each}, each == word) for each in ("true", "false", "unknown")]
        for resource, value in node["status"].get("allocatable", {}).items():
            unit = _UNITS.get(resource, "integer")
            name = resource.replace("-", "_")
            allocatable.append(({**of, "resource": name, "unit": unit}, quantity(value)))
        cordoned.append((of, bool(node["spec"].get("unschedulable"))))
    yield family("kube_node_status_condition", "gauge", conditions)
    yield family("kube_node_status_allocatable", "gauge", allocatable)
    yield family("kube_node_spec_unschedulable", "gauge", cordoned)


def _deployment_families(deployments: Iterable[Json]) -> Iterable[str]:
    wanted: list[tuple[Labels, float]] = []
    available: list[tuple[Labels, float]] = []
    conditions: list[tuple[Labels, float]] = []
    for deployment in deployments:
        metadata = deployment["metadata"]
        of = {"namespace": metadata["namespace"], "deployment": metadata["name"]}
        wanted.append((of, deployment["spec"].get("replicas", 1)))
        told = deployment.get("status") or {}
        available.append((of, told.get("availableReplicas", 0)))
        for condition in told.get("conditions") or ():
            where, word = {**of, "condition": condition["type"]}, condition["status"].lower()
            conditions += [({**where, "status": each}, each == word) for each in ("true", "false", "unknown")]
    yield family("kube_deployment_spec_replicas", "gauge", wanted)
    yield family("kube_deployment_status_replicas_available", "gauge", available)
    yield family("kube_deployment_status_condition", "gauge", conditions)


def _autoscaler_families(autoscalers: Iterable[Json]) -> Iterable[str]:
    rows: dict[str, list[tuple[Labels, float]]] = {"most": [], "least": [], "now": [], "wanted": []}
    for each in autoscalers:
        spec, told = each["spec"], each.get("status") or {}
        of = {
            "namespace": each["metadata"]["namespace"],
            "horizontalpodautoscaler": each["metadata"]["name"],
        }
        rows["most"].append((of, spec["maxReplicas"]))
        rows["least"].append((of, spec.get("minReplicas", 1)))
        rows["now"].append((of, told.get("currentReplicas", 0)))
        rows["wanted"].append((of, told.get("desiredReplicas", 0)))
    yield family("kube_horizontalpodautoscaler_spec_max_replicas", "gauge", rows["most"])
    yield family("kube_horizontalpodautoscaler_spec_min_replicas", "gauge", rows["least"])
    yield family("kube_horizontalpodautoscaler_status_current_replicas", "gauge", rows["now"])
    yield family("kube_horizontalpodautoscaler_status_desired_replicas", "gauge", rows["wanted"])
