"""Reads about workloads from the Kubernetes API: functions over its connection, and their projections.

Every list is projected page by page; of a Secret only metadata is asked for, so its values never come here.
Nothing here judges. Called by workers/cluster.py, which hands its connection over.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from commands import workloads
from commands.effects import Target
from commands.model import Read
from workers.api import JSON, Api, Json, NotThere, Subject, projected, segment
from workers.fields import conditions, moment, part, quantity

T = TypeVar("T")

READS: tuple[type[Read], ...] = (
    workloads.Workload, workloads.Workloads, workloads.Revisions, workloads.Members, workloads.Autoscalers,
    workloads.WorkloadBudgets, workloads.Quotas, workloads.ServicesOf, workloads.Referred,
)  # fmt: skip

_PLURALS = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "ReplicaSet": "replicasets",
    "ControllerRevision": "controllerrevisions",
}
_REFERRED = {
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "ServiceAccount": "serviceaccounts",
    "PersistentVolumeClaim": "persistentvolumeclaims",
}
# The API server leaves everything but metadata out of its answer.
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
# What a pod that is only on its way says.
_ON_ITS_WAY = ("", "ContainerCreating", "PodInitializing")


def read(api: Api, read: Read, deadline: float) -> Any:
    match read:
        case workloads.Workload():
            kinds = (read.kind,) if read.kind else workloads.SHORT
            views = (_one(api, kind, read.namespace, read.name, deadline) for kind in kinds)
            return tuple(view for view in views if view is not None)
        case workloads.Workloads():
            return tuple(
                view for kind in workloads.SHORT for view in _all(api, kind, read.namespace, deadline)
            )
        case workloads.Revisions():
            return _revisions(api, read, deadline)
        case workloads.Members():
            found = _listed(api, "pods", read.namespace, deadline, _member_view, labelSelector=read.selector)
            return tuple(sorted(found, key=lambda member: member.name))
        case workloads.Autoscalers():
            group = "autoscaling/v2"
            return tuple(
                _listed(
                    api, "horizontalpodautoscalers", read.namespace, deadline, _autoscaler_view, group=group
                )
            )
        case workloads.WorkloadBudgets():
            group = "policy/v1"
            return tuple(
                _listed(api, "poddisruptionbudgets", read.namespace, deadline, _budget_view, group=group)
            )
        case workloads.Quotas():
            return tuple(_listed(api, "resourcequotas", read.namespace, deadline, _quota_view))
        case workloads.ServicesOf():
            services = _listed(api, "services", read.namespace, deadline, _service_view)
            return tuple(service for service in services if service.selector)
        case workloads.Referred():
            return _referred(api, read, deadline)
    raise LookupError(f"not a read about workloads: {read}")


def _path(group: str, namespace: str, resource: str) -> str:
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    return f"{root}/namespaces/{segment(namespace)}/{resource}" if namespace else f"{root}/{resource}"


def _listed(
    api: Api,
    resource: str,
    namespace: str,
    deadline: float,
    project: Callable[[Json], T],
    *,
    group: str = "v1",
    **query: str,
) -> list[T]:
    what = f"{resource} in {namespace}" if namespace else resource
    subject = Subject(what, resource, group.rpartition("/")[0], namespace=namespace)
    return api.listed(subject, _path(group, namespace, resource), deadline, project, **query)


# --- Workloads ------------------------------------------------------------------------------------


def _one(api: Api, kind: str, namespace: str, name: str, deadline: float) -> workloads.WorkloadView | None:
    plural = _PLURALS[kind]
    subject = Subject(f"{kind} {namespace}/{name}", plural, "apps", verb="get", namespace=namespace)
    path = f"{_path('apps/v1', namespace, plural)}/{segment(name)}"
    found = api.find(subject, path, deadline)
    return None if found is None else projected(subject, lambda item: _workload_view(kind, item), found)


def _all(api: Api, kind: str, namespace: str, deadline: float) -> list[workloads.WorkloadView]:
    found = _listed(
        api, _PLURALS[kind], namespace, deadline, lambda item: _workload_view(kind, item), group="apps/v1"
    )
    return sorted(found, key=lambda view: view.target.path)


def _target(kind: str, found: Json) -> Target:
    metadata = part(found, "metadata")
    return Target(kind, str(metadata["namespace"]), str(metadata["name"]), str(metadata["uid"]))


def _workload_view(kind: str, found: Json) -> workloads.WorkloadView:
    metadata, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status")
    return workloads.WorkloadView(
        target=_target(kind, found),
        generation=int(metadata.get("generation") or 0),
        observed=int(status.get("observedGeneration") or 0),
        **(_daemon_counts(status) if kind == "DaemonSet" else _counts(spec, status)),
        template=part(spec, "template"),
        selector=workloads.selector_text(part(spec, "selector")),
        strategy=_strategy(kind, spec),
        is_paused=bool(spec.get("paused")),
        is_leaving=bool(metadata.get("deletionTimestamp")),
        conditions=conditions(status),
        labels=dict(part(metadata, "labels")),
        annotations=dict(part(metadata, "annotations")),
        owners=tuple(_owner(each) for each in metadata.get("ownerReferences") or ()),
        managers=tuple(_manager(each) for each in metadata.get("managedFields") or ()),
        current=str(status.get("currentRevision") or ""),
        update=str(status.get("updateRevision") or ""),
        claims=tuple(
            str(part(each, "metadata").get("name", "")) for each in spec.get("volumeClaimTemplates") or ()
        ),
        keeps_claims=part(spec, "persistentVolumeClaimRetentionPolicy").get("whenScaled") != "Delete",
        history_limit=_number(spec.get("revisionHistoryLimit"), 10),
        created=moment(metadata.get("creationTimestamp")),
    )


def _number(value: Any, default: int) -> int:
    return default if value is None else int(value)


def _counts(spec: Json, status: Json) -> dict[str, int]:
    ready = int(status.get("readyReplicas") or 0)
    return {
        "replicas": _number(spec.get("replicas"), 1),
        "total": int(status.get("replicas") or 0),
        "updated": int(status.get("updatedReplicas") or 0),
        "ready": ready,
        "available": int(status.get("availableReplicas") or 0),
    }


def _daemon_counts(status: Json) -> dict[str, int]:
    return {
        "replicas": int(status.get("desiredNumberScheduled") or 0),
        "total": int(status.get("currentNumberScheduled") or 0),
        "updated": int(status.get("updatedNumberScheduled") or 0),
        "ready": int(status.get("numberReady") or 0),
        "available": int(status.get("numberAvailable") or 0),
    }


# A Deployment's deadline of this many seconds stands for none at all.
_NO_DEADLINE = 2**31 - 1


def _strategy(kind: str, spec: Json) -> workloads.Strategy:
    """As it stands, with the API's defaults where an old object has nothing."""
    if kind == "Deployment":
        said = part(spec, "strategy")
        rolling = part(said, "rollingUpdate")
        seconds = _number(spec.get("progressDeadlineSeconds"), 600)
        return workloads.Strategy(
            str(said.get("type") or "RollingUpdate"),
            surge=_either(rolling.get("maxSurge"), "25%"),
            unavailable=_either(rolling.get("maxUnavailable"), "25%"),
            deadline=None if seconds >= _NO_DEADLINE else timedelta(seconds=seconds),
        )
    said = part(spec, "updateStrategy")
    rolling = part(said, "rollingUpdate")
    return workloads.Strategy(
        str(said.get("type") or "RollingUpdate"),
        surge=_either(rolling.get("maxSurge"), 0),
        unavailable=_either(rolling.get("maxUnavailable"), 1),
        partition=int(rolling.get("partition") or 0),
        is_ordered=kind == "StatefulSet" and spec.get("podManagementPolicy") != "Parallel",
    )


def _either(value: Any, default: int | str) -> int | str:
    """An IntOrString as it was written."""
    if value is None:
        return default
    return value if isinstance(value, int) else str(value)


def _owner(reference: Json) -> workloads.Owner:
    return workloads.Owner(
        str(reference.get("apiVersion", "")),
        str(reference["kind"]),
        str(reference["name"]),
        bool(reference.get("controller")),
    )


def _manager(entry: Json) -> workloads.Manager:
    spec = part(part(entry, "fieldsV1"), "f:spec")
    return workloads.Manager(
        str(entry.get("manager") or ""),
        moment(entry.get("time")),
        of_template="f:template" in spec,
        of_replicas="f:replicas" in spec,
    )


# --- Revisions and pods ---------------------------------------------------------------------------


def _revisions(api: Api, read: workloads.Revisions, deadline: float) -> tuple[workloads.RevisionView, ...]:
    kind = "ReplicaSet" if read.workload.kind == "Deployment" else "ControllerRevision"
    project = _replicaset_view if kind == "ReplicaSet" else _controller_revision_view

    def own(item: Json) -> workloads.RevisionView | None:
        return project(item) if _controller(item) == read.workload.uid else None

    found = _listed(
        api,
        _PLURALS[kind],
        read.workload.namespace,
        deadline,
        own,
        group="apps/v1",
        labelSelector=read.selector,
    )
    views = [view for view in found if view is not None]
    return tuple(sorted(views, key=lambda view: (-view.number, view.source.name)))


def _controller(item: Json) -> str:
    """uid of what controls it, "" for nothing."""
    owners = part(item, "metadata").get("ownerReferences") or ()
    return next((str(each.get("uid")) for each in owners if each.get("controller")), "")


def _replicaset_view(found: Json) -> workloads.RevisionView:
    metadata, spec = part(found, "metadata"), part(found, "spec")
    annotations = part(metadata, "annotations")
    number = str(annotations.get(workloads.REVISION) or "0")
    return workloads.RevisionView(
        number=int(number) if number.isdecimal() else 0,
        source=_target("ReplicaSet", found),
        mark=str(part(metadata, "labels").get("pod-template-hash") or ""),
        template=part(spec, "template"),
        created=moment(metadata.get("creationTimestamp")),
        cause=str(annotations.get(workloads.CHANGE_CAUSE) or ""),
        replicas=_number(spec.get("replicas"), 1),
    )


def _controller_revision_view(found: Json) -> workloads.RevisionView:
    metadata = part(found, "metadata")
    labels = part(metadata, "labels")
    name = str(metadata["name"])
    # A DaemonSet's pods bear the hash that its revision's name ends with, a StatefulSet's the whole name.
    owners = metadata.get("ownerReferences") or ()
    daemon = next((str(each.get("name")) for each in owners if each.get("kind") == "DaemonSet"), "")
    hashed = str(labels.get("controller-revision-hash") or name.removeprefix(f"{daemon}-"))
    return workloads.RevisionView(
        number=int(found.get("revision") or 0),
        source=_target("ControllerRevision", found),
        mark=hashed if daemon else name,
        template=part(part(part(found, "data"), "spec"), "template"),
        created=moment(metadata.get("creationTimestamp")),
        cause=str(part(metadata, "annotations").get(workloads.CHANGE_CAUSE) or ""),
    )


def _member_view(pod: Json) -> workloads.MemberView:
    metadata, status = part(pod, "metadata"), part(pod, "status")
    labels = part(metadata, "labels")
    created = moment(metadata.get("creationTimestamp"))
    ready = next((each for each in conditions(status) if each.type == "Ready"), None)
    is_ready = ready is not None and ready.status == "True"
    since = (ready.since if ready else None) or created
    trouble, message = _trouble(status)
    ended = _latest_end(status)
    return workloads.MemberView(
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        owner=_controller(pod),
        mark=str(labels.get("controller-revision-hash") or labels.get("pod-template-hash") or ""),
        is_ready=is_ready,
        restarts=sum(int(each.get("restartCount") or 0) for each in _containers(status)),
        trouble=trouble,
        message=message,
        since=None if is_ready else since,
        ready_since=since if is_ready else None,
        created=created,
        node=str(part(pod, "spec").get("nodeName") or ""),
        last_exit=f"{ended.get('reason') or 'Error'} {ended.get('exitCode', '')}".strip() if ended else "",
        last_restart=moment(ended.get("finishedAt")),
        is_leaving=bool(metadata.get("deletionTimestamp")),
    )


def _containers(status: Json) -> list[Json]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _trouble(status: Json) -> tuple[str, str]:
    """The word and the sentence for what keeps a pod from running, ("", "") while it is on its way."""
    if status.get("reason"):  # Evicted, NodeLost, …
        return str(status["reason"]), str(status.get("message") or "")
    for each in conditions(status):
        if each.type == "PodScheduled" and each.status == "False":
            return each.reason, each.message
    return next(_container_troubles(status), ("", ""))


def _container_troubles(status: Json) -> Iterator[tuple[str, str]]:
    for each in _containers(status):
        state = part(each, "state")
        waiting, ended = part(state, "waiting"), part(state, "terminated")
        word = str(waiting.get("reason") or "")
        if word not in _ON_ITS_WAY:
            yield word, str(waiting.get("message") or "")
        elif ended and ended.get("exitCode") != 0:
            yield str(ended.get("reason") or "Error"), str(ended.get("message") or "")


def _latest_end(status: Json) -> Json:
    """How the container that was restarted last had ended; {} when none was."""
    ends = [part(part(each, "lastState"), "terminated") for each in _containers(status)]
    return max((end for end in ends if end), key=lambda end: str(end.get("finishedAt") or ""), default={})


# --- What hangs on a workload ---------------------------------------------------------------------


def _autoscaler_view(found: Json) -> workloads.AutoscalerView:
    metadata, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status")
    aim = part(spec, "scaleTargetRef")
    owners = [_owner(each) for each in metadata.get("ownerReferences") or ()]
    name = str(metadata["name"])
    keda = next((owner.name for owner in owners if owner.kind == "ScaledObject"), "")
    return workloads.AutoscalerView(
        name=name,
        kind=str(aim.get("kind", "")),
        target=str(aim.get("name", "")),
        low=_number(spec.get("minReplicas"), 1),
        high=int(spec["maxReplicas"]),
        now=int(status.get("currentReplicas") or 0),
        wanted=int(status.get("desiredReplicas") or 0),
        keda=keda or (name.removeprefix("keda-hpa-") if name.startswith("keda-hpa-") else ""),
    )


def _budget_view(found: Json) -> workloads.BudgetTerms:
    spec = part(found, "spec")
    selector = spec.get("selector")
    # policy/v1: {} selects every pod, nothing selects none.
    none = {"matchExpressions": [{"key": "", "operator": "Exists"}]}
    return workloads.BudgetTerms(
        name=str(part(found, "metadata")["name"]),
        selector=none if selector is None else selector,
        least=spec.get("minAvailable"),
        most=spec.get("maxUnavailable"),
    )


def _quota_view(found: Json) -> workloads.QuotaView:
    spec, status = part(found, "spec"), part(found, "status")
    hard = part(status, "hard") or part(spec, "hard")
    return workloads.QuotaView(
        name=str(part(found, "metadata")["name"]),
        hard={name: quantity(value) for name, value in hard.items()},
        used={name: quantity(value) for name, value in part(status, "used").items()},
        is_partial=bool(spec.get("scopes") or spec.get("scopeSelector")),
    )


def _service_view(found: Json) -> workloads.ServiceView:
    selector = part(part(found, "spec"), "selector")
    return workloads.ServiceView(str(part(found, "metadata")["name"]), dict(selector))


def _referred(api: Api, read: workloads.Referred, deadline: float) -> workloads.ReferredView:
    plural = _REFERRED[read.kind]
    subject = Subject(
        f"{read.kind} {read.namespace}/{read.name}", plural, verb="get", namespace=read.namespace
    )
    path = f"{_path('v1', read.namespace, plural)}/{segment(read.name)}"
    try:
        found = api.get(subject, path, deadline, accept=JSON if read.kind == "ConfigMap" else _METADATA)
    except NotThere:
        return workloads.ReferredView(exists=False)
    return projected(subject, lambda item: _referred_view(item, read.kind == "ConfigMap"), found)


def _referred_view(found: Json, is_whole: bool) -> workloads.ReferredView:
    """Of metadata only, managedFields hold the names of the keys, and in any case when they were written."""
    entries = part(found, "metadata").get("managedFields") or ()
    writes = [(entry, _keys(entry)) for entry in entries]
    times = [moment(entry.get("time")) for entry, keys in writes if keys]
    keys: set[str] = {key for _, names in writes for key in names}
    if is_whole:
        keys = {*part(found, "data"), *part(found, "binaryData")}
    return workloads.ReferredView(
        exists=True,
        keys=frozenset(keys) if keys or is_whole else None,
        changed=max((at for at in times if at), default=None),
    )


def _keys(entry: Json) -> set[str]:
    fields = part(entry, "fieldsV1")
    names = {name for each in ("f:data", "f:binaryData") for name in part(fields, each)}
    return {name.removeprefix("f:") for name in names if name.startswith("f:")}
