"""The worker is killed before and after each checkpoint of a drain, or stopped: nothing is done twice.

Not two examples: the nth checkpoint of a drain of its own, n = 1, 2, …, once before it is written and once
after, until a drain has no nth. A round of them is under way at once, so that the seconds in which a death
is noticed are waited for together.
"""

import os
import signal
import time
from collections.abc import Iterator
from itertools import count

import pytest
from rq import Worker

from bot.state import connect
from commands.model import State
from sandbox.house import wait_until
from tests.stories import mortal
from tests.stories.changes import ChangeWorld

ROUND = 8  # checkpoints at once
MOST = 5 * ROUND
PAUSED = 14
LONG = 90  # only says that it ends: sixteen deaths at once keep the workers busy
ENOUGH = 10  # with fewer checkpoints than this the drain was not walked


def name_of(when: str, nth: int) -> str:
    return f"{when}-{nth}"


def numbers(last: int) -> range:
    return range(1, last + 1)


@pytest.fixture(scope="module")
def world() -> Iterator[ChangeWorld]:
    names = [name_of(when, nth) for nth in numbers(MOST) for when in ("before", "after")]
    names += [name_of("pause", nth) for nth in numbers(PAUSED)]
    with ChangeWorld(names, is_empty=True, worker_count=0) as world:
        workers = world.house.member("mortal", "tests.stories.mortal", lambda: True)
        workers.start()
        yield world
        workers.stop()


@pytest.mark.timeout(300)
def test_a_worker_killed_at_any_checkpoint_is_continued_and_nothing_is_done_twice(world: ChangeWorld) -> None:
    began = time.monotonic()
    for first in count(1, ROUND):
        assert first <= MOST, "no drain survives"
        plans = {name_of(w, n): f"{w} {n}" for n in range(first, first + ROUND) for w in ("before", "after")}
        drain_all(world, plans)
        if set(plans) - struck(world):
            break
    died = world.state.redis.hlen(mortal.STRUCK)
    print(f"\n{died} workers killed in {time.monotonic() - began:.0f} s")
    assert died >= 2 * ENOUGH


@pytest.mark.timeout(300)
def test_a_worker_stopped_at_any_checkpoint_that_goes_on_later_does_nothing_twice(world: ChangeWorld) -> None:
    """Another has the change by then, and has finished it."""
    began = time.monotonic()
    plans = {name_of("pause", nth): f"pause {nth}" for nth in numbers(PAUSED)}
    uids = drain_all(world, plans)
    stopped = [int(world.state.redis.hget(mortal.STRUCK, name)) for name in struck(world) & set(plans)]
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not busy(world, stopped), seconds=LONG, what="the stopped ones have gone on")
    for name in plans:
        world.assert_drained_once(name, uids[name])
    print(f"\n{len(stopped)} workers stopped and continued in {time.monotonic() - began:.0f} s")
    assert len(stopped) >= ENOUGH


def drain_all(world: ChangeWorld, plans: dict[str, str]) -> dict[str, set[str]]:
    """Drain these nodes side by side, each with a worker that is struck down at its own checkpoint; the pods."""
    world.place(list(plans))
    world.state.redis.hset(mortal.PLAN, mapping=plans)
    uids = {name: world.uids(name) for name in plans}
    for name in plans:
        world.ask_silently(name)
    for name in plans:
        world.approve_typed(name, LONG)
    for name in plans:
        world.wait_state(name, State.SUCCEEDED, LONG)
        world.open_channel(name)
    for name in plans:
        world.wait_over(name)
        world.assert_drained_once(name, uids[name])
    return uids


def struck(world: ChangeWorld) -> set[str]:
    return {name.decode() for name in world.state.redis.hkeys(mortal.STRUCK)}


def busy(world: ChangeWorld, pids: list[int]) -> list[int]:
    with connect(world.redis.url, patient=True) as connection:
        return [w.pid for w in Worker.all(connection=connection) if w.pid in pids and w.get_state() != "idle"]
