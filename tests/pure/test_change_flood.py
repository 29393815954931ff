"""How many changes one person may ask for at once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from commands.changes.new import FLOOD, MOST, new
from commands.errors import Denied
from commands.response.changerequest import ChangeRequest, Stage
from tests.build import BOB, NOW
from tests.pure.change_world import given, standing

FLAGS = {
    "title": "checkout 2.0", "at": "now", "for": "30m", "why": "fixes the lost orders",
    "rollback": "/sre deploy rollback backend",
}  # fmt: skip


def asked(count: int, ago: timedelta = timedelta()) -> tuple[ChangeRequest, ...]:
    one = replace(standing(Stage.PENDING), opened=NOW - ago)
    return tuple(replace(one, id=f"CR-2026-11-23-{n:03d}") for n in range(count, 0, -1))


def test_one_person_does_not_ask_for_changes_by_the_dozen_and_another_still_may() -> None:
    with pytest.raises(
        Denied, match="You asked for 20 changes in 10 min, CR-2026-11-23-001 to CR-2026-11-23-020"
    ):
        new(given("new", flags=FLAGS, changes=asked(MOST)))
    assert new(given("new", flags=FLAGS, changes=asked(MOST - 1))).writes
    assert new(given("new", by=BOB, flags=FLAGS, changes=asked(MOST))).writes
    assert new(given("new", flags=FLAGS, changes=asked(MOST, FLOOD))).writes
