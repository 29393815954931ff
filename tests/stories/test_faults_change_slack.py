"""Slack limits, fails, is away or loses its answers while a drain goes on: the drain does not wait for it, and
in the end the card and one closing line say what became of it. A pod's evidence arrives as one file."""

from collections.abc import Iterator

import pytest

from commands.model import State
from sandbox.house import wait_until
from tests.stories.changes import ChangeWorld
from tests.stories.faults import PATIENCE, Json

NAMES = ("limited", "failing", "away", "lost", "evidence", "evidence-lost")
LIMIT = 10


@pytest.fixture(scope="module")
def world() -> Iterator[ChangeWorld]:
    with ChangeWorld(NAMES) as world:
        yield world


@pytest.fixture(autouse=True)
def mended(world: ChangeWorld) -> Iterator[None]:
    yield
    world.slack.clear_faults()


def half_way(world: ChangeWorld, name: str) -> set[str]:
    """A drain of which the card says that it is applied, and which waits; its pods."""
    uids = world.uids(name)
    world.hold(name)
    world.started(name)
    world.wait_card(name, "applying, 1 of 4 steps done")
    return uids


def assert_done_behind_its_back(world: ChangeWorld, name: str) -> None:
    """The drain has ended, and Slack's card does not know it yet."""
    world.let_go(name)
    world.wait_state(name, State.SUCCEEDED)
    assert "applying" in world.card(name)["text"]


def test_the_drain_goes_on_while_slack_limits_for_ten_seconds(world: ChangeWorld) -> None:
    uids = half_way(world, "limited")
    for method in ("chat.update", "chat.postMessage"):
        world.slack.fault(method, "ratelimited", times=None, retry_after=LIMIT)
    assert_done_behind_its_back(world, "limited")
    wait_until(lambda: limits(world), seconds=PATIENCE, what="the bot is limited")
    world.slack.clear_faults()
    world.wait_over("limited")
    channel = world.slack.workspace.channel("#limited").id
    calls = [call for call in world.slack.calls() if call.args.get("channel") == channel]
    at = limits(world)[-1]
    assert not [call for call in calls if at < call.at < at + LIMIT], "Slack's time was kept"
    world.assert_drained_once("limited", uids)


def limits(world: ChangeWorld) -> list[float]:
    return [call.at for call in world.slack.calls() if call.status == 429]


@pytest.mark.parametrize(("name", "kind"), [("failing", "status"), ("away", "down")])
def test_the_drain_goes_on_while_slack_does_not_answer(world: ChangeWorld, name: str, kind: str) -> None:
    uids = half_way(world, name)
    before = len(world.slack.calls())
    world.slack.fault("*", kind, times=None)  # type: ignore[arg-type]
    assert_done_behind_its_back(world, name)
    wait_until(lambda: len(world.slack.calls()) > before + 2, seconds=PATIENCE, what="the bot tries again")
    world.slack.clear_faults()
    world.wait_over(name)
    world.assert_drained_once(name, uids)


def test_what_slack_took_and_did_not_answer_is_not_said_twice(world: ChangeWorld) -> None:
    uids = half_way(world, "lost")
    for method in ("chat.update", "chat.postMessage"):
        world.slack.fault(method, "drop_after", times=2)
    world.let_go("lost")
    world.wait_over("lost")
    world.wait_idle()
    world.assert_drained_once("lost", uids)


@pytest.mark.parametrize("name", ["evidence", "evidence-lost"])
def test_the_evidence_of_a_pod_arrives_as_one_file(world: ChangeWorld, name: str) -> None:
    pod = world.pods(name)[0]["metadata"]["name"]
    world.kube.log(name, pod, "panic: out of luck")
    if name == "evidence-lost":
        world.slack.fault("files.completeUploadExternal", "drop_after")
    world.ask(name, f"pod evidence {pod} --namespace {name}")
    wait_until(lambda: files(world, name), seconds=PATIENCE, what="the file is there")
    world.wait_idle()
    [file] = files(world, name)
    [held] = [each for each in world.slack.workspace.files.values() if each.id == file["id"]]
    assert b"panic: out of luck" in (held.content or b"")
    assert world.audit(name) == ["submitted", "answered"]


def files(world: ChangeWorld, name: str) -> list[Json]:
    return [file for message in world.slack.messages(f"#{name}") for file in message.get("files") or []]
