"""Failing requests: how many, since when, whose, after which change, and which known cause they look like."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from service_world import (
    BACKEND,
    FIRST,
    MS,
    PAYMENTS,
    PODS,
    SITE,
    WITH_PAYMENTS,
    asked,
    container,
    endpoint,
    finding,
    lights,
    log,
    matrix,
    pod,
    rollout,
    series,
    told,
)
from triage_world import HIDDEN, NOW

from commands.catalog import Catalog
from commands.finding import Finding, Light
from commands.model import Confidence, Gap, Reads, Seen
from commands.podreads import ContainerLog, Ending, PodDetails, PodRows
from commands.reads import Endpoints, Http, Now
from commands.triage import onset, service
from commands.triage.beside import beside
from commands.triage.rule import Diagnosis, Subject, folded
from commands.triage.table import rule_for
from commands.triagereads import Changes, ChangeSeen, ChangesSeen, Fetch
from commands.wording import unread

CATALOG = Catalog.load()
ERRORS, BY_STATUS, BY_POD = "or 0 * sum(rate(http_requests_total", "sum by (status) (", "sum by (pod) ("
BY_PATH, RATE, POOL = "sum by (path", "sum(rate(http_requests_total{", "db_connections_active"
LEAK, KILLED, THROTTLE = "deriv(", "last_terminated_reason", "throttled_periods"
TWENTY: dict[Any, Any] = {
    ERRORS: 0.2,
    RATE: 20,
    BY_STATUS: {"status=500": 3, "status=503": 1},
    BY_POD: {f"pod={name}": 1 for name in PODS},
    BY_PATH: {"path=/api/pay": 3, "path=/": 1},
}
PAST = "/ sum(rate(http_requests_total"


def _since(minutes: int) -> dict[Any, Any]:
    """Twenty of a hundred for so many minutes, one of a thousand before."""
    return {PAST: matrix([0.001] * (180 - minutes) + [0.2] * minutes)}


def failing(given: dict[Any, Any], site: Any = SITE) -> Diagnosis:
    return told(service.of(BACKEND, None, site), {**TWENTY, **given})


def text(found: Diagnosis) -> str:
    assert found.cause
    return found.cause.text


def test_what_is_not_counted_at_all_fails_nowhere_and_is_not_green() -> None:
    found = lights(told(service.of(BACKEND, None, SITE), {}))
    assert {found[name] for name in ("By status", "By pod", "By path")} == {Light.UNKNOWN}
    none = {ERRORS: 0.0, RATE: 20}
    found = lights(told(service.of(BACKEND, None, SITE), none))
    assert {found[name] for name in ("By status", "By pod", "By path")} == {Light.GREEN}


# --- How many, since when -------------------------------------------------------------------------------------


def test_users_are_told_how_many_fail_of_how_many_and_since_when() -> None:
    errors = finding(failing(_since(27)), "Errors of")
    assert errors.value == "20 % of 20 requests a second fail since 2026-11-23 08:04 UTC"
    assert errors.evidence[0].startswith("before: 0.1 %; the last 3 h: ")


@pytest.mark.parametrize(
    ("value", "light"),
    [(0.001, Light.GREEN), (0.0011, Light.YELLOW), (0.01, Light.YELLOW), (0.0101, Light.RED)],
)
def test_errors_are_judged_by_the_objective(value: float, light: Light) -> None:
    found = failing({ERRORS: value})
    assert finding(found, "Errors of").light is light
    assert (found.cause is None) is (light is Light.GREEN)


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ([0.01] * 30 + [0.02] * 10, None),
        ([0.01] * 30 + [0.021] * 10, 9),
        ([0.0] * 30 + [0.0009] * 10, None),
        ([0.0] * 30 + [0.0011] * 10, 9),
        ([0.01] * 20 + [0.5] * 5 + [0.01] * 10 + [0.5] * 5, 4),
        ([0.01] * 30 + [0.5] * 4 + [0.01] * 2 + [0.5] * 4, 9),
        ([0.01] * 30 + [0.5] * 5 + [0.01] * 3, None),
    ],
    ids=["twice the usual", "more than twice", "one error after peace", "above the floor", "the latest time",
         "a dip is not its end", "it is over"],
)  # fmt: skip
def test_it_began_with_the_first_sample_over_twice_the_usual(values: list[float], at: int | None) -> None:
    found = onset.onset(series(values).points, None, floor=0.001)
    assert found
    assert found.at == (None if at is None else NOW - timedelta(minutes=at))


def test_the_usual_is_what_was_before_the_alert_where_it_lasts_longer_than_not() -> None:
    points = series([0.01] * 40 + [0.5] * 140).points
    since = NOW - timedelta(minutes=115)
    found = onset.onset(points, since)
    assert found and found.usual == 0.01
    assert found.at == datetime.fromtimestamp(points[40][0], UTC)


def test_what_was_so_all_the_time_is_older() -> None:
    found = onset.onset(series([0.5] * 180).points, None, factor=0.5)
    assert found and found.is_older
    assert found.words == "for longer than 3 h"


def test_few_points_say_nothing() -> None:
    assert onset.onset(series([0.1] * 5).points, None) is None
    assert onset.onset((), None) is None


# --- After which change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes_ago", "words"), [
    (28, "it began 2 min after revision 7 of backend"),
    (41, "it began 15 min after revision 7 of backend"),
    (24, "it began 2 min before revision 7 of backend"),
])  # fmt: skip
def test_a_rollout_near_the_onset_is_the_first_suspect_with_the_way_back(
    minutes_ago: int, words: str
) -> None:
    found = failing({**_since(27), Changes: rollout(minutes_ago)})
    assert words in text(found)
    assert found.cause and found.cause.suggestions[0].text == "deploy rollback sre-shop/backend"
    assert found.cause.confidence is Confidence.LIKELY
    assert finding(found, "Changed").light is Light.RED


@pytest.mark.parametrize("changes", [rollout(43), rollout(9), rollout(28, name="other")])
def test_a_rollout_far_from_the_onset_or_of_another_is_none(changes: Any) -> None:
    found = failing({**_since(27), Changes: changes})
    assert "revision" not in text(found)
    assert not any("rollback" in each.text for each in found.cause.suggestions) if found.cause else False


@pytest.mark.parametrize("name", ["HighErrorRate", "HighLatency"])
@pytest.mark.parametrize(
    ("pod", "workload"),
    [("api-5d9f8c7b6d-bbbbb", "api"), ("api-0", "api"), ("api-service-7c6d5f4b9d-ccccc", "api-service")],
)
def test_the_rollout_of_the_workload_behind_an_unknown_service_is_found(
    name: str, pod: str, workload: str
) -> None:
    subject = Subject(name, {"namespace": "pay", "service": "api-service"}, since=NOW - timedelta(minutes=25))
    change = ChangeSeen("Deployment", "pay", workload, "rollout", NOW - timedelta(minutes=26), revision=7)
    given = {
        **TWENTY,
        "histogram_quantile": 0.9,
        Endpoints: (endpoint(pod),),
        Changes: ChangesSeen((change,)),
    }
    found = told(rule_for(subject).diagnose(subject, SITE), given)
    assert found.cause and f"deploy rollback pay/{workload}" in [
        each.text for each in found.cause.suggestions
    ]


# --- Whose ------------------------------------------------------------------------------------------------------


def test_one_pod_with_all_errors_is_named() -> None:
    found = failing({BY_POD: {f"pod={FIRST}": 4}})
    assert f"pod {FIRST} has 100 % of the errors, 2 others beside it" in text(found)
    assert finding(found, "By pod").light is Light.RED


@pytest.mark.parametrize(("first", "is_named"), [(4.0, True), (3.99, False)])
def test_a_pod_is_named_from_four_fifths_of_them_on(first: float, is_named: bool) -> None:
    found = failing({BY_POD: {f"pod={FIRST}": first, f"pod={PODS[1]}": 1.0}})
    assert (finding(found, "By pod").light is Light.RED) is is_named


def test_a_pod_alone_is_not_blamed_for_having_them_all() -> None:
    found = failing({BY_POD: {f"pod={FIRST}": 4}, Endpoints: (endpoint(FIRST),)})
    assert finding(found, "By pod").light is Light.YELLOW


def test_status_and_path_are_told_by_their_part() -> None:
    found = failing({})
    assert finding(found, "By status").value == "500: 75 %, 503: 25 %"
    assert finding(found, "By path").value == "/api/pay: 75 %, /: 25 %"
    assert finding(failing({BY_PATH: 4}), "By path").value == "its series do not say"


def test_no_ready_endpoint_is_why() -> None:
    found = failing({Endpoints: (endpoint(FIRST, ready=False),)})
    assert "none of its endpoints is ready" in text(found)


# --- Like which cause -------------------------------------------------------------------------------------------

_DB = log(*["ERROR psycopg2.OperationalError: connection to database timed out"] * 3)
_LATE = log(*["ERROR call to pay.example.com: timeout after 2s"] * 3)
_HARMLESS = log("INFO connected to the database")


def test_two_of_two_signs_name_the_database() -> None:
    found = failing({ContainerLog: _DB, POOL: 0.97})
    assert "matches database connection exhaustion (2 of 2 signs)" in text(found)
    assert any(
        each.text == "debug db sre-shop/backend" for each in (found.cause.suggestions if found.cause else ())
    )
    assert finding(found, "Known cause").light is Light.RED


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({ContainerLog: _DB, POOL: 0.89}, "database connection exhaustion (1 of 2 signs)"),
        ({ContainerLog: _DB}, "database connection exhaustion (1 of 2 signs)"),
        ({ContainerLog: _HARMLESS, POOL: 0.9}, "database connection exhaustion (1 of 2 signs)"),
        (
            {LEAK: {f"pod={FIRST}": 1e6}, KILLED: {f"pod={FIRST},container=backend": 1}},
            "memory leak (2 of 2 signs)",
        ),
        (
            {LEAK: {f"pod={FIRST}": 0.9e6}, KILLED: {f"pod={FIRST},container=backend": 1}},
            "memory leak (1 of 2 signs)",
        ),
        ({ContainerLog: _LATE, Fetch: Http(503, 9 * MS)}, "dependency failure (2 of 2 signs)"),
        ({ContainerLog: _LATE, Fetch: Http(499, 9 * MS)}, "dependency failure (1 of 2 signs)"),
    ],
)
def test_causes_are_ranked_by_the_signs_that_are_seen(given: dict[Any, Any], words: str) -> None:
    first = finding(failing(given, WITH_PAYMENTS), "Known cause")
    assert first.value == f"matches {words}"


def test_memory_of_another_workload_is_no_sign() -> None:
    found = failing({LEAK: {"pod=other-5d9f8c7b6d-bbbbb": 9e9}, KILLED: {"pod=other-0,container=x": 1}})
    assert not any(each.label == "Known cause" for each in found.findings)


def test_a_sign_that_cannot_be_looked_for_is_unknown() -> None:
    found = failing({POOL: HIDDEN})
    causes = finding(found, "Known causes")
    assert causes.light is Light.UNKNOWN
    assert (
        causes.value.startswith("unknown: ")
        and "of 6 signs could not be looked for; the others" in causes.value
    )
    assert "unknown: use of the pool" in causes.evidence


def test_a_dependency_that_does_not_answer_is_red_and_one_that_may_not_be_asked_unknown() -> None:
    silent = failing({Fetch: Gap("no answer in 5 s", silent=True)}, WITH_PAYMENTS)
    assert finding(silent, f"Dependency {PAYMENTS.name}").light is Light.RED
    refused = failing({Fetch: HIDDEN}, WITH_PAYMENTS)
    assert finding(refused, "Dependency payments").light is Light.UNKNOWN


@pytest.mark.parametrize(("took", "light"), [(300, Light.GREEN), (301, Light.YELLOW)])
def test_a_dependency_is_judged_by_what_it_promises(took: int, light: Light) -> None:
    found = failing({Fetch: Http(200, took * MS)}, WITH_PAYMENTS)
    assert finding(found, "Dependency payments").light is light


# --- Logs -------------------------------------------------------------------------------------------------------


def test_three_families_are_counted_and_json_says_its_message_alone() -> None:
    lines = ("Traceback (most recent call last):", '  File "x.py"', "ValueError: no",
             '{"level":"error","msg":"payment backend: timeout"}', "ERROR postgres: too many clients")  # fmt: skip
    logs = finding(failing({ContainerLog: log(*lines)}), "Logs")
    assert logs.value == "9 errors in the last 15 min of 3 logs: trace 3, timeout 3, db 3"
    assert "3 × payment backend: timeout" in logs.evidence


def test_what_is_said_most_often_is_part_of_the_cause() -> None:
    found = failing({ContainerLog: log("ERROR no route to pay", "ERROR no route to pay")})
    assert "its logs say “ERROR no route to pay” (6 times in 15 min)" in text(found)


def test_logs_are_bounded_and_those_of_a_run_before_are_read_after_a_restart() -> None:
    ended = container(restarts=2, ended=Ending("Error", 1))
    again = pod(FIRST, ended, restarted=timedelta(minutes=3))
    world = asked(service.of(BACKEND, None, SITE), {**TWENTY, PodDetails: (again,)})
    logs = [read for read in world.asked if isinstance(read, ContainerLog)]
    assert len(logs) <= 6
    assert any(read.previous for read in logs)
    assert all(read.limit <= 64 * 1024 and read.lines <= 400 for read in logs)


# --- What the pods lack ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "light"), [(0.25, Light.GREEN), (0.251, Light.YELLOW)])
def test_throttling_is_flagged_over_a_quarter(share: float, light: Light) -> None:
    found = failing({THROTTLE: {f"namespace=sre-shop,pod={FIRST}": share}})
    assert finding(found, "CPU held back").light is light
    assert ("held back in" in text(found)) is (light is Light.YELLOW)


# --- Every hour -----------------------------------------------------------------------------------------------------


def _day(slot: int, hours: int = 24, struck: int = 24) -> Any:
    """Errors in one slot of five minutes of each hour."""
    end = NOW.replace(minute=0).timestamp()
    points = tuple(
        (end - 3600 * (hours - h) + 300 * s + 1, 0.3 if s == slot and h < struck else 0.001)
        for h in range(hours)
        for s in range(12)
    )
    return points


def test_errors_at_the_same_minute_of_most_hours_are_hourly() -> None:
    assert onset.hourly(_day(0), 0.001) == 0
    assert onset.hourly(_day(6), 0.001) == 30
    assert onset.hourly(_day(6, struck=10), 0.001) is None
    assert onset.hourly(_day(6, hours=3), 0.001) is None
    assert onset.hourly(tuple((at, 0.2) for at, _ in _day(0)), 0.001) is None


def test_numbers_that_move_together_are_known_by_r() -> None:
    rising = series([float(n) for n in range(20)]).points
    assert onset.correlation(rising, rising) == pytest.approx(1)
    falling = series([float(-n) for n in range(20)]).points
    assert onset.correlation(rising, falling) == pytest.approx(-1)
    assert onset.correlation(rising, series([1.0] * 20).points) is None
    assert onset.correlation(rising[:9], rising) is None


# --- Sources, rounds, rule ------------------------------------------------------------------------------------------

_BLIND = {
    ERRORS: "Errors of backend", BY_STATUS: "By status", BY_POD: "By pod", BY_PATH: "By path", Changes: "Changed",
    Endpoints: "Endpoints of backend-service", THROTTLE: "CPU held back", PodRows: "Logs", ContainerLog: "Log of",
    KILLED: "Killed at the memory limit",
}  # fmt: skip


@pytest.mark.parametrize("source", _BLIND, ids=str)
def test_a_source_that_does_not_answer_is_unknown_and_the_others_show(source: Any) -> None:
    found = failing({source: HIDDEN})
    assert finding(found, _BLIND[source]).light is Light.UNKNOWN
    assert sum(light is not Light.UNKNOWN for light in lights(found).values()) >= 5


def test_nothing_answers_and_nothing_is_green() -> None:
    blind: dict[Any, Any] = {kind: HIDDEN for kind in (PodRows, Endpoints, Changes, PodDetails, ContainerLog)}
    blind |= {"": HIDDEN, Now: NOW}
    found = told(service.of(BACKEND, None, SITE), blind)
    assert found.cause is None
    assert Light.GREEN not in lights(found).values()


def test_what_is_unknown_for_one_reason_is_one_line_that_names_all() -> None:
    found = told(service.of(BACKEND, None, SITE), {"": HIDDEN}).section("5xx", "Errors")
    (silent,) = [each for each in found.findings if "forbidden" in each.value]
    assert silent.label == "Errors of backend" and silent.mend == HIDDEN.mend
    assert silent.value.startswith(
        "unknown: forbidden: may not list it; the same of By status, By pod, By path, "
    )
    assert len(found.findings) <= 8


def test_sources_that_are_silent_for_their_own_reasons_stay_apart_and_every_way_to_mend_them_is_kept() -> (
    None
):
    away, mend = Gap("no answer in 5 s"), "Let it."
    none = [
        unread("K", name, replace(away, mend=what))
        for name, what in (("A", mend), ("B", "B's."), ("C", mend))
    ]
    lit = Finding("K", "D", Light.GREEN, "unknown: no answer in 5 s")
    first, second, third = folded((none[0], lit, unread("K", "E", HIDDEN), *none[1:]))
    assert (first.value, first.mend) == ("unknown: no answer in 5 s; the same of B, C", "Let it. B's.")
    assert (second, third) == (lit, unread("K", "E", HIDDEN))


def test_it_takes_three_rounds() -> None:
    assert asked(service.of(BACKEND, None, SITE), TWENTY).rounds == 3


@pytest.mark.parametrize("name", ["HighErrorRate", "HTTPErrorRate", "ErrorBudgetBurn", "SLOErrorBudgetBurn"])
def test_the_rule_takes_the_manuals_label_for_the_service(name: str) -> None:
    subject = Subject(name, {"service": "backend", "severity": "critical"}, since=NOW - timedelta(minutes=6))
    rule = rule_for(subject)
    assert rule.diagnose is service.failing
    assert rule.means and rule.steps
    assert "backend: 20 % of 20 requests" in text(told(rule.diagnose(subject, SITE), TWENTY))


def test_every_suggestion_can_be_typed() -> None:
    found = failing(
        {**_since(27), Changes: rollout(28), ContainerLog: _DB, POOL: 0.97, BY_POD: {f"pod={FIRST}": 1}}
    )
    offered = (*(found.cause.suggestions if found.cause else ()), *found.suggestions)
    assert len(offered) >= 4
    for each in offered:
        CATALOG.parse(each.text)


# --- Several at once ------------------------------------------------------------------------------------------------


def _counting(rounds: int, name: str) -> Any:
    def asking() -> Any:
        seen = 0
        for n in range(rounds):
            answers: Seen = yield (PodRows(f"{n}"), PodRows(name))
            seen += answers[PodRows(f"{n}")] + answers[PodRows(name)]
        return f"{name}{seen}"

    return asking()


def test_diagnoses_beside_each_other_take_the_rounds_of_the_longest() -> None:
    asking = beside(_counting(1, "a"), _counting(3, "b"), _counting(0, "c"))
    rounds: list[Reads] = []
    try:
        wanted = next(asking)
        while True:
            rounds.append(wanted)
            wanted = asking.send(Seen(dict.fromkeys(wanted, 1)))
    except StopIteration as done:
        assert done.value == ("a2", "b6", "c0")
    assert len(rounds) == 3
    assert rounds[0] == (PodRows("0"), PodRows("a"), PodRows("b"))
