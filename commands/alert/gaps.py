"""`alert gaps`: what could break without an alert saying so.

A measure that is exported and that no loaded rule looks at is a gap, and its rule is given as text. So is an incident
that no alert announced (commands/alert/uncovered.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from commands.alert import uncovered
from commands.alertreads import Rules, RuleView
from commands.command import Command, Part, Parts
from commands.finding import Finding, Light
from commands.model import Args, Attachment, Gap, Inquiry, Section
from commands.numbers.firings import WEEK, WINDOW, window_of
from commands.queries import query, quoted
from commands.reads import Query, Vector
from commands.site import ClusterSite
from commands.wording import unread

_TITLE = "What no alert would tell of"


@dataclass(frozen=True, slots=True)
class Topic:
    """Something to be alarmed about: what it is measured by, and the rule that would say so."""

    key: str
    label: str
    metric: str
    rule: str
    expr: str
    wait: str
    severity: str
    summary: str
    owner: str


def parts(args: Args, site: ClusterSite) -> Parts:
    return {"gaps": Part(_TITLE, inquiry(site, window_of(args, "window", WEEK)))}


def topics(site: ClusterSite) -> tuple[Topic, ...]:
    """What the manual watches by eye, and what takes users down when it goes unseen."""
    service = site.default_service
    where = f'namespace="{quoted(service.namespace)}",service="{quoted(service.service)}"'
    memory = site.alerts.rules.get("HighMemoryUsage")
    over = memory.over if memory and memory.over is not None else 0.9
    return (
        Topic("T1-5.3", "Database connections", site.db_pool.metrics.active, "DatabasePoolNearlyFull",
              f"{query(site, 'Q-dbpool').expr} > 0.9", "5m", "warning",
              "{{ $value | humanizePercentage }} of the database connections are in use", "db-owner"),
        Topic("T1-6.3", "Container memory", "container_memory_working_set_bytes", "HighMemoryUsage",
              f"{query(site, 'Q-memlimit').expr} > {over:g}", "10m", "warning",
              "{{ $labels.pod }} uses {{ $value | humanizePercentage }} of its memory limit", "service-owner"),
        Topic("AW-3", "Errors", "http_requests_total", "HighErrorRate",
              f"{query(site, 'Q-error').expr} > 0.01", "5m", "critical",
              "{{ $value | humanizePercentage }} of the requests fail", "service-owner"),
        Topic("AW-3", "Latency", "http_request_duration_seconds_bucket", "HighLatency",
              f"{query(site, 'Q-p95').expr} > 0.2", "10m", "warning",
              "95 of 100 requests are answered within {{ $value | humanizeDuration }} only", "service-owner"),
        Topic("AW-3", "Service that is gone", "up", "ServiceAbsent",
              f"absent(up{{{where}}} == 1)", "5m", "critical",
              f"No target of {_plain(service.service)} is up", "service-owner"),
        Topic("AW-3", "Volumes", "kubelet_volume_stats_available_bytes", "VolumeFillingUp",
              "max by (namespace, persistentvolumeclaim)"
              " (predict_linear(kubelet_volume_stats_available_bytes[6h], 4 * 24 * 3600)) < 0", "1h", "warning",
              "{{ $labels.persistentvolumeclaim }} is full within four days", "platform"),
        Topic("AW-3", "Restarts", "kube_pod_container_status_restarts_total", "PodRestarting",
              "sum by (namespace, pod) (max by (namespace, pod, container)"
              " (increase(kube_pod_container_status_restarts_total[1h]))) > 3", "5m", "warning",
              "{{ $labels.pod }} was restarted {{ $value | humanize }} times in an hour", "service-owner"),
    )  # fmt: skip


def _plain(name: str) -> str:
    """A name that cannot end the text it stands in."""
    return re.sub(r"[^A-Za-z0-9 ./_-]", "", name)


def inquiry(site: ClusterSite, window: timedelta) -> Inquiry:
    watched = topics(site)
    counts = {topic.metric: _count(topic.metric) for topic in watched}
    seen = yield (Rules(), *dict.fromkeys(counts.values()))
    rules = seen[Rules()]
    incidents = yield from uncovered.finding(site, window)
    if isinstance(rules, Gap):
        return Section("gaps", _TITLE, True, (unread("AW-3", "Rules", rules), incidents))
    judged = [_judged(topic, rules, seen[counts[topic.metric]]) for topic in watched]
    open_ones = [topic for topic, found in zip(watched, judged, strict=True) if found.light is Light.YELLOW]
    files: tuple[Attachment, ...] = ()
    if open_ones:
        files = (Attachment("missing-rules.yaml", "Rules for what is not watched", text(open_ones, site)),)
    note = "watched: an alerting rule reads the metric, itself or by a recording rule"
    return Section("gaps", _TITLE, True, (*judged, incidents), note, files)


def _count(metric: str) -> Query:
    return Query(f'count({{__name__="{quoted(metric)}"}})')


def _judged(topic: Topic, rules: Sequence[RuleView], counted_: Vector | Gap) -> Finding:
    watching = [rule.name for rule in watchers(topic.metric, rules)]
    names = ", ".join(dict.fromkeys(watching[:3])) + (" …" if len(watching) > 3 else "")
    if isinstance(counted_, Gap):
        return unread(topic.key, topic.label, counted_)
    series = int(counted_.samples[0].value) if counted_.samples else 0
    if not series:
        mend = f"Scrape what exports {topic.metric}, or name yours in the configuration."
        value = f"unknown: {topic.metric} is not exported, so no rule could tell"
        return Finding(topic.key, topic.label, Light.UNKNOWN, value, mend=mend)
    if watching:
        return Finding(topic.key, topic.label, Light.GREEN, f"watched by {names}")
    value = f"no rule looks at {topic.metric} ({series} time series)"
    mend = f"{topic.rule} in missing-rules.yaml ({topic.owner} decides)"
    return Finding(topic.key, topic.label, Light.YELLOW, value, mend=mend)


def watchers(metric: str, rules: Sequence[RuleView]) -> list[RuleView]:
    """Alerting rules that read the metric, by whatever recorded it for them."""
    names = {metric}
    for _ in range(3):
        names |= {rule.name for rule in rules if rule.kind == "recording" and _reads(rule.expr, names)}
    return [rule for rule in rules if rule.kind == "alerting" and _reads(rule.expr, names)]


def _reads(expr: str, names: set[str]) -> bool:
    """By whole names, outside of quoted text: "up" is no part of "group_left"."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`', "", expr)
    return not names.isdisjoint(re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", bare))


def text(missing: Sequence[Topic], site: ClusterSite) -> str:
    """A rules file for Prometheus."""
    lines = ["groups:", "  - name: missing", "    rules:"]
    for topic in missing:
        lines += [
            f"      - alert: {topic.rule}",
            "        expr: |-",
            *(f"          {line}" for line in topic.expr.splitlines()),
            f"        for: {topic.wait}",
            f"        labels: {{severity: {topic.severity}}}",
            "        annotations:",
            f'          summary: "{topic.summary}"',
            f"          runbook_url: {_runbook(topic.rule, site)}",
        ]
    return "\n".join(lines) + "\n"


def _runbook(rule: str, site: ClusterSite) -> str:
    slug = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", rule).casefold()
    return f"{(site.urls.runbooks or 'https://wiki.company.com/runbooks').rstrip('/')}/{slug}"


GAPS = Command(
    word="alert",
    verbs=("gaps",),
    summary="What no alert would tell of: measures that no rule looks at, with the rule that would.",
    rows=("AW-3", "T1-5.3", "T1-6.3"),
    parts=parts,
    examples=("alert gaps", "alert gaps --window 30d"),
    flags=(WINDOW,),
)
