"""`kill -9` of workers at every step of a run: another goes on within seconds, and nobody notices in Slack."""

from collections.abc import Iterator

import pytest

from tests.build import trail_faults
from tests.stories.faults import ALERT_STEPS, SECTIONS, STEPS, Killing, World


@pytest.fixture(scope="module")
def morning() -> Iterator[World]:
    with World(STEPS, is_supervised=True) as world:

        def kill(name: str) -> None:
            """The worker that reads; both where it is not known which of them would."""
            has_one = name in ("reading", "some")
            for worker in (world.worker_of(name),) if has_one else world.house.workers:
                worker.kill()

        killing = Killing(world, kill)
        killing.run()
        killing.settle()
        print("\nworkers killed:", killing.told())
        yield world


@pytest.mark.parametrize("step", STEPS)
def test_a_run_whose_worker_is_killed_is_told_once(morning: World, step: str) -> None:
    morning.assert_told_once(step, ("card", *SECTIONS) if step == "some" else ("card", "section:app"))


@pytest.mark.parametrize("step", ALERT_STEPS)
def test_an_alert_does_not_care_for_workers(morning: World, step: str) -> None:
    morning.assert_alert_told_once(step)


def test_nothing_waits_any_more(morning: World) -> None:
    morning.wait_idle()


def test_the_audit_trail_is_whole(morning: World) -> None:
    assert trail_faults(morning.state) == ()
