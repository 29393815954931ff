"""Redis: does it answer, does it keep what it answered for, is it quick and near in time? Writes nothing.

What the house has left in it (who is alive, what waits) is looked at in bot/doctor/house.py.
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from bot.doctor.check import BROKEN, GOOD, WARNING, Check, words
from bot.doctor.reach import clock, unreachable
from bot.settings import Settings

OLDEST = (6, 2)
# Every press and every webhook takes a handful of round trips within Slack's three seconds.
SLOW_MS, TOO_SLOW_MS = 10.0, 100.0
FULL, NEARLY_FULL = 95, 80  # percent of maxmemory

Info = Mapping[str, Any]

_TRUST = "put ?ssl_ca_certs=/path/to/ca.pem behind REDIS_URL"


def client(settings: Settings, patience: float) -> "Redis":
    url = settings.redis_url.reveal()
    return Redis.from_url(url, socket_timeout=patience, socket_connect_timeout=patience, retry=None)


def probe(settings: Settings, patience: float) -> Iterator[Check]:
    where = settings.redis_shown
    try:
        with client(settings, patience) as redis:
            info = redis.info()
            yield Check("Redis", GOOD, f"{where} answers")
            yield from facts(info, _fsync(redis))
            yield _latency(redis)
            seconds, micros = redis.time()
            yield clock("Redis clock", seconds + micros / 1e6, time.time(), "Redis's")
    except RedisError as error:
        yield _failed(where, error)


def _failed(where: str, error: RedisError) -> Check:
    text = str(error)
    if isinstance(error, AuthenticationError) or text.startswith(("NOAUTH", "WRONGPASS")):
        mend = "put the password into REDIS_URL, percent-encoded, between the colon of its user and the @"
        return Check("Redis", BROKEN, f"{where} does not accept the password", mend)
    if isinstance(error, NoPermissionError):
        mend = "give this user +@all ~* in its ACL: the bot runs scripts and RQ names keys of its own"
        return Check("Redis", BROKEN, f"{where} does not let this user do everything: {text[:120]}", mend)
    if isinstance(error, ResponseError):
        return Check("Redis", BROKEN, f"{where}: {words(error)}", "look into the log of Redis")
    if "loading" in text.casefold():
        return Check(
            "Redis", BROKEN, f"{where} is loading its data", "wait until it has, then run the doctor again"
        )
    if "No such file" in text:
        mend = "correct its path in REDIS_URL (?ssl_ca_certs=…, unix:///…), and mount it into every pod"
        return Check("Redis", BROKEN, f"{where}: a file that its address names is not here", mend)
    found, mend = unreachable(error, where, "REDIS_URL", _TRUST)
    return Check("Redis", BROKEN, found, mend)


def _fsync(redis: "Redis") -> str:
    """appendfsync, or "" where CONFIG is not for us (managed services)."""
    try:
        answer: Any = redis.config_get("appendfsync")
    except ResponseError:
        return ""
    return str(answer.get("appendfsync", ""))


def facts(info: Info, fsync: str) -> Iterator[Check]:
    """What INFO tells."""
    yield _version(str(info.get("redis_version", "0")))
    yield from _kind(info)
    yield _eviction(str(info.get("maxmemory_policy", "")))
    yield from _memory(info)
    yield durability(bool(info.get("aof_enabled")), fsync)
    yield from _on_disk(info)


def _version(version: str) -> Check:
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        mend = f"run Redis {OLDEST[0]}.{OLDEST[1]} or newer, or Valkey"
        return Check("Redis version", BROKEN, f"{version} is too old", mend)
    return Check("Redis version", GOOD, version)


def _kind(info: Info) -> Iterator[Check]:
    if info.get("redis_mode") == "cluster" or info.get("cluster_enabled"):
        mend = "run it without cluster-enabled (ElastiCache: cluster mode disabled; replicas and Sentinel are fine)"
        yield Check(
            "Redis kind", BROKEN, "is a Redis Cluster, whose scripts may not touch several slots", mend
        )
    if info.get("role") == "slave":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        mend = f"set REDIS_URL to the primary, {primary} (ElastiCache: the primary endpoint)"
        yield Check("Redis kind", BROKEN, f"is a replica of {primary} and refuses every write", mend)


def _eviction(policy: str) -> Check:
    if policy == "noeviction":
        return Check("Redis memory", GOOD, "nothing is evicted")
    mend = "set `maxmemory-policy noeviction`"
    return Check("Redis memory", BROKEN, f"policy {policy} drops requests and messages under pressure", mend)


def _memory(info: Info) -> Iterator[Check]:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    share = 100 * used / most if most else 0.0
    if share >= NEARLY_FULL:
        found = f"{share:.0f} % of maxmemory is used ({used >> 20} of {most >> 20} MiB): full, it refuses every write"
        mend = f"set `maxmemory` to {max(256, 2 * used >> 20)}mb or more"
        yield Check("Redis memory", BROKEN if share >= FULL else WARNING, found, mend)


def durability(has_aof: bool, fsync: str) -> Check:
    about = "Redis durability"
    if not has_aof:
        mend = "set `appendonly yes` and `appendfsync always`"
        return Check(about, BROKEN, "what was accepted is lost when Redis restarts", mend)
    if fsync == "no":
        mend = "set `appendfsync always`"
        return Check(about, BROKEN, "the append-only file is written when the kernel likes", mend)
    if not fsync:
        return Check(about, GOOD, "append-only file (CONFIG is not allowed, so its fsync is not known)")
    if fsync == "everysec":
        lost = "what was accepted in the last second is lost with the machine"
        return Check(about, BROKEN, lost, "set `appendfsync always`")
    return Check(about, GOOD, f"append-only file, appendfsync {fsync}")


def _on_disk(info: Info) -> Iterator[Check]:
    """Redis goes on answering reads when it can write no more; then it refuses every write."""
    mend = "free or enlarge the volume of Redis's `dir`, and look into its log"
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        yield Check(
            "Redis disk", BROKEN, "the append-only file cannot be written: every write is refused", mend
        )
    elif info.get("aof_enabled") and info.get("aof_last_bgrewrite_status", "ok") != "ok":
        yield Check(
            "Redis disk", WARNING, "the append-only file could not be rewritten, and only grows", mend
        )
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        found = "the last snapshot failed: with stop-writes-on-bgsave-error every write is refused"
        yield Check(
            "Redis disk", BROKEN, found, f'{mend}; or set `save ""`, since the append-only file is enough'
        )


def _latency(redis: "Redis") -> Check:
    return latency(statistics.median(_timed(redis) for _ in range(5)))


def _timed(redis: "Redis") -> float:
    began = time.perf_counter()
    redis.ping()
    return (time.perf_counter() - began) * 1000


def latency(ms: float) -> Check:
    found = f"{ms:.1f} ms for a round trip" if ms < 10 else f"{ms:.0f} ms for a round trip"
    if ms <= SLOW_MS:
        return Check("Redis latency", GOOD, found)
    mend = "put Redis into the cluster's own region and zone, and look what else it serves (`redis-cli --latency`)"
    slow = f"{found}: a press must be taken within Slack's 3 s" if ms > TOO_SLOW_MS else found
    return Check("Redis latency", BROKEN if ms > TOO_SLOW_MS else WARNING, slow, mend)
