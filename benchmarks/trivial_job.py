"""What a job costs beyond its own work: our worker in its process against RQ's, which forks for each job.

Both take the same jobs from the same Redis (a database each) with the same imports loaded, in turns. First
a job that only says it ran; then the whole road, from a signed slash command at the real bot to the record
that says "answered", for a command whose reads answer at once. `--serve` is the measured worker.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from rq import Worker

from benchmarks.common import SPREAD, TRIVIAL, Caller, Sample, main, ratio, request, table
from bot.state import JOB_TIMEOUT, HouseJob, State, connect
from sandbox.house import House
from sandbox.process import Child
from sandbox.redis_server import RedisServer

HOUSE, FORK = "HouseWorker", "rq Worker (fork)"
KINDS = {HOUSE: 0, FORK: 1}  # each in a database of its own, or they would take each other's jobs
TARGET_MS = 20


def run(is_quick: bool) -> list[str]:
    jobs, bulk, roads = (20, 40, 8) if is_quick else (300, 500, 100)
    with ExitStack() as closing:
        server = closing.enter_context(RedisServer())
        urls = {kind: f"redis://127.0.0.1:{server.port}/{database}" for kind, database in KINDS.items()}
        overhead, rates = _trivial(urls, jobs, bulk)
        road = _roads({kind: f"redis://127.0.0.1:{server.port}/{n + 2}" for kind, n in KINDS.items()}, roads)
    return _report(overhead, rates, road)


# --- the job alone ---


def _trivial(urls: Mapping[str, str], jobs: int, bulk: int) -> tuple[dict[str, Sample], dict[str, float]]:
    with ExitStack() as closing:
        for kind, url in urls.items():
            closing.enter_context(_worker(kind, url, does_nothing=True))
        states = {kind: State(connect(url, patient=True)) for kind, url in urls.items()}
        overhead = {kind: Sample() for kind in KINDS}
        for number in range(jobs + 5):
            for kind, state in states.items():
                taken = _one(state)
                if number >= 5:
                    overhead[kind].add(taken)
        return overhead, {kind: _rate(state, bulk) for kind, state in states.items()}


def _one(state: State) -> float:
    time.sleep(0.01)  # let the worker finish its bookkeeping and wait again
    started = time.perf_counter()
    _enqueue(state)
    state.redis.blpop(["done"], timeout=10)
    return time.perf_counter() - started


def _enqueue(state: State) -> None:
    state.change().work(request(), timeout=JOB_TIMEOUT).commit()


def _rate(state: State, count: int) -> float:
    """Jobs per second when they stand in line."""
    started = time.perf_counter()
    for _ in range(count):
        _enqueue(state)
    for _ in range(count):
        state.redis.blpop(["done"], timeout=30)
    return count / (time.perf_counter() - started)


# --- the whole road ---


@dataclass
class Road:
    """A bot without workers of its own, beside one worker of the kind that is measured."""

    house: House
    caller: Caller
    redis: Redis
    answered: Sample
    acknowledged: Sample

    def walk(self) -> None:
        started = time.perf_counter()
        status, text = self.caller.command(self.house.slack.signing_secret, TRIVIAL)
        self.acknowledged.add(time.perf_counter() - started)
        if status != 200 or not text.startswith("On it"):
            raise SystemExit(f"not accepted: {status} {text}")
        self._wait_for_answer()
        self.answered.add(time.perf_counter() - started)

    def _wait_for_answer(self) -> None:
        """The audit line is written in the transaction that closes the record."""
        seen = "0"
        newest = self.redis.xrevrange("sre:audit", count=1)
        if newest and newest[0][1][b"what"] == b"submitted":
            seen = newest[0][0].decode()
        elif newest:
            return
        while not self.redis.xread({"sre:audit": seen}, block=10_000):
            pass


def _roads(urls: Mapping[str, str], count: int) -> dict[str, Road]:
    with ExitStack() as closing:
        roads = {kind: closing.enter_context(_road(kind, url)) for kind, url in urls.items()}
        for _ in range(count):
            for road in roads.values():
                time.sleep(0.02)
                road.walk()
        for road in roads.values():
            for sample in (road.answered, road.acknowledged):
                del sample.seconds[:2]  # the first ones load what is loaded late
    return roads


@contextmanager
def _road(kind: str, url: str) -> Iterator[Road]:
    with (
        House(redis=url, worker_count=0) as house,
        _worker(kind, url, does_nothing=False),
        Redis.from_url(url) as redis,
    ):
        caller = Caller(house.url)
        yield Road(house, caller, redis, Sample(), Sample())
        caller.close()


# --- the measured process ---


@contextmanager
def _worker(kind: str, url: str, *, does_nothing: bool) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "benchmarks.trivial_job", "--serve", kind, "--redis", url]
        child = Child([*argv, *(["--nothing"] if does_nothing else [])], log=Path(folder) / "worker.log")
        child.start()
        with Redis.from_url(url) as redis:
            child.wait_ready(lambda: bool(Worker.count(connection=redis)), seconds=20)
        try:
            yield
        finally:
            child.stop()


class Nothing:
    """An engine whose answer is that it was called."""

    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, id: str) -> None:
        self._state.redis.rpush("done", id)

    def fail(self, id: str, error: BaseException) -> None:
        raise error


def _serve(kind: str, url: str, *, does_nothing: bool) -> None:
    from bot import logs, settings
    from commands.catalog import Catalog
    from workers import __main__ as workers
    from workers import jobs
    from workers.clients import Clients
    from workers.engine import Engine

    loaded = settings.load_worker({"REDIS_URL": url})
    logs.configure(loaded.redactor(), loaded.log_level)
    state = State(connect(url, patient=True))
    clients = Clients(loaded, state)
    engine = Engine(state, Catalog.load(), loaded.site, clients.reader)
    jobs.install(Nothing(state) if does_nothing else engine)  # type: ignore[arg-type]
    made = workers.HouseWorker if kind == HOUSE else Worker
    worker = made(
        [state.queue], connection=state.redis, job_class=HouseJob, serializer=state.queue.serializer
    )
    worker.work(logging_level=None)


# --- what it says ---


def _report(
    overhead: Mapping[str, Sample], rates: Mapping[str, float], roads: Mapping[str, Road]
) -> list[str]:
    rows = [
        (kind, *overhead[kind].cells(), ratio(overhead[kind].p50, overhead[HOUSE].p50), f"{rates[kind]:.0f}")
        for kind in KINDS
    ]
    table("A job that does nothing: enqueued to done", ("worker", *SPREAD, "to ours", "jobs/s"), rows)
    rows = [
        (kind, *roads[kind].answered.cells(), ratio(roads[kind].answered.p50, roads[HOUSE].answered.p50))
        for kind in KINDS
    ]
    table("Slash command sent to record answered", ("worker", *SPREAD, "to ours"), rows)
    ours, theirs = overhead[HOUSE], overhead[FORK]
    road = roads[HOUSE].answered
    return [
        f"trivial_job: {ours.p50:.1f} ms p50, {ours.p99:.1f} ms p99 (target {TARGET_MS} ms), fork "
        f"{theirs.p50:.1f} ms ({ratio(theirs.p50, ours.p50)}); {rates[HOUSE]:.0f} jobs/s, fork {rates[FORK]:.0f}",
        f"trivial_job: command sent to record answered {road.p50:.1f} ms p50, {road.p99:.1f} ms p99, "
        f"fork {roads[FORK].answered.p50:.1f} ms",
    ]


if __name__ == "__main__":
    if "--serve" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--serve", choices=KINDS, required=True)
        parser.add_argument("--redis", required=True)
        parser.add_argument("--nothing", action="store_true")
        given = parser.parse_args()
        _serve(given.serve, given.redis, does_nothing=given.nothing)
    else:
        sys.exit(main(__doc__, run))
