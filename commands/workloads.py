"""Questions about Deployments, StatefulSets and DaemonSets, and what hangs on them: revisions, pods, claims.

Pod templates stay the raw mappings the API server sent: a field of a newer version is compared and told
like any other, and none is dropped. Nothing of a Secret but its existence and the names of its keys is ever
in an answer. Answered by workers/workloads.py; everything under commands/deploy judges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from commands.effects import Target
from commands.model import Read
from commands.reads import Condition

# As people may type them, in kubectl's spellings.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("deploy", "deployment", "deployments", "dep"), "Deployment"),
    **dict.fromkeys(("sts", "statefulset", "statefulsets"), "StatefulSet"),
    **dict.fromkeys(("ds", "daemonset", "daemonsets"), "DaemonSet"),
}
SHORT: Mapping[str, str] = {"Deployment": "deploy", "StatefulSet": "sts", "DaemonSet": "ds"}


def typed(kind: str, namespace: str, name: str) -> str:
    """As a `deploy` command takes it: "shop/web", "shop/sts/db"; "" for what `deploy` does not know."""
    if kind not in SHORT:
        return ""
    return f"{namespace}/{'' if kind == 'Deployment' else f'{SHORT[kind]}/'}{name}"


RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
CHANGE_CAUSE = "kubernetes.io/change-cause"
REVISION = "deployment.kubernetes.io/revision"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class Owner:
    """An ownerReference: "monitoring.coreos.com/v1", "Alertmanager", "main"."""

    api: str
    kind: str
    name: str
    is_controller: bool = False


@dataclass(frozen=True, slots=True)
class Manager:
    """An entry of managedFields: who wrote when, and whether into the pod template or spec.replicas."""

    name: str
    at: datetime | None = None
    of_template: bool = False
    of_replicas: bool = False


@dataclass(frozen=True, slots=True)
class Strategy:
    """How pods are replaced, in the API's words ("RollingUpdate", "Recreate", "OnDelete").

    surge and unavailable as written ("25%", 1). partition: of a StatefulSet, ordinals below it stay as they
    are. deadline: of a Deployment, after which it calls a rollout failed; None where there is no such time.
    """

    type: str = "RollingUpdate"
    surge: int | str = 0
    unavailable: int | str = 1
    partition: int = 0
    is_ordered: bool = False
    deadline: timedelta | None = None


@dataclass(frozen=True, slots=True)
class WorkloadView:
    """replicas: how many pods are asked for (of a DaemonSet, how many nodes should have one); total: how
    many there are. current, update: names of a StatefulSet's revisions. selector: as a query takes it.
    claims: names of volumeClaimTemplates; keeps_claims: a claim stays when its pod is scaled away.
    misplaced: nodes that have a DaemonSet's pod and should have none."""

    target: Target
    generation: int
    observed: int
    replicas: int
    total: int
    updated: int
    ready: int
    available: int
    template: Mapping[str, Any]
    selector: str
    strategy: Strategy = Strategy()
    is_paused: bool = False
    is_leaving: bool = False
    conditions: tuple[Condition, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[Owner, ...] = ()
    managers: tuple[Manager, ...] = ()
    current: str = ""
    update: str = ""
    claims: tuple[str, ...] = ()
    keeps_claims: bool = True
    history_limit: int = 10
    created: datetime | None = None
    misplaced: int = 0

    @property
    def short(self) -> str:
        """ "sts/alertmanager", as it can be typed."""
        return f"{SHORT[self.target.kind]}/{self.target.name}"

    @property
    def lock(self) -> str:
        return f"workload/{self.target.kind}/{self.target.path}"


@dataclass(frozen=True, slots=True)
class Workload(Read):
    """→ tuple[WorkloadView, ...]: every Deployment, StatefulSet and DaemonSet of this name; of one kind when
    it is given. Empty when there is none."""

    namespace: str
    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Workloads(Read):
    """→ tuple[WorkloadView, ...] of the namespace ("" for all), by kind and name."""

    namespace: str


@dataclass(frozen=True, slots=True)
class RevisionView:
    """An earlier or the present pod template: a ReplicaSet or a ControllerRevision of the workload.

    number: 0 where a ReplicaSet has no revision annotation. mark: the label by which its pods are known.
    replicas: how many pods it is asked to have now; 0 for a ControllerRevision, which has none.
    """

    number: int
    source: Target
    mark: str
    template: Mapping[str, Any]
    created: datetime | None = None
    cause: str = ""
    replicas: int = 0


@dataclass(frozen=True, slots=True)
class Revisions(Read):
    """→ tuple[RevisionView, ...] whose controller is this very workload (by uid), newest number first."""

    workload: Target
    selector: str


@dataclass(frozen=True, slots=True)
class MemberView:
    """A pod of a workload. trouble: the word for what keeps it from running ("ImagePullBackOff",
    "CrashLoopBackOff", "Unschedulable"), "" for none; message: the API's own sentence on it.

    owner: uid of its controller. mark: its revision's label. since: when it stopped being ready, or when it
    was made; ready_since: when it became ready. last_restart, last_exit: of its latest restart.
    """

    name: str
    uid: str
    owner: str = ""
    mark: str = ""
    is_ready: bool = False
    restarts: int = 0
    trouble: str = ""
    message: str = ""
    since: datetime | None = None
    ready_since: datetime | None = None
    created: datetime | None = None
    node: str = ""
    last_exit: str = ""
    last_restart: datetime | None = None
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class Members(Read):
    """→ tuple[MemberView, ...], by name: the pods this selector finds. Whose they are, `owner` says."""

    namespace: str
    selector: str


@dataclass(frozen=True, slots=True)
class MetricView:
    """What an autoscaler watches, as `kubectl get hpa` has it: "cpu" is at "92 %" of an aimed "70 %". now "" where
    it cannot be read."""

    name: str
    now: str
    aim: str


@dataclass(frozen=True, slots=True)
class AutoscalerView:
    """A HorizontalPodAutoscaler. keda: the ScaledObject behind it, "" where there is none."""

    name: str
    kind: str
    target: str
    low: int
    high: int
    now: int
    wanted: int
    keda: str = ""
    metrics: tuple[MetricView, ...] = ()
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Autoscalers(Read):
    """→ tuple[AutoscalerView, ...] of the namespace ("" for all)."""

    namespace: str


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """A PodDisruptionBudget; its pods by selector, so what selects them is told, not counted.

    least: minAvailable, most: maxUnavailable, as written; None where it is not set.
    """

    name: str
    selector: Mapping[str, Any]
    least: int | str | None = None
    most: int | str | None = None


@dataclass(frozen=True, slots=True)
class WorkloadBudgets(Read):
    """→ tuple[BudgetTerms, ...] of the namespace."""

    namespace: str


@dataclass(frozen=True, slots=True)
class QuotaView:
    """A ResourceQuota: per resource as it names it ("pods", "requests.cpu"), in that resource's unit.

    is_partial: it counts only some pods (scopes), so what it leaves free says nothing of others.
    """

    name: str
    hard: Mapping[str, float]
    used: Mapping[str, float]
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Quotas(Read):
    """→ tuple[QuotaView, ...] of the namespace."""

    namespace: str


@dataclass(frozen=True, slots=True)
class ServicePort:
    """target: the port of the pods, as written: a number ("8080"), or the name of a container's port."""

    port: int
    target: str
    name: str = ""
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True)
class ServiceView:
    """address: its cluster IP, "" of one without (headless)."""

    name: str
    selector: Mapping[str, str]
    address: str = ""
    ports: tuple[ServicePort, ...] = ()


@dataclass(frozen=True, slots=True)
class ServicesOf(Read):
    """→ tuple[ServiceView, ...] of the namespace that select pods."""

    namespace: str


@dataclass(frozen=True, slots=True)
class IngressView:
    """services: the names of those it leads to."""

    name: str
    services: frozenset[str]


@dataclass(frozen=True, slots=True)
class IngressesOf(Read):
    """→ tuple[IngressView, ...] of the namespace."""

    namespace: str


@dataclass(frozen=True, slots=True)
class ReferredView:
    """An object that a pod template names. keys: the names of its keys, None where they are not told.

    changed: when its content was last written, as far as managedFields say.
    """

    exists: bool
    keys: frozenset[str] | None = None
    changed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Referred(Read):
    """Whether it is there → ReferredView. kind: ConfigMap, Secret, ServiceAccount or PersistentVolumeClaim.

    A Secret is asked for without its data: names of its keys come from managedFields.
    """

    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ImageInRegistry(Read):
    """Whether Amazon ECR still has this image → bool. `image` is on ECR: see `on_ecr`."""

    image: str


@dataclass(frozen=True, slots=True)
class EcrImage:
    """Where on ECR an image is: the registry's account and region, and what is asked of it."""

    account: str
    region: str
    repository: str
    tag: str = ""
    digest: str = ""


def on_ecr(image: str) -> EcrImage | None:
    """The parts of "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/backend:1.4", None for any other.

    A digest wins over a tag, as it does for the kubelet.
    """
    registry, _, path = image.partition("/")
    host, _, _ = registry.partition(":")
    account, _, rest = host.partition(".dkr.ecr.")
    region, _, domain = rest.partition(".")
    if not (account.isdecimal() and region and path and domain in ("amazonaws.com", "amazonaws.com.cn")):
        return None
    named, _, digest = path.partition("@")
    repository, _, tag = named.partition(":")
    return EcrImage(account, region, repository, "" if digest else tag or "latest", digest)


def selector_text(selector: Mapping[str, Any]) -> str:
    """A label selector as a query takes it: "app=web,tier in (a,b),!canary"."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        key, values = str(each["key"]), ",".join(map(str, each.get("values") or ()))
        match each.get("operator"):
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case _:
                parts.append(f"{key} in ({values})")
    return ",".join(parts)


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector of policy/v1 finds pods with these labels; an empty one finds all."""
    plain = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return plain and all(_meets(each, labels) for each in selector.get("matchExpressions") or ())


def _meets(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values") or ()
    match requirement.get("operator"):
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "NotIn":
            return labels.get(key) not in values
    return labels.get(key) in values
