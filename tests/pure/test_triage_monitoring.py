"""Alerts about the monitoring itself: targets, rules, Prometheus, Alertmanager, and in whose words they fail."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from triage_world import HIDDEN, NODE, Dark, cause, node, pod, target, told, unknown

from commands import reads
from commands.alertreads import Rules, RuleView, ScrapeTargets
from commands.finding import Light
from commands.model import Confidence, Gap
from commands.podreads import ContainerLog, LogText, PodDetails
from commands.reads import Endpoints, EndpointView, Nodes, Query
from commands.triage import ownlog
from commands.triage.rule import Subject
from commands.triage.targets import in_words

CERTAIN, LIKELY = Confidence.CERTAIN, Confidence.LIKELY
WEB = {"job": "web", "namespace": "shop", "service": "web"}
SHOP = {"namespace": "shop", "pod": "web-7"}

# --- targets --------------------------------------------------------------------------------------

REFUSED = 'Get "http://10.0.3.17:8080/metrics": dial tcp 10.0.3.17:8080: connect: connection refused'


@pytest.mark.parametrize(
    "error, words",
    [
        (REFUSED, "nothing listens on the port"),
        (
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "does not answer within",
        ),
        ("dial tcp 10.0.3.17:8080: i/o timeout", "packets to it are dropped"),
        ("dial tcp 10.0.3.17:8080: connect: no route to host", "no way to the address"),
        ("dial tcp: lookup web.shop.svc: no such host", "does not exist in DNS"),
        (
            "dial tcp: lookup web.shop.svc on 172.20.0.10:53: server misbehaving",
            "DNS server does not answer properly",
        ),
        ("server returned HTTP status 401 Unauthorized", "who asks (401)"),
        ("server returned HTTP status 403 Forbidden", "refuses Prometheus (403)"),
        ("server returned HTTP status 404 Not Found", "no metrics page at this path (404)"),
        ("server returned HTTP status 503 Service Unavailable", "its metrics page fails"),
        (
            "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
            "is out of date",
        ),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "does not know"),
        ("x509: certificate is valid for web, not 10.0.3.17", "not for this name"),
        ("tls: first record does not look like a TLS handshake", "speaks plain HTTP"),
        ("http: server gave HTTP response to HTTPS client", "speaks plain HTTP"),
        (
            'net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x15\\x03"',
            "wants HTTPS",
        ),
        ("EOF", "hangs up"),
        ("read: connection reset by peer", "hangs up"),
        ("sample limit exceeded", "more than the configured limit"),
        ('received unsupported Content-Type "text/html"', "no metrics page"),
        ('expected a valid start token, got "<" ("INVALID")', "no metrics page"),
        ("it rains", "it rains"),
        ("", "does not say why"),
    ],
)
def test_an_error_of_prometheus_in_words(error: str, words: str) -> None:
    assert words in in_words(error)


def test_what_several_targets_have_in_common_is_said_once() -> None:
    found = told(
        "TargetDown", WEB, {ScrapeTargets: tuple(target(f"10.0.3.{n}:80", REFUSED) for n in range(3))}
    )
    first, second, _ = found.findings[0].evidence
    assert (
        first
        == f"10.0.3.0:80: nothing listens on the port (is the process up, and is it this port?): {REFUSED}"
    )
    assert second == f"10.0.3.1:80: {REFUSED}"


def test_a_target_that_is_down_because_its_pod_is() -> None:
    sick = replace(pod(status="CrashLoopBackOff", ready="0/1"), restarts=14)
    given = {
        ScrapeTargets: (target(error=REFUSED, **SHOP), target("10.0.3.18:8080")),
        Endpoints: (EndpointView("10.0.3.17", "web-7", False), EndpointView("10.0.3.18", "web-8", True)),
        PodDetails: (sick,),
    }
    found = told("TargetDown", WEB, given)
    assert cause(found) == "1 of 2 targets of web is down: pod shop/web-7 is CrashLoopBackOff, 0/1 ready"
    assert found.cause and found.cause.suggestions[0].text == "pod show shop/web-7"
    shown = {finding.label: finding for finding in found.findings}
    assert shown["Targets of web"].evidence == (
        f"10.0.3.17:8080: nothing listens on the port (is the process up, and is it this port?): {REFUSED}",
    )
    assert shown["Endpoints of shop/web"].value == "1 of 2 ready"
    assert shown["Pod shop/web-7"].value == "CrashLoopBackOff, 0/1 ready, 14 restarts"


def test_a_target_is_found_again_by_the_address_behind_the_service() -> None:
    given = {
        ScrapeTargets: (target(error=REFUSED),),
        Endpoints: (EndpointView("10.0.3.17", "web-7", False),),
        PodDetails: (pod(status="Pending", ready="0/1", phase="Pending"),),
    }
    assert "pod shop/web-7 is Pending" not in cause(
        told("TargetDown", WEB, given)
    )  # nobody says its namespace
    given[ScrapeTargets] = (target(error=REFUSED, namespace="shop"),)
    assert "pod shop/web-7 is Pending" in cause(told("TargetDown", WEB, given))


def test_targets_whose_pods_are_well_are_told_in_prometheus_words() -> None:
    bad = "server returned HTTP status 403 Forbidden"
    given = {ScrapeTargets: (target(error=bad, **SHOP), target("b", bad)), PodDetails: (pod(),)}
    found = told("TargetDown", {"job": "web"}, given)
    assert cause(found) == (
        "2 of 2 targets of web are down: it refuses Prometheus (403) (the right to its metrics is missing "
        "(RBAC, token, proxy))"
    )
    assert found.cause and found.cause.confidence is CERTAIN


def test_a_target_on_a_node_that_is_not_ready_is_the_nodes() -> None:
    lost = "dial tcp 10.0.3.17:9100: connect: no route to host"
    given = {ScrapeTargets: (target("10.0.3.17:9100", lost),), Nodes: (node(ready="Unknown"), node("n2"))}
    found = told("TargetDown", {"job": "node-exporter"}, given)
    assert cause(found) == "1 target of node-exporter down: node ip-10-0-3-17 is NotReady"
    assert found.cause and found.cause.suggestions[0].text == f"node show {NODE}"
    hidden = told("TargetDown", {"job": "node-exporter"}, given | {Nodes: HIDDEN})
    assert "there is no way to the address" in cause(hidden)
    assert unknown(hidden) == ["Nodes behind them"]


def test_a_job_without_targets_and_one_that_is_well_again() -> None:
    assert "no target of web at all" in cause(told("TargetDown", WEB, {}))
    assert cause(told("TargetDown", {"job": "web"}, {ScrapeTargets: (target(),)})) == (
        "1 target of web, and none is down any more"
    )


def test_targets_that_cannot_be_read_leave_the_endpoints() -> None:
    given = {ScrapeTargets: HIDDEN, Endpoints: (EndpointView("10.0.3.17", "web-7", False),)}
    found = told("TargetDown", WEB, given)
    assert cause(found) == "Service shop/web has no pod that is ready (of 1)"
    assert unknown(found) == ["Targets"]
    assert found.findings[1].light is Light.RED


# --- rules ----------------------------------------------------------------------------------------


def rule(name: str = "HighLatency", error: str = "", took: float = 0.1, group: str = "shop") -> RuleView:
    health = "err" if error else "ok"
    return RuleView(name, "alerting", group, "r.yaml", "up", health, last_error=error,
                    took=timedelta(seconds=took), interval=timedelta(seconds=30))  # fmt: skip


def test_rules_that_fail_in_prometheus_words() -> None:
    error = "many-to-many matching not allowed: matching labels must be unique on one side"
    found = told("PrometheusRuleFailures", {}, {Rules: (rule(error=error), rule("B"))})
    assert cause(found) == (
        f"rule HighLatency of group shop fails: “{error}”; two series match where one may: two exporters tell of the "
        "same object (max by helps)"
    )
    assert cause(told("PrometheusRuleFailures", {}, {Rules: (rule(),)})) == "every rule works again"


def test_groups_that_take_longer_than_they_have() -> None:
    slow = (rule("A", took=20), rule("B", took=15), rule("C", group="other"))
    found = told("PrometheusMissingRuleEvaluations", {}, {Rules: slow})
    assert cause(found) == (
        "group shop misses its turns: 2 rules take 35.0 s, every 30 s; slowest: A, 20.0 s"
    )
    assert told("PrometheusMissingRuleEvaluations", {}, {Rules: (rule(),)}).cause is None


@pytest.mark.parametrize("name", ["PrometheusRuleFailures", "PrometheusMissingRuleEvaluations"])
def test_rules_that_cannot_be_read(name: str) -> None:
    found = told(name, {}, {Rules: HIDDEN})
    assert found.cause is None
    assert len(unknown(found)) == 1


# --- by the log and the number --------------------------------------------------------------------

ITS_POD = {"namespace": "monitoring", "pod": "prometheus-0", "job": "prometheus"}
BY_ITSELF: dict[str, tuple[str, dict[str, Any], str]] = {
    # name: (a line of its log, its number, what is said of both)
    "PrometheusBadConfig": (
        'level=ERROR msg="Error reloading config" err="couldn\'t load configuration: yaml: line 12"',
        {"last_reload_successful": 1.0},
        "the new configuration of prometheus-0 does not load, the old one stays in force: "
        "“couldn't load configuration: yaml: line 12”",
    ),
    "PrometheusNotIngestingSamples": (
        'level=ERROR msg="Append failed" err="write to WAL: no space left on device"',
        {"head_samples": 1.0},
        "prometheus-0 takes in no samples: “write to WAL: no space left on device”",
    ),
    "PrometheusDuplicateTimestamps": (
        'msg="Error on ingesting samples with different value but same timestamp" num_dropped=4',
        {"duplicate": 3.0},
        "prometheus-0 drops 3 a second samples with a time it already has: two targets have the same labels",
    ),
    "PrometheusOutOfOrderTimestamps": (
        'msg="Error on ingesting out-of-order samples" num_dropped=4',
        {"out_of_order": 3.0},
        "prometheus-0 drops 3 a second samples that come too late",
    ),
    "PrometheusTSDBReloadsFailing": (
        'msg="reloadBlocks" err="corrupt block"',
        {"reloads_failures": 2.0},
        "prometheus-0 failed 2 times in 15 min to read its blocks: “corrupt block”",
    ),
    "PrometheusTSDBCompactionsFailing": (
        'msg="compaction failed" err="no space left on device"',
        {"compactions_failed": 2.0},
        "prometheus-0 failed 2 times in 15 min to compact its data: “no space left on device”",
    ),
    "PrometheusRemoteStorageFailures": (
        'component=remote msg="non-recoverable error" err="server returned HTTP status 400"',
        {"samples_failed": 12.0},
        "prometheus-0 cannot send samples away (12 a second lost): “server returned HTTP status 400”",
    ),
    "PrometheusRemoteWriteBehind": (
        'component=remote msg="Failed to send batch" err="context deadline exceeded"',
        {"highest_timestamp": 240.0},
        "prometheus-0 is 240.0 s behind with what it sends to the long-term store: “context deadline exceeded”",
    ),
    "PrometheusRemoteWriteDesiredShards": (
        'component=remote msg="Failed to send batch" err="slow"',
        {"shards_desired": 1.5},
        "prometheus-0 wants 1.5 times the connections to the long-term store that it may have: “slow”",
    ),
    "PrometheusNotificationQueueRunningFull": (
        'msg="Error sending alerts" err="connection refused"',
        {"queue_length": 0.8},
        "80 % of the room for alerts that wait in prometheus-0 is taken: “connection refused”",
    ),
    "PrometheusErrorSendingAlertsToSomeAlertmanagers": (
        'component=notifier msg="Error sending alerts" err="bad response status 503"',
        {"notifications_errors": {"alertmanager=http://am-0:9093": 0.2}},
        "20 % of the alerts that prometheus-0 sends to http://am-0:9093 are lost: “bad response status 503”",
    ),
    "PrometheusNotConnectedToAlertmanagers": (
        'component="discovery manager notify" msg="err" err="services is forbidden"',
        {"alertmanagers_discovered": 1.0},
        "prometheus-0 knows no Alertmanager: nothing that fires is told to anybody",
    ),
    "PrometheusLabelLimitHit": (
        'msg="Scrape failed" err="label_limit exceeded (metric: x, number of labels: 40, limit: 30)"',
        {"label_limits": 3.0},
        "prometheus-0 dropped targets 3 times in 15 min over a limit for labels",
    ),
    "PrometheusTargetSyncFailure": (
        'msg="Creating target failed" err="instance 0 in group x: no address"',
        {"sync_failed": {"scrape_job=web": 3.0}},
        "prometheus-0 could not make 3 targets in 15 min, of scrape web: “instance 0 in group x: no address”",
    ),
    "PrometheusHighQueryLoad": (
        'msg="query timed out" err="query timed out in expression evaluation"',
        {"engine_queries": 0.95},
        "95 % of the queries that prometheus-0 may answer at once are running",
    ),
    "PrometheusKubernetesListWatchFailures": (
        'msg="failed to list *v1.Pod" err="pods is forbidden: User x cannot list resource pods"',
        {"sd_kubernetes_failures": 9.0},
        "prometheus-0 failed 9 times in 15 min to ask the Kubernetes API what there is: “pods is forbidden",
    ),
    "AlertmanagerFailedReload": (
        'msg="Loading configuration file failed" err="undefined receiver \\"sre\\" used in route"',
        {"reload_successful": 1.0},
        "the new configuration of prometheus-0 does not load, the old one stays in force: "
        '“undefined receiver "sre" used in route”',
    ),
    "AlertmanagerFailedToSendAlerts": (
        'component=dispatcher msg="Notify for alerts failed" err="sre/webhook[0]: unexpected status code 401"',
        {"notifications_failed": {"integration=webhook,reason=clientError": 1.0}},
        "prometheus-0 fails to send 100 % of its notifications (webhook/clientError): “sre/webhook[0]: unexpected",
    ),
    "AlertmanagerClusterFailedToSendAlerts": (
        'component=dispatcher msg="Notify for alerts failed" err="unexpected status code 401"',
        {"notifications_failed": {"integration=slack,reason=other": 0.5}},
        "Alertmanager fails to send 50 % of its notifications (slack/other): alerts are lost on that way: “unexpected",
    ),
    "KubeStateMetricsListErrors": (
        'E1123 reflector.go:1 "Failed to list" err="ingresses is forbidden: cannot list"',
        {"list_total": {"resource=*v1.Ingress": 1.0}},
        "prometheus-0 fails in 100 % of its attempts to list (*v1.Ingress): “ingresses is forbidden: cannot list”",
    ),
    "KubeStateMetricsWatchErrors": (
        'E1123 reflector.go:1 "Failed to watch" err="ingresses is forbidden: cannot watch"',
        {"watch_total": {"resource=*v1.Ingress": 0.5}},
        "prometheus-0 fails in 50 % of its attempts to watch (*v1.Ingress): “ingresses is forbidden: cannot watch”",
    ),
    "KubeStateMetricsShardingMismatch": (
        'msg="shard" err="total shards 2 and 3"',
        {"total_shards": {"pod=a": 3.0, "pod=b": 2.0}},
        "the shards of kube-state-metrics differ in how many they are",
    ),
    "ConfigReloaderSidecarErrors": (
        'level=error msg="Failed to trigger reload" err="trigger reload: connection refused"',
        {"reloader_last": 1.0},
        "the configuration of prometheus-0 is not handed over: “trigger reload: connection refused”",
    ),
}


@pytest.mark.parametrize("name", BY_ITSELF)
def test_a_component_by_its_own_log(name: str) -> None:
    line, number, text = BY_ITSELF[name]
    log = LogText(f"2026-11-23T08:29:01.5Z level=info msg=fine\n2026-11-23T08:29:02.5Z {line}\n")
    found = told(name, ITS_POD, {**number, ContainerLog: log})
    assert cause(found).startswith(text)
    assert found.cause and found.cause.confidence is CERTAIN
    assert found.cause.suggestions[-1].text == "pod show monitoring/prometheus-0"


@pytest.mark.parametrize("name", BY_ITSELF)
def test_its_number_alone_is_likely_and_a_hidden_log_is_said(name: str) -> None:
    _, number, text = BY_ITSELF[name]
    found = told(name, ITS_POD, {**number, ContainerLog: Gap("forbidden: may not get pods/log", "Grant it.")})
    assert cause(found).split(": “")[0] == text.split(": “")[0]
    assert found.cause and found.cause.confidence is LIKELY
    assert found.findings[0].mend == "Grant it."
    dark = Dark({}).drive(Subject(name, ITS_POD))
    assert dark.cause is None
    assert {finding.light for finding in dark.findings} == {Light.UNKNOWN}


def test_an_alert_without_a_pod_says_so() -> None:
    found = told("PrometheusBadConfig", {"job": "prometheus"}, {})
    assert found.findings[0].value == "unknown: the alert does not say which pod"


def test_the_same_error_is_told_once_and_the_newest_first() -> None:
    line = '2026-11-23T08:2{}:00Z level=ERROR msg="Error reloading config" err="{}"\n'
    log = LogText(line.format(1, "old") + line.format(2, "new") * 3)
    found = told("PrometheusBadConfig", ITS_POD, {ContainerLog: log})
    assert found.findings[0].value == "new"
    assert len(found.findings[0].evidence) == 2


# --- Alertmanager's cluster, and what always fires ------------------------------------------------

CLUSTER: dict[str, tuple[dict[str, Any], str]] = {
    "AlertmanagerMembersInconsistent": (
        {"min(alertmanager_cluster_members": 1.0, "count(max by (pod, instance) (up": 3.0},
        "a member of Alertmanager's cluster sees 1 of 3 members: the same alert may be told twice",
    ),
    "AlertmanagerConfigInconsistent": (
        {"config_hash": 2.0},
        "the members of Alertmanager's cluster have 2 different configurations",
    ),
    "AlertmanagerClusterDown": (
        {"sum(max by (pod, instance) (up": 1.0, "count(max": 3.0},
        "1 of 3 members of Alertmanager's cluster answer",
    ),
    "AlertmanagerClusterCrashlooping": (
        {"process_start": {"pod=alertmanager-0": 5.0}},
        "Alertmanager alertmanager-0 was started 5 times in ten minutes",
    ),
}


@pytest.mark.parametrize("name", CLUSTER)
def test_the_members_of_alertmanagers_cluster(name: str) -> None:
    given, text = CLUSTER[name]
    assert cause(told(name, ITS_POD, given)) == text
    hidden = told(name, ITS_POD, {Query: HIDDEN})
    assert hidden.cause is None
    assert hidden.findings[-1].label == "Alertmanager's own word"
    assert hidden.findings[-1].light is Light.GREEN
    assert told(name, ITS_POD, {reads.AlertmanagerStatus: HIDDEN}).findings[-1].light is Light.UNKNOWN


@pytest.mark.parametrize("name", ["Watchdog", "InfoInhibitor"])
def test_what_always_fires_is_no_trouble(name: str) -> None:
    found = told(name, {}, {})
    assert cause(found).startswith("nothing is wrong")
    assert found.cause and found.cause.confidence is CERTAIN


def test_of_a_line_in_json_the_log_is_quoted_by_its_words() -> None:
    assert (
        ownlog.error('{"level":"error","msg":"reload failed","err":"no such file"}')
        == "reload failed: no such file"
    )
    assert ownlog.error('level=ERROR msg="reload failed" err="no such file"') == "no such file"
