"""Keeps records that are made of events: the one road for incidents and for change requests.

A record is a fold over its events (commands/response); both are written in one change, and the record's
compare-and-set makes their order: whoever was slower decides anew. Events are only ever added; `erase` alone takes a
content away, and the chain says who wanted that. A kind of records is a subclass that says what its own are called,
how they are folded and by what else they are found: bot/records.py, bot/changerecords.py.
"""

import logging
import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any, Generic, TypeVar, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from bot.shelf import UNREADABLE, Made, Shelf, shape_of
from bot.state import Change, Conflict, State, Stored, codec_of
from commands.ledger import START, Draft, Event, Head, sealed
from commands.site import Site
from commands.transcript import STANDINGS, Known

log = logging.getLogger(__name__)

# A record is kept for good, and so are its events.
_TRIES = 100  # others may be writing the same record
_ROUNDS = 20  # of what follows by the rules, from what follows by the rules; three have been seen
_AT_ONCE = 200  # records that are asked for in one round trip

# What an event of a later version says, as far as this one is concerned: it happened.
_UNKNOWN = ""

_EVENT = TypeAdapter(Event)


R = TypeVar("R", bound=Made)


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

    def _with_it(self, events: Sequence[Event], seq: int) -> Sequence[int]:
        """The events that are erased with this one."""
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
                if self._stands(record):
                    return record
                continue
            return record
        raise Conflict(id)

    def _stands(self, record: R) -> bool:
        """Whether it was written after all: the answer was lost, and when it was asked for again somebody had written
        behind it."""
        last = self.events(record.id, record.head.seq - 1, 1)
        return bool(last) and last[0].hash == record.head.hash

    def append_open(self, id: str, making: Callable[[R], Iterable[Draft]]) -> R | None:
        """As `append`, unless the record is over: then nothing is added."""
        return self.append(id, lambda record: () if record.is_over else making(record))

    def erase(self, change: Change, stored: Stored[R], seq: int, saying: Draft) -> R:
        """Take the content of an event away, and what says the same, together with the event that says who wanted it
        and why."""
        events = self.events(stored.record.id)
        also = self._with_it(events, seq)
        for number in (seq, *also):
            event = events[number - 1]
            erased = _EVENT.dump_json(replace(event, content=None)).decode()
            change.pipe.lset(_events(stored.record.id), number - 1, erased)
            for kept in event.content.evidence.files if event.content and event.content.evidence else ():
                change.forget_file(kept.stored)
        named = {"also": " ".join(map(str, also))} if also else {}
        return self.add(change, stored, (replace(saying, facts={**saying.facts, **named}),))

    def expect(self, change: Change, register: str) -> None:
        """Let a change happen only if no other was opened since `register` was looked at."""
        change.expect(self.shelf.register, register)

    def _with_consequences(
        self, before: R | None, record: R, events: tuple[Event, ...]
    ) -> tuple[R, tuple[Event, ...]]:
        """With what follows by the rules, and from that. Raises RuntimeError when they never end."""
        for _ in range(_ROUNDS):
            drafts = tuple(self._consequences(before, record))
            if not drafts:
                return record, events
            more = self._sealed(drafts, record.head)
            before, record = record, reduce(self._after, more, record)
            events = (*events, *more)
        raise RuntimeError(f"what follows for {record.id} never ends, the last is: {events[-1].text}")

    def _sealed(self, drafts: Iterable[Draft], head: Head) -> tuple[Event, ...]:
        told = [self._redacted(draft) for draft in drafts]
        salts = [secrets.token_hex(16) for _ in told]
        return sealed(told, head, self._now(), salts)

    def _redacted(self, draft: Draft) -> Draft:
        """What is kept for good holds no secret: an event cannot be mended later."""
        mask = self._state.redact
        facts = {name: mask(value) for name, value in draft.facts.items()}
        evidence = draft.evidence
        if evidence is not None:
            files = tuple(replace(file, name=mask(file.name)) for file in evidence.files)
            evidence = replace(evidence, files=files)
        return replace(draft, text=mask(draft.text), facts=facts, evidence=evidence)

    def _fresh(self, id: str, drafts: Iterable[Draft]) -> list[Draft]:
        drafts = list(drafts)
        known = set(self.known(id, [draft.key for draft in drafts if draft.key]))
        fresh = []
        for draft in drafts:
            if draft.key not in known:
                fresh.append(draft)
            if draft.key:
                known.add(draft.key)
        return fresh

    def _put(self, change: Change, was: str, record: R, events: Sequence[Event]) -> None:
        kept = cast(Any, record)  # one of bot/state.py's own
        change.put(kept, was=was)
        change.pipe.hset(self._key(record.id), "shape", shape_of(self.shelf.kind))
        change.pipe.rpush(_events(record.id), *(_EVENT.dump_json(event) for event in events))
        keys = [event.key for event in events if event.key]
        if keys:
            change.pipe.sadd(f"{_events(record.id)}:keys", *keys)
        said: dict[Any, Any] = {of: _said(each) for each in events if (of := each.facts.get("of"))}
        if said:
            change.pipe.hset(f"{_events(record.id)}:said", mapping=said)
        self._find(change, record)
        self._index(change, record)
        change.show(kept, priority=self.shelf.urgency if record.is_active else 2)

    def _find(self, change: Change, record: R) -> None:
        if record.is_over:
            change.pipe.zrem(self.shelf.open, record.id)
        else:
            change.pipe.zadd(self.shelf.open, {record.id: record.opened.timestamp()})
        change.pipe.zadd(self.shelf.written, {record.id: record.updated.timestamp()})
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
        """Made anew of its events where another version wrote it, which kept what that version knows."""
        version, body, shape = self._redis.hmget(self._key(id), "v", "body", "shape")
        if version is None or body is None:
            return None
        is_ours = (shape or b"").decode() == shape_of(self.shelf.kind)
        return Stored(self._read(id, body) if is_ours else self._made_anew(id, body), version.decode())

    def count(self) -> int:
        """How many are not over."""
        return int(self._redis.zcard(self.shelf.open))

    def open_records(self) -> tuple[R, ...]:
        """Those that are not over, newest first."""
        return self._all(self._redis.zrevrange(self.shelf.open, 0, -1))

    def told_between(self, since: datetime, until: datetime) -> tuple[R, ...]:
        """Those opened before `until` whose record was last written in or after [since, until), oldest first."""
        opened = self._redis.zrangebyscore(self.shelf.every, "-inf", f"({until.timestamp()}")
        written = set(self._redis.zrangebyscore(self.shelf.written, since.timestamp(), "+inf"))
        return self._all([id for id in opened if id in written])

    def named(self, text: str) -> tuple[R, ...]:
        """Those whose id this is, or ends with ("002", "11-23-002"), newest first and ten at most."""
        return self._all(self._named(text)[:10])

    def whole(self, text: str) -> str:
        """The one id that this is the end of; "" where none or several are."""
        ids = self._named(text)
        return ids[0].decode() if len(ids) == 1 else ""

    def _named(self, text: str) -> list[bytes]:
        end = text.upper().encode(errors="replace")
        if self._redis.zscore(self.shelf.every, end) is not None:
            return [end]
        ids: list[bytes] = self._redis.zrevrange(self.shelf.every, 0, -1)
        return [id for id in ids if id.endswith(end)]

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
        """Those that are there. One that cannot be read at all is left out: it must not hide the others."""
        found, rest = [], [id.decode() for id in ids]
        while rest:
            some, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
            pipe = self._redis.pipeline(transaction=False)
            for id in some:
                pipe.hget(self._key(id), "body")
            found += [(id, body) for id, body in zip(some, pipe.execute(), strict=True) if body is not None]
        return tuple(record for id, body in found if (record := self._read_if_any(id, body)))

    def _read_if_any(self, id: str, body: bytes) -> R | None:
        try:
            return self._read(id, body)
        except UNREADABLE:
            log.exception("%s cannot be read, and so is in no list", id)
            return None

    def _read(self, id: str, body: bytes) -> R:
        try:
            return cast(R, codec_of(self.shelf.kind).validate_json(body))
        except ValidationError:
            return self._replayed(id)

    def _made_anew(self, id: str, body: bytes) -> R:
        try:
            return self._replayed(id)
        except UNREADABLE:
            return self._read(id, body)

    def _replayed(self, id: str) -> R:
        """All its events once more. What one says that this version does not understand changes nothing, as a kind that
        it does not know."""
        first, *rest = self.events(id)
        record = self._begun(id, first)
        for event in rest:
            try:
                record = self._after(record, event)
            except UNREADABLE as error:
                log.warning("event %s of %s says what is not understood here: %r", event.seq, id, error)
                record = self._after(record, replace(event, kind=_UNKNOWN))
        return record

    def _key(self, id: str) -> str:
        return f"sre:{self.shelf.kind}:{id}"


def _events(id: str) -> str:
    return f"sre:events:{id}"


def _known(body: bytes) -> Known:
    kind, hash, seq = orjson.loads(body)
    return Known(STANDINGS[kind], hash, seq)


def _said(event: Event) -> bytes:
    """What the record last said of a message in Slack."""
    return orjson.dumps([event.kind, event.facts.get("hash", ""), event.seq])
