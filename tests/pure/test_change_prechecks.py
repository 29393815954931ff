"""The pre-checks of a change: each line by what was seen, and what was not seen is never well."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from commands import changelines as lines
from commands.alertreads import Rules, RuleView, Silences, SilenceView
from commands.changelines import found, hold_ups, open_lines
from commands.changes.prechecks import inquiry
from commands.effects import Target
from commands.finding import Light
from commands.model import Gap, Read, Section, Seen
from commands.reads import EksCluster, Nodes, Now, Query, Sample, Vector
from commands.response.changeevents import Kind, draft, line_facts
from commands.response.changerequest import ChangeRequest, Risk, Stage
from commands.responsereads import ChangeRequestOf, ChangeRequests, HouseZone, OpenIncidents
from commands.scheduling import Budgets, BudgetView
from commands.site import Change, ClusterSite, FreezePeriod
from commands.workloads import Autoscalers, AutoscalerView, ImageInRegistry, Revisions, Workload
from tests.build import NOW, incident
from tests.pure.change_world import WELL, standing

CLUSTER = ClusterSite()
FREEZE = FreezePeriod("Sale", datetime(2026, 11, 23), datetime(2026, 11, 24))
SALE = replace(CLUSTER, change=Change(freezes=(FREEZE,)))
ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/backend@sha256:" + "0" * 64


def checked(
    change: ChangeRequest, other: Mapping[type[Read], Any] | None = None, cluster: ClusterSite = CLUSTER
) -> Section:
    """What the look says, where these are seen in place of what is well."""
    answers = {
        Query: Vector((Sample({}, 0.2),)), Now: NOW, ChangeRequestOf: change, ChangeRequests: (), **WELL, **(other or {}),
    }  # fmt: skip
    asked = inquiry(change.id, cluster)
    try:
        reads = next(asked)
        while True:
            reads = asked.send(Seen({read: answers.get(type(read), Gap("nobody answers")) for read in reads}))
    except StopIteration as end:
        section: Section = end.value
        return section


def light(section: Section, key: str) -> Light:
    (line,) = [line for line in found(section) if line.key == key]
    return line.light


PENDING = standing(Stage.PRECHECKS)
(BACKEND,) = WELL[Workload]
(RULE,) = WELL[Rules]


def silence(**changes: Any) -> SilenceView:
    made = SilenceView(
        "s1", "active", ('alertname="HighErrorRate"',), NOW, NOW + timedelta(hours=1), "bob", "x"
    )
    return replace(made, **changes)


def budget(allowed: int) -> BudgetView:
    return BudgetView(Target("PodDisruptionBudget", "sre-shop", "backend", "u"), None, allowed, 3, 3, 3)


def scaler(now: int) -> AutoscalerView:
    return AutoscalerView("backend", "Deployment", "backend", 2, 6, now, now)


GAP = Gap("HTTP 503")


@pytest.mark.parametrize(
    ("key", "other", "seen"),
    [
        ("cluster", {}, Light.GREEN),
        ("cluster", {EksCluster: None}, Light.RED),
        ("cluster", {EksCluster: replace(WELL[EksCluster], status="UPDATING")}, Light.YELLOW),
        ("cluster", {EksCluster: GAP}, Light.UNKNOWN),
        ("nodes", {}, Light.GREEN),
        ("nodes", {Nodes: ()}, Light.RED),
        ("nodes", {Nodes: GAP}, Light.UNKNOWN),
        ("budget", {}, Light.GREEN),
        ("budget", {Query: Vector((Sample({}, 0.8),))}, Light.YELLOW),
        ("budget", {Query: Vector((Sample({}, 1.0),))}, Light.RED),
        ("budget", {Query: GAP}, Light.UNKNOWN),
        ("workload", {}, Light.GREEN),
        ("workload", {Workload: (replace(BACKEND, available=2),)}, Light.RED),
        ("workload", {Workload: ()}, Light.RED),
        ("workload", {Workload: GAP}, Light.UNKNOWN),
        ("rollback", {}, Light.GREEN),
        ("rollback", {Workload: (replace(BACKEND, history_limit=0),)}, Light.RED),
        ("rollback", {Revisions: ()}, Light.UNKNOWN),
        ("rollback", {Revisions: GAP}, Light.UNKNOWN),
        ("disruption", {}, Light.GREEN),
        ("disruption", {Budgets: (budget(1),)}, Light.GREEN),
        ("disruption", {Budgets: (budget(0),)}, Light.YELLOW),
        ("disruption", {Budgets: GAP}, Light.UNKNOWN),
        ("autoscaler", {Autoscalers: (scaler(5),)}, Light.GREEN),
        ("autoscaler", {Autoscalers: (scaler(6),)}, Light.YELLOW),
        ("autoscaler", {Autoscalers: GAP}, Light.UNKNOWN),
        ("alerts", {}, Light.GREEN),
        ("alerts", {Rules: ()}, Light.RED),
        ("alerts", {Rules: (replace(RULE, expr='x{service="other"}'),)}, Light.RED),
        ("alerts", {Rules: (replace(RULE, expr="rate(http_requests_total[5m])"),)}, Light.GREEN),
        ("alerts", {Rules: (replace(RULE, expr='http_requests_total{service="x"}'),)}, Light.RED),
        ("alerts", {Silences: (silence(),)}, Light.RED),
        ("alerts", {Silences: (silence(state="expired"),)}, Light.GREEN),
        ("alerts", {Silences: (silence(ends_at=NOW),)}, Light.GREEN),
        ("alerts", {Silences: (silence(matchers=('alertname="Other"',)),)}, Light.GREEN),
        ("alerts", {Silences: GAP}, Light.UNKNOWN),
        ("incidents", {}, Light.GREEN),
        ("incidents", {OpenIncidents: GAP}, Light.UNKNOWN),
        ("freeze", {}, Light.GREEN),
        ("freeze", {HouseZone: GAP}, Light.UNKNOWN),
        ("competing", {ChangeRequests: (replace(standing(Stage.EXECUTING), id="CR-2"),)}, Light.YELLOW),
        ("competing", {ChangeRequests: (replace(standing(Stage.APPROVED), id="CR-2"),)}, Light.YELLOW),
        ("competing", {ChangeRequests: (replace(standing(Stage.CANCELED), id="CR-2"),)}, Light.GREEN),
        ("competing", {ChangeRequests: GAP}, Light.UNKNOWN),
        ("plan", {}, Light.GREEN),
        ("staging", {}, Light.UNKNOWN),
        ("backup", {}, Light.UNKNOWN),
        ("stakeholders", {}, Light.UNKNOWN),
        ("availability", {}, Light.UNKNOWN),
    ],
)
def test_each_line_says_what_was_seen(key: str, other: Mapping[type[Read], Any], seen: Light) -> None:
    assert light(checked(PENDING, other), key) is seen


def test_a_private_incident_speaks_against_it_and_is_not_named() -> None:
    hidden = incident(service="backend", private="yes")
    section = checked(PENDING, {OpenIncidents: (hidden,)})
    assert light(section, "incidents") is Light.RED
    assert hidden.id not in str(section) and hidden.title not in str(section)


def test_a_freeze_in_its_window_speaks_against_it() -> None:
    assert light(checked(PENDING, cluster=SALE), "freeze") is Light.RED


@pytest.mark.parametrize(("answer", "seen"), [(True, Light.GREEN), (False, Light.RED), (GAP, Light.UNKNOWN)])
def test_an_image_is_looked_for_on_ecr(answer: Any, seen: Light) -> None:
    section = checked(standing(Stage.PRECHECKS, image=ECR), {ImageInRegistry: answer})
    assert light(section, "image") is seen
    assert light(checked(standing(Stage.PRECHECKS, image="shop/backend:2")), "image") is Light.UNKNOWN


def test_an_alert_that_is_expected_may_be_silenced() -> None:
    expected = standing(Stage.PRECHECKS, expected=("HighErrorRate",))
    assert light(checked(expected, {Silences: (silence(),)}), "alerts") is Light.GREEN


def test_a_record_that_is_gone_is_told_and_nothing_is_green() -> None:
    section = checked(PENDING, {ChangeRequestOf: None})
    assert section.light is Light.UNKNOWN and len(section.findings) == 1


def ticked(change: ChangeRequest) -> ChangeRequest:
    section = checked(change)
    told = draft(Kind.CHECKED, "x", request="F1", digest=change.digest, **line_facts(found(section)))
    return standing(Stage.PENDING, told, risk=change.payload.risk)


def tick(item: str, state: str = "done") -> Any:
    return draft(Kind.TICKED, "x", item=item, state=state)


def test_the_lines_that_people_tick_are_open_until_they_do() -> None:
    assert [line.key for line in open_lines(ticked(PENDING))] == [
        "staging", "stakeholders", "backup", "availability",
    ]  # fmt: skip
    high = ticked(standing(Stage.PRECHECKS, risk=Risk.HIGH))
    assert "integrity" in [line.key for line in open_lines(high)]


def test_what_people_said_since_counts_more_than_what_was_found() -> None:
    lines_found = found(checked(PENDING))
    told = draft(Kind.CHECKED, "x", request="F1", digest=PENDING.digest, **line_facts(lines_found))
    done = standing(Stage.PENDING, told, tick("staging"), tick("backup", "skipped"), tick("rollback", "no"))
    states = {line.key: lines.state(done, line) for line in lines_found}
    assert states["staging"] is states["backup"] is Light.GREEN
    assert states["rollback"] is Light.RED
    there = standing(Stage.PENDING, told, draft(Kind.STANDBY, "x", yes="yes"))
    away = standing(Stage.PENDING, told, draft(Kind.STANDBY, "x", yes="no"))
    (line,) = [line for line in lines_found if line.key == lines.STANDBY]
    assert lines.state(there, line) is Light.GREEN and lines.state(away, line) is Light.RED


@pytest.mark.parametrize(("risk", "held"), [(Risk.LOW, []), (Risk.MEDIUM, []), (Risk.HIGH, ["disruption"])])
def test_what_was_not_seen_holds_up_a_high_risk_alone(risk: Risk, held: list[str]) -> None:
    change = standing(Stage.PRECHECKS, tick("staging"), tick("backup"), tick("integrity"), risk=risk)
    section = checked(change, {Budgets: GAP})
    assert [line.key for line in hold_ups(change, found(section))] == held


def test_another_template_is_another_target_and_another_number_of_pods_is_not() -> None:
    target = lines.said(checked(PENDING), lines.TARGET)
    assert target.startswith("Deployment/sre-shop/backend uid-backend ")
    more = checked(PENDING, {Workload: (replace(BACKEND, replicas=5, available=5, updated=5),)})
    assert lines.said(more, lines.TARGET) == target
    other = {"spec": {"containers": [{"name": "backend", "image": "shop/backend:2"}]}}
    assert (
        lines.said(checked(PENDING, {Workload: (replace(BACKEND, template=other),)}), lines.TARGET) != target
    )


def test_the_rule_of_another_kind_is_no_alert() -> None:
    recording = RuleView("x", "recording", "g", "f", RULE.expr, "ok")
    assert light(checked(PENDING, {Rules: (recording,)}), "alerts") is Light.RED
