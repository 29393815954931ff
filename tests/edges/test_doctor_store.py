"""The doctor and Redis: what it must be set to, and what the house has left in it. Each against a real server."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from doctor_house import House, furnished

from bot.doctor import BROKEN, GOOD, OPEN, WARNING, Check, store
from bot.doctor import house as inside
from bot.doctor.reach import clock
from bot.outbox import Outbox
from bot.presence import Presence, Present, present
from bot.secret import Secret
from bot.state import State, connect
from commands.version import VERSION
from sandbox.redis_server import DURABLE, RedisServer

SOUND = {"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "aof_enabled": 1}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def state(redis: RedisServer) -> State:
    found = State(connect(redis.url, patient=True))
    found.redis.flushall()
    return found


@pytest.fixture
def house(tmp_path: Path, redis: RedisServer, state: State) -> Iterator[House]:
    with furnished(tmp_path, redis) as furnished_one:
        yield furnished_one


def of(house: House, about: str, url: str) -> list[Check]:
    return house.of(about, replace(house.settings, redis_url=Secret(url)))


# --- The server -----------------------------------------------------------------------------------


def test_a_redis_that_forgets_is_broken(house: House) -> None:
    with RedisServer(settings={"maxmemory-policy": "allkeys-lru", "appendonly": "no"}) as forgetful:
        found = house.bad("Redis", replace(house.settings, redis_url=Secret(forgetful.url)))
    assert [(check.about, check.state, check.mend) for check in found] == [
        ("Redis memory", BROKEN, "set `maxmemory-policy noeviction`"),
        ("Redis durability", BROKEN, "set `appendonly yes` and `appendfsync always`"),
    ]


def test_a_redis_that_writes_each_second_is_broken(house: House) -> None:
    with RedisServer(settings={**DURABLE, "appendfsync": "everysec"}) as lazy:
        found = house.bad("Redis", replace(house.settings, redis_url=Secret(lazy.url)))
    assert [(check.about, check.state, check.mend) for check in found] == [
        ("Redis durability", BROKEN, "set `appendfsync always`")
    ]


def test_a_redis_cluster_is_broken(house: House) -> None:
    with RedisServer(settings={**DURABLE, "cluster-enabled": "yes"}) as several:
        (found,) = of(house, "Redis kind", several.url)
    assert (found.state, found.found) == (
        BROKEN,
        "is a Redis Cluster, whose scripts may not touch several slots",
    )
    assert "cluster mode disabled" in found.mend


def test_a_replica_is_broken_and_names_its_primary(house: House, redis: RedisServer) -> None:
    port = redis.url.rpartition(":")[2].partition("/")[0]
    with RedisServer(settings={**DURABLE, "replicaof": f"127.0.0.1 {port}"}) as replica:
        (found,) = of(house, "Redis kind", replica.url)
    assert found.found == f"is a replica of 127.0.0.1:{port} and refuses every write"
    assert found.mend.startswith(f"set REDIS_URL to the primary, 127.0.0.1:{port}")


def test_a_password_that_is_missing(house: House) -> None:
    with RedisServer(settings={**DURABLE, "requirepass": "locked-0001"}) as locked:
        url = locked.url.replace("redis://:locked-0001@", "redis://")
        (found,) = of(house, "Redis", url)
    assert found.state == BROKEN and found.found.endswith("does not accept the password")
    assert "put the password into REDIS_URL" in found.mend


def test_a_certificate_of_its_authority_that_was_not_mounted(house: House) -> None:
    with RedisServer(settings=DURABLE) as store:
        url = store.url.replace("redis://", "rediss://")
        (found,) = of(house, "Redis", f"{url}?ssl_ca_certs=/nowhere/ca.pem")
    assert found.state == BROKEN and found.found.endswith("a file that its address names is not here")
    assert "ssl_ca_certs" in found.mend


def test_a_redis_that_is_not_there_shows_no_password(house: House) -> None:
    (found,) = of(house, "Redis", "redis://:hunter2secret@127.0.0.1:1/0")
    assert (found.state, found.found) == (BROKEN, "127.0.0.1:1 refuses the connection")
    assert "REDIS_URL" in found.mend
    assert "hunter2secret" not in str(found)


def test_a_name_that_dns_does_not_know(house: House) -> None:
    (found,) = of(house, "Redis", "redis://redis.nowhere.invalid:6379/0")
    assert found.found == "redis.nowhere.invalid is not known to DNS"
    assert found.mend.startswith("mend the name in REDIS_URL")


@pytest.mark.parametrize(
    ("told", "about", "state", "mend"),
    [
        ({"redis_version": "6.0.16"}, "Redis version", BROKEN, "run Redis 6.2 or newer, or Valkey"),
        ({"aof_last_write_status": "err"}, "Redis disk", BROKEN, "free or enlarge the volume"),
        ({"aof_last_bgrewrite_status": "err"}, "Redis disk", WARNING, "free or enlarge the volume"),
        ({"rdb_last_bgsave_status": "err"}, "Redis disk", BROKEN, "free or enlarge the volume"),
        ({"maxmemory": 100 << 20, "used_memory": 85 << 20}, "Redis memory", WARNING, "set `maxmemory` to 256mb"),
        ({"maxmemory": 100 << 20, "used_memory": 96 << 20}, "Redis memory", BROKEN, "set `maxmemory` to 256mb"),
    ],
)  # fmt: skip
def test_what_info_tells(told: dict[str, object], about: str, state: str, mend: str) -> None:
    (found,) = [check for check in store.facts({**SOUND, **told}, "always") if check.state != GOOD]
    assert (found.about, found.state) == (about, state)
    assert found.mend.startswith(mend)


@pytest.mark.parametrize(
    ("fsync", "state"), [("always", GOOD), ("everysec", BROKEN), ("no", BROKEN), ("", GOOD)]
)
def test_only_a_write_on_disk_before_its_answer_is_durable(fsync: str, state: str) -> None:
    assert store.durability(True, fsync).state == state


@pytest.mark.parametrize(("ms", "state"), [(0.4, GOOD), (40.0, WARNING), (400.0, BROKEN)])
def test_a_redis_far_away_is_slow(ms: float, state: str) -> None:
    found = store.latency(ms)
    assert found.state == state
    assert bool(found.mend) == (state != GOOD)


@pytest.mark.parametrize(
    ("ours", "state", "said"),
    [
        (1000.0, GOOD, "within 5 s of ours"),
        (1020.0, WARNING, "this machine's clock is 20 s ahead of Redis's"),
        (880.0, BROKEN, "this machine's clock is 120 s behind Redis's"),
    ],
)
def test_two_clocks(ours: float, state: str, said: str) -> None:
    found = clock("Redis clock", 1000.0, ours, "Redis's")
    assert (found.state, found.found) == (state, said)


# --- The house ------------------------------------------------------------------------------------


def test_a_bot_and_a_worker_say_that_they_are_here(state: State) -> None:
    for part in ("bot", "worker"):
        Presence(state, part).announce()
    assert present(state) == (Present("bot", VERSION), Present("worker", VERSION))
    state.redis.hset("sre:present", "worker old-1", f"0.0.1 {int(time.time()) - 60}")
    assert len(present(state)) == 2


@pytest.mark.parametrize(
    ("here", "state", "found", "mend"),
    [
        ((), OPEN, "neither bot nor worker runs on this Redis", "start `sre-bot bot` and `sre-bot worker`"),
        (
            ("bot",),
            BROKEN,
            "no worker is alive: requests are taken and not answered",
            "start `sre-bot worker`",
        ),
        (("worker",), BROKEN, "no bot is alive: Slack and alerts are not heard", "start `sre-bot bot`"),
        (("bot", "bot", "worker"), GOOD, "2 of the bot, 1 of the workers", ""),
    ],
)
def test_who_is_alive(here: tuple[str, ...], state: str, found: str, mend: str) -> None:
    (check,) = inside.alive(tuple(Present(part, VERSION) for part in here))
    assert (check.state, check.found) == (state, found)
    assert check.mend.startswith(mend)


def test_two_versions_side_by_side_and_a_doctor_of_another() -> None:
    (mixed,) = inside.versions((Present("bot", "0.9.0"), Present("worker", "0.8.1")))
    assert (mixed.state, mixed.found) == (
        WARNING,
        "different ones run side by side: bot 0.9.0, worker 0.8.1",
    )
    assert "rollout status" in mixed.mend
    (other,) = inside.versions((Present("bot", "0.0.1"), Present("worker", "0.0.1")))
    assert other.state == WARNING and other.found.endswith(f"this doctor is {VERSION}")
    assert list(inside.versions(())) == []


def test_a_queue_that_nobody_works_on(house: House, state: State) -> None:
    job = state.queue.enqueue("workers.jobs.answer", "R1")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    state.redis.hset(job.key, "enqueued_at", hour_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    (found,) = house.of("house requests")
    assert found.state == BROKEN and found.found.startswith("1 wait, the oldest for 1 h")
    assert found.mend == "start more `sre-bot worker`, and look into their log"


def test_a_message_that_slack_did_not_take(house: House, state: State) -> None:
    Outbox(state).bury("notice:N1", "card", "#sre-alerts", "is_archived")
    (found,) = house.of("house dead letters")
    assert (found.state, found.found) == (
        WARNING,
        "Slack did not take 1, the latest to #sre-alerts: is_archived",
    )
    assert "/sre help outbox" in found.mend
