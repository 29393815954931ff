"""People decide twice, all at once, too late, on an old card, or on their own request: one execution or none."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from commands.model import State
from sandbox.house import wait_until
from tests.build import audit_lines
from tests.stories.changes import ChangeWorld
from tests.stories.faults import PATIENCE

NAMES = ("double", "crowd", "own", "drift", "late")
MANY = 50


@pytest.fixture(scope="module")
def world() -> Iterator[ChangeWorld]:
    with ChangeWorld(NAMES, crowd=MANY) as world:
        yield world


def refusals(world: ChangeWorld, name: str) -> list[str]:
    lines = [line for line in audit_lines(world.state) if line.get("id") == world.ids[name]]
    return [line["reason"] for line in lines if line["what"] == "refused"]


def wait_refusals(world: ChangeWorld, name: str, count: int) -> None:
    wait_until(lambda: len(refusals(world, name)) == count, seconds=PATIENCE, what=f"{count} refusals")


def test_two_presses_by_bob_are_one_execution_and_a_replay_is_none(world: ChangeWorld) -> None:
    uids = world.uids("double")
    world.drain("double")
    world.close_channel("double")  # the button stays where it is
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: world.press("double", "approve"), range(2)))
    world.open_channel("double")
    assert "already approved by Bob Approver" in world.told_privately("bob", world.ids["double"])
    world.wait_over("double")
    world.press_again("double")
    wait_refusals(world, "double", 2)
    world.assert_drained_once("double", uids)


def test_fifty_approvers_at_once_are_one_execution(world: ChangeWorld) -> None:
    uids = world.uids("crowd")
    world.drain("crowd")
    world.close_channel("crowd")
    with ThreadPoolExecutor(MANY) as pool:
        took = sorted(pool.map(lambda user: world.press("crowd", "approve", by=user).elapsed, world.crowd))
    print(
        f"\n{MANY} presses at once: half answered within {took[MANY // 2]:.2f} s, all within {took[-1]:.2f} s"
    )
    wait_refusals(world, "crowd", MANY - 1)
    assert all("was already approved by Approver" in reason for reason in refusals(world, "crowd"))
    world.open_channel("crowd")
    world.wait_over("crowd")
    world.assert_drained_once("crowd", uids)


@pytest.mark.parametrize("is_typed", [False, True], ids=["pressed", "typed"])
def test_whoever_asked_does_not_approve(world: ChangeWorld, is_typed: bool) -> None:
    if "own" not in world.ids:
        world.drain("own")
    if is_typed:
        told = world.slack.command("alice", "#own", f"approve {world.ids['own']}").text
    else:
        world.press("own", "approve", by="alice")
        told = world.told_privately("alice", world.ids["own"] + " yourself")
    assert told.endswith("somebody else must approve it. Nothing was done.")
    assert world.request("own").state is State.AWAITING
    assert world.taken("own") == Counter()


def test_a_plan_that_has_grown_is_asked_again_and_the_old_button_is_refused(world: ChangeWorld) -> None:
    world.drain("drift")
    world.wait_shown("drift", "plan:1")
    world.close_channel("drift")
    world.add_workload("drift", "db")
    uids = world.uids("drift")
    world.press("drift", "approve")
    wait_until(lambda: turn(world) == 2, seconds=PATIENCE, what="it is shown again")
    assert world.taken("drift") == Counter()
    world.press("drift", "approve")  # the card as Slack still has it
    world.press_again("drift")
    wait_refusals(world, "drift", 2)
    assert all("was shown differently since" in reason for reason in refusals(world, "drift"))
    assert turn(world) == 2 and world.taken("drift") == Counter()
    world.open_channel("drift")
    assert "Nothing was done" in world.told_privately("bob", f"{world.ids['drift']} was shown differently")
    world.wait_card("drift", f"approve {world.ids['drift']}.2")
    assert "Changed since it was last shown" in world.slack.transcript("#drift")
    world.press("drift", "approve")
    world.wait_over("drift")
    assert world.taken("drift") == Counter({"PATCH nodes": 1, **dict.fromkeys(uids, 1)})
    world.assert_told_truly("drift", "done in")
    told = [key for key, _ in world.shown("drift")]
    assert told == ["card", "plan:1", "plan:2", "approval:2:1", "closing"]
    assert [world.audit("drift").count(what) for what in ("planned", "approved", "applying")] == [2, 2, 1]
    world.assert_trail_holds()


def turn(world: ChangeWorld) -> int:
    asking = world.request("drift").asking
    return asking.turn if asking else 0


def expire_a_second_ago(world: ChangeWorld) -> None:
    """As though people had been asked so long ago."""
    stored = world.state.request(world.ids["late"])
    assert stored is not None and stored.record.asking is not None
    asking = replace(stored.record.asking, expires=datetime.now(UTC) - timedelta(seconds=1))
    world.state.change().put(replace(stored.record, asking=asking), was=stored.version).commit()


def test_an_approval_a_second_too_late_changes_nothing() -> None:
    """Nobody has noticed yet that it expired: the press itself finds out."""
    with ChangeWorld(("late",)) as world:
        world.drain("late")
        world.wait_sent()
        for worker in world.house.workers:
            worker.pause()
        expire_a_second_ago(world)
        world.press("late", "approve")
        assert "expired at" in world.told_privately("bob", world.ids["late"])
        for worker in world.house.workers:
            worker.resume()
        world.wait_over("late", "expired, nobody decided in time; nothing was changed")
        assert world.request("late").state is State.EXPIRED
        world.wait_idle()
        assert world.taken("late") == Counter() and not world.is_closed("late")
        assert world.audit("late") == ["submitted", "planned", "expired", "refused"]
        world.assert_told_truly("late", "nothing was changed")
        world.assert_trail_holds()
