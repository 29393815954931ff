"""Object mothers: Kubernetes objects as plain dicts with sensible defaults, valid on a real API server.

Pure functions; what they leave out is what the server defaults. Used by tests, the sandbox and benchmarks.
`status` of a built object is kept by `KubeStandIn.apply` and ignored by a real server's create.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Labels = Mapping[str, str]

IMAGE = "registry.example.com/shop/app:1.4.2"
KUBELET = "v1.36.3"
MOMENT = "2026-01-05T08:00:00Z"


def meta(
    name: str,
    namespace: str = "",
    *,
    labels: Labels | None = None,
    annotations: Labels | None = None,
    owner: Json | None = None,
    created: str = "",
    uid: str = "",
) -> Json:
    metadata: Json = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    if owner:
        metadata["ownerReferences"] = [owner if "controller" in owner else owner_of(owner)]
    if created:
        metadata["creationTimestamp"] = created
    if uid:
        metadata["uid"] = uid
    return metadata


def image_id(image: str) -> str:
    """What a kubelet that pulled it says: the same digest on every node, another for every tag."""
    return f"{image.partition(':')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def owner_of(obj: Json) -> Json:
    """The controller reference to a stored object."""
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def namespace(name: str, *, labels: Labels | None = None) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name, labels=labels)}


def node(
    name: str,
    *,
    ready: bool | None = True,
    unschedulable: bool = False,
    zone: str = "eu-west-1a",
    group: str = "general",
    instance_type: str = "m6i.xlarge",
    labels: Labels | None = None,
    annotations: Labels | None = None,
    taints: Sequence[Json] = (),
    capacity: Labels | None = None,
    conditions: Labels | None = None,
    created: str = "",
) -> Json:
    """`ready=None` is Unknown; `conditions` adds e.g. `{"MemoryPressure": "True"}`."""
    number = sum(name.encode()) % 65_000 + 256
    resources = {"cpu": "4", "memory": "16Gi", "pods": "58", "ephemeral-storage": "80Gi", **(capacity or {})}
    spec: Json = {"providerID": f"aws:///{zone}/i-{abs(number):017x}"}
    if unschedulable:
        spec["unschedulable"] = True
    if taints:
        spec["taints"] = list(taints)
    word = {True: "True", False: "False", None: "Unknown"}[ready]
    states = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": word}
    states |= conditions or {}
    common = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": instance_type,
        "topology.kubernetes.io/region": zone.rstrip("abcdef"),
        "topology.kubernetes.io/zone": zone,
        "eks.amazonaws.com/nodegroup": group,
    }
    status = {
        "capacity": resources,
        "allocatable": resources,
        "conditions": [_node_condition(kind, value) for kind, value in states.items()],
        "addresses": [
            {"type": "InternalIP", "address": f"10.20.{number // 256 % 256}.{number % 256}"},
            {"type": "Hostname", "address": name},
        ],
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": "b7d5f5a1-3b4c-4c59-9d5f-0d5f5a1b7d5f",
            "containerRuntimeVersion": "containerd://2.1.5",
            "kernelVersion": "6.12.55-74.119.amzn2023.x86_64",
            "kubeProxyVersion": KUBELET,
            "kubeletVersion": KUBELET,
            "machineID": "ec2b7d5f5a13b4c4c599d5f0d5f5a1b7",
            "operatingSystem": "linux",
            "osImage": "Amazon Linux 2023.9",
            "systemUUID": "ec2b7d5f-5a13-b4c4-c599-d5f0d5f5a1b7",
        },
    }
    metadata = meta(name, labels={**common, **(labels or {})}, annotations=annotations, created=created)
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec, "status": status}


def _node_condition(kind: str, value: str) -> Json:
    reasons = {"True": f"Kubelet{kind}", "False": f"KubeletHasNo{kind}", "Unknown": "NodeStatusUnknown"}
    reason = reasons[value]
    if kind == "Ready" and value != "Unknown":
        reason = "KubeletReady" if value == "True" else "KubeletNotReady"
    message = "Kubelet stopped posting node status." if value == "Unknown" else f"{kind} is {value}"
    return {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": MOMENT,
        "lastTransitionTime": MOMENT,
    }


def container(
    name: str = "app",
    *,
    image: str = IMAGE,
    requests: Labels | None = None,
    limits: Labels | None = None,
    ports: Sequence[int] = (8080,),
    **fields: Any,
) -> Json:
    built: Json = {"name": name, "image": image, **fields}
    if ports:
        built["ports"] = [{"name": f"port-{number}", "containerPort": number} for number in ports]
    resources: Json = {
        "requests": dict(requests if requests is not None else {"cpu": "100m", "memory": "128Mi"})
    }
    if limits:
        resources["limits"] = dict(limits)
    return {**built, "resources": resources}


def pod(
    name: str,
    namespace: str = "default",
    *,
    node: str = "",
    labels: Labels | None = None,
    annotations: Labels | None = None,
    owner: Json | None = None,
    phase: str = "",
    ready: bool | None = None,
    containers: Sequence[Json] | None = None,
    restarts: int = 0,
    waiting: str = "",
    terminated: Json | None = None,
    status: Json | None = None,
    created: str = "",
    uid: str = "",
    **spec: Any,
) -> Json:
    """Running and ready when it has a node, pending otherwise, unless told. `waiting` is the reason all
    containers wait for, e.g. CrashLoopBackOff; `terminated` their last or, when the phase is final, their
    only end; `status` overrides fields of the status; `spec` are further fields of the spec."""
    built = list(containers if containers is not None else [container()])
    phase = phase or ("Running" if node else "Pending")
    if ready is None:
        ready = phase == "Running" and not waiting
    full: Json = {"containers": built, **spec}
    if node:
        full["nodeName"] = node
    metadata = meta(
        name,
        namespace,
        labels=labels if labels is not None else {"app": name},
        annotations=annotations,
        owner=owner,
        created=created,
        uid=uid,
    )
    told = pod_status(
        full,
        phase=phase,
        ready=ready,
        restarts=restarts,
        waiting=waiting,
        terminated=terminated,
        started=created,
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": full,
        "status": told | (status or {}),
    }


def pod_status(
    spec: Json,
    *,
    phase: str = "Running",
    ready: bool = True,
    restarts: int = 0,
    waiting: str = "",
    terminated: Json | None = None,
    ip: str = "10.20.200.7",
    started: str = "",
) -> Json:
    """The status a kubelet would report for such a pod."""
    moment = started or MOMENT
    told: Json = {"phase": phase, "qosClass": "Burstable"}
    if not spec.get("nodeName"):
        unscheduled = {"status": "False", "reason": "Unschedulable", "message": "0/0 nodes are available."}
        return told | {"conditions": [{"type": "PodScheduled", "lastTransitionTime": moment, **unscheduled}]}
    states = []
    for each in spec["containers"]:
        states.append(_container_status(each, phase, ready, restarts, waiting, terminated, moment))
    words = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    told["conditions"] = [
        {"type": kind, "status": "True" if true else "False", "lastTransitionTime": moment}
        for kind, true in words.items()
    ]
    told |= {"startTime": moment, "hostIP": "10.20.1.1", "containerStatuses": states}
    if phase == "Running":
        told |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    return told


def _container_status(
    each: Json, phase: str, ready: bool, restarts: int, waiting: str, terminated: Json | None, moment: str
) -> Json:
    ended = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": moment,
        "finishedAt": moment,
        **(terminated or {}),
    }
    told: Json = {
        "name": each["name"],
        "image": each["image"],
        "imageID": image_id(each["image"]) if phase == "Running" else "",
        "ready": ready,
        "started": phase == "Running" and not waiting,
        "restartCount": restarts,
        "lastState": {},
    }
    if phase in ("Succeeded", "Failed"):
        succeeded = {"exitCode": 0, "reason": "Completed"} if phase == "Succeeded" else {}
        told["state"] = {"terminated": {**ended, **succeeded, **(terminated or {})}}
        return told
    if restarts:
        told["lastState"] = {"terminated": ended}
    if waiting or phase == "Pending":
        told["state"] = {"waiting": {"reason": waiting or "ContainerCreating"}}
    else:
        told["state"] = {"running": {"startedAt": moment}}
    return told


def _template(name: str, labels: Labels, containers: Sequence[Json] | None, image: str, spec: Json) -> Json:
    built = list(containers if containers is not None else [container(image=image)])
    return {"metadata": {"labels": dict(labels)}, "spec": {"containers": built, **spec}}


def deployment(
    name: str,
    namespace: str = "default",
    *,
    replicas: int = 1,
    image: str = IMAGE,
    labels: Labels | None = None,
    annotations: Labels | None = None,
    containers: Sequence[Json] | None = None,
    template: Json | None = None,
    **spec: Any,
) -> Json:
    """`template` are further fields of the pod spec; `spec` of the deployment's."""
    chosen = dict(labels or {"app": name})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(name, namespace, labels=chosen, annotations=annotations),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": chosen},
            "template": _template(name, chosen, containers, image, template or {}),
            **spec,
        },
    }


def replicaset(
    name: str, namespace: str = "default", *, owner: Json | None = None, revision: int = 1, **given: Any
) -> Json:
    built = deployment(name, namespace, **given) | {"kind": "ReplicaSet"}
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    metadata = meta(name, namespace, labels=built["metadata"]["labels"], annotations=annotations, owner=owner)
    return {**built, "metadata": metadata}


def statefulset(name: str, namespace: str = "default", **given: Any) -> Json:
    built = deployment(name, namespace, **given) | {"kind": "StatefulSet"}
    built["spec"].setdefault("serviceName", name)
    return built


def daemonset(name: str, namespace: str = "default", **given: Any) -> Json:
    built = deployment(name, namespace, **given) | {"kind": "DaemonSet"}
    del built["spec"]["replicas"]
    return built


def job(name: str, namespace: str = "default", *, image: str = IMAGE, **spec: Any) -> Json:
    template = {"spec": {"restartPolicy": "Never", "containers": [container(image=image, ports=())]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta(name, namespace),
        "spec": {"template": template, **spec},
    }


def service(
    name: str,
    namespace: str = "default",
    *,
    selector: Labels | None = None,
    port: int = 80,
    target_port: int | str = 8080,
    port_name: str = "http",
    **spec: Any,
) -> Json:
    chosen = dict(selector if selector is not None else {"app": name})
    ports = [{"name": port_name, "port": port, "targetPort": target_port}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(name, namespace, labels={"app": name}),
        "spec": {"selector": chosen, "ports": ports, **spec},
    }


def pdb(
    name: str,
    namespace: str = "default",
    *,
    selector: Labels | None = None,
    min_available: int | str | None = None,
    max_unavailable: int | str | None = None,
    status: Json | None = None,
    **spec: Any,
) -> Json:
    """One of the two bounds; neither is `max_unavailable=1`. `selector={}` matches the whole namespace.
    `status` is what the disruption controller would compute, for tests that run without ticks."""
    if min_available is None and max_unavailable is None:
        max_unavailable = 1
    bounds = {"minAvailable": min_available, "maxUnavailable": max_unavailable}
    chosen: Json = {"matchLabels": dict(selector)} if selector else {}
    if selector is None:
        chosen = {"matchLabels": {"app": name}}
    full = {"selector": chosen, **{key: value for key, value in bounds.items() if value is not None}, **spec}
    built: Json = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta(name, namespace),
        "spec": full,
    }
    if status is not None:
        built["status"] = {"observedGeneration": 1, "expectedPods": 0, **status}
    return built


def endpointslice(
    service: str,
    namespace: str = "default",
    *,
    name: str = "",
    ready: Sequence[str] = (),
    not_ready: Sequence[str] = (),
    port: int = 8080,
) -> Json:
    """`ready` and `not_ready` are addresses."""
    endpoints = [
        {"addresses": [address], "conditions": {"ready": True, "serving": True}} for address in ready
    ]
    endpoints += [
        {"addresses": [address], "conditions": {"ready": False, "serving": False}} for address in not_ready
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": meta(
            name or f"{service}-x7k2p", namespace, labels={"kubernetes.io/service-name": service}
        ),
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


def event(
    name: str,
    namespace: str = "default",
    *,
    about: Json,
    reason: str,
    message: str = "",
    type: str = "Warning",
    count: int = 1,
    first: str = MOMENT,
    last: str = MOMENT,
) -> Json:
    """`about` is the object it is about."""
    involved = {"kind": about["kind"], "apiVersion": about["apiVersion"], "name": about["metadata"]["name"]}
    for field in ("namespace", "uid"):
        if about["metadata"].get(field):
            involved[field] = about["metadata"][field]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": meta(name, namespace),
        "involvedObject": involved,
        "reason": reason,
        "message": message or reason,
        "type": type,
        "count": count,
        "source": {"component": "kubelet"},
        "firstTimestamp": first,
        "lastTimestamp": last,
    }


def hpa(
    name: str,
    namespace: str = "default",
    *,
    target: str = "",
    kind: str = "Deployment",
    low: int = 1,
    high: int = 5,
    **spec: Any,
) -> Json:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": target or name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta(name, namespace),
        "spec": {"scaleTargetRef": reference, "minReplicas": low, "maxReplicas": high, **spec},
    }
