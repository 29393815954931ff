"""Questions about single pods and nodes, and the shapes of their answers: what the read-only looks are made of.

Facts only; every judgement belongs to a command. A Secret is a name here, never a value. Quantities are
cores and bytes. Nothing here knows the other vocabularies. Answered by workers/podreads.py.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from commands.effects import Target
from commands.model import Read

# --- Pods -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container ended: reason in the kubelet's word ("OOMKilled"), or "" where it gave none."""

    reason: str
    code: int
    started: datetime | None = None
    finished: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """None where nothing is set, which is not the same as zero."""

    cpu_request: float | None = None
    cpu_limit: float | None = None
    memory_request: float | None = None
    memory_limit: float | None = None


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container of a pod.

    kind: "init", "sidecar" (an init container that keeps running) or "". state: "running", "waiting",
    "terminated" or "" before the kubelet said anything; word and message are the state's own. digest: what
    the tag stood for when the image was pulled ("sha256:…").
    """

    name: str
    image: str
    kind: str = ""
    digest: str = ""
    state: str = ""
    word: str = ""
    message: str = ""
    since: datetime | None = None
    ready: bool = False
    restarts: int = 0
    ended: Ending | None = None
    resources: Resources = Resources()
    probes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodDetail:
    """A pod as `kubectl describe` would tell it; status, ready and restarts are the server's own columns.

    message: the most telling text the API has. config_maps and secrets: what it takes settings from, by name.
    restarted: how long ago a container was started again last. deleting: since when it is on its way out.
    not_ready_since: when its Ready condition turned away from True.
    """

    namespace: str
    name: str
    status: str
    ready: str
    restarts: int
    node: str = ""
    owner: str = ""
    uid: str = ""
    phase: str = ""
    message: str = ""
    address: str = ""
    qos: str = ""
    account: str = ""
    created: datetime | None = None
    deleting: datetime | None = None
    restarted: timedelta | None = None
    not_ready_since: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[tuple[str, str, str], ...] = ()
    containers: tuple[ContainerView, ...] = ()
    config_maps: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class PodDetails(Read):
    """The pods that all of these say, whole → tuple[PodDetail, ...], by place; namespace "" for all.

    selector: labels as kubectl takes them. A pod is about 7 kB on the wire: for a node, a workload, a namespace.
    """

    namespace: str = ""
    name: str = ""
    node: str = ""
    selector: str = ""


@dataclass(frozen=True, slots=True)
class PodRow:
    """A line of `kubectl get pods`. restarted: how long ago, None when never."""

    namespace: str
    name: str
    status: str
    ready: str
    restarts: int
    restarted: timedelta | None = None
    node: str = ""


@dataclass(frozen=True, slots=True)
class PodRows(Read):
    """Every pod of the namespace ("" for all) as a line → tuple[PodRow, ...], by place."""

    namespace: str = ""


@dataclass(frozen=True, slots=True)
class ConfigMapView:
    """changed: when it was written last, as far as the API server noted it."""

    name: str
    changed: datetime | None


@dataclass(frozen=True, slots=True)
class ConfigMapChange(Read):
    """→ ConfigMapView, without its content, or None when there is no such ConfigMap."""

    namespace: str
    name: str


# --- Use ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    name: str
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class PodUsage:
    namespace: str
    name: str
    containers: tuple[ContainerUsage, ...]

    @property
    def cpu(self) -> float:
        return sum(each.cpu for each in self.containers)

    @property
    def memory(self) -> float:
        return sum(each.memory for each in self.containers)


@dataclass(frozen=True, slots=True)
class PodMetrics(Read):
    """metrics.k8s.io → tuple[PodUsage, ...] of the namespace ("" for all); a Gap when the API is not there."""

    namespace: str = ""


@dataclass(frozen=True, slots=True)
class DiskView:
    """The file system that a node's kubelet writes to; bytes."""

    node: str
    capacity: float
    available: float


@dataclass(frozen=True, slots=True)
class NodeDisk(Read):
    """The kubelet's own numbers, through the API server's proxy → DiskView."""

    node: str


# --- Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventView:
    """One event, or all that say the same of one workload.

    name: of the object; of several ("backend-*") what their names have in common. count: how often in all,
    objects: of how many of them. host: the machine whose kubelet says it.
    """

    namespace: str
    kind: str
    name: str
    type: str
    reason: str
    message: str
    count: int = 1
    first: datetime | None = None
    last: datetime | None = None
    host: str = ""
    objects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Events(Read):
    """Events of the namespace ("" for all), of one object where kind and name say which; repeats merged
    → tuple[EventView, ...], last seen last. warnings: only those."""

    namespace: str = ""
    kind: str = ""
    name: str = ""
    warnings: bool = False


# What a ReplicaSet adds to its Deployment's name, and a pod to its owner's: letters without vowels.
_LETTERS = "[bcdfghjklmnpqrstvwxz2456789]"
_MADE_UP = re.compile(rf"(?P<stem>.+?)(?:-{_LETTERS}{{6,10}})?-{_LETTERS}{{5}}")
_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def merged(events: Iterable[EventView]) -> tuple[EventView, ...]:
    """Those that say the same of one workload as one, counted; the one seen last is last.

    The kubelet writes the pod's name and uid into its messages, and every replica has its own.
    """
    found: dict[tuple[str, ...], EventView] = {}
    for event in events:
        stem = workload(event.name) if event.kind == "Pod" else event.name
        said = _UID.sub(
            "…", event.message.replace(event.name, f"{stem}-*") if stem != event.name else event.message
        )
        key = (event.namespace, event.kind, stem, event.type, event.reason, said)
        known = found.get(key)
        found[key] = _joined(known, event, stem, said) if known else _alone(event)
    return tuple(sorted(found.values(), key=_last_seen))


def workload(pod: str) -> str:
    """The name a pod was made from: "backend" of "backend-5d9f8c7b6d-x7k2p"."""
    made_up = _MADE_UP.fullmatch(pod)
    return made_up["stem"] if made_up else pod.removesuffix("-*")


def _alone(event: EventView) -> EventView:
    return event if event.objects else replace(event, objects=frozenset({event.name}))


def _joined(known: EventView, event: EventView, stem: str, said: str) -> EventView:
    objects = known.objects | _alone(event).objects
    several = len(objects) > 1
    return replace(
        max(known, event, key=_last_seen),
        name=f"{stem}-*" if several else known.name,
        message=said if several else known.message,
        count=known.count + event.count,
        first=min((at for at in (known.first, event.first) if at), default=None),
        objects=objects,
    )


def _last_seen(event: EventView) -> float:
    return event.last.timestamp() if event.last else 0.0


# --- One pod that is to be changed or kept (workers/evidence.py) ------------------------------------


@dataclass(frozen=True, slots=True)
class Controller:
    """What a pod's controller reference names."""

    kind: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Run:
    """A container as far as it has a log. kind: "", "init" or "ephemeral"; image as the pod says it, digest
    as the kubelet does."""

    name: str
    image: str
    kind: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """grace in seconds, as the pod has it. is_mirror: the kubelet's copy of a file on its node.
    empty_dirs: names of its emptyDir volumes, whose data goes with the pod."""

    target: Target
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    node: str
    phase: str
    is_ready: bool
    controller: Controller | None = None
    grace: int = 30
    is_leaving: bool = False
    is_mirror: bool = False
    on_host_network: bool = False
    empty_dirs: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class OnePod(Read):
    """→ PodFacts, or None when there is no such pod."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class IsolatedPods(Read):
    """→ tuple[PodFacts, ...] of the namespace that bear the quarantine label, by name."""

    namespace: str


@dataclass(frozen=True, slots=True)
class Document(Read):
    """An object as it is, as JSON text without managedFields → str, or None when it is not there.

    kind: Pod, Node, ReplicaSet, Deployment, StatefulSet, DaemonSet or Job. namespace "" for a Node.
    """

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class LogText:
    """text: each line with its time. is_cut: older lines were left out. missing: why there is none, in the
    kubelet's words: "previous terminated container … not found"."""

    text: str
    is_cut: bool = False
    missing: str = ""


@dataclass(frozen=True, slots=True)
class ContainerLog(Read):
    """The latest lines of a container's log, about `limit` bytes of them at most → LogText.

    lines: at most so many. since: only what was written in this time before now, 0 seconds for any."""

    namespace: str
    pod: str
    container: str
    previous: bool = False
    limit: int = 256 * 1024
    lines: int = 20_000
    since: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class NetworkAgent:
    """A DaemonSet that could enforce network policies, with the arguments of its containers."""

    namespace: str
    name: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkView:
    """auto_mode: what the ConfigMap amazon-vpc-cni says of the network policy controller ("true"), "" where
    there is none."""

    agents: tuple[NetworkAgent, ...]
    auto_mode: str = ""


@dataclass(frozen=True, slots=True)
class Network(Read):
    """What there is in the cluster that enforces network policies → NetworkView."""


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A NetworkPolicy. selector as the API has it (matchLabels, matchExpressions); allows: the directions
    into which it opens something ("Ingress", "Egress")."""

    target: Target
    selector: Mapping[str, Any]
    allows: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policies(Read):
    """→ tuple[PolicyView, ...] of the namespace, by name."""

    namespace: str
