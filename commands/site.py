"""The site: everything about this house that is configuration and no secret, as frozen values.

The dataclasses are the schema of sre-bot.yaml. An attribute is named as its YAML key with "-" written
"_" (and "for_" where the key is a Python keyword), and its default is the manual's value, so `Site()` is
what a file without keys means. What nobody can guess (people, browser addresses, buckets) is empty, and
a command that needs it names the key to set.

Constraints stand in the annotations (`Within`, `Shape`) because the loader, bot/sitefile.py, is driven
by this file alone; nothing here reads or checks a file. Percentages are 0..100 as people write them.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from commands.errors import UsageError
from commands.words import WORDS

# --- What a value may be --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Within:
    """A number (or a duration, in seconds) between these, both included unless `above`: then > low."""

    low: float
    high: float = float("inf")
    above: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A text with a form the loader knows by name; the empty text is allowed where `empty` says so."""

    name: str
    empty: bool = False


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """A list of which a single entry may be written without the brackets."""


Percent = Annotated[float, Within(0, 100)]
Share = Annotated[float, Within(0, 1)]
Amount = Annotated[float, Within(0)]
Factor = Annotated[float, Within(0, above=True)]
Count = Annotated[int, Within(0)]
Several = Annotated[int, Within(1)]
Span = Annotated[timedelta, Within(1)]
Port = Annotated[int, Within(1, 65535)]
Url = Annotated[str, Shape("url", empty=True)]
BaseUrl = Annotated[str, Shape("base url", empty=True)]  # a path is put behind it
Path = Annotated[str, Shape("path", empty=True)]
S3Url = Annotated[str, Shape("s3", empty=True)]
Channel = Annotated[str, Shape("channel", empty=True)]
Member = Annotated[str, Shape("member")]  # a Slack user or user-group id
User = Annotated[str, Shape("user")]  # a Slack user id
Namespace = Annotated[str, Shape("namespace")]
OwnNamespace = Annotated[str, Shape("namespace", empty=True)]  # "" inherits `namespaces.app`
Name = Annotated[str, Shape("name", empty=True)]  # of a Kubernetes object
Zone = Annotated[str, Shape("zone")]
Region = Annotated[str, Shape("region", empty=True)]
Members = Annotated[tuple[Member, ...], OneOrMany()]
Holders = Annotated[tuple[Annotated[str, Shape("owner")], ...], OneOrMany()]  # roles, or Slack ids
ChangeGlobs = Annotated[tuple[Annotated[str, Shape("changes")], ...], OneOrMany()]
Globs = Annotated[tuple[Annotated[str, Shape("glob")], ...], OneOrMany()]
Users = Annotated[tuple[User, ...], OneOrMany()]
ChannelOrKey = Annotated[str, Shape("place", empty=True)]  # a key of `channels`, or a channel
Mention = Annotated[str, Shape("mention", empty=True)]  # a key of `roles`, a Slack id, or "nobody"
Owner = Annotated[str, Shape("owner", empty=True)]
Matchers = Annotated[tuple[Annotated[str, Shape("matchers")], ...], OneOrMany()]  # in Alertmanager's words
Words = Annotated[tuple[str, ...], OneOrMany()]
Cidrs = Annotated[
    tuple[Annotated[str, Shape("cidr")], ...], OneOrMany()
]  # ranges of addresses, and single ones
NodeGlobs = Annotated[tuple[Annotated[str, Shape("nodes")], ...], OneOrMany()]  # names, or labels

# --- The cluster and what runs in it --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExpectedRoles:
    """IAM role names the audits compare with; the real ones are read from EKS."""

    node: str = "EKSNodeGroupRole"
    cluster: str = "EKSClusterRole"


@dataclass(frozen=True, slots=True)
class Namespaces:
    app: Namespace = "sre-shop"
    monitoring: Namespace = "monitoring"
    system: Namespace = "kube-system"
    bot: Namespace = "sre-bot"
    watch: Annotated[tuple[Namespace, ...], OneOrMany()] = ("all",)

    @property
    def watched(self) -> tuple[str, ...]:
        """The namespaces to read, as `reads.Pods` wants them: "" alone stands for all."""
        return ("",) if "all" in self.watch else self.watch


@dataclass(frozen=True, slots=True)
class Paths:
    """HTTP paths of a service; "" where it has none, and then nothing is asked there."""

    health: Path = "/healthz"
    ready: Path = "/readyz"
    metrics: Path = "/metrics"


@dataclass(frozen=True, slots=True)
class Freeze:
    """How writes of a service are stopped in an incident.

    scale: its writers run no pods. flag: one key of a ConfigMap says that it only reads. netpol: its writers do not
    reach the addresses of its database, which is outside the cluster. writers: workloads ("worker", "sts/queue") of
    its namespace, its Deployment where none is named. cron_jobs: names of CronJobs there that are suspended, too.
    """

    mode: Literal["scale", "flag", "netpol"] = "scale"
    writers: Words = ()
    cron_jobs: Globs = ("*",)
    config_map: Name = ""
    key: Annotated[str, Shape("config key")] = "read-only"
    value: str = "true"
    database: Cidrs = ()


@dataclass(frozen=True, slots=True)
class ServiceSite:
    """One application. The key it stands under is `name`; the loader fills what is left empty:
    namespace from `namespaces.app`, deployment (and, for role "app", service) from the name.

    role: "app" answers users; "synthetic" makes traffic and has no Service of its own.
    replicas: how many are expected; None when whatever the Deployment asks for is right.
    owner: a key of `roles:`, or a Slack user or user-group id.
    """

    name: str = field(default="", metadata={"key": ""})  # not a key of its own: the key above it
    namespace: OwnNamespace = ""
    deployment: Name = ""
    service: Name = ""
    port: Port = 8080
    paths: Paths = Paths()
    must_export: tuple[str, ...] = ()
    owner: Annotated[str, Shape("owner")] = "service-owner"
    replicas: Annotated[int | None, Within(0)] = None
    role: Literal["app", "synthetic"] = "app"
    freeze: Freeze = Freeze()


def first_app(services: Mapping[str, ServiceSite]) -> ServiceSite:
    """The first one with users who could miss it; the first of all where none has any."""
    return min(services.values(), key=lambda each: (each.role != "app", not each.service))


def _manual_services() -> Mapping[str, ServiceSite]:
    backend = ServiceSite(
        name="backend",
        namespace="sre-shop",
        deployment="backend",
        service="backend-service",
        must_export=("http_requests_total", "http_request_duration_seconds_bucket"),
    )
    generator = ServiceSite(
        name="traffic-generator",
        namespace="sre-shop",
        deployment="traffic-generator",
        replicas=1,
        role="synthetic",
    )
    return {backend.name: backend, generator.name: generator}


# --- Monitoring -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """A Service inside the cluster, as the API server's service proxy names it."""

    scheme: str
    namespace: str
    service: str
    port: int
    path: str = ""


def service_address(url: str) -> ServiceAddress | None:
    """The Service behind an in-cluster address (http://name.namespace.svc:port), or None for any other."""
    parts = urlsplit(url)
    found = re.fullmatch(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.[a-z0-9.-]+)?", parts.hostname or "")
    if not found:
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return ServiceAddress(parts.scheme, found[2], found[1], port, parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class Prometheus:
    """sigv4: sign requests for Amazon Managed Prometheus, in `region` or, where that is empty, the cluster's."""

    url: BaseUrl = "http://prometheus-service.monitoring.svc:9090"
    config_map: Name = "prometheus-config"
    expected_jobs: tuple[str, ...] = ("backend", "kubernetes-nodes", "kube-state-metrics")
    sigv4: bool = False
    region: Region = ""


@dataclass(frozen=True, slots=True)
class Grafana:
    url: BaseUrl = "http://grafana.monitoring.svc:3000"
    deployment: Name = "grafana"
    dashboards_config_map: Name = "grafana-dashboards"


@dataclass(frozen=True, slots=True)
class Alertmanager:
    url: BaseUrl = "http://alertmanager.monitoring.svc:9093"
    workload: Name = "alertmanager"
    config: Name = "alertmanager-config"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """access: "direct" speaks to these addresses (and to pod IPs); "proxy" goes through the API server.
    An empty url means the component is not there, and its checks say so."""

    prometheus: Prometheus = Prometheus()
    grafana: Grafana = Grafana()
    alertmanager: Alertmanager = Alertmanager()
    access: Literal["direct", "proxy"] = "direct"


@dataclass(frozen=True, slots=True)
class Urls:
    """What a person's browser opens; empty is "not set", and the answer names the key."""

    grafana: BaseUrl = ""
    alertmanager: BaseUrl = ""
    runbooks: Url = ""
    status_page_webhook: Url = ""


@dataclass(frozen=True, slots=True)
class Git:
    repo: str = ""
    branch: str = "main"


@dataclass(frozen=True, slots=True)
class Dashboards:
    """Dashboards by their titles; slow_panel_s: a panel slower than this is listed, in seconds."""

    slo: str = "SRE Shop - SLO Dashboard"
    overview: str = "Kubernetes Overview"
    git: Git = Git()
    slow_panel_s: Amount = 2
    unused_days: Several = 90


# --- Objectives and thresholds --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Availability:
    """Green above target, red below red_below, yellow between; percent."""

    target: Percent = 99.9
    red_below: Percent = 99.0


@dataclass(frozen=True, slots=True)
class SuccessRate:
    """Green from target up; red when more than red_error_rate percent of requests fail."""

    target: Percent = 99.9
    red_error_rate: Percent = 1.0


@dataclass(frozen=True, slots=True)
class Latency:
    quantile: Share = 0.95
    target_ms: Amount = 200


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """Percent consumed: yellow from, red above. More than 100 is possible and so allowed."""

    yellow_from: Amount = 50
    red_above: Amount = 75


@dataclass(frozen=True, slots=True)
class CpuObjective:
    """CPU used of CPU requested in the service's namespace; may exceed 100 %."""

    green_below: Amount = 50
    red_above: Amount = 80


# The manual's named queries, built or not: a misspelt one would replace nothing, and nobody would know.
_QUERY_NAMES = """
avail success error budget burn p95 rps rps-peak slocpu nodecpu nodemem cpu7d leak restarts oom throttle
cpulimit memlimit p90cpu p90mem maxmem pvc pvcfull disk nodeio netdrop dns ruleslow ruleeval engine firing
targets gc heap dbpool spread hpaflap nodeidle grow podcpu podmem requests bad healthy servicecpu servicemem
"""
QUERIES = tuple(f"Q-{name}" for name in _QUERY_NAMES.split())


@dataclass(frozen=True, slots=True)
class BurnRate:
    """Somebody must act when so much of the budget is gone within `over`, at the rate of all of it and of its last
    twelfth. to: act at once, or within the working day."""

    budget_pct: Annotated[float, Within(0, 100, above=True)]
    over: Annotated[timedelta, Within(60)]
    to: Literal["page", "ticket"] = "page"


def _usual_burns() -> tuple[BurnRate, ...]:
    hour, day = timedelta(hours=1), timedelta(days=1)
    return (
        BurnRate(2, hour), BurnRate(5, 6 * hour), BurnRate(10, day, "ticket"), BurnRate(10, 3 * day, "ticket"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slo:
    """queries: named queries (Q-avail …) to PromQL that replaces the built-in text. burn: how fast is too fast."""

    window: Span = timedelta(days=30)
    availability: Availability = Availability()
    success_rate: SuccessRate = SuccessRate()
    latency: Latency = Latency()
    error_budget: ErrorBudget = ErrorBudget()
    cpu: CpuObjective = CpuObjective()
    burn: tuple[BurnRate, ...] = field(default_factory=_usual_burns)
    queries: Mapping[str, Annotated[str, Shape("query")]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeThresholds:
    """CPU and memory are red from this percentage up, the disk is yellow: red is DiskPressure itself."""

    cpu_pct: Percent = 80
    memory_pct: Percent = 85
    disk_pct: Percent = 85


@dataclass(frozen=True, slots=True)
class TrendThresholds:
    cpu_7d_avg_pct: Percent = 70
    restarts_7d: Count = 3
    leak_mb_per_hour: Amount = 1


@dataclass(frozen=True, slots=True)
class PvcThresholds:
    yellow_pct: Percent = 85
    full_within: Span = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class CertDays:
    yellow: Count = 30
    red: Count = 7


@dataclass(frozen=True, slots=True)
class Thresholds:
    node: NodeThresholds = NodeThresholds()
    trend: TrendThresholds = TrendThresholds()
    pvc: PvcThresholds = PvcThresholds()
    throttle_pct: Percent = 25
    cert_days: CertDays = CertDays()
    image_max_age_days: Several = 90


@dataclass(frozen=True, slots=True)
class Rightsizing:
    window: Span = timedelta(days=7)
    quantile: Share = 0.9
    memory_buffer: Factor = 1.2
    cpu_limit_factor: Factor = 5
    memory_limit_factor: Factor = 2
    limit_over_peak: Factor = 1.1


@dataclass(frozen=True, slots=True)
class PoolMetrics:
    active: str = "db_connections_active"
    idle: str = "db_connections_idle"
    wait: str = "db_connection_wait_time"


@dataclass(frozen=True, slots=True)
class DbPool:
    """max: a number, or "cores*2"."""

    metrics: PoolMetrics = PoolMetrics()
    max: Annotated[str, Shape("pool")] = "cores*2"
    max_example: Several = 20
    min_idle: Count = 5
    timeout: Annotated[timedelta, Within(0.001)] = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ScaleUp:
    stabilization_s: Annotated[int, Within(0, 3600)] = 60
    percent: Several = 100
    period_s: Annotated[int, Within(1, 1800)] = 60


@dataclass(frozen=True, slots=True)
class ScaleDown:
    stabilization_s: Annotated[int, Within(0, 3600)] = 300
    percent: Several = 25
    period_s: Annotated[int, Within(1, 1800)] = 60


@dataclass(frozen=True, slots=True)
class Hpa:
    target_cpu: Annotated[int, Within(1)] = 70
    scale_up: ScaleUp = ScaleUp()
    scale_down: ScaleDown = ScaleDown()


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """The Cluster Autoscaler's own flag names, so its YAML keys are hyphenated."""

    deployment: Name = "cluster-autoscaler"
    scale_down_delay_after_add: Span = field(
        default=timedelta(minutes=10), metadata={"key": "scale-down-delay-after-add"}
    )
    scale_down_unneeded_time: Span = field(
        default=timedelta(minutes=10), metadata={"key": "scale-down-unneeded-time"}
    )
    scale_down_utilization_threshold: Share = field(
        default=0.7, metadata={"key": "scale-down-utilization-threshold"}
    )


@dataclass(frozen=True, slots=True)
class Drain:
    """parallel: whether two drains of one cluster may run at the same time."""

    parallel: bool = False


# --- Alerts, targets, backup, dependencies --------------------------------------------------------

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


def _manual_checks() -> tuple[CriticalCheck, ...]:
    return (CriticalCheck("shop answers", "http://backend-service.sre-shop.svc:8080/healthz"),)


# --- Changes --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rollback:
    """When a watched change has gone wrong (commands/watch.py); auto: roll back without asking.

    samples of `among`, or in_a_row: how many breaches of one measure are too many. interval: of the samples, and what
    each looks back on, so that no two share a moment. hard_factor, availability_pct: too bad to wait for another sample.
    recovered_factor: of the baseline, within recovered_within of a rollback. strict: without floors, as the manual
    says it to the letter.
    """

    error_factor: Factor = 2.0
    error_floor_pct: Percent = 0.1
    latency_increase_pct: Amount = 50
    latency_floor_ms: Amount = 20
    min_requests: Count = 100
    min_errors: Count = 5
    in_a_row: Several = 2
    samples: Several = 3
    among: Several = 5
    critical_in_a_row: Several = 3
    hard_factor: Factor = 10
    availability_pct: Percent = 50
    initial_delay: Span = timedelta(minutes=2)
    interval: Span = timedelta(minutes=1)
    bake: Span = timedelta(minutes=15)
    recovered_factor: Factor = 1.2
    recovered_within: Span = timedelta(minutes=10)
    strict: bool = False
    auto: bool = False


@dataclass(frozen=True, slots=True)
class Validation:
    """What a finished change may have done to the baseline at most."""

    error_increase_pct: Amount = 10
    tolerance_pct: Amount = 20


@dataclass(frozen=True, slots=True)
class FreezePeriod:
    """A time in which nothing is changed on purpose. begins, ends: local times. spared: services that may change."""

    name: str
    begins: datetime = field(metadata={"key": "from"})
    ends: datetime = field(metadata={"key": "to"})
    spared: Words = field(default=(), metadata={"key": "except"})


@dataclass(frozen=True, slots=True)
class Change:
    """id: strftime fields of the day, and {n}, the change's number in that day. pending: how long approvals are waited
    for; use_within: so soon an approved change is begun once it may be. checks_within: how old the pre-checks may be
    then. teams: who works together; a high risk needs approvers of two of them, where any are named."""

    id: Annotated[str, Shape("change id")] = "CR-%Y-%m-%d-{n:03d}"
    pending: Span = timedelta(hours=4)
    use_within: Span = timedelta(hours=1)
    checks_within: Span = timedelta(minutes=10)
    freezes: tuple[FreezePeriod, ...] = ()
    teams: Mapping[str, Users] = field(default_factory=dict)
    availability_after: Span = timedelta(hours=2)
    rollback: Rollback = Rollback()
    validation: Validation = Validation()


# --- One cluster, and the whole file --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The sections a cluster may give for itself; what it leaves out is the top level's."""

    namespaces: Namespaces = Namespaces()
    services: Mapping[str, ServiceSite] = field(default_factory=_manual_services)
    monitoring: Monitoring = Monitoring()
    urls: Urls = Urls()
    dashboards: Dashboards = Dashboards()
    slo: Slo = field(default_factory=Slo)
    thresholds: Thresholds = Thresholds()
    rightsizing: Rightsizing = Rightsizing()
    db_pool: DbPool = DbPool()
    hpa: Hpa = Hpa()
    autoscaler: Autoscaler = Autoscaler()
    drain: Drain = Drain()
    alerts: Alerts = field(default_factory=Alerts)
    targets: Targets = Targets()
    backup: Backup = Backup()
    security: Security = field(default_factory=Security)
    dependencies: tuple[Dependency, ...] = ()
    critical_checks: tuple[CriticalCheck, ...] = field(default_factory=_manual_checks)
    change: Change = field(default_factory=Change)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSite(Sections):
    """What a command sees of one cluster.

    context: of the kubeconfig; "" is the current one, or the cluster the bot runs in.
    eks: True when EKS knows the cluster by `name`, another name as text, False for a cluster that is
    not on EKS. channels: where this cluster is the one meant when none is named.
    """

    name: str = "sre-training-cluster"
    context: str = ""
    region: Region = "eu-central-1"
    nodegroups: tuple[str, ...] = ("sre-training-nodes",)
    eks: bool | str = True
    expected_roles: ExpectedRoles = ExpectedRoles()
    max_versions_behind: Count = 1
    ami_max_age_days: Several = 31
    channels: Annotated[tuple[Channel, ...], OneOrMany()] = ()

    @property
    def eks_name(self) -> str:
        """The name EKS knows the cluster by; "" when it is not on EKS and AWS is not asked."""
        if isinstance(self.eks, str):
            return self.eks
        return self.name if self.eks else ""

    @property
    def default_service(self) -> ServiceSite:
        """What a command means when none is named: the first service declared that answers users."""
        return first_app(self.services)

    def service(self, wanted: str = "") -> ServiceSite:
        """The service of this name, the default one for ""; raises UsageError naming the known ones."""
        if not wanted:
            return self.default_service
        for name, service in self.services.items():
            if name.casefold() == wanted.casefold():
                return service
        raise UsageError(_unknown("service", wanted, tuple(self.services)))


@dataclass(frozen=True, slots=True)
class Channels:
    daily: Channel = "#sre-daily"
    alerts: Channel = "#sre-alerts"
    incidents: Channel = "#incidents"
    changes: Channel = "#changes"
    security: Channel = "#sre-security"
    stakeholders: Annotated[tuple[Channel, ...], OneOrMany()] = ("#general-status",)
    support: Channel = ""


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who takes turns. start is the local time of the first handover; without it the first of the rota
    is always on duty, which is also what a single id in place of this mapping means."""

    rota: Members = ()
    start: datetime | None = None
    shift: Span = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Roles:
    """Slack user or user-group ids by what they may do; one person may hold several."""

    oncall: OnCall = OnCall()
    approvers: Members = ()
    two_person: Members = ()
    sre_lead: Members = field(default=(), metadata={"key": "sre-lead"})
    security: Members = ()
    platform: Members = ()
    service_owner: Members = field(default=(), metadata={"key": "service-owner"})
    db_owner: Members = field(default=(), metadata={"key": "db-owner"})
    comms: Members = ()


ROLES = (
    "oncall",
    "approvers",
    "two_person",
    "sre-lead",
    "security",
    "platform",
    "service-owner",
    "db-owner",
    "comms",
)


Act = Literal["submit", "approve"]

# Every line that changes something, built or not: "node drain".
CHANGES = tuple(f"{word.name} {verb.name}" for word in WORDS.values() for verb in word.verbs if verb.changes)


def is_like(glob: str, text: str) -> bool:
    """Whether the text is of this form; * stands for any characters, and nothing else stands for others."""
    return re.fullmatch(".*".join(map(re.escape, glob.split("*"))), text) is not None


Labels = Mapping[str, str]


def is_about_labels(entry: str) -> bool:
    """Whether an entry of `nodes` means labels: no name of a node has either of these signs."""
    return "=" in entry or "/" in entry


def has_labels(labels: Labels, entry: str) -> bool:
    """Whether all of "role=worker,example.com/pool" are there; in a value * stands for any characters."""
    wanted = (each.partition("=") for each in entry.split(","))
    return all(key in labels and (not sign or is_like(glob, labels[key])) for key, sign, glob in wanted)


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A yes to changes: who may submit or approve which of them, and where. There is no rule that says no:
    what no rule allows is not allowed.

    roles: keys of `roles`, or Slack user and user-group ids. verbs: "node drain", "deploy *", "*".
    namespaces, nodes, clusters: names with *, of the objects that a change touches; () for all. An entry of
    nodes may give labels in place of a name, because a cloud's names say nothing. A rule that gives
    namespaces only is not about the verbs of `node`, and one that gives nodes only is about no other: what
    limits somebody to a namespace must not let them cordon every node.
    """

    roles: Holders
    may: Annotated[tuple[Act, ...], OneOrMany()]
    verbs: ChangeGlobs
    namespaces: Globs = ()
    nodes: NodeGlobs = ()
    clusters: Globs = ()

    def is_about(self, act: Act, line: str, cluster: str) -> bool:
        """Whether it lets somebody do this with such a change somewhere in the cluster."""
        own, other = self.namespaces, self.nodes
        if line.startswith("node "):
            own, other = other, own
        is_meant = bool(own) or not other
        return act in self.may and is_meant and _any(self.verbs, line) and _in(self.clusters, cluster)

    def has_namespace(self, name: str) -> bool:
        return _in(self.namespaces, name)

    def has_node(self, name: str, labels: Labels | None) -> bool:
        """labels: None while nobody has read the node; then a rule about labels, and one about a longer name that
        begins with the typed one, may be about it."""
        return not self.nodes or any(_is_node(entry, name, labels) for entry in self.nodes)


def _is_node(entry: str, name: str, labels: Labels | None) -> bool:
    if is_about_labels(entry):
        return labels is None or has_labels(labels, entry)
    return is_like(entry, name) or (labels is None and _may_begin(entry, f"{name}."))


def _may_begin(glob: str, text: str) -> bool:
    """Whether something that begins with the text is of this form."""
    return any(is_like(glob[:end], text) for end in range(1, len(glob) + 1))


def _in(places: tuple[str, ...], name: str) -> bool:
    return not places or _any(places, name)


def _any(globs: tuple[str, ...], text: str) -> bool:
    return any(is_like(glob, text) for glob in globs)


@dataclass(frozen=True, slots=True)
class Approvals:
    """self_approve stays False in production; sev1_break_glass: who may stand in for the second
    approver in a Sev1 ("ic", the incident commander, or "nobody")."""

    expire: Span = timedelta(minutes=15)
    self_approve: bool = False
    sev1_break_glass: Literal["ic", "nobody"] = "ic"
    reason_required: bool = True


@dataclass(frozen=True, slots=True)
class Phases:
    """Minutes after the start at which each phase's lines are due."""

    immediate: Several = 15
    investigation: Several = 60
    recovery: Several = 240
    postmortem: tuple[Several, ...] = (1440, 2880)


@dataclass(frozen=True, slots=True)
class Incident:
    """channel_name: {date}, {nnn} and {slug} are filled in. archive: the channel of one that is closed."""

    phases_min: Phases = Phases()
    channel_name: Annotated[str, Shape("incident channel")] = "inc-{date}-{nnn}-{slug}"
    archive: bool = False
    recent_changes: Span = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Team:
    """members: whom the per-person numbers count. people: who has several Slack ids, by any name: they are one
    person where two are asked for."""

    members: tuple[User, ...] = ()
    people: Mapping[str, Users] = field(default_factory=dict)


def _only_cluster() -> Mapping[str, ClusterSite]:
    only = ClusterSite()
    return {only.name: only}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Sections):
    """The whole file. Its own sections are what clusters inherit: a command reads its ClusterSite."""

    timezone: Zone = "Europe/Berlin"
    default_cluster: str = ""
    clusters: Mapping[str, ClusterSite] = field(default_factory=_only_cluster)
    channels: Channels = Channels()
    roles: Roles = Roles()
    access: tuple[AccessRule, ...] = ()
    approvals: Approvals = Approvals()
    incident: Incident = Incident()
    team: Team = Team()

    def __post_init__(self) -> None:
        if not self.default_cluster:  # then it is the first one declared
            object.__setattr__(self, "default_cluster", next(iter(self.clusters)))

    def cluster_for(self, channel: str, wanted: str = "") -> ClusterSite:
        """The cluster meant in a channel (id, name or #name); a wanted name wins over the channel's.

        Raises UsageError naming the known clusters when the wanted one is not among them.
        """
        if wanted:
            for name, cluster in self.clusters.items():
                if name.casefold() == wanted.casefold():
                    return cluster
            raise UsageError(_unknown("cluster", wanted, tuple(self.clusters)))
        asked = _plain(channel)
        for cluster in self.clusters.values():
            if asked and asked in map(_plain, cluster.channels):
                return cluster
        return self.clusters[self.default_cluster]

    def told_apart(self, cluster: str) -> str:
        """How a command line names the cluster that it is about: "" where there is no other."""
        return cluster if len(self.clusters) > 1 else ""

    def channel(self, key: str) -> str:
        """The channel behind a key of `channels:`, "" when it is not set; the first of several."""
        value: str | tuple[str, ...] = getattr(self.channels, key)
        if isinstance(value, str):
            return value
        return value[0] if value else ""

    def oncall(self, at: datetime) -> str:
        """The user (or user-group) id on duty at that moment; "" without a rota, and before its start.

        Shifts are counted in local time, so a handover stays at its hour when the clocks change.
        """
        return next(iter(self.rota(at)), "")

    def second_oncall(self, at: datetime) -> str:
        """Who comes next in the rota after the one on duty, somebody else than them; "" where nobody does."""
        turns = self.rota(at)
        return next((member for member in turns if member != turns[0]), "")

    def rota(self, at: datetime) -> tuple[str, ...]:
        """The rota from the one on duty on; () before its start."""
        duty = self.roles.oncall
        if not duty.rota or duty.start is None:
            return duty.rota
        local = at.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None)
        if local < duty.start:
            return ()
        turn = (local - duty.start) // duty.shift % len(duty.rota)
        return duty.rota[turn:] + duty.rota[:turn]

    def approver_roles(self, line: str, cluster: str, *, own: bool = False) -> tuple[str, ...]:
        """Whom the rules of `access` let approve such a change somewhere in the cluster; own: or ask for it, where
        that is enough."""
        acts: tuple[Act, ...] = ("approve", "submit") if own else ("approve",)
        rules = (rule for rule in self.access if any(rule.is_about(act, line, cluster) for act in acts))
        return tuple(dict.fromkeys(role for rule in rules for role in rule.roles))

    def person(self, user: str) -> str:
        """The same id for every id of one person: the first of those that the file gives them."""
        return next((ids[0] for ids in self.team.people.values() if user in ids), user)

    def role_members(self, role: str) -> tuple[str, ...]:
        """The Slack ids behind a role as the file names it ("sre-lead"); () for a role nobody holds.

        An id is its own only member, because a service's owner may be given as one.
        """
        if role in ROLES:
            held: OnCall | tuple[str, ...] = getattr(self.roles, role.replace("-", "_"))
            return held.rota if isinstance(held, OnCall) else held
        return (role,) if re.fullmatch(r"[UWS][A-Z0-9]{2,}", role) else ()


def _plain(channel: str) -> str:
    return channel.removeprefix("#").casefold()


def _unknown(kind: str, wanted: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(wanted.casefold(), [name.casefold() for name in known], n=1)
    meant = next((name for name in known if near and name.casefold() == near[0]), "")
    question = f" Did you mean `{meant}`?" if meant else ""
    return f"There is no {kind} `{wanted}`.{question} Known: {', '.join(f'`{name}`' for name in known)}."
