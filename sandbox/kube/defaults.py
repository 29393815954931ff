"""What the real API server fills in when an object is written.

Owns the defaults of the kinds the project touches, read off kube-apiserver 1.36.3, and the fields a
create always resets. Changes the object it is given. Does not validate; kinds not listed are stored as sent.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.kube.catalog import Resource

Json = dict[str, Any]

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
SERVICE_NETWORK = ipaddress.ip_network("10.0.0.0/16")

# Kinds whose metadata.generation counts changes of the spec; others have none.
WITH_GENERATION = frozenset(
    {
        ("", "pods"),
        ("apps", "deployments"),
        ("apps", "replicasets"),
        ("apps", "statefulsets"),
        ("apps", "daemonsets"),
        ("batch", "jobs"),
        ("batch", "cronjobs"),
        ("policy", "poddisruptionbudgets"),
        ("networking.k8s.io", "ingresses"),
        ("networking.k8s.io", "ingressclasses"),
        ("networking.k8s.io", "networkpolicies"),
        ("discovery.k8s.io", "endpointslices"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("flowcontrol.apiserver.k8s.io", "flowschemas"),
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
    }
)

_NEW_STATUS: dict[tuple[str, str], Callable[[], Json]] = {
    ("", "services"): lambda: {"loadBalancer": {}},
    ("", "namespaces"): lambda: {"phase": "Active"},
    ("", "persistentvolumeclaims"): lambda: {"phase": "Pending"},
    ("", "persistentvolumes"): lambda: {"phase": "Pending"},
    ("apps", "deployments"): dict,
    ("apps", "replicasets"): lambda: {"replicas": 0},
    ("apps", "statefulsets"): lambda: {"replicas": 0, "availableReplicas": 0},
    ("apps", "daemonsets"): lambda: {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    ("batch", "jobs"): dict,
    ("batch", "cronjobs"): dict,
    ("policy", "poddisruptionbudgets"): lambda: {
        "disruptionsAllowed": 0,
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
    },
    ("autoscaling", "horizontalpodautoscalers"): lambda: {"desiredReplicas": 0, "currentMetrics": None},
    ("networking.k8s.io", "ingresses"): lambda: {"loadBalancer": {}},
}


def reset_status(resource: Resource, obj: Json) -> None:
    """A create ignores the status it is sent; only nodes come with their own."""
    if resource.storage == ("", "nodes"):
        return
    if resource.storage == ("", "pods"):
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
        return
    fresh = _NEW_STATUS.get(resource.storage)
    if fresh is not None:
        obj["status"] = fresh()
    elif "status" in resource.subresources:
        obj.pop("status", None)


def fill_in(resource: Resource, obj: Json) -> None:
    filler = _FILLERS.get(resource.storage)
    if filler is not None:
        filler(obj)


def admit_node(obj: Json) -> None:
    """Admission taints every node created over the API until a controller finds it Ready."""
    taints = obj.setdefault("spec", {}).setdefault("taints", [])
    if not any(taint["key"] == NOT_READY for taint in taints):
        taints.append({"key": NOT_READY, "effect": "NoSchedule"})


def qos_class(spec: Json) -> str:
    containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    resources = [container.get("resources") or {} for container in containers]
    if not any(item.get("requests") or item.get("limits") for item in resources):
        return "BestEffort"
    for item in resources:
        limits, requests = item.get("limits") or {}, item.get("requests") or {}
        if not {"cpu", "memory"} <= limits.keys() or any(
            requests.get(name, limits[name]) != limits[name] for name in ("cpu", "memory")
        ):
            return "Burstable"
    return "Guaranteed"


def _default(target: Json, **values: Any) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def _container(container: Json) -> None:
    tag = container.get("image", "").rpartition("/")[2].partition(":")[2]
    pinned = "@" in container.get("image", "") or (tag and tag != "latest")
    _default(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="IfNotPresent" if pinned else "Always",
    )
    for port in container.get("ports") or ():
        _default(port, protocol="TCP")
    resources = container["resources"]
    if resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe):
            _probe(container[probe])


def _probe(probe: Json) -> None:
    _default(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if probe.get("httpGet"):
        _default(probe["httpGet"], path="/", scheme="HTTP")


def _pod_spec(spec: Json) -> None:
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            _container(container)
    _default(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    if spec.get("serviceAccountName"):
        _default(spec, serviceAccount=spec["serviceAccountName"])
    for volume in spec.get("volumes") or ():
        if len(volume) == 1:
            volume["emptyDir"] = {}


def _pod(obj: Json) -> None:
    spec = obj["spec"]
    _pod_spec(spec)
    # The ServiceAccount admission names it; the token volume it adds as well is left out.
    _default(spec, serviceAccountName="default")
    _default(spec, serviceAccount=spec["serviceAccountName"])
    _default(spec, priority=0, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for key in (NOT_READY, UNREACHABLE):
        if not any(_tolerates_forever(toleration, key) for toleration in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )


def _tolerates_forever(toleration: Json, key: str) -> bool:
    return toleration.get("key") in (None, "", key) and toleration.get("effect") in (None, "", "NoExecute")


def _template(spec: Json) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    if template.get("spec"):
        _pod_spec(template["spec"])


def _deployment(obj: Json) -> None:
    spec = obj["spec"]
    _template(spec)
    _default(spec, replicas=1, strategy={}, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec["strategy"]
    _default(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _default(strategy, rollingUpdate={})
        _default(strategy["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")


def _replica_set(obj: Json) -> None:
    _template(obj["spec"])
    _default(obj["spec"], replicas=1)


def _stateful_set(obj: Json) -> None:
    spec = obj["spec"]
    _template(spec)
    _default(
        spec,
        replicas=1,
        podManagementPolicy="OrderedReady",
        updateStrategy={},
        revisionHistoryLimit=10,
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"},
    )
    _default(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _default(spec["updateStrategy"], rollingUpdate={"partition": 0})


def _daemon_set(obj: Json) -> None:
    spec = obj["spec"]
    _template(spec)
    _default(spec, updateStrategy={}, revisionHistoryLimit=10)
    _default(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _default(spec["updateStrategy"], rollingUpdate={})
        _default(spec["updateStrategy"]["rollingUpdate"], maxUnavailable=1, maxSurge=0)


def _job_spec(spec: Json) -> None:
    _template(spec)
    _default(
        spec,
        parallelism=1,
        completions=1,
        backoffLimit=6,
        manualSelector=False,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy="TerminatingOrFailed",
    )


def _job(obj: Json) -> None:
    spec, metadata = obj["spec"], obj["metadata"]
    _job_spec(spec)
    if spec.get("selector") or not metadata.get("uid"):
        return
    labels = {
        "batch.kubernetes.io/controller-uid": metadata["uid"],
        "batch.kubernetes.io/job-name": metadata["name"],
        "controller-uid": metadata["uid"],
        "job-name": metadata["name"],
    }
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    template = spec["template"]["metadata"]
    template["labels"] = {**(template.get("labels") or {}), **labels}
    controller = "batch.kubernetes.io/controller-uid"
    spec["selector"] = {"matchLabels": {controller: metadata["uid"]}}


def _cron_job(obj: Json) -> None:
    spec = obj["spec"]
    _default(
        spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1
    )
    job = spec.setdefault("jobTemplate", {})
    _default(job, metadata={}, spec={})
    _template(job["spec"])


def _namespace(obj: Json) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    _default(obj, status={"phase": "Active"})


def _node(obj: Json) -> None:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    if status.get("capacity"):
        _default(status, allocatable=dict(status["capacity"]))
    _default(status, daemonEndpoints={"kubeletEndpoint": {"Port": 0}}, nodeInfo={})
    for field in _NODE_INFO:
        status["nodeInfo"].setdefault(field, "")


_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)


def _service(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    _default(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports") or ():
        _default(port, protocol="TCP")
        _default(port, targetPort=port["port"])
    if spec["type"] == "ExternalName":
        return
    _default(spec, clusterIP=_service_ip(obj["metadata"].get("uid", "")))
    _default(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    _default(spec, internalTrafficPolicy="Cluster")


def _service_ip(uid: str) -> str:
    return str(SERVICE_NETWORK[256 + int(uid[:8] or "0", 16) % (SERVICE_NETWORK.num_addresses - 512)])


def _secret(obj: Json) -> None:
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    _default(obj, type="Opaque")


def _claim(obj: Json) -> None:
    _default(obj["spec"], volumeMode="Filesystem")
    _add_finalizer(obj, "kubernetes.io/pvc-protection")


def _volume(obj: Json) -> None:
    _default(obj["spec"], persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    _add_finalizer(obj, "kubernetes.io/pv-protection")


def _add_finalizer(obj: Json, name: str) -> None:
    """On creation only: a later write may take the protection away."""
    if not obj["metadata"].get("creationTimestamp"):
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if name not in finalizers:
            finalizers.append(name)


def _autoscaler(obj: Json) -> None:
    target = {"type": "Utilization", "averageUtilization": 80}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    _default(obj["spec"], minReplicas=1, metrics=metrics)


def _network_policy(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    types: Iterable[str] = ("Ingress", "Egress") if spec.get("egress") else ("Ingress",)
    _default(spec, podSelector={}, policyTypes=list(types))


def _endpoint_slice(obj: Json) -> None:
    for endpoint in obj.get("endpoints") or ():
        _default(endpoint, conditions={})
    for port in obj.get("ports") or ():
        _default(port, name="", protocol="TCP")


def _event(obj: Json) -> None:
    obj.setdefault("eventTime", None)
    _default(obj, source={}, reportingComponent="", reportingInstance="")
    for field in ("firstTimestamp", "lastTimestamp"):
        obj.setdefault(field, None)


def _storage_class(obj: Json) -> None:
    _default(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


_FILLERS: dict[tuple[str, str], Callable[[Json], None]] = {
    ("", "pods"): _pod,
    ("", "namespaces"): _namespace,
    ("", "nodes"): _node,
    ("", "services"): _service,
    ("", "secrets"): _secret,
    ("", "events"): _event,
    ("", "persistentvolumeclaims"): _claim,
    ("", "persistentvolumes"): _volume,
    ("apps", "deployments"): _deployment,
    ("apps", "replicasets"): _replica_set,
    ("apps", "statefulsets"): _stateful_set,
    ("apps", "daemonsets"): _daemon_set,
    ("batch", "jobs"): _job,
    ("batch", "cronjobs"): _cron_job,
    ("autoscaling", "horizontalpodautoscalers"): _autoscaler,
    ("networking.k8s.io", "networkpolicies"): _network_policy,
    ("discovery.k8s.io", "endpointslices"): _endpoint_slice,
    ("storage.k8s.io", "storageclasses"): _storage_class,
}
