"""The plan of a scaling: the number, who else has a say in it, what fewer or no pods mean."""

from typing import Any

import pytest
from deploy_answers import SITE, WHO, World, args, finding, keys, sick, target, template, view

from commands.deploy import COMMANDS, scale
from commands.effects import Scale
from commands.errors import UsageError
from commands.grammar import parse
from commands.model import Gap
from commands.plan import Go, Plan
from commands.workloads import AutoscalerView, BudgetTerms, IngressView, QuotaView, ServiceView

ALL: dict[str, Any] = {"matchLabels": {"app": "backend"}}


def planned(world: World, to: str = "5") -> Plan:
    made = world.drive(scale.plan(args("scale", replicas=to), SITE, WHO))
    assert isinstance(made, Plan)
    return made


def test_from_and_to_are_in_title_effect_scope_and_undo() -> None:
    plan = planned(World())
    assert plan.title == "Scale Deployment sre-shop/backend from 3 to 5"
    assert plan.steps[0].effect == Scale(target(), 3, 5)
    assert plan.scope == ("Deployment sre-shop/backend replicas 3", "to 5 replicas")
    assert plan.undo == "deploy scale backend --namespace sre-shop --replicas 3"
    assert plan.go is Go.GO


def test_the_same_number_is_nothing_to_do() -> None:
    assert planned(World(), "3").go is Go.NOTHING


@pytest.mark.parametrize(
    ("line", "number"),
    [("scale backend 5", 5), ("deploy scale backend 5", 5), ("scale backend --replicas 0", 0),
     ("deploy scale backend 1000", 1000), ("deploy scale sts/backend -n shop 2", 2)],
)  # fmt: skip
def test_the_number_is_read_from_either_place(line: str, number: int) -> None:
    parsed = parse(line, COMMANDS)
    assert scale.replicas(parsed.args) == number
    parsed.command.parts(parsed.args, SITE)


@pytest.mark.parametrize(
    "line",
    ["scale backend", "scale backend -1", "scale backend --replicas -1", "scale backend --replicas=-1",
     "scale backend five", "scale backend 5 6", "deploy scale backend 5 --replicas 5", "scale backend 1001",
     "scale backend 99999999999999", "deploy scale backend ٣", "scale"],
)  # fmt: skip
def test_what_is_no_number_of_pods_is_a_typing_error(line: str) -> None:
    with pytest.raises(UsageError):
        parsed = parse(line, COMMANDS)
        parsed.command.parts(parsed.args, SITE)


def test_a_daemon_set_has_no_number() -> None:
    with pytest.raises(UsageError, match="one pod on each node"):
        planned(World(view("DaemonSet")))


@pytest.mark.parametrize(
    ("was", "to", "approvers"), [(3, "9", 1), (3, "10", 2), (0, "3", 1), (0, "4", 2), (9, "1", 1)]
)
def test_more_than_three_times_takes_two_people(was: int, to: str, approvers: int) -> None:
    assert planned(World(view(replicas=was)), to).approvers == approvers


HPA = AutoscalerView("shop", "Deployment", "backend", 2, 9, 3, 3)
KEDA = AutoscalerView("keda-hpa-shop", "Deployment", "backend", 2, 9, 3, 3, keda="shop")


@pytest.mark.parametrize(
    ("scaler", "to", "instead"),
    [
        (HPA, "5", 'kubectl patch hpa shop -n sre-shop --patch \'{"spec":{"minReplicas":5}}\''),
        (HPA, "1", '"maxReplicas":1'),
        (KEDA, "5", "Set minReplicaCount of ScaledObject shop to 5"),
    ],
)
def test_an_autoscaler_owns_the_number_and_the_alternative_is_named(
    scaler: AutoscalerView, to: str, instead: str
) -> None:
    plan = planned(World(Autoscalers=(scaler,)), to)
    found = finding(plan, "scale.hpa")
    assert plan.go is Go.BLOCKED
    assert instead in found.mend and "2 to 9, now 3, wants 3" in found.value


def test_an_autoscaler_of_something_else_has_no_say() -> None:
    other = AutoscalerView("x", "StatefulSet", "backend", 2, 9, 3, 3)
    assert keys(planned(World(Autoscalers=(other,)))) == {}


def test_nothing_left_names_the_services_that_lose_it() -> None:
    services = (ServiceView("backend-service", {"app": "backend"}), ServiceView("other", {"app": "other"}))
    found = finding(planned(World(ServicesOf=services), "0"), "scale.zero")
    assert found.value == "no pod is left; Service backend-service has nothing behind it then"


def budget(least: Any = None, most: Any = None, selector: dict[str, Any] = ALL) -> BudgetTerms:
    return BudgetTerms("pdb", selector, least, most)


BUDGETS = [
    ("minAvailable reached", budget(least=2), "2", True),
    ("minAvailable not reached", budget(least=1), "2", False),
    ("half of one is one", budget(least="50%"), "1", True),
    ("half of two is one", budget(least="50%"), "2", False),
    ("one may be missing", budget(most=1), "2", False),
    ("none may be missing", budget(most=0), "2", True),
    ("a share rounds up", budget(most="10%"), "1", False),
    ("other pods", budget(least=2, selector={"matchLabels": {"app": "x"}}), "2", False),
    ("every pod", budget(least=2, selector={}), "2", True),
    ("more pods loosen it", budget(least=9), "5", False),
]


@pytest.mark.parametrize(("terms", "to", "is_tight"), [b[1:] for b in BUDGETS], ids=[b[0] for b in BUDGETS])
def test_a_budget_that_would_let_nothing_go_is_told(terms: BudgetTerms, to: str, is_tight: bool) -> None:
    assert ("scale.budget" in keys(planned(World(WorkloadBudgets=(terms,)), to))) is is_tight


FINDINGS = [
    ("a set loses its last", view("StatefulSet", claims=("data",)), "1", {}, {"scale.ordinals": "yellow"}),
    ("a set grows", view("StatefulSet"), "5", {}, {}),
    ("no quota left", view(), "5", {"Quotas": (QuotaView("q", {"pods": 4}, {"pods": 3}),)}, {"deploy.quota": "yellow"}),
    ("quota enough", view(), "5", {"Quotas": (QuotaView("q", {"pods": 5}, {"pods": 3}),)}, {}),
    ("fewer need no quota", view(), "1", {"Quotas": Gap("no")}, {}),
    ("pods wait already", view(), "5", {"Members": (sick(trouble="Unschedulable"),)}, {"scale.pending": "yellow"}),
    ("autoscalers unread", view(), "5", {"Autoscalers": Gap("no")}, {"deploy.hpa": "unknown"}),
    ("budgets unread", view(), "1", {"WorkloadBudgets": Gap("no")}, {"scale.budget": "unknown"}),
    ("services unread", view(), "0", {"ServicesOf": Gap("no")},
     {"scale.zero": "yellow", "scale.services": "unknown"}),
    ("pods unread", view(), "5", {"Members": Gap("no")}, {"scale.pending": "unknown"}),
    ("nodes unread", view(), "5", {"NodeDetails": Gap("no")}, {"deploy.room": "unknown"}),
    ("no nodes needed for fewer", view(), "2", {"NodeDetails": Gap("no")}, {}),
    ("Helm", view(labels={"app.kubernetes.io/managed-by": "Helm"}), "5", {}, {"deploy.gitops": "yellow"}),
    ("paused does not matter", view(is_paused=True), "5", {}, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("here", "to", "answers", "expected"), [f[1:] for f in FINDINGS], ids=[f[0] for f in FINDINGS]
)
def test_what_it_may_break(here: Any, to: str, answers: dict[str, Any], expected: dict[str, str]) -> None:
    assert keys(planned(World(here, **answers), to)) == expected


@pytest.mark.parametrize(
    ("keeps", "said"), [(True, "their volume claims stay"), (False, "CLAIMS ARE DELETED")]
)
def test_what_becomes_of_the_claims_is_said(keeps: bool, said: str) -> None:
    here = view("StatefulSet", replicas=6, claims=("data",), keeps_claims=keeps)
    found = finding(planned(World(here), "1"), "scale.ordinals")
    assert said in found.value and found.value.startswith("backend-5, backend-4, backend-3, … go")


def test_quota_counts_what_a_pod_asks_for() -> None:
    big = template(container={"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}})
    quotas = (QuotaView("q", {"limits.memory": 3 * 2**30}, {"limits.memory": 0}),)
    assert keys(planned(World(view(template=big), Quotas=quotas), "5")) == {"deploy.quota": "yellow"}
    assert keys(planned(World(view(template=big), Quotas=quotas), "4")) == {}


def test_nothing_left_names_the_services_and_the_ingresses_that_lead_to_them() -> None:
    services = (ServiceView("shop", {"app": "backend"}), ServiceView("other", {"app": "other"}))
    ingresses = (IngressView("front", frozenset({"shop"})), IngressView("else", frozenset({"other"})))
    plan = planned(World(ServicesOf=services, IngressesOf=ingresses), "0")
    assert finding(plan, "scale.zero").value == (
        "no pod is left; Service shop has nothing behind it then, nor has Ingress front"
    )
