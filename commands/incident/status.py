"""`incident status` and `incident brief`: how one stands, from its record alone.

The status is the whole of it, judged; the brief is for who comes new: what, since when, who, what was tried, what is
next. Both are told to the asker alone, and say what is not known.
"""

from collections.abc import Generator, Mapping
from datetime import datetime

from commands import checklists
from commands.called import names_of
from commands.command import Command, Part, Parts
from commands.errors import UsageError
from commands.finding import Finding, Light, Suggestion
from commands.ledger import Event
from commands.model import Args, Gap, Inquiry, Reads, Section, Seen
from commands.phrase import counted, span
from commands.reads import Now
from commands.response import escalation
from commands.response.events import Kind
from commands.response.incident import ROLE_NAMES, Incident, ItemState, Milestone, Role
from commands.response.standing import firing, since, what
from commands.responsereads import EventsOf, IncidentOf
from commands.site import ClusterSite
from commands.wording import aligned, one_line, unread

Names = Mapping[str, str]
Known = Generator[Reads, Seen, tuple[Incident, datetime, Names] | Section]

_TRIED = 5
_LAST = 60  # events that are looked through for what was tried

# What people did, as the timeline has it.
_DONE = (Kind.NOTE, Kind.RUN, Kind.STATUS, Kind.SEVERITY, Kind.UPDATE)


def parts(args: Args, site: ClusterSite) -> Parts:
    if not args.name:
        raise UsageError(
            "Which one? Name it, or type this in its channel: `/sre incident status INC-…`. `/sre incident list` shows "
            "the open ones."
        )
    if args.verb == "brief":
        return {"brief": Part("What is known", brief(args.name))}
    return {"status": Part("Incident", status(args.name))}


def _known(id: str, key: str) -> Known:
    seen = yield (IncidentOf(id), Now())
    incident, now = seen[IncidentOf(id)], seen[Now()]
    for each in (incident, now):
        if isinstance(each, Gap):
            return Section(key, "Incident", True, (unread("EM-1.0", "Incident", each),))
    if incident is None:
        gone = Finding(
            "EM-1.0", "Incident", Light.YELLOW, "there is no such incident",
            suggestions=(Suggestion("Open ones", "incident list"),),
        )  # fmt: skip
        return Section(key, "Incident", True, (gone,))
    names = yield from names_of(_users(incident))
    return incident, now, names


def _users(incident: Incident) -> set[str]:
    held = {holding.user for holding in incident.roles.values()} | {offer.user for offer in incident.offers}
    told = {page.user for page in incident.pages} | {glass.by for glass in incident.glass}
    return {*held, *told, incident.by}


# --- status ---------------------------------------------------------------------------------------


def status(id: str) -> Inquiry:
    known = yield from _known(id, "status")
    if isinstance(known, Section):
        return known
    incident, now, names = known
    findings = (
        _standing(incident, now),
        _who(incident, names),
        *_checklist(incident, now),
        *_alerts(incident, now),
        *_pages(incident, now, names),
        *_changes(incident),
        *_glass(incident, now),
        *_scopes(incident),
    )
    return Section(
        "status", f"{incident.id} · {incident.title}", True, findings, table=_milestones(incident, now)
    )


def _standing(incident: Incident, now: datetime) -> Finding:
    grave = incident.severity <= 2 and not incident.is_drill
    light = Light.GREEN if not incident.is_active else Light.RED if grave else Light.YELLOW
    offered: tuple[Suggestion, ...] = ()
    if incident.is_active:
        offered = (
            Suggestion("Tell how it stands", f"incident update --incident {incident.id}"),
            Suggestion("Resolve", f"incident resolve --incident {incident.id}"),
        )
    return Finding(
        "EM-1.0", "Stands", light, what(incident), evidence=(since(incident, now),), suggestions=offered
    )


def _who(incident: Incident, names: Names) -> Finding:
    held = [f"{ROLE_NAMES[r]}: {_name(incident.holder(r), names)}" for r in Role if incident.holder(r)]
    asked = tuple(
        f"{_name(offer.user, names)} is asked to be the {ROLE_NAMES[offer.role]}" for offer in incident.offers
    )
    lacks = incident.is_active and not incident.holder(Role.IC)
    value = ", ".join(held) or "nobody has a role"
    lead = (Suggestion("I take command", f"incident assign ic me --incident {incident.id}"),) if lacks else ()
    light = Light.YELLOW if lacks else Light.GREEN
    return Finding("EM-1.3", "People", light, value, evidence=asked, suggestions=lead)


def _name(user: str, names: Names) -> str:
    return names.get(user, user)


def _checklist(incident: Incident, now: datetime) -> tuple[Finding, ...]:
    lines = sorted((i for i in incident.items if i.state is ItemState.OPEN), key=lambda item: item.due)
    if not incident.items:
        return ()
    late = [item for item in lines if item.due < now]
    value = f"{len(incident.items) - len(lines)} of {len(incident.items)} done" + (
        f", {len(late)} late" if late else ""
    )
    told = tuple(f"{_when(item.due, now)}: {item.text} ({checklists.called(item.role)})" for item in lines)
    return (Finding("EM-1.0", "Checklist", Light.YELLOW if late else Light.GREEN, value, evidence=told),)


def _when(due: datetime, now: datetime) -> str:
    return f"{span(now - due)} late" if due < now else f"in {span(due - now)}"


def _alerts(incident: Incident, now: datetime) -> tuple[Finding, ...]:
    if not incident.alerts:
        return ()
    red = incident.firing
    value = f"{len(red)} of {len(incident.alerts)} fire"
    told = tuple(f"{link.name or link.group} for {span(now - link.started)}" for link in red)
    return (Finding("EM-1.1", "Alerts", Light.RED if red else Light.GREEN, value, evidence=told),)


def _pages(incident: Incident, now: datetime, names: Names) -> tuple[Finding, ...]:
    """Those that nobody answered, and when the next one is called."""
    waiting = escalation.waiting(incident)
    if not waiting:
        return ()
    due = {timer.key: timer.due for timer in incident.timers if timer.fired is None}
    told = []
    for id in waiting:
        called = [_name(page.user, names) for page in incident.pages if page.id == id]
        next_at = due.get(escalation.key(id))
        then = f"; the next one {_when(next_at, now)}" if next_at else ""
        told.append(f"{', '.join(called)}: no answer{then}")
    ack = (Suggestion("I am on it", f"incident ack {incident.id}"),)
    value = f"{counted(len(waiting), 'call')} without an answer"
    return (Finding("EM-1.1", "Calls", Light.YELLOW, value, evidence=tuple(told), suggestions=ack),)


def _changes(incident: Incident) -> tuple[Finding, ...]:
    found = []
    if incident.caused_by:
        found.append(f"{incident.caused_by.change}: the cause, {incident.caused_by.confidence}")
    found += [f"{id}: in this incident" for id in incident.changes]
    if not found:
        return ()
    return (Finding("EM-2.4", "Changes", Light.GREEN, counted(len(found), "change"), evidence=tuple(found)),)


def _glass(incident: Incident, now: datetime) -> tuple[Finding, ...]:
    waiting = [glass for glass in incident.glass if glass.reviewed is None]
    if not waiting:
        return ()
    told = tuple(f"{glass.request} {glass.line}, {span(now - glass.at)} ago" for glass in waiting)
    value = f"{counted(len(waiting), 'change')} approved by one person alone, not reviewed"
    return (Finding("EM-3.1", "Break-glass", Light.YELLOW, value, evidence=told),)


def _scopes(incident: Incident) -> tuple[Finding, ...]:
    """What the bot could not do in Slack."""
    lost = (*incident.scopes, *((incident.room.lost,) if incident.room.lost else ()))
    if not lost:
        return ()
    return (Finding("EM-0", "Slack", Light.YELLOW, "did not allow all of it", evidence=lost),)


def _milestones(incident: Incident, now: datetime) -> tuple[str, ...]:
    rows = []
    for name in Milestone:
        marked = incident.milestones.get(name)
        if marked is not None:
            about = "about " if marked.is_approximate else ""
            rows.append(
                (name.value, f"{about}{marked.at:%Y-%m-%d %H:%M:%S} UTC", f"{span(now - marked.at)} ago")
            )
    return aligned(("milestone", "at", ""), rows) if rows else ()


# --- brief ----------------------------------------------------------------------------------------


def brief(id: str) -> Inquiry:
    known = yield from _known(id, "brief")
    if isinstance(known, Section):
        return known
    incident, now, names = known
    events = EventsOf(incident.id, max(incident.head.seq - _LAST, 0), _LAST)
    found: tuple[Event, ...] | Gap = (yield (events,))[events]
    tried = _tried(found)
    findings = (
        _standing(incident, now),
        _who(incident, names),
        *tried,
        *_alerts(incident, now),
        _next(incident, now),
    )
    idle = "" if tried else "What was tried: nothing that the record knows of · "
    note = f"{idle}as of {now:%H:%M:%S} UTC"
    return Section("brief", f"{incident.id} · {incident.title}", True, findings, note)


def _tried(found: tuple[Event, ...] | Gap) -> tuple[Finding, ...]:
    """None where nothing was: that is neither well nor wrong, and so it has no light."""
    if isinstance(found, Gap):
        return (unread("EM-2.0", "What was tried", found),)
    done = [event for event in found if event.kind in _DONE and event.content][-_TRIED:]
    told = tuple(f"{event.at:%H:%M} UTC {one_line(event.text, 200)}" for event in done)
    value = "the last, oldest first"
    return (Finding("EM-2.0", "What was tried", Light.GREEN, value, evidence=told),) if told else ()


def _next(incident: Incident, now: datetime) -> Finding:
    lines = sorted((i for i in incident.items if i.state is ItemState.OPEN), key=lambda item: item.due)
    told = tuple(
        f"{_when(item.due, now)}: {item.text} ({checklists.called(item.role)})" for item in lines[:_TRIED]
    )
    fires = firing(incident)
    value = "the checklist" if told else f"wait until {fires} no longer fires" if fires else "nothing is due"
    light = Light.YELLOW if any(item.due < now for item in lines) else Light.GREEN
    return Finding("EM-2.0", "What is next", light, value, evidence=told)


STATUS = Command(
    word="incident",
    verbs=("status", "brief"),
    summary="How one stands: people, checklist, alerts, changes; `brief` for who comes new.",
    rows=("EM-1.0", "EM-2.0", "EM-4.0"),
    parts=parts,
    examples=("incident status INC-2026-11-23-001", "incident brief INC-2026-11-23-001"),
    names="INC",
    immediate=True,
)
