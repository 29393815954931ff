"""The reviews: what a reader sees of the numbers, what they say where something is missing, and the files of a month."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from alert_history import DARK, FALSE, HOUR, INFO, MINUTE, SITE, TRUE, lights, line, occurrence, typed
from alert_history import NOW as ALERTS_NOW
from incident_history import (
    ALICE,
    BOB,
    DAY,
    answered,
    at,
    blamed,
    change,
    golden,
    golden_changes,
    incident,
    milestone,
    over,
    paged,
    simple,
    status,
)

from commands.alertreads import Called, Matrix, OccurrencePage, Occurrences, QueryRange, Series
from commands.errors import UsageError
from commands.finding import Light
from commands.model import Gap
from commands.reads import Now, Query, Sample, Vector, Whoami, WhoamiView
from commands.response.task import Task
from commands.responsereads import (
    ChangeOutcomes,
    CommandCount,
    CommandCounts,
    CommandPage,
    Duty,
    HouseZone,
    Incidents,
    OnCallTurns,
    OpenIncidents,
    Outcome,
    Tasks,
    Turn,
)
from commands.triagereads import Changes, ChangeSeen, ChangesSeen

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LONG_AGO = NOW - 400 * DAY


def point(value: float) -> Matrix:
    return Matrix((Series({}, ((NOW.timestamp(), value),)),))


def measured(read: QueryRange) -> Matrix:
    """A service that is well, measured in every hour."""
    if read.expr.startswith("count_over_time"):
        return point(10_000)
    if "histogram_quantile" in read.expr:
        return point(0.150)
    return point(0.0005) if "1 - " not in read.expr and "_total" in read.expr else point(0.9995)


def given(**changes):
    """A quiet house whose sources all answer."""
    world = {
        Now: NOW,
        HouseZone: "UTC",
        Incidents: (),
        OpenIncidents: (),
        Tasks: (),
        ChangeOutcomes: (),
        CommandCounts: lambda read: CommandPage((), read.start),
        OnCallTurns: lambda read: Duty((Turn(ALICE, read.start, read.end),), "UTC"),
        Occurrences: OccurrencePage((), LONG_AGO),
        Changes: ChangesSeen(()),
        QueryRange: measured,
        Query: Vector((Sample({}, 0.0),)),
    }
    named = {read.__name__: read for read in world}
    return world | {named[name]: answer for name, answer in changes.items()}


def review(text="review metrics", **changes):
    return typed(text, given(**changes))


def operations(*incidents, **changes):
    return review(Incidents=incidents, **changes)["operations"]


def cards(*made):
    """Alerts as if it were now what it is in their history."""
    moved = [replace(o, starts_at=o.starts_at + (NOW - ALERTS_NOW),
                     ends_at=o.ends_at and o.ends_at + (NOW - ALERTS_NOW)) for o in made]  # fmt: skip
    return OccurrencePage(tuple(sorted(moved, key=lambda o: o.starts_at)), LONG_AGO)


# --- the golden month as people read it -----------------------------------------------------------


def test_the_golden_month_in_four_lines():
    found = operations(*golden(), ChangeOutcomes=golden_changes())
    assert [(each.light, each.label, each.value) for each in found.findings] == [
        (Light.GREEN, "Time to restore", "mean 25 min 49 s, median 30 min, p90 42 min 30 s (n=4)"),
        (
            Light.GREEN,
            "Time between failures",
            "checkout 359 h 13 min 45 s (2 failures, down 1 h 32 min 30 s)",
        ),
        (Light.RED, "Change failure rate", "25.0 % (2 of 8)"),
        (Light.YELLOW, "Incidents without an alert in time", "1 of 4 (25.0 %), 1 fired, but silenced"),
    ]
    assert found.note == "4 incidents resolved · left out: drill 1; merged 1 · still open: 1"


def test_every_other_time_of_it_stands_beneath():
    assert line(operations(*golden()), "Time to restore").evidence == (
        "still open, in no mean: G",
        "Time to resolve: mean 42 min 30 s, median 37 min 30 s, p90 1 h 30 min (n=4)",
        "Time to respond (alert to acknowledgement): mean 2 min 8 s, median 2 min 8 s, p90 2 min 35 s (n=2)",
        "Page to acknowledgement: mean 2 min, median 2 min, p90 2 min 30 s (n=2); 1 page not answered",
    )


def test_a_quiet_month_has_none_and_no_zeros():
    found = review()
    said = {each.label: (each.light, each.value) for section in found.values() for each in section.findings}
    assert said["Time to restore"] == (Light.GREEN, "none: no incident was resolved")
    assert said["Time between failures"] == (Light.GREEN, "no failure in at least 720 h")
    assert said["Change failure rate"] == (Light.GREEN, "none: nothing was changed")
    assert said["Alert noise"] == (Light.GREEN, "none: no alert was told")
    assert said["Done by hand again and again"] == (Light.GREEN, "none: nothing was done twice")


# --- time to restore ------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "light"), [(29.99, Light.GREEN), (30, Light.RED)])
def test_the_target_is_half_an_hour(minutes, light):
    found = operations(simple(1, at(20, "10:00:00"), minutes * MINUTE))
    assert line(found, "Time to restore").light is light


def test_thirty_five_minutes_are_red_and_the_median_is_shown():
    found = operations(simple(1, at(20, "10:00:00"), 20 * MINUTE), simple(2, at(21, "10:00:00"), 50 * MINUTE))
    assert line(found, "Time to restore").value.startswith("mean 35 min, median 35 min")


def test_an_arrow_says_how_it_was_before():
    older = simple(1, at(1, "00:00:00") - 5 * DAY, HOUR)
    found = line(operations(older, simple(2, at(20, "10:00:00"), 20 * MINUTE)), "Time to restore")
    assert found.value == "20 min (n=1) ↓ from 1 h"


def test_what_lacks_its_times_makes_a_good_mean_unknown():
    bare = incident("INC-7", at(20, "10:00:00"), 2, "checkout", status("resolved", at(20, "11:00:00")))
    found = line(operations(simple(1, at(20, "10:00:00"), MINUTE), bare), "Time to restore")
    assert (found.light, "INC-7" in found.mend) == (Light.UNKNOWN, True)
    assert line(operations(bare), "Time to restore").light is Light.UNKNOWN


def test_while_the_only_one_is_open_nobody_knows():
    still = incident("INC-7", at(20, "10:00:00"), 1, "checkout", milestone("started", at(20, "10:00:00")))
    found = line(operations(still), "Time to restore")
    assert (found.light, found.evidence) == (Light.UNKNOWN, ("still open, in no mean: INC-7",))


def test_a_sev4_is_in_no_time_to_restore_and_is_counted_beside_it():
    found = line(operations(simple(1, at(20, "10:00:00"), 9 * HOUR, severity=4)), "Time to restore")
    assert (found.light, found.evidence) == (Light.GREEN, ("1 Sev4 incident not among them",))


def test_without_the_records_nothing_is_good():
    found = review(Incidents=DARK)["operations"]
    assert [each.light for each in found.findings] == [Light.UNKNOWN]
    assert found.findings[0].mend == "start somebody"


# --- failures, changes, coverage ------------------------------------------------------------------


def test_failures_that_come_closer_together_are_worth_a_look():
    older = simple(1, at(1, "00:00:00") - 5 * DAY, HOUR)
    now = (simple(2, at(10, "10:00:00"), HOUR), simple(3, at(20, "10:00:00"), HOUR))
    found = line(operations(older, *now), "Time between failures")
    assert (found.light, found.value) == (
        Light.YELLOW, "checkout 359 h (2 failures, down 2 h) ↓ from 719 h",
    )  # fmt: skip


@pytest.mark.parametrize(("failed", "light"), [(0, Light.GREEN), (1, Light.RED)])
def test_one_change_of_twenty_is_too_many(failed, light):
    facts = (*(change(f"CR-{n}", Outcome.ROLLED_BACK) for n in range(failed)),
             *(change(f"CR-x{n}") for n in range(20 - failed)))  # fmt: skip
    found = line(operations(ChangeOutcomes=facts), "Change failure rate")
    assert (found.light, found.value) == (light, f"{5.0 * failed} % ({failed} of 20)")


def rolled(what="rollout of revision 7", when=None):
    return ChangesSeen((ChangeSeen("Deployment", "sre-shop", "backend", what, when or at(20, "10:00:00")),))


def test_a_rollout_without_a_request_counts_and_is_flagged():
    found = line(operations(Changes=rolled()), "Change failure rate")
    assert (found.light, found.value) == (Light.YELLOW, "0.0 % (0 of 1)")
    assert found.evidence[0] == "1 rollout seen without a change request, counted"


def test_a_template_taken_up_again_rolls_the_last_rollout_back():
    seen = ChangesSeen(
        (
            *rolled().changes,
            *rolled("rollout of revision 8, an earlier template again", at(20, "10:30:00")).changes,
        )
    )
    found = line(operations(Changes=seen), "Change failure rate")
    assert (found.value, found.evidence[0]) == (
        "100.0 % (1 of 1)",
        "sre-shop/backend rollout of revision 7: rolled back",
    )


def test_without_the_cluster_a_good_share_is_unknown():
    found = line(operations(ChangeOutcomes=(change("CR-1"),), Changes=DARK), "Change failure rate")
    assert (found.light, found.mend) == (Light.UNKNOWN, "start somebody")


def test_what_was_blamed_after_the_month_is_said_of_the_month():
    december = datetime(2026, 12, 5, tzinfo=UTC)
    late = incident("INC-1", at(30, "10:00:00"), 1, "checkout", blamed("CR-1", december - DAY))
    found = review(
        "review monthly", Now=december, Incidents=(late,), ChangeOutcomes=(change("CR-1"), change("CR-2"))
    )
    rate = line(found["operations"], "Change failure rate")
    assert rate.value == "50.0 % (1 of 2)"
    assert "0.0 % was known when it ended; said since: CR-1" in rate.evidence
    assert found["operations"].title == "Incidents and changes · Nov 2026"


def test_an_alert_of_the_service_covers_an_incident_that_nobody_linked_it_to():
    alert = occurrence(service="backend-service", namespace="sre-shop")
    known = replace(alert, starts_at=at(20, "09:55:00"), ends_at=at(20, "10:30:00"))
    made = simple(1, at(20, "10:00:00"), HOUR, service="backend")
    found = operations(made, Occurrences=OccurrencePage((known,), LONG_AGO))
    assert line(found, "Incidents without an alert in time").value.startswith("0 of 1")
    assert line(operations(made), "Incidents without an alert in time").light is Light.YELLOW


# --- the team -------------------------------------------------------------------------------------


def team(*alerts, **changes):
    return review(Occurrences=cards(*alerts), **changes)["team"]


def week(count, mark, name="A"):
    return [occurrence(f"{name}{n}", n * HOUR, 10 * MINUTE, judged=mark) for n in range(1, count + 1)]


@pytest.mark.parametrize(("count", "light"), [(42, Light.GREEN), (43, Light.RED)])
def test_fewer_than_ten_actionable_in_a_person_week(count, light):
    found = line(team(*week(count, TRUE)), "Actionable alerts")  # 30 d are 4.3 weeks
    assert found.light is light


def test_two_people_on_call_at_once_are_two_person_weeks_a_week():
    def duty(read):
        return Duty(tuple(Turn(user, read.start, read.end) for user in (ALICE, BOB)), "UTC")

    found = line(team(*week(43, TRUE), OnCallTurns=duty), "Actionable alerts")
    assert (found.light, found.value) == (Light.GREEN, "5.0 (43 in 8.6 person-weeks on call) ↑ from 0.0")


def test_what_nobody_marked_may_be_actionable():
    assert line(team(*week(40, TRUE), *week(9, None, "B")), "Actionable alerts").light is Light.UNKNOWN


def test_without_a_rota_nobody_can_say_how_many_each_got():
    found = line(team(*week(1, TRUE), OnCallTurns=Duty()), "Actionable alerts")
    assert (found.light, "roles.oncall" in found.mend) == (Light.UNKNOWN, True)


def test_noise_is_said_with_how_much_is_classified_and_whose_it_is():
    marks = [TRUE, FALSE, INFO, None]
    found = team(*(occurrence(ago=n * DAY, lasted=HOUR, judged=mark, service="backend-service", namespace="sre-shop")
                   for n, mark in enumerate(marks, 1)))  # fmt: skip
    noise = line(found, "Alert noise")
    assert noise.value == "66.7 % noise (2 of 3), 3 of 4 classified (75.0 %)"
    assert "false of true and false ones: 50.0 % (1 of 2)" in noise.evidence[1]
    assert found.table[1].split() == [
        "HighErrorRate", "sre-shop", "backend-service", "4", "2", "=", "66.7", "%", "1",
        "service-owner",
    ]  # fmt: skip


def test_before_the_store_began_nothing_is_said_of_alerts():
    young = OccurrencePage((), NOW - 3 * DAY)
    found = review(Occurrences=young)["team"]
    assert {lights(found)[label] for label in ("Actionable alerts", "Alert noise", "Work on call")} == {
        Light.UNKNOWN
    }
    assert "reaches back to 28 Nov 00:00 UTC only" in line(found, "Alert noise").value


@pytest.mark.parametrize(("minutes", "light"), [(119, Light.GREEN), (120, Light.RED)])
def test_under_two_hours_a_week_for_each(minutes, light):
    alert = occurrence(ago=DAY, lasted=minutes * MINUTE)
    worked = cards(alert)
    (one,) = worked.occurrences
    page = OccurrencePage((replace(one, acked=one.starts_at, acked_by=ALICE),), LONG_AGO)
    found = line(review("review weekly", Occurrences=page)["team"], "Work on call")
    assert found.light is light


def test_nobody_is_named_in_what_all_can_read():
    mine = simple(1, at(20, "10:00:00"), HOUR)
    found = review(Incidents=(mine,), Occurrences=cards(*week(5, TRUE)))["team"]
    said = repr(found)
    assert ALICE not in said and BOB not in said
    assert "per person only to themselves and sre-lead" in found.note


def test_twenty_restarts_of_one_service_are_the_first_line_of_toil():
    counts = (CommandCount("deploy restart", "backend", 20, 3), CommandCount("pod list", "", 300, 9))
    found = line(
        review(CommandCounts=lambda read: CommandPage(counts, read.start))["team"],
        "Done by hand again and again",
    )
    assert found.value == "about 3 h 20 min, most of it deploy restart backend (20 times)"


def test_a_trail_that_was_not_read_to_its_end_counts_no_toil():
    found = review(CommandCounts=lambda read: CommandPage((), read.start + DAY))["team"]
    assert line(found, "Done by hand again and again").light is Light.UNKNOWN


def mine(text="review mine", user=ALICE, roles=(), **changes):
    who = WhoamiView(roles=roles, user=user)
    felt = simple(1, NOW - DAY, 119 * MINUTE)
    acked = incident(
        "INC-2", NOW - 2 * DAY, 1, "checkout", paged(NOW - 2 * DAY, BOB), answered(NOW - 2 * DAY + MINUTE, BOB),
        *over(NOW - 2 * DAY, NOW - 2 * DAY + 3 * HOUR, NOW - 2 * DAY + 3 * HOUR),
    )  # fmt: skip
    world = given(Incidents=(felt, acked), **changes) | {Whoami: who, Called: {BOB: "bob"}}
    return typed(text, world)["mine"]


def test_everybody_sees_their_own_numbers_alone():
    found = mine()
    assert [(each.label, each.value) for each in found.findings] == [("You", "0 s of work a week, 0 calls")]
    theirs = line(mine(user=BOB), "You")
    assert (theirs.light, theirs.value) == (
        Light.RED,
        "2 h 59 min of work a week, 1 call (1 in sleeping hours)",
    )
    assert line(mine(user="U0CAROL0001"), "You").value.startswith("none")


def test_the_lead_sees_everybody_by_name():
    found = mine(roles=("sre-lead",))
    assert lights(found) == {"You": Light.GREEN, "bob": Light.RED}


def test_of_a_month_the_work_of_a_week_is_told():
    assert line(mine("review mine --window 28d", user=BOB), "You").value.startswith(
        "44 min 45 s of work a week"
    )


# --- what users felt ------------------------------------------------------------------------------


def users(avail=0.9995, errors=0.0005, p95=0.150, hours=10_000.0, **changes):
    def asked(read):
        if read.expr.startswith("count_over_time"):
            return point(hours)
        if "histogram_quantile" in read.expr:
            return point(p95)
        return point(errors) if "http_requests_total" in read.expr else point(avail)

    return review(QueryRange=asked, **changes)["users"]


@pytest.mark.parametrize(
    ("changes", "label", "light", "value"),
    [
        ({"avail": 0.99951}, "Availability", Light.GREEN, "99.95 %, 21.2 of 43.2 min allowed were lost → as before"),
        ({"avail": 0.999}, "Availability", Light.RED, "99.90 %, 43.2 of 43.2 min allowed were lost → as before"),
        ({"errors": 0.00099}, "Error rate", Light.GREEN, "0.099 % → as before"),
        ({"errors": 0.001}, "Error rate", Light.RED, "0.10 % → as before"),
        ({"p95": 0.1999}, "Latency, P95", Light.GREEN, "199.9 ms → as before"),
        ({"p95": 0.2}, "Latency, P95", Light.RED, "200.0 ms → as before"),
        ({"p95": 0.19996}, "Latency, P95", Light.GREEN, "199.96 ms → as before"),
    ],
)  # fmt: skip
def test_what_users_felt_against_the_targets(changes, label, light, value):
    found = line(users(**changes), label)
    assert (found.light, found.value) == (light, value)


def test_a_window_with_holes_is_not_good_and_says_so():
    found = users(hours=0.89 * 720)
    assert set(lights(found).values()) == {Light.UNKNOWN}
    assert found.note == "backend, from Prometheus, which has 89.0 % of the window ⚠ incomplete"
    assert line(users(hours=100, errors=0.5), "Error rate").light is Light.RED


def test_a_bound_that_is_no_bucket_makes_the_latency_an_estimate():
    found = line(users(Query=Vector(())), "Latency, P95")
    assert "no bound of a bucket" in found.evidence[0]


def test_without_prometheus_nothing_is_good():
    found = review(QueryRange=Gap("nobody there", "look"), Query=Gap("nobody there", "look"))
    assert set(lights(found["users"]).values()) == set(lights(found["burn"]).values()) == {Light.UNKNOWN}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.0, ["green"] * 4),
        (0.00101, ["green", "green", "green", "yellow"]),
        (0.0145, ["red", "red", "yellow", "yellow"]),
    ],
)
def test_the_budget_burns_by_both_windows(ratio, expected):
    found = review(Query=Vector((Sample({}, ratio),)))["burn"]
    assert [each.light.value for each in found.findings] == expected


# --- month by month -------------------------------------------------------------------------------


def months(*incidents, **changes):
    return review(
        "review metrics --months 4", Now=datetime(2026, 12, 15, tzinfo=UTC), Incidents=incidents, **changes
    )["months"]


def monthly(*minutes):
    """An incident in each of September, October and November."""
    made = zip(
        minutes, (at(1, "00:00:00") - 50 * DAY, at(1, "00:00:00") - 20 * DAY, at(5, "00:00:00")), strict=True
    )
    return [simple(n, started, lasted * MINUTE) for n, (lasted, started) in enumerate(made, 1)]


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
