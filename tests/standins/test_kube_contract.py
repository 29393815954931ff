"""What the stand-in says is what kube-apiserver says: every test runs against both.

Neither side has controllers or kubelets here, so statuses are written by hand and nothing moves. The real
side needs KUBEBUILDER_ASSETS, the folder with etcd, kube-apiserver and kubectl.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.controlplane import NO_CONTROLLERS, ControlPlane
from sandbox.kube import KubeStandIn, build
from sandbox.process import Child

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
NUMBERS = itertools.count(1)


class Api:
    """One side of the contract."""

    def __init__(self, url: str, token: str, *, viewer: str, ca: Path, kubeconfig: Path) -> None:
        self.url, self.token, self.viewer, self.ca, self.kubeconfig = url, token, viewer, ca, kubeconfig
        verify = ssl.create_default_context(cafile=str(ca))
        self.http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=verify,
            timeout=30,
            trust_env=False,
        )

    def expire_history(self) -> None:
        raise NotImplementedError

    @cached_property
    def space(self) -> str:
        """One namespace for the tests that only look at one object each."""
        return self.namespace()

    def namespace(self) -> str:
        name = f"team-{next(NUMBERS)}"
        assert self.post("/api/v1/namespaces", {"metadata": {"name": name}}).status_code == 201
        self.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        return name

    def get(self, path: str, *, accept: str = "", **query: Any) -> httpx.Response:
        return self.http.get(path, params=query, headers={"Accept": accept} if accept else {})

    def post(self, path: str, body: Any, **query: Any) -> httpx.Response:
        return self.http.post(path, json=body, params=query)

    def put(self, path: str, body: Any, **query: Any) -> httpx.Response:
        return self.http.put(path, json=body, params=query)

    def patch(self, path: str, body: Any, how: str = MERGE, **query: Any) -> httpx.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return self.http.patch(path, content=text, headers={"Content-Type": how}, params=query)

    def delete(self, path: str, body: Any = None, **query: Any) -> httpx.Response:
        return self.http.request("DELETE", path, json=body, params=query)

    def make(self, path: str, body: Json) -> Json:
        """Creates it; a status given with it is written after, as controllers and kubelets do."""
        told = body.get("status")
        answer = self.post(path, body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        if told:
            where = f"{path}/{made['metadata']['name']}/status"
            answer = self.patch(where, {"status": told})
            assert answer.status_code == 200, answer.text
            made = answer.json()
        return made

    def pod(self, namespace: str, name: str, **given: Any) -> Json:
        return self.make(f"/api/v1/namespaces/{namespace}/pods", build.pod(name, namespace, **given))

    def budget(self, namespace: str, name: str, *, told: Json, **given: Any) -> Json:
        path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
        status = {
            "observedGeneration": 1,
            "expectedPods": 3,
            "desiredHealthy": 2,
            "currentHealthy": 3,
            **told,
        }
        return self.make(path, build.pdb(name, namespace, **given) | {"status": status})

    def evict(self, namespace: str, name: str, options: Json | None = None, **query: Any) -> httpx.Response:
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        if options:
            body["deleteOptions"] = options
        return self.post(f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body, **query)

    def watch(self, path: str, *, accept: str = "", **query: Any) -> list[Json]:
        headers = {"Accept": accept} if accept else {}
        with self.http.stream(
            "GET", path, params={"watch": "1", "timeoutSeconds": "1", **query}, headers=headers
        ) as s:
            assert s.status_code == 200, s.read()
            return [json.loads(line) for line in s.iter_lines()]


SIDES = ["emulator", pytest.param("real", marks=pytest.mark.cluster)]


@pytest.fixture(scope="module", params=SIDES)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    if request.param == "real" and not os.environ.get("KUBEBUILDER_ASSETS"):
        pytest.skip(
            "KUBEBUILDER_ASSETS is not set: the contract was NOT checked against a real kube-apiserver"
        )
    with ExitStack() as closing:
        if request.param == "real":
            plane = closing.enter_context(EtcdPlane(controllers=NO_CONTROLLERS, scheduler=False))
            viewer, ca, config = plane.token_for("viewer"), plane.ca, plane.kubeconfig
            side = Api(plane.url, plane.token, viewer=viewer, ca=ca, kubeconfig=config)
            side.expire_history = plane.compact  # type: ignore[method-assign]
        else:
            kube = closing.enter_context(KubeStandIn(tls=True))
            config = kube.kubeconfig(tmp_path_factory.mktemp("kube") / "config")
            assert kube.ca is not None
            viewer = kube.user("viewer", rbac=True)
            side = Api(kube.url, kube.token, viewer=viewer, ca=kube.ca, kubeconfig=config)
            side.expire_history = kube.expire_history  # type: ignore[method-assign]
        closing.callback(side.http.close)
        yield side


class EtcdPlane(ControlPlane):
    """A control plane whose etcd can be told to forget, as it does by itself every five minutes."""

    etcd = ""

    def _launch(self, program: str, flags: Sequence[str]) -> Child:
        if program == "etcd":
            self.etcd = next(f for f in flags if f.startswith("--listen-client-urls")).partition("=")[2]
        return super()._launch(program, flags)

    def compact(self) -> None:
        listed = self.request("GET", "/api/v1/namespaces")
        revision = int(listed["metadata"]["resourceVersion"])
        answer = httpx.post(f"{self.etcd}/v3/kv/compaction", json={"revision": revision}, trust_env=False)
        assert answer.status_code == 200, answer.text


def configmap(name: str, **labels: str) -> Json:
    return {"metadata": {"name": name, "labels": labels}, "data": {"key": name}}


def said(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body.get("reason", ""), body["message"]


# Objects.


def test_a_created_object_gets_its_metadata(api: Api) -> None:
    space = api.namespace()
    made = api.make(f"/apis/apps/v1/namespaces/{space}/deployments", build.deployment("web", space))
    metadata = made["metadata"]
    assert (metadata["generation"], metadata["namespace"], metadata["name"]) == (1, space, "web")
    assert (
        metadata["uid"]
        and metadata["resourceVersion"].isdigit()
        and metadata["creationTimestamp"].endswith("Z")
    )
    assert (made["kind"], made["apiVersion"]) == ("Deployment", "apps/v1")
    assert made["status"] == {}


DEFAULTED = [
    (
        "/api/v1/namespaces/{}/pods",
        build.pod("x"),
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "schedulerName": "default-scheduler",
        },
    ),
    (
        "/apis/apps/v1/namespaces/{}/deployments",
        build.deployment("x"),
        {
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
    ),
    (
        "/apis/apps/v1/namespaces/{}/statefulsets",
        build.statefulset("x"),
        {
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        },
    ),
    (
        "/apis/apps/v1/namespaces/{}/daemonsets",
        build.daemonset("x"),
        {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}},
    ),
    (
        "/apis/batch/v1/namespaces/{}/jobs",
        build.job("x"),
        {"parallelism": 1, "completions": 1, "backoffLimit": 6, "suspend": False},
    ),
    (
        "/api/v1/namespaces/{}/services",
        build.service("x"),
        {"type": "ClusterIP", "sessionAffinity": "None", "ipFamilies": ["IPv4"]},
    ),
    ("/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers", build.hpa("x"), {"minReplicas": 1}),
]


@pytest.mark.parametrize(
    ("path", "body", "expected"), DEFAULTED, ids=[body["kind"] for _, body, _ in DEFAULTED]
)
def test_defaults_are_filled_in(api: Api, path: str, body: Json, expected: Json) -> None:
    space = api.namespace()
    body = {**body, "metadata": {**body["metadata"], "namespace": space}}
    spec = api.make(path.format(space), {k: v for k, v in body.items() if k != "status"})["spec"]
    assert {key: spec[key] for key in expected} == expected


def test_every_built_object_is_valid(api: Api) -> None:
    space = api.namespace()
    pod = api.pod(space, "one", node="node-1")
    for path, body in [
        ("/api/v1/nodes", build.node(f"node-{space}", taints=[{"key": "a", "effect": "NoSchedule"}])),
        (f"/apis/apps/v1/namespaces/{space}/replicasets", build.replicaset("rs", space)),
        (
            f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets",
            build.pdb("pdb", space, min_available="50%"),
        ),
        (
            f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices",
            build.endpointslice("svc", space, ready=["10.0.0.1"], not_ready=["10.0.0.2"]),
        ),
        (f"/api/v1/namespaces/{space}/events", build.event("ev", space, about=pod, reason="BackOff")),
        (f"/api/v1/namespaces/{space}/pods", build.pod("owned", space, owner=pod)),
    ]:
        answer = api.post(path, body)
        assert answer.status_code == 201, answer.text


REFUSED = [
    (build.pod("A_b"), 422, "Invalid", "metadata.name"),
    (
        {"metadata": {"name": "a"}, "spec": {}},
        422,
        "Invalid",
        'Pod "a" is invalid: spec.containers: Required value',
    ),
    ({"metadata": {}, "spec": build.pod("a")["spec"]}, 422, "Invalid", "name or generateName is required"),
    (build.pod("a", "elsewhere"), 400, "BadRequest", "does not match the namespace sent on the request"),
    (
        {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}},
        400,
        "BadRequest",
        "cannot be handled as a Pod",
    ),
]


@pytest.mark.parametrize(("body", "code", "reason", "message"), REFUSED)
def test_a_bad_object_is_refused(api: Api, body: Json, code: int, reason: str, message: str) -> None:
    space = api.namespace()
    body = json.loads(json.dumps(body).replace('"default"', f'"{space}"'))
    got = said(api.post(f"/api/v1/namespaces/{space}/pods", body))
    assert got[:2] == (code, reason)
    assert message in got[2]


def test_create_refuses_a_resource_version(api: Api) -> None:
    body = configmap("a")
    body["metadata"]["resourceVersion"] = "5"
    got = api.post(f"/api/v1/namespaces/{api.namespace()}/configmaps", body)
    assert (got.status_code, got.json()["message"]) == (
        500,
        "resourceVersion should not be set on objects to be created",
    )


def test_what_is_missing_or_there_already(api: Api) -> None:
    space = api.namespace()
    pods, deployments = f"/api/v1/namespaces/{space}/pods", f"/apis/apps/v1/namespaces/{space}/deployments"
    assert api.get(f"{pods}/no").json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'pods "no" not found',
        "reason": "NotFound",
        "details": {"name": "no", "kind": "pods"},
        "code": 404,
    }
    missing = api.get(f"{deployments}/no").json()
    assert missing["message"] == 'deployments.apps "no" not found'
    assert missing["details"] == {"name": "no", "group": "apps", "kind": "deployments"}
    twice = api.post("/api/v1/namespaces", {"metadata": {"name": space}}).json()
    assert (twice["code"], twice["reason"]) == (409, "AlreadyExists")
    assert twice["message"] == f'namespaces "{space}" already exists'
    nowhere = api.post("/api/v1/namespaces/nowhere/configmaps", configmap("a"))
    assert said(nowhere) == (404, "NotFound", 'namespaces "nowhere" not found')
    assert api.get("/api/v1/namespaces/nowhere/pods").json()["items"] == []
    assert said(api.get("/api/v1/nonsense")) == (
        404,
        "NotFound",
        "the server could not find the requested resource",
    )
    assert said(api.post("/api/v1/pods", {})) == (
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
    assert api.put(f"{pods}/no", build.pod("no", space)).status_code == 404


def test_generated_names(api: Api) -> None:
    space = api.namespace()
    made = api.make(f"/api/v1/namespaces/{space}/configmaps", {"metadata": {"generateName": "job-"}})
    name = made["metadata"]["name"]
    assert name.startswith("job-") and len(name) == 9


def test_put_checks_the_resource_version_name_and_uid(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    made = api.make(path, configmap("a"))
    stale = {**made, "data": {"key": "new"}}
    assert api.put(f"{path}/a", stale).status_code == 200
    code, reason, message = said(api.put(f"{path}/a", stale))
    assert (code, reason) == (409, "Conflict")
    assert message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert api.put(f"{path}/a", configmap("a")).status_code == 200
    assert said(api.put(f"{path}/a", configmap("b")))[2] == (
        "the name of the object (b) does not match the name on the URL (a)"
    )
    other = configmap("a")
    other["metadata"]["uid"] = "other"
    assert said(api.put(f"{path}/a", other))[:2] == (409, "Conflict")


def test_a_write_that_changes_nothing_leaves_the_resource_version(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    made = api.make(path, configmap("a"))
    again = api.patch(f"{path}/a", {"data": {"key": "a"}}).json()
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


GENERATIONS = [
    ({"spec": {"replicas": 3}}, "", 2),
    ({"metadata": {"labels": {"team": "a"}}}, "", 1),
    ({"metadata": {"annotations": {"note": "a"}}}, "", 2),
    ({"status": {"replicas": 3}}, "/status", 1),
]


@pytest.mark.parametrize(("change", "part", "generation"), GENERATIONS)
def test_generation_counts_what_is_wanted(api: Api, change: Json, part: str, generation: int) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    api.make(path, build.deployment("web", space))
    changed = api.patch(f"{path}/web{part}", change).json()
    assert changed["metadata"]["generation"] == generation


def test_status_and_spec_are_written_apart(api: Api) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    api.make(path, build.deployment("web", space, replicas=2))
    both = {"spec": {"replicas": 9}, "status": {"replicas": 2, "observedGeneration": 1}}
    changed = api.patch(f"{path}/web/status", both).json()
    assert (changed["spec"]["replicas"], changed["status"]) == (2, {"replicas": 2, "observedGeneration": 1})
    changed = api.patch(f"{path}/web", {"status": {"replicas": 7}, "metadata": {"labels": {"a": "b"}}}).json()
    assert changed["status"]["replicas"] == 2


def test_dry_run_answers_and_changes_nothing(api: Api) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    assert api.post(path, build.deployment("web", space), dryRun="All").status_code == 201
    assert api.get(f"{path}/web").status_code == 404
    made = api.make(path, build.deployment("web", space))
    assert api.patch(f"{path}/web", {"spec": {"replicas": 9}}, dryRun="All").json()["spec"]["replicas"] == 9
    assert api.put(
        f"{path}/web", {**made, "metadata": {**made["metadata"], "labels": {"x": "y"}}}, dryRun="All"
    )
    assert api.delete(f"{path}/web", dryRun="All").json()["status"] == "Success"
    assert api.get(f"{path}/web").json()["metadata"] == made["metadata"]
    wrong = api.post(path, build.deployment("b", space), dryRun="Some").json()
    assert (wrong["code"], wrong["details"]["kind"]) == (422, "CreateOptions")


TWICE = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
HIDDEN = 'containers[0].env[1]: hides previous definition of \\"A\\", which may be dropped when using apply"'


def test_remarks_on_a_workload_when_its_spec_changes(api: Api) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    body = build.deployment("web", space, containers=[build.container(env=TWICE)])
    remark = [f'299 - "spec.template.spec.{HIDDEN}']
    assert api.post(path, body).headers.get_list("warning") == remark
    for patch, expected in [
        ({"metadata": {"labels": {"a": "b"}}}, []),
        ({"spec": {"replicas": 7}}, remark),
        ({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}, remark),
    ]:
        for query in ({"dryRun": "All"}, {}):
            assert api.patch(f"{path}/web", patch, **query).headers.get_list("warning") == expected


def test_remarks_on_a_pod_when_it_is_made(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/pods"
    body = build.pod("web", space, containers=[build.container(env=TWICE)])
    assert api.post(path, body).headers.get_list("warning") == [f'299 - "spec.{HIDDEN}']
    assert api.patch(f"{path}/web", {"metadata": {"labels": {"a": "b"}}}).headers.get_list("warning") == []


UNLAWFUL = [
    ("a", "not a label!", "a valid label must be an empty string or consist of"),
    ("a b", "x", "name part must consist of alphanumeric characters"),
    ("a", "x" * 64, "must be no more than 63 bytes"),
    ("x" * 64, "", "name part must be no more than 63 bytes"),
    ("A_/b", "x", "prefix part a lowercase RFC 1123 subdomain must consist of"),
]


@pytest.mark.parametrize(("key", "value", "why"), UNLAWFUL)
def test_unlawful_labels(api: Api, key: str, value: str, why: str) -> None:
    path, name = f"/api/v1/namespaces/{api.space}/configmaps", f"labelled-{next(NUMBERS)}"
    code, reason, message = said(api.post(path, configmap(name, **{key: value})))
    wrong = value if key == "a" else key
    assert (code, reason) == (422, "Invalid")
    assert f'ConfigMap "{name}" is invalid: metadata.labels: Invalid value: "{wrong}": {why}' in message
    api.make(path, configmap(name))
    assert api.patch(f"{path}/{name}", {"metadata": {"labels": {key: value}}}).json()["message"] == message


# Deletion.


def test_options_in_a_body_make_the_dry_run_of_the_query_void(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    options = {"kind": "DeleteOptions", "apiVersion": "v1"}
    for name, body, is_left in [
        ("a", options, False),
        ("b", {**options, "dryRun": ["All"]}, True),
        ("c", None, True),
    ]:
        api.make(path, configmap(name))
        assert api.delete(f"{path}/{name}", body, dryRun="All").status_code == 200
        assert (api.get(f"{path}/{name}").status_code == 200) is is_left


def test_what_delete_answers(api: Api) -> None:
    space = api.namespace()
    made = api.make(f"/api/v1/namespaces/{space}/configmaps", configmap("a"))
    assert api.delete(f"/api/v1/namespaces/{space}/configmaps/a").json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
    }
    service = build.service("web", space)
    api.make(f"/api/v1/namespaces/{space}/services", service)
    assert api.delete(f"/api/v1/namespaces/{space}/services/web").json()["kind"] == "Service"
    node = f"node-{space}-gone"
    api.make("/api/v1/nodes", {"metadata": {"name": node}})
    assert api.delete(f"/api/v1/nodes/{node}").json()["kind"] == "Status"


def test_only_a_bound_pod_is_given_grace(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/pods"
    api.pod(space, "free")
    assert api.delete(f"{path}/free").json()["metadata"]["deletionGracePeriodSeconds"] == 0
    assert api.get(f"{path}/free").status_code == 404
    api.pod(space, "bound", node="node-1")
    gone = api.delete(f"{path}/bound").json()["metadata"]
    assert (gone["deletionGracePeriodSeconds"], gone["generation"]) == (30, 2)
    assert api.get(f"{path}/bound").json()["metadata"]["deletionTimestamp"]
    assert api.delete(f"{path}/bound", gracePeriodSeconds=0).status_code == 200
    assert api.get(f"{path}/bound").status_code == 404
    api.pod(space, "done", node="node-1", phase="Succeeded")
    api.delete(f"{path}/done")
    assert api.get(f"{path}/done").status_code == 404


def test_preconditions_of_a_delete(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/pods"
    uid = api.pod(space, "a", node="node-1")["metadata"]["uid"]
    got = api.delete(f"{path}/a", {"preconditions": {"uid": "wrong"}})
    assert said(got) == (
        409,
        "Conflict",
        f'Operation cannot be fulfilled on Pod "a": the UID in the precondition (wrong) does not match the UID '
        f"in record ({uid}). The object might have been deleted and then recreated",
    )
    assert said(api.delete(f"{path}/a", {"preconditions": {"resourceVersion": "1"}}))[:2] == (409, "Conflict")
    assert api.delete(f"{path}/a", {"preconditions": {"uid": uid}}).status_code == 200


def test_finalizers_hold_an_object_until_they_are_gone(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    body = configmap("a")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    api.make(path, body)
    held = api.delete(f"{path}/a").json()
    assert held["kind"] == "ConfigMap" and held["metadata"]["deletionTimestamp"]
    assert api.get(f"{path}/a").status_code == 200
    assert api.patch(f"{path}/a", {"metadata": {"finalizers": None}}).status_code == 200
    assert api.get(f"{path}/a").status_code == 404


def test_foreground_deletion_waits_for_the_collector(api: Api) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    api.make(path, build.deployment("web", space))
    gone = api.delete(f"{path}/web", {"propagationPolicy": "Foreground"}).json()["metadata"]
    assert gone["finalizers"] == ["foregroundDeletion"]
    assert gone["generation"] == 2


def test_delete_of_a_collection(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    for name in "abc":
        api.make(path, configmap(name, keep="yes" if name == "b" else "no"))
    gone = api.delete(path, labelSelector="keep=no").json()
    assert (gone["kind"], len(gone["items"])) == ("ConfigMapList", 2)
    assert [item["metadata"]["name"] for item in api.get(path).json()["items"]] == ["b"]


def test_a_terminating_namespace_takes_nothing_new(api: Api) -> None:
    space = api.namespace()
    api.pod(space, "a", node="node-1")
    gone = api.delete(f"/api/v1/namespaces/{space}").json()
    assert (gone["kind"], gone["status"]["phase"]) == ("Namespace", "Terminating")
    refused = api.post(f"/api/v1/namespaces/{space}/pods", build.pod("late", space)).json()
    assert (refused["code"], refused["reason"]) == (403, "Forbidden")
    assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    evicted = api.evict(space, "a").json()
    assert (evicted["code"], evicted["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")


# Lists.

SELECTORS = [
    ("", "abcd"),
    ("tier=web", "ab"),
    ("tier==web,zone=1", "a"),
    ("tier!=web", "cd"),
    ("tier in (web,db)", "abc"),
    ("tier notin (web,db)", "d"),
    ("tier", "abc"),
    ("!tier", "d"),
    ("zone in (1),tier", "a"),
    ("tier=", ""),
]


@pytest.fixture(scope="module")
def labelled(api: Api) -> str:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    for name, labels in {
        "a": {"tier": "web", "zone": "1"},
        "b": {"tier": "web"},
        "c": {"tier": "db"},
        "d": {},
    }.items():
        api.make(path, configmap(name, **labels))
    return path


@pytest.mark.parametrize(("selector", "names"), SELECTORS)
def test_label_selectors(api: Api, labelled: str, selector: str, names: str) -> None:
    items = api.get(labelled, labelSelector=selector).json()["items"]
    assert "".join(item["metadata"]["name"] for item in items) == names


BAD_SELECTORS = [
    ("a in b", "unable to parse requirement: found 'b' expected: '('"),
    ("!!", "unable to parse requirement: found '!', expected: identifier"),
    ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
    ("=x", "found '=', expected: !, identifier, or 'end of string'"),
    ("a=b c=d", "found 'c', expected: ',' or 'end of string'"),
]


@pytest.mark.parametrize(("selector", "message"), BAD_SELECTORS)
def test_bad_label_selectors(api: Api, labelled: str, selector: str, message: str) -> None:
    assert said(api.get(labelled, labelSelector=selector)) == (400, "BadRequest", message)


POD_FIELDS = [
    ("spec.nodeName=node-1", "ab"),
    ("spec.nodeName!=node-1", "c"),
    ("status.phase=Running", "a"),
    ("status.phase!=Running,spec.nodeName=node-1", "b"),
    ("metadata.name=c", "c"),
    ("spec.restartPolicy=Always", "abc"),
    ("spec.nodeName=", "c"),
]


@pytest.fixture(scope="module")
def three_pods(api: Api) -> str:
    space = api.namespace()
    api.pod(space, "a", node="node-1")
    api.pod(space, "b", node="node-1", phase="Failed")
    api.pod(space, "c")
    return f"/api/v1/namespaces/{space}/pods"


@pytest.mark.parametrize(("selector", "names"), POD_FIELDS)
def test_field_selectors_of_pods(api: Api, three_pods: str, selector: str, names: str) -> None:
    items = api.get(three_pods, fieldSelector=selector).json()["items"]
    assert "".join(item["metadata"]["name"] for item in items) == names


BAD_FIELDS = [
    ("/api/v1/pods", "field label not supported: spec.no"),
    ("/api/v1/nodes", "field label not supported: spec.no"),
    ("/api/v1/events", "field label not supported: spec.no"),
    (
        "/apis/apps/v1/deployments",
        '"spec.no" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ),
]


@pytest.mark.parametrize(("path", "message"), BAD_FIELDS)
def test_unknown_fields_are_refused(api: Api, path: str, message: str) -> None:
    assert said(api.get(path, fieldSelector="spec.no=1")) == (400, "BadRequest", message)


def test_other_field_selectors(api: Api) -> None:
    space = api.namespace()
    pod = api.pod(space, "a")
    api.make(f"/api/v1/namespaces/{space}/events", build.event("e", space, about=pod, reason="BackOff"))
    events = f"/api/v1/namespaces/{space}/events"
    for selector, count in [
        ("type=Warning,reason=BackOff,involvedObject.name=a", 1),
        ("type=Normal", 0),
        (f"involvedObject.uid={pod['metadata']['uid']}", 1),
        ("source=kubelet", 1),
    ]:
        assert len(api.get(events, fieldSelector=selector).json()["items"]) == count, selector
    api.make(f"/api/v1/namespaces/{space}/secrets", {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    found = api.get(f"/api/v1/namespaces/{space}/secrets", fieldSelector="type=Opaque").json()["items"]
    assert found[0]["data"] == {"a": "Yg=="}
    assert api.get("/api/v1/nodes", fieldSelector="spec.unschedulable=true").status_code == 200


def test_list_items_do_not_repeat_their_kind(api: Api, labelled: str) -> None:
    listed = api.get(labelled).json()
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert "kind" not in listed["items"][0] and "apiVersion" not in listed["items"][0]


@pytest.fixture(scope="module")
def many(api: Api) -> str:
    space = api.namespace()
    for number in range(7):
        api.make(f"/api/v1/namespaces/{space}/configmaps", configmap(f"c{number}", odd=str(number % 2)))
    return f"/api/v1/namespaces/{space}/configmaps"


def test_pages_are_a_snapshot(api: Api, many: str) -> None:
    first = api.get(many, limit=3).json()
    assert first["metadata"]["remainingItemCount"] == 4
    space = many.split("/")[4]
    api.make(many, configmap("c00", odd="0"))
    api.patch(f"{many}/c3", {"data": {"key": "changed"}})
    second = api.get(many, limit=3, **{"continue": first["metadata"]["continue"]}).json()
    assert [item["metadata"]["name"] for item in second["items"]] == ["c3", "c4", "c5"]
    assert second["items"][0]["data"]["key"] == "c3"
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert second["metadata"]["remainingItemCount"] == 1
    last = api.get(many, limit=3, **{"continue": second["metadata"]["continue"]}).json()
    assert [item["metadata"]["name"] for item in last["items"]] == ["c6"]
    assert not {"continue", "remainingItemCount"} & last["metadata"].keys()
    api.delete(f"/api/v1/namespaces/{space}/configmaps/c00")
    api.patch(f"{many}/c3", {"data": {"key": "c3"}})


def test_a_selected_page_does_not_know_what_remains(api: Api, many: str) -> None:
    metadata = api.get(many, limit=2, labelSelector="odd=0").json()["metadata"]
    assert metadata["continue"] and "remainingItemCount" not in metadata


def test_pages_over_all_namespaces(api: Api, many: str) -> None:
    names, token = [], ""
    while True:
        page = api.get("/api/v1/configmaps", limit=2, labelSelector="odd", **{"continue": token}).json()
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names == [f"c{number}" for number in range(7)]


def test_resource_version_zero_ignores_the_limit(api: Api, many: str) -> None:
    listed = api.get(many, limit=2, resourceVersion="0").json()
    assert len(listed["items"]) == 7
    assert "continue" not in listed["metadata"]


BAD_LISTS = [
    ({"limit": "x"}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ({"continue": "abc"}, 400, "invalid continue token"),
    ({"resourceVersion": "abc"}, 400, "invalid resource version"),
    ({"resourceVersion": "999999999"}, 504, "Timeout: Too large resource version: 999999999"),
    (
        {"resourceVersionMatch": "Exact"},
        422,
        "resourceVersionMatch is forbidden unless resourceVersion is provided",
    ),
]


@pytest.mark.parametrize(("query", "code", "message"), BAD_LISTS)
def test_bad_lists(api: Api, many: str, query: Json, code: int, message: str) -> None:
    got = api.get(many, **query)
    assert got.status_code == code
    assert message in got.json()["message"]


def test_continue_and_resource_version_exclude_each_other(api: Api, many: str) -> None:
    token = api.get(many, limit=2).json()["metadata"]["continue"]
    got = said(api.get(many, limit=2, resourceVersion="5", **{"continue": token}))
    assert got == (400, "BadRequest", "specifying resource version is not allowed when using continue")


def rollouts(api: Api) -> str:
    """The path of a custom resource of its own, in a namespace of its own."""
    group = f"g{next(NUMBERS)}.example.com"
    names = {"plural": "rollouts", "singular": "rollout", "kind": "Rollout", "listKind": "RolloutList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": schema,
        "subresources": {"status": {}},
    }
    api.make(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        {
            "metadata": {"name": f"rollouts.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
        },
    )
    path = f"/apis/{group}/v1alpha1/namespaces/{api.namespace()}/rollouts"
    # The real server begins to serve it a moment later.
    deadline = time.monotonic() + 60
    while api.get(path).status_code != 200:
        assert time.monotonic() < deadline
    return path


def rollout(path: str, name: str) -> Json:
    version = "/".join(path.split("/")[2:4])
    return {"apiVersion": version, "kind": "Rollout", "metadata": {"name": name}, "spec": {"n": 1}}


def test_what_is_older_than_the_history_has_expired(api: Api) -> None:
    """On a resource of its own, because the real server answers for others from its cache, from its start."""
    path = rollouts(api)
    for name in "abcd":
        api.make(path, rollout(path, name))
    api.expire_history()
    token = {"v": "meta.k8s.io/v1", "rv": 2, "start": "/b\0"}
    encoded = base64.urlsafe_b64encode(json.dumps(token).encode()).decode().rstrip("=")
    answer = api.get(path, limit=1, **{"continue": encoded})
    code, reason, message = said(answer)
    assert (code, reason) == (410, "Expired")
    assert message.startswith(
        "The provided continue parameter is too old to display a consistent list result."
    )
    # The way on that is offered is an inconsistent one.
    rest = api.get(path, limit=1, **{"continue": answer.json()["metadata"]["continue"]}).json()
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
    assert rest["metadata"]["remainingItemCount"] == 1
    exact = api.get(path, resourceVersion="2", resourceVersionMatch="Exact")
    assert said(exact) == (410, "Expired", "The resourceVersion for the provided list is too old.")
    events = api.watch(path, resourceVersion="2")
    assert [event["type"] for event in events] == ["ERROR"]
    told = events[0]["object"]
    assert (told["kind"], told["code"], told["reason"]) == ("Status", 410, "Expired")
    assert told["message"].startswith("too old resource version: 2 (")


# Representations.


def test_metadata_only(api: Api, labelled: str) -> None:
    form = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = api.get(labelled, accept=form).json()
    assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert listed["items"][0].keys() == {"kind", "apiVersion", "metadata"}
    one = api.get(
        f"{labelled}/a", accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    ).json()
    assert one["kind"] == "PartialObjectMetadata" and one["metadata"]["name"] == "a"
    assert api.get(labelled, accept="text/html").status_code == 406


@pytest.mark.parametrize("include", ["None", "Metadata", "Object", ""])
def test_what_a_table_row_includes(api: Api, three_pods: str, include: str) -> None:
    row = api.get(three_pods, accept=f"{TABLE},application/json", includeObject=include).json()["rows"][0]
    kind = {"None": None, "Object": "Pod"}.get(include, "PartialObjectMetadata")
    assert (row["object"] or {}).get("kind") == kind


COLUMNS = {
    "/api/v1/pods": "Name Ready Status Restarts Age IP Node Nominated Node Readiness Gates",
    "/api/v1/nodes": "Name Status Roles Age Version Internal-IP External-IP OS-Image Kernel-Version Container-Runtime",
    "/apis/apps/v1/deployments": "Name Ready Up-to-date Available Age Containers Images Selector",
    "/api/v1/services": "Name Type Cluster-IP External-IP Port(s) Age Selector",
    "/api/v1/events": "Last Seen Type Reason Object Subobject Source Message First Seen Count Name",
    "/apis/policy/v1/poddisruptionbudgets": "Name Min Available Max Unavailable Allowed Disruptions Age",
    "/apis/apps/v1/statefulsets": "Name Ready Age Containers Images",
    "/apis/batch/v1/jobs": "Name Status Completions Duration Age Containers Images Selector",
}


@pytest.mark.parametrize("path", COLUMNS)
def test_columns(api: Api, path: str) -> None:
    table = api.get(path, accept=TABLE, limit=1).json()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert " ".join(column["name"] for column in table["columnDefinitions"]) == COLUMNS[path]


def cells(api: Api, path: str) -> list[Any]:
    """Without the age, which depends on the moment."""
    table = api.get(path, accept=TABLE).json()
    names = [column["name"] for column in table["columnDefinitions"]]
    return [cell for name, cell in zip(names, table["rows"][0]["cells"], strict=True) if name != "Age"]


def test_rows_of_other_kinds(api: Api) -> None:
    space = api.namespace()
    apps, core = f"/apis/apps/v1/namespaces/{space}", f"/api/v1/namespaces/{space}"
    deployment = build.deployment("web", space, replicas=3)
    told = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}
    api.make(f"{apps}/deployments", deployment | {"status": told})
    image = build.IMAGE
    assert cells(api, f"{apps}/deployments/web") == ["web", "2/3", 3, 2, "app", image, "app=web"]
    api.make(f"{apps}/replicasets", build.replicaset("rs", space, replicas=2))
    assert cells(api, f"{apps}/replicasets/rs") == ["rs", 2, 0, 0, "app", image, "app=rs"]
    api.make(f"{apps}/statefulsets", build.statefulset("db", space, replicas=2))
    assert cells(api, f"{apps}/statefulsets/db") == ["db", "0/2", "app", image]
    api.make(f"{apps}/daemonsets", build.daemonset("agent", space))
    row = cells(api, f"{apps}/daemonsets/agent")
    assert row == ["agent", 0, 0, 0, 0, 0, "<none>", "app", image, "app=agent"]
    api.make(f"{core}/services", build.service("web", space))
    row = cells(api, f"{core}/services/web")
    assert (row[:2], row[3:]) == (["web", "ClusterIP"], ["<none>", "80/TCP", "app=web"])
    budgets = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
    api.make(budgets, build.pdb("a", space, min_available="50%"))
    assert cells(api, f"{budgets}/a") == ["a", "50%", "N/A", 0]
    api.make(f"{core}/configmaps", configmap("a"))
    assert cells(api, f"{core}/configmaps/a") == ["a", 1]
    api.make(f"/apis/batch/v1/namespaces/{space}/jobs", build.job("once", space))
    row = cells(api, f"/apis/batch/v1/namespaces/{space}/jobs/once")
    assert row[:6] == ["once", "Running", "0/1", "", "app", image]
    pod = api.pod(space, "a")
    api.make(f"{core}/events", build.event("e", space, about=pod, reason="BackOff", message="again", count=4))
    row = cells(api, f"{core}/events/e")
    assert row[1:7] + row[8:] == ["Warning", "BackOff", "pod/a", "", "kubelet", "again", 4, "e"]
    assert cells(api, f"/api/v1/namespaces/{space}") == [space, "Active"]


NODES = [
    (build.node("x"), "Ready", "<none>"),
    (build.node("x", ready=False), "NotReady", "<none>"),
    (build.node("x", ready=None, unschedulable=True), "NotReady,SchedulingDisabled", "<none>"),
    (build.node("x", labels={"node-role.kubernetes.io/b": "", "kubernetes.io/role": "a"}), "Ready", "a,b"),
    ({"metadata": {"name": "x"}}, "Unknown", "<none>"),
]


@pytest.mark.parametrize(("node", "status", "roles"), NODES)
def test_rows_of_nodes(api: Api, node: Json, status: str, roles: str) -> None:
    name = f"row-{next(NUMBERS)}"
    made = api.post("/api/v1/nodes", {**node, "metadata": {**node["metadata"], "name": name}})
    assert made.status_code == 201, made.text
    # Admission taints every new node.
    assert {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"} in made.json()["spec"]["taints"]
    row = cells(api, f"/api/v1/nodes/{name}")
    assert row[:3] == [name, status, roles]
    version = build.KUBELET if "status" in node else ""
    assert row[3] == version
    api.delete(f"/api/v1/nodes/{name}")


RUNNING: Json = {"running": {"startedAt": build.MOMENT}}
SIDECAR = {"name": "proxy", "image": "p", "restartPolicy": "Always"}


def waits(reason: str) -> Json:
    return {"waiting": {"reason": reason}}


def ended(code: int, reason: str = "", signal: int = 0) -> Json:
    terminated: Json = {"exitCode": code, "finishedAt": build.MOMENT}
    if reason:
        terminated["reason"] = reason
    if signal:
        terminated["signal"] = signal
    return {"terminated": terminated}


def state(
    name: str, current: Json, *, ready: bool = False, restarts: int = 0, last: Json | None = None, **more: Any
) -> Json:
    base = {"name": name, "image": "i", "imageID": "", "ready": ready, "restartCount": restarts}
    return {**base, "state": current, **({"lastState": last} if last else {}), **more}


def condition(kind: str, word: str = "True", **more: str) -> Json:
    return {"type": kind, "status": word, **more}


# (what, number of containers, init containers, status, READY, STATUS, RESTARTS)
POD_ROWS: list[tuple[str, int, list[Json], Json, str, str, str]] = [
    ("pending", 1, [], {"phase": "Pending"}, "0/1", "Pending", "0"),
    (
        "running",
        1,
        [],
        {"phase": "Running", "containerStatuses": [state("c0", RUNNING, ready=True)]},
        "1/1",
        "Running",
        "0",
    ),
    (
        "unready",
        1,
        [],
        {"phase": "Running", "containerStatuses": [state("c0", RUNNING)]},
        "0/1",
        "Running",
        "0",
    ),
    (
        "creating",
        1,
        [],
        {"phase": "Pending", "containerStatuses": [state("c0", waits("ContainerCreating"))]},
        "0/1",
        "ContainerCreating",
        "0",
    ),
    (
        "crash loop",
        1,
        [],
        {"phase": "Running", "containerStatuses": [state("c0", waits("CrashLoopBackOff"), restarts=7)]},
        "0/1",
        "CrashLoopBackOff",
        "7",
    ),
    (
        "image",
        1,
        [],
        {"phase": "Pending", "containerStatuses": [state("c0", waits("ImagePullBackOff"))]},
        "0/1",
        "ImagePullBackOff",
        "0",
    ),
    (
        "config",
        1,
        [],
        {"phase": "Pending", "containerStatuses": [state("c0", waits("CreateContainerConfigError"))]},
        "0/1",
        "CreateContainerConfigError",
        "0",
    ),
    (
        "first container wins",
        2,
        [],
        {
            "phase": "Running",
            "containerStatuses": [state("c0", waits("CrashLoopBackOff")), state("c1", waits("ErrImagePull"))],
        },
        "0/2",
        "CrashLoopBackOff",
        "0",
    ),
    (
        "second is sick",
        2,
        [],
        {
            "phase": "Running",
            "containerStatuses": [
                state("c0", RUNNING, ready=True),
                state("c1", waits("CrashLoopBackOff"), restarts=2),
            ],
        },
        "1/2",
        "CrashLoopBackOff",
        "2",
    ),
    (
        "oom",
        1,
        [],
        {"phase": "Running", "containerStatuses": [state("c0", ended(137, "OOMKilled"), restarts=1)]},
        "0/1",
        "OOMKilled",
        "1",
    ),
    (
        "exit code",
        1,
        [],
        {"phase": "Failed", "containerStatuses": [state("c0", ended(3))]},
        "0/1",
        "ExitCode:3",
        "0",
    ),
    (
        "signal",
        1,
        [],
        {"phase": "Failed", "containerStatuses": [state("c0", ended(0, signal=9))]},
        "0/1",
        "Signal:9",
        "0",
    ),
    (
        "completed",
        1,
        [],
        {"phase": "Succeeded", "containerStatuses": [state("c0", ended(0, "Completed"))]},
        "0/1",
        "Completed",
        "0",
    ),
    (
        "error",
        1,
        [],
        {"phase": "Failed", "containerStatuses": [state("c0", ended(1, "Error"))]},
        "0/1",
        "Error",
        "0",
    ),
    ("evicted", 1, [], {"phase": "Failed", "reason": "Evicted"}, "0/1", "Evicted", "0"),
    (
        "completed but one runs, ready",
        2,
        [],
        {
            "phase": "Running",
            "conditions": [condition("Ready")],
            "containerStatuses": [state("c0", ended(0, "Completed")), state("c1", RUNNING, ready=True)],
        },
        "1/2",
        "Running",
        "0",
    ),
    (
        "completed but one runs, not ready",
        2,
        [],
        {
            "phase": "Running",
            "conditions": [condition("Ready", "False")],
            "containerStatuses": [state("c0", ended(0, "Completed")), state("c1", RUNNING, ready=True)],
        },
        "1/2",
        "NotReady",
        "0",
    ),
    (
        "gated",
        1,
        [],
        {"phase": "Pending", "conditions": [condition("PodScheduled", "False", reason="SchedulingGated")]},
        "0/1",
        "SchedulingGated",
        "0",
    ),
    (
        "init waits",
        1,
        ["i0", "i1"],
        {
            "phase": "Pending",
            "initContainerStatuses": [state("i0", ended(0, "Completed")), state("i1", RUNNING)],
        },
        "0/1",
        "Init:1/2",
        "0",
    ),
    (
        "init initializing",
        1,
        ["i0"],
        {
            "phase": "Pending",
            "initContainerStatuses": [state("i0", waits("PodInitializing"))],
            "containerStatuses": [state("c0", waits("PodInitializing"))],
        },
        "0/1",
        "Init:0/1",
        "0",
    ),
    (
        "init crash loop",
        1,
        ["i0"],
        {"phase": "Pending", "initContainerStatuses": [state("i0", waits("CrashLoopBackOff"), restarts=4)]},
        "0/1",
        "Init:CrashLoopBackOff",
        "4",
    ),
    (
        "init error",
        1,
        ["i0"],
        {"phase": "Pending", "initContainerStatuses": [state("i0", ended(1, "Error"))]},
        "0/1",
        "Init:Error",
        "0",
    ),
    (
        "init exit code",
        1,
        ["i0"],
        {"phase": "Pending", "initContainerStatuses": [state("i0", ended(5))]},
        "0/1",
        "Init:ExitCode:5",
        "0",
    ),
    (
        "init signal",
        1,
        ["i0"],
        {"phase": "Pending", "initContainerStatuses": [state("i0", ended(1, signal=15))]},
        "0/1",
        "Init:Signal:15",
        "0",
    ),
    (
        "init done",
        1,
        ["i0"],
        {
            "phase": "Pending",
            "initContainerStatuses": [state("i0", ended(0, "Completed"), restarts=3)],
            "containerStatuses": [state("c0", waits("PodInitializing"))],
        },
        "0/1",
        "PodInitializing",
        "0",
    ),
    (
        "sidecar",
        1,
        [SIDECAR],
        {
            "phase": "Running",
            "conditions": [condition("Initialized")],
            "initContainerStatuses": [state("proxy", RUNNING, ready=True, started=True, restarts=2)],
            "containerStatuses": [state("c0", RUNNING, ready=True, restarts=1)],
        },
        "2/2",
        "Running",
        "3",
    ),
    (
        "sidecar starting",
        1,
        [SIDECAR],
        {"phase": "Pending", "initContainerStatuses": [state("proxy", RUNNING, started=False)]},
        "0/2",
        "Init:0/1",
        "0",
    ),
    (
        "restarted long ago",
        1,
        [],
        {
            "phase": "Running",
            "containerStatuses": [state("c0", RUNNING, ready=True, restarts=2, last=ended(1, "Error"))],
        },
        "1/1",
        "Running",
        "2 (ago)",
    ),
    ("unknown phase", 1, [], {"phase": "Unknown"}, "0/1", "Unknown", "0"),
    (
        "terminating",
        1,
        [],
        {"phase": "Running", "containerStatuses": [state("c0", RUNNING, ready=True)]},
        "1/1",
        "Terminating",
        "0",
    ),
    ("node lost", 1, [], {"phase": "Running", "reason": "NodeLost"}, "0/1", "Unknown", "0"),
]


@pytest.mark.parametrize(
    ("what", "count", "inits", "told", "ready", "status", "restarts"),
    POD_ROWS,
    ids=[row[0] for row in POD_ROWS],
)
def test_rows_of_pods(
    api: Api, what: str, count: int, inits: list[Any], told: Json, ready: str, status: str, restarts: str
) -> None:
    space = api.space
    name = what.replace(" ", "-").replace(",", "")
    spec: Json = {"nodeName": "node-1", "containers": [{"name": f"c{n}", "image": "i"} for n in range(count)]}
    if inits:
        spec["initContainers"] = [{"name": i, "image": "i"} if isinstance(i, str) else i for i in inits]
    path = f"/api/v1/namespaces/{space}/pods"
    api.make(path, {"metadata": {"name": name}, "spec": spec, "status": told})
    if what in ("terminating", "node lost"):
        api.delete(f"{path}/{name}")
    row = api.get(f"{path}/{name}", accept=TABLE).json()["rows"][0]["cells"]
    shown = str(row[3])
    if "ago" in shown:
        shown = f"{shown.split(' ')[0]} (ago)"
    assert [row[0], row[1], row[2], shown, *row[6:]] == [
        name,
        ready,
        status,
        restarts,
        "node-1",
        "<none>",
        "<none>",
    ]


def test_a_finished_pod_says_so_in_its_row(api: Api) -> None:
    space = api.namespace()
    api.pod(space, "done", node="node-1", phase="Succeeded")
    row = api.get(f"/api/v1/namespaces/{space}/pods/done", accept=TABLE).json()["rows"][0]
    assert row["conditions"][0] == {
        "type": "Completed",
        "status": "True",
        "reason": "Succeeded",
        "message": "The pod has completed successfully.",
    }


# Patches.


def two_containers(space: str) -> Json:
    containers = [build.container("app"), build.container("proxy", image="proxy:1")]
    containers[0]["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    return build.deployment("web", space, containers=containers)


STRATEGIC_PATCHES = [
    ({"containers": [{"name": "app", "image": "app:2"}]}, ["app:2", "proxy:1"], ["A", "B"]),
    (
        {"containers": [{"name": "app", "env": [{"name": "C", "value": "3"}]}]},
        [build.IMAGE, "proxy:1"],
        ["C", "A", "B"],
    ),
    (
        {"containers": [{"name": "app", "env": [{"name": "A", "$patch": "delete"}]}]},
        [build.IMAGE, "proxy:1"],
        ["B"],
    ),
    ({"containers": [{"name": "proxy", "$patch": "delete"}]}, [build.IMAGE], ["A", "B"]),
    ({"containers": [{"$patch": "replace"}, {"name": "app", "image": "new:1"}]}, ["new:1"], []),
    ({"$patch": "replace", "containers": [{"name": "only", "image": "only:1"}]}, ["only:1"], []),
    (
        {"containers": [{"name": "extra", "image": "extra:1"}]},
        ["extra:1", build.IMAGE, "proxy:1"],
        ["A", "B"],
    ),
]


@pytest.mark.parametrize(("change", "images", "env"), STRATEGIC_PATCHES)
def test_strategic_merge_patches(api: Api, change: Json, images: list[str], env: list[str]) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    api.make(path, two_containers(space))
    answer = api.patch(f"{path}/web", {"spec": {"template": {"spec": change}}}, STRATEGIC)
    assert answer.status_code == 200, answer.text
    containers = answer.json()["spec"]["template"]["spec"]["containers"]
    assert [container["image"] for container in containers] == images
    found = [item["name"] for container in containers for item in container.get("env") or ()]
    assert found == env


def test_strategic_merge_of_tolerations_replaces_them(api: Api) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    api.make(
        path, build.deployment("web", space, template={"tolerations": [{"key": "a", "operator": "Exists"}]})
    )
    change = {"spec": {"template": {"spec": {"tolerations": [{"key": "b", "operator": "Exists"}]}}}}
    spec = api.patch(f"{path}/web", change, STRATEGIC).json()["spec"]["template"]["spec"]
    assert spec["tolerations"] == [{"key": "b", "operator": "Exists"}]


def test_a_cordon_and_its_undoing(api: Api) -> None:
    name = f"cordon-{next(NUMBERS)}"
    api.make("/api/v1/nodes", {"metadata": {"name": name}})
    path = f"/api/v1/nodes/{name}"
    assert (
        api.patch(path, {"spec": {"unschedulable": True}}, STRATEGIC).json()["spec"]["unschedulable"] is True
    )
    assert "unschedulable" not in api.patch(path, {"spec": {"unschedulable": None}}, STRATEGIC).json()["spec"]


def test_merge_patch_replaces_lists_and_null_deletes(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.make(path, configmap("a", x="1", y="2"))
    patched = api.patch(f"{path}/a", {"metadata": {"labels": {"x": None, "z": "3"}}}).json()
    assert patched["metadata"]["labels"] == {"y": "2", "z": "3"}


def test_json_patch(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    uid = api.make(path, configmap("a", **{"example.com/x": "1"}))["metadata"]["uid"]
    operations = [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "replace", "path": "/metadata/labels/example.com~1x", "value": "2"},
        # Replacing what is not there adds it.
        {"op": "replace", "path": "/data/more", "value": "yes"},
        {"op": "copy", "from": "/data/more", "path": "/data/most"},
        {"op": "move", "from": "/data/key", "path": "/data/moved"},
    ]
    patched = api.patch(f"{path}/a", operations, JSON_PATCH).json()
    assert patched["metadata"]["labels"] == {"example.com/x": "2"}
    assert patched["data"] == {"more": "yes", "most": "yes", "moved": "a"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/metadata/uid", "value": "x"},
        {"op": "add", "path": "/metadata/annotations/x", "value": "x"},
        {"op": "remove", "path": "/data/no"},
        {"op": "replace", "path": "/no/no", "value": "x"},
    ],
)
def test_a_failing_json_patch_says_nothing(api: Api, labelled: str, operation: Json) -> None:
    got = api.patch(f"{labelled}/d", [operation], JSON_PATCH)
    assert said(got) == (422, "Invalid", "the server rejected our request due to an error in our request")


def test_bad_patches(api: Api, labelled: str) -> None:
    path = f"{labelled}/a"
    assert said(api.patch(path, {"metadata": {"resourceVersion": "1", "labels": {"q": "r"}}}))[:2] == (
        409,
        "Conflict",
    )
    uid = said(api.patch(path, {"metadata": {"uid": "other"}}))
    assert (
        uid[:2] == (422, "Invalid") and 'metadata.uid: Invalid value: "other": field is immutable' in uid[2]
    )
    assert api.patch(path, {"metadata": {"name": "other"}}).status_code == 400
    assert said(api.patch(path, "{bad"))[:2] == (400, "BadRequest")
    assert said(api.patch(path, {"op": "x"}, JSON_PATCH))[:2] == (400, "BadRequest")
    assert said(api.patch(path, {}, "application/json")) == (
        415,
        "UnsupportedMediaType",
        "415: Unsupported Media Type",
    )
    assert api.patch(f"{labelled}/no", {}).status_code == 404


def test_immutable_fields(api: Api) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    api.make(path, build.deployment("web", space))
    got = said(api.patch(f"{path}/web", {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}}))
    assert got[:2] == (422, "Invalid")
    assert got[2].endswith('Invalid value: {"app":"other"}: `selector` does not match template `labels`')
    both = {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}
    assert "spec.selector: Invalid value" in said(api.patch(f"{path}/web", {"spec": both}))[2]
    api.pod(space, "a", node="node-1")
    got = said(api.patch(f"/api/v1/namespaces/{space}/pods/a", {"spec": {"nodeName": "other"}}))
    assert got[:2] == (422, "Invalid") and "pod updates may not change fields other than" in got[2]
    api.make(f"/apis/apps/v1/namespaces/{space}/statefulsets", build.statefulset("db", space))
    got = said(api.patch(f"/apis/apps/v1/namespaces/{space}/statefulsets/db", {"spec": {"serviceName": "x"}}))
    assert got[:2] == (422, "Invalid") and "updates to statefulset spec for fields other than" in got[2]


# Scale.


def test_scale(api: Api) -> None:
    space = api.namespace()
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    api.make(path, build.deployment("web", space, replicas=2))
    seen = api.get(f"{path}/web/scale").json()
    assert (seen["kind"], seen["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (seen["spec"], seen["status"]) == ({"replicas": 2}, {"replicas": 0, "selector": "app=web"})
    seen["spec"]["replicas"] = 5
    assert api.put(f"{path}/web/scale", seen).json()["spec"] == {"replicas": 5}
    assert said(api.put(f"{path}/web/scale", seen))[:2] == (409, "Conflict")
    assert api.patch(f"{path}/web/scale", {"spec": {"replicas": 7}}, dryRun="All").json()["spec"] == {
        "replicas": 7
    }
    assert api.patch(f"{path}/web/scale", {"spec": {"replicas": 6}}).json()["spec"] == {"replicas": 6}
    assert said(api.patch(f"{path}/web/scale", {"spec": {"replicas": -1}})) == (
        422,
        "Invalid",
        'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    )
    assert api.patch(f"{path}/web/scale", {"spec": {"replicas": 0}}).json()["spec"] == {}
    stored = api.get(f"{path}/web").json()
    assert (stored["spec"]["replicas"], stored["metadata"]["generation"]) == (0, 4)


# Eviction.


@pytest.fixture
def guarded(api: Api) -> str:
    """Three ready pods under a budget that lets one go."""
    space = api.namespace()
    for number in range(3):
        api.pod(space, f"web-{number}", node="node-1", labels={"app": "web"})
    api.budget(space, "web", min_available=2, told={"disruptionsAllowed": 1})
    return space


def budget_status(api: Api, space: str) -> Json:
    told: Json = api.get(f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets/web").json()["status"]
    return told


def set_budget(api: Api, space: str, **told: Any) -> None:
    api.patch(f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets/web/status", {"status": told})


def test_an_eviction_spends_the_budget_and_marks_the_pod(api: Api, guarded: str) -> None:
    answer = api.evict(guarded, "web-0")
    assert answer.status_code == 201
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }
    told = budget_status(api, guarded)
    assert told["disruptionsAllowed"] == 0 and list(told["disruptedPods"]) == ["web-0"]
    assert told["conditions"][0]["reason"] == "InsufficientPods"
    pod = api.get(f"/api/v1/namespaces/{guarded}/pods/web-0").json()
    assert pod["metadata"]["deletionTimestamp"]
    marked = [item for item in pod["status"]["conditions"] if item["type"] == "DisruptionTarget"]
    assert (marked[0]["status"], marked[0]["reason"]) == ("True", "EvictionByEvictionAPI")


BUDGET_TEXTS = [
    (
        {"currentHealthy": 2, "desiredHealthy": 2},
        "The disruption budget web needs 2 healthy pods and has 2 currently",
    ),
    (
        {"currentHealthy": 1, "desiredHealthy": 2},
        "The disruption budget web needs 2 healthy pods and has 1 currently",
    ),
    (
        {"currentHealthy": 3, "desiredHealthy": 2},
        "The disruption budget web does not allow evicting pods currently",
    ),
]


@pytest.mark.parametrize(("told", "message"), BUDGET_TEXTS)
def test_a_used_up_budget_refuses_without_retry_after(
    api: Api, guarded: str, told: Json, message: str
) -> None:
    set_budget(api, guarded, disruptionsAllowed=0, **told)
    answer = api.evict(guarded, "web-0")
    assert said(answer) == (
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
    )
    assert answer.json()["details"]["causes"] == [{"reason": "DisruptionBudget", "message": message}]
    assert "retry-after" not in answer.headers


def test_a_budget_not_looked_at_yet_says_when_to_retry(api: Api, guarded: str) -> None:
    set_budget(api, guarded, observedGeneration=0)
    answer = api.evict(guarded, "web-0")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    cause = answer.json()["details"]["causes"][0]["message"]
    assert cause == "The disruption budget web is still being processed by the server."


def test_a_wrong_uid_spends_the_budget_all_the_same(api: Api, guarded: str) -> None:
    answer = api.evict(guarded, "web-0", {"preconditions": {"uid": "wrong"}})
    assert said(answer)[:2] == (409, "Conflict")
    assert "The object might have been deleted and then recreated" in said(answer)[2]
    assert budget_status(api, guarded)["disruptionsAllowed"] == 0
    assert "deletionTimestamp" not in api.get(f"/api/v1/namespaces/{guarded}/pods/web-0").json()["metadata"]
    assert api.evict(guarded, "web-1").status_code == 429


def test_dry_run_evictions_spend_nothing(api: Api, guarded: str) -> None:
    for _ in range(2):
        assert api.evict(guarded, "web-0", dryRun="All").status_code == 201
        assert api.evict(guarded, "web-1", {"dryRun": ["All"]}).status_code == 201
    assert budget_status(api, guarded)["disruptionsAllowed"] == 1
    set_budget(api, guarded, disruptionsAllowed=0, currentHealthy=2)
    assert api.evict(guarded, "web-0", dryRun="All").status_code == 429


def test_a_terminating_pod_needs_no_budget(api: Api, guarded: str) -> None:
    set_budget(api, guarded, disruptionsAllowed=0, currentHealthy=2)
    api.delete(f"/api/v1/namespaces/{guarded}/pods/web-0")
    assert api.evict(guarded, "web-0").status_code == 201


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_a_pod_that_does_not_run_needs_no_budget(api: Api, guarded: str, phase: str) -> None:
    set_budget(api, guarded, disruptionsAllowed=0, currentHealthy=2)
    api.pod(guarded, "other", node="node-1", labels={"app": "web"}, phase=phase)
    assert api.evict(guarded, "other").status_code == 201


UNREADY = [
    ({"currentHealthy": 2, "desiredHealthy": 2}, "", 201),
    ({"currentHealthy": 1, "desiredHealthy": 2}, "", 429),
    ({"currentHealthy": 0, "desiredHealthy": 0}, "", 429),
    ({"currentHealthy": 1, "desiredHealthy": 2}, "AlwaysAllow", 201),
    ({"currentHealthy": 1, "desiredHealthy": 2}, "IfHealthyBudget", 429),
]


@pytest.mark.parametrize(("told", "policy", "code"), UNREADY)
def test_evicting_an_unready_pod(api: Api, told: Json, policy: str, code: int) -> None:
    space = api.namespace()
    api.pod(space, "sick", node="node-1", labels={"app": "web"}, ready=False)
    spec = {"unhealthyPodEvictionPolicy": policy} if policy else {}
    api.budget(space, "web", min_available=2, told={"disruptionsAllowed": 0, **told}, **spec)
    assert api.evict(space, "sick").status_code == code
    assert "disruptedPods" not in budget_status(api, space)


def test_two_budgets_on_a_pod_are_an_error(api: Api, guarded: str) -> None:
    api.budget(guarded, "second", selector={"app": "web"}, told={"disruptionsAllowed": 1})
    answer = api.evict(guarded, "web-0")
    assert said(answer) == (
        500,
        "",
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    )


def test_an_empty_selector_guards_the_whole_namespace(api: Api) -> None:
    space = api.namespace()
    api.pod(space, "any", node="node-1")
    api.budget(space, "web", selector={}, told={"disruptionsAllowed": 0, "currentHealthy": 2})
    assert api.evict(space, "any").status_code == 429


def test_other_answers_to_an_eviction(api: Api) -> None:
    space = api.namespace()
    assert said(api.evict(space, "no"))[:2] == (404, "NotFound")
    api.pod(space, "a", node="node-1")
    path = f"/api/v1/namespaces/{space}/pods/a/eviction"
    wrong = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "b"}}
    assert said(api.post(path, wrong))[2] == "name in URL does not match name in Eviction object"
    assert api.evict(space, "a", {"gracePeriodSeconds": 5}).status_code == 201
    gone = api.get(f"/api/v1/namespaces/{space}/pods/a").json()["metadata"]
    assert gone["deletionGracePeriodSeconds"] == 5
    assert api.get(path).status_code == 405


# Watch.


def shown(events: list[Json]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def test_a_watch_tells_what_happened_since(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.make(path, configmap("old"))
    since = api.get(path).json()["metadata"]["resourceVersion"]
    api.make(path, configmap("a", tier="web"))
    api.patch(f"{path}/a", {"data": {"key": "new"}})
    api.delete(f"{path}/a")
    events = api.watch(path, resourceVersion=since)
    assert shown(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert events[0]["object"]["kind"] == "ConfigMap"


def test_a_watch_without_a_version_starts_with_what_is_there(api: Api, labelled: str) -> None:
    assert shown(api.watch(labelled)) == [("ADDED", name) for name in "abcd"]
    assert shown(api.watch(labelled, labelSelector="tier=web", watch="true")) == [
        ("ADDED", "a"),
        ("ADDED", "b"),
    ]
    assert shown(api.watch(labelled, fieldSelector="metadata.name=c", watch="True")) == [("ADDED", "c")]


def test_objects_enter_and_leave_a_selection(api: Api) -> None:
    space = api.namespace()
    path = f"/api/v1/namespaces/{space}/configmaps"
    since = api.make(path, configmap("a", tier="db"))["metadata"]["resourceVersion"]
    api.patch(f"{path}/a", {"metadata": {"labels": {"tier": "web"}}})
    api.patch(f"{path}/a", {"data": {"key": "new"}})
    api.patch(f"{path}/a", {"metadata": {"labels": {"tier": "db"}}})
    events = api.watch(path, resourceVersion=since, labelSelector="tier=web")
    assert shown(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert events[2]["object"]["metadata"]["labels"] == {"tier": "web"}


def test_a_streaming_list_ends_with_a_bookmark(api: Api, labelled: str) -> None:
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    events = api.watch(labelled, fieldSelector="metadata.name=a", **query)
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    bad = api.get(labelled, watch="1", sendInitialEvents="true")
    assert bad.status_code == 422


def test_a_watch_in_tables(api: Api, labelled: str) -> None:
    events = api.watch(labelled, accept=TABLE)
    assert [event["object"]["kind"] for event in events] == ["Table"] * 4
    assert events[0]["object"]["columnDefinitions"]
    assert not events[1]["object"]["columnDefinitions"]
    assert events[1]["object"]["rows"][0]["cells"][0] == "b"


def test_a_watch_of_one_object(api: Api, labelled: str) -> None:
    """Named in the path, `watch` is not honoured: the object itself comes back."""
    got = api.get(f"{labelled}/a", watch="1", timeoutSeconds=1)
    assert got.json()["kind"] == "ConfigMap"


def test_a_bad_version_to_watch_from(api: Api, labelled: str) -> None:
    got = api.get(labelled, watch="1", resourceVersion="abc")
    assert got.status_code == 500
    assert "invalid syntax" in got.json()["message"]


# Access.


def as_viewer(api: Api, method: str, path: str, **given: Any) -> httpx.Response:
    return api.http.request(method, path, headers={"Authorization": f"Bearer {api.viewer}"}, **given)


FORBIDDEN = [
    (
        "GET",
        "/api/v1/pods",
        'pods is forbidden: User "viewer" cannot list resource "pods" in API group "" at the cluster scope',
    ),
    (
        "GET",
        "/api/v1/namespaces/x/pods/a",
        'pods "a" is forbidden: User "viewer" cannot get resource "pods" in API group "" in the namespace "x"',
    ),
    (
        "GET",
        "/api/v1/namespaces/x/pods/a/log",
        'pods "a" is forbidden: User "viewer" cannot get resource "pods/log" in API group "" in the namespace "x"',
    ),
    (
        "POST",
        "/api/v1/namespaces/x/pods/a/eviction",
        'pods "a" is forbidden: User "viewer" cannot create resource "pods/eviction" '
        'in API group "" in the namespace "x"',
    ),
    (
        "GET",
        "/apis/apps/v1/namespaces/x/deployments",
        'deployments.apps is forbidden: User "viewer" cannot list resource "deployments" '
        'in API group "apps" in the namespace "x"',
    ),
    (
        "PATCH",
        "/api/v1/nodes/n",
        'nodes "n" is forbidden: User "viewer" cannot patch resource "nodes" in API group "" at the cluster scope',
    ),
    (
        "GET",
        "/api/v1/namespaces/x",
        'namespaces "x" is forbidden: User "viewer" cannot get resource "namespaces" in API group "" in the namespace "x"',
    ),
    (
        "DELETE",
        "/api/v1/namespaces/x/pods",
        'pods is forbidden: User "viewer" cannot deletecollection resource "pods" in API group "" in the namespace "x"',
    ),
    ("GET", "/metrics", 'forbidden: User "viewer" cannot get path "/metrics"'),
]


@pytest.mark.parametrize(("method", "path", "message"), FORBIDDEN)
def test_without_rights(api: Api, method: str, path: str, message: str) -> None:
    assert said(as_viewer(api, method, path)) == (403, "Forbidden", message)


def test_who_is_asking(api: Api) -> None:
    wrong = api.http.get("/api/v1/pods", headers={"Authorization": "Bearer wrong"})
    assert said(wrong) == (401, "Unauthorized", "Unauthorized")
    nobody = api.http.get("/api/v1/pods", headers={"Authorization": ""})
    assert 'User "system:anonymous" cannot list resource "pods"' in said(nobody)[2]
    assert api.http.get("/version", headers={"Authorization": ""}).status_code == 200
    assert api.http.get("/apis", headers={"Authorization": ""}).status_code == 403
    assert as_viewer(api, "GET", "/apis").status_code == 200
    acted = api.http.get("/api/v1/pods", headers={"Impersonate-User": "bob"})
    assert 'User "bob" cannot list resource "pods"' in said(acted)[2]


def test_access_reviews(api: Api) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    body = {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}}}
    mine = api.post(path, body)
    assert mine.status_code == 201 and mine.json()["status"]["allowed"] is True
    theirs = as_viewer(api, "POST", path, json=body).json()
    assert theirs["status"] == {"allowed": False}
    assert theirs["spec"] == body["spec"]
    rules = api.post(
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "x"}}
    ).json()
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert everything in rules["status"]["resourceRules"] and rules["status"]["incomplete"] is False


def test_rbac_objects_give_rights(api: Api) -> None:
    space = api.namespace()
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}"
    rules = [
        {"apiGroups": ["", "apps"], "resources": ["pods", "deployments/scale"], "verbs": ["list", "get"]}
    ]
    api.make(f"{rbac}/roles", {"metadata": {"name": "r"}, "rules": rules})
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "viewer", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    api.make(f"{rbac}/rolebindings", binding)
    # The authorizer of the real server learns of it a moment later.
    for _ in range(200):
        listed = as_viewer(api, "GET", f"/api/v1/namespaces/{space}/pods")
        if listed.status_code == 200:
            break
    assert listed.json()["items"] == []
    assert as_viewer(api, "DELETE", f"/api/v1/namespaces/{space}/pods/a").status_code == 403
    assert as_viewer(api, "GET", "/api/v1/pods").status_code == 403
    assert as_viewer(api, "GET", f"/apis/apps/v1/namespaces/{space}/deployments/x/scale").status_code == 404
    assert as_viewer(api, "GET", f"/apis/apps/v1/namespaces/{space}/deployments/x").status_code == 403


# Discovery.


def test_discovery_documents(api: Api) -> None:
    assert api.get("/version").json()["gitVersion"] == "v1.36.3"
    for path in ("/api", "/api/", "/apis", "/apis/", "/api/v1", "/api/v1/", "/apis/apps", "/apis/apps/v1/"):
        assert api.get(path).status_code == 200, path
    groups = {group["name"] for group in api.get("/apis").json()["groups"]}
    assert {"apps", "batch", "policy", "autoscaling", "discovery.k8s.io", "apiextensions.k8s.io"} <= groups
    assert "metrics.k8s.io" not in groups
    pods = {entry["name"]: entry for entry in api.get("/api/v1").json()["resources"]}
    assert (pods["pods"]["shortNames"], pods["pods"]["namespaced"]) == (["po"], True)
    eviction = {key: pods["pods/eviction"][key] for key in ("group", "version", "kind", "verbs")}
    assert eviction == {"group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]}


def test_aggregated_discovery(api: Api) -> None:
    form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = api.get("/apis", accept=form)
    assert "as=APIGroupDiscoveryList" in answer.headers["content-type"]
    groups = {group["metadata"]["name"]: group for group in answer.json()["items"]}
    found = {name: group for name, group in groups.items() if not name.endswith(".example.com")}
    assert len(found) == 20
    assert all(version["freshness"] == "Current" for group in found.values() for version in group["versions"])
    deployments = next(r for r in found["apps"]["versions"][0]["resources"] if r["resource"] == "deployments")
    assert deployments["responseKind"] == {"group": "", "version": "", "kind": "Deployment"}
    assert api.get("/api", accept=form).json()["items"][0]["versions"][0]["version"] == "v1"


def test_health_and_what_is_not_there(api: Api) -> None:
    for path in ("/readyz", "/livez", "/healthz"):
        assert api.get(path).text == "ok"
    assert api.get("/readyz", verbose="").text.endswith("readyz check passed\n")
    for path in ("/no", "/apis/no.io/v1", "/apis/no.io/v1/things", "/apis/metrics.k8s.io/v1beta1/nodes"):
        answer = api.get(path)
        assert (answer.status_code, answer.text) == (404, "404 page not found\n"), path


def test_events_in_both_groups(api: Api) -> None:
    space = api.namespace()
    pod = api.pod(space, "a")
    api.make(
        f"/api/v1/namespaces/{space}/events", build.event("e", space, about=pod, reason="R", message="m")
    )
    event = api.get(f"/apis/events.k8s.io/v1/namespaces/{space}/events/e").json()
    assert (event["apiVersion"], event["note"], event["regarding"]["name"]) == ("events.k8s.io/v1", "m", "a")
    assert event["deprecatedCount"] == 1


def test_custom_resources(api: Api) -> None:
    path = rollouts(api)
    assert api.make(path, rollout(path, "a"))["metadata"]["generation"] == 1
    assert api.patch(f"{path}/a", {"spec": {"n": 2}}).json()["metadata"]["generation"] == 2
    assert api.patch(f"{path}/a/status", {"status": {"x": 1}}).json()["metadata"]["generation"] == 2
    assert api.patch(f"{path}/a", {"spec": {"n": 3}}, STRATEGIC).status_code == 415
    assert api.get(path).json()["items"][0]["kind"] == "Rollout"
    assert cells(api, f"{path}/a")[0] == "a"


def test_log_and_proxy_refusals(api: Api) -> None:
    space = api.namespace()
    pods = f"/api/v1/namespaces/{space}/pods"
    assert api.get(f"{pods}/no/log").status_code == 404
    assert api.get(f"{pods}/no:80/proxy/x").status_code == 404
    two = [build.container("app"), build.container("side")]
    api.make(pods, {"metadata": {"name": "a"}, "spec": {"nodeName": "n", "containers": two}})
    asked = said(api.get(f"{pods}/a/log"))
    assert asked == (
        400,
        "BadRequest",
        "a container name must be specified for pod a, choose one of: [app side]",
    )
    assert said(api.get(f"{pods}/a/log", container="x"))[2] == "container x is not valid for pod a"
    bad = said(api.get(f"{pods}/a/log", container="app", tailLines="-1"))
    assert (
        bad[2]
        == 'PodLogOptions "a" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'
    )
    assert said(api.get(f"{pods}/a:80/proxy/x")) == (400, "BadRequest", "address not allowed")
    services = f"/api/v1/namespaces/{space}/services"
    api.make(services, build.service("web", space))
    refused = said(api.get(f"{services}/web:81/proxy/x"))
    assert refused == (503, "ServiceUnavailable", 'no service port 81 found for service "web"')


def test_the_official_client_gets_along(api: Api) -> None:
    from kubernetes import client

    configuration = client.Configuration(host=api.url)
    configuration.api_key = {"authorization": f"Bearer {api.token}"}
    configuration.ssl_ca_cert = str(api.ca)
    space = api.namespace()
    api.pod(space, "a", node="node-1")
    with client.ApiClient(configuration) as connection:
        answer = client.CoreV1Api(connection).list_namespaced_pod(space, _preload_content=False)
        try:
            assert json.loads(answer.data)["items"][0]["metadata"]["name"] == "a"
        finally:
            answer.release_conn()
        connection.rest_client.pool_manager.clear()


def test_the_proxy_of_a_node_that_is_not_there_or_has_no_address(api: Api) -> None:
    absent = api.get("/api/v1/nodes/nobody/proxy/stats/summary")
    assert said(absent) == (404, "NotFound", 'nodes "nobody" not found')
    bare = build.node(f"bare-{api.namespace()}")
    bare["status"].pop("addresses", None)
    api.make("/api/v1/nodes", bare)
    answer = api.get(f"/api/v1/nodes/{bare['metadata']['name']}/proxy/stats/summary")
    assert answer.status_code >= 500, answer.text


def test_kubectl_gets_along(api: Api) -> None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no kubectl")
    space = api.namespace()
    node = f"kubectl-{space}"
    api.make("/api/v1/nodes", build.node(node))
    api.pod(space, "web", node=node, waiting="CrashLoopBackOff", restarts=3)
    api.make(f"/apis/apps/v1/namespaces/{space}/deployments", build.deployment("web", space))
    env = {"PATH": os.defpath, "KUBECACHEDIR": str(api.kubeconfig.parent / "cache"), "HOME": "/nonexistent"}

    def kubectl(*args: str, stdin: str = "") -> str:
        argv = [f"{assets}/kubectl", f"--kubeconfig={api.kubeconfig}", f"--namespace={space}", *args]
        done = subprocess.run(argv, env=env, input=stdin, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "CrashLoopBackOff" in kubectl("get", "pods")
    assert "Ready,SchedulingDisabled" in kubectl("cordon", node) + kubectl("get", "node", node)
    assert kubectl("scale", "deploy/web", "--replicas=4") == "deployment.apps/web scaled\n"
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "4"
    assert "restarted" in kubectl("rollout", "restart", "deploy/web")
    manifest = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}})
    assert kubectl("apply", "--validate=false", "-f", "-", stdin=manifest) == "configmap/applied created\n"
    assert kubectl("apply", "--validate=false", "-f", "-", stdin=manifest) == "configmap/applied unchanged\n"
    assert (
        kubectl("delete", "configmap", "applied") == f'configmap "applied" deleted from {space} namespace\n'
    )
    assert "CrashLoopBackOff" in kubectl("describe", "pod", "web")
