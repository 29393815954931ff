"""The alert rules of the sandbox, and Prometheus' and Alertmanager's configuration around them.

Owns the manual's four rules in their corrected form, those of kube-prometheus for what faults.py breaks, and the
Watchdog. `wait` and the rate window are far shorter than the manual's (`lasting` keeps its value), so
that what is broken on the page fires while somebody looks. Pure: data in, configuration out.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox import monitoring
from sandbox.shop.exporters import ADDRESS, IMAGES, JOBS
from sandbox.shop.inventory import CLUSTER, MONITORING, SHOP

Json = dict[str, Any]

EVERY = "2s"  # scraping and evaluating
WINDOW = "30s"  # of rates; five minutes in the manual
TREND = "5m"  # by which a disk is known to fill; six hours in node-exporter's own rules
WATCHDOG_EVERY = "20s"  # it is told again; longer silence is what `alerts.watchdog` is about

_USED = f'sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{{container!="",container!="POD"}}[{WINDOW}]))'
_CPU_LIMIT = 'sum by (namespace, pod) (kube_pod_container_resource_limits{resource="cpu"})'
_WORKING_SET = (
    'sum by (namespace, pod, container) (container_memory_working_set_bytes{container!="",container!="POD"})'
)
_MEMORY_LIMIT = 'sum by (namespace, pod, container) (kube_pod_container_resource_limits{resource="memory"})'


def _held(window: str) -> str:
    periods = f"sum by (namespace, pod, container) (increase(container_cpu_cfs_{{}}_total[{window}]))"
    return f"{periods.format('throttled_periods')} / {periods.format('periods')} > 0.25"


@dataclass(frozen=True, slots=True)
class Rule:
    """`example` are the series' labels of an alert made by hand; `lasting` is the manual's `for`."""

    name: str
    expr: str
    severity: str
    summary: str
    description: str
    group: str
    wait: str = "4s"
    lasting: str = "5m"
    labels: Mapping[str, str] = field(default_factory=dict)
    example: Mapping[str, str] = field(default_factory=dict)


_POD = {"namespace": SHOP, "pod": "backend"}
_CONTAINER = {**_POD, "container": "backend"}
# The manual's label; it stands for the name of the Service, which the series have.
_BACKEND = {"service": "backend"}

RULES = (
    Rule(
        "HighErrorRate",
        f'sum by (namespace, service) (rate(http_requests_total{{status=~"5.."}}[{WINDOW}]))'
        f" / sum by (namespace, service) (rate(http_requests_total[{WINDOW}])) > 0.01",
        "critical",
        "High error rate detected",
        "Error rate is {{ $value | humanizePercentage }} of the requests to {{ $labels.service }}",
        "slo_violations",
        labels=_BACKEND,
        example={"namespace": SHOP},
    ),
    Rule(
        "HighLatency",
        "histogram_quantile(0.95, sum by (le, namespace, service) "
        f"(rate(http_request_duration_seconds_bucket[{WINDOW}]))) > 0.2",
        "warning",
        "High latency detected",
        "95th percentile latency is {{ $value | humanizeDuration }}",
        "slo_violations",
        lasting="10m",
        labels=_BACKEND,
        example={"namespace": SHOP},
    ),
    Rule(
        "HighCPUUsage",
        f"{_USED} / {_CPU_LIMIT} > 0.8",
        "warning",
        "High CPU usage on {{ $labels.pod }}",
        "It uses {{ $value | humanizePercentage }} of its CPU limit",
        "resource_exhaustion",
        lasting="15m",
        example=_POD,
    ),
    Rule(
        "HighMemoryUsage",
        f"{_WORKING_SET} / ({_MEMORY_LIMIT} > 0) > 0.9",
        "warning",
        "High memory usage on {{ $labels.pod }}",
        "It uses {{ $value | humanizePercentage }} of its memory limit",
        "resource_exhaustion",
        lasting="10m",
        example=_CONTAINER,
    ),
    Rule(
        "KubePodCrashLooping",
        "max by (namespace, pod, container) "
        '(max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[10s])) >= 1',
        "warning",
        "Pod {{ $labels.pod }} is crash looping",
        "Container {{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} waits: CrashLoopBackOff",
        "kubernetes",
        lasting="15m",
        example=_CONTAINER,
    ),
    Rule(
        "KubeNodeNotReady",
        'max by (node) (kube_node_status_condition{condition="Ready",status="true"}) == 0',
        "critical",
        "Node {{ $labels.node }} is not ready",
        "Node {{ $labels.node }} has not been ready for a while",
        "kubernetes",
        lasting="15m",
        example={"node": "ip-10-0-1-51.eu-central-1.compute.internal"},
    ),
    Rule(
        "KubePodNotReady",
        'max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Unknown|Failed"}) == 1',
        "warning",
        "Pod {{ $labels.pod }} is not ready",
        "Pod {{ $labels.namespace }}/{{ $labels.pod }} has not become ready for a while",
        "kubernetes",
        wait="10s",
        lasting="15m",
        example=_POD,
    ),
    Rule(
        "KubeContainerWaiting",
        "max by (namespace, pod, container, reason) "
        '(kube_pod_container_status_waiting_reason{reason!="CrashLoopBackOff"}) > 0',
        "warning",
        "Container {{ $labels.container }} of {{ $labels.pod }} waits",
        "Container {{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} waits: {{ $labels.reason }}",
        "kubernetes",
        lasting="1h",
        example={**_CONTAINER, "reason": "CreateContainerConfigError"},
    ),
    Rule(
        "KubeDeploymentRolloutStuck",
        'max by (namespace, deployment) (kube_deployment_status_condition{condition="Progressing",status="false"}) == 1',
        "warning",
        "Rollout of {{ $labels.deployment }} is stuck",
        "Deployment {{ $labels.namespace }}/{{ $labels.deployment }} has made no progress for ten minutes",
        "kubernetes",
        lasting="15m",
        example={"namespace": SHOP, "deployment": "backend"},
    ),
    Rule(
        "KubeHpaMaxedOut",
        "kube_horizontalpodautoscaler_status_current_replicas == kube_horizontalpodautoscaler_spec_max_replicas",
        "warning",
        "HPA {{ $labels.horizontalpodautoscaler }} runs at its maximum",
        "HPA {{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} has had as many pods as it may for a while",
        "kubernetes",
        lasting="15m",
        example={"namespace": SHOP, "horizontalpodautoscaler": "backend"},
    ),
    Rule(
        "CPUThrottlingHigh",
        # Over a quarter of an hour, as the diagnosis measures it, or the two would differ; the other one ends it.
        f"{_held('15m')} and {_held(WINDOW)}",
        "warning",
        "{{ $labels.pod }} is held back by its CPU limit",
        "Container {{ $labels.container }} of {{ $labels.pod }} is held back in {{ $value | humanizePercentage }}"
        " of its periods",
        "kubernetes",
        lasting="15m",
        example=_CONTAINER,
    ),
    Rule(
        "NodeFilesystemSpaceFillingUp",
        "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.15"
        f" and predict_linear(node_filesystem_avail_bytes[{TREND}], 86400) < 0",
        "warning",
        "{{ $labels.mountpoint }} of {{ $labels.instance }} fills up",
        "It has {{ $value | humanizePercentage }} left and will be full within a day",
        "nodes",
        lasting="1h",
        example={
            "instance": "10.0.1.51:9100",
            "device": IMAGES["device"],
            "mountpoint": IMAGES["mountpoint"],
        },
    ),
    Rule(
        "KubePersistentVolumeFillingUp",
        "kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.15"
        f" and predict_linear(kubelet_volume_stats_available_bytes[{TREND}], 345600) < 0",
        "warning",
        "Volume {{ $labels.persistentvolumeclaim }} fills up",
        "{{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left and"
        " will be full within four days",
        "kubernetes",
        lasting="1h",
        example={"namespace": MONITORING, "persistentvolumeclaim": "prometheus-data"},
    ),
    Rule(
        "BlackboxSslCertificateWillExpireSoon",
        "probe_ssl_earliest_cert_expiry - time() < 20 * 86400",
        "warning",
        "The certificate of {{ $labels.instance }} ends soon",
        "It is good for {{ $value | humanizeDuration }}",
        "meta",
        lasting="1h",
        example={"instance": ADDRESS, "job": "blackbox"},
    ),
    Rule(
        "TargetDown",
        "count by (job, namespace, service) (up == 0) / count by (job, namespace, service) (up) > 0.1",
        "warning",
        "Targets of {{ $labels.job }} are down",
        "{{ $value | humanizePercentage }} of the targets of {{ $labels.job }} cannot be scraped",
        "meta",
        wait="8s",
        lasting="10m",
        example={"namespace": SHOP, "job": "backend", "service": "backend-service"},
    ),
    Rule(
        "Watchdog",
        "vector(1)",
        "none",
        "Always firing: it shows that alerts arrive",
        "When this one stops, alerting is broken",
        "meta",
        wait="0s",
        lasting="0s",
    ),
)


def watchdog() -> tuple[Json, Json]:
    """Labels and annotations of the alert that always fires, as Prometheus sends it."""
    rule = next(each for each in RULES if each.name == "Watchdog")
    labels = {"alertname": rule.name, "severity": rule.severity, "cluster": CLUSTER}
    return labels, {"summary": rule.summary, "description": rule.description}


def rule_file() -> Json:
    groups: dict[str, list[Json]] = {}
    for rule in RULES:
        groups.setdefault(rule.group, []).append(
            {
                "alert": rule.name,
                "expr": rule.expr,
                "for": rule.wait,
                "labels": {"severity": rule.severity, **rule.labels},
                "annotations": {"summary": rule.summary, "description": rule.description},
            }
        )
    return {"groups": [{"name": name, "rules": rules} for name, rules in groups.items()]}


def prometheus_config(exporters_url: str, alertmanager_url: str = "") -> Json:
    """Everything is discovered from the exporters; without an Alertmanager the rules only show."""
    config: Json = {
        "global": {
            "scrape_interval": EVERY,
            "scrape_timeout": "1s",
            "evaluation_interval": EVERY,
            "external_labels": {"cluster": CLUSTER},
        },
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {
                "job_name": job,
                "honor_labels": True,
                "http_sd_configs": [{"url": f"{exporters_url}/sd/{job}", "refresh_interval": EVERY}],
            }
            for job in JOBS
        ],
    }
    if alertmanager_url:
        target = alertmanager_url.removeprefix("http://")
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]}
    return config


def alertmanager_config(webhook: str, token: str) -> Json:
    config = monitoring.webhook_config(
        webhook,
        token,
        group_by=("alertname", "namespace"),
        group_wait="1s",
        group_interval="5s",
        repeat_interval="5m",
    )
    watchdog = {"matchers": ['alertname="Watchdog"'], "repeat_interval": WATCHDOG_EVERY}
    config["route"]["routes"] = [watchdog]
    return config


def webhook_body(
    name: str,
    *,
    started: datetime.datetime,
    ended: datetime.datetime | None = None,
    about: Mapping[str, str] | None = None,
    value: str = "42%",
) -> bytes:
    """What Alertmanager posts for one alert of this rule, for where there is no Alertmanager.

    `about` names the pod or node it is about in place of the example's, where the rule has such a label.
    """
    rule = next((each for each in RULES if each.name == name), None)
    if rule is None:
        raise LookupError(f"no rule {name!r}; there are {', '.join(each.name for each in RULES)}")
    given = {key: each for key, each in (about or {}).items() if key in rule.example}
    labels = {"alertname": name, "cluster": CLUSTER, **rule.example, **given, **rule.labels}
    labels["severity"] = rule.severity
    annotations = {"summary": rule.summary, "description": rule.description}
    annotations = {key: _filled(text, labels, value) for key, text in annotations.items()}
    return posted(labels, annotations, started, ended)


def posted(
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    started: datetime.datetime,
    ended: datetime.datetime | None = None,
) -> bytes:
    """The webhook of a group of this one alert."""
    status = "resolved" if ended else "firing"
    group_labels = {key: labels[key] for key in ("alertname", "namespace") if key in labels}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": _go_time(started),
        "endsAt": _go_time(ended) if ended else "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16],
    }
    written = ", ".join(f'{key}="{each}"' for key, each in group_labels.items())
    body = {
        "receiver": "bot",
        "status": status,
        "alerts": [alert],
        "groupLabels": group_labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "version": "4",
        "groupKey": f"{{}}:{{{written}}}",
        "truncatedAlerts": 0,
    }
    return json.dumps(body).encode()


def _filled(text: str, labels: Mapping[str, str], value: str) -> str:
    """The few templates the rules above use."""
    for key, each in labels.items():
        text = text.replace(f"{{{{ $labels.{key} }}}}", each)
    before, _, rest = text.partition("{{ $value")
    return before + value + rest.partition("}}")[2] if rest else text


def _go_time(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
