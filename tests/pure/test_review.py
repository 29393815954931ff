"""The numbers of incidents, changes and users as a reader sees them, and what they say where something is missing."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from alert_history import DARK, HOUR, MINUTE, lights, line, occurrence
from incident_history import (
    DAY,
    at,
    blamed,
    change,
    golden,
    golden_changes,
    incident,
    milestone,
    simple,
    status,
)
from review_world import LONG_AGO, operations, point, review

from commands.alertreads import OccurrencePage
from commands.finding import Light
from commands.model import Gap
from commands.reads import Sample, Vector
from commands.responsereads import (
    Outcome,
)
from commands.triagereads import ChangeSeen, ChangesSeen

# --- the golden month as people read it -----------------------------------------------------------


def test_the_golden_month_in_four_lines():
    found = operations(*golden(), ChangeOutcomes=golden_changes())
    assert [(each.light, each.label, each.value) for each in found.findings] == [
        (Light.GREEN, "Time to restore", "mean 25 min 49 s, median 30 min, p90 42 min 30 s (n=4)"),
        (
            Light.GREEN,
            "Time between failures",
            "checkout 359 h 13 min 45 s (2 failures, down 1 h 32 min 30 s)",
        ),
        (Light.RED, "Change failure rate", "25.0 % (2 of 8)"),
        (Light.YELLOW, "Incidents without an alert in time", "1 of 4 (25.0 %), 1 fired, but silenced"),
    ]
    assert found.note == "4 incidents resolved · left out: drill 1; merged 1 · still open: 1"


def test_every_other_time_of_it_stands_beneath():
    assert line(operations(*golden()), "Time to restore").evidence == (
        "still open, in no mean: G",
        "Time to resolve: mean 42 min 30 s, median 37 min 30 s, p90 1 h 30 min (n=4)",
        "Time to respond (alert to acknowledgement): mean 2 min 8 s, median 2 min 8 s, p90 2 min 35 s (n=2)",
        "Page to acknowledgement: mean 2 min, median 2 min, p90 2 min 30 s (n=2); 1 page not answered",
    )


def test_a_quiet_month_has_none_and_no_zeros():
    found = review()
    said = {each.label: (each.light, each.value) for section in found.values() for each in section.findings}
    assert said["Time to restore"] == (Light.GREEN, "none: no incident was resolved")
    assert said["Time between failures"] == (Light.GREEN, "no failure in at least 720 h")
    assert said["Change failure rate"] == (Light.GREEN, "none: nothing was changed")
    assert said["Alert noise"] == (Light.GREEN, "none: no alert was told")
    assert said["Done by hand again and again"] == (Light.GREEN, "none: nothing was done twice")


# --- time to restore ------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "light"), [(29.99, Light.GREEN), (30, Light.RED)])
def test_the_target_is_half_an_hour(minutes, light):
    found = operations(simple(1, at(20, "10:00:00"), minutes * MINUTE))
    assert line(found, "Time to restore").light is light


def test_thirty_five_minutes_are_red_and_the_median_is_shown():
    found = operations(simple(1, at(20, "10:00:00"), 20 * MINUTE), simple(2, at(21, "10:00:00"), 50 * MINUTE))
    assert line(found, "Time to restore").value.startswith("mean 35 min, median 35 min")


def test_an_arrow_says_how_it_was_before():
    older = simple(1, at(1, "00:00:00") - 5 * DAY, HOUR)
    found = line(operations(older, simple(2, at(20, "10:00:00"), 20 * MINUTE)), "Time to restore")
    assert found.value == "20 min (n=1) ↓ from 1 h"


def test_what_lacks_its_times_makes_a_good_mean_unknown():
    bare = incident("INC-7", at(20, "10:00:00"), 2, "checkout", status("resolved", at(20, "11:00:00")))
    found = line(operations(simple(1, at(20, "10:00:00"), MINUTE), bare), "Time to restore")
    assert (found.light, "INC-7" in found.mend) == (Light.UNKNOWN, True)
    assert line(operations(bare), "Time to restore").light is Light.UNKNOWN


def test_while_the_only_one_is_open_nobody_knows():
    still = incident("INC-7", at(20, "10:00:00"), 1, "checkout", milestone("started", at(20, "10:00:00")))
    found = line(operations(still), "Time to restore")
    assert (found.light, found.evidence) == (Light.UNKNOWN, ("still open, in no mean: INC-7",))


def test_a_sev4_is_in_no_time_to_restore_and_is_counted_beside_it():
    found = line(operations(simple(1, at(20, "10:00:00"), 9 * HOUR, severity=4)), "Time to restore")
    assert (found.light, found.evidence) == (Light.GREEN, ("1 Sev4 incident not among them",))


def test_without_the_records_nothing_is_good():
    found = review(Incidents=DARK)["operations"]
    assert [each.light for each in found.findings] == [Light.UNKNOWN]
    assert found.findings[0].mend == "start somebody"


# --- failures, changes, coverage ------------------------------------------------------------------


def test_failures_that_come_closer_together_are_worth_a_look():
    older = simple(1, at(1, "00:00:00") - 5 * DAY, HOUR)
    now = (simple(2, at(10, "10:00:00"), HOUR), simple(3, at(20, "10:00:00"), HOUR))
    found = line(operations(older, *now), "Time between failures")
    assert (found.light, found.value) == (
        Light.YELLOW, "checkout 359 h (2 failures, down 2 h) ↓ from 719 h",
    )  # fmt: skip


@pytest.mark.parametrize(("failed", "light"), [(0, Light.GREEN), (1, Light.RED)])
def test_one_change_of_twenty_is_too_many(failed, light):
    facts = (*(change(f"CR-{n}", Outcome.ROLLED_BACK) for n in range(failed)),
             *(change(f"CR-x{n}") for n in range(20 - failed)))  # fmt: skip
    found = line(operations(ChangeOutcomes=facts), "Change failure rate")
    assert (found.light, found.value) == (light, f"{5.0 * failed} % ({failed} of 20)")


def rolled(what="rollout of revision 7", when=None):
    return ChangesSeen((ChangeSeen("Deployment", "sre-shop", "backend", what, when or at(20, "10:00:00")),))


def test_a_rollout_without_a_request_counts_and_is_flagged():
    found = line(operations(Changes=rolled()), "Change failure rate")
    assert (found.light, found.value) == (Light.YELLOW, "0.0 % (0 of 1)")
    assert found.evidence[0] == "1 rollout seen without a change request, counted"


def test_a_template_taken_up_again_rolls_the_last_rollout_back():
    seen = ChangesSeen(
        (
            *rolled().changes,
            *rolled("rollout of revision 8, an earlier template again", at(20, "10:30:00")).changes,
        )
    )
    found = line(operations(Changes=seen), "Change failure rate")
    assert (found.value, found.evidence[0]) == (
        "100.0 % (1 of 1)",
        "sre-shop/backend rollout of revision 7: rolled back",
    )


def test_without_the_cluster_a_good_share_is_unknown():
    found = line(operations(ChangeOutcomes=(change("CR-1"),), Changes=DARK), "Change failure rate")
    assert (found.light, found.mend) == (Light.UNKNOWN, "start somebody")


def test_what_was_blamed_after_the_month_is_said_of_the_month():
    december = datetime(2026, 12, 5, tzinfo=UTC)
    late = incident("INC-1", at(30, "10:00:00"), 1, "checkout", blamed("CR-1", december - DAY))
    found = review(
        "review monthly", Now=december, Incidents=(late,), ChangeOutcomes=(change("CR-1"), change("CR-2"))
    )
    rate = line(found["operations"], "Change failure rate")
    assert rate.value == "50.0 % (1 of 2)"
    assert "0.0 % was known when it ended; said since: CR-1" in rate.evidence
    assert found["operations"].title == "Incidents and changes · Nov 2026"


def test_an_alert_of_the_service_covers_an_incident_that_nobody_linked_it_to():
    alert = occurrence(service="backend-service", namespace="sre-shop")
    known = replace(alert, starts_at=at(20, "09:55:00"), ends_at=at(20, "10:30:00"))
    made = simple(1, at(20, "10:00:00"), HOUR, service="backend")
    found = operations(made, Occurrences=OccurrencePage((known,), LONG_AGO))
    assert line(found, "Incidents without an alert in time").value.startswith("0 of 1")
    assert line(operations(made), "Incidents without an alert in time").light is Light.YELLOW


# --- what users felt ------------------------------------------------------------------------------


def users(avail=0.9995, errors=0.0005, p95=0.150, hours=10_000.0, **changes):
    def asked(read):
        if read.expr.startswith("count_over_time"):
            return point(hours)
        if "histogram_quantile" in read.expr:
            return point(p95)
        return point(errors) if "http_requests_total" in read.expr else point(avail)

    return review(QueryRange=asked, **changes)["users"]


@pytest.mark.parametrize(
    ("changes", "label", "light", "value"),
    [
        ({"avail": 0.99951}, "Availability", Light.GREEN, "99.95 %, 21.2 of 43.2 min allowed were lost → as before"),
        ({"avail": 0.999}, "Availability", Light.RED, "99.90 %, 43.2 of 43.2 min allowed were lost → as before"),
        ({"errors": 0.00099}, "Error rate", Light.GREEN, "0.099 % → as before"),
        ({"errors": 0.001}, "Error rate", Light.RED, "0.10 % → as before"),
        ({"p95": 0.1999}, "Latency, P95", Light.GREEN, "199.9 ms → as before"),
        ({"p95": 0.2}, "Latency, P95", Light.RED, "200.0 ms → as before"),
        ({"p95": 0.19996}, "Latency, P95", Light.GREEN, "199.96 ms → as before"),
    ],
)  # fmt: skip
def test_what_users_felt_against_the_targets(changes, label, light, value):
    found = line(users(**changes), label)
    assert (found.light, found.value) == (light, value)


def test_a_window_with_holes_is_not_good_and_says_so():
    found = users(hours=0.89 * 720)
    assert set(lights(found).values()) == {Light.UNKNOWN}
    assert found.note == "backend, from Prometheus, which has 89.0 % of the window ⚠ incomplete"
    assert line(users(hours=100, errors=0.5), "Error rate").light is Light.RED


def test_a_bound_that_is_no_bucket_makes_the_latency_an_estimate():
    found = line(users(Query=Vector(())), "Latency, P95")
    assert "no bound of a bucket" in found.evidence[0]


def test_without_prometheus_nothing_is_good():
    found = review(QueryRange=Gap("nobody there", "look"), Query=Gap("nobody there", "look"))
    assert set(lights(found["users"]).values()) == set(lights(found["burn"]).values()) == {Light.UNKNOWN}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.0, ["green"] * 4),
        (0.00101, ["green", "green", "green", "yellow"]),
        (0.0145, ["red", "red", "yellow", "yellow"]),
    ],
)
def test_the_budget_burns_by_both_windows(ratio, expected):
    found = review(Query=Vector((Sample({}, ratio),)))["burn"]
    assert [each.light.value for each in found.findings] == expected
