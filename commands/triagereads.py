"""The questions a diagnosis asks of the cluster, of AWS and of the network, beside those of the other commands.

Answers are plain facts, as in commands/reads.py; asked by workers/triagereads.py (Kubernetes), workers/aws.py and
workers/network.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from commands.model import Read
from commands.reads import Condition

# --- What changed ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChangeSeen:
    """Something that changed in the cluster. kind as kubectl writes it, of what was changed.

    what: in plain words ("rollout of revision 7", "scaled from 3 to 5", "created"). by: the field manager that
    wrote it ("helm", "kubectl-client-side-apply", "argocd-controller"), "" where nobody knows. differences: lines
    like "image backend: shop/backend:1.4 → 1.5", "env backend LOG_LEVEL: info → debug". revision: of a rollout.
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
class Changes(Read):
    """What changed in the namespace (with "", in the cluster) in the window before now → tuple[ChangeSeen, ...],
    newest first: rollouts with their differences, scalings, nodes that came, ConfigMaps and Secrets written
    (names only), HorizontalPodAutoscalers edited."""

    namespace: str
    window: timedelta = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class OwnerNotes(Read):
    """Who a namespace, and a workload in it, belong to, by the annotations `sre-bot/owner` (Slack user or
    user-group id) and `sre-bot/channel` → Mapping[str, str] of those found, the workload's before the namespace's.
    workload: "deployment/web", "" for the namespace alone."""

    namespace: str
    workload: str = ""


# --- Pods -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProbeView:
    """A probe of a container. kind: liveness, readiness or startup; target: "GET :8080/healthz", "TCP :5432",
    "exec cat /tmp/ok", "gRPC :9000". port: its number, 0 where it is named and the container has no such port."""

    kind: str
    target: str
    port: int = 0
    initial_delay: int = 0
    period: int = 10
    timeout: int = 1
    failures: int = 3


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What a container declares. env: literal values whose form can be wrong, by name, never one of a Secret.
    refs: what it takes settings from ("ConfigMap/web-config:LOG_LEVEL", "Secret/db" for all keys), optional ones
    left out. command: what it runs, as typed; "" where the image says."""

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
    is not known. zone: where its volume is, "" for anywhere. pods: names of those that mount it. resizing: the
    API's words while it is being resized."""

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


@dataclass(frozen=True, slots=True)
class Claim(Read):
    """→ ClaimView, or None when there is no such claim."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class JobView:
    """A Job. backoff_limit, deadline: its spec's. cronjob: what made it, "" where nothing did."""

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
    """An aggregated API: what serves it, and its Available condition."""

    name: str
    service: str
    available: Condition


@dataclass(frozen=True, slots=True)
class ApiServices(Read):
    """→ tuple[ApiServiceView, ...] that are served by a Service, by name."""


@dataclass(frozen=True, slots=True)
class ApiHealth(Read):
    """GET /readyz?verbose of the API server → tuple[str, ...] of the checks that fail; () when it is ready."""


# --- AWS ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InstanceView:
    """An EC2 instance. state: running, stopping, terminated…; system, instance: its status checks (ok, impaired,
    initializing, insufficient-data). events: what AWS has scheduled for it. is_spot. reason: why it changed state."""

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
    """An open event of AWS's own health feed."""

    service: str
    region: str
    code: str
    text: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CloudEvents(Read):
    """health:DescribeEvents of the cluster's region (asked in us-east-1) → tuple[CloudEvent, ...] that are open.
    A Gap where the account's support plan does not include it."""


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
