"""What a diagnosis asks of single objects: which request answers which read, and what is kept of its answer.

Functions over the connection (workers/api.py), called by workers/cluster.py, which owns the source. Nothing here
judges or changes anything. A kind that is not installed is None where the read says so. What changed is in
workers/changes.py, from an object to its view in workers/triageviews.py.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from commands import triagereads
from commands.errors import Unanswered
from commands.model import Gap, Read
from commands.triagereads import ClaimView, CronJobView, JobView, NodeClaimView, PodSpec
from workers import triageviews
from workers.api import (
    METADATA,
    METADATA_LIST,
    Api,
    Json,
    NotInstalled,
    NotThere,
    Subject,
    projected,
    segment,
)
from workers.carried import along
from workers.fields import moment, part
from workers.trim import without_managed_fields

T = TypeVar("T")

READS: tuple[type[Read], ...] = (
    triagereads.OwnerNotes, triagereads.NamespaceNotes, triagereads.PodSpecOf, triagereads.Claim, triagereads.Jobs,
    triagereads.CronJob, triagereads.NodeLease, triagereads.NodeClaims, triagereads.ApiServices,
    triagereads.ApiHealth, triagereads.ProviderId,
)  # fmt: skip

_OWNED = {
    "deployment": ("deployments", "apps/v1"),
    "statefulset": ("statefulsets", "apps/v1"),
    "daemonset": ("daemonsets", "apps/v1"),
    "job": ("jobs", "batch/v1"),
    "cronjob": ("cronjobs", "batch/v1"),
}
_LEASES = "kube-node-lease"
_KARPENTER = ("karpenter.sh/v1", "karpenter.sh/v1beta1")
_HEALTH_BYTES = 64 * 1024


def read(api: Api, asked: Read, deadline: float) -> Any:
    match asked:
        case triagereads.OwnerNotes():
            return _owner_notes(api, asked, deadline)
        case triagereads.NamespaceNotes():
            return _namespace_notes(api, deadline)
        case triagereads.PodSpecOf():
            return _pod(api, asked, deadline)
        case triagereads.Claim():
            return _claim(api, asked, deadline)
        case triagereads.Jobs():
            return _jobs(api, asked, deadline)
        case triagereads.CronJob():
            return _cron_job(api, asked, deadline)
        case triagereads.NodeLease():
            return _lease(api, asked, deadline)
        case triagereads.NodeClaims():
            return _node_claims(api, deadline)
        case triagereads.ApiServices():
            return _api_services(api, deadline)
        case triagereads.ApiHealth():
            return _health(api, deadline)
        case triagereads.ProviderId():
            return _provider(api, asked, deadline)
    raise LookupError(f"not a read of a diagnosis: {asked}")


# --- One request ----------------------------------------------------------------------------------


def _path(group: str, namespace: str, resource: str) -> str:
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    return f"{root}/namespaces/{segment(namespace)}/{resource}" if namespace else f"{root}/{resource}"


def _subject(what: str, group: str, namespace: str, resource: str, verb: str = "get") -> Subject:
    return Subject(what, resource, group.rpartition("/")[0], verb=verb, namespace=namespace)


def _one(
    api: Api,
    where: tuple[str, str],
    namespace: str,
    name: str,
    deadline: float,
    project: Callable[[Json], T],
    *,
    accept: str = "",
) -> T | None:
    """where: the resource and the version of its group. None where there is none of this name."""
    resource, group = where
    named = f"{namespace}/{name}" if namespace else name
    subject = _subject(f"{resource} {named}", group, namespace, resource)
    path = f"{_path(group, namespace, resource)}/{segment(name)}"
    try:
        found = api.get(subject, path, deadline, **({"accept": accept} if accept else {}))
    except NotThere:
        return None
    return projected(subject, project, found)


# --- To whom it belongs ---------------------------------------------------------------------------


def _notes(found: Json) -> Mapping[str, str]:
    notes = part(part(found, "metadata"), "annotations")
    return {key: str(notes[key]) for key in (triagereads.OWNER, triagereads.CHANNEL) if notes.get(key)}


def _owner_notes(api: Api, asked: triagereads.OwnerNotes, deadline: float) -> Mapping[str, str]:
    spaces = ("namespaces", "v1")
    found = dict(_one(api, spaces, "", asked.namespace, deadline, _notes, accept=METADATA) or {})
    kind, _, name = asked.workload.partition("/")
    if name and kind in _OWNED:
        own = _one(api, _OWNED[kind], asked.namespace, name, deadline, _notes, accept=METADATA)
        found |= own or {}
    return found


def _namespace_notes(api: Api, deadline: float) -> Mapping[str, Mapping[str, str]]:
    def project(item: Json) -> tuple[str, Mapping[str, str]]:
        return str(part(item, "metadata")["name"]), _notes(item)

    subject = _subject("namespaces", "v1", "", "namespaces", "list")
    found = api.listed(subject, "/api/v1/namespaces", deadline, project, bytes, METADATA_LIST)
    return {name: notes for name, notes in found if notes}


# --- Pods and what they mount ---------------------------------------------------------------------


def _pod(api: Api, asked: triagereads.PodSpecOf, deadline: float) -> PodSpec | None:
    return _one(api, ("pods", "v1"), asked.namespace, asked.pod, deadline, triageviews.pod_spec)


def _claim(api: Api, asked: triagereads.Claim, deadline: float) -> ClaimView | None:
    """Its class, its volume and its pods side by side; one that is not answered takes nothing from the others."""
    where = ("persistentvolumeclaims", "v1")
    view = _one(api, where, asked.namespace, asked.name, deadline, triageviews.claim_view)
    if view is None:
        return None
    with ThreadPoolExecutor(3, thread_name_prefix="claim") as pool:
        asking = (
            pool.submit(along(_with_class), api, view, deadline),
            pool.submit(along(_with_volume), api, view, deadline),
            pool.submit(along(_with_pods), api, view, deadline),
        )
    for each in asking:
        try:
            view = replace(view, **each.result())
        except Unanswered as error:
            view = replace(view, unread=(*view.unread, Gap.of(error)))
    return view


def _with_class(api: Api, view: ClaimView, deadline: float) -> dict[str, Any]:
    if not view.storage_class:
        return {}
    where = ("storageclasses", "storage.k8s.io/v1")
    return _one(api, where, "", view.storage_class, deadline, triageviews.of_class) or {}


def _with_volume(api: Api, view: ClaimView, deadline: float) -> dict[str, Any]:
    if not view.volume:
        return {}
    zone = _one(api, ("persistentvolumes", "v1"), "", view.volume, deadline, triageviews.zone_of)
    return {"zone": zone or ""}


def _with_pods(api: Api, view: ClaimView, deadline: float) -> dict[str, Any]:
    def mounting(pod: Json) -> str:
        return triageviews.mounting(pod, view.name)

    subject = _subject(f"pods in {view.namespace}", "v1", view.namespace, "pods", "list")
    path = _path("v1", view.namespace, "pods")
    found = api.listed(subject, path, deadline, mounting, without_managed_fields)
    return {"pods": tuple(sorted(filter(None, found)))}


# --- Jobs -----------------------------------------------------------------------------------------


def _jobs(api: Api, asked: triagereads.Jobs, deadline: float) -> tuple[JobView, ...]:
    subject = _subject(f"jobs in {asked.namespace}", "batch/v1", asked.namespace, "jobs", "list")
    query = {"fieldSelector": f"metadata.name={segment(asked.name)}"} if asked.name else {}
    path = _path("batch/v1", asked.namespace, "jobs")
    found = api.listed(subject, path, deadline, triageviews.job_view, **query)
    # One that never started (suspended, no room) comes last.
    return tuple(sorted(found, key=lambda job: job.started.timestamp() if job.started else 0.0, reverse=True))


def _cron_job(api: Api, asked: triagereads.CronJob, deadline: float) -> CronJobView | None:
    where = ("cronjobs", "batch/v1")
    return _one(api, where, asked.namespace, asked.name, deadline, triageviews.cron_job_view)


# --- Nodes ----------------------------------------------------------------------------------------


def _lease(api: Api, asked: triagereads.NodeLease, deadline: float) -> Any:
    where = ("leases", "coordination.k8s.io/v1")
    return _one(
        api, where, _LEASES, asked.node, deadline, lambda lease: moment(part(lease, "spec").get("renewTime"))
    )


def _provider(api: Api, asked: triagereads.ProviderId, deadline: float) -> str | None:
    where = ("nodes", "v1")
    return _one(
        api, where, "", asked.node, deadline, lambda node: str(part(node, "spec").get("providerID") or "")
    )


def _node_claims(api: Api, deadline: float) -> tuple[NodeClaimView, ...] | None:
    """By the newest version that the cluster serves."""
    for group in _KARPENTER:
        subject = _subject("nodeclaims", group, "", "nodeclaims", "list")
        try:
            found = api.listed(subject, f"/apis/{group}/nodeclaims", deadline, triageviews.node_claim_view)
        except NotInstalled:
            continue
        return tuple(sorted(found, key=lambda claim: claim.name))
    return None


# --- The API server -------------------------------------------------------------------------------


def _api_services(api: Api, deadline: float) -> tuple[triagereads.ApiServiceView, ...]:
    group = "apiregistration.k8s.io/v1"
    subject = _subject("apiservices", group, "", "apiservices", "list")
    found = api.listed(subject, f"/apis/{group}/apiservices", deadline, triageviews.api_service_view)
    return tuple(sorted((each for each in found if each), key=lambda each: each.name))


def _health(api: Api, deadline: float) -> tuple[str, ...]:
    """Whoever may log in may ask this; an API server that is not ready says so with a 500."""
    subject = Subject("readiness of the API server", "/readyz", verb="get")
    answer = api.through_proxy(subject, "/readyz?verbose", deadline, _HEALTH_BYTES)
    failing = triageviews.failing_checks(answer.body.decode(errors="replace"))
    if answer.status != 200 and not failing:
        raise api.meaning(subject, answer, None)
    return failing
