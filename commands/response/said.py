"""What two people have erased of an incident, in events."""

from collections.abc import Iterable
from dataclasses import replace

from commands.ledger import Event, Line
from commands.response.events import Kind
from commands.response.incident import Erasure, Incident, Milestone

# What can be erased: nothing of the record is made of its words. What an event of another kind says is corrected.
ERASABLE = frozenset({Kind.NOTE, Kind.MESSAGE, Kind.REVISED})

# What stands in the place of a text that was erased.
ERASED = "(erased)"


# What these say is what somebody did, without their name.
_DEEDS = frozenset(
    {Kind.OFFERED, Kind.ACCEPTED, Kind.DECLINED, Kind.ENDED, Kind.PAGE_ACKED, Kind.JOINED, Kind.REVIEWED}
)


def line(event: Event) -> Line:
    """An event as a line of the incident's thread. Where it calls somebody it may speak to them, in other words than the
    timeline's."""
    text = event.facts.get("told", event.text) if event.content else ERASED
    return Line(
        str(event.seq), text, event.at, event.mention, event.by,
        alone=not event.is_told, is_deed=event.kind in _DEEDS or event.facts.get("name") == Milestone.ACKNOWLEDGED,
    )  # fmt: skip


def with_it(events: Iterable[Event], seq: int) -> tuple[int, ...]:
    """What else says the message of this event, as it was at another time: with one all are erased."""
    of = {
        event.seq: event.facts.get("of", "") for event in events if event.kind in ERASABLE and event.content
    }
    return tuple(other for other, named in of.items() if named and named == of.get(seq) and other != seq)


def _erase_asked(incident: Incident, event: Event) -> Incident:
    wish = Erasure(int(event.facts["seq"]), event.by, event.facts.get("why", ""))
    others = tuple(each for each in incident.erasures if each.seq != wish.seq)
    return replace(incident, erasures=(*others, wish))


def _erased(incident: Incident, event: Event) -> Incident:
    gone = erased_by(event)
    return replace(
        incident,
        erasures=tuple(each for each in incident.erasures if each.seq not in gone),
        erased={**incident.erased, **dict.fromkeys(gone, event.hash)},
        lines=tuple(
            replace(each, text=ERASED) if each.key in map(str, gone) else each for each in incident.lines
        ),
    )


def erased_by(event: Event) -> tuple[int, ...]:
    """The events whose content is gone because of this one, the one that was named first."""
    return tuple(map(int, (event.facts["seq"], *event.facts.get("also", "").split())))


STEPS = {
    Kind.ERASE_ASKED: _erase_asked,
    Kind.ERASED: _erased,
}
