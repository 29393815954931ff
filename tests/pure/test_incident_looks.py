"""`incident list`, `status` and `brief`: how incidents stand, from their records, and what is said where one is unknown."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from commands.alertreads import Called
from commands.errors import UsageError
from commands.finding import Finding, Light
from commands.incident import COMMANDS
from commands.ledger import START, sealed
from commands.model import Gap, Inquiry, Section, Seen
from commands.reads import Now
from commands.response.events import Kind, draft, written
from commands.response.incident import Incident
from commands.responsereads import EventsOf, IncidentOf, Incidents, OpenIncidents
from commands.site import ClusterSite
from tests.build import ALICE, BOB, INCIDENT, NOW, given, incident

NAMES = {ALICE.user: "Alice", BOB.user: "Bob"}


def shown(line: str, found: Any, name: str = "", events: Any = ()) -> Section:
    args = replace(given(line).args, name=name) if name else given(line).args
    command = next(each for each in COMMANDS if args.verb in each.verbs)
    (part,) = command.parts(args, ClusterSite()).values()
    answers: dict[type, Any] = {
        Now: NOW, Called: NAMES, IncidentOf: found, OpenIncidents: found, Incidents: found, EventsOf: events,
    }  # fmt: skip
    return read(part.inquiry, answers)


def read(inquiry: Inquiry, answers: dict[type, Any]) -> Section:
    try:
        wanted = next(inquiry)
        while True:
            wanted = inquiry.send(Seen({each: answers[type(each)] for each in wanted}))
    except StopIteration as end:
        section: Section = end.value
        return section


def line(section: Section, label: str) -> Finding:
    return next(each for each in section.findings if each.label == label)


def held(user: str = ALICE.user) -> Any:
    return draft(Kind.ACCEPTED, "took it", role="ic", user=user)


# --- list ---


def test_the_newest_comes_first_with_who_leads_and_where() -> None:
    young = replace(incident(held(), severity="3", title="one node"), id="INC-2026-11-23-002", opened=NOW)
    found = shown("list", (incident(), young))
    assert found.table[1].split()[:3] == ["INC-2026-11-23-002", "3", "declared"] and "Alice" in found.table[1]
    assert "nobody" in found.table[2] and "#inc-20261123-001-checkout" in found.table[2]
    assert (found.light, line(found, "Going on").value) == (Light.RED, "2 incidents going on")


def test_nothing_is_calm_a_drill_is_no_alarm_and_what_is_not_closed_is_counted() -> None:
    assert shown("list", ()).light is Light.GREEN and shown("list", ()).table == ()
    assert shown("list", (incident(drill="yes"),)).light is Light.YELLOW
    resolved = incident(draft(Kind.STATUS, "resolved", to="resolved"))
    assert (
        line(shown("list", (resolved,)), "Going on").value
        == "0 incidents going on, 1 resolved and not closed"
    )


def test_all_of_them_are_asked_for_by_their_time() -> None:
    over = incident(draft(Kind.STATUS, "closed", to="closed"))
    assert line(shown("list --all", (over,)), "Going on").value == "0 incidents going on, 1 in 90 d"


def test_what_was_learned_stands_in_one_list() -> None:
    learned = incident(draft(Kind.FIELD, "…", name="lessons", value="look at the pool first"))
    found = line(shown("list --lessons", (learned, incident())), "Learned")
    assert found.evidence == (f"{INCIDENT} checkout is down: look at the pool first",)
    assert found.value == "1 incident of 2 say what"


def test_a_grave_one_that_is_over_and_taught_nothing_is_named_among_the_lessons() -> None:
    over = draft(Kind.STATUS, "closed", to="closed")
    grave, small, drill = incident(over), incident(over, severity="3"), incident(over, drill="yes")
    found = line(shown("list --lessons", (grave, small, drill)), "Learned")
    assert found.light is Light.YELLOW and found.evidence == (
        f"{grave.id} {grave.title}: nobody wrote it down",
    )


def test_what_is_not_read_is_never_calm() -> None:
    away = Gap("the store does not answer", "see /readyz")
    assert shown("list", away).light is Light.UNKNOWN
    assert shown("status", away, INCIDENT).light is Light.UNKNOWN


# --- status ---


def item(text: str, role: str, minutes: int) -> str:
    due = written(NOW + timedelta(minutes=minutes))
    return json.dumps({"phase": "0-15", "text": text, "role": role, "due": due})


def busy() -> Incident:
    items = draft(Kind.ITEMS, "…", ack=item("Acknowledge", "ops", -4), say=item("First update", "comms", 9))
    begun = draft(Kind.MILESTONE, "…", name="started", at=written(NOW - timedelta(minutes=12)), about="yes")
    alert = draft(
        Kind.ALERT,
        "…",
        group="A1",
        name="Checkout5xx",
        state="firing",
        started=written(NOW - timedelta(minutes=12)),
    )
    paged = draft(Kind.PAGED, "…", id="P1", user=BOB.user, rung="0")
    timer = draft(Kind.TIMER, "…", key="page:P1", due=written(NOW + timedelta(minutes=5)))
    run = draft(Kind.RUN, "…", id="R1A2B", changes="yes")
    scope = draft(Kind.SCOPE, "…", what="bookmarks: the scope bookmarks:write is missing")
    glass = replace(draft(Kind.BROKEN, "…", request="R9", line="node drain n1"), by=ALICE.user)
    return incident(items, begun, alert, paged, timer, run, scope, glass, held())


def test_the_status_says_people_checklist_alerts_calls_changes_and_what_slack_did_not_allow() -> None:
    found = shown("status", busy(), INCIDENT)
    assert found.title == f"{INCIDENT} · checkout is down" and found.light is Light.RED
    assert line(found, "Stands").evidence == ("It has been felt for 12 min.",)
    assert line(found, "People").value == "incident commander: Alice"
    assert line(found, "Checklist").value == "0 of 2 done, 1 late"
    assert line(found, "Checklist").evidence == (
        "4 min late: Acknowledge (operations lead)",
        "in 9 min: First update (communications lead)",
    )
    assert line(found, "Alerts").evidence == ("Checkout5xx for 12 min",)
    assert line(found, "Calls").evidence == ("Bob: no answer; the next one in 5 min",)
    assert line(found, "Changes").evidence == ("R1A2B: in this incident",)
    assert line(found, "Break-glass").light is Light.YELLOW
    assert line(found, "Slack").evidence == ("bookmarks: the scope bookmarks:write is missing",)
    rows = [row.split() for row in found.table[1:]]
    assert [row[0] for row in rows] == ["started", "alerted", "paged", "declared", "commanded"]
    assert rows[0][1] == "about" and rows[0][-3:] == ["12", "min", "ago"]


def test_without_a_commander_it_offers_the_command() -> None:
    people = line(shown("status", incident(), INCIDENT), "People")
    assert people.light is Light.YELLOW and people.suggestions[0].text.startswith("incident assign ic me")


def test_one_that_is_over_alarms_nobody() -> None:
    over = incident(held(), draft(Kind.STATUS, "resolved", to="resolved"))
    assert shown("status", over, INCIDENT).light is Light.GREEN


def test_what_nobody_may_know_of_and_what_is_not_there_look_the_same() -> None:
    found = shown("status", None, "INC-2026-11-23-777")
    assert found.findings[0].value == "there is no such incident" and "777" not in str(found)


@pytest.mark.parametrize("verb", ["status", "brief"])
def test_without_a_name_it_asks_which_one(verb: str) -> None:
    with pytest.raises(UsageError, match="Which one"):
        shown(verb, None)


# --- brief ---


def test_the_brief_says_what_since_when_who_what_was_tried_and_what_is_next() -> None:
    drafts = [draft(Kind.NOTE, "restarted the database"), draft(Kind.TIMER, "not for people", key="x")]
    events = sealed(drafts, START, NOW, ("a", "b"))
    found = shown("brief", busy(), INCIDENT, events)
    assert [each.label for each in found.findings] == [
        "Stands", "People", "What was tried", "Alerts", "What is next",
    ]  # fmt: skip
    assert line(found, "What was tried").evidence == ("08:30 UTC restarted the database",)
    assert line(found, "What is next").evidence[0] == "4 min late: Acknowledge (operations lead)"
    assert line(found, "What is next").light is Light.YELLOW
    assert found == shown("brief", busy(), INCIDENT, events)  # from the record alone, so always the same


def test_where_nothing_was_tried_or_it_could_not_be_read_the_brief_says_so() -> None:
    idle = shown("brief", incident(), INCIDENT)
    assert "What was tried: nothing that the record knows of" in idle.note
    assert "What was tried" not in [each.label for each in idle.findings], "neither good nor bad: no light"
    unread = shown("brief", incident(), INCIDENT, Gap("away"))
    assert line(unread, "What was tried").light is Light.UNKNOWN
