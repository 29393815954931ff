"""`kill -9` of the bot at every step of a run and of an alert, and in the middle of its calls to Slack."""

from collections.abc import Iterator

import pytest

from tests.build import trail_faults
from tests.stories.faults import ALERT_STEPS, IN_FLIGHT, SECTIONS, STEPS, Killing, World


@pytest.fixture(scope="module")
def morning() -> Iterator[World]:
    with World((*STEPS, *IN_FLIGHT), is_supervised=True) as world:
        killing = Killing(world, lambda _: world.house.bot.kill())
        killing.run(in_flight=True)
        killing.settle()
        print("\nbot killed:", killing.told())
        yield world


@pytest.mark.parametrize("step", (*STEPS, *IN_FLIGHT))
def test_a_run_is_told_once(morning: World, step: str) -> None:
    morning.assert_told_once(step, ("card", *SECTIONS) if step == "some" else ("card", "section:app"))


@pytest.mark.parametrize("step", (*ALERT_STEPS, "flight"))
def test_an_alert_is_told_once(morning: World, step: str) -> None:
    morning.assert_alert_told_once(step)


def test_nothing_waits_any_more(morning: World) -> None:
    morning.wait_idle()


def test_the_audit_trail_is_whole(morning: World) -> None:
    assert trail_faults(morning.state) == ()
