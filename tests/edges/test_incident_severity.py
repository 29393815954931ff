"""What follows when an incident becomes graver, less grave, or is opened again: its lines, its phases, its reminders."""

from datetime import timedelta

import pytest

from bot.state import State
from commands.ledger import faults
from commands.response import fold
from commands.response.events import Kind
from commands.response.incident import Item, ItemState
from tests.build import ALICE
from tests.edges.test_incident_clock import MINUTE, Clock


class Grave(Clock):
    def severity(self, to: int) -> None:
        self.add(Kind.SEVERITY, f"it is a Sev{to}", ALICE.user, to=str(to))

    def status(self, to: str) -> None:
        self.add(Kind.STATUS, to, ALICE.user, to=to)

    def open_lines(self) -> dict[str, Item]:
        return {i.key: i for i in self.incident(self.id).items if i.state is ItemState.OPEN}

    def waiting(self) -> dict[str, float]:
        """The timers that wait, by the minutes from now on."""
        timers = self.incident(self.id).timers
        return {timer.key: (timer.due - self.now) / MINUTE for timer in timers if timer.fired is None}


@pytest.fixture
def grave(state: State) -> Grave:
    return Grave(state)


def test_what_was_left_out_of_a_small_one_is_asked_again_of_a_grave_one(grave: Grave) -> None:
    grave.begin("sev1 checkout is down")
    before = grave.open_lines()
    grave.type(f'incident skip case --why "AWS is not involved" --incident {grave.id}')
    grave.severity(4)
    assert set(grave.open_lines()) == {"ack", "facts"}
    grave.severity(1)
    assert grave.open_lines() == {key: item for key, item in before.items() if key != "case"}
    assert {f"item:{key}" for key in before} - {"item:case"} <= set(grave.waiting())


def test_one_that_becomes_grave_after_hours_is_timed_from_then_on(grave: Grave) -> None:
    grave.begin("sev3 checkout is slow")
    grave.lead()
    grave.wait(120, step=5)
    grave.severity(1)
    waiting = grave.waiting()
    assert (waiting["item:roles"], waiting["phase:immediate"], waiting["quiet:ask"]) == (10, 15, 30)
    assert not [text for _, text in grave.wait(60) if "was due" in text]


def test_one_that_is_less_grave_is_not_listened_to_any_more(grave: Grave) -> None:
    grave.begin("sev1 checkout is down")
    grave.lead()
    assert {"quiet:ask", "phase:immediate"} <= set(grave.waiting())
    grave.severity(3)
    assert not [key for key in grave.waiting() if key.startswith(("quiet:", "phase:"))]


def test_whoever_corrects_the_severity_of_one_that_has_ended_is_not_asked_to_lead_it(grave: Grave) -> None:
    grave.begin("sev3 checkout is slow")
    grave.lead()
    grave.status("resolved")
    grave.severity(1)
    assert set(grave.open_lines()) == {"draft", "milestones", "published", "actions"}
    assert set(grave.waiting()) == {"item:draft", "item:milestones", "item:published", "item:actions"}
    grave.status("closed")
    grave.severity(2)
    assert grave.waiting() == {}


def test_one_that_is_opened_again_is_told_of_as_before(grave: Grave) -> None:
    grave.begin("sev1 checkout is down")
    grave.lead()
    grave.status("resolved")
    grave.later(minutes=10)
    grave.add(Kind.REOPENED, "it fails again", ALICE.user, why="it fails again")
    waiting = grave.waiting()
    assert (waiting["update:due"], waiting["quiet:ask"]) == (15, 30)


def test_a_severity_that_flaps_a_hundred_times_leaves_one_list_and_one_timer_a_line(grave: Grave) -> None:
    grave.begin("sev1 checkout is down")
    first = grave.incident(grave.id)
    for number in range(100):
        grave.severity(4 if number % 2 == 0 else 1)
    incident, events = grave.incident(grave.id), grave.records.events(grave.id)
    assert {item.key: item.due for item in incident.items} == {item.key: item.due for item in first.items}
    assert {timer.key for timer in incident.timers} == {timer.key for timer in first.timers}
    assert len(events) < 100 * 40
    assert fold.fold(grave.id, events) == incident and faults(events, incident.head, {}) == ()


def test_what_is_wrong_with_one_record_does_not_stop_the_clock_of_another(grave: Grave) -> None:
    broken = grave.begin("sev1 checkout is down")
    grave.later(seconds=1)
    grave.begin("sev1 login fails")
    grave.state.redis.hset(f"sre:incident:{broken}", "body", b"{}")
    grave.state.redis.delete(f"sre:events:{broken}")
    told = [text for _, text in grave.wait(2)]
    assert [text for text in told if "somebody is on it" in text]
    assert grave.records.due(grave.now - timedelta(minutes=1))[0] == f"incident:{broken}"
