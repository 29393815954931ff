"""Reads about workloads from the Kubernetes API: functions over its connection.

Every list is projected page by page; of a Secret only metadata is asked for, so its values never come here.
Nothing here judges. Called by workers/cluster.py, which hands its connection over.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from commands import workloads
from commands.model import Read
from workers import workloadviews
from workers.api import JSON, Api, Json, NotThere, Subject, projected, segment

T = TypeVar("T")

READS: tuple[type[Read], ...] = (
    workloads.Workload, workloads.Workloads, workloads.Revisions, workloads.Members, workloads.Autoscalers,
    workloads.WorkloadBudgets, workloads.Quotas, workloads.ServicesOf, workloads.IngressesOf,
    workloads.Referred,
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
            found = _listed(
                api, "pods", read.namespace, deadline, workloadviews.member_view, labelSelector=read.selector
            )
            return tuple(sorted(found, key=lambda member: member.name))
        case workloads.Autoscalers():
            group = "autoscaling/v2"
            return tuple(
                _listed(
                    api,
                    "horizontalpodautoscalers",
                    read.namespace,
                    deadline,
                    workloadviews.autoscaler_view,
                    group=group,
                )
            )
        case workloads.WorkloadBudgets():
            group = "policy/v1"
            return tuple(
                _listed(
                    api,
                    "poddisruptionbudgets",
                    read.namespace,
                    deadline,
                    workloadviews.budget_view,
                    group=group,
                )
            )
        case workloads.Quotas():
            return tuple(_listed(api, "resourcequotas", read.namespace, deadline, workloadviews.quota_view))
        case workloads.ServicesOf():
            services = _listed(api, "services", read.namespace, deadline, workloadviews.service_view)
            return tuple(service for service in services if service.selector)
        case workloads.IngressesOf():
            group = "networking.k8s.io/v1"
            project = workloadviews.ingress_view
            return tuple(_listed(api, "ingresses", read.namespace, deadline, project, group=group))
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
    return (
        None
        if found is None
        else projected(subject, lambda item: workloadviews.workload_view(kind, item), found)
    )


def _all(api: Api, kind: str, namespace: str, deadline: float) -> list[workloads.WorkloadView]:
    found = _listed(
        api,
        _PLURALS[kind],
        namespace,
        deadline,
        lambda item: workloadviews.workload_view(kind, item),
        group="apps/v1",
    )
    return sorted(found, key=lambda view: view.target.path)


def _revisions(api: Api, read: workloads.Revisions, deadline: float) -> tuple[workloads.RevisionView, ...]:
    kind = "ReplicaSet" if read.workload.kind == "Deployment" else "ControllerRevision"
    project = (
        workloadviews.replicaset_view if kind == "ReplicaSet" else workloadviews.controller_revision_view
    )

    def own(item: Json) -> workloads.RevisionView | None:
        return project(item) if workloadviews.controller(item) == read.workload.uid else None

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
    return projected(subject, lambda item: workloadviews.referred_view(item, read.kind == "ConfigMap"), found)
