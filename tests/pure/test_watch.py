"""One sample against the baseline: what is a breach, what proves nothing, what was not seen."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watch_world import (
    DOWN,
    EMPTY,
    NAN,
    NO_WEEK,
    RULES,
    baseline,
    dark,
    judge,
    period,
    sample,
)

from commands.sample import Check, Sample
from commands.site import Rollback
from commands.watch import AVAILABILITY, ERRORS, LATENCY, Judged, Measure, Reading, judged

BREACH, CLEAN, INCONCLUSIVE, BLIND = Reading
STRICT = replace(RULES, strict=True)


def measure(name: str, judged: Judged) -> Measure:
    found = judged.measure(name)
    assert found is not None
    return found


# --- The golden decisions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "bad", "requests", "reading"),
    [
        (baseline(20, 10_000), 8, 2000, CLEAN),  # 0.40 % of a limit of 0.40 %
        (baseline(20, 10_000), 9, 2000, BREACH),  # 0.45 %
        (baseline(0, 10_000), 1, 400, CLEAN),  # 0.25 %, but one error
        (baseline(0, 10_000), 6, 2000, BREACH),  # 0.30 % of a limit of 2 × the floor
        (baseline(0, 10_000), 4, 2000, CLEAN),  # 0.20 % of a limit of 0.20 %
        (baseline(0, 10_000), 5, 2000, BREACH),  # five errors are enough of them
        (baseline(0, 10_000), 2, 10_000, CLEAN),  # 0.02 %: the floor
        (baseline(50, 10_000), 22, 2000, BREACH),  # 1.1 % of a limit of 1.0 %
        (baseline(), 40, 80, INCONCLUSIVE),
        (baseline(), 50, 100, BREACH),
        (baseline(), 50, 99, INCONCLUSIVE),
        (baseline(), EMPTY, EMPTY, INCONCLUSIVE),
        (baseline(), NAN, 2000, INCONCLUSIVE),
        (baseline(), 0, 0, INCONCLUSIVE),
        (baseline(), DOWN, DOWN, BLIND),
        (baseline(), DOWN, 2000, BLIND),
    ],
)
def test_errors_against_the_baseline(base: Any, bad: Any, requests: Any, reading: Reading) -> None:
    assert measure(ERRORS, judge(sample(bad, requests), base)).reading is reading


@pytest.mark.parametrize(
    ("before", "now", "requests", "reading"),
    [
        (0.2, 0.3, 2000, CLEAN),
        (0.2, 0.301, 2000, BREACH),
        (0.01, 0.02, 2000, CLEAN),  # only 10 ms more
        (0.01, 0.03, 2000, BREACH),  # 20 ms more are enough
        (0.1, 0.15, 2000, CLEAN),
        (0.1, 0.151, 2000, BREACH),
        (0.2, 0.9, 80, INCONCLUSIVE),
        (0.2, NAN, 2000, INCONCLUSIVE),
        (0.2, EMPTY, 2000, INCONCLUSIVE),
        (0.2, DOWN, 2000, BLIND),
    ],
)
def test_latency_against_the_baseline(before: float, now: Any, requests: float, reading: Reading) -> None:
    found = judge(sample(0, requests, now), baseline(p95=before))
    assert measure(LATENCY, found).reading is reading
    assert found.reading is reading


@pytest.mark.parametrize(
    ("base", "seen", "reading"),
    [
        (baseline(0, 10_000), sample(1, 400), BREACH),
        (baseline(20, 10_000), sample(8, 2000), CLEAN),
        (baseline(20, 10_000), sample(9, 2000), BREACH),
        (baseline(), sample(40, 80), BREACH),
        (baseline(p95=0.01), sample(p95=0.016), BREACH),
        (baseline(p95=0.01), sample(p95=0.015), CLEAN),
        (baseline(0, 10_000), sample(0, 0), INCONCLUSIVE),
        (baseline(0, 10_000), sample(0, 400), CLEAN),
    ],
)
def test_strict_is_to_the_letter_and_knows_no_floor(base: Any, seen: Sample, reading: Reading) -> None:
    assert judge(seen, base, STRICT).reading is reading


@given(st.integers(100, 50_000), st.integers(0, 5000), st.integers(100, 1_000_000), st.integers(0, 100_000))
def test_errors_at_the_limit_or_below_are_never_a_breach(n: int, bad: int, of: int, before: int) -> None:
    """In whole numbers, with no fraction of binary noise: bad/n > 2 × max(before/of, 1/1000), and five of them."""
    bad, before = min(bad, n), min(before, of)
    found = measure(ERRORS, judge(sample(bad, n), baseline(before, of)))
    is_over = bad * of * 1000 > 2 * n * max(before * 1000, of) and bad >= 5
    assert (found.reading is BREACH) is is_over
    strict = measure(ERRORS, judge(sample(bad, n), baseline(before, of), STRICT))
    assert (strict.reading is BREACH) is (bad * of > 2 * before * n)


@given(st.integers(1, 5000), st.integers(0, 20_000))
def test_latency_at_the_limit_or_below_is_never_a_breach(before: int, now: int) -> None:
    found = measure(LATENCY, judge(sample(p95=now / 1000), baseline(p95=before / 1000)))
    assert (found.reading is BREACH) is (now * 2 > before * 3 and now - before >= 20)
    strict = judge(sample(p95=now / 1000), baseline(p95=before / 1000), STRICT)
    assert (measure(LATENCY, strict).reading is BREACH) is (now * 2 > before * 3)


@given(st.integers(1, 1000))
def test_exactly_at_the_limit_is_no_breach(errors: int) -> None:
    """Twice the baseline on the dot, and half as much again."""
    assert judge(sample(2 * errors, 1000 * errors), baseline(errors, 1000 * errors)).reading is CLEAN
    assert judge(sample(p95=3 * errors / 1000), baseline(p95=2 * errors / 1000)).reading is CLEAN


# --- Failed at once -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "is_hard"),
    [
        (sample(40, 2000), True),  # 2.0 % is ten times 0.2 %
        (sample(39, 2000), False),
        (sample(p95=2.0), True),
        (sample(p95=1.999), False),
        (sample(healthy=0.49), True),
    ],
)
def test_ten_times_the_baseline_or_half_of_the_targets_is_too_bad_to_wait(
    seen: Sample, is_hard: bool
) -> None:
    found = judge(seen)
    assert found.reading is BREACH
    assert any(each.is_hard for each in found.measures) is is_hard


def test_a_baseline_of_zero_fails_nothing_at_once_without_a_breach() -> None:
    assert judge(sample(0), baseline(0, 10_000), STRICT).reading is CLEAN


def test_half_of_the_targets_is_still_enough() -> None:
    assert measure(AVAILABILITY, judge(sample(healthy=0.5))).reading is CLEAN


def test_targets_that_were_down_before_say_nothing_of_the_change() -> None:
    found = judge(sample(healthy=0.3), baseline(healthy=0.3))
    assert measure(AVAILABILITY, found).reading is INCONCLUSIVE
    assert "30.00 % before the change" in measure(AVAILABILITY, found).text
    assert found.reading is CLEAN


def test_targets_that_nobody_scrapes_do_not_hold_a_change_up_and_unread_ones_do() -> None:
    assert judge(sample(healthy=None)).reading is CLEAN
    assert judge(sample(healthy=DOWN)).reading is BLIND


# --- What was not measured ------------------------------------------------------------------------


def test_failed_wins_over_what_is_not_known() -> None:
    assert judge(sample(9, 2000, NAN)).reading is BREACH
    assert judge(sample(9, 2000, DOWN)).reading is BREACH


def test_a_service_that_never_measured_latency_is_judged_by_its_errors() -> None:
    none = baseline(p95=None)
    assert judge(sample(p95=None), none).reading is CLEAN
    assert judge(sample(p95=DOWN), none).reading is BLIND
    assert judge(sample(None, None, None), none).reading is INCONCLUSIVE


@pytest.mark.parametrize("base", [baseline(None, None, None), baseline(0, 99), baseline(DOWN, DOWN, DOWN)])
def test_without_a_baseline_nothing_is_clean(base: Any) -> None:
    found = judge(sample(2000, 2000), base)
    assert found.reading is INCONCLUSIVE
    assert "no baseline" in found.text


def test_the_text_says_what_was_seen_the_limit_and_the_floors() -> None:
    assert measure(ERRORS, judge(sample(9))).text == (
        "errors 0.45 % (9 of 2,000 requests), limit 0.40 % = 2 × baseline 0.20 % (10,000 requests in the hour before)"
    )
    floor = measure(ERRORS, judge(sample(1, 400), baseline(0))).text
    assert "the floor of 0.10 % (baseline 0.00 %" in floor
    assert floor.endswith("but fewer than 5 errors are no breach")
    few = measure(LATENCY, judge(sample(p95=0.02), baseline(p95=0.01))).text
    assert few.endswith("+ 50 %, but less than 20 ms more is no breach")
    assert (
        measure(ERRORS, judge(sample(0, 80))).text
        == "errors: 80 requests, fewer than the 100 that are judged"
    )
    assert judge(dark()).text.startswith("12:02 blind: errors not read: prometheus: HTTP 503")


# --- The same hour last week ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recent", "week", "bad", "reading"),
    [
        (period(20), period(30), 11, CLEAN),  # a habit of the week: the limit is 0.60 %
        (period(20), period(30), 13, BREACH),
        (period(20), period(10), 9, BREACH),  # the higher one counts, which is the hour before
        (period(20), period(500), 9, BREACH),  # an incident that nobody wrote down is no baseline
        (period(None, None), period(20), 9, BREACH),
        (period(0, 50), period(20), 8, CLEAN),
        (period(20), NO_WEEK, 9, BREACH),
    ],
)
def test_the_same_hour_last_week_counts_where_it_is_plausible(
    recent: Any, week: Any, bad: float, reading: Reading
) -> None:
    of = replace(baseline(), recent=recent, last_week=week)
    assert measure(ERRORS, judge(sample(bad), of)).reading is reading


# --- Critical functions ---------------------------------------------------------------------------

UP, DOWN_NOW = Check("shop answers", True), Check("shop answers", False, "HTTP 503")
SILENT = Check("shop answers", False, "no answer in 5 s", is_silent=True)
NOT_ASKED = Check("shop answers", None, "services/proxy is forbidden")


@pytest.mark.parametrize(
    ("check", "held", "reading"),
    [
        (UP, True, CLEAN),
        (DOWN_NOW, True, BREACH),
        (SILENT, True, BREACH),
        (NOT_ASKED, True, BLIND),
        (DOWN_NOW, False, INCONCLUSIVE),
        (NOT_ASKED, False, INCONCLUSIVE),
    ],
)
def test_a_critical_function_counts_where_it_worked_before(
    check: Check, held: bool, reading: Reading
) -> None:
    found = judge(sample(checks=(check,)), baseline(checks=("shop answers",) if held else ()))
    assert measure("critical shop answers", found).reading is reading
    assert found.reading is (CLEAN if reading is INCONCLUSIVE else reading)


def test_silence_while_prometheus_is_silent_too_may_be_ours() -> None:
    assert judge(dark(checks=(SILENT,))).reading is BLIND
    assert judge(dark(checks=(DOWN_NOW,))).reading is BREACH


# --- Neighbours -----------------------------------------------------------------------------------

WORSE, WELL, QUIET = judge(sample(9)), judge(sample(0)), judge(sample(0, 10))


@pytest.mark.parametrize(
    ("neighbours", "shared"),
    [
        ({"cart": WORSE}, ("cart",)),
        ({"cart": WORSE, "pay": WELL}, ()),
        ({"cart": WORSE, "pay": WORSE, "mail": WELL}, ("cart", "pay")),
        ({"cart": WORSE, "pay": QUIET}, ("cart",)),
        ({"cart": WELL}, ()),
        ({}, ()),
    ],
)
def test_what_most_neighbours_have_too_is_not_specific(
    neighbours: dict[str, Judged], shared: tuple[str, ...]
) -> None:
    found = measure(ERRORS, judged(sample(9), baseline(), RULES, neighbours))
    assert (found.reading, found.shared) == (BREACH, shared)
    assert ("not specific to this change" in found.text) is bool(shared)


def test_a_neighbour_that_is_much_less_ill_excuses_nothing() -> None:
    assert measure(ERRORS, judge(sample(30), cart=WORSE)).shared == ()


def test_another_kind_of_trouble_next_door_excuses_nothing() -> None:
    assert measure(ERRORS, judge(sample(9), cart=judge(sample(p95=0.9)))).shared == ()


def test_the_rules_are_the_configurations() -> None:
    wide = Rollback(error_factor=3, latency_increase_pct=400)
    assert judge(sample(9, p95=0.9), rules=wide).reading is CLEAN
