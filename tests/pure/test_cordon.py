"""Closing and opening nodes: what is said before, what is left alone, and what proves it."""

import pytest

from commands.effects import Cordon, Uncordon
from commands.finding import Light
from commands.model import Gap
from commands.plan import Go, Mark, Result, Standing
from commands.reads import Rehearsal
from commands.scheduling import CORDONED, Placements, Taint
from tests.pure.drain_world import GI, NOW, World, found, keys, marks, node, placed, pod

CLOSED = node(unschedulable=True, annotations={CORDONED: "by U0BOB (R1): disk"})
GONE = Gap("forbidden", "- rule")


def test_closing_is_one_step_with_a_note_and_a_way_back():
    plan = World().close()
    assert plan.go is Go.GO
    assert plan.steps[0].effect == Cordon(node().target, "by U0ALICE0001 (RTEST0001): kernel update")
    assert (plan.undo, plan.locks) == ("node uncordon node-7", ("node/node-7",))
    assert plan.before == (("Node node-7", "open"),)
    assert found(plan, "cordon.spare").light is Light.GREEN


def test_a_node_of_aws_may_be_typed_as_it_is_shown():
    whole = "ip-10-0-2-82.eu-central-1.compute.internal"
    plan = World(nodes=(node(whole), node("node-8"))).close("cordon", "ip-10-0-2-82")
    assert [step.effect.target.name for step in plan.steps] == [whole]
    assert plan.locks == (f"node/{whole}",)


def test_the_plan_tells_the_labels_of_each_node_for_the_rules_of_access():
    plan = World(nodes=(CLOSED, node("node-8", labels={"pool": "blue"}))).close("uncordon", "node-7,node-8")
    assert [name for name, _ in plan.nodes] == ["node-7", "node-8"]
    assert ("pool", "blue") in plan.nodes[1][1] and ("pool", "blue") not in plan.nodes[0][1]


def test_what_is_closed_already_is_left_alone_and_says_by_whom():
    plan = World(nodes=(CLOSED, node("node-8"))).close()
    assert plan.go is Go.NOTHING
    assert found(plan, "cordon.already").value == "closed already by U0BOB (R1): disk"
    assert plan.undo == ""


def test_of_two_nodes_only_the_open_one_is_closed():
    plan = World(nodes=(CLOSED, node("node-8"), node("node-9"))).close("cordon", "node-7,node-8")
    assert [step.effect.target.name for step in plan.steps] == ["node-8"]
    assert plan.undo == "node uncordon node-8"


@pytest.mark.parametrize(
    ("asked", "light"),
    [(3.9, Light.GREEN), (4.1, Light.YELLOW)],
)
def test_closing_warns_when_one_more_node_could_not_be_lost(asked, light):
    """Two nodes of 4 cores stay open: more than 4 asked for, and the loss of one would leave pods out."""
    here = placed(pod(requests={"cpu": asked, "memory": GI}), "node-8")
    assert found(World(placements=(here,)).close(), "cordon.spare").light is light


def test_the_last_open_node_is_a_risk():
    assert found(World(nodes=(node(),), placements=()).close(), "cordon.spare").light is Light.YELLOW


def test_unread_pods_leave_the_room_unknown():
    assert found(World(placements=GONE).close(), "cordon.spare-unread").light is Light.UNKNOWN


def test_unread_or_missing_nodes_block():
    assert World(nodes=GONE).close().go is Go.BLOCKED
    assert World().close("cordon", "node-70").go is Go.BLOCKED
    assert World().close("uncordon", "", selector="pool=none").go is Go.BLOCKED


def test_opening_shows_who_closed_and_which_taints_stay():
    taints = (Taint("node.kubernetes.io/unschedulable", "", "NoSchedule"), Taint("gpu", "yes", "NoSchedule"))
    sick = node(unschedulable=True, taints=taints, ready="False", ready_reason="KubeletNotReady: net")
    world = World(nodes=(sick,))
    plan = world.close("uncordon")
    assert plan.steps[0].effect == Uncordon(node().target)
    assert plan.undo == "node cordon node-7"
    assert found(plan, "uncordon.taints").evidence == ("gpu=yes:NoSchedule",)
    assert found(plan, "uncordon.unready").evidence == ("KubeletNotReady: net",)
    assert found(plan, "uncordon.closed").value == "closed by somebody who left no note; kubelet v1.33.1"
    assert Placements() not in world.asked


def test_what_is_open_already_is_left_alone():
    plan = World().close("uncordon")
    assert plan.go is Go.NOTHING
    assert keys(plan) == {"uncordon.already"}


# --- Proof ---


@pytest.mark.parametrize("verb", ["cordon", "uncordon"])
def test_the_node_itself_proves_it(verb):
    before, after = (node(), CLOSED) if verb == "cordon" else (CLOSED, node())
    plan = World(nodes=(before,)).close(verb)
    waiting = World(nodes=(before,)).verdict(plan, verb=verb)
    assert (waiting.result, waiting.proved) == (Result.WAITING, ())
    done = World(nodes=(after,)).verdict(plan, verb=verb)
    assert (done.result, done.proved) == (Result.SUCCEEDED, (plan.steps[0].key,))
    assert done.suggestions[0].text == plan.undo


def test_a_node_that_is_gone_is_named():
    plan = World().close()
    verdict = World(nodes=()).verdict(plan, marks(plan, Standing.FAILED), verb="cordon", is_over=True)
    assert (verdict.result, verdict.left) == (Result.FAILED, ("node-7: no longer a node of the cluster",))


def test_one_of_two_is_partial_with_the_reason_and_a_retry():
    plan = World().close("cordon", "node-7,node-8")
    why = {plan.steps[1].key: Mark(Standing.FAILED, NOW, "forbidden")}
    verdict = World(nodes=(CLOSED, node("node-8"))).verdict(plan, why, verb="cordon", is_over=True)
    assert (verdict.result, verdict.left) == (Result.PARTIAL, ("node-8: forbidden",))
    assert verdict.suggestions[0].text == "node cordon node-8"


@pytest.mark.parametrize(("is_over", "result"), [(False, Result.WAITING), (True, Result.PARTIAL)])
def test_what_cannot_be_seen_is_no_success(is_over, result):
    plan = World().close()
    assert World(nodes=GONE).verdict(plan, verb="cordon", is_over=is_over).result is result


def test_a_plan_in_which_nothing_is_left_to_do_reads_nothing_and_is_done():
    plan = World(nodes=(node(unschedulable=True),)).close()
    world = World()
    assert world.verdict(plan, verb="cordon").result is Result.SUCCEEDED
    assert world.asked == []


REFUSED = Rehearsal(False, "nodes/node-7: forbidden, needs patch on nodes")


@pytest.mark.parametrize("ask", ["cordon", "uncordon", "drain"])
def test_nobody_is_asked_to_approve_what_the_cluster_would_refuse(ask):
    """And where the dry run itself is not answered, that is said and no reason to stop."""
    there = (CLOSED if ask == "uncordon" else node(), node("node-8"))
    for rehearsal, go, value in ((REFUSED, Go.BLOCKED, "needs patch on nodes"), (GONE, Go.RISK, "unknown")):
        world = World(pod(), nodes=there, rehearsal=rehearsal)
        plan = world.plan() if ask == "drain" else world.close(ask)
        assert plan.go is go
        assert value in found(plan, "node.dryrun").value


def test_what_is_so_already_is_not_tried():
    assert World(nodes=(CLOSED, node("node-8")), rehearsal=REFUSED).close().go is Go.NOTHING
