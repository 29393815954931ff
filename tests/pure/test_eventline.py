"""An event as a line of a diagnosis."""

from dataclasses import replace
from datetime import timedelta

from commands.podreads import EventView
from commands.triage.eventline import event_line
from tests.build import NOW

EVENT = EventView("shop", "Pod", "web-1", "Warning", "FailedMount", "no\nvolume")


def test_it_says_what_how_often_and_when_last() -> None:
    assert event_line(EVENT, NOW) == "FailedMount: no volume"
    seen = replace(EVENT, count=3, last=NOW - timedelta(minutes=4))
    assert event_line(seen, NOW) == "FailedMount ×3, 4 min ago: no volume"
    assert event_line(seen) == "FailedMount ×3: no volume"
    assert event_line(seen, NOW - timedelta(hours=1)) == "FailedMount ×3: no volume"  # clocks differ


def test_it_names_its_object_where_several_are_told_of() -> None:
    assert event_line(EVENT, is_named=True) == "FailedMount Pod web-1: no volume"
