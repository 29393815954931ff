"""The cells kubectl shows for each kind, computed by the server.

Owns one function per kind from an object to its row; `pod` reproduces the STATUS words of kubectl. A cell
that grows with time is a `Since` or `Restarts`, filled in when the table is rendered. Kinds not listed
here have no printer and are shown by name and age.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sandbox.kube import duration

Json = dict[str, Any]

NONE = "<none>"
UNKNOWN = "<unknown>"
_ROLE = "node-role.kubernetes.io/"


@lru_cache(maxsize=100_000)
def parse_time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


@dataclass(frozen=True, slots=True)
class Since:
    moment: str | None

    def at(self, now: datetime.datetime) -> str:
        if not self.moment:
            return UNKNOWN
        return duration.human((now - parse_time(self.moment)).total_seconds())


@dataclass(frozen=True, slots=True)
class Restarts:
    count: int
    last: str

    def at(self, now: datetime.datetime) -> str:
        return f"{self.count} ({Since(self.last).at(now)} ago)"


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[Any, ...]
    conditions: tuple[Json, ...] = ()


def row(storage: tuple[str, str], obj: Json) -> Row:
    if storage == ("", "pods"):
        return Row(pod(obj), _finished(obj))
    return Row(PRINTERS.get(storage, fallback)(obj))


def fallback(obj: Json) -> tuple[Any, ...]:
    return (obj["metadata"]["name"], _age(obj))


def _age(obj: Json) -> Since:
    return Since(obj["metadata"].get("creationTimestamp"))


def _finished(obj: Json) -> tuple[Json, ...]:
    phase = obj.get("status", {}).get("phase")
    told = {
        "Succeeded": "The pod has completed successfully.",
        "Failed": "The pod failed.",
    }
    if phase not in told:
        return ()
    return ({"type": "Completed", "status": "True", "reason": phase, "message": told[phase]},)


@dataclass(slots=True)
class _PodState:
    """What the walk over the containers of a pod has found so far."""

    reason: str
    ready: int = 0
    total: int = 0
    restarts: int = 0
    last: str = ""
    sidecar_restarts: int = 0
    sidecar_last: str = ""
    initializing: bool = False


def pod(obj: Json) -> tuple[Any, ...]:
    spec, status, metadata = obj["spec"], obj.get("status") or {}, obj["metadata"]
    conditions = status.get("conditions") or ()
    state = _PodState(status.get("reason") or status.get("phase", ""))
    for condition in conditions:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            state.reason = "SchedulingGated"
    sidecars = {
        container["name"]
        for container in spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    state.total = len(spec["containers"]) + len(sidecars)
    _walk_init_containers(state, status, sidecars, len(spec.get("initContainers") or ()))
    if not state.initializing or _is_true(conditions, "Initialized"):
        _walk_containers(state, status, conditions)
    if metadata.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            state.reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            state.reason = "Terminating"
    restarts: Any = str(state.restarts)
    if state.restarts and state.last:
        restarts = Restarts(state.restarts, state.last)
    return (
        metadata["name"],
        f"{state.ready}/{state.total}",
        state.reason,
        restarts,
        _age(obj),
        _first_ip(status) or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(spec, conditions),
    )


def _walk_init_containers(state: _PodState, status: Json, sidecars: set[str], total: int) -> None:
    for number, container in enumerate(status.get("initContainerStatuses") or ()):
        is_sidecar = container["name"] in sidecars
        ended = _last_end(container)
        state.restarts += container.get("restartCount", 0)
        state.last = max(state.last, ended)
        if is_sidecar:
            state.sidecar_restarts += container.get("restartCount", 0)
            state.sidecar_last = max(state.sidecar_last, ended)
        current = container.get("state") or {}
        terminated, waiting = current.get("terminated"), current.get("waiting")
        if terminated is not None and terminated.get("exitCode", 0) == 0:
            continue
        if is_sidecar and container.get("started"):
            state.ready += bool(container.get("ready"))
            continue
        state.initializing = True
        if terminated is not None:
            state.reason = f"Init:{_exit_word(terminated)}"
        elif waiting and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            state.reason = f"Init:{waiting['reason']}"
        else:
            state.reason = f"Init:{number}/{total}"
        return


def _walk_containers(state: _PodState, status: Json, conditions: Iterable[Json]) -> None:
    state.restarts, state.last = state.sidecar_restarts, state.sidecar_last
    has_running = False
    # Backwards, so that the first container's word wins.
    for container in reversed(status.get("containerStatuses") or ()):
        state.restarts += container.get("restartCount", 0)
        state.last = max(state.last, _last_end(container))
        current = container.get("state") or {}
        terminated = current.get("terminated")
        if (current.get("waiting") or {}).get("reason"):
            state.reason = current["waiting"]["reason"]
        elif terminated is not None:
            state.reason = _exit_word(terminated)
        elif container.get("ready") and current.get("running") is not None:
            has_running = True
            state.ready += 1
    if state.reason == "Completed" and has_running:
        state.reason = "Running" if _is_true(conditions, "Ready") else "NotReady"


def _exit_word(terminated: Json) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _last_end(container: Json) -> str:
    terminated = (container.get("lastState") or {}).get("terminated") or {}
    return terminated.get("finishedAt") or ""


def _is_true(conditions: Iterable[Json], kind: str) -> bool:
    return any(condition["type"] == kind and condition.get("status") == "True" for condition in conditions)


def _first_ip(status: Json) -> str:
    ips = status.get("podIPs") or ()
    return str(ips[0]["ip"] if ips else status.get("podIP", ""))


def _readiness_gates(spec: Json, conditions: Iterable[Json]) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return NONE
    open_gates = sum(_is_true(conditions, gate["conditionType"]) for gate in gates)
    return f"{open_gates}/{len(gates)}"


def _node(obj: Json) -> tuple[Any, ...]:
    status, info = obj.get("status") or {}, (obj.get("status") or {}).get("nodeInfo") or {}
    words = [
        "Ready" if condition.get("status") == "True" else "NotReady"
        for condition in status.get("conditions") or ()
        if condition["type"] == "Ready"
    ] or ["Unknown"]
    if (obj.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return (
        obj["metadata"]["name"],
        ",".join(words),
        ",".join(sorted(_roles(obj["metadata"].get("labels") or {}))) or NONE,
        _age(obj),
        info.get("kubeletVersion", ""),
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    )


def _roles(labels: Json) -> set[str]:
    roles = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return roles - {""}


def _address(status: Json, kind: str) -> str:
    for address in status.get("addresses") or ():
        if address["type"] == kind:
            return str(address["address"])
    return NONE


def _containers(spec: Json) -> tuple[str, str]:
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return (
        ",".join(container["name"] for container in containers),
        ",".join(container.get("image", "") for container in containers),
    )


def format_selector(selector: Json | None) -> str:
    if not selector:
        return NONE
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for item in selector.get("matchExpressions") or ():
        values = ",".join(sorted(item.get("values") or ()))
        parts.append(
            {
                "In": f"{item['key']} in ({values})",
                "NotIn": f"{item['key']} notin ({values})",
                "Exists": item["key"],
                "DoesNotExist": f"!{item['key']}",
            }[item["operator"]]
        )
    return ",".join(parts) or NONE


def _deployment(obj: Json) -> tuple[Any, ...]:
    spec, status = obj["spec"], obj.get("status") or {}
    return (
        obj["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(obj),
        *_containers(spec),
        format_selector(spec.get("selector")),
    )


def _replica_set(obj: Json) -> tuple[Any, ...]:
    spec, status = obj["spec"], obj.get("status") or {}
    counts = (spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0))
    return (
        obj["metadata"]["name"],
        *counts,
        _age(obj),
        *_containers(spec),
        format_selector(spec.get("selector")),
    )


def _stateful_set(obj: Json) -> tuple[Any, ...]:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return (obj["metadata"]["name"], ready, _age(obj), *_containers(spec))


def _daemon_set(obj: Json) -> tuple[Any, ...]:
    spec, status = obj["spec"], obj.get("status") or {}
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    node_selector = (spec["template"].get("spec") or {}).get("nodeSelector")
    return (
        obj["metadata"]["name"],
        *(status.get(count, 0) for count in counts),
        status.get("numberAvailable", 0),
        _pairs(node_selector),
        _age(obj),
        *_containers(spec),
        format_selector(spec.get("selector")),
    )


def _pairs(labels: Json | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def _job(obj: Json) -> tuple[Any, ...]:
    spec, status = obj["spec"], obj.get("status") or {}
    succeeded = status.get("succeeded", 0)
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    elif spec.get("parallelism", 0) > 1:
        completions = f"{succeeded}/1 of {spec['parallelism']}"
    else:
        completions = f"{succeeded}/1"
    took: Any = ""
    if status.get("startTime") and status.get("completionTime"):
        delta = parse_time(status["completionTime"]) - parse_time(status["startTime"])
        took = duration.human(delta.total_seconds())
    elif status.get("startTime"):
        took = Since(status["startTime"])
    selector = format_selector(spec.get("selector"))
    return (
        obj["metadata"]["name"],
        _job_word(obj),
        completions,
        took,
        _age(obj),
        *_containers(spec),
        selector,
    )


def _job_word(obj: Json) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    if _is_true(conditions, "Complete"):
        return "Complete"
    if _is_true(conditions, "Failed"):
        return "Failed"
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind, word in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget")):
        if _is_true(conditions, kind):
            return word
    if _is_true(conditions, "SuccessCriteriaMet"):
        return "SuccessCriteriaMet"
    return "Running"


def _cron_job(obj: Json) -> tuple[Any, ...]:
    spec, status = obj["spec"], obj.get("status") or {}
    last = status.get("lastScheduleTime")
    return (
        obj["metadata"]["name"],
        spec["schedule"],
        spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        Since(last) if last else NONE,
        _age(obj),
        *_containers(spec["jobTemplate"]["spec"]),
        NONE,
    )


def _service(obj: Json) -> tuple[Any, ...]:
    spec = obj["spec"]
    ports = [
        f"{port['port']}:{port['nodePort']}/{port['protocol']}"
        if port.get("nodePort")
        else f"{port['port']}/{port['protocol']}"
        for port in spec.get("ports") or ()
    ]
    return (
        obj["metadata"]["name"],
        spec["type"],
        spec.get("clusterIP") or NONE,
        _external(obj),
        ",".join(ports) or NONE,
        _age(obj),
        _pairs(spec.get("selector")),
    )


def _external(obj: Json) -> str:
    spec = obj["spec"]
    if spec["type"] == "ExternalName":
        return str(spec.get("externalName", ""))
    addresses = list(spec.get("externalIPs") or ())
    if spec["type"] == "LoadBalancer":
        ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        balanced = [item.get("ip") or item.get("hostname", "") for item in ingress]
        return ",".join([*balanced, *addresses]) or "<pending>"
    return ",".join(addresses) or NONE


def _namespace(obj: Json) -> tuple[Any, ...]:
    return (obj["metadata"]["name"], (obj.get("status") or {}).get("phase", ""), _age(obj))


def _event(obj: Json) -> tuple[Any, ...]:
    involved, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    series = obj.get("series") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or first
    count = series.get("count") or obj.get("count") or 1
    component = source.get("component") or obj.get("reportingComponent", "")
    target = involved.get("kind", "").lower() + (f"/{involved['name']}" if involved.get("name") else "")
    return (
        Since(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        target,
        involved.get("fieldPath", ""),
        f"{component}, {source['host']}" if source.get("host") else component,
        obj.get("message", "").strip(),
        Since(first),
        count,
        obj["metadata"]["name"],
    )


def _budget(obj: Json) -> tuple[Any, ...]:
    spec, status = obj["spec"], obj.get("status") or {}
    bounds = [spec.get(field) for field in ("minAvailable", "maxUnavailable")]
    told = ("N/A" if bound is None else str(bound) for bound in bounds)
    return (obj["metadata"]["name"], *told, status.get("disruptionsAllowed", 0), _age(obj))


def _config_map(obj: Json) -> tuple[Any, ...]:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return (obj["metadata"]["name"], count, _age(obj))


def _secret(obj: Json) -> tuple[Any, ...]:
    return (obj["metadata"]["name"], obj.get("type", ""), len(obj.get("data") or ()), _age(obj))


def _created_at(obj: Json) -> tuple[Any, ...]:
    return (obj["metadata"]["name"], obj["metadata"].get("creationTimestamp"))


def _lease(obj: Json) -> tuple[Any, ...]:
    return (obj["metadata"]["name"], (obj.get("spec") or {}).get("holderIdentity") or "", _age(obj))


def _storage_class(obj: Json) -> tuple[Any, ...]:
    return (
        obj["metadata"]["name"],
        obj["provisioner"],
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        _age(obj),
    )


PRINTERS: dict[tuple[str, str], Callable[[Json], tuple[Any, ...]]] = {
    ("", "pods"): pod,
    ("", "nodes"): _node,
    ("", "services"): _service,
    ("", "namespaces"): _namespace,
    ("", "events"): _event,
    ("", "configmaps"): _config_map,
    ("", "secrets"): _secret,
    ("", "serviceaccounts"): fallback,
    ("", "limitranges"): _created_at,
    ("apps", "deployments"): _deployment,
    ("apps", "replicasets"): _replica_set,
    ("apps", "statefulsets"): _stateful_set,
    ("apps", "daemonsets"): _daemon_set,
    ("batch", "jobs"): _job,
    ("batch", "cronjobs"): _cron_job,
    ("policy", "poddisruptionbudgets"): _budget,
    ("coordination.k8s.io", "leases"): _lease,
    ("storage.k8s.io", "storageclasses"): _storage_class,
    ("storage.k8s.io", "csistoragecapacities"): _created_at,
    ("rbac.authorization.k8s.io", "roles"): _created_at,
    ("rbac.authorization.k8s.io", "clusterroles"): _created_at,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _created_at,
}
