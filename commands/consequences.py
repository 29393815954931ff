"""What follows from an incident's events by the rules, whoever wrote them: its checklist, its timers, what evidence
completes.

Called once for every write, with the record before and after (bot/records.py), so no verb can forget it. It must
answer nothing when asked again about what it has already answered.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from commands import checklists
from commands.ledger import Draft
from commands.response.events import Kind, draft, written
from commands.response.incident import Incident, Item, ItemState, Milestone, Role, Status
from commands.response.standing import is_resolved
from commands.site import Site

OFFER = timedelta(minutes=3)  # to accept a role
QUIET = timedelta(minutes=30)  # a Sev1 in which nobody says anything is asked after

# What comes back so soon after it was called over is the same one (commands/incident/resolving.py).
REOPEN = timedelta(minutes=30)

STABLE = "stable:monitoring"

# The end of each phase, in minutes, of which the lead is told what is still open.
PHASES = ("immediate", "investigation", "recovery")


def of(before: Incident | None, after: Incident, now: datetime, site: Site) -> tuple[Draft, ...]:
    """The events to be added behind those that made `after` of `before` (None: it was declared just now)."""
    return (
        *_begun(before, after),
        *_relapsed(before, after, now),
        *_watched(before, after, now),
        *_lines(before, after, now),
        *_phases(before, after, now, site),
        *_offers(before, after),
        *_updates(before, after, now),
        *_again(before, after, now),
        *_quiet(before, after, now),
        *_ended(before, after),
        *_shown(after),
    )


def set_timer(key: str, due: datetime | None) -> Draft:
    """Sets a timer, or takes it away (None)."""
    said = f"{key} is due" if due else f"{key} is not due any more"
    return draft(Kind.TIMER, said, key=key, due=written(due) if due else "")


def _begun(before: Incident | None, after: Incident) -> Iterator[Draft]:
    """Once somebody is on it, it is looked into."""
    if after.status is Status.DECLARED and checklists.is_taken(after):
        yield draft(Kind.STATUS, "investigation begins", to=Status.INVESTIGATING.value)


def _relapsed(before: Incident | None, after: Incident, now: datetime) -> Iterator[Draft]:
    """An alert fires again of one that is watched, or was resolved a short while ago: it was not over."""
    names = _fires_again(before, after)
    resolved = after.at(Milestone.RESOLVED)
    why, mention = f"{', '.join(names)} fires again", "" if after.is_drill else _leads(after)
    if names and is_resolved(after) and resolved and now - resolved <= REOPEN:
        told = draft(Kind.REOPENED, f"opened again: {why}", why=why)
        yield replace(told, is_told=True, mention=mention)
    if names and after.status is Status.MONITORING:
        told = draft(Kind.STATUS, f"looked into again: {why}", to=Status.INVESTIGATING.value, why=why)
        yield replace(told, is_told=True, mention=mention)
        yield draft(Kind.MILESTONE, "it was not mitigated after all", name=Milestone.MITIGATED.value)


def _fires_again(before: Incident | None, after: Incident) -> list[str]:
    was = {link.group: link.refired for link in before.alerts} if before else {}
    again = (link for link in after.firing if link.refired > was.get(link.group, link.refired))
    return [link.name or link.group for link in again]


def _watched(before: Incident | None, after: Incident, now: datetime) -> Iterator[Draft]:
    """Half an hour without an alert is what it is watched for."""
    is_watched = after.status is Status.MONITORING
    if is_watched != (before is not None and before.status is Status.MONITORING):
        yield set_timer(STABLE, now + QUIET if is_watched else None)


def _leads(incident: Incident) -> str:
    return incident.holder(Role.IC) or next(reversed(incident.led), "")


# --- the checklist --------------------------------------------------------------------------------


def _lines(before: Incident | None, after: Incident, now: datetime) -> Iterator[Draft]:
    """The lines of its severity, anew when that changes; those after the end when it has ended."""
    is_same = before is not None and before.severity == after.severity
    if is_same and before and before.at(Milestone.RESOLVED) == after.at(Milestone.RESOLVED):
        return
    lines = {line.key: line for line in checklists.lines(after.severity) if _is_asked(line, after)}
    known = {item.key: item for item in after.items}
    new = {
        key: due
        for key, line in lines.items()
        if (due := _due(line, known.get(key), after, now if before else after.opened))
    }
    yield from (_item(known[key], ItemState.OPEN) for key in new if key in known and _is_left_out(known[key]))
    if new:
        facts = {key: _fact(lines[key], due) for key, due in new.items()}
        yield Draft(Kind.ITEMS, f"checklist of a Sev{after.severity}", facts=facts)
        yield from (
            set_timer(f"item:{key}", due) for key, due in new.items() if not _is_shown(lines[key], after)
        )
    of_it = {line.key for line in checklists.lines(after.severity)}
    for item in after.items:
        if item.state is ItemState.OPEN and item.key not in of_it:
            yield _item(item, ItemState.SKIPPED, f"{_NOT_FOR}{after.severity}")
            yield set_timer(f"item:{item.key}", None)


_NOT_FOR = "not for a Sev"


def _is_left_out(item: Item) -> bool:
    """By the rule, and by nobody's word: of a severity that is grave again it is due again."""
    return item.state is ItemState.SKIPPED and not item.by and item.why.startswith(_NOT_FOR)


def _is_asked(line: checklists.Line, incident: Incident) -> bool:
    """Whoever corrects the severity of one that has ended is not asked to lead it."""
    return incident.is_active or (line.phase == checklists.AFTER and not incident.is_over)


def _due(line: checklists.Line, item: Item | None, incident: Incident, now: datetime) -> datetime | None:
    """When a line is due that was not, or was at another time; None where nothing changes. What would have been due
    before it was asked for counts from now."""
    due = checklists.due(line, incident)
    if due is None or (item and item.state is not ItemState.OPEN and not _is_left_out(item)):
        return None
    is_late = due <= now and line.phase != checklists.AFTER
    if item is not None and item.state is ItemState.OPEN:
        return None if is_late or due == item.due else due
    return now + line.after if is_late else due


def _is_shown(line: checklists.Line, incident: Incident) -> bool:
    return checklists.is_shown(line.evidence, incident)


def _fact(line: checklists.Line, due: datetime) -> str:
    told = {
        "phase": line.phase, "text": line.text, "role": line.role, "due": written(due), "evidence": line.evidence,
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False)


def _shown(after: Incident) -> Iterator[Draft]:
    for item in after.items:
        if item.state is ItemState.OPEN and checklists.is_shown(item.evidence, after):
            yield _item(item, ItemState.AUTO)
            yield set_timer(f"item:{item.key}", None)


def _item(item: Item, state: ItemState, why: str = "") -> Draft:
    told = f"{item.text}: {state.value}" + (f" ({why})" if why else "")
    return draft(Kind.ITEM, told, key=item.key, state=state.value, why=why)


# --- timers ---------------------------------------------------------------------------------------


def _phases(before: Incident | None, after: Incident, now: datetime, site: Site) -> Iterator[Draft]:
    """Of a grave one; those of one that becomes grave begin then."""
    if before is not None and (before.severity == after.severity or not after.is_active):
        return
    if after.severity > 2:
        yield from (set_timer(key, None) for key in _waiting(after, "phase:"))
        return
    begun = now if before is not None and before.severity > 2 else after.opened
    for name in PHASES:
        minutes: int = getattr(site.incident.phases_min, name)
        due = begun + timedelta(minutes=minutes) * after.severity
        if before is None or due > now:
            yield set_timer(f"phase:{name}", due)


def _offers(before: Incident | None, after: Incident) -> Iterator[Draft]:
    was = {offer.role: offer for offer in before.offers} if before else {}
    now = {offer.role: offer for offer in after.offers}
    for role, offer in now.items():
        if was.get(role) != offer:
            yield set_timer(f"offer:{role.value}", offer.at + OFFER)
    for role in was.keys() - now.keys():
        yield set_timer(f"offer:{role.value}", None)


def _updates(before: Incident | None, after: Incident, now: datetime) -> Iterator[Draft]:
    """Promised at every update; the first one is a line of the checklist."""
    told = len(before.updates) if before else 0
    if len(after.updates) == told or not after.is_active:
        return
    promised = after.updates[-1].next_due or checklists.next_update(after, now)
    yield set_timer("update:due", promised)
    yield from (set_timer(key, None) for key in _waiting(after, "update:") if key != "update:due")


def _again(before: Incident | None, after: Incident, now: datetime) -> Iterator[Draft]:
    """Of one that was opened again people want to hear as before."""
    if before is None or before.is_active or not after.is_active:
        return
    if after.updates or after.severity <= 2:
        yield set_timer("update:due", checklists.next_update(after, now))


def _quiet(before: Incident | None, after: Incident, now: datetime) -> Iterator[Draft]:
    """Begins with the first who is on it, or when it becomes that grave, and ends when it is less."""
    is_listened, was_listened = _is_listened(after), before is not None and _is_listened(before)
    if is_listened and not was_listened:
        yield set_timer("quiet:ask", now + QUIET)
    if was_listened and after.severity != 1:
        yield from (set_timer(key, None) for key in _waiting(after, "quiet:"))


def _is_listened(incident: Incident) -> bool:
    return incident.severity == 1 and incident.is_active and checklists.is_taken(incident)


# What was approved alone is looked at afterwards, however it ends.
REVIEW = "review:"

_ACTIVE_ONLY = ("phase:", "offer:", "update:", "quiet:", "page:", "lead:")


def _ended(before: Incident | None, after: Incident) -> Iterator[Draft]:
    """Nothing of what was urgent is due of one that is over; nothing at all of one that never was."""
    if before is None or after.is_active or before.is_over:
        return
    if not (before.is_active or after.is_over):
        return
    keys = _waiting(after, "") if after.is_over else _waiting(after, *_ACTIVE_ONLY)
    yield from (set_timer(key, None) for key in keys if not key.startswith(REVIEW))
    for item in after.items:
        if item.state is ItemState.OPEN and item.phase != checklists.AFTER:
            yield _item(item, ItemState.SKIPPED, f"it is {after.status.value}")
            yield set_timer(f"item:{item.key}", None)


def _waiting(incident: Incident, *begins: str) -> list[str]:
    waiting = (timer.key for timer in incident.timers if timer.fired is None)
    return [key for key in waiting if key.startswith(begins)]
