"""What follows from an incident's events by the rules, whoever wrote them: its checklist, its timers, what evidence
completes.

Called once for every write, with the record before and after (bot/records.py), so no verb can forget it. It must
answer nothing when asked again about what it has already answered.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from commands import checklists
from commands.ledger import Draft
from commands.response.events import Kind, draft, written
from commands.response.incident import Incident, Item, ItemState, Milestone, Status
from commands.site import Site

OFFER = timedelta(minutes=3)  # to accept a role
QUIET = timedelta(minutes=30)  # a Sev1 in which nobody says anything is asked after

# The end of each phase, in minutes, of which the lead is told what is still open.
PHASES = ("immediate", "investigation", "recovery")


def of(before: Incident | None, after: Incident, now: datetime, site: Site) -> tuple[Draft, ...]:
    """The events to be added behind those that made `after` of `before` (None: it was declared just now)."""
    return (
        *_begun(before, after),
        *_lines(before, after),
        *_phases(before, after, site),
        *_offers(before, after),
        *_updates(before, after, now),
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


# --- the checklist --------------------------------------------------------------------------------


def _lines(before: Incident | None, after: Incident) -> Iterator[Draft]:
    """The lines of its severity, anew when that changes; those after the end when it has ended."""
    is_same = before is not None and before.severity == after.severity
    if is_same and before and before.at(Milestone.RESOLVED) == after.at(Milestone.RESOLVED):
        return
    lines = {line.key: line for line in checklists.lines(after.severity)}
    wanted = {key: due for key, line in lines.items() if (due := checklists.due(line, after))}
    known = {item.key: item for item in after.items}
    new = {
        key: due
        for key, due in wanted.items()
        if key not in known or (known[key].state is ItemState.OPEN and known[key].due != due)
    }
    if new:
        facts = {key: _fact(lines[key], due) for key, due in new.items()}
        yield Draft(Kind.ITEMS, f"checklist of a Sev{after.severity}", facts=facts)
        yield from (
            set_timer(f"item:{key}", due) for key, due in new.items() if not _is_shown(lines[key], after)
        )
    for item in after.items:
        if item.state is ItemState.OPEN and item.key not in wanted:
            yield _item(item, ItemState.SKIPPED, f"not for a Sev{after.severity}")
            yield set_timer(f"item:{item.key}", None)


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


def _phases(before: Incident | None, after: Incident, site: Site) -> Iterator[Draft]:
    if before is None and after.severity <= 2:
        for name in PHASES:
            minutes: int = getattr(site.incident.phases_min, name)
            yield set_timer(f"phase:{name}", after.opened + timedelta(minutes=minutes) * after.severity)


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


def _quiet(before: Incident | None, after: Incident, now: datetime) -> Iterator[Draft]:
    """Begins with the first who is on it."""
    was_taken = before is not None and checklists.is_taken(before)
    if after.severity == 1 and after.is_active and not was_taken and checklists.is_taken(after):
        yield set_timer("quiet:ask", now + QUIET)


_ACTIVE_ONLY = ("phase:", "offer:", "update:", "quiet:", "page:", "lead:")


def _ended(before: Incident | None, after: Incident) -> Iterator[Draft]:
    """Nothing of what was urgent is due of one that is over; nothing at all of one that never was."""
    if before is None or not before.is_active or after.is_active:
        return
    keys = _waiting(after, "") if after.is_over else _waiting(after, *_ACTIVE_ONLY)
    yield from (set_timer(key, None) for key in keys)
    for item in after.items:
        if item.state is ItemState.OPEN and item.phase != checklists.AFTER:
            yield _item(item, ItemState.SKIPPED, f"it is {after.status.value}")
            yield set_timer(f"item:{item.key}", None)


def _waiting(incident: Incident, *begins: str) -> list[str]:
    waiting = (timer.key for timer in incident.timers if timer.fired is None)
    return [key for key in waiting if key.startswith(begins)]
