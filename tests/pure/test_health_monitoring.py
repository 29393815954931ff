"""The monitoring part: what answers, what is scraped, and whether alerts reach the bot."""

from dataclasses import replace
from datetime import timedelta

import pytest
from health_answers import (
    ALL_UP,
    HOUR,
    JOBS,
    MINUTE,
    NOW,
    OK,
    SITE,
    drive,
    finding,
    monitoring_answers,
    section,
    vector,
)

from commands.errors import Unreachable
from commands.finding import Light
from commands.health import monitoring
from commands.model import Gap
from commands.queries import query
from commands.reads import (
    AlertmanagerView,
    GrafanaView,
    HeartbeatView,
    Http,
    Now,
    Probe,
    TargetView,
    Vector,
    WebhookHeartbeat,
)
from commands.site import Alertmanager, Monitoring
from commands.words import WORDS

G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN


def silence(reason):
    return Gap.of(Unreachable(reason))


HANGING = silence("prometheus: no complete answer in time")


def http(status):
    return Http(status, timedelta(milliseconds=3))


def judged(**worse):
    return section(monitoring.inquiry(SITE), monitoring_answers(**worse))


def test_all_green_shows_three_components_targets_and_the_beat():
    found = judged()
    assert found.light is G
    assert [(line.label, line.value) for line in found.findings] == [
        ("Prometheus", "healthy and ready in 24 ms"),
        ("Scrape targets", "3 of 3 up"),
        ("Grafana", "10.4.1 (d9a2b7c), database ok"),
        ("Alertmanager", "0.27.0, cluster ready, 3 peers · healthy and ready in 24 ms"),
        ("Alert delivery", "last webhook 1 min ago"),
    ]


def test_components_are_probed_over_http_by_name_never_through_a_child_process():
    asked = drive(monitoring.inquiry(SITE), monitoring_answers())[1]
    probes = {(read.component, read.path) for read in asked if isinstance(read, Probe)}
    assert probes == {(c, p) for c in ("prometheus", "alertmanager") for p in ("/-/healthy", "/-/ready")}


@pytest.mark.parametrize("body", ["Prometheus is Healthy.\n", "Prometheus Server is Healthy.\n", ""])
def test_prometheus_is_judged_by_its_status_code_not_by_its_wording(body):
    assert finding(judged(healthy=replace(OK, body=body)), "DH-3.2").light is G


PAGE = replace(OK, body="\n<!DOCTYPE html><title>Sign in</title>")


@pytest.mark.parametrize(
    "worse, key, label",
    [
        ({"healthy": PAGE}, "DH-3.2", "Prometheus"),
        ({"healthy": PAGE, "ready": Http(503, timedelta(0))}, "DH-3.2", "Prometheus"),
        ({"ready": PAGE}, "DH-3.2", "Prometheus"),
        ({"am_healthy": PAGE}, "DH-3.7", "Alertmanager"),
    ],
)
def test_a_web_page_in_its_place_says_nothing_of_a_component(worse, key, label):
    line = finding(judged(**worse), key, label)
    assert (line.light, line.value) == (U, f"unknown: a web page answers instead of {label}")
    assert f"monitoring.{label.lower()}.url" in line.mend


@pytest.mark.parametrize(
    "healthy, ready, light, value",
    [
        (OK, http(503), Y, "up, but replaying WAL (/-/ready: HTTP 503)"),
        (http(503), http(503), R, "/-/healthy answers HTTP 503"),
        (http(404), OK, R, "/-/healthy answers HTTP 404"),
        (OK, http(500), R, "/-/ready answers HTTP 500"),
        (HANGING, HANGING, R, "no answer: prometheus: no complete answer in time"),
        (OK, HANGING, R, "no answer: prometheus: no complete answer in time"),
        (silence("prometheus: no connection to x:9090"), OK, R, "no answer: prometheus: no connection to x:"),
        (silence("prometheus: x:9090 does not accept connections"), OK, R, "no answer: prometheus: x:9090"),
        (silence("any words at all"), OK, R, "no answer: any words at all"),
        (Gap("probe: not asked in time, its source is still busy"), OK, U, "unknown: probe: not asked"),
        (Gap("prometheus: no address configured", "set it"), OK, U, "unknown: prometheus: no address"),
        (Gap("prometheus: the name in x does not resolve"), OK, U, "unknown: prometheus: the name"),
        (Gap("services/proxy: forbidden", "allow get services/proxy"), OK, U, "unknown: services/proxy"),
        (http(401), http(401), U, "unknown: HTTP 401"),
        (http(403), OK, U, "unknown: HTTP 403"),
    ],
)
def test_is_prometheus_up(healthy, ready, light, value):
    line = finding(judged(healthy=healthy, ready=ready), "DH-3.2")
    assert line.light is light
    assert line.value.startswith(value)


def test_a_hanging_prometheus_is_red_but_its_targets_are_unknown():
    found = judged(healthy=HANGING, ready=HANGING, targets=HANGING)
    assert finding(found, "DH-3.2").light is R
    assert finding(found, "DH-3.3").light is U
    assert finding(found, "DH-3.5").light is G


# --- targets ---


def target(health, job="backend", error=""):
    return TargetView(job, "10.0.0.9:8080", health, error)


def test_a_target_that_is_down_is_named_with_job_instance_and_last_error():
    line = finding(judged(targets=(*ALL_UP, target("down", error="connection refused"))), "DH-3.3")
    assert (line.light, line.value) == (R, "3 of 4 up")
    assert line.evidence == ("backend 10.0.0.9:8080: down, connection refused",)


def test_a_target_not_scraped_yet_is_yellow_not_down():
    line = finding(judged(targets=(*ALL_UP, target("unknown"))), "DH-3.3")
    assert (line.light, line.evidence) == (Y, ("backend 10.0.0.9:8080: not scraped yet",))


def test_an_expected_job_without_any_target_is_red_and_comes_first():
    line = finding(judged(targets=(*ALL_UP[1:], target("unknown", "x"), target("down", "y"))), "DH-3.3")
    assert (line.light, line.value) == (R, "2 of 4 up, 1 expected job missing")
    assert line.evidence[0] == "job backend: no target at all"
    assert line.evidence[-1].startswith("x ")


def test_a_job_named_job_is_not_taken_for_a_missing_one():
    line = finding(judged(targets=(*ALL_UP, target("down", "job"))), "DH-3.3")
    assert (line.light, line.value) == (R, "3 of 4 up")


def test_no_target_at_all_is_red_whatever_is_expected():
    prometheus = replace(SITE.monitoring.prometheus, expected_jobs=())
    site = replace(SITE, monitoring=replace(SITE.monitoring, prometheus=prometheus))
    found = section(monitoring.inquiry(site), monitoring_answers(targets=()))
    assert finding(found, "DH-3.3").light is R


UNLISTED = Gap("prometheus: answers 500")


def absent(*gone):
    return {query(SITE, "Q-targets", job=job): vector(1.0) if job in gone else Vector(()) for job in JOBS}


@pytest.mark.parametrize("gone, light", [((), U), (("backend",), R)])
def test_when_targets_cannot_be_listed_missing_jobs_are_found_by_query(gone, light):
    answers = monitoring_answers(targets=UNLISTED) | absent(*gone)
    line = finding(section(monitoring.inquiry(SITE), answers), "DH-3.3")
    assert line.light is light
    assert "prometheus: answers 500" in line.value
    assert line.evidence == tuple(f"job {job}: no target at all" for job in gone)


def test_a_partial_answer_proves_no_missing_job():
    gone = {query(SITE, "Q-targets", job="backend"): vector(1.0, warnings=("store unreachable",))}
    answers = monitoring_answers(targets=UNLISTED) | absent() | gone
    assert finding(section(monitoring.inquiry(SITE), answers), "DH-3.3").light is U


def test_queries_that_are_not_answered_either_leave_it_unknown():
    answers = monitoring_answers(targets=UNLISTED) | dict.fromkeys(absent(), Gap("422"))
    assert finding(section(monitoring.inquiry(SITE), answers), "DH-3.3").light is U


# --- Grafana and Alertmanager ---


@pytest.mark.parametrize(
    "view, light, value",
    [
        (GrafanaView("10.4.1", "failing", ""), R, "10.4.1, database failing"),
        (Gap("grafana: no complete answer in time"), U, "unknown: grafana: no complete answer in time"),
    ],
)
def test_grafana(view, light, value):
    line = finding(judged(grafana=view), "DH-3.5")
    assert (line.light, line.value) == (light, value)


@pytest.mark.parametrize(
    "worse, light, value",
    [
        ({"am_healthy": http(500)}, R, "/-/healthy answers HTTP 500"),
        ({"am_ready": http(503)}, Y, "up, but not ready yet"),
        ({"am_healthy": silence("alertmanager: no complete answer in time")}, U, "unknown: alertmanager"),
        ({"am_status": AlertmanagerView("0.27.0", "settling", 2)}, Y, "0.27.0, cluster is settling, 2 peers"),
        ({"am_status": AlertmanagerView("0.27.0", "disabled", 0)}, G, "0.27.0, single"),
        ({"am_status": Gap("alertmanager: answers 500", "mend")}, U, "up, its cluster is unknown"),
    ],
)
def test_alertmanager(worse, light, value):
    line = finding(judged(**worse), "DH-3.7", "Alertmanager")
    assert line.light is light
    assert line.value.startswith(value)


# --- the beat ---

NO_ALERTMANAGER = replace(SITE, monitoring=Monitoring(alertmanager=Alertmanager(url="")))


def ago(last, start):
    """A view by the minutes since the last webhook and since the bot's start; the Watchdog is set up."""
    return HeartbeatView(
        *(None if minutes is None else NOW - minutes * MINUTE for minutes in (last, start)), watchdog=NOW
    )


@pytest.mark.parametrize(
    "site, view, light, value",
    [
        (SITE, ago(10, 60), G, "last webhook 10 min ago"),
        (SITE, ago(1, 3), G, "last webhook 1 min ago"),
        (SITE, ago(5, 3), G, "last webhook 5 min ago"),
        (SITE, ago(1, None), G, "last webhook 1 min ago"),
        (SITE, ago(11, 60), R, "last webhook 11 min ago"),
        (SITE, ago(11, 10), R, "last webhook 11 min ago"),
        (SITE, ago(11, None), R, "last webhook 11 min ago"),
        (SITE, ago(None, 10), R, "no webhook has ever arrived"),
        (SITE, ago(None, 3), U, "no webhook yet, listening for 3 min"),
        (SITE, ago(600, 9), U, "no webhook yet, listening for 9 min"),
        (SITE, ago(None, -1), U, "no webhook yet, listening for 0 s"),
        (SITE, ago(None, None), U, "no webhook yet, and the bot has noted no start"),
        (NO_ALERTMANAGER, ago(None, 60), U, "unknown: no Alertmanager is configured"),
        (NO_ALERTMANAGER, ago(None, 3), U, "unknown: no Alertmanager is configured"),
        (NO_ALERTMANAGER, ago(11, 60), R, "last webhook 11 min ago"),
        (SITE, Gap("the bot's store does not answer"), U, "unknown: the bot's store does not answer"),
    ],
)
def test_a_bot_that_listens_must_have_heard_a_webhook_within_ten_minutes(site, view, light, value):
    for inquiry in (monitoring.inquiry(site), monitoring.heartbeat_inquiry(site)):
        line = finding(section(inquiry, monitoring_answers(beat=view)), "DH-3.7", "Alert delivery")
        assert (line.light, line.value) == (light, value)
        assert bool(line.alarm) == (light is R)


def test_alerts_that_arrive_without_a_watchdog_would_stop_unnoticed_and_nobody_is_called():
    line = finding(judged(beat=replace(ago(1, 60), watchdog=None)), "DH-3.7", "Alert delivery")
    assert (line.light, line.alarm) == (Y, "")
    assert "no Watchdog was ever heard" in line.value and "Watchdog" in line.mend


def test_while_it_waits_for_the_first_webhook_it_says_what_to_check_and_when_the_last_one_came():
    line = finding(judged(beat=ago(600, 3)), "DH-3.7", "Alert delivery")
    assert "Watchdog" in line.mend
    assert line.evidence == ("last webhook 10 h ago, before the bot's start",)


def test_alerts_that_do_not_arrive_call_on_call_with_a_real_command():
    line = finding(judged(beat=HeartbeatView(None, NOW - HOUR)), "DH-3.7", "Alert delivery")
    assert line.alarm.startswith("Alerts do not reach the bot: ")
    word, verb = line.suggestions[0].text.split()
    assert WORDS[word].verb(verb)


def test_the_beat_alone_asks_nobody_outside():
    found, asked = drive(monitoring.heartbeat_inquiry(SITE), monitoring_answers())
    assert set(asked) == {WebhookHeartbeat(), Now()}
    assert [line.key for line in found.findings] == ["DH-3.7"]


def test_everything_unread_is_unknown_with_its_reason():
    gap = Gap("not asked: shutting down", "wait")
    answers = dict.fromkeys((*monitoring_answers(), *absent()), gap) | {Now(): NOW}
    found = section(monitoring.inquiry(SITE), answers)
    assert {line.light for line in found.findings} == {U}
    assert all("shutting down" in line.value and line.mend == "wait" for line in found.findings)


def test_thousands_of_targets_down_keep_a_bounded_record():
    targets = tuple(TargetView("backend", f"10.0.0.{n}:80", "down", "refused") for n in range(3000))
    line = finding(judged(targets=targets), "DH-3.3")
    assert line.light is R
    assert len(line.evidence) == 50
    assert line.value.startswith("0 of 3000 up")
