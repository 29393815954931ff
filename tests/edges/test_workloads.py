"""Reads about workloads, on the stand-in and on a real API server with its controllers; and a rollback,
restart and scaling planned, applied and looked at there, through the very clients that workers use."""

import itertools
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rude_server import Asked, RudeServer, page

from commands.change import Doing, Who
from commands.deploy import COMMANDS, restart, rollback, scale
from commands.deploy.verify import verify
from commands.effects import Already, Done, Moved, Target
from commands.errors import Refused
from commands.grammar import parse
from commands.model import Args, Read
from commands.plan import Go, Mark, Plan, Progress, Result, Standing, Verdict
from commands.reads import Now, Query
from commands.site import ClusterSite
from commands.templates import template_hash
from commands.workloads import (
    RESTARTED_AT,
    Autoscalers,
    IngressesOf,
    IngressView,
    Members,
    Quotas,
    Referred,
    ReferredView,
    Revisions,
    RevisionView,
    ServicesOf,
    Workload,
    WorkloadBudgets,
    Workloads,
    WorkloadView,
)
from sandbox.controlplane import ControlPlane
from sandbox.house import wait_until
from sandbox.kube import KubeStandIn, build
from sandbox.kube.behaviours import Behaviour, CrashLoop, Healthy, ImagePullError
from workers import workloads
from workers.api import Api
from workers.cluster import Cluster
from workers.effects import Effects, Rehearsals
from workers.reader import Reader
from workers.walk import walk

Json = dict[str, Any]

NUMBERS = itertools.count(1)
SITE = ClusterSite(eks=False)
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
KINDS = tuple(PLURALS)
ANOTHER = "00000000-0000-4000-8000-000000000000"
STRATEGIC = "application/strategic-merge-patch+json"
WHO = Who("RTEST0001", "U0ALICE0001", "bad release", datetime(2026, 11, 23, 8, 30, tzinfo=UTC))


def soon() -> float:
    return time.monotonic() + 20


class Rest:
    """What the cluster itself does not answer."""

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Now, Query),)

    def read(self, read: Read, deadline: float) -> Any:
        if isinstance(read, Now):
            return datetime.now(UTC)
        raise Refused("no Prometheus here")


class World:
    """One API server with its controllers. settle: gives them the time they need."""

    def __init__(
        self, url: str, token: str, kubeconfig: Path, settle: Callable[[], object], **tls: Any
    ) -> None:
        self.cluster = Cluster(SITE, kubeconfig)
        self.settle = settle
        self.rest = Rest()
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False, **tls
        )

    def close(self) -> None:
        self.cluster.close()
        self.http.close()

    def space(self) -> str:
        name = f"shop-{next(NUMBERS)}"
        self.http.post("/api/v1/namespaces", json={"metadata": {"name": name}})
        self.post(
            f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}}, or_there=True
        )
        return name

    def post(self, path: str, body: Json, *, or_there: bool = False) -> Json:
        answer = self.http.post(path, json=body)
        assert answer.status_code == 201 or (or_there and answer.status_code == 409), answer.text
        found: Json = answer.json()
        return found

    def make(self, body: Json) -> None:
        kind, space = body["kind"], body["metadata"]["namespace"]
        self.post(f"/apis/apps/v1/namespaces/{space}/{PLURALS[kind]}", body)
        self.settle()

    def change(self, kind: str, space: str, name: str, patch: Json) -> None:
        path = f"/apis/apps/v1/namespaces/{space}/{PLURALS[kind]}/{name}"
        answer = self.http.patch(path, json=patch, headers={"Content-Type": STRATEGIC})
        assert answer.status_code == 200, answer.text
        self.settle()

    def read(self, read: Read) -> Any:
        return self.cluster.read(read, soon())

    def reader(self) -> Reader:
        return Reader([self.cluster, Rehearsals(self.cluster.api), self.rest], timedelta(seconds=20))

    def until(self, wanted: Callable[[], Any]) -> Any:
        def settled() -> Any:
            self.settle()
            return wanted()

        return wait_until(settled)

    def view(self, kind: str, space: str) -> WorkloadView:
        (found,) = self.read(Workload(space, "web", kind))
        assert isinstance(found, WorkloadView)
        return found

    def revisions(self, kind: str, space: str) -> tuple[RevisionView, ...]:
        here = self.view(kind, space)
        found: tuple[RevisionView, ...] = self.read(Revisions(here.target, here.selector))
        return found

    def has_revisions(self, kind: str, space: str, count: int) -> None:
        self.until(lambda: len([r for r in self.revisions(kind, space) if r.number]) == count)


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.cluster)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if request.param == "real":
        with ControlPlane(scheduler=False) as plane:
            made = World(
                plane.url,
                plane.token,
                plane.kubeconfig,
                lambda: None,
                verify=ssl.create_default_context(cafile=str(plane.ca)),
            )
            yield made
            made.close()
        return
    with KubeStandIn() as kube:
        made = World(
            kube.url, kube.token, kube.kubeconfig(tmp_path_factory.mktemp("kube") / "c"), kube.settle
        )
        yield made
        made.close()


BUILDERS = {"Deployment": build.deployment, "StatefulSet": build.statefulset, "DaemonSet": build.daemonset}


def workload(kind: str, space: str, image: str = "shop:1.3", **given: Any) -> Json:
    made: Json = BUILDERS[kind]("web", space, image=image, **given)
    return made


def image(to: str) -> Json:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": to}]}}}}


def released(world: World, kind: str) -> str:
    """A workload of two revisions: shop:1.3, and shop:1.4 in force."""
    space = world.space()
    world.make(workload(kind, space))
    world.has_revisions(kind, space, 1)
    world.change(kind, space, "web", image("shop:1.4"))
    world.has_revisions(kind, space, 2)
    world.until(lambda: world.view(kind, space).observed == world.view(kind, space).generation)
    return space


def planned(world: World, verb: Any, arguments: Args) -> Plan:
    made = walk(verb.plan(arguments, SITE, WHO), world.reader(), soon())
    assert isinstance(made, Plan)
    return made


def arguments(verb: str, space: str, **flags: str) -> Args:
    return Args("deploy", verb, "web", {"namespace": space, **flags})


def judged(world: World, plan: Plan, asked: Args, **how: bool) -> Verdict:
    now = datetime.now(UTC)
    marks = {step.key: Mark(Standing.APPLIED, now) for step in plan.steps}
    doing = Doing(asked, plan, Progress("w", now, now + timedelta(minutes=5), marks), **how)
    return walk(verify(doing, SITE), world.reader(), soon())


# --- The road of each verb ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollback_is_planned_rehearsed_applied_and_then_nothing_is_left_to_do(
    world: World, kind: str
) -> None:
    space = released(world, kind)
    asked = arguments("rollback", space, kind=kind)
    plan = planned(world, rollback, asked)
    assert plan.diff == ("  images", "- app: shop:1.4", "+ app: shop:1.3")
    assert plan.go is not Go.BLOCKED, plan.findings
    assert plan.rehearsal == ("the API server would take it",)
    (step,) = plan.steps
    assert isinstance(Effects(world.cluster.api).apply(step.effect, soon()), Done)
    assert isinstance(Effects(world.cluster.api).apply(step.effect, soon()), Already)
    assert world.view(kind, space).template["spec"]["containers"][0]["image"] == "shop:1.3"
    world.settle()
    assert judged(world, plan, asked).result in (Result.WAITING, Result.SUCCEEDED)
    world.until(
        lambda: len(world.revisions(kind, space)) == 2 and world.revisions(kind, space)[0].number == 3
    )
    again = planned(world, rollback, arguments("rollback", space, kind=kind, **{"to-revision": "3"}))
    assert again.go is Go.NOTHING


@pytest.mark.parametrize("kind", KINDS)
def test_the_present_template_and_its_revision_have_one_hash(world: World, kind: str) -> None:
    space = released(world, kind)
    newest, older = world.revisions(kind, space)
    assert template_hash(newest.template) == template_hash(world.view(kind, space).template)
    assert template_hash(older.template) != template_hash(newest.template)
    assert (newest.number, older.number) == (2, 1)


def test_undo_goes_back_to_where_it_was(world: World) -> None:
    space = released(world, "Deployment")
    plan = planned(world, rollback, arguments("rollback", space))
    assert plan.undo == f"deploy rollback web --namespace {space} --to-revision 2"
    Effects(world.cluster.api).apply(plan.steps[0].effect, soon())
    world.until(lambda: world.revisions("Deployment", space)[0].number == 3)
    back = planned(world, rollback, parse(plan.undo, COMMANDS).args)
    Effects(world.cluster.api).apply(back.steps[0].effect, soon())
    assert world.view("Deployment", space).template["spec"]["containers"][0]["image"] == "shop:1.4"


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_is_planned_and_applied(world: World, kind: str) -> None:
    space = world.space()
    world.make(workload(kind, space))
    world.has_revisions(kind, space, 1)
    asked = arguments("restart", space, kind=kind)
    plan = planned(world, restart, asked)
    if kind == "DaemonSet":  # no node, so no pod to restart
        assert plan.go is Go.NOTHING
        return
    assert isinstance(Effects(world.cluster.api).apply(plan.steps[0].effect, soon()), Done)
    notes = world.view(kind, space).template["metadata"]["annotations"]
    assert notes[RESTARTED_AT] == "2026-11-23T08:30:00Z"
    assert judged(world, plan, asked).result is not Result.FAILED


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_scaling_is_planned_and_applied_and_its_undo_parses(world: World, kind: str) -> None:
    space = world.space()
    world.make(workload(kind, space))
    asked = arguments("scale", space, kind=kind, replicas="2")
    plan = planned(world, scale, asked)
    assert isinstance(Effects(world.cluster.api).apply(plan.steps[0].effect, soon()), Done)
    assert world.view(kind, space).replicas == 2
    assert scale.replicas(parse(plan.undo, COMMANDS).args) == 1
    world.change(kind, space, "web", {"spec": {"replicas": 7}})
    found = judged(world, plan, asked)
    assert found.result is Result.FAILED and "changed by others" in found.summary


def test_a_plan_that_was_overtaken_is_not_applied_and_the_proof_says_so(world: World) -> None:
    space = released(world, "Deployment")
    asked = arguments("rollback", space)
    plan = planned(world, rollback, asked)
    world.change("Deployment", space, "web", image("shop:1.5"))
    assert isinstance(Effects(world.cluster.api).apply(plan.steps[0].effect, soon()), Moved)
    assert "changed by others" in judged(world, plan, asked).summary


def test_what_was_deleted_meanwhile_is_failed(world: World) -> None:
    space = released(world, "Deployment")
    asked = arguments("rollback", space)
    plan = planned(world, rollback, asked)
    world.http.delete(f"/apis/apps/v1/namespaces/{space}/deployments/web")
    world.until(lambda: not world.read(Workload(space, "web")))
    assert judged(world, plan, asked).summary == f"Deployment {space}/web was deleted meanwhile"


def test_a_paused_deployment_is_not_rolled_back(world: World) -> None:
    space = released(world, "Deployment")
    world.change("Deployment", space, "web", {"spec": {"paused": True}})
    plan = planned(world, rollback, arguments("rollback", space))
    assert plan.go is Go.BLOCKED
    assert "deploy.paused" in {each.key for each in plan.findings}


def test_a_missing_config_map_of_the_target_blocks_and_an_unmissed_one_does_not(world: World) -> None:
    space = world.space()
    refers = [{"name": "app", "image": "shop:1.3", "envFrom": [{"configMapRef": {"name": "web-8f3"}}]}]
    world.make(workload("Deployment", space, containers=refers))
    world.has_revisions("Deployment", space, 1)
    world.change("Deployment", space, "web", image("shop:1.4"))
    world.has_revisions("Deployment", space, 2)
    plan = planned(world, rollback, arguments("rollback", space))
    assert [each.value for each in plan.findings if each.light == "red"] == [
        "ConfigMap web-8f3 does not exist"
    ]
    world.post(f"/api/v1/namespaces/{space}/configmaps", {"metadata": {"name": "web-8f3"}})
    assert planned(world, rollback, arguments("rollback", space)).go is not Go.BLOCKED


def test_fields_of_a_newer_version_stay(world: World) -> None:
    """Whatever the server keeps of a template is in the view and in its diff, known here or not."""
    space = world.space()
    world.make(workload("Deployment", space, template={"setHostnameAsFQDN": True}))
    world.has_revisions("Deployment", space, 1)
    world.change("Deployment", space, "web", {"spec": {"template": {"spec": {"setHostnameAsFQDN": None}}}})
    world.has_revisions("Deployment", space, 2)
    plan = planned(world, rollback, arguments("rollback", space))
    assert plan.diff == ("  1 other field: spec setHostnameAsFQDN",)


# --- Pods that run, or do not ---------------------------------------------------------------------


class Shop:
    """The stand-in with a node, a kubelet and a clock that is turned by hand."""

    def __init__(self, kube: KubeStandIn, world: World, clock: "Turned") -> None:
        self.kube, self.world, self.clock = kube, world, clock

    def later(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.clock.ahead += timedelta(seconds=1)
            self.kube.tick(2)


class Turned:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class TurnedRest(Rest):
    def __init__(self, clock: Turned) -> None:
        self._clock = clock

    def read(self, read: Read, deadline: float) -> Any:
        return self._clock() if isinstance(read, Now) else super().read(read, deadline)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    clock = Turned()
    with KubeStandIn(clock=clock) as kube:
        kube.apply([build.node("n1"), build.node("n2")])
        made = World(kube.url, kube.token, kube.kubeconfig(tmp_path / "c"), lambda: None)
        made.rest = TurnedRest(clock)
        yield Shop(kube, made, clock)
        made.close()


def rolled_back_to(shop: Shop, kind: str, behaviour: Behaviour, **given: Any) -> tuple[Plan, Args, str]:
    """shop:1.3 comes back, and fares so."""
    space = shop.world.space()
    shop.world.make(workload(kind, space, **given))
    shop.later(8)
    shop.world.change(kind, space, "web", image("shop:1.4"))
    shop.later(20)
    shop.kube.behave(behaviour, image="shop:1.3")
    asked = arguments("rollback", space, kind=kind)
    plan = planned(shop.world, rollback, asked)
    assert plan.go is not Go.BLOCKED, plan.findings
    return plan, asked, space


def proof(shop: Shop, plan: Plan, asked: Args, begun: datetime, **how: bool) -> Verdict:
    marks = {step.key: Mark(Standing.APPLIED, begun) for step in plan.steps}
    doing = Doing(asked, plan, Progress("w", begun, begun + timedelta(hours=1), marks), **how)
    return walk(verify(doing, SITE), shop.world.reader(), soon())


def applied(shop: Shop, plan: Plan) -> datetime:
    begun = shop.clock()
    assert isinstance(Effects(shop.world.cluster.api).apply(plan.steps[0].effect, soon()), Done)
    return begun


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_rollback_is_proved_by_its_pods(shop: Shop, kind: str) -> None:
    plan, asked, _ = rolled_back_to(shop, kind, Healthy(), **({} if kind == "DaemonSet" else {"replicas": 2}))
    begun = applied(shop, plan)
    assert proof(shop, plan, asked, begun).result is Result.WAITING
    shop.later(40)
    found = proof(shop, plan, asked, begun)
    assert (found.result, found.summary.partition(": ")[2]) == (
        Result.SUCCEEDED,
        "all 2 updated and available",
    )


def test_a_broken_image_is_told_while_it_waits_and_failed_by_the_deadline(shop: Shop) -> None:
    plan, asked, _ = rolled_back_to(
        shop, "Deployment", ImagePullError(), replicas=2, progressDeadlineSeconds=30
    )
    begun = applied(shop, plan)
    shop.later(15)
    waiting = proof(shop, plan, asked, begun)
    assert waiting.result is Result.WAITING
    said = r"1 of 2 updated(, \d old pods? still there)?, 1 not ready: web-\S+ (ImagePullBackOff|ErrImagePull) since .+"
    assert re.fullmatch(said, waiting.waiting[0])
    shop.later(60)
    found = proof(shop, plan, asked, begun)
    assert found.result is Result.FAILED
    assert found.summary.startswith("its progress deadline passed")
    assert found.suggestions[0].text == plan.undo


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_loop_is_never_a_success(shop: Shop, kind: str) -> None:
    plan, asked, _ = rolled_back_to(shop, kind, CrashLoop())
    begun = applied(shop, plan)
    for _ in range(12):
        shop.later(5)
        assert proof(shop, plan, asked, begun).result is not Result.SUCCEEDED
    found = proof(shop, plan, asked, begun, is_over=True)
    assert found.result in (Result.FAILED, Result.PARTIAL)
    assert any("web-" in each for each in found.left)


def test_the_rollback_of_a_rollout_that_had_failed_is_not_failed_by_its_deadline(shop: Shop) -> None:
    """The condition of the earlier rollout stands until the controller sees progress again."""
    space = shop.world.space()
    shop.world.make(workload("Deployment", space, replicas=2, progressDeadlineSeconds=20))
    shop.later(8)
    shop.kube.behave(ImagePullError(), image="shop:1.4")
    shop.world.change("Deployment", space, "web", image("shop:1.4"))
    shop.later(60)
    reasons = {each.reason for each in shop.world.view("Deployment", space).conditions}
    assert "ProgressDeadlineExceeded" in reasons
    asked = arguments("rollback", space)
    plan = planned(shop.world, rollback, asked)
    begun = applied(shop, plan)
    assert proof(shop, plan, asked, begun).result is Result.WAITING
    shop.later(30)
    assert proof(shop, plan, asked, begun).result is Result.SUCCEEDED


def test_new_pods_of_a_scaling_are_waited_for(shop: Shop) -> None:
    space = shop.world.space()
    shop.world.make(workload("Deployment", space))
    shop.later(8)
    asked = arguments("scale", space, replicas="3")
    plan = planned(shop.world, scale, asked)
    begun = applied(shop, plan)
    assert proof(shop, plan, asked, begun).result is Result.WAITING
    shop.later(20)
    assert proof(shop, plan, asked, begun).result is Result.SUCCEEDED


# --- What hangs on a workload ---------------------------------------------------------------------


def test_a_name_finds_every_kind_that_bears_it(world: World) -> None:
    space = world.space()
    for kind in KINDS:
        world.make(workload(kind, space, labels={"app": kind.casefold()}))
    assert [view.target.kind for view in world.read(Workload(space, "web"))] == list(KINDS)
    assert [view.target.kind for view in world.read(Workload(space, "web", "DaemonSet"))] == ["DaemonSet"]
    assert [view.target.kind for view in world.read(Workloads(space))] == list(KINDS)
    assert world.read(Workload(space, "other")) == ()


def test_only_revisions_of_its_own_are_its(world: World) -> None:
    space = released(world, "Deployment")
    here = world.view("Deployment", space)
    # Bearing its labels, and controlled by another Deployment: without that it would be adopted.
    stranger = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": ANOTHER,
        "controller": True,
    }
    stray = build.replicaset("stray", space, labels={"app": "web"}, owner=stranger)
    world.post(f"/apis/apps/v1/namespaces/{space}/replicasets", stray)
    assert [each.source.name == "stray" for each in world.read(Revisions(here.target, here.selector))] == [
        False
    ] * 2


def test_pods_tell_whose_they_are(world: World) -> None:
    space = released(world, "Deployment")
    here = world.view("Deployment", space)
    members = world.until(lambda: world.read(Members(space, here.selector)))
    owners = {each.source.uid: each.mark for each in world.revisions("Deployment", space)}
    assert all(owners[each.owner] == each.mark for each in members)


def test_a_secret_is_asked_for_without_its_values(world: World) -> None:
    space = world.space()
    secret = {"metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg=="}}
    world.post(f"/api/v1/namespaces/{space}/secrets", secret)
    found = world.read(Referred(space, "Secret", "db"))
    assert found.exists and found.keys in (None, frozenset({"password"}))
    assert "aHVudGVyMg" not in repr(found)
    assert world.read(Referred(space, "Secret", "other")) == ReferredView(False)


def test_a_config_map_tells_its_keys(world: World) -> None:
    space = world.space()
    body = {"metadata": {"name": "c"}, "data": {"level": "x"}, "binaryData": {"logo": "eA=="}}
    world.post(f"/api/v1/namespaces/{space}/configmaps", body)
    assert world.read(Referred(space, "ConfigMap", "c")).keys == {"level", "logo"}


def test_autoscalers_budgets_quotas_and_services(world: World) -> None:
    space = world.space()
    world.post(
        f"/apis/autoscaling/v2/namespaces/{space}/horizontalpodautoscalers",
        build.hpa("h", space, target="web"),
    )
    world.post(
        f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets",
        build.pdb("p", space, min_available="50%", selector={"app": "web"}),
    )
    world.post(f"/api/v1/namespaces/{space}/services", build.service("s", space, selector={"app": "web"}))
    world.post(
        f"/api/v1/namespaces/{space}/resourcequotas",
        {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "3", "requests.memory": "1Gi"}}},
    )
    (scaler,) = world.read(Autoscalers(space))
    assert (scaler.kind, scaler.target, scaler.keda) == ("Deployment", "web", "")
    (budget,) = world.read(WorkloadBudgets(space))
    assert (budget.least, budget.selector) == ("50%", {"matchLabels": {"app": "web"}})
    (quota,) = world.read(Quotas(space))
    assert quota.hard == {"pods": 3.0, "requests.memory": 2.0**30}
    assert [service.name for service in world.read(ServicesOf(space))] == ["s"]
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}
    spec = {
        "defaultBackend": {"service": {"name": "fallback", "port": {"number": 80}}},
        "rules": [{"host": "shop.example.com", "http": {"paths": [path]}}, {"host": "bare.example.com"}],
    }
    world.post(
        f"/apis/networking.k8s.io/v1/namespaces/{space}/ingresses", {"metadata": {"name": "i"}, "spec": spec}
    )
    assert world.read(IngressesOf(space)) == (IngressView("i", frozenset({"s", "fallback"})),)


# --- Odd answers ----------------------------------------------------------------------------------


def told(tmp_path: Path, read: Read, answer: Callable[[Asked], Any]) -> Any:
    with RudeServer(answer) as server:
        config = tmp_path / "config"
        config.write_text(
            json.dumps(
                {
                    "current-context": "only",
                    "contexts": [{"name": "only", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": server.url}}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                }
            )
        )
        client = Cluster(SITE, config)
        try:
            return client.read(read, soon())
        finally:
            client.close()


EMPTY = page(200, {"kind": "List", "metadata": {}, "items": None})


@pytest.mark.parametrize(
    "read",
    [
        Workloads("shop"),
        Members("shop", "a=b"),
        Autoscalers("shop"),
        Quotas("shop"),
        ServicesOf("shop"),
        IngressesOf("shop"),
    ],
)
def test_a_list_whose_items_are_null_is_empty(tmp_path: Path, read: Read) -> None:
    assert told(tmp_path, read, lambda _: EMPTY) == ()


BARE = {"metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": None, "status": None}


def test_a_workload_with_nothing_in_it_is_still_one(tmp_path: Path) -> None:
    def answer(asked: Asked) -> bytes:
        if "deployments" in asked.target:
            return page(200, BARE)
        details = {"name": "web"}
        return page(404, {"kind": "Status", "apiVersion": "v1", "code": 404, "details": details})

    (view,) = told(tmp_path, Workload("shop", "web"), answer)
    assert (view.replicas, view.total, view.template, view.strategy.deadline) == (
        1,
        0,
        {},
        timedelta(minutes=10),
    )


def test_a_replica_set_without_a_revision_is_number_nought(tmp_path: Path) -> None:
    owners = [{"kind": "Deployment", "name": "web", "uid": "u", "controller": True}]
    bare = {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "r", "ownerReferences": owners},
        "spec": {},
    }
    noted = {
        **bare,
        "metadata": {**bare["metadata"], "annotations": {"deployment.kubernetes.io/revision": "zwölf"}},
    }
    read = Revisions(Target("Deployment", "shop", "web", "u"), "app=web")
    found = told(tmp_path, read, lambda _: page(200, {"metadata": {}, "items": [bare, noted]}))
    assert [each.number for each in found] == [0, 0]


PODS = [
    ({"reason": "Evicted", "message": "disk"}, ("Evicted", "disk")),
    ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]},
     ("Unschedulable", "0/3")),
    ({"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}]},
     ("ImagePullBackOff", "no")),
    ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ("", "")),
    ({"initContainerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}, ("CrashLoopBackOff", "")),
    ({"containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}, ("OOMKilled", "")),
    ({"initContainerStatuses": [{"state": {"terminated": {"reason": "Completed", "exitCode": 0}}}]}, ("", "")),
    (None, ("", "")),
]  # fmt: skip


@pytest.mark.parametrize(("status", "expected"), PODS)
def test_a_pods_trouble_in_one_word(tmp_path: Path, status: Any, expected: tuple[str, str]) -> None:
    pod = {"metadata": {"name": "web-1", "namespace": "shop", "uid": "p"}, "status": status}
    (found,) = told(tmp_path, Members("shop", "a=b"), lambda _: page(200, {"metadata": {}, "items": [pod]}))
    assert (found.trouble, found.message) == expected


def test_a_pods_restarts_and_last_end(tmp_path: Path) -> None:
    ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-23T08:00:00Z"}
    earlier = {"reason": "Error", "exitCode": 1, "finishedAt": "2026-11-23T07:00:00Z"}
    status = {
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T08:01:00Z"}],
        "containerStatuses": [
            {"restartCount": 2, "lastState": {"terminated": ended}},
            {"restartCount": 1, "lastState": {"terminated": earlier}},
        ],
    }
    pod = {"metadata": {"name": "web-1", "namespace": "shop", "uid": "p"}, "status": status}
    (found,) = told(tmp_path, Members("shop", "a=b"), lambda _: page(200, {"metadata": {}, "items": [pod]}))
    assert (found.restarts, found.last_exit, found.is_ready) == (3, "OOMKilled 137", True)
    assert found.last_restart == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_keda_is_known_by_its_owner_or_its_name(tmp_path: Path) -> None:
    def hpa(name: str, **metadata: Any) -> Json:
        return {"metadata": {"name": name, **metadata}, "spec": {"maxReplicas": 3, "scaleTargetRef": {}}}

    owned = hpa("x", ownerReferences=[{"kind": "ScaledObject", "name": "shop"}])
    answer = page(200, {"metadata": {}, "items": [owned, hpa("keda-hpa-web"), hpa("plain")]})
    found = told(tmp_path, Autoscalers("shop"), lambda _: answer)
    assert [each.keda for each in found] == ["shop", "web", ""]


def test_a_refusal_names_the_right_that_is_missing(tmp_path: Path) -> None:
    denied = page(403, {"kind": "Status", "apiVersion": "v1", "code": 403, "message": "no"})
    with pytest.raises(Refused) as caught:
        told(tmp_path, Referred("shop", "Secret", "db"), lambda _: denied)
    assert "needs get on secrets in namespace shop" in caught.value.reason


def test_a_read_of_another_kind_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        workloads.read(Api(SITE), Now(), soon())
