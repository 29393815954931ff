"""The postmortem of an incident: a document of its record alone, with what people wrote in it, and no section empty."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postmortem_world import (
    BOB,
    CAROL,
    about,
    declared,
    drafted,
    facts,
    message,
    milestone,
    recorded,
    said,
    section,
    task,
    whole,
)

from commands.ledger import Draft
from commands.model import Gap
from commands.postmortem.document import document
from commands.postmortem.people import SECTIONS
from commands.response.events import Kind
from commands.response.incident import Incident, Milestone
from commands.response.task import TaskState

GOLDEN = Path(__file__).parent.parent / "golden"
LESSONS = "Every pool has a limit.\n\n- and an *alert* on it  \n\t`max: 20`"


def golden(name: str, text: str) -> None:
    """UPDATE_GOLDEN=1 writes them anew; look at the difference before you commit it."""
    file = GOLDEN / f"{name}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text(), f"{file.name} is stale; see CONTRIBUTING.md"


def sections(text: str) -> dict[str, str]:
    """What stands under each heading."""
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    bodies = re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]
    return dict(zip(titles, (body.strip() for body in bodies), strict=True))


def of(*drafts: Draft, **changes: Any) -> dict[str, str]:
    return sections(document(facts(*drafts, **changes)))


def test_a_whole_sev1_as_it_was_drafted() -> None:
    written = (section("lessons", LESSONS), section("factors", "The pool had no limit."))
    golden("postmortem-sev1", document(facts(*whole(), *written, tasks=(task(),))))


def test_a_drill_of_which_little_is_known_as_it_was_drafted() -> None:
    ended = said(Kind.STATUS, 30, "resolved", BOB, to="resolved")
    golden("postmortem-drill", document(facts(declared("2", drill="yes", service=""), ended)))


def test_the_same_record_gives_the_same_text() -> None:
    assert document(facts(*whole())) == document(facts(*whole()))


# --- people ---------------------------------------------------------------------------------------


def test_people_are_called_by_their_roles_and_never_by_name() -> None:
    text = document(
        facts(
            *whole(), message(91, "thanks <@U0BOB000001|bob> and @Alice, Bobby too", "1.3"), tasks=(task(),)
        )
    )
    assert not re.search(r"Alice|Bob\b|Carol|U0[A-Z]+\d", text)
    assert "thanks incident commander and responder 1, Bobby too" in text
    assert "operations lead, due 2026-12-01" in sections(text)["Actions"]


def test_a_second_commander_is_told_from_the_first() -> None:
    relieved = said(Kind.ACCEPTED, 60, "takes command", CAROL, role="ic", user=CAROL)
    assert "incident commander 2: takes command" in of(*whole(), relieved)["Timeline"]


def test_what_nobody_wrote_says_who_is_to_write_it_and_how() -> None:
    text = of(*whole())["Lessons"]
    assert "To be written by the incident commander: `/sre incident postmortem --lessons`" in text


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_what_people_wrote_stands_in_every_later_draft_byte_for_byte(name: str) -> None:
    before = (*whole(), section(name, LESSONS))
    later = (
        *before,
        drafted(20),
        message(140, "one thing more", "1.9"),
        milestone("detected", 1),
        drafted(30),
    )
    region = f"<!-- {name}: written by people -->\n{LESSONS}\n<!-- end of {name} -->"
    assert region in document(facts(*before)) and region in document(facts(*later))


def test_what_is_written_anew_takes_the_place_of_what_stood_there() -> None:
    text = document(facts(*whole(), section("well", "first"), section("well", "second")))
    assert "second" in text and "first" not in sections(text)["What went well"]


def test_lessons_that_were_set_elsewhere_are_the_same_lessons() -> None:
    elsewhere = said(Kind.FIELD, 121, "lessons", BOB, name="lessons", value="limit pools")
    assert "limit pools" in of(*whole(), section("lessons", "old"), elsewhere)["Lessons"]


# --- what the record says -------------------------------------------------------------------------


def test_what_was_deleted_in_slack_is_left_out_until_the_commander_lets_it_in() -> None:
    closed = of(*whole())["Timeline"]
    assert (
        "password is wrong" not in closed and "Left out: 1 message that somebody deleted in Slack" in closed
    )
    opened = of(*whole(), said(Kind.REPORT, 121, "let in", BOB, step="deleted"))["Timeline"]
    assert "password is wrong" in opened and "Left out" not in opened


def test_an_edited_message_stands_there_as_it_was_last_said() -> None:
    told = of(*whole())["Timeline"]
    assert "pool is exhausted since v2.0" in told and "edited ×1" in told


def test_the_clock_and_the_checklist_are_no_part_of_what_happened() -> None:
    noise = (
        said(Kind.TIMER, 10, "item:ack is due", key="item:ack"),
        said(Kind.NUDGE, 11, "⏰ due now"),
        said(Kind.ITEM, 12, "a line: done by evidence", key="ack", state="done by evidence"),
        said(Kind.JOINED, 12, "joined", CAROL, user=CAROL),
        said(Kind.RUN, 13, "asked for `debug layers`", CAROL, id="R9", state="submitted"),
        said(
            Kind.RUN,
            95,
            "`incident postmortem` is yellow",
            id="F1",
            state="answered",
            line="incident postmortem X",
        ),
    )
    assert of(*whole(), *noise)["Timeline"] == of(*whole())["Timeline"]


def test_time_in_each_severity_adds_up_to_the_time_it_took() -> None:
    assert "Sev1 24 min, Sev2 1 h" in of(*whole())["Impact"]


def test_one_that_was_opened_again_was_felt_for_the_union_of_its_stretches() -> None:
    again = (
        said(Kind.REOPENED, 100, "opened again", BOB),
        said(Kind.STATUS, 110, "mitigated", BOB, to="mitigated"),
        said(Kind.STATUS, 120, "resolved", BOB, to="resolved"),
    )
    impact = of(*whole(), *again)["Impact"]
    assert "Felt for: 52 min (3,150 s)" in impact and impact.count(" to 2026-11-23") == 2


def test_a_missing_milestone_is_named_with_the_line_that_sets_it() -> None:
    bare = [each for each in whole() if each.facts.get("name") != "identified"]
    found = of(*bare)
    assert "| identified | **missing** | `/sre incident set identified 14:02` |" in found["Milestones"]
    assert "`identified`" in found["Before it is published"]


def test_an_inverted_pair_is_named() -> None:
    found = of(*whole(), milestone("mitigated", -5))
    assert "`started` is later than `mitigated`" in found["Milestones"]
    assert "`started` is later than `mitigated`" in found["Before it is published"]
    assert "unknown: the second lies before the first" in found["Numbers"]


def test_an_incident_without_an_alert_is_a_gap_that_owes_an_action() -> None:
    silent = [each for each in whole() if each.kind != Kind.ALERT]
    found = of(*silent)
    assert "**gap**: no alert told of it" in found["Detection"] and "incident action" in found["Detection"]
    assert "no alert" in found["What went badly"]


def test_changes_that_were_seen_and_made_stand_with_the_cause() -> None:
    changed = of(*whole())["What changed"]
    assert "Cause: CR-2026-11-23-004 (confirmed)" in changed
    assert "image v2.0" in changed and "deploy rollback checkout" in changed


@pytest.mark.parametrize(
    ("facts_of", "is_there"),
    [({"security": "yes"}, True), ({"title": "data loss in orders"}, True), ({}, False)],
)
def test_a_data_loss_has_a_section_with_scope_rpo_and_rto(facts_of: dict[str, str], is_there: bool) -> None:
    found = of(declared(**facts_of), *whole()[1:])
    assert ("Data loss" in found) is is_there
    assert ("RTO by the record: 42 min" in found.get("Data loss", "")) is is_there


def test_actions_that_could_not_be_read_are_unknown_and_not_none() -> None:
    made = replace(facts(*whole()), tasks=Gap("the store does not answer"))
    assert "Unknown" in sections(document(made))["Actions"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "- [ ] TSK-2026-11-23-001 limit every pool: operations lead, due 2026-12-01"),
        ({"state": TaskState.DONE}, "- [x] TSK-2026-11-23-001 limit every pool: operations lead, due 2026-12-01, done"),
        ({"state": TaskState.SKIPPED, "why": "moot"}, "- [-] TSK-2026-11-23-001 limit every pool: operations lead, due "
         "2026-12-01, left out: moot"),
    ],
)  # fmt: skip
def test_an_action_has_its_owner_its_day_and_how_it_stands(changes: dict[str, Any], line: str) -> None:
    assert of(*whole(), tasks=(task(**changes),))["Actions"] == line


def test_why_nothing_follows_stands_where_the_actions_would() -> None:
    none = said(Kind.TASK, 100, "no action", BOB, why="the vendor mends it")
    assert of(*whole(), none)["Actions"] == "None: the vendor mends it"


def test_text_of_anybody_is_no_markup() -> None:
    told = of(*whole(), message(95, "# owned\n## Lessons\n<!-- x --> [a](b) | c", "1.8"))
    assert "\\# owned \\#\\# Lessons \\<!-- x --\\> \\[a\\](b) \\| c" in told["Timeline"]
    assert "To be written" in told["Lessons"]


# --- no section empty -----------------------------------------------------------------------------

_TEXT = st.text(max_size=40)
_WHEN = st.floats(-60, 600)
_ANY = st.one_of(
    st.builds(lambda w, t: said(Kind.NOTE, w, t, BOB), _WHEN, _TEXT),
    st.builds(lambda w, t: message(w, t, "7.7"), _WHEN, _TEXT),
    st.builds(lambda w: about(Kind.REMOVED, w, "7.7"), _WHEN),
    st.builds(lambda w, s: said(Kind.SEVERITY, w, "sev", BOB, to=str(s)), _WHEN, st.integers(1, 4)),
    st.builds(lambda w, n: milestone(n.value, w), _WHEN, st.sampled_from(Milestone)),
    st.builds(lambda w, s: said(Kind.STATUS, w, s, BOB, to=s), _WHEN, st.sampled_from(["mitigated", "resolved"])),
    st.builds(lambda w: said(Kind.REOPENED, w, "again", BOB), _WHEN),
    st.builds(lambda n, t: section(n, t), st.sampled_from(sorted(SECTIONS)), _TEXT),
    st.builds(lambda w, r: said(Kind.ACCEPTED, w, "takes it", BOB, role=r, user=BOB), _WHEN,
              st.sampled_from(["ic", "ops", "comms"])),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(_ANY, max_size=12), st.sampled_from(["1", "3"]))
def test_no_section_is_ever_empty(drafts: list[Draft], severity: str) -> None:
    made = facts(declared(severity), *drafts)
    text = re.sub(
        r"<!-- (\w+): written by people -->.*?<!-- end of \1 -->", "(people)", document(made), flags=re.DOTALL
    )
    found = sections(text)
    assert {
        "Summary",
        "Impact",
        "Timeline",
        "Milestones",
        "Numbers",
        "Actions",
        "Responders",
        "Lessons",
    } <= set(found)
    assert all(found.values())


# --- the record -----------------------------------------------------------------------------------


def test_a_draft_is_stale_once_somebody_has_written_or_corrected_something() -> None:
    def moved(*more: Draft) -> bool:
        incident: Incident = recorded(*whole(), drafted(len(whole())), *more)[0]
        return incident.report.moved > incident.report.seq

    assert not moved() and not moved(said(Kind.RUN, 140, "asked", CAROL, id="R2", state="answered"))
    assert (
        moved(section("lessons", "x")) and moved(milestone("started", 1)) and moved(message(140, "x", "1.7"))
    )
