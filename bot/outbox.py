"""The outbox as its one reader, the courier, sees it: which card is stale, whose turn it is, what was sent.

A mark (bot/state.py, Change.show) says only that a card is stale, never what to write, so bursts of marks
coalesce and the latest state wins. A claim locks a card and its channel; a courier that dies loses both
when the lease ends. What Slack has of each message is kept per card, with the attempts whose outcome is
not known, so that a lost answer never becomes a second message.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import orjson

from bot.state import (
    BELL,
    CLAIMS,
    DEAD,
    DIRTY,
    META,
    OUTBOX,
    STALE,
    THREADS,
    State,
    card_of,
    milliseconds,
    renewing,
)
from commands.model import Record
from commands.reads import DeadLetterView

# Picks the most urgent due card whose channel is free, and locks card and channel for the lease.
# KEYS: outbox, meta, dirty, claims. ARGV: token, lease ms. Redis's clock is the only clock here.
_CLAIM = """
local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 10000)
local best, best_priority, best_lane
for _, card in ipairs(due) do
  local meta = redis.call('HGET', KEYS[2], card) or '5 ?'
  local priority, lane = string.match(meta, '^(%d+) (.*)$')
  priority = tonumber(priority)
  if (not best or priority < best_priority) and redis.call('EXISTS', 'sre:lane:' .. lane) == 0 then
    best, best_priority, best_lane = card, priority, lane
  end
end
if not best then return {} end
redis.call('SET', 'sre:lane:' .. best_lane, ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), best)
redis.call('HSET', KEYS[4], best, ARGV[1])
return {best, best_lane, redis.call('HGET', KEYS[3], best) or '0'}
"""

# KEYS as above, and stale. ARGV: token, card, lane, dirty count at the claim, again after ms ('' = nothing left),
# channel stays closed for ms. A claim that was taken over meanwhile changes nothing.
_RELEASE = """
local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)
local lane = 'sre:lane:' .. ARGV[3]
if redis.call('GET', lane) == ARGV[1] then
  if tonumber(ARGV[6]) > 0 then redis.call('PEXPIRE', lane, ARGV[6]) else redis.call('DEL', lane) end
end
if redis.call('HGET', KEYS[4], ARGV[2]) ~= ARGV[1] then return 'lost' end
redis.call('HDEL', KEYS[4], ARGV[2])
if ARGV[5] ~= '' then
  redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[5]), ARGV[2])
elseif (redis.call('HGET', KEYS[3], ARGV[2]) or '0') ~= ARGV[4] then
  redis.call('ZADD', KEYS[1], 'XX', now, ARGV[2])
  redis.call('ZADD', KEYS[5], now, ARGV[2])
else
  redis.call('ZREM', KEYS[1], ARGV[2])
  redis.call('HDEL', KEYS[2], ARGV[2])
  redis.call('HDEL', KEYS[3], ARGV[2])
  redis.call('ZREM', KEYS[5], ARGV[2])
end
return 'ok'
"""

# KEYS as above. ARGV: token, card, lane, lease ms. A claim that was taken over meanwhile is not renewed.
_RENEW = """
if redis.call('HGET', KEYS[4], ARGV[2]) ~= ARGV[1] then return 0 end
local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[4]), ARGV[2])
local lane = 'sre:lane:' .. ARGV[3]
if redis.call('GET', lane) == ARGV[1] then redis.call('PEXPIRE', lane, ARGV[4]) end
return 1
"""

# What Slack has of a record lives as long as the record does, also where that was last written before anything was
# sent. KEYS: sent, record. ARGV: message key, what to note, ms to keep it where the record is gone.
_NOTE = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local left = redis.call('PTTL', KEYS[2])
if left == -2 then left = ARGV[3] end
if tonumber(left) > 0 then redis.call('PEXPIRE', KEYS[1], left) end
return 1
"""

# As above, and claims; token, card. 0 when the claim is somebody else's by now.
_ATTEMPT = (
    """
if redis.call('HGET', KEYS[3], ARGV[5]) ~= ARGV[4] then return 0 end
"""
    + _NOTE
)

_GONE_KEEP = timedelta(days=1)

# Spends one call of a per-minute budget evenly: returns 0 when it may go now, else the ms to wait.
# KEYS: budget. ARGV: interval ms, burst.
_PACE = """
local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)
local next_free = tonumber(redis.call('GET', KEYS[1]) or '0')
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local start = math.max(next_free, now - interval * burst)
if start > now then return start - now end
redis.call('SET', KEYS[1], start + interval, 'PX', interval * (burst + 2))
return 0
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """One card to bring up to date: its key ("request:R…"), its channel lane, and the claim's own token."""

    card: str
    lane: str
    dirty: str
    token: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What Slack has of one message, or of one thing in an incident's channel. ts "" with trying set: a post whose
    outcome is not known.

    trying: epoch seconds of the first attempt; digest: of the content Slack was given; failed: the
    permanent error of that content, which is not tried again until it changes. file: Slack's id of an uploaded
    file that is being shared. lane, moved: where it is told in place of its own channel, and why.
    """

    channel: str = ""
    ts: str = ""
    digest: str = ""
    trying: float = 0.0
    failed: str = ""
    file: str = ""
    lane: str = ""
    moved: str = ""


@dataclass(frozen=True, slots=True)
class Next:
    """How a claim is given back: `again` when more is to be sent, `pause` while the channel stays closed."""

    again: timedelta | None = None
    pause: timedelta = timedelta(0)


class ClaimLost(Exception):
    """This courier was taken for dead, and another one has the card: nothing may be sent any more."""


class Outbox:
    def __init__(self, state: State) -> None:
        self._redis = state.redis
        self._claim = state.redis.register_script(_CLAIM)
        self._release = state.redis.register_script(_RELEASE)
        self._pace = state.redis.register_script(_PACE)
        self._renew = state.redis.register_script(_RENEW)
        self._attempt = state.redis.register_script(_ATTEMPT)
        self._note = state.redis.register_script(_NOTE)

    def claim(self, lease: timedelta) -> Claim | None:
        """The most urgent card that may be sent now, locked for the lease; None when there is none."""
        token = secrets.token_hex(8)
        got = self._claim(keys=[OUTBOX, META, DIRTY, CLAIMS], args=[token, milliseconds(lease)])
        return Claim(got[0].decode(), got[1].decode(), got[2].decode(), token) if got else None

    @contextmanager
    def holding(self, claim: Claim, lease: timedelta) -> Iterator[None]:
        """Renew the claim while the block runs: a call to Slack may take longer than a dead courier is
        waited for."""
        args = [claim.token, claim.card, claim.lane, milliseconds(lease)]
        with renewing(lambda: self._renew(keys=[OUTBOX, META, DIRTY, CLAIMS], args=args), lease):
            yield

    def release(self, claim: Claim, *, again: timedelta | None, pause: timedelta = timedelta(0)) -> None:
        """Give a claim back: `again` when there is more to send, `pause` while the channel stays closed."""
        delay = "" if again is None else str(milliseconds(again))
        args = [claim.token, claim.card, claim.lane, claim.dirty, delay, milliseconds(pause)]
        self._release(keys=[OUTBOX, META, DIRTY, CLAIMS, STALE], args=args)

    def pace(self, budget: str, per_minute: int, burst: int) -> timedelta:
        """Spend one call of a shared budget; zero when it may go now, else how long to wait (unspent)."""
        wait = self._pace(keys=[f"sre:pace:{budget}"], args=[60_000 // per_minute, burst])
        return timedelta(milliseconds=int(wait))

    def rename(self, claim: Claim, key: str, to: str) -> None:
        """What Slack has of a message goes by another key from now on, also where that is nothing."""
        if (self._redis.hget(CLAIMS, claim.card) or b"").decode() != claim.token:
            raise ClaimLost(claim.card)
        name = _sent_keys(claim.card)[0]
        had = self._redis.hget(name, key) or orjson.dumps(asdict(Sent()))
        self._redis.pipeline().hset(name, to, had).hdel(name, key).execute()

    def is_marked(self, record: Record) -> bool:
        """Whether its card waits for the courier already."""
        return self._redis.zscore(OUTBOX, card_of(record)) is not None

    def change_lane(self, claim: Claim, lane: str) -> None:
        """Let the card wait for its turn in another channel, whose pace its messages count against. The next mark
        calls it back to its own."""
        meta = self._redis.hget(META, claim.card) or b"5 ?"
        self._redis.hset(META, claim.card, f"{meta.decode().partition(' ')[0]} {lane}")

    def depth(self) -> int:
        """How many cards are stale."""
        return int(self._redis.zcard(OUTBOX))

    def stale_since(self) -> datetime | None:
        """Since when the oldest of them waits, without what Slack refused for good: that is among the dead letters."""
        for card, since in self._redis.zrange(STALE, 0, 20, withscores=True):
            if self._redis.zscore(OUTBOX, card) is not None:
                return datetime.fromtimestamp(since / 1000, UTC)
            self._redis.zrem(STALE, card)  # another version of the bot brought it up to date
        return None

    def is_due(self) -> bool:
        """Whether some card waits only for its channel to open, or is sent just now."""
        now = time.time() * 1000  # about Redis's: what it decides is how often is looked again
        return bool(self._redis.zcount(OUTBOX, "-inf", now + 1_000))

    def wait_for_mail(self, timeout: timedelta) -> None:
        """Return when a card was marked, at the latest after `timeout`."""
        self._redis.blpop([BELL], timeout=timeout.total_seconds())

    def sent(self, card: str) -> dict[str, Sent]:
        """Per message key, what Slack has of this card."""
        stored = self._redis.hgetall(f"sre:sent:{card}")
        return {key.decode(): Sent(**orjson.loads(value)) for key, value in stored.items()}

    def told(self, messages: Sequence[tuple[str, str]]) -> list[Sent]:
        """What Slack has of each of these messages, by card and key; an empty one where it has nothing yet."""
        pipe = self._redis.pipeline(transaction=False)
        for card, key in messages:
            pipe.hget(f"sre:sent:{card}", key)
        return [Sent(**orjson.loads(body)) if body else Sent() for body in pipe.execute()] if messages else []

    def note_sent(self, card: str, key: str, sent: Sent) -> None:
        """What Slack has of a message now; kept as long as its record (bot/state.py, Change.put)."""
        self._note(keys=_sent_keys(card), args=_noted(key, sent))
        if sent.ts and key.endswith("card") and card.startswith(("alert:", "storm:", "incident:", "change:")):
            self._redis.hset(THREADS, f"{sent.channel} {sent.ts}", f"{card} {key}")

    def attempt(self, claim: Claim, key: str, sent: Sent) -> None:
        """Write down that a post is about to be made, if the claim still stands; else raises ClaimLost."""
        args = [*_noted(key, sent), claim.token, claim.card]
        if not self._attempt(keys=[*_sent_keys(claim.card), CLAIMS], args=args):
            raise ClaimLost(claim.card)

    def forget(self, card: str) -> None:
        """The record is gone: so are its dead letters."""
        names = [name for name in self._redis.hkeys(DEAD) if name.decode().startswith(f"{card} ")]
        if names:
            self._redis.hdel(DEAD, *names)

    def bury(self, card: str, key: str, channel: str, error: str) -> None:
        """Keep a message that Slack will not take where people can see it."""
        name = f"{card} {key}"
        old = self._redis.hget(DEAD, name)
        before = orjson.loads(old) if old else {"since": time.time(), "attempts": 0}
        grave = {
            "channel": channel,
            "error": error,
            "since": before["since"],
            "attempts": before["attempts"] + 1,
        }
        self._redis.pipeline().hset(DEAD, name, orjson.dumps(grave)).zrem(STALE, card).execute()

    def unbury(self, card: str, key: str) -> None:
        self._redis.hdel(DEAD, f"{card} {key}")

    def dead_letters(self) -> tuple[DeadLetterView, ...]:
        found = [(name.decode(), orjson.loads(value)) for name, value in self._redis.hgetall(DEAD).items()]
        views = [
            DeadLetterView(
                name, d["channel"], d["error"], datetime.fromtimestamp(d["since"], UTC), d["attempts"]
            )
            for name, d in found
        ]
        return tuple(sorted(views, key=lambda view: view.since))


def _sent_keys(card: str) -> list[str]:
    return [f"sre:sent:{card}", f"sre:{card}"]


def _noted(key: str, sent: Sent) -> list[str | bytes | int]:
    return [key, orjson.dumps(asdict(sent)), milliseconds(_GONE_KEEP)]
