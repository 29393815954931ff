"""The verbs that look back: how long alerts took and what recurs, whose they were, what they were worth, in which
order they came, and which could hide which."""

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
from alert_history import (
    DARK,
    DAY,
    HOUR,
    INFO,
    MINUTE,
    NOW,
    TRUE,
    curve,
    lights,
    line,
    occurrence,
    one,
    page,
    typed,
)
from incident_history import incident, over

from commands.alert import inhibition, order, rank
from commands.alertreads import (
    AlertmanagerConfig,
    AlertmanagerRoutes,
    Called,
    InhibitRule,
    Matrix,
    Occurrences,
    QueryRange,
    RouteNode,
    Series,
)
from commands.finding import Light
from commands.model import Severity
from commands.numbers import firings
from commands.responsereads import Incidents

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING

# --- resolved -------------------------------------------------------------------------------------


def resolved(*occurrences, since="24h", reaches=40 * DAY, **given):
    return one(f"alert resolved --since {since}", {Occurrences: page(*occurrences, reaches=reaches), **given})


def test_from_ten_to_ten_twenty_five_is_twenty_five_minutes():
    found = resolved(occurrence(ago=2 * HOUR, lasted=25 * MINUTE))
    assert line(found, "Time to resolve").value == "25 min on average, 1 alert ended"
    assert line(found, "Time to resolve").light is Light.GREEN


@pytest.mark.parametrize(("pause", "firing"), [(5, 1), (5.1, 2)])
def test_flapping_within_five_minutes_is_one_firing(pause, firing):
    twice = (
        occurrence(ago=60 * MINUTE, lasted=10 * MINUTE),
        occurrence(ago=(50 - pause) * MINUTE, lasted=10 * MINUTE),
    )
    found = firings.merged(twice)
    assert len(found) == firing
    assert sum(each.flaps for each in found) == 2 - firing


def test_flapping_of_one_pod_is_not_that_of_another():
    found = firings.merged((occurrence(pod="a", ago=HOUR), occurrence(pod="b", ago=49 * MINUTE)))
    assert len(found) == 2


def test_what_flaps_on_and_still_fires_has_not_ended():
    found = resolved(occurrence(ago=HOUR), occurrence(ago=48 * MINUTE, lasted=None))
    assert line(found, "Time to resolve").value == "nothing ended in the last 1 d"


@pytest.mark.parametrize(("minutes", "light"), [(30, Light.GREEN), (31, Light.YELLOW)])
def test_the_target_is_half_an_hour(minutes, light):
    found = resolved(occurrence(ago=3 * HOUR, lasted=minutes * MINUTE))
    assert line(found, "Time to resolve").light is light


def at(days, hour=2, minute=0, **changes):
    """So many days ago at that hour."""
    begun = (NOW - days * DAY).replace(hour=hour, minute=minute)
    return occurrence(ago=NOW - begun, **changes)


def test_three_of_seven_days_recur_at_their_usual_hour():
    found = resolved(at(1), at(3, minute=10), at(4, 1, 58), since="7d")
    assert line(found, "Recurring").evidence == (
        "HighErrorRate: recurring, on 3 of 7 days, usually 02:00 UTC",
    )


def test_two_days_do_not_recur():
    assert line(resolved(at(1), at(3), at(3, 9), since="7d"), "Recurring").light is Light.GREEN


def test_no_hour_is_usual_when_none_is_the_most_of_them():
    found = resolved(at(1, 2), at(2, 9), at(3, 17), since="7d")
    assert line(found, "Recurring").evidence[0].endswith("on 3 of 7 days, at no usual hour")


def test_a_day_alone_says_nothing_of_what_recurs():
    assert "Recurring" not in lights(resolved(at(0, 2)))


def test_before_the_store_began_prometheus_says_what_fired():
    series = tuple(
        Series({"alertname": name}, tuple((float(n), 1.0) for n in range(50))) for name in ("Old", "Watchdog")
    )
    asked = []
    given = {Occurrences: page(occurrence(), reaches=DAY), QueryRange: Matrix(series)}
    found = typed("alert resolved --since 7d", given, asked=asked)["resolved"]
    before = line(found, "Before that")
    assert before.light is Light.UNKNOWN
    assert before.evidence == ("Old: fired for about 1 d 4 h",)  # 50 of 250 points of six days
    assert next(read for read in asked if isinstance(read, QueryRange)).window == 6 * DAY
    assert line(found, "Recurring").light is Light.UNKNOWN


def test_before_the_store_began_and_without_prometheus_it_is_said():
    found = resolved(occurrence(), since="7d", reaches=DAY)
    assert "nobody answers" in line(found, "Before that").value


@pytest.mark.parametrize("verb", ["resolved", "tune", "load", "rank", "order"])
def test_without_the_store_there_is_no_history(verb):
    found = one(f"alert {verb}", {Occurrences: DARK, QueryRange: Matrix(())})
    assert [each.light for each in found.findings] == [Light.UNKNOWN]
    assert found.findings[0].mend == "start somebody"


# --- load -----------------------------------------------------------------------------------------

ALICE, BOB = "U0ALICE0001", "U0BOB000001"


def load(*occurrences, text="alert load", reaches=40 * DAY):
    return one(text, {Occurrences: page(*occurrences, reaches=reaches)})


def week(count, judged=TRUE, **changes):
    """So many cards, an hour apart."""
    return [occurrence(ago=n * HOUR, judged=judged, **changes) for n in range(1, count + 1)]


@pytest.mark.parametrize(("count", "light"), [(9, Light.GREEN), (10, Light.RED)])
def test_fewer_than_ten_actionable_a_week(count, light):
    assert line(load(*week(count), *week(30, INFO, name="Note")), ALICE).light is light


@pytest.mark.parametrize(("unmarked", "light"), [(0, Light.GREEN), (1, Light.UNKNOWN)])
def test_what_nobody_marked_may_be_actionable(unmarked, light):
    found = line(load(*week(9), *week(unmarked, None, name="Other")), ALICE)
    assert found.light is light


def test_a_handover_on_wednesday_splits_the_week():
    found = load(*week(3), *(occurrence(ago=5 * DAY + n * HOUR, judged=TRUE, oncall=BOB) for n in range(5)))
    assert {label: line(found, label).value for label in (ALICE, BOB)} == {
        ALICE: "3 actionable of 3 alerts",
        BOB: "5 actionable of 5 alerts",
    }
    assert found.table[1].startswith(BOB)


def test_forty_pods_of_one_card_are_one_alert():
    pods = [occurrence(pod=f"web-{n}", group="A1", judged=TRUE) for n in range(40)]
    assert line(load(*pods), ALICE).value == "1 actionable of 1 alert"


def test_a_month_is_told_by_the_week():
    month = [occurrence(ago=n * 12 * HOUR, judged=TRUE) for n in range(1, 43)]
    found = line(load(*month, text="alert load --window 28d"), ALICE)
    assert (found.light, "10.5 a week" in found.value) == (Light.RED, True)


def test_what_began_before_the_window_was_not_told_in_it():
    assert line(load(occurrence(ago=8 * DAY, lasted=None)), "Alerts").light is Light.GREEN


def test_a_store_that_is_younger_than_the_window_calls_nothing_good():
    assert line(load(occurrence(judged=TRUE), reaches=2 * DAY), ALICE).light is Light.UNKNOWN
    assert line(load(reaches=2 * DAY), "Alerts").light is Light.UNKNOWN
    assert line(load(*week(12), reaches=2 * DAY), ALICE).light is Light.RED


def test_people_are_called_by_their_names():
    given = {Occurrences: page(occurrence(judged=TRUE)), Called: {ALICE: "alice"}}
    assert line(one("alert load", given), "alice").light is Light.GREEN


def test_alerts_that_nobody_was_on_call_for_are_told():
    found = line(load(occurrence(judged=TRUE, oncall="")), "nobody on call")
    assert found.light is Light.YELLOW


# --- rank -----------------------------------------------------------------------------------------

# Burns at over 1 from 10 h to 9 h before now, and from 5 h to 4 h.
BURN = curve(
    NOW - 12 * HOUR, 5 * MINUTE, [3.0 if 24 <= n <= 36 or 84 <= n <= 96 else 0.4 for n in range(144)]
)


def ranked(*occurrences, burn=BURN, incidents=(), text="alert rank --window 7d", reaches=40 * DAY):
    given = {Occurrences: page(*occurrences, reaches=reaches), QueryRange: burn, Incidents: tuple(incidents)}
    return one(text, given)


def test_how_often_an_alert_came_with_a_burn_and_a_burn_with_the_alert():
    found = rank.ranks(
        firings.merged(
            (
                occurrence("Late", ago=10 * HOUR + 15 * MINUTE),
                occurrence("Late", ago=4 * HOUR - 15 * MINUTE),
                occurrence("Late", ago=7 * HOUR),
                occurrence("Late", ago=10 * HOUR + 40 * MINUTE),
            )
        ),
        rank.spans_over([BURN]),
    )
    (late,) = found
    assert (late.hurtful, late.firings, late.announced, late.burns) == (2, 4, 2, 2)


@pytest.mark.parametrize(
    ("burning", "severity", "times", "advice"),
    [
        (3, WARNING, 3, "raise"),
        (2, WARNING, 4, "raise"),
        (1, WARNING, 3, ""),
        (3, CRITICAL, 3, ""),
        (0, CRITICAL, 3, "lower"),
        (0, CRITICAL, 2, ""),
        (1, CRITICAL, 9, ""),
        (0, WARNING, 9, ""),
        (2, WARNING, 2, ""),
    ],
)
def test_severity_against_what_users_felt(burning, severity, times, advice):
    beside = [
        occurrence(ago=10 * HOUR - 11 * n * MINUTE, lasted=MINUTE, severity=severity) for n in range(burning)
    ]
    apart = [occurrence(ago=48 * HOUR + n * HOUR, severity=severity) for n in range(times - burning)]
    (found,) = rank.ranks(firings.merged((*beside, *apart)), rank.spans_over([BURN]))
    assert (found.hurtful, found.firings, found.advice) == (burning, times, advice)


def three(ago):
    return [occurrence(ago=ago - 15 * n * MINUTE, lasted=MINUTE) for n in range(3)]


def test_advice_is_told():
    found = ranked(*three(10 * HOUR))
    assert line(found, "Severity").evidence == (
        "raise HighErrorRate (warning): 3 of 3 firings beside a burn",
    )
    assert (line(found, "Incidents").light, line(found, "Incidents").value) == (
        Light.GREEN,
        "no Sev1 or Sev2",
    )


def grave(severity=1, **facts):
    """It hurt users for two hours, two days ago, when no budget burned."""
    begun = NOW - 2 * DAY
    felt = () if facts.pop("undated", False) else over(begun, begun + 2 * HOUR, begun + 2 * HOUR)
    return incident("INC-1", begun, severity, "checkout", *felt, **facts)


@pytest.mark.parametrize(
    ("made", "advised"),
    [(grave(), 1), (grave(severity=3), 0), (grave(drill="yes"), 0), (grave(undated=True), 0)],
)
def test_a_grave_incident_hurts_users_as_a_burn_does(made, advised):
    calm = curve(NOW - DAY, 5 * MINUTE, [0.2] * 200)
    found = ranked(*three(48 * HOUR - 30 * MINUTE), burn=calm, incidents=(made,))
    assert len(line(found, "Severity").evidence) == advised


def test_what_nobody_dated_is_named_and_without_the_records_nobody_knows():
    assert "INC-1" in line(ranked(incidents=(grave(undated=True),)), "Incidents").value
    dark = one("alert rank", {Occurrences: page(), QueryRange: BURN})
    assert (line(dark, "Incidents").light, line(dark, "Incidents").mend) == (Light.UNKNOWN, "start somebody")


def test_a_month_of_points_is_asked_for_in_pieces_that_prometheus_gives():
    asked = []
    typed("alert rank", {Occurrences: page(), QueryRange: BURN}, asked=asked)
    pieces = [read for read in asked if isinstance(read, QueryRange)]
    assert sum((read.window for read in pieces), timedelta()) == 30 * DAY
    assert all(read.window / read.step < 11_000 for read in pieces)
    assert [read.ago for read in pieces] == [0 * DAY, 10 * DAY, 20 * DAY]


def test_without_a_burn_nothing_is_ranked_and_nothing_called_good():
    calm = curve(NOW - DAY, 5 * MINUTE, [0.2] * 200)
    found = ranked(*(occurrence(ago=n * HOUR) for n in range(1, 5)), burn=calm)
    assert line(found, "Severity").light is Light.UNKNOWN


@pytest.mark.parametrize("burn", [DARK, Matrix(()), Matrix((Series({}, ()),))])
def test_without_an_error_budget_it_is_unknown(burn):
    found = ranked(occurrence(), burn=burn)
    assert line(found, "Error budget").light is Light.UNKNOWN
    assert line(found, "Error budget").mend


# --- order ----------------------------------------------------------------------------------------


def bunch(days, cause_minutes_before, cause="HighCPUUsage", symptom="HighLatency", **labels):
    """A cause and a symptom that began so many minutes after it, so many days ago."""
    begun = days * DAY
    return (
        occurrence(cause, begun, **labels),
        occurrence(symptom, begun - cause_minutes_before * MINUTE, **labels),
    )


def ordered(*bunches, reaches=40 * DAY):
    flat = [each for several in bunches for each in several]
    return one("alert order", {Occurrences: page(*flat, reaches=reaches)})


def test_a_cause_six_minutes_before_its_symptom_in_three_of_four_is_listed():
    found = ordered(bunch(1, 6), bunch(2, 6), bunch(3, 6), bunch(4, -2))
    told = line(found, "Causes before symptoms")
    assert told.light is Light.YELLOW
    assert told.evidence == ("HighCPUUsage fires 6 min before HighLatency in 3 of 4",)
    assert told.suggestions[0].text == "alert order --inhibit"


def test_two_of_four_are_no_order():
    found = ordered(bunch(1, 6), bunch(2, 6), bunch(3, -6), bunch(4, -6))
    assert line(found, "Causes before symptoms").light is Light.GREEN
    assert found.table == ()


def test_a_symptom_first_is_as_it_should_be():
    found = ordered(*(bunch(n, -6) for n in (1, 2, 3)))
    assert line(found, "Causes before symptoms").light is Light.GREEN
    assert found.table[1].split()[0] == "HighLatency"


def test_ten_minutes_are_together_and_eleven_are_not():
    assert len(order.clusters(firings.merged(bunch(1, 10)))) == 1
    assert order.clusters(firings.merged(bunch(1, 11))) == ()


def test_two_namespaces_have_nothing_to_do_with_each_other():
    apart = (
        occurrence("HighCPUUsage", namespace="shop"),
        occurrence("HighLatency", HOUR - MINUTE, namespace="pay"),
    )
    assert order.clusters(firings.merged(apart)) == ()


def test_a_label_of_the_rule_says_which_is_the_cause():
    def own(kind_a, kind_b):
        pairs = []
        for n in (1, 2, 3):
            one_, two = bunch(n, 6, "DiskSlow", "CheckoutFails")
            pairs.append(
                (
                    replace(one_, labels={**one_.labels, "kind": kind_a}),
                    replace(two, labels={**two.labels, "kind": kind_b}),
                )
            )
        return line(ordered(*pairs), "Causes before symptoms")

    assert own("cause", "symptom").light is Light.YELLOW
    assert own("symptom", "cause").light is Light.GREEN
    assert own("", "symptom").light is Light.UNKNOWN
    assert "kind: symptom" in own("", "symptom").mend


# --- what could hide what -------------------------------------------------------------------------


def together(times, of, *, source=WARNING, target=WARNING, **labels):
    """A target that fired so often, of which so many times beside its source."""
    found = []
    for n in range(1, of + 1):
        found.append(occurrence("HighLatency", n * 2 * HOUR, severity=target, pod="a", **labels))
        if n <= times:
            found.append(
                occurrence("NodeDown", n * 2 * HOUR + MINUTE, 5 * MINUTE, severity=source, pod="b", **labels)
            )
    return found


def named(found):
    return [(pair.source, pair.target, pair.together, pair.firings) for pair in found]


def pairs(occurrences):
    return inhibition.pairs(firings.merged(occurrences), NOW)


@pytest.mark.parametrize(("times", "found"), [(8, []), (9, [("NodeDown", "HighLatency", 9, 10)])])
def test_more_than_eighty_percent_together_is_proposed(times, found):
    assert named(pairs(together(times, 10, source=CRITICAL))) == found


def test_of_two_that_could_hide_each_other_the_graver_does():
    assert named(pairs(together(10, 10, source=CRITICAL))) == [("NodeDown", "HighLatency", 10, 10)]
    assert named(pairs(together(10, 10, target=CRITICAL))) == [("HighLatency", "NodeDown", 10, 10)]


def test_of_equals_the_one_that_comes_first_hides():
    assert named(pairs(together(10, 10))) == [("NodeDown", "HighLatency", 10, 10)]
    assert named(pairs(together(9, 10))) == [("NodeDown", "HighLatency", 9, 10)]


def test_a_lesser_alert_never_hides_a_graver_one():
    lesser = together(9, 10, target=CRITICAL)
    assert all(pair.target != "HighLatency" for pair in pairs(lesser))


def test_few_firings_say_nothing():
    assert pairs(together(4, 4)) == ()


def test_labels_that_they_always_share_are_compared_and_others_are_not():
    (pair,) = pairs(together(10, 10, source=CRITICAL, node="n1"))
    assert pair.equal == ("namespace", "node")  # the pods differ


def test_without_a_label_in_common_there_is_no_rule_for_it_would_hide_everything():
    bare = [replace(each, labels={"alertname": each.name}) for each in together(10, 10)]
    bare = [replace(each, fingerprint=each.name) for each in bare]
    assert pairs(bare) == ()


def tree(*rules):
    return AlertmanagerRoutes(RouteNode("bot"), tuple(rules), ("bot",), ("bot",))


def inhibit(occurrences, config):
    given = {Occurrences: page(*occurrences), AlertmanagerConfig: config}
    return typed("alert order --inhibit", given)["inhibit"]


def test_a_rule_that_exists_is_not_proposed_again():
    many = together(10, 10, source=CRITICAL)
    known = InhibitRule(('alertname=~"Node.*"',), ('severity="warning"', 'alertname!="X"'), ("namespace",))
    many = [replace(each, labels={**each.labels, "severity": each.severity.value}) for each in many]
    assert (
        line(inhibit(many, tree(known)), "Fire together").value
        == "no further pair; 1 hidden already by a rule"
    )
    narrower = replace(known, equal=("namespace", "pod"))
    assert line(inhibit(many, tree(narrower)), "Fire together").light is Light.YELLOW
    other = replace(known, source=('alertname="Other"',))
    assert line(inhibit(many, tree(other)), "Fire together").light is Light.YELLOW


def test_without_alertmanager_the_proposal_stands_and_what_exists_is_unknown():
    found = inhibit(together(10, 10), DARK)
    assert lights(found) == {"Rules that exist": Light.UNKNOWN, "Fire together": Light.YELLOW}
    assert 'alertname="NodeDown"' in found.attachments[0].content


needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None,
    reason="amtool is not on PATH: the proposed rules were NOT checked (apt install prometheus-alertmanager)",
)


@needs_amtool
def test_amtool_takes_the_proposed_rules_whatever_the_alert_is_called(tmp_path):
    found = inhibit(together(10, 10), tree()).attachments[0].content
    hostile = inhibition.text([inhibition.Pair('it\'s "a" {b}: [c]\n#d', "T,\\", 9, 10, ("namespace",))])
    for text in (found, hostile):
        config = tmp_path / "alertmanager.yml"
        config.write_text(f"route: {{receiver: bot}}\nreceivers: [{{name: bot}}]\n{text}")
        run = subprocess.run(
            ["amtool", "check-config", str(config)], capture_output=True, text=True, timeout=30, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert "1 inhibit rules" in run.stdout
