"""`health trend`: the budget as it was spent, the pace it leaves, and what is not known."""

from dataclasses import replace

import pytest
from health_answers import BACKEND, DAY, NOW, SITE, section

from commands.alertreads import Matrix, Series
from commands.finding import Light
from commands.health import trend
from commands.model import Gap
from commands.reads import Now

G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
HALF_DAYS = 60
ASKED = trend._Asked.of(SITE, BACKEND)


def course(*values: float, **rest) -> Matrix:
    """The last values at the end of the window, half a day apart."""
    end = NOW.timestamp()
    first = len(values) - 1
    return Matrix((Series({}, tuple((end - (first - n) * 43_200, v) for n, v in enumerate(values))),), **rest)


def answers(failed: Matrix | Gap, requests: Matrix | Gap | None = None, latency: Matrix | Gap | None = None):
    return {
        ASKED.requests: requests or course(*[1000.0] * HALF_DAYS),
        ASKED.failed: failed,
        ASKED.latency: latency or course(*[0.12] * HALF_DAYS),
        Now(): NOW,
    }


def told(failed, **rest):
    return section(trend.inquiry(SITE, BACKEND), answers(failed, **rest))


# 60,000 requests at 99.9 % allow 60 to fail.
@pytest.mark.parametrize(
    "failed, light, value",
    [
        ([0.0] * 60, G, "0 % spent, none of it in the last 24 h"),
        ([15.0] + [0.0] * 59, G, "25 % spent, none of it in the last 24 h"),
        ([0.3] * 60, G, "30 % spent, 1.0 % in the last 24 h: it lasts"),
        ([0.0] * 58 + [6.0, 6.0], Y, "20 % spent, 20.0 % in the last 24 h: at this pace none is left in 4 d"),
        ([40.0] + [0.0] * 59, Y, "67 % spent, none of it in the last 24 h"),
        ([50.0] + [0.0] * 59, R, "83 % spent, none of it in the last 24 h"),
        ([0.0] * 59 + [90.0], R, "150 % spent: none is left"),
    ],
)
def test_the_pace_of_the_last_day_says_whether_the_budget_lasts(failed, light, value):
    (line,) = told(course(*failed)).findings
    assert (line.light, line.value) == (light, value)


@pytest.mark.parametrize("late", [-0.4, -0.013, 0.013, 2.5])
def test_queries_that_ended_a_little_apart_are_about_the_same_time(late):
    (shifted,) = course(*[0.0] * 57, 6.0, 6.0, 6.0).series
    failed = Matrix((replace(shifted, points=tuple((at + late, value) for at, value in shifted.points)),))
    found = told(failed)
    (line,) = found.findings
    assert line.value == "30 % spent, 20.0 % in the last 24 h: at this pace none is left in 3 d 12 h"
    assert "0.60 %" in found.table[1]


def test_the_last_day_is_a_day_where_no_step_ends_with_it():
    spent = trend.Spent(
        tuple((NOW.timestamp() - hours * 3600, 0.7 - hours / 100) for hours in (60, 36, 20, 0))
    )
    assert spent.since((NOW - DAY).timestamp()) == pytest.approx(0.24)
    assert spent.since((NOW - 3 * DAY).timestamp()) == pytest.approx(0.7)


def test_the_graph_is_the_budget_spent_with_its_line_and_an_even_pace():
    (file,) = told(course(*[0.0] * 58, 6.0, 6.0)).attachments
    assert file.picture is not None
    spent, even = file.picture.curves
    assert [round(share, 2) for _, share in spent.points[-3:]] == [0.0, 0.1, 0.2]
    assert even.points == (((NOW - 30 * DAY).timestamp(), 0.0), (NOW.timestamp(), 1.0))
    assert (file.picture.threshold, file.picture.unit) == (1.0, "ratio")


def test_errors_requests_and_latency_are_a_row_of_bars_each():
    head, errors, requests, p95 = told(course(*[0.0] * 59, 20.0)).table
    assert "last 30 d" in head
    assert "▁█" in errors and "2.00 %" in errors and "02 Mar 08:30 UTC" in errors
    assert "1,000" in requests and "120 ms" in p95


@pytest.mark.parametrize("which", ["requests", "failed"])
def test_what_was_not_read_has_no_pace(which):
    gap = Gap("no connection to Prometheus", "check monitoring.prometheus.url")
    found = section(trend.inquiry(SITE, BACKEND), answers(course(0.0)) | {getattr(ASKED, which): gap})
    (line,) = found.findings
    assert (line.light, line.mend) == (U, gap.mend) and "no connection" in line.value
    assert not found.attachments


def test_latency_that_was_not_read_is_said_in_its_row():
    found = told(course(*[0.0] * 60), latency=Gap("it took too long"))
    assert found.light is G and "it took too long" in found.table[-1]


@pytest.mark.parametrize("requests, value", [(course(*[0.0] * 60), "no requests"), (Matrix(()), "no data")])
def test_no_requests_are_no_good_pace(requests, value):
    (line,) = told(Matrix(()), requests=requests).findings
    assert (line.light, line.value) == (U, value)


def test_a_partial_answer_proves_no_good_pace():
    (line,) = told(course(*[0.0] * 60, warnings=("store gateway unreachable",))).findings
    assert line.light is U and "store gateway" in line.evidence[0]


def test_less_than_the_window_is_said():
    found = told(course(0.0, 0.0, 0.0), requests=course(10.0, 10.0, 10.0))
    assert found.note == "Prometheus, the last 1 d of 30 d: it has no more"


def test_the_step_follows_the_window():
    week = replace(SITE, slo=replace(SITE.slo, window=7 * DAY))
    assert trend._Asked.of(week, BACKEND).requests.step == 7 * DAY / 60
