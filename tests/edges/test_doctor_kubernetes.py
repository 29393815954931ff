"""The doctor and a cluster: credentials, versions, clocks, and each right with the rule that grants it."""

import re
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from doctor_house import SITE, House, house, tls_server
from rude_server import HANG, RudeServer, page

from bot.doctor import BROKEN, GOOD, OPEN, WARNING, examine
from bot.doctor.wanted import wanted_by
from bot.rights import KubeNeed, change_needs, kube_needs
from bot.sitefile import parse
from commands.needs import Action
from commands.site import ClusterSite

__all__ = ["house"]  # a fixture


# --- Rights ---------------------------------------------------------------------------------------


def test_a_missing_right_comes_with_its_commands_and_the_rule_to_add(house: House) -> None:
    house.kube.deny("list", "nodes", group="metrics.k8s.io")
    house.kube.deny("list", "events", namespace="sre-shop")
    watching = house.with_site("namespaces: {watch: [sre-shop]}\n")
    broken = [check for check in house.of("Kubernetes shop", watching) if check.state == BROKEN]
    number = r"[0-9]+ of the [0-9]+ words"  # of those, too many to name
    assert [(check.about, re.sub(number, "N words", check.found), check.mend) for check in broken] == [
        (
            "Kubernetes shop rights",
            "may not list nodes.metrics.k8s.io, for /sre health and /sre node",
            "`sre-bot rbac | kubectl apply -f -`, or in a ClusterRole add "
            '- {apiGroups: ["metrics.k8s.io"], resources: ["nodes"], verbs: ["list"]}',
        ),
        (
            "Kubernetes shop rights",
            "may not list events in sre-shop, for N words of /sre",
            "`sre-bot rbac | kubectl apply -f -`, or in a Role in sre-shop add "
            '- {apiGroups: [""], resources: ["events"], verbs: ["list"]}',
        ),
    ]


def test_a_right_that_stands_in_a_role_of_its_own_comes_with_its_binding(house: House) -> None:
    house.kube.deny("get", "services/proxy")
    text = "cluster: {name: shop, eks: false}\nmonitoring: {access: proxy}"
    found = house.of("Kubernetes shop rights", replace(house.settings, site=parse(text)))
    monitoring = next(check for check in found if "services/proxy in monitoring" in check.found)
    assert monitoring.mend.startswith(
        "`kubectl create rolebinding sre-bot-services-proxy -n monitoring --clusterrole sre-bot-services-proxy "
        "--serviceaccount sre-bot:sre-bot-read"
    )


def test_a_bot_that_may_only_read_is_told_so_in_one_line(house: House) -> None:
    for need in change_needs(house.settings.site.clusters["shop"]):
        house.kube.deny(need.verb, need.resource, group=need.group)
    (found,) = house.bad("Kubernetes shop")
    assert (found.state, found.found) == (OPEN, "it may only read: no change can be carried out")
    assert "sre-bot-change" in found.mend


def test_a_missing_right_to_change_is_named_where_others_are_there(house: House) -> None:
    house.kube.deny("create", "pods/eviction")
    (found,) = house.bad("Kubernetes shop")
    assert (found.state, found.found) == (BROKEN, "may not create pods/eviction, for /sre node")


# What every real cluster binds to everybody who is logged in.
BASIC = [
    {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"], "verbs": ["create"]}
]


def _bound(name: str, rules: list[Any], subject: dict[str, str]) -> list[dict[str, Any]]:
    group = "rbac.authorization.k8s.io"
    api = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
    ref = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    binding = {**api, "kind": "ClusterRoleBinding", "roleRef": ref, "subjects": [subject]}
    return [{**api, "kind": "ClusterRole", "rules": rules}, binding]


def test_what_it_may_do_cannot_always_be_asked(house: House) -> None:
    house.kube.deny("create", "selfsubjectaccessreviews")
    (found,) = house.bad("Kubernetes shop")
    assert (found.state, found.found) == (OPEN, "what it may do cannot be asked (403)")
    assert "system:basic-user" in found.mend


def test_a_role_made_of_the_printed_rules_satisfies_the_doctor(house: House, tmp_path: Path) -> None:
    user = "system:serviceaccount:sre-bot:sre-bot"
    token = house.kube.user(user, rbac=True)
    house.kube.apply(_bound("system:basic-user", BASIC, {"kind": "Group", "name": "system:authenticated"}))
    settings = replace(house.settings, kubeconfig=str(house.kube.kubeconfig(tmp_path / "sa", token=token)))
    cluster = settings.site.clusters["shop"]
    needs = (*kube_needs(cluster), *change_needs(cluster))
    denied = [check for check in house.of("Kubernetes shop", settings) if check.state == BROKEN]
    reading = [need.rule for need in kube_needs(cluster)]  # of changes one line is enough: not one is there
    assert ["- " + check.mend.partition(" add - ")[2] for check in denied] == reading
    rules = [{"apiGroups": [n.group], "resources": [n.resource], "verbs": [n.verb]} for n in needs]
    subject = {"kind": "ServiceAccount", "name": "sre-bot", "namespace": "sre-bot"}
    house.kube.apply(_bound("sre-bot", rules, subject))
    assert [check for check in house.of("Kubernetes shop", settings) if check.state == BROKEN] == []


def test_the_commands_that_need_a_right_are_found_in_their_source() -> None:
    assert wanted_by(KubeNeed("delete", "pods")) == "/sre pod"
    assert wanted_by(KubeNeed("list", "csinodes", "storage.k8s.io")) == "/sre node"
    assert wanted_by(Action("secretsmanager:DescribeSecret", "secret:*")) == "/sre incident"
    assert wanted_by(Action("eks:ListUpdates", "nodegroup/*")) == "/sre change"
    assert wanted_by(KubeNeed("delete", "nothing")) == ""


def test_a_site_that_watches_everything_needs_its_rights_in_the_whole_cluster() -> None:
    needs = kube_needs(ClusterSite())
    assert {need.namespace for need in needs} == {""}
    assert {KubeNeed("list", "nodes"), KubeNeed("list", "pods"), KubeNeed("get", "pods/log")} <= set(needs)
    assert not {need.resource for need in needs} & {"pods/proxy", "services/proxy", "nodes/proxy", "secrets"}


def test_a_site_that_watches_some_namespaces_needs_only_there_what_has_one() -> None:
    site = parse("namespaces: {watch: [a, b]}\nmonitoring: {access: proxy}").cluster_for("")
    needs = kube_needs(site)
    assert [need.namespace for need in needs if need.resource == "events"] == ["a", "b"]
    assert [need.namespace for need in needs if need.resource == "pods/proxy"] == ["sre-shop"]
    assert [need.namespace for need in needs if need.resource == "services/proxy"] == [
        "monitoring",
        "sre-shop",
    ]
    # The plan of a drain looks at the pods of the whole cluster, so a, and b are not asked for by themselves.
    pods = [
        need.namespace for need in needs if (need.verb, need.resource, need.group) == ("list", "pods", "")
    ]
    assert pods == [""]


def test_config_maps_are_changed_only_where_a_flag_stops_the_writes() -> None:
    flagged = parse(
        "services: {web: {namespace: shop, freeze: {mode: flag, config_map: settings}}}"
    ).cluster_for("")
    wanted = KubeNeed("patch", "configmaps", "", "shop")
    assert wanted in change_needs(flagged)
    assert "configmaps" not in {need.resource for need in change_needs(ClusterSite()) if need.verb == "patch"}


def test_rights_to_change_are_none_of_those_to_read() -> None:
    assert not set(kube_needs(ClusterSite())) & set(change_needs(ClusterSite()))
    assert KubeNeed("create", "pods/eviction") in change_needs(ClusterSite())


# --- Getting there --------------------------------------------------------------------------------


def test_credentials_that_are_not_accepted(house: House, tmp_path: Path) -> None:
    config = house.kube.kubeconfig(tmp_path / "wrong", token="no-such-token")
    (found,) = house.of("Kubernetes shop", replace(house.settings, kubeconfig=str(config)))
    assert (found.state, found.found) == (BROKEN, "the credentials are not accepted (401)")
    assert "KUBECONFIG" in found.mend


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (page(503, "<html>maintenance"), BROKEN, "/version answers 503, and not as an API server does"),
        (page(302, "", location="/login"), BROKEN, "/version answers 302, and not as an API server does"),
        (page(200, "<html>a login page"), BROKEN, "/version answers 200, and not as an API server does"),
        (page(200, []), BROKEN, "/version answers 200, and not as an API server does"),
        (page(403, {}), GOOD, "answers, but does not tell its version (403)"),
        (page(200, {"gitVersion": "v1.36.3"}), GOOD, "answers, v1.36.3"),
        (page(200, {"gitVersion": "v1.22.17-eks-1"}), BROKEN, "answers, v1.22.17-eks-1, which is too old: "
         "autoscaling/v2 and policy/v1 are not all there"),
    ],
)  # fmt: skip
def test_an_answer_to_the_question_for_its_version(
    house: House, tmp_path: Path, answer: bytes, state: str, said: str
) -> None:
    with RudeServer(lambda asked: answer) as rude:
        found = house.of("Kubernetes shop", at(house, tmp_path, rude.url))
    assert (found[0].state, found[0].found) == (state, said)
    assert bool(found[0].mend) == (state == BROKEN)


def at(house: House, folder: Path, url: str, ca: Path | None = None) -> Any:
    """The settings with another API server in the kubeconfig."""
    text = house.kube.kubeconfig(folder / "real").read_text().replace(house.kube.url, url)
    if ca is not None:
        text = text.replace('"server":', f'"certificate-authority": "{ca}", "server":')
    (folder / "rude").write_text(text)
    return replace(house.settings, kubeconfig=str(folder / "rude"))


@pytest.mark.parametrize(("behind", "state"), [(30, WARNING), (600, BROKEN)])
def test_a_clock_that_is_not_the_api_servers(house: House, tmp_path: Path, behind: int, state: str) -> None:
    said = formatdate(time.time() - behind, usegmt=True)
    with RudeServer(lambda asked: page(200, {"gitVersion": "v1.36.3"}, Date=said)) as rude:
        (found,) = house.of("Kubernetes shop clock", at(house, tmp_path, rude.url))
    assert found.state == state and "ahead of the API server's" in found.found
    assert "NTP" in found.mend


def test_a_context_that_is_not_in_the_kubeconfig(house: House) -> None:
    text = SITE.replace("{name: shop,", "{name: shop, context: elsewhere,")
    settings = replace(house.settings, site=parse(text % {"monitoring": house.monitoring.url}))
    (found,) = house.of("Kubernetes shop", settings)
    assert found.state == BROKEN
    assert found.mend == "set KUBECONFIG, and `context` of cluster shop to a context in it"


def test_an_api_server_that_is_not_there_hangs_or_shows_an_unknown_certificate(
    house: House, tmp_path: Path
) -> None:
    (gone,) = house.of("Kubernetes shop", at(house, tmp_path, "http://127.0.0.1:1"))
    assert (gone.found, gone.state) == ("127.0.0.1:1 refuses the connection", BROKEN)
    with tls_server(tmp_path) as (url, _):
        (unknown,) = house.of("Kubernetes shop", at(house, tmp_path, url))
    assert "signed by nobody this machine trusts" in unknown.found
    assert unknown.mend.startswith("put its authority into `certificate-authority-data`")
    with tls_server(tmp_path, days=-1) as (url, certificate):
        (expired,) = house.of("Kubernetes shop", at(house, tmp_path, url, certificate))
    assert expired.found.startswith("the certificate of 127.0.0.1:") and expired.found.endswith("has expired")
    assert expired.mend == "renew it there"


def test_an_api_server_that_hangs(house: House, tmp_path: Path) -> None:
    with RudeServer(lambda asked: HANG) as silent:
        (found,) = examine(at(house, tmp_path, silent.url), {}, 0.5, only="Kubernetes")
    assert found.found == f"127.0.0.1:{silent.port} does not answer in time"
    assert "NetworkPolicy" in found.mend


def test_without_metrics_the_fallback_is_named(house: House) -> None:
    house.kube.metrics.switch("absent")
    found = house.of("Kubernetes shop")[-1]
    assert found.state == OPEN and "node use comes from Prometheus instead" in found.found
