"""k8s/ holds together by itself: what is named is there, pods are as restricted as their namespace asks, variables
are those the programs read, ports those they listen at, and stopping has longer than what may be under way.

Without kustomize: the files as they stand. tests/stories/test_deploy.py renders them and applies them.
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import VARIABLES, Settings
from bot.sitefile import parse
from bot.state import JOB_TIMEOUT
from bot.wire import TIMEOUT
from commands.version import VERSION
from tests.drift.tree import ROOT
from workers.__main__ import _FINISH_SECONDS as FINISH

K8S = ROOT / "k8s"

Json = dict[str, Any]

KUSTOMIZATIONS = sorted(K8S.rglob("kustomization.yaml"))

# Kept by hand beside what kustomize reads: policies of AWS, and the rules as promtool and Prometheus read them.
BESIDE = {"aws-policy.json", "aws-change-policy.json", "alert-rules.yaml", "alert-rules.test.yaml"}


def referred(kustomization: Path) -> Iterator[Path]:
    body = yaml.safe_load(kustomization.read_text())
    named = [*body.get("resources", ()), *body.get("components", ())]
    named += [each["path"] for each in body.get("patches", ()) if "path" in each]
    named += [
        name.rpartition("=")[2]
        for made in body.get("configMapGenerator", ())
        for name in made.get("files", ())
    ]
    return ((kustomization.parent / name).resolve() for name in named)


def documents() -> Iterator[tuple[str, Json]]:
    for file in sorted(K8S.rglob("*.yaml")):
        if file.name not in BESIDE | {"kustomization.yaml", "sre-bot.yaml"}:
            yield from ((str(file.relative_to(K8S)), each) for each in yaml.safe_load_all(file.read_text()))


def workloads() -> dict[str, Json]:
    return {
        each["metadata"]["name"]: each
        for _, each in documents()
        if each["kind"] in ("Deployment", "StatefulSet")
    }


WORKLOADS = workloads()


def pod(name: str) -> Json:
    spec: Json = WORKLOADS[name]["spec"]["template"]["spec"]
    return spec


def container(name: str) -> Json:
    (only,) = pod(name)["containers"]
    found: Json = only
    return found


def test_every_file_is_named_and_every_name_is_a_file() -> None:
    named = {path for each in KUSTOMIZATIONS for path in referred(each)}
    assert [path for path in named if not path.exists()] == []
    beside = {K8S / name for name in BESIDE} | set(KUSTOMIZATIONS)
    shipped = {path for path in K8S.rglob("*") if path.is_file()} - beside
    assert {path.resolve() for path in shipped} == {path for path in named if path.is_file()}


def test_every_component_is_in_an_overlay() -> None:
    used = {path for each in K8S.glob("overlays/*/kustomization.yaml") for path in referred(each)}
    assert set(K8S.glob("components/*")) <= used


def test_the_shipped_policy_file_is_one_the_programs_take() -> None:
    file = K8S / "base" / "sre-bot.yaml"
    assert parse(file.read_text(), str(file)) is not None


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_asks_for_no_more_than_a_restricted_namespace_gives(name: str) -> None:
    spec = pod(name)
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container(name)["resources"]) == {"requests", "limits"}
    assert spec["enableServiceLinks"] is False, (
        "else every Service of the namespace is an environment variable"
    )


def test_pods_run_as_the_user_of_the_image() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    for name in ("sre-bot", "sre-bot-workers"):
        context = pod(name)["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2]))


def test_only_the_workers_have_a_token() -> None:
    accounts = {
        each["metadata"]["name"]: each.get("automountServiceAccountToken", True)
        for _, each in documents()
        if each["kind"] == "ServiceAccount"
    }
    assert {name: accounts[pod(name)["serviceAccountName"]] for name in WORKLOADS} == {
        "sre-bot": False,
        "sre-bot-redis": False,
        "sre-bot-workers": True,
    }


def test_variables_are_those_the_programs_read_and_slacks_tokens_go_to_the_bot_alone() -> None:
    given = {
        name: {each["name"] for each in container(name)["env"]} for name in ("sre-bot", "sre-bot-workers")
    }
    patched = set(re.findall(r"\{name: (SLACK_\w+)", "".join(f.read_text() for f in KUSTOMIZATIONS)))
    assert patched == {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}
    assert set().union(*given.values(), patched) - {"TZ"} <= set(VARIABLES)
    assert not [name for name in given["sre-bot-workers"] if name.startswith("SLACK_")]
    keys = {
        each["name"]: each["valueFrom"]["secretKeyRef"]["key"]
        for name in given
        for each in container(name)["env"]
        if "valueFrom" in each
    }
    assert {name: key for name, key in keys.items() if name != key} == {}


def test_the_zone_of_the_pods_is_that_of_the_policy() -> None:
    zone = yaml.safe_load((K8S / "base" / "sre-bot.yaml").read_text())["timezone"]
    zones = [
        each["value"]
        for name in ("sre-bot", "sre-bot-workers")
        for each in container(name)["env"]
        if each["name"] == "TZ"
    ]
    assert zones == [zone, zone]


def test_probes_ask_the_port_that_is_listened_at() -> None:
    ports = {
        name: {each["name"]: each["containerPort"] for each in container(name)["ports"]} for name in WORKLOADS
    }
    worker_port = next(
        each["value"] for each in container("sre-bot-workers")["env"] if each["name"] == "WORKER_PORT"
    )
    assert ports["sre-bot"] == {"http": Settings().port}
    assert ports["sre-bot-workers"] == {"metrics": int(worker_port)}
    for name in ("sre-bot", "sre-bot-workers"):
        asked = {
            kind: container(name)[kind]["httpGet"]
            for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert {each["port"] for each in asked.values()} <= set(ports[name])
        assert [each["path"] for each in asked.values()] == ["/healthz", "/healthz", "/readyz"]


def test_stopping_has_longer_than_what_may_be_under_way() -> None:
    worker, bot = (
        timedelta(seconds=pod(name)["terminationGracePeriodSeconds"])
        for name in ("sre-bot-workers", "sre-bot")
    )
    assert worker > JOB_TIMEOUT + timedelta(seconds=FINISH) + timedelta(
        seconds=15
    )  # a store that is slow meanwhile
    before = container("sre-bot")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert bot > timedelta(seconds=before + 3 * TIMEOUT + 10)  # a file is three calls; a request has 10 s


def test_every_selector_selects_pods_that_are_shipped() -> None:
    labels = [set(each["spec"]["template"]["metadata"]["labels"].items()) for each in WORKLOADS.values()]
    for file, each in documents():
        if each["kind"] in ("PodDisruptionBudget", "NetworkPolicy", "Service"):
            spec = each["spec"]
            chosen = spec.get("podSelector", spec.get("selector"))
            wanted = set(chosen.get("matchLabels", chosen if each["kind"] == "Service" else {}).items())
            assert any(wanted <= have for have in labels), (file, each["metadata"]["name"])
    components = {value for have in labels for key, value in have if key == "app.kubernetes.io/component"}
    told = re.findall(r"values: \[(.*?)\]", "".join(f.read_text() for f in K8S.rglob("*.yaml")))
    assert {word for line in told for word in line.split(", ")} <= components


def test_everything_is_shut_by_default_and_every_pod_has_its_own_doors() -> None:
    policies = {
        each["metadata"]["name"]: each["spec"] for _, each in documents() if each["kind"] == "NetworkPolicy"
    }
    assert policies["nothing-else"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "egress" not in policies["redis"], "Redis asks nobody"
    outside = {"0.0.0.0/0", "::/0"}
    ports = {
        (name, rule["port"])
        for name, spec in policies.items()
        for way in spec.get("egress", ())
        if any(to.get("ipBlock", {}).get("cidr") in outside for to in way["to"])
        for rule in way["ports"]
    }
    assert ports == {("bot", 443), ("workers", 443), ("workers", 6443)}
    for name in ("bot", "workers", "from-ingress", "redis"):
        assert all("from" in each and "ports" in each for each in policies[name]["ingress"])


def test_the_operators_rules_are_those_that_promtool_tests() -> None:
    plain = yaml.safe_load((K8S / "alert-rules.yaml").read_text())
    file = K8S / "monitoring" / "prometheusrule.yaml"
    head = "".join(file.read_text().partition("spec:\n")[:2])
    body = "".join(
        f"  {line}" if line.strip() else line
        for line in (K8S / "alert-rules.yaml").read_text().splitlines(keepends=True)
        if not line.startswith("#")
    )
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(head + body)
    assert yaml.safe_load(file.read_text())["spec"] == plain, "stale: UPDATE_GOLDEN=1 writes it anew"


def test_images_are_of_a_fixed_version() -> None:
    base = yaml.safe_load((K8S / "base" / "kustomization.yaml").read_text())
    assert [(each["name"], each["newTag"]) for each in base["images"]] == [("sre-bot", VERSION)]
    assert f"newTag: {VERSION}" in (ROOT / "docs" / "deploy.md").read_text()
    assert {container(name)["image"] for name in ("sre-bot", "sre-bot-workers")} == {"sre-bot"}
    assert re.fullmatch(r"redis:[\d.]+-\w+@sha256:[0-9a-f]{64}", container("sre-bot-redis")["image"])


def test_two_of_each_so_that_one_may_leave() -> None:
    budgets = {
        each["metadata"]["name"]: each["spec"]
        for _, each in documents()
        if each["kind"] == "PodDisruptionBudget"
    }
    assert set(budgets) == set(WORKLOADS)
    assert {name: WORKLOADS[name]["spec"]["replicas"] for name in WORKLOADS} == {
        "sre-bot": 2,
        "sre-bot-workers": 2,
        "sre-bot-redis": 1,
    }
    assert {spec["maxUnavailable"] for spec in budgets.values()} == {1}, (
        "none would keep a node from being drained"
    )


def test_the_guide_names_every_overlay_and_every_component() -> None:
    told = (ROOT / "docs" / "deploy.md").read_text()
    assert [file.name for file in K8S.glob("overlays/*") if f"| `{file.name}` |" not in told] == []
    assert [file.name for file in K8S.glob("components/*") if f"k8s/components/{file.name}" not in told] == []


def test_the_roles_of_aws_trust_the_account_that_the_workers_run_as() -> None:
    told = (ROOT / "docs" / "deploy.md").read_text()
    trusted = [json.loads(each)["Statement"][0] for each in re.findall(r"```json\n(.*?)```", told, re.DOTALL)]
    pods, irsa = trusted
    assert pods["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    condition = irsa["Condition"]["StringEquals"]
    account = pod("sre-bot-workers")["serviceAccountName"]
    assert f"system:serviceaccount:sre-bot:{account}" in condition.values()
