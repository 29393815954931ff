"""The SLO part: every threshold of the manual's step 1, its red flags, and what is not a number."""

from dataclasses import replace
from datetime import timedelta

import pytest
from health_answers import (
    AVAILABLE,
    BACKEND,
    BOARD,
    BUDGET,
    CPU,
    DAY,
    ERRORS,
    SITE,
    SUCCESS,
    drive,
    finding,
    section,
    slo_answers,
    vector,
)

from commands.finding import Light
from commands.health import slo
from commands.model import Gap
from commands.queries import query
from commands.reads import Dashboards, DashboardView, Retention, Vector
from commands.site import Slo, SuccessRate, Urls
from commands.words import WORDS

G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN


def judged(**worse):
    return section(slo.inquiry(SITE, BACKEND), slo_answers(**worse))


def test_all_green_has_four_metrics_with_value_threshold_light_and_a_dashboard_link():
    found = judged()
    assert found.light is G
    for key in ("DH-1.5", "DH-1.6", "DH-1.7", "DH-1.8"):
        line = finding(found, key)
        assert line.light is G
        assert line.value.split()[0].replace(".", "").isdigit()
        assert line.threshold
        assert line.link.url == "https://grafana.example.com/d/abc/slo"
        assert not line.alarm
        assert not line.suggestions
    assert found.note == "Prometheus, window 30 d"


@pytest.mark.parametrize(
    "key, name, share, light, said",
    [
        ("DH-1.5", "availability", 0.9991, G, "99.91 %"),
        ("DH-1.5", "availability", 0.9990, Y, "99.90 %"),
        ("DH-1.5", "availability", 0.99900000000000004, Y, "99.90 %"),
        ("DH-1.5", "availability", 1 - 0.001, Y, "99.90 %"),
        ("DH-1.5", "availability", 0.99904, G, "99.904 %"),
        ("DH-1.5", "availability", 0.990, Y, "99.00 %"),
        ("DH-1.5", "availability", 0.98996, R, "98.996 %"),
        ("DH-1.5", "availability", 0.9899, R, "98.99 %"),
        ("DH-1.6", "success", 1.0, G, "100.00 %"),
        ("DH-1.6", "success", 0.9990, G, "99.90 %"),
        ("DH-1.6", "success", 1 - 0.0010000000000000009, G, "99.90 %"),
        ("DH-1.6", "success", 0.9989, Y, "99.89 %"),
        ("DH-1.6", "success", 0.99, Y, "99.00 %"),
        ("DH-1.6", "success", 0.989, R, "98.90 %"),
        ("DH-1.7", "budget", 0.4, G, "40 % consumed, 25.9 of 43.2 min (30 d) left"),
        ("DH-1.7", "budget", 0.4999, G, "49.99 % consumed"),
        ("DH-1.7", "budget", 0.5, Y, "50 % consumed, 21.6 of 43.2 min (30 d) left"),
        ("DH-1.7", "budget", 0.5000000000000004, Y, "50 % consumed"),
        ("DH-1.7", "budget", 0.75, Y, "75 % consumed, 10.8 of 43.2 min (30 d) left"),
        ("DH-1.7", "budget", 0.751, R, "75.1 % consumed"),
        ("DH-1.7", "budget", 1.5, R, "150 % consumed, overspent by 21.6 min of 43.2 min (30 d)"),
        ("DH-1.8", "cpu", 0.49, G, "49 %"),
        ("DH-1.8", "cpu", 0.5, Y, "50 %"),
        ("DH-1.8", "cpu", 0.8, Y, "80 %"),
        ("DH-1.8", "cpu", 0.801, R, "80.1 %"),
        ("DH-1.8", "cpu", 1.7, R, "170 %"),
        ("DH-1.10", "availability_now", 0.8, R, "80.00 %"),
        ("DH-1.11", "errors", 0.001, G, "0.10 %"),
        ("DH-1.11", "errors", 0.0011, Y, "0.11 %"),
        ("DH-1.11", "errors", 0.01, Y, "1.00 %"),
        ("DH-1.11", "errors", 0.0101, R, "1.01 %"),
    ],
)
def test_each_threshold_of_the_manual(key, name, share, light, said):
    line = finding(judged(**{name: float(share)}), key)
    assert (line.light, line.value[: len(said)]) == (light, said)
    assert bool(line.alarm) == (light is R)


@pytest.mark.parametrize(
    "key, name, share, sentence, button",
    [
        ("DH-1.5", "availability", 0.989, "Service outage likely", "incident declare sev1 "),
        ("DH-1.10", "availability_now", 0.989, "Service outage likely", "incident declare sev1 "),
        ("DH-1.11", "errors", 0.0101, "Application errors", "debug 5xx backend"),
        ("DH-1.6", "success", 0.989, "Application errors", "debug 5xx backend"),
        ("DH-1.7", "budget", 0.751, "SLO violation risk", "debug 5xx backend"),
        ("DH-1.8", "cpu", 0.801, "Resource exhaustion", "capacity now"),
    ],
)
def test_each_red_flag_has_its_sentence_and_buttons_that_are_real_commands(
    key, name, share, sentence, button
):
    line = finding(judged(**{name: share}), key)
    assert line.alarm.startswith(f"{sentence}: ")
    assert "backend" in line.alarm or "sre-shop" in line.alarm
    assert any(offer.text.startswith(button) for offer in line.suggestions)
    assert any(offer.text.startswith("incident declare sev") for offer in line.suggestions)
    assert any(offer.label.startswith(("Debug", "Error budget")) for offer in line.suggestions)
    assert len(line.suggestions) <= 3
    for offer in line.suggestions:
        word, verb = offer.text.split()[:2]
        assert WORDS[word].verb(verb), offer.text


def test_a_flag_that_burns_now_is_not_raised_twice():
    found = judged(availability=0.9, availability_now=0.8, success=0.9, errors=0.2)
    raised = [line.key for line in found.findings if line.alarm]
    assert raised == ["DH-1.10", "DH-1.11"]
    assert finding(found, "DH-1.5").light is R


def test_what_burns_now_stands_first_so_that_its_buttons_are_not_cut_off():
    found = judged(availability_now=0.8, budget=0.9, cpu=0.9)
    offered = [offer.text for line in found.findings for offer in line.suggestions]
    assert offered[0].startswith("incident declare sev1 backend: availability 80.00 %")


def test_the_alarm_names_the_number_and_the_window():
    found = judged(availability_now=0.8)
    assert finding(found, "DH-1.10").alarm == (
        "Service outage likely: backend was available 80.00 % of the last 5 min"
    )


@pytest.mark.parametrize(
    "answer, words",
    [
        (Vector(()), "no data"),
        (vector(float("nan")), "no requests"),
        (vector(float("inf")), "no requests"),
        (Gap("timed out after 5 s", "check monitoring.prometheus.url"), "timed out after 5 s"),
        (vector(99.9), "99.9 is no share"),
        (vector(1e20), "1e+20 is no share"),
        (vector(0.9, 0.8), "2 series instead of one"),
    ],
    ids=["empty", "no traffic", "division by zero", "gap", "override in percent", "absurd", "several series"],
)
def test_what_is_no_number_is_unknown_and_the_rest_is_still_judged(answer, words):
    found = judged(success=answer)
    line = finding(found, "DH-1.6")
    assert (line.light, line.value) == (U, words)
    assert "%" not in line.value
    assert finding(found, "DH-1.5").light is G
    assert found.light is U


def test_missing_series_are_named_and_so_is_an_override_that_answers_nothing():
    assert "http_requests_total" in finding(judged(success=Vector(())), "DH-1.6").mend
    own = replace(SITE, slo=Slo(queries={"Q-slocpu": 'my_cpu{ns="$namespace"}'}))
    answers = slo_answers() | {query(own, "Q-slocpu"): Vector(())}
    found = section(slo.inquiry(own, BACKEND), answers)
    assert "slo.queries.Q-slocpu" in finding(found, "DH-1.8").mend


def test_no_cpu_requests_are_named_as_such():
    line = finding(judged(cpu=vector(float("inf"))), "DH-1.8")
    assert (line.light, line.value) == (U, "no CPU requests set")


@pytest.mark.parametrize(
    "retention, note, label",
    [
        (15 * DAY, "window 15 d of 30 d: it keeps no more", "Availability, 15 d"),
        (60 * DAY, "window 30 d", "Availability, 30 d"),
        (None, "it does not say how far back it goes", "Availability, 30 d"),
        (Gap("HTTP 404"), "how far back it goes is unknown: HTTP 404", "Availability, 30 d"),
    ],
)
def test_a_window_shorter_than_asked_is_stated(retention, note, label):
    found = judged(retention=retention)
    assert note in found.note
    assert finding(found, "DH-1.5").label == label


PARTIAL = ("PromQL info: metric might not be a counter", "store gateway\nunreachable")
NAMED = [
    ("DH-1.5", "availability", 1.0, 0.5),
    ("DH-1.10", "availability_now", 1.0, 0.5),
    ("DH-1.6", "success", 1.0, 0.5),
    ("DH-1.11", "errors", 0.0, 0.5),
    ("DH-1.7", "budget", 0.0, 0.9),
    ("DH-1.8", "cpu", 0.1, 0.9),
]


@pytest.mark.parametrize("key, name, good, bad", NAMED)
def test_a_partial_answer_never_says_that_all_is_well(key, name, good, bad):
    found = judged(**{name: vector(good, warnings=PARTIAL)})
    line = finding(found, key)
    assert (line.light, line.evidence) == (U, ("partial answer: store gateway unreachable",))
    assert line.value[0].isdigit()
    assert line.mend
    assert found.light is U
    # Missing data looks like an outage, so it must not call on-call for one; errors seen are errors.
    line = finding(judged(**{name: vector(bad, warnings=PARTIAL)}), key)
    assert line.evidence == ("partial answer: store gateway unreachable",)
    expected = U if "availability" in name else R
    assert (line.light, bool(line.alarm), bool(line.suggestions)) == (expected, expected is R, expected is R)


@pytest.mark.parametrize("key, name, good, bad", NAMED)
def test_a_remark_on_the_query_is_no_partial_answer(key, name, good, bad):
    line = finding(judged(**{name: vector(good, warnings=PARTIAL[:1])}), key)
    assert (line.light, line.evidence) == (G, ())


def test_a_partial_answer_without_a_number_says_both():
    line = finding(judged(success=vector(warnings=PARTIAL)), "DH-1.6")
    assert (line.light, line.value) == (U, "no data")
    assert line.evidence == ("partial answer: store gateway unreachable",)


def test_everything_unread_is_unknown_never_green_and_reasons_stand():
    gap = Gap("no connection to Prometheus", "check monitoring.prometheus.url")
    found = section(slo.inquiry(SITE, BACKEND), dict.fromkeys(slo_answers(), gap))
    assert {line.light for line in found.findings} == {U}
    assert all("no connection" in line.value and line.mend == gap.mend for line in found.findings)


def test_the_minutes_follow_window_and_objective():
    strict = replace(SITE, slo=Slo(window=timedelta(days=7), success_rate=SuccessRate(target=99.5)))
    assert slo.minutes_left(strict, slo.Decimal(50), strict.slo.window) == "25.2 of 50.4 min (7 d) left"


@pytest.mark.parametrize(
    "retention, label, value",
    [
        (15 * DAY, "Error budget, 15 d", "50 % consumed, 10.8 of 21.6 min (15 d) left"),
        (60 * DAY, "Error budget, 30 d", "50 % consumed, 21.6 of 43.2 min (30 d) left"),
    ],
)
def test_the_minutes_are_those_of_the_window_that_was_measured(retention, label, value):
    line = finding(judged(retention=retention, budget=0.5), "DH-1.7")
    assert (line.label, line.value) == (label, value)


def test_a_missing_browser_address_names_its_key_and_hides_nothing():
    found = section(slo.inquiry(replace(SITE, urls=Urls()), BACKEND), slo_answers())
    line = finding(found, "DH-1.3")
    assert line.light is U
    assert "urls.grafana" in line.mend
    assert finding(found, "DH-1.5").light is G


def test_a_dashboard_of_another_title_is_not_linked_but_named():
    answers = slo_answers(boards=(DashboardView(f"{BOARD} (copy)", "x", "/d/x"),))
    answers[Dashboards("")] = (
        DashboardView("SRE Shop - SLOs", "y", "/d/y"),
        DashboardView("Kubernetes Overview", "z", "/d/z"),
    )
    line = finding(section(slo.inquiry(SITE, BACKEND), answers), "DH-1.3")
    assert line.light is Y
    assert line.value == f"dashboard not found: {BOARD}"
    assert line.evidence[0] == f"nearest title: {BOARD} (copy)"
    assert "nearest title: SRE Shop - SLOs" in line.evidence
    assert line.link is None


@pytest.mark.parametrize(
    "address, path, url",
    [
        ("https://g.example.com/", "/d/a/slo", "https://g.example.com/d/a/slo"),
        ("https://x.example.com/grafana", "/grafana/d/a/slo", "https://x.example.com/grafana/d/a/slo"),
        ("https://x.example.com/grafana", "/d/a/slo", "https://x.example.com/grafana/d/a/slo"),
    ],
)
def test_the_deep_link_survives_a_sub_path(address, path, url):
    site = replace(SITE, urls=Urls(grafana=address))
    answers = slo_answers(boards=(DashboardView(BOARD, "a", path),))
    assert finding(section(slo.inquiry(site, BACKEND), answers), "DH-1.3").link.url == url


def test_one_round_of_reads_is_enough_when_the_dashboard_is_there():
    _, asked = drive(slo.inquiry(SITE, BACKEND), slo_answers())
    assert {AVAILABLE, SUCCESS, BUDGET, ERRORS, CPU, Retention()} < set(asked)
    assert Dashboards("") not in asked
