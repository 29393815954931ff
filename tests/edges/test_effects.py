"""Every effect and every outcome, on the stand-in and on a real API server.

Nobody else is there: no controllers, no scheduler, no kubelet. What they would write is written by hand.
"""

import itertools
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rude_server import DROP, Asked, RudeServer, page

from commands.effects import (
    FROZEN,
    AllowTraffic,
    Already,
    Blocked,
    Cordon,
    DeletePod,
    DeleteToken,
    DenyTraffic,
    Done,
    Effect,
    Evict,
    ExceptTraffic,
    Freeze,
    Moved,
    Outcome,
    Rejected,
    Relabel,
    Restart,
    RollBack,
    Scale,
    Target,
    Thaw,
    Uncordon,
)
from commands.errors import Refused, Unanswered, Unreachable
from commands.reads import DryRun, Rehearsal
from commands.site import ClusterSite
from commands.templates import template_hash
from sandbox.controlplane import NO_CONTROLLERS, ControlPlane
from sandbox.kube import KubeStandIn, build
from sandbox.kube.faults import Break, Throttle
from workers.api import Api
from workers.effects import Effects, Rehearsals

Json = dict[str, Any]

PATHS = {
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/namespaces/{}/pods",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "ControllerRevision": "/apis/apps/v1/namespaces/{}/controllerrevisions",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
}
NUMBERS = itertools.count(1)
ANOTHER = "00000000-0000-4000-8000-000000000000"
NODE = "machine-7"
MERGE = "application/merge-patch+json"


def soon() -> float:
    return time.monotonic() + 30


class World:
    """One API server and somebody who may do everything there."""

    def __init__(self, url: str, token: str, ca: Path, kubeconfig: Path, looker: Path) -> None:
        self.kubeconfig, self.looker = kubeconfig, looker
        self.api = Api(ClusterSite(), kubeconfig)
        self.http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=str(ca)),
            timeout=30,
            trust_env=False,
        )

    def close(self) -> None:
        self.api.close()
        self.http.close()

    def apply(self, effect: Effect) -> Outcome:
        return Effects(self.api).apply(effect, soon())

    def rehearse(self, effect: Effect) -> Rehearsal:
        return Rehearsals(self.api).read(DryRun(effect), soon())

    def space(self) -> str:
        name = f"shop-{next(NUMBERS)}"
        self.http.post("/api/v1/namespaces", json={"metadata": {"name": name}})
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        self.http.post(accounts, json={"metadata": {"name": "default"}})
        return name

    def make(self, body: Json) -> Target:
        kind, metadata = body["kind"], body["metadata"]
        path = PATHS[kind].format(metadata.get("namespace"))
        answer = self.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made = answer.json()["metadata"]
        if body.get("status"):
            told = {"status": body["status"]}
            answer = self.http.patch(
                f"{path}/{made['name']}/status", json=told, headers={"Content-Type": MERGE}
            )
            assert answer.status_code == 200, answer.text
        return Target(kind, made.get("namespace", ""), made["name"], made["uid"])

    def get(self, target: Target) -> Json:
        answer = self.http.get(f"{PATHS[target.kind].format(target.namespace)}/{target.name}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def has(self, target: Target) -> bool:
        return (
            self.http.get(f"{PATHS[target.kind].format(target.namespace)}/{target.name}").status_code == 200
        )

    def change(self, target: Target, patch: Json, sub: str = "") -> None:
        path = f"{PATHS[target.kind].format(target.namespace)}/{target.name}{sub}"
        answer = self.http.patch(path, json=patch, headers={"Content-Type": MERGE})
        assert answer.status_code == 200, answer.text

    def remove(self, target: Target) -> None:
        """At once, as when its kubelet is done with it."""
        path = f"{PATHS[target.kind].format(target.namespace)}/{target.name}"
        self.http.request("DELETE", path, json={"gracePeriodSeconds": 0})

    def pod(self, space: str, name: str = "web-1", **given: Any) -> Target:
        return self.make(build.pod(name, space, **{"node": NODE, "labels": {"app": "web"}, **given}))

    def budget(self, space: str, name: str = "web", allowed: int = 0) -> Target:
        told = {
            "observedGeneration": 1,
            "expectedPods": 3,
            "desiredHealthy": 2,
            "currentHealthy": 2 + allowed,
            "disruptionsAllowed": allowed,
        }
        body = build.pdb(name, space, min_available=2, selector={"app": "web"})
        return self.make({**body, "status": told})

    def node(self, **given: Any) -> Target:
        return self.make(build.node(f"node-{next(NUMBERS)}", **given))


LOOKING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "looker"},
    "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}],
}
BOUND = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "looker"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "looker"},
    "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "viewer"}],
}


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.cluster)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if request.param == "real":
        with ControlPlane(controllers=NO_CONTROLLERS, scheduler=False) as plane:
            looker = plane.kubeconfig_for("viewer")
            yield from _lived_in(World(plane.url, plane.token, plane.ca, plane.kubeconfig, looker))
        return
    folder = tmp_path_factory.mktemp("kube")
    with KubeStandIn(tls=True) as kube:
        assert kube.ca is not None
        config = kube.kubeconfig(folder / "config")
        looker = kube.kubeconfig(folder / "looker", token=kube.user("viewer", rbac=True))
        yield from _lived_in(World(kube.url, kube.token, kube.ca, config, looker))


def _lived_in(world: World) -> Iterator[World]:
    for kind, body in (("clusterroles", LOOKING), ("clusterrolebindings", BOUND)):
        path = f"/apis/rbac.authorization.k8s.io/v1/{kind}"
        assert world.http.post(path, json=body).status_code == 201
    yield world
    world.close()


def version(found: Json) -> str:
    return str(found["metadata"]["resourceVersion"])


def other(target: Target) -> Target:
    return replace(target, uid=ANOTHER)


# --- Nodes ----------------------------------------------------------------------------------------


NOTE = '{"request": "r1", "user": "U1", "why": "Kernel – “new”"}'


@pytest.mark.parametrize("annotations", [None, {"mine": "stays", "csi/x": "stays, too"}])
def test_a_node_is_cordoned_and_keeps_the_rest(world: World, annotations: dict[str, str] | None) -> None:
    taint = {"key": "dedicated", "value": "shop", "effect": "NoSchedule"}
    target = world.node(annotations=annotations, taints=[taint])
    assert world.apply(Cordon(target, NOTE)) == Done()
    found = world.get(target)
    assert found["spec"]["unschedulable"] is True
    assert taint in found["spec"]["taints"]
    assert found["metadata"]["annotations"] == {**(annotations or {}), "sre-bot/cordoned": NOTE}


def test_a_node_that_somebody_cordoned_is_left_as_it_is(world: World) -> None:
    target = world.node(unschedulable=True)
    before = world.get(target)
    assert world.apply(Cordon(target, NOTE)) == Already("is cordoned already")
    assert world.get(target) == before


def test_uncordon_takes_back_only_what_the_bot_wrote(world: World) -> None:
    target = world.node(unschedulable=True, annotations={"mine": "stays", "sre-bot/cordoned": NOTE})
    assert world.apply(Uncordon(target)) == Done()
    found = world.get(target)
    assert not found["spec"].get("unschedulable")
    assert found["metadata"]["annotations"] == {"mine": "stays"}
    before = version(found)
    assert world.apply(Uncordon(target)) == Already("is schedulable already")
    assert version(world.get(target)) == before


def test_uncordon_takes_a_note_away_that_a_kubectl_uncordon_left(world: World) -> None:
    target = world.node(annotations={"sre-bot/cordoned": NOTE})
    assert world.apply(Uncordon(target)) == Done()
    assert "sre-bot/cordoned" not in world.get(target)["metadata"].get("annotations", {})


@pytest.mark.parametrize("effect", [lambda t: Cordon(t, NOTE), Uncordon], ids=["cordon", "uncordon"])
def test_a_node_of_the_same_name_is_not_the_node(world: World, effect: Callable[[Target], Effect]) -> None:
    target = world.node(unschedulable=False)
    before = world.get(target)
    moved = world.apply(effect(other(target)))
    assert moved == Moved(f"Node {target.name} is another one of the same name now")
    assert world.get(target) == before
    gone = replace(target, name="node-gone")
    assert world.apply(effect(gone)) == Moved("Node node-gone is gone")


# --- Evictions ------------------------------------------------------------------------------------


def test_a_pod_is_evicted_once(world: World) -> None:
    target = world.pod(world.space())
    assert world.apply(Evict(target, NODE)) == Done()
    assert world.get(target)["metadata"]["deletionGracePeriodSeconds"] == 30
    assert world.apply(Evict(target, NODE)) == Already("is going")
    world.remove(target)
    assert world.apply(Evict(target, NODE)) == Already("is gone")


def test_an_eviction_may_shorten_the_grace(world: World) -> None:
    target = world.pod(world.space())
    assert world.apply(Evict(target, NODE, grace=5)) == Done()
    assert world.get(target)["metadata"]["deletionGracePeriodSeconds"] == 5


def test_a_pod_made_anew_under_the_name_is_left_alone_wherever_it_is(world: World) -> None:
    space = world.space()
    first = world.pod(space, "db-0")
    world.remove(first)
    second = world.pod(space, "db-0", node="machine-8")
    budget = world.budget(space, allowed=1)
    assert world.apply(Evict(first, NODE)) == Already("is gone, another pod has its name now")
    assert "deletionTimestamp" not in world.get(second)["metadata"]
    assert world.get(budget)["status"]["disruptionsAllowed"] == 1


def test_a_pod_elsewhere_is_not_evicted(world: World) -> None:
    target = world.pod(world.space(), node="machine-8")
    assert world.apply(Evict(target, NODE)) == Moved(f"{target} is on machine-8, not on machine-7")
    assert "deletionTimestamp" not in world.get(target)["metadata"]


def test_a_spent_budget_blocks_and_a_free_one_lets_through(world: World) -> None:
    space = world.space()
    target, budget = world.pod(space), world.budget(space, allowed=0)
    outcome = world.apply(Evict(target, NODE))
    assert outcome == Blocked(f"{space}/web needs 2 healthy and has 2", f"{space}/web")
    world.change(budget, {"status": {"currentHealthy": 3, "disruptionsAllowed": 1}}, "/status")
    assert world.apply(Evict(target, NODE)) == Done()
    assert world.get(budget)["status"]["disruptionsAllowed"] == 0


def test_a_budget_that_its_controller_has_not_seen_blocks_for_ten_seconds(world: World) -> None:
    space = world.space()
    target, budget = world.pod(space), world.budget(space, allowed=1)
    world.change(budget, {"spec": {"minAvailable": 1}})
    outcome = world.apply(Evict(target, NODE))
    assert isinstance(outcome, Blocked)
    assert (outcome.by, outcome.retry_after) == (f"{space}/web", 10.0)
    assert "still being processed" in outcome.reason


def test_two_budgets_reject(world: World) -> None:
    space = world.space()
    target = world.pod(space)
    world.budget(space, "web", allowed=1)
    world.budget(space, "all", allowed=1)
    outcome = world.apply(Evict(target, NODE))
    assert isinstance(outcome, Rejected)
    assert "more than one PodDisruptionBudget" in outcome.reason
    assert outcome.mend == f"leave it to one PodDisruptionBudget: kubectl get pdb -n {space}"


def test_a_namespace_that_goes_away_blocks(world: World) -> None:
    space = world.space()
    target = world.pod(space)
    assert world.http.delete(f"/api/v1/namespaces/{space}").status_code == 200
    for effect in (Evict(target, NODE), deny(space)):
        assert world.apply(effect) == Blocked(f"namespace {space} is being deleted")


# --- Pods -----------------------------------------------------------------------------------------


def test_a_pod_is_deleted_once_past_its_budget(world: World) -> None:
    space = world.space()
    target = world.pod(space)
    world.budget(space, allowed=0)
    assert world.apply(DeletePod(target, grace=7)) == Done()
    assert world.get(target)["metadata"]["deletionGracePeriodSeconds"] == 7
    assert world.apply(DeletePod(target)) == Already("is going")
    world.remove(target)
    assert world.apply(DeletePod(target)) == Already("is gone")


def test_a_pod_of_the_same_name_is_not_deleted(world: World) -> None:
    target = world.pod(world.space())
    assert world.apply(DeletePod(other(target))) == Already("is gone, another pod has its name now")
    assert "deletionTimestamp" not in world.get(target)["metadata"]


def relabel(target: Target) -> Relabel:
    return Relabel(
        target,
        labels=(("sre-bot/isolated", "r1"),),
        without_labels=("app", "never-there"),
        annotations=(("sre-bot/labels", '{"app": "web"}'),),
        without_annotations=("old",),
    )


@pytest.mark.parametrize("annotations", [None, {"old": "x", "kept": "y"}])
def test_labels_and_annotations_are_set_and_removed(world: World, annotations: dict[str, str] | None) -> None:
    target = world.pod(world.space(), labels={"app": "web", "tier": "front"}, annotations=annotations)
    assert world.apply(relabel(target)) == Done()
    metadata = world.get(target)["metadata"]
    assert metadata["labels"] == {"tier": "front", "sre-bot/isolated": "r1"}
    kept = {"kept": "y"} if annotations else {}
    assert metadata["annotations"] == {"sre-bot/labels": '{"app": "web"}', **kept}
    assert world.apply(relabel(target)) == Already("is labelled so already")
    assert version(world.get(target)) == metadata["resourceVersion"]


def test_labels_of_another_pod_are_left_alone(world: World) -> None:
    target = world.pod(world.space())
    assert world.apply(relabel(other(target))) == Moved(f"{target} is another one of the same name now")
    assert world.get(target)["metadata"]["labels"] == {"app": "web"}


def test_an_unlawful_label_is_rejected(world: World) -> None:
    target = world.pod(world.space())
    outcome = world.apply(Relabel(target, labels=(("a", "not a label!"),)))
    assert isinstance(outcome, Rejected)
    assert "not a label!" in outcome.reason


# --- Network policies -----------------------------------------------------------------------------


def deny(space: str, value: str = "r1") -> DenyTraffic:
    return DenyTraffic(Target("NetworkPolicy", space, "sre-bot-web-1", ""), ("sre-bot/isolated", value))


def policy(space: str, name: str, **more: Any) -> Json:
    selector = {"matchLabels": {"sre-bot/isolated": "r1"}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": space},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], **more},
    }


def test_traffic_is_denied_once_and_allowed_again(world: World) -> None:
    space = world.space()
    assert world.apply(deny(space)) == Done()
    made = world.get(deny(space).target)
    assert made["spec"] == {
        "podSelector": {"matchLabels": {"sre-bot/isolated": "r1"}},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert world.apply(deny(space)) == Already("is there already")
    assert world.apply(deny(space, "r2")) == Moved(
        f"NetworkPolicy {space}/sre-bot-web-1 is there already and says something else"
    )
    target = replace(deny(space).target, uid=made["metadata"]["uid"])
    assert world.apply(AllowTraffic(other(target))) == Moved(f"{target} was made anew")
    assert world.has(target)
    assert world.apply(AllowTraffic(target)) == Done()
    assert not world.has(target)
    assert world.apply(AllowTraffic(target)) == Already("is gone")


def test_a_policy_that_lets_something_through_is_no_denial(world: World) -> None:
    space = world.space()
    world.make(policy(space, "sre-bot-web-1", ingress=[{}]))
    assert isinstance(world.apply(deny(space)), Moved)


def excepting(space: str, *cidrs: str, **more: Any) -> ExceptTraffic:
    target = Target("NetworkPolicy", space, "sre-bot-block-1", "")
    return ExceptTraffic(target, more.pop("labels", ()), cidrs or ("203.0.113.0/24",), **more)


def test_everything_but_a_range_is_let_through_and_pods_in_quarantine_are_not_meant(world: World) -> None:
    space = world.space()
    effect = excepting(space, "203.0.113.0/24", "2001:db8:5::/48")
    assert world.apply(effect) == Done()
    peers = [
        {"namespaceSelector": {}},
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["203.0.113.0/24"]}},
        {"ipBlock": {"cidr": "::/0", "except": ["2001:db8:5::/48"]}},
    ]
    assert world.get(effect.target)["spec"] == {
        "podSelector": {"matchExpressions": [{"key": "sre-bot/quarantine", "operator": "DoesNotExist"}]},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": peers}],
        "egress": [{"to": peers}],
    }
    assert world.apply(effect) == Already("is there already")
    assert isinstance(world.apply(excepting(space, "192.0.2.0/24")), Moved)


def test_the_way_out_of_some_pods_alone_is_closed_to_a_range(world: World) -> None:
    effect = excepting(world.space(), "10.9.0.0/24", labels=(("app", "web"),), directions=("Egress",))
    assert world.apply(effect) == Done()
    spec = world.get(effect.target)["spec"]
    assert spec["podSelector"]["matchLabels"] == {"app": "web"}
    assert (spec["policyTypes"], "ingress" in spec) == (["Egress"], False)
    assert world.apply(effect) == Already("is there already")


# --- Workloads ------------------------------------------------------------------------------------


MAKERS = {
    "Deployment": build.deployment,
    "StatefulSet": build.statefulset,
    "DaemonSet": build.daemonset,
}
WORKLOADS = tuple(MAKERS)
SCALABLE = ("Deployment", "StatefulSet")


def workload(world: World, kind: str, space: str = "", **given: Any) -> Target:
    return world.make(MAKERS[kind]("web", space or world.space(), **given))


def template(world: World, target: Target) -> str:
    return template_hash(world.get(target)["spec"]["template"])


def image(world: World, target: Target) -> str:
    return str(world.get(target)["spec"]["template"]["spec"]["containers"][0]["image"])


def released(world: World, target: Target, tag: str) -> None:
    """Somebody deploys."""
    spec = world.get(target)["spec"]["template"]["spec"]
    spec["containers"][0]["image"] = f"web:{tag}"
    world.change(target, {"spec": {"template": {"spec": spec}}})


def kept(world: World, target: Target) -> Target:
    """The workload's template, kept as its controller does."""
    found = world.get(target)
    held = found["spec"]["template"]
    metadata = {"name": f"web-{next(NUMBERS)}", "namespace": target.namespace}
    if target.kind != "Deployment":
        data = {"spec": {"template": {**held, "$patch": "replace"}}}
        return world.make(
            {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": metadata,
                "data": data,
                "revision": 1,
            }
        )
    labels = {**held["metadata"]["labels"], "pod-template-hash": "5d8f"}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {**held, "metadata": {**held["metadata"], "labels": labels}},
    }
    metadata |= {"labels": labels, "annotations": {"deployment.kubernetes.io/revision": "1"}}
    return world.make({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec})


def rolled(world: World, kind: str) -> tuple[Target, RollBack]:
    """A workload at its second revision, and the way back to the first."""
    target = workload(world, kind)
    world.change(target, {"metadata": {"annotations": {"mine": "stays"}}})
    source, first = kept(world, target), template(world, target)
    released(world, target, "2")
    back = RollBack(target, 1, source, template(world, target), first, "rollback to 1 by U1 (r1)")
    return target, back


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_template_is_put_back_and_annotations_stay(world: World, kind: str) -> None:
    target, back = rolled(world, kind)
    before = world.get(target)
    assert world.apply(back) == Done()
    found = world.get(target)
    assert template_hash(found["spec"]["template"]) == back.target_template
    assert "pod-template-hash" not in found["spec"]["template"]["metadata"]["labels"]
    assert "$patch" not in found["spec"]["template"]
    assert found["spec"]["selector"] == before["spec"]["selector"]
    noted = {key: found["metadata"]["annotations"].get(key) for key in ("mine", "kubernetes.io/change-cause")}
    assert noted == {"mine": "stays", "kubernetes.io/change-cause": back.cause}
    assert world.apply(back) == Already("its template is that of revision 1 already")


def test_what_the_new_template_added_is_taken_away(world: World) -> None:
    for kind in WORKLOADS:
        target, back = rolled(world, kind)
        held = world.get(target)["spec"]["template"]["spec"]
        held["containers"].append({"name": "side", "image": "side:1"})
        world.change(target, {"spec": {"template": {"spec": held}}})
        assert world.apply(replace(back, template=template(world, target))) == Done()
        assert [each["name"] for each in world.get(target)["spec"]["template"]["spec"]["containers"]] == [
            "app"
        ]


def test_a_deployment_without_annotations_is_rolled_back(world: World) -> None:
    target, back = rolled(world, "Deployment")
    world.change(target, {"metadata": {"annotations": None}})
    assert world.apply(back) == Done()
    annotations = world.get(target)["metadata"]["annotations"]
    assert annotations == {"kubernetes.io/change-cause": back.cause}


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_deploy_in_between_is_not_undone(world: World, kind: str) -> None:
    target, back = rolled(world, kind)
    released(world, target, "3")
    assert world.apply(back) == Moved(f"{target} has another template now: somebody deployed since")
    restart = Restart(target, back.template, "2026-11-23T08:00:00Z")
    assert world.apply(restart) == Moved(f"{target} has another template now: somebody deployed since")
    assert image(world, target) == "web:3"


def test_a_revision_that_is_gone_or_another(world: World) -> None:
    target, back = rolled(world, "StatefulSet")
    assert world.apply(replace(back, source=other(back.source))) == Moved("revision 1 is gone")
    assert world.apply(replace(back, target_template="0" * 16)) == Moved(
        "revision 1 holds another template than was shown"
    )
    world.remove(back.source)
    assert world.apply(back) == Moved("revision 1 is gone")
    assert image(world, target) == "web:2"
    assert world.apply(replace(back, target_template=back.template)) == Already(
        "its template is that of revision 1 already"
    )


def test_a_paused_deployment_is_neither_rolled_back_nor_restarted(world: World) -> None:
    target, back = rolled(world, "Deployment")
    world.change(target, {"spec": {"paused": True}})
    assert world.apply(back) == Moved(f"{target} is paused now")
    assert world.apply(Restart(target, back.template, "x")) == Moved(f"{target} is paused now")


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_workload_is_restarted_once(world: World, kind: str) -> None:
    target = workload(world, kind)
    effect = Restart(target, template(world, target), "2026-11-23T08:00:00Z")
    assert world.apply(effect) == Done()
    annotations = world.get(target)["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/restartedAt": "2026-11-23T08:00:00Z"}
    before = version(world.get(target))
    assert world.apply(effect) == Already("is restarted already")
    assert version(world.get(target)) == before


@pytest.mark.parametrize("kind", WORKLOADS)
def test_what_the_api_server_remarks_comes_with_the_outcome(world: World, kind: str) -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    target = workload(world, kind, containers=[build.container(env=twice)])
    effect = Restart(target, template(world, target), "2026-11-23T08:00:00Z")
    remark = (
        "spec.template.spec.containers[0].env[1]: "
        'hides previous definition of "A", which may be dropped when using apply'
    )
    assert world.rehearse(effect) == Rehearsal(True, warnings=(remark,))
    assert world.apply(effect) == Done(warnings=(remark,))


@pytest.mark.parametrize("kind", SCALABLE)
@pytest.mark.parametrize("replicas", [0, 5])
def test_a_workload_is_scaled_once(world: World, kind: str, replicas: int) -> None:
    target = workload(world, kind, replicas=3)
    effect = Scale(target, 3, replicas)
    assert world.apply(effect) == Done()
    assert world.get(target)["spec"]["replicas"] == replicas
    assert world.apply(effect) == Already(f"has {replicas} replicas already")
    back = Scale(target, replicas, 3)
    assert world.apply(replace(back, was=9)) == Moved(f"{target} has {replicas} replicas, not 9")
    assert world.apply(back) == Done()


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_workload_of_the_same_name_is_not_the_workload(world: World, kind: str) -> None:
    target, back = rolled(world, kind)
    effects: list[Effect] = [replace(back, target=other(target)), Restart(other(target), back.template, "x")]
    if kind in SCALABLE:
        effects.append(Scale(other(target), 3, 5))
    for effect in effects:
        assert world.apply(effect) == Moved(f"{target} is another one of the same name now")
    gone = replace(target, name="gone")
    for effect in effects:
        assert world.apply(replace(effect, target=gone)) == Moved(f"{gone} is gone")


# --- What is frozen, and tokens ----------------------------------------------------------------------


def cron_job(space: str, **spec: Any) -> Json:
    """As the API server takes it."""
    template = {"spec": {"containers": [{"name": "app", "image": "web:1"}], "restartPolicy": "Never"}}
    job = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}, **spec}
    metadata = {"name": "report", "namespace": space}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": job}


def config_map(space: str, annotations: dict[str, str] | None = None, **data: str) -> Json:
    metadata = {"name": "settings", "namespace": space, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **({"data": data} if data else {})}


BEHAVIOR = {"scaleUp": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max", "policies": [
    {"type": "Pods", "value": 2, "periodSeconds": 30}]}}  # fmt: skip
STOPPED = {way: {"selectPolicy": "Disabled"} for way in ("scaleUp", "scaleDown")}

# What there is, the field, what it becomes.
FREEZABLE: dict[str, tuple[Callable[[str], Json], str, Any]] = {
    "deployment": (lambda space: build.deployment("web", space, replicas=3), "/spec/replicas", 0),
    "statefulset": (lambda space: build.statefulset("web", space, replicas=2), "/spec/replicas", 0),
    "autoscaler": (lambda space: build.hpa("web", space, low=2, high=9), "/spec/behavior", STOPPED),
    "autoscaler with a behaviour": (
        lambda space: build.hpa("web", space, behavior=BEHAVIOR), "/spec/behavior", STOPPED,
    ),
    "cron job": (cron_job, "/spec/suspend", True),
    "flag": (lambda space: config_map(space, {"mine": "stays"}, **{"mode.writes": "on"}), "/data/mode.writes", "off"),
    "flag not set": (lambda space: config_map(space, other="x"), "/data/read-only", "true"),
    "empty config map": (config_map, "/data/read-only", "true"),
}  # fmt: skip


def freezing(target: Target, field: str, to: Any, request: str = "R2345ABCD") -> Freeze:
    return Freeze(target, field, json.dumps(to), request, "backend")


def thawing(world: World, target: Target, field: str) -> Thaw:
    """As the plan of its end makes it: from the annotation alone."""
    note = world.get(target)["metadata"]["annotations"][FROZEN]
    held = json.loads(note)
    return Thaw(target, field, json.dumps(held["was"]) if "was" in held else "", note)


@pytest.mark.parametrize("what", FREEZABLE)
def test_a_field_is_frozen_with_its_record_and_comes_back_as_it_was(world: World, what: str) -> None:
    make, field, to = FREEZABLE[what]
    target = world.make(make(world.space()))
    before = world.get(target)
    effect = freezing(target, field, to)
    assert world.apply(effect) == Done()
    frozen = world.get(target)
    note = json.loads(frozen["metadata"]["annotations"][FROZEN])
    assert (note["request"], note["service"], note["field"]) == ("R2345ABCD", "backend", field)
    assert "autoscaler" not in what or note["maxReplicas"] == before["spec"]["maxReplicas"]
    assert world.apply(effect) == Already("is frozen already")
    assert world.apply(freezing(target, field, to, "RANOTHER")) == Already("is frozen already")
    back = thawing(world, target, field)
    assert world.apply(back) == Done()
    after = world.get(target)
    assert after.get("spec") == before.get("spec")
    assert (after.get("data") or {}) == (before.get("data") or {})
    kept = before["metadata"].get("annotations") or {}
    assert (after["metadata"].get("annotations") or {}) == kept
    assert world.apply(back) == Already("is not frozen any more")


@pytest.mark.parametrize("what", FREEZABLE)
def test_what_is_frozen_says_so_in_its_field(world: World, what: str) -> None:
    make, field, to = FREEZABLE[what]
    target = world.make(make(world.space()))
    assert world.apply(freezing(target, field, to)) == Done()
    held: Any = world.get(target)
    for key in field.split("/")[1:]:
        held = held[key]
    assert held == to or {way: held[way]["selectPolicy"] for way in STOPPED} == dict.fromkeys(
        STOPPED, "Disabled"
    )


def test_what_is_written_down_is_what_is_found_then_and_not_what_was_planned(world: World) -> None:
    """An autoscaler goes on until the last moment."""
    target = workload(world, "Deployment", replicas=3)
    effect = freezing(target, "/spec/replicas", 0)
    outcome = meddled(world, effect, lambda: world.change(target, {"spec": {"replicas": 8}}))
    assert outcome == Done()
    assert json.loads(world.get(target)["metadata"]["annotations"][FROZEN])["was"] == 8


@pytest.mark.parametrize("what", FREEZABLE)
def test_an_old_record_on_what_goes_on_keeps_nothing_from_being_frozen(world: World, what: str) -> None:
    """As kubectl's undo of a rollout leaves one behind."""
    make, field, to = FREEZABLE[what]
    target = world.make(make(world.space()))
    world.change(target, {"metadata": {"annotations": {FROZEN: '{"request":"ROLD","was":77}'}}})
    assert world.apply(freezing(target, field, to)) == Done()
    note = json.loads(world.get(target)["metadata"]["annotations"][FROZEN])
    assert (note["request"], note.get("was") == 77) == ("R2345ABCD", False)
    assert world.apply(freezing(target, field, to, "RANOTHER")) == Already("is frozen already")


def test_what_somebody_started_again_is_not_stopped_by_the_same_freeze_twice(world: World) -> None:
    """A worker that repeats its effect does not undo what came after it."""
    target = workload(world, "Deployment", replicas=3)
    assert world.apply(freezing(target, "/spec/replicas", 0)) == Done()
    world.change(target, {"spec": {"replicas": 2}})
    assert world.apply(freezing(target, "/spec/replicas", 0)) == Already("is frozen already")
    assert world.get(target)["spec"]["replicas"] == 2


def test_a_thaw_holds_for_the_record_it_was_planned_with(world: World) -> None:
    target = workload(world, "Deployment", replicas=3)
    assert world.apply(freezing(target, "/spec/replicas", 0)) == Done()
    back = thawing(world, target, "/spec/replicas")
    assert world.apply(replace(back, note="{}")) == Moved(f"{target} was frozen anew meanwhile")
    world.change(target, {"spec": {"replicas": 1}})  # somebody could not wait
    assert world.apply(back) == Done()
    assert world.get(target)["spec"]["replicas"] == 3


def test_another_object_of_the_name_is_neither_frozen_nor_thawed(world: World) -> None:
    target = workload(world, "Deployment")
    moved = Moved(f"{target} is another one of the same name now")
    assert world.apply(freezing(other(target), "/spec/replicas", 0)) == moved
    assert world.apply(Thaw(other(target), "/spec/replicas", "3", "{}")) == moved


def token(world: World, space: str, name: str = "backend-token") -> Target:
    account = {"metadata": {"name": "backend"}}
    world.http.post(f"/api/v1/namespaces/{space}/serviceaccounts", json=account)
    metadata = {
        "name": name,
        "namespace": space,
        "annotations": {"kubernetes.io/service-account.name": "backend"},
    }
    kind = "kubernetes.io/service-account-token"
    return world.make({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind})


def test_a_token_is_deleted_once_by_its_uid(world: World) -> None:
    space = world.space()
    target = token(world, space)
    assert world.apply(DeleteToken(other(target))) == Moved(f"{target} was made anew")
    assert world.has(target)
    assert world.apply(DeleteToken(target)) == Done()
    assert not world.has(target)
    assert world.apply(DeleteToken(target)) == Already("is gone")


# --- Somebody else writes between the look and the write ------------------------------------------


class Meddled(Api):
    """Somebody is quicker: after each look at the target, as long as there is something to do."""

    def __init__(self, kubeconfig: Path, name: str, *meddling: Callable[[], None]) -> None:
        super().__init__(ClusterSite(), kubeconfig)
        self._name = name
        self._meddling = list(meddling)

    def find(self, subject: Any, path: str, deadline: float) -> Json | None:
        found = super().find(subject, path, deadline)
        if subject.what == self._name and self._meddling:
            self._meddling.pop(0)()
        return found


def meddled(world: World, effect: Effect, *meddling: Callable[[], None]) -> Outcome:
    api = Meddled(world.kubeconfig, str(effect.target), *meddling)
    outcome = Effects(api).apply(effect, soon())
    api.close()
    return outcome


def writing(world: World, kind: str) -> list[tuple[Target, Effect]]:
    """The effects that hold for one version of an object."""
    target, back = rolled(world, kind)
    effects: list[Effect] = [back, Restart(target, back.template, "2026-11-23T08:00:00Z")]
    if kind in SCALABLE:
        effects.append(Scale(target, world.get(target)["spec"]["replicas"], 5))
    return [(target, effect) for effect in effects]


@pytest.mark.parametrize("kind", WORKLOADS)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_status_written_in_between_does_not_matter(world: World, kind: str, which: int) -> None:
    made = writing(world, kind)
    if which >= len(made):
        return
    target, effect = made[which]
    statuses = [
        lambda number=number: world.change(target, {"metadata": {"annotations": {"n": str(number)}}})
        for number in range(3)
    ]
    assert meddled(world, effect, *statuses) == Done()


@pytest.mark.parametrize("kind", WORKLOADS)
@pytest.mark.parametrize("which", [0, 1])
def test_a_deploy_between_look_and_write_is_not_undone(world: World, kind: str, which: int) -> None:
    target, effect = writing(world, kind)[which]
    outcome = meddled(world, effect, lambda: released(world, target, "3"))
    assert outcome == Moved(f"{target} has another template now: somebody deployed since")
    assert image(world, target) == "web:3"


@pytest.mark.parametrize("kind", SCALABLE)
def test_another_scale_between_look_and_write_is_not_undone(world: World, kind: str) -> None:
    target = workload(world, kind, replicas=3)
    outcome = meddled(world, Scale(target, 3, 5), lambda: world.change(target, {"spec": {"replicas": 4}}))
    assert outcome == Moved(f"{target} has 4 replicas, not 3")
    assert world.get(target)["spec"]["replicas"] == 4


def test_an_object_that_never_holds_still_blocks(world: World) -> None:
    target = workload(world, "Deployment")
    effect = Restart(target, template(world, target), "x")
    numbers = [
        lambda number=number: world.change(target, {"metadata": {"annotations": {"n": str(number)}}})
        for number in range(20)
    ]
    assert meddled(world, effect, *numbers) == Blocked(
        f"{target}: it was changed by others 5 times meanwhile"
    )


def test_a_pod_replaced_between_look_and_eviction_is_left_alone(world: World) -> None:
    """The precondition is the last guard."""
    space = world.space()
    target = world.pod(space, "db-0")

    def recreated() -> None:
        world.remove(target)
        world.pod(space, "db-0")

    for effect in (Evict(target, NODE), DeletePod(target)):
        assert meddled(world, effect, recreated) == Already("is gone, another pod has its name now")
        target = replace(target, uid=world.get(target)["metadata"]["uid"])
    assert "deletionTimestamp" not in world.get(target)["metadata"]


def test_a_pod_that_goes_between_look_and_eviction(world: World) -> None:
    target = world.pod(world.space())
    assert meddled(world, Evict(target, NODE), lambda: world.remove(target)) == Already("is gone")


def test_a_node_replaced_between_look_and_cordon_is_left_alone(world: World) -> None:
    target = world.node()

    def replaced() -> None:
        world.remove(target)
        world.make(build.node(target.name))

    moved = Moved(f"{target} is another one of the same name now")
    assert meddled(world, Cordon(target, NOTE), replaced) == moved
    assert not world.get(target)["spec"].get("unschedulable")


# --- One who may only look ------------------------------------------------------------------------


def every_effect(world: World) -> list[Effect]:
    """One of each, all of which would be done."""
    space = world.space()
    deployment, back = rolled(world, "Deployment")
    pod = world.pod(space)
    allowed = world.make(policy(space, "old"))
    return [
        Cordon(world.node(), NOTE),
        Uncordon(world.node(unschedulable=True)),
        Evict(pod, NODE),
        DeletePod(pod, grace=5),
        relabel(pod),
        deny(space),
        AllowTraffic(allowed),
        back,
        Restart(deployment, back.template, "2026-11-23T08:00:00Z"),
        Scale(deployment, world.get(deployment)["spec"]["replicas"], 7),
        excepting(space),
        freezing(world.make(cron_job(space)), "/spec/suspend", True),
        Thaw(world.make(config_map(space, {FROZEN: "{}"}, flag="on")), "/data/flag", '"off"', "{}"),
        DeleteToken(token(world, space)),
    ]


NEEDS = {
    "cordon": ("", "nodes", "patch"),
    "uncordon": ("", "nodes", "patch"),
    "evict": ("", "pods/eviction", "create"),
    "delete-pod": ("", "pods", "delete"),
    "relabel": ("", "pods", "patch"),
    "deny-traffic": ("networking.k8s.io", "networkpolicies", "create"),
    "allow-traffic": ("networking.k8s.io", "networkpolicies", "delete"),
    "roll-back": ("apps", "deployments", "patch"),
    "restart": ("apps", "deployments", "patch"),
    "scale": ("apps", "deployments/scale", "update"),
    "except-traffic": ("networking.k8s.io", "networkpolicies", "create"),
    "freeze": ("batch", "cronjobs", "patch"),
    "thaw": ("", "configmaps", "patch"),
    "delete-token": ("", "secrets", "delete"),
}


def test_without_the_permission_it_is_rejected_with_the_rule(world: World) -> None:
    looker = Api(ClusterSite(), world.looker)
    for effect in every_effect(world):
        group, resource, verb = NEEDS[effect.kind]
        outcome = Effects(looker).apply(effect, soon())
        assert isinstance(outcome, Rejected), (effect, outcome)
        assert f"forbidden, needs {verb} on {resource}" in outcome.reason
        assert outcome.mend == f'- {{apiGroups: ["{group}"], resources: [{resource}], verbs: [{verb}]}}'
    looker.close()


# --- Rehearsals -----------------------------------------------------------------------------------


def test_a_rehearsal_changes_nothing(world: World) -> None:
    effects = every_effect(world)
    before = [world.get(effect.target) for effect in effects if world.has(effect.target)]
    assert [world.rehearse(effect) for effect in effects] == [Rehearsal(True)] * len(effects)
    assert [world.get(effect.target) for effect in effects if world.has(effect.target)] == before


def test_every_effect_that_was_rehearsed_is_done(world: World) -> None:
    for effect in every_effect(world):
        if effect.kind not in ("delete-pod", "relabel", "restart"):  # of an object that is not as it was
            assert world.rehearse(effect) == Rehearsal(True)
            assert world.apply(effect) == Done()


def test_a_rehearsal_spends_no_budget_and_tells_of_it(world: World) -> None:
    space = world.space()
    pods = [world.pod(space, f"web-{number}") for number in range(2)]
    budget = world.budget(space, allowed=1)
    assert [world.rehearse(Evict(pod, NODE)).would for pod in pods] == [True, True]
    assert world.get(budget)["status"]["disruptionsAllowed"] == 1
    world.change(budget, {"status": {"currentHealthy": 2, "disruptionsAllowed": 0}}, "/status")
    assert world.rehearse(Evict(pods[0], NODE)) == Rehearsal(False, f"{space}/web needs 2 healthy and has 2")


def test_a_rehearsal_tells_what_would_be_rejected(world: World) -> None:
    target = world.pod(world.space())
    told = world.rehearse(Relabel(target, labels=(("a", "not a label!"),)))
    assert not told.would
    assert "not a label!" in told.said


# --- No answer ------------------------------------------------------------------------------------


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[tuple[KubeStandIn, Effects]]:
    with KubeStandIn() as made:
        api = Api(ClusterSite(), made.kubeconfig(tmp_path / "config"))
        made.apply(build.pod("web-1", "shop", node=NODE))
        yield made, Effects(api)
        api.close()


def stored(kube: KubeStandIn) -> Target:
    pod = kube.get("pods", "web-1", "shop")
    assert pod is not None
    return Target("Pod", "shop", "web-1", pod["metadata"]["uid"])


def test_a_busy_api_server_is_not_a_budget(kube: tuple[KubeStandIn, Effects]) -> None:
    server, effects = kube
    server.fail(Throttle(3), "create", "pods/eviction")
    with pytest.raises(Unreachable) as caught:
        effects.apply(Evict(stored(server), NODE), soon())
    assert caught.value.reason == "Pod shop/web-1: the Kubernetes API is too busy (429)"
    assert caught.value.retry_after == timedelta(seconds=3)


def test_an_etcd_that_fails_leaves_the_outcome_open(kube: tuple[KubeStandIn, Effects]) -> None:
    server, effects = kube
    server.fail(Break(), "create", "pods/eviction")
    with pytest.raises(Unreachable, match="answers 500: Internal error occurred: etcdserver"):
        effects.apply(Evict(stored(server), NODE), soon())


def asked(path: Path, answer: Callable[[Asked], Any], effect: Effect) -> tuple[Any, list[Asked]]:
    """What comes out, and the writes that were sent."""
    with RudeServer(answer) as server:
        api = Api(ClusterSite(), _kubeconfig(path / "config", server.url))
        try:
            outcome: Any = Effects(api).apply(effect, soon())
        except Unanswered as error:
            outcome = error
        api.close()
        return outcome, [each for each in server.asked if each.method != "GET"]


def _kubeconfig(path: Path, url: str) -> Path:
    token = {"name": "u", "user": {"token": "s3cret"}}
    cluster = {"name": "c", "cluster": {"server": url}}
    context = {"name": "only", "context": {"cluster": "c", "user": "u"}}
    config = {"current-context": "only", "contexts": [context], "clusters": [cluster], "users": [token]}
    path.write_text(json.dumps(config))
    return path


POD = Target("Pod", "shop", "web-1", "u1")
FOUND = {"metadata": {"name": "web-1", "uid": "u1", "resourceVersion": "7"}, "spec": {"nodeName": NODE}}
TAKEN = {"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201}


def writes(write: Any) -> Callable[[Asked], Any]:
    return lambda request: page(200, FOUND) if request.method == "GET" else write


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (DROP, "Pod shop/web-1: the Kubernetes API dropped the connection"),
        (page(502, "<h1>Bad gateway</h1>", "text/html"), "Pod shop/web-1: 502 that does not say what became of it"),
        (page(201, "<h1>Hello</h1>", "text/html"), "Pod shop/web-1: 201 that does not say what became of it"),
        (page(201, "cut off {"), "Pod shop/web-1: 201 that does not say what became of it"),
        (page(503, "no upstream", "text/plain"), "Pod shop/web-1: the Kubernetes API answers 503: no upstream"),
        (page(429, "Too many requests", "text/plain"), "Pod shop/web-1: the Kubernetes API is too busy (429)"),
    ],
    ids=["dropped", "bad gateway", "a page", "half an answer", "no upstream", "too busy"],
)  # fmt: skip
def test_a_write_without_an_answer_is_sent_once_and_open(tmp_path: Path, write: Any, reason: str) -> None:
    outcome, sent = asked(tmp_path, writes(write), Evict(POD, NODE))
    assert isinstance(outcome, Unreachable)
    assert outcome.reason == reason
    assert len(sent) == 1


def test_a_write_that_was_turned_away_is_sent_again_with_new_credentials(tmp_path: Path) -> None:
    answers = [page(401, {"kind": "Status", "apiVersion": "v1", "code": 401}), page(201, TAKEN)]
    outcome, sent = asked(
        tmp_path, lambda each: page(200, FOUND) if each.method == "GET" else answers.pop(0), Evict(POD, NODE)
    )
    assert outcome == Done()
    assert len(sent) == 2


def test_a_write_that_is_turned_away_twice_is_refused(tmp_path: Path) -> None:
    turned = page(401, {"kind": "Status", "apiVersion": "v1", "code": 401})
    outcome, sent = asked(tmp_path, writes(turned), Evict(POD, NODE))
    assert isinstance(outcome, Refused)
    assert "unauthorized" in outcome.reason
    assert len(sent) == 2


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    moved = page(307, "", Location="http://127.0.0.1:9/")
    outcome, sent = asked(tmp_path, writes(moved), Evict(POD, NODE))
    assert isinstance(outcome, Refused)
    assert len(sent) == 1


def test_warnings_come_with_the_outcome(tmp_path: Path) -> None:
    answer = page(201, TAKEN, Warning='299 - "shop/web-1: \\"latest\\" is no version"')
    outcome, _ = asked(tmp_path, writes(answer), Evict(POD, NODE))
    assert outcome == Done(warnings=('shop/web-1: "latest" is no version',))


def test_what_a_webhook_says_is_told_and_is_no_question_of_permissions(tmp_path: Path) -> None:
    words = 'admission webhook "policy.shop" denied the request: not on Fridays'
    status = {"kind": "Status", "apiVersion": "v1", "code": 403, "reason": "Forbidden", "message": words}
    outcome, _ = asked(tmp_path, writes(page(403, status)), Evict(POD, NODE))
    assert outcome == Rejected(f"Pod shop/web-1: {words}")


@pytest.mark.parametrize(
    "words", ["DisruptedPods map too big - too many evictions", "pdb disruptions allowed is negative"]
)
def test_a_budget_whose_controller_is_behind_blocks(tmp_path: Path, words: str) -> None:
    message = f'pods "web-1" is forbidden: {words}'
    status = {"kind": "Status", "apiVersion": "v1", "code": 403, "reason": "Forbidden", "message": message}
    outcome, _ = asked(tmp_path, writes(page(403, status)), Evict(POD, NODE))
    assert outcome == Blocked(f"Pod shop/web-1: {message}")


@pytest.mark.parametrize("effect", [Evict(POD, NODE), DeletePod(POD)], ids=["evict", "delete-pod"])
def test_a_server_that_has_only_just_started_is_asked_again(
    tmp_path: Path, effect: Evict | DeletePod
) -> None:
    message = 'pods "web-1" is forbidden: not yet ready to handle request'
    status = {"kind": "Status", "apiVersion": "v1", "code": 403, "reason": "Forbidden", "message": message}
    outcome, _ = asked(tmp_path, writes(page(403, status)), effect)
    assert isinstance(outcome, Unreachable) and message in outcome.reason


@pytest.mark.parametrize("effect", [Evict(POD, NODE), DeletePod(POD)], ids=["evict", "delete-pod"])
def test_a_pod_that_others_write_to_is_tried_again(tmp_path: Path, effect: Evict | DeletePod) -> None:
    words = 'Operation cannot be fulfilled on pods "web-1": the object has been modified'
    status = {"kind": "Status", "apiVersion": "v1", "code": 409, "reason": "Conflict", "message": words}
    outcome, _ = asked(tmp_path, writes(page(409, status)), effect)
    assert outcome == Blocked(f"Pod shop/web-1: {words}")


def test_a_name_that_is_no_name_goes_nowhere(tmp_path: Path) -> None:
    bad = replace(POD, name="../nodes/x")
    outcome, sent = asked(tmp_path, writes(page(201, TAKEN)), DeletePod(bad))
    assert isinstance(outcome, Refused)
    assert sent == []


def test_every_write_names_its_manager_and_a_rehearsal_says_so_everywhere(tmp_path: Path) -> None:
    with RudeServer(writes(page(200, TAKEN))) as server:
        api = Api(ClusterSite(), _kubeconfig(tmp_path / "config", server.url))
        for effect in (Evict(POD, NODE), DeletePod(POD), relabel(POD)):
            Rehearsals(api).rehearse(effect, soon())
        api.close()
        sent = [each for each in server.asked if each.method != "GET"]
    assert all("dryRun=All" in each.target for each in sent)
    assert json.loads(sent[1].body)["dryRun"] == ["All"]  # options in a body make the query void
    assert ["fieldManager=sre-bot" in each.target for each in sent] == [True, False, True]
