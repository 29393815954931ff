"""When the cause of an alert group is looked for, when anew, and how its thread shows that it was."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot import alertcause
from bot.alertthread import triage as told
from commands.finding import Finding, Light
from commands.model import Alert, AlertGroup, Section, Severity, State
from tests import build
from tests.alert_cards import CAUSE_PART, GRAPH_PART, LIST_PART, after, alert, group, triage

BEFORE = build.NOW + timedelta(minutes=5)  # when it was looked at last
LATER = BEFORE + timedelta(minutes=3)


def heard(pod: str, at: datetime = build.NOW, *, is_over: bool = False, begun: int = 0) -> Alert:
    made = alert(pod, ends_after=timedelta(minutes=8) if is_over else None)
    return replace(made, starts_at=build.NOW + timedelta(seconds=begun), heard=at)


FIRST, SECOND = heard("web-1"), heard("web-2", begun=30)
OTHERS: dict[str, tuple[AlertGroup, bool]] = {
    "nothing happened": (group(FIRST, SECOND), False),
    "it only says so again": (group(FIRST, repeats=3, heard=LATER), False),
    "another fires as well": (group(FIRST, heard("web-2", LATER)), True),
    "it fires again": (group(replace(FIRST, heard=LATER)), True),
    "another is over": (group(FIRST, heard("web-2", LATER, is_over=True, begun=30)), False),
    "what it was about is over": (group(heard("web-1", LATER, is_over=True), SECOND), True),
    "all is over": (group(heard("web-1", LATER, is_over=True)), False),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_cause_is_possible_when_something_else_fires(case: str) -> None:
    found, is_other = OTHERS[case]
    assert alertcause.is_other(found, BEFORE) is is_other


def test_it_is_looked_for_at_the_beginning_when_it_gets_critical_and_when_it_is_another_matter() -> None:
    calm = group(FIRST, updated=BEFORE, severity=Severity.WARNING)
    other = replace(calm, alerts=(FIRST, heard("web-2", LATER)), updated=LATER)
    assert alertcause.is_worth_triage(None, calm)
    assert alertcause.is_worth_triage(calm, replace(calm, episode=2))
    assert alertcause.is_worth_triage(calm, replace(calm, severity=Severity.CRITICAL))
    assert alertcause.is_worth_triage(calm, other)
    assert not alertcause.is_worth_triage(calm, replace(calm, repeats=1))
    assert not alertcause.is_worth_triage(calm, replace(other, storm="STTEST001"))
    assert not alertcause.is_worth_triage(calm, replace(other, cluster=""))


def test_a_cause_stands_meanwhile_where_it_is_about_the_same_alert() -> None:
    both = group(FIRST, SECOND)
    assert alertcause.keeps(group(FIRST), both)
    assert not alertcause.keeps(both, group(heard("web-1", LATER, is_over=True), SECOND))
    assert not alertcause.keeps(group(heard("web-1", is_over=True)), group(FIRST))


def test_it_is_asked_anew_as_the_same_request_and_no_more_than_once_a_minute() -> None:
    old = triage(CAUSE_PART, state=State.FAILED, reference="E2345678", finished=after(seconds=20))
    new = alertcause.anew(old, LATER)
    assert (new.id, new.place, new.state, new.created) == (old.id, old.place, State.READING, LATER)
    assert (new.finished, new.reference, new.again) == (None, "", True)
    assert new.sections == (replace(CAUSE_PART, done=False),)
    waits = [alertcause.wait(old, build.NOW + timedelta(seconds=n)).total_seconds() for n in (0, 20, 60, 900)]
    assert waits == [60, 40, 0, 0]


# --- its thread -----------------------------------------------------------------------------------


def keys(*sections: Section, again: bool = True) -> list[str]:
    return [message.key for message in told(triage(*sections, again=again)) if not message.only_edit]


def test_what_was_found_stands_in_the_thread_until_it_is_read_again() -> None:
    old = triage(CAUSE_PART, GRAPH_PART, LIST_PART)
    waiting = alertcause.anew(old, LATER)
    assert [each for each in told(waiting) if not each.only_edit] == list(told(old))


def test_what_is_found_anew_takes_the_place_of_what_was_said_and_stands_beside_no_file() -> None:
    """Slack edits no comment of a file."""
    assert keys(CAUSE_PART, again=False) == keys(CAUSE_PART) == ["section:cause"]
    listed = Section(
        "list", "All", True, (Finding("k", "By node", Light.YELLOW, "2"),), attachments=LIST_PART.attachments
    )
    assert keys(listed, again=False) == ["file:list:0"]
    assert keys(listed) == ["section:list", "file:list:0"]


def test_what_is_not_found_any_more_is_taken_back_where_it_was_said() -> None:
    gone = Section("context", "What changed", True)
    (edit,) = (each for each in told(triage(gone, again=True)) if each.key == "section:context")
    assert edit.only_edit and edit.text == "What changed: nothing any more"
    assert told(triage(gone)) == ()


def test_that_a_diagnosis_failed_is_taken_back_when_it_is_made_anew() -> None:
    failed = triage(CAUSE_PART, state=State.FAILED, reference="E2345678")
    assert "failed" in [each.key for each in told(failed) if not each.only_edit]
    (edit,) = (each for each in told(alertcause.anew(failed, LATER)) if each.key == "failed")
    assert edit.only_edit and "made anew" in edit.text
