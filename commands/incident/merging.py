"""`merge` and `unmerge`: two incidents were one, or were not.

This one goes into that; nothing of either record is lost, so it can be taken back. What is merged counts in no numbers,
and its alerts go with it.
"""

from commands.command import Command
from commands.entry import OTHER, Entry, Given, Write
from commands.errors import Stale, UsageError
from commands.finding import Suggestion
from commands.form import Field
from commands.incident.about import NOTHING, WHICH, active, aloud, ask, event, the, where
from commands.ledger import Draft
from commands.response.events import Kind, written
from commands.response.incident import AlertLink, Incident, Status


def merge(given: Given) -> Entry:
    incident, other = active(given), given.other
    if not given.args.name or other is None:
        raise _which(given, incident)
    _refuse(incident, other)
    gone = event(given, Kind.MERGED, f"merged into {other.id}{where(other)}: go on there", into=other.id)
    took = event(given, Kind.MERGED, f"{incident.id} is the same and was merged into this: {incident.title}",
                 took=incident.id)  # fmt: skip
    alerts = [_handed(given, link) for link in incident.alerts if link.group not in _groups(other)]
    return Entry(
        f"{incident.id} is merged into {other.id}{where(other)}. It is in no numbers, and its timeline stays.",
        (Write((aloud(gone),), incident.id), Write((aloud(took), *alerts), other.id)),
        suggestions=(Suggestion("Take it back", f"incident unmerge {incident.id}"),),
    )


def _which(given: Given, incident: Incident) -> Exception:
    others = tuple((each.id, f"{each.id}: {each.title}") for each in given.open if each.id != incident.id)
    if not others:
        return UsageError(f"No other incident is open that {incident.id} could be merged into. {NOTHING}")
    return ask(
        given, "Merge into another", "Merge", "Name the one it goes into: `/sre incident merge INC-…`.",
        Field("name", "Which one does it go into?", "choice", options=others[:100]),
    )  # fmt: skip


def _refuse(incident: Incident, other: Incident) -> None:
    if other.id == incident.id:
        raise UsageError(
            f"{incident.id} is this one: name the other, or type `/sre incident merge {other.id}` in the channel of the "
            f"one that goes. {NOTHING}"
        )
    if other.is_over:
        raise Stale(f"{other.id} is over: {other.status}. Merge into one that is open. {NOTHING}")
    if incident.is_drill != other.is_drill:
        raise UsageError(f"A drill and what is none are never the same. {NOTHING}")
    if incident.is_private and not other.is_private:
        raise UsageError(
            f"{incident.id} is private and {other.id} is not: its timeline would be told to everybody. {NOTHING}"
        )
    if other.is_private and not incident.is_private:
        raise UsageError(
            f"{other.id} is private and {incident.id} is not: everybody would read where it went. `/sre incident cancel "
            f"REASON` ends this one, and says no more than you do. {NOTHING}"
        )


def _groups(incident: Incident) -> frozenset[str]:
    return frozenset(link.group for link in incident.alerts)


def _handed(given: Given, link: AlertLink) -> Draft:
    state = "firing" if link.ended is None else "resolved"
    ended = written(link.ended) if link.ended else ""
    return event(
        given, Kind.ALERT, f"{link.name} came with it", group=link.group, name=link.name, state=state,
        started=written(link.started), ended=ended,
    )  # fmt: skip


def _left(given: Given, link: AlertLink) -> Draft:
    """What is told of an alert is written into the one record that it belongs to."""
    return event(
        given, Kind.ALERT, f"{link.name} went with it", group=link.group, name=link.name, state="left"
    )


def unmerge(given: Given) -> Entry:
    """The alerts go back as they are now."""
    incident, other = the(given), given.other
    if incident.status is not Status.MERGED:
        raise Stale(f"{incident.id} is not merged: it is {incident.status}. {NOTHING}")
    if other is None:
        raise Stale(f"Who is in what {incident.id} was merged into takes that back. {NOTHING}")
    back = event(given, Kind.UNMERGED, f"stands by itself again: it is not {other.id}", **{"from": other.id})
    gave = event(given, Kind.UNMERGED, f"{incident.id} was another one after all", gave=incident.id)
    theirs = {link.group: link for link in other.alerts}
    shared = [theirs[link.group] for link in incident.alerts if link.group in theirs]
    left = [_left(given, link) for link in shared]
    alerts = [_handed(given, link) for link in shared]
    return Entry(
        f"{incident.id} is open again, and {other.id} goes on without it.",
        (Write((aloud(gave), *left), other.id), Write((aloud(back), *alerts), incident.id)),
    )


MERGING = (
    Command(
        word="incident", verbs=("merge",), summary="This one is the same as that one, and goes into it.",
        rows=("EM-0",), examples=("incident merge INC-2026-11-23-001",), flags=(WHICH,), names=OTHER, entry=merge,
    ),
    Command(
        word="incident", verbs=("unmerge",), summary="It was another one after all.", rows=("EM-0",),
        examples=("incident unmerge INC-2026-11-23-002",), flags=(WHICH,), names="INC", entry=unmerge,
    ),
)  # fmt: skip
