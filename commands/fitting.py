"""Whether one pod may run on one node, as the scheduler's required rules have it, and how full nodes are.

The bookkeeping of a simulation: `Room` is a node with what is still free, `Crowd` where other pods are.
Estimates on purpose: no preferences, no preemption, none of the scheduler's scores.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from commands.scheduling import (
    NodeDetail,
    Placement,
    PodDetail,
    PodTerm,
    Spread,
    VolumeView,
)

# A float that is a little too large is not a pod too many.
_ROUNDING = 1e-6


@dataclass(slots=True)
class Room:
    """A node that takes pods. free: what is left of its allocatable; attached: volumes by CSI driver."""

    node: NodeDetail
    free: dict[str, float]
    limits: Mapping[str, int]
    ports: set[str] = field(default_factory=set)
    attached: Counter[str] = field(default_factory=Counter)

    def lacks(self, pod: PodDetail) -> str:
        """The first resource there is too little of."""
        for resource, amount in pod.needs.requests.items():
            if amount > 0 and amount > self.free.get(resource, 0.0) + _ROUNDING * max(amount, 1.0):
                return resource
        return ""

    def clashes(self, pod: PodDetail) -> bool:
        return any(_same_port(mine, taken) for mine in pod.needs.ports for taken in self.ports)

    def is_full_of(self, drivers: Mapping[str, int]) -> bool:
        return any(
            driver in self.limits and self.attached[driver] + more > self.limits[driver]
            for driver, more in drivers.items()
        )

    def take(self, pod: PodDetail, drivers: Mapping[str, int]) -> None:
        for resource, amount in pod.needs.requests.items():
            self.free[resource] = self.free.get(resource, 0.0) - amount
        self.ports.update(pod.needs.ports)
        self.attached.update(drivers)

    @property
    def free_share(self) -> float:
        """How much of its scarcer side is free; the fullest node is tried first, so that large holes stay."""
        whole = self.node.allocatable
        shares = [self.free.get(name, 0.0) / whole[name] for name in ("cpu", "memory") if whole.get(name)]
        return min(shares, default=0.0)


def _same_port(mine: str, taken: str) -> bool:
    (protocol, address, port), (other, there, used) = mine.split("/", 2), taken.split("/", 2)
    everywhere = "0.0.0.0"  # noqa: S104 - as the API writes it
    return (protocol, port) == (other, used) and (address == there or everywhere in (address, there))


class Crowd:
    """Where pods are, by what a term means: counted once for each term, and kept up as pods are placed."""

    def __init__(self, nodes: Iterable[NodeDetail], placements: Iterable[Placement]) -> None:
        self._labels = {node.name: node.labels for node in nodes}
        self._groups: dict[tuple[str, int], tuple[Mapping[str, str], Counter[str]]] = {}
        self._counted: dict[PodTerm, Counter[str]] = {}
        self._apart: dict[str, dict[PodTerm, set[str]]] = defaultdict(dict)
        for each in placements:
            # Equal labels are one object (scheduling.Placements), so a group is a workload, not a pod.
            known = self._groups.setdefault((each.namespace, id(each.labels)), (each.labels, Counter()))
            known[1][each.node] += 1
            self._keep_apart(each.apart, each.node)

    def domain(self, node: str, topology: str) -> str | None:
        return self._labels.get(node, {}).get(topology)

    def count(self, term: PodTerm) -> Counter[str]:
        """How many pods the term means, by domain of its topology."""
        if term not in self._counted:
            found: Counter[str] = Counter()
            for (namespace, _), (labels, by_node) in self._groups.items():
                if term.means(namespace, labels):
                    for node, number in by_node.items():
                        domain = self.domain(node, term.topology)
                        if domain is not None:
                            found[domain] += number
            self._counted[term] = found
        return self._counted[term]

    def is_unwelcome(self, pod: PodDetail, node: str) -> bool:
        """Whether a pod that is there wants to be apart from this one."""
        for scope in (pod.target.namespace, ""):
            for term, domains in self._apart.get(scope, {}).items():
                if self.domain(node, term.topology) in domains and term.means(
                    pod.target.namespace, pod.labels
                ):
                    return True
        return False

    def place(self, pod: PodDetail, node: str) -> None:
        for term, counted in self._counted.items():
            domain = self.domain(node, term.topology)
            if domain is not None and term.means(pod.target.namespace, pod.labels):
                counted[domain] += 1
        known = self._groups.setdefault((pod.target.namespace, id(pod.labels)), (pod.labels, Counter()))
        known[1][node] += 1
        self._keep_apart(pod.needs.apart, node)

    def _keep_apart(self, terms: Iterable[PodTerm], node: str) -> None:
        for term in terms:
            domain = self.domain(node, term.topology)
            if domain is not None:
                for scope in term.namespaces or ("",):
                    self._apart[scope].setdefault(term, set()).add(domain)


@dataclass(frozen=True, slots=True)
class Applicant:
    """A pod that looks for a node, with what does not depend on which one it looks at."""

    pod: PodDetail
    volumes: tuple[VolumeView, ...]
    drivers: Mapping[str, int]
    spreads: tuple[tuple[Spread, Counter[str], int], ...]

    def is_refused(self, room: Room, crowd: Crowd) -> str:
        """Why the pod cannot run there, in a word; "" when it can."""
        return next((word for word in self._refusals(room, crowd) if word), "")

    def _refusals(self, room: Room, crowd: Crowd) -> Iterator[str]:
        pod, node = self.pod, room.node
        yield "" if tolerates(pod, node) else "taint"
        yield "" if all(node.labels.get(k) == v for k, v in pod.needs.node_selector) else "node selector"
        yield "" if has_affinity(pod, node) else "node affinity"
        yield room.lacks(pod)
        yield "host port" if room.clashes(pod) else ""
        yield from (_unreachable(volume, node) for volume in self.volumes)
        yield "volume limit" if room.is_full_of(self.drivers) else ""
        yield from (self._lonely(term, node, crowd) for term in pod.needs.near)
        yield from (self._crowded(term, node, crowd) for term in pod.needs.apart)
        yield "anti-affinity" if crowd.is_unwelcome(pod, node.name) else ""
        yield from (self._skewed(*spread, node) for spread in self.spreads)

    def _lonely(self, term: PodTerm, node: NodeDetail, crowd: Crowd) -> str:
        domain, found = node.labels.get(term.topology), crowd.count(term)
        if domain is not None and found[domain]:
            return ""
        # The first of a group that wants to be near itself may go anywhere.
        is_first = not found.total() and term.means(self.pod.target.namespace, self.pod.labels)
        return "" if is_first and domain is not None else "affinity"

    def _crowded(self, term: PodTerm, node: NodeDetail, crowd: Crowd) -> str:
        domain = node.labels.get(term.topology)
        return "anti-affinity" if domain is not None and crowd.count(term)[domain] else ""

    def _skewed(self, spread: Spread, counted: Counter[str], least: int, node: NodeDetail) -> str:
        domain = node.labels.get(spread.topology)
        if domain is None:
            return "spread"
        me = spread.selector is not None and spread.selector.matches(self.pod.labels)
        return "spread" if counted[domain] + me - least > spread.max_skew else ""


def tolerates(pod: PodDetail, node: NodeDetail) -> bool:
    hard = (taint for taint in node.taints if taint.effect in ("NoSchedule", "NoExecute"))
    return all(any(each.covers(taint) for each in pod.needs.tolerations) for taint in hard)


def has_affinity(pod: PodDetail, node: NodeDetail) -> bool:
    terms = pod.needs.node_terms
    return not terms or any(term.matches(node.name, node.labels) for term in terms)


def _unreachable(volume: VolumeView, node: NodeDetail) -> str:
    if not volume.terms or any(term.matches(node.name, node.labels) for term in volume.terms):
        return ""
    return "local volume" if volume.local else "zone"
