"""One pod on the Kubernetes stand-in, with its controllers: its evidence, an isolation and its end, a deletion.

Plans come from real reads, effects are really carried out, and the proof is read from the cluster again. That
people are asked in between is tests/edges/test_change.py's.
"""

import time
from collections.abc import Generator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.state import State
from commands.change import Doing, Who
from commands.effects import Already, Done
from commands.errors import Refused
from commands.finding import Light
from commands.model import Args, Gap, Read, Reads, Section, Seen
from commands.plan import Go, Mark, Plan, Progress, Result, Standing, Verdict
from commands.pod import deletion, evidence, proof, quarantine
from commands.podreads import (
    ContainerLog,
    Controller,
    Document,
    Network,
    NetworkAgent,
    NetworkView,
    OnePod,
    PodFacts,
    Policies,
    PolicyView,
)
from commands.scheduling import QUARANTINE
from commands.site import ClusterSite
from sandbox.controlplane import ControlPlane
from sandbox.house import PATIENCE, wait_until
from sandbox.kube import KubeStandIn, build
from sandbox.kube.faults import Break
from sandbox.testkubelet import TestKubelet
from tests import build as records
from workers.clients import Own
from workers.cluster import Cluster
from workers.effects import Effects, Rehearsals
from workers.reader import Reader

SITE = ClusterSite()
NS = SITE.namespaces.app
WHO = Who("R2345ABCD", "U0ALICE0001", "it mines coins", records.NOW)
QUARANTINED = f"{QUARANTINE}={WHO.request}"


class Shop:
    """Three pods of a Deployment behind a Service, and everything that reads and changes them."""

    def __init__(self, kube: Any, state: State, kubeconfig: Path) -> None:
        self.kube, self.state = kube, state
        self.marks: dict[str, Mark] = {}
        self.cluster = Cluster(SITE, kubeconfig)
        self.effects = Effects(self.cluster.api)
        kube.apply([build.node("node-1"), build.node("node-2")])
        kube.apply(build.service("web", NS, selector={"app": "web"}))
        kube.apply(build.deployment("web", NS, replicas=3, labels={"app": "web"}))
        kube.settle()

    @property
    def pods(self) -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.kube.list("pods", NS))

    def pod(self, name: str) -> Any:
        return self.kube.get("pods", name, NS)

    @property
    def backends(self) -> set[str]:
        slices = self.kube.list("endpointslices.discovery.k8s.io", NS)
        return {each["targetRef"]["name"] for one in slices for each in one.get("endpoints") or ()}

    def see(self, reads: Reads) -> Seen:
        return Reader(
            (self.cluster, Rehearsals(self.cluster.api), Own(self.state, "webhook"))
        ).see(reads, time.monotonic() + 10)  # fmt: skip

    def read(self, read: Read) -> Any:
        return self.see((read,))[read]

    def told(self, generator: Generator[Reads, Seen, Any]) -> Any:
        try:
            reads = next(generator)
            while True:
                reads = generator.send(self.see(reads))
        except StopIteration as end:
            return end.value

    def plan(self, verb: str, name: str, **flags: str) -> Plan:
        plans = {"delete": deletion.plan, "isolate": quarantine.isolate, "release": quarantine.release}
        found = self.told(plans[verb](Args("pod", verb, name, flags=flags), SITE, WHO))
        assert isinstance(found, Plan)
        return found

    def carry_out(self, verb: str, plan: Plan) -> Verdict:
        """Every wave once the one before is proved, and then on until it is over."""
        self.marks = {}
        for wave in plan.waves:
            for step in wave.steps:
                outcome = self.effects.apply(step.effect, time.monotonic() + 10)
                assert isinstance(outcome, Done | Already), outcome
            self.until(verb, plan, {step.key for step in wave.steps})
        return self.until(verb, plan, set())

    def until(self, verb: str, plan: Plan, proved: set[str]) -> Verdict:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, "it does not come to an end"
            verdict = self.verify(verb, plan)
            self.marks |= {key: Mark(Standing.PROVED, records.NOW) for key in verdict.proved}
            if proved and proved <= set(verdict.proved):
                return verdict
            if not proved and verdict.result is not Result.WAITING:
                return verdict
            self.kube.tick()

    def verify(self, verb: str, plan: Plan, **changes: Any) -> Verdict:
        proofs = {"delete": deletion.verify, "isolate": proof.isolated, "release": proof.released}
        progress = Progress("worker", records.NOW, records.NOW + timedelta(minutes=5), self.marks)
        found = self.told(proofs[verb](Doing(Args("pod"), plan, progress, **changes), SITE))
        assert isinstance(found, Verdict)
        return found


@pytest.fixture
def kube() -> Iterator[KubeStandIn]:
    with KubeStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def shop(kube: KubeStandIn, state: State, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(kube, state, kube.kubeconfig(tmp_path / "config"))
    yield made
    made.cluster.close()


# --- isolate and release ------------------------------------------------------------------------------


def test_an_isolated_pod_runs_on_without_traffic_and_another_takes_its_place(shop: Shop) -> None:
    name, before = shop.pods[0], shop.pods
    uid = shop.pod(name)["metadata"]["uid"]
    plan = shop.plan("isolate", name)
    assert shop.carry_out("isolate", plan).result is Result.SUCCEEDED
    shop.kube.settle()
    held = shop.pod(name)
    assert held["metadata"]["uid"] == uid
    assert held["status"]["phase"] == "Running"
    assert held["metadata"]["labels"] == {QUARANTINE: WHO.request}
    assert len(shop.pods) == len(before) + 1
    assert name not in shop.backends and len(shop.backends) == 3
    [policy] = shop.kube.list("networkpolicies.networking.k8s.io", NS)
    assert policy["spec"]["podSelector"] == {"matchLabels": {QUARANTINE: WHO.request}}
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert not policy["spec"].get("ingress") and not policy["spec"].get("egress")


def test_a_released_pod_has_its_labels_again_and_no_policy_is_left(shop: Shop) -> None:
    name = shop.pods[0]
    labels = dict(shop.pod(name)["metadata"]["labels"])
    shop.carry_out("isolate", shop.plan("isolate", name))
    shop.kube.settle()
    plan = shop.plan("release", name)
    [surplus] = [finding for finding in plan.findings if finding.key == "release.surplus"]
    assert "one too many" in surplus.value
    assert shop.carry_out("release", plan).result is Result.SUCCEEDED
    back = shop.pod(name)
    assert back is None or back["metadata"]["labels"] == labels
    assert shop.kube.list("networkpolicies.networking.k8s.io", NS) == []
    shop.kube.settle()
    assert len(shop.pods) == 3, "the controller has deleted one of the four"


def test_a_policy_of_two_isolated_pods_goes_with_the_last(shop: Shop) -> None:
    first, second = shop.pods[:2]
    shop.carry_out("isolate", shop.plan("isolate", first))
    shop.carry_out("isolate", shop.plan("isolate", second))  # the same request, as nobody would ask it
    shop.carry_out("release", shop.plan("release", first))
    assert len(shop.kube.list("networkpolicies.networking.k8s.io", NS)) == 1
    shop.carry_out("release", shop.plan("release", second))
    assert shop.kube.list("networkpolicies.networking.k8s.io", NS) == []


def test_an_effect_that_is_repeated_changes_nothing(shop: Shop) -> None:
    plan = shop.plan("isolate", shop.pods[0])
    shop.carry_out("isolate", plan)
    again = [shop.effects.apply(step.effect, time.monotonic() + 10) for step in plan.steps]
    assert all(isinstance(outcome, Already) for outcome in again)


def test_a_dry_run_changes_nothing_and_says_what_the_api_server_would_say(shop: Shop) -> None:
    name, before = shop.pods[0], shop.kube.store.revision
    plan = shop.plan("isolate", name, **{"dry-run": ""})
    assert plan.rehearsal == (
        f"NetworkPolicy {NS}/sre-bot-quarantine-r2345abcd: would be taken",
        f"Pod {NS}/{name}: would be taken",
    )
    assert shop.kube.store.revision == before


def test_an_opening_policy_no_longer_finds_the_pod(shop: Shop) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "open", "namespace": NS},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }  # fmt: skip
    shop.kube.apply(policy)
    plan = shop.plan("isolate", shop.pods[0])
    [finding] = [each for each in plan.findings if each.key == "isolate.policies"]
    assert finding.light is Light.GREEN
    assert PolicyView(
        target=shop.read(Policies(NS))[0].target, selector={"matchLabels": {"app": "web"}}, allows=frozenset({"Ingress"})
    ) in shop.read(Policies(NS))  # fmt: skip


def test_a_pod_that_somebody_deleted_after_its_isolation_is_told(shop: Shop) -> None:
    plan = shop.plan("isolate", shop.pods[0])
    shop.carry_out("isolate", plan)
    shop.kube.vanish("pods", plan.steps[1].effect.target.name, NS)
    verdict = shop.verify("isolate", plan)
    assert verdict.result is Result.FAILED
    assert "is gone" in verdict.summary


# --- what enforces policies ---------------------------------------------------------------------------


def aws_node(enabled: bool) -> Any:
    containers = [
        build.container("aws-node"),
        {**build.container("aws-eks-nodeagent"), "args": [f"--enable-network-policy={str(enabled).lower()}"]},
    ]
    return build.daemonset("aws-node", "kube-system", labels={"k8s-app": "aws-node"}, containers=containers)


@pytest.mark.parametrize(("enabled", "light"), [(True, Light.GREEN), (False, Light.YELLOW)])
def test_the_switch_of_the_vpc_cni_is_found(shop: Shop, enabled: bool, light: Light) -> None:
    shop.kube.apply(aws_node(enabled))
    [finding] = [f for f in shop.plan("isolate", shop.pods[0]).findings if f.key == "isolate.enforced"]
    assert finding.light is light


def test_auto_mode_says_it_in_its_config_map(shop: Shop) -> None:
    data = {"enable-network-policy-controller": "true"}
    name = {"name": "amazon-vpc-cni", "namespace": "kube-system"}
    shop.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": data})
    assert shop.read(Network()) == NetworkView((), auto_mode="true")


def test_a_config_map_that_may_not_be_read_says_nothing(shop: Shop) -> None:
    shop.kube.apply(aws_node(True))
    shop.kube.deny("get", "configmaps")
    view = shop.read(Network())
    assert view == NetworkView(
        (NetworkAgent("kube-system", "aws-node", ("--enable-network-policy=true",)),), auto_mode=""
    )


# --- delete -------------------------------------------------------------------------------------------


def test_a_deleted_pod_is_gone_by_uid_and_its_controller_is_complete_again(shop: Shop) -> None:
    name = shop.pods[0]
    plan = shop.plan("delete", name)
    assert plan.go is Go.GO
    assert shop.carry_out("delete", plan).result is Result.SUCCEEDED
    shop.kube.settle()
    assert name not in shop.pods and len(shop.pods) == 3


def test_a_pod_without_a_controller_is_a_risk_for_two_and_stays_away(shop: Shop) -> None:
    shop.kube.apply(build.pod("alone", NS, node="node-1", labels={"app": "alone"}))
    plan = shop.plan("delete", "alone")
    assert (plan.go, plan.approvers) == (Go.RISK, 2)
    assert shop.carry_out("delete", plan).result is Result.SUCCEEDED
    shop.kube.settle()
    assert "alone" not in shop.pods


def test_a_spent_budget_is_named_and_passed_over(shop: Shop) -> None:
    shop.kube.apply(build.pdb("web", NS, selector={"app": "web"}, min_available=3))
    shop.kube.settle()
    plan = shop.plan("delete", shop.pods[0])
    [finding] = [each for each in plan.findings if each.key == "delete.budget"]
    assert finding.light is Light.YELLOW
    assert finding.evidence == (f"{NS}/web: 3 healthy, 3 needed",)


def test_an_isolated_pod_is_deleted_only_once_its_evidence_is_kept(shop: Shop) -> None:
    name = shop.pods[0]
    shop.carry_out("isolate", shop.plan("isolate", name))
    assert shop.plan("delete", name).go is Go.BLOCKED
    uid = shop.pod(name)["metadata"]["uid"]
    shop.state.change().remind(f"evidence:{uid}", "RTEST", timedelta(days=1)).commit()
    assert shop.plan("delete", name).go is not Go.BLOCKED


def test_a_pod_that_is_not_there_and_one_that_may_not_be_read_block_with_the_way_out(shop: Shop) -> None:
    assert "there is no pod" in shop.plan("delete", "nobody").findings[0].value
    shop.kube.deny("get", "pods")
    [finding] = shop.plan("delete", shop.pods[0]).findings
    assert finding.light is Light.RED
    assert "pods" in finding.mend


# --- evidence -----------------------------------------------------------------------------------------


def kept(shop: Shop, name: str) -> Section:
    [part] = evidence.parts(Args("pod", "evidence", name), SITE).values()
    found = shop.told(part.inquiry)
    assert isinstance(found, Section)
    return found


def test_evidence_holds_the_logs_of_all_containers_and_runs_and_the_objects(shop: Shop) -> None:
    containers = [build.container("app"), build.container("sidecar")]
    init = [build.container("init")]
    over = {"exitCode": 137, "reason": "OOMKilled"}
    shop.kube.apply(
        build.pod("sick", NS, node="node-1", containers=containers, initContainers=init, terminated=over)
    )
    shop.kube.log(NS, "sick", "2026-11-23T08:00:00Z before the end", container="app", previous=True)
    shop.kube.log(NS, "sick", "2026-11-23T08:10:00Z starting €\n2026-11-23T08:10:01Z up", container="app")
    shop.kube.log(NS, "sick", "2026-11-23T07:59:00Z migrated", container="init")
    shop.kube.apply(build.event("sick.1", NS, about=shop.pod("sick"), reason="BackOff"))
    section = kept(shop, "sick")
    text = section.attachments[0].content
    assert "2026-11-23T08:00:00Z before the end" in text
    assert "starting €" in text and "Z migrated" in text
    assert "BackOff" in text
    assert '"kind": "Pod"' in text and '"kind": "Node"' in text
    assert "managedFields" not in text
    assert section.attachments[0].evidence_of == (shop.pod("sick")["metadata"]["uid"],)


def test_the_objects_above_the_pod_are_in_it(shop: Shop) -> None:
    text = kept(shop, shop.pods[0]).attachments[0].content
    assert "  deployment-web.json" in text
    assert "  replicaset-web-" in text


def test_logs_that_may_not_be_read_keep_the_pod_from_counting_as_kept(shop: Shop) -> None:
    shop.kube.deny("get", "pods/log")
    section = kept(shop, shop.pods[0])
    assert section.attachments[0].evidence_of == ()
    assert section.findings[0].light is Light.UNKNOWN
    assert "pods/log" in section.findings[0].mend


def test_the_latest_lines_are_kept_of_a_long_log(shop: Shop) -> None:
    """The API's own bound keeps the oldest of what was asked for."""
    name = shop.pods[0]
    shop.kube.log(NS, name, "\n".join(f"line {n} {'x' * (n % 90)}" for n in range(30_000)))
    container = shop.pod(name)["spec"]["containers"][0]["name"]
    log = shop.read(ContainerLog(NS, name, container, limit=50_000))
    assert log.is_cut
    assert 25_000 < len(log.text) <= 50_000
    assert log.text.splitlines()[-1].split(" ", 1)[1].startswith("line 29999 ")


def test_a_short_log_is_whole(shop: Shop) -> None:
    name = shop.pods[0]
    container = shop.pod(name)["spec"]["containers"][0]["name"]
    shop.kube.log(NS, name, "2026-11-23T08:10:00Z one")
    log = shop.read(ContainerLog(NS, name, container))
    assert (log.is_cut, log.missing) == (False, "")
    assert log.text.endswith("one\n")


def test_a_line_that_does_not_fit_alone_is_cut(shop: Shop) -> None:
    name = shop.pods[0]
    container = shop.pod(name)["spec"]["containers"][0]["name"]
    shop.kube.log(NS, name, "y" * 10_000)
    log = shop.read(ContainerLog(NS, name, container, limit=1_000))
    assert log.is_cut and len(log.text) == 1_000


def test_a_run_that_never_was_is_missing_and_no_gap(shop: Shop) -> None:
    name = shop.pods[0]
    container = shop.pod(name)["spec"]["containers"][0]["name"]
    log = shop.read(ContainerLog(NS, name, container, previous=True))
    assert log.text == ""
    assert log.missing == f'previous terminated container "{container}" in pod "{name}" not found'


def test_a_log_of_a_pod_that_is_gone_and_an_api_that_fails_are_gaps(shop: Shop) -> None:
    assert isinstance(shop.read(ContainerLog(NS, "nobody", "app")), Gap)
    shop.kube.fail(Break(500), "get", "pods/log")
    name = shop.pods[0]
    assert isinstance(shop.read(ContainerLog(NS, name, "app")), Gap)


def test_the_facts_of_a_pod_are_as_the_api_has_them(shop: Shop) -> None:
    owner = {"apiVersion": "v1", "kind": "Rollout", "name": "r", "uid": "u", "controller": True}
    shop.kube.apply(
        build.pod(
            "full", NS, node="node-1", owner=owner, annotations={"kubernetes.io/config.mirror": "x"},
            containers=[build.container("app")], initContainers=[build.container("init")],
            terminationGracePeriodSeconds=0, hostNetwork=True,
            volumes=[{"name": "cache", "emptyDir": {}}, {"name": "x", "hostPath": {"path": "/"}}],
        )
    )  # fmt: skip
    facts = shop.read(OnePod(NS, "full"))
    assert isinstance(facts, PodFacts)
    assert facts.controller == Controller("Rollout", "r", "u")
    assert (facts.grace, facts.is_mirror, facts.on_host_network, facts.is_ready) == (0, True, True, True)
    assert facts.empty_dirs == ("cache",)
    assert [(run.name, run.kind) for run in facts.runs] == [("init", "init"), ("app", "")]
    assert [run.digest.partition("@")[2][:7] for run in facts.runs if run.name == "app"] == ["sha256:"]
    assert shop.read(OnePod(NS, "nobody")) is None
    assert shop.read(Document("Job", NS, "nobody")) is None


def test_a_name_that_is_a_path_is_never_asked_for(shop: Shop) -> None:
    with pytest.raises(Refused):
        shop.cluster.read(ContainerLog(NS, "../../secrets", "app"), time.monotonic() + 5)


# --- The same on the real control plane ---------------------------------------------------------------


@pytest.mark.cluster
def test_the_real_controllers_let_an_isolated_pod_go_and_take_it_back(state: State) -> None:
    with ControlPlane() as plane:
        plane.add_node("node-1")
        plane.add_namespace(NS)
        root = f"/apis/apps/v1/namespaces/{NS}"
        pods = f"/api/v1/namespaces/{NS}/pods"
        plane.request(
            "POST", f"/api/v1/namespaces/{NS}/services", build.service("web", NS, selector={"app": "web"})
        )
        plane.request(
            "POST", f"{root}/deployments", build.deployment("web", NS, replicas=2, labels={"app": "web"})
        )

        def names() -> list[str]:
            items = plane.request("GET", pods)["items"]
            return sorted(
                each["metadata"]["name"] for each in items if not each["metadata"].get("deletionTimestamp")
            )

        def complete() -> bool:
            return bool(
                plane.request("GET", f"{root}/deployments/web").get("status", {}).get("readyReplicas") == 2
            )

        with TestKubelet(plane, ("node-1",)):
            shop = Shop(Plane(), state, plane.kubeconfig)
            wait_until(complete)
            name = names()[0]
            labels = plane.request("GET", f"{pods}/{name}")["metadata"]["labels"]
            plan = shop.plan("isolate", name)
            assert shop.carry_out("isolate", plan).result is Result.SUCCEEDED
            wait_until(lambda: len(names()) == 3 and complete())
            held = plane.request("GET", f"{pods}/{name}")["metadata"]
            assert held["labels"][QUARANTINE] == WHO.request
            assert not held["labels"].keys() & {"app", "pod-template-hash"}
            assert not held.get("ownerReferences")
            plan = shop.plan("release", name)
            [surplus] = [finding for finding in plan.findings if finding.key == "release.surplus"]
            assert "one too many" in surplus.value
            assert shop.carry_out("release", plan).result is Result.SUCCEEDED
            wait_until(lambda: len(names()) == 2)
            survivors = [plane.request("GET", f"{pods}/{each}")["metadata"] for each in names()]
            assert all(each["labels"] == labels for each in survivors)
            gone = names()[0]
            assert shop.carry_out("delete", shop.plan("delete", gone)).result is Result.SUCCEEDED
            assert gone not in names()
            shop.cluster.close()


class Plane:
    """In place of the stand-in, whose rounds a test calls: here they come by themselves."""

    def apply(self, objects: Any) -> None:
        """The test makes its own."""

    def settle(self) -> None:
        """It does so."""

    def tick(self) -> None:
        time.sleep(0.1)
