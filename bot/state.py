"""State in Redis: records, the compare-and-set transaction, leases, queue.

State is the truth and queues are hints. A change is recorded like a redis-py pipeline and replayed by
one script if, and only if, every record it read still stands at the version it was read at. The script
carries the audit line, the outbox mark and RQ's own enqueue commands too, so all happen or none.

bot/outbox.py is the other half, the courier's view. Called by bot (desk, courier, web) and workers (engine,
scheduler). Redis Cluster is not supported: the script touches keys of several slots, as RQ's own do.
"""

import secrets
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter
from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError, RedisError, TimeoutError
from redis.retry import Retry
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

from bot.audit import CHAIN, Trail, facts_of, parts
from commands.model import AlertGroup, Notice, Record, Request, Storm, Whisper
from commands.reads import RunView
from commands.response.changerequest import ChangeRequest
from commands.response.incident import Incident
from commands.response.task import Task
from commands.site import CHANGES

QUEUE = "sre"

# RQ's alarm: it strikes in a job that runs for longer than its timeout.
Overrun = JobTimeoutException

# A finished card may still be looked at, pressed or asked about; after this it is only in Slack and audit.
KEEP = timedelta(days=30)

# What of one file is kept here, compressed: the store lives in memory.
FILE_BYTES = 2 * 1024 * 1024

# Longer than any answer may take (workers/engine.py gives up at 55 s), shorter than patience.
JOB_TIMEOUT = timedelta(seconds=75)

# How long a record may stand untouched before the sweeper looks whether somebody works on it.
SWEEP_AFTER = timedelta(seconds=8)

# A worker that dies is noticed when its lease runs out: three missed renewals of 2 s.
LEASE = timedelta(seconds=6)

# The beat of whoever looks at the calendar.
BEAT = "scheduler"

# A calendar line this long past its next due time was not looked at by any scheduler.
OVERDUE = timedelta(minutes=3)

# What the ids of requests begin with that diagnose an alert by themselves.
TRIAGE = "T"

# Seconds for which the difference between Redis's clock and ours is taken to stay the same.
_TRUST_CLOCK = 600.0

_KINDS: Mapping[type, str] = {
    Request: "request",
    AlertGroup: "alert",
    Storm: "storm",
    Notice: "notice",
    Whisper: "whisper",
    Incident: "incident",
    ChangeRequest: "change",
    Task: "task",
}
_CODECS: Mapping[str, TypeAdapter[Any]] = {kind: TypeAdapter(type_) for type_, kind in _KINDS.items()}


def codec_of(kind: str) -> TypeAdapter[Any]:
    """Reads and writes the records of a kind, as the outbox calls it."""
    return _CODECS[kind]


# The outbox: cards by when they are due · "priority lane" by card · marks since the claim · who has it.
OUTBOX, META, DIRTY, CLAIMS = "sre:outbox", "sre:outbox:meta", "sre:outbox:dirty", "sre:outbox:claims"
STALE = "sre:outbox:stale"  # cards by since when Slack has not what they say
BELL, DEAD = "sre:outbox:bell", "sre:outbox:dead"
THREADS = "sre:threads"  # the card of an alert group or a storm by "channel ts" of its message
_OPEN, _RUNS = "sre:open", "sre:runs"
_LOOKS = "sre:looks"  # the last answer, by "health training"
_ENDED = "sre:ended"  # how many changes came to which end, by "node drain succeeded"

# ARGV: token · Redis's time in ms after which it is too late, 0 for never ·
# count of expectations, then (key, version) each, '' meaning "does not exist" · count of
# once-only marks, then (key, value, ttl ms) each · audit lines (bot/audit.py) · commands to replay as
# (argc, args…).
# A client that retries after a lost answer finds its own token on the first record: the change is done.
# An argument "<token>+<ms>" stands for Redis's own time plus so many ms, because the clocks of the processes
# differ; "<token>#" for the next number there is, because a clock may be set back, and then who came last
# would stand before who is at work. The token is random, so no text of anybody's can be one.
_COMMIT = (
    """
local i = 3
local t = redis.call('TIME'); local clock = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[2] ~= '0' and clock > tonumber(ARGV[2]) then return {'late'} end
local function take() local v = ARGV[i]; i = i + 1; return v end
for _ = 1, tonumber(take()) do
  local key, version = take(), take()
  local now = redis.call('HMGET', key, 'v', 'token')
  if now[2] == ARGV[1] then return {'done'} end
  if (now[1] or '') ~= version then return {'conflict', key} end
end
local marks = {}
for n = 1, tonumber(take()) do
  local key, value, ttl = take(), take(), take()
  local held = redis.call('GET', key)
  if held then return {'taken', held} end
  marks[n] = {key, value, ttl}
end
for _, m in ipairs(marks) do redis.call('SET', m[1], m[2], 'PX', m[3]) end
"""
    + CHAIN
    + """
local mark, nth, number = ARGV[1] .. '+', ARGV[1] .. '#', nil
while i <= #ARGV do
  local args = {}
  for n = 1, tonumber(take()) do
    args[n] = take()
    if string.sub(args[n], 1, #mark) == mark then args[n] = clock + tonumber(string.sub(args[n], #mark + 1)) end
    if args[n] == nth then number = number or redis.call('INCR', 'sre:lines'); args[n] = number end
  end
  redis.call(unpack(args))
end
return {'done'}
"""
)

_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0
"""
_FREE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Conflict(Exception):
    """Another change of the same record came first: read again and decide again."""


class TooLarge(ValueError):
    """A file that the store does not take."""


class Taken(Exception):
    """A once-only mark was there already; `value` is what the first one left."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """A record with the version it was read at."""

    record: R
    version: str


@dataclass(frozen=True, slots=True)
class Run:
    """A line of the calendar and the id of its latest request, "" when it never ran."""

    view: RunView
    request: str = ""


_RUN_CODEC = TypeAdapter(Run)


class HouseJob(Job):
    """A job this project enqueued itself: whoever can write to Redis cannot make a worker call more."""

    ALLOWED = frozenset({"workers.jobs.answer"})

    @property
    def func(self) -> Any:
        if self.func_name not in self.ALLOWED:
            raise PermissionError(f"not a job of this house: {self.func_name!r}")
        return super().func

    # RQ would import and call these by the names that stand on the job.
    success_callback = failure_callback = stopped_callback = None


class NotAsked(ConnectionError):
    """Redis was not asked at all, so nothing can have happened."""


class FailFast(Retry):
    """One retry; and after a failure, half a second in which nothing is asked but by one probe.

    A Redis that hangs costs every question its whole timeout. With a storm of webhooks waiting on the
    front's few threads, a slash command would come to its turn after Slack's three seconds.
    """

    _WAIT = 0.5

    def __init__(self) -> None:
        # A connection that broke is tried once more; a server that hangs would cost its time twice.
        super().__init__(NoBackoff(), 1, supported_errors=(ConnectionError,))
        self._lock = Lock()
        self._ask_again_at = 0.0  # 0 while Redis answers

    def __deepcopy__(self, memo: Any) -> "FailFast":
        return self  # redis-py copies it for each connection; what one of them learns is for all

    def call_with_retry(self, *args: Any, **options: Any) -> Any:
        with self._lock:
            now = time.monotonic()
            if now < self._ask_again_at:
                raise NotAsked("Redis did not answer a moment ago")
            if self._ask_again_at:
                self._ask_again_at = now + 2  # this call is the probe; it ends within its timeouts
        try:
            answer = super().call_with_retry(*args, **options)
        except (ConnectionError, TimeoutError):
            self._ask_again_at = time.monotonic() + self._WAIT
            raise
        self._ask_again_at = 0.0
        return answer


# When connect(patient=False) gives a question up.
GIVEN_UP = timedelta(seconds=0.6)


def connect(url: str, *, patient: bool) -> "Redis":
    """A client for `url` (redis://, rediss://, unix://).

    patient=False is for the front, which must be able to say "not accepted" within Slack's 3 s: redis-py's
    own defaults take 4.8 s to give up. patient=True waits out a restart of Redis (about 15 s).
    """
    if patient:
        retry = Retry(ExponentialWithJitterBackoff(base=0.2, cap=2), 10)
        return Redis.from_url(url, socket_timeout=15, socket_connect_timeout=2, retry=retry)
    timeout = GIVEN_UP.total_seconds()
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=0.4, retry=FailFast())


def new_id(prefix: str) -> str:
    """A short id people can type: the prefix and 8 letters and digits without look-alikes (40 bits)."""
    return prefix + "".join(secrets.choice("23456789ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(8))


def card_of(record: Record) -> str:
    """The outbox key of a record."""
    return f"{_KINDS[type(record)]}:{record.id}"


def lane_of(record: Record) -> str:
    """What Slack's one message per second counts against: the channel, or the person's direct messages."""
    if isinstance(record, AlertGroup | Storm | Notice | ChangeRequest):
        return record.channel
    if isinstance(record, Incident):
        return record.room.channel or f"incident {record.id}"  # none of Slack's, until there is a room
    if isinstance(record, Task):
        return record.channel or f"@{record.owner}"
    if isinstance(record, Request) and record.place.private:
        return "@" + record.actor.user
    return record.place.channel


class Change:
    """A transaction being written down; nothing reaches Redis before `commit`."""

    def __init__(self, state: "State") -> None:
        self._state = state
        self._token = secrets.token_hex(8)
        self._expected: list[str] = []
        self._once: list[str] = []
        self._audit: list[bytes | int] = []
        self._lines = 0
        self._record: Record | None = None
        self.pipe: Pipeline = state.redis.pipeline()

    def put(self, record: Record, *, was: str, keep: timedelta | None = None) -> "Change":
        """Write the record if it still stands at version `was` ("" = it is new). The end of a change is counted,
        wherever it was decided."""
        self._record = record
        key = "sre:" + card_of(record)
        version = str(int(was or "0") + 1)
        self._expected += [key, was]
        body = _CODECS[_KINDS[type(record)]].dump_json(record)
        self.pipe.hset(key, mapping={"v": version, "token": self._token, "body": body})
        for name in (key, f"sre:sent:{card_of(record)}"):  # what Slack has of it lives as long as it does
            if keep:
                self.pipe.pexpire(name, keep)
            else:
                self.pipe.persist(name)
        if isinstance(record, Request) and not record.is_open:
            self._count(record)
            self._note_look(record)
        return self

    def _count(self, ended: Request) -> None:
        what = f"{ended.args.word} {ended.args.verb}"
        if what in CHANGES:
            self.pipe.hincrby(_ENDED, f"{what} {ended.state}", 1)

    def _note_look(self, ended: Request) -> None:
        """Which answer to a bare word was the last that everybody may read."""
        is_whole = ended.state == "answered" and ended.args.verb in ("", "all")
        if is_whole and not (ended.place.private or ended.place.channel.startswith("D")):
            self.pipe.hset(_LOOKS, f"{ended.args.word} {ended.cluster}", ended.id)

    def expect(self, register: str, was: str) -> "Change":
        """Let the change happen only if the register still stands at version `was` ("" = it is new), and count it on:
        of two that looked at the same things before they decided, one must look again."""
        self._expected += [register, was]
        self.pipe.hset(register, mapping={"v": str(int(was or "0") + 1), "token": self._token})
        return self

    def once(self, name: str, value: str, ttl: timedelta) -> "Change":
        """Let the whole change happen only if `name` was not marked before; else commit raises Taken."""
        self._once += [f"sre:once:{name}", value, str(milliseconds(ttl))]
        return self

    def remind(self, name: str, value: str, ttl: timedelta) -> "Change":
        """Leave a mark that `State.marked` finds for a while; unlike `once` it decides nothing."""
        self.pipe.set(f"sre:once:{name}", value, px=milliseconds(ttl), nx=True)
        return self

    def forget(self, name: str) -> "Change":
        """Take such a mark away."""
        self.pipe.delete(f"sre:once:{name}")
        return self

    def keep_file(self, name: str, content: bytes) -> "Change":
        """Keep a file as long as a finished record; raises TooLarge, and the change is as it was."""
        packed = zlib.compress(content)
        if len(packed) > FILE_BYTES:
            raise TooLarge(f"more than {FILE_BYTES >> 20} MiB, compressed")
        self.pipe.set(f"sre:file:{name}", packed, px=milliseconds(KEEP))
        return self

    def forget_file(self, name: str) -> "Change":
        """Take a file away that was kept, "" for none."""
        if name:
            self.pipe.delete(f"sre:file:{name}")
        return self

    def keep_for_good(self, name: str) -> "Change":
        """Keep a file that is kept already without an end."""
        self.pipe.persist(f"sre:file:{name}")
        return self

    def audit(self, what: str, **facts: str) -> "Change":
        """Append one line to the audit trail, with Redis's time and the hash of the line before.

        The usual facts: id, by (who), text, why, reason (of a refusal), cluster, objects ("node/n1
        pod/shop/web-1"), digest, before, after, verdict. What the record that was put says of itself is added
        (bot/audit.py: facts_of). Facts are redacted and cut here.
        """
        if isinstance(self._record, Request) and facts.get("id") == self._record.id:
            is_whole = (
                "objects" not in facts
            )  # a drain has a line for each pod: those say no more than they must
            facts = {**(facts_of(self._record) if is_whole else {"cluster": self._record.cluster}), **facts}
        line = parts(what, facts, self._state.redact)
        self._audit += [len(line), *line]
        self._lines += 1
        return self

    def show(self, record: Record, *, priority: int = 3) -> "Change":
        """Mark the record's card as stale for the courier. priority 0 (pages) to 9 (nobody waits)."""
        return self.mark(card_of(record), lane_of(record), priority)

    def mark(self, card: str, lane: str, priority: int) -> "Change":
        """Mark as stale what is shown of more than one record."""
        self.pipe.hset(META, card, f"{priority} {lane}")
        self.pipe.hincrby(DIRTY, card, 1)
        self.pipe.zadd(OUTBOX, {card: self._in(0)}, nx=True)
        self.pipe.zadd(STALE, {card: self._in(0)}, nx=True)
        self.pipe.rpush(BELL, 1)
        self.pipe.ltrim(BELL, -8, -1)
        return self

    def work(self, request: Request, *, timeout: timedelta, first: bool = False) -> "Change":
        """Enqueue the hint that this open request needs a worker, and tell the sweeper to look after it.

        first: before all that wait already.
        """
        job = self._state.queue.create_job(
            "workers.jobs.answer",
            args=(request.id,),
            job_id=f"answer-{request.id}-{secrets.token_hex(3)}",
            timeout=int(timeout.total_seconds()),
            result_ttl=0,
            failure_ttl=86_400,
            description=f"answer {request.id}",
            meta={"trace": request.trace} if request.trace else None,
        )
        # RQ opens a transaction of its own on a pipeline, which only a fresh one allows.
        enqueue = self._state.redis.pipeline()
        self._state.queue.enqueue_job(job, pipeline=enqueue, at_front=first)
        self.pipe.command_stack += enqueue.command_stack
        self.pipe.zadd(_OPEN, {request.id: self._in(milliseconds(SWEEP_AFTER))})
        return self

    def calendar(self, run: "Run") -> "Change":
        """Write a calendar line down together with the rest of the change."""
        self.pipe.hset(_RUNS, run.view.name, _RUN_CODEC.dump_json(run))
        return self

    def wake(self, request: Request, after: timedelta) -> "Change":
        """Let the sweeper look at this open request after so long, and not before."""
        self.pipe.zadd(_OPEN, {request.id: self._in(milliseconds(after))})
        return self

    def line_up(self, request: Request) -> "Change":
        """Take the request's place behind every other change that needs one of its plan's locks.

        All places are taken in one transaction under one number, so two changes stand in the same order in
        every line, and none waits for one that waits for it.
        """
        place: Any = f"{self._token}#"
        for name in _lines(request):
            self.pipe.zadd(name, {request.id: place})
        return self

    def close(self, request: Request) -> "Change":
        """The request is over: the sweeper need not look any more, and who waits behind it may go on."""
        self.pipe.zrem(_OPEN, request.id)
        return self.step_out(request)

    def step_out(self, request: Request) -> "Change":
        """Give up its places in the lines: it is over, or people are asked again."""
        for name in _lines(request):
            self.pipe.zrem(name, request.id)
        return self

    def _in(self, ms: int) -> Any:
        """A score that the script replaces by Redis's time, so many ms from now."""
        return f"{self._token}+{ms}"

    def commit(self) -> None:
        """Do all of it or nothing; one round trip. Raises Conflict or Taken."""
        argv: list[Any] = [self._token, self._state.latest(), len(self._expected) // 2, *self._expected]
        argv += [len(self._once) // 3, *self._once, self._lines, *self._audit]
        for args, _options in self.pipe.command_stack:
            argv += [len(args), *args]
        outcome = self._state.commit_script(args=argv)
        if outcome[0] == b"late":
            self._state.forget_clock()
            raise TimeoutError("Redis came to it after it was given up; nothing was done")
        if outcome[0] == b"conflict":
            raise Conflict(outcome[1].decode())
        if outcome[0] == b"taken":
            raise Taken(outcome[1].decode())


class State:
    """Everything the bot remembers. Raises redis.exceptions.RedisError when Redis does not answer.

    given_up_after: when the caller tells its asker that nothing was done. A Redis that hung still finds the
    question in its socket when it goes on; by then it must not be answered with a deed.
    redact: masks secrets in what the audit trail keeps for ever.
    """

    def __init__(
        self,
        redis: "Redis",
        given_up_after: timedelta | None = None,
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._given_up_after = given_up_after
        self._clock: tuple[float, float] | None = None  # Redis's time minus ours, and when that was asked
        self.redact = redact
        # redis-py's annotations say "bytes or str or None" of every answer; this client answers bytes.
        self.redis: Any = redis
        self.queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer, job_class=HouseJob)
        self.commit_script = redis.register_script(_COMMIT)
        self._renew = redis.register_script(_RENEW)
        self._free = redis.register_script(_FREE)

    def change(self) -> Change:
        return Change(self)

    def latest(self) -> int:
        """Redis's time in ms after which a change begun now must not happen; 0 for any time."""
        if self._given_up_after is None:
            return 0
        if self._clock is None or time.monotonic() - self._clock[1] > _TRUST_CLOCK:
            told = _ms(self.redis.time()) / 1000
            now = time.monotonic()  # after the answer: from before it, every deadline would be too late
            self._clock = (told - now, now)
        now = time.monotonic()
        return int((now + self._clock[0] + self._given_up_after.total_seconds()) * 1000)

    def forget_clock(self) -> None:
        self._clock = None

    # --- records ---

    def load(self, card: str) -> Stored[Record] | None:
        """The record of an outbox key such as "request:R…", or None when it is gone."""
        version, body = self.redis.hmget(f"sre:{card}", "v", "body")
        if version is None or body is None:
            return None
        kind = card.partition(":")[0]
        return Stored(cast(Record, _CODECS[kind].validate_json(body)), version.decode())

    def request(self, id: str) -> Stored[Request] | None:
        return cast("Stored[Request] | None", self.load(f"request:{id}"))

    def alert_group(self, id: str) -> Stored[AlertGroup] | None:
        return cast("Stored[AlertGroup] | None", self.load(f"alert:{id}"))

    def groups(self, ids: Sequence[str]) -> list[Stored[AlertGroup]]:
        """Those of these groups that are there, in the order asked for."""
        found = []
        for start in range(0, len(ids), 200):
            pipe = self.redis.pipeline(transaction=False)
            for id in ids[start : start + 200]:
                pipe.hmget(f"sre:alert:{id}", "v", "body")
            found += [each for each in pipe.execute() if None not in each]
        codec = _CODECS["alert"]
        return [Stored(codec.validate_json(body), version.decode()) for version, body in found]

    def file(self, name: str) -> bytes | None:
        """A file that Change.keep_file kept, or None when it is gone."""
        packed = self.redis.get(f"sre:file:{name}")
        return zlib.decompress(packed) if packed is not None else None

    @property
    def trail(self) -> Trail:
        """The audit trail, to read."""
        return Trail(self.redis)

    def last_look(self, word: str, cluster: str) -> Request | None:
        """The last answer to a bare word about a cluster that everybody may read, while it is kept."""
        id = self.redis.hget(_LOOKS, f"{word} {cluster}")
        stored = self.request(id.decode()) if id else None
        return stored.record if stored else None

    # --- once-only marks outside a change, heartbeats ---

    def marked(self, name: str) -> bool:
        return bool(self.redis.exists(f"sre:once:{name}"))

    def mark(self, name: str) -> str:
        """What a once-only mark says, "" where there is none."""
        value = self.redis.get(f"sre:once:{name}")
        return value.decode() if value else ""

    def beat(self, name: str) -> None:
        """Remember that something was heard of just now."""
        self.redis.set(f"sre:beat:{name}", repr(time.time()))

    def heard(self, name: str) -> datetime | None:
        value = self.redis.get(f"sre:beat:{name}")
        return datetime.fromtimestamp(float(value), UTC) if value else None

    # --- leases ---

    @contextmanager
    def lease(self, name: str, ttl: timedelta = LEASE) -> Iterator[bool]:
        """Hold `name` while the block runs, renewed in the background; False when somebody else holds it.

        A lease keeps two workers from doing the same reads; what keeps a change from happening twice is
        the compare-and-set, because a paused holder cannot be stopped from the outside.
        """
        key, token = f"sre:lease:{name}", secrets.token_hex(8)
        if not self.redis.set(key, token, nx=True, px=milliseconds(ttl)):
            yield False
            return
        try:
            with renewing(lambda: self._renew(keys=[key], args=[token, milliseconds(ttl)]), ttl):
                yield True
        finally:
            self._free(keys=[key], args=[token])

    # --- the sweeper's view ---

    def forgotten(self) -> list[str]:
        """Ids of open requests that are due a look, that nobody holds and that no queued job is for."""
        now = _ms(self.redis.time())
        ids = [raw.decode() for raw in self.redis.zrangebyscore(_OPEN, "-inf", now, start=0, num=200)]
        if not ids:
            return []
        pipe = self.redis.pipeline(transaction=False)
        for id in ids:
            pipe.exists(f"sre:lease:request:{id}")
            pipe.zadd(_OPEN, {id: now + 2_000}, xx=True)
        held = pipe.execute()[::2]
        queued = {job.split("-")[1] for job in self.queue.job_ids}
        return [id for id, is_held in zip(ids, held, strict=True) if not is_held and id not in queued]

    def ahead(self, request: Request) -> str:
        """The id of an open change this one waits for, the nearest; "" when it may begin.

        A record that is gone or over does not keep its place.
        """
        for name in _lines(request):
            for raw in reversed(self._before(name, request)):
                other = self.request(raw.decode())
                if other and other.record.is_open:
                    return other.record.id
                self.redis.zrem(name, raw)
        return ""

    def _before(self, name: str, request: Request) -> list[bytes]:
        rank: int | None = self.redis.zrank(name, request.id)
        if rank is None:
            raise LookupError(f"{request.id} does not stand in {name}")
        ids: list[bytes] = self.redis.zrange(name, 0, rank - 1) if rank else []
        return ids

    def open_requests(self) -> list[Request]:
        """All that are not over."""
        found = (self.request(raw.decode()) for raw in self.redis.zrange(_OPEN, 0, -1))
        return [stored.record for stored in found if stored and stored.record.is_open]

    def drop_open(self, id: str) -> None:
        self.redis.zrem(_OPEN, id)

    # --- metrics ---

    def depths(self) -> dict[str, int]:
        """For metrics: how much waits where."""
        pipe = self.redis.pipeline(transaction=False)
        pipe.zcard(OUTBOX)
        pipe.hlen(DEAD)
        pipe.zcard(_OPEN)
        pipe.llen(self.queue.key)
        return dict(
            zip(("outbox", "dead_letters", "open_requests", "queued_jobs"), pipe.execute(), strict=True)
        )

    def queued_since(self) -> datetime | None:
        """For metrics: since when the oldest job waits, of the first ones: what is put before all others is younger."""
        first = self.queue.get_job_ids(0, 20)
        jobs = HouseJob.fetch_many(first, connection=self.redis, serializer=self.queue.serializer)
        return min((job.enqueued_at for job in jobs if job and job.enqueued_at), default=None)

    def ended(self) -> dict[tuple[str, str], int]:
        """For metrics: how many changes came to which end, by ("node drain", "succeeded")."""
        counted: dict[bytes, bytes] = self.redis.hgetall(_ENDED)
        parted = {field.decode().rpartition(" "): int(number) for field, number in counted.items()}
        return {(line, state): number for (line, _, state), number in parted.items()}

    # --- the calendar ---

    def run_views(self, now: datetime) -> tuple[RunView, ...]:
        """The calendar as the scheduler last wrote it, in the order the lines are next due."""
        views = []
        for body in self.redis.hvals(_RUNS):
            run = _RUN_CODEC.validate_json(body)
            last = self.request(run.request) if run.request else None
            result = last.record.state.value if last else run.view.result
            overdue = now - run.view.next_due > OVERDUE
            views.append(replace(run.view, result=result, overdue=overdue))
        return tuple(sorted(views, key=lambda view: view.next_due))

    def run(self, name: str) -> "Run | None":
        """What the scheduler wrote down of one calendar line."""
        body = self.redis.hget(_RUNS, name)
        return _RUN_CODEC.validate_json(body) if body else None

    def forget_runs(self, keep: set[str], now: datetime) -> None:
        """Drop calendar lines that nobody has looked after for a day.

        Not at once: while a new version rolls out, the old one does not declare the new one's lines.
        """
        for body in self.redis.hvals(_RUNS):
            view = _RUN_CODEC.validate_json(body).view
            if view.name not in keep and now - view.next_due > timedelta(days=1):
                self.redis.hdel(_RUNS, view.name)

    # --- readiness and names that Slack gave us ---

    def probe(self) -> None:
        """Write something: a Redis that is full or a replica answers reads and would refuse every request."""
        self.redis.set("sre:probe", 1, px=60_000)

    def remember(self, name: str, value: str, ttl: timedelta) -> None:
        self.redis.set(f"sre:memo:{name}", value, px=milliseconds(ttl))

    def recall(self, name: str) -> str:
        value = self.redis.get(f"sre:memo:{name}")
        return value.decode() if value else ""

    def called(self, user: str) -> str:
        """What people call this user, as bot/people.py noted it; "" where it did not."""
        return self.recall(f"called-{user}")


def _lines(request: Request) -> list[str]:
    """Who waits for whom, a sorted set per cluster and lock."""
    locks = request.plan.locks if request.plan else ()
    return [f"sre:line:{request.cluster}:{lock}" for lock in locks]


@contextmanager
def renewing(renew: Callable[[], Any], ttl: timedelta) -> Iterator[None]:
    """Call `renew` three times per `ttl` while the block runs, until it answers 0: somebody else has it."""
    stop = Event()

    def run() -> None:
        while not stop.wait(ttl.total_seconds() / 3):
            try:
                if not renew():
                    return
            except RedisError:
                continue  # Redis is away; the next beat may find it again before the lease runs out

    thread = Thread(target=run, name="renewing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _ms(redis_time: tuple[int, int]) -> int:
    seconds, microseconds = redis_time
    return seconds * 1000 + microseconds // 1000
