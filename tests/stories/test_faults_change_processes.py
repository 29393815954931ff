"""Workers, bots and the store die, are told to end, or are two of a kind in the middle of a drain."""

import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from commands.model import State
from commands.plan import Standing
from sandbox.house import House, Member, wait_until
from sandbox.kube import Hang
from tests.stories.changes import ChangeWorld
from tests.stories.faults import PATIENCE

NAMES = (
    "cordon-answered", "cordon-late", "eviction-answered", "eviction-late",
    "paused", "store", "bot", "terminated", "twins",
)  # fmt: skip

# Longer than it takes to notice that a worker died, shorter than an effect may take; and shorter than either, and long
# enough that a busy machine sees the request on its way.
LATE = 9.0
SOON = 4.0

# Kubernetes kills after 30 s.
GRACE = 30


@pytest.fixture(scope="module")
def world() -> Iterator[ChangeWorld]:
    with ChangeWorld(NAMES, is_supervised=True) as world:
        yield world


@pytest.fixture(autouse=True)
def all_there(world: ChangeWorld) -> None:
    world.wait_ready()


def in_flight(world: ChangeWorld, name: str, what: str) -> bool:
    """Whether the API server has such a request for this name and has not answered it yet."""
    return any(
        request.target.what == what and name in (request.target.name, request.target.namespace)
        for request in world.kube.requests
        if request.method != "GET" and not request.code
    )


def held_in_flight(world: ChangeWorld, name: str, verb: str, what: str, seconds: float) -> None:
    """The drain of this node is under way, and the answer to its first such request is not there yet."""
    match = {"name": name} if what == "nodes" else {"namespace": name}
    world.drain(name)
    world.kube.fail(Hang(seconds), verb, what, times=1, **match)
    world.approve(name)
    wait_until(lambda: in_flight(world, name, what), seconds=PATIENCE, what=f"{what} of {name} is in flight")


@pytest.mark.parametrize("seconds", [SOON, LATE], ids=["answered", "late"])
@pytest.mark.parametrize(
    ("effect", "verb", "what"), [("cordon", "patch", "nodes"), ("eviction", "create", "pods/eviction")]
)
def test_a_worker_killed_while_its_request_is_on_the_way_is_continued(
    world: ChangeWorld, effect: str, verb: str, what: str, seconds: float
) -> None:
    """What it sent is taken after its death, before or after the next worker looks."""
    name = f"{effect}-{'answered' if seconds == SOON else 'late'}"
    uids = world.uids(name)
    held_in_flight(world, name, verb, what, seconds)
    world.worker_of(name).kill()
    world.wait_over(name)
    wait_until(lambda: not in_flight(world, name, what), seconds=PATIENCE, what="the old request is answered")
    world.assert_drained_once(name, uids)


def test_a_worker_paused_past_its_lease_changes_nothing_when_it_goes_on(world: ChangeWorld) -> None:
    uids = world.uids("paused")
    held_in_flight(world, "paused", "create", "pods/eviction", SOON)
    worker = world.worker_of("paused")
    worker.pause()
    world.wait_over("paused")
    before = len(world.audit("paused"))
    worker.resume()
    world.wait_idle()
    wait_until(lambda: "moved on under another worker" in worker.log(), seconds=PATIENCE, what="it gave up")
    assert len(world.audit("paused")) == before
    world.assert_drained_once("paused", uids)


def test_the_store_is_killed_and_comes_back_with_everything(world: ChangeWorld) -> None:
    uids = world.uids("store")
    world.keep_pods("store")
    world.started("store")
    world.wait_evictions("store", len(uids))
    world.redis.kill()
    world.redis.restart()
    world.release_pods("store")
    world.wait_over("store")
    world.assert_drained_once("store", uids)


def test_the_drain_goes_on_without_a_bot_and_the_next_one_tells_it(world: ChangeWorld) -> None:
    uids = world.uids("bot")
    world.hold("bot")
    world.started("bot")
    world.house.bot.is_wanted = False
    world.house.bot.kill()
    world.let_go("bot")
    world.wait_state("bot", State.SUCCEEDED)
    assert "done in" not in world.card("bot")["text"]
    world.house.bot.start()
    world.wait_over("bot")
    world.assert_drained_once("bot", uids)


def test_a_worker_told_to_end_hands_over_within_seconds(world: ChangeWorld) -> None:
    """It does not wait for pods that take their time to go: another worker does."""
    uids = world.uids("terminated")
    world.keep_pods("terminated")
    world.started("terminated")
    world.wait_evictions("terminated", len(uids))
    worker = world.worker_of("terminated")
    began, took = time.monotonic(), terminate(worker)
    print(f"\nended after {took:.1f} s")
    wait_until(lambda: is_worked_on(world, "terminated"), seconds=PATIENCE, what="another has it")
    print(f"handed over after {time.monotonic() - began:.1f} s")
    assert took < GRACE, "its pods are still there"
    world.release_pods("terminated")
    world.wait_over("terminated")
    world.assert_drained_once("terminated", uids)
    progress = world.request("terminated").progress
    assert progress and {mark.tries for mark in progress.marks.values()} == {1}
    assert {mark.standing for mark in progress.marks.values()} == {Standing.PROVED}


def terminate(member: Member) -> float:
    process = psutil.Process(member.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE) == 0
    return time.monotonic() - began


def is_worked_on(world: ChangeWorld, name: str) -> bool:
    try:
        return world.worker_of(name).is_running()
    except (AssertionError, StopIteration):
        return False


def test_two_bots_and_two_workers_are_one_house(world: ChangeWorld) -> None:
    """What is said to one is decided at the other, and both send."""
    uids = world.uids("twins")
    options = {"site": world.site(), "worker_count": 0}
    first = world.slack.request_url
    with House(slack=world.slack, redis=world.redis, kubeconfig=world.kubeconfig, **options) as other:  # type: ignore[arg-type]
        second, world.slack.request_url = world.slack.request_url, first
        world.drain("twins")
        world.slack.request_url = second
        assert other.bot.is_running()
        world.hold("twins")
        world.approve("twins")
        world.wait_closed("twins")
        world.let_go("twins")
        world.wait_over("twins")
        world.slack.request_url = first
    world.assert_drained_once("twins", uids)
