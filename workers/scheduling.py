"""Reads about scheduling from the Kubernetes API: functions over its connection, and their projections.

Lists only, never a request for each pod. Every page is projected and dropped; of a whole cluster's pods only
what other pods must know stays, and equal labels and requests are kept once. Nothing here judges. Called by
workers/cluster.py, which hands its connection over.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from commands import scheduling
from commands.effects import Target
from commands.model import Read
from workers import podneeds
from workers.api import COLLECTING, Api, Json, Subject, projected, segment
from workers.fields import conditions, moment, part
from workers.trim import without_managed_fields

T = TypeVar("T")

READS: tuple[type[Read], ...] = (
    scheduling.NodeDetails, scheduling.PodsOnNode, scheduling.Placements, scheduling.Budgets,
    scheduling.Owners, scheduling.Newcomer, scheduling.Backends, scheduling.Webhooks, scheduling.Volumes,
    scheduling.AttachLimits,
)  # fmt: skip

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_MIRROR = "kubernetes.io/config.mirror"
_GROUPS = {"ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1"}
_OLD_EBS = "ebs.csi.aws.com"  # what the API server makes of the volumes of before CSI


def read(api: Api, read: Read, deadline: float) -> Any:
    match read:
        case scheduling.NodeDetails():
            return _nodes(api, read, deadline)
        case scheduling.PodsOnNode():
            field = f"spec.nodeName={segment(read.node)}"
            return tuple(_listed(api, "v1", "pods", deadline, _pod, fieldSelector=field))
        case scheduling.Newcomer():
            return _newcomer(api, read, deadline)
        case scheduling.Placements():
            return _placements(api, deadline)
        case scheduling.Budgets():
            return tuple(_listed(api, "policy/v1", "poddisruptionbudgets", deadline, _budget))
        case scheduling.Owners():
            return _owners(api, read, deadline)
        case scheduling.Backends():
            return _backends(api, read, deadline)
        case scheduling.Webhooks():
            return _webhooks(api, deadline)
        case scheduling.Volumes():
            found = _listed(api, "v1", "persistentvolumes", deadline, _volume)
            return tuple(volume for volume in found if volume is not None)
        case scheduling.AttachLimits():
            return dict(_listed(api, "storage.k8s.io/v1", "csinodes", deadline, _limits))
    raise LookupError(f"not a read about scheduling: {read}")


def _listed(
    api: Api,
    group: str,
    resource: str,
    deadline: float,
    project: Callable[[Json], T],
    namespace: str = "",
    **query: str,
) -> list[T]:
    base = f"/api/{group}" if group == "v1" else f"/apis/{group}"
    scope = f"/namespaces/{segment(namespace)}" if namespace else ""
    what = f"{resource} in {namespace}" if namespace else resource
    subject = Subject(what, resource, group.rpartition("/")[0], namespace=namespace)
    path = f"{base}{scope}/{resource}"
    return api.listed(subject, path, deadline, project, without_managed_fields, **query)


def _target(kind: str, metadata: Json) -> Target:
    return Target(
        kind, str(metadata.get("namespace") or ""), str(metadata["name"]), str(metadata.get("uid") or "")
    )


# --- Nodes ----------------------------------------------------------------------------------------


def _nodes(api: Api, read: scheduling.NodeDetails, deadline: float) -> tuple[scheduling.NodeDetail, ...]:
    if len(read.names) == 1:
        field = f"metadata.name={segment(read.names[0])}"
        return tuple(_listed(api, "v1", "nodes", deadline, _node, fieldSelector=field))
    found = _listed(api, "v1", "nodes", deadline, _node)
    wanted = (node for node in found if not read.names or node.name in read.names)
    return tuple(sorted(wanted, key=lambda node: node.name))


def _node(node: Json) -> scheduling.NodeDetail:
    metadata, spec, status = part(node, "metadata"), part(node, "spec"), part(node, "status")
    found = {each.type: each for each in conditions(status)}
    ready = found.get("Ready")
    return scheduling.NodeDetail(
        target=_target("Node", metadata),
        ready=ready.status if ready else "Unknown",
        unschedulable=bool(spec.get("unschedulable")),
        allocatable={
            str(key): podneeds.amount(str(text)) for key, text in part(status, "allocatable").items()
        },
        labels=dict(part(metadata, "labels")),
        annotations=dict(part(metadata, "annotations")),
        taints=tuple(_taint(each) for each in spec.get("taints") or ()),
        ready_since=ready.since if ready else None,
        ready_reason=f"{ready.reason}: {ready.message}".strip(": ") if ready else "no Ready condition",
        pressures=tuple(kind for kind in _PRESSURES if kind in found and found[kind].status == "True"),
        kubelet=str(part(status, "nodeInfo").get("kubeletVersion") or ""),
        provider=str(spec.get("providerID") or ""),
        created=moment(metadata.get("creationTimestamp")),
    )


def _taint(taint: Json) -> scheduling.Taint:
    return scheduling.Taint(
        str(taint.get("key", "")), str(taint.get("value") or ""), str(taint.get("effect") or "")
    )


def _limits(node: Json) -> tuple[str, Mapping[str, int]]:
    drivers = part(node, "spec").get("drivers") or ()
    counted = ((str(each.get("name", "")), part(each, "allocatable").get("count")) for each in drivers)
    return str(part(node, "metadata")["name"]), {name: int(count) for name, count in counted if count}


# --- Pods -----------------------------------------------------------------------------------------


def _pod(pod: Json) -> scheduling.PodDetail:
    metadata, spec, status = part(pod, "metadata"), part(pod, "spec"), part(pod, "status")
    restarts = sum(int(each.get("restartCount") or 0) for each in status.get("containerStatuses") or ())
    grace = metadata.get("deletionGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    return scheduling.PodDetail(
        target=_target("Pod", metadata),
        labels=dict(part(metadata, "labels")),
        node=str(spec.get("nodeName") or ""),
        phase=str(status.get("phase") or ""),
        ready=podneeds.is_ready(status),
        needs=_needs(pod),
        owner=podneeds.controller(metadata),
        mirror=_MIRROR in part(metadata, "annotations"),
        deleted=moment(metadata.get("deletionTimestamp")),
        grace=30 if grace is None else int(grace),
        volumes=podneeds.volumes(pod),
        priority=int(spec.get("priority") or 0),
        restarts=restarts,
        created=moment(metadata.get("creationTimestamp")),
        startup=_startup(metadata, status) if not restarts else None,
    )


def _newcomer(api: Api, read: scheduling.Newcomer, deadline: float) -> scheduling.PodDetail | None:
    resource = f"{read.kind.lower()}s"
    what = f"{read.kind} {read.namespace}/{read.name}"
    subject = Subject(what, resource, "apps", "get", read.namespace)
    path = f"/apis/apps/v1/namespaces/{segment(read.namespace)}/{resource}/{segment(read.name)}"
    found = api.find(subject, path, deadline)
    return None if found is None else projected(subject, lambda item: _pod(_made_from(item)), found)


def _made_from(workload: Json) -> Json:
    metadata, template = part(workload, "metadata"), part(part(workload, "spec"), "template")
    own = {"namespace": metadata.get("namespace"), "name": metadata["name"]}
    return {"metadata": {**part(template, "metadata"), **own}, "spec": part(template, "spec")}


def _needs(pod: Json) -> scheduling.Needs:
    spec = part(pod, "spec")
    return scheduling.Needs(
        requests=podneeds.requests(pod),
        node_selector=tuple((str(key), str(value)) for key, value in part(spec, "nodeSelector").items()),
        node_terms=podneeds.node_affinity(spec),
        tolerations=podneeds.tolerations(spec),
        near=podneeds.pod_terms(pod, "podAffinity"),
        apart=podneeds.pod_terms(pod, "podAntiAffinity"),
        spread=podneeds.spreads(pod),
        ports=podneeds.ports(spec),
    )


def _startup(metadata: Json, status: Json) -> timedelta | None:
    created = moment(metadata.get("creationTimestamp"))
    ready = next((each for each in conditions(status) if each.type == "Ready"), None)
    if created is None or ready is None or ready.status != "True" or ready.since is None:
        return None
    return max(ready.since - created, timedelta())


class _Kept:
    """Equal values once: ten thousand pods have a few hundred different labels, requests, nodes and owners."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, Any], ...], Mapping[str, Any]] = {}
        self._words: dict[str, str] = {}

    def word(self, text: str) -> str:
        return self._words.setdefault(text, text)

    def once(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._known.setdefault(tuple(sorted(values.items())), values)


def _placements(api: Api, deadline: float) -> tuple[scheduling.Placement, ...]:
    kept = _Kept()
    running = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"

    def project(pod: Json) -> scheduling.Placement:
        return _placement(pod, kept)

    with COLLECTING.paused():
        return tuple(_listed(api, "v1", "pods", deadline, project, fieldSelector=running))


def _placement(pod: Json, kept: _Kept) -> scheduling.Placement:
    metadata, spec = part(pod, "metadata"), part(pod, "spec")
    owner = podneeds.controller(metadata)
    return scheduling.Placement(
        namespace=kept.word(str(metadata.get("namespace") or "")),
        node=kept.word(str(spec.get("nodeName") or "")),
        labels=kept.once(part(metadata, "labels")),
        requests=kept.once(podneeds.requests(pod)),
        owner=kept.word(owner.uid) if owner else "",
        ready=podneeds.is_ready(part(pod, "status")),
        apart=podneeds.pod_terms(pod, "podAntiAffinity") if spec.get("affinity") else (),
        ports=podneeds.ports(spec),
        claims=podneeds.claims(pod),
        deleted="deletionTimestamp" in metadata,
    )


# --- What guards pods, and what they belong to ----------------------------------------------------


def _budget(budget: Json) -> scheduling.BudgetView:
    metadata, spec, status = part(budget, "metadata"), part(budget, "spec"), part(budget, "status")
    return scheduling.BudgetView(
        target=_target("PodDisruptionBudget", metadata),
        selector=podneeds.selector(spec.get("selector")),
        allowed=int(status.get("disruptionsAllowed") or 0),
        healthy=int(status.get("currentHealthy") or 0),
        desired=int(status.get("desiredHealthy") or 0),
        expected=int(status.get("expectedPods") or 0),
        generation=int(metadata.get("generation") or 0),
        observed=int(status.get("observedGeneration") or 0),
        always_allows_unready=spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow",
    )


def _owners(api: Api, read: scheduling.Owners, deadline: float) -> tuple[scheduling.OwnerView, ...]:
    def project(found: Json) -> scheduling.OwnerView:
        return _owner(read.kind, found)

    resource = f"{read.kind.lower()}s"
    return tuple(_listed(api, _GROUPS[read.kind], resource, deadline, project, namespace=read.namespace))


def _owner(kind: str, found: Json) -> scheduling.OwnerView:
    metadata, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status")
    wanted = {
        "DaemonSet": status.get("desiredNumberScheduled", 0),
        "Job": spec.get("parallelism", 1),
    }.get(kind, spec.get("replicas", 1))
    ready = {"DaemonSet": status.get("numberReady"), "Job": status.get("ready")}
    rules = part(spec, "podFailurePolicy").get("rules") or ()
    return scheduling.OwnerView(
        target=_target(kind, metadata),
        replicas=int(1 if wanted is None else wanted),
        ready=int(ready.get(kind, status.get("readyReplicas")) or 0),
        above=podneeds.controller(metadata),
        forgives=any(_ignores_disruption(rule) for rule in rules),
    )


def _ignores_disruption(rule: Json) -> bool:
    conditions = rule.get("onPodConditions") or ()
    return rule.get("action") == "Ignore" and any(c.get("type") == "DisruptionTarget" for c in conditions)


def _backends(api: Api, read: scheduling.Backends, deadline: float) -> tuple[scheduling.BackendView, ...]:
    group, resource = "discovery.k8s.io/v1", "endpointslices"
    slices = _listed(api, group, resource, deadline, _addresses, namespace=read.namespace)
    # A pod of two families stands in two slices.
    return tuple(dict.fromkeys(view for found in slices for view in found))


def _addresses(found: Json) -> tuple[scheduling.BackendView, ...]:
    metadata = part(found, "metadata")
    service = str(part(metadata, "labels").get("kubernetes.io/service-name") or "")
    return tuple(_ready_ones(found, str(metadata.get("namespace") or ""), service)) if service else ()


def _ready_ones(found: Json, namespace: str, service: str) -> Iterator[scheduling.BackendView]:
    for each in found.get("endpoints") or ():
        # The API says: null is to be taken as true.
        if part(each, "conditions").get("ready") is False:
            continue
        target = part(each, "targetRef")
        pod = str(target.get("name") or "") if target.get("kind", "Pod") == "Pod" else ""
        yield scheduling.BackendView(namespace, service, pod, str(each.get("nodeName") or ""))


# --- Webhooks and volumes -------------------------------------------------------------------------


def _webhooks(api: Api, deadline: float) -> tuple[scheduling.WebhookView, ...]:
    group = "admissionregistration.k8s.io/v1"
    kinds = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
    found = (view for kind in kinds for view in _listed(api, group, kind, deadline, _hooks))
    return tuple(view for views in found for view in views)


def _hooks(found: Json) -> tuple[scheduling.WebhookView, ...]:
    hooks = ((each, part(part(each, "clientConfig"), "service")) for each in found.get("webhooks") or ())
    return tuple(
        scheduling.WebhookView(
            str(hook.get("name") or ""),
            str(service.get("namespace") or ""),
            str(service.get("name") or ""),
            _stops_pods(hook),
        )
        for hook, service in hooks
        if service and hook.get("failurePolicy", "Fail") == "Fail"
    )


def _stops_pods(hook: Json) -> bool:
    """Selectors may exempt pods; then it is not said to stop them all."""
    is_for_all = not part(hook, "namespaceSelector") and not part(hook, "objectSelector")
    return is_for_all and any(_is_about_new_pods(rule) for rule in hook.get("rules") or ())


def _is_about_new_pods(rule: Json) -> bool:
    return all(
        set(rule.get(field) or ()) & wanted
        for field, wanted in (
            ("apiGroups", {"", "*"}),
            ("resources", {"pods", "*", "*/*"}),
            ("operations", {"CREATE", "*"}),
        )
    )


def _volume(volume: Json) -> scheduling.VolumeView | None:
    spec = part(volume, "spec")
    claim = part(spec, "claimRef")
    if not claim:
        return None
    terms = podneeds.node_terms(part(part(spec, "nodeAffinity"), "required"))
    host = any(line.key == "kubernetes.io/hostname" for term in terms for line in term.labels)
    old = _OLD_EBS if "awsElasticBlockStore" in spec else ""
    return scheduling.VolumeView(
        name=str(part(volume, "metadata")["name"]),
        namespace=str(claim.get("namespace") or ""),
        claim=str(claim.get("name") or ""),
        driver=str(part(spec, "csi").get("driver") or old),
        local="local" in spec or host,
        shared=bool({"ReadWriteMany", "ReadOnlyMany"} & set(spec.get("accessModes") or ())),
        terms=terms,
    )
