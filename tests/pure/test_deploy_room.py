"""Room on nodes for the pods that a scaling, a rollback or a restart adds."""

from typing import Any

import pytest
from deploy_answers import SITE, SPACE, WHO, World, args, finding, newcomer, node, revision, target, view

from commands.deploy import restart, rollback, room, scale
from commands.finding import Light
from commands.model import Gap, Seen
from commands.plan import Plan
from commands.scheduling import Newcomer, NodeTerm, PodTerm, Requirement, Selector, Taint
from commands.workloads import Strategy

ONE_EACH = PodTerm("kubernetes.io/hostname", Selector((Requirement("app", "In", ("backend",)),)), (SPACE,))


def scaled(to: int, **answers: Any) -> Plan:
    made = World(**answers).drive(scale.plan(args("scale", replicas=str(to)), SITE, WHO))
    assert isinstance(made, Plan)
    return made


def asks(**needs: Any) -> Any:
    return lambda read: newcomer(read.kind, read.namespace, read.name, **needs)


def test_new_pods_that_find_a_place_are_a_green_line() -> None:
    found = finding(scaled(5), "deploy.room")
    assert (found.light, found.value) == (Light.GREEN, "2 of 2 more pods to scale to 5 fit on 3 nodes")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"Newcomer": asks(cpu=3.0)}, "0/3 nodes: 3 cpu"),
        (
            {"Newcomer": asks(node_terms=(NodeTerm((Requirement("gpu", "Exists"),)),))},
            "0/3 nodes: 3 node affinity",
        ),
        ({"NodeDetails": (node("a", taints=(Taint("own", "", "NoSchedule"),)),)}, "0/1 nodes: 1 taint"),
        (
            {"NodeDetails": (node("a", ready="False"), node("b", unschedulable=True))},
            "no other node takes pods",
        ),
    ],
)
def test_new_pods_without_a_place_are_a_risk_with_the_reason(answers: dict[str, Any], why: str) -> None:
    found = finding(scaled(9, **answers), "deploy.room")
    assert found.light is Light.YELLOW and why in found.evidence
    assert found.mend


def test_new_pods_that_keep_apart_take_a_node_each() -> None:
    labelled = tuple(node(name, labels={"kubernetes.io/hostname": name}) for name in ("a", "b"))
    found = finding(scaled(6, NodeDetails=labelled, Newcomer=asks(apart=(ONE_EACH,))), "deploy.room")
    assert found.value.startswith("2 of 3 more pods") and "anti-affinity" in found.evidence[0]


def test_a_crowd_is_told_by_its_first_pods() -> None:
    found = finding(scaled(900), "deploy.room")
    assert f"of the first {room.SIMULATED}" in found.value


def test_the_template_of_the_revision_to_come_is_what_is_placed() -> None:
    world = World(Revisions=(revision(7), revision(6)))
    plan = world.drive(rollback.plan(args("rollback"), SITE, WHO))
    assert Newcomer("ReplicaSet", SPACE, "backend-6") in world.asked
    assert finding(plan, "deploy.room").light is Light.GREEN


def test_a_rollout_without_extra_pods_asks_for_no_room() -> None:
    world = World(view(strategy=Strategy("Recreate")))
    plan = world.drive(restart.plan(args("restart"), SITE, WHO))
    assert not [each for each in plan.findings if each.key == "deploy.room"]
    assert not [each for each in world.asked if isinstance(each, Newcomer)]


@pytest.mark.parametrize("answer", [Gap("forbidden", "- rule"), None], ids=["unread", "gone"])
def test_a_template_that_was_not_read_leaves_it_unknown(answer: Any) -> None:
    seen = {read: () for read in room.reads(target(), 2)}
    seen[Newcomer("Deployment", SPACE, "backend")] = answer
    (found,) = room.findings(target(), 2, "to scale to 5", Seen(seen))
    assert found.light is Light.UNKNOWN
