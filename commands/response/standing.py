"""How an incident stands in a few sentences, from its record alone: what a new commander hears, and who joins.

Nothing here guesses: what nobody said is said to be unknown. Pure.
"""

from datetime import datetime

from commands.phrase import counted, span
from commands.response.incident import Incident, ItemState, Milestone, Status

_TRIED = 5  # the last ones that are told


def in_short(incident: Incident, now: datetime) -> str:
    """One paragraph."""
    return " ".join(
        filter(None, (what(incident), since(incident, now), _open(incident), _next(incident, now)))
    )


def what(incident: Incident) -> str:
    drill = "Drill. " if incident.is_drill else ""
    impact = f"Users: {incident.impact}." if incident.impact else "Nobody has said what users feel."
    return f"{drill}Sev{incident.severity}, {incident.status}: {incident.title}. {impact}"


def since(incident: Incident, now: datetime) -> str:
    started = incident.at(Milestone.STARTED)
    if started is None:
        return f"Declared {span(now - incident.opened)} ago; when it began is not known."
    mitigated = incident.at(Milestone.MITIGATED)
    if mitigated is not None:
        return f"It was felt for {span(mitigated - started)}."
    return f"It has been felt for {span(now - started)}."


def firing(incident: Incident) -> str:
    """The alerts of it that fire, in words, "" for none."""
    return ", ".join(link.name or link.group for link in incident.firing)


def _open(incident: Incident) -> str:
    fires = f"Still firing: {firing(incident)}." if incident.firing else ""
    changed = f"Changed so far: {', '.join(incident.changes[-_TRIED:])}." if incident.changes else ""
    return " ".join(filter(None, (fires, changed)))


def _next(incident: Incident, now: datetime) -> str:
    items = sorted(
        (item for item in incident.items if item.state is ItemState.OPEN), key=lambda item: item.due
    )
    if not items:
        return ""
    late = sum(item.due < now for item in items)
    overdue = f", {late} of them late" if late else ""
    return f"{counted(len(items), 'checklist line')} open{overdue}; next: {items[0].text}."


def took(incident: Incident) -> str:
    """How long it took, of one that is resolved: "after 1 h 12 min (users felt it for 40 min)"."""
    resolved, started = incident.at(Milestone.RESOLVED), incident.at(Milestone.STARTED)
    mitigated = incident.at(Milestone.MITIGATED)
    if resolved is None:
        return ""
    felt = f" (users felt it for {span(mitigated - started)})" if mitigated and started else ""
    return f"after {span(resolved - (started or incident.opened))}{felt}"


def is_resolved(incident: Incident) -> bool:
    return incident.status in (Status.RESOLVED, Status.POSTMORTEM)
