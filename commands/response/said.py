"""What was said in an incident, in events: when somebody last spoke, and what two people have erased."""

from dataclasses import replace

from commands.ledger import Event
from commands.response.events import Kind
from commands.response.incident import Erasure, Incident


def _heard(incident: Incident, event: Event) -> Incident:
    return replace(incident, heard=max(filter(None, (incident.heard, event.at))))


def _erase_asked(incident: Incident, event: Event) -> Incident:
    wish = Erasure(int(event.facts["seq"]), event.by, event.facts.get("why", ""))
    others = tuple(each for each in incident.erasures if each.seq != wish.seq)
    return replace(incident, erasures=(*others, wish))


def _erased(incident: Incident, event: Event) -> Incident:
    seq = int(event.facts["seq"])
    return replace(
        incident,
        erasures=tuple(each for each in incident.erasures if each.seq != seq),
        erased={**incident.erased, seq: event.hash},
    )


STEPS = {
    Kind.NOTE: _heard,
    Kind.MESSAGE: _heard,
    Kind.ERASE_ASKED: _erase_asked,
    Kind.ERASED: _erased,
}
