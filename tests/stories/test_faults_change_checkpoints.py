"""`kill -9` of the worker before and after each checkpoint of a drain: another goes on, nothing is done twice.

Not two examples: the nth checkpoint of a drain of its own, n = 1, 2, …, once before it is written and once
after, until a drain has no nth. A round of them is under way at once, so that the seconds in which a death
is noticed are waited for together.
"""

import time
from collections.abc import Iterator
from itertools import count

import pytest

from commands.model import State
from tests.stories import mortal
from tests.stories.changes import ChangeWorld

ROUND = 8  # checkpoints at once
MOST = 5 * ROUND
LONG = 90  # only says that it ends: sixteen deaths at once keep the workers busy
ENOUGH = 10  # with fewer checkpoints than this the drain was not walked


def name_of(when: str, nth: int) -> str:
    return f"{when}-{nth}"


@pytest.fixture(scope="module")
def world() -> Iterator[ChangeWorld]:
    names = [name_of(when, nth) for nth in range(1, MOST + 1) for when in ("before", "after")]
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
        if survivors(world, first):
            break
    died = world.state.redis.hlen(mortal.DIED)
    print(f"\n{died} workers killed in {time.monotonic() - began:.0f} s")
    assert died >= 2 * ENOUGH


def survivors(world: ChangeWorld, first: int) -> set[str]:
    """Drain a round of nodes, each by workers that die at its own checkpoint; whose workers did not."""
    plans = {name_of(w, n): f"{w} {n}" for n in range(first, first + ROUND) for w in ("before", "after")}
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
    return {name for name in plans if not world.state.redis.hexists(mortal.DIED, name)}
