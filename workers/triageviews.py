"""What a diagnosis looks at, from an object of the API to its view: pods as declared, claims, jobs, Karpenter's.

Pure: dictionaries in, values out. What trips one up is not what the API promises; workers/api.py's `projected`
turns that into a refusal. Never a value of a Secret. Called by workers/triagereads.py.
"""

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from commands.differences import is_secret, unhidden
from commands.reads import Condition
from commands.triagereads import (
    ApiServiceView,
    ClaimView,
    ContainerSpec,
    CronJobView,
    JobView,
    NodeClaimView,
    PodSpec,
    ProbeView,
)
from workers.fields import Json, conditions, moment, part, quantity

_PROBES = ("liveness", "readiness", "startup")
_EVERYBODYS = "kube-root-ca.crt"  # the API server mounts it into every pod
_ZONES = (
    "topology.kubernetes.io/zone",
    "topology.ebs.csi.aws.com/zone",
    "failure-domain.beta.kubernetes.io/zone",
)
_RESIZING = ("Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError")
_POOL, _CAPACITY = "karpenter.sh/nodepool", "karpenter.sh/capacity-type"


# --- Pods -----------------------------------------------------------------------------------------


def pod_spec(pod: Json) -> PodSpec:
    spec = part(pod, "spec")
    return PodSpec(
        containers=tuple(_containers(spec)),
        pull_secrets=_names(spec.get("imagePullSecrets")),
        claims=tuple(_claims(pod)),
        gates=_names(spec.get("schedulingGates")),
        fs_group=part(spec, "securityContext").get("fsGroup"),
        account=str(spec.get("serviceAccountName") or ""),
    )


def _names(found: Any) -> tuple[str, ...]:
    return tuple(str(each.get("name") or "") for each in found or ())


def _claims(pod: Json) -> Iterator[str]:
    """An ephemeral volume has a claim too, by the names of the pod and of the volume."""
    for volume in part(pod, "spec").get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            yield str(volume["persistentVolumeClaim"]["claimName"])
        elif volume.get("ephemeral"):
            yield f"{part(pod, 'metadata')['name']}-{volume['name']}"


def _containers(spec: Json) -> Iterator[ContainerSpec]:
    for container in spec.get("initContainers") or ():
        kind = "sidecar" if container.get("restartPolicy") == "Always" else "init"
        yield _container(spec, container, kind)
    for container in spec.get("containers") or ():
        yield _container(spec, container, "")


def _container(spec: Json, container: Json, kind: str) -> ContainerSpec:
    own = part(container, "securityContext")
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    return ContainerSpec(
        name=str(container["name"]),
        image=str(container.get("image") or ""),
        kind=kind,
        command=unhidden(shlex.join(map(str, words))),
        ports=tuple(int(each["containerPort"]) for each in container.get("ports") or ()),
        probes=tuple(
            _probe(name, container[f"{name}Probe"], container)
            for name in _PROBES
            if container.get(f"{name}Probe")
        ),
        env=dict(_literals(container)),
        refs=tuple(dict.fromkeys(_refs(spec, container))),
        user=own.get("runAsUser", part(spec, "securityContext").get("runAsUser")),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        named={
            str(each["name"]): int(each["containerPort"])
            for each in container.get("ports") or ()
            if each.get("name")
        },
    )


def _literals(container: Json) -> Iterator[tuple[str, str]]:
    for each in container.get("env") or ():
        name = str(each.get("name") or "")
        if not each.get("valueFrom") and not is_secret(name):
            yield name, unhidden(str(each.get("value") or ""))


def _probe(kind: str, probe: Json, container: Json) -> ProbeView:
    http, tcp, grpc = (part(probe, each) for each in ("httpGet", "tcpSocket", "grpc"))
    port = (http or tcp or grpc).get("port", "")
    if http:
        scheme = "https " if http.get("scheme") == "HTTPS" else ""
        target = f"GET {scheme}:{port}{http.get('path') or '/'}"
    elif tcp or grpc:
        target = f"{'TCP' if tcp else 'gRPC'} :{port}"
    else:
        target = unhidden(f"exec {shlex.join(map(str, part(probe, 'exec').get('command') or ()))}").strip()
    return ProbeView(
        kind=kind,
        target=target,
        port=_port(port, container),
        initial_delay=int(probe.get("initialDelaySeconds") or 0),
        period=int(probe.get("periodSeconds") or 10),
        timeout=int(probe.get("timeoutSeconds") or 1),
        failures=int(probe.get("failureThreshold") or 3),
    )


def _port(port: Any, container: Json) -> int:
    if isinstance(port, int):
        return port
    named = (each for each in container.get("ports") or () if port and each.get("name") == port)
    return next((int(each["containerPort"]) for each in named), 0)


# --- Where settings come from ---------------------------------------------------------------------


def _refs(spec: Json, container: Json) -> Iterator[str]:
    for each in container.get("envFrom") or ():
        yield from _ref(part(each, "configMapRef"), "ConfigMap")
        yield from _ref(part(each, "secretRef"), "Secret")
    for each in container.get("env") or ():
        source = part(each, "valueFrom")
        yield from _ref(part(source, "configMapKeyRef"), "ConfigMap")
        yield from _ref(part(source, "secretKeyRef"), "Secret")
    mounted = {each.get("name") for each in container.get("volumeMounts") or ()}
    for volume in spec.get("volumes") or ():
        if volume.get("name") in mounted:
            yield from _of_volume(volume)


def _of_volume(volume: Json) -> Iterator[str]:
    for source in (volume, *(part(volume, "projected").get("sources") or ())):
        yield from _ref(part(source, "configMap"), "ConfigMap")
        yield from _ref(part(source, "secret"), "Secret")


def _ref(source: Json, kind: str) -> Iterator[str]:
    name = source.get("name") or source.get("secretName")
    if not name or name == _EVERYBODYS or source.get("optional"):
        return
    keys = [source["key"]] if source.get("key") else [each["key"] for each in source.get("items") or ()]
    yield from (f"{kind}/{name}:{key}" for key in keys) if keys else (f"{kind}/{name}",)


# --- Storage --------------------------------------------------------------------------------------


def claim_view(found: Json) -> ClaimView:
    metadata, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status")
    asked = part(part(spec, "resources"), "requests").get("storage", 0)
    return ClaimView(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        phase=str(status.get("phase") or ""),
        capacity=quantity(part(status, "capacity").get("storage", 0)),
        requested=quantity(asked),
        storage_class=str(spec.get("storageClassName") or ""),
        provisioner=_provisioner(part(metadata, "annotations")),
        volume=str(spec.get("volumeName") or ""),
        modes=tuple(map(str, spec.get("accessModes") or ())),
        resizing=next(_resizing(conditions(status)), ""),
    )


def _provisioner(notes: Mapping[str, Any]) -> str:
    """As noted on the claim; the class of an old claim may be gone."""
    name = "volume.kubernetes.io/storage-provisioner"
    return str(notes.get(name) or notes.get(f"volume.beta.{name.partition('.')[2]}") or "")


def _resizing(told: tuple[Condition, ...]) -> Iterator[str]:
    for each in told:
        if each.type in _RESIZING and each.status == "True":
            yield each.message or each.type


def of_class(found: Json) -> dict[str, Any]:
    """What a StorageClass says of its claims; without a word a volume cannot be made larger."""
    expandable = bool(found.get("allowVolumeExpansion"))
    return {"expandable": expandable, "provisioner": str(found.get("provisioner") or "")}


def zone_of(volume: Json) -> str:
    terms = part(part(part(volume, "spec"), "nodeAffinity"), "required").get("nodeSelectorTerms") or ()
    wanted = (each for term in terms for each in term.get("matchExpressions") or ())
    zones = [str(zone) for each in wanted if each.get("key") in _ZONES for zone in each.get("values") or ()]
    return ", ".join(dict.fromkeys(zones)) or _labelled(part(volume, "metadata"))


def _labelled(metadata: Json) -> str:
    labels = part(metadata, "labels")
    return next((str(labels[key]) for key in _ZONES if labels.get(key)), "")


def mounting(pod: Json, claim: str) -> str:
    """The pod's name if it mounts the claim and has not ended, else ""."""
    has_ended = part(pod, "status").get("phase") in ("Succeeded", "Failed")
    return str(part(pod, "metadata")["name"]) if claim in _claims(pod) and not has_ended else ""


# --- Jobs -----------------------------------------------------------------------------------------


def job_view(found: Json) -> JobView:
    metadata, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status")
    told, limit, seconds = conditions(status), spec.get("backoffLimit"), spec.get("activeDeadlineSeconds")
    owners = metadata.get("ownerReferences") or ()
    return JobView(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        wanted=_wanted(spec),
        active=int(status.get("active") or 0),
        succeeded=int(status.get("succeeded") or 0),
        failed=int(status.get("failed") or 0),
        backoff_limit=6 if limit is None else int(limit),
        deadline=None if seconds is None else timedelta(seconds=int(seconds)),
        started=moment(status.get("startTime")),
        finished=moment(status.get("completionTime")) or _failed_at(told),
        conditions=told,
        cronjob=next((str(each["name"]) for each in owners if each.get("kind") == "CronJob"), ""),
        suspended=bool(spec.get("suspend")),
    )


def _wanted(spec: Json) -> int:
    """A work queue (no number of completions) is done when one of its pods is."""
    return int(spec.get("completions") or 1)


def _failed_at(told: tuple[Condition, ...]) -> datetime | None:
    return next((each.since for each in told if each.type == "Failed" and each.status == "True"), None)


def cron_job_view(found: Json) -> CronJobView:
    metadata, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status")
    return CronJobView(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        schedule=str(spec.get("schedule") or ""),
        concurrency=str(spec.get("concurrencyPolicy") or "Allow"),
        suspended=bool(spec.get("suspend")),
        active=_names(status.get("active")),
        last_scheduled=moment(status.get("lastScheduleTime")),
        last_succeeded=moment(status.get("lastSuccessfulTime")),
    )


# --- Karpenter, and the API server's own ----------------------------------------------------------


def node_claim_view(found: Json) -> NodeClaimView:
    metadata, status = part(found, "metadata"), part(found, "status")
    labels = part(metadata, "labels")
    return NodeClaimView(
        name=str(metadata["name"]),
        node=str(status.get("nodeName") or ""),
        pool=str(labels.get(_POOL) or ""),
        capacity_type=str(labels.get(_CAPACITY) or ""),
        conditions=conditions(status),
        deleting=moment(metadata.get("deletionTimestamp")),
    )


def api_service_view(found: Json) -> ApiServiceView | None:
    """None for what the API server serves by itself."""
    service = part(part(found, "spec"), "service")
    if not service:
        return None
    told = conditions(part(found, "status"))
    unknown = Condition("Available", "Unknown", message="nobody has looked yet")
    return ApiServiceView(
        name=str(part(found, "metadata")["name"]),
        service=f"{service.get('namespace', '')}/{service.get('name', '')}:{service.get('port') or 443}",
        available=next((each for each in told if each.type == "Available"), unknown),
    )


def failing_checks(page: str) -> tuple[str, ...]:
    """Of lines "[+]ping ok" and "[-]etcd failed: reason withheld" the names of the latter."""
    lines = (line.removeprefix("[-]") for line in page.splitlines() if line.startswith("[-]"))
    return tuple(line.partition(" ")[0] for line in lines)
