"""The application part: who is behind the Service, and what every pod itself says."""

from dataclasses import replace
from datetime import timedelta

import pytest
from health_answers import (
    BACKEND,
    NAMES,
    SITE,
    app_answers,
    deployment,
    drive,
    endpoint,
    finding,
    get,
    page,
    section,
)

from commands.finding import Light
from commands.health import app
from commands.model import Gap
from commands.reads import Condition, Deployment, Exposition, Http, PodExposition, PodHttp
from commands.site import Paths
from commands.words import WORDS

G, Y, R, U = Light.GREEN, Light.YELLOW, Light.RED, Light.UNKNOWN
SLOW = Gap("pod sre-shop/backend-2: no complete answer in time", "let the bot reach the pods", silent=True)
DENIED = Gap("pod sre-shop/backend-2: forbidden", "allow get on pods/proxy")


def http(status, ms=40, body=""):
    return Http(status, timedelta(milliseconds=ms), body)


def judged(answers):
    return section(app.inquiry(SITE, BACKEND), answers)


def test_all_green_lists_service_generator_metrics_healthz_and_readyz():
    found = judged(app_answers())
    assert found.light is G
    assert [(line.key, line.label, line.value) for line in found.findings] == [
        ("DH-4.1", "Endpoints of backend-service", "3/3 ready"),
        ("DH-4.2", "Deployment traffic-generator", "1/1 ready"),
        ("DH-4.4", "Metrics /metrics", "3 of 3 pages complete"),
        ("DH-4.5", "Health /healthz", "3/3 answer 200, slowest 12 ms"),
        ("DH-4.6", "Readiness /readyz", "3/3 answer 200, slowest 12 ms"),
    ]
    assert found.note == ""


@pytest.mark.parametrize(
    "endpoints, light, value, evidence",
    [
        (
            (endpoint(1), endpoint(2), endpoint(3, ready=False)),
            Y,
            "2/3 ready",
            ("backend-3 on ip-10-0-1-1: not ready",),
        ),
        ((endpoint(1, ready=False),), R, "0/1 ready", ("backend-1 on ip-10-0-1-1: not ready",)),
        ((), R, "no endpoint", ()),
        ((endpoint(1), endpoint(2, ready=False, terminating=True)), G, "1/1 ready, 1 terminating", ()),
        ((endpoint(1, ready=False, terminating=True),), R, "no endpoint, 1 terminating", ()),
    ],
)
def test_endpoints_are_counted_ready_and_not_ready(endpoints, light, value, evidence):
    line = finding(judged(app_answers(endpoints=endpoints)), "DH-4.1")
    assert (line.light, line.value, line.evidence) == (light, value, evidence)
    for offer in line.suggestions:
        word, verb = offer.text.split()[:2]
        assert WORDS[word].verb(verb), offer.text


@pytest.mark.parametrize(
    "view, light, value",
    [
        (deployment(1, 1), G, "1/1 ready"),
        (deployment(0, 1), R, "0/1 ready"),
        (deployment(1, 2), Y, "1/2 ready"),
        (deployment(2, 2), G, "2/2 ready"),
        (deployment(0, 0), Y, "0/0 ready"),
        (deployment(1, 1, generation=4), Y, "1/1 ready"),
        (None, Y, "not installed"),
        (Gap("deployments: forbidden", "allow it"), U, "unknown: deployments: forbidden"),
    ],
)
def test_the_traffic_generator(view, light, value):
    line = finding(judged(app_answers(generator=view)), "DH-4.2")
    assert (line.light, line.value) == (light, value)


STUCK = (Condition("Available", "True"), Condition("Progressing", "False", "ProgressDeadlineExceeded"))
GOING = (Condition("Progressing", "True", "ReplicaSetUpdated"),)


@pytest.mark.parametrize(
    "wanted, view, light, facts",
    [
        (None, deployment(0, 0), Y, ("scaled to zero",)),
        (None, deployment(1, 1), G, ()),
        (0, deployment(0, 0), G, ()),
        (1, deployment(0, 0), Y, ("scaled to zero, the configuration expects 1",)),
        (3, deployment(2, 2), Y, ("scaled to 2, the configuration expects 3",)),
        (None, deployment(1, 1, generation=4), Y, ("its last change is not rolled out yet",)),
        (
            None,
            deployment(1, 1, updated=0, conditions=STUCK),
            Y,
            ("its rollout is stuck (ProgressDeadlineExceeded): 0 of 1 updated",),
        ),
        (None, deployment(1, 1, updated=0, conditions=GOING), G, ()),
        (None, deployment(1, 1, conditions=STUCK), G, ()),
    ],
)
def test_what_is_odd_about_the_traffic_generator_is_said(wanted, view, light, facts):
    generator = replace(SITE.services["traffic-generator"], replicas=wanted)
    site = replace(SITE, services={**SITE.services, "traffic-generator": generator})
    line = finding(section(app.inquiry(site, BACKEND), app_answers(generator=view)), "DH-4.2")
    assert (line.light, line.evidence) == (light, facts)


def test_the_configuration_can_switch_the_generator_off():
    site = replace(SITE, services={"backend": BACKEND})
    found, asked = drive(app.inquiry(site, BACKEND), app_answers())
    assert not any(isinstance(read, Deployment) for read in asked)
    assert all(line.key != "DH-4.2" for line in found.findings)
    assert "traffic generator not checked" in found.note


def test_a_missing_generator_says_which_key_switches_it_off():
    assert "services.traffic-generator" in finding(judged(app_answers(generator=None)), "DH-4.2").mend


@pytest.mark.parametrize(
    "answer, light, fact",
    [
        (Exposition(200, frozenset(), "not a metrics page: HTML"), R, "not a metrics page: HTML"),
        (Exposition(200, frozenset()), R, "no metric on the page"),
        (Exposition(500, frozenset(), "HTTP 500"), R, "HTTP 500"),
        (
            Exposition(200, NAMES - {"http_request_duration_seconds_bucket"}),
            R,
            "lacks http_request_duration_seconds_bucket",
        ),
        (Gap("no connection", "open it"), U, "unknown: no connection"),
    ],
    ids=["HTML with 200", "empty", "error", "a required metric is missing", "unread"],
)
def test_the_metrics_page_must_parse_and_hold_what_is_required(answer, light, fact):
    line = finding(judged(app_answers() | {page(2): answer}), "DH-4.4")
    assert (line.light, line.value) == (light, "2 of 3 pages complete")
    assert line.evidence == (f"backend-2: {fact}",)


def test_one_sick_pod_of_three_is_named_with_its_latency():
    line = finding(judged(app_answers() | {get(2, "/healthz"): http(500, body="db down\n")}), "DH-4.5")
    assert (line.light, line.value) == (R, "2/3 answer 200, slowest 40 ms")
    assert line.evidence == ("backend-2: HTTP 500 after 40 ms (db down)",)


def test_a_sick_pod_that_gets_no_requests_is_yellow_until_all_are_sick():
    two = (endpoint(1), endpoint(2, ready=False))
    sick = {get(2, "/healthz"): http(500)}
    assert finding(judged(app_answers(*two) | sick), "DH-4.5").light is Y
    all_sick = sick | {get(1, "/healthz"): http(500)}
    assert finding(judged(app_answers(*two) | all_sick), "DH-4.5").light is R


def test_a_not_ready_pod_is_asked_itself_although_the_service_answers():
    answers = app_answers(endpoint(1), endpoint(2, ready=False)) | {get(2, "/readyz"): http(503)}
    line = finding(judged(answers), "DH-4.6")
    assert (line.light, line.value) == (Y, "1/2 answer 200, slowest 40 ms")
    assert line.evidence == ("backend-2: HTTP 503 after 40 ms, gets no requests",)


def test_no_pod_that_says_it_is_ready_is_red():
    answers = app_answers() | {get(n, "/readyz"): http(503) for n in (1, 2, 3)}
    line = finding(judged(answers), "DH-4.6")
    assert line.light is R
    assert line.evidence[0] == "backend-1: HTTP 503 after 40 ms, still gets requests"


def test_a_pod_that_does_not_answer_is_unknown_and_hides_no_other():
    sick = {get(2, "/healthz"): SLOW, get(3, "/healthz"): http(500)}
    found = judged(app_answers() | sick)
    line = finding(found, "DH-4.5")
    assert (line.light, line.value) == (R, "1/3 answer 200, slowest 40 ms")
    assert line.evidence[1].startswith("backend-2: unknown: ")
    assert line.mend == SLOW.mend
    assert finding(found, "DH-4.6").light is G


@pytest.mark.parametrize(
    "ready, gap, light, fact, mend",
    [
        (False, SLOW, Y, f"does not answer, gets no requests: {SLOW.reason}", ""),
        (True, SLOW, U, f"unknown: {SLOW.reason}", SLOW.mend),
        (False, DENIED, U, f"unknown: {DENIED.reason}", DENIED.mend),
        (True, DENIED, U, f"unknown: {DENIED.reason}", DENIED.mend),
    ],
    ids=["a crash loop", "ready but silent", "not ready, not allowed to ask", "ready, not allowed to ask"],
)
def test_silence_is_expected_of_a_pod_that_is_not_ready_and_of_no_other(ready, gap, light, fact, mend):
    answers = app_answers(endpoint(1), endpoint(2, ready=ready), endpoint(3))
    found = judged(answers | {get(2, "/healthz"): gap, get(2, "/readyz"): gap, page(2): gap})
    for key in ("DH-4.4", "DH-4.5", "DH-4.6"):
        line = finding(found, key)
        assert (line.light, line.evidence, line.mend) == (light, (f"backend-2: {fact}",), mend), key
    assert found.light is light


def test_no_pod_that_is_well_is_red_whether_they_answer_or_not():
    two = app_answers(endpoint(1, ready=False), endpoint(2, ready=False))
    line = finding(judged(two | {get(1, "/healthz"): http(500), get(2, "/healthz"): SLOW}), "DH-4.5")
    assert (line.light, line.value) == (R, "0/2 answer 200, slowest 40 ms")


@pytest.mark.parametrize(
    "endpoints, reason",
    [((), "no pod to ask"), (Gap("endpointslices: forbidden", "allow it"), "endpointslices: forbidden")],
)
def test_without_pods_the_pages_are_unknown_and_the_generator_still_judged(endpoints, reason):
    found = judged(app_answers(endpoints=endpoints))
    for key in ("DH-4.4", "DH-4.5", "DH-4.6"):
        assert (finding(found, key).light, finding(found, key).value) == (U, f"unknown: {reason}")
    assert finding(found, "DH-4.2").light is G


def test_many_pods_are_asked_up_to_a_limit_the_not_ready_ones_first_and_it_says_so():
    endpoints = (*(endpoint(n) for n in range(1, 30)), endpoint(30, ready=False))
    found, asked = drive(app.inquiry(SITE, BACKEND), app_answers(*endpoints))
    health = [read.pod for read in asked if isinstance(read, PodHttp) and read.path == "/healthz"]
    assert (len(health), health[0]) == (20, "backend-30")
    assert sum(isinstance(read, PodExposition) for read in asked) == 3
    assert found.note == "20 of 30 pods asked, those not ready first"


@pytest.mark.parametrize(
    "pods, value",
    [
        (3, "3 of 3 pages complete"),
        (12, "3 of 3 pages complete, 3 of 12 pods asked"),
        (30, "3 of 3 pages complete, 3 of 30 pods asked"),
    ],
)
def test_metrics_pages_that_were_not_read_are_counted(pods, value):
    found = judged(app_answers(*(endpoint(n) for n in range(1, pods + 1))))
    assert finding(found, "DH-4.4").value == value


def test_a_page_the_service_does_not_have_is_not_asked_for():
    bare = replace(BACKEND, paths=Paths(health="/healthz", ready="/healthz", metrics=""))
    found, asked = drive(app.inquiry(SITE, bare), app_answers())
    assert [line.key for line in found.findings] == ["DH-4.1", "DH-4.2", "DH-4.5", "DH-4.6"]
    assert sum(isinstance(read, PodHttp) for read in asked) == 3


def test_everything_unread_is_unknown():
    gap = Gap("no connection to the Kubernetes API", "check it")
    found = judged(app_answers(endpoints=gap, generator=gap))
    assert {line.light for line in found.findings} == {U}
    assert all(line.mend == "check it" for line in found.findings)
