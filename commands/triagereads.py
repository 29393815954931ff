"""The questions a diagnosis asks of the cluster, of AWS and of the network, beside those of the other commands.

Answers are plain facts, as in commands/reads.py; asked by workers/changes.py and workers/triagereads.py (Kubernetes),
workers/awsfacts.py and workers/network.py. Where a question takes several requests, what one of them did not answer
stands in `unread` beside what the others said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from commands.model import Gap, Read
from commands.reads import Condition

# --- What changed ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChangeSeen:
    """Something that changed in the cluster. kind as kubectl writes it, of what was changed.

    what: in plain words ("rollout of revision 7", "scaled from 3 to 5", "created"). by: the field manager that
    wrote it ("helm", "kubectl-client-side-apply", "argocd-controller, application shop"), "" where nobody knows.
    differences: lines like "image backend: shop/backend:1.4 → shop/backend:1.5", "env backend DB_PASSWORD changed"
    (commands/differences.py). revision: of a rollout that one can go back from, else 0.
    """

    kind: str
    namespace: str
    name: str
    what: str
    at: datetime
    by: str = ""
    differences: tuple[str, ...] = ()
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ChangesSeen:
    """changes: newest first. unread: what could not be looked at. secrets: why Secrets, and with them the releases
    of Helm, were not looked at; the right to list them is in a role of its own, which nobody has by default."""

    changes: tuple[ChangeSeen, ...]
    unread: tuple[Gap, ...] = ()
    secrets: Gap | None = None


@dataclass(frozen=True, slots=True)
class Changes(Read):
    """What changed in the namespace in the window before now → ChangesSeen: rollouts with their differences,
    scalings, HorizontalPodAutoscalers, ConfigMaps and Secrets written (names only), releases of Helm, nodes that
    came and went. With "", in the whole cluster: rollouts, scalings and nodes only."""

    namespace: str
    window: timedelta = timedelta(hours=2)


# Annotations: a Slack user or user-group id, and a channel.
OWNER, CHANNEL = "sre-bot/owner", "sre-bot/channel"


@dataclass(frozen=True, slots=True)
class OwnerNotes(Read):
    """Who a namespace, and a workload in it, belong to → Mapping[str, str] of the annotations OWNER and CHANNEL, as
    far as they are there, the workload's before the namespace's. workload: "deployment/web" (or statefulset,
    daemonset, job, cronjob), "" for the namespace alone."""

    namespace: str
    workload: str = ""


@dataclass(frozen=True, slots=True)
class NamespaceNotes(Read):
    """The annotations OWNER and CHANNEL of every namespace that has one of them → Mapping[str, Mapping[str, str]],
    by the namespace's name."""


# --- Pods -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProbeView:
    """A probe of a container. kind: liveness, readiness or startup; target: "GET :8080/healthz", "GET https :8443/",
    "TCP :5432", "exec cat /tmp/ok", "gRPC :9000". port: its number, 0 where it has none, or is named and the
    container has no such port."""

    kind: str
    target: str
    port: int = 0
    initial_delay: int = 0
    period: int = 10
    timeout: int = 1
    failures: int = 3


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What a container declares. kind: "", "init" or "sidecar". env: literal values by name, never one of a Secret,
    none under a name that sounds secret, no password in an address. refs: what it takes settings and files from
    ("ConfigMap/web-config:LOG_LEVEL", "Secret/db" for all keys), optional ones left out. command: what it runs, as
    typed; "" where the image says. named: the ports that have a name."""

    name: str
    image: str
    kind: str = ""
    command: str = ""
    ports: tuple[int, ...] = ()
    probes: tuple[ProbeView, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    refs: tuple[str, ...] = ()
    user: int | None = None
    read_only_root: bool = False
    named: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PodSpec:
    """pull_secrets, claims: names. gates: scheduling gates that hold it."""

    containers: tuple[ContainerSpec, ...]
    pull_secrets: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    fs_group: int | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class PodSpecOf(Read):
    """→ PodSpec, or None when there is no such pod."""

    namespace: str
    pod: str


# --- Storage, jobs, nodes, API --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A PersistentVolumeClaim. capacity, requested: bytes. expandable: what its StorageClass says, None where that
    is not known. zone: where its volume is, "" for anywhere or not known. pods: names of those that mount it, those
    that ended left out. resizing: the API's words while it is being resized. unread: what stayed unknown, and why."""

    namespace: str
    name: str
    phase: str
    capacity: float = 0.0
    requested: float = 0.0
    storage_class: str = ""
    provisioner: str = ""
    expandable: bool | None = None
    volume: str = ""
    zone: str = ""
    modes: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    resizing: str = ""
    unread: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim(Read):
    """→ ClaimView, or None when there is no such claim."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class JobView:
    """A Job. backoff_limit, deadline: its spec's. cronjob: what made it, "" where nothing did. finished: when it
    was complete or failed."""

    namespace: str
    name: str
    wanted: int = 1
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    backoff_limit: int = 6
    deadline: timedelta | None = None
    started: datetime | None = None
    finished: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    cronjob: str = ""
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Jobs(Read):
    """→ tuple[JobView, ...] of the namespace, newest first; the one of this name alone where one is given."""

    namespace: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class CronJobView:
    namespace: str
    name: str
    schedule: str
    concurrency: str = "Allow"
    suspended: bool = False
    active: tuple[str, ...] = ()
    last_scheduled: datetime | None = None
    last_succeeded: datetime | None = None


@dataclass(frozen=True, slots=True)
class CronJob(Read):
    """→ CronJobView, or None."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class NodeLease(Read):
    """When the kubelet of a node renewed its lease last → datetime, or None when there is no lease."""

    node: str


@dataclass(frozen=True, slots=True)
class NodeClaimView:
    """A Karpenter NodeClaim. node: its node's name, "" before it has one."""

    name: str
    node: str
    pool: str
    capacity_type: str
    conditions: tuple[Condition, ...] = ()
    deleting: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeClaims(Read):
    """→ tuple[NodeClaimView, ...], or None where Karpenter is not installed."""


@dataclass(frozen=True, slots=True)
class ApiServiceView:
    """An aggregated API: the Service that serves it ("kube-system/metrics-server:443"), its Available condition."""

    name: str
    service: str
    available: Condition


@dataclass(frozen=True, slots=True)
class ApiServices(Read):
    """→ tuple[ApiServiceView, ...] that are served by a Service, by name."""


@dataclass(frozen=True, slots=True)
class ApiHealth(Read):
    """GET /readyz?verbose of the API server → tuple[str, ...] of the checks that fail ("etcd"); () when it is
    ready."""


# --- AWS ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InstanceView:
    """An EC2 instance. state: running, stopping, terminated…; system, instance: its status checks (ok, impaired,
    initializing, insufficient-data), "" where not read. events: what AWS has scheduled for it. reason: why it
    changed state. unread: why the status checks and events were not read."""

    id: str
    state: str
    system: str = ""
    instance: str = ""
    type: str = ""
    zone: str = ""
    is_spot: bool = False
    launched: datetime | None = None
    reason: str = ""
    events: tuple[str, ...] = ()
    unread: Gap | None = None


@dataclass(frozen=True, slots=True)
class Instance(Read):
    """ec2:DescribeInstances and DescribeInstanceStatus of the instance behind a node → InstanceView, or None when
    EC2 knows none. provider_id: "aws:///eu-central-1a/i-0abc…" as the node has it."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class ProviderId(Read):
    """spec.providerID of a node → str, "" where it has none, or None when there is no such node."""

    node: str


@dataclass(frozen=True, slots=True)
class ImageTags(Read):
    """The newest tags of an image's repository on Amazon ECR, newest first → tuple[str, ...]; None when it is not
    on ECR or there is no such repository."""

    image: str
    most: int = 100


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """An open event of AWS Health. code: AWS's ("AWS_EC2_OPERATIONAL_ISSUE"); text: its words."""

    service: str
    region: str
    code: str
    text: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CloudEvents(Read):
    """health:DescribeEvents of the cluster's region (asked in us-east-1) → tuple[CloudEvent, ...] that are open,
    newest first. A Gap where the account's support plan does not include it."""


# --- Network --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resolved:
    """addresses: sorted. error: the resolver's words where it gave none."""

    addresses: tuple[str, ...]
    took: timedelta
    error: str = ""


@dataclass(frozen=True, slots=True)
class Resolve(Read):
    """getaddrinfo in the worker, `times` over → tuple[Resolved, ...]."""

    host: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Connected:
    """error: "" when the port took the connection, else "refused", "no route", "no answer in 3 s"."""

    took: timedelta
    error: str = ""


@dataclass(frozen=True, slots=True)
class Connect(Read):
    """A TCP connection from the worker, closed at once → Connected."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Fetch(Read):
    """GET a URL that the configuration names (`dependencies`, `critical_checks`), redirects not followed → Http."""

    url: str
