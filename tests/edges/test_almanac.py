"""The calendar of stories that are not about it rests, whenever they run (tests/stories/almanac.py)."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.state import State
from commands.catalog import Catalog
from commands.site import Site
from tests.build import audit_lines
from tests.stories.almanac import still
from workers.scheduler import Scheduler

CATALOG = Catalog.load()


def started(state: State, hours: int) -> list[str]:
    """What a scheduler starts that looks every five minutes for so long, beginning now."""
    now = [datetime.now(UTC)]
    scheduler = Scheduler(state, CATALOG, Site(), now=lambda: now[0])
    for _ in range(hours * 12):
        scheduler.tick()
        now[0] += timedelta(minutes=5)
    return [line["text"] for line in audit_lines(state) if line["what"] == "scheduled"]


def test_of_a_calendar_that_rests_nothing_is_started(state: State) -> None:
    still(state)
    assert started(state, hours=48) == []


@pytest.mark.parametrize("name", ["slo-red-flags", "alert-delivery"])
def test_what_is_left_running_is(state: State, name: str) -> None:
    still(state, name)
    (due,) = [due for due in CATALOG.schedule if due.name == name]
    assert set(started(state, hours=1)) == {due.text}
