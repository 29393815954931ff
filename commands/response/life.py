"""The life of an incident in events: declared, its status, severity, fields, milestones; reopened, merged."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from commands.ledger import Event
from commands.response.events import Kind, read
from commands.response.incident import Detection, Dismissed, Incident, Marked, Milestone, Status

# The milestone that a status reaches when nobody said another time.
REACHED: Mapping[Status, Milestone] = {
    Status.IDENTIFIED: Milestone.IDENTIFIED,
    Status.MITIGATED: Milestone.MITIGATED,
    Status.RESOLVED: Milestone.RESOLVED,
    Status.CLOSED: Milestone.CLOSED,
}


def declared(id: str, event: Event) -> Incident:
    """Raises ValueError for another event."""
    if event.kind != Kind.DECLARED:
        raise ValueError(f"{id} does not begin with its declaration")
    facts = event.facts
    return Incident(
        id=id, title=facts.get("title", ""), severity=int(facts.get("severity", "2")),
        opened=event.at, updated=event.recorded, by=event.by, cluster=facts.get("cluster", ""),
        is_drill=_yes(facts, "drill"), is_private=_yes(facts, "private"), is_security=_yes(facts, "security"),
        service=facts.get("service", ""), detection=_detection(facts.get("detection", "")),
        wants_channel=_yes(facts, "channel"), alert=facts.get("alert", ""),
        milestones={Milestone.DECLARED: Marked(event.at, event.by, event.source, seq=event.seq)},
    )  # fmt: skip


def _yes(facts: Mapping[str, str], name: str) -> bool:
    return facts.get(name) == "yes"


def _detection(text: str) -> Detection | None:
    return next((each for each in Detection if each.value == text), None)


def _status(incident: Incident, event: Event) -> Incident:
    to = Status(event.facts["to"])
    moved = replace(incident, status=to, dismissed=_dismissed(to, event))
    milestone = REACHED.get(to)
    return reach(moved, milestone, event, event.at) if milestone else moved


def _dismissed(to: Status, event: Event) -> Dismissed | None:
    is_none = to in (Status.FALSE_ALARM, Status.CANCELED)
    return Dismissed(event.by, event.at, event.facts.get("why", "")) if is_none else None


def reach(incident: Incident, milestone: Milestone, event: Event, at: datetime) -> Incident:
    """With the milestone, unless it was set already: the first time counts, and people correct it."""
    if milestone in incident.milestones:
        return incident
    marked = Marked(at, event.by, event.source, seq=event.seq)
    return replace(incident, milestones={**incident.milestones, milestone: marked})


def _severity(incident: Incident, event: Event) -> Incident:
    return replace(incident, severity=int(event.facts["to"]))


_FIELDS = frozenset({"title", "service", "impact", "lessons"})


def _field(incident: Incident, event: Event) -> Incident:
    name, value = event.facts["name"], event.facts.get("value", "")
    changed: dict[str, Any] = {name: value} if name in _FIELDS else {}
    if name == "affected":
        changed = {"affected": tuple(filter(None, value.split(", ")))}
    if name == "detection":
        changed = {"detection": _detection(value)}
    if name == "private":
        changed = {"is_private": value == "yes"}
    if name == "channel":
        changed = {"wants_channel": value == "yes"}
    return replace(incident, **changed)


def _milestone(incident: Incident, event: Event) -> Incident:
    name, at = Milestone(event.facts["name"]), read(event.facts.get("at", ""))
    kept = {each: marked for each, marked in incident.milestones.items() if each is not name}
    if at is not None:
        kept[name] = Marked(at, event.by, event.source, event.facts.get("about") == "yes", event.seq)
    return replace(incident, milestones=kept)


def _reopened(incident: Incident, event: Event) -> Incident:
    """The time users felt it so far is kept: another stretch begins."""
    begun, ended = incident.again or incident.at(Milestone.STARTED), incident.at(Milestone.MITIGATED)
    stretch = ((begun, ended),) if begun and ended else ()
    left = (Milestone.MITIGATED, Milestone.RESOLVED, Milestone.CLOSED)
    return replace(
        incident,
        status=Status.INVESTIGATING,
        reopened=incident.reopened + 1,
        impacts=(*incident.impacts, *stretch),
        again=event.at,
        dismissed=None,
        milestones={each: marked for each, marked in incident.milestones.items() if each not in left},
    )


def _merged(incident: Incident, event: Event) -> Incident:
    if into := event.facts.get("into", ""):
        return replace(incident, status=Status.MERGED, merged_into=into)
    return replace(incident, merged=(*incident.merged, event.facts["took"]))


def _unmerged(incident: Incident, event: Event) -> Incident:
    if event.facts.get("from"):
        return replace(incident, status=Status.INVESTIGATING, merged_into="")
    return replace(incident, merged=tuple(id for id in incident.merged if id != event.facts["gave"]))


STEPS = {
    Kind.STATUS: _status,
    Kind.SEVERITY: _severity,
    Kind.FIELD: _field,
    Kind.MILESTONE: _milestone,
    Kind.REOPENED: _reopened,
    Kind.MERGED: _merged,
    Kind.UNMERGED: _unmerged,
}
