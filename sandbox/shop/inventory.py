"""What is in the manual's cluster when it opens, as Kubernetes objects.

Owns the shop, the monitoring stack, what EKS brings along, and the three machines, each as one line of
data below. Names and uids are derived, not random, so that a second start finds the same pods and
Prometheus' series go on. Pure: builds dicts, stores nothing.
"""

from __future__ import annotations

import datetime
import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Json = dict[str, Any]

CLUSTER = "sre-training-cluster"
REGION = "eu-central-1"
NODEGROUP = "sre-training-nodes"
KUBERNETES = "v1.36.3"

SHOP, MONITORING, SYSTEM, BOT = "sre-shop", "monitoring", "kube-system", "sre-bot"
NAMESPACES = (SHOP, MONITORING, SYSTEM, BOT)

CORES, MEMORY_MIB, DISK_GIB = 2, 7_934, 80
IMAGES_GIB, VOLUME_GIB = 50, 20  # of a node's second disk, and of a claim
# What EKS leaves to pods of an m5.large.
ALLOCATABLE_CPU, ALLOCATABLE_MIB, MAX_PODS = "1930m", 7_076, 29

AGE = datetime.timedelta(days=12)


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    address: str
    zone: str
    instance: str

    @property
    def subnet(self) -> str:
        return self.address.rpartition(".")[0]


def _machine(number: int) -> Machine:
    address = f"10.0.{number}.{20 + 31 * number}"
    instance = "i-0" + hashlib.sha256(address.encode()).hexdigest()[:16]
    name = f"ip-{address.replace('.', '-')}.{REGION}.compute.internal"
    return Machine(name, address, f"{REGION}{'abc'[number - 1]}", instance)


MACHINES = tuple(_machine(number) for number in (1, 2, 3))


@dataclass(frozen=True, slots=True)
class Workload:
    """`cpu` and `memory` are what one pod really uses, in cores and MiB; `port` 0 is none."""

    kind: Literal["Deployment", "DaemonSet"]
    namespace: str
    name: str
    image: str
    replicas: int = 1
    port: int = 0
    requests: tuple[str, str] = ("50m", "64Mi")
    limits: tuple[str, str] = ("", "")
    cpu: float = 0.01
    memory: float = 40
    has_probes: bool = False
    on_host: bool = False
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    is_packed: bool = False  # all replicas on one machine
    claim: str = ""  # of the volume that its one pod mounts


@dataclass(frozen=True, slots=True)
class Revision:
    """A template that a Deployment has, or once had: made so long ago for that reason."""

    workload: Workload
    age: datetime.timedelta = AGE
    cause: str = ""


BACKEND = Workload(
    "Deployment",
    SHOP,
    "backend",
    "stefanprodan/podinfo:6.5.0",
    replicas=3,
    port=8080,
    requests=("100m", "128Mi"),
    limits=("500m", "256Mi"),
    memory=54,
    has_probes=True,
    env=(("PODINFO_LEVEL", "info"), ("PODINFO_UI_MESSAGE", "shop 2.4")),
)
# Oldest first; the last one is what runs.
_FIRST = replace(
    BACKEND,
    image="stefanprodan/podinfo:6.4.0",
    limits=("250m", "128Mi"),
    requests=("100m", "64Mi"),
    env=(("PODINFO_LEVEL", "debug"),),
)
_SECOND = replace(
    BACKEND,
    image="stefanprodan/podinfo:6.4.1",
    env=(("PODINFO_LEVEL", "debug"), ("PODINFO_UI_MESSAGE", "shop 2.3")),
)
_DAY = datetime.timedelta(days=1)
BACKEND_REVISIONS: Sequence[Revision] = (
    Revision(_FIRST, 12 * _DAY, "shop 2.2: first rollout"),
    Revision(_SECOND, 9 * _DAY, "shop 2.3: more memory after the bad afternoon"),
    Revision(BACKEND, 2 * _DAY, "shop 2.4: podinfo 6.5.0, quieter log"),
)
TRAFFIC = Workload(
    "Deployment", SHOP, "traffic-generator", "curlimages/curl:8.16.0", limits=("200m", "128Mi")
)

WORKLOADS: Sequence[Workload] = (
    BACKEND,
    TRAFFIC,
    Workload(
        "Deployment",
        MONITORING,
        "prometheus",
        "prom/prometheus:v2.42.0",
        port=9090,
        requests=("250m", "512Mi"),
        limits=("1", "1Gi"),
        cpu=0.08,
        memory=310,
        claim="prometheus-data",
    ),
    Workload(
        "Deployment",
        MONITORING,
        "alertmanager",
        "prom/alertmanager:v0.25.0",
        port=9093,
        limits=("200m", "128Mi"),
        memory=28,
    ),
    Workload(
        "Deployment",
        MONITORING,
        "grafana",
        "grafana/grafana:12.3.0",
        port=3000,
        requests=("100m", "128Mi"),
        limits=("500m", "512Mi"),
        memory=140,
    ),
    Workload(
        "Deployment",
        MONITORING,
        "kube-state-metrics",
        "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.17.0",
        port=8080,
    ),
    Workload("DaemonSet", MONITORING, "node-exporter", "prom/node-exporter:v1.10.2", port=9100, on_host=True),
    Workload(
        "DaemonSet", SYSTEM, "aws-node", "amazon-k8s-cni:v1.20.4", requests=("25m", "64Mi"), on_host=True
    ),
    Workload("DaemonSet", SYSTEM, "kube-proxy", "kube-proxy:v1.36.3-eksbuild.1", on_host=True),
    Workload(
        "Deployment",
        SYSTEM,
        "coredns",
        "coredns:v1.12.4-eksbuild.1",
        replicas=2,
        port=53,
        requests=("100m", "70Mi"),
        limits=("", "170Mi"),
    ),
    # EKS asks for two machines and does not insist. A drain has to let them go one after the other.
    Workload(
        "Deployment",
        SYSTEM,
        "metrics-server",
        "metrics-server:v0.8.0-eksbuild.2",
        replicas=2,
        port=10250,
        is_packed=True,
    ),
    Workload("Deployment", SYSTEM, "aws-load-balancer-controller", "aws-load-balancer-controller:v2.14.1"),
    Workload(
        "Deployment",
        SYSTEM,
        "cluster-autoscaler",
        "registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.0",
        args=(
            "--scale-down-delay-after-add=10m",
            "--scale-down-unneeded-time=10m",
            "--scale-down-utilization-threshold=0.7",
        ),
    ),
)

# Service name, namespace, workload behind it, port.
SERVICES: Sequence[tuple[str, str, str, int]] = (
    ("backend-service", SHOP, "backend", 8080),
    ("prometheus-service", MONITORING, "prometheus", 9090),
    ("alertmanager", MONITORING, "alertmanager", 9093),
    ("grafana", MONITORING, "grafana", 3000),
    ("kube-state-metrics", MONITORING, "kube-state-metrics", 8080),
    ("kube-dns", SYSTEM, "coredns", 53),
    ("metrics-server", SYSTEM, "metrics-server", 443),
)

BUDGETS: Sequence[tuple[str, str, Mapping[str, int]]] = (
    ("backend", SHOP, {"minAvailable": 2}),
    ("coredns", SYSTEM, {"maxUnavailable": 1}),
    ("metrics-server", SYSTEM, {"maxUnavailable": 1}),
)


def objects(now: datetime.datetime, without: Iterable[str] = ()) -> list[Json]:
    """Everything, in an order in which owners come before what they own.

    `without` names workloads that are not there, with their Services: a Prometheus nobody could start.
    """
    left_out = set(without)
    born = now - AGE
    workloads = [each for each in WORKLOADS if each.name not in left_out]
    found = [_namespace(name) for name in NAMESPACES]
    found.append(_storage_class(born))
    found += [node(machine, now, born) for machine in MACHINES]
    for number, workload in enumerate(workloads):
        found += [*_storage(workload, number, born), *_workload(workload, number, now)]
    found += [_service(*each) for each in SERVICES if each[2] not in left_out]
    found += [_budget(*each) for each in BUDGETS]
    return found


def of_pod(pod: Json) -> Workload | None:
    """The workload a pod runs for, whoever made the pod."""
    app = (pod["metadata"].get("labels") or {}).get("app")
    namespace = pod["metadata"]["namespace"]
    found = (each for each in WORKLOADS if (each.name, each.namespace) == (app, namespace))
    return next(found, None)


def stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- machines -------------------------------------------------------------------------------------


def node(machine: Machine, now: datetime.datetime, born: datetime.datetime) -> Json:
    labels = {
        "kubernetes.io/hostname": machine.name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "m5.large",
        "topology.kubernetes.io/region": REGION,
        "topology.kubernetes.io/zone": machine.zone,
        "topology.k8s.aws/zone-id": f"euc1-az{'abc'.index(machine.zone[-1]) + 1}",
        "eks.amazonaws.com/nodegroup": NODEGROUP,
        "eks.amazonaws.com/nodegroup-image": "ami-0c7e1f4d2a9b35e60",
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
    }
    capacity = {
        "cpu": str(CORES),
        "memory": f"{MEMORY_MIB}Mi",
        "pods": str(MAX_PODS),
        "ephemeral-storage": f"{DISK_GIB}Gi",
    }
    info = {
        "architecture": "amd64",
        "operatingSystem": "linux",
        "osImage": f"Amazon Linux 2023.9.{now - datetime.timedelta(days=16):%Y%m%d}",
        "kernelVersion": "6.12.55-74.119.amzn2023.x86_64",
        "containerRuntimeVersion": "containerd://2.1.5",
        "kubeletVersion": f"{KUBERNETES}-eks-3cfe0ce",
        "kubeProxyVersion": "",
        "machineID": machine.instance,
        "bootID": _uid("boot", machine.name),
        "systemUUID": machine.instance,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": machine.name, "labels": labels, "creationTimestamp": stamp(born)},
        "spec": {"providerID": f"aws:///{machine.zone}/{machine.instance}"},
        "status": {
            "capacity": capacity,
            "allocatable": capacity | {"cpu": ALLOCATABLE_CPU, "memory": f"{ALLOCATABLE_MIB}Mi"},
            "addresses": [
                {"type": "InternalIP", "address": machine.address},
                {"type": "Hostname", "address": machine.name},
            ],
            "nodeInfo": info,
            "conditions": node_conditions(now, born),
        },
    }


def node_conditions(now: datetime.datetime, since: datetime.datetime) -> list[Json]:
    """What a healthy kubelet reports."""
    told = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    times = {"lastHeartbeatTime": stamp(now), "lastTransitionTime": stamp(since)}
    return [
        {"type": kind, "status": status, "reason": reason, "message": message, **times}
        for kind, status, reason, message in told
    ]


# --- workloads ------------------------------------------------------------------------------------


def _workload(workload: Workload, number: int, now: datetime.datetime) -> list[Json]:
    born = now - AGE
    top = _head(workload.kind, workload, workload.name, born)
    top["spec"] = {
        "selector": {"matchLabels": {"app": workload.name}},
        "template": _template(workload, {"app": workload.name}),
    }
    if workload.kind == "DaemonSet":
        owner = _owner(top)
        pods = [_pod(workload, owner, machine, number, 0, born) for machine in MACHINES]
        return [top, *pods]
    revisions = BACKEND_REVISIONS if workload is BACKEND else (Revision(workload),)
    sets = [_replica_set(top, revision, count, now) for count, revision in enumerate(revisions, 1)]
    latest = revisions[-1]
    top["metadata"] |= {
        "annotations": _notes(latest, len(revisions)),
        "generation": len(revisions),
    }
    top["spec"]["replicas"] = sets[-1]["spec"]["replicas"] = workload.replicas
    owner = _owner(sets[-1])
    pods = [
        _pod(workload, owner, _machine_of(workload, number, index), number, index, now - latest.age)
        for index in range(workload.replicas)
    ]
    return [top, *sets, *pods]


def _machine_of(workload: Workload, number: int, index: int) -> Machine:
    return MACHINES[(number + (0 if workload.is_packed else index)) % len(MACHINES)]


def _replica_set(top: Json, revision: Revision, number: int, now: datetime.datetime) -> Json:
    """What the deployment controller leaves of a revision; all but the last are scaled to nothing."""
    workload = revision.workload
    made = _head("ReplicaSet", workload, f"{workload.name}-{_hash(workload)}", now - revision.age)
    labels = {"app": workload.name, "pod-template-hash": _hash(workload)}
    counted = {f"deployment.kubernetes.io/{name}": str(n) for name, n in _bounds(workload.replicas)}
    made["metadata"] |= {
        "labels": labels,
        "annotations": _notes(revision, number) | counted,
        "ownerReferences": [_owner(top)],
    }
    made["spec"] = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": _template(workload, labels),
    }
    return made


def _bounds(replicas: int) -> tuple[tuple[str, int], ...]:
    """With the default surge of a quarter."""
    return ("desired-replicas", replicas), ("max-replicas", replicas + -(-replicas // 4))


def _notes(revision: Revision, number: int) -> Json:
    notes = {"deployment.kubernetes.io/revision": str(number)}
    return notes | ({"kubernetes.io/change-cause": revision.cause} if revision.cause else {})


def _head(kind: str, workload: Workload, name: str, born: datetime.datetime) -> Json:
    metadata = {
        "name": name,
        "namespace": workload.namespace,
        "uid": _uid(kind, workload.namespace, name),
        "labels": {"app": workload.name},
        "creationTimestamp": stamp(born),
        "generation": 1,
    }
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata}


def _template(workload: Workload, labels: Mapping[str, str]) -> Json:
    return {"metadata": {"labels": dict(labels)}, "spec": _pod_spec(workload)}


def _pod_spec(workload: Workload) -> Json:
    container: Json = {"name": workload.name, "image": workload.image}
    if workload.args:
        container["command"] = [f"./{workload.name}", *workload.args]
    if workload.port:
        container["ports"] = [{"name": "http", "containerPort": workload.port}]
    if workload.env:
        container["env"] = [{"name": name, "value": value} for name, value in workload.env]
    for key, (cpu, memory) in (("requests", workload.requests), ("limits", workload.limits)):
        given = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
        if given:
            container.setdefault("resources", {})[key] = given
    if workload.has_probes:
        container["livenessProbe"] = {"httpGet": {"path": "/healthz", "port": "http"}}
        container["readinessProbe"] = {"httpGet": {"path": "/readyz", "port": "http"}}
    spec: Json = {"containers": [container]}
    if workload.claim:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": workload.claim}}]
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    if workload.on_host:
        spec["hostNetwork"] = True
    if workload.kind == "DaemonSet":
        spec["tolerations"] = [{"operator": "Exists"}]
    return spec


def _pod(
    workload: Workload,
    owner: Json,
    machine: Machine,
    number: int,
    index: int,
    born: datetime.datetime,
) -> Json:
    suffix = _letters(f"{workload.namespace}/{workload.name}/{machine.name}/{index}")
    is_daemon = workload.kind == "DaemonSet"
    name = f"{workload.name}-{suffix}" if is_daemon else f"{workload.name}-{_hash(workload)}-{suffix}"
    labels = {"app": workload.name}
    if not is_daemon:
        labels["pod-template-hash"] = _hash(workload)
    address = machine.address if workload.on_host else f"{machine.subnet}.{100 + 4 * number + index}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": workload.namespace,
            "uid": _uid("Pod", workload.namespace, name),
            "labels": labels,
            "ownerReferences": [owner],
            "creationTimestamp": stamp(born),
        },
        "spec": _pod_spec(workload) | {"nodeName": machine.name},
        "status": running(workload, machine.address, address, born, _uid("container", name)),
    }


def running(workload: Workload, host: str, address: str, since: datetime.datetime, container_id: str) -> Json:
    """The status of a pod that is well."""
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    moment = stamp(since)
    container = {
        "name": workload.name,
        "image": workload.image,
        "imageID": f"{workload.image.partition(':')[0]}@sha256:{hashlib.sha256(workload.image.encode()).hexdigest()}",
        "containerID": f"containerd://{container_id.replace('-', '')}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": moment}},
        "lastState": {},
    }
    return {
        "phase": "Running",
        "qosClass": "Burstable",
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": moment,
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": moment} for kind in kinds],
        "containerStatuses": [container],
    }


# --- around them ----------------------------------------------------------------------------------


def _namespace(name: str) -> Json:
    labels = {"kubernetes.io/metadata.name": name}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "status": {"phase": "Active"}}


def _service(name: str, namespace: str, app: str, port: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
        "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": port, "targetPort": "http"}]},
    }


def _storage_class(born: datetime.datetime) -> Json:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "gp3", "creationTimestamp": stamp(born)},
        "provisioner": "ebs.csi.aws.com",
        "parameters": {"type": "gp3"},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }


def _storage(workload: Workload, number: int, born: datetime.datetime) -> list[Json]:
    """A claim and its EBS volume, which is in the zone of the pod that mounts it."""
    if not workload.claim:
        return []
    zone = _machine_of(workload, number, 0).zone
    uid = _uid("PersistentVolumeClaim", workload.namespace, workload.claim)
    volume = f"pvc-{uid}"
    size, modes = {"storage": f"{VOLUME_GIB}Gi"}, ["ReadWriteOnce"]
    named = {"name": workload.claim, "namespace": workload.namespace, "uid": uid}
    where = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {**named, "creationTimestamp": stamp(born)},
        "spec": {
            "accessModes": modes,
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
            "volumeName": volume,
            "resources": {"requests": size},
        },
        "status": {"phase": "Bound", "accessModes": modes, "capacity": size},
    }
    disk = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume, "creationTimestamp": stamp(born)},
        "spec": {
            "accessModes": modes,
            "capacity": size,
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **named},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0" + uid.replace("-", "")[:16]},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [where]}]}},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Bound"},
    }
    return [disk, claim]


def _budget(app: str, namespace: str, limit: Mapping[str, int]) -> Json:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": app, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": app}}, **limit},
    }


def _owner(owner: Json) -> Json:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def _letters(text: str, count: int = 5) -> str:
    """As Kubernetes names pods: no vowels, so that no word comes out."""
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:count])


def _hash(workload: Workload) -> str:
    return _letters(f"{workload.namespace}/{workload.name}/{workload.image}", 9)


def _uid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, "/".join(parts)))
