"""One drain at a time: who comes second waits, is told for whom, and goes on by itself; and drains that are
cancelled, while they wait and while they are at it."""

from collections import Counter
from collections.abc import Iterator

import pytest

from commands.model import State
from sandbox.kube import Healthy, NeverReady, build
from sandbox.slack.cast import BOB
from tests.build import audit_lines
from tests.stories.changes import ChangeWorld

NAMES = ("first", "second", "third", "withdrawn", "stopped")


@pytest.fixture(scope="module")
def world() -> Iterator[ChangeWorld]:
    with ChangeWorld(NAMES, extra={"drain": {"parallel": False}}) as world:
        world.kube.apply(build.pdb("web", "stopped", min_available=2))
        world.kube.settle()
        yield world


def queued(world: ChangeWorld, name: str, behind: str) -> None:
    world.drain(name)
    world.approve(name)
    world.wait_card(name, f"approved, queued behind {world.ids[behind]} (node drain {behind}")
    assert "by <@U0ALICE0001>" in world.card(name)["text"]


def test_drains_wait_for_each_other_in_the_order_of_their_approvals(world: ChangeWorld) -> None:
    """The one that is cancelled while it waits lets the next one pass."""
    uids = {name: world.uids(name) for name in NAMES}
    world.keep_pods("first")
    world.started("first")
    queued(world, "second", behind="first")
    queued(world, "withdrawn", behind="second")
    queued(world, "third", behind="withdrawn")
    assert world.press("withdrawn", "cancel", by="alice").ok
    world.wait_over("withdrawn", "cancelled by <@U0ALICE0001>, nothing was changed")
    world.wait_card("third", f"queued behind {world.ids['second']}")
    assert not any(world.is_closed(name) for name in ("second", "third", "withdrawn"))
    world.release_pods("first")
    for name in ("first", "second", "third"):
        world.wait_over(name)
        world.assert_drained_once(name, uids[name])
    ids = [world.ids[name] for name in ("first", "second", "third")]
    lines = [line for line in audit_lines(world.state) if line["what"] in ("applying", "succeeded")]
    said = [(line["what"], line["id"]) for line in lines if line["id"] in ids]
    assert said == [(what, id) for id in ids for what in ("applying", "succeeded")]
    assert world.taken("withdrawn") == Counter()
    assert world.request("withdrawn").state is State.CANCELLED
    world.assert_told_truly("withdrawn", "nothing was changed")


def test_a_drain_that_is_cancelled_begins_nothing_more_and_says_what_stands(world: ChangeWorld) -> None:
    """Its budget lets one pod go, and the pod that takes its place does not become ready."""
    uids = world.uids("stopped")
    world.kube.behave(NeverReady(), namespace="stopped")
    for pod in world.pods("stopped"):
        world.kube.behave(Healthy(), namespace="stopped", name=pod["metadata"]["name"])
    world.drain("stopped")
    world.approve("stopped")
    world.wait_card("stopped", "Waiting for")
    world.wait_card("stopped", "applying, 2 of 4 steps done")
    assert world.press("stopped", "cancel").ok
    world.wait_over("stopped", f"cancelled by <@{BOB.id}>")
    taken = world.taken("stopped")
    assert taken.pop("PATCH nodes") == 1
    assert len(taken) == 1 and set(taken) < uids and set(taken.values()) == {1}
    assert world.is_closed("stopped") and len(world.pods("stopped")) == 2
    world.assert_told_truly("stopped", "2 of 4 steps done")
    transcript = world.slack.transcript("#stopped")
    left = [pod["metadata"]["name"] for pod in world.pods("stopped")]
    assert all(name in transcript.partition("2 of 4 not proved")[2] for name in left), transcript
    assert [world.audit("stopped").count(what) for what in ("stopping", "cancelled")] == [1, 1]
    world.kube.behave(Healthy(), namespace="stopped")
    world.wait_idle()
    assert len(world.pods("stopped")) == 2, "and nothing follows when the budget would allow it"
    world.assert_trail_holds()
