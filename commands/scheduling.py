"""What decides where pods run and whether they may be moved: reads of the API server, and their answers.

Facts only, in a shape that can be reasoned about; what they mean is judged by commands/node. The answers of
a whole cluster are kept small: ten thousand pods share their labels and requests. Interpreted by
workers/scheduling.py alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from commands.effects import Target
from commands.model import Read

# Written by the bot: who closed a node, and that a pod is cut off for an investigation.
CORDONED = "sre-bot/cordoned"
QUARANTINE = "sre-bot/quarantine"

Amounts = Mapping[str, float]  # by resource: cpu in cores, memory in bytes, pods, extended ones in pieces


# --- Terms ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of a selector. operator as the API has it: In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "NotIn":
                return value not in self.values
            case "In":
                return value in self.values
            case "Gt" | "Lt":
                return self._compares(value)
        return False  # an operator of a newer API: nothing is known to match it

    def _compares(self, value: str | None) -> bool:
        try:
            mine, bound = int(value or ""), int(self.values[0])
        except (IndexError, ValueError):
            return False
        return mine > bound if self.operator == "Gt" else mine < bound


@dataclass(frozen=True, slots=True)
class Selector:
    """All of its lines must hold; one without any holds for everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.holds(labels) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class NodeTerm:
    """Of several terms one must hold. fields: about the node's own name (metadata.name)."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        if not self.labels and not self.fields:
            return False  # the API: an empty term matches no node
        named = {"metadata.name": name}
        return all(r.holds(labels) for r in self.labels) and all(r.holds(named) for r in self.fields)


@dataclass(frozen=True, slots=True)
class PodTerm:
    """Required pod affinity or anti-affinity. namespaces: () for all. selector None selects nothing."""

    topology: str
    selector: Selector | None
    namespaces: tuple[str, ...] = ()

    def means(self, namespace: str, labels: Mapping[str, str]) -> bool:
        if self.namespaces and namespace not in self.namespaces:
            return False
        return self.selector is not None and self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class Spread:
    """A topology spread constraint that the scheduler must keep (DoNotSchedule)."""

    topology: str
    max_skew: int
    selector: Selector | None
    min_domains: int = 1
    honours_taints: bool = False


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str = ""
    effect: str = ""

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True, slots=True)
class Toleration:
    """key "" with operator Exists tolerates everything; effect "" every effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def covers(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if not self.key:
            return self.operator == "Exists"
        return self.key == taint.key and (self.operator == "Exists" or self.value == taint.value)


# --- Nodes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeDetail:
    """ready: the Ready condition's status, "Unknown" too where there is none; ready_since: its last turn.
    pressures: other conditions that are as they should not be, "MemoryPressure"."""

    target: Target
    ready: str
    unschedulable: bool
    allocatable: Amounts
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    taints: tuple[Taint, ...] = ()
    ready_since: datetime | None = None
    ready_reason: str = ""
    pressures: tuple[str, ...] = ()
    kubelet: str = ""
    provider: str = ""
    created: datetime | None = None

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def takes_pods(self) -> bool:
        return self.ready == "True" and not self.unschedulable


@dataclass(frozen=True, slots=True)
class NodeDetails(Read):
    """→ tuple[NodeDetail, ...] by name: of the whole cluster, or those of these names that are there."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttachLimits(Read):
    """How many volumes of a CSI driver a node takes → mapping of node to mapping of driver to count."""


# --- Pods -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owner:
    """A controller reference."""

    kind: str
    name: str
    uid: str
    api_version: str = ""


@dataclass(frozen=True, slots=True)
class PodVolume:
    """kind: "emptyDir", "hostPath", "claim", or the API's name of another source, which holds no data.
    detail: medium of an emptyDir, path, name of the claim."""

    name: str
    kind: str
    detail: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a pod asks of the node it runs on. ports: "TCP/0.0.0.0/80" of the host."""

    requests: Amounts
    node_selector: tuple[tuple[str, str], ...] = ()
    node_terms: tuple[NodeTerm, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    near: tuple[PodTerm, ...] = ()
    apart: tuple[PodTerm, ...] = ()
    spread: tuple[Spread, ...] = ()
    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodDetail:
    """One pod of a node that is to be emptied.

    deleted: its deletionTimestamp, which is when its grace ends. grace in seconds, as the pod has it.
    startup: from its creation to Ready, None unless it became Ready without a restart.
    """

    target: Target
    labels: Mapping[str, str]
    node: str
    phase: str
    ready: bool
    needs: Needs
    owner: Owner | None = None
    mirror: bool = False
    deleted: datetime | None = None
    grace: int = 30
    volumes: tuple[PodVolume, ...] = ()
    priority: int = 0
    restarts: int = 0
    created: datetime | None = None
    startup: timedelta | None = None

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def quarantined(self) -> bool:
        return QUARANTINE in self.labels

    @property
    def has_scratch(self) -> bool:
        """It keeps data in the node, which go with it."""
        return any(volume.kind == "emptyDir" for volume in self.volumes)

    @property
    def claims(self) -> tuple[str, ...]:
        return tuple(volume.detail for volume in self.volumes if volume.kind == "claim")


@dataclass(frozen=True, slots=True)
class PodsOnNode(Read):
    """Every pod bound to the node, finished ones too → tuple[PodDetail, ...]."""

    node: str


@dataclass(frozen=True, slots=True)
class Newcomer(Read):
    """A pod as this template makes it: without a node, a uid or a name of its own → PodDetail, or None when
    there is no such thing. kind: Deployment, StatefulSet or ReplicaSet."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Placement:
    """A pod as far as other pods must know of it. Finished pods and those without a node have none."""

    namespace: str
    node: str
    labels: Mapping[str, str]
    requests: Amounts
    owner: str  # the uid of its controller
    ready: bool
    apart: tuple[PodTerm, ...] = ()
    ports: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Placements(Read):
    """Where everything runs → tuple[Placement, ...]; equal labels and requests are the same object."""

    patience: ClassVar[float] = 20.0  # 7 kB a pod: 70 MB of JSON for ten thousand


# --- What guards pods, and what they belong to ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A PodDisruptionBudget. selector None selects nothing, an empty one every pod of the namespace."""

    target: Target
    selector: Selector | None
    allowed: int
    healthy: int
    desired: int
    expected: int
    generation: int = 0
    observed: int = 0
    always_allows_unready: bool = False

    def guards(self, namespace: str, labels: Mapping[str, str]) -> bool:
        same = self.target.namespace == namespace
        return same and self.selector is not None and self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class Budgets(Read):
    """→ tuple[BudgetView, ...] of the whole cluster."""


@dataclass(frozen=True, slots=True)
class OwnerView:
    """A controller of pods: ReplicaSet, StatefulSet, DaemonSet or Job; above: its own, such as a Deployment.

    forgives: a Job whose podFailurePolicy ignores disruptions, so that an eviction costs it no retry.
    """

    target: Target
    replicas: int
    ready: int
    above: Owner | None = None
    forgives: bool = False


@dataclass(frozen=True, slots=True)
class Owners(Read):
    """The controllers of this kind in the namespace ("" for all) → tuple[OwnerView, ...]."""

    kind: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class BackendView:
    """One address of a Service that is ready, and where it is. pod: "" when it is none."""

    namespace: str
    service: str
    pod: str
    node: str


@dataclass(frozen=True, slots=True)
class Backends(Read):
    """The ready addresses of every Service in the namespace ("" for all) → tuple[BackendView, ...]."""

    namespace: str = ""


@dataclass(frozen=True, slots=True)
class WebhookView:
    """An admission webhook that fails closed and is served by a Service of the cluster.
    stops_pods: it is asked about every new pod, whatever its namespace."""

    name: str
    namespace: str
    service: str
    stops_pods: bool = False


@dataclass(frozen=True, slots=True)
class Webhooks(Read):
    """Webhooks with failurePolicy Fail → tuple[WebhookView, ...]."""


@dataclass(frozen=True, slots=True)
class VolumeView:
    """A PersistentVolume that is claimed. terms: where it can be attached; () anywhere. driver: of CSI."""

    name: str
    namespace: str
    claim: str
    driver: str = ""
    local: bool = False
    shared: bool = False
    terms: tuple[NodeTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class Volumes(Read):
    """→ tuple[VolumeView, ...] of every claimed volume."""
