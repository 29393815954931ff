"""A scheduled run that nobody started: made up once though two schedulers look, and taken over when its worker dies."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.state import Run
from commands.reads import RunView
from sandbox.house import wait_until
from tests.build import audit_lines
from tests.stories.faults import PATIENCE, SECTIONS, Json, World

LINE = "morning-health"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(["shop"], running=[LINE], site=site()) as world:
        yield world


def site() -> Json:
    """Its day is half over, whenever this runs: the next morning is hours away."""
    hours = (
        datetime.now(UTC).hour - 20
    )  # where it is eight in the evening now; Etc/GMT+3 is three hours behind
    zone = f"Etc/GMT{hours:+}" if hours >= -12 else f"Etc/GMT{hours + 24:+}"
    return {**World(["shop"]).site(), "timezone": zone}


def forget_the_last_month(world: World) -> None:
    """The calendar as it stood when nobody had looked at it for a month."""
    wait_until(lambda: world.state.run(LINE), seconds=PATIENCE, what="the calendar is written")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    due = RunView(LINE, "health", "30 8 * * 1-5", next_due=long_ago + timedelta(days=1), last_due=long_ago)
    world.state.change().calendar(Run(due)).commit()


def starts(world: World) -> list[dict[str, str]]:
    """What the audit says of scheduled morning runs."""
    lines = audit_lines(world.state)
    return [line for line in lines if line["what"] == "scheduled" and line["text"] == "health"]


def has_looked(world: World) -> bool:
    run = world.state.run(LINE)
    return run is not None and run.view.last_due is not None and run.view.next_due > datetime.now(UTC)


def test_a_missed_run_is_made_up_once_and_survives_its_worker(world: World) -> None:
    gate = world.gates["shop"]
    gate.close()
    forget_the_last_month(world)
    wait_until(lambda: starts(world), seconds=PATIENCE, what="a run is started")
    world.ids["sre-daily"] = starts(world)[0]["id"]
    world.wait_card("sre-daily", "3 of 4 read")
    world.worker_of("sre-daily").kill()
    gate.open()
    world.wait_told("sre-daily", ("card", *SECTIONS))
    assert sorted(key for key, _ in world.shown("sre-daily")) == sorted(("card", *SECTIONS))
    assert world.audit("sre-daily") == ["scheduled", "answered"]
    assert len(gate.entered) == 2, "read by the one that was killed, and by the one that took over"
    card = world.slack.transcript("#sre-daily")
    assert "on schedule · late: was due" in card


def test_schedulers_that_look_again_at_the_same_due_time_start_nothing(world: World) -> None:
    """As after a crash between the start of a run and its line in the calendar, over and over, on both."""
    for worker in world.house.workers:
        if not worker.is_running():
            worker.restart()
    for _ in range(3):
        forget_the_last_month(world)
        wait_until(lambda: has_looked(world), seconds=PATIENCE, what="a scheduler has looked")
    assert len(starts(world)) == 1
    run = world.state.run(LINE)
    assert run is not None and run.request == world.ids["sre-daily"]
