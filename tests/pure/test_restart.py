"""The plan of a restart: what is replaced, what may be different afterwards, where nothing would happen."""

from dataclasses import replace
from typing import Any

import pytest
from deploy_answers import (
    HOUR,
    MINUTE,
    NOW,
    SITE,
    WHO,
    World,
    args,
    finding,
    keys,
    member,
    target,
    template,
    view,
)

from commands.deploy import restart
from commands.effects import Restart
from commands.model import Gap
from commands.plan import Go, Plan
from commands.reads import Rehearsal
from commands.templates import template_hash
from commands.workloads import LAST_APPLIED, Owner, QuotaView, ReferredView, Strategy

CONFIG = {"envFrom": [{"configMapRef": {"name": "web"}}]}


def planned(world: World) -> Plan:
    made = world.drive(restart.plan(args("restart"), SITE, WHO))
    assert isinstance(made, Plan)
    return made


def test_the_time_is_fixed_when_it_is_asked_for() -> None:
    plan = planned(World())
    (step,) = plan.steps
    assert step.effect == Restart(target(), template_hash(template()), "2026-11-23T08:30:00Z")
    assert plan.go is Go.GO


def test_it_has_no_undo_and_says_why() -> None:
    plan = planned(World())
    assert plan.undo == ""
    assert any(each.startswith("no undo: pods that ended do not come back") for each in plan.facts)


def test_its_scope_holds_through_another_restart_but_for_the_template() -> None:
    first = planned(World()).scope
    again = view(template=template(notes={"kubectl.kubernetes.io/restartedAt": "2026-11-23T08:00:00Z"}))
    second = planned(World(again)).scope
    assert first[0] != second[0] and first[1] == second[1]


def old(read: Any) -> ReferredView:
    return ReferredView(True, frozenset({"level"}), NOW - 9 * HOUR)


def new(read: Any) -> ReferredView:
    return ReferredView(True, frozenset({"level"}), NOW - 5 * MINUTE)


FINDINGS = [
    ("paused", view(is_paused=True), {}, {"deploy.paused": "red"}),
    ("OnDelete", view("DaemonSet", strategy=Strategy("OnDelete")), {}, {"deploy.ondelete": "red"}),
    ("Recreate", view(strategy=Strategy("Recreate")), {}, {"deploy.outage": "yellow"}),
    ("the only pod of a set", view("StatefulSet", replicas=1), {}, {"deploy.outage": "yellow"}),
    ("a daemon", view("DaemonSet"), {}, {}),
    ("latest", view(template=template("shop:latest")), {}, {"deploy.mutable": "yellow"}),
    ("no tag", view(template=template("host:5000/shop")), {}, {"deploy.mutable": "yellow"}),
    ("Always", view(template=template(container={"imagePullPolicy": "Always"})), {}, {"deploy.mutable": "yellow"}),
    ("Always, by digest", view(template=template("shop@sha256:a", container={"imagePullPolicy": "Always"})), {}, {}),
    ("a digest", view(template=template("shop@sha256:abc")), {}, {}),
    ("config changed since", view(template=template(container=CONFIG)), {"Referred": new},
     {"restart.config": "yellow"}),
    ("config as before", view(template=template(container=CONFIG)), {"Referred": old}, {}),
    ("config gone", view(template=template(container=CONFIG)), {"Referred": ReferredView(False)},
     {"deploy.missing": "red"}),
    ("config unread", view(template=template(container=CONFIG)), {"Referred": Gap("no")},
     {"deploy.unread": "unknown"}),
    ("GitOps leaves restarts alone", view(annotations={LAST_APPLIED: "{}"},
                                          labels={"app.kubernetes.io/managed-by": "Helm"}), {}, {}),
    ("an operator", view(owners=(Owner("x.io/v1", "Shop", "main", is_controller=True),)), {},
     {"deploy.operator": "yellow"}),
    ("Argo Rollouts", view(annotations={"rollout.argoproj.io/revision": "1"}), {}, {"deploy.rollouts": "red"}),
    ("no room", view(), {"Quotas": (QuotaView("q", {"pods": 3}, {"pods": 3}),)}, {"deploy.quota": "yellow"}),
    ("no surge needs no room", view(strategy=Strategy(surge=0, unavailable=1)),
     {"Quotas": (QuotaView("q", {"pods": 3}, {"pods": 3}),)}, {}),
    ("pods unread", view(), {"Members": Gap("no")}, {"deploy.pods": "unknown"}),
    ("history unread", view(), {"Revisions": Gap("no")}, {"deploy.pods": "unknown"}),
    ("the server says no", view(), {"DryRun": Rehearsal(False, "no")}, {"deploy.dryrun": "red"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("here", "answers", "expected"), [f[1:] for f in FINDINGS], ids=[f[0] for f in FINDINGS]
)
def test_what_it_may_break(here: Any, answers: dict[str, Any], expected: dict[str, str]) -> None:
    assert keys(planned(World(here, **answers))) == expected


def test_without_pods_there_is_nothing_to_do() -> None:
    assert planned(World(view(replicas=0))).go is Go.NOTHING


def test_only_what_the_running_pods_missed_is_pending() -> None:
    """A pod made after the change has it already; the oldest one decides."""
    pods = (member("a", created=NOW - MINUTE), member("b", created=NOW - 2 * MINUTE))
    here = view(template=template(container=CONFIG))
    assert keys(planned(World(here, Referred=new, Members=pods))) == {}
    stale = (*pods, replace(member("c"), created=NOW - 10 * MINUTE))
    found = finding(planned(World(here, Referred=new, Members=stale)), "restart.config")
    assert found.value.endswith("may not have: ConfigMap web was changed 5 min ago")
