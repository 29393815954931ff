"""What two people have erased of an incident, in events."""

from dataclasses import replace

from commands.ledger import Event, Line
from commands.response.events import Kind
from commands.response.incident import Erasure, Incident, Milestone

# What can be erased: nothing of the record is made of its words. What an event of another kind says is corrected.
ERASABLE = frozenset({Kind.NOTE, Kind.MESSAGE, Kind.REVISED})

# What stands in the place of a text that was erased.
ERASED = "(erased)"


# What these say is what somebody did, without their name.
_DEEDS = frozenset({Kind.OFFERED, Kind.ACCEPTED, Kind.DECLINED, Kind.ENDED, Kind.PAGE_ACKED, Kind.JOINED, Kind.REVIEWED})


def line(event: Event) -> Line:
    """An event as a line of the incident's thread."""
    text = event.text if event.content else ERASED
    return Line(
        str(event.seq), text, event.at, event.mention, event.by,
        alone=not event.is_told, is_deed=event.kind in _DEEDS or event.facts.get("name") == Milestone.ACKNOWLEDGED,
    )  # fmt: skip


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
        lines=tuple(replace(each, text=ERASED) if each.key == str(seq) else each for each in incident.lines),
    )


STEPS = {
    Kind.ERASE_ASKED: _erase_asked,
    Kind.ERASED: _erased,
}
