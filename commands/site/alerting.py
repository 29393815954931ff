"""Alert rules, routes and severities, the targets of the house's numbers, and what it depends on.

A part of the site (commands/site/__init__.py), of nothing but values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Literal

from commands.site.values import (
    Amount,
    ChannelOrKey,
    Cidrs,
    Count,
    Matchers,
    Mention,
    Owner,
    Path,
    Percent,
    Region,
    S3Url,
    Several,
    Shape,
    Span,
    Within,
    Words,
)

Destination = Literal["page", "mention", "slack"]


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A shipped rule's parameters. over is a ratio, over_s seconds; a rule uses one of the two."""

    over: Annotated[float | None, Within(0)] = None
    over_s: Annotated[float | None, Within(0)] = None
    for_: Span = field(default=timedelta(minutes=5), metadata={"key": "for"})
    group: Literal["slo_violations", "resource_exhaustion", ""] = ""


def _manual_rules() -> Mapping[str, AlertRule]:
    def rule(
        group: Literal["slo_violations", "resource_exhaustion"],
        minutes: int,
        *,
        over: float | None = None,
        over_s: float | None = None,
    ) -> AlertRule:
        return AlertRule(over=over, over_s=over_s, for_=timedelta(minutes=minutes), group=group)

    return {
        "HighErrorRate": rule("slo_violations", 5, over=0.01),
        "HighLatency": rule("slo_violations", 10, over_s=0.2),
        "HighCPUUsage": rule("resource_exhaustion", 15, over=0.8),
        "HighMemoryUsage": rule("resource_exhaustion", 10, over=0.9),
    }


@dataclass(frozen=True, slots=True)
class Route:
    """Where an alert goes: by its name, else its rule's group, else its severity label, else "slack".

    page: the channel, on-call is mentioned and an incident is proposed. mention: the channel and a
    mention. slack: the channel only.
    """

    slo_violations: Destination = "page"
    resource_exhaustion: Destination = "slack"
    severity: Mapping[str, Destination] = field(
        default_factory=lambda: {"critical": "page", "warning": "slack"}
    )
    names: Mapping[str, Destination] = field(default_factory=lambda: {"HighLatency": "mention"})


@dataclass(frozen=True, slots=True)
class AlertRoute:
    """Where alerts of these labels go. What it leaves out comes from `alerts.route` and the defaults
    (commands/alertroutes.py). mention: "nobody" for silence where `alerts.route` would mention somebody.
    """

    match: Matchers
    channel: ChannelOrKey = ""
    mention: Mention = ""
    owner: Owner = ""


@dataclass(frozen=True, slots=True)
class Severities:
    """Which words of the `severity` label mean what, in lower case; any other word, and none, is a warning."""

    critical: Words = (
        "critical", "crit", "page", "fatal", "emergency", "disaster", "urgent", "high",
        "p0", "p1", "sev0", "sev1", "s1",
    )  # fmt: skip
    warning: Words = ("warning",)
    info: Words = (
        "info", "informational", "notice", "none", "low", "debug", "ok", "p4", "p5", "sev4", "sev5", "s4",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AlertsRollup:
    """More groups than `over` that open in one channel within a minute become a storm."""

    over: Several = 10


@dataclass(frozen=True, slots=True)
class AlertsWatchdog:
    """Prometheus' dead-man's switch: silent for so long, and this channel (or key of `channels`) is told."""

    silent_for: Span = timedelta(minutes=10)
    channel: ChannelOrKey = "incidents"


@dataclass(frozen=True, slots=True)
class Alerts:
    """cluster_label: whose value names the cluster. runbooks: directory with a mirror of the runbooks, "" for
    none. graph: whether an alert's expression is drawn. flap_within: fires again so soon after its end, and it
    goes on in its old thread."""

    rules: Mapping[str, AlertRule] = field(default_factory=_manual_rules)
    routes: tuple[AlertRoute, ...] = ()
    route: Route = field(default_factory=Route)
    severities: Severities = Severities()
    cluster_label: Annotated[str, Shape("label")] = "cluster"
    flap_within: Span = timedelta(minutes=30)
    rollup: AlertsRollup = AlertsRollup()
    watchdog: AlertsWatchdog = AlertsWatchdog()
    runbooks: Path = ""
    graph: bool = True
    false_positive_pct: Percent = 5
    actionable_per_person_week: Count = 10
    ack_within: Span = timedelta(minutes=5)

    def destination(self, name: str, severity: str) -> Destination:
        """Where an alert of this name and severity label goes; never nowhere."""
        if name in self.route.names:
            return self.route.names[name]
        group = self.rules[name].group if name in self.rules else ""
        if group == "slo_violations":
            return self.route.slo_violations
        if group == "resource_exhaustion":
            return self.route.resource_exhaustion
        return self.route.severity.get(severity, "slack")


@dataclass(frozen=True, slots=True)
class Targets:
    mttr_min: Amount = 30
    change_failure_pct: Percent = 5
    oncall_hours_week: Amount = 2
    rto_min: Amount = 75


@dataclass(frozen=True, slots=True)
class TerraformState:
    source: S3Url = ""
    bucket: str = "terraform-state-backup"
    keep_days: Several = 90
    keep_newest: Several = 10


@dataclass(frozen=True, slots=True)
class Thanos:
    bucket: str = "prometheus-long-term-storage"
    endpoint: str = "s3.eu-central-1.amazonaws.com"
    region: Region = "eu-central-1"


@dataclass(frozen=True, slots=True)
class PrometheusBackup:
    admin_api: bool = False
    thanos: Thanos = Thanos()


@dataclass(frozen=True, slots=True)
class Backup:
    """bucket "" means nothing is backed up, and every backup command says so.
    secrets: "metadata" stores names and hashes only; "encrypted" needs kms_key."""

    bucket: str = ""
    keep_days: Several = 30
    keep_newest: Several = 3
    secrets: Literal["metadata", "encrypted"] = "metadata"
    kms_key: str = ""
    tfstate: TerraformState = TerraformState()
    prometheus: PrometheusBackup = PrometheusBackup()


def _by_hand() -> Mapping[str, str]:
    return {"GitHub tokens and deploy keys": "security", "passwords of databases": "db-owner"}


@dataclass(frozen=True, slots=True)
class Security:
    """own_cidrs: offices, VPNs and other networks that are never blocked. secrets: by a service account
    ("namespace/name"), what Secrets Manager rotates with it. by_hand: what people rotate, and who."""

    own_cidrs: Cidrs = ()
    secrets: Mapping[str, Words] = field(default_factory=dict)
    by_hand: Mapping[str, Annotated[str, Shape("owner")]] = field(default_factory=_by_hand)


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something outside that the services call, with what it promises."""

    name: str
    url: Annotated[str, Shape("url")]
    sla: Percent = 99.9
    p95_ms: Amount = 300


@dataclass(frozen=True, slots=True)
class CriticalCheck:
    """An HTTP address that must answer below 400 while a change is watched."""

    name: str
    url: Annotated[str, Shape("url")]


def manual_checks() -> tuple[CriticalCheck, ...]:
    return (CriticalCheck("shop answers", "http://backend-service.sre-shop.svc:8080/healthz"),)
