"""Reads of single pods, of events and of use: which request answers which, and what is kept of its answer.

Functions over the connection (workers/api.py), called by workers/cluster.py, which owns the source. Nothing
here judges or changes anything; of a Secret only the name is ever looked at.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from commands import podreads
from commands.errors import Refused
from commands.model import Read
from commands.podreads import ContainerView, Ending, EventView, PodDetail, Resources
from workers import podtable
from workers.api import TABLE, Api, Json, NotThere, Subject, from_the_start, projected, segment
from workers.fields import moment, part, quantity

READS: tuple[type[Read], ...] = (
    podreads.PodDetails,
    podreads.PodRows,
    podreads.ConfigMapChange,
    podreads.PodMetrics,
    podreads.NodeDisk,
    podreads.Events,
)

_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
# A whole pod is about 7 kB, a line without an object 150 bytes.
_WHOLE_PAGE = "250"
_ROWS_PAGE = "1000"
_EVENTS_PAGE = "500"
_SUMMARY_BYTES = 8 * 1024 * 1024
_EXPORTER = (
    "let Prometheus scrape node-exporter: the bot does not ask for nodes/proxy, with which"
    " commands can be run in every pod of a node"
)


def read(api: Api, asked: Read, deadline: float) -> Any:
    match asked:
        case podreads.PodDetails():
            return _details(api, asked, deadline)
        case podreads.PodRows():
            return _rows(api, asked, deadline)
        case podreads.ConfigMapChange():
            return _config_map(api, asked, deadline)
        case podreads.PodMetrics():
            return _metrics(api, asked, deadline)
        case podreads.NodeDisk():
            return _disk(api, asked, deadline)
        case podreads.Events():
            return _events(api, asked, deadline)
    raise LookupError(f"not a read of pods: {asked}")


# --- Pods -----------------------------------------------------------------------------------------


def _details(api: Api, asked: podreads.PodDetails, deadline: float) -> tuple[PodDetail, ...]:
    fields = [f"metadata.name={segment(asked.name)}"] if asked.name else []
    fields += [f"spec.nodeName={segment(asked.node)}"] if asked.node else []
    query = {"limit": _WHOLE_PAGE, "includeObject": "Object"}
    query |= {"fieldSelector": ",".join(fields)} if fields else {}
    query |= {"labelSelector": asked.selector} if asked.selector else {}
    subject = _pods(asked.namespace)
    rows = _table(api, subject, asked.namespace, query, deadline)
    found = [_detail(subject, row) for row in rows if row.pod]
    return tuple(sorted(found, key=lambda pod: (pod.namespace, pod.name)))


def _rows(api: Api, asked: podreads.PodRows, deadline: float) -> tuple[podreads.PodRow, ...]:
    """Only the object says which namespace a row is of, and its metadata is the least one can ask for."""
    whole = "None" if asked.namespace else "Metadata"
    query = {"limit": _ROWS_PAGE, "includeObject": whole}
    found = _table(api, _pods(asked.namespace), asked.namespace, query, deadline)
    rows = (
        podreads.PodRow(
            namespace=row.namespace or asked.namespace,
            name=row.name,
            status=row.status,
            ready=row.ready,
            restarts=row.restarts,
            restarted=row.restarted,
            node=row.node,
        )
        for row in found
    )
    return tuple(sorted(rows, key=lambda row: (row.namespace, row.name)))


def _table(
    api: Api, subject: Subject, namespace: str, query: Mapping[str, str], deadline: float
) -> list[podtable.Row]:
    path = f"/api/v1{_scope(namespace)}/pods"

    def page(wanted: Mapping[str, str], until: float) -> Json:
        return api.get(subject, f"{path}?{urlencode(wanted)}", until, accept=TABLE)

    return from_the_start(subject, lambda: podtable.PodTable(page, subject.what, deadline).rows(query))


def _pods(namespace: str) -> Subject:
    return Subject(f"pods in {namespace}" if namespace else "pods", "pods", namespace=namespace)


def _scope(namespace: str) -> str:
    return f"/namespaces/{segment(namespace)}" if namespace else ""


def _detail(subject: Subject, row: podtable.Row) -> PodDetail:
    return projected(subject, lambda pod: _pod_view(row, pod), row.pod or {})


def _pod_view(row: podtable.Row, pod: Json) -> PodDetail:
    metadata, spec, status = part(pod, "metadata"), part(pod, "spec"), part(pod, "status")
    maps, secrets = _sources(spec)
    return PodDetail(
        namespace=str(metadata.get("namespace", "")),
        name=row.name,
        status=row.status,
        ready=row.ready,
        restarts=row.restarts,
        node=row.node,
        owner=podtable.owner(metadata),
        uid=str(metadata.get("uid", "")),
        phase=str(status.get("phase", "")),
        message=podtable.message(status),
        address=str(status.get("podIP") or ""),
        qos=str(status.get("qosClass") or ""),
        account=str(spec.get("serviceAccountName") or ""),
        created=moment(metadata.get("creationTimestamp")),
        deleting=moment(metadata.get("deletionTimestamp")),
        restarted=row.restarted,
        not_ready_since=_not_ready_since(status),
        labels=dict(part(metadata, "labels")),
        conditions=tuple(map(_condition, status.get("conditions") or ())),
        containers=tuple(_containers(spec, status)),
        config_maps=maps,
        secrets=secrets,
        volumes=tuple(_volume(each) for each in spec.get("volumes") or ()),
    )


def _not_ready_since(status: Json) -> datetime | None:
    ready: Json = next((each for each in status.get("conditions") or () if each.get("type") == "Ready"), {})
    return moment(ready.get("lastTransitionTime")) if ready.get("status") != "True" else None


def _condition(found: Json) -> tuple[str, str, str]:
    return str(found.get("type", "")), str(found.get("status", "")), str(found.get("message") or "")


def _containers(spec: Json, status: Json) -> Iterator[ContainerView]:
    said = {each["name"]: each for each in podtable.containers(status)}
    for container in spec.get("initContainers") or ():
        kind = "sidecar" if container.get("restartPolicy") == "Always" else "init"
        yield _container(container, said.get(container["name"], {}), kind)
    for container in spec.get("containers") or ():
        yield _container(container, said.get(container["name"], {}), "")


def _container(spec: Json, status: Json, kind: str) -> ContainerView:
    state = next(iter(part(status, "state")), "")
    of_state = part(part(status, "state"), state)
    ended = part(part(status, "lastState"), "terminated")
    return ContainerView(
        name=str(spec["name"]),
        image=str(spec.get("image") or ""),
        kind=kind,
        digest=_digest(str(status.get("imageID") or "")),
        state=state,
        word=_word(of_state),
        message=str(of_state.get("message") or ""),
        since=moment(of_state.get("startedAt") or of_state.get("finishedAt")),
        ready=bool(status.get("ready")),
        restarts=int(status.get("restartCount") or 0),
        ended=_ending(of_state) if state == "terminated" else _ending(ended) if ended else None,
        resources=_resources(part(spec, "resources")),
        probes=tuple(_probe(name, spec[f"{name}Probe"]) for name in _PROBES if spec.get(f"{name}Probe")),
    )


def _word(state: Json) -> str:
    if state.get("reason"):
        return str(state["reason"])
    return f"exit code {state['exitCode']}" if "exitCode" in state else ""


def _digest(image_id: str) -> str:
    """What stands behind the @; an image that was never in a registry has only its id."""
    return image_id.rpartition("@")[2].rpartition("//")[2]


def _ending(found: Json) -> Ending:
    return Ending(
        reason=str(found.get("reason") or ""),
        code=int(found.get("exitCode") or 0),
        started=moment(found.get("startedAt")),
        finished=moment(found.get("finishedAt")),
        message=str(found.get("message") or ""),
    )


def _resources(found: Json) -> Resources:
    def of(side: str, name: str) -> float | None:
        text = part(found, side).get(name)
        return None if text is None else quantity(text)

    return Resources(
        of("requests", "cpu"), of("limits", "cpu"), of("requests", "memory"), of("limits", "memory")
    )


_PROBES = ("liveness", "readiness", "startup")


def _probe(name: str, probe: Json) -> str:
    """ "readiness http :8080/readyz every 10 s"."""
    http, tcp, grpc = (part(probe, each) for each in ("httpGet", "tcpSocket", "grpc"))
    what = "exec"
    if http:
        what = f"http :{http.get('port', '')}{http.get('path') or '/'}"
    elif tcp or grpc:
        what = f"{'tcp' if tcp else 'grpc'} :{(tcp or grpc).get('port', '')}"
    return f"{name} {what} every {probe.get('periodSeconds') or 10} s"


_EVERYBODYS = "kube-root-ca.crt"  # the API server mounts it into every pod


def _sources(spec: Json) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ConfigMaps and the Secrets that settings and files come from, by name."""
    maps: list[str] = []
    secrets: list[str] = []
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        for each in container.get("envFrom") or ():
            maps.append(part(each, "configMapRef").get("name") or "")
            secrets.append(part(each, "secretRef").get("name") or "")
        for each in container.get("env") or ():
            source = part(each, "valueFrom")
            maps.append(part(source, "configMapKeyRef").get("name") or "")
            secrets.append(part(source, "secretKeyRef").get("name") or "")
    for volume in spec.get("volumes") or ():
        for each in [volume, *(part(volume, "projected").get("sources") or ())]:
            maps.append(part(each, "configMap").get("name") or "")
            secret = part(each, "secret")
            secrets.append(secret.get("secretName") or secret.get("name") or "")
    own = {name: None for name in maps if name and name != _EVERYBODYS}
    return tuple(own), tuple(dict.fromkeys(filter(None, secrets)))


def _volume(volume: Json) -> str:
    """ "data (persistentVolumeClaim data-db-0)"."""
    kind = next((key for key in volume if key != "name"), "emptyDir")
    of = part(volume, kind)
    named = next((str(of[key]) for key in ("claimName", "secretName", "name", "path") if of.get(key)), "")
    return f"{volume['name']} ({f'{kind} {named}'.strip()})"


# --- Configuration --------------------------------------------------------------------------------


def _config_map(api: Api, asked: podreads.ConfigMapChange, deadline: float) -> podreads.ConfigMapView | None:
    what = f"ConfigMap {asked.namespace}/{asked.name}"
    subject = Subject(what, "configmaps", verb="get", namespace=asked.namespace)
    path = f"/api/v1{_scope(asked.namespace)}/configmaps/{segment(asked.name)}"
    try:
        found = api.get(subject, path, deadline, accept=_METADATA)
    except NotThere:
        return None
    return projected(subject, _config_map_view, found)


def _config_map_view(found: Json) -> podreads.ConfigMapView:
    metadata = part(found, "metadata")
    writes = [moment(each.get("time")) for each in metadata.get("managedFields") or ()]
    known = [at for at in (moment(metadata.get("creationTimestamp")), *writes) if at]
    return podreads.ConfigMapView(str(metadata["name"]), max(known, default=None))


# --- Use ------------------------------------------------------------------------------------------


def _metrics(api: Api, asked: podreads.PodMetrics, deadline: float) -> tuple[podreads.PodUsage, ...]:
    subject = Subject("pod metrics", "pods", "metrics.k8s.io", namespace=asked.namespace)
    path = f"/apis/metrics.k8s.io/v1beta1{_scope(asked.namespace)}/pods"
    found = api.listed(subject, path, deadline, _pod_usage)
    return tuple(sorted(found, key=lambda usage: (usage.namespace, usage.name)))


def _pod_usage(found: Json) -> podreads.PodUsage:
    containers = tuple(
        podreads.ContainerUsage(
            str(each["name"]), quantity(each["usage"].get("cpu", 0)), quantity(each["usage"].get("memory", 0))
        )
        for each in found.get("containers") or ()
    )
    return podreads.PodUsage(found["metadata"]["namespace"], found["metadata"]["name"], containers)


def _disk(api: Api, asked: podreads.NodeDisk, deadline: float) -> podreads.DiskView:
    subject = Subject(f"disk of node {asked.node}", "nodes/proxy", verb="get")
    path = f"/api/v1/nodes/{segment(asked.node)}/proxy/stats/summary"
    try:
        answer = api.through_proxy(subject, path, deadline, _SUMMARY_BYTES)
    except Refused as error:
        raise Refused(error.reason, mend=_EXPORTER) from error
    if answer.status != 200 or answer.cut:
        raise Refused(f"{subject.what}: its kubelet answers {answer.status}", mend=_EXPORTER)
    return projected(subject, lambda body: _disk_view(asked.node, body), {"body": answer.body})


def _disk_view(node: str, answer: Json) -> podreads.DiskView:
    fs = orjson.loads(answer["body"])["node"]["fs"]
    return podreads.DiskView(node, float(fs["capacityBytes"]), float(fs["availableBytes"]))


# --- Events ---------------------------------------------------------------------------------------


def _events(api: Api, asked: podreads.Events, deadline: float) -> tuple[EventView, ...]:
    """Folded page by page: a cluster in trouble has a hundred thousand, and few different ones."""
    subject = Subject(f"events in {asked.namespace}" if asked.namespace else "events", "events",
                      namespace=asked.namespace)  # fmt: skip
    fields = [f"involvedObject.kind={asked.kind}"] if asked.kind else []
    fields += [f"involvedObject.name={segment(asked.name)}"] if asked.name else []
    fields += ["type=Warning"] if asked.warnings else []
    query = {"limit": _EVENTS_PAGE} | ({"fieldSelector": ",".join(fields)} if fields else {})
    path = f"/api/v1{_scope(asked.namespace)}/events"

    def attempt() -> tuple[EventView, ...]:
        held: tuple[EventView, ...] = ()
        for page in api.pages(subject, path, deadline, query):
            fresh = [projected(subject, _event_view, each) for each in page.get("items") or ()]
            held = podreads.merged((*held, *fresh))
        return held

    return from_the_start(subject, attempt)


def _event_view(event: Json) -> EventView:
    about, series, source = part(event, "involvedObject"), part(event, "series"), part(event, "source")
    created = part(event, "metadata").get("creationTimestamp")
    last = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or created
    return EventView(
        namespace=str(about.get("namespace") or part(event, "metadata").get("namespace") or ""),
        kind=str(about.get("kind", "")),
        name=str(about.get("name", "")),
        type=str(event.get("type") or "Normal"),
        reason=str(event.get("reason") or ""),
        message=str(event.get("message") or ""),
        count=int(series.get("count") or event.get("count") or 1),
        first=moment(event.get("firstTimestamp") or event.get("eventTime") or created),
        last=moment(last),
        host=str(source.get("host") or ""),
    )
