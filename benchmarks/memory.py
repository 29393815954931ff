"""How much memory the bot, its workers and Redis hold: idle, and after each of some alert storms.

A storm is 200 groups of five alerts, twenty bodies of 300 and fifty commands. What matters is the ratio of
the last storm to the first: memory that was needed once stays with the process, memory that leaks grows
with every storm. Resident size, as Kubernetes counts it against the limit, in MB.
"""

import sys
from contextlib import ExitStack

import psutil

from benchmarks.common import TRIVIAL, Caller, main, ratio, table
from benchmarks.slackside import SlackProcess
from benchmarks.storm import Storm
from sandbox.house import House, wait_until
from sandbox.redis_server import RedisServer

COMMANDS = 50


def run(is_quick: bool) -> list[str]:
    storms = 1 if is_quick else 5
    with ExitStack() as closing:
        slack = closing.enter_context(SlackProcess())
        server = closing.enter_context(RedisServer())
        house = House(slack=slack, redis=server, worker_count=2)  # type: ignore[arg-type]
        closing.enter_context(house)
        processes = {member.name: member.pid for member in house.members} | {"redis": server.pid}
        seen = {"idle": _resident(processes)}
        for number in range(1, storms + 1):
            _storm(house, number)
            seen[f"storm {number}"] = _resident(processes)
    return _report(seen)


def _storm(house: House, number: int) -> None:
    storm = Storm(house.url, groups=200, seconds=0, large=20, name=f"memory-{number}").start()
    caller = Caller(house.url)
    for _ in range(COMMANDS):
        caller.command(house.slack.signing_secret, TRIVIAL)
    caller.close()
    storm.wait()
    wait_until(
        lambda: _waiting(house) == 0, seconds=180, what="every command is answered, every alert diagnosed"
    )


def _waiting(house: House) -> float:
    told = [line for line in house.get("/metrics")[1].splitlines() if line.startswith("sre_bot_waiting{")]
    still = {"open_requests", "queued_jobs"}  # the cards keep to Slack's pace and take minutes
    return sum(float(line.split()[-1]) for line in told if line.split('"')[1] in still)


def _resident(processes: dict[str, int]) -> dict[str, float]:
    return {name: psutil.Process(pid).memory_info().rss / 1e6 for name, pid in processes.items()}


def _report(seen: dict[str, dict[str, float]]) -> list[str]:
    times = list(seen)
    rows = []
    for name, idle in seen["idle"].items():
        sizes = [f"{seen[time][name]:.0f}" for time in times]
        first, last = seen[times[1]][name], seen[times[-1]][name]
        rows.append((name, *sizes, ratio(last, idle), ratio(last, first)))
    table("Resident MB", ("", *times, "last to idle", "last to first"), rows)
    told = (f"{row[0]} {row[1]} -> {row[len(times)]} MB" for row in rows)
    return [f"memory: idle -> after {len(times) - 1} storms: " + ", ".join(told)]


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
