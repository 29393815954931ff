"""Keeps the records that are made of events: incidents (and, by the same road, change requests).

The record is a fold over its events (commands/response/fold.py); both are written in one change, and the record's
compare-and-set makes their order: whoever was slower decides anew. Events are only ever added; `erase` alone takes a
content away, and the chain says who wanted that. Called by bot/clerk.py, the rounds and the scribe; read by
workers/records.py.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any, cast

from pydantic import TypeAdapter

from bot.state import THREADS, Change, Conflict, State, Stored
from commands import consequences
from commands.ledger import START, Draft, Event, Head, sealed
from commands.response import fold
from commands.response.incident import Incident
from commands.site import Site

# A record is kept for good, and so are its events.
_TRIES = 100  # others may be writing the same record

# All incidents by when they were declared, those that are not over, and which is about an alert group.
_ALL, _OPEN, _OF_GROUP = "sre:incidents", "sre:incidents:open", "sre:incidents:groups"
# Which incident's room this is, by channel.
_ROOMS = "sre:incidents:rooms"
# Opened one at a time: whoever looked for duplicates has seen them all.
_REGISTER = "sre:incidents:register"
# By when something is due of a record.
_DUE = "sre:due"

_EVENT = TypeAdapter(Event)

Making = Callable[[Incident], Iterable[Draft]]


class Records:
    def __init__(
        self, state: State, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._state = state
        self._redis = state.redis
        self._site = site
        self._now = now

    # --- writing ---

    def number(self, prefix: str, day: date) -> str:
        """The next id of a day, such as "INC-2026-11-23-001"; the thousandth has four digits. A number whose record
        then was not opened stays unused."""
        key = f"sre:number:{prefix}:{day.isoformat()}"
        pipe = self._redis.pipeline()
        pipe.incr(key)
        pipe.expire(key, timedelta(days=3))
        number = int(pipe.execute()[0])
        return f"{prefix}-{day.isoformat()}-{number:03d}"

    def open(self, change: Change, id: str, drafts: Sequence[Draft], register: str) -> Incident:
        """Add to a change a new incident; register: as `register` gave it before the others were looked at."""
        events = self._sealed(drafts, START)
        incident = fold.fold(id, events)
        incident, events = self._with_consequences(None, incident, events)
        change.expect(_REGISTER, register)
        change.pipe.zadd(_ALL, {id: incident.opened.timestamp()})
        self._put(change, "", incident, events)
        return incident

    def add(self, change: Change, stored: Stored[Incident], drafts: Iterable[Draft]) -> Incident:
        """Add to a change more events of an incident, without those it knows by their key."""
        fresh = self._fresh(stored.record.id, drafts)
        events = self._sealed(fresh, stored.record.head)
        incident = reduce(fold.after, events, stored.record)
        if events:
            incident, events = self._with_consequences(stored.record, incident, events)
            self._put(change, stored.version, incident, events)
        return incident

    def append(self, id: str, making: Making) -> Incident | None:
        """Add what `making` makes of the incident as it is, trying anew when somebody was quicker; None when there
        is no such incident. Raises Conflict when others never stop."""
        for _ in range(_TRIES):
            stored = self.incident(id)
            if stored is None:
                return None
            change = self._state.change()
            incident = self.add(change, stored, making(stored.record))
            if incident is stored.record:
                return incident
            try:
                change.commit()
            except Conflict:
                continue
            return incident
        raise Conflict(id)

    def append_open(self, id: str, making: Making) -> Incident | None:
        """As `append`, unless the incident is over: then nothing is added."""
        return self.append(id, lambda incident: () if incident.is_over else making(incident))

    def erase(self, change: Change, stored: Stored[Incident], seq: int, saying: Draft) -> Incident:
        """Take the content of an event away, together with the event that says who wanted it and why."""
        (event,) = self.events(stored.record.id, seq - 1, 1)
        erased = _EVENT.dump_json(replace(event, content=None)).decode()
        change.pipe.lset(_events(stored.record.id), seq - 1, erased)
        return self.add(change, stored, (saying,))

    def _with_consequences(
        self, before: Incident | None, incident: Incident, events: tuple[Event, ...]
    ) -> tuple[Incident, tuple[Event, ...]]:
        """What follows by the rules from these events is written down with them."""
        drafts = consequences.of(before, incident, self._now(), self._site)
        more = self._sealed(drafts, incident.head)
        return reduce(fold.after, more, incident), (*events, *more)

    def _sealed(self, drafts: Iterable[Draft], head: Head) -> tuple[Event, ...]:
        told = [self._redacted(draft) for draft in drafts]
        salts = [secrets.token_hex(16) for _ in told]
        return sealed(told, head, self._now(), salts)

    def _redacted(self, draft: Draft) -> Draft:
        """What is kept for good holds no secret: an event cannot be mended later."""
        mask = self._state.redact
        facts = {name: mask(value) for name, value in draft.facts.items()}
        return replace(draft, text=mask(draft.text), facts=facts)

    def _fresh(self, id: str, drafts: Iterable[Draft]) -> list[Draft]:
        drafts = list(drafts)
        keys = [draft.key for draft in drafts if draft.key]
        known = self.known(id, keys)
        return [draft for draft in drafts if not draft.key or draft.key not in known]

    def _put(self, change: Change, was: str, incident: Incident, events: Sequence[Event]) -> None:
        change.put(incident, was=was)
        change.pipe.rpush(_events(incident.id), *(_EVENT.dump_json(event) for event in events))
        keys = [event.key for event in events if event.key]
        if keys:
            change.pipe.sadd(f"{_events(incident.id)}:keys", *keys)
        self._index(change, incident)
        change.show(incident, priority=0 if incident.is_active else 2)

    def _index(self, change: Change, incident: Incident) -> None:
        if incident.is_over:
            change.pipe.zrem(_OPEN, incident.id)
        else:
            change.pipe.zadd(_OPEN, {incident.id: incident.opened.timestamp()})
        if incident.room.is_own and incident.room.channel:
            change.pipe.hset(_ROOMS, incident.room.channel, incident.id)
        for link in incident.alerts:
            change.pipe.hset(_OF_GROUP, link.group, incident.id)
        member = f"incident:{incident.id}"
        if incident.next_due is None:
            change.pipe.zrem(_DUE, member)
        else:
            change.pipe.zadd(_DUE, {member: incident.next_due.timestamp()})

    # --- reading ---

    def register(self) -> str:
        """The version of the list of open incidents: `open` refuses when it has moved on."""
        version = self._redis.hget(_REGISTER, "v")
        return version.decode() if version else ""

    def incident(self, id: str) -> Stored[Incident] | None:
        return cast("Stored[Incident] | None", self._state.load(f"incident:{id}"))

    def open_incidents(self) -> tuple[Incident, ...]:
        """Those that are not over, newest first."""
        return self._all(self._redis.zrevrange(_OPEN, 0, -1))

    def told_between(self, since: datetime, until: datetime) -> tuple[Incident, ...]:
        """Those declared before `until` whose record was last written in or after [since, until), oldest first."""
        found = self._all(self._redis.zrangebyscore(_ALL, "-inf", f"({until.timestamp()}"))
        return tuple(incident for incident in found if incident.updated >= since)

    def named(self, text: str) -> tuple[Incident, ...]:
        """Those whose id this is, or ends with ("002", "11-23-002"), newest first and ten at most."""
        ids = [id for id in self._redis.zrevrange(_ALL, 0, -1) if id.decode().endswith(text.upper())]
        return self._all(ids[:10])

    def whole(self, text: str) -> str:
        """The one id that this is the end of; "" where none or several are."""
        ids = [found.id for found in self.named(text)]
        return ids[0] if len(ids) == 1 else ""

    def in_room(self, channel: str, thread: str = "") -> str:
        """The id of the incident that is told there, "" where none is: in a channel of its own, in the thread of its
        card, or in that of an alert that belongs to it."""
        told = self._redis.hget(THREADS, f"{channel} {thread}") if thread else None
        kind, _, id = (told or b"").decode().partition(" ")[0].partition(":")
        if kind == "incident":
            return id
        if kind == "alert" and (found := self._redis.hget(_OF_GROUP, id)):
            return str(found.decode())
        found = self._redis.hget(_ROOMS, channel)
        return found.decode() if found else ""

    def of_group(self, group: str) -> str:
        """The id of the incident that an alert group belongs to, "" for none."""
        found = self._redis.hget(_OF_GROUP, group)
        return found.decode() if found else ""

    def events(self, id: str, start: int = 0, count: int = -1) -> tuple[Event, ...]:
        """`count` events from the `start`-th (from 0) on; all of them without."""
        end = start + count - 1 if count >= 0 else -1
        return tuple(_EVENT.validate_json(body) for body in self._redis.lrange(_events(id), start, end))

    def known(self, id: str, keys: Sequence[str]) -> frozenset[str]:
        """Those of these keys that an event of the incident has."""
        if not keys:
            return frozenset()
        there = self._redis.smismember(f"{_events(id)}:keys", keys)
        return frozenset(key for key, is_there in zip(keys, there, strict=True) if is_there)

    def due(self, now: datetime) -> tuple[str, ...]:
        """The records of which something is due, as "incident:INC-…", the longest due first."""
        rows: Any = self._redis.zrangebyscore(_DUE, "-inf", now.timestamp(), start=0, num=200)
        return tuple(row.decode() for row in rows)

    def _all(self, ids: Iterable[bytes]) -> tuple[Incident, ...]:
        found = (self.incident(id.decode()) for id in ids)
        return tuple(stored.record for stored in found if stored)


def _events(id: str) -> str:
    return f"sre:events:{id}"
