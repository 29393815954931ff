"""The plan of a drain: what is to become of each pod, and what is said about it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from commands import reads
from commands.effects import Cordon, Evict
from commands.errors import UsageError
from commands.finding import Light
from commands.model import Args, Gap
from commands.node import COMMANDS
from commands.plan import Go
from commands.scheduling import (
    CORDONED,
    QUARANTINE,
    Backends,
    BackendView,
    Owner,
    PodsOnNode,
    PodVolume,
    Taint,
    WebhookView,
)
from commands.site import ClusterSite, Drain, Monitoring, Prometheus
from tests.pure.drain_world import (
    AGENT,
    DAEMON,
    GI,
    NOW,
    SITE,
    World,
    budget,
    claimed,
    evicted,
    found,
    keys,
    lanes,
    node,
    owner,
    placed,
    pod,
    said,
    scratch,
    selector,
    view,
    volume,
)

GONE = Gap("forbidden, needs list", "- rule")


def test_a_pod_with_replicas_elsewhere_is_closed_off_and_moved_without_a_risk():
    plan = World().plan()
    assert plan.go is Go.GO
    assert [wave.title for wave in plan.waves] == ["Close to new pods", "Empty node-7"]
    assert [type(step.effect) for step in plan.steps] == [Cordon, Evict]
    assert plan.steps[0].key == "cordon uid-node-7"
    assert plan.steps[1].key == "evict uid-backend-1"
    assert plan.undo == "node uncordon node-7"
    assert "Deployment shop/backend" in plan.scope
    assert "node node-7 uid-node-7" in plan.scope
    assert plan.before == (("Node node-7", "open"), ("Deployment shop/backend", "3 ready"))
    assert found(plan, "drain.fits").light is Light.GREEN


def test_the_header_tells_what_the_node_is():
    facts = "\n".join(World().plan().facts)
    for word in ("i-0abc", "eu-central-1a", "Ready for 9 d", "v1.33.1", "1 pod: 1 to move"):
        assert word in facts


def test_a_step_says_what_the_pod_is_of_what_it_asks_for_and_how_long_it_has():
    assert said(World().plan(), "backend-1") == (
        "Evict shop/backend-1 (Deployment backend): grace 30 s; asks for 500m, 1,024 MiB"
    )
    assert "Pending, not ready" in said(World(pod(phase="Pending", ready=False)).plan(), "backend-1")


def test_where_each_pod_would_go_is_told():
    assert found(World().plan(), "drain.fits").evidence == ("shop/backend-1 → node-8",)


def test_the_note_of_the_cordon_says_who_asked_and_why():
    effect = World().plan().steps[0].effect
    assert isinstance(effect, Cordon)
    assert effect.note == "by U0ALICE0001 (RTEST0001): kernel update"


def test_the_labels_of_the_nodes_are_told_though_only_their_pods_are_touched():
    plan = World(nodes=(node(unschedulable=True, labels={"pool": "blue"}), node("node-8"))).plan()
    (told,) = plan.nodes
    assert told[0] == "node-7" and ("pool", "blue") in told[1]


def test_a_closed_node_is_not_closed_again_and_not_opened_by_undo():
    closed = node(unschedulable=True, annotations={CORDONED: "by U0BOB (R1): disk"})
    plan = World(nodes=(closed, node("node-8"))).plan()
    assert evicted(plan) == ["backend-1"]
    assert not any(isinstance(step.effect, Cordon) for step in plan.steps)
    assert plan.undo == ""
    assert any("by U0BOB (R1): disk" in fact for fact in plan.facts)


def test_nothing_to_do_is_an_answer():
    plan = World(DAEMON, nodes=(node(unschedulable=True), node("node-8"))).plan()
    assert plan.go is Go.NOTHING
    assert found(plan, "drain.done").light is Light.GREEN


# --- What becomes of each pod ---


def test_a_daemonset_and_a_static_pod_stay():
    plan = World(DAEMON, pod("proxy", mirror=True)).plan()
    assert evicted(plan) == []
    assert [line.partition(":")[0] for line in plan.stays] == ["shop/agent-x", "shop/proxy"]


def test_a_finished_pod_of_a_daemonset_is_evicted():
    assert evicted(World(replace(DAEMON, phase="Succeeded")).plan()) == ["agent-x"]


def test_a_daemonset_of_another_api_group_is_none():
    old = replace(DAEMON, owner=owner("agent", "DaemonSet", api_version="extensions/v1beta1"))
    assert evicted(World(old).plan()) == ["agent-x"]


@pytest.mark.parametrize(("flags", "go"), [({}, Go.BLOCKED), ({"orphans": ""}, Go.RISK)])
def test_a_pod_whose_daemonset_is_gone_needs_orphans(flags, go):
    plan = World(DAEMON, owners=(view(),)).plan(**flags)
    assert plan.go is go
    assert evicted(plan) == ["agent-x"]


def test_a_daemonset_of_another_uid_is_gone_too():
    assert "drain.orphan" in keys(
        World(DAEMON, owners=(view("agent", "DaemonSet", target=replace(AGENT.target, uid="other")),)).plan()
    )


def test_an_unread_daemonset_is_taken_to_be_there_and_said_to_be_unknown():
    plan = World(DAEMON, owners=GONE).plan()
    assert evicted(plan) == []
    assert found(plan, "drain.owners").light is Light.UNKNOWN


def test_an_orphan_with_an_emptydir_shows_both_reasons():
    plan = World(pod("lone", owner=None, volumes=(scratch(),))).plan()
    assert plan.go is Go.BLOCKED
    assert {"drain.orphan", "drain.emptydir-data"} <= keys(plan)
    assert "no controller makes it anew" in said(plan, "lone")
    assert "emptyDir cache" in said(plan, "lone")


def test_an_orphan_takes_two_approvers():
    assert World(pod("lone", owner=None)).plan(orphans="").approvers == 2
    assert World().plan().approvers == 1


def test_an_emptydir_in_memory_counts_as_one():
    plan = World(pod(volumes=(scratch(detail="Memory", limit="1Gi"),))).plan()
    assert found(plan, "drain.emptydir-data").evidence == (
        "shop/backend-1: emptyDir cache (in memory, at most 1Gi)",
    )


def test_a_forced_emptydir_is_a_risk_and_part_of_the_scope():
    plan = World(pod(volumes=(scratch(),))).plan(emptydir="")
    assert plan.go is Go.RISK
    assert "option --emptydir" in plan.scope


def test_a_finished_pod_holds_no_data_and_needs_no_owner():
    plan = World(pod("job-1", owner=None, phase="Succeeded", volumes=(scratch(),), ready=False)).plan()
    assert plan.go is Go.GO
    assert evicted(plan) == ["job-1"]


def test_a_terminating_pod_is_waited_for_and_not_evicted_again():
    plan = World(pod(deleted=NOW + timedelta(seconds=10))).plan()
    assert evicted(plan) == []
    assert plan.stays == ("shop/backend-1: on its way already",)
    assert "drain.stuck" not in keys(plan)


def test_a_pod_long_past_its_time_is_named_as_stuck():
    plan = World(pod(deleted=NOW - timedelta(hours=2))).plan()
    assert "2 h ago" in found(plan, "drain.stuck").evidence[0]


# --- Budgets ---


def _backends(count: int, **changes):
    return tuple(pod(f"backend-{number}", **changes) for number in range(1, count + 1))


def test_one_allowed_disruption_and_three_pods_are_three_turns_in_one_lane():
    plan = World(*_backends(3), budgets=(budget(),), elsewhere=()).plan()
    assert "3 turns" in found(plan, "drain.budget-turns").value
    assert lanes(plan) == ["shop/backend"] * 3
    told = [step.text.partition("budget ")[2] for step in plan.steps[1:]]
    assert told == ["backend", "backend, turn 2", "backend, turn 3"]


def test_turns_are_counted_into_the_estimate():
    one = World(*_backends(3), budgets=(budget(allowed=3),)).plan()
    three = World(*_backends(3), budgets=(budget(allowed=1),)).plan()
    assert three.estimate == 3 * one.estimate


def test_two_budgets_over_one_pod_block():
    plan = World(budgets=(budget(), budget("all", selector=selector()))).plan()
    assert plan.go is Go.BLOCKED
    assert "shop/backend and shop/all" in found(plan, "drain.two-budgets").value


def test_an_empty_selector_matches_every_pod_and_none_at_all_matches_nothing():
    assert lanes(World(budgets=(budget(selector=selector()),)).plan()) == ["shop/backend"]
    assert lanes(World(budgets=(budget(selector=None),)).plan()) == [""]


def test_a_budget_of_another_namespace_says_nothing():
    other = budget()
    assert lanes(World(budgets=(replace(other, target=replace(other.target, namespace="x")),)).plan()) == [""]


def test_a_budget_that_wants_every_pod_blocks_and_offers_to_scale():
    plan = World(budgets=(budget(allowed=0, desired=3),)).plan()
    never = found(plan, "drain.budget-never")
    assert plan.go is Go.BLOCKED
    assert "wants 3 of 3 pods" in never.value
    assert never.suggestions[0].text == "deploy scale shop/backend --replicas 4"


def test_a_budget_over_pods_without_a_controller_blocks_for_ever():
    plan = World(pod(owner=None), budgets=(budget(allowed=0, healthy=0, desired=0, expected=0),)).plan(
        orphans=""
    )
    assert "blocks for ever" in found(plan, "drain.budget-never").value


def test_a_budget_that_only_waits_for_pods_is_a_risk_with_the_numbers():
    sick = placed(pod("backend-2"), "node-8", ready=False)
    plan = World(budgets=(budget(allowed=0, healthy=2),), elsewhere=(sick,)).plan()
    waits = found(plan, "drain.budget-waits")
    assert plan.go is Go.RISK
    assert "1 not ready" in waits.value
    assert waits.evidence[0] == "shop/backend: 2 healthy, 2 wanted, 3 expected, 0 may go"


def test_a_budget_that_waits_for_pods_of_the_sick_node_itself_never_ends():
    here = pod(ready=False)
    plan = World(
        here, nodes=(node(ready="Unknown"), node("node-8")), budgets=(budget(allowed=0, healthy=1),)
    ).plan()
    assert "AlwaysAllow" in found(plan, "drain.budget-deadlock").mend


@pytest.mark.parametrize(
    ("numbers", "charged"),
    [
        ({"healthy": 2, "desired": 2, "allowed": 0}, False),
        ({"healthy": 1, "desired": 2, "allowed": 0}, True),
        ({"healthy": 0, "desired": 0, "allowed": 0, "expected": 3}, True),
        ({"healthy": 1, "desired": 2, "allowed": 0, "always_allows_unready": True}, False),
    ],
)
def test_an_unready_pod_goes_free_only_once_enough_are_healthy(numbers, charged):
    plan = World(pod(ready=False), budgets=(budget(**numbers),)).plan()
    assert lanes(plan) == (["shop/backend"] if charged else [""])


def test_a_pending_pod_asks_no_budget():
    short = budget(allowed=0, healthy=1)
    assert lanes(World(pod(phase="Running", ready=False), budgets=(short,)).plan()) == ["shop/backend"]
    assert lanes(World(pod(phase="Pending", ready=False), budgets=(short,)).plan()) == [""]


def test_a_budget_that_waits_for_pods_elsewhere_too_may_end():
    sick = (node(ready="Unknown"), node("node-8"))
    there = (placed(pod("backend-2"), "node-8", ready=False),)
    short = budget(allowed=0, healthy=1)
    plan = World(pod(ready=False), nodes=sick, budgets=(short,), elsewhere=there).plan()
    assert "drain.budget-waits" in keys(plan)


def test_a_budget_whose_status_is_behind_or_broken_is_named():
    assert "drain.budget-behind" in keys(World(budgets=(budget(generation=2),)).plan())
    assert found(World(budgets=(budget(allowed=-1),)).plan(), "drain.budget-broken").light is Light.RED


def test_a_budget_that_selects_nothing_is_a_note():
    plan = World(budgets=(budget("typo", selector=selector(app="bakend"), expected=0),)).plan()
    assert "Budget shop/typo selects no pod" in plan.facts


# --- Availability ---


def test_a_single_replica_is_an_outage_with_an_estimate():
    plan = World(pod(startup=timedelta(seconds=20)), owners=(view(replicas=1, ready=1),), elsewhere=()).plan()
    assert found(plan, "drain.single").evidence == ("Deployment shop/backend: away for about 50 s",)


def test_all_ready_replicas_on_the_node_are_named():
    plan = World(*_backends(2), elsewhere=(placed(pod("backend-3"), "node-8", ready=False),)).plan()
    assert "all 2 ready replicas" in found(plan, "drain.all-here").evidence[0]


def test_replicas_of_an_older_replicaset_count_for_the_deployment():
    old = replace(pod("backend-old"), owner=owner("backend-4e"))
    plan = World(
        owners=(view(replicas=2), view("backend-4e", replicas=1)), elsewhere=(placed(old, "node-8"),)
    ).plan()
    assert not {"drain.all-here", "drain.single"} & keys(plan)


def test_a_service_whose_every_ready_endpoint_goes_is_named():
    here, there = (
        BackendView("shop", "web", "backend-1", "node-7"),
        BackendView("shop", "web", "backend-2", "node-8"),
    )
    assert found(World(backends=(here,)).plan(), "drain.service").evidence == ("shop/web",)
    assert "drain.service" not in keys(World(backends=(here, there)).plan())


def test_dns_that_runs_here_alone_is_named():
    dns = pod("coredns-1", namespace="kube-system")
    plan = World(dns, backends=(BackendView("kube-system", "kube-dns", "coredns-1", "node-7"),)).plan()
    assert "drain.dns" in keys(plan)


@pytest.mark.parametrize(
    ("stops_pods", "key", "go"), [(True, "drain.webhook-pods", Go.BLOCKED), (False, "drain.webhook", Go.RISK)]
)
def test_a_webhook_that_fails_closed_and_runs_here_alone(stops_pods, key, go):
    plan = World(
        backends=(BackendView("shop", "hook", "backend-1", "node-7"),),
        webhooks=(WebhookView("check.shop", "shop", "hook", stops_pods),),
    ).plan()
    assert key in keys(plan)
    assert plan.go is go


@pytest.mark.parametrize(("forgives", "named"), [(False, True), (True, False)])
def test_a_job_pays_for_an_eviction_unless_it_forgives(forgives, named):
    job = pod("load-1", owner=owner("load", "Job"))
    plan = World(job, owners=(view("load", "Job", replicas=1, forgives=forgives),)).plan()
    assert ("drain.job" in keys(plan)) is named
    assert "drain.single" not in keys(plan)


def test_a_job_of_a_schedule_pays_too():
    job = view("nightly-1", "Job", replicas=1)
    job = replace(job, above=Owner("CronJob", "nightly", "uid-nightly"))
    assert "drain.job" in keys(
        World(pod("nightly-1-a", owner=owner("nightly-1", "Job")), owners=(job,)).plan()
    )


def test_the_bots_own_pods_are_named_and_its_last_one_in_other_words():
    mine = pod("worker-1", namespace="sre-bot", owner=owner("worker-5f"))
    alone = found(World(mine).plan(), "drain.bot")
    assert alone.light is Light.YELLOW
    assert "when it has started elsewhere" in alone.value
    two = World(mine, elsewhere=(placed(mine, "node-8"),)).plan()
    assert "another worker goes on" in found(two, "drain.bot").value


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"taints": (Taint("ToBeDeletedByClusterAutoscaler", "1", "NoSchedule"),)}, "autoscaler"),
        ({"taints": (Taint("karpenter.sh/disrupted", "", "NoSchedule"),)}, "Karpenter"),
        ({"taints": (Taint("aws-node-termination-handler/spot-itn", "x", "NoSchedule"),)}, "AWS"),
        ({"annotations": {"weave.works/kured-reboot-in-progress": "2026"}}, "kured"),
    ],
)
def test_others_at_the_node_are_named(changes, word):
    assert word in found(World(nodes=(node(**changes), node("node-8"))).plan(), "node.actor").value


def test_an_unready_node_is_a_risk_because_its_pods_cannot_end():
    plan = World(nodes=(node(ready="Unknown", ready_reason="NodeStatusUnknown: gone"), node("node-8"))).plan()
    assert found(plan, "node.unready").evidence == ("NodeStatusUnknown: gone",)


# --- Data ---


def test_host_paths_and_volumes_are_named_with_their_place():
    here = pod(volumes=(PodVolume("logs", "hostPath", "/var/log"), claimed()))
    plan = World(here, volumes=(volume(),)).plan()
    assert found(plan, "drain.hostpath").evidence == ("shop/backend-1: /var/log",)
    assert found(plan, "drain.volume").evidence == ("shop/backend-1: data (only in eu-central-1a)",)


def test_a_shared_volume_moves_freely_and_a_local_one_waits_for_its_node():
    here = pod(volumes=(claimed(),))
    assert "drain.volume" not in keys(World(here, volumes=(volume(shared=True, zone=""),)).plan())
    plan = World(here, volumes=(volume(local=True, zone="elsewhere"),)).plan()
    assert "drain.local-volume" in keys(plan)
    assert "drain.no-room" not in keys(plan)


@pytest.mark.parametrize(
    ("kept", "key", "go"),
    [
        (frozenset(), "drain.quarantine", Go.BLOCKED),
        (GONE, "drain.quarantine", Go.BLOCKED),
        (frozenset({"uid-backend-1"}), "drain.quarantine-kept", Go.RISK),
    ],
)
def test_a_quarantined_pod_goes_only_once_its_evidence_is_kept(kept, key, go):
    plan = World(pod(labels={"app": "backend", QUARANTINE: "I1"}), kept=kept).plan()
    assert plan.go is go
    if go is Go.BLOCKED:
        assert found(plan, key).suggestions[0].text == "pod evidence shop/backend-1"


# --- Room ---


def test_a_zone_bound_volume_has_no_candidate():
    here = pod(volumes=(claimed(),))
    plan = World(here, volumes=(volume(zone="eu-central-1c"),)).plan()
    assert found(plan, "drain.no-room").evidence == ("shop/backend-1: 0/2 nodes: 2 zone",)


def test_no_other_node_is_said():
    plan = World(nodes=(node(),)).plan()
    assert found(plan, "drain.no-room").evidence == ("shop/backend-1: no other node takes pods",)


def test_with_an_autoscaler_what_does_not_fit_is_a_risk():
    scaler = reads.DeploymentView("kube-system", "cluster-autoscaler", 1, 1, 1, 1, 1, 1)
    plan = World(pod(requests={"cpu": 9.0}), scaler=scaler).plan()
    assert found(plan, "drain.scale-up").light is Light.YELLOW


def test_unread_room_is_unknown():
    plan = World(placements=GONE).plan()
    assert found(plan, "drain.capacity-unread").light is Light.UNKNOWN
    assert plan.go is Go.RISK


# --- What has to be read, and how it is asked for ---


@pytest.mark.parametrize("lost", ["nodes", "budgets"])
def test_without_what_is_essential_there_is_no_plan(lost):
    plan = World(**{lost: GONE}).plan()
    assert plan.go is Go.BLOCKED
    assert found(plan, "drain.unread").mend == "- rule"


@pytest.mark.parametrize("lost", ["backends", "webhooks", "volumes"])
def test_what_is_not_essential_is_unknown(lost):
    plan = World(pod(volumes=(claimed(),)), **{lost: GONE}).plan()
    assert any(each.light is Light.UNKNOWN for each in plan.findings)
    assert plan.go is Go.RISK


def test_a_missing_node_is_named_with_the_nearest_one():
    assert "did you mean node-7?" in found(World().plan("node-77"), "node.missing").value


def test_few_reads_are_asked_for_whatever_the_number_of_pods():
    world = World(*(pod(f"p-{n}", namespace=f"team-{n}") for n in range(40)))
    world.plan()
    assert len(world.asked) <= 12
    assert Backends("") in world.asked


def test_no_clock_is_no_reason_to_fail():
    assert World(now=GONE).plan().steps


# --- Options ---


def test_a_grace_period_is_passed_on_and_part_of_the_scope():
    plan = World().plan(grace="60")
    effect = plan.steps[1].effect
    assert isinstance(effect, Evict)
    assert (effect.grace, effect.node) == (60, "node-7")
    assert "option --grace 60" in plan.scope


@pytest.mark.parametrize(
    ("name", "flags", "word"),
    [
        ("node-7", {"grace": "0"}, "kills at once"),
        ("node-7", {"grace": "99999"}, "at most"),
        ("node-7", {"timeout": "5d"}, "between"),
        ("", {}, "needs a node"),
        ("node-7", {"selector": "a=b"}, "not both"),
        ("", {"selector": "a ~ b"}, "no label selector"),
        (",".join(f"n{n}" for n in range(11)), {}, "at most 10"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_read(name, flags, word):
    command = next(each for each in COMMANDS if "drain" in each.verbs)
    with pytest.raises(UsageError, match=word):
        command.parts(Args("node", "drain", name, flags), SITE)


def test_the_time_is_twice_the_estimate_within_bounds_or_as_typed():
    assert World().plan().timeout == timedelta(minutes=5)
    assert World(pod(grace=7200)).plan().timeout == timedelta(hours=1)
    assert World().plan(timeout="10m").timeout == timedelta(minutes=10)


def test_two_drains_wait_for_each_other_unless_the_site_says_otherwise():
    assert World().plan().locks == ("drain", "node/node-7")
    assert World().plan(site=replace(SITE, drain=Drain(parallel=True))).locks == ("node/node-7",)


def test_several_nodes_are_closed_first_and_emptied_one_by_one_the_lightest_first():
    many = (pod("a-1"), pod("b-1", owner=owner("b")), pod("c-1", node="node-8"))
    plan = World(*many, nodes=(node(), node("node-8"), node("node-9"))).plan("node-7,node-8")
    assert [wave.title for wave in plan.waves] == ["Close to new pods", "Empty node-8", "Empty node-7"]
    assert plan.undo == "node uncordon node-8,node-7"
    assert {"node/node-7", "node/node-8"} <= set(plan.locks)


def test_a_selector_chooses_nodes_and_their_pods_are_read():
    world = World(nodes=(node(labels={"pool": "old"}), node("node-8")))
    plan = world.plan("", selector="pool in (old,older),!new,pool!=x")
    assert evicted(plan) == ["backend-1"]
    assert PodsOnNode("node-8") not in world.asked


def test_a_dry_run_asks_the_server_and_shows_its_words():
    world = World(rehearsal=reads.Rehearsal(False, "two budgets", ("deprecated",)))
    lines = world.plan(dry_run="").rehearsal
    assert "2 of 2 steps" in lines[0]
    assert "Pod shop/backend-1: would be refused: two budgets" in lines
    assert "Node node-7: warning: deprecated" in lines


def test_a_dry_run_of_many_is_bounded_and_says_so():
    world = World(*_backends(60))
    assert "25 of 61 steps" in world.plan(dry_run="").rehearsal[0]
    assert sum(isinstance(read, reads.DryRun) for read in world.asked) == 25


def test_the_plan_of_unchanged_pods_is_the_same_plan():
    assert World(*_backends(5)).plan().digest == World(*reversed(_backends(5))).plan().digest


def test_long_and_unusual_names_are_names():
    name = "x" * 253
    plan = World(pod(name, labels={"näme": "ü"}, requests={"cpu": 0.0, "memory": GI, "pods": 1.0})).plan()
    assert evicted(plan) == [name]


# --- What an approval covers, and what was not read ---


def test_every_orphan_is_in_the_scope_by_name_and_uid():
    lone, stray = pod("lone", owner=None), pod("agent-z", owner=owner("gone", "DaemonSet"))
    scope = World(lone, stray).plan(orphans="").scope
    assert {"Pod shop/lone uid-lone", "Pod shop/agent-z uid-agent-z"} <= set(scope)
    anew = World(pod("lone", owner=None, uid="uid-anew"), stray).plan(orphans="").scope
    assert "Pod shop/lone uid-anew" in set(anew) - set(scope)


def test_whose_local_data_goes_is_in_the_scope():
    shown, now = World().plan(emptydir=""), World(pod(volumes=(scratch(),))).plan(emptydir="")
    assert set(now.scope) - set(shown.scope) == {"emptyDir of Deployment shop/backend"}


def test_ordinary_churn_does_not_widen_the_scope():
    shown = World(pod(volumes=(scratch(),))).plan(emptydir="")
    later = World(
        pod("backend-4", volumes=(scratch(),)), pod("backend-5", volumes=(scratch(), scratch("more")))
    ).plan(emptydir="")
    assert set(later.scope) == set(shown.scope)


def test_a_pod_whose_controller_is_gone_comes_back_by_nobody():
    plan = World(owners=(view(replicas=3, target=replace(view().target, uid="uid-anew")),)).plan()
    assert found(plan, "drain.ownerless").light is Light.YELLOW


def test_a_budget_whose_status_is_of_before_is_not_judged_by_it():
    plan = World(
        budgets=(budget(allowed=0, healthy=0, desired=0, expected=0, generation=1, observed=0),)
    ).plan()
    assert found(plan, "drain.budget-behind").light is Light.YELLOW
    assert "drain.budget-never" not in keys(plan)


def test_more_time_than_there_is_is_said():
    plan = World(*_backends(3), budgets=(budget(),)).plan(grace="3600")
    assert found(plan, "drain.time").light is Light.YELLOW
    assert plan.timeout < plan.estimate
    assert "drain.time" not in keys(World().plan())


def test_volume_limits_that_were_not_read_are_unknown():
    plan = World(pod(volumes=(claimed(),)), limits=GONE).plan()
    assert found(plan, "drain.attach").light is Light.UNKNOWN


def test_no_room_says_that_an_autoscaler_could_not_be_looked_for():
    plan = World(pod(requests={"cpu": 99.0}), scaler=GONE).plan()
    assert "forbidden" in found(plan, "drain.no-room").value


ALERTING = ClusterSite(monitoring=Monitoring(prometheus=Prometheus(url="http://prometheus:9090")))


@pytest.mark.parametrize(
    ("alerts", "light"),
    [
        (reads.Vector((reads.Sample({"alertname": "ApiDown"}, 1.0),)), Light.YELLOW),
        (GONE, Light.UNKNOWN),
        (reads.Vector(()), None),
    ],
)
def test_critical_alerts_that_fire_are_a_risk_and_unread_ones_unknown(alerts, light):
    plan = World(alerts=alerts).plan(site=ALERTING)
    assert [each.light for each in plan.findings if each.key == "drain.alerts"] == ([light] if light else [])


def test_what_never_comes_back_is_not_said_to_be_away():
    lone, stray = pod("lone", owner=None), pod("stray", owner=owner("gone"))
    assert "drain.single" not in keys(World(lone, stray).plan(orphans=""))


def test_the_time_includes_that_of_pods_that_are_on_their_way_already():
    slow = World(pod(deleted=NOW + timedelta(minutes=20))).plan()
    assert (slow.estimate, slow.timeout) == (timedelta(minutes=20), timedelta(minutes=40))
    assert World(pod(deleted=NOW - timedelta(hours=1))).plan().estimate == timedelta(seconds=10)
