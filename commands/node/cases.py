"""What is to become of each pod of a node, with every reason: evicted, left alone, waited for, or refused.

kubectl keeps only the last reason and loses the others; a pod here has all of them. Called by the plan of a
drain and by its proof.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from commands.effects import Target
from commands.model import Gap
from commands.scheduling import Owner, OwnerView, PodDetail

# Controllers whose reads tell replicas, or the Deployment above.
READ_KINDS = ("ReplicaSet", "StatefulSet", "DaemonSet", "Job")

# Of a workload whose controller was not read, or is of a kind that is not known: how many of it were ready.
UNCOUNTED = "not counted"


class Kind(StrEnum):
    EVICT = "evict"
    ORPHAN = "orphan"
    FINISHED = "finished"
    TERMINATING = "terminating"
    DAEMON = "daemonset"
    MIRROR = "mirror"

    @property
    def is_moved(self) -> bool:
        return self in (Kind.EVICT, Kind.ORPHAN, Kind.FINISHED)

    @property
    def is_left(self) -> bool:
        """It belongs to the node itself, and goes when the node goes."""
        return self in (Kind.DAEMON, Kind.MIRROR)


@dataclass(frozen=True, slots=True)
class Case:
    """workload: what owns the pod in the end, "Deployment shop/backend"; the pod itself where nothing does."""

    pod: PodDetail
    kind: Kind
    workload: str
    reasons: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.pod.target.path

    @property
    def is_of_a_job(self) -> bool:
        """It ends by itself: that it is not ready, or gone, is no outage."""
        return self.pod.owner is not None and self.pod.owner.kind == "Job"


@dataclass(frozen=True, slots=True)
class Controllers:
    """The controllers that were read, by kind, namespace and name; gaps: the kinds that were not."""

    known: Mapping[tuple[str, str, str], OwnerView] = field(default_factory=dict)
    gaps: Mapping[str, Gap] = field(default_factory=dict)

    def of(self, pod: PodDetail) -> OwnerView | None:
        owner = pod.owner
        found = self.known.get((owner.kind, pod.target.namespace, owner.name)) if owner else None
        return found if found and owner and found.target.uid == owner.uid else None

    def workload(self, pod: PodDetail) -> str:
        if pod.owner is None:
            return str(pod.target)
        view = self.of(pod)
        owner = view.above if view and view.above else pod.owner
        return f"{owner.kind} {pod.target.namespace}/{owner.name}"

    def is_gone(self, pod: PodDetail) -> bool:
        """The pod names a controller that is not there any more."""
        owner = pod.owner
        if owner is None or owner.kind not in READ_KINDS or owner.kind in self.gaps:
            return False
        return self.of(pod) is None

    def replicas(self, workload: str) -> int | None:
        """How many the workload wants, over all of its ReplicaSets; None where that was not read."""
        found = [view.replicas for view in self.known.values() if named(view) == workload]
        return sum(found) if found else None

    def uids(self, workload: str) -> frozenset[str]:
        return frozenset(view.target.uid for view in self.known.values() if named(view) == workload)


def named(view: OwnerView) -> str:
    """ "Deployment shop/backend" for its ReplicaSet, "StatefulSet shop/db" for itself."""
    if view.above:
        return f"{view.above.kind} {view.target.namespace}/{view.above.name}"
    return str(view.target)


def controllers(answers: Iterable[tuple[str, tuple[OwnerView, ...] | Gap]]) -> Controllers:
    known: dict[tuple[str, str, str], OwnerView] = {}
    gaps: dict[str, Gap] = {}
    for kind, answer in answers:
        if isinstance(answer, Gap):
            gaps[kind] = answer
            continue
        known.update({_key(view.target): view for view in answer})
    return Controllers(known, gaps)


def _key(target: Target) -> tuple[str, str, str]:
    return target.kind, target.namespace, target.name


def is_daemon(owner: Owner | None) -> bool:
    """The API group counts: a DaemonSet of another group is some controller, and evicting its pods works."""
    return owner is not None and owner.kind == "DaemonSet" and owner.api_version == "apps/v1"


def case(pod: PodDetail, known: Controllers) -> Case:
    kind = _kind(pod, known)
    return Case(pod, kind, known.workload(pod), tuple(_reasons(pod, kind, known)))


def _kind(pod: PodDetail, known: Controllers) -> Kind:
    if pod.mirror:
        return Kind.MIRROR
    if pod.deleted is not None:
        return Kind.TERMINATING
    if pod.finished:
        return Kind.FINISHED
    if is_daemon(pod.owner) and not known.is_gone(pod):
        return Kind.DAEMON
    if pod.owner is None or (is_daemon(pod.owner) and known.is_gone(pod)):
        return Kind.ORPHAN
    return Kind.EVICT


def _reasons(pod: PodDetail, kind: Kind, known: Controllers) -> Iterable[str]:
    match kind:
        case Kind.MIRROR:
            yield "a static pod of the node itself"
        case Kind.DAEMON:
            yield f"{known.workload(pod)} puts it on every node"
        case Kind.TERMINATING:
            yield "on its way already"
        case Kind.FINISHED:
            yield f"finished ({pod.phase}): only its logs go"
        case Kind.ORPHAN:
            yield "no controller makes it anew" if pod.owner is None else f"{known.workload(pod)} is gone"
    if kind.is_left:
        return
    if known.is_gone(pod) and kind is Kind.EVICT:
        yield f"{known.workload(pod)} was not found"
    yield from (volume_words(pod) if kind is not Kind.FINISHED else ())
    if pod.quarantined:
        yield "in quarantine"


def volume_words(pod: PodDetail) -> Iterable[str]:
    for volume in pod.volumes:
        detail = " ".join(each for each in (volume.detail, volume.limit) if each)
        if volume.kind in ("emptyDir", "hostPath"):
            yield f"{volume.kind} {volume.name}" + (f" ({detail})" if detail else "")
        elif volume.kind == "claim":
            yield f"volume {volume.detail}"
