"""What changed, from metadata, managedFields and events: who rolled out, scaled and wrote, and when."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.triagereads import ChangeSeen
from workers.changeviews import Made, Scaling, made, scaling, scalings, secrets, written
from workers.rolloutviews import Revision, Rollout, compared, revision, rollouts

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(hours=2)
TEMPLATE: dict[str, Any] = {"f:spec": {"f:template": {}}}
REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
BOTH: dict[str, Any] = {"f:spec": {"f:template": {}, "f:replicas": {}}}
DATA: dict[str, Any] = {"f:data": {"f:a": {}}}


def at(minutes: float) -> datetime:
    """So long ago."""
    return NOW - timedelta(minutes=minutes)


def said(minutes: float) -> str:
    return at(minutes).strftime("%Y-%m-%dT%H:%M:%SZ")


def entry(by: str, minutes: float, fields: Mapping[str, Any], subresource: str = "") -> dict[str, Any]:
    return {"manager": by, "time": said(minutes), "fieldsV1": fields, "subresource": subresource}


def thing(kind: str, *entries: Any, created: float = 9000, **metadata: Any) -> Made:
    usual = {"name": "web", "namespace": "shop", "uid": "u", "creationTimestamp": said(created)}
    return made(kind, {"metadata": {**usual, "managedFields": list(entries), **metadata}})


def rev(number: int, created: float, **more: Any) -> Revision:
    return Revision("Deployment", "web", "u", "shop", f"web-{number}", number, at(created), **more)


def told(found: list[Rollout]) -> list[tuple[str, str, int]]:
    return [(each.change.what, each.change.by, each.change.revision) for each in found]


# --- Rollouts -------------------------------------------------------------------------------------


def test_each_revision_in_the_window_is_a_rollout_from_the_one_before() -> None:
    web = thing("Deployment", entry("helm", 10, TEMPLATE))
    found = rollouts([rev(5, 300), rev(6, 60), rev(7, 10)], [web], SINCE)
    assert told(found) == [("rollout of revision 7", "helm", 7), ("rollout of revision 6", "", 6)]
    assert [each.before and each.before.number for each in found] == [6, 5]
    assert [each.change.at for each in found] == [at(10), at(60)]


def test_an_earlier_template_taken_up_again_is_a_rollout_at_the_time_it_was_written() -> None:
    web = thing("Deployment", entry("kubectl-rollout", 8, TEMPLATE))
    found = rollouts([rev(7, 4000), rev(6, 300)], [web], SINCE)
    assert told(found) == [("rollout of revision 7, an earlier template again", "kubectl-rollout", 7)]
    assert found[0].change.at == at(8)


def test_one_of_the_window_itself_that_is_taken_up_again_is_no_rollout_of_when_it_was_first_made() -> None:
    web = thing("Deployment", entry("kubectl-rollout", 8, TEMPLATE))
    found = rollouts([rev(7, 60), rev(6, 30)], [web], SINCE)
    assert [(each.change.what, each.change.at) for each in found] == [
        ("rollout of revision 7, an earlier template again", at(8)),
        ("rollout of revision 6", at(30)),
    ]


@pytest.mark.parametrize(
    "web",
    [
        thing("Deployment", entry("helm", 300, TEMPLATE)),
        thing("Deployment", entry("kubectl", 8, REPLICAS)),
        thing("Deployment"),
    ],
)
def test_a_template_taken_up_again_long_ago_is_none(web: Made) -> None:
    assert rollouts([rev(7, 4000), rev(6, 300)], [web], SINCE) == []


def test_the_first_revision_of_a_new_workload_says_that_it_was_made() -> None:
    web = thing("Deployment", entry("kubectl", 30, BOTH), created=30)
    assert told(rollouts([rev(1, 30)], [web], SINCE)) == [("created", "kubectl", 0)]


def test_there_is_no_way_back_from_a_revision_with_none_before_it() -> None:
    assert told(rollouts([rev(7, 30)], [], SINCE)) == [("rollout of revision 7", "", 0)]


def test_argo_cd_is_told_with_its_application() -> None:
    notes = {"argocd.argoproj.io/tracking-id": "shop-app:apps/Deployment:shop/web"}
    web = thing("Deployment", entry("argocd-controller", 10, TEMPLATE), annotations=notes)
    (found,) = rollouts([rev(7, 10)], [web], SINCE)
    assert found.change.by == "argocd-controller, application shop-app"


def test_a_revision_is_numbered_by_its_kind_and_known_by_its_controller() -> None:
    owner = {"kind": "DaemonSet", "name": "agent", "uid": "d", "controller": True}
    metadata = {
        "name": "agent-5d",
        "namespace": "shop",
        "creationTimestamp": said(5),
        "ownerReferences": [owner],
    }
    found = revision({"metadata": metadata, "revision": 4})
    assert found == Revision("DaemonSet", "agent", "d", "shop", "agent-5d", 4, at(5))
    notes = {"deployment.kubernetes.io/revision": "3", "kubernetes.io/change-cause": "new logo"}
    found = revision({"metadata": {**metadata, "annotations": notes}})
    assert found and (found.number, found.cause) == (3, "new logo")
    assert revision({"metadata": {**metadata, "ownerReferences": None}}) is None


def test_a_restart_is_told_as_one_and_a_change_beside_it_is_a_rollout() -> None:
    (rollout,) = rollouts([rev(7, 10, cause="why not"), rev(6, 300)], [], SINCE)

    def template(image: str, restarted: str) -> dict[str, Any]:
        notes = {"kubectl.kubernetes.io/restartedAt": restarted} if restarted else {}
        spec = {"containers": [{"name": "web", "image": image}]}
        return {"metadata": {"annotations": notes}, "spec": spec}

    old = template("shop:1.4", "")
    assert compared(rollout, old, template("shop:1.4", "today")) == (
        "restart, as revision 7", ("change-cause: why not",),
    )  # fmt: skip
    assert compared(rollout, old, template("shop:1.5", "today")) == (
        "rollout of revision 7", ("image web: shop:1.4 → shop:1.5", "change-cause: why not"),
    )  # fmt: skip


# --- Scalings -------------------------------------------------------------------------------------


def scaled(text: str, minutes: float) -> Scaling:
    return Scaling("web", "shop", at(minutes), text, is_from_nothing="from" not in text or "from 0 " in text)


def all_scalings(
    web: Made, *events: Scaling, rolled: float | None = None, revision: int = 7
) -> list[tuple[str, str, datetime]]:
    rolling = ChangeSeen("Deployment", "shop", "web", "rollout", at(rolled or 0), revision=revision)
    found = scalings([web], events, [] if rolled is None else [rolling], SINCE)
    return [(each.what, each.by, each.at) for each in found]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Scaled up replica set web-5d from 3 to 5", "scaled from 3 to 5"),
        ("Scaled down replica set web-5d from 5 to 0", "scaled from 5 to 0"),
        ("Scaled up replica set web-5d to 5", "scaled to 5"),
        ("(combined from similar events): something", ""),
    ],
)
def test_the_controller_tells_from_what_to_what(message: str, text: str) -> None:
    about = {"kind": "Deployment", "name": "web", "namespace": "shop"}
    found = scaling({"message": message, "involvedObject": about, "lastTimestamp": said(3), "metadata": {}})
    assert found == (scaled(text, 3) if text else None)


def untimed(by: str) -> dict[str, Any]:
    """As the API server notes a write through the scale subresource."""
    return {"manager": by, "subresource": "scale", "fieldsV1": REPLICAS}


@pytest.mark.parametrize(
    ("by", "told"),
    [("kubectl", "kubectl"), ("kube-controller-manager", "an autoscaler (kube-controller-manager)")],
)
def test_whoever_scaled_last_through_the_subresource_did_the_last_scaling(by: str, told: str) -> None:
    web = thing("Deployment", untimed(by))
    events = scaled("scaled from 3 to 5", 40), scaled("scaled from 5 to 8", 20)
    assert all_scalings(web, *events) == [
        ("scaled from 3 to 5", "", at(40)), ("scaled from 5 to 8", told, at(20)),
    ]  # fmt: skip


def test_a_write_with_its_time_is_told_with_the_numbers_of_the_event() -> None:
    web = thing("Deployment", entry("kubectl-edit", 20, REPLICAS))
    assert all_scalings(web, scaled("scaled from 3 to 5", 20)) == [
        ("scaled from 3 to 5", "kubectl-edit", at(20))
    ]
    assert all_scalings(web) == [("scaled", "kubectl-edit", at(20))]
    helm = thing("Deployment", entry("helm", 20, BOTH))
    assert all_scalings(helm, scaled("scaled from 3 to 5", 20)) == [("scaled from 3 to 5", "helm", at(20))]


@pytest.mark.parametrize(
    ("web", "event"),
    [
        (thing("Deployment"), scaled("scaled to 5", 200)),  # too long ago
        (thing("StatefulSet"), scaled("scaled to 5", 20)),  # another's
        (thing("Deployment", entry("kubectl", 200, REPLICAS)), None),
        (thing("Deployment", entry("helm", 20, BOTH)), None),  # it may have meant the template
        (thing("Deployment", entry("kubectl", 20, REPLICAS), created=20), None),  # as it was made
        (thing("Deployment", entry("kube-controller-manager", 20, REPLICAS, "status")), None),
    ],
)
def test_what_is_no_scaling(web: Made, event: Scaling | None) -> None:
    assert all_scalings(web, *([event] if event else [])) == []


def test_what_a_rollout_scales_by_itself_is_not_told() -> None:
    web = thing("Deployment", untimed("kubectl"))
    assert all_scalings(web, scaled("scaled from 3 to 2", 19), rolled=20) == []
    assert all_scalings(web, scaled("scaled from 0 to 3", 20), rolled=20, revision=0) == []
    assert all_scalings(web, scaled("scaled from 3 to 5", 19), rolled=20, revision=0) != []
    assert all_scalings(web, scaled("scaled from 3 to 5", 3), rolled=20) != []


# --- What was written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (thing("ConfigMap", entry("helm", 20, DATA)), "written by helm"),
        (thing("ConfigMap", entry("helm", 200, DATA), entry("me", 20, {"f:metadata": {}})), ""),
        (thing("ConfigMap", entry("helm", 20, DATA), created=20), "created by helm"),
        (thing("ConfigMap", created=20), "created by "),
        (thing("ConfigMap", created=20, name="kube-root-ca.crt"), ""),
        (thing("ConfigMap", entry("x", 1, DATA), annotations={"control-plane.alpha.kubernetes.io/leader": "{}"}), ""),
    ],
)  # fmt: skip
def test_a_config_map_is_told_when_its_content_was_written(found: Made, text: str) -> None:
    assert [f"{each.what} by {each.by}" for each in written([found], SINCE, content=True)] == [text] * bool(
        text
    )


def test_an_autoscaler_is_told_when_its_spec_was_written() -> None:
    spec: dict[str, Any] = {"f:spec": {"f:maxReplicas": {}}}
    edited = thing("HorizontalPodAutoscaler", entry("kubectl-edit", 5, spec))
    acting = thing("HorizontalPodAutoscaler", entry("kube-controller-manager", 5, spec, "status"))
    (found,) = written([edited, acting], SINCE, content=False)
    assert (found.what, found.by, found.at) == ("written", "kubectl-edit", at(5))


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ({"version": "7", "status": "deployed"}, "helm upgrade to revision 7 (deployed)"),
        ({"version": "8", "status": "failed"}, "helm upgrade to revision 8 (failed)"),
        ({"version": "1", "status": "superseded"}, "helm install to revision 1"),
    ],
)
def test_a_secret_of_helm_is_a_release(labels: dict[str, str], what: str) -> None:
    name = f"sh.helm.release.v1.shop.v{labels['version']}"
    secret = thing("Secret", created=5, name=name, labels={"owner": "helm", "name": "shop", **labels})
    assert list(secrets([secret], SINCE)) == [ChangeSeen("Helm release", "shop", "shop", what, at(5), "helm")]


def test_an_older_release_is_written_again_when_the_next_one_comes_and_is_not_told() -> None:
    labels = {"owner": "helm", "name": "shop", "version": "6", "status": "superseded"}
    name = "sh.helm.release.v1.shop.v6"
    old = thing("Secret", entry("helm", 5, DATA), name=name, labels=labels)
    other = thing("Secret", entry("eso", 5, DATA), name="db")
    assert [each.name for each in secrets([old, other], SINCE)] == ["db"]
