"""Keeps records that are made of events: the one road for incidents and for change requests.

A record is a fold over its events (commands/response); both are written in one change, and the record's
compare-and-set makes their order: whoever was slower decides anew. Events are only ever added; `erase` alone takes a
content away, and the chain says who wanted that. A kind of records is a subclass that says what its own are called,
how they are folded and by what else they are found: bot/records.py, bot/changerecords.py.
"""

import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any, Generic, Protocol, TypeVar, cast

import orjson
from pydantic import TypeAdapter

from bot.state import Change, Conflict, State, Stored
from commands.ledger import START, Draft, Event, Head, sealed
from commands.site import Site
from commands.transcript import STANDINGS, Known

# A record is kept for good, and so are its events.
_TRIES = 100  # others may be writing the same record

_EVENT = TypeAdapter(Event)


class Made(Protocol):
    """A record that is made of events."""

    @property
    def id(self) -> str: ...
    @property
    def head(self) -> Head: ...
    @property
    def opened(self) -> datetime: ...
    @property
    def updated(self) -> datetime: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def next_due(self) -> datetime | None: ...


R = TypeVar("R", bound=Made)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the records of one kind stand. kind: as the outbox calls them. every: all of them by when they were
    opened; beside it stand those that are not over, and the register. due: by when something is due of one."""

    kind: str
    every: str
    due: str

    @property
    def open(self) -> str:
        return f"{self.every}:open"

    @property
    def register(self) -> str:
        """Opened one at a time: whoever looked for others has seen them all."""
        return f"{self.every}:register"


class Book(Generic[R]):
    shelf: Shelf

    def __init__(
        self, state: State, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._state = state
        self._redis = state.redis
        self._site = site
        self._now = now

    # --- what a kind says of itself ---

    @abstractmethod
    def _begun(self, id: str, event: Event) -> R:
        """The record after its first event."""

    @abstractmethod
    def _after(self, record: R, event: Event) -> R:
        """The record after one more."""

    def _consequences(self, before: R | None, record: R) -> Iterable[Draft]:
        """What follows by the rules from what was just written; it is written down with that."""
        return ()

    def _index(self, change: Change, record: R) -> None:
        """By what else it is found."""

    # --- writing ---

    def number(self, prefix: str, day: date) -> str:
        """The next id of a day, such as "INC-2026-11-23-001"; the thousandth has four digits. A number whose record
        then was not opened stays unused."""
        return f"{prefix}-{day.isoformat()}-{self._count(prefix, day):03d}"

    def _count(self, prefix: str, day: date) -> int:
        key = f"sre:number:{prefix}:{day.isoformat()}"
        pipe = self._redis.pipeline()
        pipe.incr(key)
        pipe.expire(key, timedelta(days=3))
        return int(pipe.execute()[0])

    def open(self, change: Change, id: str, drafts: Sequence[Draft], register: str) -> R:
        """Add to a change a new record; register: as `register` gave it before the others were looked at."""
        first, *rest = self._sealed(drafts, START)
        record = reduce(self._after, rest, self._begun(id, first))
        record, events = self._with_consequences(None, record, (first, *rest))
        self.expect(change, register)
        change.pipe.zadd(self.shelf.every, {id: record.opened.timestamp()})
        self._put(change, "", record, events)
        return record

    def add(self, change: Change, stored: Stored[R], drafts: Iterable[Draft]) -> R:
        """Add to a change more events of a record, without those it knows by their key."""
        fresh = self._fresh(stored.record.id, drafts)
        events = self._sealed(fresh, stored.record.head)
        record = reduce(self._after, events, stored.record)
        if events:
            record, events = self._with_consequences(stored.record, record, events)
            self._put(change, stored.version, record, events)
        return record

    def append(self, id: str, making: Callable[[R], Iterable[Draft]]) -> R | None:
        """Add what `making` makes of the record as it is, trying anew when somebody was quicker; None when there is
        no such record. Raises Conflict when others never stop."""
        for _ in range(_TRIES):
            stored = self.stored(id)
            if stored is None:
                return None
            change = self._state.change()
            record = self.add(change, stored, making(stored.record))
            if record is stored.record:
                return record
            try:
                change.commit()
            except Conflict:
                continue
            return record
        raise Conflict(id)

    def append_open(self, id: str, making: Callable[[R], Iterable[Draft]]) -> R | None:
        """As `append`, unless the record is over: then nothing is added."""
        return self.append(id, lambda record: () if record.is_over else making(record))

    def erase(self, change: Change, stored: Stored[R], seq: int, saying: Draft) -> R:
        """Take the content of an event away, together with the event that says who wanted it and why."""
        (event,) = self.events(stored.record.id, seq - 1, 1)
        erased = _EVENT.dump_json(replace(event, content=None)).decode()
        change.pipe.lset(_events(stored.record.id), seq - 1, erased)
        return self.add(change, stored, (saying,))

    def expect(self, change: Change, register: str) -> None:
        """Let a change happen only if no other was opened since `register` was looked at."""
        change.expect(self.shelf.register, register)

    def _with_consequences(
        self, before: R | None, record: R, events: tuple[Event, ...]
    ) -> tuple[R, tuple[Event, ...]]:
        """With what follows by the rules, and from that."""
        while drafts := tuple(self._consequences(before, record)):
            more = self._sealed(drafts, record.head)
            before, record = record, reduce(self._after, more, record)
            events = (*events, *more)
        return record, events

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

    def _put(self, change: Change, was: str, record: R, events: Sequence[Event]) -> None:
        kept = cast(Any, record)  # one of bot/state.py's own
        change.put(kept, was=was)
        change.pipe.rpush(_events(record.id), *(_EVENT.dump_json(event) for event in events))
        keys = [event.key for event in events if event.key]
        if keys:
            change.pipe.sadd(f"{_events(record.id)}:keys", *keys)
        said: dict[Any, Any] = {of: _said(each) for each in events if (of := each.facts.get("of"))}
        if said:
            change.pipe.hset(f"{_events(record.id)}:said", mapping=said)
        self._find(change, record)
        self._index(change, record)
        change.show(kept, priority=0 if record.is_active else 2)

    def _find(self, change: Change, record: R) -> None:
        if record.is_over:
            change.pipe.zrem(self.shelf.open, record.id)
        else:
            change.pipe.zadd(self.shelf.open, {record.id: record.opened.timestamp()})
        member = f"{self.shelf.kind}:{record.id}"
        if record.next_due is None:
            change.pipe.zrem(self.shelf.due, member)
        else:
            change.pipe.zadd(self.shelf.due, {member: record.next_due.timestamp()})

    # --- reading ---

    def register(self) -> str:
        """The version of the list of open records: `open` refuses when it has moved on."""
        version = self._redis.hget(self.shelf.register, "v")
        return version.decode() if version else ""

    def stored(self, id: str) -> Stored[R] | None:
        return cast("Stored[R] | None", self._state.load(f"{self.shelf.kind}:{id}"))

    def open_records(self) -> tuple[R, ...]:
        """Those that are not over, newest first."""
        return self._all(self._redis.zrevrange(self.shelf.open, 0, -1))

    def told_between(self, since: datetime, until: datetime) -> tuple[R, ...]:
        """Those opened before `until` whose record was last written in or after [since, until), oldest first."""
        found = self._all(self._redis.zrangebyscore(self.shelf.every, "-inf", f"({until.timestamp()}"))
        return tuple(record for record in found if record.updated >= since)

    def named(self, text: str) -> tuple[R, ...]:
        """Those whose id this is, or ends with ("002", "11-23-002"), newest first and ten at most."""
        ids = self._redis.zrevrange(self.shelf.every, 0, -1)
        return self._all([id for id in ids if id.decode().endswith(text.upper())][:10])

    def whole(self, text: str) -> str:
        """The one id that this is the end of; "" where none or several are."""
        ids = [found.id for found in self.named(text)]
        return ids[0] if len(ids) == 1 else ""

    def events(self, id: str, start: int = 0, count: int = -1) -> tuple[Event, ...]:
        """`count` events from the `start`-th (from 0) on; all of them without."""
        end = start + count - 1 if count >= 0 else -1
        return tuple(_EVENT.validate_json(body) for body in self._redis.lrange(_events(id), start, end))

    def known(self, id: str, keys: Sequence[str]) -> frozenset[str]:
        """Those of these keys that an event of the record has."""
        if not keys:
            return frozenset()
        there = self._redis.smismember(f"{_events(id)}:keys", keys)
        return frozenset(key for key, is_there in zip(keys, there, strict=True) if is_there)

    def said(self, id: str, of: str = "") -> Mapping[str, Known]:
        """What the record last said of each message in Slack, by "channel ts"; of this one only where one is named."""
        key = f"{_events(id)}:said"
        if of:
            body = self._redis.hget(key, of)
            return {of: _known(body)} if body else {}
        return {name.decode(): _known(body) for name, body in self._redis.hgetall(key).items()}

    def due(self, now: datetime) -> tuple[str, ...]:
        """The records of which something is due, as "incident:INC-…", the longest due first."""
        rows: Any = self._redis.zrangebyscore(self.shelf.due, "-inf", now.timestamp(), start=0, num=200)
        return tuple(row.decode() for row in rows)

    def _all(self, ids: Iterable[bytes]) -> tuple[R, ...]:
        found = (self.stored(id.decode()) for id in ids)
        return tuple(stored.record for stored in found if stored)


def _events(id: str) -> str:
    return f"sre:events:{id}"


def _known(body: bytes) -> Known:
    kind, hash, seq = orjson.loads(body)
    return Known(STANDINGS[kind], hash, seq)


def _said(event: Event) -> bytes:
    """What the record last said of a message in Slack."""
    return orjson.dumps([event.kind, event.facts.get("hash", ""), event.seq])
