"""Redis hangs or is away: who asks is told at once that nothing was accepted, and that is true; then all goes on."""

import time
from collections.abc import Iterator

import pytest

from bot.slack import NOT_ACCEPTED
from sandbox.house import wait_until
from sandbox.slack import Delivery
from tests.build import audit_lines
from tests.stories.faults import PATIENCE, World

REFUSED = tuple(f"refused-{number}" for number in range(4))
NAMES = (*REFUSED, "under-way", "after", "mentioned", "restarted", "outage")

# Slack gives up after three seconds, Alertmanager's webhook after ten by default.
SLACK_WAITS = 3.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    # Slack repeats an event at once, after a minute and after five: here a twentieth of it.
    with World(NAMES, retry_scale=0.05) as world:
        yield world


def refuse(world: World, name: str) -> Delivery:
    delivery = world.slack.command("alice", f"#{name}", f"health app --service {name}")
    assert delivery.ok and delivery.text == NOT_ACCEPTED, delivery
    assert delivery.elapsed < SLACK_WAITS
    return delivery


def accepts_again(world: World) -> None:
    wait_until(lambda: world.house.get("/readyz")[0] == 200, seconds=PATIENCE, what="the bot is ready")


def test_what_cannot_be_stored_is_refused_in_time_and_not_done_later(world: World) -> None:
    gate = world.gates["under-way"]
    gate.close()
    world.ask("under-way")
    world.wait_card("under-way", "0 of 1 read")
    world.wait_reading("under-way")
    world.redis.pause()
    try:
        waits = [refuse(world, name).elapsed for name in REFUSED]
        alert_waits = []
        for number in range(4):
            began = time.monotonic()
            assert world.alert(f"hanging-{number}") == 503
            alert_waits.append(time.monotonic() - began)
        mention = world.slack.mention("alice", "#mentioned", "health app --service mentioned")
        assert mention is not None and not mention.ok
    finally:
        world.redis.resume()
    print(f"\nRedis hangs: commands refused after {max(waits):.2f} s, alerts after {max(alert_waits):.2f} s")
    assert max(alert_waits) < SLACK_WAITS
    gate.open()
    accepts_again(world)
    world.ask("after")
    for name in ("under-way", "after"):
        world.wait_told(name, ("card", "section:app"))
        world.assert_told_once(name)
    # Redis reads what lay in its socket when it stopped, and must not do it: the person was told so.
    submitted = [line["text"] for line in audit_lines(world.state) if line["what"] == "submitted"]
    assert not [text for text in submitted if text.endswith(REFUSED)]


def test_alertmanager_and_slack_try_again_and_are_heard(world: World) -> None:
    """Alertmanager repeats what got 503; Slack repeats an event that got no 200."""
    for number in range(4):
        name = f"hanging-{number}"
        world.alerted(name)
        world.wait_alert(name, "firing")
        world.alerted(name, "resolved")
        world.wait_resolved(name)
        world.assert_alert_told_once(name)
    wait_until(
        lambda: [line for line in audit_lines(world.state) if "mentioned" in line.get("text", "")],
        seconds=PATIENCE,
        what="the event is repeated",
    )
    world.ids["mentioned"] = next(
        line["id"] for line in audit_lines(world.state) if "mentioned" in line.get("text", "")
    )
    world.wait_told("mentioned", ("card", "section:app"))
    world.assert_told_once("mentioned")


def test_redis_is_restarted_and_the_workers_are_back_within_seconds(world: World) -> None:
    world.redis.kill()
    refuse(world, "outage")
    assert world.alert("outage") == 503
    assert world.house.get("/readyz")[0] == 503
    assert world.house.get("/healthz")[0] == 200, "nobody should restart a bot because its Redis is away"
    world.redis.restart()
    began = time.monotonic()
    accepts_again(world)
    accepted = time.monotonic() - began
    world.ask("restarted")
    world.wait_reading("restarted")
    print(f"\nRedis restarted: accepted after {accepted:.1f} s, read after {time.monotonic() - began:.1f} s")
    world.wait_told("restarted", ("card", "section:app"))
    world.assert_told_once("restarted")
    assert not world.shown("outage")
    for member in world.house.members:
        assert member.is_running()
