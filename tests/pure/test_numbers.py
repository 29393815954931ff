"""The numbers of the manual one by one: what counts, what does not, and what is none instead of 0."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from alert_history import FALSE, INFO, NOW, TRUE, occurrence
from incident_history import (
    ALICE,
    BOB,
    DAY,
    HOUR,
    MINUTE,
    NOVEMBER,
    SECOND,
    alert,
    answered,
    at,
    blamed,
    change,
    commander,
    incident,
    milestone,
    over,
    paged,
    reopened,
    simple,
    status,
)

from commands.numbers import coverage, oncall, quality, toil, window
from commands.numbers.changes import changes
from commands.numbers.coverage import Coverage, Signal
from commands.numbers.durations import Measure, durations
from commands.numbers.failures import failures
from commands.numbers.firings import told
from commands.numbers.oncall import Call, Hours
from commands.numbers.population import impacts, population
from commands.numbers.quality import Disposition
from commands.numbers.spread import spread
from commands.numbers.trend import Trend, arrow, trend
from commands.responsereads import CommandCount, Outcome, Road, Turn
from commands.site import CHANGES

BERLIN = ZoneInfo("Europe/Berlin")


def measures(*incidents) -> dict[str, Measure]:
    return {each.key: each for each in durations(population(incidents, NOVEMBER))}


# --- time to restore ------------------------------------------------------------------------------


def test_twenty_and_fifty_minutes_are_thirty_five():
    found = measures(simple(1, at(3, "10:00:00"), 20 * MINUTE), simple(2, at(4, "10:00:00"), 50 * MINUTE))
    restored = found["restore"].spread
    assert restored and (restored.n, restored.mean, restored.median) == (2, 2100, 2100)


def test_of_no_incident_there_is_no_time():
    assert measures()["restore"].spread is None


def test_an_open_one_is_named_and_in_no_mean():
    still = incident("INC-9", at(5, "10:00:00"), 1, "checkout", milestone("started", at(5, "09:50:00")))
    found = population((simple(1, at(3, "10:00:00"), 20 * MINUTE), still), NOVEMBER)
    assert ([each.id for each in found.counted], [each.id for each in found.censored]) == (
        ["INC-1"],
        ["INC-9"],
    )


def test_half_a_minute_is_not_cut_to_nothing():
    restored = measures(simple(1, at(3, "10:00:00"), 45 * SECOND))["restore"].spread
    assert restored and restored.mean == 45


@pytest.mark.parametrize(
    ("resolved", "counts"), [("2026-11-30T23:59:59", True), ("2026-12-01T00:00:00", False)]
)
def test_the_window_ends_before_its_end(resolved, counts):
    ended = datetime.fromisoformat(f"{resolved}+00:00")
    found = population((simple(1, ended - HOUR, HOUR),), NOVEMBER)
    assert (len(found.counted), len(found.censored)) == (counts, not counts)


def test_what_ended_before_the_window_is_in_nothing_of_it():
    found = population((simple(1, at(1, "00:00:00") - DAY, HOUR),), NOVEMBER)
    assert (found.counted, found.censored, found.excluded) == ((), (), {})


def test_what_began_after_the_window_is_in_nothing_of_it():
    later = incident("INC-1", at(1, "00:00:00") + 30 * DAY, 1, "checkout")
    found = population((later,), NOVEMBER)
    assert (found.counted, found.censored, found.excluded) == ((), (), {})


def test_false_alarms_and_canceled_ones_are_left_out_by_name():
    made = [incident(f"INC-{to}", at(3, "10:00:00"), 1, "checkout", status(to, at(3, "11:00:00")))
            for to in ("false alarm", "canceled")]  # fmt: skip
    assert population(made, NOVEMBER).excluded == {
        "canceled": ("INC-canceled",),
        "false alarm": ("INC-false alarm",),
    }
    assert population(made, window.month(BERLIN, 2026, 12)).excluded == {}


def test_one_that_was_opened_again_takes_what_users_felt_and_not_the_pause():
    again = incident(
        "INC-1", at(3, "10:01:00"), 1, "checkout",
        *over(at(3, "10:00:00"), at(3, "10:20:00"), at(3, "10:20:00")),
        reopened(at(3, "10:40:00")), status("mitigated", at(3, "10:45:00")), status("resolved", at(3, "10:50:00")),
    )  # fmt: skip
    found = measures(again)
    assert found["restore"].spread and found["restore"].spread.mean == 25 * 60
    assert found["resolve"].spread and found["resolve"].spread.mean == 50 * 60


def test_opened_again_twice_is_three_stretches():
    again = incident(
        "INC-1", at(3, "10:00:00"), 1, "checkout",
        *over(at(3, "10:00:00"), at(3, "10:10:00"), at(3, "10:10:00")),
        reopened(at(3, "10:20:00")), status("mitigated", at(3, "10:21:00")), status("resolved", at(3, "10:21:00")),
        reopened(at(3, "10:30:00")), status("mitigated", at(3, "10:32:00")), status("resolved", at(3, "10:32:00")),
    )  # fmt: skip
    lengths = [ended - begun for begun, ended in impacts(again, at(4, "00:00:00"))]
    assert lengths == [10 * MINUTE, MINUTE, 2 * MINUTE]


def test_a_time_that_is_missing_or_stands_before_the_other_is_named():
    bare = incident("INC-1", at(3, "10:00:00"), 1, "checkout", status("resolved", at(3, "11:00:00")))
    turned = incident(
        "INC-2",
        at(3, "10:00:00"),
        1,
        "checkout",
        *over(at(3, "10:30:00"), at(3, "10:00:00"), at(3, "11:00:00")),
    )
    found = measures(bare, turned)["restore"]
    assert (found.spread, found.missing, found.inverted) == (None, ("INC-1",), ("INC-2",))


def test_a_time_somebody_called_approximate_is_counted_as_such():
    made = incident(
        "INC-1", at(3, "10:00:00"), 1, "checkout", milestone("started", at(3, "10:00:00"), about=True),
        status("mitigated", at(3, "11:00:00")), status("resolved", at(3, "11:00:00")),
    )  # fmt: skip
    assert measures(made)["restore"].approximate == 1


def test_each_measure_has_its_own_two_milestones():
    made = incident(
        "INC-1", at(3, "10:06:00"), 1, "checkout", alert(at(3, "10:02:00")), paged(at(3, "10:02:05")),
        answered(at(3, "10:04:35")), commander(at(3, "10:08:00")), milestone("detected", at(3, "10:03:00")),
        *over(at(3, "10:00:00"), at(3, "10:30:00"), at(3, "11:00:00")),
    )  # fmt: skip
    found = {key: each.spread.mean for key, each in measures(made).items() if each.spread}
    assert found == {
        "restore": 1800, "ttd": 180, "respond": 155, "tta_incident": 155, "time_to_ic": 120, "resolve": 3600,
        "tta_page": 150,
    }  # fmt: skip


def test_a_page_that_the_bot_itself_took_back_was_answered_by_nobody():
    made = incident(
        "INC-1", at(3, "10:00:00"), 1, "checkout", paged(at(3, "10:00:00")), answered(at(3, "10:01:00"), by=""),
        *over(at(3, "10:00:00"), at(3, "10:30:00"), at(3, "11:00:00")),
    )  # fmt: skip
    found = measures(made)["tta_page"]
    assert (found.spread, found.unanswered) == (None, 1)


@pytest.mark.parametrize(("count", "p90"), [(1, 1), (9, 9), (10, 9), (11, 10), (20, 18), (100, 90)])
def test_the_p90_is_one_that_was_measured(count, p90):
    found = spread(n * SECOND for n in range(1, count + 1))
    assert found and found.p90 == p90


# --- time between failures ------------------------------------------------------------------------

MONTH = window.Window(at(1, "00:00:00"), at(1, "00:00:00") + 30 * DAY)


def test_two_failures_of_half_an_hour_in_thirty_days_are_359_and_a_half_hours():
    made = (simple(1, at(3, "10:00:00"), 30 * MINUTE), simple(2, at(9, "10:00:00"), 30 * MINUTE))
    assert failures(made, "checkout", MONTH).mtbf == 359.5 * 3600


def test_without_a_failure_there_is_a_bound_and_no_number():
    found = failures((), "checkout", MONTH)
    assert (found.mtbf, found.up) == (None, 30 * DAY)


def test_a_sev3_and_another_service_are_no_failure_of_this_one():
    made = (
        simple(1, at(3, "10:00:00"), HOUR, severity=3),
        simple(2, at(3, "10:00:00"), HOUR, service="cart"),
    )
    assert failures(made, "checkout", MONTH).n == 0


def test_what_users_still_feel_counts_up_to_the_end_and_is_named():
    still = incident("INC-1", at(30, "10:00:00"), 1, "checkout", milestone("started", at(30, "10:00:00")))
    found = failures((still,), "checkout", NOVEMBER)
    assert (found.down, found.ongoing) == (14 * HOUR, ("INC-1",))


def test_what_is_mitigated_is_no_longer_felt_although_it_goes_on():
    better = incident("INC-1", at(30, "10:00:00"), 1, "checkout", milestone("started", at(30, "10:00:00")),
                      milestone("mitigated", at(30, "11:00:00")))  # fmt: skip
    found = failures((better,), "checkout", NOVEMBER)
    assert (found.down, found.ongoing) == (HOUR, ())


def test_a_failure_that_nobody_dated_is_named_and_not_counted():
    bare = incident("INC-1", at(3, "10:00:00"), 1, "checkout")
    found = failures((bare,), "checkout", NOVEMBER)
    assert (found.n, found.unplaced) == (0, ("INC-1",))


# --- changes --------------------------------------------------------------------------------------


def test_one_of_twenty_is_five_percent():
    facts = (change("CR-0", Outcome.ROLLED_BACK), *(change(f"CR-{n}") for n in range(1, 20)))
    assert changes(facts, (), NOVEMBER).failure.percent == 5.0


def test_of_no_change_there_is_no_share():
    assert changes((), (), NOVEMBER).failure.percent is None


def test_what_never_reached_production_is_in_no_share():
    refused = (Outcome.REJECTED, Outcome.EXPIRED, Outcome.CANCELED, Outcome.PRECHECK_FAILED)
    found = changes([change(kind.value, kind) for kind in refused], (), NOVEMBER)
    assert (found.failure.whole, sum(found.excluded.values())) == (0, 4)


def test_rolled_back_and_blamed_counts_once():
    guilty = incident("INC-1", at(5, "12:10:00"), 1, "checkout", blamed("CR-1", at(5, "13:00:00")))
    found = changes((change("CR-1", Outcome.ROLLED_BACK), change("CR-2")), (guilty,), NOVEMBER)
    assert (found.failure.part, found.failure.whole) == (1, 2)


@pytest.mark.parametrize(
    ("facts", "confidence", "part"),
    [({}, "confirmed", 1), ({}, "suspected", 0), ({"drill": "yes"}, "confirmed", 0)],
)
def test_only_a_confirmed_cause_of_a_real_incident_failed(facts, confidence, part):
    guilty = incident(
        "INC-1", at(5, "12:10:00"), 1, "checkout", blamed("CR-1", at(5, "13:00:00"), confidence), **facts
    )
    assert changes((change("CR-1"),), (guilty,), NOVEMBER).failure.part == part


def test_what_needed_a_hotfix_failed_and_the_hotfix_is_rework():
    found = changes((change("CR-1"), change("CR-2", hotfix_for="CR-1")), (), NOVEMBER)
    assert (found.failed, found.rework.part) == ({"CR-1": "needed a hotfix"}, 1)


def test_a_cause_found_after_the_month_changes_the_month_and_is_said():
    later = incident("INC-1", at(30, "12:10:00"), 1, "checkout", blamed("CR-1", at(30, "12:00:00") + 3 * DAY))
    found = changes((change("CR-1"), change("CR-2")), (later,), NOVEMBER)
    assert (found.failure.percent, found.then.percent, found.late) == (50.0, 0.0, ("CR-1",))


def test_how_long_a_failed_change_took_to_be_over():
    facts = (
        change("CR-1", Outcome.ROLLED_BACK, restored=at(5, "12:07:30")),
        change("CR-2", Outcome.ROLLED_BACK),
        change("CR-3", restored=at(5, "13:00:00")),
    )
    found = changes(facts, (), NOVEMBER)
    assert found.recovery and (found.recovery.n, found.recovery.mean) == (1, 450)
    assert found.unrestored == ("CR-2",)


def test_emergencies_and_rollouts_nobody_announced_are_counted_and_shown_apart():
    facts = (
        change("CR-1", Outcome.ROLLED_BACK, is_emergency=True), change("CR-2", is_emergency=True),
        change("R", road=Road.SEEN), change("CR-3"),
    )  # fmt: skip
    found = changes(facts, (), NOVEMBER)
    assert (found.failure.whole, found.emergency.percent, found.unannounced) == (4, 50.0, 1)


# --- coverage -------------------------------------------------------------------------------------


def classed(*signals: Signal, detected: bool = True) -> Coverage:
    acks = (
        (status("investigating", at(3, "10:02:00")), milestone("acknowledged", at(3, "10:02:00")))
        if detected
        else ()
    )
    made = incident(
        "INC-1",
        at(3, "10:10:00"),
        1,
        "checkout",
        *acks,
        *over(at(3, "10:00:00"), at(3, "10:30:00"), at(3, "11:00:00")),
    )
    return coverage.coverage(population((made,), NOVEMBER), signals).classes["INC-1"]


def signal(clock: str, service: str = "checkout", *, silenced: bool = False) -> Signal:
    return Signal(service, "HighErrorRate", at(3, clock), silenced)


@pytest.mark.parametrize(
    ("clock", "kind"),
    [
        ("09:49:59", Coverage.NONE),
        ("09:50:00", Coverage.COVERED),
        ("10:10:00", Coverage.COVERED),
        ("10:10:01", Coverage.LATE),
        ("11:00:01", Coverage.NONE),
    ],
)
def test_an_alert_counts_from_ten_minutes_before_to_the_declaration(clock, kind):
    assert classed(signal(clock)) is kind


def test_an_alert_of_another_service_announces_nothing():
    assert classed(signal("10:00:00", "cart")) is Coverage.NONE


def test_silenced_and_unanswered_alerts_are_no_gap_and_not_covered():
    assert classed(signal("10:00:00", silenced=True)) is Coverage.SILENCED
    assert classed(signal("10:00:00"), detected=False) is Coverage.UNANSWERED
    assert not {Coverage.SILENCED, Coverage.UNANSWERED} & coverage.GAPS


# --- on call --------------------------------------------------------------------------------------

WEEK = window.Window(at(2, "00:00:00"), at(9, "00:00:00"))


def load(calls=(), worked=()):
    turns = (Turn(ALICE, WEEK.start, WEEK.end),)
    return oncall.loads(turns, calls, {ALICE: list(worked)}, WEEK, BERLIN)[0]


@pytest.mark.parametrize(("apart", "count"), [(60, 1), (61, 2)])
def test_calls_of_one_person_within_a_minute_are_one(apart, count):
    calls = [Call(ALICE, at(3, "10:00:00")), Call(ALICE, at(3, "10:00:00") + apart * SECOND)]
    assert len(load(calls).calls) == count


def test_calls_of_two_people_are_two():
    assert len(oncall.merged([Call(ALICE, at(3, "10:00:00")), Call(BOB, at(3, "10:00:00"))])) == 2


def test_a_call_every_minute_does_not_become_one_call_of_hours():
    assert len(oncall.merged([Call(ALICE, at(3, "10:00:00") + n * MINUTE) for n in range(10)])) == 5


@pytest.mark.parametrize(
    ("day", "clock", "kind"),  # Berlin is an hour ahead of UTC
    [
        (3, "07:00:00", Hours.WORK), (3, "06:59:59", Hours.SLEEP), (3, "16:59:59", Hours.WORK),
        (3, "17:00:00", Hours.FREE), (3, "20:59:59", Hours.FREE), (3, "21:00:00", Hours.SLEEP),
        (7, "10:00:00", Hours.FREE),
    ],
)  # fmt: skip
def test_the_hours_are_those_of_the_person(day, clock, kind):
    assert oncall.hours_at(at(day, clock), BERLIN) is kind


def test_the_busiest_shift_goes_through_midnight():
    calls = [
        Call(ALICE, at(day, clock))
        for day, clock in (
            (3, "19:30:00"),
            (3, "20:00:00"),
            (3, "23:30:00"),
            (4, "06:30:00"),
            (4, "08:00:00"),
        )
    ]
    assert load(calls).busiest == 4


def test_two_incidents_at_once_are_worked_at_once():
    begun = at(3, "10:00:00")
    assert (
        load(worked=[(begun, begun + HOUR), (begun + 30 * MINUTE, begun + 90 * MINUTE)]).worked == 90 * MINUTE
    )


def test_work_is_from_taking_notice_to_the_end():
    made = incident(
        "INC-1", at(3, "10:00:00"), 1, "checkout", paged(at(3, "10:00:00")), answered(at(3, "10:05:00")),
        *over(at(3, "10:00:00"), at(3, "10:35:00"), at(3, "12:00:00")),
    )  # fmt: skip
    alert = replace(occurrence(lasted=20 * MINUTE), starts_at=at(3, "10:30:00"), ends_at=at(3, "10:50:00"),
                    acked=at(3, "10:32:00"), acked_by=ALICE)  # fmt: skip
    found = oncall.work((made,), (alert,), WEEK.end)
    assert found == {ALICE: [(at(3, "10:05:00"), at(3, "10:50:00"))]}


def test_nobody_works_at_an_alert_before_it_began():
    early = replace(occurrence(lasted=20 * MINUTE), starts_at=at(3, "10:30:00"), ends_at=at(3, "10:50:00"),
                    acked=at(3, "10:20:00"), acked_by=ALICE)  # fmt: skip
    assert oncall.work((), (early,), WEEK.end) == {ALICE: [(at(3, "10:30:00"), at(3, "10:50:00"))]}


def test_person_weeks_are_of_seconds_on_call_and_not_of_heads():
    turns = (Turn(ALICE, WEEK.start - DAY, at(5, "12:00:00")), Turn(BOB, at(5, "12:00:00"), WEEK.end))
    assert oncall.on_call_weeks(turns, WEEK) == 1.0
    assert oncall.loads(turns, (), {}, WEEK, BERLIN)[0].weeks == 0.5


def test_in_a_drill_nobody_is_called():
    drill = incident("INC-1", at(3, "10:00:00"), 1, "checkout", paged(at(3, "10:00:00")), drill="yes")
    assert oncall.pages((drill,)) == ()


# --- alert quality --------------------------------------------------------------------------------


def kinds(*occurrences) -> list[Disposition]:
    return list(quality.dispositions(told(occurrences)))


def test_what_people_called_it_counts_first():
    marked = [
        occurrence(ago=n * DAY, lasted=MINUTE, judged=mark) for n, mark in enumerate((TRUE, INFO, FALSE), 1)
    ]
    assert kinds(*marked) == [Disposition.FALSE_POSITIVE, Disposition.INFORMATIONAL, Disposition.ACTIONABLE]


@pytest.mark.parametrize(("minutes", "kind"), [(4, Disposition.SELF_RESOLVED), (5, Disposition.UNCLASSIFIED)])
def test_over_before_anybody_looked_is_resolved_by_itself(minutes, kind):
    assert kinds(occurrence(lasted=minutes * MINUTE)) == [kind]


def test_what_somebody_took_notice_of_did_not_resolve_by_itself():
    assert kinds(replace(occurrence(lasted=MINUTE), acked=NOW, acked_by=ALICE)) == [Disposition.UNCLASSIFIED]


@pytest.mark.parametrize(("apart", "kind"), [(29, Disposition.FLAPPING), (30, Disposition.UNCLASSIFIED)])
def test_three_times_in_an_hour_is_flapping(apart, kind):
    found = kinds(
        *(occurrence(ago=5 * HOUR - n * apart * MINUTE, lasted=10 * MINUTE, group=f"A{n}") for n in range(3))
    )
    assert set(found) == {kind}


def test_pods_of_one_service_are_one_template():
    cards = told([occurrence(pod="web-1", service="web"), occurrence(pod="web-2", service="web")])
    assert {quality.template(card) for card in cards} == {"HighErrorRate namespace=shop service=web"}


def test_the_noise_rate_speaks_of_what_is_classified_alone():
    marks = (TRUE, FALSE, FALSE, INFO, None)
    found = quality.overall(
        told([occurrence(ago=n * DAY, lasted=HOUR, judged=m) for n, m in enumerate(marks, 1)])
    )
    assert (found.noise, found.coverage, round(found.false or 0, 1)) == (75.0, 80.0, 66.7)


def test_of_nothing_classified_there_is_no_rate():
    found = quality.overall(told([occurrence(lasted=HOUR)]))
    assert (found.noise, found.coverage, found.false) == (None, 0.0, None)
    assert quality.overall(()).coverage is None


# --- toil, trends, months -------------------------------------------------------------------------

BY_HAND = frozenset({"deploy restart", "node drain"})


def test_twenty_restarts_of_one_service_are_the_first_line_of_toil():
    counts = (
        CommandCount("pod list", "", 900, 5), CommandCount("node drain", "n1", 2, 1),
        CommandCount("deploy restart", "backend", 20, 3), CommandCount("deploy restart", "cart", 1, 1),
    )  # fmt: skip
    found = toil.toil(counts, BY_HAND)
    assert [(each.line, each.object, each.minutes) for each in found] == [
        ("deploy restart", "backend", 200), ("node drain", "n1", 60),
    ]  # fmt: skip


def test_only_what_changes_something_is_given_a_time():
    assert set(toil.MINUTES) <= set(CHANGES)


@pytest.mark.parametrize(
    ("values", "higher", "expected"),
    [
        ((50, 40, 30), False, Trend.IMPROVING), ((30, 40, 50), False, Trend.DEGRADING),
        ((99.0, 99.5, 110.0), True, Trend.IMPROVING), ((100, 104, 110), False, Trend.STABLE),
        ((100, 90, 104), False, Trend.STABLE), ((100, 100, 111), False, Trend.DEGRADING),
        ((None, 40, 30), False, Trend.UNKNOWN), ((10, None, 40, 30, 20), False, Trend.IMPROVING),
        ((0, 0, 0), False, Trend.STABLE),
    ],
)  # fmt: skip
def test_a_trend_is_a_slope_of_three_months_beyond_five_percent(values, higher, expected):
    assert trend(values, higher_is_better=higher) is expected


def test_an_arrow_needs_two_numbers():
    assert [arrow(*pair) for pair in ((1, 2), (2, 1), (1, 1), (None, 1), (1, None))] == [
        "↑",
        "↓",
        "→",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("year", "number", "days"), [(2026, 2, 28), (2026, 6, 30), (2026, 12, 31), (2028, 2, 29), (2026, 0, 31)]
)
def test_a_month_is_as_long_as_it_is(year, number, days):
    assert window.month(ZoneInfo("UTC"), year, number).length == days * DAY


def test_a_month_is_one_of_the_people_here():
    march = window.month(BERLIN, 2026, 3)
    assert march.start == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert march.length == 31 * DAY - HOUR  # the clocks go forward


def test_the_last_months_end_now():
    now = datetime(2026, 2, 15, 12, tzinfo=UTC)
    found = window.months(BERLIN, now, 3)
    assert [each.name for each in found] == ["Dec 2025", "Jan 2026", "Feb 2026"]
    assert found[-1].end == now
    assert window.last_month(BERLIN, now) == found[1]


def test_a_month_has_its_days_also_when_the_clocks_change():
    march = window.month(BERLIN, 2026, 3)
    found = window.days(march, BERLIN)
    assert (len(found), found[0].name, found[-1].name) == (31, "2026-03-01", "2026-03-31")
    assert found[28].length == timedelta(hours=23)
