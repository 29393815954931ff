"""Month by month, what is open, and the files of a month."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from alert_history import DARK, HOUR, MINUTE, SITE, lights, line, typed
from incident_history import (
    ALICE,
    BOB,
    DAY,
    at,
    golden,
    golden_changes,
    incident,
    milestone,
    over,
    simple,
    status,
)
from review_world import NOW, given, monthly, review

from commands.alertreads import Called, Matrix, OccurrencePage, Series
from commands.errors import UsageError
from commands.finding import Light
from commands.response.incident import Glass
from commands.response.task import Task

# --- month by month -------------------------------------------------------------------------------


def months(*incidents, **changes):
    return review(
        "review metrics --months 4", Now=datetime(2026, 12, 15, tzinfo=UTC), Incidents=incidents, **changes
    )["months"]


def test_four_months_stand_side_by_side_and_one_without_data_is_blank():
    found = months(*monthly(50, 40, 30))
    header, *rows = found.table
    assert header.split() == ["Sep", "2026", "Oct", "2026", "Nov", "2026", "Dec", "2026", "trend"]
    (restore,) = (row for row in rows if row.startswith("Time to restore"))
    assert restore.split() == [
        "Time",
        "to",
        "restore,",
        "mean",
        "50",
        "min",
        "40",
        "min",
        "30",
        "min",
        "improving",
    ]


@pytest.mark.parametrize(
    ("minutes", "direction"),
    [((50, 40, 30), "Improving"), ((30, 40, 50), "Degrading"), ((40, 40, 41), "Stable")],
)
def test_less_time_to_restore_is_better(minutes, direction):
    assert "Time to restore, mean" in line(months(*monthly(*minutes)), direction).value


def test_what_gets_worse_is_yellow_and_what_nobody_knows_is_unknown():
    found = lights(months(*monthly(30, 40, 50)))
    assert found == {
        "Degrading": Light.YELLOW, "Improving": Light.GREEN, "Stable": Light.GREEN, "Too few months": Light.GREEN,
    }  # fmt: skip
    young = months(*monthly(30, 40, 50), Occurrences=OccurrencePage((), NOW - 35 * DAY))
    assert line(young, "Too few months").light is Light.UNKNOWN


def test_the_curve_has_a_point_for_each_month_that_has_a_number():
    (drawn,) = months(*monthly(50, 40, 30)).attachments
    assert drawn.picture and [value for _, value in drawn.picture.curves[0].points] == [3000, 2400, 1800]
    assert (drawn.picture.threshold, drawn.picture.unit) == (1800, "seconds")
    assert months().attachments == ()


@pytest.mark.parametrize(
    "text", ["--months 1", "--months 13", "--months x", "--months 6 --window 7d", "--window 0d"]
)
def test_what_cannot_be_meant_is_said(text):
    with pytest.raises(UsageError):
        review(f"review metrics {text}")


# --- what is open ---------------------------------------------------------------------------------


def test_what_is_open_is_named_with_how_long():
    still = incident("INC-7", at(30, "20:00:00"), 1, "checkout")
    owed = simple(8, at(28, "00:00:00"), HOUR)
    found = review("review weekly", OpenIncidents=(still, owed))["actions"]
    assert line(found, "Open incidents").evidence == ("INC-7 Sev1 checkout is down, open for 4 h",)
    assert line(found, "Postmortems missing").value == "INC-8"


def test_the_month_shows_where_its_numbers_go():
    now = datetime(2026, 12, 2, tzinfo=UTC)
    found = review("review monthly", Now=now, Incidents=tuple(monthly(30, 40, 50)))
    assert line(found["months"], "Degrading").evidence[0] == "Time to restore, mean: 30 min, 40 min, 50 min"
    assert len(found["months"].attachments) == 1


def test_the_month_has_the_lessons_of_every_grave_incident():
    december = datetime(2026, 12, 2, tzinfo=UTC)
    found = review("review monthly", Now=december, Incidents=golden())["actions"]
    told = line(found, "Lessons")
    assert told.value == "0 of 3 incidents; none yet of A, B, C"
    assert len(told.evidence) == 3


def test_a_private_incident_counts_and_is_named_nowhere():
    begun = at(30, "20:00:00")
    hidden = incident("INC-9", begun, 1, "vault", *over(begun, begun + MINUTE, begun + MINUTE), private="yes")
    found = review("review weekly", OpenIncidents=(hidden,), Incidents=(hidden,))
    assert line(found["operations"], "Time to restore").value == "1 min (n=1)"
    assert line(found["actions"], "Postmortems missing").value == "none"
    assert "vault" not in repr(found) and "INC-9" not in repr(found)


def test_what_one_person_approved_alone_is_in_the_week_until_it_is_reviewed():
    begun = at(30, "20:00:00")
    made = incident("INC-7", begun, 1, "checkout")
    glass = Glass("R1A2B", ALICE, begun, "deploy rollback web")
    seen = replace(glass, request="R2", reviewed=begun, reviewed_by=BOB)
    old = replace(seen, request="R3", at=begun - 60 * DAY)
    hidden = replace(incident("INC-9", begun, 1, "vault", private="yes"), glass=(glass,))
    world = {Called: {ALICE: "alice"}}
    both = given(Incidents=(replace(made, glass=(glass, seen, old)), hidden)) | world
    found = line(typed("review weekly", both)["actions"], "Break-glass")
    assert (found.light, found.value) == (Light.YELLOW, "3 changes approved by one alone, 2 not reviewed")
    assert set(found.evidence) == {
        "INC-7 R1A2B deploy rollback web, by alice: not reviewed",
        "INC-7 R2 deploy rollback web, by alice: reviewed",
        "one in a private incident, by alice: not reviewed",
    }
    well = given(Incidents=(replace(made, glass=(seen,)),)) | world
    assert line(typed("review weekly", well)["actions"], "Break-glass").light is Light.GREEN


def test_a_grave_one_that_was_said_to_be_none_is_in_the_week_with_the_reason():
    begun = at(30, "20:00:00")

    def none(id, severity=1, *, is_touched=True, when=begun + HOUR, **facts):
        worked = (milestone("acknowledged", begun),) if is_touched else ()
        made = incident(id, begun, severity, "vault", *worked, status("false alarm", when), **facts)
        said = replace(made.dismissed, why="the probe was wrong", by=BOB)
        return replace(made, dismissed=said)

    told = none("INC-7")
    mild, untouched, drill = none("INC-8", 3), none("INC-9", is_touched=False), none("INC-10", drill="yes")
    old, hidden = none("INC-11", when=begun - 20 * DAY), none("INC-12", 2, private="yes")
    world = given(Incidents=(told, mild, untouched, drill, old, hidden)) | {Called: {BOB: "bob"}}
    found = line(typed("review weekly", world)["actions"], "Said to be none")
    assert (found.light, found.value) == (Light.YELLOW, "2 grave incidents that somebody was at work on")
    assert set(found.evidence) == {
        "INC-7 Sev1 vault is down: false alarm, says bob: the probe was wrong",
        "a private incident: false alarm",
    }
    others = typed("review weekly", given(Incidents=(mild, untouched)))["actions"]
    assert "Said to be none" not in lights(others)


def action(id, due, **changes):
    made = Task(id, "add an alert", ALICE, due, NOW, NOW, BOB)
    return replace(made, **changes)


def test_actions_are_told_with_owner_and_day_those_that_are_late_first():
    long_ago = date(2026, 11, 1)
    tasks = (
        action("TSK-2", date(2026, 12, 4)), action("TSK-1", date(2026, 11, 28)),
        action("TSK-3", long_ago, is_drill=True), action("TSK-4", long_ago, is_private=True),
        action("TSK-5", long_ago, cluster="other"),
    )  # fmt: skip
    world = given(Tasks=tasks) | {Called: {ALICE: "alice"}}
    found = line(typed("review weekly", world)["actions"], "Actions")
    assert (found.light, found.value) == (Light.YELLOW, "2 open, 1 late")
    assert found.evidence == (
        "TSK-1 add an alert: alice, 3 days late",
        "TSK-2 add an alert: alice, due 04 Dec",
    )


def test_what_is_not_late_is_well_and_what_was_not_read_is_unknown():
    today = action("TSK-2", date(2026, 12, 1))
    assert line(review("review weekly", Tasks=(today,))["actions"], "Actions").light is Light.GREEN
    assert lights(review("review weekly", Tasks=DARK, OpenIncidents=DARK)["actions"]) == {
        "Open incidents": Light.UNKNOWN, "Actions": Light.UNKNOWN,
    }  # fmt: skip


# --- the files of a month -------------------------------------------------------------------------


def export(text="review export --month last", now=datetime(2026, 12, 2, 10, tzinfo=UTC), **changes):
    section = review(text, Now=now, **changes)["export"]
    files = {
        file.name: list(csv.DictReader(io.StringIO(file.content, newline=""))) for file in section.attachments
    }
    return section, files


def test_every_day_has_a_row_for_every_figure_and_gaps_are_empty():
    section, files = export(Incidents=golden())
    rows = files["daily-2026-11.csv"]
    assert line(section, "Figures").value.startswith(
        f"30 days × {len(rows) // 30} figures = {len(rows)} rows"
    )
    restore = {row["day"]: row["value"] for row in rows if row["figure"] == "restore_mean"}
    assert len(restore) == 30
    assert (restore["2026-11-03"], restore["2026-11-20"], restore["2026-11-04"]) == ("2550", "45", "")
    assert not [row for row in rows if row["figure"] == "availability" and row["value"] == "0"]


def test_days_that_prometheus_measured_stand_at_their_day():
    def asked(read):
        ends = datetime(2026, 12, 2, 10, tzinfo=UTC) - read.ago
        points = tuple(((ends - n * DAY).timestamp(), 0.5 + n / 100) for n in range(read.window // DAY + 1))
        return Matrix((Series({}, tuple(reversed(points))),))

    _, files = export(QueryRange=asked)
    found = {
        row["day"]: row["value"] for row in files["daily-2026-11.csv"] if row["figure"] == "availability"
    }
    assert (found["2026-11-30"], found["2026-11-01"]) == ("0.5", "0.79")
    assert all(found.values())


def test_the_numbers_of_the_month_are_exact():
    _, files = export(Incidents=golden(), ChangeOutcomes=golden_changes())
    found = {row["figure"]: (row["value"], row["n"]) for row in files["numbers-2026-11.csv"]}
    assert found["restore_mean"] == ("1548.75", "4")
    assert found["mtbf"] == ("1293225", "2")
    assert found["change_failure"] == ("25", "8")
    assert found["commander_median"] == ("", "0")


def test_every_incident_is_there_and_says_whether_it_has_a_postmortem():
    section, files = export(Incidents=golden())
    found = {row["id"]: row for row in files["incidents-2026-11.csv"]}
    assert list(found) == ["A", "B", "C", "D", "E", "F", "G"]
    assert (found["A"]["restore s"], found["A"]["caused by"], found["A"]["postmortem"]) == (
        "2550", "CR-2026-11-03-001", "missing",
    )  # fmt: skip
    assert (found["E"]["left out"], found["F"]["left out"], found["G"]["resolved"]) == ("drill", "merged", "")
    assert line(section, "Incidents").light is Light.YELLOW


def test_no_title_is_a_formula_and_a_private_incident_has_none():
    made = incident("INC-1", at(20, "10:00:00"), 1, '=HYPERLINK("evil"),x')
    private = incident("INC-2", at(20, "10:00:00"), 1, "vault", private="yes")
    _, files = export(Incidents=(made, private))
    first, second = files["incidents-2026-11.csv"]
    assert first["title"] == '\'=HYPERLINK("evil"),x is down'
    assert (second["id"], second["title"], second["service"]) == ("private 1", "", "")


def test_what_was_not_read_is_named_beside_the_files():
    section, _ = export(Incidents=DARK, QueryRange=DARK)
    assert (lights(section)["Incidents"], line(section, "Prometheus").light) == (Light.UNKNOWN, Light.UNKNOWN)


@pytest.mark.parametrize(
    ("text", "name"), [("--month 2026-02", "daily-2026-02.csv"), ("", "daily-2026-11.csv")]
)
def test_a_month_is_chosen_by_its_name(text, name):
    _, files = export(f"review export {text}".strip())
    assert name in files


def test_a_month_that_has_not_begun_has_no_files():
    section, files = export("review export --month 2027-01")
    assert (files, section.light) == ({}, Light.UNKNOWN)


def test_a_month_nobody_knows_is_refused():
    with pytest.raises(UsageError):
        export("review export --month november")


@pytest.mark.parametrize("bucket", ["", "shop-backups"])
def test_the_files_go_to_the_bucket_where_there_is_one(bucket):
    site = replace(SITE, backup=replace(SITE.backup, bucket=bucket))
    found = typed("review export", given(), site)["export"]
    assert {file.keep_in_bucket for file in found.attachments} == {bool(bucket)}
