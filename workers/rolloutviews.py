"""Rollouts: from revisions to what came when, by whom, and how its template differs from the one before.

Pure. A revision that came is a rollout, whoever wrote it; who did is what managedFields of its workload know.
Called by workers/changes.py, which does the asking.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from commands.differences import told
from commands.triagereads import ChangeSeen
from commands.workloads import CHANGE_CAUSE, RESTARTED_AT, REVISION
from workers.changeviews import CAUSED_WITHIN, Made, Write, named
from workers.fields import Json, moment, part


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
class Rollout:
    """before: None where no earlier revision is kept."""

    now: Revision
    before: Revision | None
    change: ChangeSeen


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
    latest, *others = newest_first
    # Older than the one before it: its template was taken up again, and no controller says when.
    is_return = bool(others) and latest.created < others[0].created
    for now, before in pairwise([*newest_first, None]):
        assert now is not None
        if now.created >= since and not (is_return and now is latest):
            yield _rollout(now, before, now.created, workload, is_latest=now is latest)
    again = max((write.at for write in _template_writes(workload)), default=None)
    if is_return and again is not None and again >= since:
        yield _rollout(latest, others[0], again, workload, is_latest=True)


def _rollout(
    now: Revision, before: Revision | None, at: datetime, workload: Made | None, *, is_latest: bool
) -> Rollout:
    born = workload.created if workload else None
    is_new = before is None and born is not None and at - born <= CAUSED_WITHIN
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
    near = [each for each in writes if -CAUSED_WITHIN <= each.at - at <= timedelta(seconds=1)]
    written = max(near or (writes if is_latest else []), key=lambda each: each.at, default=None)
    return named(workload, written.by) if workload and written else ""


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
