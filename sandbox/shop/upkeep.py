"""What the controllers and kubelets of a cluster would write: statuses and endpoints, from the pods.

Owns the status of Deployments, ReplicaSets, DaemonSets and disruption budgets, the EndpointSlices and the
nodes' heartbeats. Each call brings all of them in line with the pods as they are now, and writes nothing
that has not changed. Called by the shop's clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.kube import KubeStandIn
from sandbox.shop.simulation import is_ready

Json = dict[str, Any]

_TRACKED = ("deployments.apps", "replicasets.apps", "daemonsets.apps")


def bring_up_to_date(kube: KubeStandIn) -> None:
    with kube.store.lock:
        for kind in _TRACKED:
            for obj in kube.list(kind):
                _write_status(kube, obj, _replicas_status(obj, _selected(kube, obj)))
        for budget in kube.list("poddisruptionbudgets.policy"):
            _write_status(kube, budget, _budget_status(budget, _selected(kube, budget)))
        for service in kube.list("services"):
            _write_slice(kube, service)


def _selected(kube: KubeStandIn, obj: Json) -> list[Json]:
    wanted = obj["spec"]["selector"].get("matchLabels") or {}
    return _with_labels(kube.list("pods", obj["metadata"]["namespace"]), wanted)


def _with_labels(pods: Iterable[Json], wanted: Json) -> list[Json]:
    return [pod for pod in pods if wanted.items() <= (pod["metadata"].get("labels") or {}).items()]


def _replicas_status(obj: Json, pods: list[Json]) -> Json:
    ready, total = sum(map(is_ready, pods)), len(pods)
    generation = obj["metadata"].get("generation", 1)
    if obj["kind"] == "DaemonSet":
        return {
            "currentNumberScheduled": total,
            "desiredNumberScheduled": total,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready,
            "updatedNumberScheduled": total,
            "observedGeneration": generation,
        } | ({"numberUnavailable": total - ready} if ready < total else {})
    told: Json = {"replicas": total, "observedGeneration": generation}
    if ready:
        told |= {"readyReplicas": ready, "availableReplicas": ready}
    if obj["kind"] == "ReplicaSet":
        return told | {"fullyLabeledReplicas": total}
    if ready < total:
        told["unavailableReplicas"] = total - ready
    return told | {"updatedReplicas": total, "conditions": _conditions(obj, ready)}


def _conditions(deployment: Json, ready: int) -> list[Json]:
    """At most a quarter may be missing: the default of a rolling update, rounded down."""
    replicas = deployment["spec"]["replicas"]
    is_available = ready >= replicas - replicas // 4
    word, reason = ("True", "Available") if is_available else ("False", "Unavailable")
    before = {c["type"]: c for c in (deployment.get("status") or {}).get("conditions") or ()}
    moment = deployment["metadata"]["creationTimestamp"]
    told = (
        ("Available", word, f"MinimumReplicas{reason}"),
        ("Progressing", "True", "NewReplicaSetAvailable"),
    )
    return [
        before[kind]
        if kind in before and before[kind]["status"] == status
        else {
            "type": kind,
            "status": status,
            "reason": why,
            "message": "",
            "lastTransitionTime": moment,
            "lastUpdateTime": moment,
        }
        for kind, status, why in told
    ]


def _budget_status(budget: Json, pods: list[Json]) -> Json:
    spec, healthy, expected = budget["spec"], sum(map(is_ready, pods)), len(pods)
    wanted = spec.get("minAvailable", expected - spec.get("maxUnavailable", 0))
    return {
        "currentHealthy": healthy,
        "desiredHealthy": wanted,
        "expectedPods": expected,
        "disruptionsAllowed": max(0, healthy - wanted),
        "observedGeneration": budget["metadata"].get("generation", 1),
    }


def _write_slice(kube: KubeStandIn, service: Json) -> None:
    metadata, selector = service["metadata"], service["spec"].get("selector")
    if not selector:
        return
    pods = _with_labels(kube.list("pods", metadata["namespace"]), selector)
    port = service["spec"]["ports"][0]
    number = next(
        (p["containerPort"] for pod in pods for p in pod["spec"]["containers"][0].get("ports", ())), 80
    )
    built: Json = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-x7k2p",
            "namespace": metadata["namespace"],
            "labels": {"kubernetes.io/service-name": metadata["name"]},
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(pod) for pod in pods if (pod.get("status") or {}).get("podIP")],
        "ports": [{"name": port["name"], "port": number, "protocol": "TCP"}],
    }
    before = kube.get("endpointslices.discovery.k8s.io", built["metadata"]["name"], metadata["namespace"])
    if before is None or before["endpoints"] != built["endpoints"]:
        kube.apply(built)


def _endpoint(pod: Json) -> Json:
    is_leaving, ready = bool(pod["metadata"].get("deletionTimestamp")), is_ready(pod)
    metadata = pod["metadata"]
    reference = {"kind": "Pod"} | {key: metadata[key] for key in ("name", "namespace", "uid")}
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": is_leaving},
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": reference,
    }


def _write_status(kube: KubeStandIn, obj: Json, status: Json) -> None:
    if obj.get("status") != status:
        kube.apply({**obj, "status": status})
