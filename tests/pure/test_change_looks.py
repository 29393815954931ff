"""What is shown of change requests: the list, one of them, its samples, and what is looked at afterwards."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from commands.alertreads import Called
from commands.changes.after import validation, watched
from commands.changes.looks import listed, shown
from commands.changewatch import announcement, complain, on_page, troubled, way_back
from commands.finding import Light
from commands.model import Gap, Read, Section, Seen
from commands.reads import Endpoints, EndpointView, Now, Pods, PodSurvey
from commands.response.changeevents import Kind, draft, line_facts
from commands.response.changerequest import Agreed, Checked, Stage
from commands.responsereads import ChangeBaseline, ChangeRequestOf, ChangeRequests, ChangeSamples
from commands.site import ClusterSite, Site, Team
from tests.build import ALICE, BOB, NOW
from tests.pure.change_world import ID, change, standing
from tests.pure.watch_world import baseline, row

CLUSTER = ClusterSite()
GAP = Gap("the bot's own store does not answer")


def drive(asked: Generator[Any, Any, Section], answers: Mapping[type[Read], Any]) -> Section:
    try:
        reads = next(asked)
        while True:
            reads = asked.send(Seen({read: answers.get(type(read), GAP) for read in reads}))
    except StopIteration as end:
        section: Section = end.value
        return section


def test_the_list_is_in_the_order_in_which_they_begin() -> None:
    later = replace(standing(Stage.APPROVED, at=NOW + timedelta(days=1)), id="CR-2")
    section = drive(listed(CLUSTER), {ChangeRequests: (later, standing(Stage.EXECUTING))})
    assert [line.split()[0] for line in section.table] == ["ID", ID, "CR-2"]
    assert section.findings[0].evidence == (f"{ID} is executing: checkout 2.0",)
    assert drive(listed(CLUSTER), {ChangeRequests: ()}).findings[0].value == "none is open or coming"
    assert drive(listed(CLUSTER), {}).light is Light.UNKNOWN


def test_one_is_shown_with_all_that_an_approval_is_given_to() -> None:
    told = draft(
        Kind.CHECKED, "x", digest="d", **line_facts((Checked("backup", "Backup", Light.UNKNOWN, "none"),))
    )
    tick = replace(draft(Kind.TICKED, "x", item="backup", state="skipped", note="no data"), by=BOB.user)
    section = drive(shown(ID), {ChangeRequestOf: standing(Stage.PENDING, told, tick)})
    words = " ".join(fact for finding in section.findings for fact in (finding.value, *finding.evidence))
    for said in ("fixes the lost orders", "deploy rollback backend", "switch the flag", "version 1"):
        assert said in words
    assert f"let go by {BOB.user}: no data" in words
    assert drive(shown(ID), {ChangeRequestOf: None}).light is Light.UNKNOWN


@pytest.mark.parametrize(
    ("letters", "light"),
    [("...", Light.GREEN), (".x.", Light.YELLOW), ("xx", Light.RED), ("#####", Light.UNKNOWN)],
)
def test_watching_shows_every_sample_and_what_they_come_to(letters: str, light: Light) -> None:
    running = replace(standing(Stage.EXECUTING), samples=len(letters))
    section = drive(watched(ID, CLUSTER), {ChangeRequestOf: running, ChangeSamples: row(letters)})
    assert section.findings[0].light is light
    assert len(section.findings[0].evidence) == len(letters)


def test_what_was_never_begun_is_not_watched() -> None:
    section = drive(watched(ID, CLUSTER), {ChangeRequestOf: standing(Stage.PENDING), ChangeSamples: ()})
    assert "watched once it begins" in section.findings[0].value
    assert drive(watched(ID, CLUSTER), {}).light is Light.UNKNOWN


def validated(**answers: Any) -> Section:
    told = {
        Now: NOW, ChangeRequestOf: standing(Stage.VALIDATING), ChangeBaseline: {"backend": baseline()},
        Pods: PodSurvey(3, {"Running": 3}, (), 0), Endpoints: (EndpointView("10.0.0.1", "a", True),),
    }  # fmt: skip
    return drive(validation(ID, CLUSTER), {**told, **answers.get("other", {})})


def test_validation_has_the_six_lines_and_what_was_not_read_is_unknown() -> None:
    lights = {finding.label: finding.light for finding in validated().findings}
    assert lights["Endpoints of backend-service"] is lights["Pods"] is Light.GREEN
    assert lights["Errors"] is lights["p95"] is lights["User acceptance"] is Light.UNKNOWN


def test_nobody_behind_the_service_is_red() -> None:
    away = validated(other={Endpoints: (EndpointView("10.0.0.1", "a", False),)})
    assert away.findings[0].light is Light.RED
    accepted = standing(Stage.VALIDATING, draft(Kind.TICKED, "x", item="uat", state="done"))
    assert validated(other={ChangeRequestOf: accepted}).findings[-1].light is Light.GREEN
    assert any("no baseline was frozen" in f.value for f in validated(other={ChangeBaseline: None}).findings)


# --- What becomes of it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "people", "is_enough"),
    [
        ((0, 1, 2), "abc", True),
        ((0, 1, 2), "aab", False),
        ((0, 5, 10), "abc", True),
        ((0, 5, 11), "abc", False),
        ((0, 1, 2), "abB", False),  # b has two ids
    ],
)
def test_three_people_within_ten_minutes_are_enough(
    minutes: tuple[int, ...], people: str, is_enough: bool
) -> None:
    reports = tuple((who, NOW + timedelta(minutes=n)) for who, n in zip(people, minutes, strict=True))
    told = replace(standing(Stage.EXECUTING), reports=reports)
    site = Site(team=Team(people={"b": ("b", "B")}))
    assert complain(told, site, NOW + timedelta(minutes=11)) is is_enough


def test_people_are_called_by_their_names_where_the_bot_knows_them() -> None:
    ticked = draft(Kind.TICKED, "x", item="uat", state="done")
    reports = ((BOB.user, NOW),)
    told = replace(
        standing(Stage.VALIDATING, ticked), by=ALICE.user, agreed=(Agreed(BOB.user, NOW),), reports=reports
    )
    names = {ALICE.user: "Alice Ada", BOB.user: "Bob Bee"}
    for look in (shown(ID), watched(ID, CLUSTER)):
        said = str(drive(look, {ChangeRequestOf: told, ChangeSamples: (), Called: names}))
        assert "Bob Bee" in said and BOB.user not in said and ALICE.user not in said


def test_the_way_back_is_the_line_of_the_plan_with_the_reason_that_links_it() -> None:
    failed = replace(standing(Stage.ROLLING_BACK), verdict_why="errors 3 %")
    assert way_back(failed) == f'deploy rollback backend --why "{ID} rollback: errors 3 %"'
    assert way_back(standing(Stage.ROLLING_BACK, rollback="somebody does it by hand")) == ""


def test_stakeholders_read_when_and_for_how_long_and_not_who_asked() -> None:
    asked = change()
    said = announcement(asked, "Europe/Berlin")
    assert "Monday 2026-11-23 09:30 to 10:00 (Europe/Berlin)" in said and "may feel it for 30 min" in said
    assert ALICE.user not in said + str(on_page(asked))
    assert "Users will feel nothing" in announcement(change(duration=None), "UTC")
    over_midnight = change(at=NOW.replace(hour=22, minute=30), duration=timedelta(hours=2))
    assert "Monday 2026-11-23 23:30 to Tuesday 2026-11-24 01:30" in announcement(
        over_midnight, "Europe/Berlin"
    )


def test_times_of_incidents_are_left_out_of_a_baseline() -> None:
    assert troubled(change(), (), NOW) == ()
