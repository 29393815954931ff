"""`kill -9` of Redis at every step of a run and of an alert: started again on its data, it has forgotten nothing."""

from collections.abc import Iterator

import pytest

from tests.build import trail_faults
from tests.stories.faults import ALERT_STEPS, SECTIONS, STEPS, Killing, World


@pytest.fixture(scope="module")
def morning() -> Iterator[World]:
    with World(STEPS) as world:

        def kill(name: str) -> None:
            world.redis.kill()
            world.redis.restart()

        killing = Killing(world, kill)
        killing.run()
        killing.settle()
        print("\nRedis killed:", killing.told())
        yield world


@pytest.mark.parametrize("step", STEPS)
def test_a_run_is_told_once(morning: World, step: str) -> None:
    morning.assert_told_once(step, ("card", *SECTIONS) if step == "some" else ("card", "section:app"))


@pytest.mark.parametrize("step", ALERT_STEPS)
def test_an_alert_is_told_once(morning: World, step: str) -> None:
    morning.assert_alert_told_once(step)


def test_nobody_died_and_nothing_waits(morning: World) -> None:
    assert all(member.is_running() for member in morning.house.members)
    morning.wait_idle()


def test_the_audit_trail_is_whole(morning: World) -> None:
    assert trail_faults(morning.state) == ()
