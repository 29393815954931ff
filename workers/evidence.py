"""Reads of one pod that is to be changed or kept: its facts, its objects as they are, its logs, and what keeps
traffic from it.

Functions over the connection (workers/api.py), called by workers/cluster.py, which owns the source. Nothing
here judges or changes anything, and no Secret is ever asked for.
"""

from collections.abc import Iterator
from math import ceil
from typing import Any
from urllib.parse import urlencode

import orjson

from commands import podreads
from commands.effects import Target
from commands.errors import Refused
from commands.model import Read
from commands.podreads import Controller, LogText, NetworkAgent, NetworkView, PodFacts, PolicyView, Run
from commands.scheduling import QUARANTINE
from workers.api import Api, Json, Subject, projected, segment
from workers.fields import part

READS: tuple[type[Read], ...] = (
    podreads.OnePod,
    podreads.IsolatedPods,
    podreads.Document,
    podreads.ContainerLog,
    podreads.Network,
    podreads.Policies,
)

# Where each kind is, and that it is in a namespace.
_KINDS = {
    "Pod": ("/api/v1", "pods"),
    "Node": ("/api/v1", "nodes"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "Job": ("/apis/batch/v1", "jobs"),
}
# How often a log is asked for with fewer lines, when its latest ones did not fit.
_TRIES = 4
# To a container that the pod has, a 400 means that this run of it has no log: never started, never ended.
_NO_RUN = "the Kubernetes API answers 400"
_MIRROR = "kubernetes.io/config.mirror"
_AUTO_MODE = "enable-network-policy-controller"


def read(api: Api, asked: Read, deadline: float) -> Any:
    match asked:
        case podreads.OnePod():
            return _pod(api, asked, deadline)
        case podreads.IsolatedPods():
            return _isolated(api, asked, deadline)
        case podreads.Document():
            return _document(api, asked, deadline)
        case podreads.ContainerLog():
            return _log(api, asked, deadline)
        case podreads.Network():
            return _network(api, deadline)
        case podreads.Policies():
            return _policies(api, asked, deadline)
    raise LookupError(f"not a read of one pod: {asked}")


# --- Objects --------------------------------------------------------------------------------------


def _find(api: Api, kind: str, namespace: str, name: str, deadline: float) -> tuple[Subject, Json | None]:
    root, resource = _KINDS[kind]
    within = f"/namespaces/{segment(namespace)}" if namespace else ""
    group = root.split("/")[2] if root.startswith("/apis/") else ""
    what = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    subject = Subject(what, resource, group, "get", namespace)
    return subject, api.find(subject, f"{root}{within}/{resource}/{segment(name)}", deadline)


def _pod(api: Api, asked: podreads.OnePod, deadline: float) -> PodFacts | None:
    subject, found = _find(api, "Pod", asked.namespace, asked.name, deadline)
    return None if found is None else projected(subject, _facts, found)


def _isolated(api: Api, asked: podreads.IsolatedPods, deadline: float) -> tuple[PodFacts, ...]:
    subject = Subject(f"pods in {asked.namespace}", "pods", namespace=asked.namespace)
    path = f"/api/v1/namespaces/{segment(asked.namespace)}/pods"
    found = api.listed(subject, path, deadline, _facts, labelSelector=QUARANTINE)
    return tuple(sorted(found, key=lambda pod: pod.target.name))


def _document(api: Api, asked: podreads.Document, deadline: float) -> str | None:
    _, found = _find(api, asked.kind, asked.namespace, asked.name, deadline)
    if found is None:
        return None
    part(found, "metadata").pop("managedFields", None)
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def _facts(pod: Json) -> PodFacts:
    metadata, spec, status = part(pod, "metadata"), part(pod, "spec"), part(pod, "status")
    annotations = dict(part(metadata, "annotations"))
    ready = [each for each in status.get("conditions") or () if each.get("type") == "Ready"]
    grace = spec.get("terminationGracePeriodSeconds")
    return PodFacts(
        target=_target("Pod", metadata),
        labels=dict(part(metadata, "labels")),
        annotations=annotations,
        node=str(spec.get("nodeName") or ""),
        phase=str(status.get("phase") or ""),
        is_ready=any(each.get("status") == "True" for each in ready),
        controller=next(_controllers(metadata), None),
        grace=30 if grace is None else int(grace),
        is_leaving=bool(metadata.get("deletionTimestamp")),
        is_mirror=_MIRROR in annotations,
        on_host_network=bool(spec.get("hostNetwork")),
        empty_dirs=tuple(
            str(each["name"]) for each in spec.get("volumes") or () if each.get("emptyDir") is not None
        ),
        runs=tuple(_runs(spec, status)),
    )


def _target(kind: str, metadata: Json) -> Target:
    return Target(kind, str(metadata.get("namespace") or ""), str(metadata["name"]), str(metadata["uid"]))


def _controllers(metadata: Json) -> Iterator[Controller]:
    for each in metadata.get("ownerReferences") or ():
        if each.get("controller"):
            yield Controller(str(each["kind"]), str(each["name"]), str(each["uid"]))


def _runs(spec: Json, status: Json) -> Iterator[Run]:
    for kind in ("init", "", "ephemeral"):
        listed = spec.get(f"{kind}Containers" if kind else "containers") or ()
        statuses = status.get(f"{kind}ContainerStatuses" if kind else "containerStatuses") or ()
        images = {each.get("name"): str(each.get("imageID") or "") for each in statuses}
        for each in listed:
            digest = images.get(each["name"], "").rpartition("://")[2]
            yield Run(str(each["name"]), str(each.get("image") or ""), kind, digest)


# --- Logs -----------------------------------------------------------------------------------------


def _log(api: Api, asked: podreads.ContainerLog, deadline: float) -> LogText:
    """The API bounds a log from its wrong end: of the lines asked for, `limitBytes` keeps the oldest. So fewer
    are asked for, until the latest fit."""
    subject = Subject(
        f"log of {asked.container} in {asked.namespace}/{asked.pod}",
        "pods/log",
        verb="get",
        namespace=asked.namespace,
    )
    base = f"/api/v1/namespaces/{segment(asked.namespace)}/pods/{segment(asked.pod)}/log"
    lines = asked.lines
    for _ in range(_TRIES):
        query = _log_query(asked, lines)
        try:
            text, is_longer = api.text(subject, f"{base}?{urlencode(query)}", deadline, asked.limit + 1)
        except Refused as error:
            if _NO_RUN not in error.reason:
                raise
            return LogText("", missing=error.reason.partition(f"{_NO_RUN}: ")[2])
        fitting = text.count("\n")
        if not is_longer and len(text.encode()) <= asked.limit:
            return LogText(text, is_cut=fitting >= lines)
        lines = max(1, fitting * 4 // 5)
    # One line alone does not fit, or lines come faster than they are read.
    return LogText(text[: asked.limit], is_cut=True)


def _log_query(asked: podreads.ContainerLog, lines: int) -> dict[str, str]:
    query = {
        "container": asked.container,
        "timestamps": "true",
        "tailLines": str(lines),
        "limitBytes": str(asked.limit + 1),
    }
    query |= {"sinceSeconds": str(ceil(asked.since.total_seconds()))} if asked.since else {}
    return {**query, "previous": "true"} if asked.previous else query


# --- What keeps traffic away ------------------------------------------------------------------------


def _network(api: Api, deadline: float) -> NetworkView:
    subject = Subject("DaemonSets", "daemonsets", "apps")
    agents = api.listed(subject, "/apis/apps/v1/daemonsets", deadline, _agent)
    return NetworkView(tuple(agents), _auto_mode(api, deadline))


def _agent(found: Json) -> NetworkAgent:
    metadata = part(found, "metadata")
    spec = part(part(part(found, "spec"), "template"), "spec")
    args = [
        str(arg)
        for container in spec.get("containers") or ()
        for arg in (*(container.get("command") or ()), *(container.get("args") or ()))
    ]
    return NetworkAgent(str(metadata["namespace"]), str(metadata["name"]), tuple(args))


def _auto_mode(api: Api, deadline: float) -> str:
    """EKS Auto Mode has no DaemonSet to look at; on other clusters there is no such ConfigMap, and what may not
    be read says nothing."""
    subject = Subject("ConfigMap amazon-vpc-cni", "configmaps", verb="get", namespace="kube-system")
    try:
        found = api.get(subject, "/api/v1/namespaces/kube-system/configmaps/amazon-vpc-cni", deadline)
    except Refused:
        return ""
    return str(part(found, "data").get(_AUTO_MODE) or "")


def _policies(api: Api, asked: podreads.Policies, deadline: float) -> tuple[PolicyView, ...]:
    subject = Subject(
        f"network policies of {asked.namespace}",
        "networkpolicies",
        "networking.k8s.io",
        namespace=asked.namespace,
    )
    path = f"/apis/networking.k8s.io/v1/namespaces/{segment(asked.namespace)}/networkpolicies"
    found = api.listed(subject, path, deadline, _policy)
    return tuple(sorted(found, key=lambda policy: policy.target.name))


def _policy(found: Json) -> PolicyView:
    spec = part(found, "spec")
    opened = {direction for direction in ("Ingress", "Egress") if spec.get(direction.lower())}
    return PolicyView(
        _target("NetworkPolicy", part(found, "metadata")), part(spec, "podSelector"), frozenset(opened)
    )
