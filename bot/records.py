"""The records of incidents: how they are folded, and by what they are found beside their id.

How they are written and read is in bot/book.py. Called by bot/clerk.py, the rounds and the scribe; read by
workers/records.py.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bot.book import Book
from bot.shelf import Shelf
from bot.state import THREADS, Change, Stored
from commands import consequences
from commands.ledger import Draft, Event
from commands.response import fold, said
from commands.response.incident import Incident

# Which incident is about an alert group, and which one's room this is, by channel.
_OF_GROUP, _ROOMS = "sre:incidents:groups", "sre:incidents:rooms"

Making = Callable[[Incident], Iterable[Draft]]


class Records(Book[Incident]):
    shelf = Shelf("incident", "sre:incidents", "sre:due")

    def _begun(self, id: str, event: Event) -> Incident:
        return fold.begun(id, event)

    def _after(self, record: Incident, event: Event) -> Incident:
        return fold.after(record, event)

    def _consequences(self, before: Incident | None, record: Incident) -> Iterable[Draft]:
        return consequences.of(before, record, self._now(), self._site)

    def _with_it(self, events: Sequence[Event], seq: int) -> Sequence[int]:
        return said.with_it(events, seq)

    def _index(self, change: Change, record: Incident) -> None:
        if record.room.is_own and record.room.channel:
            change.pipe.hset(_ROOMS, record.room.channel, record.id)
        if record.room.thread:  # of an alert's thread it is known already
            told_in = f"{record.room.channel} {record.room.thread}"
            change.pipe.hsetnx(THREADS, told_in, f"incident:{record.id} card")
        for link in record.alerts if record.is_active else ():  # later they may be another's
            change.pipe.hset(_OF_GROUP, link.group, record.id)

    def incident(self, id: str) -> Stored[Incident] | None:
        return self.stored(id)

    def open_incidents(self) -> tuple[Incident, ...]:
        """Those that are not over, newest first."""
        return self.open_records()

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

    def rooms(self, channels: Iterable[str]) -> Mapping[str, Incident]:
        """Whose own these channels are, those of incidents that are over among them."""
        wanted = sorted(set(channels))
        ids = self._redis.hmget(_ROOMS, wanted) if wanted else ()
        found = {channel: self.incident(id.decode()) for channel, id in zip(wanted, ids, strict=True) if id}
        return {channel: stored.record for channel, stored in found.items() if stored}

    def is_told_in(self, channel: str) -> bool:
        """Whether an incident that is not over is told in a thread of this channel (an id)."""
        places = {incident.room.channel for incident in self.open_incidents()}
        return channel in places or any(
            self._state.recall(f"channel-{place}") == channel for place in places if place.startswith("#")
        )

    def of_group(self, group: str) -> str:
        """The id of the incident that an alert group belongs to, "" for none."""
        return self.of_groups((group,)).get(group, "")

    def of_groups(self, groups: Sequence[str]) -> Mapping[str, str]:
        """Likewise of many, without those that belong to none."""
        found = self._redis.hmget(_OF_GROUP, groups) if groups else ()
        return {group: id.decode() for group, id in zip(groups, found, strict=True) if id}
