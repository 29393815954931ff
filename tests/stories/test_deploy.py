"""Deployed to a real API server: every overlay is taken without a warning, makes its pods, and then the real processes
answer with nothing but the tokens of the shipped service accounts.

There is no kubelet, so the pods stay where they are and the processes run here, from this checkout.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.controlplane import ControlPlane
from sandbox.house import House, Member, wait_until
from sandbox.process import Child
from sandbox.slack import SlackStandIn
from sandbox.slack.cast import ALICE
from tests.rendered import K8S, of_kind, overlays, rendered

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        "KUBEBUILDER_ASSETS" not in os.environ, reason="KUBEBUILDER_ASSETS is unset: see `make envtest`"
    ),
]

Json = dict[str, Any]

SPACE = "/api/v1/namespaces/sre-bot"
NODES = ("node-1", "node-2")
EMPTY = "node-3"  # no pod comes to it

# What the Prometheus Operator would have brought: names only, it is not its schema that is tried here.
OPERATOR = ("ServiceMonitor", "PodMonitor", "PrometheusRule")


def definition(kind: str) -> Json:
    plural = f"{kind.lower()}s"
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "names": names,
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        for name in NODES:
            plane.add_node(name)
        plane.add_node(EMPTY, taints=[{"key": "nobody", "effect": "NoSchedule"}])
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for kind in OPERATOR:
            plane.request("POST", path, definition(kind))
        for kind in OPERATOR:
            wait_until(lambda kind=kind: established(plane, f"{path}/{kind.lower()}s.monitoring.coreos.com"))  # type: ignore[misc]
        plane.kubectl("apply", "-f", str(K8S / "base" / "namespace.yaml"))
        yield plane


def established(plane: ControlPlane, path: str) -> bool:
    conditions = plane.request("GET", path).get("status", {}).get("conditions", ())
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def apply(plane: ControlPlane, overlay: str, *more: str) -> list[str]:
    """As docs/deploy.md says; a warning of the API server is an error."""
    words = ("apply", "--server-side", "--warnings-as-errors", *more, "-k", str(K8S / "overlays" / overlay))
    return plane.kubectl(*words).splitlines()


@pytest.mark.parametrize("overlay", overlays())
def test_the_api_server_would_take_it_without_a_warning(plane: ControlPlane, overlay: str) -> None:
    taken = apply(plane, overlay, "--dry-run=server")
    assert len(taken) == len(list(filter(None, yaml.safe_load_all(rendered(overlay)))))
    assert all(line.endswith("serverside-applied (server dry run)") for line in taken), taken


def test_nothing_of_it_names_what_it_does_not_bring(plane: ControlPlane) -> None:
    """A Secret is all that is left to make by hand, and which keys it has is said in docs/deploy.md."""
    told = (K8S.parent / "docs" / "deploy.md").read_text()
    for overlay in overlays():
        text = rendered(overlay)
        config, accounts = of_kind(text, "ConfigMap"), of_kind(text, "ServiceAccount")
        for kind in ("Deployment", "StatefulSet"):
            for each in of_kind(text, kind).values():
                spec = each["spec"]["template"]["spec"]
                assert spec["serviceAccountName"] in accounts
                assert {v["configMap"]["name"] for v in spec["volumes"] if "configMap" in v} <= set(config)
        for secret, key in re.findall(r"key: (\w+)\n +name: (\S+)", text):
            assert f"{key}" in told and f"{secret}" in told, (overlay, secret, key)


@pytest.mark.parametrize("overlay", ["socket-mode", "change"])
def test_it_makes_its_pods(plane: ControlPlane, overlay: str) -> None:
    apply(plane, overlay)
    wanted = {"bot": 2, "worker": 2, "redis": 1}

    def counted() -> bool:
        pods = plane.request("GET", f"{SPACE}/pods")["items"]
        kinds = [pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods]
        return all(kinds.count(kind) >= number for kind, number in wanted.items())

    wait_until(counted, what="controllers make the pods")
    claims = plane.request("GET", f"{SPACE}/persistentvolumeclaims")["items"]
    assert [each["metadata"]["name"] for each in claims] == ["data-sre-bot-redis-0"]
    assert refusals(plane) == []


def refusals(plane: ControlPlane) -> list[str]:
    """What controllers could not make: a pod that the namespace forbids is told in an event and nowhere else."""
    events = plane.request("GET", f"{SPACE}/events")["items"]
    return [each["message"] for each in events if each["reason"] == "FailedCreate"]


# --- the processes, with the rights of their accounts --------------------------------------------


class DeployedHouse(House):
    """As deployed: the bot has no way to the cluster at all, the workers the token of their account."""

    def environment(self) -> dict[str, str]:
        return self._environment()

    def member(self, name: str, module: str, is_ready: Callable[[], bool]) -> Member:
        environment = self._environment()
        if module == "bot":
            del environment["KUBECONFIG"]
        child = Child([sys.executable, "-m", module], log=self.folder / f"{name}.log", env=environment)
        return Member(name, child, is_ready)


def kubeconfig(plane: ControlPlane, account: str) -> Path:
    """The administrator's, with a token of the account as a pod gets it."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = plane.request("POST", f"{SPACE}/serviceaccounts/{account}/token", body)["status"]["token"]
    config = json.loads(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = plane.folder / f"{account}.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def account_of(overlay: str) -> str:
    spec = of_kind(rendered(overlay), "Deployment")["sre-bot-workers"]["spec"]["template"]["spec"]
    return str(spec["serviceAccountName"])


@contextmanager
def deployed(
    plane: ControlPlane, overlay: str, *, socket: bool
) -> Iterator[tuple[DeployedHouse, SlackStandIn]]:
    """The shipped policy file, and who may drain; nothing that monitors is there."""
    apply(plane, overlay)
    shipped = yaml.safe_load((K8S / "base" / "sre-bot.yaml").read_text())
    allowed = [{"roles": [ALICE.id], "may": "submit", "verbs": "*"}]
    site = {**shipped, "cluster": {"eks": False}, "access": allowed}
    config = kubeconfig(plane, account_of(overlay))
    with (
        SlackStandIn() as slack,
        DeployedHouse(slack=slack, kubeconfig=config, site=site, uses_socket_mode=socket) as house,
    ):
        yield house, slack


def ask(slack: SlackStandIn, text: str, until: str) -> str:
    """What the thread says once it says that."""
    slack.command("alice", "#sre-daily", text)
    try:
        slack.wait_for(lambda: until in slack.transcript("#sre-daily"), timeout=60)
    except TimeoutError:
        pytest.fail(slack.transcript("#sre-daily"))
    return slack.transcript("#sre-daily")


@pytest.mark.parametrize("socket", [False, True], ids=["http", "socket-mode"])
def test_health_is_answered_with_the_rights_to_read_alone(plane: ControlPlane, socket: bool) -> None:
    """Unknown is what nothing here measures, and nothing is unknown for want of a right."""
    with deployed(plane, "socket-mode", socket=socket) as (house, slack):
        told = ask(slack, "health cluster", "3/5 green")
        assert not re.search(r"forbidden|needs \w+ on", told), told
        assert "Traceback" not in "".join(member.log() for member in house.members)


def test_a_drain_is_refused_with_what_is_missing_where_the_workers_may_only_read(plane: ControlPlane) -> None:
    with deployed(plane, "socket-mode", socket=True) as (_, slack):
        told = ask(slack, f"drain {EMPTY} --why maintenance", "BLOCKED")
    assert "needs patch on nodes" in told, told
    assert "Approve" not in told, told


def test_a_drain_is_planned_where_they_may_change(plane: ControlPlane) -> None:
    with deployed(plane, "change", socket=True) as (_, slack):
        told = ask(slack, f"drain {EMPTY} --why maintenance", "wants approval")
    assert f"Close {EMPTY} to new pods" in told, told


@pytest.mark.parametrize(
    ("overlay", "said"),
    [("socket-mode", "it may only read"), ("change", "rights that changes need are there")],
)
def test_the_doctor_says_what_the_account_may(plane: ControlPlane, overlay: str, said: str) -> None:
    with deployed(plane, overlay, socket=True) as (house, _):
        done = subprocess.run(
            [sys.executable, "-m", "bot", "doctor"],
            env=house.environment(), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert "rights that reads need are there" in done.stdout, done.stdout + done.stderr
    assert said in done.stdout, done.stdout


def test_the_doctor_names_a_right_that_was_taken_away(plane: ControlPlane) -> None:
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/sre-bot-read"
    with deployed(plane, "socket-mode", socket=True) as (house, _):
        rules = plane.request("GET", role)["rules"]
        less = [
            {**rule, "resources": [each for each in rule["resources"] if each != "events"]} for rule in rules
        ]
        patch = {"rules": [rule for rule in less if rule["resources"]]}
        plane.request("PATCH", role, patch, content_type="application/merge-patch+json")
        done = subprocess.run(
            [sys.executable, "-m", "bot", "doctor"],
            env=house.environment(), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert "list events" in done.stdout, done.stdout
    assert done.returncode == 1
