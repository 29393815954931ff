"""What the containment of an incident reads of a cluster, on the stand-in and on a real API server."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from test_effects import BEHAVIOR, MERGE, STOPPED, World, config_map, cron_job, token

from commands.podreads import IsolatedPods
from commands.scheduling import QUARANTINE
from commands.securityreads import (
    Account,
    AccountPod,
    AccountPods,
    AccountTokens,
    Flag,
    Ranges,
    Scalers,
    Schedules,
    ScheduleView,
)
from commands.site import ClusterSite
from sandbox.controlplane import NO_CONTROLLERS, ControlPlane
from sandbox.kube import KubeStandIn, build
from workers.cluster import Cluster


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.cluster)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if request.param == "real":
        with ControlPlane(controllers=NO_CONTROLLERS, scheduler=False) as plane:
            made = World(plane.url, plane.token, plane.ca, plane.kubeconfig, plane.kubeconfig)
            yield made
            made.close()
        return
    folder = tmp_path_factory.mktemp("kube")
    with KubeStandIn(tls=True) as kube:
        assert kube.ca is not None
        config = kube.kubeconfig(folder / "config")
        made = World(kube.url, kube.token, kube.ca, config, config)
        yield made
        made.close()


@pytest.fixture
def look(world: World) -> Iterator[Any]:
    cluster = Cluster(ClusterSite(), world.kubeconfig)
    yield lambda read: cluster.read(read, time.monotonic() + 30)
    cluster.close()


def test_the_addresses_of_nodes_pods_and_services_are_told(world: World, look: Any) -> None:
    addresses = [("InternalIP", "10.0.1.7"), ("ExternalIP", "192.0.2.7"), ("Hostname", "n1")]
    target = world.node()
    told = {"status": {"addresses": [{"type": kind, "address": each} for kind, each in addresses]}}
    path = f"/api/v1/nodes/{target.name}"
    for sub, patch in (
        ("/status", told),
        ("", {"spec": {"podCIDR": "10.244.7.0/24", "podCIDRs": ["10.244.7.0/24"]}}),
    ):
        answer = world.http.patch(path + sub, json=patch, headers={"Content-Type": MERGE})
        assert answer.status_code == 200, answer.text
    service = {"metadata": {"name": "kubernetes"}, "spec": {"ports": [{"port": 443}]}}
    world.http.post("/api/v1/namespaces/default/services", json=service)
    found = look(Ranges())
    assert {"10.0.1.7", "192.0.2.7"} <= set(found.nodes) and "n1" not in found.nodes
    assert "10.244.7.0/24" in found.pods
    kubernetes = world.http.get("/api/v1/namespaces/default/services/kubernetes").json()
    assert set(kubernetes["spec"].get("clusterIPs") or ()) <= set(found.services)


def test_an_account_and_what_runs_as_it(world: World, look: Any) -> None:
    space = world.space()
    assert look(Account(space, "backend")) is None
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/backend"}
    account = {"metadata": {"name": "backend", "annotations": role}}
    assert world.http.post(f"/api/v1/namespaces/{space}/serviceaccounts", json=account).status_code == 201
    found = look(Account(space, "backend"))
    assert (found.target.name, dict(found.annotations)) == ("backend", role)
    target = world.make(running(space))
    world.pod(space, "other-1")
    assert look(AccountPods(space, "backend")) == (
        AccountPod(
            target, "ReplicaSet backend-5f", frozenset({"old-token", "by-env", "by-all", "projected"}), True
        ),
    )


def running(space: str) -> dict[str, Any]:
    """A pod of the account that takes Secrets in every way, isolated."""
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "backend-5f",
        "uid": "u1",
        "controller": True,
    }
    by_env = {"name": "T", "valueFrom": {"secretKeyRef": {"name": "by-env", "key": "k"}}}
    container = build.container(env=[by_env, {"name": "PLAIN", "value": "x"}])
    container["envFrom"] = [{"secretRef": {"name": "by-all"}}, {"configMapRef": {"name": "no-secret"}}]
    volumes = [
        {"name": "a", "secret": {"secretName": "old-token"}},
        {"name": "b", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
        {"name": "c", "emptyDir": {}},
    ]
    made = build.pod("backend-1", space, labels={QUARANTINE: "r1"}, owner=owner, containers=[container])
    made["spec"] |= {"serviceAccountName": "backend", "volumes": volumes}
    return made


def test_tokens_of_the_account_are_told_without_what_is_in_them(world: World, look: Any) -> None:
    space = world.space()
    mine = token(world, space)
    metadata = {"name": "db", "namespace": space}
    world.make(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": "s3cret"}}
    )
    [found] = look(AccountTokens(space, "backend"))
    assert found.target == mine and found.created
    assert look(AccountTokens(space, "other")) == ()


def test_autoscalers_cron_jobs_and_flags_tell_how_they_stand(world: World, look: Any) -> None:
    space = world.space()
    world.make(build.hpa("busy", space, target="web", low=2, high=9, behavior=BEHAVIOR))
    world.make(build.hpa("calm", space, target="web", behavior=STOPPED))
    busy, calm = look(Scalers(space))
    assert (busy.kind, busy.name, busy.low, busy.high, busy.is_stopped) == ("Deployment", "web", 2, 9, False)
    assert (calm.target.name, calm.is_stopped) == ("calm", True)
    report = world.make(cron_job(space, suspend=True))
    assert look(Schedules(space)) == (ScheduleView(report, "0 3 * * *", True),)
    world.make(config_map(space, {"mine": "stays"}, mode="on"))
    flag = look(Flag(space, "settings", "mode"))
    assert (flag.value, dict(flag.annotations)) == ("on", {"mine": "stays"})
    assert look(Flag(space, "settings", "other")).value is None
    assert look(Flag(space, "none", "mode")) is None


def test_isolated_pods_are_found_by_their_label(world: World, look: Any) -> None:
    space = world.space()
    world.pod(space, "fine-1")
    target = world.pod(
        space, "bad-1", labels={QUARANTINE: "r1"}, annotations={"sre-bot/before-quarantine": "{}"}
    )
    [found] = look(IsolatedPods(space))
    assert (found.target, found.annotations) == (target, {"sre-bot/before-quarantine": "{}"})
