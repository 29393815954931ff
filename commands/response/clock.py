"""The clock of an incident in events: its checklist, its timers, its status updates."""

import json
from dataclasses import replace

from commands.ledger import Event
from commands.response.events import Kind, read
from commands.response.folding import with_fired, with_timer
from commands.response.incident import Incident, Item, ItemState, StatusUpdate


def _items(incident: Incident, event: Event) -> Incident:
    """Lines by their key; one that is open and named again is as said now, one that is done stays."""
    named = {item.key: item for item in incident.items}
    for key, text in event.facts.items():
        told = json.loads(text)
        due = read(told["due"]) or event.at
        if key not in named or named[key].state is ItemState.OPEN:
            named[key] = Item(key, told["phase"], told["text"], told["role"], due, told.get("evidence", ""))
    return replace(incident, items=tuple(named.values()))


def _item(incident: Incident, event: Event) -> Incident:
    key, state, why = event.facts["key"], ItemState(event.facts["state"]), event.facts.get("why", "")
    is_open = state is ItemState.OPEN
    items = tuple(
        replace(
            item, state=state, why=why, by="" if is_open else event.by, at=None if is_open else event.at,
            done_seq=0 if is_open else event.seq,
        )
        if item.key == key
        else item
        for item in incident.items
    )  # fmt: skip
    return replace(incident, items=items)


def _timer(incident: Incident, event: Event) -> Incident:
    return replace(incident, timers=with_timer(incident.timers, event))


def _fired(incident: Incident, event: Event) -> Incident:
    return replace(incident, timers=with_fired(incident.timers, event))


def _update(incident: Incident, event: Event) -> Incident:
    facts = event.facts
    parts = {name: facts[name] for name in ("conditions", "actions", "needs") if facts.get(name)}
    told = StatusUpdate(
        event.at, event.by, event.text, read(facts.get("next", "")), parts, facts.get("audience", "channel"),
        tuple(facts.get("channels", "").split()),
    )  # fmt: skip
    return replace(incident, updates=(*incident.updates, told))


STEPS = {
    Kind.ITEMS: _items,
    Kind.ITEM: _item,
    Kind.TIMER: _timer,
    Kind.FIRED: _fired,
    Kind.UPDATE: _update,
}
