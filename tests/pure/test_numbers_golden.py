"""The month that says what every number means: seven incidents, ten changes and six burn rates, to the second."""

from dataclasses import replace
from datetime import timedelta

import pytest
from incident_history import NOVEMBER, golden, golden_changes

from commands.numbers import burn, coverage
from commands.numbers.changes import changes
from commands.numbers.coverage import Coverage
from commands.numbers.durations import durations
from commands.numbers.failures import failures
from commands.numbers.population import population
from commands.site import Slo

FOUND = population(golden(), NOVEMBER)
MEASURES = {measure.key: measure for measure in durations(FOUND)}


def test_four_incidents_count_two_are_left_out_and_one_is_not_over():
    assert [each.id for each in FOUND.counted] == ["A", "B", "C", "D"]
    assert FOUND.excluded == {"drill": ("E",), "merged": ("F",)}
    assert [each.id for each in FOUND.censored] == ["G"]
    assert NOVEMBER.length.total_seconds() == 2_592_000


def test_time_to_restore_to_the_second():
    found = MEASURES["restore"].spread
    assert found and (found.n, found.median, found.mean, found.p90) == (4, 1800, 1548.75, 2550)


def test_time_to_resolve_to_the_second():
    found = MEASURES["resolve"].spread
    assert found and (found.n, found.median, found.mean) == (4, 2250, 2550)


def test_the_time_to_answer_a_page_leaves_out_what_nobody_answered():
    found = MEASURES["tta_page"]
    assert found.spread and (found.spread.n, found.spread.median) == (2, 120)
    assert found.unanswered == 1


def test_the_time_between_failures_counts_overlapping_ones_once():
    found = failures(golden(), "checkout", NOVEMBER)
    assert [(ended - begun).total_seconds() for begun, ended in found.stretches] == [2550, 3000]
    assert found.up.total_seconds() == 2_586_450
    assert found.mtbf == 1_293_225


def test_one_of_four_had_no_alert_in_time():
    found = coverage.coverage(FOUND, coverage.signals(golden()))
    assert found.classes == {
        "A": Coverage.COVERED, "B": Coverage.LATE, "C": Coverage.COVERED, "D": Coverage.SILENCED,
    }  # fmt: skip
    assert (len(found.gaps), found.eligible) == (1, 4)


def test_a_quarter_of_the_changes_failed_and_an_eighth_was_rework():
    found = changes(golden_changes(), golden(), NOVEMBER)
    assert (found.failure.part, found.failure.whole, found.failure.percent) == (2, 8, 25.0)
    assert (found.rework.part, found.rework.whole, found.rework.percent) == (1, 8, 12.5)
    assert found.excluded == {"expired": 1, "rejected": 1}


SLO = Slo()
PAGE = SLO.burn[0]


def promising(target: float) -> Slo:
    return replace(SLO, success_rate=replace(SLO.success_rate, target=target))


@pytest.mark.parametrize(
    ("long", "short", "does"),
    [
        (0.0150, 0.0160, True), (0.0144, 0.0160, False), (0.0150, 0.0100, False), (0.014401, 0.014401, True),
    ],
)  # fmt: skip
def test_a_page_needs_both_windows_over_the_limit(long, short, does):
    assert burn.fires(PAGE, long, short, SLO) is does


def test_the_rates_are_those_of_the_table():
    assert (burn.rate(0.0150, SLO), burn.rate(0.0160, SLO)) == (15, 16)
    assert [float(burn.factor(each, SLO.window)) for each in SLO.burn] == [14.4, 6, 3, 1]
    assert [burn.short(each).total_seconds() for each in SLO.burn] == [300, 1800, 7200, 21_600]
    four_weeks = timedelta(days=28)
    assert [round(float(burn.factor(each, four_weeks)), 3) for each in SLO.burn] == [13.44, 5.6, 2.8, 0.933]


@pytest.mark.parametrize(
    ("objective", "count"), [(99.9, 0), (93.06, 0), (93.05, 1), (83.0, 2), (66.0, 3), (0.0, 4)]
)
def test_a_rate_that_no_outage_could_reach_is_named(objective, count):
    assert len(burn.unreachable(promising(objective))) == count
