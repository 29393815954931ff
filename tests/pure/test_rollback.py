"""The plan of a rollback: where to, what it changes, what it may break, what it refuses."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from deploy_answers import (
    HOUR,
    NOW,
    SITE,
    SPACE,
    WHO,
    World,
    args,
    finding,
    keys,
    member,
    revision,
    sick,
    target,
    template,
    view,
)

from commands.deploy import rollback
from commands.effects import RollBack
from commands.errors import UsageError
from commands.model import Args, Gap
from commands.plan import Go, Plan
from commands.reads import DryRun, Query, Rehearsal, Sample, Vector
from commands.site import ClusterSite
from commands.templates import template_hash
from commands.workloads import (
    LAST_APPLIED,
    RESTARTED_AT,
    AutoscalerView,
    ImageInRegistry,
    Manager,
    Owner,
    QuotaView,
    Referred,
    ReferredView,
    Strategy,
)


def planned(world: World, arguments: Args | None = None, site: ClusterSite = SITE) -> Plan:
    made = world.drive(rollback.plan(arguments or args("rollback"), site, WHO))
    assert isinstance(made, Plan)
    return made


# --- Where to -------------------------------------------------------------------------------------


def test_one_step_back_is_a_number_in_the_title_the_effect_and_the_scope() -> None:
    plan = planned(World())
    assert plan.title == "Roll back Deployment sre-shop/backend to revision 6"
    (step,) = plan.steps
    assert step.effect == RollBack(
        target(),
        6,
        revision(6).source,
        template_hash(template("shop:1.4")),
        template_hash(template("shop:1.3")),
        "rollback to revision 6 by U0ALICE0001 (RTEST0001): bad release",
    )
    assert plan.scope == (
        f"Deployment sre-shop/backend template {template_hash(template('shop:1.4'))}",
        f"to revision 6 {template_hash(template('shop:1.3'))}",
    )
    assert plan.go is Go.GO


def test_zero_means_the_one_before_as_it_does_for_kubectl() -> None:
    assert planned(World(), args("rollback", to_revision="0")).title.endswith("to revision 6")


def test_undo_is_the_way_back_to_the_present_number() -> None:
    plan = planned(World(), args("rollback", to_revision="4"))
    assert plan.undo == "deploy rollback backend --namespace sre-shop --to-revision 7"
    assert plan.before == (("revision", "7"), ("images", "shop:1.4"))
    assert plan.locks == ("workload/Deployment/sre-shop/backend",)


def test_the_other_kinds_are_named_in_their_undo() -> None:
    revisions = tuple(revision(n, kind="StatefulSet") for n in (7, 6))
    plan = planned(World(view("StatefulSet"), Revisions=revisions))
    assert plan.undo == "deploy rollback backend --kind sts --namespace sre-shop --to-revision 7"
    assert plan.steps[0].effect.source.kind == "ControllerRevision"  # type: ignore[union-attr]


def test_without_a_revision_for_the_present_template_there_is_no_undo() -> None:
    plan = planned(World(view(template=template("shop:edited"))))
    assert (plan.undo, keys(plan)) == ("", {"rollback.undo": "yellow"})
    assert plan.steps[0].effect.revision == 7  # type: ignore[union-attr]


REFUSED = [
    pytest.param((revision(7),), {}, "there is no revision before the present one", id="only one"),
    pytest.param((), {}, "there is no revision before the present one", id="no history"),
    pytest.param(
        (revision(7), revision(0, "shop:0")), {}, "no revision but the present one bears a number",
        id="no annotation",
    ),
    pytest.param(
        (revision(7), revision(6), revision(4)), {"to_revision": "5"},
        "there is no revision 5; kept are 7 (now), 6, 4", id="a gap",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("revisions", "flags", "said"), REFUSED)
def test_a_way_back_that_is_not_there_is_refused(
    revisions: tuple[Any, ...], flags: dict[str, str], said: str
) -> None:
    plan = planned(World(Revisions=revisions), args("rollback", **flags))
    assert (plan.go, plan.findings[0].value, plan.steps) == (Go.BLOCKED, said, ())


def test_a_gap_offers_what_is_kept() -> None:
    plan = planned(World(), args("rollback", to_revision="5"))
    texts = [each.text for each in plan.findings[0].suggestions]
    assert texts == [f"deploy rollback backend --namespace sre-shop --to-revision {n}" for n in (6, 4)]


def test_no_kept_history_says_why() -> None:
    plan = planned(World(view(history_limit=0), Revisions=(revision(7),)))
    assert "revisionHistoryLimit is 0" in plan.findings[0].value


@pytest.mark.parametrize(
    "same",
    [
        template("shop:1.4"),
        {**template("shop:1.4"), "metadata": {"labels": {"app": "backend", "pod-template-hash": "x"}}},
        {"metadata": {"creationTimestamp": None, "labels": {"app": "backend"}}, "$patch": "replace",
         "spec": {"containers": [{"name": "web", "image": "shop:1.4", "resources": {}}]}},
    ],
    ids=["word for word", "but for the hash", "but for nulls"],
)  # fmt: skip
def test_an_identical_revision_is_nothing_to_do(same: dict[str, Any]) -> None:
    world = World(Revisions=(revision(7), replace(revision(6), template=same)))
    plan = planned(world)
    assert plan.go is Go.NOTHING
    assert plan.findings[0].value == "revision 6 is what Deployment sre-shop/backend runs already"


def test_a_restart_is_no_version_to_go_back_to() -> None:
    restarted = template("shop:1.4", notes={RESTARTED_AT: "2026-11-23T08:00:00Z"})
    world = World(view(template=restarted), Revisions=(
        replace(revision(7), template=restarted), revision(6, "shop:1.4"), revision(5),
    ))  # fmt: skip
    found = finding(planned(world), "rollback.restart")
    assert "differs in the time of a restart only; the newest that differs in more is 5" in found.value
    assert found.suggestions[0].text == "deploy rollback backend --namespace sre-shop --to-revision 5"


# --- Which one ------------------------------------------------------------------------------------


def test_two_of_one_name_are_both_offered() -> None:
    plan = planned(World(view(), view("StatefulSet")))
    assert plan.findings[0].value == "deploy/backend and sts/backend bear this name: say which"
    assert [each.text for each in plan.findings[0].suggestions] == [
        f"deploy rollback backend --kind {kind} --namespace sre-shop" for kind in ("deploy", "sts")
    ]


def test_a_kind_decides_between_two() -> None:
    revisions = tuple(revision(n, kind="StatefulSet") for n in (7, 6))
    plan = planned(World(view(), view("StatefulSet"), Revisions=revisions), args("rollback", kind="sts"))
    assert plan.title.startswith("Roll back StatefulSet")


def test_it_is_looked_for_in_the_other_namespaces_too() -> None:
    there = view(target=replace(target(name="grafana"), namespace="monitoring"))
    plan = planned(World(there), args("rollback", "grafana"))
    assert "no Deployment, StatefulSet or DaemonSet grafana in namespace sre-shop" in plan.findings[0].value
    assert (
        plan.findings[0].suggestions[0].text == "deploy rollback grafana --kind deploy --namespace monitoring"
    )


def test_where_it_was_named_it_is_not_looked_for_elsewhere() -> None:
    world = World()
    plan = planned(world, args("rollback", "grafana", namespace="shop"))
    assert plan.go is Go.BLOCKED and len(world.asked) == 2


def test_a_service_is_known_by_its_own_name_and_namespace() -> None:
    services = {"shop": replace(SITE.services["backend"], name="shop")}
    assert planned(World(), args("rollback", "shop"), replace(SITE, services=services)).steps


@pytest.mark.parametrize("name", ["", "böse", "-x", "x" * 254, "a b"])
def test_what_cannot_be_a_name_is_a_typing_error(name: str) -> None:
    with pytest.raises(UsageError):
        planned(World(), args("rollback", name))


def test_the_longest_name_there_can_be_is_taken() -> None:
    name = "x" * 253
    here = view(target=target(name=name))
    assert planned(World(here), args("rollback", name)).undo.split()[2] == name


# --- What it may break ----------------------------------------------------------------------------

SECRET = {"env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}}]}
CONFIG = {"envFrom": [{"configMapRef": {"name": "web-8f3"}}]}
BIG = {"resources": {"requests": {"cpu": "1"}}}
TO = "Revisions"


def back_to(**spec: Any) -> dict[str, Any]:
    return {TO: (revision(7), replace(revision(6), template=template("shop:1.3", **spec)))}


def missing(read: Referred) -> ReferredView:
    return ReferredView(False)


def forbidden(read: Any) -> Gap:
    return Gap("forbidden, needs get on secrets", "- {resources: [secrets]}")


FINDINGS = [
    ("paused", view(is_paused=True), {}, {"deploy.paused": "red"}),
    ("being deleted", view(is_leaving=True), {}, {"deploy.leaving": "red"}),
    ("a ConfigMap is missing", view(), {**back_to(container=CONFIG), "Referred": missing}, {"deploy.missing": "red"}),
    ("a Secret is missing", view(), {**back_to(container=SECRET), "Referred": missing}, {"deploy.missing": "red"}),
    ("a Secret's key is missing", view(), back_to(container=SECRET), {"deploy.missing": "red"}),
    ("a ServiceAccount is missing", view(), {**back_to(serviceAccountName="web"), "Referred": missing},
     {"deploy.missing": "red"}),
    ("a Secret may not be read", view(), {**back_to(container=SECRET), "Referred": forbidden},
     {"deploy.unread": "unknown"}),
    ("Argo CD", view(annotations={"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x/y"}), {},
     {"deploy.gitops": "yellow"}),
    ("Helm", view(labels={"app.kubernetes.io/managed-by": "Helm"}), {}, {"deploy.gitops": "yellow"}),
    ("Flux", view(labels={"kustomize.toolkit.fluxcd.io/name": "shop"}), {}, {"deploy.gitops": "yellow"}),
    ("Flux's Helm", view(labels={"helm.toolkit.fluxcd.io/name": "shop", "app.kubernetes.io/managed-by": "Helm"}),
     {}, {"deploy.gitops": "yellow"}),
    ("a GitOps manager", view(managers=(Manager("argocd-controller", NOW, of_template=True),)), {},
     {"deploy.gitops": "yellow"}),
    ("an operator", view(owners=(Owner("x.io/v1", "Shop", "main", is_controller=True),)), {},
     {"deploy.operator": "yellow"}),
    ("Argo Rollouts", view(owners=(Owner("argoproj.io/v1alpha1", "Rollout", "main", is_controller=True),)), {},
     {"deploy.rollouts": "red"}),
    ("kubectl apply", view(annotations={LAST_APPLIED: "{}"}), {}, {"deploy.applied": "yellow"}),
    ("partition", view("StatefulSet", strategy=Strategy(partition=2)), {}, {"deploy.partition": "yellow"}),
    ("OnDelete", view("DaemonSet", strategy=Strategy("OnDelete")), {}, {"deploy.ondelete": "yellow"}),
    ("Recreate", view(strategy=Strategy("Recreate")), {}, {"deploy.outage": "yellow"}),
    ("the only pod, no surge", view(replicas=1, strategy=Strategy(surge=0, unavailable=1)), {},
     {"deploy.outage": "yellow"}),
    ("the only pod, surged", view(replicas=1), {}, {}),
    ("no pods", view(replicas=0), {}, {}),
    ("no room for extra pods", view(), {"Quotas": (QuotaView("small", {"pods": 3}, {"pods": 3}),)},
     {"deploy.quota": "yellow"}),
    ("no room for their CPU", view(), {**back_to(container=BIG),
     "Quotas": (QuotaView("small", {"requests.cpu": 4}, {"requests.cpu": 3.5}),)}, {"deploy.quota": "yellow"}),
    ("a quota of other pods", view(), {"Quotas": (QuotaView("best", {"pods": 0}, {}, is_partial=True),)}, {}),
    ("quotas unread", view(), {"Quotas": Gap("no")}, {"deploy.quota": "unknown"}),
    ("pods unread", view(), {"Members": Gap("no")}, {"deploy.pods": "unknown"}),
    ("autoscalers unread", view(), {"Autoscalers": Gap("no")}, {"deploy.hpa": "unknown"}),
    ("an autoscaler, same requests", view(),
     {"Autoscalers": (AutoscalerView("h", "Deployment", "backend", 2, 9, 3, 3),)}, {}),
    ("an autoscaler, other requests", view(), {**back_to(container=BIG),
     "Autoscalers": (AutoscalerView("h", "Deployment", "backend", 2, 9, 3, 3),)}, {"rollback.hpa": "yellow"}),
    ("never was ready", view(), {"Query": Vector((Sample({"replicaset": "backend-6"}, 0.0),))},
     {"rollback.never": "yellow"}),
    ("was ready once", view(), {"Query": Vector((Sample({"replicaset": "backend-6"}, 2.0),))}, {}),
    ("Prometheus is away", view(), {"Query": Gap("no")}, {"rollback.never": "unknown"}),
    ("the server says no", view(), {"DryRun": Rehearsal(False, "denied by policy")}, {"deploy.dryrun": "red"}),
    ("no dry run", view(), {"DryRun": Gap("no")}, {"deploy.dryrun": "unknown"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("here", "answers", "expected"), [f[1:] for f in FINDINGS], ids=[f[0] for f in FINDINGS]
)
def test_what_it_may_break(here: Any, answers: dict[str, Any], expected: dict[str, str]) -> None:
    kind = here.target.kind
    if kind != "Deployment" and TO not in answers:
        answers = {**answers, TO: tuple(revision(n, kind=kind) for n in (7, 6))}
    assert keys(planned(World(here, **answers))) == expected


def test_a_broken_pod_of_an_ordered_set_may_stall_it() -> None:
    revisions = tuple(revision(n, kind="StatefulSet") for n in (7, 6))
    broken = sick("backend-1", owner="uid-backend")
    plan = planned(World(view("StatefulSet"), Revisions=revisions, Members=(broken,)))
    found = finding(plan, "deploy.stall")
    assert found.evidence == ("backend-1 ImagePullBackOff since 40 s",)
    assert found.suggestions[0].text == "pod delete backend-1 --namespace sre-shop"


def test_a_broken_pod_of_somebody_else_is_none_of_its_own() -> None:
    revisions = tuple(revision(n, kind="StatefulSet") for n in (7, 6))
    plan = planned(World(view("StatefulSet"), Revisions=revisions, Members=(sick(owner="other"),)))
    assert keys(plan) == {}


def test_the_owner_of_gitops_and_its_pause_are_named() -> None:
    here = view(annotations={"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x/y"})
    found = finding(planned(World(here)), "deploy.gitops")
    assert "Argo CD" in found.value and "application shop" in found.value
    assert found.mend == "Suspend automation: argocd app set shop --sync-policy none"


def test_an_optional_reference_may_be_missing() -> None:
    optional = {"envFrom": [{"configMapRef": {"name": "web", "optional": True}}]}
    assert keys(planned(World(Referred=missing, **back_to(container=optional)))) == {}


ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/backend:1.3"


@pytest.mark.parametrize(
    ("image", "answer", "expected"),
    [
        (ECR, True, {}),
        (ECR, False, {"deploy.image": "red"}),
        (ECR, Gap("denied"), {"deploy.image": "unknown"}),
        ("ghcr.io/shop:1.3", None, {}),
    ],
)
def test_an_image_on_ecr_is_asked_for(image: str, answer: Any, expected: dict[str, str]) -> None:
    told = {} if answer is None else {"ImageInRegistry": lambda _: answer}
    world = World(Revisions=(revision(7), revision(6, image)), **told)
    assert keys(planned(world, site=ClusterSite())) == expected
    assert any(isinstance(read, ImageInRegistry) for read in world.asked) is (answer is not None)


def test_off_aws_no_registry_is_asked() -> None:
    world = World(Revisions=(revision(7), revision(6, ECR)))
    assert keys(planned(world)) == {}


@pytest.mark.parametrize("name", ["Workload", "Now", "Revisions"])
def test_without_what_it_cannot_do_without_it_is_blocked_with_the_mend(name: str) -> None:
    plan = planned(World(**{name: Gap("forbidden", "allow it")}))
    assert plan.go is Go.BLOCKED
    assert (plan.findings[0].light, plan.findings[0].mend) == ("red", "allow it")


# --- What is shown --------------------------------------------------------------------------------


def test_the_diff_shows_what_comes_back() -> None:
    assert planned(World()).diff == ("  images", "- web: shop:1.4", "+ web: shop:1.3")


def test_facts_tell_ages_causes_and_who() -> None:
    now = replace(revision(7), cause="release 1.4\nand more")
    here = view(managers=(Manager("helm", now.created, of_template=True), Manager("kubelet", NOW)))
    facts = planned(World(here, Revisions=(now, revision(6)))).facts
    assert facts[:3] == (
        "from revision 7, made 3 h ago, by helm, change-cause: release 1.4 and more",
        "to revision 6, made 4 h ago",
        "3 of 3 pods ready",
    )
    assert facts[3] == "RollingUpdate: up to 1 extra pod and 0 missing at a time, gives up after 10 min"


def test_the_table_has_the_last_five() -> None:
    revisions = tuple(revision(n) for n in range(7, 0, -1))
    found = finding(planned(World(Revisions=revisions)), "rollback.candidates")
    assert len(found.evidence) == 5
    assert found.evidence[:2] == ("7 (now) · 3 h ago · shop:1.4", "6 · 4 h ago · shop:1.3")
    assert found.value == "7 → 6, of 7 kept"


def test_what_stays_is_said() -> None:
    stays = planned(World()).stays
    assert any("annotations" in each for each in stays) and any("replicas" in each for each in stays)


def test_warnings_of_the_dry_run_are_shown_and_its_effect_is_the_one_applied() -> None:
    world = World(DryRun=Rehearsal(True, "", ("deprecated field",)))
    plan = planned(world)
    assert "deprecated field" in plan.rehearsal
    assert [read for read in world.asked if isinstance(read, DryRun)] == [DryRun(plan.steps[0].effect)]


def test_the_timeout_is_the_deadline_of_the_deployment_and_a_minute() -> None:
    assert planned(World()).timeout == timedelta(seconds=660)


def test_unicode_in_values_is_told_as_it_is() -> None:
    env = {"env": [{"name": "GREETING", "value": "Grüß Gott 🚀"}]}
    assert '+ web GREETING: "Grüß Gott 🚀"' in planned(World(**back_to(container=env))).diff


def test_ages_count_from_the_time_that_was_read() -> None:
    old = replace(revision(6), created=NOW - 50 * HOUR)
    assert "to revision 6, made 2 d 2 h ago" in planned(World(Revisions=(revision(7), old))).facts


def test_it_asks_prometheus_about_the_very_replica_set() -> None:
    world = World()
    planned(world)
    (query,) = [read for read in world.asked if isinstance(read, Query)]
    assert f'namespace="{SPACE}",replicaset=~"backend-6|' in query.expr


def test_a_pod_of_an_old_replica_set_is_its_own() -> None:
    assert keys(planned(World(Members=(member(owner="uid-backend-4"),)))) == {}


def test_several_missing_things_are_counted_and_each_is_named() -> None:
    both = {"envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]}
    found = finding(planned(World(Referred=missing, **back_to(container=both))), "deploy.missing")
    assert found.value == "2 things it needs are missing"
    assert found.evidence == ("ConfigMap a does not exist", "Secret b does not exist")


def test_each_revision_says_whether_it_ever_was_ready_where_that_was_counted() -> None:
    counts = {"backend-7": 3.0, "backend-6": 0.0, "somebody": 1.0}
    samples = tuple(Sample({"replicaset": name}, value) for name, value in counts.items())
    world = World(Query=Vector(samples))
    rows = finding(planned(world), "rollback.candidates").evidence
    assert [row.rpartition(" · ")[2] for row in rows[:2]] == ["was ready", "never ready"]
    assert "ready" not in rows[2]
    (query,) = [each for each in world.asked if isinstance(each, Query)]
    assert 'replicaset=~"backend-6|backend-7|backend-4"' in query.expr


def test_a_revision_nobody_counted_is_said_to_be_unknown() -> None:
    said = "whether revision 6 ever had a ready pod is not known"
    assert said in planned(World()).facts
    counted = Vector((Sample({"replicaset": "backend-6"}, 1.0),))
    assert said not in planned(World(Query=counted)).facts
