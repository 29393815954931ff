"""From the metadata of objects and from events to what changed: scalings, what was written, and by whom.

Pure: dictionaries and small values in, values out. Times and names of writers are those of managedFields, numbers of
replicas those of the Deployment controller's events. Rollouts are in workers/rolloutviews.py. Called by
workers/changes.py, which does the asking.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.triagereads import ChangeSeen
from workers.fields import Json, moment, part

# A controller makes the new revision within seconds of the write that asked for it, and tells of a scaling as soon.
CAUSED_WITHIN = timedelta(seconds=5)
_TOLD_WITHIN = timedelta(seconds=30)
# So long after its beginning a rollout scales the old and the new ReplicaSet by itself.
_ROLLING = timedelta(minutes=15)
_SCALED = re.compile(r"Scaled (?:up|down) replica set \S+ (?:from (\d+) )?to (\d+)")
# Written by machines all the time, or into every namespace.
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_EVERYBODYS = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt"})
_CONTENT = ("f:data", "f:binaryData")
_ARGO = "argocd.argoproj.io/tracking-id"


@dataclass(frozen=True, slots=True)
class Write:
    """An entry of managedFields: who wrote when, and into what."""

    by: str
    at: datetime
    of_template: bool
    of_replicas: bool
    of_spec: bool
    of_content: bool


@dataclass(frozen=True, slots=True)
class Made:
    """An object's metadata. labels: those of a Helm release's Secret count. scaler: who wrote last through the scale
    subresource; the API server notes no time of that."""

    kind: str
    namespace: str
    name: str
    uid: str
    created: datetime | None
    writes: tuple[Write, ...]
    labels: Mapping[str, str]
    scaler: str = ""
    application: str = ""
    is_machine: bool = False


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a Deployment's controller told of its number of pods."""

    name: str
    namespace: str
    at: datetime
    text: str
    is_from_nothing: bool = False


# --- From an object -------------------------------------------------------------------------------


def made(kind: str, found: Json) -> Made:
    metadata = part(found, "metadata")
    notes, name = part(metadata, "annotations"), str(metadata["name"])
    return Made(
        kind=kind,
        namespace=str(metadata.get("namespace") or ""),
        name=name,
        uid=str(metadata.get("uid") or ""),
        created=moment(metadata.get("creationTimestamp")),
        writes=tuple(_writes(metadata)),
        labels=dict(part(metadata, "labels")),
        scaler=_scaler(metadata),
        application=str(notes.get(_ARGO) or "").partition(":")[0],
        is_machine=_LEADER in notes or name in _EVERYBODYS,
    )


def _scaler(metadata: Json) -> str:
    """A Horizontal Pod Autoscaler writes as the controller manager."""
    found = (each for each in metadata.get("managedFields") or () if each.get("subresource") == "scale")
    by = next((str(each.get("manager") or "") for each in found), "")
    return "an autoscaler (kube-controller-manager)" if by == "kube-controller-manager" else by


def _writes(metadata: Json) -> Iterator[Write]:
    for entry in metadata.get("managedFields") or ():
        at, fields = moment(entry.get("time")), part(entry, "fieldsV1")
        if at is None or entry.get("subresource"):
            continue
        spec = part(fields, "f:spec")
        yield Write(
            by=str(entry.get("manager") or ""),
            at=at,
            of_template="f:template" in spec,
            of_replicas="f:replicas" in spec,
            of_spec=bool(spec),
            of_content=any(key in fields for key in _CONTENT),
        )


def scaling(event: Json) -> Scaling | None:
    """None for an event that is not about a number of pods, or without a time."""
    about = part(event, "involvedObject")
    found, at = _SCALED.match(str(event.get("message") or "")), event_time(event)
    if found is None or at is None:
        return None
    text = f"scaled from {found[1]} to {found[2]}" if found[1] else f"scaled to {found[2]}"
    name, namespace = str(about.get("name") or ""), str(about.get("namespace") or "")
    return Scaling(name, namespace, at, text, is_from_nothing=found[1] in (None, "0"))


def event_time(event: Json) -> datetime | None:
    series = part(event, "series")
    created = part(event, "metadata").get("creationTimestamp")
    return moment(
        series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or created
    )


def named(workload: Made, by: str) -> str:
    is_argo = workload.application and by.startswith("argocd")
    return f"{by}, application {workload.application}" if is_argo else by


# --- Scalings -------------------------------------------------------------------------------------


def scalings(
    workloads: Iterable[Made], events: Sequence[Scaling], rolled: Sequence[ChangeSeen], since: datetime
) -> Iterator[ChangeSeen]:
    """Each once: those a controller told of, and those written with a time. Not what a rollout does by itself."""
    for workload in workloads:
        own = [
            event
            for event in events
            if event.at >= since
            and _is_of(event, workload)
            and not any(_is_part(event, each) for each in rolled)
        ]
        yield from _scaled(workload, own, since)


def _is_of(event: Scaling, workload: Made) -> bool:
    return workload.kind == "Deployment" and (event.namespace, event.name) == (
        workload.namespace,
        workload.name,
    )


def _is_part(event: Scaling, rollout: ChangeSeen) -> bool:
    """A new workload is scaled up once, a rollout scales up and down until it is over."""
    if (rollout.namespace, rollout.name) != (event.namespace, event.name):
        return False
    since = event.at - rollout.at
    if rollout.revision:
        return -CAUSED_WITHIN <= since <= _ROLLING
    return event.is_from_nothing and abs(since) <= _TOLD_WITHIN


def _scaled(workload: Made, events: list[Scaling], since: datetime) -> Iterator[ChangeSeen]:
    left = list(events)
    for write in workload.writes:
        if not write.of_replicas or write.at < since or _is_first(workload, write):
            continue
        event = next((each for each in left if abs(each.at - write.at) <= _TOLD_WITHIN), None)
        if event is not None:
            left.remove(event)
        elif write.of_template:
            continue  # who writes both may have meant the template
        yield _scale(workload, write.at, event.text if event else "scaled", named(workload, write.by))
    last = max(left, key=lambda each: each.at, default=None)
    for event in left:
        yield _scale(workload, event.at, event.text, workload.scaler if event is last else "")


def _is_first(workload: Made, write: Write) -> bool:
    return workload.created is not None and write.at - workload.created <= CAUSED_WITHIN


def _scale(workload: Made, at: datetime, text: str, by: str) -> ChangeSeen:
    return ChangeSeen(workload.kind, workload.namespace, workload.name, text, at, by)


# --- What was written -----------------------------------------------------------------------------


def written(found: Iterable[Made], since: datetime, *, content: bool) -> Iterator[ChangeSeen]:
    """Those made or written since then. content: data counts, else the spec."""
    for each in found:
        writes = [write for write in each.writes if (write.of_content if content else write.of_spec)]
        last = max(writes, key=lambda write: write.at, default=None)
        by = named(each, last.by) if last else ""
        if each.is_machine:
            continue
        if each.created is not None and each.created >= since:
            yield ChangeSeen(each.kind, each.namespace, each.name, "created", each.created, by)
        elif last is not None and last.at >= since:
            yield ChangeSeen(each.kind, each.namespace, each.name, "written", last.at, by)


def secrets(found: Iterable[Made], since: datetime) -> Iterator[ChangeSeen]:
    """Helm keeps a Secret for each revision of a release, and says in its labels which."""
    found = list(found)
    yield from written((each for each in found if not _is_release(each)), since, content=True)
    for each in found:
        if _is_release(each) and each.created is not None and each.created >= since:
            yield _release(each, each.created)


def _is_release(secret: Made) -> bool:
    return secret.labels.get("owner") == "helm" and secret.name.startswith("sh.helm.release.v1.")


def _release(secret: Made, at: datetime) -> ChangeSeen:
    name = secret.labels.get("name", "")
    number, status = secret.labels.get("version", "?"), secret.labels.get("status", "")
    what = f"helm {'install' if number == '1' else 'upgrade'} to revision {number}"
    # A release that was taken back or over is "superseded" by the next one: that says nothing of how it went.
    said = f" ({status})" if status not in ("", "superseded") else ""
    return ChangeSeen("Helm release", secret.namespace, name, what + said, at, "helm")
