"""Slack limits, fails, is away, or keeps its answers to itself: everything arrives once and in order afterwards,
and what comes in meanwhile is taken in as quickly as ever."""

import time
from collections.abc import Iterator

import pytest

from sandbox.house import wait_until
from sandbox.slack.faults import Kind as FaultKind
from tests.stories.faults import PATIENCE, World

NAMES = (
    "limit-1",
    "limit-2",
    "limit-3",
    "limit-4",
    "down-1",
    "down-2",
    "status",
    "drop-after",
    "fatal-error",
)

# So long Slack waits for an answer. A person and Alertmanager are answered in milliseconds; what shows that nobody waited
# for Slack is that Slack has not taken anything by then.
AT_ONCE = 3.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(NAMES) as world:
        yield world


@pytest.fixture(autouse=True)
def mended(world: World) -> Iterator[None]:
    yield
    world.slack.clear_faults()


def ask_at_once(world: World, *names: str) -> None:
    for name in names:
        assert world.ask(name).elapsed < AT_ONCE


def alert_at_once(world: World, name: str, status: str = "firing") -> None:
    began = time.monotonic()
    assert world.alert(name, status) == 200
    assert time.monotonic() - began < AT_ONCE


def assert_told(world: World, *names: str) -> None:
    for name in names:
        world.wait_told(name, ("card", "section:app"))
        world.assert_told_once(name)
        assert [key for key, _ in world.shown(name)] == ["card", "section:app"]


def test_twenty_rate_limits_only_delay(world: World) -> None:
    names = NAMES[:4]
    world.slack.fault("chat.postMessage", "ratelimited", times=20, retry_after=1)
    ask_at_once(world, *names)
    alert_at_once(world, "limit")
    assert world.slack.faults.planned(), "all of it while Slack takes nothing"
    assert_told(world, *names)
    world.wait_alert("limit", "firing")
    limited = [call for call in world.slack.calls("chat.postMessage") if call.status == 429]
    assert len(limited) == 20
    alert_at_once(world, "limit", "resolved")
    world.wait_resolved("limit")
    world.assert_alert_told_once("limit")


def test_slack_is_away_for_a_while(world: World) -> None:
    before = len(world.slack.calls())
    world.slack.fault("*", "down", times=None)
    ask_at_once(world, "down-1")
    alert_at_once(world, "away")
    wait_until(lambda: len(world.slack.calls()) >= before + 3, seconds=PATIENCE, what="the bot tries again")
    ask_at_once(world, "down-2")
    alert_at_once(world, "away", "resolved")
    world.wait_audit("down-1", "answered")
    world.wait_audit("down-2", "answered")
    assert world.house.get("/readyz")[0] == 200, "a pod that takes in alerts keeps its traffic"
    world.slack.clear_faults()
    assert_told(world, "down-1", "down-2")
    world.wait_resolved("away")
    world.assert_alert_told_once("away")


@pytest.mark.parametrize(
    ("name", "kind"), [("status", "status"), ("drop-after", "drop_after"), ("fatal-error", "fatal_error")]
)
def test_failures_with_and_without_effect_make_no_twin(world: World, name: str, kind: FaultKind) -> None:
    """503 and nothing done; the connection cut after the effect; an error after the effect."""
    world.slack.fault("chat.postMessage", kind, times=2)
    ask_at_once(world, name)
    alert_at_once(world, name)
    assert_told(world, name)
    world.wait_alert(name, "firing")
    alert_at_once(world, name, "resolved")
    world.wait_resolved(name)
    world.assert_alert_told_once(name)


def test_nothing_waits_any_more_and_nothing_is_a_dead_letter(world: World) -> None:
    world.wait_idle()
