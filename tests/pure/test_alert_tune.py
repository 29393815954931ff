"""`alert tune`: the rate with its edges, and proposals that spare false alarms without ever losing a true one."""

import random
from datetime import timedelta

import pytest
from alert_history import (
    DARK,
    DAY,
    FALSE,
    HOUR,
    INFO,
    MINUTE,
    NOW,
    TRUE,
    curve,
    line,
    occurrence,
    one,
    page,
    rule,
    typed,
)

from commands.alert import tuning
from commands.alert.proposal import Case, longest_run, proposals, rounded_between, sustained
from commands.alertreads import Matrix, Occurrences, QueryRange, Rules
from commands.finding import Light

STEP = timedelta(seconds=15)
ERRORS = rule("HighErrorRate", "sum by (service) (rate(x[5m])) > 0.01")


def told(false, true, unmarked=0, name="HighErrorRate"):
    """So many cards of each kind, an hour apart."""
    marks = [FALSE] * false + [TRUE] * true + [None] * unmarked
    return [occurrence(name, (n + 1) * HOUR, 10 * MINUTE, judged=mark) for n, mark in enumerate(marks)]


def tuned(occurrences, text="alert tune", reaches=40 * DAY):
    pages = page(*occurrences, reaches=reaches)
    return one(text, {Occurrences: pages, Rules: (ERRORS,), QueryRange: Matrix(())})


# --- the rate -------------------------------------------------------------------------------------


def test_two_false_of_twenty_are_ten_percent_and_the_formula_is_printed():
    found = tuned(told(2, 18))
    assert line(found, "False-positive rate").evidence == ("HighErrorRate: 2 / 20 = 10.0 %",)
    assert "marked false alarm / all marked cards" in found.note


@pytest.mark.parametrize(
    ("false", "marked", "is_listed"), [(1, 20, False), (2, 40, False), (2, 39, True), (51, 1000, True), (50, 1000, False)]
)  # fmt: skip
def test_five_percent_is_not_more_than_five_percent(false, marked, is_listed):
    (rate,) = tuning.rates(tuning.told(told(false, marked - false)))
    assert rate.is_over(5) is is_listed


@pytest.mark.parametrize(("marked", "said"), [(4, "too few (4 of 5)"), (5, "100.0 %")])
def test_fewer_than_five_marked_are_too_few(marked, said):
    found = tuned(told(marked, 0, unmarked=10))
    assert said in found.table[1]
    light = line(found, "False-positive rate").light
    assert light is (Light.UNKNOWN if marked < 5 else Light.YELLOW)


def test_the_share_of_what_nobody_marked_is_shown():
    assert tuned(told(0, 5, unmarked=15)).table[1].endswith("75 %")


def test_forty_pods_of_one_card_are_marked_once():
    pods = [occurrence(pod=f"web-{n}", group="A1", judged=FALSE) for n in range(40)]
    (rate,) = tuning.rates(tuning.told(pods))
    assert (len(rate.marked), rate.false) == (1, 1)


def test_informational_is_not_false():
    informational = [occurrence(ago=n * HOUR, judged=INFO) for n in range(1, 6)]
    assert line(tuned(informational), "False-positive rate").light is Light.GREEN


def test_one_rule_alone_may_be_asked_for():
    found = tuned([*told(5, 5), *told(5, 5, name="Other")], "alert tune Other")
    assert len(found.table) == 2


def test_nothing_told_in_a_store_that_is_too_young_is_unknown():
    assert line(tuned([], reaches=DAY), "False-positive rate").light is Light.UNKNOWN
    assert line(tuned([]), "False-positive rate").light is Light.GREEN


# --- what would have helped -----------------------------------------------------------------------


def case(is_true, *values, step=STEP):
    return Case(is_true, tuple((n * step.total_seconds(), value) for n, value in enumerate(values)))


def flat(is_true, value, minutes):
    return case(is_true, *[value] * (minutes * 4 + 1))


@pytest.mark.parametrize(
    ("values", "minutes", "expected"),
    [
        ([1, 1, 1, 1, 1], 1, 1),
        ([1, 5, 5, 5, 5, 5, 1], 1, 5),
        ([9, 2, 9, 2, 9, 2, 9], 1, 2),
        ([3, 3], 1, float("-inf")),
        ([3, 7, 3], 0, 7),
        ([], 1, float("-inf")),
    ],
)
def test_what_an_expression_held_for_so_long(values, minutes, expected):
    assert sustained(case(True, *values).points, minutes * MINUTE, STEP) == expected


@pytest.mark.parametrize(
    ("points", "seconds"),
    [
        ([(0, 1), (15, 1), (30, 1)], 30),
        ([(0, 1), (15, 0), (30, 1), (45, 1)], 15),
        ([(0, 1), (15, 1), (60, 1), (75, 1), (90, 1)], 30),  # a missing point breaks it
        ([(0, 0)], 0),
        ([], 0),
    ],
)
def test_how_long_it_held(points, seconds):
    assert longest_run(tuple(points), lambda value: value > 0.5, STEP) == timedelta(seconds=seconds)


def test_a_threshold_between_the_false_and_the_true_is_proposed():
    cases = [flat(False, 0.012, 20), flat(False, 0.015, 20), flat(True, 0.05, 20), flat(True, 0.04, 20)]
    (found,) = proposals(cases, ">", 0.01, 5 * MINUTE, STEP)
    assert (found.threshold, found.wait, found.spares) == (0.03, None, 2)


def test_a_longer_wait_is_proposed_where_false_ones_were_short():
    cases = [flat(False, 0.5, 7), flat(False, 0.5, 8), flat(True, 0.5, 30), flat(True, 0.4, 40)]
    (found,) = proposals(cases, ">", 0.01, 5 * MINUTE, STEP)
    assert (found.threshold, found.wait, found.spares) == (None, 19 * MINUTE, 2)


def test_below_is_the_same_upside_down():
    cases = [flat(False, 9.0, 20), flat(True, 2.0, 20)]
    (found,) = proposals(cases, "<", 10, 5 * MINUTE, STEP)
    assert 2.0 < found.threshold < 9.0


@pytest.mark.parametrize(
    "cases",
    [
        [flat(False, 0.5, 20)],  # nothing to hold on to
        [flat(True, 0.5, 20)],
        [flat(False, 0.5, 20), flat(True, 0.5, 20)],
        [flat(False, 0.5, 30), flat(True, 0.4, 20)],  # the true one is the milder
        [flat(False, 0.012, 6), flat(True, 0.05, 20), Case(True, ())],  # a true one nobody can see
    ],
)
def test_where_nothing_helps_nothing_is_proposed(cases):
    assert proposals(cases, ">", 0.01, 5 * MINUTE, STEP) == ()


def test_an_expression_without_a_level_may_wait_longer_only():
    found = proposals([flat(False, 1, 6), flat(True, 1, 30)], "", None, 5 * MINUTE, STEP)
    assert [each.threshold for each in found] == [None]


def test_no_proposal_ever_loses_a_true_alert():
    """Of a thousand made-up weeks: what is proposed fires for each true one, and for fewer false ones."""
    dice = random.Random(7)
    made = 0
    for _ in range(1000):
        wait = dice.choice([0, 1, 5]) * MINUTE
        op, limit = dice.choice([(">", 0.5), ("<", 0.5), (">=", 0.5)])
        cases = [
            case(n % 2 == 0, *(dice.choice([0.1, 0.3, 0.55, 0.6, 0.8, 0.95]) for _ in range(dice.randint(0, 60))))
            for n in range(dice.randint(2, 6))
        ]  # fmt: skip
        for found in proposals(cases, op, limit, wait, STEP):
            made += 1
            threshold = limit if found.threshold is None else found.threshold
            length = wait if found.wait is None else found.wait
            fired = {each: fires(each, op, threshold, length) for each in cases}
            assert all(did for each, did in fired.items() if each.is_true), (cases, found)
            assert (
                sum(not did for each, did in fired.items() if not each.is_true and each.points)
                >= found.spares
                > 0
            )
    assert made > 50


def fires(case, op, threshold, wait):
    """As Prometheus does: it held at every point of so long a stretch."""
    compare = {">": float.__gt__, "<": float.__lt__, ">=": float.__ge__}[op]
    begun = None
    for at, value in case.points:
        begun = None if not compare(float(value), float(threshold)) else at if begun is None else begun
        if begun is not None and at - begun >= wait.total_seconds():
            return True
    return False


@pytest.mark.parametrize(
    ("low", "high", "made"),
    [(0.015, 0.04, 0.03), (1, 2, 1.5), (100, 900, 500), (0.90, 0.91, 0.905), (5, 5, None), (-9, -2, -6)],
)
def test_a_round_number_between_two(low, high, made):
    assert rounded_between(low, high) == made


# --- put together ---------------------------------------------------------------------------------


def by_start(false_value, true_value, false):
    """Answers each range by the firing that it is about: the newest `false` ones are false."""

    def answer(read):
        hours = round((read.ago + 10 * MINUTE) / HOUR)
        value = false_value if hours <= false else true_value
        return curve(NOW - read.ago - read.window, read.step, [value] * (int(read.window / read.step) + 1))

    return answer


def test_a_noisy_rule_gets_a_proposal_that_keeps_the_true_ones():
    found = one(
        "alert tune",
        {Occurrences: page(*told(5, 5)), Rules: (ERRORS,), QueryRange: by_start(0.012, 0.05, 5)},
    )
    said = line(found, "HighErrorRate").value
    assert (
        said
        == "> 0.03 instead of > 0.01 would have spared 5 of 5 false ones; all 5 true ones looked at still fire"
    )


def test_ranges_begin_before_the_alert_was_pending_and_are_its_own():
    asked = []
    given = {Occurrences: page(*told(5, 1)), Rules: (ERRORS,), QueryRange: Matrix(())}
    typed("alert tune", given, asked=asked)
    ranges = [read for read in asked if isinstance(read, QueryRange)]
    assert len(ranges) == 6
    assert all(read.window == 16 * MINUTE for read in ranges)  # 10 min, its `for` of 5, one more
    assert all('label_replace(vector(1), "namespace", "shop"' in read.expr for read in ranges)


def test_what_the_rule_writes_on_its_alerts_is_not_asked_of_its_series():
    asked = []
    own = rule("HighErrorRate", "x > 1", labels={"service": "backend", "severity": "critical"})
    cards = [
        occurrence(ago=n * HOUR, judged=FALSE if n < 6 else TRUE, service="backend") for n in range(1, 7)
    ]
    given = {Occurrences: page(*cards), Rules: (own,), QueryRange: Matrix(())}
    typed("alert tune", given, asked=asked)
    assert not any("backend" in read.expr for read in asked if isinstance(read, QueryRange))


@pytest.mark.parametrize(
    ("expr", "value", "threshold"),
    [
        ("a > 1", "a", 1.0),
        ("(a or b) > 1", "(a or b)", 1.0),
        ("a > 1 and b < 2", "a > 1 and b < 2", None),
        ("absent(up)", "absent(up)", None),
    ],
)
def test_a_further_condition_leaves_the_level_alone(expr, value, threshold):
    found = tuning.watchable(expr)
    assert (found.value, found.threshold) == (value, threshold)


def test_without_points_it_is_unknown():
    assert line(tuned(told(5, 5)), "HighErrorRate").light is Light.UNKNOWN


def test_without_a_true_one_the_rule_itself_is_asked_about():
    assert "is the rule needed at all?" in line(tuned(told(5, 0)), "HighErrorRate").value


def test_without_prometheus_the_rate_still_shows():
    found = one("alert tune", {Occurrences: page(*told(5, 5)), Rules: DARK})
    assert line(found, "False-positive rate").light is Light.YELLOW
    assert line(found, "What would help").light is Light.UNKNOWN
    found = one("alert tune", {Occurrences: page(*told(5, 5)), Rules: (ERRORS,), QueryRange: DARK})
    assert line(found, "HighErrorRate").light is Light.UNKNOWN


def test_a_rule_that_is_not_loaded_cannot_be_tuned():
    found = one("alert tune", {Occurrences: page(*told(5, 5)), Rules: ()})
    assert "no rule of this name is loaded" in line(found, "HighErrorRate").value


def test_a_name_of_no_rule_and_no_alert_is_said_to_be():
    nosuch = line(tuned(told(5, 5), "alert tune nosuch"), "Rule")
    assert nosuch.light is Light.UNKNOWN and "no rule nosuch is loaded" in nosuch.value
    blind = one("alert tune nosuch", {Occurrences: page(), Rules: DARK})
    assert [each.light for each in blind.findings] == [Light.UNKNOWN]
    quiet = line(tuned([], "alert tune higherrorrate"), "False-positive rate")
    assert quiet.light is Light.GREEN and "nothing was told" in quiet.value


def test_more_noisy_rules_than_one_run_works_out_are_named():
    many = [each for n in range(5) for each in told(5, 5, name=f"Rule{n}")]
    found = one("alert tune", {Occurrences: page(*many), Rules: ()})
    assert line(found, "Not worked out here").value == "Rule3, Rule4"
    assert line(found, "Not worked out here").suggestions[0].text == "alert tune Rule3"
