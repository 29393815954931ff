"""From the metadata of objects and from events to what changed: rollouts, scalings, what was written and by whom.

Pure: dictionaries and small values in, values out. A revision that came is a rollout, whoever wrote it; times and
names of writers are those of managedFields, numbers of replicas those of the Deployment controller's events.
Called by workers/changes.py, which does the asking.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from commands.differences import told
from commands.triagereads import ChangeSeen
from commands.workloads import CHANGE_CAUSE, RESTARTED_AT, REVISION
from workers.fields import Json, moment, part

# A controller makes the new revision within seconds of the write that asked for it, and tells of a scaling as soon.
_CAUSED_WITHIN = timedelta(seconds=5)
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
    """An entry of managedFields: who wrote when, and into what. is_scale: through the scale subresource."""

    by: str
    at: datetime
    is_scale: bool
    of_template: bool
    of_replicas: bool
    of_spec: bool
    of_content: bool


@dataclass(frozen=True, slots=True)
class Made:
    """An object's metadata. labels: those of a Helm release's Secret count."""

    kind: str
    namespace: str
    name: str
    uid: str
    created: datetime | None
    writes: tuple[Write, ...]
    labels: Mapping[str, str]
    application: str = ""
    is_machine: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """A ReplicaSet or ControllerRevision. kind, owner: of the workload that it is a revision of."""

    kind: str
    owner: str
    uid: str
    namespace: str
    name: str
    number: int
    created: datetime
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a Deployment's controller told of its number of pods."""

    name: str
    namespace: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """before: None where no earlier revision is kept."""

    now: Revision
    before: Revision | None
    change: ChangeSeen


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
        application=str(notes.get(_ARGO) or "").partition(":")[0],
        is_machine=_LEADER in notes or name in _EVERYBODYS,
    )


def _writes(metadata: Json) -> Iterator[Write]:
    for entry in metadata.get("managedFields") or ():
        at, fields = moment(entry.get("time")), part(entry, "fieldsV1")
        if at is None or entry.get("subresource") == "status":
            continue
        spec = part(fields, "f:spec")
        yield Write(
            by=str(entry.get("manager") or ""),
            at=at,
            is_scale=entry.get("subresource") == "scale",
            of_template="f:template" in spec,
            of_replicas="f:replicas" in spec,
            of_spec=bool(spec),
            of_content=any(key in fields for key in _CONTENT),
        )


def revision(found: Json) -> Revision | None:
    """None for what no controller made."""
    metadata = part(found, "metadata")
    owners = metadata.get("ownerReferences") or ()
    owner = next((each for each in owners if each.get("controller")), None)
    created = moment(metadata.get("creationTimestamp"))
    if owner is None or created is None:
        return None
    notes = part(metadata, "annotations")
    number = str(found.get("revision") or notes.get(REVISION) or "0")
    return Revision(
        kind=str(owner["kind"]),
        owner=str(owner["name"]),
        uid=str(owner.get("uid") or ""),
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata["name"]),
        number=int(number) if number.isdecimal() else 0,
        created=created,
        cause=str(notes.get(CHANGE_CAUSE) or ""),
    )


def scaling(event: Json) -> Scaling | None:
    """None for an event that is not about a number of pods, or without a time."""
    about = part(event, "involvedObject")
    found, at = _SCALED.match(str(event.get("message") or "")), event_time(event)
    if found is None or at is None:
        return None
    text = f"scaled from {found[1]} to {found[2]}" if found[1] else f"scaled to {found[2]}"
    return Scaling(str(about.get("name") or ""), str(about.get("namespace") or ""), at, text)


def event_time(event: Json) -> datetime | None:
    series = part(event, "series")
    created = part(event, "metadata").get("creationTimestamp")
    return moment(
        series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or created
    )


# --- Rollouts -------------------------------------------------------------------------------------


def rollouts(revisions: Iterable[Revision], workloads: Sequence[Made], since: datetime) -> list[Rollout]:
    """Those since then, newest first."""
    owned: dict[str, list[Revision]] = {}
    for each in revisions:
        owned.setdefault(each.uid, []).append(each)
    known = {each.uid: each for each in workloads}
    found = [
        rollout for uid, group in owned.items() for rollout in _of_one(group, known.get(uid), since)
    ]  # fmt: skip
    return sorted(found, key=lambda each: each.change.at, reverse=True)


def _of_one(group: list[Revision], workload: Made | None, since: datetime) -> Iterator[Rollout]:
    newest_first = sorted(group, key=lambda each: (each.number, each.created), reverse=True)
    for now, before in pairwise([*newest_first, None]):
        assert now is not None
        if now.created >= since:
            yield _rollout(now, before, now.created, workload, is_latest=now is newest_first[0])
    latest, *others = newest_first
    if not others or latest.created >= since or others[0].created <= latest.created:
        return
    # The latest is older than the one before it: its template was taken up again, and no controller says when.
    again = max((write.at for write in _template_writes(workload)), default=None)
    if again is not None and again >= since:
        yield _rollout(latest, others[0], again, workload, is_latest=True)


def _rollout(
    now: Revision, before: Revision | None, at: datetime, workload: Made | None, *, is_latest: bool
) -> Rollout:
    born = workload.created if workload else None
    is_new = before is None and born is not None and at - born <= _CAUSED_WITHIN
    again = ", an earlier template again" if at != now.created else ""
    change = ChangeSeen(
        kind=now.kind,
        namespace=now.namespace,
        name=now.owner,
        what="created" if is_new else f"rollout of revision {now.number}{again}",
        at=at,
        by=_author(workload, at, is_latest=is_latest),
        differences=(f"change-cause: {now.cause}",) if now.cause else (),
        revision=now.number if before is not None else 0,
    )
    return Rollout(now, before, change)


def _template_writes(workload: Made | None) -> list[Write]:
    return [write for write in workload.writes if write.of_template] if workload else []


def _author(workload: Made | None, at: datetime, *, is_latest: bool) -> str:
    """managedFields know the latest write of each manager alone, so "" for most older revisions."""
    writes = _template_writes(workload)
    # Times of managedFields and of creation have no fractions of a second.
    near = [each for each in writes if -_CAUSED_WITHIN <= each.at - at <= timedelta(seconds=1)]
    written = max(near or (writes if is_latest else []), key=lambda each: each.at, default=None)
    return _named(workload, written.by) if workload and written else ""


def _named(workload: Made, by: str) -> str:
    is_argo = workload.application and by.startswith("argocd")
    return f"{by}, application {workload.application}" if is_argo else by


def template(found: Json) -> Json:
    """The pod template of a ReplicaSet or ControllerRevision."""
    return part(part(part(found, "data") or found, "spec"), "template")


def compared(rollout: Rollout, before: Json, now: Json) -> tuple[str, tuple[str, ...]]:
    """What it was, and its differences; a restart changes nothing but the note of it."""
    change, lines = rollout.change, told(_unrestarted(before), _unrestarted(now))
    what = change.what
    if not lines and _restarted(before) != _restarted(now):
        what = f"restart, as revision {rollout.now.number}"
    return what, (*lines, *change.differences)


def _restarted(found: Json) -> Any:
    return part(part(found, "metadata"), "annotations").get(RESTARTED_AT)


def _unrestarted(found: Json) -> Json:
    metadata = part(found, "metadata")
    notes = {key: value for key, value in part(metadata, "annotations").items() if key != RESTARTED_AT}
    return {**found, "metadata": {**metadata, "annotations": notes}}


# --- Scalings -------------------------------------------------------------------------------------


def scalings(
    workloads: Sequence[Made],
    events: Sequence[Scaling],
    rolled: Sequence[ChangeSeen],
    since: datetime,
) -> Iterator[ChangeSeen]:
    """Each once: by what was written, and by events of which no write is known any more."""
    for workload in workloads:
        own = [
            event
            for event in events
            if workload.kind == "Deployment"
            and (event.namespace, event.name) == (workload.namespace, workload.name)
            and event.at >= since
            and not _is_rolling(event, rolled)
        ]
        yield from _scaled(workload, own, since)


def _is_rolling(event: Scaling, rolled: Sequence[ChangeSeen]) -> bool:
    return any(
        (each.namespace, each.name) == (event.namespace, event.name)
        and -_CAUSED_WITHIN <= event.at - each.at <= _ROLLING
        for each in rolled
    )


def _scaled(workload: Made, events: Sequence[Scaling], since: datetime) -> Iterator[ChangeSeen]:
    left = list(events)
    for write in workload.writes:
        if not write.of_replicas or write.at < since or _is_first(workload, write):
            continue
        event = next((each for each in left if abs(each.at - write.at) <= _TOLD_WITHIN), None)
        if event is not None:
            left.remove(event)
        elif write.of_template and not write.is_scale:
            continue  # who writes both may have meant the template
        yield _scale(workload, write.at, event.text if event else "scaled", _scaler(workload, write))
    for event in left:
        yield _scale(workload, event.at, event.text, "")


def _is_first(workload: Made, write: Write) -> bool:
    return workload.created is not None and write.at - workload.created <= _CAUSED_WITHIN


def _scaler(workload: Made, write: Write) -> str:
    if write.is_scale and write.by == "kube-controller-manager":
        return "an autoscaler (kube-controller-manager)"
    return _named(workload, write.by)


def _scale(workload: Made, at: datetime, text: str, by: str) -> ChangeSeen:
    return ChangeSeen(workload.kind, workload.namespace, workload.name, text, at, by)


# --- What was written -----------------------------------------------------------------------------


def written(found: Iterable[Made], since: datetime, *, content: bool) -> Iterator[ChangeSeen]:
    """Those made or written since then. content: data counts, else the spec."""
    for each in found:
        writes = [write for write in each.writes if (write.of_content if content else write.of_spec)]
        last = max(writes, key=lambda write: write.at, default=None)
        by = _named(each, last.by) if last else ""
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
