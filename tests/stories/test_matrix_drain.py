"""Drains from the typed line to the proof, case by case, on the stand-in and on a real control plane.

Desk, store, engine, reads and effects are the real ones. Each case looks at three things: the cluster, the record
and the audit.
"""

import pytest
from matrix import Case, Matrix, Runs, sentence
from road import BOB, CAROL, Road

from commands.finding import Light
from commands.model import Request
from commands.model import State as Standing
from commands.plan import Go, Plan
from commands.plan import Standing as Mark
from sandbox.controlplane import ControlPlane
from sandbox.house import wait_until
from sandbox.kube import build

MATRIX = Matrix("drain")
EVICTIONS = "*/pods/*/eviction"
GUARDED = {"guarded": "yes"}


@pytest.mark.parametrize("case", MATRIX.everywhere, ids=sentence)
def test_it_holds_on_the_stand_in(case: Case, on_stand_in: Runs) -> None:
    on_stand_in.result(case)


@pytest.mark.cluster
@pytest.mark.parametrize("case", MATRIX.real, ids=sentence)
def test_it_holds_on_a_real_control_plane(case: Case, on_control_plane: Runs) -> None:
    on_control_plane.result(case)


@pytest.mark.cluster
@pytest.mark.timeout(500)  # all that it waits for, at its longest
def test_an_api_server_that_is_killed_in_the_middle_is_waited_for(on_control_plane: Runs) -> None:
    on_control_plane.alone(killed_in_the_middle)


def killed_in_the_middle(road: Road) -> None:
    assert isinstance(road.world.server, ControlPlane)
    id = stuck(road)
    done = road.begin(id)
    road.until_blocked(id)
    wait_until(lambda: "free" in " ".join(evicted(road)), "the free one was taken, and no answer is cut off")
    road.world.server.kill_apiserver()
    road.until_waiting(id, "cannot be seen")
    road.world.server.start_apiserver()
    road.until_followed()
    heal(road)
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert len(evicted(road)) == len(set(evicted(road))) == 3


# --- what the cases share -------------------------------------------------------------------------------


def keys(plan: Plan, light: Light) -> set[str]:
    return {finding.key for finding in plan.findings if finding.light is light}


def evicted(road: Road) -> list[str]:
    """Names of pods whose eviction the server took, in that order."""
    return [each.path.split("/")[-2] for each in road.gate.taken(EVICTIONS)]


def standings(road: Road, request: Request) -> set[Mark]:
    return {mark.standing for mark in road.marks(request.id).values()}


def lame(road: Road, node: str) -> None:
    """A guarded pod on that node that is not ready until `heal`."""
    road.world.fare("never ready", road.space, name="lame-*")
    template = {"nodeSelector": {"kubernetes.io/hostname": f"{road.space}-{node}"}}
    road.make(build.deployment("lame", labels={"app": "lame", **GUARDED}, template=template))
    wait_until(lambda: road.on(node, app="lame"), "the lame pod is bound")


def tight(road: Road) -> None:
    """Two nodes; on the first two guarded pods and a free one. The budget waits for a pod that is not ready."""
    road.add_nodes(2)
    road.workload("Deployment", "web", 2, on="1", labels={"app": "web", **GUARDED})
    road.workload("Deployment", "free", 1, on="1")
    lame(road, "2")
    road.budget("web", 2, **GUARDED)


def heal(road: Road) -> None:
    road.world.fare("well", road.space, name="lame-*")


def stuck(road: Road) -> str:
    """A drain of the first node that waits for the budget of `tight`; its id."""
    tight(road)
    id = road.ask(f"drain {road.space}-1")
    assert keys(road.plan(id), Light.YELLOW) >= {"drain.budget-waits"}
    road.approve(id)
    return id


# --- pods that go, and pods that stay -------------------------------------------------------------------


@MATRIX.case
def a_node_is_emptied_of_what_moves_and_of_nothing_else(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 2, on="1")
    road.workload("Deployment", "api", 2, on="2")
    road.workload("DaemonSet", "agent")
    mirror = {"kubernetes.io/config.mirror": "f00"}
    road.make(build.pod("static", node=f"{road.space}-1", annotations=mirror))
    others, agents, webs = road.on("2"), road.on("1", app="agent"), road.on("1", app="web")
    static = road.there("Pod", "static")["metadata"]["uid"]
    request = road.go(f"drain {road.space}-1")
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert standings(road, request) == {Mark.PROVED}
    assert sorted(evicted(road)) == sorted(webs) and not road.on("1", app="web")
    assert road.on("1", app="agent") == agents
    assert road.there("Pod", "static")["metadata"]["uid"] == static
    assert others.items() <= road.on("2").items() and road.is_closed("1") and not road.is_closed("2")
    assert any("DaemonSet" in line or "daemon" in line.casefold() for line in road.plan(request.id).stays)
    said = road.said(request.id)
    first = ["submitted", "planned", "approved", "applying", "trying", "applied"]
    assert said[:6] == first and said[-1] == "succeeded"
    assert [said.count(word) for word in ("trying", "applied", "proved")] == [3, 3, 3]


@MATRIX.case
def a_pod_without_a_controller_goes_only_when_two_agree_to_that(road: Road) -> None:
    road.add_nodes(2)
    road.make(build.pod("alone", node=f"{road.space}-1"))
    wait_until(lambda: road.on("1"), "it is there")
    blocked = road.request(road.ask(f"drain {road.space}-1"))
    assert blocked.state is Standing.BLOCKED and keys(road.plan(blocked.id), Light.RED) == {"drain.orphan"}
    id = road.ask(f"drain {road.space}-1 --orphans")
    road.approve(id, BOB)
    assert road.request(id).state is Standing.AWAITING and not road.gate.writes()
    road.approve(id, CAROL)
    request = road.ended(road.begin(id))
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert road.get("Pod", "alone") is None and evicted(road) == ["alone"]
    assert [word for word in road.said(id) if word in ("agreed", "approved")] == ["agreed", "approved"]


@MATRIX.case
def local_data_goes_only_when_it_was_asked_for(road: Road) -> None:
    road.add_nodes(2)
    volumes = {"volumes": [{"name": "cache", "emptyDir": {}}]}
    road.workload("Deployment", "web", 2, on="1", template=volumes)
    blocked = road.request(road.ask(f"drain {road.space}-1"))
    assert blocked.state is Standing.BLOCKED
    assert keys(road.plan(blocked.id), Light.RED) == {"drain.emptydir-data"}
    assert road.go(f"drain {road.space}-1 --emptydir").state is Standing.SUCCEEDED
    assert len(evicted(road)) == 2


@MATRIX.case
def a_pod_that_came_back_elsewhere_under_its_name_is_left_alone(road: Road) -> None:
    road.add_nodes(2)
    road.workload("StatefulSet", "db", 1, on="1", labels={"app": "db", **GUARDED})
    lame(road, "2")
    road.budget("db", 1, **GUARDED)
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    done = road.begin(id)
    road.until_blocked(id)
    road.remove("Pod", "db-0")
    [fresh] = wait_until(lambda: list(road.on("2", app="db").values()), "db-0 is on the other node")
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert road.on("2", app="db") == {"db-0": fresh} and evicted(road) == []
    said = {each.status for each in road.gate.writes(EVICTIONS)}
    assert said == {429}, "not even asked for: a refused precondition spends the budget, too"


@MATRIX.case
def slow_pods_are_waited_for_by_name(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 2, on="1")
    road.world.fare("never gone", road.space, name="web-*")
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, "is ending")
    road.world.fare("well", road.space)
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert len(evicted(road)) == 2 and {mark.tries for mark in road.marks(id).values()} == {1}


@MATRIX.case
def a_pod_that_never_goes_leaves_a_part_undone_and_is_named(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 1, on="1")
    road.workload("Deployment", "slow", 1, on="1")
    road.world.fare("never gone", road.space, name="slow-*")
    [slow] = road.on("1", app="slow")
    id = road.ask(f"drain {road.space}-1 --timeout 1m")
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, slow)
    wait_until(lambda: not road.on("1", app="web"), "the other went")
    road.later(minutes=1)
    request = road.ended(done)
    assert request.state is Standing.PARTIAL and request.verdict
    assert "still ending" in " ".join(request.verdict.left) and slow in " ".join(request.verdict.left)
    assert "1 of 2 pods moved" in request.verdict.summary
    assert [each.label for each in request.verdict.suggestions][:2] == ["Drain again", "Open to pods again"]


# --- budgets --------------------------------------------------------------------------------------------


@MATRIX.case
def a_budget_that_lets_nobody_go_is_waited_for_until_it_does(road: Road) -> None:
    id = stuck(road)
    done = road.begin(id)
    road.until_waiting(id, f"Budget {road.space}/web lets no pod go")
    assert len(road.on("1", app="web")) == 2
    heal(road)
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED, request.verdict
    told = [line["step"] for line in road.lines(id) if line["what"] == "blocked"]
    assert told and len(told) == len(set(told)), "asking again is no news"
    assert sorted(name.partition("-")[0] for name in evicted(road)) == ["free", "web", "web"]
    assert not road.on("1")


@MATRIX.case
def a_budget_that_never_frees_ends_it_in_time_and_is_named_with_its_pods(road: Road) -> None:
    id = stuck(road)
    webs = road.on("1", app="web")
    done = road.begin(id)
    road.until_blocked(id)
    wait_until(lambda: not road.on("1", app="free"), "the free one went")
    road.later(hours=1)
    request = road.ended(done)
    assert request.state is Standing.PARTIAL and request.verdict
    left = " ".join(request.verdict.left)
    assert all(name in left for name in webs), left
    assert f"{road.space}/web needs 2 healthy and has 2" in left
    assert road.on("1", app="web") == webs and road.is_closed("1")
    assert road.said(id)[-1] == "partial"
    heal(road)
    [again] = [each.text for each in request.verdict.suggestions if each.label == "Drain again"]
    assert road.go(again).state is Standing.SUCCEEDED and not road.on("1")


@MATRIX.case
def two_budgets_over_one_pod_block_the_plan(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 2, on="1")
    road.budget("one", 1, app="web")
    road.budget("two", 1, app="web")
    request = road.request(road.ask(f"drain {road.space}-1"))
    assert request.state is Standing.BLOCKED
    assert keys(road.plan(request.id), Light.RED) == {"drain.two-budgets"}
    assert road.said(request.id) == ["submitted", "blocked"] and not road.gate.writes()


@MATRIX.case
def a_second_budget_made_after_the_approval_stops_it_before_it_begins(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 2, on="1")
    road.budget("one", 1, app="web")
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    road.budget("two", 1, app="web")
    request = road.ended(road.begin(id))
    assert request.state is Standing.BLOCKED and not road.gate.writes()
    assert "drain.two-budgets" in keys(road.plan(id), Light.RED) and not road.is_closed("1")
    assert road.said(id)[-1] == "blocked"


@MATRIX.case
def a_second_budget_made_on_the_way_fails_those_pods_and_names_it(road: Road) -> None:
    id = stuck(road)
    done = road.begin(id)
    road.until_blocked(id)
    road.budget("another", 1, app="web")
    request = road.ended(done)
    assert request.state is Standing.PARTIAL and request.verdict
    assert "more than one PodDisruptionBudget" in " ".join(request.verdict.left)
    assert "kubectl get pdb" in " ".join(request.verdict.left) and len(road.on("1", app="web")) == 2
    assert "failed" in road.said(id) and road.said(id)[-1] == "partial"


# --- the cluster changes between plan and apply ---------------------------------------------------------


@MATRIX.case
def another_pod_of_a_workload_that_was_named_costs_no_second_approval(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 2, on="1")
    road.workload("Deployment", "api", 1, on="1")
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    road.remove("Pod", sorted(road.on("1", app="web"))[0], grace=0)
    road.until_ready(2, app="web")
    request = road.ended(road.begin(id))
    assert request.state is Standing.SUCCEEDED and request.asking and request.asking.turn == 1
    assert not road.on("1")


@MATRIX.case
def another_workload_on_the_node_is_asked_about_again(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 1, on="1")
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    road.workload("Deployment", "late", 1, on="1")
    asked = road.ended(road.begin(id))
    assert asked.state is Standing.AWAITING and asked.asking and asked.asking.turn == 2
    assert asked.asking.changed == (f"also: Deployment {road.space}/late",) and not road.gate.writes()
    road.approve(id)
    request = road.ended(road.begin(id))
    assert request.state is Standing.SUCCEEDED and not road.on("1")
    assert road.said(id)[:5] == ["submitted", "planned", "approved", "planned", "approved"]


@MATRIX.case
def another_node_of_the_same_name_is_asked_about_again(road: Road) -> None:
    road.add_nodes(2)
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    road.remove("Node", f"{road.space}-1")
    road.world.add_node(f"{road.space}-1", {"pool": road.space})
    asked = road.ended(road.begin(id))
    assert asked.state is Standing.AWAITING and asked.asking and len(asked.asking.changed) == 1
    assert not road.gate.writes() and not road.is_closed("1")


@MATRIX.case
def what_cannot_be_read_is_not_planned_and_a_dry_run_changes_nothing(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 1, on="1")
    away = road.gate.rule("broken", "GET", "*/poddisruptionbudgets")
    blocked = road.request(road.ask(f"drain {road.space}-1"))
    assert blocked.state is Standing.BLOCKED and keys(road.plan(blocked.id), Light.RED) == {"drain.unread"}
    road.gate.lift(away)
    dry = road.request(road.ask(f"drain {road.space}-1 --dry-run"))
    assert dry.state is Standing.ANSWERED and not road.gate.writes() and not road.is_closed("1")
    assert sum("would be taken" in line for line in road.plan(dry.id).rehearsal) == 2


# --- the cluster changes on the way ---------------------------------------------------------------------


@MATRIX.case
def a_namespace_that_is_deleted_on_the_way_takes_its_pods_along(road: Road) -> None:
    id = stuck(road)
    done = road.begin(id)
    road.until_blocked(id)
    road.world.call("DELETE", f"/api/v1/namespaces/{road.space}")
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert not [name for name in evicted(road) if name.startswith("web")]


@MATRIX.case
def a_node_that_is_deleted_on_the_way_is_told_and_its_pods_are_proved_gone(road: Road) -> None:
    id = stuck(road)
    done = road.begin(id)
    road.until_blocked(id)
    node = f"{road.space}-1"
    road.remove("Node", node)
    for pod in road.pods():  # what the garbage collector does a minute later
        if pod["spec"].get("nodeName") == node:
            road.world.call("DELETE", road.path("Pod", pod["metadata"]["name"]), {"gracePeriodSeconds": 0})
    heal(road)
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED and request.verdict, request.verdict
    assert f"{node} is no longer a node of the cluster" in request.verdict.summary


@MATRIX.case
def a_node_that_somebody_opens_on_the_way_is_told_and_no_success(road: Road) -> None:
    id = stuck(road)
    done = road.begin(id)
    road.until_blocked(id)
    road.change("Node", f"{road.space}-1", {"spec": {"unschedulable": None}})
    road.until_waiting(id, "somebody opened it meanwhile")
    heal(road)
    request = road.ended(done)
    assert request.state is Standing.PARTIAL and request.verdict
    assert "somebody opened it meanwhile" in " ".join(request.verdict.left)
    assert not road.is_closed("1"), "it is not fought over"


@MATRIX.case
def a_second_drain_waits_behind_the_first(road: Road) -> None:
    id = stuck(road)
    road.world.add_node(f"{road.space}-3", {"pool": "none"})  # nothing of the first comes here
    other = road.ask(f"drain {road.space}-3")
    first = road.begin(id)
    road.until_blocked(id)
    road.approve(other)
    second = road.begin(other)
    wait_until(lambda: road.request(other).behind == id, "the second stands behind the first")
    assert not road.is_closed("3") and "queued" in road.said(other)
    road.cancel(id)
    assert road.ended(first).state is Standing.CANCELLED
    assert road.ended(second).state is Standing.SUCCEEDED and road.is_closed("3")


@MATRIX.case
def a_cancel_begins_nothing_more_and_says_what_stands(road: Road) -> None:
    id = stuck(road)
    webs = road.on("1", app="web")
    done = road.begin(id)
    road.until_blocked(id)
    wait_until(lambda: not road.on("1", app="free"), "the free one went")
    road.cancel(id)
    request = road.ended(done)
    heal(road)
    assert request.state is Standing.CANCELLED and request.verdict
    assert (
        "(cancelled)" in request.verdict.summary and f"{road.space}-1 stays closed" in request.verdict.summary
    )
    assert road.on("1", app="web") == webs
    assert road.said(id)[-2:] == ["stopping", "cancelled"] or "stopping" in road.said(id)


# --- several nodes, and the way back --------------------------------------------------------------------


@MATRIX.case
def two_nodes_are_emptied_one_after_the_other(road: Road) -> None:
    road.add_nodes(3)
    road.workload("Deployment", "web", 2, on="1")
    road.workload("Deployment", "api", 2, on="2")
    first, second = road.on("1"), road.on("2")
    id = road.ask(f"drain {road.space}-1,{road.space}-2")
    road.approve(id)
    request = road.ended(road.begin(id))
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert {frozenset(evicted(road)[:2]), frozenset(evicted(road)[2:])} == {
        frozenset(first),
        frozenset(second),
    }
    assert road.is_closed("1") and road.is_closed("2") and len(road.on("3")) == 4


@MATRIX.case
def the_second_node_is_not_begun_when_a_pod_of_the_first_failed(road: Road) -> None:
    road.add_nodes(3)
    road.workload("Deployment", "web", 2, on="1", labels={"app": "web", **GUARDED})
    road.workload("Deployment", "api", 1, on="2")
    road.workload("Deployment", "two", 1, on="2")
    road.workload("Deployment", "one", 1, on="2")
    lame(road, "3")
    road.budget("web", 2, **GUARDED)
    second = road.on("2")
    id = road.ask(f"drain {road.space}-1,{road.space}-2")
    road.approve(id)
    done = road.begin(id)
    road.until_blocked(id)
    road.budget("another", 1, app="web")
    request = road.ended(done)
    assert request.state is Standing.FAILED, request.verdict
    assert road.on("2") == second and evicted(road) == []
    assert road.is_closed("1") and road.is_closed("2")
    assert request.verdict and "not tried" in " ".join(request.verdict.left)


@MATRIX.case
def a_node_that_we_closed_can_be_opened_again_by_the_undo(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 1, on="1")
    request = road.go(f"drain {road.space}-1")
    plan = road.plan(request.id)
    assert plan.undo == f"node uncordon {road.space}-1" and request.verdict
    assert plan.undo in [each.text for each in request.verdict.suggestions]
    note = road.there("Node", f"{road.space}-1")["metadata"]["annotations"]
    assert request.id in note["sre-bot/cordoned"]
    back = road.go(plan.undo)
    assert back.state is Standing.SUCCEEDED and not road.is_closed("1")
    assert "sre-bot/cordoned" not in road.there("Node", f"{road.space}-1")["metadata"].get("annotations", {})


@MATRIX.case
def a_node_that_somebody_else_closed_is_not_offered_to_be_opened(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 1, on="1")
    road.change("Node", f"{road.space}-1", {"spec": {"unschedulable": True}})
    request = road.go(f"drain {road.space}-1")
    assert request.state is Standing.SUCCEEDED and road.plan(request.id).undo == ""
    assert request.verdict and not [s for s in request.verdict.suggestions if "uncordon" in s.text]
    assert not road.gate.writes("*/nodes/*") and road.is_closed("1")


@MATRIX.case
def a_node_is_closed_and_opened_and_what_is_so_already_is_nothing_to_do(road: Road) -> None:
    road.add_nodes(2)
    closed = road.go(f"cordon {road.space}-1")
    assert closed.state is Standing.SUCCEEDED and road.is_closed("1")
    again = road.request(road.ask(f"cordon {road.space}-1"))
    assert again.state is Standing.ANSWERED and road.plan(again.id).go is Go.NOTHING
    assert road.go(f"uncordon {road.space}-1").state is Standing.SUCCEEDED and not road.is_closed("1")
    assert len(road.gate.taken("*/nodes/*")) == 2


# --- answers that do not come ---------------------------------------------------------------------------


@MATRIX.case
def throttling_is_no_budget_and_is_asked_again(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 2, on="1")
    road.gate.rule("busy", "POST", EVICTIONS, times=3)
    request = road.go(f"drain {road.space}-1")
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert len(evicted(road)) == 2 and len(road.gate.writes(EVICTIONS)) == 5
    assert "blocked" not in road.said(request.id) and "failed" not in road.said(request.id)


@MATRIX.case
def an_eviction_whose_answer_was_lost_is_not_done_twice(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 2, on="1")
    road.world.fare("never gone", road.space, name="web-*")
    road.gate.rule("lose", "POST", EVICTIONS, times=2)
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    done = road.begin(id)
    notes = lambda: [mark.note for path, mark in road.marks(id).items() if "/" in path]  # noqa: E731
    wait_until(lambda: notes() == ["is going", "is going"], "both were looked at again")
    road.world.fare("well", road.space)
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert len(evicted(road)) == len(set(evicted(road))) == 2
    assert sorted(mark.tries for mark in road.marks(id).values()) == [1, 2, 2]


@MATRIX.case
def a_cordon_whose_answer_was_lost_is_not_done_twice(road: Road) -> None:
    road.add_nodes(2)
    road.gate.rule("lose", "PATCH", "*/nodes/*", times=1)
    request = road.go(f"cordon {road.space}-1")
    assert request.state is Standing.SUCCEEDED and road.is_closed("1")
    assert len(road.gate.writes("*/nodes/*")) == 1


@MATRIX.case
def reads_that_fail_on_the_way_are_waited_for_and_no_verdict(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 1, on="1")
    road.world.fare("never gone", road.space, name="web-*")
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, "is ending")
    away = road.gate.rule("broken", "GET")
    road.world.fare("well", road.space)
    road.until_waiting(id, "cannot be seen")
    assert road.request(id).state is Standing.APPLYING
    road.gate.lift(away)
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED, request.verdict


@MATRIX.case
def an_api_server_that_is_away_for_a_while_costs_time_and_nothing_else(road: Road) -> None:
    id = stuck(road)
    done = road.begin(id)
    road.until_blocked(id)
    away = road.gate.rule("cut")
    heal(road)
    road.until_waiting(id, "cannot be seen")
    road.gate.lift(away)
    request = road.ended(done)
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert len(evicted(road)) == len(set(evicted(road))) == 3


@MATRIX.case
def what_cannot_be_seen_at_the_deadline_is_no_success(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 1, on="1")
    road.world.fare("never gone", road.space, name="web-*")
    id = road.ask(f"drain {road.space}-1")
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, "is ending")
    road.gate.rule("broken", "GET")
    road.later(hours=1)
    request = road.ended(done)
    assert request.state is Standing.PARTIAL and request.verdict
    assert request.verdict.summary == "the result is unknown"
    assert request.verdict.findings[0].light is Light.UNKNOWN
