"""From events to the incident they make: the one way in which an `Incident` comes to be or changes.

Replaying the events of an incident gives its record again, field for field. Each kind has one function, in the file
of its subject (life, people, clock, links, said); a kind that nobody knows changes nothing but the head.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from commands.ledger import Draft, Event, sealed
from commands.response import clock, life, links, people, said
from commands.response.folding import told
from commands.response.incident import Incident

Step = Callable[[Incident, Event], Incident]

_STEPS: Mapping[str, Step] = {
    str(kind): step
    for steps in (life.STEPS, people.STEPS, clock.STEPS, links.STEPS, said.STEPS)
    for kind, step in steps.items()
}


def fold(id: str, events: Iterable[Event]) -> Incident:
    """The incident after all its events; raises ValueError when the first does not declare it. What one says that this
    version does not understand changes nothing, as a kind that it does not know."""
    rest = iter(events)
    first = next(rest, None)
    if first is None:
        raise ValueError(f"{id} has no events")
    incident = begun(id, first)
    for event in rest:
        try:
            incident = after(incident, event)
        except (ValueError, LookupError, TypeError, AttributeError):
            incident = _told(incident, event)
    return incident


def begun(id: str, event: Event) -> Incident:
    return _told(life.declared(id, event), event)


def after(incident: Incident, event: Event) -> Incident:
    step = _STEPS.get(event.kind)
    moved = step(incident, event) if step else incident
    return _told(moved, event)


def supposed(incident: Incident, draft: Draft, now: datetime) -> Incident:
    """As it would be after this event, which is not written yet."""
    (event,) = sealed((draft,), incident.head, now, ("",))
    return after(incident, event)


def _told(incident: Incident, event: Event) -> Incident:
    """With the event at its head and, if anybody is told, in its lines."""
    line = said.line(event) if event.is_told or event.mention else None
    return replace(
        told(incident, event, line),
        heard=max(filter(None, (incident.heard, event.at))) if event.by else incident.heard,
        report=links.moved(incident.report, event),
    )
