"""The closed vocabulary of questions to the outside, and the shape of each answer.

A part of a command yields these; workers/ interprets each in exactly one client. Answers are plain
facts: every judgement belongs to the command. Ratios are 0..1, durations timedelta, times aware UTC.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from commands.effects import Effect
from commands.model import Read

# --- Time -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Now(Read):
    """→ aware datetime in UTC: the moment of reading, which ages are counted from."""


# --- Kubernetes API -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    """A node or workload condition; status is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeView:
    """addresses: by which others may know it: its IP addresses and host names."""

    name: str
    conditions: tuple[Condition, ...]
    unschedulable: bool
    taints: tuple[str, ...]
    kubelet: str
    allocatable_cpu: float  # cores
    allocatable_memory: float  # bytes
    labels: Mapping[str, str]
    created: datetime | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nodes(Read):
    """→ tuple[NodeView, ...], by name."""


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod that is not well (or failed), in kubectl's words.

    status is the STATUS column; ready the READY column ("1/2"). message is the most telling text the
    API has: a waiting message, a scheduling message, an eviction message. not_ready_since: when its
    Ready condition turned away from True. last_exit: "OOMKilled 137" of the last termination.
    last_restart: when a container that was started again had ended, as exactly as the RESTARTS column
    says: "5 (3m12s ago)".
    """

    namespace: str
    name: str
    status: str
    ready: str
    restarts: int
    age: timedelta
    node: str = ""
    owner: str = ""
    message: str = ""
    phase: str = ""
    not_ready_since: datetime | None = None
    last_exit: str = ""
    last_restart: datetime | None = None


# A pod in a crash loop runs for a while between two crashes; how long ago its last one was tells it apart.
RESTARTED_LATELY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PodSurvey:
    """Every pod counted by its STATUS word; the sick ones in detail.

    sick: pods whose STATUS is not Running or Completed, or that run with containers not ready, or that run
    and were restarted less than RESTARTED_LATELY ago; at most `Pods.detail` of them, `sick_total` says how
    many there are. Failed pods (phase Failed) are in it.
    """

    total: int
    by_status: Mapping[str, int]
    sick: tuple[PodView, ...]
    sick_total: int


@dataclass(frozen=True, slots=True)
class Pods(Read):
    """Every pod of the namespace ("" for all) → PodSurvey."""

    namespace: str = ""
    detail: int = 200


@dataclass(frozen=True, slots=True)
class EndpointView:
    """One address behind a Service, merged over its slices. ready is True where the API says null."""

    address: str
    pod: str
    ready: bool
    node: str = ""
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Endpoints(Read):
    """→ tuple[EndpointView, ...] of the Service, from all its EndpointSlices; empty when it has none."""

    namespace: str
    service: str


@dataclass(frozen=True, slots=True)
class DeploymentView:
    namespace: str
    name: str
    replicas: int
    ready: int
    available: int
    updated: int
    generation: int
    observed_generation: int
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment(Read):
    """→ DeploymentView, or None when there is no such Deployment."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class NodeUsage:
    node: str
    cpu: float  # cores
    memory: float  # bytes


@dataclass(frozen=True, slots=True)
class NodeMetrics(Read):
    """metrics.k8s.io → tuple[NodeUsage, ...]; a Gap when the API is absent or down."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the API server said to a dry run: whether it would take the effect, its words, its warnings."""

    would: bool
    said: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DryRun(Read):
    """The effect with `dryRun=All`, which nothing comes of → Rehearsal."""

    effect: Effect


# --- AWS ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EksView:
    """eks:DescribeCluster. status is EKS's word; issues are "Code: message"; update the running update's
    id when status is UPDATING and it could be read."""

    name: str
    status: str
    version: str
    platform: str
    issues: tuple[str, ...] = ()
    update: str = ""


@dataclass(frozen=True, slots=True)
class EksCluster(Read):
    """→ EksView, or None when EKS knows no such cluster."""

    name: str


@dataclass(frozen=True, slots=True)
class NodegroupView:
    name: str
    status: str
    issues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nodegroup(Read):
    """→ NodegroupView, or None when EKS knows no such node group."""

    cluster: str
    name: str


# --- Prometheus, Alertmanager, Grafana ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    """Result of an instant query. warnings non-empty means a partial answer."""

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query(Read):
    """An instant PromQL query → Vector. An empty vector is an answer: no such series."""

    expr: str


@dataclass(frozen=True, slots=True)
class TargetView:
    job: str
    instance: str
    health: str  # up | down | unknown
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Targets(Read):
    """Active scrape targets of Prometheus → tuple[TargetView, ...]."""


@dataclass(frozen=True, slots=True)
class Retention(Read):
    """How far back Prometheus can answer → timedelta, or None when it does not say."""


@dataclass(frozen=True, slots=True)
class Http:
    """An HTTP answer: status code, time to the last byte, at most the first 4 kB of the body."""

    status: int
    took: timedelta
    body: str = ""


@dataclass(frozen=True, slots=True)
class Probe(Read):
    """GET path at a component of the monitoring stack → Http, whatever the status code.

    component: "prometheus", "alertmanager" or "grafana"; its address and way of access are config.
    """

    component: str
    path: str


@dataclass(frozen=True, slots=True)
class GrafanaView:
    version: str
    database: str
    commit: str


@dataclass(frozen=True, slots=True)
class GrafanaHealth(Read):
    """GET /api/health → GrafanaView."""


@dataclass(frozen=True, slots=True)
class DashboardView:
    title: str
    uid: str
    url: str  # path below Grafana's address


@dataclass(frozen=True, slots=True)
class Dashboards(Read):
    """Dashboards whose title contains these words → tuple[DashboardView, ...]."""

    title: str


@dataclass(frozen=True, slots=True)
class AlertmanagerView:
    version: str
    cluster: str  # ready | settling | disabled
    peers: int


@dataclass(frozen=True, slots=True)
class AlertmanagerStatus(Read):
    """GET /api/v2/status → AlertmanagerView."""


# --- The application, pod by pod ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PodHttp(Read):
    """GET path on one pod → Http, whatever the status code. By pod IP, or the API server's pod proxy."""

    namespace: str
    pod: str
    address: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Exposition:
    """A parsed /metrics page: the metric names it holds, as written there; error when it did not parse."""

    status: int
    names: frozenset[str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class PodExposition(Read):
    """GET a metrics page on one pod and parse it → Exposition."""

    namespace: str
    pod: str
    address: str
    port: int
    path: str


# --- The bot's own store --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeartbeatView:
    """last: when Alertmanager's webhook last reached the bot; None: never yet.

    listening_since: the latest start of a bot process; None where none was noted. watchdog: when the always-firing
    Watchdog was last heard; None: never yet, so that nobody can miss it.
    """

    last: datetime | None
    listening_since: datetime | None
    watchdog: datetime | None = None


@dataclass(frozen=True, slots=True)
class WebhookHeartbeat(Read):
    """Whether Alertmanager's webhook reaches the bot → HeartbeatView."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One line of the calendar: the latest run of a scheduled job and its next due time.

    result: "answered", "failed", "reading", "missed" or "" when it never ran.
    """

    name: str
    text: str
    cron: str
    next_due: datetime
    last_due: datetime | None = None
    last_started: datetime | None = None
    result: str = ""
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class RunLog(Read):
    """→ tuple[RunView, ...] in the order they are next due."""


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    card: str
    channel: str
    error: str
    since: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class DeadLetters(Read):
    """Slack messages that could not be delivered → tuple[DeadLetterView, ...], oldest first."""


@dataclass(frozen=True, slots=True)
class WhoamiView:
    """roles: held by config and user groups. unsure: those that nobody can say of, because Slack has not told
    lately who is in a group. changes: the lines ("node drain") the asker may submit somewhere. grants: what
    each rule of `access` lets the asker do, a sentence each. user: the asker's Slack id."""

    roles: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    changes: frozenset[str] = frozenset()
    grants: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True, slots=True)
class Whoami(Read):
    """→ WhoamiView: who the asker is to the bot."""


@dataclass(frozen=True, slots=True)
class EvidenceKept(Read):
    """Of these pods (by uid), whose evidence is kept → frozenset[str]."""

    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EffectiveConfig(Read):
    """→ the effective configuration as YAML text, secrets masked."""


# --- The audit trail ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line: facts are all that was told, by name.

    seq: its number, 0 for one from before the chain. entry: its place in the store. written: the names and
    values that the hash is made of, in their order.
    """

    entry: str
    seq: int
    at: datetime
    what: str
    facts: Mapping[str, str]
    hash: str
    written: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> str:
        """One line of JSON: what the hash is made of, in its order; then the hash, the place, and the time for
        people."""
        told = {**dict(self.written), "hash": self.hash, "entry": self.entry, "time": self.at.isoformat()}
        return json.dumps(told, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """lines: newest first. is_whole: nothing older was left out, neither by the limit nor for want of time.
    called: what people call those who did it, by user id, as far as that is known. withheld: how many lines are
    missing because they are about a private incident."""

    lines: tuple[AuditLine, ...]
    is_whole: bool
    called: Mapping[str, str] = field(default_factory=dict)
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class AuditTrail(Read):
    """The newest lines that are not older than `since`, of this user and about this object → AuditPage.

    who: a Slack user id; object: "node/n1", "pod/shop/web-1", or without its kind or namespace; "" for any.
    is_private: nobody but the asker reads the answer, so what is about private incidents is in it, too.
    """

    since: timedelta
    limit: int
    who: str = ""
    object: str = ""
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class AuditCopy:
    """A copy in the bucket of the lines up to number `seq`, whose hash and place in the store it knows."""

    day: str
    seq: int
    entry: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditFault:
    """Where the chain does not hold. entry: its place in the stream of the store, "" where it has none."""

    seq: int
    entry: str
    text: str


@dataclass(frozen=True, slots=True)
class AuditProgress:
    """How far the chain was followed, and what was found on the way.

    entry, seq, hash: of the last line seen. head_seq, head_hash: what the store took for its end when this
    began. lines: seen in the chain; older: before it began. missing: numbers, from and to. is_over: the end
    was reached. faults: the first of fault_count.
    """

    entry: str = ""
    seq: int = 0
    hash: str = ""
    head_seq: int = 0
    head_hash: str = ""
    lines: int = 0
    older: int = 0
    faults: tuple[AuditFault, ...] = ()
    fault_count: int = 0
    missing: tuple[tuple[int, int], ...] = ()
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class AuditChain(Read):
    """Follow the chain on from here, as far as the time for one read goes → AuditProgress."""

    so_far: AuditProgress = AuditProgress()
    copies: tuple[AuditCopy, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditCopies(Read):
    """→ tuple[AuditCopy, ...] in the bucket, oldest first; None where no bucket is configured."""


@dataclass(frozen=True, slots=True)
class AuditKept:
    """copy: the newest one; None: there is nothing to copy yet. is_new: made just now, and there may be more
    to copy. found: how the chain stood in it. sha256, size: of the file."""

    copy: AuditCopy | None
    is_new: bool = False
    found: AuditProgress = AuditProgress()
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class KeepAudit(Read):
    """Copy the next lines up to midnight UTC to the bucket → AuditKept; None: no bucket is configured.

    The one read that writes: a copy of the bot's own record to the bot's own bucket, the same however often.
    after: the number of the line up to which the asker knows a copy, so that it can ask for more.
    """

    after: int = 0
