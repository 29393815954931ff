"""What a drain asks of everybody else, and what it leaves behind.

How fast a slash command is acknowledged and answered while the only worker drains a node, beside the same
without a drain; what the finished record and its audit lines weigh in Redis; and how long nothing happens
when the draining worker is killed and another one has to find that out. Needs a real control plane
(KUBEBUILDER_ASSETS), as `benchmarks.drain` does.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from rq import Worker

from benchmarks.common import SPREAD, TRIVIAL, Sample, main, ratio, table
from benchmarks.drain import LOOSE, TIGHT, Bot
from benchmarks.fleet import PODS, Departures, Fleet
from sandbox import envtest
from sandbox.house import Member, wait_until

IDLE = "nothing else to do"
DRAINING = {
    TIGHT: "while it drains, and budgets let few go",
    LOOSE: "while it drains, and nothing is in the way",
}
EVERY = 0.1  # seconds between two commands
LOOK = 0.003  # seconds between two looks for the answer
KILLED_AFTER = 30  # pods that were asked to go


class Beside:
    """Commands that are typed one after the other, until something is over."""

    def __init__(self) -> None:
        self.acknowledged, self.answered = Sample(), Sample()

    def type(self, bot: Bot, goes_on: Callable[[], bool]) -> None:
        while goes_on():
            started = time.perf_counter()
            id = bot.say(TRIVIAL).split("(")[1].split(")")[0]
            self.acknowledged.add(time.perf_counter() - started)
            while bot.record(id).is_open:
                time.sleep(LOOK)
            self.answered.add(time.perf_counter() - started)
            time.sleep(EVERY)


def run(is_quick: bool) -> list[str]:
    envtest.present()
    rounds = 1 if is_quick else 3
    with Fleet() as fleet:
        beside, weights = _one_worker(fleet, rounds)
        silences = _killed(fleet, rounds)
    return _report(beside, weights, silences)


def _one_worker(fleet: Fleet, rounds: int) -> tuple[dict[str, Beside], list[tuple[int, int, int]]]:
    beside = {name: Beside() for name in (IDLE, *DRAINING.values())}
    weights = []
    with Bot(fleet) as bot:
        for _ in range(rounds):
            for allowed, name in DRAINING.items():
                fleet.fill(allowed)
                end = time.monotonic() + 4
                beside[IDLE].type(bot, lambda end=end: time.monotonic() < end)  # type: ignore[misc]
                id = bot.planned()
                bot.approve(id)
                beside[name].type(bot, lambda id=id: bot.record(id).is_open)  # type: ignore[misc]
                bot.wait_over(id)
                weights.append(_weight(bot.state.redis, id))
    return beside, weights


def _weight(redis: Any, id: str) -> tuple[int, int, int]:
    """Bytes of the record, its lines in the trail, and the bytes of these in a trail of their own."""
    record = redis.memory_usage(f"sre:request:{id}", samples=0)
    lines = [line for _, line in redis.xrange("sre:audit") if line.get(b"id") == id.encode()]
    for line in lines:
        redis.xadd("bench:lines", line)
    held = redis.memory_usage("bench:lines", samples=0)
    redis.delete("bench:lines")
    return record, len(lines), held


# --- the worker is killed ---


def _killed(fleet: Fleet, rounds: int) -> Sample:
    silences = Sample()
    with Bot(fleet, workers=2) as bot:
        for _ in range(rounds):
            fleet.fill(TIGHT)
            id = bot.planned()
            with fleet.departures() as departures:
                bot.approve(id)
                killed = _kill(bot, id, departures, silences)
                bot.wait_over(id)
                wait_until(lambda: len(departures.gone) == PODS, seconds=10, what="every pod was seen to go")
            killed.restart()
    return silences


def _kill(bot: Bot, id: str, departures: Departures, silences: Sample) -> Member:
    wait_until(lambda: len(departures.asked) >= KILLED_AFTER, seconds=60, what="it is half way")
    killed = _busy(bot, id)
    killed.kill()
    at, known = time.monotonic(), set(departures.asked)
    wait_until(lambda: set(departures.asked) - known, seconds=60, what="the next pod is evicted")
    silences.add(min(departures.asked[uid] for uid in set(departures.asked) - known) - at)
    return killed


def _busy(bot: Bot, id: str) -> Member:
    """The worker that has the drain in hand."""
    workers = Worker.all(connection=bot.state.redis)
    pids = {worker.pid for worker in workers if id in str(worker.get_current_job_id())}
    return next(member for member in bot.house.workers if member.pid in pids)


# --- what it says ---


def _report(beside: dict[str, Beside], weights: list[tuple[int, int, int]], silences: Sample) -> list[str]:
    for title, which in (
        ("Slash command to acknowledgement", "acknowledged"),
        ("Slash command to record answered, one worker", "answered"),
    ):
        samples: dict[str, Sample] = {name: getattr(each, which) for name, each in beside.items()}
        idle = samples[IDLE]
        rows = [
            (name, *each.cells(), ratio(each.p50, idle.p50), ratio(each.p99, idle.p99))
            for name, each in samples.items()
        ]
        table(title, ("", *SPREAD, "p50 to idle", "p99 to idle"), rows)
    record, lines, held = max(weights)
    return [
        *(
            f"drain_beside: {name}: acknowledged {each.acknowledged.p50:.0f} / {each.acknowledged.p99:.0f} ms, "
            f"answered {each.answered.p50:.0f} / {each.answered.p99:.0f} ms (p50 / p99)"
            for name, each in beside.items()
        ),
        f"drain_beside: the record of a finished drain of {PODS} pods takes {record / 1000:.0f} kB, its {lines} lines "
        f"of the trail {held / 1000:.0f} kB ({held // lines} bytes each)",
        f"drain_beside: from kill -9 of the worker to the next eviction {silences.p50 / 1000:.1f} s p50, "
        f"{silences.worst / 1000:.1f} s at most of {len(silences.seconds)}",
    ]


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
