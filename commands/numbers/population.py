"""Which incidents a window's numbers are made of, which are left out and why, and which are not over yet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commands.numbers.spread import Stretch, union
from commands.numbers.window import Window
from commands.response.incident import Incident, Milestone, Status

DRILL = "drill"
_REASONS: Mapping[Status, str] = {
    Status.MERGED: "merged",
    Status.FALSE_ALARM: "false alarm",
    Status.CANCELED: "canceled",
}


@dataclass(frozen=True, slots=True)
class Population:
    """counted: real ones that were resolved in the window. excluded: ids by reason. censored: those that were not
    resolved when it ended; how long they take nobody knows yet, so they are in no mean."""

    window: Window
    counted: tuple[Incident, ...]
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    censored: tuple[Incident, ...] = ()


def population(incidents: Iterable[Incident], window: Window) -> Population:
    counted, censored, excluded = [], [], dict[str, list[str]]()
    for each in incidents:
        resolved, reason = each.at(Milestone.RESOLVED), reason_against(each)
        if reason:
            if window.has(resolved or each.opened):
                excluded.setdefault(reason, []).append(each.id)
        elif resolved is None or resolved >= window.end:
            if each.opened < window.end:
                censored.append(each)
        elif window.has(resolved):
            counted.append(each)
    kept = {reason: tuple(ids) for reason, ids in sorted(excluded.items())}
    return Population(window, tuple(counted), kept, tuple(censored))


def reason_against(incident: Incident) -> str:
    """Why it is in no number at all, "" where it is in them."""
    return DRILL if incident.is_drill else _REASONS.get(incident.status, "")


def impacts(incident: Incident, now: datetime) -> tuple[Stretch, ...]:
    """When users felt it, without overlap: up to now while they still do, () where nobody said since when.

    One that was opened again has several; somebody may have said later when the first began.
    """
    begun = incident.at(Milestone.STARTED)
    if begun is None:
        return ()
    ended = incident.at(Milestone.MITIGATED) or incident.at(Milestone.RESOLVED) or now
    if incident.again is None:
        return union(((begun, ended),))
    first, *rest = incident.impacts or ((begun, begun),)
    return union(((begun, first[1]), *rest, (incident.again, ended)))
