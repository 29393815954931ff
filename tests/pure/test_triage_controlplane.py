"""Alerts about the control plane, what a managed one hides, versions, aggregated APIs and certificates."""

from dataclasses import replace
from typing import Any

import pytest
from triage_world import HIDDEN, ON_PREMISES, Dark, cause, event, node, pod, target, told, unknown

from commands.alertreads import ScrapeTargets
from commands.finding import Light
from commands.model import Confidence, Gap
from commands.podreads import Events, PodDetails
from commands.reads import Condition, EksCluster, EksView, Endpoints, EndpointView, Nodes, Query
from commands.triage.rule import Subject
from commands.triagereads import ApiHealth, ApiServices, ApiServiceView

CERTAIN, LIKELY, POSSIBLE = Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE

# --- what a managed control plane hides -----------------------------------------------------------

HIDES = {
    "KubeSchedulerDown": "a false alarm: EKS runs the scheduler where Prometheus cannot scrape it; remove the rule "
    "(kube-prometheus-stack: kubeScheduler.enabled=false in its values)",
    "KubeControllerManagerDown": "a false alarm: EKS runs the controller manager where Prometheus cannot scrape it; "
    "remove the rule (kube-prometheus-stack: kubeControllerManager.enabled=false in its values)",
    "etcdInsufficientMembers": "a false alarm: EKS runs etcd where Prometheus cannot scrape it; remove the rule "
    "(kube-prometheus-stack: kubeEtcd.enabled=false in its values)",
}


@pytest.mark.parametrize("name", HIDES)
def test_what_eks_hides_is_a_false_alarm_whatever_can_be_read(name: str) -> None:
    for given in ({}, {EksCluster: HIDDEN}):
        found = told(name, {"job": "x"}, given)
        assert cause(found) == HIDES[name]
        assert found.cause and found.cause.confidence is CERTAIN
    assert unknown(found) == ["EKS"]


@pytest.mark.parametrize("name", [*HIDES, "KubeProxyDown"])
def test_elsewhere_it_is_a_target_like_any_other(name: str) -> None:
    bad = {ScrapeTargets: (target(error="server returned HTTP status 403 Forbidden", job="x"),)}
    assert "it refuses Prometheus (403)" in cause(told(name, {"job": "x"}, bad, ON_PREMISES))


def test_kube_proxy_on_eks_is_looked_at() -> None:
    well = told("KubeProxyDown", {}, {PodDetails: (pod("kube-proxy-a"), pod("kube-proxy-b"))})
    assert cause(well).startswith("a false alarm: all 2 pods of kube-proxy run")
    assert "kubeProxy.enabled=false" in cause(well)
    assert well.cause and well.cause.confidence is CERTAIN
    ill = pod("kube-proxy-b", "CrashLoopBackOff", "0/1")
    found = told("KubeProxyDown", {}, {PodDetails: (pod("kube-proxy-a"), ill)})
    assert cause(found) == "1 of 2 pods of kube-proxy do not run: kube-proxy-b is CrashLoopBackOff"
    assert "kube-proxy has no pod" in cause(told("KubeProxyDown", {}, {}))
    hidden = told("KubeProxyDown", {}, {PodDetails: HIDDEN})
    assert hidden.cause and hidden.cause.confidence is LIKELY
    assert unknown(hidden) == ["Pods of kube-proxy"]


# --- the API server -------------------------------------------------------------------------------


def test_an_api_server_that_only_prometheus_does_not_see() -> None:
    given = {ScrapeTargets: (target("10.0.0.1:443", "dial tcp 10.0.0.1:443: i/o timeout", job="apiserver"),)}
    assert cause(told("KubeAPIDown", {"job": "apiserver"}, given)) == (
        "the API server of training answers and is ready; only Prometheus does not see it: packets to it are dropped "
        "(a network policy, a security group, or a dead node)"
    )
    assert "it finds no target for it" in cause(told("KubeAPIDown", {}, {}))


def test_an_api_server_that_is_not_ready_says_which_check_fails() -> None:
    found = told(
        "KubeAPIDown", {}, {ApiHealth: ("etcd",), EksCluster: EksView("t", "FAILED", "1.33", "e", ("X: y",))}
    )
    assert cause(found) == "the API server of training is not ready: etcd fails"
    assert found.findings[-1].evidence == ("X: y",)


def test_an_api_server_that_does_not_answer() -> None:
    found = told("KubeAPIDown", {}, {ApiHealth: Gap("no answer in 5 s", silent=True), ScrapeTargets: HIDDEN})
    assert cause(found) == "the API server of training does not answer the bot either: no answer in 5 s"
    assert told("KubeAPIDown", {}, {ApiHealth: HIDDEN}).cause is None  # refused: it does answer


API: dict[str, dict[str, tuple[dict[str, Any], str]]] = {
    "KubeAPIErrorBudgetBurn": {
        "errors": (
            {"topk(5, sum by (verb": {"verb=LIST,resource=pods,code=504": 3.0}, 'code=~"5.."': 0.04},
            "4 % of the requests to the API server of training fail, most of all LIST/pods/504",
        ),
        "a webhook": (
            {"webhook": {"name=policy.acme.io": 9.0}, "topk(5, sum by (verb": 0.0, 'code=~"5.."': 0.0},
            "the API server of training is slow, because webhook policy.acme.io takes 9.0 s",
        ),
        "slow": (
            {"request_duration": {"verb=LIST,resource=pods": 8.0}, 'code=~"5.."': 0.0},
            "the API server of training is slow: LIST/pods takes 8.0 s",
        ),
    },
    "KubeAPITerminatedRequests": {
        "more is asked": (
            {"terminations": 0.3, "rejected": {"flow_schema=service-accounts,reason=queue-full": 40.0}},
            "the API server of training breaks off 30 % of its requests: more is asked than it can answer; most of flow "
            "service-accounts (queue-full)",
        ),
    },
    "KubeClientErrors": {
        "5xx": (
            {"rest_client": {"code=503": 0.05}},
            "5 % of the requests of kubelet 10.0.3.17:10250 to the API server fail: the API server answers 503",
        ),
        "silence": (
            {"rest_client": {"code=<error>": 0.5}},
            "50 % of the requests of kubelet 10.0.3.17:10250 to the API server fail: it gets no answer at all <error>",
        ),
    },
}
CASES = [(name, *case) for name, cases in API.items() for case in cases.values()]
CLIENT = {"job": "kubelet", "instance": "10.0.3.17:10250"}


@pytest.mark.parametrize("name, given, text", CASES)
def test_the_api_server_by_its_numbers(name: str, given: dict[str, Any], text: str) -> None:
    assert cause(told(name, CLIENT, given)) == text


@pytest.mark.parametrize("name", API)
def test_without_numbers_what_it_says_of_itself_still_stands(name: str) -> None:
    found = told(name, CLIENT, {Query: HIDDEN})
    assert found.cause is None
    shown = {finding.label: finding for finding in found.findings}
    assert shown["API server's own checks"].light is Light.GREEN
    assert shown["EKS"].value == "ACTIVE, 1.33 (eks.9)"
    assert found.findings[0].light is Light.UNKNOWN
    assert told(name, CLIENT, {ApiHealth: HIDDEN, EksCluster: HIDDEN}).findings[-1].light is Light.UNKNOWN


def test_an_api_server_within_its_objective_has_no_cause() -> None:
    assert told("KubeAPIErrorBudgetBurn", {}, {'code=~"5.."': 0.0}).cause is None


# --- aggregated APIs ------------------------------------------------------------------------------

METRICS = ApiServiceView(
    "v1beta1.metrics.k8s.io", "kube-system/metrics-server:443",
    Condition("Available", "False", "MissingEndpoints", "endpoints for service/metrics-server have no addresses"),
)  # fmt: skip


@pytest.mark.parametrize("name", ["KubeAggregatedAPIDown", "KubeAggregatedAPIErrors"])
def test_an_aggregated_api_is_followed_to_its_pods(name: str) -> None:
    behind = {ApiServices: (METRICS,), Endpoints: (EndpointView("10.0.0.9", "metrics-server-x", False),)}
    found = told(name, {"name": "v1beta1.metrics.k8s.io"}, behind)
    assert cause(found) == (
        "API v1beta1.metrics.k8s.io is down: Service kube-system/metrics-server:443 has none of its 1 pod ready: "
        "“endpoints for service/metrics-server have no addresses”"
    )
    assert found.suggestions[0].text == "pod show kube-system/metrics-server-x"
    assert "has no pod" in cause(told(name, {}, {ApiServices: (METRICS,)}))
    assert "is down (MissingEndpoints)" in cause(told(name, {}, behind | {Endpoints: HIDDEN}))
    well = replace(METRICS, available=Condition("Available", "True"))
    assert cause(told(name, {"name": METRICS.name}, {ApiServices: (well,)})).endswith("is available again")
    hidden = told(name, {}, {ApiServices: HIDDEN})
    assert hidden.cause is None
    assert unknown(hidden) == ["Aggregated APIs"]


# --- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kubelets, text",
    [
        (
            ("v1.33.1", "v1.32.9"),
            "the control plane is on 1.33, 1 node on 1.32: which is allowed, and should not last",
        ),
        (
            ("v1.33.1", "v1.29.0"),
            "the control plane is on 1.33, 1 node on 1.29: more than the three versions that are",
        ),
        (
            ("v1.34.0",),
            "the control plane is on 1.33, 1 node on 1.34: newer than the control plane, which is not",
        ),
    ],
)
def test_kubelets_of_another_version(kubelets: tuple[str, ...], text: str) -> None:
    nodes = tuple(node(f"n{n}", kubelet=version) for n, version in enumerate(kubelets))
    found = told("KubeVersionMismatch", {}, {Nodes: nodes})
    assert cause(found).startswith(text)


def test_versions_without_the_control_planes() -> None:
    nodes = (node("a"), node("b", kubelet="v1.32.0"))
    for given in ({EksCluster: HIDDEN}, {EksCluster: None}):
        found = told("KubeVersionMismatch", {}, {Nodes: nodes, **given})
        assert cause(found) == "an update is under way, or was not finished: 1 node on 1.33, 1 node on 1.32"
    assert told("KubeVersionMismatch", {}, {Nodes: (node(),)}).cause is None
    assert unknown(told("KubeVersionMismatch", {}, {Nodes: HIDDEN})) == ["Kubelets by version"]


# --- certificates ---------------------------------------------------------------------------------

CERT = {"exported_namespace": "shop", "namespace": "cert-manager", "name": "web-tls"}
DAY = 86_400.0


def test_a_certificate_that_is_not_renewed_in_cert_managers_words() -> None:
    refused = event("Failed", "Error getting keypair: http-01 challenge returned 404", "Challenge", "web-tls-1-28-3",
                    namespace="shop")  # fmt: skip
    given = {"expiration_timestamp": 3 * DAY, "renewal_timestamp": 5 * DAY, Events: (refused,)}
    found = told("CertManagerCertExpirySoon", CERT, given)
    assert cause(found) == (
        "certificate shop/web-tls is good for 3 d: “Error getting keypair: http-01 challenge returned 404”"
    )
    assert found.cause and found.cause.confidence is CERTAIN
    quiet = told("CertManagerCertExpirySoon", CERT, given | {Events: HIDDEN})
    assert cause(quiet) == "certificate shop/web-tls is good for 3 d; its renewal is overdue by 5 d"
    assert "What cert-manager says" in unknown(quiet)


def test_a_certificate_that_was_not_made() -> None:
    given = {"ready_status": {"condition=False": 1.0, "condition=True": 0.0}, "expiration_timestamp": 0.0}
    assert cause(told("CertManagerCertNotReady", CERT, given)) == (
        "certificate shop/web-tls has expired and is not ready"
    )
    alike = event("Failed", "x", "Certificate", "web-tls2", namespace="shop")
    assert told("CertManagerCertNotReady", CERT, {Events: (alike,)}).cause is None
    assert Dark({}).drive(Subject("CertManagerCertNotReady", CERT)).cause is None


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "CertManagerHittingRateLimits": (
        {'status="429"': {"host=acme-v02.api.letsencrypt.org": 0.5}},
        "acme-v02.api.letsencrypt.org turns cert-manager away (0.5 a second answered with 429): too many certificates "
        "were asked for",
    ),
    "BlackboxSslCertificateWillExpireSoon": (
        {"earliest_cert_expiry": 2 * DAY},
        "the certificate that https://shop.example shows is good for 2 d",
    ),
    "KubeClientCertificateExpiration": (
        {"client_certificate_expiration": DAY},
        "somebody asks the API server with a certificate that is good for 1 d: renew that kubeconfig",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_certificates(name: str) -> None:
    given, text = OTHERS[name]
    labels = {"instance": "https://shop.example"}
    assert cause(told(name, labels, given)) == text
    hidden = told(name, labels, {Query: HIDDEN})
    assert hidden.cause is None
    assert hidden.findings[0].light is Light.UNKNOWN


def test_a_certificate_that_others_see_has_expired() -> None:
    found = told("BlackboxSslCertificateWillExpireSoon", {"instance": "x"}, {"earliest_cert_expiry": 0.0})
    assert cause(found) == "the certificate that x shows has expired: whoever checks it is turned away"


def test_whether_cert_manager_runs() -> None:
    ill = pod("cert-manager-x", "CrashLoopBackOff", "0/1")
    assert cause(told("CertManagerAbsent", {}, {PodDetails: (ill,)})) == (
        "cert-manager does not run: shop/cert-manager-x is CrashLoopBackOff; no certificate is renewed"
    )
    assert "cert-manager runs (1 pod)" in cause(told("CertManagerAbsent", {}, {PodDetails: (pod(),)}))
    assert "no pod of cert-manager is there" in cause(told("CertManagerAbsent", {}, {}))
    assert unknown(told("CertManagerAbsent", {}, {PodDetails: HIDDEN})) == ["Pods of cert-manager"]
