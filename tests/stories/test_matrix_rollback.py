"""Rollbacks, restarts, scaling and single pods from the typed line to the proof, case by case, on the stand-in and on
a real control plane. Desk, store, engine, reads and effects are the real ones.
"""

from concurrent.futures import Future
from typing import Any

import pytest
from gate import Rule
from matrix import Case, Matrix, Runs, sentence
from road import BOB, CAROL, STRATEGIC, Road

from commands.finding import Light
from commands.model import Request
from commands.model import State as Standing
from commands.plan import Go, Plan
from commands.plan import Standing as Mark
from commands.workloads import RESTARTED_AT
from sandbox.house import wait_until
from sandbox.kube import build

MATRIX = Matrix("roll")
OLD, NEW, NEWEST = (f"registry.example.com/shop/app:{tag}" for tag in ("1.0", "2.0", "3.0"))
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


@pytest.mark.parametrize("case", MATRIX.everywhere, ids=sentence)
def test_it_holds_on_the_stand_in(case: Case, on_stand_in: Runs) -> None:
    on_stand_in.result(case)


@pytest.mark.cluster
@pytest.mark.parametrize("case", MATRIX.real, ids=sentence)
def test_it_holds_on_a_real_control_plane(case: Case, on_control_plane: Runs) -> None:
    on_control_plane.result(case)


# --- what the cases share -------------------------------------------------------------------------------


def keys(plan: Plan, light: Light) -> set[str]:
    return {finding.key for finding in plan.findings if finding.light is light}


def web(road: Road, kind: str = "Deployment", count: int = 2, **given: Any) -> None:
    """`web` of one image, with another before it."""
    road.add_nodes(2)
    road.workload(kind, "web", count, image=OLD, **given)
    road.roll(kind, "web", NEW)
    road.until_rolled(kind, "web", NEW, count)


def sent(road: Road, kind: str = "Deployment", name: str = "web") -> int:
    """How many writes to it the server took."""
    return len(road.gate.taken(f"*/{PLURALS[kind]}/{name}*"))


def blocked(road: Road, text: str) -> tuple[Request, set[str]]:
    request = road.request(road.ask(text))
    assert request.state is Standing.BLOCKED, request.state
    assert not road.gate.writes() and road.said(request.id) == ["submitted", "blocked"]
    return request, keys(road.plan(request.id), Light.RED)


def holds(road: Road, request: Request) -> None:
    """It succeeded, once, and the audit says so."""
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert {mark.standing for mark in road.marks(request.id).values()} == {Mark.PROVED}
    said = road.said(request.id)
    assert said[:4] == ["submitted", "planned", "approved", "applying"] and said[-1] == "succeeded"
    assert [said.count(word) for word in ("trying", "applied", "proved", "succeeded")] == [1, 1, 1, 1], said


# --- rollback -------------------------------------------------------------------------------------------


@MATRIX.case
def a_rollback_puts_the_template_before_back_and_says_so_in_the_cluster(road: Road) -> None:
    web(road)
    road.change("Deployment", "web", {"metadata": {"annotations": {"team": "shop"}}})
    request = road.go("rollback web")
    holds(road, request)
    assert road.image("Deployment", "web") == OLD and sent(road) == 1
    notes = road.there("Deployment", "web")["metadata"]["annotations"]
    assert request.id in notes["kubernetes.io/change-cause"] and notes["team"] == "shop"
    diff = road.plan(request.id).diff
    assert [line[0] for line in diff if NEW in line] == ["-"] and [
        line[0] for line in diff if OLD in line
    ] == ["+"]


@MATRIX.case
def a_rollback_to_a_broken_image_fails_and_its_undo_brings_the_good_one_back(road: Road) -> None:
    web(road, progressDeadlineSeconds=3)
    good = road.living(app="web")
    road.world.fare("no image", road.space, image=OLD)
    request = road.go("rollback web")
    assert request.state is Standing.FAILED and request.verdict, request.verdict
    said = " ".join((request.verdict.summary, *request.verdict.left))
    assert "progress deadline" in said and "ImagePullBackOff" in said
    [undo] = [each.text for each in request.verdict.suggestions if each.label == "Undo"]
    assert undo == road.plan(request.id).undo and road.said(request.id)[-1] == "failed"
    back = road.go(undo)
    holds(road, back)
    assert road.image("Deployment", "web") == NEW and sent(road) == 2
    kept = {pod["metadata"]["uid"] for pod in road.pods(app="web")} & {pod["metadata"]["uid"] for pod in good}
    assert kept, "the pods that were good served on"


@MATRIX.case
def a_paused_deployment_is_not_rolled_back(road: Road) -> None:
    web(road)
    road.change("Deployment", "web", {"spec": {"paused": True}})
    request, red = blocked(road, "rollback web")
    assert "deploy.paused" in red
    assert any("rollout resume" in finding.mend for finding in road.plan(request.id).findings)


@MATRIX.case
def a_deployment_that_was_paused_after_the_approval_is_not_touched(road: Road) -> None:
    web(road)
    id = road.ask("rollback web")
    road.approve(id)
    road.change("Deployment", "web", {"spec": {"paused": True}})
    request = road.ended(road.begin(id))
    assert request.state is Standing.BLOCKED and not road.gate.writes()
    assert road.image("Deployment", "web") == NEW


@MATRIX.case
def what_runs_already_is_nothing_to_do_and_without_history_there_is_no_way(road: Road) -> None:
    road.add_nodes(2)
    road.workload("Deployment", "web", 1, image=OLD)
    _, red = blocked(road, "rollback web")
    assert red == {"rollback.none"}
    same = road.request(road.ask("rollback web --to-revision 1"))
    assert same.state is Standing.ANSWERED and road.plan(same.id).go is Go.NOTHING
    _, red = blocked(road, "rollback web --to-revision 7")
    assert red == {"rollback.gap"} and not road.gate.writes()


@MATRIX.case
def the_revisions_of_a_stateful_set_are_rolled_back_and_forth(road: Road) -> None:
    web(road, "StatefulSet")
    request = road.go("rollback web")
    holds(road, request)
    road.until_rolled("StatefulSet", "web", OLD, 2)
    holds(road, road.go(road.plan(request.id).undo))
    assert {pod["spec"]["containers"][0]["image"] for pod in road.living(app="web")} == {NEW}
    assert sent(road, "StatefulSet") == 2


@MATRIX.case
def the_revisions_of_a_daemon_set_are_rolled_back_and_forth(road: Road) -> None:
    web(road, "DaemonSet")
    request = road.go("rollback web")
    holds(road, request)
    assert {pod["spec"]["containers"][0]["image"] for pod in road.living(app="web")} == {OLD}
    holds(road, road.go(road.plan(request.id).undo))
    assert sent(road, "DaemonSet") == 2


@MATRIX.case
def what_the_target_revision_needs_and_is_gone_blocks_it(road: Road) -> None:
    road.add_nodes(2)
    road.make({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "limits"}, "data": {"a": "1"}})
    needs = build.container(image=OLD, envFrom=[{"configMapRef": {"name": "limits"}}])
    road.workload("Deployment", "web", 1, containers=[needs])
    without = {"name": "app", "image": NEW, "envFrom": None}
    patch = {"spec": {"template": {"spec": {"containers": [without]}}}}
    road.change("Deployment", "web", patch, STRATEGIC)
    road.until_rolled("Deployment", "web", NEW, 1)
    road.remove("ConfigMap", "limits")
    request, red = blocked(road, "rollback web")
    assert red == {"deploy.missing"}
    assert any("limits" in f"{f.value} {f.evidence}" for f in road.plan(request.id).findings)


# --- others deploy, too ---------------------------------------------------------------------------------


@MATRIX.case
def a_deployment_between_plan_and_apply_is_asked_about_again(road: Road) -> None:
    web(road)
    id = road.ask("rollback web")
    road.approve(id)
    road.roll("Deployment", "web", NEWEST)
    road.until_rolled("Deployment", "web", NEWEST, 2)
    request = road.ended(road.begin(id))
    assert request.state is Standing.AWAITING and request.asking and request.asking.turn == 2
    assert request.asking.changed and not request.asking.approvals and not road.gate.writes()
    assert road.said(id) == ["submitted", "planned", "approved", "planned"]
    road.approve(id, CAROL)
    done = road.ended(road.begin(id))
    assert done.state is Standing.SUCCEEDED, done.verdict
    assert road.image("Deployment", "web") == NEW, "the one before the newest"


@MATRIX.case
def a_deployment_in_the_middle_is_told_and_not_called_ours(road: Road) -> None:
    web(road)
    road.world.fare("never ready", road.space, image=OLD)
    id = road.ask("rollback web")
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, "updated")
    road.roll("Deployment", "web", NEWEST)
    request = road.ended(done)
    assert request.state is Standing.FAILED and request.verdict
    assert "changed by others" in request.verdict.summary and road.said(id)[-1] == "failed"
    assert road.image("Deployment", "web") == NEWEST and sent(road) == 1


@MATRIX.case
def a_rollback_that_somebody_took_back_is_told(road: Road) -> None:
    web(road)
    road.world.fare("never ready", road.space, image=OLD)
    id = road.ask("rollback web")
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, "updated")
    road.roll("Deployment", "web", NEW)
    request = road.ended(done)
    assert request.state is Standing.FAILED and request.verdict
    assert "put back" in request.verdict.summary or "changed by others" in request.verdict.summary
    assert sent(road) == 1, "it is not fought over"


@MATRIX.case
def somebody_who_deploys_before_an_unanswered_rollback_arrives_is_not_overwritten(road: Road) -> None:
    web(road)
    _, done, away = unanswered(road, "rollback web")
    road.roll("Deployment", "web", NEWEST)
    request = road.ended(done)
    road.gate.lift(away)
    assert request.state is Standing.FAILED and request.verdict
    assert "changed by others" in request.verdict.summary
    assert road.image("Deployment", "web") == NEWEST and sent(road) == 0


# --- answers that do not come ---------------------------------------------------------------------------


def unanswered(road: Road, text: str) -> tuple[str, "Future[Request]", Rule]:
    """A change whose effect never arrives, and is known to be on its way."""
    id = road.ask(text)
    road.approve(id)
    away = road.gate.rule("cut", "P[AU]T*", "*/deployments/web*")
    done = road.begin(id)
    road.until_waiting(id, "on its way")
    wait_until(lambda: next(iter(road.marks(id).values())).tries > 1, "it was tried again")
    [mark] = road.marks(id).values()
    assert mark.standing is Mark.TRYING and road.request(id).state is Standing.APPLYING
    return id, done, away


def arrives_late(road: Road, text: str) -> Request:
    """Nothing is concluded while nobody knows whether it arrived; then it does, once."""
    web(road)
    _, done, away = unanswered(road, text)
    road.gate.lift(away)
    request = road.ended(done)
    holds(road, request)
    assert sent(road) == 1
    return request


@MATRIX.case
def a_rollback_without_an_answer_is_open_until_it_arrives(road: Road) -> None:
    arrives_late(road, "rollback web")
    assert road.image("Deployment", "web") == OLD


@MATRIX.case
def a_restart_without_an_answer_is_open_until_it_arrives(road: Road) -> None:
    arrives_late(road, "restart web")


@MATRIX.case
def a_scaling_without_an_answer_is_open_until_it_arrives(road: Road) -> None:
    arrives_late(road, "scale web 3")
    road.until_ready(3, app="web")


def answer_lost(road: Road, text: str) -> Request:
    """The server does it and the bot does not hear of that: sent again, it says that it was so already."""
    web(road)
    id = road.ask(text)
    road.approve(id)
    lost = road.gate.rule("lose", "P[AU]T*", "*/deployments/web*", times=1)
    request = road.ended(road.begin(id))
    assert request.state is Standing.SUCCEEDED, request.verdict
    assert lost.hits == 1 and len(road.gate.writes()) == sent(road) == 1
    assert road.said(id)[-1] == "succeeded" and "failed" not in road.said(id)
    return request


@MATRIX.case
def a_rollback_whose_answer_was_lost_is_done_once(road: Road) -> None:
    answer_lost(road, "rollback web")
    assert road.image("Deployment", "web") == OLD


@MATRIX.case
def a_restart_whose_answer_was_lost_is_done_once(road: Road) -> None:
    answer_lost(road, "restart web")


@MATRIX.case
def a_scaling_whose_answer_was_lost_is_done_once(road: Road) -> None:
    answer_lost(road, "scale web 4")
    road.until_ready(4, app="web")


@MATRIX.case
def a_rollout_that_cannot_be_seen_for_a_while_is_no_failure(road: Road) -> None:
    web(road)
    road.world.fare("never ready", road.space, image=OLD)
    id = road.ask("rollback web")
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, "updated")
    away = road.gate.rule("broken", "GET")
    road.until_waiting(id, "not known")
    road.world.fare("well", road.space)
    road.gate.lift(away)
    holds(road, road.ended(done))


@MATRIX.case
def what_cannot_be_seen_at_the_deadline_is_neither_done_nor_failed(road: Road) -> None:
    web(road)
    road.world.fare("never ready", road.space, image=OLD)
    id = road.ask("rollback web")
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, "updated")
    road.gate.rule("broken", "GET")
    road.later(hours=2)
    request = road.ended(done)
    assert request.state is Standing.PARTIAL and request.verdict
    assert "not known" in request.verdict.summary and road.said(id)[-1] == "partial"


# --- restart and scale ----------------------------------------------------------------------------------


@MATRIX.case
def a_restart_replaces_every_pod_and_keeps_the_rest(road: Road) -> None:
    web(road)
    road.workload("Deployment", "other", 1, image=OLD)
    before, other = road.living(app="web"), road.living(app="other")
    request = road.go("restart web")
    holds(road, request)
    uids = {pod["metadata"]["uid"] for pod in before}
    wait_until(
        lambda: not uids & {pod["metadata"]["uid"] for pod in road.living(app="web")}, "all are others"
    )
    template = road.there("Deployment", "web")["spec"]["template"]["metadata"]
    assert template["annotations"].get(RESTARTED_AT) and road.image("Deployment", "web") == NEW
    assert [pod["metadata"]["uid"] for pod in road.pods(app="other")] == [
        pod["metadata"]["uid"] for pod in other
    ]


@MATRIX.case
def it_is_scaled_up_and_down_and_back_by_its_undo(road: Road) -> None:
    web(road)
    up = road.go("scale web 4")
    holds(road, up)
    road.until_ready(4, app="web")
    assert road.plan(up.id).undo
    holds(road, road.go(road.plan(up.id).undo))
    road.until_ready(2, app="web")
    same = road.request(road.ask("scale web 2"))
    assert same.state is Standing.ANSWERED and sent(road) == 2


@MATRIX.case
def what_an_autoscaler_owns_is_not_scaled(road: Road) -> None:
    web(road)
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    kind = {"kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2"}
    road.make({**kind, "metadata": {"name": "web"}, "spec": spec})
    request, red = blocked(road, "scale web 4")
    assert red == {"scale.hpa"}
    assert any("kubectl patch hpa web" in finding.mend for finding in road.plan(request.id).findings)


@MATRIX.case
def who_scales_between_plan_and_apply_is_not_overruled(road: Road) -> None:
    web(road)
    id = road.ask("scale web 4")
    road.approve(id)
    road.change("Deployment", "web", {"spec": {"replicas": 3}})
    request = road.ended(road.begin(id))
    assert request.state in (Standing.AWAITING, Standing.BLOCKED), request.state
    assert not road.gate.writes() and road.there("Deployment", "web")["spec"]["replicas"] == 3


@MATRIX.real_only("the stand-in enforces no quotas")
def a_quota_without_room_is_a_risk_and_then_what_is_left_is_named(road: Road) -> None:
    web(road)
    kind = {"kind": "ResourceQuota", "apiVersion": "v1"}
    road.make({**kind, "metadata": {"name": "few"}, "spec": {"hard": {"pods": "3"}}})
    wait_until(
        lambda: road.there("ResourceQuota", "few").get("status", {}).get("used"), "the quota is counted"
    )
    id = road.ask("scale web 5")
    assert "deploy.quota" in keys(road.plan(id), Light.YELLOW)
    road.approve(id)
    done = road.begin(id)
    road.until_waiting(id, "3 of 5 ready")
    road.later(hours=2)
    request = road.ended(done)
    assert request.state is Standing.PARTIAL and request.verdict, request.verdict
    assert "3 of 5 ready" in request.verdict.summary


# --- single pods ----------------------------------------------------------------------------------------


@MATRIX.case
def a_deleted_pod_is_gone_by_uid_and_replaced(road: Road) -> None:
    web(road)
    uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in road.living(app="web")}
    pod, kept = sorted(uids)
    request = road.go(f"pod delete {pod}")
    holds(road, request)
    road.until_ready(2, app="web")
    assert pod not in {each["metadata"]["name"] for each in road.pods()}
    assert road.there("Pod", kept)["metadata"]["uid"] == uids[kept]
    assert len(road.gate.writes("*/pods/*", "DELETE")) == 1


@MATRIX.case
def a_deletion_whose_answer_was_lost_takes_no_second_pod(road: Road) -> None:
    web(road, "StatefulSet")
    uid = road.there("Pod", "web-0")["metadata"]["uid"]
    road.gate.rule("lose", "DELETE", "*/pods/*", times=1)
    request = road.go("pod delete web-0")
    assert request.state is Standing.SUCCEEDED, request.verdict
    road.until_ready(2, app="web")
    fresh = road.there("Pod", "web-0")["metadata"]["uid"]
    assert fresh != uid and len(road.gate.writes("*/pods/*", "DELETE")) == 1


@MATRIX.case
def a_pod_is_cut_off_and_let_back(road: Road) -> None:
    web(road)
    road.make(build.service("web"))
    name = sorted(pod["metadata"]["name"] for pod in road.living(app="web"))[0]
    request = approved_by_all(road, f"pod isolate {name}")
    assert request.state is Standing.SUCCEEDED, request.verdict
    held = road.there("Pod", name)["metadata"]
    assert not held["labels"].keys() & {"app", "pod-template-hash"} and not held.get("ownerReferences")
    road.until_ready(2, app="web")
    back = approved_by_all(road, f"pod release {name}")
    assert back.state is Standing.SUCCEEDED, back.verdict
    road.until_ready(2, app="web")
    _, found = road.world.call("GET", road.path("NetworkPolicy"))
    assert found["items"] == []


def approved_by_all(road: Road, text: str) -> Request:
    id = road.ask(text)
    for who in (BOB, CAROL):
        if road.request(id).state is Standing.AWAITING:
            road.approve(id, who)
    return road.ended(road.begin(id))
