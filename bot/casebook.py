"""What is known of alerts beside their records: which groups are open, what ever fired, which storm is on, and
which group a thread or a word means.

Every write of a group goes through `put`, into a change that somebody else commits, so none of it can disagree with
the record. Called by bot/desk.py and bot/care.py, and by the rounds (workers/rounds.py); read by
workers/casebook.py.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import TypeAdapter

from bot import storms
from bot.state import KEEP, THREADS, Change, State, Stored, Taken, milliseconds, new_id
from commands.alertreads import Occurrence, OccurrencePage
from commands.alertroutes import severity_of
from commands.model import Alert, AlertGroup, Care, Severity, Storm
from commands.site import Site

# Occurrences are kept for a month's figures, and no more than fit in memory (about 100 MB).
REACH = timedelta(days=35)
MOST = 200_000

# The end, in the index, of what has none yet.
_FIRES = float("inf")

# Longer than any group fires that was cared for once.
_CARE_KEEP = 2 * REACH

# A storm's channel is taken for so long at most, should nobody see its end.
_STORM_KEEP = timedelta(days=7)

_MINUTE = timedelta(minutes=1)

# Of a group with more messages than that in Slack, only those of its last episodes are still known.
_MESSAGES, _EPISODES = 200, 20

# Groups that fire or have a silence of ours, by when they (again) began; ids of all groups there are.
_WATCHED, _IDS = "sre:groups:watched", "sre:groups:ids"
# Occurrences by when they ended, +inf while they fire; since when there are any.
_ENDS, _SINCE = "sre:occurrences", "sre:occurrences:since"
# How often something of a storm changed, by its id; and how much of that its card tells.
_STORMS, _TOLD = "sre:storms", "sre:storms:told"

_OCCURRENCE = TypeAdapter(Occurrence)
_CARE = TypeAdapter(Care)

_ID = re.compile(r"[Aa][0-9A-Fa-f]{0,16}")
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Casebook:
    def __init__(self, state: State, site: Site) -> None:
        self._state = state
        self._redis = state.redis
        self._site = site

    # --- writing ---

    def placed(self, old: AlertGroup | None, group: AlertGroup, now: datetime) -> AlertGroup:
        """The group where it will be told: a new episode that is not critical may belong to a storm.

        One that becomes critical in a storm leaves it: its new episode has a card of its own.
        """
        if old is not None and old.episode == group.episode:
            is_worse = bool(old.storm) and group.severity is Severity.CRITICAL
            return self._out_of_storm(old, group) if is_worse else group
        if group.severity is Severity.CRITICAL:
            return group
        since = (now - _MINUTE).timestamp()
        others = int(self._redis.zcount(f"sre:opened:{group.channel}", since, "+inf"))
        if others < self._site.alerts.rollup.over:
            return group
        return replace(group, storm=self._storm(group, now))

    def _out_of_storm(self, old: AlertGroup, group: AlertGroup) -> AlertGroup:
        (sent,) = self._messages([old])
        before = f"{sent['channel']} {sent['ts']}" if sent.get("ts") else ""
        return replace(group, storm="", episode=old.episode + 1, lines=(), omitted=0, before=before)

    def _storm(self, group: AlertGroup, now: datetime) -> str:
        """The storm of the group's channel, begun with it where there is none."""
        mark = f"storm:{group.channel}"
        known = self._state.mark(mark)
        if known:
            return known
        id = new_id("S")
        storm = storms.counted(Storm(id, group.channel, now, now), [replace(group, storm=id)], now)
        change = self._state.change().put(storm, was="").once(mark, storm.id, _STORM_KEEP)
        change.pipe.hset(_STORMS, storm.id, 1)
        try:
            change.audit("storm", id=storm.id, channel=storm.channel).commit()
        except Taken as earlier:
            return earlier.value
        return storm.id

    def put(
        self,
        change: Change,
        stored: Stored[AlertGroup] | None,
        group: AlertGroup,
        now: datetime,
        *,
        is_awaited: bool = False,
    ) -> Change:
        """Add to a change the group in place of what is stored, and all that goes with it: its index, its history, its
        storm, and the mark that its card is stale. is_awaited: somebody looks for what becomes of it."""
        old = stored.record if stored else None
        change.put(group, was=stored.version if stored else "", keep=None if group.firing else KEEP)
        self._write(change, old, group, now)
        return change.show(group, priority=min(priority(group), 1) if is_awaited else priority(group))

    def _write(self, change: Change, old: AlertGroup | None, group: AlertGroup, now: datetime) -> None:
        is_new = old is None or old.episode != group.episode
        change.pipe.zadd(_IDS, {group.id: 0})
        self._watch(change, group, now, is_anew=is_new or not (old and old.firing))
        self._occur(change, old, group)
        if group.care != (Care() if old is None or is_new else old.care):
            self.care_for(change, group.id, group.episode, group.care)
        if is_new:
            self._opened(change, group, now)
        left = old.storm if old is not None and old.storm != group.storm else ""
        for storm in filter(None, (group.storm, left)):
            change.pipe.hincrby(_STORMS, storm, 1)
        if group.storm and is_new:
            change.pipe.zadd(f"sre:members:{group.storm}", {group.id: now.timestamp()})
            change.pipe.pexpire(f"sre:members:{group.storm}", _STORM_KEEP + KEEP)
            change.show(Storm(group.storm, group.channel, now, now), priority=1)

    def _watch(self, change: Change, group: AlertGroup, now: datetime, *, is_anew: bool) -> None:
        is_silenced = any(not silence.ended for silence in group.care.silences)
        if group.firing and is_anew:
            change.pipe.zadd(_WATCHED, {group.id: now.timestamp()})
        elif group.firing or is_silenced:
            change.pipe.zadd(_WATCHED, {group.id: now.timestamp()}, nx=True)
        else:
            change.pipe.zrem(_WATCHED, group.id)

    def _opened(self, change: Change, group: AlertGroup, now: datetime) -> None:
        key = f"sre:opened:{group.channel}"
        change.pipe.zremrangebyscore(key, "-inf", (now - _MINUTE).timestamp())
        change.pipe.zadd(key, {f"{group.id} {group.episode}": now.timestamp()})
        change.pipe.pexpire(key, 2 * _MINUTE)

    def _occur(self, change: Change, old: AlertGroup | None, group: AlertGroup) -> None:
        known = {alert.fingerprint: alert for alert in old.alerts} if old else {}
        ends: dict[str, float] = {}
        for alert in group.alerts:
            before = known.get(alert.fingerprint)
            if before is None or _times(before) != _times(alert):
                self._note(change, group, alert)
                ends[_member(alert)] = _FIRES
                if alert.status != "firing":
                    ends[_member(alert)] = _end(change, alert, alert.ends_at or group.updated)
                elif before is not None:  # else it is new, and its body has no end to it
                    change.pipe.persist(_body(alert))
            if before is not None and before.status == "firing" and before.starts_at != alert.starts_at:
                ends[_member(before)] = _end(change, before, alert.starts_at)  # its end was never told
        if ends:
            change.pipe.zadd(_ENDS, ends)
        change.pipe.set(_SINCE, group.updated.timestamp(), nx=True)

    def _note(self, change: Change, group: AlertGroup, alert: Alert) -> None:
        """Write an occurrence down once: what it began as stays, its end may come and go."""
        starts_at = _start(alert, group)
        rules = self._site.clusters.get(group.cluster, self._site).alerts
        occurrence = Occurrence(
            fingerprint=alert.fingerprint, name=alert.name, labels=alert.labels,
            severity=severity_of(rules, alert.labels), cluster=group.cluster, starts_at=starts_at, ends_at=None,
            group=group.id, episode=group.episode, oncall=self._site.oncall(starts_at),
        )  # fmt: skip
        change.pipe.set(_body(alert), _OCCURRENCE.dump_json(occurrence), nx=True)

    def care_for(self, change: Change, group: str, episode: int, care: Care) -> None:
        """Keep what people did about an episode for as long as its occurrences may be asked for."""
        change.pipe.hset(f"sre:episodes:{group}", str(episode), _CARE.dump_json(care))
        change.pipe.pexpire(f"sre:episodes:{group}", milliseconds(_CARE_KEEP))

    def care_of(self, group: str, episode: int) -> Care | None:
        """What people did about an episode, also one that is over; None where nobody did anything."""
        body = self._redis.hget(f"sre:episodes:{group}", str(episode))
        return _CARE.validate_json(body) if body else None

    # --- open groups ---

    def watched(self) -> list[tuple[Stored[AlertGroup], datetime]]:
        """Groups that duties may be due for, and since when each fires."""
        since = {id.decode(): _at(told) for id, told in self._redis.zrange(_WATCHED, 0, -1, withscores=True)}
        return [(stored, since[stored.record.id]) for stored in self._state.groups(tuple(since))]

    def count(self) -> int:
        """How many groups fire, or have a silence of ours."""
        return int(self._redis.zcard(_WATCHED))

    def open_groups(self, cluster: str = "") -> tuple[AlertGroup, ...]:
        """Those that fire, of this cluster ("" for all), gravest first, then oldest."""
        groups = [stored.record for stored, _ in self.watched()]
        chosen = [g for g in groups if g.firing and cluster in ("", g.cluster)]
        return tuple(sorted(chosen, key=lambda g: (_RANK[g.severity], g.opened, g.id)))

    # --- which group is meant ---

    def named(self, text: str) -> tuple[AlertGroup, ...]:
        """Those that an id, its beginning, or the name of an open alert may mean."""
        ids: list[str] = []
        if _ID.fullmatch(text):
            begins = "A" + text[1:].lower()
            ids = [id.decode() for id in self._redis.zrangebylex(_IDS, f"[{begins}", f"[{begins}\xff", 0, 20)]
            ids = [begins] if begins in ids else ids
        if ids:
            return tuple(stored.record for stored in self._state.groups(ids))
        return tuple(group for group in self.open_groups() if group.name.casefold() == text.casefold())

    def told_in(self, channel: str, thread: str) -> tuple[AlertGroup, ...]:
        """Those whose thread this is: the group's, or all that a storm told there."""
        told = self._redis.hget(THREADS, f"{channel} {thread}") if thread else None
        if not told:
            return ()
        kind, _, id = told.decode().partition(" ")[0].partition(":")
        ids = self._member_ids(id) if kind == "storm" else [id]
        return tuple(stored.record for stored in self._state.groups(ids))

    def shown_in(self, channel: str) -> tuple[AlertGroup, ...]:
        """Those that fire and have their message in this channel."""
        groups = self.open_groups()
        places = [sent.get("channel", "") for sent in self._messages(groups)]
        told = zip(groups, places, strict=True)
        return tuple(group for group, place in told if channel in (place, group.channel))

    def _messages(self, groups: Sequence[AlertGroup]) -> list[dict[str, Any]]:
        """What Slack has of the card of each of these, {} where it has none yet (bot/outbox.py)."""
        pipe = self._redis.pipeline(transaction=False)
        for group in groups:
            pipe.hget(f"sre:sent:alert:{group.id}", f"{group.episode}:card")
        return [orjson.loads(sent) if sent else {} for sent in pipe.execute()] if groups else []

    # --- what ever fired ---

    def occurrences(self, window: timedelta, now: datetime, cluster: str = "") -> OccurrencePage:
        """All that fired at some time of the window before now, with what people made of it."""
        oldest = now - window
        rows = self._redis.zrangebyscore(_ENDS, oldest.timestamp(), "+inf", withscores=True)
        found = [
            each for each in self._bodies(rows) if cluster in ("", each.cluster) and each.starts_at <= now
        ]
        judged = tuple(self._judged(found))
        began = self._redis.get(_SINCE)
        reach = max(oldest, now - REACH, _at(float(began)) if began else now)
        return OccurrencePage(tuple(sorted(judged, key=lambda o: (o.starts_at, o.fingerprint))), reach)

    def _bodies(self, rows: list[tuple[bytes, float]]) -> Iterator[Occurrence]:
        for start in range(0, len(rows), 1000):
            page = rows[start : start + 1000]
            bodies = self._redis.mget([f"sre:occurrence:{member.decode()}" for member, _ in page])
            for (_, ends), body in zip(page, bodies, strict=True):
                if body:
                    told = _OCCURRENCE.validate_json(body)
                    yield told if ends == float("inf") else replace(told, ends_at=_at(ends))

    def _judged(self, found: list[Occurrence]) -> Iterator[Occurrence]:
        groups = sorted({each.group for each in found})
        pipe = self._redis.pipeline(transaction=False)
        for group in groups:
            pipe.hgetall(f"sre:episodes:{group}")
        kept = dict(zip(groups, pipe.execute() if groups else (), strict=True))
        for each in found:
            body = kept[each.group].get(str(each.episode).encode())
            care = _CARE.validate_json(body) if body else Care()
            last = care.judged[-1] if care.judged else None
            yield replace(each, judged=last, acked=care.acked, acked_by=care.acked_by)

    # --- storms ---

    def storms(self) -> list[tuple[Stored[Storm], int, bool]]:
        """Storms that are not over or changed since they were told; how many changes there were, and whether they
        are all told."""
        counts, told = self._redis.hgetall(_STORMS), self._redis.hgetall(_TOLD)
        found = []
        for id, count in counts.items():
            stored = self._state.load(f"storm:{id.decode()}")
            is_told = told.get(id) == count
            if stored and isinstance(stored.record, Storm) and not (is_told and stored.record.over):
                found.append((Stored(stored.record, stored.version), int(count), is_told))
        return found

    def joined(self, storm: str) -> datetime | None:
        """When the last of its members did; None before the first has."""
        last = self._redis.zrange(f"sre:members:{storm}", -1, -1, withscores=True)
        return _at(last[0][1]) if last else None

    def members(self, storm: str) -> tuple[AlertGroup, ...]:
        """All that a storm ever took in, by when they joined."""
        return tuple(stored.record for stored in self._state.groups(self._member_ids(storm)))

    def told(self, change: Change, storm: Storm, count: int) -> None:
        """Add to a change that puts `storm` how much of its changes it tells; one that is over frees its channel."""
        change.pipe.hset(_TOLD, storm.id, count)
        if storm.over and self._state.mark(f"storm:{storm.channel}") == storm.id:
            change.forget(f"storm:{storm.channel}")

    def _member_ids(self, storm: str) -> list[str]:
        return [id.decode() for id in self._redis.zrange(f"sre:members:{storm}", 0, -1)]

    # --- trimming ---

    def trim(self, now: datetime, most: int = MOST) -> None:
        """Forget what is too old or too much, and the names of what is gone."""
        self._redis.zremrangebyscore(_ENDS, "-inf", (now - REACH).timestamp())
        extra = int(self._redis.zcard(_ENDS)) - most
        while extra > 0:
            extra -= self._drop(min(extra, 1000))
        for page in _pages([id.decode() for id in self._redis.zrange(_IDS, 0, -1)]):
            self._forget(_IDS, page, [f"sre:alert:{id}" for id in page], self._redis.zrem)
        self._trim_episodes([id.decode() for id in self._redis.zrange(_IDS, 0, -1)])
        threads = {place.decode(): card.decode() for place, card in self._redis.hscan_iter(THREADS)}
        for page in _pages(list(threads)):
            cards = [f"sre:{threads[place].partition(' ')[0]}" for place in page]
            self._forget(THREADS, page, cards, self._redis.hdel)
        for page in _pages([id.decode() for id in self._redis.hkeys(_STORMS)]):
            for name in (_TOLD, _STORMS):
                self._forget(name, page, [f"sre:storm:{id}" for id in page], self._redis.hdel)

    def _trim_episodes(self, ids: list[str]) -> None:
        """Forget what Slack has of a group's old episodes: one that comes and goes is never gone itself."""
        for page in _pages(ids):
            pipe = self._redis.pipeline(transaction=False)
            for id in page:
                pipe.hlen(f"sre:sent:alert:{id}")
            many = [id for id, count in zip(page, pipe.execute(), strict=True) if count > _MESSAGES]
            for stored in self._state.groups(many):
                self._forget_before(stored.record.id, stored.record.episode - _EPISODES)

    def _forget_before(self, id: str, episode: int) -> None:
        sent = self._redis.hgetall(f"sre:sent:alert:{id}")
        old = {key: orjson.loads(body) for key, body in sent.items() if _episode(key) <= episode}
        if old:
            places = [f"{each['channel']} {each['ts']}" for each in old.values() if each.get("ts")]
            pipe = self._redis.pipeline()
            pipe.hdel(f"sre:sent:alert:{id}", *old)
            if places:
                pipe.hdel(THREADS, *places)
            pipe.execute()

    def _drop(self, count: int) -> int:
        """Those that ended first; from here on the store reaches back to the last of them."""
        rows = self._redis.zrange(_ENDS, 0, count - 1, withscores=True)
        pipe = self._redis.pipeline()
        pipe.unlink(*(f"sre:occurrence:{member.decode()}" for member, _ in rows))
        pipe.zrem(_ENDS, *(member for member, _ in rows))
        ended = [ends for _, ends in rows if ends != float("inf")]
        if ended:
            pipe.set(_SINCE, ended[-1])
        pipe.execute()
        return len(rows)

    def _forget(self, name: str, page: Sequence[str], records: Iterable[str], remove: Any) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for record in records:
            pipe.exists(record)
        gone = [each for each, is_there in zip(page, pipe.execute(), strict=True) if not is_there]
        if gone:
            remove(name, *gone)


def _episode(key: bytes) -> int:
    """Of a message of a group: the first part of its key."""
    number = key.partition(b":")[0]
    return int(number) if number.isdigit() else 0


def priority(group: AlertGroup) -> int:
    """Whose turn it is at Slack: what is critical, the card of a storm (1), the others, and last the many of a storm."""
    if group.firing and group.severity is Severity.CRITICAL:
        return 0
    return 3 if group.storm else 2


def _times(alert: Alert) -> tuple[str, datetime, datetime | None]:
    return alert.status, alert.starts_at, alert.ends_at


def _start(alert: Alert, group: AlertGroup) -> datetime:
    """When it began; some senders do not say, then it is when it was heard of."""
    return alert.starts_at if alert.starts_at.timestamp() > 0 else group.opened


def _member(alert: Alert) -> str:
    return f"{alert.fingerprint} {int(alert.starts_at.timestamp() * 1000)}"


def _body(alert: Alert) -> str:
    return f"sre:occurrence:{_member(alert)}"


def _end(change: Change, alert: Alert, at: datetime) -> float:
    """When it ended, as the index has it; from then on its body is kept for a while only."""
    change.pipe.pexpire(_body(alert), REACH + _MINUTE)
    return at.timestamp()


def _at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _pages(names: list[str]) -> Iterator[list[str]]:
    yield from (names[start : start + 500] for start in range(0, len(names), 500))
