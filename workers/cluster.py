"""Reads from the Kubernetes API: which request answers which read, and what is kept of its answer.

The source of reads that workers/reader.py asks; workers/signals.py uses it for the API server's proxy.
Every list is projected page by page. Nothing here judges. The connection, the paging and the error table
are workers/api.py's.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from commands import reads
from commands.model import Read
from commands.site import ClusterSite, ServiceAddress
from commands.triagereads import Changes
from workers import changes, evidence, podreads, podtable, scheduling, securityreads, triagereads, workloads
from workers.api import TABLE, Api, Json, Subject, from_the_start, projected, segment
from workers.fields import conditions, moment, part, quantity
from workers.reader import Answer


class Cluster:
    """One Kubernetes cluster. `api` is its connection, which workers/effects.py shares."""

    def __init__(self, site: ClusterSite, kubeconfig: Path | None = None) -> None:
        self.api = Api(site, kubeconfig)

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        own = (reads.Nodes, reads.Pods, reads.Endpoints, reads.Deployment, reads.NodeMetrics)
        return (
            (*own, *evidence.READS, *podreads.READS, *workloads.READS),
            scheduling.READS,
            (*triagereads.READS, *changes.READS),
            securityreads.READS,
        )

    def read(self, read: Read, deadline: float) -> Any:
        match read:
            case reads.Nodes():
                return self._nodes(deadline)
            case reads.Pods():
                return self._pods(read, deadline)
            case reads.Endpoints():
                return self._endpoints(read, deadline)
            case reads.Deployment():
                return self._deployment(read, deadline)
            case reads.NodeMetrics():
                return self._node_metrics(deadline)
        if isinstance(read, evidence.READS):
            return evidence.read(self.api, read, deadline)
        if isinstance(read, podreads.READS):
            return podreads.read(self.api, read, deadline)
        if isinstance(read, scheduling.READS):
            return scheduling.read(self.api, read, deadline)
        if isinstance(read, workloads.READS):
            return workloads.read(self.api, read, deadline)
        if isinstance(read, triagereads.READS):
            return triagereads.read(self.api, read, deadline)
        if isinstance(read, securityreads.READS):
            return securityreads.read(self.api, read, deadline)
        if isinstance(read, Changes):
            return changes.read(self.api, read, deadline)
        raise LookupError(f"not a read of the Kubernetes API: {read}")

    def close(self) -> None:
        self.api.close()

    # The API server's proxy, for what cannot be reached directly.

    def via_service(self, address: ServiceAddress, path: str, deadline: float, cap: int) -> Answer:
        scheme = "https:" if address.scheme == "https" else ""
        name = f"{scheme}{address.service}:{address.port}"
        subject = Subject(
            f"{address.service}.{address.namespace}",
            "services/proxy",
            verb="get",
            namespace=address.namespace,
        )
        base = f"/api/v1/namespaces/{segment(address.namespace)}/services/{name}/proxy{address.path}"
        return self.api.through_proxy(subject, base + path, deadline, cap)

    def via_pod(self, namespace: str, pod: str, port: int, path: str, *, deadline: float, cap: int) -> Answer:
        subject = Subject(f"pod {namespace}/{pod}", "pods/proxy", verb="get", namespace=namespace)
        base = f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(pod)}:{port}/proxy"
        return self.api.through_proxy(subject, base + path, deadline, cap)

    def _nodes(self, deadline: float) -> tuple[reads.NodeView, ...]:
        subject = Subject("nodes", "nodes")
        found = self.api.listed(subject, "/api/v1/nodes", deadline, _node_view)
        return tuple(sorted(found, key=lambda node: node.name))

    def _endpoints(self, read: reads.Endpoints, deadline: float) -> tuple[reads.EndpointView, ...]:
        subject = Subject(
            f"endpoints of {read.namespace}/{read.service}",
            "endpointslices",
            "discovery.k8s.io",
            namespace=read.namespace,
        )
        path = f"/apis/discovery.k8s.io/v1/namespaces/{segment(read.namespace)}/endpointslices"
        selector = f"kubernetes.io/service-name={segment(read.service)}"
        slices = self.api.listed(subject, path, deadline, _slice_views, labelSelector=selector)
        return _merged(slices)

    def _deployment(self, read: reads.Deployment, deadline: float) -> reads.DeploymentView | None:
        what = f"deployment {read.namespace}/{read.name}"
        subject = Subject(what, "deployments", "apps", verb="get", namespace=read.namespace)
        path = f"/apis/apps/v1/namespaces/{segment(read.namespace)}/deployments/{segment(read.name)}"
        found = self.api.find(subject, path, deadline)
        return None if found is None else projected(subject, _deployment_view, found)

    def _node_metrics(self, deadline: float) -> tuple[reads.NodeUsage, ...]:
        subject = Subject("node metrics", "nodes", "metrics.k8s.io")
        path = "/apis/metrics.k8s.io/v1beta1/nodes"
        found = self.api.listed(subject, path, deadline, _node_usage)
        return tuple(sorted(found, key=lambda usage: usage.node))

    def _pods(self, read: reads.Pods, deadline: float) -> reads.PodSurvey:
        scope = f"/namespaces/{segment(read.namespace)}" if read.namespace else ""
        subject = Subject(
            f"pods in {read.namespace}" if read.namespace else "pods", "pods", namespace=read.namespace
        )
        path = f"/api/v1{scope}/pods"

        def page(query: Mapping[str, str], until: float) -> Json:
            return self.api.get(subject, f"{path}?{urlencode(query)}", until, accept=TABLE)

        table = podtable.PodTable(page, subject.what, deadline)
        return from_the_start(subject, lambda: podtable.survey(table, read.namespace, read.detail))


# --- From an object to a view ---------------------------------------------------------------------


def _node_view(node: Json) -> reads.NodeView:
    metadata, spec, status = part(node, "metadata"), part(node, "spec"), part(node, "status")
    allocatable = part(status, "allocatable")
    return reads.NodeView(
        name=str(metadata["name"]),
        conditions=conditions(status),
        unschedulable=bool(spec.get("unschedulable")),
        taints=tuple(_taint(each) for each in spec.get("taints") or ()),
        kubelet=str(part(status, "nodeInfo").get("kubeletVersion", "")),
        allocatable_cpu=quantity(allocatable.get("cpu", 0)),
        allocatable_memory=quantity(allocatable.get("memory", 0)),
        labels=dict(part(metadata, "labels")),
        created=moment(metadata.get("creationTimestamp")),
        addresses=tuple(dict.fromkeys(str(each["address"]) for each in status.get("addresses") or ())),
    )


def _taint(taint: Json) -> str:
    """As kubectl describe writes it: key=value:Effect, key:Effect."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint.get('effect', '')}"


def _deployment_view(found: Json) -> reads.DeploymentView:
    metadata, status = part(found, "metadata"), part(found, "status")
    wanted = part(found, "spec").get("replicas")
    return reads.DeploymentView(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        replicas=1 if wanted is None else int(wanted),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        generation=int(metadata.get("generation") or 0),
        observed_generation=int(status.get("observedGeneration") or 0),
        conditions=conditions(status),
    )


def _node_usage(found: Json) -> reads.NodeUsage:
    usage = found["usage"]
    return reads.NodeUsage(found["metadata"]["name"], quantity(usage["cpu"]), quantity(usage["memory"]))


_Slice = tuple[str, tuple[reads.EndpointView, ...]]


def _slice_views(found: Json) -> _Slice:
    views = (view for each in found.get("endpoints") or () for view in _endpoint_views(each))
    return str(found.get("addressType", "")), tuple(views)


def _endpoint_views(endpoint: Json) -> Iterator[reads.EndpointView]:
    conditions, target = part(endpoint, "conditions"), part(endpoint, "targetRef")
    for address in endpoint.get("addresses") or ():
        yield reads.EndpointView(
            address=str(address),
            pod=str(target.get("name") or "") if target.get("kind", "Pod") == "Pod" else "",
            # The API says: null is to be taken as true.
            ready=conditions.get("ready") is not False,
            node=str(endpoint.get("nodeName") or ""),
            terminating=bool(conditions.get("terminating")),
        )


def _merged(slices: Iterable[_Slice]) -> tuple[reads.EndpointView, ...]:
    """Each address once, ready if any slice says so: one moves between slices and is in both meanwhile.

    A dual-stack Service has its pods in two kinds of slices; they count once, by their IPv4 address.
    """
    ordered = sorted(slices, key=lambda each: each[0])
    merged: dict[str, reads.EndpointView] = {}
    kinds: dict[str, str] = {}
    for kind, views in ordered:
        for view in views:
            if view.pod and kinds.setdefault(view.pod, kind) != kind:
                continue
            known = merged.get(view.address)
            if known is None or (view.ready and not known.ready):
                merged[view.address] = view
    return tuple(merged.values())
