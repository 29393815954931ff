"""The shipped roles, tried out: with them every question is allowed and every effect done, without them not.

What is asked is what the clients really ask, on the stand-in and on a real API server; the stand-in also tells
that no role grants what nobody asks for.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_effects import World, every_effect

from bot import rbac
from commands import podreads, reads, scheduling, securityreads, triagereads, workloads
from commands.effects import Already, Done, Rejected, Silence, Target, Unsilence
from commands.errors import Unanswered
from commands.model import Read
from commands.needs import EFFECTS, READS, Action, Extra, Rule, rules
from commands.reads import DryRun
from commands.site import ClusterSite, service_address
from sandbox.controlplane import NO_CONTROLLERS, ControlPlane
from sandbox.kube import KubeStandIn, build
from workers.api import Api
from workers.cluster import Cluster
from workers.effects import Effects, ProxiedWrites, Rehearsals

Json = dict[str, Any]
Right = tuple[str, str, str]

READER, CHANGER = "sre-bot-read", "sre-bot-change"
SHOP = "shop"
DEPLOYMENT, SET = Target("Deployment", SHOP, "web", "u"), Target("StatefulSet", SHOP, "db", "u")

# Every question to the API server, in each of its ways to ask.
QUESTIONS: Mapping[type[Read], tuple[Read, ...]] = {
    reads.Nodes: (reads.Nodes(),),
    reads.Pods: (reads.Pods(), reads.Pods(SHOP)),
    reads.Endpoints: (reads.Endpoints(SHOP, "web"),),
    reads.Deployment: (reads.Deployment(SHOP, "web"),),
    reads.NodeMetrics: (reads.NodeMetrics(),),
    scheduling.NodeDetails: (scheduling.NodeDetails(), scheduling.NodeDetails(("n1",))),
    scheduling.AttachLimits: (scheduling.AttachLimits(),),
    scheduling.PodsOnNode: (scheduling.PodsOnNode("n1"),),
    scheduling.Newcomer: tuple(
        scheduling.Newcomer(kind, SHOP, "web") for kind in ("Deployment", "StatefulSet", "ReplicaSet")
    ),
    scheduling.Placements: (scheduling.Placements(),),
    scheduling.Budgets: (scheduling.Budgets(),),
    scheduling.Owners: tuple(
        scheduling.Owners(kind) for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Job")
    ),
    scheduling.Backends: (scheduling.Backends(),),
    scheduling.Webhooks: (scheduling.Webhooks(),),
    scheduling.Volumes: (scheduling.Volumes(),),
    workloads.Workload: (workloads.Workload(SHOP, "web"), workloads.Workload(SHOP, "db", "StatefulSet")),
    workloads.Workloads: (workloads.Workloads(""), workloads.Workloads(SHOP)),
    workloads.Revisions: tuple(workloads.Revisions(each, "app=web") for each in (DEPLOYMENT, SET)),
    workloads.Members: (workloads.Members(SHOP, "app=web"),),
    workloads.Autoscalers: (workloads.Autoscalers(SHOP),),
    workloads.WorkloadBudgets: (workloads.WorkloadBudgets(SHOP),),
    workloads.Quotas: (workloads.Quotas(SHOP),),
    workloads.ServicesOf: (workloads.ServicesOf(SHOP),),
    workloads.IngressesOf: (workloads.IngressesOf(SHOP),),
    workloads.Referred: tuple(
        workloads.Referred(SHOP, kind, "web")
        for kind in ("ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim")
    ),
    podreads.PodDetails: (podreads.PodDetails(SHOP),),
    podreads.PodRows: (podreads.PodRows(), podreads.PodRows(SHOP)),
    podreads.ConfigMapChange: (podreads.ConfigMapChange(SHOP, "web"),),
    podreads.PodMetrics: (podreads.PodMetrics(SHOP),),
    podreads.NodeDisk: (podreads.NodeDisk("n1"),),
    podreads.Events: (podreads.Events(SHOP),),
    podreads.OnePod: (podreads.OnePod(SHOP, "web-1"),),
    podreads.Document: tuple(
        podreads.Document(kind, "" if kind == "Node" else SHOP, "web-1")
        for kind in ("Pod", "Node", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job")
    ),
    podreads.ContainerLog: (podreads.ContainerLog(SHOP, "web-1", "web"),),
    podreads.Network: (podreads.Network(),),
    podreads.Policies: (podreads.Policies(SHOP),),
    podreads.IsolatedPods: (podreads.IsolatedPods(SHOP),),
    securityreads.Ranges: (securityreads.Ranges(),),
    securityreads.Account: (securityreads.Account(SHOP, "web"),),
    securityreads.AccountPods: (securityreads.AccountPods(SHOP, "web"),),
    securityreads.AccountTokens: (securityreads.AccountTokens(SHOP, "web"),),
    securityreads.Scalers: (securityreads.Scalers(SHOP),),
    securityreads.Schedules: (securityreads.Schedules(SHOP),),
    securityreads.Flag: (securityreads.Flag(SHOP, "web", "read-only"),),
    triagereads.Changes: (triagereads.Changes(SHOP), triagereads.Changes("")),
    triagereads.OwnerNotes: tuple(
        triagereads.OwnerNotes(SHOP, f"{kind}/web")
        for kind in ("deployment", "statefulset", "daemonset", "job", "cronjob")
    ),
    triagereads.NamespaceNotes: (triagereads.NamespaceNotes(),),
    triagereads.PodSpecOf: (triagereads.PodSpecOf(SHOP, "web-1"),),
    triagereads.Claim: (triagereads.Claim(SHOP, "data"),),
    triagereads.Jobs: (triagereads.Jobs(SHOP), triagereads.Jobs(SHOP, "web")),
    triagereads.CronJob: (triagereads.CronJob(SHOP, "web"),),
    triagereads.NodeLease: (triagereads.NodeLease("n1"),),
    triagereads.NodeClaims: (triagereads.NodeClaims(),),
    triagereads.ApiServices: (triagereads.ApiServices(),),
    triagereads.ProviderId: (triagereads.ProviderId("n1"),),
}

# Asked through workers/stack.py by the proxy of the API server.
BY_PROXY = {Extra.PODS_PROXY, Extra.SERVICES_PROXY}


def asked_of_kubernetes() -> list[type[Read]]:
    wanted = {kind: [need for need in needs if isinstance(need, Rule)] for kind, needs in READS.items()}
    return [
        kind for kind, needs in wanted.items() if needs and not {rule.extra for rule in needs} <= BY_PROXY
    ]


def test_every_question_to_the_api_server_is_tried_here() -> None:
    assert set(QUESTIONS) == set(asked_of_kubernetes())


@dataclass
class Rights:
    """An API server with the shipped roles; a client for each of the two accounts. kube: only of the stand-in."""

    world: World
    reader: Api
    changer: Api
    looking: Cluster
    kube: KubeStandIn | None = None


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.cluster)])
def rights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rights]:
    folder = tmp_path_factory.mktemp("rights")
    if request.param == "real":
        with ControlPlane(controllers=NO_CONTROLLERS, scheduler=False) as plane:
            yield from _granted(World(plane.url, plane.token, plane.ca, plane.kubeconfig, folder), folder)
        return
    with KubeStandIn(tls=True) as kube:
        kube.metrics.switch("present")
        assert kube.ca is not None
        config = kube.kubeconfig(folder / "config")
        yield from _granted(World(kube.url, kube.token, kube.ca, config, folder), folder, kube)


PLACES = {
    "ServiceAccount": "/api/v1/namespaces/sre-bot/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


def _granted(world: World, folder: Path, kube: KubeStandIn | None = None) -> Iterator[Rights]:
    for space in ("sre-bot", SHOP):
        assert world.http.post("/api/v1/namespaces", json={"metadata": {"name": space}}).status_code == 201
    for each in yaml.safe_load_all(rbac.manifest()):
        answer = world.http.post(PLACES[each["kind"]], json=each)
        assert answer.status_code == 201, answer.text
    for path, body in (*seeded(), *bound()):
        answer = world.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
    reader, changer = (_config(world, folder / name, _token(world, name, kube)) for name in (READER, CHANGER))
    looking = Cluster(ClusterSite(), reader)
    given = Rights(world, Api(ClusterSite(), reader), Api(ClusterSite(), changer), looking, kube)
    yield given
    for api in (given.reader, given.changer, looking, world):
        api.close()


def bound() -> Iterator[tuple[str, Json]]:
    """The roles that only an administrator gives, for the effects that need them."""
    group = "rbac.authorization.k8s.io"
    for extra in (Extra.TOKENS, Extra.FLAGS):
        role = {"apiGroup": group, "kind": "ClusterRole", "name": f"sre-bot-{extra}"}
        subject = {"kind": "ServiceAccount", "name": CHANGER, "namespace": "sre-bot"}
        named = {"metadata": {"name": f"sre-bot-{extra}"}, "roleRef": role, "subjects": [subject]}
        yield (
            PLACES["ClusterRoleBinding"],
            {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", **named},
        )


def seeded() -> Iterator[tuple[str, Json]]:
    """Without these some questions end before they asked for everything: what rolled out, and a claim."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "old", "uid": "u1", "controller": True}
    apps = f"/apis/apps/v1/namespaces/{SHOP}"
    for number in ("1", "2"):
        made = build.replicaset(f"old-{number}", SHOP, owner=owner, revision=int(number), replicas=0)
        yield f"{apps}/replicasets", made
        metadata = build.meta(f"set-{number}", SHOP, owner={**owner, "kind": "StatefulSet", "uid": "u2"})
        yield f"{apps}/controllerrevisions", {"metadata": metadata, "data": {}, "revision": int(number)}
    resources = {"requests": {"storage": "1Gi"}}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": resources,
        "storageClassName": "gp3",
        "volumeName": "pv",
    }
    path = f"/api/v1/namespaces/{SHOP}/persistentvolumeclaims"
    yield path, {"metadata": {"name": "data"}, "spec": spec}


def _token(world: World, account: str, kube: KubeStandIn | None) -> str:
    if kube:
        return kube.user(f"system:serviceaccount:sre-bot:{account}", rbac=True)
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = world.http.post(f"{PLACES['ServiceAccount']}/{account}/token", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["status"]["token"])


def _config(world: World, path: Path, token: str) -> Path:
    """The administrator's kubeconfig with another token."""
    config = json.loads(world.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path.write_text(json.dumps(config))
    return path


def refusal(rights: Rights, read: Read) -> str:
    """Why it was forbidden; "" when it was not, whatever else became of it."""
    try:
        rights.looking.read(read, time.monotonic() + 10)
    except Unanswered as error:
        return error.reason if "needs " in error.reason else ""
    return ""


def extras(kind: type[Read]) -> set[Extra | None]:
    return {need.extra for need in READS[kind] if isinstance(need, Rule)}


@pytest.mark.parametrize(
    "kind", [kind for kind in QUESTIONS if extras(kind) == {None}], ids=lambda k: k.__name__
)
def test_the_reading_account_may_ask_every_question(rights: Rights, kind: type[Read]) -> None:
    assert [refusal(rights, read) for read in QUESTIONS[kind]] == [""] * len(QUESTIONS[kind])


def test_what_stands_in_a_role_of_its_own_is_refused_with_what_is_missing(rights: Rights) -> None:
    assert "needs get on nodes/proxy" in refusal(rights, podreads.NodeDisk("n1"))
    told = {read.kind: refusal(rights, read) for read in QUESTIONS[workloads.Referred]}  # type: ignore[attr-defined]
    assert f"needs get on secrets in namespace {SHOP}" in told.pop("Secret")
    assert set(told.values()) == {""}


def test_of_what_changed_secrets_alone_are_refused(rights: Rights) -> None:
    seen = rights.looking.read(triagereads.Changes(SHOP), time.monotonic() + 10)
    assert (seen.unread, {change.name for change in seen.changes} >= {"old"}) == ((), True)
    assert seen.secrets and f"needs list on secrets in namespace {SHOP}" in seen.secrets.reason
    assert rights.looking.read(triagereads.Changes(""), time.monotonic() + 10).unread == ()


def test_the_claim_is_looked_at_with_all_that_hangs_on_it(rights: Rights) -> None:
    assert rights.looking.read(triagereads.Claim(SHOP, "data"), time.monotonic() + 10).unread == ()


def test_whoever_may_log_in_may_ask_whether_the_api_server_is_ready(rights: Rights) -> None:
    assert rights.looking.read(triagereads.ApiHealth(), time.monotonic() + 10) == ()


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/api/v1/secrets"),
        ("GET", f"/api/v1/namespaces/{SHOP}/serviceaccounts"),
        ("POST", f"/api/v1/namespaces/{SHOP}/pods/web-1/exec"),
        ("DELETE", "/api/v1/nodes/n1"),
        ("DELETE", f"/apis/apps/v1/namespaces/{SHOP}/deployments/web"),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ],
)
def test_what_nothing_declares_is_refused_to_both(rights: Rights, verb: str, path: str) -> None:
    for account in (READER, CHANGER):
        group, resource, sub, namespace = _parsed(path)
        verbs = {"GET": "list", "POST": "create", "DELETE": "delete"}
        wanted = {
            "verb": verbs[verb],
            "group": group,
            "resource": resource,
            "subresource": sub,
            "namespace": namespace,
        }
        assert not may(rights, account, wanted)


def _parsed(path: str) -> tuple[str, str, str, str]:
    parts = path.strip("/").split("/")
    group = parts[1] if parts[0] == "apis" else ""
    rest = parts[3:] if group else parts[2:]
    namespace = rest[1] if rest[0] == "namespaces" else ""
    rest = rest[2:] if namespace else rest
    return group, rest[0], (rest[2] if len(rest) > 2 else ""), namespace


def may(rights: Rights, account: str, wanted: Mapping[str, str]) -> bool:
    """What the API server itself says of this account's token."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:sre-bot:{account}",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:sre-bot", "system:authenticated"],
            "resourceAttributes": {key: value for key, value in wanted.items() if value},
        },
    }
    answer = rights.world.http.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review)
    assert answer.status_code == 201, answer.text
    return bool(answer.json()["status"].get("allowed"))


# Carried out in Alertmanager, or in AWS, and not by the API server: test_silencing.py, test_awswrites.py.
ELSEWHERE = {
    Silence,
    Unsilence,
    *(kind for kind, needs in EFFECTS.items() if all(isinstance(n, Action) for n in needs)),
}


@pytest.mark.parametrize("which", range(len(EFFECTS) - len(ELSEWHERE)))
def test_the_changing_account_may_rehearse_and_do_every_effect(rights: Rights, which: int) -> None:
    effect = every_effect(rights.world)[which]
    rehearsal = Rehearsals(rights.changer).read(DryRun(effect), time.monotonic() + 10)
    assert rehearsal.would, (effect.kind, rehearsal.said)
    outcome = Effects(rights.changer).apply(effect, time.monotonic() + 10)
    assert isinstance(outcome, Done | Already), (effect.kind, outcome)


def test_every_effect_is_among_those_tried(rights: Rights) -> None:
    assert {type(effect) for effect in every_effect(rights.world)} == set(EFFECTS) - ELSEWHERE


def test_the_reading_account_may_do_no_effect(rights: Rights) -> None:
    for effect in every_effect(rights.world):
        try:
            outcome = Effects(rights.reader).apply(effect, time.monotonic() + 10)
        except Unanswered as error:
            assert "needs " in error.reason
        else:
            assert isinstance(outcome, Rejected), (effect.kind, outcome)


# --- The stand-in alone keeps a list of what was asked ----------------------------------------------


STAND_IN = pytest.mark.parametrize("rights", ["stand-in"], indirect=True)


def heard(rights: Rights) -> KubeStandIn:
    assert rights.kube
    rights.kube.forget_requests()
    return rights.kube


def asked(kube: KubeStandIn, account: str) -> set[Right]:
    user = f"system:serviceaccount:sre-bot:{account}"
    every = (each.target for each in kube.requests if each.user == user)
    return {(target.verb, target.what, target.group) for target in every if target.is_resource}


def declared(table: Mapping[type, Any]) -> set[Right]:
    return {(rule.verb, rule.resource, rule.group) for rule in rules(table)}


@STAND_IN
@pytest.mark.parametrize("kind", QUESTIONS, ids=lambda kind: kind.__name__)
def test_a_question_asks_for_what_it_declares_and_nothing_else(rights: Rights, kind: type[Read]) -> None:
    kube = heard(rights)
    for read in QUESTIONS[kind]:
        refusal(rights, read)
    assert asked(kube, READER) == declared({kind: READS[kind]})


@STAND_IN
def test_the_proxies_ask_for_what_is_declared_of_them(rights: Rights) -> None:
    kube = heard(rights)
    address = service_address("http://prometheus.monitoring.svc:9090")
    assert address
    with pytest.raises(Unanswered, match="services/proxy"):
        rights.looking.via_service(address, "/-/ready", time.monotonic() + 5, 1000)
    assert asked(kube, READER) == declared({reads.Query: READS[reads.Query]})
    kube.forget_requests()
    for method in ("POST", "DELETE"):
        with pytest.raises(Unanswered, match="services/proxy"):
            ProxiedWrites(rights.reader).via_service(address, method, "/x", None, time.monotonic() + 5)
    silencing = {rule for rule in rules(EFFECTS) if rule.extra is Extra.SILENCES_PROXY}
    assert asked(kube, READER) == {(rule.verb, rule.resource, rule.group) for rule in silencing}
    kube.forget_requests()
    with pytest.raises(Unanswered, match="pods/proxy"):
        rights.looking.via_pod(SHOP, "web-1", 80, "/", deadline=time.monotonic() + 5, cap=1000)
    assert asked(kube, READER) == declared({reads.PodHttp: READS[reads.PodHttp]})


@STAND_IN
def test_effects_ask_for_what_they_declare_and_nothing_else(rights: Rights) -> None:
    kube = heard(rights)
    for effect in every_effect(rights.world):
        kube.forget_requests()
        Effects(rights.changer).apply(effect, time.monotonic() + 10)
        assert asked(kube, CHANGER) <= declared({type(effect): EFFECTS[type(effect)]}), effect.kind
