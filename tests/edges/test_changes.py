"""What changed lately: on the stand-in and on a real API server with its controllers, and on a rude server."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rude_server import Asked, RudeServer, page
from test_workloads import KINDS, World, image, released, workload, world

from commands.errors import Refused
from commands.site import ClusterSite
from commands.triagereads import Changes, ChangeSeen, ChangesSeen
from sandbox.kube import Hang, KubeStandIn, build
from workers.cluster import Cluster

__all__ = ("world",)  # the API servers of the workloads' tests serve here, too

Json = dict[str, Any]


def changed(world: World, space: str, kind: str = "", name: str = "web") -> list[ChangeSeen]:
    seen = world.read(Changes(space))
    assert isinstance(seen, ChangesSeen) and (seen.unread, seen.secrets) == ((), None)
    return [each for each in seen.changes if each.name == name and kind in ("", each.kind)]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


REAL = pytest.mark.parametrize(
    "world", [pytest.param("real", marks=pytest.mark.cluster)], indirect=True
)  # the stand-in keeps no managedFields


# --- On both API servers --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_is_told_with_what_it_changed(world: World, kind: str) -> None:
    space = released(world, kind)
    newest, first = changed(world, space, kind)
    assert (newest.what, newest.revision) == ("rollout of revision 2", 2)
    assert newest.differences == ("image app: shop:1.3 → shop:1.4",)
    assert (first.what, first.revision, first.differences) == ("created", 0, ())


def test_a_restart_is_told_as_one(world: World) -> None:
    space = released(world, "Deployment")
    note = {"kubectl.kubernetes.io/restartedAt": "2026-11-23T12:00:00Z"}
    world.change("Deployment", space, "web", {"spec": {"template": {"metadata": {"annotations": note}}}})
    world.has_revisions("Deployment", space, 3)
    restart = changed(world, space)[0]
    assert (restart.what, restart.revision) == ("restart, as revision 3", 0)


def test_a_secret_in_the_environment_is_named_and_no_more(world: World) -> None:
    space = released(world, "Deployment")
    env = [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "LEVEL", "value": "debug"}]
    more = {"spec": {"template": {"spec": {"containers": [{"name": "app", "env": env}]}}}}
    world.change("Deployment", space, "web", more)
    world.has_revisions("Deployment", space, 3)
    assert changed(world, space)[0].differences == (
        "env app DB_PASSWORD changed",
        'env app LEVEL: (none) → "debug"',
    )


@REAL
def test_who_rolled_out_and_who_scaled_is_told(world: World) -> None:
    assert changed(world, released(world, "StatefulSet"))[0].by == "python-httpx"
    space = world.space()
    world.make(workload("Deployment", space))
    world.has_revisions("Deployment", space, 1)
    path = f"/apis/apps/v1/namespaces/{space}/deployments/web/scale"
    merge = {"Content-Type": "application/merge-patch+json"}
    answer = world.http.patch(path, json={"spec": {"replicas": 3}}, headers=merge)
    assert answer.status_code == 200, answer.text
    scaled = world.until(
        lambda: [each for each in changed(world, space) if each.what == "scaled from 1 to 3"]
    )
    assert scaled[0].by == "python-httpx"


def test_what_was_written_is_named_and_nothing_of_what_is_in_it_is_told(world: World) -> None:
    space = world.space()
    core = f"/api/v1/namespaces/{space}"
    world.post(f"{core}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "not for us"}})
    world.post(f"{core}/secrets", {"metadata": {"name": "db"}, "stringData": {"password": "hunter2"}})
    labels = {"owner": "helm", "name": "shop", "version": "7", "status": "deployed"}
    release = {
        "metadata": {"name": "sh.helm.release.v1.shop.v7", "labels": labels},
        "type": "helm.sh/release.v1",
    }
    world.post(f"{core}/secrets", {**release, "stringData": {"release": "H4sI"}})
    hpa = build.hpa("web", space)
    world.post(f"/apis/autoscaling/v2/namespaces/{space}/horizontalpodautoscalers", hpa)
    seen = world.read(Changes(space))
    told = {(each.kind, each.name): each.what for each in seen.changes if each.kind != "Node"}
    assert told == {
        ("ConfigMap", "settings"): "created",
        ("Secret", "db"): "created",
        ("Helm release", "shop"): "helm upgrade to revision 7 (deployed)",
        ("HorizontalPodAutoscaler", "web"): "created",
    }
    assert not [word for word in ("not for us", "hunter2", "H4sI") if word in repr(seen)]


def test_nodes_that_came_and_went_are_told(world: World) -> None:
    name = f"n-{time.monotonic_ns()}"
    world.post("/api/v1/nodes", {"metadata": {"name": name}})
    about = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": f"{name}-old"}}
    gone = build.event(f"{name}-old", about=about, reason="RemovingNode", last=now())
    world.post("/api/v1/namespaces/default/events", gone)
    for space in ("", "default"):
        (came,), (went,) = changed(world, space, "Node", name), changed(world, space, "Node", f"{name}-old")
        assert (came.what, went.what, came.namespace) == ("created", "removed", "")


def test_in_the_whole_cluster_rollouts_of_every_namespace_are_told_and_no_config_maps(world: World) -> None:
    spaces = {released(world, "Deployment"), released(world, "StatefulSet")}
    for space in spaces:
        path = f"/api/v1/namespaces/{space}/configmaps"
        world.post(path, {"metadata": {"name": "web"}, "data": {"a": "b"}})
    seen = world.read(Changes(""))
    told = {(each.namespace, each.kind) for each in seen.changes if each.revision == 2}
    assert spaces <= {namespace for namespace, _ in told}
    assert "ConfigMap" not in {each.kind for each in seen.changes}


def test_what_is_older_than_the_window_is_not_told(world: World) -> None:
    space = released(world, "Deployment")
    assert world.read(Changes(space, timedelta())).changes == ()


# --- On the stand-in alone ------------------------------------------------------------------------


@pytest.fixture
def kube() -> Iterator[KubeStandIn]:
    with KubeStandIn() as kube:
        kube.apply([build.namespace("shop"), workload("Deployment", "shop")])
        kube.settle()
        kube.patch("deployments.apps", "web", image("shop:1.4"), "shop")
        kube.settle()
        yield kube


@pytest.fixture
def ask(kube: KubeStandIn, tmp_path: Path) -> Iterator[Callable[..., ChangesSeen]]:
    cluster = Cluster(ClusterSite(), kube.kubeconfig(tmp_path / "config"))

    def read(namespace: str = "shop", seconds: float = 10) -> ChangesSeen:
        seen: ChangesSeen = cluster.read(Changes(namespace), time.monotonic() + seconds)
        return seen

    yield read
    cluster.close()


def test_what_may_not_be_read_is_named_and_the_rest_is_told(
    kube: KubeStandIn, ask: Callable[..., ChangesSeen]
) -> None:
    kube.deny("list", "configmaps")
    kube.deny("get", "replicasets")
    seen = ask()
    assert [each.what for each in seen.changes] == ["rollout of revision 2", "created"]
    reasons = " ".join(gap.reason for gap in seen.unread)
    assert "needs list on configmaps in namespace shop" in reasons
    assert "needs get on replicasets.apps in namespace shop" in reasons
    assert len(seen.unread) == 2 and all(gap.mend for gap in seen.unread)


def test_without_the_right_to_list_secrets_that_is_said_apart(
    kube: KubeStandIn, ask: Callable[..., ChangesSeen]
) -> None:
    kube.deny("list", "secrets")
    seen = ask()
    assert seen.unread == () and seen.secrets is not None
    assert "needs list on secrets in namespace shop" in seen.secrets.reason


def test_who_may_read_nothing_has_no_answer(kube: KubeStandIn, ask: Callable[..., ChangesSeen]) -> None:
    kube.deny()
    with pytest.raises(Refused, match="forbidden"):
        ask()


def test_what_hangs_takes_nothing_from_the_rest(kube: KubeStandIn, ask: Callable[..., ChangesSeen]) -> None:
    kube.fail(Hang(30), "list", "configmaps")
    began = time.monotonic()
    seen = ask(seconds=4)
    assert time.monotonic() - began < 20
    assert [each.what for each in seen.changes] == ["rollout of revision 2", "created"]
    (gap,) = seen.unread
    assert gap.silent and "configmaps" in gap.reason


def test_an_image_that_came_back_is_a_rollout_by_who_wrote_it(
    kube: KubeStandIn, ask: Callable[..., ChangesSeen]
) -> None:
    """Revision 1 is taken up again as 3; its ReplicaSet is the old one."""
    kube.patch("deployments.apps", "web", image("shop:1.3"), "shop")
    kube.settle()
    fields: Json = {"f:spec": {"f:template": {}}}
    entries = [{"manager": "kubectl-rollout", "operation": "Update", "time": now(), "fieldsV1": fields}]
    for each in kube.list("replicasets.apps", "shop"):
        number = each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        created = "2026-01-01T08:00:00Z" if number == "3" else "2026-01-02T08:00:00Z"
        kube.patch(
            "replicasets.apps", each["metadata"]["name"], {"metadata": {"creationTimestamp": created}}, "shop"
        )
    kube.patch("deployments.apps", "web", {"metadata": {"managedFields": entries}}, "shop")
    (found,) = ask().changes
    assert (found.what, found.by) == ("rollout of revision 3, an earlier template again", "kubectl-rollout")
    assert found.differences == ("image app: shop:1.4 → shop:1.3",)


# --- On a rude server -----------------------------------------------------------------------------


def test_of_secrets_and_config_maps_metadata_alone_is_taken(tmp_path: Path) -> None:
    def answer(asked: Asked) -> bytes:
        return page(200, {"kind": "List", "metadata": {}, "items": None})

    with RudeServer(answer) as server:
        config = {
            "current-context": "only",
            "contexts": [{"name": "only", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        client = Cluster(ClusterSite(), tmp_path / "config")
        assert client.read(Changes("shop"), time.monotonic() + 10) == ChangesSeen(())
        client.close()
    accepted = {
        asked.headers["accept"]
        for asked in server.asked
        if any(f"/{kind}?" in asked.target for kind in ("secrets", "configmaps"))
    }
    assert accepted == {"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
