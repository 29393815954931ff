"""What a drain has to know, read in two rounds of a few lists, and put together as one scene.

First the nodes, their pods and all budgets; then, all at once, whatever those pods make worth reading: their
controllers, what runs elsewhere, Services, webhooks, volumes. Called by the plan of a drain and by its proof.
"""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commands import reads
from commands.change import Who
from commands.model import Gap, Read, Reads, Seen
from commands.node.cases import READ_KINDS, Case, Controllers, case, controllers, is_daemon
from commands.node.choice import Choice
from commands.scheduling import (
    AttachLimits,
    Backends,
    Budgets,
    BudgetView,
    NodeDetail,
    NodeDetails,
    Owners,
    OwnerView,
    Placements,
    PodDetail,
    PodsOnNode,
    Volumes,
    VolumeView,
    Webhooks,
)
from commands.site import ClusterSite

# More namespaces than this are read in one list of the whole cluster.
FEW_NAMESPACES = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that was read, and what is meant. cases: by the node they are on, in the order of draining."""

    site: ClusterSite
    chosen: Choice
    who: Who
    now: datetime | Gap
    nodes: tuple[NodeDetail, ...]
    targets: tuple[NodeDetail, ...]
    budgets: tuple[BudgetView, ...]
    known: Controllers
    cases: Mapping[str, tuple[Case, ...]]
    seen: Mapping[Read, Any]

    @property
    def time(self) -> datetime | None:
        return None if isinstance(self.now, Gap) else self.now

    @property
    def all(self) -> tuple[Case, ...]:
        return tuple(each for held in self.cases.values() for each in held)

    @property
    def leaving(self) -> frozenset[str]:
        return frozenset(node.name for node in self.targets)

    def answer(self, read: Read) -> Any:
        """A read that was not needed counts as one without results."""
        return self.seen.get(read, ())


def pods_of(
    seen: Seen, targets: tuple[NodeDetail, ...]
) -> Generator[Reads, Seen, dict[str, tuple[PodDetail, ...] | Gap]]:
    wanted = tuple(PodsOnNode(node.name) for node in targets)
    missing = tuple(read for read in wanted if read not in seen)
    more: Mapping[Read, Any] = (yield missing) if missing else {}
    return {read.node: seen[read] if read in seen else more[read] for read in wanted}


def further(pods: tuple[PodDetail, ...], site: ClusterSite) -> Reads:
    """What the pods that are there make worth reading, all at once."""
    movable = [pod for pod in pods if not pod.mirror and not is_daemon(pod.owner)]
    return tuple(
        dict.fromkeys(
            (
                *owner_reads(pods),
                *((Placements(), Webhooks(), *_backends(movable)) if movable else ()),
                *((Volumes(), AttachLimits()) if any(pod.claims for pod in movable) else ()),
                *_kept(movable),
                reads.Deployment(site.namespaces.system, site.autoscaler.deployment),
                *_alerts(site),
            )
        )
    )


def scopes(namespaces: Iterable[str]) -> tuple[str, ...]:
    found = tuple(sorted(set(namespaces)))
    return found if len(found) <= FEW_NAMESPACES else ("",)


def owner_reads(pods: Iterable[PodDetail]) -> tuple[Owners, ...]:
    """One list for each kind of controller there is, not one request for each pod."""
    by_kind: dict[str, set[str]] = {}
    for pod in pods:
        if pod.owner is not None and pod.owner.kind in READ_KINDS:
            by_kind.setdefault(pod.owner.kind, set()).add(pod.target.namespace)
    return tuple(Owners(kind, scope) for kind, held in sorted(by_kind.items()) for scope in scopes(held))


def _backends(pods: Iterable[PodDetail]) -> tuple[Backends, ...]:
    return tuple(Backends(scope) for scope in scopes(pod.target.namespace for pod in pods))


def _kept(pods: Iterable[PodDetail]) -> tuple[reads.EvidenceKept, ...]:
    uids = tuple(sorted(pod.target.uid for pod in pods if pod.quarantined))
    return (reads.EvidenceKept(uids),) if uids else ()


def _alerts(site: ClusterSite) -> tuple[reads.Query, ...]:
    firing = 'count by (alertname) (ALERTS{alertstate="firing",severity="critical"})'
    return (reads.Query(firing),) if site.monitoring.prometheus.url else ()


def put_together(
    site: ClusterSite,
    chosen: Choice,
    who: Who,
    first: Seen,
    targets: tuple[NodeDetail, ...],
    pods: Mapping[str, tuple[PodDetail, ...] | Gap],
    second: Seen,
) -> Scene:
    known = known_from(second)
    cases = {
        name: tuple(case(pod, known) for pod in sorted(held, key=lambda pod: pod.target.path))
        for name, held in pods.items()
        if not isinstance(held, Gap)
    }
    ordered = sorted(targets, key=lambda node: (_workloads(cases[node.name]), node.name))
    now = first[reads.Now()]
    return Scene(
        site, chosen, who, now, first[NodeDetails()], tuple(ordered),
        first[Budgets()], known, {node.name: cases[node.name] for node in ordered}, second,
    )  # fmt: skip


def known_from(seen: Mapping[Read, Any]) -> Controllers:
    answers: list[tuple[str, tuple[OwnerView, ...] | Gap]] = [
        (read.kind, answer) for read, answer in seen.items() if isinstance(read, Owners)
    ]
    return controllers(answers)


def _workloads(cases: Iterable[Case]) -> int:
    return len({case.workload for case in cases if case.kind.is_moved})


def claims(scene: Scene) -> Mapping[tuple[str, str], VolumeView] | Gap:
    answer = scene.answer(Volumes())
    if isinstance(answer, Gap):
        return answer
    return {(view.namespace, view.claim): view for view in answer}


def evidence(scene: Scene) -> frozenset[str] | Gap:
    found = [answer for read, answer in scene.seen.items() if isinstance(read, reads.EvidenceKept)]
    return found[0] if found else frozenset()
