"""Whether a drain did what it said: proved by uid, waited for in words, and told as it stands at the end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from commands import reads
from commands.finding import Light
from commands.model import Gap
from commands.plan import Mark, Result, Standing
from commands.scheduling import Budgets, Owner, Placements
from tests.pure.drain_world import (
    AGENT,
    DAEMON,
    NOW,
    World,
    budget,
    marks,
    node,
    owner,
    pod,
    view,
)

CLOSED = (node(unschedulable=True), node("node-8"))
GONE = Gap("no connection", "check the server")
PLAN = World(pod(), DAEMON).plan()
EVICT, CORDON = "evict uid-backend-1", "cordon uid-node-7"
LONG_AGO = NOW - timedelta(seconds=30)


def after(*pods, **changes):
    """The world once the node is closed and these pods are on it."""
    return World(*(pods or (DAEMON,)), **{"nodes": CLOSED, **changes})


def test_nothing_is_proved_before_anything_was_done():
    verdict = World(pod(), DAEMON).verdict(PLAN)
    assert (verdict.result, verdict.proved) == (Result.WAITING, ())


def test_the_closing_is_proved_by_the_node_and_the_eviction_by_the_uid():
    assert after(pod(), DAEMON).verdict(PLAN).proved == (CORDON,)
    assert after().verdict(PLAN).proved == (CORDON, EVICT)


def test_a_pod_of_the_same_name_is_another_pod():
    verdict = after(pod(uid="uid-anew", node="node-8"), DAEMON).verdict(PLAN, marks(PLAN, at=LONG_AGO))
    assert verdict.result is Result.SUCCEEDED


def test_all_gone_and_ready_again_is_success_with_the_way_back():
    verdict = after().verdict(PLAN, marks(PLAN, at=LONG_AGO))
    assert verdict.result is Result.SUCCEEDED
    assert verdict.summary == "1 pod moved; node-7 stays closed to new pods"
    assert [each.text for each in verdict.suggestions] == ["node uncordon node-7"]


def test_success_waits_until_controllers_have_counted_again():
    assert after().verdict(PLAN, marks(PLAN, at=NOW)).result is Result.WAITING


def test_success_waits_for_the_replicas_there_were_before():
    world = after(owners=(view(ready=2), AGENT))
    verdict = world.verdict(PLAN, marks(PLAN, at=LONG_AGO))
    assert (verdict.result, verdict.waiting) == (Result.WAITING, ("Deployment shop/backend: 2 of 3 ready",))
    ended = world.verdict(PLAN, marks(PLAN, at=LONG_AGO), is_over=True)
    assert (ended.result, ended.left) == (Result.PARTIAL, ("Deployment shop/backend: 2 of 3 ready",))


@pytest.mark.parametrize("owners", [(view(replicas=2, ready=2), AGENT), (AGENT,)])
def test_a_workload_that_was_scaled_down_or_deleted_is_not_waited_for(owners):
    assert after(owners=owners).verdict(PLAN, marks(PLAN, at=LONG_AGO)).result is Result.SUCCEEDED


@pytest.mark.parametrize(("age", "result"), [(20, Result.WAITING), (9000, Result.SUCCEEDED)])
def test_a_new_crash_loop_among_what_was_moved_is_no_success(age, result):
    sick = reads.PodView(
        "shop",
        "backend-9",
        "CrashLoopBackOff",
        "0/1",
        3,
        timedelta(seconds=age),
        owner="ReplicaSet/backend-5f",
    )
    assert after(sick=(sick,)).verdict(PLAN, marks(PLAN, at=LONG_AGO)).result is result


def test_a_crash_loop_of_somebody_else_is_not_ours():
    sick = reads.PodView(
        "shop", "web-9", "CrashLoopBackOff", "0/1", 3, timedelta(0), owner="ReplicaSet/web-1"
    )
    assert after(sick=(sick,)).verdict(PLAN, marks(PLAN, at=LONG_AGO)).result is Result.SUCCEEDED


# --- What it waits for ---


def test_a_budget_is_waited_for_with_its_numbers_and_since_when():
    plan = World(pod(), DAEMON, budgets=(budget(),)).plan()
    world = after(pod(), DAEMON, budgets=(budget(allowed=0, healthy=2),))
    verdict = world.verdict(plan, {EVICT: Mark(Standing.BLOCKED, NOW - timedelta(minutes=3), "429")})
    assert verdict.waiting == (
        "Budget shop/backend lets no pod go for 3 min: 2 healthy, 2 wanted; 1 pod to go",
    )


def test_a_block_that_is_no_budget_is_told_in_its_own_words():
    blocked = {EVICT: Mark(Standing.BLOCKED, NOW - timedelta(minutes=3), "the namespace is going away")}
    waiting = after(pod(), DAEMON).verdict(PLAN, blocked).waiting
    assert waiting == ("shop/backend-1: the namespace is going away for 3 min",)


def test_budgets_are_read_only_while_one_blocks():
    world = after(pod(), DAEMON)
    world.verdict(PLAN)
    assert Budgets() not in world.asked
    assert Placements() not in world.asked


def test_a_pod_that_is_ending_is_named_with_its_time():
    ending = pod(deleted=NOW - timedelta(minutes=2))
    verdict = after(ending, DAEMON).verdict(PLAN, {CORDON: Mark(Standing.PROVED, NOW)})
    assert verdict.waiting == ("shop/backend-1 is ending for 2 min (has 30 s, 2 min over its time)",)


def test_a_pod_that_was_ending_before_is_waited_for_too():
    old = pod("old", deleted=NOW + timedelta(seconds=10))
    plan = World(pod(), old).plan()
    assert after(old).verdict(plan, marks(plan, at=LONG_AGO)).waiting == (
        "shop/old is ending for 20 s (has 30 s)",
    )


def test_a_node_somebody_opened_again_is_named_and_no_success():
    proved = marks(PLAN, at=LONG_AGO)
    verdict = after(nodes=(node(), node("node-8"))).verdict(PLAN, proved)
    assert verdict.result is Result.PARTIAL
    assert verdict.left == ("node-7 is open to new pods: somebody opened it meanwhile",)
    assert CORDON in verdict.proved


def test_a_pod_that_came_meanwhile_is_named_and_no_success():
    verdict = after(DAEMON, pod("new")).verdict(PLAN, marks(PLAN, at=LONG_AGO))
    assert verdict.result is Result.PARTIAL
    assert verdict.left == ("shop/new is still here",)
    assert verdict.findings[0].key == "drain.foreign"
    assert verdict.suggestions[0].text == "node drain node-7"


# --- The end ---


def test_what_is_left_at_the_deadline_is_named_with_the_reason():
    plan = World(pod(), pod("backend-2"), DAEMON).plan()
    stuck = {
        CORDON: Mark(Standing.PROVED, LONG_AGO),
        EVICT: Mark(Standing.PROVED, LONG_AGO),
        "evict uid-backend-2": Mark(Standing.BLOCKED, LONG_AGO, "budget shop/backend needs 2 healthy pods"),
    }
    flags = {"emptydir": "", "timeout": "5m", "why": "x"}
    verdict = after(pod("backend-2"), DAEMON).verdict(plan, stuck, is_over=True, flags=flags)
    assert verdict.result is Result.PARTIAL
    assert verdict.left == ("shop/backend-2: budget shop/backend needs 2 healthy pods",)
    assert verdict.summary == "1 of 2 pods moved; node-7 stays closed to new pods"
    assert [each.text for each in verdict.suggestions] == [
        "node drain node-7 --emptydir --timeout 5m",
        "node uncordon node-7",
        'incident declare "drain of node-7 is stuck"',
    ]


def test_when_no_pod_was_moved_it_failed():
    verdict = after(pod(), DAEMON).verdict(PLAN, {}, is_over=True, is_cancelled=True)
    assert verdict.result is Result.FAILED
    assert verdict.left == ("shop/backend-1: not tried",)
    assert "(cancelled)" in verdict.summary


def test_a_node_that_is_gone_is_said_and_is_success():
    world = World(pod(node="node-9"), nodes=(node("node-8"),))
    verdict = world.verdict(PLAN, marks(PLAN, at=LONG_AGO))
    assert verdict.result is Result.SUCCEEDED
    assert "node-7 is no longer a node of the cluster" in verdict.summary


def test_another_node_of_the_same_name_is_another_node():
    other = node(target=replace(node().target, uid="other"))
    world = World(pod(node="node-9"), nodes=(other,))
    assert "no longer a node" in world.verdict(PLAN, marks(PLAN, at=LONG_AGO)).summary


def test_pods_of_a_node_that_is_gone_are_still_waited_for():
    verdict = World(pod(), nodes=(node("node-8"),)).verdict(PLAN)
    assert (verdict.result, verdict.proved) == (Result.WAITING, (CORDON,))


@pytest.mark.parametrize(("is_over", "result"), [(False, Result.WAITING), (True, Result.PARTIAL)])
def test_what_cannot_be_seen_is_never_success(is_over, result):
    verdict = World(nodes=GONE).verdict(PLAN, marks(PLAN), is_over=is_over)
    assert verdict.result is result
    assert not verdict.proved
    if is_over:
        assert verdict.findings[0].light is Light.UNKNOWN


def test_unseen_owners_are_no_success_either():
    verdict = after(owners=GONE).verdict(PLAN, marks(PLAN, at=LONG_AGO))
    assert (verdict.result, verdict.waiting) == (
        Result.WAITING,
        ("ReplicaSets cannot be seen: no connection",),
    )


def test_a_job_is_not_waited_for():
    job = pod("load-1", owner=owner("load", "Job"))
    plan = World(job, owners=(view("load", "Job"),)).plan()
    assert after(owners=()).verdict(plan, marks(plan, at=LONG_AGO)).result is Result.SUCCEEDED


# --- Workloads that an operator or a schedule owns --------------------------------------------------


def above(kind, name):
    return Owner(kind, name, f"uid-{name}", "monitoring.example.com/v1")


@pytest.mark.parametrize("kind", ["StatefulSet", "ReplicaSet"])
def test_what_an_operator_owns_has_to_be_ready_again_too(kind):
    held = view("prometheus-k8s", kind, replicas=2, ready=2)
    held = replace(held, above=above("Prometheus", "k8s"))
    mine = pod("prometheus-0", labels={"app": "prometheus"}, owner=owner("prometheus-k8s", kind))
    plan = World(mine, owners=(held,)).plan()
    assert dict(plan.before)["Prometheus shop/k8s"] == "2 ready"
    short = after(owners=(replace(held, ready=1),)).verdict(plan, marks(plan, at=LONG_AGO))
    assert (short.result, short.waiting) == (Result.WAITING, ("Prometheus shop/k8s: 1 of 2 ready",))
    assert after(owners=(held,)).verdict(plan, marks(plan, at=LONG_AGO)).result is Result.SUCCEEDED


def test_a_job_that_ended_meanwhile_is_not_waited_for():
    job = replace(view("nightly-1", "Job", replicas=1, ready=1), above=above("CronJob", "nightly"))
    plan = World(pod("nightly-1-a", owner=owner("nightly-1", "Job")), owners=(job,)).plan()
    assert "CronJob shop/nightly" in plan.scope
    ended = after(owners=(replace(job, ready=0),)).verdict(plan, marks(plan, at=LONG_AGO))
    assert ended.result is Result.SUCCEEDED


@pytest.mark.parametrize(
    "worse", [{"owner": owner("shards", "CloneSet")}, {"owners": GONE}], ids=["unknown kind", "not read"]
)
def test_where_nobody_counted_before_the_proof_says_so(worse):
    plan = World(pod(owner=worse.get("owner", owner())), owners=worse.get("owners", ())).plan()
    verdict = after().verdict(plan, marks(plan, at=LONG_AGO))
    assert [(each.key, each.light) for each in verdict.findings] == [("drain.uncounted", Light.UNKNOWN)]


def test_a_daemonset_of_another_group_has_to_be_ready_again():
    old = owner("agent", "DaemonSet", api_version="extensions/v1beta1")
    plan = World(pod("agent-1", owner=old), owners=(AGENT,)).plan()
    short = after(owners=(replace(AGENT, ready=2),)).verdict(plan, marks(plan, at=LONG_AGO))
    assert short.waiting == ("DaemonSet shop/agent: 2 of 3 ready",)
